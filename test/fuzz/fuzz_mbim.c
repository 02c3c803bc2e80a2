/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: MBIM messages in whatever pieces, and all that is read from them. */
#include "modem/channel.h"
#include "modem/mbim_message.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void try_answers(const struct mbim_message *message)
{
    struct modem_identity identity;
    char iccid[ICCID_SIZE] = "";
    const uint8_t *data;
    uint8_t channel = 0;
    size_t length;

    (void)mbim_card_word(message);
    REQUIRE(!mbim_opened(message, &channel) || (channel > 0 && channel <= CHANNEL_MAX));
    data = mbim_apdu_data(message, &length);
    REQUIRE(data == NULL || length == 0 ||
            (data >= message->buffer && data + length <= message->buffer + message->length));
    memset(&identity, 0, sizeof identity);
    mbim_names(message, &identity);
    REQUIRE(strlen(identity.imei) < sizeof identity.imei);
    REQUIRE(strlen(identity.model) < sizeof identity.model);
    REQUIRE(!mbim_iccid(message, iccid) || strlen(iccid) >= 10);
    REQUIRE(strlen(mbim_sim_state(message)) < 32);
    REQUIRE(mbim_registered(message) <= REGISTRATION_DONE);
    REQUIRE(mbim_active_slot(message) <= 101);
    REQUIRE(mbim_status_name(message->word) != NULL);
}

/* Read and written again it is the same. */
static void try_again(const struct mbim_message *message)
{
    struct mbim_message again;
    struct mbim_frame frame;

    if (message->fragment || message->service == MBIM_OTHER || message->length % 4 != 0)
        return;
    mbim_begin(&frame, message);
    if (message->length > 0)
        mbim_put_bytes(&frame, message->buffer, message->length);
    if (frame.full)
        return;
    REQUIRE(mbim_read(frame.data, frame.length, &again));
    REQUIRE(again.type == message->type && again.transaction == message->transaction &&
            again.command == message->command && again.word == message->word &&
            again.length == message->length &&
            (again.length == 0 || memcmp(again.buffer, message->buffer, again.length) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mbim_stream *stream = calloc(1, sizeof *stream);
    size_t piece = size > 0 ? data[0] % 64 + 1u : 1;
    struct mbim_message message;

    REQUIRE(stream != NULL);
    for (size_t at = size > 0; at < size;) {
        size_t left = size - at, room, part;
        uint8_t *to = mbim_stream_room(stream, &room);

        REQUIRE(room > 0);
        part = left < piece ? left : piece;
        part = part < room ? part : room;
        memcpy(to, data + at, part);
        mbim_stream_add(stream, part);
        at += part;
        while (mbim_stream_next(stream, &message)) {
            uint8_t *copy = malloc(message.length + 1);

            REQUIRE(copy != NULL);
            if (message.length > 0)
                memcpy(copy, message.buffer, message.length);
            message.buffer = copy;
            try_answers(&message);
            try_again(&message);
            free(copy);
        }
    }
    free(stream);
    return 0;
}
