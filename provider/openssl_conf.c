/* SPDX-License-Identifier: Apache-2.0 */
/* See openssl_conf.h. */
#include "provider/openssl_conf.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_SIZE 32

enum outcome openssl_conf_check(const char *path, struct report *why)
{
    struct stat file;

    if (stat(path, &file) != 0 || S_ISREG(file.st_mode) || S_ISCHR(file.st_mode))
        return OUTCOME_OK;
    return report_set(why, OUTCOME_USAGE,
                      "OpenSSL's configuration %s is not a regular file: correct OPENSSL_CONF",
                      path);
}

/* NCONF_get_string would take it from the top of the file where the section has none; for a provider
 * that does not count. */
const char *openssl_conf_value(CONF *conf, const char *section, const char *name)
{
    STACK_OF(CONF_VALUE) *values = NCONF_get_section(conf, section);

    for (int i = 0; i < sk_CONF_VALUE_num(values); i++) {
        const CONF_VALUE *value = sk_CONF_VALUE_value(values, i);

        if (strcmp(value->name, name) == 0)
            return value->value;
    }
    return NULL;
}

/* OpenSSL takes names of its own by what is behind a first dot ("1.activate"). */
static const char *skip_dot(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot != NULL ? dot + 1 : name;
}

/* Among the providers: by its name there, or by the name that its section gives it. */
static const char *find_simkey(CONF *conf, const char *providers)
{
    STACK_OF(CONF_VALUE) *values = NCONF_get_section(conf, providers);
    const char *found = NULL;

    for (int i = 0; i < sk_CONF_VALUE_num(values); i++) {
        const CONF_VALUE *value = sk_CONF_VALUE_value(values, i);
        const char *identity = openssl_conf_value(conf, value->value, "identity");

        if (strcmp(identity != NULL ? identity : skip_dot(value->name), "simkey") == 0)
            found = value->value;
    }
    return found;
}

/* As OpenSSL finds it: openssl_conf, providers, simkey. */
const char *openssl_conf_section(CONF *conf, const char *path)
{
    const char *name = NULL;
    long line;

    ERR_set_mark();
    if (NCONF_load(conf, path, &line) > 0 &&
        (name = NCONF_get_string(conf, NULL, "openssl_conf")) != NULL &&
        (name = NCONF_get_string(conf, name, "providers")) != NULL)
        name = find_simkey(conf, name);
    ERR_pop_to_mark();
    return name;
}

/* One of the ways to write a name: the bits of mask say which of its hyphens stay. */
static void spell_name(char spelled[NAME_SIZE], const char *name, unsigned mask)
{
    (void)snprintf(spelled, NAME_SIZE, "%s", name);
    for (char *c = spelled; *c != '\0'; c++)
        if (*c == '-') {
            if ((mask & 1) == 0)
                *c = '_';
            mask >>= 1;
        }
}

static unsigned count_spellings(const char *name)
{
    unsigned count = 1;

    for (; *name != '\0'; name++)
        if (*name == '-')
            count *= 2;
    return count;
}

enum outcome openssl_conf_take(struct settings *settings,
                               const char *(*get)(void *arg, const char *name), void *arg,
                               struct report *why)
{
    enum outcome outcome = OUTCOME_OK;
    char spelled[NAME_SIZE];

    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        for (unsigned mask = 0; mask < count_spellings(settings_name(i)); mask++) {
            const char *value;

            spell_name(spelled, settings_name(i), mask);
            value = get(arg, spelled);
            if (value != NULL && outcome == OUTCOME_OK)
                outcome = settings_set(settings, spelled, value, why);
        }
    return outcome;
}

static bool is_openssl(const char *name)
{
    static const char *const names[] = {"identity", "module", "activate", "soft_load"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(skip_dot(name), names[i]) == 0)
            return true;
    return false;
}

bool openssl_conf_unknown(CONF *conf, const char *section, char *text, size_t size)
{
    STACK_OF(CONF_VALUE) *values = NCONF_get_section(conf, section);
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < sk_CONF_VALUE_num(values); i++) {
        const char *name = sk_CONF_VALUE_value(values, i)->name;

        if (settings_known(name) || is_openssl(name) || used >= size)
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s%.40s", used > 0 ? ", " : "", name);
    }
    return used > 0;
}
