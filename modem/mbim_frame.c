/* SPDX-License-Identifier: Apache-2.0 */
/* MBIM messages as bytes, see mbim_frame.h. */
#include "modem/mbim_frame.h"

#include <string.h>

#define HEADER_SIZE 12
#define WORD_END    16 /* of messages with nothing but a word */
#define SERVICE_AT  20
#define COMMAND_AT  36
#define LONGEST     0x10000 /* what announces more is no message */
#define OUTSIDE_BIT 0x80000000u

static const uint32_t types[] = {[MBIM_OPEN] = 1,
                                 [MBIM_CLOSE] = 2,
                                 [MBIM_COMMAND] = 3,
                                 [MBIM_HOST_ERROR] = 4,
                                 [MBIM_OPEN_DONE] = OUTSIDE_BIT | 1,
                                 [MBIM_CLOSE_DONE] = OUTSIDE_BIT | 2,
                                 [MBIM_COMMAND_DONE] = OUTSIDE_BIT | 3,
                                 [MBIM_FUNCTION_ERROR] = OUTSIDE_BIT | 4,
                                 [MBIM_INDICATE] = OUTSIDE_BIT | 7};

static const uint8_t services[][MBIM_UUID_SIZE] = {
    [MBIM_BASIC] = {0xA2, 0x89, 0xCC, 0x33, 0xBC, 0xBB, 0x8B, 0x4F, 0xB6, 0xB0, 0x13, 0x3E, 0xC2,
                    0xAA, 0xE6, 0xDF},
    [MBIM_UICC] = {0xC2, 0xF6, 0x58, 0x8E, 0xF0, 0x37, 0x4B, 0xC9, 0x86, 0x65, 0xF4, 0xD4, 0x4B,
                   0xD0, 0x93, 0x67},
    [MBIM_PROXY] = {0x83, 0x8C, 0xF7, 0xFB, 0x8D, 0x0D, 0x4D, 0x7F, 0x87, 0x1E, 0xD7, 0x1D, 0xBE,
                    0xFB, 0xB3, 0x9B},
    [MBIM_EXTENDED] = {0x3D, 0x01, 0xDC, 0xC5, 0xFE, 0xF5, 0x4D, 0x05, 0x0D, 0x3A, 0xBE, 0xF7, 0x05,
                       0x8E, 0x9A, 0xAF},
};

uint32_t mbim_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_at(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* Where the length of the buffer stands; 0: the message has none. */
static size_t buffer_at(enum mbim_type type)
{
    if (type == MBIM_INDICATE)
        return 40;
    return type == MBIM_COMMAND || type == MBIM_COMMAND_DONE ? 44 : 0;
}

void mbim_begin(struct mbim_frame *frame, const struct mbim_message *head)
{
    const size_t buffer = buffer_at(head->type);
    uint8_t *at = frame->data;

    memset(frame, 0, sizeof *frame);
    frame->length = buffer != 0 ? buffer + 4 : head->type == MBIM_CLOSE ? HEADER_SIZE : WORD_END;
    put_at(at, types[head->type]);
    put_at(at + 4, (uint32_t)frame->length);
    mbim_number(frame, head->transaction);
    if (buffer == 0) {
        if (frame->length == WORD_END)
            put_at(at + HEADER_SIZE, head->word);
        return;
    }
    put_at(at + 12, 1); /* fragments */
    memcpy(at + SERVICE_AT, services[head->service], MBIM_UUID_SIZE);
    put_at(at + COMMAND_AT, head->command);
    if (head->type != MBIM_INDICATE)
        put_at(at + 40, head->word);
}

void mbim_number(struct mbim_frame *frame, uint32_t transaction)
{
    put_at(frame->data + 8, transaction);
}

/* Makes room at the end of the buffer. NULL: there is none. */
static uint8_t *grow(struct mbim_frame *frame, size_t length)
{
    const size_t padded = (length + 3) & ~(size_t)3;
    const size_t before = frame->length;
    size_t buffer;

    if (frame->full || length > sizeof frame->data || padded > sizeof frame->data - before) {
        frame->full = true;
        return NULL;
    }
    buffer = mbim_u32(frame->data) == types[MBIM_INDICATE] ? 40 : 44;
    frame->length += padded;
    put_at(frame->data + 4, (uint32_t)frame->length);
    put_at(frame->data + buffer, (uint32_t)(frame->length - buffer - 4));
    return frame->data + before;
}

void mbim_put(struct mbim_frame *frame, uint32_t value)
{
    uint8_t *at = grow(frame, 4);

    if (at != NULL)
        put_at(at, value);
}

void mbim_put_bytes(struct mbim_frame *frame, const void *bytes, size_t length)
{
    uint8_t *at = grow(frame, length);

    if (at != NULL && length > 0)
        memcpy(at, bytes, length);
}

static bool read_type(const uint8_t *data, enum mbim_type *type)
{
    for (size_t i = MBIM_OPEN; i < sizeof types / sizeof types[0]; i++)
        if (types[i] == mbim_u32(data)) {
            *type = (enum mbim_type)i;
            return true;
        }
    return false;
}

static enum mbim_service read_service(const uint8_t *uuid)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (memcmp(services[i], uuid, MBIM_UUID_SIZE) == 0)
            return (enum mbim_service)i;
    return MBIM_OTHER;
}

/* *fits: the buffer is as long as it says; without it the message has none. */
static bool read_message(const uint8_t *data, size_t length, struct mbim_message *message,
                         bool *fits)
{
    size_t buffer;

    *fits = true;
    memset(message, 0, sizeof *message);
    message->service = MBIM_OTHER;
    if (length < HEADER_SIZE || !read_type(data, &message->type) || mbim_u32(data + 4) != length)
        return false;
    message->transaction = mbim_u32(data + 8);
    buffer = buffer_at(message->type);
    if (buffer == 0) {
        if (length != (message->type == MBIM_CLOSE ? HEADER_SIZE : WORD_END))
            return false;
        message->word = length == WORD_END ? mbim_u32(data + HEADER_SIZE) : 0;
        return true;
    }
    if (length < 20)
        return false;
    message->fragment = mbim_u32(data + 12) != 1 || mbim_u32(data + 16) != 0 || length < buffer + 4;
    if (message->fragment)
        return true;
    message->service = read_service(data + SERVICE_AT);
    message->command = mbim_u32(data + COMMAND_AT);
    message->word = message->type == MBIM_INDICATE ? 0 : mbim_u32(data + 40);
    message->buffer = data + buffer + 4;
    *fits = mbim_u32(data + buffer) <= length - buffer - 4; /* what follows is padding */
    message->length = *fits ? mbim_u32(data + buffer) : 0;
    return true;
}

bool mbim_read(const uint8_t *data, size_t length, struct mbim_message *message)
{
    bool fits;

    return read_message(data, length, message, &fits) && fits;
}

uint32_t mbim_get(const struct mbim_message *message, size_t offset)
{
    return offset + 4 <= message->length ? mbim_u32(message->buffer + offset) : 0;
}

const uint8_t *mbim_bytes(const struct mbim_message *message, uint32_t offset, uint32_t size)
{
    if (offset > message->length || size > message->length - offset)
        return NULL;
    return message->buffer + offset;
}

/* ---- the stream ---- */

static void drop(struct mbim_stream *stream, size_t length)
{
    memmove(stream->data, stream->data + length, stream->length - length);
    stream->length -= length;
}

uint8_t *mbim_stream_room(struct mbim_stream *stream, size_t *size)
{
    drop(stream, stream->used);
    stream->used = 0;
    *size = sizeof stream->data - stream->length;
    return stream->data + stream->length;
}

void mbim_stream_add(struct mbim_stream *stream, size_t length)
{
    stream->length += length;
}

void mbim_stream_forget(struct mbim_stream *stream)
{
    stream->length = stream->used = stream->skip = 0;
}

/* True if a message may begin there, as far as it has come. */
static bool may_begin(const uint8_t *at, size_t left)
{
    enum mbim_type type;

    if (left < 8)
        return true;
    return read_type(at, &type) && mbim_u32(at + 4) >= HEADER_SIZE && mbim_u32(at + 4) <= LONGEST;
}

static void find_message(struct mbim_stream *stream)
{
    size_t none = stream->skip < stream->length ? stream->skip : stream->length;

    drop(stream, none);
    stream->skip -= none;
    for (none = 0; none < stream->length; none++)
        if (may_begin(stream->data + none, stream->length - none))
            break;
    drop(stream, none);
}

bool mbim_stream_next(struct mbim_stream *stream, struct mbim_message *message)
{
    drop(stream, stream->used);
    stream->used = 0;
    for (;;) {
        size_t size;
        bool fits;

        find_message(stream);
        if (stream->length < 8)
            return false;
        size = mbim_u32(stream->data + 4);
        if (size > sizeof stream->data) {
            stream->skip = size;
            continue;
        }
        if (stream->length < size)
            return false;
        if (read_message(stream->data, size, message, &fits)) {
            stream->used = size;
            return true;
        }
        drop(stream, size);
    }
}
