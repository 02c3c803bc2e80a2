/* SPDX-License-Identifier: Apache-2.0 */
/* APDUs by AT+CCHO, AT+CGLA and AT+CCHC (27.007, 8.45, 8.43, 8.46): the modem opens the channel,
 * selects the applet, and fills the channel bits into the CLA. Its session word is opaque. */
#include "modem/transport.h"

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

static enum outcome ccho_open(struct transport *transport, const uint8_t *aid, size_t aid_length,
                              struct channel *channel, struct deadline deadline, struct report *why)
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
    if (aid_length == 0 || aid_length > AID_MAX)
        return report_set(why, OUTCOME_CARRIER_REFUSED,
                          "AT+CCHO opens a channel only together with an applet");
    hex_encode(aid, aid_length, hex);
    (void)snprintf(line, sizeof line, "AT+CCHO=\"%s\"", hex);
    outcome = at_command(&transport->at, &request, deadline, &result, why);
    if (outcome == OUTCOME_OK)
        outcome = transport_final(&result, "open a channel to the applet by AT+CCHO", why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!ccho_take_session(result.value, channel))
        return report_set(why, OUTCOME_BAD_DATA, "the modem's answer to AT+CCHO makes no sense");
    channel->open = true;
    channel->selected = true;
    channel->carrier = CARRIER_CCHO;
    return OUTCOME_OK;
}

static enum outcome ccho_exchange(struct transport *transport, const struct channel *channel,
                                  const uint8_t *command, size_t command_length, uint8_t *answer,
                                  size_t *answer_length, int timeout_ms, int secrecy,
                                  struct deadline deadline, struct report *why)
{
    char head[sizeof "AT+CGLA=," + sizeof channel->session];

    (void)snprintf(head, sizeof head, "AT+CGLA=%s,", channel->session);
    return transport_pass(transport, head, "+CGLA:", command, command_length, answer, answer_length,
                          timeout_ms, secrecy, deadline, why);
}

/* Some modems have no AT+CCHC: there the channel is asked to close itself (ISO 7816-4, 11.1.2: P2
 * 00). */
static enum outcome ccho_close(struct transport *transport, struct channel *channel,
                               struct deadline deadline, struct report *why)
{
    static const uint8_t close_itself[] = {0x00, 0x70, 0x80, 0x00};
    char line[sizeof "AT+CCHC=" + sizeof channel->session];
    struct at_command request = {.line = line,
                                 .answer = AT_ANSWER_NONE,
                                 .prefix = NULL,
                                 .timeout_ms = OPEN_TIMEOUT_MS,
                                 .to_sim = true};
    struct at_result result;
    uint8_t answer[APDU_ANSWER_SIZE];
    size_t length;
    enum outcome outcome;

    (void)snprintf(line, sizeof line, "AT+CCHC=%s", channel->session);
    channel->open = false;
    outcome = at_command(&transport->at, &request, deadline, &result, why);
    if (outcome == OUTCOME_OK)
        outcome = transport_final(&result, "close a channel", why);
    if (outcome == OUTCOME_CARRIER_REFUSED || outcome == OUTCOME_LOST)
        outcome = ccho_exchange(transport, channel, close_itself, sizeof close_itself, answer,
                                &length, OPEN_TIMEOUT_MS, SECRET_NOTHING, deadline, why);
    return outcome;
}

const struct transport_ops transport_ccho = {.name = "ccho",
                                             .begin = transport_begin_at,
                                             .open = ccho_open,
                                             .exchange = ccho_exchange,
                                             .close = ccho_close,
                                             .end = transport_end};
