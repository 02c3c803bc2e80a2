/* SPDX-License-Identifier: Apache-2.0 */
/* What a card keeps for a logical channel between two commands (ISO 7816-4): the application that is
 * selected (5.3.2) and the current security environment (11.5.11). Numbers only: what they mean is an
 * applet's matter. */
#ifndef SIMKEY_APDU_CARD_ENVIRONMENT_H
#define SIMKEY_APDU_CARD_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

/* What is selected. Only the first ones can stand in a record, by their numbers. */
enum selected { SELECTED_NOTHING, SELECTED_MIAS, SELECTED_UICC, SELECTED_IOTSAFE, SELECTED_OTHER };

/* As MSE SET put it: a template with an algorithm and a key reference. */
struct security_environment {
    bool set;
    uint8_t template_tag; /* B6 digital signature, B8 confidentiality (table 79) */
    uint8_t algorithm;
    uint8_t key_id;
};

#endif
