/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a modem itself, by AT: who it is, which SIM it holds, whether that SIM is ready. */
#ifndef SIMKEY_MODEM_AT_IDENTITY_H
#define SIMKEY_MODEM_AT_IDENTITY_H

#include "modem/at.h"
#include "modem/identity.h"

/* The ICCID's digits by AT+CRSM=176,12258,0,0,10, else by +CCID and its vendor names. Errors:
 * OUTCOME_NO_SIM; OUTCOME_REFUSED if the modem knows none of them; OUTCOME_TIMEOUT, without EVENT_LATE
 * if it is alive but left one unanswered, twice, and does not know the others. */
enum outcome at_iccid(struct at *at, char iccid[ICCID_SIZE], struct deadline deadline,
                      struct report *why);

/* Asks for all of it; a question that the modem refuses, or does not answer, leaves its field empty. Errors:
 * OUTCOME_NO_MODEM, OUTCOME_TIMEOUT. */
enum outcome at_identity(struct at *at, struct modem_identity *identity, struct deadline deadline,
                         struct report *why);

/* Whether the modem is registered with a network: +CREG? or +CEREG? answers 1 (home), 5 (roaming), 6, 7 (the same for SMS only), 9 or 10 (CSFB not preferred).
 * Unknown if it refuses both. Errors: OUTCOME_NO_MODEM, OUTCOME_TIMEOUT. */
enum outcome at_registration(struct at *at, enum registration *state, struct deadline deadline,
                             struct report *why);

/* Asks for the SIM's state (AT+CPIN?). OUTCOME_OK if it is ready or not told. Errors:
 * OUTCOME_PIN_MISSING, OUTCOME_NO_SIM, those of at_command, ... */
enum outcome at_diagnose(struct at *at, struct deadline deadline, struct report *why);

#endif
