/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers, client ids, and what a result means. */
#include "modem/qmi_talk.h"

#include "modem/cme.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define CTL_TIMEOUT_MS     5000
#define RELEASE_TIMEOUT_MS 1000

static const char *service_name(uint8_t service)
{
    switch (service) {
    case QMI_CTL:
        return "CTL";
    case QMI_DMS:
        return "DMS";
    case QMI_NAS:
        return "NAS";
    case QMI_UIM:
        return "UIM";
    default:
        return "?";
    }
}

/* Heads only: what is in a message may be a PIN. */
static void trace_message(const struct qmi *qmi, char direction, const struct qmi_message *message)
{
    char line[96];

    if (qmi->trace->level != TRACE_AT)
        return;
    (void)snprintf(line, sizeof line, "QMI %s %04X client %u transaction %u (%zu bytes)%s",
                   service_name(message->service), message->id, message->client,
                   message->transaction, message->length,
                   message->kind == QMI_INDICATION ? " indication" : "");
    if (message->kind == QMI_RESPONSE && qmi_result(message) != QMI_OK)
        (void)snprintf(line + strlen(line), sizeof line - strlen(line), " error %u",
                       qmi_result(message));
    trace_line(qmi->trace, direction, line, MASK_NOTHING);
}

/* The client id is void: the modem restarted, or another program sent CTL Sync. */
static void forget_client(struct qmi *qmi)
{
    qmi->client = qmi->slot = 0;
    qmi->lost = true;
}

/* The next message, whatever it is. */
static enum outcome next_message(struct qmi *qmi, struct deadline deadline,
                                 struct qmi_message *message, struct report *why)
{
    while (!qmi_stream_next(&qmi->stream, message)) {
        size_t size, length;
        uint8_t *room = qmi_stream_room(&qmi->stream, &size);
        enum outcome outcome = control_receive(&qmi->control, room, size, &length, deadline, why);

        if (outcome != OUTCOME_OK)
            return outcome;
        qmi_stream_add(&qmi->stream, length);
    }
    trace_message(qmi, '<', message);
    if (message->service == QMI_CTL && message->id == QMI_CTL_SYNC &&
        message->kind == QMI_INDICATION) {
        forget_client(qmi);
        qmi->transport->events |= EVENT_RESTARTED;
    }
    return OUTCOME_OK;
}

static bool answers(const struct qmi_message *request, const struct qmi_message *message)
{
    return message->kind == QMI_RESPONSE && message->service == request->service &&
           message->client == request->client && message->transaction == request->transaction &&
           message->id == request->id;
}

/* The next number; 0 is none. The first one is random: a late answer may be one to an earlier operation of
 * the same client id. */
static uint16_t next_transaction(struct qmi *qmi, bool ctl)
{
    if (qmi->transaction == 0 && getrandom(&qmi->transaction, sizeof qmi->transaction,
                                           GRND_NONBLOCK) != (ssize_t)sizeof qmi->transaction)
        qmi->transaction = (uint16_t)((uint64_t)monotonic_ms() * 7 + (uint64_t)getpid() * 257);
    do
        qmi->transaction++;
    while ((qmi->transaction & (ctl ? 0xFF : 0xFFFF)) == 0);
    return ctl ? qmi->transaction & 0xFF : qmi->transaction;
}

enum outcome qmi_ask(struct qmi *qmi, struct qmi_frame *request, int timeout_ms,
                     struct deadline deadline, struct qmi_message *answer, struct report *why)
{
    const struct deadline patience = deadline_within(deadline, timeout_ms);
    unsigned *events = &qmi->transport->events;
    struct qmi_message asked;
    enum outcome outcome;

    memset(answer, 0, sizeof *answer);
    if (request->full)
        return report_set(why, OUTCOME_USAGE, "a QMI message of that length does not exist");
    qmi_number(request, next_transaction(qmi, request->data[4] == QMI_CTL));
    (void)qmi_read(request->data, request->length, &asked);
    trace_message(qmi, '>', &asked);
    outcome = control_send(&qmi->control, request->data, request->length, patience, why);
    while (outcome == OUTCOME_OK) {
        outcome = next_message(qmi, patience, answer, why);
        if (outcome == OUTCOME_OK && answers(&asked, answer)) {
            *events &= ~(unsigned)EVENT_LATE;
            return OUTCOME_OK;
        }
        if (outcome == OUTCOME_OK)
            (void)qmi_parts_take(&qmi->parts, answer, qmi->held.data);
    }
    if (outcome == OUTCOME_TIMEOUT) {
        *events |= EVENT_LATE;
        qmi_stream_forget(&qmi->stream);
        return report_set(why, outcome, "the modem at %s did not answer in time (QMI %s %04X)",
                          qmi->control.name.path, service_name(asked.service), asked.id);
    }
    return outcome;
}

enum outcome qmi_listen(struct qmi *qmi, struct deadline deadline, struct qmi_message *message,
                        struct report *why)
{
    return next_message(qmi, deadline, message, why);
}

/* ---- client ids ---- */

enum outcome qmi_take_client(struct qmi *qmi, uint8_t service, uint8_t *client,
                             struct deadline deadline, struct report *why)
{
    struct qmi_frame request;
    struct qmi_message answer;
    enum outcome outcome;
    unsigned result;

    qmi_allocate(&request, service);
    outcome = qmi_ask(qmi, &request, CTL_TIMEOUT_MS, deadline, &answer, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    result = qmi_result(&answer);
    if (result == QMI_NO_CLIENT_LEFT)
        return report_set(
            why, OUTCOME_REFUSED,
            "the modem has no QMI client id left (error 5): another program takes them "
            "and does not give them back. Restart the modem (mmcli -m any --reset)");
    if (result == QMI_OK && qmi_allocated(&answer, service, client))
        return OUTCOME_OK;
    if (result == QMI_OK || result == QMI_NO_RESULT)
        return report_set(why, OUTCOME_BAD_DATA,
                          "the modem's answer has no QMI client id for its service %s: use its AT "
                          "port",
                          service_name(service));
    return report_set(why, OUTCOME_CARRIER_REFUSED,
                      "the modem gives no QMI client id for its service %s (error %u, %s): use its "
                      "AT port",
                      service_name(service), result, qmi_error_name(result));
}

void qmi_drop_client(struct qmi *qmi, uint8_t service, uint8_t client, struct deadline deadline)
{
    struct qmi_frame request;
    struct qmi_message answer;
    struct report ignored = REPORT_INIT;

    qmi_release(&request, service, client);
    (void)qmi_ask(qmi, &request, RELEASE_TIMEOUT_MS, deadline, &answer, &ignored);
}

enum outcome qmi_need_client(struct qmi *qmi, struct deadline deadline, struct report *why)
{
    struct transport *transport = qmi->transport;
    enum outcome outcome;

    if (qmi->client != 0)
        return OUTCOME_OK;
    outcome = qmi_take_client(qmi, QMI_UIM, &qmi->client, deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    transport->kept = (transport->kept & ~QMI_KEPT_CLIENT) | qmi->client;
    if (transport->keeps != NULL)
        transport->keeps(transport->keeps_arg);
    return OUTCOME_OK;
}

/* ---- results ---- */

bool qmi_must_wait(unsigned result)
{
    return result == QMI_IN_USE || result == QMI_NOT_READY || result == QMI_INCOMPATIBLE_STATE;
}

enum outcome qmi_pin_unseen(unsigned result, struct report *why)
{
    (void)report_set(why, OUTCOME_TIMEOUT,
                     "the SIM stayed busy (QMI error %u, %s): the modem may be starting, try again",
                     result, qmi_error_name(result));
    why->cme = CME_SIM_BUSY;
    return OUTCOME_TIMEOUT;
}

static enum outcome refused(unsigned result, const char *what, const char *then, struct report *why)
{
    return report_set(why, OUTCOME_CARRIER_REFUSED,
                      "the modem refuses to %s by QMI (error %u, %s)%s", what, result,
                      qmi_error_name(result), then);
}

enum outcome qmi_outcome(struct qmi *qmi, unsigned result, const char *what, struct report *why)
{
    switch (result) {
    case QMI_OK:
    case QMI_NO_EFFECT:
        return OUTCOME_OK;
    case QMI_INVALID_CLIENT:
        forget_client(qmi);
        return report_set(why, OUTCOME_LOST,
                          "the modem no longer knows this program's QMI client id (error 7): it "
                          "restarted");
    case QMI_INVALID_HANDLE:
    case QMI_NO_ENTRY:
    case QMI_INVALID_ARGUMENT:
        (void)report_set(why, OUTCOME_LOST, "the channel to the SIM is gone (QMI error %u, %s)",
                         result, qmi_error_name(result));
        why->sw = 0x6881; /* what a card says of a channel that it does not have */
        return OUTCOME_LOST;
    case QMI_UNINITIALISED:
    case QMI_NO_SIM:
        qmi->transport->events |= EVENT_NO_SIM;
        return report_set(why, OUTCOME_NO_SIM,
                          "the modem has no SIM, or cannot use it (QMI error %u, "
                          "%s)",
                          result, qmi_error_name(result));
    case QMI_IN_USE:
    case QMI_NOT_READY:
    case QMI_INCOMPATIBLE_STATE:
        return report_set(why, OUTCOME_NO_SIM, "the SIM is not ready (QMI error %u, %s)", result,
                          qmi_error_name(result));
    case QMI_NO_RESULT:
        return report_set(why, OUTCOME_BAD_DATA, "the modem's answer makes no sense (QMI, to %s)",
                          what);
    case QMI_ACCESS_DENIED:
        return refused(result, what,
                       ": its firmware keeps SIM applets from programs this way. Use its AT port",
                       why);
    default:
        return refused(result, what, ": use its AT port if it has one", why);
    }
}
