/* SPDX-License-Identifier: Apache-2.0 */
/* The level of a channel, see channel_state.h. */
#include "apdu/session/channel_state.h"

#include <string.h>

void standing_opened(struct standing *standing)
{
    standing->level = LEVEL_OPEN;
}

void standing_selected(struct standing *standing, enum selected applet)
{
    standing_deselected(standing);
    standing->level = LEVEL_SELECTED;
    standing->applet = applet;
}

void standing_deselected(struct standing *standing)
{
    standing_unverified(standing);
    standing->environment.set = false;
    standing->applet = SELECTED_NOTHING;
    if (standing->level > LEVEL_OPEN)
        standing->level = LEVEL_OPEN;
}

void standing_verified(struct standing *standing, const struct pin_identity *source)
{
    standing->level = LEVEL_PIN_OK;
    standing->unprotected = source == NULL;
    if (source != NULL)
        standing_add_opener(standing, source);
}

void standing_unverified(struct standing *standing)
{
    if (standing->level == LEVEL_PIN_OK)
        standing->level = LEVEL_SELECTED;
    standing->unprotected = false;
    standing->opener_count = 0;
}

void standing_closed(struct standing *standing)
{
    standing_deselected(standing);
    memset(&standing->channel, 0, sizeof standing->channel);
    standing->level = LEVEL_CLOSED;
    standing->broken = standing->kept = standing->iccid_asked = false;
}

void standing_add_opener(struct standing *standing, const struct pin_identity *source)
{
    if (standing_opened_by(standing, source))
        return;
    if (standing->opener_count == STATE_OPENERS) {
        standing->opener_count--;
        memmove(&standing->openers[0], &standing->openers[1],
                standing->opener_count * sizeof standing->openers[0]);
    }
    standing->openers[standing->opener_count++] = *source;
}

bool standing_opened_by(const struct standing *standing, const struct pin_identity *source)
{
    for (size_t i = 0; i < standing->opener_count; i++)
        if (pin_same_source(&standing->openers[i], source))
            return true;
    return false;
}
