/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that the host opens by itself, see manage_channel.h. */
#include "modem/manage_channel.h"

#include "modem/event.h"

#include <string.h>

#define OPEN_TIMEOUT_MS 5000

uint8_t cla_with_channel(uint8_t cla, uint8_t number)
{
    if (number < 4)
        return (uint8_t)((cla & ~0x03) | number);
    /* further interindustry coding: secure messaging has another place there and is not used here
     */
    return (uint8_t)((cla & 0x80) | 0x40 | (cla & 0x10) | ((number - 4) & 0x0F));
}

enum outcome exchange_check(const struct exchange *exchange, struct report *why)
{
    if (exchange->length < 4 || exchange->length > APDU_COMMAND_SIZE)
        return report_set(why, OUTCOME_USAGE, "a command APDU has 4 to %d bytes",
                          APDU_COMMAND_SIZE);
    return OUTCOME_OK;
}

/* MANAGE CHANNEL on the basic channel. */
static enum outcome manage_channel(const struct basic_channel *basic, const uint8_t command[5],
                                   uint8_t answer[APDU_ANSWER_SIZE], size_t *length,
                                   struct deadline deadline, struct report *why)
{
    static const struct channel channel = {.number = 0};
    struct exchange exchange = {.command = command,
                                .length = 5,
                                .timeout_ms = OPEN_TIMEOUT_MS,
                                .secrecy = SECRET_NOTHING,
                                .answer = answer};
    int64_t started = monotonic_ms();
    enum outcome outcome = basic->exchange(basic->arg, &channel, &exchange, deadline, why);

    *length = exchange.answer_length;
    trace_apdu(basic->trace, command, 5, outcome == OUTCOME_OK ? answer : NULL, *length,
               monotonic_ms() - started, SECRET_NOTHING);
    return outcome;
}

enum outcome manage_channel_open(const struct basic_channel *basic, struct channel *channel,
                                 struct deadline deadline, struct report *why)
{
    static const uint8_t command[5] = {0x00, 0x70, 0x00, 0x00, 0x01};
    uint8_t answer[APDU_ANSWER_SIZE];
    size_t length = 0;
    enum outcome outcome = manage_channel(basic, command, answer, &length, deadline, why);
    uint16_t sw;

    memset(channel, 0, sizeof *channel);
    if (outcome != OUTCOME_OK)
        return outcome;
    sw = (uint16_t)(answer[length - 2] << 8 | answer[length - 1]);
    if ((sw == 0x9000 || (sw & 0xFF00) == 0x9100) && length == 3 && answer[0] >= 1 &&
        answer[0] <= CHANNEL_MAX) {
        channel->open = true;
        channel->carrier = CARRIER_CSIM;
        channel->number = answer[0];
        return OUTCOME_OK;
    }
    if (length != 2) /* another command's answer: the number may still come */
        return report_sw(why, OUTCOME_BAD_DATA, sw, "the answer to MANAGE CHANNEL makes no sense");
    if (sw == 0x6A81 || sw == 0x6A84 || sw == 0x6881)
        return report_sw(why, OUTCOME_REFUSED, sw, "the SIM has no free logical channel");
    if (sw == 0x6E00 || sw == 0x6D00 || (sw & 0xFF00) == 0x6900)
        return report_sw(why, OUTCOME_CARRIER_REFUSED, sw,
                         "the modem lets no program open a channel by AT+CSIM");
    return report_sw(why, OUTCOME_BAD_DATA, sw, "the answer to MANAGE CHANNEL makes no sense");
}

/* Closing may be repeated: a modem that failed once may not fail again. But not where the card may
 * have closed it: the modem may have opened one under that number since. */
enum outcome manage_channel_close(const struct basic_channel *basic, struct channel *channel,
                                  struct deadline deadline, struct report *why)
{
    const uint8_t command[5] = {0x00, 0x70, 0x80, channel->number, 0x00};
    uint8_t answer[APDU_ANSWER_SIZE];
    size_t length = 0;
    enum outcome outcome;

    channel->open = false;
    for (int tries = 0; tries < 2; tries++) {
        outcome = manage_channel(basic, command, answer, &length, deadline, why);
        if (outcome == OUTCOME_OK || outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_NO_MODEM ||
            outcome == OUTCOME_BAD_DATA || (*basic->events & (EVENT_RESTARTED | EVENT_NO_SIM)))
            break;
    }
    if (outcome == OUTCOME_OK) /* what the card said is for the caller to judge */
        why->sw = (uint16_t)(answer[length - 2] << 8 | answer[length - 1]);
    return outcome;
}
