/* SPDX-License-Identifier: Apache-2.0 */
/* What the hostile card forbids: each command is looked at before it is answered, and what the
 * program then knows is noted. */
#ifndef SIMKEY_TEST_FUZZ_WATCH_H
#define SIMKEY_TEST_FUZZ_WATCH_H

#include "test/fuzz/hostile.h"

#define INS_VERIFY         0x20
#define INS_CHANGE         0x24
#define INS_UNBLOCK        0x2C
#define INS_PSO            0x2A
#define INS_MANAGE_CHANNEL 0x70
#define INS_SELECT         0xA4
#define INS_STATUS         0xF2
#define INS_SAFE2          0xCC
#define INS_IOTSAFE        0xCB /* GET DATA */
#define INS_GET_RESPONSE   0xC0

/* A command under way. */
struct watched {
    unsigned channel;
    uint8_t ins, p1, p2;
    size_t lc, le; /* 0 where absent */
    uint16_t sw;   /* of its answer, if it has one */
    size_t answer_length;
    uint8_t first; /* byte of the answer */
};

/* Checks a command. */
struct watched watch_command(struct hostile *card, unsigned channel, const uint8_t *command,
                             size_t length);

/* Notes how it ended; cme is the number of a +CME ERROR. */
void watch_end(struct hostile *card, const struct watched *watched, enum hostile_end end,
               size_t cme);

/* A VERIFY whose answer was never fetched counts as refused. */
void watch_settle(struct hostile *card);

#endif
