/* SPDX-License-Identifier: Apache-2.0 */
/* Whose PINs have opened what is verified on a channel. */
#include "apdu/session/record.h"

#include <string.h>

void standing_unverify(struct standing *standing)
{
    standing->verified = standing->unprotected = false;
    standing->opener_count = 0;
}

void standing_opened(struct standing *standing, const struct pin_identity *source)
{
    if (standing_opened_by(standing, source))
        return;
    if (standing->opener_count == RECORD_OPENERS) {
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
