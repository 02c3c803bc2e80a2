/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of control.h that look at other processes. */
#ifndef SIMKEY_MODEM_CONTROL_PROXY_H
#define SIMKEY_MODEM_CONTROL_PROXY_H

#include "modem/control_name.h"

#include <stdbool.h>
#include <sys/types.h>

/* The process that listens at a proxy's name. */
struct control_proxy {
    pid_t pid;
    uid_t uid;
};

/* The socket's name of a protocol's proxy. */
const char *control_proxy_name(enum control_protocol protocol);

/* Where a proxy is installed; NULL: nowhere. */
const char *control_installed(const char *socket_name);

/* Connects to the abstract socket of that name and asks the kernel who made it; nothing is sent. A
 * descriptor that is noted (forks.h), or -1 and errno (ECONNREFUSED: no process listens there). */
int control_connect(const char *socket_name, struct control_proxy *proxy);

/* The same only to know. False: no process listens there. */
bool control_find_proxy(const char *socket_name, struct control_proxy *proxy);

/* A process's name, harmless or not; "?" if it is not told. */
void control_program(pid_t pid, char program[32]);

/* A process that has this device open so that it could read its answers, as far as this user may look; 0:
 * none. */
pid_t control_holder(dev_t device);

#endif
