/* SPDX-License-Identifier: Apache-2.0 */
/* Growing buffers, hexadecimal, BER lengths, the monotonic clock. No protocol lives here. */
#include "test/sim/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void bytes_free(struct bytes *b)
{
    if (b->data != NULL)
        explicit_bzero(b->data, b->room);
    free(b->data);
    *b = (struct bytes){0};
}

static void grow(struct bytes *b, size_t more)
{
    size_t room = b->room == 0 ? 64 : b->room;
    uint8_t *data;

    if (more <= b->room - b->size)
        return;
    while (room - b->size < more)
        room *= 2;
    /* Not realloc: what is left behind may be a key. */
    data = calloc(1, room);
    if (data == NULL) {
        fputs("simmodem: out of memory\n", stderr);
        abort();
    }
    if (b->size > 0)
        memcpy(data, b->data, b->size);
    if (b->data != NULL)
        explicit_bzero(b->data, b->room);
    free(b->data);
    b->data = data;
    b->room = room;
}

void bytes_add(struct bytes *b, const void *data, size_t size)
{
    if (size == 0)
        return;
    grow(b, size);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

void bytes_add8(struct bytes *b, unsigned value)
{
    uint8_t octet = (uint8_t)value;

    bytes_add(b, &octet, 1);
}

void bytes_add16(struct bytes *b, unsigned value)
{
    bytes_add8(b, value >> 8);
    bytes_add8(b, value & 0xFF);
}

void bytes_add_length(struct bytes *b, size_t size)
{
    if (size > 0xFF) {
        bytes_add8(b, 0x82);
        bytes_add16(b, (unsigned)size);
    } else {
        if (size > 0x7F)
            bytes_add8(b, 0x81);
        bytes_add8(b, (unsigned)size);
    }
}

void bytes_add_tlv(struct bytes *b, unsigned tag, const void *value, size_t size)
{
    bytes_add8(b, tag);
    bytes_add_length(b, size);
    bytes_add(b, value, size);
}

void hex_write(char *out, const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < size; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool hex_read(uint8_t *out, const char *text, size_t digits)
{
    if (digits % 2 != 0)
        return false;
    for (size_t i = 0; i < digits; i += 2) {
        int high = digit_value(text[i]);
        int low = digit_value(text[i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}
