/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a modem's control device (/dev/cdc-wdm0, /dev/wwan0qmi0), as bytes: through the proxy
 * that ModemManager uses too (qmi-proxy, mbim-proxy), or directly. It does not know QMI or MBIM.
 *
 * The proxies' sockets are abstract: any user may have bound the name before the real one does, and
 * would be handed the PIN. Therefore nothing is sent before the other side's uid is known: root's, or
 * that of the device's owner.
 *
 * Directly only where no proxy runs, and either none is installed or the user said so: the kernel
 * gives an answer to whichever process reads first. */
#ifndef SIMKEY_MODEM_CONTROL_H
#define SIMKEY_MODEM_CONTROL_H

#include "modem/control_name.h"
#include "modem/transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct control {
    struct port *lock; /* simkey's own, on the node: in both ways */
    int own_lock;      /* in its place, where only the proxy may open the node; -1 */
    int fd;            /* what bytes go through; -1 */
    bool proxied;
    bool answered;     /* something was read */
    bool messages;     /* each write is one message (a node) */
    const char *proxy; /* the name of its socket */
    struct control_name name;
    char node[PATH_MAX]; /* where the name's path leads */
    dev_t device;        /* the node's, and whom it belongs to */
    uid_t owner;
};

/* Tells the proxy which device the connection is for, in the protocol's own words. */
typedef enum outcome control_greet_fn(void *arg, struct deadline deadline, struct report *why);

/* Opens the way, and has the device for this program until the end. Behind a proxy greet(arg) follows,
 * and once more on a new connection where the first was closed before that was over: a proxy that was about
 * to end may have taken it. Errors: greet's; OUTCOME_NO_MODEM with the ways out where this user has no
 * right to it, or another program holds it; OUTCOME_PORT_BUSY, ... */
enum outcome control_open(struct control *control, const struct transport_target *target,
                          control_greet_fn *greet, void *arg, struct deadline deadline,
                          struct report *why);

/* Directly only: that no other program has the node open, as far as this user can see. Some 5 ms.
 * Errors: OUTCOME_PORT_BUSY, naming it. */
enum outcome control_alone(const struct control *control, struct report *why);

/* Writes one message. Errors: OUTCOME_NO_MODEM (unplugged), OUTCOME_TIMEOUT; of the proxy's end those
 * of control_receive. */
enum outcome control_send(struct control *control, const void *data, size_t length,
                          struct deadline deadline, struct report *why);

/* Reads what is there, 1 to size bytes. Errors: OUTCOME_TIMEOUT; OUTCOME_LOST if the proxy ended, and
 * OUTCOME_NO_MODEM if it did before it had said anything: it let this user not in, or could not open
 * the device. */
enum outcome control_receive(struct control *control, void *data, size_t size, size_t *length,
                             struct deadline deadline, struct report *why);

void control_close(struct control *control);

#endif
