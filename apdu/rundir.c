/* SPDX-License-Identifier: Apache-2.0 */
/* The run-dir, its files and whose they may be. */
#include "apdu/rundir.h"
#include "modem/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    forks_hold();
    fd = forks_note(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd >= 0 && fstat(fd, &directory) == 0 && (directory.st_mode & S_IWOTH) == 0 &&
        (directory.st_uid == 0 || directory.st_uid == geteuid()) &&
        faccessat(fd, ".", W_OK, AT_EACCESS) == 0)
        return fd;
    if (fd >= 0)
        forks_close(fd);
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

int rundir_open(const struct settings *settings)
{
    return settings->run_dir != NULL ? open_directory(settings->run_dir, 0770)
                                     : default_directory(settings);
}

void rundir_name(const struct settings *settings, const char *suffix, char name[NAME_MAX])
{
    char real[PATH_MAX]; /* not from malloc: want of memory must not lead to another name */
    const char *device = realpath(settings->device, real) != NULL ? real : settings->device;
    size_t length;

    name[0] = '\0';
    if (device != real && errno == ENOMEM) /* it may still need some: then there is no file */
        return;
    device += device[0] == '/';
    (void)snprintf(name, NAME_MAX - 16, "%s", device);
    for (char *c = name; *c != '\0'; c++)
        if (*c == '/')
            *c = '-';
    length = strlen(name);
    (void)snprintf(name + length, NAME_MAX - length, ".%s", suffix);
}

/* In a directory of the device's group any member may have made the file; else root or we. */
static bool good_owner(int directory, const struct stat *file)
{
    struct stat folder;

    if (file->st_uid == 0 || file->st_uid == geteuid())
        return true;
    return fstat(directory, &folder) == 0 && (folder.st_mode & S_IWGRP) != 0 &&
           folder.st_gid == file->st_gid;
}

int rundir_file(int directory, const char *name, int flags)
{
    struct stat file;
    int fd;

    forks_hold();
    fd = forks_note(openat(directory, name,
                           flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0660));
    if (fd < 0)
        return -1;
    if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_nlink == 1 &&
        (file.st_mode & S_IWOTH) == 0 && good_owner(directory, &file)) {
        /* whatever the umask: the group shares the device */
        if (file.st_uid == geteuid() && (file.st_mode & 0777) != 0660)
            (void)fchmod(fd, 0660);
        return fd;
    }
    forks_close(fd);
    return -1;
}

int rundir_device_file(const struct settings *settings, const char *suffix, int flags)
{
    char name[NAME_MAX];
    int directory = rundir_open(settings), fd;

    if (directory < 0)
        return -1;
    rundir_name(settings, suffix, name);
    fd = rundir_file(directory, name, flags);
    forks_close(directory);
    return fd;
}

/* Field 22 of /proc/PID/stat, behind the name in brackets; field 3 is the state. */
uint64_t rundir_process_start(pid_t pid)
{
    char path[64], line[512], state = 'X';
    const char *rest;
    uint64_t start = 0;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (forks_read_text(path, line, sizeof line) && (rest = strrchr(line, ')')) != NULL &&
        sscanf(rest + 1,
               " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
               "%" SCNu64,
               &state, &start) != 2)
        start = 0;
    return state == 'Z' || state == 'X' ? 0 : start;
}
