/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the modem itself by MBIM. The first four are functions of struct transport_ops: transport.h
 * says what they give. */
#ifndef SIMKEY_MODEM_MBIM_IDENTITY_H
#define SIMKEY_MODEM_MBIM_IDENTITY_H

#include "modem/mbim_talk.h"

enum outcome mbim_identity(struct mbim *mbim, struct modem_identity *identity,
                           struct deadline deadline, struct report *why);
enum outcome mbim_tell_iccid(struct mbim *mbim, char iccid[ICCID_SIZE], struct deadline deadline,
                             struct report *why);
enum outcome mbim_registration(struct mbim *mbim, enum registration *state,
                               struct deadline deadline, struct report *why);
enum outcome mbim_diagnose(struct mbim *mbim, struct deadline deadline, struct report *why);

/* Checks that the wanted slot is the active one: commands cannot name a slot. Errors: OUTCOME_NO_SIM,
 * naming the active one; OUTCOME_USAGE where the modem does not tell and another than the first is
 * wanted; ... */
enum outcome mbim_check_slot(struct mbim *mbim, struct deadline deadline, struct report *why);

#endif
