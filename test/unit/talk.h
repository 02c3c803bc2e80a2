/* SPDX-License-Identifier: Apache-2.0 */
/* An AT dialogue with a scripted modem: what the suites of modem/at, identity and the transports
 * share. */
#ifndef SIMKEY_TEST_UNIT_TALK_H
#define SIMKEY_TEST_UNIT_TALK_H

#include "modem/at.h"
#include "test/unit/check.h"
#include "test/unit/scripted_modem.h"

struct talk {
    struct modem modem;
    struct port *port;
    struct trace trace;
    struct at at;
    unsigned events;
    struct at_result result;
    struct report why;
    struct deadline deadline; /* of the operation: 8 s unless a test shortens it */
};

/* Starts the modem, opens its port, and binds a dialogue to it. Nothing is said yet. */
void talk_begin(struct talk *talk, const struct modem_step *steps,
                const struct modem_step *standing);
void talk_end_at(struct talk *talk, const char *file, int line);
#define talk_end(talk) talk_end_at(talk, __FILE__, __LINE__)

/* Sends a line whose answer has this prefix (NULL: only a final result is awaited). */
enum outcome ask(struct talk *talk, const char *line, const char *prefix, int timeout_ms);

#endif
