/* SPDX-License-Identifier: Apache-2.0 */
/* A transport in memory: no device, no modem, no AT. What the card and the modem do is told by the
 * test that makes it. Given to a struct sim by sim_reach_by(sim, &memory.ops). */
#ifndef SIMKEY_TEST_UNIT_MEMORY_TRANSPORT_H
#define SIMKEY_TEST_UNIT_MEMORY_TRANSPORT_H

#include "modem/transport.h"

struct memory {
    struct transport_ops ops; /* may be changed before it is used: iccid = NULL, ... */
    /* One command on one channel, which is open. May set *events. */
    enum outcome (*apdu)(void *arg, uint8_t channel, struct exchange *, unsigned *events,
                         struct report *);
    void *arg;
    const char *iccid;    /* what it tells */
    unsigned wake_events; /* what the next waking finds; taken out by it */
    bool open[CHANNEL_MAX + 1];
    /* What was asked of it. */
    unsigned begins, ends, opens, closes, wakes, starts, iccids;
    int quiet_ms;         /* of the last waking */
    enum carrier carrier; /* of the last wish */
};

void memory_init(struct memory *memory);

/* How many channels are open. */
unsigned memory_channels(const struct memory *memory);

/* All channels are gone, as after a restart. */
void memory_reset(struct memory *memory);

#endif
