/* SPDX-License-Identifier: Apache-2.0 */
/* Whose channels are by older programs, which kept a file for each channel in the run-dir: read while
 * old and new programs run beside each other, and not written any more. */
#ifndef SIMKEY_APDU_SESSION_OLD_CLAIMS_H
#define SIMKEY_APDU_SESSION_OLD_CLAIMS_H

#include "apdu/session/owners.h"
#include "apdu/settings.h"

/* Tells of each channel of the settings' device what the files say; one look into the run-dir. */
void old_claims_read(const struct settings *settings, enum owner claims[CHANNEL_MAX + 1]);

/* Removes the file of a channel that was closed. */
void old_claims_remove(const struct settings *settings, unsigned number);

#endif
