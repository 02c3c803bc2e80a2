/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of files that the user names, see input.h. What is in them is not known here. */
#include "provider/tool/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_ROOM ((size_t)65536)
#define MEBIBYTE   ((size_t)1 << 20)

static enum outcome cannot_read(const char *path, struct report *why)
{
    return report_set(why, OUTCOME_USAGE, "cannot read %s: %s", path, strerror(errno));
}

/* The caller's own descriptor by its name: whoever passes it knows what it is. */
static bool is_descriptor(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        size_t length = strlen(folders[i]);

        if (strncmp(path, folders[i], length) == 0 && path[length] != '\0' &&
            path[length + strspn(path + length, "0123456789")] == '\0')
            return true;
    }
    return strcmp(path, "/dev/stdin") == 0;
}

static enum outcome judge_kind(const char *path, const struct stat *file, size_t most,
                               struct report *why)
{
    mode_t kind = file->st_mode & S_IFMT;

    if (kind == S_IFREG && file->st_size > (off_t)most)
        return report_set(why, OUTCOME_USAGE, "%s is too large: %zu MiB at most are read", path,
                          most / MEBIBYTE);
    if (kind == S_IFREG || kind == S_IFDIR) /* a folder's read says what it is */
        return OUTCOME_OK;
    return report_set(why, OUTCOME_USAGE,
                      "%s is %s, not a file: give a file, or pipe it in and give /dev/stdin", path,
                      kind == S_IFIFO    ? "a FIFO"
                      : kind == S_IFSOCK ? "a socket"
                                         : "a device");
}

static enum outcome open_file(const char *path, size_t most, int *fd, struct report *why)
{
    bool descriptor = is_descriptor(path);
    struct stat file;
    enum outcome outcome;

    if (stat(path, &file) != 0)
        return cannot_read(path, why);
    if (!descriptor && (outcome = judge_kind(path, &file, most, why)) != OUTCOME_OK)
        return outcome;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (descriptor ? 0 : O_NONBLOCK));
    if (*fd < 0)
        return cannot_read(path, why);
    if (descriptor)
        return OUTCOME_OK;
    /* it may be another one by now */
    outcome = fstat(*fd, &file) == 0 ? judge_kind(path, &file, most, why) : cannot_read(path, why);
    if (outcome != OUTCOME_OK)
        (void)close(*fd);
    return outcome;
}

static enum outcome read_whole(int fd, const char *path, size_t most, char **data, size_t *length,
                               struct report *why)
{
    size_t room = 0;
    ssize_t got = 0;

    do {
        if (room - *length <= 1) { /* the NUL needs one */
            char *longer;

            room = room == 0 ? FIRST_ROOM : 2 * room;
            longer = realloc(*data, room);
            if (longer == NULL)
                return report_set(why, OUTCOME_SYSTEM, "out of memory for %s", path);
            *data = longer;
        }
        got = read(fd, *data + *length, room - *length - 1);
        if (got < 0 && errno != EINTR)
            return cannot_read(path, why);
        *length += got > 0 ? (size_t)got : 0;
        if (*length > most)
            return report_set(why, OUTCOME_USAGE, "%s is too large: %zu MiB at most are read", path,
                              most / MEBIBYTE);
    } while (got != 0);
    (*data)[*length] = '\0';
    return OUTCOME_OK;
}

enum outcome input_read(const char *path, size_t most, char **data, size_t *length,
                        struct report *why)
{
    int fd = -1;
    enum outcome outcome;

    *data = NULL;
    *length = 0;
    outcome = open_file(path, most, &fd, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = read_whole(fd, path, most, data, length, why);
    (void)close(fd);
    if (outcome != OUTCOME_OK) {
        free(*data);
        *data = NULL;
        *length = 0;
    }
    return outcome;
}
