/* SPDX-License-Identifier: Apache-2.0 */
/* Long answers by parts, see qmi_parts.h. */
#include "modem/qmi_parts.h"

#include <string.h>

void qmi_parts_begin(struct qmi_parts *parts, uint8_t client)
{
    memset(parts, 0, sizeof *parts);
    parts->client = client;
}

/* Begins anew if this is another answer than the one that is being collected. */
static void turn_to(struct qmi_parts *parts, uint32_t token, uint16_t total)
{
    if (parts->token == token && parts->total == total)
        return;
    qmi_parts_begin(parts, parts->client);
    parts->token = token;
    parts->total = total;
}

void qmi_parts_announce(struct qmi_parts *parts, const struct qmi_long *all)
{
    turn_to(parts, all->token, all->total);
    parts->announced = true;
}

static void take_byte(struct qmi_parts *parts, size_t at, uint8_t byte, uint8_t *to)
{
    const uint8_t bit = (uint8_t)(1 << at % 8);

    if ((parts->have[at / 8] & bit) != 0)
        return;
    parts->have[at / 8] |= bit;
    parts->got++;
    to[at] = byte;
}

bool qmi_parts_take(struct qmi_parts *parts, const struct qmi_message *message, uint8_t *to)
{
    struct qmi_part part;

    if (parts->client == 0 || !qmi_long_part(message, &part) ||
        (message->client != parts->client && message->client != QMI_EVERYBODY))
        return true;
    if (!parts->announced)
        turn_to(parts, part.token, part.total);
    if (part.token != parts->token)
        return true;
    if (part.total != parts->total || part.total > HELD_SIZE || part.offset > part.total ||
        part.length > part.total - part.offset)
        return !parts->announced;
    for (size_t i = 0; i < part.length; i++)
        take_byte(parts, part.offset + i, part.data[i], to);
    return true;
}
