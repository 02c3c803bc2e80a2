/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's children: the program executed anew, so that each has a memory layout of its own and
 * nothing of another connection in it. */
#ifndef SIMKEY_APDU_AGENT_CHILD_H
#define SIMKEY_APDU_AGENT_CHILD_H

#include "apdu/agent/conf.h"

#include <sys/types.h>

/* What a child finds at these descriptors. */
#define CHILD_CONNECTION 3 /* the client's */
#define CHILD_CONTROL    4 /* to the parent */
#define CHILD_CONFIG     5 /* see conf_receive */

/* Bytes to the parent: a modem's number asks for the turn at it, CONTROL_DONE gives it back. The parent
 * gives a turn by the modem's number. */
#define CONTROL_DONE 0x80
/* The parent's first byte: it has closed its own descriptor of the connection, see away.h. */
#define CONTROL_YOURS 0x81

/* Words on a child's command line, behind `--child`. */
#define CHILD_SERVE "serve" /* one request of one client */
#define CHILD_IDLE  "idle"  /* closes the channel that no program has used for a while */
#define CHILD_END   "end"   /* closes it because the agent ends */
#define CHILD_AWAY  "away"  /* closes connections that are sent away */

struct child {
    pid_t parent;
    gid_t socket_group;
    struct conf config;
    struct modems modems;
};

/* Makes the process unreadable for others (no core file either), and takes the command line (argv: WORD
 * PARENT GROUP) and the configuration. False if this is not a child of an agent. */
bool child_begin(struct child *child, int argc, char **argv);

/* CHILD_SERVE (serve.c), CHILD_IDLE and CHILD_END (leave.c), CHILD_AWAY (away.c). Return the exit status. */
int child_serve(const struct child *child);
int child_leave(const struct child *child, bool end);
int child_away(const struct child *child);

#endif
