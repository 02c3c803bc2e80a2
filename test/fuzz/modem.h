/* SPDX-License-Identifier: Apache-2.0 */
/* A modem on the line of line.h that speaks AT well, with a hostile card behind it. */
#ifndef SIMKEY_TEST_FUZZ_MODEM_H
#define SIMKEY_TEST_FUZZ_MODEM_H

#include "test/fuzz/hostile.h"

#define MODEM_ICCID "89880330000000000017"

struct modem {
    struct hostile card;
    bool only_ccho;     /* it refuses AT+CSIM */
    bool tells_iccid;   /* by AT+CRSM */
    bool from_input;    /* how opening a channel ends is the input's word too */
    bool echo_stays;    /* whatever ATE0 says */
    bool keeps_state;   /* what was refused is kept beyond the record */
    int64_t deaf_until; /* it restarts, and hears nothing */
};

/* Takes a line that the host wrote: give it to line_start with a struct modem. */
void modem_heard(void *arg, const char *text);

/* The channel of a session's name; 0 if it is none of this modem's. */
unsigned modem_session(const char *name);

#endif
