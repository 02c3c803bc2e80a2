/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that sends VERIFY and CHANGE, and the rules that keep a SIM from blocking: the state is asked
 * first, which costs nothing; software verifies only while at least three tries are left, and no
 * source a second time that was refused; a PIN goes only to the application that was selected
 * directly before; it is read for one operation and never kept. */
#ifndef SIMKEY_APDU_APPLET_PIN_H
#define SIMKEY_APDU_APPLET_PIN_H

#include "apdu/applet/applet.h"
#include "apdu/applet/pin_memory.h"
#include "apdu/card/apdu.h"
#include "apdu/key.h"
#include "apdu/pin_source.h"
#include "apdu/settings.h"

/* The application that holds PIN1. */
extern const struct applet applet_uicc;

/* Asks for the state by a VERIFY without data, with a fifth byte 00 where the card or the modem
 * wants one. */
enum outcome pin_state(const struct card *card, enum pin_reference reference,
                       struct token_pin *state, struct report *why);

/* What software tries, and what is remembered of it. */
struct pin_try {
    struct pin_given *given;   /* read before the device was taken */
    struct pin_memory *memory; /* gets what this try teaches */
    const char *sim;           /* its ICCID, "" if it is not known */
    /* where refusals outlive a reboot (pin_store_load and pin_store_save of apdu/session); NULL:
     * nowhere */
    void (*load)(const struct settings *settings, const char *sim, struct pin_memory *memory);
    bool (*save)(const struct settings *settings, const char *sim, const struct pin_memory *memory);
    const struct settings *settings; /* for the two */
    bool sent;                       /* the PIN went to the card, and the card said 9000 */
};

/* Notes that the SIM refused the source's PIN, and how many tries it had left then, also beyond a reboot. */
void pin_remember(struct pin_try *try, enum pin_reference reference,
                  const struct pin_identity *source, int left);

/* Makes sure that the PIN is verified on this channel, where the application has just been selected:
 * asks for the state, then verifies, unless this source was refused by this SIM before, or fewer
 * tries are left than there were. Whatever becomes of a PIN that was sent and not accepted is
 * remembered at once, also beyond a reboot (save); but for one of which the modem said in place of the
 * card's answer that the SIM is busy (OUTCOME_TIMEOUT), or that such a command is not allowed or not
 * supported (OUTCOME_CARRIER_REFUSED): given->again while it may be sent again, where the SIM has still as
 * many tries. Other errors: OUTCOME_PIN_MISSING (also where the
 * source cannot be used), OUTCOME_PIN_PROTECTED, OUTCOME_PIN_WRONG, OUTCOME_PIN_BLOCKED. A wrong PIN
 * costs one try, once. */
enum outcome pin_unlock(const struct card *card, enum pin_reference reference, struct pin_try *try,
                        struct report *why);

/* A person's explicit attempt. The last try only with spend_last. *state is how it stands
 * afterwards. */
enum outcome pin_attempt(const struct card *card, enum pin_reference reference, const char *pin,
                         bool spend_last, struct token_pin *state, struct report *why);

/* A person's change of the applet's PIN. The form of the command is doubtful: it is tried once, and
 * only with PIN_SOFTWARE_TRIES left. *sent: the command went to the card; where the call failed
 * without a status word (why->sw) then, it is unknown whether the PIN was changed. Errors:
 * OUTCOME_USAGE (no PINs, or the same), OUTCOME_PIN_PROTECTED, OUTCOME_PIN_WRONG,
 * OUTCOME_PIN_BLOCKED, OUTCOME_REFUSED. */
enum outcome pin_change(const struct card *card, const char *old_pin, const char *new_pin,
                        bool *sent, struct report *why);

#endif
