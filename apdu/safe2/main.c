/* SPDX-License-Identifier: Apache-2.0 */
/* safe2: options, signals, exit status. */
#include "apdu/modems.h"
#include "apdu/options.h"
#include "apdu/safe2/job_lock.h"
#include "apdu/safe2/run.h"
#include "apdu/version.h"
#include "modem/descriptor.h"
#include "modem/hex.h"
#include "modem/text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPERATION_TIMEOUT 30 /* seconds that one taking of the SIM may last, inside the job's */
#define JOB_TIMEOUT_MS    300000
#define INTERVAL_MS       10000 /* as the vendor's samples wait */
#define RETRY_DELAY_MS    300000
#define REGISTRATION_MS   60000 /* or as long as the job, if that is less */
#define SECONDS_MAX       86400

/* The job has a time-out of its own, and one channel. */
static const char *const no_options[] = {"sim-pin-source", "timeout", "session", "applet", NULL};

enum own_option {
    OWN_DEVICE_ID,
    OWN_TIMEOUT,
    OWN_INTERVAL,
    OWN_OUT,
    OWN_EXEC,
    OWN_RETRIES,
    OWN_RETRY_DELAY,
    OWN_REGISTRATION,
    OWN_MODEM,
    OWN_HELP,
    OWN_VERSION,
};

static const struct option_row own_options[] = {
    {"device-id", OWN_DEVICE_ID, "HEX",
     "1 to 16 bytes; the modem's IMEI as packed digits, F padded"},
    {"timeout", OWN_TIMEOUT, "S", "of the whole job (300)"},
    {"interval", OWN_INTERVAL, "S", "between two polls (10)"},
    {"out", OWN_OUT, "FILE", "get: writes to that file, completely or not at all"},
    {"exec", OWN_EXEC, "CMD", "get: runs CMD with the file's path when the content changed"},
    {"retries", OWN_RETRIES, "N", "how often a failed job is tried again (0)"},
    {"retry-delay", OWN_RETRY_DELAY, "S", "before that (300)"},
    {"registration", OWN_REGISTRATION, "S",
     "how long to wait for a network, 0: not at all (60, at most --timeout)"},
    {"modem", OWN_MODEM, "NAME", "that of a section in the settings file"},
    {"help", OWN_HELP, NULL, "this text"},
    {"version", OWN_VERSION, NULL, "the version"},
};
#define OWN_OPTIONS (sizeof own_options / sizeof own_options[0])

static const struct command {
    const char *name, *operands, *purpose;
    enum outcome (*run)(struct safe2_run *run, struct report *why);
    int operand_count;
} commands[] = {
    {"get", "", "fetches the configuration through the SIM", safe2_get_command, 0},
    {"send", " FILE|-", "sends telemetry (1 to 255 bytes) through the SIM", safe2_send_command, 1},
    {"status", "", "state and result code of both jobs", safe2_status_command, 0},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static enum outcome take_own(void *arg, const struct option_row *row, const char *value,
                             struct report *why);

static const struct options options = {.program = "safe2",
                                       .without = no_options,
                                       .own = own_options,
                                       .own_count = OWN_OPTIONS,
                                       .take = take_own};

static void help(void)
{
    printf("safe2: configuration and telemetry through the SIM's own TLS connection\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("safe2 %s [options]%s\n    %s\n", commands[i].name, commands[i].operands,
               commands[i].purpose);
    printf("\n");
    for (size_t i = 0; i < OWN_OPTIONS; i++)
        options_print_own(&own_options[i]);
    printf("    and");
    options_print_settings(&options);
    printf(" with a value, as simkey\n\nSeconds may have a fraction. Exit status: 0 done, 1 usage, "
           "2 modem or SIM not reachable,\n3 no SAFE2 applet, 4 refused or failed, 5 time-out, 6 "
           "PIN1 missing or blocked.\n");
}

static enum outcome take_seconds(const char *name, const char *text, double least, int64_t *ms,
                                 struct report *why)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= least && seconds <= SECONDS_MAX))
        return report_set(why, OUTCOME_USAGE, "--%s takes %g to %d seconds, not \"%.40s\"", name,
                          least, SECONDS_MAX, text);
    *ms = (int64_t)(seconds * 1000);
    return OUTCOME_OK;
}

static enum outcome take_own(void *arg, const struct option_row *row, const char *value,
                             struct report *why)
{
    struct safe2_line *line = arg;
    char *end;
    unsigned long number;

    switch ((enum own_option)row->id) {
    case OWN_DEVICE_ID:
        line->id_length = hex_decode(value, line->id, sizeof line->id);
        if (line->id_length == 0)
            return report_set(why, OUTCOME_USAGE, "--device-id is hex of 1 to %d bytes",
                              SAFE2_ID_MAX);
        return OUTCOME_OK;
    case OWN_TIMEOUT:
        return take_seconds("timeout", value, 1, &line->timeout_ms, why);
    case OWN_INTERVAL:
        return take_seconds("interval", value, 0.1, &line->interval_ms, why);
    case OWN_RETRY_DELAY:
        return take_seconds("retry-delay", value, 0, &line->retry_delay_ms, why);
    case OWN_REGISTRATION:
        return take_seconds("registration", value, 0, &line->registration_ms, why);
    case OWN_RETRIES:
        number = strtoul(value, &end, 10);
        if (value[0] < '0' || value[0] > '9' || *end != '\0' || number > 1000)
            return report_set(why, OUTCOME_USAGE, "--retries takes a number from 0 to 1000");
        line->retries = (unsigned)number;
        return OUTCOME_OK;
    case OWN_MODEM:
        line->modem = value;
        return OUTCOME_OK;
    case OWN_OUT:
        line->out = value;
        return OUTCOME_OK;
    case OWN_EXEC:
        line->exec = value;
        return OUTCOME_OK;
    case OWN_HELP:
    case OWN_VERSION:
        break;
    }
    return OUTCOME_OK;
}

/* The settings from file and environment, then the options over them. given: those that are
 * settings, NULL where not given. */
static enum outcome gather(struct safe2_line *line, const char *const given[SETTINGS_COUNT],
                           struct report *why)
{
    const char *device = given[settings_index("device")];
    const struct settings *modem;
    struct modems modems;
    enum outcome outcome;

    if (line->modem != NULL && device != NULL)
        return report_set(why, OUTCOME_USAGE,
                          "--modem and --device both name a modem: give one of them");
    modems_init(&modems);
    outcome = modems_load_file(&modems, NULL, why);
    if (outcome == OUTCOME_OK)
        outcome = settings_load_environment(&modems.first, why);
    if (outcome == OUTCOME_OK && device != NULL)
        outcome = settings_set(&modems.first, "device", device, why);
    if (outcome == OUTCOME_OK)
        outcome = modems_complete(&modems, why);
    if (outcome == OUTCOME_OK)
        outcome = modems_named(&modems, line->modem, &modem, why);
    if (outcome == OUTCOME_OK)
        outcome = settings_copy(&line->settings, modem, why);
    modems_clear(&modems);
    for (size_t i = 0; i < SETTINGS_COUNT && outcome == OUTCOME_OK; i++)
        if (given[i] != NULL)
            outcome = settings_set(&line->settings, settings_name(i), given[i], why);
    return outcome;
}

static enum outcome parse(struct safe2_line *line, int argc, char **argv, struct report *why)
{
    const char *given[SETTINGS_COUNT] = {NULL};
    int first = argc;
    enum outcome outcome = options_parse(&options, argc, argv, given, line, &first, why);

    line->operands = argv + first;
    line->operand_count = argc - first;
    if (outcome == OUTCOME_OK)
        outcome = gather(line, given, why);
    if (outcome == OUTCOME_OK && line->exec != NULL && line->out == NULL)
        outcome = report_set(why, OUTCOME_USAGE, "--exec needs --out: the command gets its path");
    line->settings.timeout = line->timeout_ms < OPERATION_TIMEOUT * 1000
                                 ? (unsigned)((line->timeout_ms + 999) / 1000)
                                 : OPERATION_TIMEOUT;
    return outcome;
}

static enum outcome work(const struct command *command, struct safe2_line *line, struct report *why)
{
    struct safe2_run run = {.line = line, .terminal = isatty(STDERR_FILENO) != 0};
    enum outcome outcome = sim_new(&run.sim, &line->settings, why);
    int lock = -1;

    if (outcome != OUTCOME_OK)
        return outcome;
    /* they are waited for between the operations, so that the channel is always closed */
    safe2_hold_signals(true);
    if (command->run != safe2_status_command)
        lock = job_lock_take(&line->settings, &run.other);
    else
        run.other = job_lock_seen(&line->settings);
    outcome = command->run(&run, why);
    job_lock_release(&line->settings, lock);
    sim_free(run.sim);
    if (run.terminal)
        (void)fputs("\r\033[K", stderr);
    if (run.caught != 0) {
        (void)signal(run.caught, SIG_DFL);
        (void)raise(run.caught);
    }
    safe2_hold_signals(false);
    return outcome;
}

static bool wants(int argc, char **argv, const char *option)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], option) == 0)
            return true;
    return false;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Takes the arguments behind the sub-command's name, and runs it. */
static enum outcome run(const struct command *command, int argc, char **argv, struct report *why)
{
    struct safe2_line line = {.timeout_ms = JOB_TIMEOUT_MS,
                              .interval_ms = INTERVAL_MS,
                              .retry_delay_ms = RETRY_DELAY_MS,
                              .registration_ms = -1};
    enum outcome outcome;

    settings_init(&line.settings);
    outcome = parse(&line, argc, argv, why);
    if (line.registration_ms < 0)
        line.registration_ms =
            line.timeout_ms < REGISTRATION_MS ? line.timeout_ms : REGISTRATION_MS;
    if (outcome == OUTCOME_OK && line.operand_count != command->operand_count)
        outcome = report_set(why, OUTCOME_USAGE, "usage: safe2 %s [options]%s", command->name,
                             command->operands);
    if (outcome == OUTCOME_OK)
        outcome = work(command, &line, why);
    settings_clear(&line.settings);
    return outcome;
}

int main(int argc, char **argv)
{
    const struct command *command = argc >= 2 ? find(argv[1]) : NULL;
    struct report why = REPORT_INIT;
    enum outcome outcome;

    descriptor_fill();
    (void)signal(SIGXFSZ, SIG_IGN); /* a result that is too long for a limit is an error */
    if (wants(argc, argv, "--help")) {
        help();
        return 0;
    }
    if (wants(argc, argv, "--version")) {
        printf("safe2 %s\n", SIMKEY_VERSION);
        return 0;
    }
    if (command == NULL)
        outcome = report_set(&why, OUTCOME_USAGE,
                             "the first argument is get, send or status: see safe2 --help");
    else
        outcome = run(command, argc - 1, argv + 1, &why);
    if (outcome == OUTCOME_OK && (fflush(stdout) != 0 || ferror(stdout) != 0))
        outcome = report_set(&why, OUTCOME_SYSTEM, "cannot write to standard output");
    if (outcome != OUTCOME_OK)
        text_line(stderr, "safe2: %s", why.text);
    return outcome_exit_status(outcome);
}
