/* SPDX-License-Identifier: Apache-2.0 */
/* The talk with a QMI modem: one request, its answer, whatever else comes between. Requests and answers
 * belong together by service, client id and transaction, so that a late answer is never taken for
 * another one's. */
#ifndef SIMKEY_MODEM_QMI_TALK_H
#define SIMKEY_MODEM_QMI_TALK_H

#include "modem/control.h"
#include "modem/held.h"
#include "modem/qmi_message.h"
#include "modem/qmi_parts.h"

/* The bits of transport->kept that hold UIM's client id. */
#define QMI_KEPT_CLIENT 0x000000FFu

/* The transport's state (transport->self), made by begin and freed by end. */
struct qmi {
    struct control control;
    struct transport *transport;
    const struct trace *trace;
    unsigned wanted_slot; /* the setting */
    uint8_t client;       /* of UIM; 0: none yet */
    uint8_t slot;         /* how the modem calls the wanted one; 0: not asked yet */
    bool lost;            /* the client id was void: the modem may have restarted unseen */
    bool no_procedure;    /* the firmware does not know that word of Send APDU */
    uint16_t transaction;
    struct qmi_stream stream;
    struct held held;
    struct qmi_parts parts; /* what has come of a long answer; its bytes are in held */
};

/* Sends a request and waits for its response, good or bad; *answer is good until the next call. Sets
 * EVENT_RESTARTED where the modem says that it took all client ids, and EVENT_LATE where an answer
 * is outstanding at the end. Errors: OUTCOME_TIMEOUT, OUTCOME_LOST, OUTCOME_NO_MODEM. */
enum outcome qmi_ask(struct qmi *qmi, struct qmi_frame *request, int timeout_ms,
                     struct deadline deadline, struct qmi_message *answer, struct report *why);

/* The next message, whatever it is: for the parts of a long answer, which come without a request. *message is
 * good until the next call. Errors: OUTCOME_TIMEOUT, OUTCOME_LOST, OUTCOME_NO_MODEM. */
enum outcome qmi_listen(struct qmi *qmi, struct deadline deadline, struct qmi_message *message,
                        struct report *why);

/* Makes sure of a client id of UIM, kept or new; a new one is written down at once (transport->keeps).
 * Errors: OUTCOME_REFUSED where the modem has none left, ... */
enum outcome qmi_need_client(struct qmi *qmi, struct deadline deadline, struct report *why);

/* Takes a client id of a service, and gives it back, which is best effort. Errors: OUTCOME_REFUSED where the
 * modem has none left, OUTCOME_CARRIER_REFUSED where it has no such service for us, ... */
enum outcome qmi_take_client(struct qmi *qmi, uint8_t service, uint8_t *client,
                             struct deadline deadline, struct report *why);
void qmi_drop_client(struct qmi *qmi, uint8_t service, uint8_t client, struct deadline deadline);

/* What a result of a UIM message means, as a sentence that begins with what was tried ("open a
 * channel"); OUTCOME_OK for QMI_OK. Sets EVENT_NO_SIM, and forgets an invalid client id. */
enum outcome qmi_outcome(struct qmi *qmi, unsigned result, const char *what, struct report *why);

/* True for a result that says that the SIM is not ready yet. */
bool qmi_must_wait(unsigned result);

/* The failure for such a result in answer to a PIN, which the card has not seen then: OUTCOME_TIMEOUT with
 * why->cme 14, as by AT. The caller asks for the tries left before it sends the PIN again. */
enum outcome qmi_pin_unseen(unsigned result, struct report *why);

#endif
