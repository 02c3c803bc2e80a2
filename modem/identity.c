/* SPDX-License-Identifier: Apache-2.0 */
/* The ICCID as its file has it, see identity.h. */
#include "modem/identity.h"

#define EF_ICCID_SIZE 10

bool iccid_from_bytes(const uint8_t *bytes, size_t length, char iccid[ICCID_SIZE])
{
    size_t used = 0;

    if (length == 0 || length > EF_ICCID_SIZE)
        return false;
    for (size_t i = 0; i < 2 * length; i++) {
        int digit = i % 2 == 0 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4;

        if (digit == 15)
            break;
        if (digit > 9)
            return false;
        iccid[used++] = (char)('0' + digit);
    }
    iccid[used] = '\0';
    return used >= 10;
}
