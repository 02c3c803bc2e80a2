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
static bool read_owner(int fd, int64_t *pid, uint64_t *start)
{
    char text[64];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);

    if (length <= 0)
        return false;
    text[length] = '\0';
    return sscanf(text, "%" SCNd64 " %" SCNu64, pid, start) == 2 && *pid > 0 && *pid == (pid_t)*pid;
}

static enum owner judge_file(int directory, const char *name)
{
    int fd = rundir_file(directory, name, 0);
    enum owner owner = OWNER_IS_DEAD;
    uint64_t start;
    int64_t pid;

    if (fd < 0)
        return OWNER_NONE;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        owner = OWNER_HOLDS;
    else if (read_owner(fd, &pid, &start) && rundir_process_lives((pid_t)pid, start))
        owner = OWNER_LIVES;
    forks_close(fd);
    return owner;
}

/* The number in the name of a file, 0 if it is another one. */
static unsigned file_number(const char *file, const char *base)
{
    static const char suffix[] = "channel-";
    size_t length = strlen(base);
    char *end = NULL;
    unsigned long number;

    if (strncmp(file, base, length) != 0 || strncmp(file + length, suffix, sizeof suffix - 1) != 0)
        return 0;
    file += length + sizeof suffix - 1;
    if (file[0] < '1' || file[0] > '9')
        return 0;
    number = strtoul(file, &end, 10);
    return *end == '\0' && number <= CHANNEL_MAX ? (unsigned)number : 0;
}

void old_claims_read(const struct rundir_place *place, enum owner claims[CHANNEL_MAX + 1])
{
    int copy =
        place->directory < 0
            ? -1
            : descriptor_high(openat(place->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;
    unsigned number;

    memset(claims, 0, (CHANNEL_MAX + 1) * sizeof claims[0]);
    if (list == NULL && copy >= 0)
        (void)close(copy);
    while (list != NULL && (entry = readdir(list)) != NULL)
        if ((number = file_number(entry->d_name, place->base)) > 0)
            claims[number] = judge_file(place->directory, entry->d_name);
    if (list != NULL)
        (void)closedir(list);
}

void old_claims_remove(const struct rundir_place *place, unsigned number)
{
    char name[NAME_MAX + 16];

    if (place->directory < 0)
        return;
    (void)snprintf(name, sizeof name, "%schannel-%u", place->base, number % 100);
    (void)unlinkat(place->directory, name, 0);
}
