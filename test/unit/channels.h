/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of channels have in common: the questions whose a channel is, and channel 2. */
#ifndef SIMKEY_TEST_UNIT_CHANNELS_H
#define SIMKEY_TEST_UNIT_CHANNELS_H

#include "modem/channel.h"
#include "test/unit/safe2_seat.h"

#include <stdio.h>

#define STATUS(says)   CSIM("81 F2 00 0C", says)
#define STATUS_2(says) CSIM("82 F2 00 0C", says)
#define NAMED(says)    CSIM("81 F2 00 01 00", says)
#define USIM_AID       "A0000000871002FF33FFFF8901010100"

/* The way to a signature on channel 2. */
#define OPEN_2  CSIM("00 70 00 00 01", "02 9000")
#define CLOSE_2 CSIM("00 70 80 02 00", "9000")
#define REST_2                                                                                     \
    CSIM("02 A4 04 0C 0D " MIAS_AID, "9000"), CSIM("02 20 00 81", "63C3"), ECHO_OFF,               \
        CSIM("02 20 00 81 04 30303030", "9000"), CSIM("02 22 41 B6 06 800142 840131", "9000"),     \
        CSIM("02 2A 90 A0 22 9020 " DIGEST " 00", DIGEST "9000"),                                  \
        CSIM("02 2A 9E 9A 00", "51674E 9000")

static inline struct channel numbered(unsigned number)
{
    return (struct channel){.open = true, .carrier = CARRIER_CSIM, .number = (uint8_t)number};
}

static inline struct channel named(const char *session)
{
    struct channel channel = {.open = true, .carrier = CARRIER_CCHO};

    (void)snprintf(channel.session, sizeof channel.session, "%s", session);
    return channel;
}

#endif
