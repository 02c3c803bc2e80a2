/* SPDX-License-Identifier: Apache-2.0 */
/* See aid.h. */
#include "apdu/aid.h"

#include <string.h>

const uint8_t mias_aid[13] = {0xA0, 0x00, 0x00, 0x00, 0x18, 0x80, 0x00,
                              0x00, 0x00, 0x06, 0x62, 0x41, 0x51};
const uint8_t uicc_aid[16] = {0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x01, 0xFF,
                              0x33, 0xFF, 0xFF, 0x89, 0x01, 0x01, 0x01, 0x00};
const uint8_t safe2_aid[12] = {0xF0, 0x70, 0x6F, 0x64, 0x67, 0x73,
                               0x61, 0x66, 0x65, 0x32, 0x01, 0x01};
const uint8_t iotsafe_aid[7] = {0xA0, 0x00, 0x00, 0x05, 0x59, 0x00, 0x10};
const uint8_t iotsafe_thales_aid[15] = {0xA0, 0x00, 0x00, 0x00, 0x30, 0x53, 0xF1, 0x24,
                                        0x01, 0x77, 0x01, 0x01, 0x49, 0x53, 0x41};
const uint8_t iotsafe_other_aid[7] = {0xA0, 0x00, 0x00, 0x02, 0x48, 0x04, 0x00};

const struct aid aids[] = {
    [AID_MIAS] = {"the mIAS applet", mias_aid, sizeof mias_aid},
    [AID_FILES] = {"the application with the Type A files", uicc_aid, sizeof uicc_aid},
    [AID_SAFE2] = {"the SAFE2 applet", safe2_aid, sizeof safe2_aid},
    [AID_IOTSAFE] = {"the IoT SAFE applet", iotsafe_aid, sizeof iotsafe_aid},
    [AID_IOTSAFE_THALES] = {"the IoT SAFE applet", iotsafe_thales_aid, sizeof iotsafe_thales_aid},
    [AID_IOTSAFE_OTHER] = {"the IoT SAFE applet", iotsafe_other_aid, sizeof iotsafe_other_aid},
};
_Static_assert(sizeof aids / sizeof aids[0] == AIDS, "each of the known applets has its row");

bool aid_is_iotsafe(const uint8_t *aid, size_t length)
{
    for (size_t i = AID_IOTSAFE; i <= AID_IOTSAFE_OTHER; i++)
        if (aids[i].length == length && memcmp(aids[i].bytes, aid, length) == 0)
            return true;
    return false;
}
