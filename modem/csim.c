/* SPDX-License-Identifier: Apache-2.0 */
/* APDUs by AT+CSIM (27.007, 8.17): the host opens channels itself and puts their numbers into the
 * CLA. Card readers share the opening and closing. */
#include "modem/transport.h"

#include <string.h>

#define OPEN_TIMEOUT_MS 5000

/* MANAGE CHANNEL on the basic channel. */
static enum outcome manage_channel(struct transport *transport, transport_exchange_fn *exchange,
                                   uint8_t p1, uint8_t p2, uint8_t le,
                                   uint8_t answer[APDU_ANSWER_SIZE], size_t *length,
                                   struct deadline deadline, struct report *why)
{
    static const struct channel basic = {.number = 0};
    const uint8_t command[] = {0x00, 0x70, p1, p2, le};
    int64_t started = monotonic_ms();
    enum outcome outcome = exchange(transport, &basic, command, sizeof command, answer, length,
                                    OPEN_TIMEOUT_MS, SECRET_NOTHING, deadline, why);

    trace_apdu(transport->at.trace, command, sizeof command, outcome == OUTCOME_OK ? answer : NULL,
               *length, monotonic_ms() - started, SECRET_NOTHING);
    return outcome;
}

enum outcome manage_channel_open(struct transport *transport, transport_exchange_fn *exchange,
                                 struct channel *channel, struct deadline deadline,
                                 struct report *why)
{
    uint8_t answer[APDU_ANSWER_SIZE];
    size_t length = 0;
    enum outcome outcome =
        manage_channel(transport, exchange, 0x00, 0x00, 0x01, answer, &length, deadline, why);
    uint16_t sw;

    memset(channel, 0, sizeof *channel);
    if (outcome != OUTCOME_OK)
        return outcome;
    sw = (uint16_t)(answer[length - 2] << 8 | answer[length - 1]);
    if ((sw == 0x9000 || (sw & 0xFF00) == 0x9100) && length == 3 && answer[0] >= 1 &&
        answer[0] <= 19) {
        channel->open = true;
        channel->carrier = CARRIER_CSIM;
        channel->number = answer[0];
        return OUTCOME_OK;
    }
    if (sw == 0x6A81 || sw == 0x6A84 || sw == 0x6881)
        return report_sw(why, OUTCOME_REFUSED, sw, "the SIM has no free logical channel");
    if (sw == 0x6E00 || sw == 0x6D00 || (sw & 0xFF00) == 0x6900)
        return report_sw(why, OUTCOME_CARRIER_REFUSED, sw,
                         "the modem lets no program open a channel by AT+CSIM");
    return report_sw(why, OUTCOME_BAD_DATA, sw, "the answer to MANAGE CHANNEL makes no sense");
}

/* Closing may be repeated: a modem that failed once may not fail again. */
enum outcome manage_channel_close(struct transport *transport, transport_exchange_fn *exchange,
                                  struct channel *channel, struct deadline deadline,
                                  struct report *why)
{
    uint8_t answer[APDU_ANSWER_SIZE];
    size_t length = 0;
    enum outcome outcome;

    channel->open = false;
    for (int tries = 0; tries < 2; tries++) {
        outcome = manage_channel(transport, exchange, 0x80, channel->number, 0x00, answer, &length,
                                 deadline, why);
        if (outcome == OUTCOME_OK || outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_NO_MODEM ||
            outcome == OUTCOME_NO_SIM || transport->at.restarted)
            break;
    }
    return outcome;
}

static enum outcome csim_exchange(struct transport *transport, const struct channel *channel,
                                  const uint8_t *command, size_t command_length, uint8_t *answer,
                                  size_t *answer_length, int timeout_ms, int secrecy,
                                  struct deadline deadline, struct report *why)
{
    uint8_t numbered[APDU_COMMAND_SIZE];
    enum outcome outcome;

    if (command_length > sizeof numbered || command_length < 4)
        return report_set(why, OUTCOME_USAGE, "a command APDU has 4 to %d bytes",
                          APDU_COMMAND_SIZE);
    memcpy(numbered, command, command_length);
    numbered[0] = cla_with_channel(command[0], channel->number);
    outcome = transport_pass(transport, "AT+CSIM=", "+CSIM:", numbered, command_length, answer,
                             answer_length, timeout_ms, secrecy, deadline, why);
    explicit_bzero(numbered, sizeof numbered);
    return outcome;
}

static enum outcome csim_open(struct transport *transport, const uint8_t *aid, size_t aid_length,
                              struct channel *channel, struct deadline deadline, struct report *why)
{
    (void)aid;
    (void)aid_length;
    return manage_channel_open(transport, csim_exchange, channel, deadline, why);
}

static enum outcome csim_close(struct transport *transport, struct channel *channel,
                               struct deadline deadline, struct report *why)
{
    return manage_channel_close(transport, csim_exchange, channel, deadline, why);
}

const struct transport_ops transport_csim = {.name = "csim",
                                             .begin = transport_begin_at,
                                             .open = csim_open,
                                             .exchange = csim_exchange,
                                             .close = csim_close,
                                             .end = transport_end};
