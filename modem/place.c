/* SPDX-License-Identifier: Apache-2.0 */
/* A path, walked folder by folder on open descriptors: what was looked at cannot become something
 * else before it is used. */
#include "modem/place.h"

#include "modem/descriptor.h"
#include "modem/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX  40     /* as the kernel has it */
#define PROC_MAGIC 0x9FA0 /* of statfs(2) */

/* The way that is left. */
struct walk {
    const char *path; /* as it was named, for sentences */
    char rest[PATH_MAX];
    unsigned links;
};

static enum outcome cannot(const struct walk *walk, int number, struct report *why)
{
    return report_set(why, OUTCOME_USAGE, "cannot write %s: %s", walk->path, strerror(number));
}

static bool ours(const struct stat *file)
{
    return file->st_uid == 0 || file->st_uid == geteuid();
}

bool place_foreign(const struct place *place, const struct stat *file)
{
    return !place->guarded && (!ours(file) || (S_ISREG(file->st_mode) && file->st_nlink != 1));
}

/* Goes into a folder; fd becomes the place's. */
static enum outcome enter(struct place *place, int fd, const struct walk *walk, struct report *why)
{
    struct stat folder;

    fd = forks_note(descriptor_high(fd)); /* the caller holds */
    if (fd < 0)
        return cannot(walk, errno, why);
    if (place->folder >= 0)
        forks_close(place->folder);
    place->folder = fd;
    place->guarded =
        fstat(fd, &folder) == 0 && ours(&folder) && (folder.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    return OUTCOME_OK;
}

static enum outcome enter_named(struct place *place, const char *name, const struct walk *walk,
                                struct report *why)
{
    forks_hold();
    return enter(place, openat(place->folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                 walk, why);
}

/* The root, or the current folder. */
static enum outcome enter_first(struct place *place, const struct walk *walk, struct report *why)
{
    forks_hold();
    return enter(place, open(walk->rest[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC),
                 walk, why);
}

/* /proc/self/fd/N, to which /dev/stdout leads. What stands behind it need not have a name. */
static bool names_descriptor(struct place *place)
{
    struct statfs system;
    struct stat named, open_file;
    char *end;
    long number = strtol(place->name, &end, 10);

    if (*end != '\0' || end == place->name || number < 0 || number > INT_MAX ||
        fstatfs(place->folder, &system) != 0 || system.f_type != PROC_MAGIC ||
        fstatat(place->folder, place->name, &named, 0) != 0 ||
        fstat((int)number, &open_file) != 0 || named.st_dev != open_file.st_dev ||
        named.st_ino != open_file.st_ino)
        return false;
    place->descriptor = (int)number;
    forks_close(place->folder);
    place->folder = -1;
    return true;
}

/* Puts a link's target before the rest of the way. */
static enum outcome follow(struct place *place, struct walk *walk, const struct stat *link,
                           struct report *why)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t length;

    if (!ours(link))
        return report_set(why, OUTCOME_USAGE,
                          "%s is not written: \"%s\" is a symbolic link of another user (uid %lu): "
                          "name the place that is meant",
                          walk->path, place->name, (unsigned long)link->st_uid);
    if (!place->guarded)
        return report_set(
            why, OUTCOME_USAGE,
            "%s is not written: \"%s\" is a symbolic link in a folder that others can "
            "write: name the place that is meant",
            walk->path, place->name);
    if (++walk->links > LINKS_MAX)
        return cannot(walk, ELOOP, why);
    length = readlinkat(place->folder, place->name, target, sizeof target - 1);
    if (length <= 0)
        return cannot(walk, length == 0 ? ENOENT : errno, why);
    target[length] = '\0';
    memcpy(rest, walk->rest, sizeof rest);
    if (snprintf(walk->rest, sizeof walk->rest, "%s%s", target, rest) >= (int)sizeof walk->rest)
        return cannot(walk, ENAMETOOLONG, why);
    return target[0] == '/' ? enter_first(place, walk, why) : OUTCOME_OK;
}

/* Takes the next name off the way. False at its end. */
static bool next_name(struct place *place, struct walk *walk)
{
    const char *name = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(name, "/");

    if (length == 0)
        return false;
    if (length > NAME_MAX)
        length = NAME_MAX; /* the kernel's own words for it come when it is used */
    memcpy(place->name, name, length);
    place->name[length] = '\0';
    memmove(walk->rest, name + length, strlen(name + length) + 1);
    return true;
}

/* One step. *end: this is the place. */
static enum outcome step(struct place *place, struct walk *walk, bool *end, struct report *why)
{
    bool last = walk->rest[0] == '\0';

    *end = false;
    if (strcmp(place->name, ".") == 0 || strcmp(place->name, "..") == 0)
        return enter_named(place, place->name, walk, why);
    place->exists = fstatat(place->folder, place->name, &place->file, AT_SYMLINK_NOFOLLOW) == 0;
    if (!place->exists && (errno != ENOENT || !last))
        return cannot(walk, errno, why);
    if (place->exists && S_ISLNK(place->file.st_mode)) {
        const struct stat link = place->file;

        if (last && ours(&link) && names_descriptor(place)) {
            *end = true;
            return OUTCOME_OK;
        }
        return follow(place, walk, &link, why);
    }
    if (place->exists && S_ISDIR(place->file.st_mode))
        return enter_named(place, place->name, walk, why);
    if (!last)
        return cannot(walk, ENOTDIR, why);
    *end = true;
    return OUTCOME_OK;
}

enum outcome place_find(struct place *place, const char *path, struct report *why)
{
    struct walk walk = {.path = path, .links = 0};
    enum outcome outcome;
    bool end = false;

    memset(place, 0, sizeof *place);
    place->folder = place->descriptor = -1;
    if (path[0] == '\0' ||
        snprintf(walk.rest, sizeof walk.rest, "%s", path) >= (int)sizeof walk.rest)
        return report_set(why, OUTCOME_USAGE, "the path of a file to write is %s",
                          path[0] == '\0' ? "empty" : "too long");
    outcome = enter_first(place, &walk, why);
    while (outcome == OUTCOME_OK && !end && next_name(place, &walk))
        outcome = step(place, &walk, &end, why);
    if (outcome == OUTCOME_OK && !end)
        outcome = cannot(&walk, EISDIR, why);
    return outcome;
}

void place_close(struct place *place)
{
    if (place->folder >= 0)
        forks_close(place->folder);
    place->folder = -1;
}
