/* SPDX-License-Identifier: Apache-2.0 */
/* See conf.h. */
#include "apdu/agent/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static enum outcome take_count(unsigned *number, const char *name, const char *value,
                               unsigned least, unsigned most, struct report *why)
{
    unsigned long parsed;
    char *end;

    errno = 0;
    parsed = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || parsed < least ||
        parsed > most)
        return report_set(why, OUTCOME_USAGE, "`%s` is a number from %u to %u, not \"%.40s\"", name,
                          least, most, value);
    *number = (unsigned)parsed;
    return OUTCOME_OK;
}

/* Cuts blanks off both ends. */
static char *trim_blanks(char *text)
{
    size_t length;

    text += strspn(text, " \t\r");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

/* One line above the sections. *own: it is the agent's. */
static enum outcome take_line(struct conf *config, const char *line, size_t length, bool *own,
                              struct report *why)
{
    char copy[1024], *name, *value;

    *own = false;
    if (length >= sizeof copy) /* the settings' reader says so */
        return OUTCOME_OK;
    memcpy(copy, line, length);
    copy[length] = '\0';
    value = strchr(copy, '=');
    if (value == NULL)
        return OUTCOME_OK;
    *value++ = '\0';
    name = trim_blanks(copy);
    value = trim_blanks(value);
    *own = true;
    if (strcmp(name, "allow") == 0)
        return rules_take(&config->rules, value, why);
    if (strcmp(name, "idle") == 0)
        return take_count(&config->idle, name, value, 1, 86400, why);
    if (strcmp(name, "connections") == 0)
        return take_count(&config->connections, name, value, 1, 64, why);
    if (strcmp(name, "requests") == 0)
        return take_count(&config->requests, name, value, 1, 10000, why);
    *own = false;
    return OUTCOME_OK;
}

/* Reads the agent's own lines and overwrites them with blanks, so that the others keep their line numbers. */
static enum outcome take_own(struct conf *config, struct report *why)
{
    unsigned number = 0;

    for (char *line = config->text; line < config->text + config->length;) {
        const size_t length = strcspn(line, "\n");
        bool own;

        number++;
        if (line[strspn(line, " \t\r")] == '[')
            return OUTCOME_OK;
        if (take_line(config, line, length, &own, why) != OUTCOME_OK) {
            report_prefix(why, "%s, line %u", config->path, number);
            return why->outcome;
        }
        if (own)
            memset(line, ' ', length);
        line += length + 1;
    }
    return OUTCOME_OK;
}

const struct settings *conf_modem(const struct modems *modems, size_t number, const char **name)
{
    const size_t first = modems->first.device != NULL ? 1 : 0;

    *name = "";
    if (number < first)
        return &modems->first;
    if (number - first >= modems->count)
        return NULL;
    *name = modems->further[number - first].name;
    return &modems->further[number - first].settings;
}

int64_t conf_timeout(const struct modems *modems)
{
    const struct settings *settings;
    int64_t most = 1000;
    const char *name;

    for (size_t i = 0; (settings = conf_modem(modems, i, &name)) != NULL; i++)
        if (most < (int64_t)settings->timeout * 1000)
            most = (int64_t)settings->timeout * 1000;
    return most;
}

static enum outcome check_modems(const struct modems *modems, const char *path, struct report *why)
{
    const struct settings *settings;
    const char *name;

    if (conf_modem(modems, 0, &name) == NULL)
        return report_set(why, OUTCOME_USAGE,
                          "%s names no device: `device = /dev/ttyUSB2` says which port the agent "
                          "holds",
                          path);
    for (size_t i = 0; (settings = conf_modem(modems, i, &name)) != NULL; i++) {
        if (settings_agent(settings->device, NULL))
            return report_set(why, OUTCOME_USAGE,
                              "%s has `device = agent`: name the modem's port there, which the "
                              "agent itself opens",
                              path);
        if (settings->pin != NULL)
            return report_set(why, OUTCOME_USAGE,
                              "%s has `pin`: the agent takes the PIN from a file (pin-source), or "
                              "a wrong one would be tried by each of its processes",
                              path);
    }
    return OUTCOME_OK;
}

enum outcome conf_modems(const struct conf *config, struct modems *modems, struct report *why)
{
    char *text = strdup(config->text);
    enum outcome outcome;

    modems_init(modems);
    if (text == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    outcome = modems_take_text(modems, config->path, text, config->length, why);
    if (outcome == OUTCOME_OK && modems->first.run_dir == NULL)
        outcome = settings_set(&modems->first, "run-dir", config->run_dir, why);
    if (outcome == OUTCOME_OK)
        outcome = modems_complete(modems, why);
    explicit_bzero(text, config->length);
    free(text);
    return outcome;
}

enum outcome conf_load(struct conf *config, const char *path, const char *run_dir,
                       struct report *why)
{
    struct modems modems;
    char *text = NULL;
    size_t length = 0;
    enum outcome outcome = modems_read_text(path, &text, &length, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    memset(config, 0, sizeof *config);
    config->idle = CONFIG_IDLE;
    config->connections = CONFIG_CONNECTIONS;
    config->requests = CONFIG_REQUESTS;
    (void)snprintf(config->path, sizeof config->path, "%s", path);
    (void)snprintf(config->run_dir, sizeof config->run_dir, "%s", run_dir);
    memcpy(config->text, text, length);
    config->length = length;
    explicit_bzero(text, length);
    free(text);
    if (strlen(config->text) != length)
        return report_set(why, OUTCOME_USAGE, "%s has a NUL byte", path);
    outcome = take_own(config, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = conf_modems(config, &modems, why);
    if (outcome == OUTCOME_OK)
        outcome = check_modems(&modems, path, why);
    modems_clear(&modems);
    return outcome;
}

/* ---- from parent to child ---- */

/* The used parts of it: all before the list of rules, the rules, the text with its NUL. */
#define PIECES 3
static void pieces_of(const struct conf *config, struct iovec pieces[PIECES])
{
    pieces[0] = (struct iovec){(void *)config, offsetof(struct conf, rules.list)};
    pieces[1] = (struct iovec){(void *)config->rules.list,
                               config->rules.count * sizeof config->rules.list[0]};
    pieces[2] = (struct iovec){(void *)config->text, config->length + 1};
}

static ssize_t size_of(const struct iovec pieces[PIECES])
{
    size_t size = 0;

    for (size_t i = 0; i < PIECES; i++)
        size += pieces[i].iov_len;
    return (ssize_t)size;
}

int conf_seal(const struct conf *config)
{
    int fd = memfd_create("simkey-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct iovec pieces[PIECES];
    int saved;

    pieces_of(config, pieces);
    if (fd >= 0 && writev(fd, pieces, PIECES) == size_of(pieces) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
        return fd;
    saved = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = saved;
    return -1;
}

bool conf_receive(int fd, struct conf *config)
{
    struct iovec pieces[PIECES];
    const ssize_t head = (ssize_t)offsetof(struct conf, rules.list);

    if (pread(fd, config, (size_t)head, 0) != head || config->length >= CONFIG_TEXT_MAX ||
        config->rules.count > RULES_MAX)
        return false;
    pieces_of(config, pieces);
    return preadv(fd, pieces + 1, PIECES - 1, head) == size_of(pieces) - head;
}
