/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of interface.md's table, whatever they come from. Precedence is the order of the
 * calls: a later one overrides an earlier one, so callers go from the default over the file,
 * openssl.cnf and the environment to the URI and the command line. */
#ifndef SIMKEY_APDU_SETTINGS_H
#define SIMKEY_APDU_SETTINGS_H

#include "apdu/key.h"
#include "modem/channel.h"
#include "modem/outcome.h"
#include "modem/trace.h"

#include <stdbool.h>
#include <stddef.h>

enum log_target { LOG_TO_NOWHERE, LOG_TO_STDERR, LOG_TO_SYSLOG };
enum session_manner { SESSION_SHARED, SESSION_KEEP, SESSION_PRIVATE };

struct settings {
    char *device;             /* NULL: none */
    unsigned baud;            /* bits per second */
    unsigned slot;            /* of the SIM, from 1, in a modem with several */
    enum carrier carrier;     /* auto, csim, ccho */
    enum token_applet applet; /* auto, mias, iotsafe */
    uint8_t aid[16];          /* of IoT SAFE's applet, where it is none of the known ones */
    size_t aid_length;        /* 0: not given, else 5 to 16 */
    char *pin_source;         /* path of the file whose first line is the applet's PIN, or NULL */
    char *pin;                /* the applet's PIN itself, or NULL; at most one of the two is set */
    char *sim_pin_source;     /* path of the file with the UICC's PIN1, or NULL */
    unsigned timeout;         /* seconds that one operation may take */
    enum session_manner session;
    char *run_dir; /* NULL: the default */
    struct trace trace;
    char *trace_path; /* what trace.path points to */
    enum log_target
        log; /* the provider's own sentence for each failure; of the first modem's counts */
};

/* How many there are. */
#define SETTINGS_COUNT 14

/* The defaults: 115200 baud, slot 1, auto, auto, 30 s, shared, no trace, no log. */
void settings_init(struct settings *settings);

/* Sets one by its name in openssl.cnf ("device", "pin-source", ...); underscores may stand for
 * hyphens. An empty value takes it back. pin and pin-source override each other. Errors:
 * OUTCOME_USAGE for an unknown name or a bad value, saying what is allowed (never repeating a PIN),
 * OUTCOME_SYSTEM. */
enum outcome settings_set(struct settings *settings, const char *name, const char *value,
                          struct report *why);

/* The names, one after the other; NULL behind the last one. */
const char *settings_name(size_t index);

/* The index of a name, where underscores may stand for hyphens; SETTINGS_COUNT if there is no such
 * setting. */
size_t settings_index(const char *name);

/* True if there is a setting of this name. */
bool settings_known(const char *name);

/* Reads the top part of a settings file, see modems_load_file in apdu/modems.h: for callers that want
 * no further modem. */
enum outcome settings_load_file(struct settings *settings, const char *path, struct report *why);

/* Reads SIMKEY_DEVICE and its like by secure_getenv. */
enum outcome settings_load_environment(struct settings *settings, struct report *why);

/* Makes a copy that owns its strings. */
enum outcome settings_copy(struct settings *to, const struct settings *from, struct report *why);

/* Takes over timeout, session, run-dir and trace, but those whose bit (1 << settings_index) is in
 * set: how a process works with its SIMs is the same for all of them. What belongs to one modem is
 * never taken over: the device and how to talk to it, and every PIN. Errors: OUTCOME_SYSTEM. */
enum outcome settings_inherit(struct settings *to, const struct settings *from, unsigned set,
                              struct report *why);

/* True if both name the same device, after symbolic links of paths that begin with a slash. NULL is
 * the same as nothing. */
bool settings_same_device(const char *a, const char *b);

/* True for the device `agent` or `agent:/path`: simkey-agent does what is asked. *path, if path is not
 * NULL, is its socket, or NULL where the device names none. */
bool settings_agent(const char *device, const char **path);

/* For sentences: where that can be done which the agent does not give. */
#define SETTINGS_ELSEWHERE                                                                         \
    "it can be done where the modem is, as root or as a user who may open its port: give "         \
    "--device "                                                                                    \
    "and --pin-source"

/* True if both lead to the same SIM in the same way with the same PIN. */
bool settings_equal(const struct settings *a, const struct settings *b);

/* Frees what it holds, cleanses the PIN, and leaves the defaults. */
void settings_clear(struct settings *settings);

#endif
