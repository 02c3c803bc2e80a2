/* SPDX-License-Identifier: Apache-2.0 */
/* A card that answers whatever the input says, and watches what it is asked: commands must be well
 * formed, and a PIN is tried only where the rules of apdu/pin.h allow it. */
#ifndef SIMKEY_TEST_FUZZ_HOSTILE_H
#define SIMKEY_TEST_FUZZ_HOSTILE_H

#include "apdu/apdu.h"
#include "modem/transport.h"
#include "test/fuzz/fuzz.h"

/* How many tries must be left for a VERIFY with data. */
#define TRIES_SOFTWARE 3 /* software's own rule */
#define TRIES_PERSON   2 /* a person's attempt */
#define TRIES_ANY      0 /* a person who spends the last one */

struct hostile {
    struct span input;
    int tries_wanted;
    bool asked;        /* the last answer was to a question for the PIN's state */
    uint16_t state;    /* what it was told */
    unsigned verifies; /* VERIFYs with data that came */
    unsigned exchanges;
};

/* What became of a command. */
enum hostile_end {
    HOSTILE_ANSWERS, /* answer and length are set, with the status word */
    HOSTILE_CME,     /* length is a number of +CME ERROR */
    HOSTILE_ERROR,
    HOSTILE_TORN,
    HOSTILE_SILENT,
    HOSTILE_GONE,
};

void hostile_start(struct hostile *card, struct span input, int tries_wanted);

/* Takes the next answer from the input:
 *   00-7F         a usual status word by its place in a table, one byte of length, data
 *   80-DF         the status word (2 bytes), one byte of length, data
 *   E0-FF         the modem fails; E0-EF: +CME ERROR, its number follows
 * Length FF is 256 bytes, FE as many as were asked for, not taken from the input. Behind the
 * input's end it is silent. */
enum hostile_end hostile_answer(struct hostile *card, const uint8_t *command, size_t length,
                                uint8_t *answer, size_t *answer_length);

/* The same as apdu_exchange_fn; arg is a struct hostile. */
apdu_exchange_fn hostile_exchange;

#endif
