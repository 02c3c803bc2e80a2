/* SPDX-License-Identifier: Apache-2.0 */
/* What `simkey close` does: every channel that may be ours is asked, and closed if it is. */
#include "apdu/session/channel.h"

#include <stdio.h>
#include <string.h>

static void tell(struct sim_found *found, const struct channel *channel, enum sim_channel_end end,
                 pid_t pid)
{
    struct sim_channel *one;

    if (found->count == SIM_CHANNELS)
        return;
    one = &found->channels[found->count++];
    *one = (struct sim_channel){
        .session = channel->carrier == CARRIER_CCHO, .end = end, .pid = (long)pid};
    if (one->session)
        (void)snprintf(one->name, sizeof one->name, "%s", channel->session);
    else
        (void)snprintf(one->name, sizeof one->name, "%u", channel->number);
}

/* One of the table. */
static void sweep_owned(struct operation *operation, struct owned owned, struct sim_found *found)
{
    enum whose whose;
    uint16_t word;

    if (owners_state(&owned) == OWNER_HOLDS && owned.doubt == DOUBT_NONE) {
        tell(found, &owned.channel, SIM_CHANNEL_HELD, owned.pid);
        return;
    }
    whose = channel_whose_surely(operation, &owned.channel, &word);
    if ((whose == WHOSE_OURS || whose == WHOSE_NAMELESS) &&
        channel_close(operation, &owned.channel))
        tell(found, &owned.channel, SIM_CHANNEL_CLOSED, 0);
    else
        tell(found, &owned.channel, whose == WHOSE_OTHERS ? SIM_CHANNEL_OTHERS : SIM_CHANNEL_STAYS,
             0);
}

bool channel_looks_ours(struct operation *operation, const struct channel *channel, uint16_t word)
{
    static const struct apdu pin_state = {.ins = 0x20, .p2 = 0x81, .le = APDU_LE_NONE};
    static const struct apdu job_state = {.ins = 0xCC, .p1 = 0x02, .le = APDU_LE_ALL}; /* SAFE2 */
    static const struct apdu version = {.cla = 0x80, .ins = 0xCB, .le = APDU_LE_ALL}; /* IoT SAFE */
    struct report why = REPORT_INIT;
    struct answer answer;
    uint16_t state;

    if (word == 0 || word == SW_CLOSED_CHANNEL)
        return false;
    if (word == SW_OK) /* STATUS named the applet: channel_whose has looked */
        return true;
    /* VERIFY without data costs no try; only mIAS knows it */
    state = (operation->sim->quirks.modem & QUIRK_NO_MIAS) != 0
                ? 0x6D00
                : channel_word(operation, channel, &pin_state, &answer, &why);
    if ((state & 0xFFF0) == 0x63C0 || state == SW_OK || state == 0x6983 || state == 0x6984)
        return true;
    state = channel_word(operation, channel, &job_state, &answer, &why);
    if (state == SW_OK && answer.length == 4)
        return true;
    state = channel_word(operation, channel, &version, &answer, &why);
    return state == SW_OK && answer.length > 2 && answer.data[0] == 0x10 && answer.data[1] == 1;
}

/* A channel that is in no record. False: it is no use to ask further numbers. */
static bool sweep_number(struct operation *operation, unsigned number, struct sim_found *found)
{
    const struct channel channel = {
        .open = true, .carrier = CARRIER_CSIM, .number = (uint8_t)number};
    uint16_t word;
    enum whose whose = channel_whose(operation, &channel, &word);

    if (whose == WHOSE_UNKNOWN || whose == WHOSE_REFUSED)
        return false;
    /* twice: where answers are off by one, another program's may look like ours */
    if (whose == WHOSE_OURS && channel_looks_ours(operation, &channel, word) &&
        channel_whose(operation, &channel, &word) == WHOSE_OURS &&
        channel_looks_ours(operation, &channel, word))
        tell(found, &channel,
             channel_close(operation, &channel) ? SIM_CHANNEL_CLOSED : SIM_CHANNEL_STAYS, 0);
    return true;
}

/* True for a channel that the table has, or the file of an older program, which is told of here. */
static bool was_seen(struct operation *operation, unsigned number, struct sim_found *found)
{
    const struct channel channel = {
        .open = true, .carrier = CARRIER_CSIM, .number = (uint8_t)number};
    enum owner claim = operation->old_claims[number];

    if (owners_know(&operation->record.owners, number))
        return true;
    if (claim == OWNER_NONE)
        return false;
    if (claim != OWNER_IS_DEAD)
        tell(found, &channel, SIM_CHANNEL_HELD, 0);
    else if (channel_ask_left(operation, (uint8_t)number))
        tell(found, &channel, SIM_CHANNEL_CLOSED, 0);
    return true;
}

/* The card is asked anew for all but its number. */
static void forget_learnt(struct card_quirks *quirks)
{
    quirks_forget_refusals(quirks);
    quirks->no_le = quirks->short_way = false;
    quirks->max_read = APDU_LE_ALL;
    quirks->modem = 0;
    quirks->environment_refused = quirks->pin_refused = 0;
}

/* False while a program holds a channel: it needs what the transport keeps for all (a QMI client id). */
static bool nothing_held(const struct sim_found *found)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->channels[i].end == SIM_CHANNEL_HELD)
            return false;
    return true;
}

void channel_sweep(struct operation *operation, struct sim_found *found)
{
    struct channel_state *shared = &operation->record.shared, *second = &operation->record.second;
    struct owners owners;
    /* by PC/SC an unknown channel may be any program's */
    bool goes_on = operation->transport.ops->service == NULL;

    memset(found, 0, sizeof *found);
    forget_learnt(&operation->sim->quirks);
    found->closed = shared->level > LEVEL_CLOSED || second->level > LEVEL_CLOSED;
    operation->sim->proof.channel.open = false; /* each is asked */
    channel_drop(operation, shared);
    channel_drop(operation, second);
    owners = operation->record.owners;
    channel_know_claims(operation);
    for (size_t i = 0; i < owners.count; i++)
        sweep_owned(operation, owners.list[i], found);
    for (unsigned number = 1; number <= CHANNEL_MAX && goes_on; number++)
        if (!was_seen(operation, number, found))
            goes_on = sweep_number(operation, number, found);
    if (nothing_held(found))
        transport_release(&operation->transport, operation->deadline);
}
