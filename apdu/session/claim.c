/* SPDX-License-Identifier: Apache-2.0 */
/* Claims: one file a channel in the run-dir. */
#include "apdu/session/claim.h"

#include "apdu/session/rundir.h"
#include "modem/descriptor.h"
#include "modem/forks.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void claim_suffix(unsigned channel, char suffix[16])
{
    if (channel == CLAIM_SAFE2)
        (void)snprintf(suffix, 16, "safe2");
    else
        (void)snprintf(suffix, 16, "channel-%u", channel % 100);
}

static int open_claim(const struct settings *settings, unsigned channel, int flags)
{
    char suffix[16];

    claim_suffix(channel, suffix);
    return rundir_device_file(settings, suffix, flags);
}

/* Reads "pid start". */
static bool read_owner(int fd, long *pid, uint64_t *start)
{
    char text[64];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);

    if (length <= 0)
        return false;
    text[length] = '\0';
    return sscanf(text, "%ld %" SCNu64, pid, start) == 2;
}

int claim_take(const struct settings *settings, unsigned channel, bool hold)
{
    char text[64];
    int fd = open_claim(settings, channel, O_CREAT);
    int length;

    if (fd < 0)
        return -1;
    length = snprintf(text, sizeof text, "%ld %" PRIu64 "\n", (long)getpid(),
                      rundir_process_start(getpid()));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0 &&
        descriptor_room((uint64_t)length) && pwrite(fd, text, (size_t)length, 0) == length && hold)
        return fd;
    forks_close(fd);
    return -1;
}

void claim_bury(const struct settings *settings, unsigned channel)
{
    char name[NAME_MAX], suffix[16];
    int directory = rundir_open(settings);

    if (directory < 0)
        return;
    claim_suffix(channel, suffix);
    rundir_name(settings, suffix, name);
    (void)unlinkat(directory, name, 0);
    forks_close(directory);
}

void claim_bury_all(const struct settings *settings)
{
    char name[NAME_MAX], suffix[16];
    int directory = rundir_open(settings);

    for (unsigned channel = 1; channel <= CLAIM_CHANNELS && directory >= 0; channel++) {
        claim_suffix(channel, suffix);
        rundir_name(settings, suffix, name);
        (void)unlinkat(directory, name, 0);
    }
    if (directory >= 0)
        forks_close(directory);
}

bool claim_stands(int claim)
{
    struct stat file;

    return claim < 0 || fstat(claim, &file) != 0 || file.st_nlink > 0;
}

void claim_release(const struct settings *settings, unsigned channel, int claim)
{
    uint64_t start;
    long pid;
    int fd;

    if (channel == 0)
        return;
    fd = open_claim(settings, channel, 0);
    if (fd >= 0 && read_owner(fd, &pid, &start) && pid == (long)getpid())
        claim_bury(settings, channel);
    if (fd >= 0)
        forks_close(fd);
    if (claim >= 0)
        forks_close(claim);
}

enum claim claim_look(const struct settings *settings, unsigned channel)
{
    int fd = open_claim(settings, channel, 0);
    uint64_t start;
    enum claim claim;
    long pid;

    if (fd < 0)
        return CLAIM_NONE;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        claim = CLAIM_HELD;
    else if (read_owner(fd, &pid, &start) && pid > 0 && start != 0 &&
             rundir_process_start((pid_t)pid) == start)
        claim = CLAIM_OURS;
    else
        claim = CLAIM_DEAD;
    forks_close(fd);
    return claim;
}
