/* SPDX-License-Identifier: Apache-2.0 */
/* The ICCID as its file has it, see identity.h. */
#include "modem/identity.h"

#include <ctype.h>
#include <string.h>

#define EF_ICCID_SIZE 10
#define DIGITS_LEAST  10

int iccid_digit(int c)
{
    return c != '\0' && strchr(ICCID_DIGITS, c) != NULL;
}

bool iccid_from_text(const char *text, size_t length, char iccid[ICCID_SIZE])
{
    while (length > 0 && toupper((unsigned char)text[length - 1]) == 'F')
        length--;
    if (length < DIGITS_LEAST || length >= ICCID_SIZE)
        return false;
    for (size_t i = 0; i < length; i++) {
        iccid[i] = (char)toupper((unsigned char)text[i]);
        if (!iccid_digit(iccid[i])) {
            iccid[0] = '\0';
            return false;
        }
    }
    iccid[length] = '\0';
    return true;
}

bool iccid_from_bytes(const uint8_t *bytes, size_t length, char iccid[ICCID_SIZE])
{
    static const char digits[] = "0123456789ABCDEF";
    char text[2 * EF_ICCID_SIZE];

    if (length != EF_ICCID_SIZE) /* a part of one is another SIM's, perhaps */
        return false;
    for (size_t i = 0; i < 2 * length; i++)
        text[i] = digits[i % 2 == 0 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4];
    return iccid_from_text(text, 2 * length, iccid);
}
