/* SPDX-License-Identifier: Apache-2.0 */
/* A serial port, a pty or a wwan port as bytes: opened, locked, configured, polled with a deadline.
 * It does not know AT. libserialport tells serial ports from ptys and /dev/wwan*at*, whose speed
 * has no meaning. */
#ifndef SIMKEY_MODEM_PORT_H
#define SIMKEY_MODEM_PORT_H

#include "modem/deadline.h"
#include "modem/outcome.h"

#include <stdbool.h>
#include <stddef.h>

struct port;

/* An order among the processes that wait for a device, kept by the caller. */
struct port_turn {
    bool (*first)(void *arg); /* true if no process has waited longer */
    /* Opens a file for flock that only processes of this user can open: a descriptor that is noted
     * (forks.h), which the
     * caller closes by forks_close, or -1 if there is none. Needed for a card reader alone. */
    int (*own_lock)(void *arg);
    void *arg;
};

/* Opens the device, waits until its lock (flock on the device itself) is ours, then configures it:
 * raw, 8N1, no flow control, HUPCL off, CLOEXEC. What was left unread stays: it may be
 * an answer or a restart that somebody has to know of.
 *
 *   device  a path; symbolic links such as /dev/serial/by-id/... are resolved
 *   baud    bits per second; without meaning for a pty
 *   turn    NULL, or the order of waiting. One that is first and does not take a free device (it is
 *           stopped) is overtaken.
 *
 * Errors: OUTCOME_NO_MODEM (absent, no permission, not a terminal), OUTCOME_USAGE (a speed that
 * termios does not have), OUTCOME_PORT_BUSY at the
 * deadline, naming the holder's pid and program where /proc/locks tells them. The caller closes the
 * port with port_close. */
enum outcome port_open(struct port **port, const char *device, unsigned baud,
                       struct deadline deadline, const struct port_turn *turn, struct report *why);

/* For a device that is no line of characters: only waits for its lock, on a descriptor of it that
 * becomes the port's, also after an error. Nothing is read from it or written to it. Errors:
 * OUTCOME_PORT_BUSY as above, OUTCOME_NO_MODEM where the file cannot be locked. */
enum outcome port_lock(struct port **port, int fd, const char *device, struct deadline deadline,
                       const struct port_turn *turn, struct report *why);

/* Unlocks and closes. Never fails; NULL is allowed. The modem's lines are left as they are. What was
 * written and has not left is discarded where nothing came back since, so that this never waits. */
void port_close(struct port *port);

/* Writes all length bytes. Errors: OUTCOME_NO_MODEM when the device vanished, OUTCOME_TIMEOUT, also
 * where it always says that it has room and takes nothing. */
enum outcome port_write(struct port *port, const void *data, size_t length,
                        struct deadline deadline, struct report *why);

/* Waits for input and reads what is there, 1 to size bytes, *length tells how many.
 * Errors: OUTCOME_NO_MODEM at once when the device vanished, OUTCOME_TIMEOUT. */
enum outcome port_read(struct port *port, void *buffer, size_t size, size_t *length,
                       struct deadline deadline, struct report *why);

/* Discards input until the line was quiet for quiet_ms milliseconds or the deadline passes. 0: only
 * what has arrived already. Errors: OUTCOME_NO_MODEM. */
enum outcome port_drain(struct port *port, int quiet_ms, struct deadline deadline,
                        struct report *why);

#endif
