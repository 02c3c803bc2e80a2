/* SPDX-License-Identifier: Apache-2.0 */
/* The command lines of simkey and safe2: settings as options, a program's own options, and the sentences
 * for what is wrong. Each setting is an option, but the PIN itself, which would be seen in the list of
 * processes. */
#ifndef SIMKEY_APDU_OPTIONS_H
#define SIMKEY_APDU_OPTIONS_H

#include "apdu/settings.h"
#include "modem/outcome.h"

#include <stddef.h>

/* An option of a program's own. */
struct option_row {
    const char *name;
    unsigned id;          /* the program's number for it */
    const char *argument; /* NULL: it takes none */
    const char *purpose;
};

#define OPTIONS_OWN_MAX 32

struct options {
    const char *program; /* "simkey cert": `simkey cert --help` tells more */
    const char *const
        *without; /* settings that it does not take as options, then NULL; NULL: none */
    const struct option_row *own;
    size_t own_count; /* at most OPTIONS_OWN_MAX */
    /* one of its own was given; value is NULL where it takes none, else it is argv's */
    enum outcome (*take)(void *arg, const struct option_row *row, const char *value,
                         struct report *why);
};

/* Takes the options out of argv. settings: by settings_index, what was given, of argv, NULL if it was
 * not. *operands is the index of the first operand, behind which there are only operands. Errors:
 * OUTCOME_USAGE, those of take. */
enum outcome options_parse(const struct options *options, int argc, char **argv,
                           const char *settings[SETTINGS_COUNT], void *arg, int *operands,
                           struct report *why);

/* Writes for the help: a line for an own option; " --device --baud ..." for the settings. */
void options_print_own(const struct option_row *row);
void options_print_settings(const struct options *options);

#endif
