/* SPDX-License-Identifier: Apache-2.0 */
/* The run-dir and the claims in it. Nothing here is trusted further than a hint: files are opened
 * without following links, in a directory that only root, we and our group can write. */
#include "apdu/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_DIR "/run/simkey"

/* Opens a directory that nobody else can play with; make says whether to make it. */
static int open_directory(const char *path, mode_t make)
{
    struct stat directory;
    int fd;

    if (make != 0)
        (void)mkdir(path, make);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &directory) == 0 && (directory.st_mode & S_IWOTH) == 0 &&
        (directory.st_uid == 0 || directory.st_uid == geteuid()) &&
        faccessat(fd, ".", W_OK, AT_EACCESS) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* /run/simkey, which root makes for the device's group; else a directory of this user. */
static int default_directory(const struct settings *settings)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    struct stat device;
    char path[PATH_MAX];
    int fd;

    if (geteuid() == 0 && stat(settings->device, &device) == 0 && mkdir(RUN_DIR, 0700) == 0 &&
        (chown(RUN_DIR, 0, device.st_gid) != 0 || chmod(RUN_DIR, 02770) != 0))
        (void)rmdir(RUN_DIR);
    fd = open_directory(RUN_DIR, 0);
    if (fd < 0 && runtime != NULL && runtime[0] == '/' &&
        snprintf(path, sizeof path, "%s/simkey", runtime) < (int)sizeof path)
        fd = open_directory(path, 0700);
    if (fd < 0) {
        (void)snprintf(path, sizeof path, "/tmp/simkey-%lu", (unsigned long)geteuid());
        fd = open_directory(path, 0700);
    }
    return fd;
}

static int run_directory(const struct settings *settings)
{
    return settings->run_dir != NULL ? open_directory(settings->run_dir, 0770)
                                     : default_directory(settings);
}

/* "dev-ttyUSB2.channel-3": the device by its real name. */
static void claim_name(const struct settings *settings, unsigned channel, char name[NAME_MAX])
{
    char *real = realpath(settings->device, NULL);
    const char *device = real != NULL ? real : settings->device;
    size_t length;

    device += device[0] == '/';
    (void)snprintf(name, NAME_MAX - 16, "%s", device);
    free(real);
    for (char *c = name; *c != '\0'; c++)
        if (*c == '/')
            *c = '-';
    length = strlen(name);
    if (channel == CLAIM_SAFE2)
        (void)snprintf(name + length, NAME_MAX - length, ".safe2");
    else
        (void)snprintf(name + length, NAME_MAX - length, ".channel-%u", channel % 100);
}

/* Opens a claim's file; -1 if it is not there, or no file. */
static int open_claim(const struct settings *settings, unsigned channel, int flags)
{
    char name[NAME_MAX];
    struct stat file;
    int directory = run_directory(settings), fd;

    if (directory < 0)
        return -1;
    claim_name(settings, channel, name);
    fd = openat(directory, name, flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                0660);
    (void)close(directory);
    if (fd >= 0 && (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* When a process started, in clock ticks since boot (field 22 of /proc/PID/stat, behind the name in
 * brackets): a pid alone may be somebody else's by now. 0 if there is no such process. */
static unsigned long long start_of(long pid)
{
    char path[64], line[512];
    const char *rest;
    unsigned long long start = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) != NULL && (rest = strrchr(line, ')')) != NULL)
        (void)sscanf(
            rest + 1,
            " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
            &start);
    (void)fclose(file);
    return start;
}

/* Reads "pid start". */
static bool read_owner(int fd, long *pid, unsigned long long *start)
{
    char text[64];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);

    if (length <= 0)
        return false;
    text[length] = '\0';
    return sscanf(text, "%ld %llu", pid, start) == 2;
}

int claim_take(const struct settings *settings, unsigned channel, bool hold)
{
    char text[64];
    int fd = open_claim(settings, channel, O_CREAT);
    int length;

    if (fd < 0)
        return -1;
    length = snprintf(text, sizeof text, "%ld %llu\n", (long)getpid(), start_of((long)getpid()));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0 &&
        pwrite(fd, text, (size_t)length, 0) == length) {
        (void)fchmod(fd, 0660); /* whatever the umask: the group shares the device */
        if (hold)
            return fd;
    }
    (void)close(fd);
    return -1;
}

void claim_bury(const struct settings *settings, unsigned channel)
{
    char name[NAME_MAX];
    int directory = run_directory(settings);

    if (directory < 0)
        return;
    claim_name(settings, channel, name);
    (void)unlinkat(directory, name, 0);
    (void)close(directory);
}

void claim_release(const struct settings *settings, unsigned channel, int claim)
{
    unsigned long long start;
    long pid;
    int fd;

    if (channel == 0)
        return;
    fd = open_claim(settings, channel, 0);
    if (fd >= 0 && read_owner(fd, &pid, &start) && pid == (long)getpid())
        claim_bury(settings, channel);
    if (fd >= 0)
        (void)close(fd);
    if (claim >= 0)
        (void)close(claim);
}

enum claim claim_look(const struct settings *settings, unsigned channel)
{
    int fd = open_claim(settings, channel, 0);
    unsigned long long start;
    enum claim claim;
    long pid;

    if (fd < 0)
        return CLAIM_NONE;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        claim = CLAIM_HELD;
    else if (read_owner(fd, &pid, &start) && pid > 0 && start != 0 && start_of(pid) == start)
        claim = CLAIM_OURS;
    else
        claim = CLAIM_DEAD;
    (void)close(fd);
    return claim;
}
