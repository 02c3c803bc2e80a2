/* SPDX-License-Identifier: Apache-2.0 */
/* The line: a pty with a symbolic link to it, paced like a serial port if asked, and the event loop
 * that ties it to the AT front end and to the SAFE2 job. */
#ifndef SIMKEY_SIM_PTY_H
#define SIMKEY_SIM_PTY_H

#include "test/sim/at.h"
#include "test/sim/bytes.h"

struct pty {
    int master;
    int slave;       /* kept open, so that the line lives while no client has it open */
    int signals;     /* signalfd: SIGTERM, SIGINT */
    int opens;       /* inotify: who opens the slave, -1: nobody asked */
    int64_t back_at; /* clock_ns() when a line that was closed is there again */
    const char *link;
    const char *group; /* that may use the line too, NULL: none */
    char name[64];
    struct bytes out; /* to the client */
    int64_t octet;    /* ns that one takes on the line, 0: none */
    int64_t out_at;   /* clock_ns() when the next part has passed the line */
    int64_t moved_at; /* clock_ns() when the client last took something */
    char in[4096];    /* from the client, not yet seen by the modem */
    size_t in_start, in_size;
    uint64_t came, went, told; /* octets on the line since the start; went when last traced */
    int64_t in_at;             /* clock_ns() when what was read last has passed the line */
};

/* Makes the pty, watches who opens it if wanted, and blocks the signals; false after a sentence on
 * stderr. */
bool pty_open(struct pty *p, const char *link, const char *group, long baud, bool watch_opens);
/* Puts the link in its place, atomically; a link that is there is replaced, anything else refused.
 */
bool pty_publish(struct pty *p);
/* Serves until SIGTERM or SIGINT; false after a sentence on stderr. */
bool pty_serve(struct pty *p, struct at *at);
/* For another loop than pty_serve: closes the line if that is wanted, and opens it anew when its time
 * has come (false after a sentence on stderr); and writes what has passed the line by now. */
bool pty_hang_up(struct pty *p, bool *hang_up, int64_t gone_ns, int64_t now);
void pty_send(struct pty *p, int64_t now);
/* Removes the link if it is still ours, and closes. */
void pty_close(struct pty *p);

#endif
