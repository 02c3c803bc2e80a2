/* SPDX-License-Identifier: Apache-2.0 */
/* A QMI or MBIM modem on a pty, in a thread of its own, that answers as a table says. */
#ifndef SIMKEY_TEST_UNIT_CONTROL_MODEM_H
#define SIMKEY_TEST_UNIT_CONTROL_MODEM_H

#include "modem/transport.h"
#include "test/unit/pty.h"

#include <pthread.h>
#include <stdatomic.h>

/* What is answered to a message (QMI) or a command of whichever service (MBIM). Of several rows for one
 * number each is used once, the last one again and again. QMI: the TLVs, which may lie; MBIM: the
 * status, 8 digits of it, and the buffer. */
struct control_row {
    unsigned number;
    const char *hex;
};

#define CONTROL_ROWS 16

struct control_modem {
    bool mbim;
    const struct control_row *rows; /* the last one has no hex */
    bool used[CONTROL_ROWS];
    struct pty pty;
    char device[96];
    pthread_t thread;
    atomic_bool stop;
    char asked[256]; /* the numbers, " 0042", in their order */
};

/* Starts the modem and a transport on it, which is woken; of what it was before,
 * `keeps` stays. Returns what came of that. */
enum outcome control_modem_start(struct control_modem *modem, bool mbim,
                                 const struct control_row *rows, unsigned slot,
                                 struct transport *transport, struct report *why);

/* Ends both. */
void control_modem_end(struct control_modem *modem, struct transport *transport);

#endif
