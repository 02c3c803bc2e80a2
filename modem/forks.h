/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors and forks. A program that forks while one of its threads is in an operation gives the
 * child a copy of every descriptor that the operation has open. O_CLOEXEC helps only if the child
 * executes something; one that does not would keep the device locked, and the place in the queue,
 * after its parent was killed. Therefore each descriptor that modem/ and apdu/ open is noted, and
 * the child closes its copies of those noted, whatever it does afterwards.
 *
 *     forks_hold();
 *     fd = forks_note(open(path, O_RDWR | O_CLOEXEC));
 *     ...
 *     forks_close(fd);
 *
 * No lock that can block, no system call unless another thread is forking just now; to be used from
 * any thread. (POSIX.1-2017, pthread_atfork; children of vfork, posix_spawn and clone execute.) */
#ifndef SIMKEY_MODEM_FORKS_H
#define SIMKEY_MODEM_FORKS_H

#include <stdbool.h>
#include <unistd.h>

/* Until forks_release or forks_note no fork of another thread comes between: a descriptor that is
 * made meanwhile cannot get into a child without being noted. For some system calls, not for waits:
 * a fork waits FORKS_WAIT_MS milliseconds for the end of it, then no longer. Not to be nested. */
#define FORKS_WAIT_MS 200
void forks_hold(void);
void forks_release(void);

/* Notes a descriptor and ends the hold; errno stays. -1 is allowed and comes back. Returns fd, or -1
 * with EMFILE after closing it if its number is 2^20 or more, which Linux gives only to processes
 * with so many of them open. */
int forks_note(int fd);

/* Begins a hold and takes a descriptor out of those noted. False if it is not among them: then this
 * process is a child that has closed it already, and its number may be in use again. */
bool forks_forget(int fd);

/* Closes a descriptor that was noted; nothing in a child of the process that noted it. -1 is allowed.
 */
static inline void forks_close(int fd)
{
    if (forks_forget(fd))
        (void)close(fd);
    forks_release();
}

#endif
