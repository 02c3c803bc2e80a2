/* SPDX-License-Identifier: Apache-2.0 */
/* A card that answers whatever the input says, and watches what it is asked: commands must be well
 * formed, go only where a channel is open, and a PIN is tried only where the rules allow it:
 *
 *   on a channel where an applet was selected in this operation, with nothing but questions for the
 *   PIN's state in between; while at least three tries are left, and no fewer than the card said
 *   before; never again after a refusal (or an answer that did not come) of the same source; never
 *   while the line echoes. What one source's PIN opened is used by others only once theirs was
 *   accepted too. */
#ifndef SIMKEY_TEST_FUZZ_HOSTILE_H
#define SIMKEY_TEST_FUZZ_HOSTILE_H

#include "apdu/card/apdu.h"
#include "modem/at.h"
#include "modem/channel.h"
#include "modem/cme.h"
#include "test/fuzz/fuzz.h"

/* How many tries must be left for a VERIFY with data. */
#define TRIES_SOFTWARE 3 /* software's own rule */
#define TRIES_PERSON   2 /* a person's attempt */
#define TRIES_ANY      0 /* a person who spends the last one */

/* Where the PIN of an operation comes from. */
enum hostile_source { SOURCE_LITERAL, SOURCE_FILE, SOURCE_NONE, SOURCES };

#define HOSTILE_CHANNELS 20

struct hostile_channel {
    bool open;         /* the card has it open, as far as the program can know */
    bool numbered;     /* by MANAGE CHANNEL: the modem knows no session of that name */
    bool owed;         /* the program opened it, and has to close it or write it down */
    bool status_asked; /* its last command was STATUS, or fetched a part of its answer */
    bool disowned;     /* it did not answer STATUS like the modem's own */
    bool claimed;      /* it did, or did not answer, or what makes no sense */
    bool used;         /* asked whose it is, it said so: somebody's applet is selected there */
    bool selected;     /* in this operation, and nothing happened since but the state question */
    bool select_under_way; /* 61xx: GET RESPONSE decides, if there is one */
    unsigned unclosed;     /* how often closing was refused, see hostile_close_failed */
    unsigned sources;      /* bit 1 << source: whose PIN was accepted on it */
};

struct hostile {
    struct span input;
    int tries_wanted;
    enum hostile_source source;
    bool change_wanted; /* CHANGE is what was asked for */
    bool echo;          /* the line gives back what it hears now */
    bool remembers;     /* what was refused is kept between operations */
    bool asked;         /* the last answer was to a question for the PIN's state */
    unsigned asked_on;  /* on this channel */
    uint16_t state;     /* what it was told */
    uint16_t twice;     /* the last answer, if it was said twice */
    unsigned copies;    /* how many were in a row, less those that were taken for other answers */
    int told, before;   /* tries left by the last and the last but one answer, -1: not told */
    unsigned verifies;  /* VERIFYs with data that came in this operation */
    bool called_busy;   /* one of them was answered by a busy SIM, which has not seen it */
    bool verify_under_way;
    unsigned proved;          /* bit 1 << source: its PIN was accepted once */
    bool refused[SOURCES][2]; /* by source and reference: the applet's PIN, PIN1 */
    unsigned exchanges;
    unsigned just_closed; /* the last command closed this channel; 0: it did something else */
    bool numberless;      /* it said that it opened a channel, without the number */
    bool shifted; /* an answer of this operation came twice: those that follow may be off by one */
    unsigned
        mistaken; /* bit 1 << number: such an answer was this one byte, which may be taken for the
                         * number of a channel */
    bool reset_unheard; /* it said that the SIM is gone, one answer too late to be heard at once */
    unsigned fetched_for; /* the channel of a SELECT whose answer it did not give by GET RESPONSE */
    bool disturbed; /* an answer of this operation did not come, not alone, or was another's */
    struct hostile_channel channels[HOSTILE_CHANNELS];
};

/* What became of a command. */
enum hostile_end {
    HOSTILE_ANSWERS, /* answer and length are set, with the status word */
    HOSTILE_LATE,    /* the same, but long after it is wanted */
    HOSTILE_STRAY,   /* the same, behind an OK that is not its own */
    HOSTILE_TWICE,   /* the same, and again */
    HOSTILE_CME,     /* length is a number of +CME ERROR */
    HOSTILE_ERROR,
    HOSTILE_TORN,
    HOSTILE_SILENT,
    HOSTILE_GONE,
    HOSTILE_RESTARTS,
};

void hostile_start(struct hostile *card, struct span input, int tries_wanted);

/* Another operation begins: nothing is selected yet. */
void hostile_operation(struct hostile *card, enum hostile_source source, int tries_wanted);

/* Takes the next answer to a command on a channel from the input:
 *   00-7F         a usual status word by its place in a table, one byte of length, data
 *   80-DF         the status word (2 bytes), one byte of length, data
 *   E0-EF         +CME ERROR, its number follows
 *   F0-FF         by the lowest three bits: ERROR, torn, silence, unplugged, late, restart, an OK
 *                 before it, twice; where there is an answer it follows
 * Length FF is 256 bytes, FE as many as were asked for, not taken from the input. Behind the
 * input's end it is silent. */
enum hostile_end hostile_answer(struct hostile *card, unsigned channel, const uint8_t *command,
                                size_t length, uint8_t *answer, size_t *answer_length);

/* The number of the lowest channel that is not open, as a card gives it; 0 if there is none. */
unsigned hostile_free_channel(const struct hostile *card);

/* A channel is opened and the program hears of it; selected: with an applet. Closed; and all of
 * them, by a restart. */
void hostile_open(struct hostile *card, unsigned channel, bool selected);
void hostile_close(struct hostile *card, unsigned channel);
void hostile_reset(struct hostile *card);

/* Closing failed. The program may give the channel up when it was refused in three of its operations,
 * in each of which it tries twice. */
void hostile_close_failed(struct hostile *card, unsigned channel, enum hostile_end end);

/* The same as apdu_exchange_fn, on channel 1; arg is a struct hostile. */
apdu_exchange_fn hostile_exchange;

#endif
