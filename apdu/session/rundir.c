/* SPDX-License-Identifier: Apache-2.0 */
/* The run-dir, its files and whose they may be. */
#include "apdu/session/rundir.h"

#include "modem/control_name.h"
#include "modem/descriptor.h"
#include "modem/forks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define RUN_DIR "/run/simkey"

/* Opens a directory that is root's or ours, not writable for all, and writable for us. */
static int open_directory(const char *path, struct stat *directory)
{
    int fd;

    forks_hold();
    fd = forks_note(descriptor_high(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
    if (fd >= 0 && fstat(fd, directory) == 0 && (directory->st_mode & S_IWOTH) == 0 &&
        (directory->st_uid == 0 || directory->st_uid == geteuid()) &&
        faccessat(fd, ".", W_OK, AT_EACCESS) == 0)
        return fd;
    if (fd >= 0) {
        forks_close(fd);
        errno = EPERM;
    }
    return -1;
}

/* The same, made with this mode if it is missing. */
static int make_directory(const char *path, mode_t mode)
{
    struct stat directory;
    int fd = open_directory(path, &directory);

    if (fd < 0 && errno == ENOENT && (mkdir(path, mode) == 0 || errno == EEXIST))
        fd = open_directory(path, &directory);
    return fd;
}

/* True for a folder of this user's that no other can write: after su, $XDG_RUNTIME_DIR may still be the former
 * user's. */
static bool own_folder(const char *path)
{
    struct stat folder;

    return stat(path, &folder) == 0 && S_ISDIR(folder.st_mode) && folder.st_uid == geteuid() &&
           (folder.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Where the kernel files a character device: "tty/ttyUSB2" from its link in sysfs. */
static bool device_class(dev_t device, const char *subsystem, const char *begin)
{
    char path[64], target[PATH_MAX], wanted[64];
    const char *name, *class;
    ssize_t length;

    (void)snprintf(path, sizeof path, "/sys/dev/char/%u:%u", major(device), minor(device));
    length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return false;
    target[length] = '\0'; /* "../../devices/.../ttyUSB2/tty/ttyUSB2" */
    name = strrchr(target, '/');
    (void)snprintf(wanted, sizeof wanted, "/%s/", subsystem);
    class = strstr(target, wanted);
    return name != NULL && class != NULL && strncmp(name + 1, begin, strlen(begin)) == 0;
}

bool rundir_device_group(const char *device, gid_t *group)
{
    struct stat file;
    unsigned number, of;
    char path[PATH_MAX];

    if (stat(control_path(device, path), &file) != 0 || !S_ISCHR(file.st_mode) ||
        file.st_gid == 0 || (file.st_mode & (S_IRGRP | S_IWGRP)) != (S_IRGRP | S_IWGRP))
        return false;
    *group = file.st_gid;
    number = major(file.st_rdev);
    of = minor(file.st_rdev);
    /* no ptys (2, 3, 5:2, 128 to 143), and no consoles (4:0 to 63, 5:0, 5:1) */
    if (number == 2 || number == 3 || number == 5 || (number >= 128 && number <= 143) ||
        (number == 4 && of < 64))
        return false;
    return number == 4 || number == 166 || number == 188 ||
           number == 204 || /* ttyS, ACM, USB, AMA */
           device_class(file.st_rdev, "tty", "") || device_class(file.st_rdev, "wwan", "wwan") ||
           device_class(file.st_rdev, "usbmisc", "cdc-wdm");
}

/* The files that are there already: nobody but root can have made them. */
static void share_files(int fd, gid_t group)
{
    int copy = descriptor_high(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    if (list == NULL && copy >= 0)
        (void)close(copy);
    while (list != NULL && (entry = readdir(list)) != NULL)
        if (entry->d_name[0] != '.')
            (void)!fchownat(fd, entry->d_name, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW);
    if (list != NULL)
        (void)closedir(list);
}

/* Gives a directory that root has to itself to the device's group, once there is a device. */
static void share(int fd, const struct stat *directory, const char *device)
{
    gid_t group;

    if ((directory->st_mode & 07777) != 0700 || directory->st_uid != 0 || geteuid() != 0 ||
        device == NULL || !rundir_device_group(device, &group))
        return;
    share_files(fd, group);
    if (fchown(fd, 0, group) == 0)
        (void)fchmod(fd, 02770);
}

int rundir_shared(const char *path, const struct settings *settings)
{
    struct stat directory;
    int fd = open_directory(path, &directory);

    if (fd < 0 && errno == ENOENT && geteuid() == 0 && (mkdir(path, 0700) == 0 || errno == EEXIST))
        fd = open_directory(path, &directory);
    if (fd >= 0)
        share(fd, &directory, settings->device);
    return fd;
}

/* The name of our directory beside one that another user has taken, "" if there is none. The first in the
 * alphabet, so that programs that make one at the same time agree on it. */
static void find_beside(const char *taken, char name[NAME_MAX + 1])
{
    int fd = descriptor_high(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    size_t length = strlen(taken);
    struct stat file;

    if (list == NULL && fd >= 0)
        (void)close(fd);
    while (list != NULL && (entry = readdir(list)) != NULL)
        if (strncmp(entry->d_name, taken, length) == 0 && entry->d_name[length] == '-' &&
            fstatat(fd, entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(file.st_mode) &&
            file.st_uid == geteuid() && (file.st_mode & 0777) == 0700 &&
            (name[0] == '\0' || strcmp(entry->d_name, name) < 0))
            (void)snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
    if (list != NULL)
        (void)closedir(list);
}

/* /tmp/simkey-UID; where another user has made that, one with a name that he could not foresee: else any user
 * could keep a user's programs from knowing of each other, and of PINs that were refused. */
static int temporary_directory(void)
{
    char path[PATH_MAX], made[64], name[NAME_MAX + 1] = "";
    int fd;

    (void)snprintf(path, sizeof path, "/tmp/simkey-%lu", (unsigned long)geteuid());
    fd = make_directory(path, 0700);
    if (fd >= 0 || (errno != EPERM && errno != EACCES && errno != ENOTDIR && errno != ELOOP))
        return fd;
    (void)snprintf(made, sizeof made, "/tmp/simkey-%lu-XXXXXX", (unsigned long)geteuid());
    find_beside(path + sizeof "/tmp/" - 1, name);
    if (name[0] == '\0' && mkdtemp(made) != NULL)
        find_beside(path + sizeof "/tmp/" - 1, name);
    if (name[0] == '\0')
        return -1;
    (void)snprintf(path, sizeof path, "/tmp/%s", name);
    return make_directory(path, 0700);
}

/* /run/simkey, which root makes for the device's group; else a directory of this user. */
static int default_directory(const struct settings *settings)
{
    const char *runtime;
    char path[PATH_MAX];
    int fd = rundir_shared(RUN_DIR, settings);

    if (fd >= 0)
        return fd;
    runtime = secure_getenv("XDG_RUNTIME_DIR");
    if (runtime != NULL && runtime[0] == '/' && own_folder(runtime) &&
        snprintf(path, sizeof path, "%s/simkey", runtime) < (int)sizeof path)
        fd = make_directory(path, 0700);
    return fd >= 0 ? fd : temporary_directory();
}

int rundir_open(const struct settings *settings)
{
    return settings->run_dir != NULL ? make_directory(settings->run_dir, 0770)
                                     : default_directory(settings);
}

void rundir_name(const struct settings *settings, const char *suffix, char name[NAME_MAX])
{
    char real[PATH_MAX]; /* no malloc: with too little memory the name must not be another one */
    char path[PATH_MAX];
    const char *named = control_path(settings->device, path);
    const char *device = realpath(named, real) != NULL ? real : named;
    size_t length;

    name[0] = '\0';
    if (device != real && errno == ENOMEM) /* realpath may need some all the same: no file then */
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
    fd = forks_note(descriptor_high(openat(
        directory, name, flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0660)));
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

void rundir_place_open(struct rundir_place *place, const struct settings *settings)
{
    place->base[0] = '\0';
    place->directory = rundir_open(settings);
    if (place->directory >= 0)
        rundir_name(settings, "", place->base);
    if (place->directory >= 0 && place->base[0] == '\0') /* no memory to learn its name */
        rundir_place_close(place);
}

void rundir_place_close(struct rundir_place *place)
{
    forks_close(place->directory);
    place->directory = -1;
}

int rundir_place_file(const struct rundir_place *place, const char *suffix, int flags)
{
    char name[NAME_MAX + 16];

    if (place->directory < 0)
        return -1;
    (void)snprintf(name, sizeof name, "%s%s", place->base, suffix);
    return rundir_file(place->directory, name, flags);
}

int rundir_device_file(const struct settings *settings, const char *suffix, int flags)
{
    struct rundir_place place;
    int fd;

    rundir_place_open(&place, settings);
    fd = rundir_place_file(&place, suffix, flags);
    rundir_place_close(&place);
    return fd;
}

int rundir_own_file(const struct settings *settings, const char *base, const char *suffix)
{
    const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int directory = rundir_open(settings), fd;
    const uid_t user = geteuid();
    char name[NAME_MAX + 64];
    struct stat file;

    if (directory < 0)
        return -1;
    (void)snprintf(name, sizeof name, "%.*s.%s-%lu", NAME_MAX - 32, base, suffix,
                   (unsigned long)user);
    forks_hold();
    fd = forks_note(descriptor_high(openat(directory, name, flags, 0600)));
    forks_close(directory);
    if (fd >= 0 && (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_nlink != 1 ||
                    file.st_uid != user || (file.st_mode & 0077) != 0)) {
        forks_close(fd);
        fd = -1;
    }
    return fd;
}

/* Field 22 of /proc/PID/stat, behind the name in brackets; field 3 is the state. */
uint64_t rundir_process_start(pid_t pid)
{
    char path[64], line[512], state = 'X';
    const char *rest;
    uint64_t start = 0;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (!descriptor_read_text(path, line, sizeof line))
        return 0;
    if ((rest = strrchr(line, ')')) != NULL &&
        sscanf(rest + 1,
               " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
               "%" SCNu64,
               &state, &start) != 2)
        start = 0;
    return state == 'Z' || state == 'X' ? 0 : start;
}

bool rundir_process_lives(pid_t pid, uint64_t start)
{
    uint64_t now = rundir_process_start(pid);

    if (now != 0)
        return now == start || start == 0;
    if (pid <= 0 || rundir_process_start(getpid()) != 0)
        return false;
    return kill(pid, 0) == 0 || errno == EPERM;
}
