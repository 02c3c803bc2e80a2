/* SPDX-License-Identifier: Apache-2.0 */
/* Small tools for octets: a growing buffer, hexadecimal text, BER lengths and the
 * monotonic clock. Nothing here knows AT or APDUs. */
#ifndef SIMKEY_SIM_BYTES_H
#define SIMKEY_SIM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets on the heap; the owner calls bytes_free, which cleanses them. */
struct bytes {
    uint8_t *data;
    size_t size;
    size_t room;
};

void bytes_free(struct bytes *b);
/* Appending ends the program when memory is out: a simulator has nothing better to do then. */
void bytes_add(struct bytes *b, const void *data, size_t size);
void bytes_add8(struct bytes *b, unsigned value);
void bytes_add16(struct bytes *b, unsigned value);
/* Appends a tag (one octet), the BER length of size, and the value. */
void bytes_add_tlv(struct bytes *b, unsigned tag, const void *value, size_t size);
/* Appends the BER length (ISO 8825-1 8.1.3, up to 65535). */
void bytes_add_length(struct bytes *b, size_t size);

/* Writes 2 * size upper-case digits and a NUL. */
void hex_write(char *out, const uint8_t *data, size_t size);
/* Reads exactly digits hexadecimal digits (both cases) into out (digits / 2 octets); false if one
 * is none, or their number is odd. */
bool hex_read(uint8_t *out, const char *text, size_t digits);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t clock_ns(void);

#define NS_PER_MS INT64_C(1000000)

#endif
