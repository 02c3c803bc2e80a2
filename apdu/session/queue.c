/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: the place of a locked byte is the number. The kernel keeps the locks apart and drops a
 * dead owner's. */
#include "apdu/session/queue.h"

#include "apdu/session/rundir.h"
#include "modem/forks.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* Not so many processes wait at once: a ticket this high was put there to spoil the order. */
#define TICKET_MAX ((off_t)INT32_MAX - 1)

/* How often the next number may be another process's by the time it is to be taken. */
#define TAKE_TRIES 100

static struct flock byte_lock(short type, off_t start, off_t length)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

/* True if a process has this ticket or a later one. */
static bool any_from(int fd, off_t ticket)
{
    struct flock lock = byte_lock(F_WRLCK, ticket, 0);

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* The highest ticket that is taken, given that there is one from `taken` on: the steps double, then
 * halve. */
static off_t last_taken(int fd, off_t taken)
{
    off_t step = 1;

    if (any_from(fd, TICKET_MAX))
        return TICKET_MAX;
    while (step < TICKET_MAX - taken && any_from(fd, taken + step)) {
        taken += step;
        if (step <= TICKET_MAX / 2)
            step *= 2;
    }
    while ((step /= 2) > 0)
        if (step < TICKET_MAX - taken && any_from(fd, taken + step))
            taken += step;
    return taken;
}

static bool take_ticket(struct queue *queue)
{
    off_t last = 0;

    for (int i = 0; i < TAKE_TRIES; i++) {
        struct flock mine;

        if (any_from(queue->fd, last + 1))
            last = last_taken(queue->fd, last + 1);
        if (last >= TICKET_MAX)
            return false;
        queue->ticket = last + 1;
        mine = byte_lock(F_WRLCK, queue->ticket, 1);
        if (fcntl(queue->fd, F_OFD_SETLK, &mine) == 0)
            return true;
    }
    return false;
}

void queue_join(struct queue *queue, const struct settings *settings,
                const struct rundir_place *place)
{
    queue->settings = settings;
    queue->ticket = 0;
    queue->fd = -1;
    queue->name[0] = '\0';
    if (place->directory < 0)
        return;
    (void)snprintf(queue->name, sizeof queue->name, "%.*squeue", NAME_MAX - 8, place->base);
    queue->fd = rundir_file(place->directory, queue->name, O_CREAT);
    if (queue->fd < 0 || take_ticket(queue))
        return;
    forks_close(queue->fd);
    queue->fd = -1;
}

bool queue_first(void *arg)
{
    const struct queue *queue = arg;
    struct flock earlier;

    if (queue->fd < 0 || queue->ticket == 1)
        return true;
    earlier = byte_lock(F_WRLCK, 1, queue->ticket - 1);
    return fcntl(queue->fd, F_OFD_GETLK, &earlier) != 0 || earlier.l_type == F_UNLCK;
}

int queue_own_lock(void *arg)
{
    const struct queue *queue = arg;

    return queue->name[0] != '\0' ? rundir_own_file(queue->settings, queue->name, "turn") : -1;
}

void queue_leave(struct queue *queue)
{
    struct flock all = byte_lock(F_UNLCK, 0, 0);

    if (queue->fd < 0)
        return;
    /* closing may not be enough: a child of a raw clone(2) may have a copy of the descriptor */
    (void)fcntl(queue->fd, F_OFD_SETLK, &all);
    forks_close(queue->fd);
    queue->fd = -1;
}
