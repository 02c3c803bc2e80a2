/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the agent's children, see child.h. */
#ifndef SIMKEY_APDU_AGENT_SPAWN_H
#define SIMKEY_APDU_AGENT_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* The parent's descriptors lie from here on: below is the children's place. */
#define SPAWN_FIRST 10

/* Moves a descriptor there; it closes on exec. -1 stays -1, and errno. */
int spawn_lift(int fd);

struct spawn {
    const char *word; /* CHILD_SERVE, ... */
    gid_t socket_group;
    int connection, control, config; /* for the child; -1: none */
};

/* Executes this program anew. *pid is the child's. False and errno if that cannot be. */
bool spawn_child(const struct spawn *spawn, pid_t *pid);

#endif
