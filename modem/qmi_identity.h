/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the modem itself by QMI. The first four are functions of struct transport_ops: transport.h
 * says what they give. */
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

/* Makes sure of a client id of UIM, and of the modem's own number for the wanted slot (qmi->slot). Errors:
 * OUTCOME_NO_SIM where the wanted slot is not active, naming the active one: slots are never switched,
 * because that ends the modem's connection; OUTCOME_USAGE where there is no such slot; ... */
enum outcome qmi_need_slot(struct qmi *qmi, struct deadline deadline, struct report *why);

#endif
