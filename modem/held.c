/* SPDX-License-Identifier: Apache-2.0 */
/* Long answers by parts, see held.h. */
#include "modem/held.h"

#include <string.h>

#define PART_MAX         256
#define INS_GET_RESPONSE 0xC0

static void give_part(struct held *held, size_t most, struct exchange *exchange)
{
    size_t left = held->length - held->given, part = left < most ? left : most;
    uint16_t sw = held->sw;

    memcpy(exchange->answer, held->data + held->given, part);
    held->given += part;
    left -= part;
    if (left > 0)
        sw = (uint16_t)(0x6100 | (left < PART_MAX ? left : 0));
    else
        explicit_bzero(held, sizeof *held);
    exchange->answer[part] = (uint8_t)(sw >> 8);
    exchange->answer[part + 1] = (uint8_t)sw;
    exchange->answer_length = part + 2;
}

void held_give(struct held *held, const struct channel *channel, size_t length, uint16_t sw,
               struct exchange *exchange)
{
    held->length = length;
    held->given = 0;
    held->sw = sw;
    held->channel = channel->number;
    give_part(held, PART_MAX, exchange);
}

bool held_more(struct held *held, const struct channel *channel, struct exchange *exchange)
{
    const uint8_t *command = exchange->command;
    const bool asked = exchange->length == APDU_WITHOUT_DATA && command[1] == INS_GET_RESPONSE;

    if (held->length == 0)
        return false;
    if (!asked || held->channel != channel->number) {
        explicit_bzero(held, sizeof *held);
        return false;
    }
    give_part(held, command[4] != 0 ? command[4] : PART_MAX, exchange);
    return true;
}
