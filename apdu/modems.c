/* SPDX-License-Identifier: Apache-2.0 */
/* The settings file and its sections. What a setting's value means is settings.c's matter. */
#include "apdu/modems.h"

#include "modem/descriptor.h"
#include "modem/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LINE_MAX_LENGTH 1022

void modems_init(struct modems *modems)
{
    memset(modems, 0, sizeof *modems);
    settings_init(&modems->first);
}

void modems_clear(struct modems *modems)
{
    settings_clear(&modems->first);
    for (size_t i = 0; i < modems->count; i++)
        settings_clear(&modems->further[i].settings);
    modems_init(modems);
}

bool modems_name_valid(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(text);

    return length > 0 && length < MODEM_NAME_SIZE && strspn(text, allowed) == length;
}

static struct further_modem *find_name(struct modems *modems, const char *name)
{
    for (size_t i = 0; i < modems->count; i++)
        if (strcmp(modems->further[i].name, name) == 0)
            return &modems->further[i];
    return NULL;
}

/* ---- the file ---- */

/* Want of memory or descriptors passes; a bad path does not. */
static enum outcome cannot_read(const char *path, int error, struct report *why)
{
    bool passes = error == ENOMEM || error == EMFILE || error == ENFILE || error == EINTR;

    return report_set(why, passes ? OUTCOME_SYSTEM : OUTCOME_USAGE,
                      "cannot read the settings in %s: %s", path, strerror(error));
}

/* Who can write the file can name any device and any PIN file in it. */
static enum outcome check_file(const char *path, const struct stat *file, struct report *why)
{
    if (!S_ISREG(file->st_mode))
        return report_set(why, OUTCOME_USAGE,
                          "the settings in %s are not read: it is not a regular file", path);
    if (file->st_uid != 0 && file->st_uid != geteuid())
        return report_set(
            why, OUTCOME_USAGE,
            "the settings in %s are not used, because the file belongs to another user "
            "(%lu): chown root %s",
            path, (unsigned long)file->st_uid, path);
    if ((file->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return report_set(
            why, OUTCOME_USAGE,
            "the settings in %s are not used, because others can write that file: chmod go-w %s",
            path, path);
    if (file->st_size > SETTINGS_FILE_MAX)
        return report_set(why, OUTCOME_USAGE, "the settings in %s are longer than %d bytes", path,
                          SETTINGS_FILE_MAX);
    return OUTCOME_OK;
}

/* Reads all into text, which has room for SETTINGS_FILE_MAX + 1 bytes. */
static enum outcome read_text(int fd, const char *path, char *text, size_t *length,
                              struct report *why)
{
    ssize_t got = 1;

    *length = 0;
    while (got > 0 && *length <= SETTINGS_FILE_MAX) {
        got = read(fd, text + *length, SETTINGS_FILE_MAX + 1 - *length);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            *length += (size_t)got;
    }
    if (got < 0)
        return cannot_read(path, errno, why);
    if (*length > SETTINGS_FILE_MAX)
        return report_set(why, OUTCOME_USAGE, "the settings in %s are longer than %d bytes", path,
                          SETTINGS_FILE_MAX);
    return OUTCOME_OK;
}

/* Cuts blanks off both ends. */
static char *trim_blanks(char *text)
{
    size_t length;

    text += strspn(text, " \t\r\n");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

static enum outcome begin_section(struct modems *modems, char *line, unsigned number,
                                  struct report *why)
{
    size_t length = strlen(line);
    struct further_modem *modem = &modems->further[modems->count];
    char *name = line + 1;

    if (line[length - 1] != ']')
        return report_set(why, OUTCOME_USAGE, "a section is [name]");
    line[length - 1] = '\0';
    name = trim_blanks(name);
    if (!modems_name_valid(name))
        return report_set(why, OUTCOME_USAGE,
                          "the name of a modem has 1 to %d letters, digits, dots, underscores and "
                          "hyphens",
                          MODEM_NAME_SIZE - 1);
    if (find_name(modems, name) != NULL)
        return report_set(why, OUTCOME_USAGE, "there is a section [%s] already, in line %u", name,
                          find_name(modems, name)->line);
    if (modems->count == MODEMS_FURTHER)
        return report_set(why, OUTCOME_USAGE, "there are more than %d sections", MODEMS_FURTHER);
    *modem = (struct further_modem){.line = number};
    memcpy(modem->name, name, strlen(name) + 1);
    settings_init(&modem->settings);
    modems->count++;
    return OUTCOME_OK;
}

static enum outcome take_line(struct modems *modems, char *line, unsigned number,
                              struct report *why)
{
    struct further_modem *modem = modems->count > 0 ? &modems->further[modems->count - 1] : NULL;
    char *name, *equals;

    line = trim_blanks(line);
    if (line[0] == '\0' || line[0] == '#')
        return OUTCOME_OK;
    if (line[0] == '[')
        return begin_section(modems, line, number, why);
    equals = strchr(line, '=');
    if (equals == NULL)
        return report_set(why, OUTCOME_USAGE, "a line is `name = value`");
    *equals = '\0';
    name = trim_blanks(line);
    if (modem != NULL && settings_known(name))
        modem->set |= 1u << settings_index(name);
    return settings_set(modem != NULL ? &modem->settings : &modems->first, name,
                        trim_blanks(equals + 1), why);
}

/* Each further modem has a device, and no two have the same one. */
static enum outcome check_sections(const struct modems *modems, unsigned *number,
                                   struct report *why)
{
    for (size_t i = 0; i < modems->count; i++) {
        const struct further_modem *modem = &modems->further[i];

        *number = modem->line;
        if (modem->settings.device == NULL)
            return report_set(why, OUTCOME_USAGE, "the section [%s] has no device", modem->name);
        if (settings_same_device(modem->settings.device, modems->first.device))
            return report_set(
                why, OUTCOME_USAGE,
                "the section [%s] has the same device as the lines above the sections",
                modem->name);
        for (size_t j = 0; j < i; j++)
            if (settings_same_device(modem->settings.device, modems->further[j].settings.device))
                return report_set(why, OUTCOME_USAGE,
                                  "the sections [%s] and [%s] have the same device",
                                  modems->further[j].name, modem->name);
    }
    return OUTCOME_OK;
}

enum outcome modems_take_text(struct modems *modems, const char *path, char *text, size_t length,
                              struct report *why)
{
    char *rest = text;
    unsigned number = 0;
    enum outcome outcome = OUTCOME_OK;

    text[length] = '\0';
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) /* some editors begin UTF-8 so */
        rest += 3;
    while (outcome == OUTCOME_OK && rest != NULL && rest < text + length) {
        char *line = strsep(&rest, "\n");

        number++;
        if (rest == NULL && line + strlen(line) != text + length)
            outcome = report_set(why, OUTCOME_USAGE, "the line has a NUL byte");
        else if (strlen(line) > LINE_MAX_LENGTH)
            outcome = report_set(why, OUTCOME_USAGE, "the line is too long");
        else
            outcome = take_line(modems, line, number, why);
    }
    if (outcome == OUTCOME_OK)
        outcome = check_sections(modems, &number, why);
    if (outcome != OUTCOME_OK)
        report_prefix(why, "%s, line %u", path, number);
    return outcome;
}

/* *text stays NULL where there are no settings. */
static enum outcome read_open_file(int fd, const char *path, char **text, size_t *length,
                                   struct report *why)
{
    struct stat file;
    enum outcome outcome;

    if (fstat(fd, &file) != 0)
        return cannot_read(path, errno, why);
    if (S_ISCHR(file.st_mode) && file.st_rdev == makedev(1, 3)) /* /dev/null: no settings */
        return OUTCOME_OK;
    outcome = check_file(path, &file, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    *text = calloc(1, SETTINGS_FILE_MAX + 2);
    if (*text == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    return read_text(fd, path, *text, length, why);
}

static int open_file(const char *path)
{
    /* a FIFO or a terminal would keep every program waiting that loads the provider */
    forks_hold();
    return forks_note(descriptor_high(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)));
}

static void free_text(char *text)
{
    if (text != NULL)
        explicit_bzero(text, SETTINGS_FILE_MAX + 2); /* there may be a PIN */
    free(text);
}

enum outcome modems_read_text(const char *path, char **text, size_t *length, struct report *why)
{
    int fd = open_file(path);
    enum outcome outcome;

    *text = NULL;
    *length = 0;
    if (fd < 0)
        return cannot_read(path, errno, why);
    outcome = read_open_file(fd, path, text, length, why);
    forks_close(fd);
    if (outcome == OUTCOME_OK && *text == NULL && (*text = calloc(1, 1)) == NULL)
        outcome = report_set(why, OUTCOME_SYSTEM, "out of memory");
    if (outcome != OUTCOME_OK) {
        free_text(*text);
        *text = NULL;
    }
    return outcome;
}

enum outcome modems_load_file(struct modems *modems, const char *path, struct report *why)
{
    bool optional = false;
    char *text = NULL;
    size_t length = 0;
    enum outcome outcome;
    int fd;

    if (path == NULL && (path = secure_getenv("SIMKEY_CONF")) == NULL) {
        path = SETTINGS_FILE;
        optional = true;
    }
    fd = open_file(path);
    if (fd < 0 && optional && (errno == ENOENT || errno == ENOTDIR))
        return OUTCOME_OK;
    if (fd < 0)
        return cannot_read(path, errno, why);
    outcome = read_open_file(fd, path, &text, &length, why);
    forks_close(fd);
    if (outcome == OUTCOME_OK && text != NULL)
        outcome = modems_take_text(modems, path, text, length, why);
    free_text(text);
    return outcome;
}

enum outcome settings_load_file(struct settings *settings, const char *path, struct report *why)
{
    struct modems modems;
    enum outcome outcome;

    modems_init(&modems);
    modems.first = *settings;
    outcome = modems_load_file(&modems, path, why);
    *settings = modems.first;
    settings_init(&modems.first); /* its strings are the caller's */
    modems_clear(&modems);
    return outcome;
}

/* ---- who is who ---- */

enum outcome modems_complete(struct modems *modems, struct report *why)
{
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; i < modems->count && outcome == OUTCOME_OK; i++) {
        struct further_modem *modem = &modems->further[i];

        if (settings_same_device(modem->settings.device, modems->first.device))
            return report_set(
                why, OUTCOME_USAGE,
                "the device %.200s is that of the section [%s] in the settings file, which has a "
                "PIN "
                "of its own: name that modem instead (--modem %s, or ;modem=%s in a sim: URI)",
                modems->first.device, modem->name, modem->name, modem->name);
        outcome = settings_inherit(&modem->settings, &modems->first, modem->set, why);
    }
    return outcome;
}

/* "second, third" */
static void list_names(const struct modems *modems, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < modems->count && used < size; i++) {
        (void)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                       modems->further[i].name);
        used += strlen(text + used);
    }
}

enum outcome modems_named(const struct modems *modems, const char *name,
                          const struct settings **settings, struct report *why)
{
    char names[256];

    *settings = &modems->first;
    if (name == NULL && (modems->first.device != NULL || modems->count == 0))
        return OUTCOME_OK;
    for (size_t i = 0; name != NULL && i < modems->count; i++)
        if (strcmp(modems->further[i].name, name) == 0) {
            *settings = &modems->further[i].settings;
            return OUTCOME_OK;
        }
    list_names(modems, names, sizeof names);
    if (name == NULL)
        return report_set(
            why, OUTCOME_USAGE,
            "no device is set for the first modem, only for %s: name one (--modem, or "
            ";modem= in a sim: URI)",
            names);
    return report_set(why, OUTCOME_USAGE, "there is no modem \"%.40s\" in the settings file%s%s",
                      name, names[0] != '\0' ? ", but " : ": it has no section", names);
}

const struct settings *modems_with_device(const struct modems *modems, const char *device)
{
    if (settings_same_device(modems->first.device, device))
        return &modems->first;
    for (size_t i = 0; i < modems->count; i++)
        if (settings_same_device(modems->further[i].settings.device, device))
            return &modems->further[i].settings;
    return NULL;
}
