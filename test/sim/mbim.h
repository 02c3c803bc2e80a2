/* SPDX-License-Identifier: Apache-2.0 */
/* MBIM as a modem speaks it: messages and what the modem tells of itself (mbim.c), and the UICC's channels
 * (mbim_uicc.c). Written from the description of the protocol, not from simkey's own codec. */
#ifndef SIMKEY_SIM_MBIM_H
#define SIMKEY_SIM_MBIM_H

#include "test/sim/device.h"

#define STATUS_BUSY       1u
#define STATUS_FAILURE    2u
#define STATUS_NO_SIM     3u
#define STATUS_SUPPORT    9u
#define STATUS_PARAMETERS 21u
#define STATUS_DENIED     28u
#define STATUS_CHANNELS   0x87430001u
#define STATUS_SELECT     0x87430002u
#define STATUS_CHANNEL    0x87430003u

/* A command of the host's. */
struct mbim_command {
    uint32_t transaction, number;
    const uint8_t *uuid;
    bool set;
    const uint8_t *buffer;
    size_t size;
};

struct mbim_answer {
    uint32_t status;
    struct bytes buffer;
    bool sim; /* it comes when the SIM is done, which works ms */
    long ms;
    bool silent;
};

/* A number of the buffer, 0 where it ends before. */
uint32_t mbim_value(const struct mbim_command *c, size_t at);
void add32(struct bytes *b, uint32_t value);
/* To a multiple of 4. */
void mbim_pad(struct bytes *b);

void mbim_uicc(struct device *d, const struct mbim_command *c, struct mbim_answer *a);

#endif
