/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that sends VERIFY and CHANGE, and the rules that keep a SIM from blocking: the state is asked
 * first, which costs nothing; software verifies only while at least three tries are left; a PIN is
 * read when it is needed and never kept. */
#ifndef SIMKEY_APDU_PIN_H
#define SIMKEY_APDU_PIN_H

#include "apdu/apdu.h"
#include "apdu/settings.h"
#include "apdu/token.h"

#define PIN_SIZE    17 /* 16 digits and a NUL */
#define PIN_NEW_MAX 8  /* digits that a new PIN may have: what all cards take */

enum pin_reference {
    PIN_APPLET, /* mIAS, reference 81: the digits as they are */
    PIN_UICC,   /* PIN1, reference 01: 8 bytes padded with FF (ETSI TS 102 221, 9.5.1) */
};

/* Software by itself never verifies with fewer tries left. */
#define PIN_SOFTWARE_TRIES 3

/* Asks for the state by a VERIFY without data, with a fifth byte 00 where the card or the modem
 * wants one. */
enum outcome pin_state(const struct card *card, enum pin_reference reference,
                       struct token_pin *state, struct report *why);

/* Makes sure that the PIN is verified on this channel: asks for the state, then verifies with the
 * PIN of the settings. Errors: OUTCOME_PIN_MISSING (also where its source cannot be used),
 * OUTCOME_PIN_PROTECTED, OUTCOME_PIN_WRONG, OUTCOME_PIN_BLOCKED. A wrong PIN costs one try, once.
 */
enum outcome pin_unlock(const struct card *card, enum pin_reference reference,
                        const struct settings *settings, struct report *why);

/* A person's explicit attempt. The last try only with spend_last. *state is how it stands
 * afterwards. */
enum outcome pin_attempt(const struct card *card, enum pin_reference reference, const char *pin,
                         bool spend_last, struct token_pin *state, struct report *why);

/* A person's change of the applet's PIN. The form of the command is doubtful: it is tried once, and
 * only with PIN_SOFTWARE_TRIES left. *sent: the command went to the card; where the call failed
 * without a status word (why->sw) then, nobody knows whether the PIN is changed. Errors:
 * OUTCOME_USAGE (no PINs, or the same), OUTCOME_PIN_PROTECTED, OUTCOME_PIN_WRONG,
 * OUTCOME_PIN_BLOCKED, OUTCOME_REFUSED. */
enum outcome pin_change(const struct card *card, const char *old_pin, const char *new_pin,
                        bool *sent, struct report *why);

/* Reads the PIN from where the settings say. The caller cleanses pin. A source is a path, or file:
 * and a path; its first line is the PIN. Refused: what others can read, what is no regular file,
 * what is no PIN (4 to 16 digits, PIN1 4 to 8). */
enum outcome pin_from_settings(const struct settings *settings, enum pin_reference reference,
                               char pin[PIN_SIZE], struct report *why);

/* The same for the applet's PIN from a source that is no setting; name says in sentences who named
 * it ("--new-source"). */
enum outcome pin_from_source(const char *source, const char *name, char pin[PIN_SIZE],
                             struct report *why);

#endif
