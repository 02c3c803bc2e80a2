/* SPDX-License-Identifier: Apache-2.0 */
/* The lock on DEVICE.safe2 in the run-dir. */
#include "apdu/safe2/job_lock.h"

#include "apdu/session/rundir.h"
#include "modem/descriptor.h"
#include "modem/forks.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define SUFFIX "safe2"

/* Who has it is written there for a person who looks. */
static void write_owner(int fd)
{
    char text[64];
    int length = snprintf(text, sizeof text, "%ld %" PRIu64 "\n", (long)getpid(),
                          rundir_process_start(getpid()));

    if (ftruncate(fd, 0) == 0 && descriptor_room((uint64_t)length))
        (void)!pwrite(fd, text, (size_t)length, 0);
}

int job_lock_take(const struct settings *settings, bool *other)
{
    int fd = rundir_device_file(settings, SUFFIX, O_CREAT);

    *other = false;
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        write_owner(fd);
        return fd;
    }
    *other = true;
    forks_close(fd);
    return -1;
}

bool job_lock_seen(const struct settings *settings)
{
    int fd = rundir_device_file(settings, SUFFIX, 0);
    bool seen = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;

    forks_close(fd);
    return seen;
}

void job_lock_release(const struct settings *settings, int lock)
{
    char name[NAME_MAX];
    int directory;

    if (lock < 0)
        return;
    directory = rundir_open(settings);
    if (directory >= 0) {
        rundir_name(settings, SUFFIX, name);
        (void)unlinkat(directory, name, 0);
    }
    forks_close(directory);
    forks_close(lock);
}
