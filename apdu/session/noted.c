/* SPDX-License-Identifier: Apache-2.0 */
/* What the record has of a device, for those who only look. */
#include "apdu/session/record.h"
#include "apdu/sim.h"

#include <string.h>

bool sim_noted(const struct settings *settings, struct sim_noted *noted)
{
    struct record record;
    bool selected;

    memset(noted, 0, sizeof *noted);
    if (settings->device == NULL || !record_peek(settings, &record))
        return false;
    selected = record.shared.level >= LEVEL_SELECTED;
    memcpy(noted->iccid, record.quirks.iccid, sizeof noted->iccid);
    if (noted->iccid[0] == '\0')
        memcpy(noted->iccid, record.shared.iccid, sizeof noted->iccid);
    noted->applet = selected || record.quirks.short_way ? "mias" : NULL;
    return noted->iccid[0] != '\0';
}
