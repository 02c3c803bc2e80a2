/* SPDX-License-Identifier: Apache-2.0 */
/* The simkey tool: what its sub-commands share. */
#ifndef SIMKEY_PROVIDER_TOOL_TOOL_H
#define SIMKEY_PROVIDER_TOOL_TOOL_H

#include "apdu/modems.h"
#include "apdu/settings.h"
#include "apdu/sim.h"
#include "apdu/token.h"
#include "apdu/version.h"
#include "provider/openssl_conf.h"
#include "provider/signing.h"
#include "provider/uri.h"

#include <openssl/bio.h>
#include <openssl/conf.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/* Options of single sub-commands, beside those that all have. */
enum command_option {
    OPTION_OUT = 1 << 0,
    OPTION_DER = 1 << 1,
    OPTION_JSON = 1 << 2,
    OPTION_REWRITE = 1 << 3,
    OPTION_SPEND_LAST_TRY = 1 << 4,
    OPTION_AID = 1 << 5,
    OPTION_FORCE = 1 << 6,
    OPTION_OLD_SOURCE = 1 << 7,
    OPTION_NEW_SOURCE = 1 << 8,
    OPTION_CAFILE = 1 << 9,
    OPTION_CRL = 1 << 10,
    OPTION_PURPOSE = 1 << 11,
    OPTION_NGINX_MAP = 1 << 12,
    OPTION_MODEM = 1 << 13, /* of all commands */
    OPTION_REPLACE = 1 << 14,
    OPTION_YES = 1 << 15,
    OPTION_VERBOSE = 1 << 16,
    OPTION_MODE = 1 << 17,
    OPTION_WARN = 1 << 18,
    OPTION_REPORT = 1 << 19,
};

/* The command line, taken apart. */
struct command_line {
    unsigned given;      /* enum command_option */
    const char *modem;   /* --modem, NULL: the first one */
    const char *out;     /* --out */
    const char *rewrite; /* --rewrite: a key reference, instead of operands and settings */
    const char *aid;     /* --aid */
    const char *old_source, *new_source;
    const char *ca_file, *crl, *purpose; /* --CAfile, --crl, --purpose */
    const char *mode, *warn, *report;    /* --mode, --warn, --report */
    const char *options[SETTINGS_COUNT]; /* settings on the command line, NULL where not given */
    char **operands; /* what is not an option, behind the name of the sub-command */
    int operand_count;
    struct uri uri; /* of the commands that take signing, available or a whole sim: URI */
    bool has_uri;
    struct settings settings; /* of all sources; the defaults for a command without_sim */
};

/* A sub-command: each file defines its own, and main.c has the list of them. */
struct command {
    const char *name;
    const char *operands; /* for the usage */
    const char *purpose;
    unsigned options; /* enum command_option: those it takes */
    bool takes_uri;   /* the first operand is signing, available or a sim: URI */
    bool without_sim; /* it judges the settings and makes its SIM itself: it gets NULL */
    enum outcome (*run)(const struct command_line *line, struct sim *sim, struct report *why);
};

/* simkey key --rewrite (rewrite.c). */
enum outcome key_rewrite(const char *path, struct report *why);

/* Parses argv behind the sub-command's name and gathers the settings from file, openssl.cnf,
 * environment, URI and command line. The caller clears it with command_line_clear, also after an
 * error. Errors: OUTCOME_USAGE, OUTCOME_SYSTEM. */
enum outcome command_line_parse(const struct command *command, int argc, char **argv,
                                struct command_line *line, struct report *why);
void command_line_clear(struct command_line *line);

/* Gathers the settings for a command without_sim, from all sources: of the modem that --modem or the
 * URI means. Where the URI's ICCID has to choose among several, they are asked. The caller clears
 * them, also after an error. Errors: OUTCOME_USAGE, OUTCOME_SYSTEM, those of choice_ask. */
enum outcome command_line_settings(const struct command_line *line, struct settings *settings,
                                   struct report *why);

/* All modems as they are configured, from all sources but URI and the command line's other settings. The
 * caller has made them by modems_init and clears them. Errors: OUTCOME_USAGE, OUTCOME_SYSTEM. */
enum outcome command_line_modems(const struct command_line *line, struct modems *modems,
                                 struct report *why);

/* Sets what the provider's section of openssl.cnf says. Errors: OUTCOME_USAGE, also for a file that
 * OpenSSL itself would wait for (a FIFO), OUTCOME_SYSTEM. */
enum outcome openssl_conf_settings(struct settings *settings, struct report *why);

/* Prints the help of one command, or of all (count commands). */
void command_help(const struct command *const commands[], size_t count);

/* Whether there is a terminal to ask on. */
bool terminal_there(void);

/* Asks on the process's terminal for a secret, which is not shown. size counts the NUL. A signal
 * that ends or stops the process finds the terminal as it was. The caller cleanses the secret.
 * Errors: OUTCOME_PIN_MISSING (no terminal, nothing or too much entered). */
enum outcome terminal_secret(const char *prompt, char *secret, size_t size, struct report *why);

/* Asks on the process's terminal whether to go on, and wants "yes". Errors: OUTCOME_USAGE (no terminal,
 * another answer). */
enum outcome terminal_confirm(const char *question, struct report *why);

/* Wipes the dots of progress off the line, before output in the middle of the work. */
void terminal_make_room(void);

/* Writes to --out (whole or not at all; mode as given, for a new file) or to stdout. Errors:
 * OUTCOME_SYSTEM. */
enum outcome output_write(const struct command_line *line, BIO *content, unsigned mode,
                          struct report *why);

/* The key reference of a key (cert.c). */
enum outcome key_reference(const struct signing_key *signing, BIO *content, struct report *why);

/* The SIM signs a fresh random challenge, and the signature verifies with the certificate's public
 * key. Errors: those of proof_sign. */
enum outcome signing_key_challenge(struct sim *sim, const struct signing_key *signing,
                                   struct report *why);

/* The Type A certificate, or the private key, that the URI names. The caller frees it. */
enum outcome available_certificate_read(struct sim *sim, const struct uri *uri, X509 **certificate,
                                        struct report *why);
enum outcome available_key_read(struct sim *sim, const struct uri *uri, EVP_PKEY **key,
                                struct report *why);

#endif
