/* SPDX-License-Identifier: Apache-2.0 */
/* The order of those who wait for a SIM: who comes first is served first. A ticket is a byte of a
 * file in the run-dir, locked for as long as its owner waits, so that a killed one holds up nobody.
 * Only an order: the lock that counts is on the device (modem/port.h). */
#ifndef SIMKEY_APDU_QUEUE_H
#define SIMKEY_APDU_QUEUE_H

#include "apdu/settings.h"

#include <sys/types.h>

struct queue {
    int fd; /* -1: there is no order */
    off_t ticket;
};

/* Takes a ticket for the settings' device. Without a usable run-dir there is no order, and everybody
 * is first. */
void queue_join(struct queue *queue, const struct settings *settings);

/* True if nobody with an earlier ticket waits. arg: a struct queue. */
bool queue_first(void *arg);

/* Gives the ticket back: the device is ours, or waiting was given up. */
void queue_leave(struct queue *queue);

#endif
