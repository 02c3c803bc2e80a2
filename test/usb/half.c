/* SPDX-License-Identifier: Apache-2.0 */
/* A preloaded library for the test on a USB port: a line on which a long command stops half-way.
 * The tty of a USB adapter takes a whole AT command at once, so that otherwise nobody can pull the
 * cable in the middle of a write. It is no part of the product.
 *
 *   LD_PRELOAD=half.so HALF=CUE simkey ...   the first long write gives the tty its first half,
 *                                            makes the file CUE and goes on when the device is gone
 *   HALF_FULL=1                              the write after it finds the line full (EAGAIN) */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LONG    20 /* octets: a command with an APDU */
#define WAIT_MS 10 /* between two looks */
#define LOOKS   6000

/* Stands before the C library's own. */
__attribute__((visibility("default"))) ssize_t write(int fd, const void *data, size_t length);

enum { WHOLE, HALVED, DONE };
static atomic_int state;
static atomic_int halved; /* descriptor: of a device that is gone nobody can say that it is a tty */

static void wait_until_gone(const char *name)
{
    const struct timespec pause = {0, WAIT_MS * 1000000L};
    struct stat status;

    for (int looks = 0; looks < LOOKS && stat(name, &status) == 0; looks++)
        (void)nanosleep(&pause, NULL);
}

ssize_t write(int fd, const void *data, size_t length)
{
    const char *cue = getenv("HALF");
    char name[64];
    ssize_t written;
    int file;

    if (atomic_load(&state) == HALVED && fd == atomic_load(&halved) &&
        getenv("HALF_FULL") != NULL) {
        atomic_store(&state, DONE);
        errno = EAGAIN;
        return -1;
    }
    if (cue == NULL || length < LONG || atomic_load(&state) != WHOLE || !isatty(fd) ||
        ttyname_r(fd, name, sizeof name) != 0)
        return syscall(SYS_write, fd, data, length);
    atomic_store(&halved, fd);
    atomic_store(&state, HALVED);
    written = syscall(SYS_write, fd, data, length / 2);
    file = open(cue, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0)
        (void)close(file);
    wait_until_gone(name);
    return written;
}
