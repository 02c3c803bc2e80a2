/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the logical channels are: one file a channel in the run-dir, with the owner's pid and its
 * start. So a channel that a killed program left open is known as one, and one that is needed
 * although no operation is under way is left alone. A hint: without a usable run-dir there are no
 * claims and everything works, but a channel in use can then be taken for a leaked one. Call all of
 * it while the device is locked. */
#ifndef SIMKEY_APDU_SESSION_CLAIM_H
#define SIMKEY_APDU_SESSION_CLAIM_H

#include "apdu/settings.h"

#define CLAIM_CHANNELS 19

/* Beside channels 1 to 19 there is one claim for the SAFE2 job that a program waits for. */
#define CLAIM_SAFE2 100

enum claim {
    CLAIM_NONE, /* nobody said anything about this channel */
    CLAIM_HELD, /* its owner lives and must not lose it */
    CLAIM_OURS, /* its owner lives, and opens another one if it loses this */
    CLAIM_DEAD, /* its owner died without closing it */
};

/* Claims a channel of the settings' device for this process. hold: it must not be taken away; the
 * claim is locked for as long as the returned descriptor stays open then. Returns a descriptor to
 * give to claim_release, -1 if there is none. */
int claim_take(const struct settings *settings, unsigned channel, bool hold);

/* Gives this process's claim up, if it still is its own. claim: what claim_take gave, -1 is
 * allowed. */
void claim_release(const struct settings *settings, unsigned channel, int claim);

/* How it stands with a channel. */
enum claim claim_look(const struct settings *settings, unsigned channel);

/* Forgets a claim, after its channel was closed; those to all channels, when the modem restarted or
 * lost its SIM. */
void claim_bury(const struct settings *settings, unsigned channel);
void claim_bury_all(const struct settings *settings);

/* False if another program has buried the claim that claim_take gave: the channel is gone. */
bool claim_stands(int claim);

#endif
