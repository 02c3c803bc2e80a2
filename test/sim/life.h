/* SPDX-License-Identifier: Apache-2.0 */
/* The life of modem and card: restart, REFRESH, removal and return of the SIM, another SIM,
 * hang-up, and what other programs do to the channels. */
#ifndef SIMKEY_SIM_LIFE_H
#define SIMKEY_SIM_LIFE_H

#include <stdbool.h>
#include <stdint.h>

struct at;
struct uicc;

struct life {
    struct uicc *other; /* the SIM of --other-card until it is in */
    bool absent;        /* no SIM is in */
    int64_t back_at;    /* clock_ns() when it is back, 0: never */
    bool hang_up;       /* the line is to be closed, for so long: */
    int64_t gone_ns;
    bool prompt;                     /* text entry of a message */
    bool deaf;                       /* to the rest of this line */
    int64_t rested;                  /* clock_ns() when a command may come again */
    bool lost, foreign, foreign_mse; /* these have struck */
};

/* The boot lines of a modem that is back at that time. */
void life_boot(struct at *at, int64_t due);

/* The n-th SIM command comes; true if it is swallowed. */
bool life_before(struct at *at, long n);
/* A character comes; true if it is not of a command: the modem is at the prompt for a text, or has not
 * rested since its last answer. */
bool life_character(struct at *at, char c);
/* It has been answered. */
void life_after(struct at *at, long n);

/* clock_ns() when there is something to do, 0: never; and doing it. */
int64_t life_due(const struct at *at);
void life_work(struct at *at, int64_t now);

#endif
