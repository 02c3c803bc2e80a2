/* SPDX-License-Identifier: Apache-2.0 */
/* A channel that was opened and whose number nobody heard: the answer was lost, or came to a program
 * that had died. It is looked for by asking the channels that nobody knows. */
#include "apdu/session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* True for a session that is open by somebody's word. */
static bool session_in_use(struct operation *operation, const struct channel *channel)
{
    return channel_same(channel, &operation->record.shared.channel) ||
           channel_same(channel, &operation->sim->mine.channel) ||
           channel_same(channel, &operation->current->channel) ||
           owners_find(&operation->record.owners, channel) != NULL;
}

/* Out of step no answer counts, and the channel was opened just now; else it is asked whether its number
 * was given to somebody else meanwhile. What was heard of a session's name may be half of it. */
static bool may_close(struct operation *operation, const struct channel *channel)
{
    enum whose whose;
    uint16_t word;

    if (channel->number > 0 ? channel_known(operation, channel->number)
                            : session_in_use(operation, channel))
        return false;
    if (operation_out_of_step(operation))
        return true;
    whose = channel_whose_surely(operation, channel, &word);
    return channel->number > 0 ? is_bare(operation, channel, whose, word) : whose == WHOSE_OURS;
}

bool channel_close_stray(struct operation *operation)
{
    struct report ignored = REPORT_INIT;
    struct channel channel;

    if (!transport_found(&operation->transport, &channel) || !may_close(operation, &channel))
        return false;
    if (channel.number == 0)
        return operation->transport.ops->close(&operation->transport, &channel, operation->deadline,
                                               &ignored) == OUTCOME_OK;
    channel_close_left(operation, channel.number);
    return true;
}

/* True for a channel of this number that somebody knows, so that it is not the one looked for. */
static bool number_taken(const struct operation *operation, unsigned number)
{
    return channel_known(operation, number) || operation->old_claims[number] != OWNER_NONE;
}

/* By AT+CSIM: nothing has been selected on it. It had the lowest number that was free, and some below may be
 * free again. */
static void find_number(struct operation *operation)
{
    unsigned closed = 0;

    for (unsigned number = 1; number <= CHANNEL_MAX && closed < CLOSED_IN_A_ROW; number++) {
        const struct channel channel = {
            .open = true, .carrier = CARRIER_CSIM, .number = (uint8_t)number};
        enum whose whose;
        uint16_t word;

        closed = number_taken(operation, number) ? 0 : closed;
        if (number_taken(operation, number))
            continue;
        whose = channel_whose_surely(operation, &channel, &word);
        if (whose == WHOSE_UNKNOWN) /* it is asked again after the next opening */
            owners_orphan(&operation->record.owners, &channel, DOUBT_ASK);
        if (whose == WHOSE_UNKNOWN || whose == WHOSE_REFUSED)
            return;
        closed = word == SW_CLOSED_CHANNEL ? closed + 1 : 0;
        if (closed == 0 && is_bare(operation, &channel, whose, word)) {
            channel_close_left(operation, channel.number);
            return;
        }
    }
}

/* The number that a session's name is, 0 if it is another word. */
static unsigned session_number(const struct channel *channel)
{
    const char *name = channel->session;
    size_t digits = strspn(name, "0123456789");
    unsigned long number = strtoul(name, NULL, 10);

    if (!channel->open || channel->carrier != CARRIER_CCHO || digits == 0 || name[digits] != '\0' ||
        number < 1 || number > CHANNEL_MAX)
        return 0;
    return (unsigned)number;
}

/* True if a session of that number is somebody's. */
static bool session_taken(const struct operation *operation, unsigned number)
{
    const struct owners *owners = &operation->record.owners;

    for (size_t i = 0; i < owners->count; i++)
        if (session_number(&owners->list[i].channel) == number)
            return true;
    return number == session_number(&operation->record.shared.channel) ||
           number == session_number(&operation->sim->mine.channel);
}

/* By AT+CCHO: modems count sessions from 1, and an applet of ours was selected on it. Where names are no
 * numbers nothing is found. */
static void find_session(struct operation *operation)
{
    struct channel channel = {.open = true, .carrier = CARRIER_CCHO};
    struct report ignored = REPORT_INIT;
    unsigned closed = 0;

    for (unsigned number = 1; number <= CHANNEL_MAX && closed < CLOSED_IN_A_ROW; number++) {
        enum whose whose;
        uint16_t word;

        closed = session_taken(operation, number) ? 0 : closed;
        if (session_taken(operation, number))
            continue;
        (void)snprintf(channel.session, sizeof channel.session, "%u", number);
        whose = channel_whose_surely(operation, &channel, &word);
        if (whose == WHOSE_UNKNOWN)
            owners_orphan(&operation->record.owners, &channel, DOUBT_ASK);
        if (whose == WHOSE_UNKNOWN || whose == WHOSE_REFUSED)
            return;
        closed = word == 0 || word == SW_CLOSED_CHANNEL ? closed + 1 : 0;
        if (closed == 0 && whose == WHOSE_OURS) {
            (void)operation->transport.ops->close(&operation->transport, &channel,
                                                  operation->deadline, &ignored);
            return;
        }
    }
}

void channel_find_missed(struct operation *operation, enum carrier carrier)
{
    channel_know_claims(operation);
    if (carrier != CARRIER_CCHO)
        find_number(operation);
    if (carrier != CARRIER_CSIM)
        find_session(operation);
}
