/* SPDX-License-Identifier: Apache-2.0 */
/* See options.h. */
#include "apdu/options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FIRST_SETTING 256 /* getopt's numbers: settings, then own options */
#define FIRST_OWN     (FIRST_SETTING + SETTINGS_COUNT)

static bool is_option(const struct options *options, size_t setting)
{
    const char *name = settings_name(setting);

    for (size_t i = 0; options->without != NULL && options->without[i] != NULL; i++)
        if (strcmp(options->without[i], name) == 0)
            return false;
    /* a PIN on a command line is seen by all; and tools say their sentences themselves */
    return strcmp(name, "pin") != 0 && strcmp(name, "aid") != 0 && strcmp(name, "log") != 0;
}

static void make_table(const struct options *options,
                       struct option table[SETTINGS_COUNT + OPTIONS_OWN_MAX + 1])
{
    memset(table, 0, (SETTINGS_COUNT + OPTIONS_OWN_MAX + 1) * sizeof *table);
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (is_option(options, i))
            *table++ =
                (struct option){settings_name(i), required_argument, NULL, FIRST_SETTING + (int)i};
    for (size_t i = 0; i < options->own_count && i < OPTIONS_OWN_MAX; i++)
        *table++ =
            (struct option){options->own[i].name,
                            options->own[i].argument != NULL ? required_argument : no_argument,
                            NULL, FIRST_OWN + (int)i};
}

enum outcome options_parse(const struct options *options, int argc, char **argv,
                           const char *settings[SETTINGS_COUNT], void *arg, int *operands,
                           struct report *why)
{
    struct option table[SETTINGS_COUNT + OPTIONS_OWN_MAX + 1];
    enum outcome outcome = OUTCOME_OK;
    int found;

    make_table(options, table);
    opterr = 0;
    while (outcome == OUTCOME_OK && (found = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (found == ':')
            outcome = report_set(why, OUTCOME_USAGE, "%s needs a value", argv[optind - 1]);
        else if (found < FIRST_SETTING)
            outcome = report_set(why, OUTCOME_USAGE, "unknown option %s: see %s --help",
                                 argv[optind - 1], options->program);
        else if (found < FIRST_OWN)
            settings[found - FIRST_SETTING] = optarg;
        else
            outcome = options->take(arg, &options->own[found - FIRST_OWN], optarg, why);
    }
    *operands = optind;
    return outcome;
}

void options_print_own(const struct option_row *row)
{
    printf("    --%s%s%s  %s\n", row->name, row->argument != NULL ? " " : "",
           row->argument != NULL ? row->argument : "", row->purpose);
}

void options_print_settings(const struct options *options)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (is_option(options, i))
            printf(" --%s", settings_name(i));
}
