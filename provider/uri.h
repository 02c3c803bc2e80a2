/* SPDX-License-Identifier: Apache-2.0 */
/* `sim:` URIs: sim:WHAT;attribute=value...?setting=value&..., percent-encoding as in RFC 7512.
 *
 * WHAT is `signing` (Type B: the key stays in the SIM) or `available` (Type A: blobs read from the
 * SIM).
 *
 * | attribute | value                    | for       |
 * |-----------|--------------------------|-----------|
 * | container | 0 to 14, default 0       | signing   |
 * | key-id    | one or two hex digits    | signing   |
 * | store     | objects, files           | available |
 * | type      | cert, private, public    | both      |
 * | iccid     | 10 to 20 digits          | both      |
 *
 * Settings are those of apdu/settings.h but `pin`. No provider context is needed here: the simkey
 * tool shares this. */
#ifndef SIMKEY_PROVIDER_URI_H
#define SIMKEY_PROVIDER_URI_H

#include "apdu/settings.h"
#include "apdu/token.h"
#include "apdu/typea.h"
#include "modem/outcome.h"

#include <stddef.h>

enum uri_what { URI_SIGNING, URI_AVAILABLE };
enum uri_type { URI_ANY, URI_CERT, URI_PRIVATE, URI_PUBLIC };

#define URI_SETTINGS SETTINGS_COUNT /* none may come twice */

struct uri_setting {
    char *name;
    char *value; /* decoded */
};

struct uri {
    enum uri_what what;
    enum uri_type type;
    enum typea_store store;
    int container;          /* 0 unless given */
    int key_id;             /* TOKEN_KEY_ID_NONE unless given */
    char iccid[ICCID_SIZE]; /* "" unless given */
    struct uri_setting settings[URI_SETTINGS];
    size_t setting_count;
};

/* sim:signing, container 0, nothing else. */
void uri_init(struct uri *uri);

/* Parses; *uri need not be initialised and must be cleared only after success. Errors:
 * OUTCOME_USAGE, saying which part is wrong and what is allowed; OUTCOME_SYSTEM. */
enum outcome uri_parse(struct uri *uri, const char *text, struct report *why);

/* Adds a setting, as if it had stood in the URI. Errors: OUTCOME_USAGE (unknown, double, `pin`),
 * OUTCOME_SYSTEM. */
enum outcome uri_add_setting(struct uri *uri, const char *name, const char *value,
                             struct report *why);

/* Sets the URI's settings over those that are there. Errors: OUTCOME_USAGE (bad value),
 * OUTCOME_SYSTEM. */
enum outcome uri_apply(const struct uri *uri, struct settings *settings, struct report *why);

/* The URI as text, container always said for signing. *text is malloc'd, the caller frees it.
 * Errors: OUTCOME_SYSTEM. */
enum outcome uri_format(const struct uri *uri, char **text, struct report *why);

/* Frees what it holds. */
void uri_clear(struct uri *uri);

#endif
