/* SPDX-License-Identifier: Apache-2.0 */
/* How far a logical channel is: one level, raised by what succeeds on it, and lowered by what fails.
 *
 *             open          SELECT          VERIFY, or the card wants no PIN
 *   CLOSED ---------> OPEN ---------> SELECTED ---------> PIN_OK
 *
 *     <--------------------------------------------------   closed, lost, or handed to the table of
 *                                                           owners (owners.h)
 *                      <-------------------------------     another applet is wanted; another SIM
 *                                        <-------------     the card or the PIN's source says no
 *
 * The security environment (MSE) is set at SELECTED or above, and falls with it. Nothing here is secret. */
#ifndef SIMKEY_APDU_SESSION_CHANNEL_STATE_H
#define SIMKEY_APDU_SESSION_CHANNEL_STATE_H

#include "apdu/applet/applet.h"
#include "apdu/applet/pin_memory.h"
#include "apdu/card/environment.h"
#include "modem/channel.h"
#include "modem/identity.h"

#include <stdbool.h>
#include <stddef.h>

enum level { LEVEL_CLOSED, LEVEL_OPEN, LEVEL_SELECTED, LEVEL_PIN_OK };

/* Sources of PINs that are remembered for a channel. */
#define STATE_OPENERS 12

struct channel_state {
    struct channel channel; /* open from LEVEL_OPEN on */
    enum level level;
    enum selected applet; /* from LEVEL_SELECTED on; else SELECTED_NOTHING */
    bool unprotected;     /* at LEVEL_PIN_OK: the card wanted no PIN on a new channel */
    bool broken;          /* an operation failed on it: close it and start anew */
    bool kept;            /* it stays when its last user ends */
    struct security_environment environment;
    bool iccid_asked;
    char iccid[ICCID_SIZE]; /* "" if the modem does not tell */
    /* at LEVEL_PIN_OK: the sources whose PINs opened it; a program with another one proves its PIN first */
    size_t opener_count;
    struct pin_identity openers[STATE_OPENERS];
};

/* The channel is open, and nothing is selected on it. */
void state_opened(struct channel_state *state);

/* An applet was selected; what was verified and set under another one is not any more. */
void state_selected(struct channel_state *state, enum selected applet);

/* Back to LEVEL_OPEN: the applet has to be selected again. */
void state_deselected(struct channel_state *state);

/* The PIN was verified, or none is wanted; source: whose PIN, NULL for none. */
void state_verified(struct channel_state *state, const struct pin_identity *source);

/* Back to LEVEL_SELECTED, if it was above. */
void state_unverified(struct channel_state *state);

/* Back to LEVEL_CLOSED: closed, lost, or left to another operation. The ICCID's text stays, for the operation
 * under way. */
void state_closed(struct channel_state *state);

/* Notes that a source's PIN has opened the channel too; the oldest goes where there is no room. */
void state_add_opener(struct channel_state *state, const struct pin_identity *source);

/* True if it has. */
bool state_opened_by(const struct channel_state *state, const struct pin_identity *source);

#endif
