/* SPDX-License-Identifier: Apache-2.0 */
/* A preloaded library for the suites under qemu-user, which makes up /proc/PID/stat where PID is the
 * process's own: after a fork the child has its parent's beginning there, and no two processes agree
 * on when one of them began. /proc/PID/task/PID/stat says the same and is the kernel's. It is no part
 * of the product. */

/* The fortified headers define some of these functions as inlines. */
#undef _FORTIFY_SOURCE

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma GCC visibility push(default)

static int open_really(const char *path, int flags, unsigned mode)
{
    char other[64];
    int length = 0, digits = 0;

    if (sscanf(path, "/proc/%*[0-9]%n/stat%n", &digits, &length) == 0 && length > 0 &&
        path[length] == '\0' && length < 32) {
        (void)snprintf(other, sizeof other, "%.*s/task/%.*s/stat", digits, path, digits - 6,
                       path + 6);
        path = other;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* With O_LARGEFILE, which is what open64 is about: it does no harm here. */
int open(const char *path, int flags, ...)
{
    unsigned mode = 0;
    va_list list;

    va_start(list, flags);
    if ((flags & (O_CREAT | O_TMPFILE)) != 0)
        mode = va_arg(list, unsigned);
    va_end(list);
    return open_really(path, flags | O_LARGEFILE, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));
