/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange on the operation's channel: what some modems want otherwise than 3GPP TS 27.007 has it
 * is tried where the usual way is refused, and remembered (enum card_quirk). Nothing that holds a PIN
 * is sent twice. */
#include "apdu/session/operation.h"
#include "modem/manage_channel.h"

#include <stdlib.h>
#include <string.h>

#define INS_GET_RESPONSE 0xC0

static uint16_t status_of(const struct exchange *exchange)
{
    return (uint16_t)(exchange->answer[exchange->answer_length - 2] << 8 |
                      exchange->answer[exchange->answer_length - 1]);
}

static bool has(const struct operation *operation, enum card_quirk quirk)
{
    return (operation->sim->quirks.modem & (unsigned)quirk) != 0;
}

static enum outcome send_on(struct operation *operation, const struct channel *channel,
                            struct exchange *exchange, struct deadline deadline, struct report *why)
{
    struct transport *transport = &operation->transport;

    return transport->ops->exchange(transport, channel, exchange, deadline, why);
}

/* The same with the channel's number in its CLA. */
static enum outcome send_numbered(struct operation *operation, const struct channel *channel,
                                  uint8_t number, struct exchange *exchange,
                                  struct deadline deadline, struct report *why)
{
    uint8_t numbered[APDU_COMMAND_SIZE];
    struct exchange sent = *exchange;
    enum outcome outcome = exchange_check(exchange, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    memcpy(numbered, exchange->command, exchange->length);
    numbered[0] = cla_with_channel(numbered[0], number);
    sent.command = numbered;
    outcome = send_on(operation, channel, &sent, deadline, why);
    exchange->answer_length = sent.answer_length;
    exchange->cut = sent.cut;
    explicit_bzero(numbered, sizeof numbered);
    return outcome;
}

/* What a session's name is if it is the number of its channel, else 0. */
static uint8_t number_of(const struct channel *channel)
{
    const char *name = channel->session;
    size_t digits = strspn(name, "0123456789");
    unsigned long number = digits > 0 && name[digits] == '\0' ? strtoul(name, NULL, 10) : 0;

    return number <= CHANNEL_MAX ? (uint8_t)number : 0;
}

/* A status word with which the basic channel answers a command that was meant for an applet: it has no such
 * channel, file, key or command. */
static bool elsewhere(uint16_t sw)
{
    return sw == 0x6881 || sw == 0x6A82 || sw == 0x6A88 || sw == 0x6986 || sw == 0x6D00 ||
           sw == 0x6E00;
}

/* True if the second way got a better answer than that: it is the right one. */
static bool better(enum outcome outcome, const struct exchange *exchange)
{
    return outcome == OUTCOME_OK && exchange->answer_length >= 2 && !elsewhere(status_of(exchange));
}

/* By AT+CGLA the modem fills the channel in (27.007, 8.43). Some do not: what they are given goes to
 * the basic channel, which knows nothing of it. */
static enum outcome carry_session(struct operation *operation, const struct channel *channel,
                                  struct exchange *exchange, struct deadline deadline,
                                  struct report *why)
{
    const uint8_t number = number_of(channel);
    uint8_t answer[APDU_ANSWER_SIZE];
    struct exchange again = *exchange;
    struct report ignored = REPORT_INIT;
    enum outcome outcome;

    if (number > 0 && has(operation, QUIRK_PLAIN_CLASS))
        return send_numbered(operation, channel, number, exchange, deadline, why);
    outcome = send_on(operation, channel, exchange, deadline, why);
    if (outcome != OUTCOME_OK || exchange->answer_length < 2)
        return outcome;
    operation->class_good = operation->class_good || status_of(exchange) == SW_OK;
    /* STATUS (CLA 80) asks whose a channel is: any answer to it counts as it is; what said 61xx is the
     * applet, and so is what answers with data */
    if (number == 0 || operation->class_good || exchange->answer_length > 2 ||
        !elsewhere(status_of(exchange)) || (exchange->command[0] & 0x80) != 0 ||
        exchange->command[1] == INS_GET_RESPONSE || exchange_has_pin(exchange))
        return outcome;
    again.answer = answer;
    if (better(send_numbered(operation, channel, number, &again, deadline, &ignored), &again)) {
        operation->sim->quirks.modem |= QUIRK_PLAIN_CLASS;
        memcpy(exchange->answer, answer, again.answer_length);
        exchange->answer_length = again.answer_length;
        exchange->cut = again.cut;
    }
    explicit_bzero(answer, sizeof answer);
    return outcome;
}

/* What STATUS (ETSI TS 102 221, 11.1.2) is answered. */
struct status {
    uint16_t sw;     /* 0: there was no answer */
    size_t length;   /* of the name's TLV */
    uint8_t tlv[20]; /* with named: 84, length, the AID of what is selected */
};

/* number: put into the CLA; 0: left to the modem. */
static enum outcome send_status(struct operation *operation, uint8_t number,
                                struct exchange *exchange, struct report *why)
{
    const struct channel *channel = &operation->current->channel;

    return number > 0
               ? send_numbered(operation, channel, number, exchange, operation->deadline, why)
               : send_on(operation, channel, exchange, operation->deadline, why);
}

/* The card does not know the command, or its channel. */
static bool denies(uint16_t sw)
{
    return sw >> 8 == 0x6D || sw >> 8 == 0x6E || sw == 0x6A81 || sw >> 8 == 0x68;
}

/* number: as above. named: asks for the name, which is fetched where it waits (61xx) and asked for by its length
 * where that is another one (6Cxx); else for no data. */
static enum outcome status_once(struct operation *operation, uint8_t number, bool named,
                                struct status *status, struct report *why)
{
    uint8_t command[] = {0x80, 0xF2, 0x00, named ? 0x01 : 0x0C, 0x00};
    uint8_t fetch[] = {0x00, INS_GET_RESPONSE, 0x00, 0x00, 0x00}, answer[APDU_ANSWER_SIZE];
    struct exchange exchange = {.command = command,
                                .length = named ? 5 : 4,
                                .timeout_ms = APDU_TIMEOUT_MS,
                                .secrecy = SECRET_NOTHING,
                                .answer = answer};
    enum outcome outcome;

    memset(status, 0, sizeof *status);
    outcome = send_status(operation, number, &exchange, why);
    if (named && outcome == OUTCOME_OK && exchange.answer_length == 2 && answer[0] == 0x6C) {
        command[4] = answer[1];
        outcome = send_status(operation, number, &exchange, why);
    }
    if (named && outcome == OUTCOME_OK && exchange.answer_length == 2 && answer[0] == 0x61) {
        fetch[4] = answer[1];
        exchange.command = fetch;
        exchange.length = sizeof fetch;
        outcome = send_status(operation, number, &exchange, why);
    }
    if (outcome == OUTCOME_OK && exchange.answer_length >= 2) {
        status->sw = status_of(&exchange);
        status->length = exchange.answer_length - 2;
        if (status->length <= sizeof status->tlv)
            memcpy(status->tlv, answer, status->length);
    }
    return outcome == OUTCOME_CARRIER_REFUSED ? OUTCOME_OK : outcome;
}

/* STATUS: network applications and the basic channel answer it by 9000, the applets with PINs of their own
 * do not know it. Whoever refuses only its parameters knows it: asked for the name he may give it. */
static enum outcome ask_status(struct operation *operation, uint8_t number, bool named,
                               struct status *status, struct report *why)
{
    struct status other;
    enum outcome outcome = status_once(operation, number, named, status, why);

    if (named || outcome != OUTCOME_OK || status->sw == 0 || status->sw == SW_OK ||
        denies(status->sw))
        return outcome;
    outcome = status_once(operation, number, true, &other, why);
    if (outcome == OUTCOME_OK && other.sw == SW_OK)
        status->sw = SW_OK;
    return outcome;
}

/* True if it is the application's name, which was selected with the channel. */
static bool is_named(const struct status *status, const struct applet *applet)
{
    return applet != NULL && status->length == applet->aid_length + 2 && status->tlv[0] == 0x84 &&
           status->tlv[1] == applet->aid_length &&
           memcmp(status->tlv + 2, applet->aid, applet->aid_length) == 0;
}

/* With and without the number something answered that knows STATUS: only the name tells which of them is the
 * applet. *put: the modem fills the channel in by itself, as far as the names tell. */
static enum outcome ask_names(struct operation *operation, uint8_t number, bool *put,
                              struct report *why)
{
    struct status left, numbered;
    enum outcome outcome = ask_status(operation, 0, true, &left, why);

    *put = true;
    if (outcome != OUTCOME_OK || left.sw != SW_OK || is_named(&left, operation->applet))
        return outcome;
    outcome = ask_status(operation, number, true, &numbered, why);
    /* the modem's own application, or the card's MF, and another one behind the number */
    *put = left.length == numbered.length && memcmp(left.tlv, numbered.tlv, sizeof left.tlv) == 0;
    return outcome;
}

/* The modem fails to pass STATUS on. If it did so before, and there is no other way, it is not asked until the
 * deadline. */
static enum outcome unproven(const struct operation *operation, enum outcome outcome,
                             struct report *why)
{
    const int cme = why->cme;
    const bool last_way = operation->turned || operation->sim->settings.carrier != CARRIER_AUTO;

    if (outcome != OUTCOME_LOST || cme < 0 || !operation->again || !last_way)
        return outcome;
    (void)report_set(why, OUTCOME_PIN_PROTECTED,
                     "the PIN was not sent, because the modem fails to tell which channel AT+CGLA "
                     "reaches (+CME ERROR: %d): use another of its ports, or another modem",
                     cme);
    why->cme = cme;
    return why->outcome;
}

/* A session whose name says nothing of its channel, or a modem that takes no number: the PIN goes out only if
 * what answers does not know STATUS, or calls itself the applet. */
static enum outcome prove_nameless(struct operation *operation, struct report *why)
{
    struct status plain, named = {.sw = 0};
    enum outcome outcome = ask_status(operation, 0, false, &plain, why);

    if (outcome == OUTCOME_OK && plain.sw == SW_OK)
        outcome = ask_status(operation, 0, true, &named, why);
    if (outcome != OUTCOME_OK)
        return unproven(operation, outcome, why);
    if (plain.sw != SW_OK && plain.sw != 0) {
        operation->sim->quirks.modem |= QUIRK_CLASS_PUT;
        return OUTCOME_OK;
    }
    if (named.sw == SW_OK && is_named(&named, operation->applet))
        return OUTCOME_OK;
    return report_set(
        why, OUTCOME_CARRIER_REFUSED,
        "the PIN was not sent, because AT+CGLA may reach another application than the "
        "session's: set `transport` to csim, or use another modem");
}

enum outcome operation_prove_class(struct operation *operation, struct report *why)
{
    const struct channel *channel = &operation->current->channel;
    const uint8_t number = number_of(channel);
    unsigned *quirks = &operation->sim->quirks.modem;
    struct status left, numbered = {.sw = 0};
    bool put = true;
    enum outcome outcome;

    if (operation->transport.ops->carrier != CARRIER_AUTO || channel->carrier != CARRIER_CCHO ||
        has(operation, QUIRK_PLAIN_CLASS) || has(operation, QUIRK_CLASS_PUT))
        return OUTCOME_OK;
    if (number == 0)
        return prove_nameless(operation, why);
    outcome = ask_status(operation, 0, false, &left, why);
    if (outcome == OUTCOME_OK && left.sw == SW_OK)
        outcome = ask_status(operation, number, false, &numbered, why);
    if (outcome == OUTCOME_OK && left.sw == SW_OK && numbered.sw == SW_OK)
        outcome = ask_names(operation, number, &put, why);
    if (outcome != OUTCOME_OK)
        return unproven(operation, outcome, why);
    if (left.sw != SW_OK && left.sw != 0) {
        *quirks |= QUIRK_CLASS_PUT;
        return OUTCOME_OK;
    }
    if (left.sw == SW_OK && (numbered.sw == 0 || numbered.sw == SW_CLOSED_CHANNEL))
        return prove_nameless(operation, why); /* the number cannot be put in */
    if (left.sw == SW_OK && numbered.sw == SW_OK && put)
        return OUTCOME_OK; /* the applet knows STATUS: this says nothing of the modem */
    /* where the modem refuses STATUS nothing is known: the number does no harm to one that puts it in, too */
    *quirks |= QUIRK_PLAIN_CLASS;
    return report_set(why, OUTCOME_LOST,
                      "AT+CGLA may reach the basic channel: try again, now with the channel's "
                      "number in the commands");
}

/* Whether GET RESPONSE was refused on a channel where data wait for it. 6881 and 6F00 count only when they
 * come again on a new channel: another program may have closed the first one, or the card be in trouble. */
static bool fetching_refused(struct operation *operation, enum outcome outcome,
                             const struct exchange *exchange)
{
    const bool before = operation->sim->fetch_refused;
    uint16_t sw;

    operation->sim->fetch_refused = false;
    if (outcome != OUTCOME_OK || exchange->answer_length != 2)
        return outcome == OUTCOME_CARRIER_REFUSED;
    sw = status_of(exchange);
    operation->sim->fetch_refused = sw == 0x6881 || sw == 0x6F00;
    return sw == 0x6E00 || sw == 0x6D00 || sw == 0x6985 || sw == 0x6986 ||
           (operation->sim->fetch_refused && before && operation->again);
}

/* By AT+CSIM the answer of a channel is fetched on it. Some modems keep it themselves, and take GET
 * RESPONSE with CLA 00 only. */
static enum outcome carry_response(struct operation *operation, const struct channel *channel,
                                   struct exchange *exchange, struct deadline deadline,
                                   struct report *why)
{
    const struct channel basic = {.open = true, .carrier = CARRIER_CSIM, .number = 0};
    uint8_t answer[APDU_ANSWER_SIZE];
    struct exchange again = *exchange;
    struct report ignored = REPORT_INIT;
    enum outcome outcome;

    if (has(operation, QUIRK_BASIC_RESPONSE))
        return send_on(operation, &basic, exchange, deadline, why);
    outcome = send_on(operation, channel, exchange, deadline, why);
    if (!fetching_refused(operation, outcome, exchange))
        return outcome;
    again.answer = answer;
    if (better(send_on(operation, &basic, &again, deadline, &ignored), &again) &&
        again.answer_length > 2) {
        operation->sim->quirks.modem |= QUIRK_BASIC_RESPONSE;
        memcpy(exchange->answer, answer, again.answer_length);
        exchange->answer_length = again.answer_length;
        exchange->cut = again.cut;
        report_clear(why);
        outcome = OUTCOME_OK;
    }
    explicit_bzero(answer, sizeof answer);
    return outcome;
}

enum outcome operation_carry(struct operation *operation, struct exchange *exchange,
                             struct deadline deadline, struct report *why)
{
    const struct channel *channel = &operation->current->channel;

    if (operation->transport.ops->carrier == CARRIER_AUTO && channel->carrier == CARRIER_CCHO)
        return carry_session(operation, channel, exchange, deadline, why);
    if (operation->transport.ops->carrier == CARRIER_AUTO && exchange->length >= 2 &&
        exchange->command[1] == INS_GET_RESPONSE)
        return carry_response(operation, channel, exchange, deadline, why);
    return send_on(operation, channel, exchange, deadline, why);
}
