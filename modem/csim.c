/* SPDX-License-Identifier: Apache-2.0 */
/* APDUs by AT+CSIM (27.007, 8.17): the host opens channels itself and puts their numbers into the
 * CLA. */
#include "modem/at_apdu.h"
#include "modem/carrier.h"
#include "modem/manage_channel.h"

#include <string.h>

enum outcome csim_exchange(struct at *at, const struct channel *channel, struct exchange *exchange,
                           struct deadline deadline, struct report *why)
{
    static const struct at_carriage csim = {.head = "AT+CSIM=", .prefix = "+CSIM:"};
    uint8_t numbered[APDU_COMMAND_SIZE];
    struct exchange sent = *exchange;
    enum outcome outcome = exchange_check(exchange, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    memcpy(numbered, exchange->command, exchange->length);
    numbered[0] = cla_with_channel(numbered[0], channel->number);
    sent.command = numbered;
    outcome = at_pass(at, &csim, &sent, deadline, why);
    exchange->answer_length = sent.answer_length;
    exchange->cut = sent.cut;
    explicit_bzero(numbered, sizeof numbered);
    return outcome;
}

static enum outcome on_basic(void *arg, const struct channel *channel, struct exchange *exchange,
                             struct deadline deadline, struct report *why)
{
    return csim_exchange(arg, channel, exchange, deadline, why);
}

enum outcome csim_open(struct at *at, const struct channel_wish *wish, struct channel *channel,
                       struct deadline deadline, struct report *why)
{
    const struct basic_channel basic = {on_basic, at, at->trace, at->events};

    enum outcome outcome = manage_channel_open(&basic, wish->all || (at->deaf & AT_DEAF_OPEN) != 0,
                                               channel, deadline, why);

    if (wish->all && outcome == OUTCOME_OK)
        at->deaf |= AT_DEAF_OPEN;
    return outcome;
}

enum outcome csim_close(struct at *at, struct channel *channel, struct deadline deadline,
                        struct report *why)
{
    const struct basic_channel basic = {on_basic, at, at->trace, at->events};

    return manage_channel_close(&basic, channel, deadline, why);
}
