/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the modem itself by QMI, each one of struct transport_ops: see transport.h. */
#ifndef SIMKEY_MODEM_QMI_IDENTITY_H
#define SIMKEY_MODEM_QMI_IDENTITY_H

#include "modem/qmi_talk.h"

enum outcome qmi_identity(struct qmi *qmi, struct modem_identity *identity,
                          struct deadline deadline, struct report *why);
enum outcome qmi_tell_iccid(struct qmi *qmi, char iccid[ICCID_SIZE], struct deadline deadline,
                            struct report *why);
enum outcome qmi_registration(struct qmi *qmi, enum registration *state, struct deadline deadline,
                              struct report *why);
enum outcome qmi_diagnose(struct qmi *qmi, struct deadline deadline, struct report *why);

/* Makes sure of a client id of UIM, and of how the modem calls the wanted slot: its logical one. Errors: OUTCOME_NO_SIM, naming the active one,
 * where the wanted slot is not active: it is never switched, because the connection would go. */
enum outcome qmi_need_slot(struct qmi *qmi, struct deadline deadline, struct report *why);

#endif
