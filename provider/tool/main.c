/* SPDX-License-Identifier: Apache-2.0 */
/* simkey: the table of sub-commands, progress on a terminal, exit status. */
#include "modem/descriptor.h"
#include "modem/text.h"
#include "provider/tool/tool.h"

#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* The sub-commands, in the order of the help: command_NAME is in the file of its name. */
#define COMMAND_LIST(ROW)                                                                          \
    ROW(info)                                                                                      \
    ROW(devices)                                                                                   \
    ROW(cert)                                                                                      \
    ROW(key)                                                                                       \
    ROW(generate)                                                                                  \
    ROW(verify)                                                                                    \
    ROW(inventory)                                                                                 \
    ROW(pin)                                                                                       \
    ROW(close)                                                                                     \
    ROW(apdu)                                                                                      \
    ROW(doctor)

#define ROW(name) extern const struct command command_##name;
COMMAND_LIST(ROW)
#undef ROW

static const struct command *const commands[] = {
#define ROW(name) &command_##name,
    COMMAND_LIST(ROW)
#undef ROW
};
#define COMMANDS (sizeof commands / sizeof commands[0])

/* A dot a second on a terminal: the user sees that something goes on. */
static void show_dot(int signal_number)
{
    ssize_t ignored = write(STDERR_FILENO, ".", 1);

    (void)signal_number;
    (void)ignored;
}

static void progress(bool on)
{
    const struct itimerval every = {{on ? 1 : 0, 0}, {on ? 1 : 0, 0}};
    struct sigaction action;

    if (!isatty(STDERR_FILENO))
        return;
    memset(&action, 0, sizeof action);
    action.sa_handler = show_dot;
    action.sa_flags = SA_RESTART;
    (void)sigaction(SIGALRM, &action, NULL);
    (void)setitimer(ITIMER_REAL, &every, NULL);
    if (!on)
        terminal_make_room();
}

static enum outcome run(const struct command *command, int argc, char **argv, struct report *why)
{
    struct command_line line;
    struct sim *sim = NULL;
    enum outcome outcome;

    progress(true);
    outcome = command_line_parse(command, argc, argv, &line, why);
    if (outcome == OUTCOME_OK && !command->without_sim && line.rewrite == NULL)
        outcome = sim_new(&sim, &line.settings, why);
    if (outcome == OUTCOME_OK)
        outcome = command->run(&line, sim, why);
    sim_free(sim);
    progress(false);
    command_line_clear(&line);
    if (outcome == OUTCOME_OK && (fflush(stdout) != 0 || ferror(stdout)))
        outcome = report_set(why, OUTCOME_SYSTEM, "cannot write to standard output");
    return outcome;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* OpenSSL's too: what a program can do with the SIM's key depends on it. */
static void tell_version(void)
{
    const char *built = OPENSSL_VERSION_TEXT, *runs = OpenSSL_version(OPENSSL_VERSION);

    printf("simkey %s\n%s", SIMKEY_VERSION, runs);
    if (strcmp(built, runs) != 0)
        printf(" (built with %s)", built);
    printf("\n");
}

int main(int argc, char **argv)
{
    const struct command *command;
    struct report why = REPORT_INIT;
    enum outcome outcome;

    descriptor_fill();
    (void)signal(SIGXFSZ, SIG_IGN); /* a result that is too long for a limit is an error */
    /* openssl.cnf is for programs: what it activates is not needed here, and might be in the way */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        tell_version();
        return 0;
    }
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        command_help(commands, COMMANDS);
        return 0;
    }
    command = argc >= 2 ? find(argv[1]) : NULL;
    if (command == NULL) {
        if (argc >= 2)
            text_line(stderr, "simkey: there is no command \"%s\": see simkey --help", argv[1]);
        else
            (void)fprintf(stderr, "simkey: a command is missing: see simkey --help\n");
        return outcome_exit_status(OUTCOME_USAGE);
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            command_help(&command, 1);
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            tell_version();
            return 0;
        }
    }
    outcome = run(command, argc - 1, argv + 1, &why);
    if (outcome != OUTCOME_OK)
        text_line(stderr, "simkey: %s", why.text);
    return outcome_exit_status(outcome);
}
