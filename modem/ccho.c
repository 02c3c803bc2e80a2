/* SPDX-License-Identifier: Apache-2.0 */
/* APDUs by AT+CCHO, AT+CGLA and AT+CCHC (27.007, 8.45, 8.43, 8.46): the modem opens the channel,
 * selects the applet, and fills the channel bits into the CLA. Its session word is opaque. */
#include "modem/at_apdu.h"
#include "modem/carrier.h"
#include "modem/hex.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define OPEN_TIMEOUT_MS 10000 /* the modem opens a channel and selects */
#define AID_MAX         16    /* ISO 7816-4, 12.2.3 */

/* One word of letters and digits: anything else would be an injection into our next command line. */
bool ccho_take_session(const char *value, struct channel *channel)
{
    const char *c;

    if (!at_take_word(&value, channel->session, sizeof channel->session) || *value != '\0')
        return false;
    for (c = channel->session; isalnum((unsigned char)*c);)
        c++;
    return *c == '\0';
}

enum outcome ccho_open(struct at *at, const struct channel_wish *wish, struct channel *channel,
                       struct deadline deadline, struct report *why)
{
    char line[sizeof "AT+CCHO=\"\"" + 2 * AID_MAX], hex[2 * AID_MAX + 1];
    struct at_command request = {.line = line,
                                 .answer = AT_ANSWER_BARE_HEX,
                                 .prefix = "+CCHO:",
                                 .timeout_ms = OPEN_TIMEOUT_MS,
                                 .to_sim = true};
    struct at_result result;
    enum outcome outcome;

    memset(channel, 0, sizeof *channel);
    if (wish->aid_length == 0 || wish->aid_length > AID_MAX)
        return report_set(why, OUTCOME_CARRIER_REFUSED,
                          "AT+CCHO opens a channel only together with an applet");
    hex_encode(wish->aid, wish->aid_length, hex);
    (void)snprintf(line, sizeof line, "AT+CCHO=\"%s\"", hex);
    outcome = at_command(at, &request, deadline, &result, why);
    if (outcome == OUTCOME_OK)
        outcome = at_outcome(&result, "open a channel to the applet by AT+CCHO", why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!ccho_take_session(result.value, channel))
        return report_set(why, OUTCOME_BAD_DATA, "the modem's answer to AT+CCHO makes no sense");
    channel->open = true;
    channel->selected = true;
    channel->carrier = CARRIER_CCHO;
    return OUTCOME_OK;
}

enum outcome ccho_exchange(struct at *at, const struct channel *channel, struct exchange *exchange,
                           struct deadline deadline, struct report *why)
{
    char head[sizeof "AT+CGLA=," + sizeof channel->session];
    const struct at_carriage ccho = {.head = head, .prefix = "+CGLA:"};

    (void)snprintf(head, sizeof head, "AT+CGLA=%s,", channel->session);
    return at_pass(at, &ccho, exchange, deadline, why);
}

/* The channel is asked to close itself (ISO 7816-4, 11.1.2: P2 00). What the card said is for the caller to
 * judge: why->sw. */
static enum outcome close_itself(struct at *at, const struct channel *channel,
                                 struct deadline deadline, struct report *why)
{
    static const uint8_t command[] = {0x00, 0x70, 0x80, 0x00};
    uint8_t answer[APDU_ANSWER_SIZE];
    struct exchange exchange = {.command = command,
                                .length = sizeof command,
                                .timeout_ms = OPEN_TIMEOUT_MS,
                                .secrecy = SECRET_NOTHING,
                                .answer = answer};
    enum outcome outcome = ccho_exchange(at, channel, &exchange, deadline, why);

    if (outcome == OUTCOME_OK && exchange.answer_length >= 2) {
        report_clear(why);
        why->sw = (uint16_t)(answer[exchange.answer_length - 2] << 8 |
                             answer[exchange.answer_length - 1]);
    }
    return outcome;
}

/* Some modems have no AT+CCHC: there the channel closes itself. */
enum outcome ccho_close(struct at *at, struct channel *channel, struct deadline deadline,
                        struct report *why)
{
    char line[sizeof "AT+CCHC=" + sizeof channel->session];
    struct at_command request = {.line = line,
                                 .answer = AT_ANSWER_NONE,
                                 .prefix = NULL,
                                 .timeout_ms = OPEN_TIMEOUT_MS,
                                 .to_sim = true};
    struct at_result result;
    enum outcome outcome;

    (void)snprintf(line, sizeof line, "AT+CCHC=%s", channel->session);
    channel->open = false;
    outcome = at_command(at, &request, deadline, &result, why);
    if (outcome == OUTCOME_OK)
        outcome = at_outcome(&result, "close a channel", why);
    if (outcome == OUTCOME_CARRIER_REFUSED || outcome == OUTCOME_LOST)
        outcome = close_itself(at, channel, deadline, why);
    return outcome;
}
