/* SPDX-License-Identifier: Apache-2.0 */
/* Result files: written beside their place, then moved there. */
#include "apdu/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum outcome failed(const char *path, struct report *why)
{
    return report_set(why, OUTCOME_SYSTEM, "cannot write %s: %s", path, strerror(errno));
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        length -= (size_t)written;
    }
    return true;
}

static enum outcome replace(const char *path, const void *data, size_t length, mode_t mode,
                            struct report *why)
{
    char temporary[PATH_MAX];
    int fd;
    bool ok;

    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary)
        return report_set(why, OUTCOME_USAGE, "the path of the output file is too long");
    fd = mkostemp(temporary, O_CLOEXEC); /* made with mode 0600 */
    if (fd < 0) {
        (void)failed(path, why);
        return why->outcome = OUTCOME_USAGE; /* the path is the user's */
    }
    ok = write_all(fd, data, length) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (ok && rename(temporary, path) == 0)
        return OUTCOME_OK;
    (void)failed(path, why);
    (void)unlink(temporary);
    return why->outcome;
}

enum outcome outfile_write(const char *path, const void *data, size_t length, unsigned mode,
                           bool keep_mode, struct report *why)
{
    struct stat there;
    bool exists = stat(path, &there) == 0, ok;
    enum outcome outcome;
    char *real;
    int fd;

    if (!exists || S_ISREG(there.st_mode)) {
        real = realpath(path, NULL); /* a link stays one */
        outcome = replace(real != NULL ? real : path, data, length,
                          exists && keep_mode ? there.st_mode & 07777 : (mode_t)mode, why);
        free(real);
        return outcome;
    }
    fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    ok = fd >= 0 && write_all(fd, data, length);
    if (!ok)
        (void)failed(path, why);
    if (fd >= 0)
        (void)close(fd);
    return ok ? OUTCOME_OK : why->outcome;
}
