/* SPDX-License-Identifier: Apache-2.0 */
/* Whose socket a proxy's name leads to, and who has the node open: all that is decided before the first
 * byte. */
#include "modem/control_proxy.h"

#include "modem/descriptor.h"
#include "modem/forks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

const char *control_proxy_name(enum control_protocol protocol)
{
    return protocol == CONTROL_MBIM ? "mbim-proxy" : "qmi-proxy";
}

const char *control_installed(const char *socket_name)
{
    static const char *const names[][2] = {
        {"/usr/libexec/qmi-proxy", "/usr/libexec/mbim-proxy"}, /* Debian, Fedora */
        {"/usr/lib/qmi-proxy", "/usr/lib/mbim-proxy"},         /* Arch, OpenWrt */
        {"/usr/lib/libqmi/qmi-proxy", "/usr/lib/libmbim/mbim-proxy"},
        {"/usr/local/libexec/qmi-proxy", "/usr/local/libexec/mbim-proxy"},
    };
    const size_t column = strcmp(socket_name, "mbim-proxy") == 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (access(names[i][column], F_OK) == 0)
            return names[i][column];
    return NULL;
}

void control_program(pid_t pid, char program[32])
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    if (!descriptor_read_text(path, program, 32))
        (void)snprintf(program, 32, "?");
    program[strcspn(program, "\n")] = '\0';
}

int control_connect(const char *socket_name, struct control_proxy *proxy)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const size_t length = strlen(socket_name);
    struct ucred other;
    socklen_t size = sizeof other;
    int fd, saved;

    memcpy(name.sun_path + 1, socket_name, length); /* abstract: a NUL before it, none behind */
    forks_hold();
    fd =
        forks_note(descriptor_high(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&name,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &other, &size) != 0) {
        saved = errno;
        forks_close(fd);
        errno = saved;
        return -1;
    }
    proxy->pid = other.pid;
    proxy->uid = other.uid;
    return fd;
}

bool control_find_proxy(const char *socket_name, struct control_proxy *proxy)
{
    int fd = control_connect(socket_name, proxy);

    forks_close(fd);
    return fd >= 0;
}

/* ---- who has the node open ---- */

/* The master's side of a pty tells its number in fdinfo: the modem of a test. */
static bool is_master(const char *fdinfo, unsigned number)
{
    const char *at = strstr(fdinfo, "tty-index:");

    return at != NULL && strtoul(at + sizeof "tty-index:" - 1, NULL, 10) == number;
}

/* Open for writing alone is how simkey waits for the lock: such a one reads no answers. */
static bool can_read(const char *fdinfo)
{
    const char *at = strstr(fdinfo, "flags:");

    return at == NULL || (strtoul(at + sizeof "flags:" - 1, NULL, 8) & O_ACCMODE) != O_WRONLY;
}

static DIR *open_folder(const char *path)
{
    DIR *folder;
    int fd;

    forks_hold();
    fd = forks_note(descriptor_high(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL)
        forks_close(fd);
    return folder;
}

static void close_folder(DIR *folder)
{
    if (folder == NULL)
        return;
    (void)forks_forget(dirfd(folder));
    (void)closedir(folder);
    forks_release();
}

/* True if a process has the device open so that it could read its answers. */
static bool holds(const char *pid, dev_t device)
{
    char path[300], fdinfo[512], target[64];
    bool found = false, master = false;
    const struct dirent *entry;
    DIR *fds;

    (void)snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    fds = open_folder(path);

    while (fds != NULL && (entry = readdir(fds)) != NULL) {
        ssize_t length = readlinkat(dirfd(fds), entry->d_name, target, sizeof target - 1);
        bool is_ptmx;
        struct stat file;

        if (length <= 0)
            continue;
        target[length] = '\0';
        if (strncmp(target, "/dev/", 5) != 0) /* anything else may be slow to ask */
            continue;
        is_ptmx = strstr(target, "ptmx") != NULL;
        if (!is_ptmx && (fstatat(dirfd(fds), entry->d_name, &file, 0) != 0 ||
                         !S_ISCHR(file.st_mode) || file.st_rdev != device))
            continue;
        (void)snprintf(path, sizeof path, "/proc/%.20s/fdinfo/%.200s", pid, entry->d_name);
        if (!descriptor_read_text(path, fdinfo, sizeof fdinfo))
            continue;
        master = master || (is_ptmx && is_master(fdinfo, minor(device)));
        found = found || (!is_ptmx && can_read(fdinfo));
    }
    close_folder(fds);
    return found && !master;
}

pid_t control_holder(dev_t device)
{
    DIR *processes = open_folder("/proc");
    const struct dirent *entry;
    pid_t found = 0;

    while (processes != NULL && found == 0 && (entry = readdir(processes)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);

        if (isdigit((unsigned char)entry->d_name[0]) && pid != (long)getpid() &&
            holds(entry->d_name, device))
            found = (pid_t)pid;
    }
    close_folder(processes);
    return found;
}
