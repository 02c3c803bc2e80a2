/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as hex digits. */
#ifndef SIMKEY_MODEM_HEX_H
#define SIMKEY_MODEM_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Hex digits of either case to bytes; all of the text must be hex, even, and fit. Returns the number
 * of bytes, 0 if not. */
size_t hex_decode(const char *hex, uint8_t *bytes, size_t size);

/* The same for the first `digits` characters. */
size_t hex_decode_part(const char *hex, size_t digits, uint8_t *bytes, size_t size);

/* Bytes to upper-case hex with a NUL; text must have room for 2 * length + 1. */
void hex_encode(const uint8_t *bytes, size_t length, char *text);

#endif
