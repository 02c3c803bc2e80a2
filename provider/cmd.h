/* SPDX-License-Identifier: Apache-2.0 */
/* The simkey tool: what its sub-commands share. */
#ifndef SIMKEY_PROVIDER_CMD_H
#define SIMKEY_PROVIDER_CMD_H

#include "apdu/settings.h"
#include "apdu/sim.h"
#include "apdu/token.h"
#include "apdu/version.h"
#include "provider/uri.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/* Options of single sub-commands, beside those that all have. */
enum command_option {
    OPTION_OUT = 1 << 0,
    OPTION_DER = 1 << 1,
    OPTION_JSON = 1 << 2,
    OPTION_WITH_DEVICE = 1 << 3,
    OPTION_SPEND_LAST_TRY = 1 << 4,
    OPTION_AID = 1 << 5,
    OPTION_FORCE = 1 << 6,
};

/* The command line, taken apart. */
struct command_line {
    unsigned given;  /* enum command_option */
    const char *out; /* --out */
    const char *aid; /* --aid */
    char **operands; /* what is no option, behind the name of the sub-command */
    int operand_count;
    struct uri uri; /* of the commands that take signing, available or a whole sim: URI */
    bool has_uri;
    struct settings settings;
};

struct command {
    const char *name;
    const char *operands; /* for the usage */
    const char *purpose;
    unsigned options; /* enum command_option: those it takes */
    bool takes_uri;   /* the first operand is signing, available or a sim: URI */
    enum outcome (*run)(const struct command_line *line, struct sim *sim, struct report *why);
};

enum outcome cmd_info(const struct command_line *line, struct sim *sim, struct report *why);
enum outcome cmd_cert(const struct command_line *line, struct sim *sim, struct report *why);
enum outcome cmd_key(const struct command_line *line, struct sim *sim, struct report *why);
enum outcome cmd_pin(const struct command_line *line, struct sim *sim, struct report *why);
enum outcome cmd_apdu(const struct command_line *line, struct sim *sim, struct report *why);

/* Parses argv behind the sub-command's name and gathers the settings from file, openssl.cnf,
 * environment, URI and command line. The caller clears it with command_line_clear, also after an
 * error. Errors: OUTCOME_USAGE, OUTCOME_SYSTEM. */
enum outcome command_line_parse(const struct command *command, int argc, char **argv,
                                struct command_line *line, struct report *why);
void command_line_clear(struct command_line *line);

/* Prints the help of one command, or of all (count commands). */
void command_help(const struct command *commands, size_t count);

/* Writes to --out (whole or not at all; mode as given, for a new file) or to stdout. Errors:
 * OUTCOME_SYSTEM. */
enum outcome output_write(const struct command_line *line, BIO *content, unsigned mode,
                          struct report *why);

/* What a container holds, as objects. */
struct signing_key {
    struct token_container info;
    struct token_key key;
    X509 *certificate;
    EVP_PKEY *public_key;
};

/* Reads the container that the URI names. key_id: from the URI or by the rule. Free with
 * signing_key_clear. */
enum outcome signing_key_read(struct sim *sim, const struct uri *uri, struct signing_key *signing,
                              struct report *why);
void signing_key_clear(struct signing_key *signing);

#endif
