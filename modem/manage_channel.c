/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that the host opens by itself, see manage_channel.h. */
#include "modem/manage_channel.h"

#include "modem/cme.h"
#include "modem/event.h"

#include <string.h>

#define OPEN_TIMEOUT_MS 5000 /* of each command, to close as well */

/* The card's answer: length bytes of data, and the status word. */
struct said {
    uint8_t answer[APDU_ANSWER_SIZE];
    size_t length;
    uint16_t sw;
};

/* 64xx to 6Fxx are errors (ISO 7816-4, 5.6); 61xx, 62xx, 63xx and 91xx are success or a warning. */
bool channel_refused(uint16_t sw)
{
    return (sw & 0xF000) == 0x6000 && (sw & 0x0F00) > 0x0300;
}

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

bool exchange_has_pin(const struct exchange *exchange)
{
    return (exchange->secrecy & SECRET_COMMAND) != 0 && exchange->length > APDU_WITHOUT_DATA;
}

/* One command on a channel: 0 is the basic one. said->sw is 0 if there was no answer. */
static enum outcome say(const struct basic_channel *basic, uint8_t number, const uint8_t *command,
                        size_t command_length, struct said *said, struct deadline deadline,
                        struct report *why)
{
    const struct channel channel = {.carrier = CARRIER_CSIM, .number = number};
    struct exchange exchange = {.command = command,
                                .length = command_length,
                                .timeout_ms = OPEN_TIMEOUT_MS,
                                .secrecy = SECRET_NOTHING,
                                .answer = said->answer};
    int64_t started = monotonic_ms();
    enum outcome outcome = basic->exchange(basic->arg, &channel, &exchange, deadline, why);
    bool answered = outcome == OUTCOME_OK && exchange.answer_length >= 2;

    said->length = answered ? exchange.answer_length - 2 : 0;
    said->sw =
        answered ? (uint16_t)(said->answer[said->length] << 8 | said->answer[said->length + 1]) : 0;
    trace_apdu(basic->trace, command, command_length, answered ? said->answer : NULL,
               exchange.answer_length, monotonic_ms() - started, SECRET_NOTHING);
    return outcome;
}

/* ---- opening ---- */

/* True if MANAGE CHANNEL OPEN was refused for its Le, so that another Le, or none, may do. first: the first
 * try, whose refusal may have other reasons too (a bare ERROR, 6A80, 6A86, 6B00). */
static bool length_refused(enum outcome outcome, const struct said *said, bool first,
                           const struct report *why)
{
    if (outcome == OUTCOME_CARRIER_REFUSED)
        return why->cme == CME_WRONG_PARAMETERS || (first && why->cme < 0);
    return outcome == OUTCOME_OK && said->length == 0 &&
           (said->sw == 0x6700 || (said->sw & 0xFF00) == 0x6C00 ||
            (first && (said->sw == 0x6A86 || said->sw == 0x6A80 || said->sw == 0x6B00)));
}

/* MANAGE CHANNEL OPEN is answered by one byte. Some cards want Le 00 for it, or none; by T=0 it may have to
 * be fetched (6101). 61xx with another length is the answer to another command: it is not fetched, because
 * the basic channel is the modem's. */
static enum outcome ask_open(const struct basic_channel *basic, bool all, struct said *said,
                             struct deadline deadline, struct report *why)
{
    uint8_t command[5] = {0x00, 0x70, 0x00, 0x00, all ? 0x00 : 0x01};
    static const uint8_t fetch[] = {0x00, 0xC0, 0x00, 0x00, 0x01};
    enum outcome outcome = say(basic, 0, command, sizeof command, said, deadline, why);

    for (int tries = 0; tries < 2 && length_refused(outcome, said, tries == 0, why); tries++) {
        bool told = outcome == OUTCOME_OK && (said->sw & 0xFF00) == 0x6C00;
        size_t length = tries == 0 || told ? sizeof command : sizeof command - 1;

        command[4] = told ? (uint8_t)said->sw : all ? 0x01 : 0x00;
        outcome = say(basic, 0, command, length, said, deadline, why);
    }
    if (outcome == OUTCOME_OK && said->length == 0 && said->sw == 0x6101)
        outcome = say(basic, 0, fetch, sizeof fetch, said, deadline, why);
    return outcome;
}

bool manage_channel_refused(uint16_t sw)
{
    return sw == 0x6E00 || sw == 0x6D00 || sw == 0x6700 || sw == 0x6A86 || sw == 0x6A80 ||
           sw == 0x6B00 || (sw & 0xFF00) == 0x6900 || (sw & 0xFF00) == 0x6C00;
}

enum outcome manage_channel_open(const struct basic_channel *basic, bool all,
                                 struct channel *channel, struct deadline deadline,
                                 struct report *why)
{
    struct said said;
    enum outcome outcome = ask_open(basic, all, &said, deadline, why);
    bool opened = said.sw == 0x9000 || (said.sw & 0xFF00) == 0x9100;
    uint8_t number = 0;

    memset(channel, 0, sizeof *channel);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (opened && said.length == 1)
        number = said.answer[0];
    if (number >= 1 && number <= CHANNEL_MAX) {
        channel->open = true;
        channel->carrier = CARRIER_CSIM;
        channel->number = number;
        return OUTCOME_OK;
    }
    if (said.length != 0) /* another command's answer: the number may still come */
        return report_sw(why, OUTCOME_BAD_DATA, said.sw,
                         "the answer to MANAGE CHANNEL makes no sense");
    if (said.sw == 0x6A81 || said.sw == 0x6A84 || said.sw == 0x6881)
        return report_sw(why, OUTCOME_REFUSED, said.sw, "the SIM has no free logical channel");
    if (manage_channel_refused(said.sw))
        return report_sw(why, OUTCOME_CARRIER_REFUSED, said.sw,
                         "the modem does not let programs open a channel by AT+CSIM");
    return report_sw(why, OUTCOME_BAD_DATA, said.sw, "the answer to MANAGE CHANNEL makes no sense");
}

/* ---- closing ---- */

/* True for a status word after which the channel is not open; 6881: it was not open before either. */
static bool closed(uint16_t sw)
{
    return sw == 0x9000 || (sw & 0xFF00) == 0x9100 || (sw & 0xFF00) == 0x6200 || sw == 0x6881;
}

/* Asks a second time after a failure of the modem. But not where the card may have closed the channel: the
 * modem may have opened one with that number for itself since. */
static enum outcome ask_close(const struct basic_channel *basic, uint8_t on, const uint8_t *command,
                              size_t length, struct said *said, struct deadline deadline,
                              struct report *why)
{
    enum outcome outcome = OUTCOME_OK;

    for (int tries = 0; tries < 2; tries++) {
        outcome = say(basic, on, command, length, said, deadline, why);
        if (outcome == OUTCOME_OK || outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_NO_MODEM ||
            outcome == OUTCOME_BAD_DATA || (*basic->events & (EVENT_RESTARTED | EVENT_NO_SIM)))
            break;
    }
    return outcome;
}

/* A modem or card that refuses the usual command, or a modem that fails at it twice, may take it without a
 * Le, or on the channel itself (P2 00: ISO 7816-4, 11.1.2). */
enum outcome manage_channel_close(const struct basic_channel *basic, struct channel *channel,
                                  struct deadline deadline, struct report *why)
{
    const uint8_t usual[] = {0x00, 0x70, 0x80, channel->number, 0x00};
    static const uint8_t itself[] = {0x00, 0x70, 0x80, 0x00};
    struct report other = REPORT_INIT;
    struct said said, again;
    enum outcome outcome = ask_close(basic, 0, usual, sizeof usual, &said, deadline, why);

    channel->open = false;
    for (int way = 0; way < 2; way++) {
        const bool refusal =
            outcome == OUTCOME_CARRIER_REFUSED || (outcome == OUTCOME_LOST && why->cme >= 0) ||
            (outcome == OUTCOME_OK && said.length == 0 && manage_channel_refused(said.sw));

        /* with EVENT_UNASKED the refusal may be another command's, and the channel be closed */
        if (!refusal || (*basic->events & (EVENT_RESTARTED | EVENT_NO_SIM | EVENT_UNASKED)))
            break;
        if (say(basic, way == 0 ? 0 : channel->number, way == 0 ? usual : itself, 4, &again,
                deadline, &other) == OUTCOME_OK &&
            closed(again.sw)) {
            outcome = OUTCOME_OK;
            said = again;
        }
    }
    if (outcome == OUTCOME_OK) { /* what the card said is for the caller to judge */
        report_clear(why);
        why->sw = said.sw;
    }
    return outcome;
}
