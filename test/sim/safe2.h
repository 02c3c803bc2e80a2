/* SPDX-License-Identifier: Apache-2.0 */
/* The SAFE2 applet as the rest of simmodem sees it: its part of the card, its job that goes on
 * between commands, and what its result codes mean. */
#ifndef SIMKEY_SIM_SAFE2_H
#define SIMKEY_SIM_SAFE2_H

#include "test/sim/card.h"
#include "test/sim/options.h"
#include "test/sim/safe2_job.h"
#include "test/sim/trace.h"

struct safe2_state {
    unsigned state, result;
};

/* All of it belongs to the applet and not to a selection: the id, the states and the data stay when
 * a channel is closed or another applet is selected, and every channel sees the same. So a device
 * can start a job, close its channel, and ask for the state on the next one. */
struct safe2 {
    bool there; /* the card has the applet */
    const struct card *card;
    const struct options *options;
    const struct trace *trace;
    uint8_t id[SAFE2_ID_MAX]; /* the device's */
    size_t id_size;           /* 0: not told yet */
    struct safe2_state jobs[SAFE2_JOBS];
    struct bytes data;        /* what the last GET brought */
    enum safe2_job running;   /* while there is a worker */
    struct safe2_worker work; /* for both jobs: one at a time */
};

void safe2_start(struct safe2 *s, const struct card *card, const struct options *options,
                 const struct trace *trace);
void safe2_end(struct safe2 *s);
/* The card lost power: a job that runs is cut short, and its state says so. What was done before
 * stays, as in a card's memory. */
void safe2_reset(struct safe2 *s);

/* For the event loop: the descriptor to poll for reading (-1: none), the clock_ns() when safe2_work
 * is to be called at the latest (0: never), and the call, which never blocks. */
int safe2_fd(const struct safe2 *s);
int64_t safe2_due(const struct safe2 *s);
void safe2_work(struct safe2 *s, int64_t now);

/* For --help. */
void safe2_list_results(FILE *out);

#endif
