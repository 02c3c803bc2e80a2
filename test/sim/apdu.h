/* SPDX-License-Identifier: Apache-2.0 */
/* A command APDU taken apart and the response that an applet makes of it, before the rules of
 * uicc.c (61xx, 6Cxx) shape what leaves the card. */
#ifndef SIMKEY_SIM_APDU_H
#define SIMKEY_SIM_APDU_H

#include "test/sim/bytes.h"

struct command {
    uint8_t cla, ins, p1, p2;
    unsigned channel;
    bool proprietary; /* CLA 8x, Cx */
    bool chained;     /* another part follows */
    const uint8_t *data;
    size_t lc;
    bool has_le;
    size_t le; /* 1 to 256; 256 when it is absent */
};

struct response {
    struct bytes data;
    unsigned sw;
    long ms;      /* the time that it takes */
    bool secret;  /* the data are masked in the trace */
    bool fetch;   /* the data wait for GET RESPONSE, whatever Le says */
    bool endless; /* and 6100 follows for ever: a fault */
};

#endif
