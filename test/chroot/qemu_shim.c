/* SPDX-License-Identifier: Apache-2.0 */
/* A preloaded library for the suites under qemu-user, which makes up /proc/PID/stat where PID is the
 * process's own: after a fork the child has its parent's beginning there, and no two processes agree
 * on when one of them began. /proc/PID/task/PID/stat says the same and is the kernel's. It is no part
 * of the product. */

/* The fortified headers define some of these functions as inlines. */
#undef _FORTIFY_SOURCE

#include <ctype.h>
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

static unsigned mode_of(int flags, va_list list)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, unsigned) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    unsigned mode;

    va_start(list, flags);
    mode = mode_of(flags, list);
    va_end(list);
    return open_really(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list list;
    unsigned mode;

    va_start(list, flags);
    mode = mode_of(flags, list);
    va_end(list);
    return open_really(path, flags | O_LARGEFILE, mode);
}
