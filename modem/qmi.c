/* SPDX-License-Identifier: Apache-2.0 */
/* A modem's QMI control device as a transport, see qmi.h. */
#include "modem/qmi.h"

#include "modem/manage_channel.h"
#include "modem/qmi_identity.h"

#include <stdlib.h>
#include <string.h>

#define PROXY_TIMEOUT_MS 12000 /* qmi-proxy takes 10 s to open a device */
#define OPEN_TIMEOUT_MS  10000
#define CLOSE_TIMEOUT_MS 10000
#define WAIT_TOTAL_MS    10000 /* for a SIM that is not ready */
#define WAIT_PAUSE_MS    500
#define WAIT_LEAST_MS    (WAIT_PAUSE_MS + 100) /* with less, what it says is told, not a time-out */

/* The bits of transport->kept, beside QMI_KEPT_CLIENT. */
#define KEPT_SLOT         0x00000F00u
#define KEPT_SLOT_SHIFT   8
#define KEPT_NO_PROCEDURE 0x00001000u /* struct qmi: no_procedure */
#define KEPT_LOST         0x00002000u /* an earlier operation found its client id void */
#define KEPT_WANTED       0x000F0000u /* the setting `slot` for which KEPT_SLOT was found */
#define KEPT_WANTED_SHIFT 16

static struct qmi *self_of(struct transport *transport)
{
    return transport->self;
}

static void keep(struct qmi *qmi)
{
    qmi->transport->kept = qmi->client | (unsigned)qmi->slot << KEPT_SLOT_SHIFT |
                           (qmi->no_procedure ? KEPT_NO_PROCEDURE : 0) |
                           (qmi->lost ? KEPT_LOST : 0) | qmi->wanted_slot << KEPT_WANTED_SHIFT;
}

static void take_kept(struct qmi *qmi)
{
    const unsigned kept = qmi->transport->kept;

    qmi->client = (uint8_t)(kept & QMI_KEPT_CLIENT);
    qmi->no_procedure = (kept & KEPT_NO_PROCEDURE) != 0;
    qmi->lost = (kept & KEPT_LOST) != 0;
    if ((kept & KEPT_WANTED) >> KEPT_WANTED_SHIFT == qmi->wanted_slot)
        qmi->slot = (uint8_t)((kept & KEPT_SLOT) >> KEPT_SLOT_SHIFT);
}

/* Tells the proxy which device this connection is for. */
static enum outcome open_at_proxy(void *arg, struct deadline deadline, struct report *why)
{
    struct qmi *qmi = arg;
    struct qmi_frame request;
    struct qmi_message answer;
    enum outcome outcome;
    unsigned result;

    qmi_stream_forget(&qmi->stream);
    qmi_proxy_open(&request, qmi->control.node);
    outcome = qmi_ask(qmi, &request, PROXY_TIMEOUT_MS, deadline, &answer, why);
    if (outcome == OUTCOME_TIMEOUT) /* nothing was said to the modem */
        qmi->transport->events &= ~(unsigned)EVENT_LATE;
    if (outcome != OUTCOME_OK)
        return outcome;
    result = qmi_result(&answer);
    if (result != QMI_OK)
        return report_set(why, OUTCOME_NO_MODEM, "qmi-proxy cannot open %s (error %u, %s)",
                          qmi->control.name.path, result, qmi_error_name(result));
    return OUTCOME_OK;
}

static enum outcome begin(struct transport *transport, const struct transport_target *target,
                          struct deadline deadline, struct report *why)
{
    struct qmi *qmi = transport->self = calloc(1, sizeof *qmi);

    if (qmi == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    qmi->transport = transport;
    qmi->trace = target->trace;
    qmi->wanted_slot = target->slot > 0 ? target->slot : 1;
    return control_open(&qmi->control, target, open_at_proxy, qmi, deadline, why);
}

static void end(struct transport *transport)
{
    struct qmi *qmi = self_of(transport);

    if (qmi == NULL)
        return;
    control_close(&qmi->control);
    explicit_bzero(qmi, sizeof *qmi);
    free(qmi);
    transport->self = NULL;
}

static void release_client(struct qmi *qmi, struct deadline deadline)
{
    if (qmi->client != 0)
        qmi_drop_client(qmi, QMI_UIM, qmi->client, deadline);
    qmi->client = 0;
}

static enum outcome wake(struct transport *transport, bool ready, int quiet_ms,
                         struct deadline deadline, struct report *why)
{
    struct qmi *qmi = self_of(transport);
    enum outcome outcome = OUTCOME_OK;

    (void)quiet_ms; /* each answer has the number of its request */
    take_kept(qmi);
    if (!ready) {
        qmi->slot = 0;
        outcome = control_alone(&qmi->control, why);
    }
    if (outcome == OUTCOME_OK)
        outcome = qmi_need_slot(qmi, deadline, why);
    if (outcome == OUTCOME_LOST && qmi->lost) /* the kept client id */
        outcome = qmi_need_slot(qmi, deadline, why);
    if (outcome == OUTCOME_OK && qmi->lost) {
        transport->events |= EVENT_FORGOT; /* there may have been a restart */
        qmi->lost = false;
    }
    if (outcome == OUTCOME_NO_SIM ||
        outcome == OUTCOME_USAGE) /* no such slot: nothing more is asked */
        release_client(qmi, deadline);
    keep(qmi);
    return outcome;
}

/* Asks on UIM's client id, and again while the SIM is not ready: the card has not seen the request then.
 * once: it has a PIN in it, and is not sent again. */
static enum outcome ask_uim(struct qmi *qmi, struct qmi_frame *request, int timeout_ms, bool once,
                            struct deadline deadline, struct qmi_message *answer,
                            struct report *why)
{
    const struct deadline patience = deadline_within(deadline, once ? 0 : WAIT_TOTAL_MS);

    for (;;) {
        enum outcome outcome = qmi_ask(qmi, request, timeout_ms, deadline, answer, why);

        if (outcome != OUTCOME_OK || !qmi_must_wait(qmi_result(answer)) ||
            qmi_card_word(answer, 0x11) != 0 || deadline_left(patience) <= WAIT_LEAST_MS)
            return outcome;
        deadline_sleep(patience, WAIT_PAUSE_MS);
    }
}

/* A channel that the modem does not know any more counts as closed. */
static enum outcome close_channel(struct transport *transport, struct channel *channel,
                                  struct deadline deadline, struct report *why)
{
    struct qmi *qmi = self_of(transport);
    struct qmi_frame request;
    struct qmi_message answer;
    enum outcome outcome = qmi_need_slot(qmi, deadline, why);
    unsigned result;

    channel->open = false;
    keep(qmi);
    if (outcome != OUTCOME_OK)
        return outcome;
    qmi_close_channel(&request, qmi->client, qmi->slot, channel->number);
    outcome = ask_uim(qmi, &request, CLOSE_TIMEOUT_MS, false, deadline, &answer, why);
    if (outcome != OUTCOME_OK) {
        keep(qmi);
        return outcome;
    }
    result = qmi_result(&answer);
    outcome = qmi_outcome(qmi, result, "close a channel", why);
    if (result == QMI_INVALID_HANDLE || result == QMI_NO_ENTRY || result == QMI_INVALID_ARGUMENT) {
        report_clear(why);
        outcome = OUTCOME_OK;
    }
    keep(qmi);
    return outcome;
}

/* Why an opening failed, by the card's status word. */
static enum outcome card_refused(uint16_t sw, struct report *why)
{
    if (sw == 0x6A82)
        return report_sw(why, OUTCOME_NO_APPLET, sw, "this SIM does not have the applet");
    return report_sw(why, OUTCOME_REFUSED, sw, "the SIM opens no channel to the applet");
}

static enum outcome open_failed(struct qmi *qmi, const struct qmi_message *answer,
                                struct report *why)
{
    const unsigned result = qmi_result(answer);
    const uint16_t sw = qmi_card_word(answer, 0x11);
    enum outcome outcome;

    if (result != QMI_INVALID_CLIENT && sw != 0 && sw != 0x9000)
        return card_refused(sw, why);
    if (result == QMI_NO_RESOURCES) {
        (void)report_set(why, OUTCOME_REFUSED, "the modem has no free channel (QMI error %u, %s)",
                         result, qmi_error_name(result));
        why->sw = 0x6A81; /* what a card says then */
        return OUTCOME_REFUSED;
    }
    outcome = qmi_outcome(qmi, result, "open a channel to the applet", why);
    return outcome == OUTCOME_OK ? report_set(why, OUTCOME_BAD_DATA,
                                              "the modem opened a channel and does not say which")
                                 : outcome;
}

static enum outcome open_once(struct qmi *qmi, const struct channel_wish *wish,
                              struct deadline deadline, struct qmi_message *answer,
                              struct report *why)
{
    struct qmi_frame request;
    enum outcome outcome = qmi_need_slot(qmi, deadline, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    qmi_open_channel(&request, qmi->client, qmi->slot, wish->aid, wish->aid_length);
    return ask_uim(qmi, &request, OPEN_TIMEOUT_MS, false, deadline, answer, why);
}

static enum outcome open_channel(struct transport *transport, const struct channel_wish *wish,
                                 struct channel *channel, struct deadline deadline,
                                 struct report *why)
{
    struct qmi *qmi = self_of(transport);
    struct report ignored = REPORT_INIT;
    struct qmi_message answer;
    uint8_t number;
    uint16_t sw;
    enum outcome outcome = open_once(qmi, wish, deadline, &answer, why);

    memset(channel, 0, sizeof *channel);
    if (outcome == OUTCOME_OK &&
        qmi_result(&answer) == QMI_INTERNAL) /* it may work the second time */
        outcome = open_once(qmi, wish, deadline, &answer, why);
    keep(qmi);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (qmi_result(&answer) != QMI_OK || !qmi_opened(&answer, &number)) {
        outcome = open_failed(qmi, &answer, why);
        keep(qmi);
        return outcome;
    }
    sw = qmi_card_word(&answer, 0x11);
    *channel = (struct channel){
        .open = true, .selected = wish->aid_length > 0, .carrier = CARRIER_CSIM, .number = number};
    if (!channel_refused(sw))
        return OUTCOME_OK;
    /* something else is selected there: not even a PIN's state is to be asked of it */
    (void)close_channel(transport, channel, deadline, &ignored);
    return card_refused(sw, why);
}

/* The rest of a long answer, whose parts come by indications. */
static enum outcome collect(struct qmi *qmi, const struct qmi_long *all, struct deadline deadline,
                            struct report *why)
{
    if (all->total < 2 || all->total > sizeof qmi->held.data)
        return report_set(why, OUTCOME_BAD_DATA, "the modem announces an answer of %u bytes",
                          all->total);
    qmi_parts_announce(&qmi->parts, all);
    while (qmi->parts.got < all->total) {
        struct qmi_message message;
        enum outcome outcome = qmi_listen(qmi, deadline, &message, why);

        if (outcome == OUTCOME_TIMEOUT)
            return report_set(why, outcome,
                              "the modem at %s did not send all parts of an answer in time (%zu of "
                              "%u bytes)",
                              qmi->control.name.path, qmi->parts.got, all->total);
        if (outcome != OUTCOME_OK)
            return outcome;
        if (!qmi_parts_take(&qmi->parts, &message, qmi->held.data))
            return report_set(why, OUTCOME_BAD_DATA, "a part of the modem's answer does not fit");
    }
    return OUTCOME_OK;
}

/* Gives what is in qmi->held: length bytes, the whole answer with its status word. */
static void give_answer(struct qmi *qmi, const struct channel *channel, size_t length,
                        struct exchange *exchange)
{
    const uint8_t *end = qmi->held.data + length;

    held_give(&qmi->held, channel, length - 2, (uint16_t)(end[-2] << 8 | end[-1]), exchange);
}

static enum outcome take_answer(struct qmi *qmi, const struct channel *channel,
                                const struct qmi_message *answer, struct exchange *exchange,
                                struct deadline deadline, struct report *why)
{
    const unsigned result = qmi_result(answer);
    struct qmi_long all;
    const uint8_t *apdu;
    size_t length;

    if ((result == QMI_OK || result == QMI_NO_RESOURCES) && qmi_is_long(answer, &all)) {
        enum outcome outcome = collect(qmi, &all, deadline, why);

        if (outcome == OUTCOME_OK)
            give_answer(qmi, channel, all.total, exchange);
        return outcome;
    }
    if (result != QMI_OK)
        return qmi_outcome(qmi, result, "pass a command on to the SIM", why);
    apdu = qmi_apdu_answer(answer, &length);
    if (apdu == NULL || length > sizeof qmi->held.data)
        return report_set(why, OUTCOME_BAD_DATA,
                          "the modem's answer has no answer of the SIM, or one that is too long");
    memcpy(qmi->held.data, apdu, length);
    give_answer(qmi, channel, length, exchange);
    return OUTCOME_OK;
}

/* True for a result by which a firmware may refuse the TLV about procedure bytes (qmi_send_apdu). */
static bool unknown_word(unsigned result)
{
    return result == QMI_MALFORMED || result == QMI_MISSING_ARGUMENT ||
           result == QMI_INVALID_ARGUMENT || result == QMI_TOO_LONG;
}

static enum outcome send_command(struct qmi *qmi, const struct channel *channel,
                                 const struct exchange *exchange, bool procedure,
                                 struct deadline deadline, struct qmi_message *answer,
                                 struct report *why)
{
    uint8_t command[APDU_COMMAND_SIZE];
    struct qmi_frame request;
    enum outcome outcome;

    memcpy(command, exchange->command, exchange->length);
    command[0] = cla_with_channel(command[0], channel->number);
    qmi_send_apdu(&request, qmi->client, qmi->slot, channel->number, command, exchange->length,
                  procedure);
    qmi_parts_begin(&qmi->parts, qmi->client);
    outcome = ask_uim(qmi, &request, exchange->timeout_ms, exchange_has_pin(exchange), deadline,
                      answer, why);
    explicit_bzero(command, sizeof command);
    explicit_bzero(&request, sizeof request);
    return outcome;
}

static enum outcome exchange_apdu(struct transport *transport, const struct channel *channel,
                                  struct exchange *exchange, struct deadline deadline,
                                  struct report *why)
{
    struct qmi *qmi = self_of(transport);
    struct qmi_message answer;
    enum outcome outcome = exchange_check(exchange, why);

    if (outcome == OUTCOME_OK && channel->number == 0) /* the basic channel is the modem's */
        outcome =
            report_set(why, OUTCOME_CARRIER_REFUSED, "no channel by that name is open by QMI");
    if (outcome == OUTCOME_OK && held_more(&qmi->held, channel, exchange))
        return OUTCOME_OK;
    if (outcome == OUTCOME_OK)
        outcome = qmi_need_slot(qmi, deadline, why);
    if (outcome == OUTCOME_OK)
        outcome = send_command(qmi, channel, exchange, !qmi->no_procedure, deadline, &answer, why);
    if (outcome == OUTCOME_OK && !qmi->no_procedure && !exchange_has_pin(exchange) &&
        unknown_word(qmi_result(&answer))) {
        outcome = send_command(qmi, channel, exchange, false, deadline, &answer, why);
        qmi->no_procedure = outcome == OUTCOME_OK && qmi_result(&answer) == QMI_OK;
    }
    if (outcome == OUTCOME_OK && exchange_has_pin(exchange) && qmi_must_wait(qmi_result(&answer)))
        outcome = qmi_pin_unseen(qmi_result(&answer), why);
    else if (outcome == OUTCOME_OK)
        outcome = take_answer(qmi, channel, &answer, exchange,
                              deadline_within(deadline, exchange->timeout_ms), why);
    qmi_parts_begin(&qmi->parts, 0);
    explicit_bzero(qmi->stream.data, qmi->stream.used);
    keep(qmi);
    return outcome;
}

static void release(struct transport *transport, struct deadline deadline)
{
    release_client(self_of(transport), deadline);
    transport->kept = 0;
}

static enum outcome identity(struct transport *transport, struct modem_identity *identity,
                             struct deadline deadline, struct report *why)
{
    enum outcome outcome = qmi_identity(self_of(transport), identity, deadline, why);

    keep(self_of(transport));
    return outcome;
}

static enum outcome iccid(struct transport *transport, char iccid[ICCID_SIZE],
                          struct deadline deadline, struct report *why)
{
    enum outcome outcome = qmi_tell_iccid(self_of(transport), iccid, deadline, why);

    keep(self_of(transport));
    return outcome;
}

static enum outcome registration(struct transport *transport, enum registration *state,
                                 struct deadline deadline, struct report *why)
{
    enum outcome outcome = qmi_registration(self_of(transport), state, deadline, why);

    keep(self_of(transport));
    return outcome;
}

static enum outcome diagnose(struct transport *transport, struct deadline deadline,
                             struct report *why)
{
    enum outcome outcome = qmi_diagnose(self_of(transport), deadline, why);

    keep(self_of(transport));
    return outcome;
}

const struct transport_ops transport_qmi = {
    .noun = "modem",
    .ways = {"QMI", "QMI", "QMI"},
    .restarted = "the modem restarted, or its QMI client ids were taken",
    .carrier = CARRIER_CSIM,
    .selects = true,
    .begin = begin,
    .wake = wake,
    .open = open_channel,
    .exchange = exchange_apdu,
    .close = close_channel,
    .end = end,
    .identity = FOR_TOOLS(identity),
    .iccid = iccid,
    .registration = FOR_TOOLS(registration),
    .diagnose = diagnose,
    .release = release};
