/* SPDX-License-Identifier: Apache-2.0 */
/* A preloaded library that makes libserialport take a pty for a serial port: it answers the
 * look-up of /sys/class/tty/pts/N and the modem line ioctls that ptys lack. It is no part of the
 * product: LD_PRELOAD=build/port_shim.so build/unit port */

/* The fortified headers define some of these functions as inlines. */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Everything that is not static here stands before the C library's own. */
#pragma GCC visibility push(default)

/* How often a pty was shown as a serial port: libserialport was here. The tests find it by dlsym.
 */
int port_shim_lookups(void);
int port_shim_line_ioctls(void);

/* 1: from now on a pty takes and gives no characters, although poll says that it could, as a USB
 * device does that does not wake from its suspension. 0: no longer. */
int port_shim_suspend(int on);

/* libserialport of Debian 12 was built against an older glibc, whose lstat is __lxstat, or with 32
 * bits __lxstat64. */
int __lxstat(int version, const char *path, struct stat *status);
#ifdef __GLIBC__
int __lxstat64(int version, const char *path, struct stat64 *status);
#endif

/* The C libraries do not agree; POSIX has int. */
#ifdef __GLIBC__
typedef unsigned long ioctl_request;
#else
typedef int ioctl_request;
#endif

#define SYSFS_PTY "/sys/class/tty/pts/"

static atomic_int lookups;
static atomic_int line_ioctls;
static atomic_int suspended;

int port_shim_lookups(void)
{
    return atomic_load(&lookups);
}

int port_shim_line_ioctls(void)
{
    return atomic_load(&line_ioctls);
}

/* The number of an existing pty whose sysfs entry is asked for, else NULL. */
static const char *pty_entry(const char *path)
{
    char device[64];
    struct stat status;
    const char *number;

    if (strncmp(path, SYSFS_PTY, strlen(SYSFS_PTY)) != 0)
        return NULL;
    number = path + strlen(SYSFS_PTY);
    if (*number == '\0' || strspn(number, "0123456789") != strlen(number))
        return NULL;
    snprintf(device, sizeof device, "/dev/pts/%.20s", number);
    return fstatat(AT_FDCWD, device, &status, 0) == 0 ? number : NULL;
}

int lstat(const char *path, struct stat *status)
{
    if (!pty_entry(path))
        return fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
    memset(status, 0, sizeof *status);
    status->st_mode = S_IFLNK | 0777;
    return 0;
}

int __lxstat(int version, const char *path, struct stat *status)
{
    (void)version;
    return lstat(path, status);
}

#ifdef __GLIBC__
int __lxstat64(int version, const char *path, struct stat64 *status)
{
    (void)version;
    if (!pty_entry(path))
        return fstatat64(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
    memset(status, 0, sizeof *status);
    status->st_mode = S_IFLNK | 0777;
    return 0;
}
#endif

ssize_t readlink(const char *restrict path, char *restrict target, size_t size)
{
    const char *number = pty_entry(path);
    char entry[96];
    size_t length;

    if (!number)
        return readlinkat(AT_FDCWD, path, target, size);
    atomic_fetch_add(&lookups, 1);
    snprintf(entry, sizeof entry, "../../devices/virtual/tty/pts/%.20s", number);
    length = strlen(entry);
    if (length > size)
        length = size;
    memcpy(target, entry, length);
    return (ssize_t)length;
}

static int is_pty(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && major(status.st_rdev) >= 136 &&
           major(status.st_rdev) <= 143;
}

int port_shim_suspend(int on)
{
    atomic_store(&suspended, on);
    return on;
}

ssize_t write(int fd, const void *data, size_t length)
{
    if (atomic_load(&suspended) && is_pty(fd)) {
        errno = EAGAIN;
        return -1;
    }
    return syscall(SYS_write, fd, data, length);
}

ssize_t read(int fd, void *data, size_t size)
{
    if (atomic_load(&suspended) && is_pty(fd)) {
        errno = EAGAIN;
        return -1;
    }
    return syscall(SYS_read, fd, data, size);
}

/* The modem lines that a pty lacks: DTR, RTS, CTS and DSR are always on. */
static int line_ioctl(ioctl_request request, void *argument)
{
    switch (request) {
    case TIOCMGET:
        *(int *)argument = TIOCM_DTR | TIOCM_RTS | TIOCM_CTS | TIOCM_DSR;
        return 0;
    case TIOCMSET:
    case TIOCMBIS:
    case TIOCMBIC:
        return 0;
    default:
        return -1;
    }
}

int ioctl(int fd, ioctl_request request, ...)
{
    va_list arguments;
    void *argument;
    int result, error;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    result = (int)syscall(SYS_ioctl, fd, request, argument);
    if (result == 0 || (errno != ENOTTY && errno != EINVAL))
        return result;
    error = errno;
    if (is_pty(fd) && line_ioctl(request, argument) == 0) {
        atomic_fetch_add(&line_ioctls, 1);
        return 0;
    }
    errno = error;
    return result;
}
