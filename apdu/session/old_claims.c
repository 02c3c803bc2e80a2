/* SPDX-License-Identifier: Apache-2.0 */
/* The files in which older programs say whose a channel is: DEVICE.channel-N with "pid start",
 * locked by an owner that must not lose its channel. */
#include "apdu/session/old_claims.h"

#include "apdu/session/rundir.h"
#include "modem/descriptor.h"
#include "modem/forks.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Reads "pid start". */
static bool read_owner(int fd, long *pid, uint64_t *start)
{
    char text[64];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);

    if (length <= 0)
        return false;
    text[length] = '\0';
    return sscanf(text, "%ld %" SCNu64, pid, start) == 2 && *pid > 0 && *pid == (long)(pid_t)*pid;
}

static enum owner judge_file(int directory, const char *name)
{
    int fd = rundir_file(directory, name, 0);
    enum owner owner = OWNER_IS_DEAD;
    uint64_t start;
    long pid;

    if (fd < 0)
        return OWNER_NONE;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        owner = OWNER_HOLDS;
    else if (read_owner(fd, &pid, &start) && rundir_process_lives((pid_t)pid, start))
        owner = OWNER_LIVES;
    forks_close(fd);
    return owner;
}

/* The number behind the device's name, 0 if the file is another one. */
static unsigned file_number(const char *file, const char *name)
{
    size_t length = strlen(name);
    char *end = NULL;
    unsigned long number;

    if (strncmp(file, name, length) != 0 || file[length] < '1' || file[length] > '9')
        return 0;
    number = strtoul(file + length, &end, 10);
    return *end == '\0' && number <= CHANNEL_MAX ? (unsigned)number : 0;
}

void old_claims_read(const struct settings *settings, enum owner claims[CHANNEL_MAX + 1])
{
    char name[NAME_MAX];
    int directory = rundir_open(settings);
    int copy = directory >= 0
                   ? descriptor_high(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
                   : -1;
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;
    unsigned number;

    memset(claims, 0, (CHANNEL_MAX + 1) * sizeof claims[0]);
    if (list != NULL) {
        rundir_name(settings, "channel-", name);
        while ((entry = readdir(list)) != NULL)
            if ((number = file_number(entry->d_name, name)) > 0)
                claims[number] = judge_file(directory, entry->d_name);
        (void)closedir(list);
    } else if (copy >= 0) {
        (void)close(copy);
    }
    forks_close(directory);
}

void old_claims_remove(const struct settings *settings, unsigned number)
{
    char name[NAME_MAX], suffix[16];
    int directory = rundir_open(settings);

    if (directory < 0)
        return;
    (void)snprintf(suffix, sizeof suffix, "channel-%u", number % 100);
    rundir_name(settings, suffix, name);
    (void)unlinkat(directory, name, 0);
    forks_close(directory);
}
