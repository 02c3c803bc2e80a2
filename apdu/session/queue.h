/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the processes that wait for a SIM: first come, first served. A ticket is a lock on one
 * byte of a file in the run-dir, which its owner holds for as long as it waits, so that a killed one
 * holds up no other. The bytes need not be there: the file stays empty. Only an order: the lock that
 * counts is on the device (modem/port.h). */
#ifndef SIMKEY_APDU_SESSION_QUEUE_H
#define SIMKEY_APDU_SESSION_QUEUE_H

#include "apdu/session/rundir.h"
#include "apdu/settings.h"

#include <limits.h>
#include <sys/types.h>

struct queue {
    int fd;       /* -1: there is no order */
    off_t ticket; /* 1 if no process was waiting */
    const struct settings *settings;
    char name[NAME_MAX]; /* of its file; "": there is no run-dir */
};

/* Takes a ticket for the settings' device; the settings stay borrowed. Without a usable run-dir, or
 * where another program has locked all of the file, there is no order, and each process is first. */
void queue_join(struct queue *queue, const struct settings *settings,
                const struct rundir_place *place);

/* True if no process with an earlier ticket waits. arg: a struct queue. */
bool queue_first(void *arg);

/* Opens the lock that only this user's processes share (see struct port_turn). arg: a struct queue. */
int queue_own_lock(void *arg);

/* Gives the ticket back: the device is ours, or waiting was given up. */
void queue_leave(struct queue *queue);

#endif
