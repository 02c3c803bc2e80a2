/* SPDX-License-Identifier: Apache-2.0 */
/* simkey's command line: options, the sim: URI, and where the settings come from. */
#include "apdu/choice.h"
#include "apdu/modems.h"
#include "apdu/options.h"
#include "provider/tool/tool.h"

#include <openssl/conf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct option_row own_options[] = {
    {"out", OPTION_OUT, "FILE", "writes to that file, completely or not at all"},
    {"der", OPTION_DER, NULL, "DER instead of PEM"},
    {"json", OPTION_JSON, NULL, "JSON instead of text"},
    {"verbose", OPTION_VERBOSE, NULL, "also all that --json has, but the certificates"},
    {"mode", OPTION_MODE, "MODE", "the file's mode, octal: 0600 for programs that want it so"},
    {"rewrite", OPTION_REWRITE, "FILE",
     "takes the settings out of an older key reference; needs no SIM"},
    {"spend-last-try", OPTION_SPEND_LAST_TRY, NULL, "tries the PIN even if that may block it"},
    {"old-source", OPTION_OLD_SOURCE, "FILE", "the file whose first line is the PIN to change"},
    {"new-source", OPTION_NEW_SOURCE, "FILE",
     "the same for the new PIN (without both simkey asks)"},
    {"aid", OPTION_AID, "AID", "selects this applet first (hex)"},
    {"CAfile", OPTION_CAFILE, "FILE",
     "the CAs' certificates, roots and others, in any order (PEM)"},
    {"crl", OPTION_CRL, "FILE", "CRLs (PEM), one for each CA of the chain"},
    {"purpose", OPTION_PURPOSE, "PURPOSE", "the certificate is for this: client, server, any"},
    {"warn", OPTION_WARN, "DAYS",
     "also fails (status 7) if the certificate ends within that many days"},
    {"report", OPTION_REPORT, "FILE",
     "also writes what may be sent to others: no PIN, no key, no certificate, ICCID and IMEI cut"},
    {"nginx-map", OPTION_NGINX_MAP, NULL, "lines for nginx's map from fingerprint to ICCID"},
    {"force", OPTION_FORCE, NULL, "sends PIN commands too (INS 20, 24, 26, 28, 2C)"},
    {"replace", OPTION_REPLACE, NULL,
     "replaces even the only signing key, or one whose certificate is in the SIM"},
    {"yes", OPTION_YES, NULL, "does not ask on the terminal"},
    {"modem", OPTION_MODEM, "NAME", "the modem of that section in the settings file"},
};
#define OWN_OPTIONS (sizeof own_options / sizeof own_options[0])

void command_help(const struct command *const commands[], size_t count)
{
    static const struct options all = {.without = NULL};

    if (count > 1)
        printf("simkey: TLS keys that live in a SIM card\n\n");
    for (size_t i = 0; i < count; i++) {
        printf("simkey %s [options]%s%s\n    %s\n", commands[i]->name,
               commands[i]->operands[0] != '\0' ? " " : "", commands[i]->operands,
               commands[i]->purpose);
        for (size_t j = 0; j < OWN_OPTIONS; j++)
            if ((commands[i]->options & own_options[j].id) != 0)
                options_print_own(&own_options[j]);
    }
    printf("\nAll commands take");
    options_print_settings(&all);
    printf(" --modem with a value,\n--help and --version. signing and available may be a sim: URI, "
           "such as "
           "'sim:signing;container=2'.\n"
           "Exit status: 0 done, 1 usage, 2 modem or SIM not reachable, 3 absent, 4 refused, "
           "5 time-out,\n6 PIN missing, wrong, blocked or not tried, 7 verification failed.\n");
}

struct section {
    CONF *conf;
    const char *name;
};

static const char *section_value(void *arg, const char *name)
{
    const struct section *section = arg;

    return openssl_conf_value(section->conf, section->name, name);
}

enum outcome openssl_conf_settings(struct settings *settings, struct report *why)
{
    char *path = CONF_get1_default_config_file();
    struct section section = {.conf = NCONF_new(NULL)};
    enum outcome outcome = path != NULL ? openssl_conf_check(path, why) : OUTCOME_OK;

    if (outcome == OUTCOME_OK && path != NULL && section.conf != NULL)
        section.name = openssl_conf_section(section.conf, path);
    /* without such a file, or without our section in it, there is nothing to take over */
    if (section.name != NULL)
        outcome = openssl_conf_take(settings, section_value, &section, why);
    if (section.name != NULL && outcome != OUTCOME_OK)
        report_prefix(why, "%s", path);
    NCONF_free(section.conf);
    OPENSSL_free(path);
    return outcome;
}

#define OPTION_OF(line, name) ((line)->options[settings_index(name)])

/* All modems as they are configured, from the weakest source to the strongest. --device describes
 * the first one, and is configuration like a line of a file. */
enum outcome command_line_modems(const struct command_line *line, struct modems *modems,
                                 struct report *why)
{
    const char *device = OPTION_OF(line, "device");
    enum outcome outcome = modems_load_file(modems, NULL, why);

    if (outcome == OUTCOME_OK)
        outcome = openssl_conf_settings(&modems->first, why);
    if (outcome == OUTCOME_OK)
        outcome = settings_load_environment(&modems->first, why);
    if (outcome == OUTCOME_OK && device != NULL)
        outcome = settings_set(&modems->first, "device", device, why);
    if (outcome == OUTCOME_OK)
        outcome = modems_complete(modems, why);
    return outcome;
}

/* Those of them that the command may mean. */
static enum outcome pick_modems(const struct command_line *line, const struct modems *modems,
                                const struct settings *list[], size_t *count, struct report *why)
{
    struct uri uri = line->uri;

    if (!line->has_uri)
        uri_init(&uri);
    if (line->modem != NULL && OPTION_OF(line, "device") != NULL)
        return report_set(why, OUTCOME_USAGE,
                          "--modem and --device both name a modem: give one of them");
    if (line->modem != NULL && !modems_name_valid(line->modem))
        return report_set(why, OUTCOME_USAGE,
                          "--modem is the name of a section in the settings file");
    if (line->modem != NULL && uri.modem[0] != '\0' && strcmp(uri.modem, line->modem) != 0)
        return report_set(why, OUTCOME_USAGE, "--modem and the sim: URI name different modems");
    if (line->modem != NULL)
        (void)snprintf(uri.modem, sizeof uri.modem, "%s", line->modem);
    return uri_modems(&uri, OPTION_OF(line, "device") != NULL ? "" : uri.iccid, modems, list, count,
                      why);
}

/* What URI and command line make of one modem's settings. */
static enum outcome settle_modem(const struct command_line *line, const struct settings *modem,
                                 struct settings *settings, struct report *why)
{
    enum outcome outcome = settings_copy(settings, modem, why);

    if (outcome == OUTCOME_OK && line->has_uri)
        outcome = uri_apply(&line->uri, settings, why);
    for (size_t i = 0; i < SETTINGS_COUNT && outcome == OUTCOME_OK; i++)
        if (line->options[i] != NULL) {
            outcome = settings_set(settings, settings_name(i), line->options[i], why);
            if (outcome != OUTCOME_OK)
                report_prefix(why, "--%s", settings_name(i));
        }
    return outcome;
}

/* Asks several modems for the SIM that the URI names. */
static enum outcome ask_modems(const struct command_line *line, const struct settings *const list[],
                               size_t count, struct settings *settings, struct report *why)
{
    struct sim *sims[MODEMS_ALL] = {NULL}, *found = NULL;
    struct choice *choice = NULL;
    struct settings one;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; i < count && outcome == OUTCOME_OK; i++) {
        outcome = settle_modem(line, list[i], &one, why);
        if (outcome == OUTCOME_OK)
            outcome = sim_new(&sims[i], &one, why);
        settings_clear(&one);
    }
    if (outcome == OUTCOME_OK)
        outcome = choice_new(&choice, sims, count, line->uri.iccid, why);
    if (outcome == OUTCOME_OK)
        outcome = choice_ask(choice, choice_deadline(choice), &found, why);
    if (outcome == OUTCOME_OK)
        outcome = settings_copy(settings, sim_settings(found), why);
    choice_free(choice);
    for (size_t i = 0; i < count; i++)
        sim_free(sims[i]);
    return outcome;
}

enum outcome command_line_settings(const struct command_line *line, struct settings *settings,
                                   struct report *why)
{
    const struct settings *list[MODEMS_ALL];
    struct modems modems;
    size_t count = 0;
    enum outcome outcome;

    settings_init(settings);
    modems_init(&modems);
    outcome = command_line_modems(line, &modems, why);
    if (outcome == OUTCOME_OK)
        outcome = pick_modems(line, &modems, list, &count, why);
    if (outcome == OUTCOME_OK)
        outcome = count == 1 ? settle_modem(line, list[0], settings, why)
                             : ask_modems(line, list, count, settings, why);
    modems_clear(&modems);
    return outcome;
}

/* The command line being parsed, and whose. */
struct parsing {
    const struct command *command;
    struct command_line *line;
};

static enum outcome take_own(void *arg, const struct option_row *row, const char *value,
                             struct report *why)
{
    const struct parsing *parsing = arg;
    const struct command *command = parsing->command;
    struct command_line *line = parsing->line;

    if (((command->options | OPTION_MODEM) & row->id) == 0)
        return report_set(why, OUTCOME_USAGE, "%s takes no --%s: see simkey %s --help",
                          command->name, row->name, command->name);
    line->given |= row->id;
    if (row->id == OPTION_MODEM)
        line->modem = value;
    if (row->id == OPTION_OUT)
        line->out = value;
    if (row->id == OPTION_REWRITE)
        line->rewrite = value;
    if (row->id == OPTION_CAFILE)
        line->ca_file = value;
    if (row->id == OPTION_CRL)
        line->crl = value;
    if (row->id == OPTION_PURPOSE)
        line->purpose = value;
    if (row->id == OPTION_MODE)
        line->mode = value;
    if (row->id == OPTION_WARN)
        line->warn = value;
    if (row->id == OPTION_REPORT)
        line->report = value;
    if (row->id == OPTION_AID)
        line->aid = value;
    if (row->id == OPTION_OLD_SOURCE)
        line->old_source = value;
    if (row->id == OPTION_NEW_SOURCE)
        line->new_source = value;
    return OUTCOME_OK;
}

static enum outcome parse_options(const struct command *command, int argc, char **argv,
                                  struct command_line *line, struct report *why)
{
    struct parsing parsing = {command, line};
    char program[64];
    const struct options options = {
        .program = program, .own = own_options, .own_count = OWN_OPTIONS, .take = take_own};
    int first = argc;
    enum outcome outcome;

    (void)snprintf(program, sizeof program, "simkey %s", command->name);
    outcome = options_parse(&options, argc, argv, line->options, &parsing, &first, why);
    line->operands = argv + first;
    line->operand_count = argc - first;
    return outcome;
}

/* signing, available;store=files or a whole sim: URI. */
static enum outcome take_uri(const struct command *command, struct command_line *line,
                             struct report *why)
{
    char text[1024];
    const char *what = line->operand_count > 0 ? line->operands[0] : "";
    int length =
        snprintf(text, sizeof text, "%s%s", strncasecmp(what, "sim:", 4) == 0 ? "" : "sim:", what);
    enum outcome outcome;

    if (line->operand_count != 1 || length < 0 || (size_t)length >= sizeof text)
        return report_set(why, OUTCOME_USAGE, "simkey %s wants one of %s, or a sim: URI",
                          command->name, command->operands);
    outcome = uri_parse(&line->uri, text, why);
    line->has_uri = outcome == OUTCOME_OK;
    if (outcome == OUTCOME_OK && line->uri.what == URI_TRUST)
        outcome =
            report_set(why, OUTCOME_USAGE,
                       "simkey %s wants one of %s: sim:trust is for programs that take a store "
                       "of CA certificates (openssl verify -CAstore sim:trust)",
                       command->name, command->operands);
    return outcome;
}

enum outcome command_line_parse(const struct command *command, int argc, char **argv,
                                struct command_line *line, struct report *why)
{
    enum outcome outcome;

    memset(line, 0, sizeof *line);
    settings_init(&line->settings);
    outcome = parse_options(command, argc, argv, line, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (line->rewrite != NULL)
        return line->operand_count == 0
                   ? OUTCOME_OK
                   : report_set(why, OUTCOME_USAGE, "simkey key --rewrite FILE takes no \"%s\"",
                                line->operands[0]);
    if (command->takes_uri)
        outcome = take_uri(command, line, why);
    else if (command->operands[0] == '\0' && line->operand_count > 0)
        outcome = report_set(why, OUTCOME_USAGE, "simkey %s takes no \"%s\"", command->name,
                             line->operands[0]);
    if (outcome == OUTCOME_OK && !command->without_sim)
        outcome = command_line_settings(line, &line->settings, why);
    return outcome;
}

void command_line_clear(struct command_line *line)
{
    if (line->has_uri)
        uri_clear(&line->uri);
    line->has_uri = false;
    settings_clear(&line->settings);
}
