/* SPDX-License-Identifier: Apache-2.0 */
/* An applet as something to select on a channel. Each applet defines its own. */
#ifndef SIMKEY_APDU_APPLET_APPLET_H
#define SIMKEY_APDU_APPLET_APPLET_H

#include "apdu/card/apdu.h"
#include "apdu/card/environment.h"

struct applet {
    const uint8_t *aid;
    size_t aid_length; /* 0: the channel is used as it opens */
    const char *name;
    /* NULL, or a harmless command that only this applet takes: asked before its channel is closed,
     * because after a reset of the modem the number may be another program's */
    const struct apdu *probe;
    /* SELECTED_OTHER: its channel is not recorded for other processes but this one's own, which
     * must not be lost between operations (see owners.h) */
    enum selected kind;
    /* NULL, or the same applet under another AID, which is asked for where this one is not there; and
     * this one's number among them, 1 to 3, by which it is remembered for a SIM (0: it is not) */
    const struct applet *other;
    unsigned number;
};

#endif
