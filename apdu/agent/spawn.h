/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the agent's children, see child.h. */
#ifndef SIMKEY_APDU_AGENT_SPAWN_H
#define SIMKEY_APDU_AGENT_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* The parent has its descriptors from this number on: the lower ones are where a child gets its own. */
#define SPAWN_FIRST 10

/* Moves a descriptor there; it is closed on exec. -1 and errno if that fails, or fd is -1. */
int spawn_lift(int fd);

struct spawn {
    const char *word; /* CHILD_SERVE, ... */
    gid_t socket_group;
    int connection, control, config; /* for the child; -1: none */
};

/* Executes this program anew. *pid is the child's. False and errno if that cannot be. */
bool spawn_child(const struct spawn *spawn, pid_t *pid);

#endif
