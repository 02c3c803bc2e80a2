/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as hex digits, see hex.h. */
#include "modem/hex.h"

#include <string.h>

static int nibble(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

size_t hex_decode_part(const char *hex, size_t digits, uint8_t *bytes, size_t size)
{
    if (digits == 0 || digits % 2 != 0 || digits / 2 > size)
        return 0;
    for (size_t i = 0; i < digits; i += 2) {
        int high = nibble(hex[i]), low = nibble(hex[i + 1]);

        if (high < 0 || low < 0)
            return 0;
        bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    return digits / 2;
}

size_t hex_decode(const char *hex, uint8_t *bytes, size_t size)
{
    return hex_decode_part(hex, strlen(hex), bytes, size);
}

void hex_encode(const uint8_t *bytes, size_t length, char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < length; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    *text = '\0';
}
