/* SPDX-License-Identifier: Apache-2.0 */
/* Result files: written beside their place, then moved there, in a folder that is held open. */
#include "apdu/outfile.h"

#include "modem/deadline.h"
#include "modem/descriptor.h"
#include "modem/place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long a pipe may have no reader, or a terminal may take nothing. */
#define PATIENCE_MS 30000
#define POLL_MS     20

#define NAME_TRIES 100
#define LETTERS    6

static enum outcome failed(const char *path, struct report *why)
{
    return report_set(why, OUTCOME_SYSTEM, "cannot write %s: %s", path, strerror(errno));
}

/* Writes all of it, or fails with errno. */
static bool write_all(int fd, const char *data, size_t length)
{
    struct deadline deadline = deadline_in(PATIENCE_MS);

    if (!descriptor_room_at(fd, length)) {
        errno = EFBIG;
        return false;
    }
    while (length > 0) {
        struct pollfd watch = {.fd = fd, .events = POLLOUT, .revents = 0};
        ssize_t written = write(fd, data, length);

        if (written > 0) {
            data += written;
            length -= (size_t)written;
            deadline = deadline_in(PATIENCE_MS);
        } else if (written < 0 && errno == EAGAIN && !deadline_passed(deadline)) {
            (void)poll(&watch, 1, deadline_left(deadline));
        } else if (written == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* Makes a new file in the folder, mode 0600; name gets its name there, "there.xU8z2a". */
static int make_beside(const struct place *place, char name[NAME_MAX + 1])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    uint8_t random[LETTERS];
    int fd = -1;

    for (int i = 0; i < NAME_TRIES && fd < 0; i++) {
        size_t used = strlen(place->name);

        if (getrandom(random, sizeof random, 0) != sizeof random)
            return -1;
        if (used > NAME_MAX - LETTERS - 1)
            used = NAME_MAX - LETTERS - 1;
        memcpy(name, place->name, used);
        name[used++] = '.';
        for (size_t letter = 0; letter < LETTERS; letter++)
            name[used++] = letters[random[letter] % (sizeof letters - 1)];
        name[used] = '\0';
        fd = openat(place->folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            return -1;
    }
    return descriptor_high(fd);
}

static enum outcome replace(const struct place *place, const char *path, const void *data,
                            size_t length, mode_t mode, struct report *why)
{
    char temporary[NAME_MAX + 1];
    int fd = make_beside(place, temporary);
    bool ok;

    if (fd < 0) {
        (void)failed(path, why);
        return why->outcome = OUTCOME_USAGE; /* the path is the user's */
    }
    ok = write_all(fd, data, length) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (ok && renameat(place->folder, temporary, place->folder, place->name) == 0)
        return OUTCOME_OK;
    (void)failed(path, why);
    (void)unlinkat(place->folder, temporary, 0);
    return why->outcome;
}

static enum outcome foreign(const struct place *place, const char *path, struct report *why)
{
    return report_set(
        why, OUTCOME_USAGE,
        "%s is not written: it is not a regular file and belongs to another user (uid %lu): "
        "name another place",
        path, (unsigned long)place->file.st_uid);
}

/* Opens a pipe or a device, once somebody reads it. */
static int open_special(const struct place *place)
{
    struct deadline deadline = deadline_in(PATIENCE_MS);
    const int flags = O_WRONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
    int fd;

    while ((fd = openat(place->folder, place->name, flags)) < 0 && errno == ENXIO &&
           S_ISFIFO(place->file.st_mode) && !deadline_passed(deadline))
        deadline_sleep(deadline, POLL_MS);
    return descriptor_high(fd);
}

static enum outcome write_special(const struct place *place, const char *path, const void *data,
                                  size_t length, struct report *why)
{
    struct stat opened;
    enum outcome outcome = OUTCOME_OK;
    int fd;

    if (place_foreign(place, &place->file))
        return foreign(place, path, why);
    fd = open_special(place);
    if (fd < 0 && errno == ENXIO && S_ISFIFO(place->file.st_mode))
        outcome =
            report_set(why, OUTCOME_SYSTEM, "cannot write %s: no program reads this pipe", path);
    else if (fd < 0)
        outcome = failed(path, why);
    else if (fstat(fd, &opened) != 0 || opened.st_dev != place->file.st_dev ||
             opened.st_ino != place->file.st_ino)
        outcome = report_set(why, OUTCOME_SYSTEM,
                             "cannot write %s: it was replaced by something else meanwhile", path);
    else if (!write_all(fd, data, length))
        outcome = failed(path, why);
    if (fd >= 0)
        (void)close(fd);
    return outcome;
}

/* The same up to where the file would be moved to its place. */
static enum outcome try_beside(const struct place *place, const char *path, size_t length,
                               struct report *why)
{
    static const char block[512];
    char temporary[NAME_MAX + 1];
    int fd = make_beside(place, temporary);
    bool ok = true;

    if (fd < 0) {
        (void)failed(path, why);
        return why->outcome = OUTCOME_USAGE;
    }
    for (size_t done = 0; ok && done < length; done += sizeof block)
        ok = write_all(fd, block, length - done < sizeof block ? length - done : sizeof block);
    ok = ok && fsync(fd) == 0;
    if (!ok)
        (void)failed(path, why);
    (void)close(fd);
    (void)unlinkat(place->folder, temporary, 0);
    return ok ? OUTCOME_OK : why->outcome;
}

enum outcome outfile_try(const char *path, size_t length, struct report *why)
{
    struct place place;
    enum outcome outcome = place_find(&place, path, why);

    if (outcome == OUTCOME_OK && place.descriptor < 0) {
        if (!place.exists || S_ISREG(place.file.st_mode))
            outcome = try_beside(&place, path, length, why);
        else if (place_foreign(&place, &place.file))
            outcome = foreign(&place, path, why);
    }
    place_close(&place);
    return outcome;
}

enum outcome outfile_check(const char *path, struct report *why)
{
    struct place place;
    enum outcome outcome = place_find(&place, path, why);

    if (outcome == OUTCOME_OK && place.descriptor < 0 &&
        (!place.exists || S_ISREG(place.file.st_mode)) &&
        faccessat(place.folder, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        (void)failed(path, why);
        outcome = why->outcome = OUTCOME_USAGE; /* as in replace() */
    }
    place_close(&place);
    return outcome;
}

enum outcome outfile_write(const char *path, const void *data, size_t length, unsigned mode,
                           bool keep_mode, struct report *why)
{
    struct place place;
    enum outcome outcome = place_find(&place, path, why);

    if (outcome != OUTCOME_OK)
        goto out;
    if (place.descriptor >= 0) {
        if (!write_all(place.descriptor, data, length))
            outcome = failed(path, why);
        goto out;
    }
    if (place.exists && !S_ISREG(place.file.st_mode)) {
        outcome = write_special(&place, path, data, length, why);
        goto out;
    }
    /* another user's file lends its mode to nothing of ours */
    if (keep_mode && place.exists && !place_foreign(&place, &place.file))
        mode = place.file.st_mode & 0777;
    outcome = replace(&place, path, data, length, (mode_t)mode, why);
out:
    place_close(&place);
    return outcome;
}
