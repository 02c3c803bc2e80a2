/* SPDX-License-Identifier: Apache-2.0 */
/* A channel that was opened and whose number no program has heard: the answer was lost, or its program
 * had died. It is looked for by asking the channels that are in no table. */
#include "apdu/session/channel.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The search ends behind this many numbers in a row that are not open. */
#define CLOSED_IN_A_ROW 3

/* True if no applet is selected on a channel: what answers there does not know the commands of ours. */
static bool is_bare(struct operation *operation, const struct channel *channel, enum whose whose,
                    uint16_t word)
{
    if (whose == WHOSE_NAMELESS)
        return true;
    return whose == WHOSE_OURS && word != SW_OK && !channel_looks_ours(operation, channel, word);
}

static bool known(const struct operation *operation, const struct channel *channel)
{
    return channel->carrier == CARRIER_CSIM ? channel_known(operation, channel->number)
                                            : channel_session_known(operation, channel);
}

/* True for the channel that is looked for: opened by AT+CSIM it has nothing selected on it, opened by
 * AT+CCHO and the like an applet of ours. */
static bool is_missed(struct operation *operation, const struct channel *channel, enum whose whose,
                      uint16_t word)
{
    return channel->carrier == CARRIER_CSIM && !operation->transport.ops->selects
               ? is_bare(operation, channel, whose, word)
               : whose == WHOSE_OURS && word != 0 && word != SW_CLOSED_CHANNEL &&
                     channel_looks_ours(operation, channel, word);
}

/* Closes it. False if that failed for a session: only a part of its name may have been heard. */
static bool close_found(struct operation *operation, struct channel *channel)
{
    const struct channel found = *channel;
    struct report ignored = REPORT_INIT;
    enum outcome outcome = operation->transport.ops->close(&operation->transport, channel,
                                                           operation->deadline, &ignored);

    if (found.carrier != CARRIER_CSIM)
        return outcome == OUTCOME_OK;
    channel_forget_claim(operation, found.number);
    if (outcome != OUTCOME_OK) /* perhaps it is not closed */
        owners_orphan(&operation->record.owners, &found, DOUBT_ASK);
    return true;
}

/* Asks the channel first, because its number may be another program's by now; but not out of step, where no
 * answer counts and the channel was opened just now. */
bool channel_close_stray(struct operation *operation)
{
    struct channel channel;
    enum whose whose;
    uint16_t word;

    if (!transport_found(&operation->transport, &channel) || known(operation, &channel))
        return false;
    if (!operation_out_of_step(operation)) {
        whose = channel_whose_surely(operation, &channel, &word);
        if (whose == WHOSE_UNKNOWN) /* it is asked again after the next opening */
            owners_orphan(&operation->record.owners, &channel, DOUBT_ASK);
        /* or the modem takes nothing for the session: to close one that it does not know does no harm */
        if (!is_missed(operation, &channel, whose, word) && !(whose == WHOSE_OURS && word == 0))
            return false;
    }
    return close_found(operation, &channel);
}

/* The channel of a number; modems count sessions from 1, too. */
static struct channel numbered(enum carrier carrier, unsigned number)
{
    struct channel channel = {.open = true, .carrier = carrier};

    if (carrier == CARRIER_CSIM)
        channel.number = (uint8_t)number;
    else
        (void)snprintf(channel.session, sizeof channel.session, "%u", number);
    return channel;
}

/* Asks a session a second time: if answers are off by one, the first answer may have been about another
 * program's session. */
static bool is_still_missed(struct operation *operation, const struct channel *channel)
{
    uint16_t word;
    enum whose whose;

    if (channel->carrier == CARRIER_CSIM)
        return true;
    whose = channel_whose(operation, channel, &word);
    return is_missed(operation, channel, whose, word);
}

/* Asks the numbers from 1 on that are in no table: the channel got the lowest one that was free, and some
 * below it may have been closed since. A session whose name is no number is not found. nameless: looks only
 * for a channel that says itself that it has no application. */
static bool find_by(struct operation *operation, enum carrier carrier, bool nameless,
                    struct channel *found)
{
    unsigned closed = 0; /* in a row */

    for (unsigned number = 1; number <= CHANNEL_MAX && closed < CLOSED_IN_A_ROW; number++) {
        const struct channel session = numbered(CARRIER_CCHO, number);
        enum whose whose;
        uint16_t word;

        *found = numbered(carrier, number);
        if (known(operation, found) ||
            /* many modems name a session by its channel's number: then this one is known */
            (nameless && channel_session_known(operation, &session)) ||
            (carrier == CARRIER_CSIM && operation->old_claims[number] != OWNER_NONE)) {
            closed = 0;
            continue;
        }
        whose = channel_whose_surely(operation, found, &word);
        if (whose == WHOSE_UNKNOWN) { /* it is asked again after the next opening */
            owners_guess(&operation->record.owners, found);
            operation->missed = true;
        }
        if (whose == WHOSE_UNKNOWN || whose == WHOSE_REFUSED)
            return false;
        closed = word == 0 || word == SW_CLOSED_CHANNEL ? closed + 1 : 0;
        if (closed > 0)
            continue;
        if (nameless ? whose == WHOSE_NAMELESS : is_missed(operation, found, whose, word)) {
            if (nameless || is_still_missed(operation, found))
                return true;
            owners_guess(&operation->record.owners, found);
        }
    }
    return false;
}

/* A program selects on its channel before it gives the device back. One in the table that has no application
 * is not its owner's any more: its number went to an opening whose answer no program has heard. */
bool channel_close_unselected(struct operation *operation)
{
    const struct owners owners = operation->record.owners;
    bool closed = false;
    uint16_t word;

    for (size_t i = 0; i < owners.count; i++)
        if (owners.list[i].channel.carrier == CARRIER_CSIM && owners.list[i].pid != getpid() &&
            owners_state(&owners.list[i]) != OWNER_IS_DEAD &&
            channel_whose(operation, &owners.list[i].channel, &word) == WHOSE_NAMELESS &&
            !operation_out_of_step(operation))
            closed = channel_close(operation, &owners.list[i].channel) || closed;
    return closed;
}

bool channel_find_missed(struct operation *operation, enum carrier carrier)
{
    struct channel found;
    bool any = false;

    operation->missed = false;
    channel_know_claims(operation);
    if (carrier != CARRIER_CCHO && find_by(operation, CARRIER_CSIM, false, &found)) {
        (void)close_found(operation, &found);
        any = true;
    }
    if (carrier != CARRIER_CSIM && operation->transport.ops->carrier == CARRIER_AUTO &&
        find_by(operation, CARRIER_CCHO, false, &found)) {
        (void)close_found(operation, &found);
        any = true;
    }
    return any;
}

bool channel_find_opened(struct operation *operation, struct channel *found)
{
    operation->transport.events |=
        EVENT_DOUBT; /* what came may have been another command's answer */
    channel_know_claims(operation);
    if (find_by(operation, CARRIER_CSIM, true, found) &&
        !(operation->transport.events & EVENT_UNASKED))
        return true;
    memset(found, 0, sizeof *found);
    return false;
}
