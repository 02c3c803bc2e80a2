/* SPDX-License-Identifier: Apache-2.0 */
/* QMI frames as bytes, see qmi_frame.h. */
#include "modem/qmi_frame.h"

#include <string.h>

#define MARKER       0x01
#define HEADER_SIZE  6
#define FROM_MODEM   0x80
#define CTL_HEAD     6 /* kind, transaction, message, length */
#define SERVICE_HEAD 7
#define TLV_HEAD     3

static const struct {
    uint8_t ctl, service;
} kinds[] = {
    [QMI_REQUEST] = {0x00, 0x00}, [QMI_RESPONSE] = {0x01, 0x02}, [QMI_INDICATION] = {0x02, 0x04}};

uint16_t qmi_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t qmi_u32(const uint8_t *at)
{
    return qmi_u16(at) | (uint32_t)qmi_u16(at + 2) << 16;
}

static void put_u16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static size_t head_size(uint8_t service)
{
    return HEADER_SIZE + (service == QMI_CTL ? CTL_HEAD : SERVICE_HEAD);
}

void qmi_begin(struct qmi_frame *frame, const struct qmi_message *head)
{
    const bool ctl = head->service == QMI_CTL;
    uint8_t *at = frame->data;

    memset(frame, 0, sizeof *frame);
    frame->length = head_size(head->service);
    at[0] = MARKER;
    put_u16(at + 1, frame->length - 1);
    at[3] = head->from_modem ? FROM_MODEM : 0;
    at[4] = head->service;
    at[5] = head->client;
    at[6] = ctl ? kinds[head->kind].ctl : kinds[head->kind].service;
    put_u16(at + frame->length - 4, head->id);
    qmi_number(frame, head->transaction);
}

void qmi_number(struct qmi_frame *frame, uint16_t transaction)
{
    frame->data[7] = (uint8_t)transaction;
    if (frame->data[4] != QMI_CTL)
        frame->data[8] = (uint8_t)(transaction >> 8);
}

void qmi_put(struct qmi_frame *frame, uint8_t type, const void *value, size_t length)
{
    const size_t head = head_size(frame->data[4]);

    if (frame->full || length > sizeof frame->data - frame->length - TLV_HEAD) {
        frame->full = true;
        return;
    }
    frame->data[frame->length] = type;
    put_u16(frame->data + frame->length + 1, length);
    if (length > 0)
        memcpy(frame->data + frame->length + TLV_HEAD, value, length);
    frame->length += TLV_HEAD + length;
    put_u16(frame->data + 1, frame->length - 1);
    put_u16(frame->data + head - 2, frame->length - head);
}

static bool read_kind(uint8_t service, uint8_t flags, enum qmi_kind *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (flags == (service == QMI_CTL ? kinds[i].ctl : kinds[i].service)) {
            *kind = (enum qmi_kind)i;
            return true;
        }
    return false;
}

/* True if the TLVs fill their part of the frame. */
static bool whole(const uint8_t *tlvs, size_t length)
{
    while (length >= TLV_HEAD && qmi_u16(tlvs + 1) <= length - TLV_HEAD) {
        size_t size = TLV_HEAD + (size_t)qmi_u16(tlvs + 1);

        tlvs += size;
        length -= size;
    }
    return length == 0;
}

/* All but the TLVs, which may be none. */
static bool read_head(const uint8_t *data, size_t length, struct qmi_message *message)
{
    size_t head;

    memset(message, 0, sizeof *message);
    if (length < HEADER_SIZE || data[0] != MARKER || (size_t)qmi_u16(data + 1) + 1 != length ||
        (data[3] & ~FROM_MODEM) != 0)
        return false;
    head = head_size(data[4]);
    if (length < head || !read_kind(data[4], data[6], &message->kind))
        return false;
    message->from_modem = data[3] == FROM_MODEM;
    message->service = data[4];
    message->client = data[5];
    message->transaction = data[4] == QMI_CTL ? data[7] : qmi_u16(data + 7);
    message->id = qmi_u16(data + head - 4);
    message->tlvs = data + head;
    message->length = length - head;
    return true;
}

/* True if the TLVs are as long as the head says, and each as it says itself. */
static bool tlvs_fit(const struct qmi_message *message)
{
    return qmi_u16(message->tlvs - 2) == message->length && whole(message->tlvs, message->length);
}

bool qmi_read(const uint8_t *data, size_t length, struct qmi_message *message)
{
    return read_head(data, length, message) && tlvs_fit(message);
}

const uint8_t *qmi_find(const struct qmi_message *message, uint8_t type, size_t least,
                        size_t *length)
{
    const uint8_t *tlv = message->tlvs, *end = tlv + message->length;

    for (; end - tlv >= TLV_HEAD; tlv += TLV_HEAD + (size_t)qmi_u16(tlv + 1)) {
        *length = qmi_u16(tlv + 1);
        if (tlv[0] == type)
            return *length >= least ? tlv + TLV_HEAD : NULL;
    }
    *length = 0;
    return NULL;
}

/* ---- the stream ---- */

/* Takes bytes off the beginning. */
static void drop(struct qmi_stream *stream, size_t length)
{
    memmove(stream->data, stream->data + length, stream->length - length);
    stream->length -= length;
}

uint8_t *qmi_stream_room(struct qmi_stream *stream, size_t *size)
{
    drop(stream, stream->used);
    stream->used = 0;
    *size = sizeof stream->data - stream->length;
    return stream->data + stream->length;
}

void qmi_stream_add(struct qmi_stream *stream, size_t length)
{
    stream->length += length;
}

void qmi_stream_forget(struct qmi_stream *stream)
{
    stream->length = stream->used = stream->skip = 0;
}

/* Drops what is no beginning of a frame, and what is left of one that was too long. */
static void find_frame(struct qmi_stream *stream)
{
    size_t none = stream->skip < stream->length ? stream->skip : stream->length;

    drop(stream, none);
    stream->skip -= none;
    for (none = 0; none < stream->length; none++) {
        const uint8_t *at = stream->data + none;
        size_t left = stream->length - none;

        if (at[0] == MARKER && (left < 4 || (at[3] & ~FROM_MODEM) == 0) &&
            (left < 3 || qmi_u16(at + 1) >= HEADER_SIZE - 1))
            break;
    }
    drop(stream, none);
}

bool qmi_stream_next(struct qmi_stream *stream, struct qmi_message *message)
{
    drop(stream, stream->used);
    stream->used = 0;
    for (;;) {
        size_t size;

        find_frame(stream);
        if (stream->length < 3)
            return false;
        size = (size_t)qmi_u16(stream->data + 1) + 1;
        if (size > sizeof stream->data) {
            stream->skip = size;
            continue;
        }
        if (stream->length < size)
            return false;
        if (read_head(stream->data, size, message)) {
            if (!tlvs_fit(message))
                message->length = 0;
            stream->used = size;
            return true;
        }
        drop(stream, size); /* a frame of which nothing is known */
    }
}
