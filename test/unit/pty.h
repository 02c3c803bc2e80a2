/* SPDX-License-Identifier: Apache-2.0 */
/* A pty whose master the test plays itself, and children that never outlive the test. */
#ifndef SIMKEY_TEST_UNIT_PTY_H
#define SIMKEY_TEST_UNIT_PTY_H

#include "modem/port.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pty {
    int master;
    int slave; /* keeps the master from hanging up */
    char name[64];
};

void pty_make(struct pty *pty);

/* Both sides vanish, as when the modem is pulled out. */
void pty_unplug(struct pty *pty);

/* What the modem says. */
void pty_say(const struct pty *pty, const void *bytes, size_t length);

/* Opens the port; NULL, and a failure of the test, if that is not possible. */
struct port *pty_open_port(const struct pty *pty);

/* How many descriptors of this process are this device, and whether all of them close on exec. */
int descriptors_of(const char *device, bool *all_cloexec);

/* fork(2); the child dies with its parent, and of old age after 20 s. */
pid_t fork_child(void);

/* Kills and reaps it. */
void end_child(pid_t child);

#endif
