/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: QMI frames in whatever pieces, and all that is read from them. */
#include "modem/channel.h"
#include "modem/qmi_message.h"
#include "modem/qmi_parts.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* What is read lies within the message, which the sanitizer sees: it is on the heap, to the byte. */
static void try_bytes(const uint8_t *bytes, size_t length, const struct qmi_message *message)
{
    REQUIRE(bytes == NULL ||
            (bytes >= message->tlvs && bytes + length <= message->tlvs + message->length));
}

static void try_answers(const struct qmi_message *message)
{
    char text[64], iccid[ICCID_SIZE] = "";
    struct qmi_slots slots;
    struct qmi_long all;
    struct qmi_part part;
    uint8_t number = 0;
    const uint8_t *bytes;
    size_t length;

    REQUIRE(qmi_result(message) <= QMI_NO_RESULT);
    REQUIRE(!qmi_allocated(message, QMI_UIM, &number) || (number > 0 && number < 0xFF));
    REQUIRE(!qmi_opened(message, &number) || (number > 0 && number <= CHANNEL_MAX));
    bytes = qmi_apdu_answer(message, &length);
    REQUIRE(bytes == NULL || length >= 2);
    try_bytes(bytes, length, message);
    (void)qmi_card_word(message, 0x11);
    (void)qmi_is_long(message, &all);
    if (qmi_long_part(message, &part))
        try_bytes(part.data, part.length, message);
    qmi_text(message, 0x11, text, sizeof text);
    REQUIRE(strlen(text) < sizeof text);
    REQUIRE(!qmi_iccid(message, iccid) || strlen(iccid) >= 10);
    REQUIRE(qmi_registered(message) <= REGISTRATION_DONE);
    for (uint8_t slot = 0; slot <= QMI_SLOTS; slot++)
        REQUIRE(strlen(qmi_sim_state(message, slot)) < 32);
    REQUIRE(!qmi_slots(message, &slots) || (slots.count > 0 && slots.count <= QMI_SLOTS));
}

/* The parts of a long answer: none lands outside, and no byte counts twice. */
static void try_parts(struct qmi_parts *parts, const struct qmi_message *message)
{
    static uint8_t to[HELD_SIZE];
    struct qmi_long all;

    parts->client = message->client;
    if (message->kind == QMI_RESPONSE && qmi_is_long(message, &all))
        qmi_parts_announce(parts, &all);
    (void)qmi_parts_take(parts, message, to);
    REQUIRE(parts->got <= parts->total && parts->got <= sizeof to);
}

/* Read and written again it is the same. */
static void try_again(const struct qmi_message *message)
{
    const uint8_t *tlv = message->tlvs, *end = tlv + message->length;
    struct qmi_message again;
    struct qmi_frame frame;

    qmi_begin(&frame, message);
    for (; tlv < end; tlv += 3 + qmi_u16(tlv + 1))
        qmi_put(&frame, tlv[0], tlv + 3, qmi_u16(tlv + 1));
    if (frame.full)
        return;
    REQUIRE(qmi_read(frame.data, frame.length, &again));
    REQUIRE(again.id == message->id && again.transaction == message->transaction &&
            again.length == message->length &&
            (again.length == 0 || memcmp(again.tlvs, message->tlvs, again.length) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qmi_stream *stream = calloc(1, sizeof *stream);
    size_t piece = size > 0 ? data[0] % 64 + 1u : 1;
    struct qmi_parts parts = {0};
    struct qmi_message message;

    REQUIRE(stream != NULL);
    for (size_t at = size > 0; at < size;) {
        size_t left = size - at, room, part;
        uint8_t *to = qmi_stream_room(stream, &room);

        REQUIRE(room > 0);
        part = left < piece ? left : piece;
        part = part < room ? part : room;
        memcpy(to, data + at, part);
        qmi_stream_add(stream, part);
        at += part;
        while (qmi_stream_next(stream, &message)) {
            uint8_t *copy = malloc(message.length + 1);

            REQUIRE(copy != NULL);
            memcpy(copy, message.tlvs, message.length);
            message.tlvs = copy;
            try_answers(&message);
            try_parts(&parts, &message);
            try_again(&message);
            free(copy);
        }
    }
    free(stream);
    return 0;
}
