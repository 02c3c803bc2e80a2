/* SPDX-License-Identifier: Apache-2.0 */
/* See memory_transport.h. Each operation has a state of its own behind transport->self, which says
 * whether it has begun. */
#include "test/unit/memory_transport.h"

#include "test/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct begun {
    struct memory *memory;
    struct deadline deadline;
};

static struct memory *memory_of(struct transport *transport)
{
    struct begun *begun = transport->self;

    return begun->memory;
}

static enum outcome memory_begin(struct transport *transport, const struct transport_target *target,
                                 struct deadline deadline, struct report *why)
{
    /* ops is the first member; the caller of sim_reach_by owns it */
    struct memory *memory = (struct memory *)(uintptr_t)target->ops;
    struct begun *begun = malloc(sizeof *begun);

    if (begun == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    *begun = (struct begun){memory, deadline};
    transport->self = begun;
    memory->begins++;
    return OUTCOME_OK;
}

static void memory_end(struct transport *transport)
{
    if (transport->self != NULL)
        memory_of(transport)->ends++;
    free(transport->self);
    transport->self = NULL;
}

static enum outcome memory_wake(struct transport *transport, bool ready, int quiet_ms,
                                struct deadline deadline, struct report *why)
{
    struct memory *memory = memory_of(transport);

    (void)deadline, (void)why;
    memory->wakes++;
    memory->starts += !ready;
    memory->quiet_ms = quiet_ms;
    transport->events |= memory->wake_events;
    memory->wake_events = 0;
    return OUTCOME_OK;
}

static enum outcome memory_open(struct transport *transport, const struct channel_wish *wish,
                                struct channel *channel, struct deadline deadline,
                                struct report *why)
{
    struct memory *memory = memory_of(transport);
    uint8_t number = 1;

    (void)deadline;
    memset(channel, 0, sizeof *channel);
    memory->carrier = wish->carrier;
    while (number <= CHANNEL_MAX && memory->open[number])
        number++;
    if (number > CHANNEL_MAX)
        return report_sw(why, OUTCOME_REFUSED, 0x6A81, "memory: no channel is free");
    memory->open[number] = true;
    memory->opens++;
    *channel = (struct channel){.open = true, .carrier = CARRIER_CSIM, .number = number};
    return OUTCOME_OK;
}

static enum outcome memory_exchange(struct transport *transport, const struct channel *channel,
                                    struct exchange *exchange, struct deadline deadline,
                                    struct report *why)
{
    struct memory *memory = memory_of(transport);

    (void)deadline;
    if (channel->number == 0 || channel->number > CHANNEL_MAX || !memory->open[channel->number]) {
        exchange->answer[0] = 0x68;
        exchange->answer[1] = 0x81;
        exchange->answer_length = 2;
        return OUTCOME_OK;
    }
    return memory->apdu(memory->arg, channel->number, exchange, &transport->events, why);
}

static enum outcome memory_close(struct transport *transport, struct channel *channel,
                                 struct deadline deadline, struct report *why)
{
    struct memory *memory = memory_of(transport);

    (void)deadline, (void)why;
    channel->open = false;
    if (channel->number <= CHANNEL_MAX)
        memory->open[channel->number] = false;
    memory->closes++;
    return OUTCOME_OK;
}

static enum outcome memory_identity(struct transport *transport, struct modem_identity *identity,
                                    struct deadline deadline, struct report *why)
{
    (void)transport, (void)deadline, (void)why;
    memset(identity, 0, sizeof *identity);
    (void)snprintf(identity->model, sizeof identity->model, "memory");
    return OUTCOME_OK;
}

static enum outcome memory_iccid(struct transport *transport, char iccid[ICCID_SIZE],
                                 struct deadline deadline, struct report *why)
{
    struct memory *memory = memory_of(transport);

    (void)deadline, (void)why;
    memory->iccids++;
    (void)snprintf(iccid, ICCID_SIZE, "%s", memory->iccid);
    return OUTCOME_OK;
}

void memory_init(struct memory *memory)
{
    static const struct transport_ops ops = {.noun = "memory",
                                             .ways = {"memory", "memory", "memory"},
                                             .restarted = "the memory was wiped",
                                             .carrier = CARRIER_CSIM,
                                             .begin = memory_begin,
                                             .wake = memory_wake,
                                             .open = memory_open,
                                             .exchange = memory_exchange,
                                             .close = memory_close,
                                             .end = memory_end,
                                             .identity = memory_identity,
                                             .iccid = memory_iccid};

    memset(memory, 0, sizeof *memory);
    memory->ops = ops;
    memory->iccid = "89880330000000000017";
}

unsigned memory_channels(const struct memory *memory)
{
    unsigned count = 0;

    for (unsigned number = 1; number <= CHANNEL_MAX; number++)
        count += memory->open[number];
    return count;
}

void memory_reset(struct memory *memory)
{
    memset(memory->open, 0, sizeof memory->open);
}
