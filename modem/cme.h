/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of +CME ERROR that are treated apart (3GPP TS 27.007, 9.2). */
#ifndef SIMKEY_MODEM_CME_H
#define SIMKEY_MODEM_CME_H

#include <stdbool.h>

enum {
    CME_PHONE_FAILURE = 0,
    CME_NOT_ALLOWED = 3,
    CME_NOT_SUPPORTED = 4,
    CME_NO_SIM = 10,
    CME_SIM_PIN = 11,
    CME_SIM_PUK = 12,
    CME_SIM_FAILURE = 13,
    CME_SIM_BUSY = 14,
    CME_SIM_WRONG = 15,
    CME_WRONG_PASSWORD = 16,
    CME_SIM_PIN2 = 17,
    CME_SIM_PUK2 = 18,
    CME_MEMORY_FULL = 20,
    CME_INVALID_INDEX = 21,
    CME_NOT_FOUND = 22,
    CME_WRONG_PARAMETERS = 50,
    CME_UNKNOWN = 100,
    CME_PLEASE_WAIT = 515, /* of several makers: a command is being processed, this one is not */
};

/* True if the card has not seen the command: it may be said again later. */
static inline bool cme_is_busy(int cme)
{
    return cme == CME_SIM_BUSY || cme == CME_PLEASE_WAIT;
}

/* True if the modem does not hand on commands of that kind: by another carrier it may. */
static inline bool cme_is_refusal(int cme)
{
    return cme == CME_NOT_ALLOWED || cme == CME_NOT_SUPPORTED;
}

/* True if there is no SIM, or another one than before: no channel is left. */
static inline bool cme_is_no_sim(int cme)
{
    return cme == CME_NO_SIM || cme == CME_SIM_WRONG;
}

#endif
