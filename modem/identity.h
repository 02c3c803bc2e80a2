/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the modem itself: who it is, which SIM it holds, whether that SIM is ready. */
#ifndef SIMKEY_MODEM_IDENTITY_H
#define SIMKEY_MODEM_IDENTITY_H

#include "modem/at.h"

/* EF.ICCID is 10 bytes (ETSI TS 102 221, 13.2): at most 20 digits and a NUL. */
#define ICCID_SIZE 21

/* The ICCID's digits by AT+CRSM=176,12258,0,0,10, else by +CCID and its vendor names. Errors:
 * OUTCOME_NO_SIM, OUTCOME_REFUSED if the modem knows none of them. */
enum outcome modem_iccid(struct at *at, char iccid[ICCID_SIZE], struct deadline deadline,
                         struct report *why);

/* Nibble-swapped bytes of EF.ICCID, padded with F, to digits. Returns false if they are none. */
bool iccid_from_bytes(const uint8_t *bytes, size_t length, char iccid[ICCID_SIZE]);

struct modem_identity {
    char manufacturer[64]; /* AT+CGMI */
    char model[64];        /* AT+CGMM */
    char revision[64];     /* AT+CGMR */
    char imei[32];         /* AT+CGSN */
    char sim_state[32];    /* AT+CPIN?, such as READY or SIM PIN */
};

/* Asks all of these; a question that the modem refuses leaves its field empty. Errors:
 * OUTCOME_NO_MODEM, OUTCOME_TIMEOUT. */
enum outcome modem_identity(struct at *at, struct modem_identity *identity,
                            struct deadline deadline, struct report *why);

enum registration { REGISTRATION_UNKNOWN, REGISTRATION_NONE, REGISTRATION_DONE };

/* Whether the modem is registered in a network: +CREG? or +CEREG? answers 1 (home) or 5 (roaming).
 * Unknown if it refuses both. Errors: OUTCOME_NO_MODEM, OUTCOME_TIMEOUT. */
enum outcome modem_registration(struct at *at, enum registration *state, struct deadline deadline,
                                struct report *why);

#endif
