/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are sent away. With a connection the kernel closes what its client attached to packets
 * that nobody has read, and that lasts as long as the client likes: a socket that lingers, a file of a file
 * system of its own. The parent must not be held up by that, so it is never the last to hold a connection:
 * a child is, which waits in its place. */
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

/* The client is told by the end of its connection, which is closed. spawn: of its group and configuration,
 * for a child that is started if none runs, or in place of one that is held up. */
void away_send(struct away *away, int connection, const struct spawn *spawn, int64_t now);

/* It has ended, or is ended now. Whatever it holds is closed with it, which holds up nobody: who is ended
 * waits for no socket. */
void away_ended(struct away *away);
void away_stop(struct away *away);

/* Ends it where nothing was sent away for some seconds. */
void away_check(struct away *away, int64_t now);

#endif
