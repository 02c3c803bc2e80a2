/* SPDX-License-Identifier: Apache-2.0 */
/* A channel that was opened and whose number nobody heard: the answer was lost, or came to a program
 * that had died. It is looked for by asking the channels that nobody knows. */
#include "apdu/session/channel.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Behind so many that are closed no other is looked for. */
#define CLOSED_IN_A_ROW 3

/* True if no applet is selected on a channel: neither the card's MF nor whatever a card without one has
 * there knows the commands of ours. */
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

/* True for the one that is looked for: by AT+CSIM nothing is selected on it, by AT+CCHO and the like an
 * applet of ours. */
static bool is_missed(struct operation *operation, const struct channel *channel, enum whose whose,
                      uint16_t word)
{
    return channel->carrier == CARRIER_CSIM && !operation->transport.ops->selects
               ? is_bare(operation, channel, whose, word)
               : whose == WHOSE_OURS && word != 0 && word != SW_CLOSED_CHANNEL &&
                     channel_looks_ours(operation, channel, word);
}

/* False where a session could not be closed: what was heard of its name may be half of it. */
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

/* Out of step no answer counts, and the channel was opened just now; else it is asked whether its number
 * was given to somebody else meanwhile. */
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
        if (!is_missed(operation, &channel, whose, word))
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

/* A session is another program's as soon as an answer is off by one: what told that it is the one that is
 * looked for must be told twice. */
static bool is_still_missed(struct operation *operation, const struct channel *channel)
{
    uint16_t word;
    enum whose whose;

    if (channel->carrier == CARRIER_CSIM)
        return true;
    whose = channel_whose(operation, channel, &word);
    return is_missed(operation, channel, whose, word);
}

/* It had the lowest number that was free, and some below may be free again. Where sessions' names are no
 * numbers nothing is found. nameless: only one that says that it has no application. */
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
            /* many modems name a session by its channel's number, and that one is not new */
            (nameless && channel_session_known(operation, &session)) ||
            (carrier == CARRIER_CSIM && operation->old_claims[number] != OWNER_NONE)) {
            closed = 0;
            continue;
        }
        whose = channel_whose_surely(operation, found, &word);
        if (whose == WHOSE_UNKNOWN) { /* it is asked again after the next opening */
            owners_orphan(&operation->record.owners, found, DOUBT_ASK);
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
            owners_orphan(&operation->record.owners, found, DOUBT_ASK);
        }
    }
    return false;
}

/* Who opens a channel selects on it before it gives the device back. What is in the table and has no
 * application was lost by its owner, and its number given to an opening that nobody heard of. */
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

void channel_find_missed(struct operation *operation, enum carrier carrier)
{
    struct channel found;

    operation->missed = false;
    channel_know_claims(operation);
    if (carrier != CARRIER_CCHO && find_by(operation, CARRIER_CSIM, false, &found))
        (void)close_found(operation, &found);
    if (carrier != CARRIER_CSIM && operation->transport.ops->carrier == CARRIER_AUTO &&
        find_by(operation, CARRIER_CCHO, false, &found))
        (void)close_found(operation, &found);
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
