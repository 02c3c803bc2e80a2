/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are sent away. When the last descriptor of a connection is closed, the kernel also closes
 * what its client attached to packets that were never read. That can take as long as the client likes: with
 * a socket that lingers, or a file of a file system of its own. So the parent never closes a connection
 * last: it hands it to a child, which is held up in its place. */
#ifndef SIMKEY_APDU_AGENT_AWAY_H
#define SIMKEY_APDU_AGENT_AWAY_H

#include "apdu/agent/spawn.h"

#include <stdint.h>

/* The child that closes them; all zero: none runs. */
struct away {
    pid_t pid;
    int control; /* to it */
    int64_t used_at;
};

/* Ends a connection, which tells the client, and closes it. spawn: group and configuration for a child, which
 * is started if none runs, or in place of one that is held up. now: monotonic_ms. */
void away_send(struct away *away, int connection, const struct spawn *spawn, int64_t now);

/* The child has ended; or it is ended now, by SIGKILL, because a process that is killed does not wait for a
 * lingering socket. */
void away_ended(struct away *away);
void away_stop(struct away *away);

/* Ends it where nothing was sent away for some seconds. */
void away_check(struct away *away, int64_t now);

#endif
