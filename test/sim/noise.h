/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of what the modem says: its lines with the noise that the faults ask for, in which
 * parts and when an answer leaves, and what is said unasked. What an answer means is not known
 * here. */
#ifndef SIMKEY_SIM_NOISE_H
#define SIMKEY_SIM_NOISE_H

#include "test/sim/bytes.h"

struct at;

#define NOISE_SAYINGS 8

/* What is said unasked, at a time. */
struct saying {
    int64_t due;
    char text[160];
    size_t size; /* there may be NULs among it */
};

struct noise {
    long answers;    /* to command lines, so far */
    long heard;      /* command lines since a client opened the port */
    unsigned lines;  /* unsolicited ones, so far */
    unsigned boots;  /* boot lines, so far */
    unsigned wrong;  /* lengths, so far */
    int64_t chatter; /* when the next line of it is due */
    /* Of the answer in the making */
    bool urc, garbage, boot;
    bool split, wrong_length, stale;
    bool half;
    int64_t rest;        /* ns until the other half comes, NOISE_NEVER */
    const char *carrier; /* whose old answer a stale one is */
    /* Waiting, the soonest first */
    struct saying sayings[NOISE_SAYINGS];
    size_t waiting;
};

#define NOISE_NEVER (-1)

/* A command line begins, and its n-th SIM command: which noise goes with the answer. */
void noise_begin(struct at *at);
void noise_sim(struct at *at, long n);

/* These append to the answer. */
void noise_text(struct at *at, const char *text);
void noise_line(struct at *at, const char *text); /* without any noise but that of line ends */
void noise_urc(struct at *at);                    /* an unsolicited line, if it is time for one */
void noise_information(struct at *at, const char *text);
/* The noise before and after all of it. */
void noise_around(struct at *at);
/* The answer line of +CSIM and +CGLA. */
void noise_apdu(struct at *at, const char *name, const struct bytes *answer);

/* Where the part of the answer ends that leaves now, and after how many ns the next one leaves
 * (NOISE_NEVER: it does not). */
size_t noise_part(const struct at *at, int64_t *pause);
/* The answer has left. */
void noise_end(struct at *at, int64_t now);

/* Lines that are said at due or later, between two answers. With too many waiting it is lost. */
void noise_say(struct at *at, int64_t due, const char *text, size_t size);
void noise_say_line(struct at *at, int64_t due, const char *line);
/* A client has opened the port. */
void noise_opened(struct at *at, int64_t now);
void noise_forget(struct at *at);
/* clock_ns() when there is something to say, 0: never; and saying it. */
int64_t noise_due(const struct at *at);
void noise_work(struct at *at, int64_t now);

#endif
