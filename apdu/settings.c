/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: one table of names and values, and the environment. The settings file is read by
 * modems.c, openssl.cnf by provider/; what a URI may set is judged there too. */
#include "apdu/settings.h"

#include "modem/control_name.h"
#include "modem/hex.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAUD_MIN    300
#define BAUD_MAX    8000000
#define SLOT_MAX    5
#define TIMEOUT_MAX 86400

static void forget(char **text)
{
    if (*text != NULL)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static enum outcome set_text(char **text, const char *value, struct report *why)
{
    char *copy = NULL;

    if (value[0] != '\0' && (copy = strdup(value)) == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    forget(text);
    *text = copy;
    return OUTCOME_OK;
}

static enum outcome set_number(unsigned *number, const char *name, const char *value,
                               unsigned least, unsigned most, unsigned normal, struct report *why)
{
    unsigned long parsed;
    char *end;

    if (value[0] == '\0') {
        *number = normal;
        return OUTCOME_OK;
    }
    errno = 0;
    parsed = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end != '\0' || errno != 0 || parsed < least ||
        parsed > most)
        return report_set(why, OUTCOME_USAGE, "`%s` is a number from %u to %u, not \"%.40s\"", name,
                          least, most, value);
    *number = (unsigned)parsed;
    return OUTCOME_OK;
}

/* The index of value among the words, which end with NULL; an empty value is the first one. */
static enum outcome set_word(int *index, const char *name, const char *value,
                             const char *const words[], struct report *why)
{
    char all[96] = "";

    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(value, words[i]) == 0 || (i == 0 && value[0] == '\0')) {
            *index = i;
            return OUTCOME_OK;
        }
        (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i > 0 ? ", " : "",
                       words[i]);
    }
    return report_set(why, OUTCOME_USAGE, "`%s` is one of %s, not \"%.40s\"", name, all, value);
}

/* An application identifier has 5 to 16 bytes (ISO 7816-4, 12.2.3). */
static enum outcome set_aid(struct settings *settings, const char *value, struct report *why)
{
    uint8_t bytes[sizeof settings->aid];
    size_t length = value[0] != '\0' ? hex_decode(value, bytes, sizeof bytes) : 0;

    if (value[0] != '\0' && length < 5)
        return report_set(why, OUTCOME_USAGE, "`aid` is hex of 5 to 16 bytes, not \"%.40s\"",
                          value);
    memcpy(settings->aid, bytes, length);
    settings->aid_length = length;
    return OUTCOME_OK;
}

/* off, apdu, at or provider, and where to: "apdu,file:/path" (a colon will do as well), else stderr. */
static enum outcome set_trace(struct settings *settings, const char *value, struct report *why)
{
    static const char *const words[] = {"off", "apdu", "at", "provider", NULL};
    size_t length = strcspn(value, ",:");
    const char *path = value[length] != '\0' ? value + length + 1 : "";
    char word[16];
    int level;
    enum outcome outcome;

    if (length >= sizeof word)
        length = sizeof word - 1;
    memcpy(word, value, length);
    word[length] = '\0';
    if (strcmp(word, "file") == 0) { /* file:PATH alone: the level that is used most */
        memcpy(word, "apdu", sizeof "apdu");
        path = value;
    }
    outcome = set_word(&level, "trace", word, words, why);
    if (strncmp(path, "file:", 5) == 0)
        path += 5;
    if (outcome == OUTCOME_OK)
        outcome = set_text(&settings->trace_path, path, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    settings->trace.level = (enum trace_level)level; /* in the order of the enum */
    settings->trace.path = settings->trace_path;
    return OUTCOME_OK;
}

enum setting {
    SET_DEVICE,
    SET_BAUD,
    SET_SLOT,
    SET_TRANSPORT,
    SET_APPLET,
    SET_AID,
    SET_PIN_SOURCE,
    SET_PIN,
    SET_SIM_PIN_SOURCE,
    SET_TIMEOUT,
    SET_SESSION,
    SET_RUN_DIR,
    SET_TRACE,
    SET_LOG,
    SETTING_COUNT
};

static const char *const setting_names[SETTING_COUNT] = {
    [SET_DEVICE] = "device",
    [SET_BAUD] = "baud",
    [SET_TRANSPORT] = "transport",
    [SET_PIN] = "pin",
    [SET_APPLET] = "applet",
    [SET_AID] = "aid",
    [SET_PIN_SOURCE] = "pin-source",
    [SET_SIM_PIN_SOURCE] = "sim-pin-source",
    [SET_TIMEOUT] = "timeout",
    [SET_SESSION] = "session",
    [SET_RUN_DIR] = "run-dir",
    [SET_TRACE] = "trace",
    [SET_LOG] = "log",
    [SET_SLOT] = "slot",
};

static const char *const carrier_words[] = {"auto", "csim", "ccho", NULL};
static const char *const applet_words[] = {"auto", "mias", "iotsafe", NULL};
static const char *const log_words[] = {"off", "stderr", "syslog", NULL};
static const char *const session_words[] = {"shared", "keep", "private", NULL};

/* The setting of a name, with hyphens or underscores; SETTING_COUNT if there is none. */
static enum setting find(const char *name)
{
    int found;

    for (found = 0; found < SETTING_COUNT; found++) {
        const char *a = setting_names[found], *b = name;

        while (*a != '\0' && (*a == *b || (*a == '-' && *b == '_'))) {
            a++;
            b++;
        }
        if (*a == '\0' && *b == '\0')
            break;
    }
    return (enum setting)found;
}

void settings_init(struct settings *settings)
{
    memset(settings, 0, sizeof *settings);
    settings->baud = 115200;
    settings->slot = 1;
    settings->timeout = 30;
    settings->carrier = CARRIER_AUTO;
    settings->session = SESSION_SHARED;
}

_Static_assert((int)SETTING_COUNT == SETTINGS_COUNT, "the header tells how many there are");

const char *settings_name(size_t index)
{
    return index < SETTING_COUNT ? setting_names[index] : NULL;
}

size_t settings_index(const char *name)
{
    return (size_t)find(name);
}

bool settings_known(const char *name)
{
    return find(name) != SETTING_COUNT;
}

/* As shells and other programs' files have them; here they would be part of a path or a PIN. */
static bool is_quoted(const char *value)
{
    const char quote = value[0];

    return (quote == '"' || quote == '\'') && value[1] != '\0' && value[strlen(value) - 1] == quote;
}

enum outcome settings_set(struct settings *settings, const char *name, const char *value,
                          struct report *why)
{
    enum outcome outcome;
    int index;

    if (is_quoted(value) && settings_known(name))
        return report_set(why, OUTCOME_USAGE, "write the value of `%s` without quotes", name);
    switch (find(name)) {
    case SET_DEVICE:
        return set_text(&settings->device, value, why);
    case SET_BAUD:
        return set_number(&settings->baud, name, value, BAUD_MIN, BAUD_MAX, 115200, why);
    case SET_SLOT:
        return set_number(&settings->slot, name, value, 1, SLOT_MAX, 1, why);
    case SET_TRANSPORT:
        outcome = set_word(&index, name, value, carrier_words, why);
        if (outcome == OUTCOME_OK)
            settings->carrier = (enum carrier)index;
        return outcome;
    case SET_APPLET:
        outcome = set_word(&index, name, value, applet_words, why);
        if (outcome == OUTCOME_OK)
            settings->applet = (enum token_applet)index;
        return outcome;
    case SET_AID:
        return set_aid(settings, value, why);
    case SET_PIN:
        forget(&settings->pin_source);
        return set_text(&settings->pin, value, why);
    case SET_PIN_SOURCE:
        forget(&settings->pin);
        return set_text(&settings->pin_source, value, why);
    case SET_SIM_PIN_SOURCE:
        return set_text(&settings->sim_pin_source, value, why);
    case SET_TIMEOUT:
        return set_number(&settings->timeout, name, value, 1, TIMEOUT_MAX, 30, why);
    case SET_SESSION:
        outcome = set_word(&index, name, value, session_words, why);
        if (outcome == OUTCOME_OK)
            settings->session = (enum session_manner)index;
        return outcome;
    case SET_RUN_DIR:
        return set_text(&settings->run_dir, value, why);
    case SET_TRACE:
        return set_trace(settings, value, why);
    case SET_LOG:
        outcome = set_word(&index, name, value, log_words, why);
        if (outcome == OUTCOME_OK)
            settings->log = (enum log_target)index;
        return outcome;
    case SETTING_COUNT:
        break;
    }
    return report_set(why, OUTCOME_USAGE, "there is no setting \"%.40s\"", name);
}

enum outcome settings_load_environment(struct settings *settings, struct report *why)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        char variable[32] = "SIMKEY_";
        size_t used = strlen(variable);
        const char *value;

        for (const char *c = setting_names[i]; *c != '\0'; c++)
            variable[used++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        variable[used] = '\0';
        value = secure_getenv(variable);
        if (value != NULL && settings_set(settings, setting_names[i], value, why) != OUTCOME_OK) {
            report_prefix(why, "%s", variable);
            return why->outcome;
        }
    }
    return OUTCOME_OK;
}

enum outcome settings_copy(struct settings *to, const struct settings *from, struct report *why)
{
    char *const *sources[] = {&from->device,         &from->pin_source, &from->pin,
                              &from->sim_pin_source, &from->run_dir,    &from->trace_path};
    char **copies[] = {&to->device,         &to->pin_source, &to->pin,
                       &to->sim_pin_source, &to->run_dir,    &to->trace_path};
    enum outcome outcome = OUTCOME_OK;

    *to = *from;
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++)
        *copies[i] = NULL;
    for (size_t i = 0; i < sizeof copies / sizeof copies[0] && outcome == OUTCOME_OK; i++)
        if (*sources[i] != NULL)
            outcome = set_text(copies[i], *sources[i], why);
    to->trace.path = to->trace_path;
    if (outcome != OUTCOME_OK)
        settings_clear(to);
    return outcome;
}

enum outcome settings_inherit(struct settings *to, const struct settings *from, unsigned set,
                              struct report *why)
{
    enum outcome outcome = OUTCOME_OK;

    if ((set & 1u << SET_TIMEOUT) == 0)
        to->timeout = from->timeout;
    if ((set & 1u << SET_SESSION) == 0)
        to->session = from->session;
    if ((set & 1u << SET_RUN_DIR) == 0)
        outcome = set_text(&to->run_dir, from->run_dir != NULL ? from->run_dir : "", why);
    if (outcome != OUTCOME_OK || (set & 1u << SET_TRACE) != 0)
        return outcome;
    outcome = set_text(&to->trace_path, from->trace_path != NULL ? from->trace_path : "", why);
    to->trace.level = from->trace.level;
    to->log = from->log;
    to->trace.path = to->trace_path;
    return outcome;
}

bool settings_same_device(const char *a, const char *b)
{
    char path_a[PATH_MAX], path_b[PATH_MAX], *real_a, *real_b;
    bool equal;

    if (a == NULL || b == NULL || strcmp(a, b) == 0)
        return a != NULL && b != NULL;
    a = control_path(a, path_a);
    b = control_path(b, path_b);
    if (a[0] != '/' || b[0] != '/')
        return false;
    real_a = realpath(a, NULL);
    real_b = realpath(b, NULL);
    equal = real_a != NULL && real_b != NULL && strcmp(real_a, real_b) == 0;
    free(real_a);
    free(real_b);
    return equal;
}

bool settings_agent(const char *device, const char **path)
{
    static const char name[] = "agent";
    const char *rest;

    if (device == NULL || strncmp(device, name, sizeof name - 1) != 0)
        return false;
    rest = device + sizeof name - 1;
    if (rest[0] != '\0' && rest[0] != ':')
        return false;
    if (path != NULL)
        *path = rest[0] == ':' && rest[1] != '\0' ? rest + 1 : NULL;
    return true;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool settings_equal(const struct settings *a, const struct settings *b)
{
    return same(a->device, b->device) && a->baud == b->baud && a->slot == b->slot &&
           a->carrier == b->carrier && a->applet == b->applet && a->aid_length == b->aid_length &&
           memcmp(a->aid, b->aid, a->aid_length) == 0 && same(a->pin_source, b->pin_source) &&
           same(a->pin, b->pin) && same(a->sim_pin_source, b->sim_pin_source) &&
           a->timeout == b->timeout && a->session == b->session && same(a->run_dir, b->run_dir) &&
           a->trace.level == b->trace.level && same(a->trace_path, b->trace_path);
}

void settings_clear(struct settings *settings)
{
    forget(&settings->device);
    forget(&settings->pin_source);
    forget(&settings->pin);
    forget(&settings->sim_pin_source);
    forget(&settings->run_dir);
    forget(&settings->trace_path);
    settings_init(settings);
}
