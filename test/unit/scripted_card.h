/* SPDX-License-Identifier: Apache-2.0 */
/* A card as a list: the commands that must come, in this order, and what each is answered. Anything
 * else, and a command that never came, fails the test. */
#ifndef SIMKEY_TEST_UNIT_SCRIPTED_CARD_H
#define SIMKEY_TEST_UNIT_SCRIPTED_CARD_H

#include "apdu/card/apdu.h"

/* Hex, blanks do not count. An answer may also be what the modem says instead of the card: "+CME
 * 3", "ERROR", "TIMEOUT", "GONE" (unplugged), "LOST". */
struct card_step {
    const char *command;
    const char *answer;
};

#define CARD_END                                                                                   \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }

struct scripted_card {
    const struct card_step *next;
    int sent;         /* commands that came */
    int last_secrecy; /* of the last exchange */
    int last_timeout; /* of the last exchange, milliseconds */
    bool no_le;       /* what the card remembers */
    unsigned max_read;
    unsigned quirks;
    struct selection selection; /* card_select fills it */
    struct card card;           /* what the code under test gets */
};

void card_start(struct scripted_card *scripted, const struct card_step *steps);

/* As if this applet had just been selected, answered 9000: a PIN may follow. */
void card_select(struct scripted_card *scripted, const uint8_t *aid, size_t aid_length);

/* Goes on with other steps, keeping what was learnt; fails if some are left over. */
void card_continue_at(struct scripted_card *scripted, const struct card_step *steps,
                      const char *file, int line);
#define card_continue(scripted, steps) card_continue_at(scripted, steps, __FILE__, __LINE__)

/* Fails if commands are left over. */
void card_finish_at(struct scripted_card *scripted, const char *file, int line);
#define card_finish(scripted) card_finish_at(scripted, __FILE__, __LINE__)

#endif
