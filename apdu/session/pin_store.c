/* SPDX-License-Identifier: Apache-2.0 */
/* The file of refusals and its folder. */
#include "apdu/session/pin_store.h"

#include "apdu/session/rundir.h"
#include "modem/descriptor.h"
#include "modem/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_HEAD "simkey pins 1\n"
#define STORE_SIZE (sizeof STORE_HEAD + PIN_REFUSALS * PIN_LINE_SIZE)

static const char *folder_path(void)
{
    const char *named = secure_getenv("SIMKEY_STATE_DIR");

    return named != NULL && named[0] == '/' ? named : PIN_STORE_DIR;
}

static void file_name(const struct settings *settings, const char *sim, char name[NAME_MAX])
{
    if (sim[0] != '\0')
        (void)snprintf(name, NAME_MAX, "%s.pin", sim);
    else
        rundir_name(settings, "pin", name);
}

/* The folder, if it is root's or ours and not writable for all: else what is in it is not believed. */
static int open_folder(struct stat *folder)
{
    int fd;

    forks_hold();
    fd = forks_note(
        descriptor_high(open(folder_path(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
    if (fd < 0)
        return -1;
    if (fstat(fd, folder) == 0 && (folder->st_mode & S_IWOTH) == 0 &&
        (folder->st_uid == 0 || folder->st_uid == geteuid()))
        return fd;
    forks_close(fd);
    errno = EPERM;
    return -1;
}

/* In a folder of the device's group any member may have made the file; else root or we. */
static bool good_file(const struct stat *file, const struct stat *folder)
{
    return S_ISREG(file->st_mode) && file->st_nlink == 1 && (file->st_mode & S_IWOTH) == 0 &&
           file->st_size < (off_t)STORE_SIZE &&
           (file->st_uid == 0 || file->st_uid == geteuid() ||
            ((folder->st_mode & S_IWGRP) != 0 && folder->st_gid == file->st_gid));
}

/* ---- reading ---- */

/* All of the file, with a NUL; false where there is none that may be believed. */
static bool read_file(const char *name, char text[STORE_SIZE])
{
    struct stat folder, file;
    int directory = open_folder(&folder), fd;
    ssize_t length = -1;

    if (directory < 0)
        return false;
    forks_hold();
    fd = forks_note(descriptor_high(
        openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)));
    forks_close(directory);
    if (fd < 0)
        return false;
    if (fstat(fd, &file) == 0 && good_file(&file, &folder))
        length = read(fd, text, STORE_SIZE - 1);
    forks_close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* Only lines of this SIM count: a file that was copied from another one's name says nothing. */
static void parse(const char *text, const char *sim, struct pin_memory *found)
{
    memset(found, 0, sizeof *found);
    if (strncmp(text, STORE_HEAD, sizeof STORE_HEAD - 1) != 0)
        return;
    for (text += sizeof STORE_HEAD - 1; found->count < PIN_REFUSALS;) {
        struct pin_refusal refusal;

        if (!pin_refusal_take(&text, &refusal))
            return;
        if (strcmp(refusal.sim, sim) == 0)
            pin_memory_add(found, &refusal);
    }
}

void pin_store_load(const struct settings *settings, const char *sim, struct pin_memory *memory)
{
    char name[NAME_MAX], text[STORE_SIZE];
    struct pin_memory found;

    file_name(settings, sim, name);
    if (!read_file(name, text))
        return;
    parse(text, sim, &found);
    pin_memory_merge(memory, &found);
}

/* ---- writing ---- */

static size_t compose(const struct pin_memory *memory, const char *sim, char text[STORE_SIZE])
{
    size_t used = sizeof STORE_HEAD - 1;

    memcpy(text, STORE_HEAD, sizeof STORE_HEAD);
    for (size_t i = 0; i < memory->count; i++) {
        char line[PIN_LINE_SIZE];
        size_t length;

        if (strcmp(memory->refusals[i].sim, sim) != 0)
            continue;
        pin_refusal_text(&memory->refusals[i], line);
        length = strlen(line);
        memcpy(text + used, line, length);
        text[used + length] = '\n';
        used += length + 1;
    }
    return used;
}

/* Writes under another name and renames, so that a reader sees the old or the new one. */
static bool replace(int directory, const char *name, mode_t mode, const char *text, size_t length)
{
    char fresh[NAME_MAX + 8];
    int fd;
    bool done;

    (void)snprintf(fresh, sizeof fresh, ".%.240s.new", name);
    (void)unlinkat(directory, fresh, 0); /* of a process that was killed while it wrote */
    forks_hold();
    fd = forks_note(descriptor_high(
        openat(directory, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)));
    if (fd < 0)
        return false;
    done = fchmod(fd, mode) == 0 && write(fd, text, length) == (ssize_t)length && fsync(fd) == 0;
    forks_close(fd);
    if (done && renameat(directory, fresh, directory, name) == 0)
        return true;
    (void)unlinkat(directory, fresh, 0);
    return false;
}

bool pin_store_save(const struct settings *settings, const char *sim,
                    const struct pin_memory *memory)
{
    char name[NAME_MAX], text[STORE_SIZE];
    size_t length = compose(memory, sim, text);
    struct stat folder;
    int directory;
    bool done;

    if (!descriptor_room(length))
        return false;
    directory = rundir_shared(folder_path(), settings);
    if (directory < 0)
        return false;
    file_name(settings, sim, name);
    done = fstat(directory, &folder) == 0 &&
           replace(directory, name, (folder.st_mode & S_IWGRP) != 0 ? 0660 : 0600, text, length);
    forks_close(directory);
    return done;
}

bool pin_store_forget(const struct settings *settings, const char *sim, char *path, size_t size)
{
    char name[NAME_MAX];
    struct stat folder;
    int directory = open_folder(&folder);
    bool gone = true;

    file_name(settings, sim, name);
    (void)snprintf(path, size, "%s/%s", folder_path(), name);
    if (directory < 0)
        return true; /* nothing in it is believed */
    gone = unlinkat(directory, name, 0) == 0 || errno == ENOENT;
    forks_close(directory);
    return gone;
}
