/* SPDX-License-Identifier: Apache-2.0 */
/* `sim:` URIs: sim:WHAT;attribute=value...?setting=value&..., percent-encoding as in RFC 7512.
 *
 * WHAT is `signing` (the key stays in the SIM: Type B, IoT SAFE), `available` (Type A: blobs read from
 * the SIM) or `trust` (the CA certificates in the SIM).
 *
 * | attribute | value                    | for            |
 * |-----------|--------------------------|----------------|
 * | container | 0 to 14                  | signing        |
 * | key-id    | one or two hex digits    | signing        |
 * | id        | 1 to 20 bytes (%01%02)   | signing        |
 * | object    | 1 to 60 bytes of label   | signing        |
 * | applet    | mias, iotsafe            | signing, trust |
 * | store     | objects, files           | available      |
 * | type      | cert, private, public    | all            |
 * | iccid     | 10 to 20 digits          | all            |
 * | modem     | a section's name         | all            |
 *
 * A key has one name: container with key-id (mIAS; container is 0 where only key-id is given), id, or
 * object. Without any it is the first one of the SIM's applet, which is mIAS where the SIM has both.
 *
 * A URI is data that is not trusted, so it names no file, no PIN and no device of
 * its own. Its settings are
 *
 * | setting   | value                                                                          |
 * |-----------|--------------------------------------------------------------------------------|
 * | device    | that of a configured modem, also by a link to it: a way to name that modem     |
 * | timeout   | 1 to URI_TIMEOUT_MAX seconds, more only where that much is configured          |
 * | transport | auto, csim, ccho                                                               |
 * | applet    | auto, mias, iotsafe                                                            |
 * | aid       | of IoT SAFE's applet, hex                                                      |
 * | session   | the configured one or one that leaves less open: keep, then shared, then private |
 *
 * No provider context is needed here: the simkey tool shares this. */
#ifndef SIMKEY_PROVIDER_URI_H
#define SIMKEY_PROVIDER_URI_H

#include "apdu/key.h"
#include "apdu/modems.h"
#include "apdu/settings.h"
#include "apdu/typea.h"
#include "modem/outcome.h"

#include <stdbool.h>
#include <stddef.h>

enum uri_what { URI_SIGNING, URI_AVAILABLE, URI_TRUST };
enum uri_type { URI_ANY, URI_CERT, URI_PRIVATE, URI_PUBLIC };

#define URI_SETTINGS    6 /* none may come twice */
#define URI_TIMEOUT_MAX 300

struct uri_setting {
    char *name;
    char *value; /* decoded */
};

struct uri {
    enum uri_what what;
    enum uri_type type;
    enum typea_store store;
    struct token_name key;       /* key-id is its id where a container is given; with the applet */
    char iccid[ICCID_SIZE];      /* "" unless given */
    char modem[MODEM_NAME_SIZE]; /* "" unless given */
    struct uri_setting settings[URI_SETTINGS];
    size_t setting_count;
};

/* sim:signing, nothing else. */
void uri_init(struct uri *uri);

/* Parses; *uri need not be initialised and must be cleared only after success. Errors:
 * OUTCOME_USAGE, saying which part is wrong and what is allowed; OUTCOME_SYSTEM. */
enum outcome uri_parse(struct uri *uri, const char *text, struct report *why);

/* The same for the URI in a key reference, whose settings are ignored: *words gets a bit (1 <<
 * settings_index) for each that stands there. */
enum outcome uri_parse_key(struct uri *uri, const char *text, unsigned *words, struct report *why);

/* uri_apply.c: the configured modems that a URI can mean. By `modem` or `device` it is that one; by
 * an ICCID each one that has a device, in their order; else the first one. iccid: the SIM that is
 * wanted, "" if any will do. list has room for MODEMS_ALL and is valid as long as modems. Errors:
 * OUTCOME_USAGE: no such modem, or `device` is none of theirs. */
enum outcome uri_modems(const struct uri *uri, const char *iccid, const struct modems *modems,
                        const struct settings *list[], size_t *count, struct report *why);

/* uri_apply.c: sets the URI's settings over those of the modem that it means. Errors: OUTCOME_USAGE
 * (bad value, or more than a URI may), OUTCOME_SYSTEM. */
enum outcome uri_apply(const struct uri *uri, struct settings *settings, struct report *why);

/* The URI as text. *text is malloc'd, the caller frees it.
 * Errors: OUTCOME_SYSTEM. */
enum outcome uri_format(const struct uri *uri, char **text, struct report *why);

/* The words of the enums, in their order; "" where none is written. */
extern const char *const uri_what_words[3],
    *const uri_type_words[4], *const uri_store_words[3], *const uri_applet_words[TOKEN_APPLETS];

/* Whether it names one key for good: a container with its key id, an id, or a label. */
bool uri_names_key(const struct uri *uri);

/* Frees what it holds. */
void uri_clear(struct uri *uri);

#endif
