/* SPDX-License-Identifier: Apache-2.0 */
/* What the record says of a device, without opening that (sim_noted in sim.h). */
#include "apdu/card/apdu.h"
#include "apdu/session/record.h"
#include "apdu/sim.h"

#include <string.h>

bool sim_noted(const struct settings *settings, struct sim_noted *noted)
{
    struct record record;
    bool mias, iotsafe;

    memset(noted, 0, sizeof *noted);
    if (settings->device == NULL || !record_peek(settings, &record))
        return false;
    mias = record.shared.level >= LEVEL_SELECTED || record.quirks.short_way;
    iotsafe = record.second.level >= LEVEL_SELECTED || (record.quirks.modem & QUIRK_AIDS) != 0;
    memcpy(noted->iccid, record.quirks.iccid, sizeof noted->iccid);
    if (noted->iccid[0] == '\0')
        memcpy(noted->iccid, record.shared.iccid, sizeof noted->iccid);
    if (noted->iccid[0] == '\0')
        memcpy(noted->iccid, record.second.iccid, sizeof noted->iccid);
    noted->applet = mias && iotsafe ? "mias, iotsafe" : mias ? "mias" : iotsafe ? "iotsafe" : NULL;
    return noted->iccid[0] != '\0';
}
