/* SPDX-License-Identifier: Apache-2.0 */
/* simmodem's card without its modem: a new one for each test, spoken to in hexadecimal. Of the
 * suites that are linked with the code of test/sim (see the Makefile), whose names are its own. */
#ifndef SIMKEY_TEST_UNIT_SIM_SEAT_H
#define SIMKEY_TEST_UNIT_SIM_SEAT_H

#include "test/sim/uicc.h"

#define SIM_SWITCHES 16

struct sim_seat {
    char dir[128];
    struct options options;
    struct trace trace;
    struct card card;
    struct uicc uicc;
    struct bytes answer; /* of the last command, with its status word */
};

/* Makes a card, of which the switches (NULL at the end) are those of simmodem, and powers it. */
void sim_sit(struct sim_seat *s, const char *const *switches);
#define SIM_SIT(s, ...) sim_sit(s, (const char *const[]){__VA_ARGS__, NULL})
/* Powers it anew, with other switches; what it remembers is read again. */
void sim_again(struct sim_seat *s, const char *const *switches);
#define SIM_AGAIN(s, ...) sim_again(s, (const char *const[]){__VA_ARGS__, NULL})
void sim_leave(struct sim_seat *s);

/* Sends a command; the answer is in s->answer, and the milliseconds that it takes come back. */
long sim_send(struct sim_seat *s, const char *command);
/* Its answer is that, in hexadecimal. */
void sim_says(const char *file, int line, struct sim_seat *s, const char *command,
              const char *answer);
#define SIM_SAYS(s, command, answer) sim_says(__FILE__, __LINE__, s, command, answer)
/* Opens channel 1 and selects there what the AID names: 9000. */
void sim_select(struct sim_seat *s, const char *aid);

#endif
