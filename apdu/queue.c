/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: a byte is appended to the queue's file, and its place is the number. The kernel keeps
 * appends apart and drops a dead owner's lock. */
#include "apdu/queue.h"

#include "apdu/rundir.h"
#include "modem/forks.h"

#include <fcntl.h>
#include <unistd.h>

/* When nobody waits, a file longer than this starts anew. */
#define TICKETS_MAX 65536

static struct flock byte_lock(short type, off_t start, off_t length)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

void queue_join(struct queue *queue, const struct settings *settings)
{
    struct flock mine;

    queue->fd = rundir_device_file(settings, "queue", O_CREAT | O_APPEND);
    if (queue->fd < 0)
        return;
    if (write(queue->fd, "", 1) == 1) {
        queue->ticket = lseek(queue->fd, 0, SEEK_CUR);
        mine = byte_lock(F_WRLCK, queue->ticket, 1);
        if (queue->ticket > 0 && fcntl(queue->fd, F_OFD_SETLK, &mine) == 0)
            return;
    }
    forks_close(queue->fd);
    queue->fd = -1;
}

bool queue_first(void *arg)
{
    const struct queue *queue = arg;
    struct flock earlier;

    if (queue->fd < 0)
        return true;
    earlier = byte_lock(F_WRLCK, 0, queue->ticket);
    return fcntl(queue->fd, F_OFD_GETLK, &earlier) != 0 || earlier.l_type == F_UNLCK;
}

void queue_leave(struct queue *queue)
{
    struct flock all = byte_lock(F_UNLCK, 0, 0);

    if (queue->fd < 0)
        return;
    /* said aloud, because a child of a raw clone(2) may have a copy of the descriptor */
    (void)fcntl(queue->fd, F_OFD_SETLK, &all);
    if (queue->ticket > TICKETS_MAX) {
        all.l_type = F_WRLCK;
        if (fcntl(queue->fd, F_OFD_GETLK, &all) == 0 && all.l_type == F_UNLCK &&
            ftruncate(queue->fd, 0) != 0)
            queue->ticket = 0; /* it stays long: that is all */
    }
    forks_close(queue->fd);
    queue->fd = -1;
}
