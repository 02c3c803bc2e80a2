/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the modem repeats what it is sent: asked directly before something secret goes out,
 * because another program may have turned the echo on since the start-up, and reads the port as
 * well. */
#ifndef SIMKEY_MODEM_AT_ECHO_H
#define SIMKEY_MODEM_AT_ECHO_H

#include "modem/at.h"

struct at_echo {
    bool was_on; /* ATE0 was repeated */
    bool stays;  /* AT behind it too */
};

/* Sends ATE0 and AT, and looks for the echo of each (ITU-T V.250, 6.2.4), whatever is known of this
 * modem's habits: at->echo_stays is as before afterwards, and EVENT_ECHOED tells of an echo that had not
 * been expected. Errors: OUTCOME_TIMEOUT,
 * OUTCOME_NO_MODEM, OUTCOME_LOST (AT is not answered OK). */
enum outcome at_echo_off(struct at *at, struct deadline deadline, struct at_echo *echo,
                         struct report *why);

#endif
