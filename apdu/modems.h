/* SPDX-License-Identifier: Apache-2.0 */
/* The modems that are configured: the first one, which has no name and which openssl.cnf, the
 * environment and the command line describe too, and a further one for each section of the settings
 * file. A PIN belongs to one of them and never goes to another. */
#ifndef SIMKEY_APDU_MODEMS_H
#define SIMKEY_APDU_MODEMS_H

#include "apdu/settings.h"
#include "modem/outcome.h"

#include <stddef.h>

#define MODEM_NAME_SIZE 32 /* with its NUL: letters, digits, '.', '_' and '-' */
#define MODEMS_FURTHER  31
#define MODEMS_ALL      (MODEMS_FURTHER + 1)

/* The settings file is not read beyond this. */
#define SETTINGS_FILE_MAX 65536

/* The file that is read where SIMKEY_CONF names none. */
#define SETTINGS_FILE "/etc/simkey/simkey.conf"

struct further_modem {
    char name[MODEM_NAME_SIZE];
    unsigned line; /* of its section in the file */
    unsigned set;  /* a bit (1 << settings_index) for each setting that the section has */
    struct settings settings;
};

struct modems {
    struct settings first;
    struct further_modem further[MODEMS_FURTHER];
    size_t count; /* of further ones */
};

/* One modem with the default settings, without a device. */
void modems_init(struct modems *modems);

/* Reads `name = value` lines ('#' starts a comment), first those of the first modem, then a section
 * `[name]` for each further one. path NULL: the file named by SIMKEY_CONF, which must exist then, or
 * SETTINGS_FILE, which need not. Never waits: only a regular file is read (/dev/null counts as an
 * empty one), of at most SETTINGS_FILE_MAX bytes, and only one that no user but root and the
 * effective user can write, because it names devices and PIN files. Errors: OUTCOME_USAGE with file
 * and line; OUTCOME_SYSTEM where memory or descriptors are out, so that the next try may succeed. */
enum outcome modems_load_file(struct modems *modems, const char *path, struct report *why);

/* The same in two steps, for a program whose file has lines of its own: the text as it is in the file
 * (malloc'd, with a NUL, *length bytes before it; the caller cleanses and frees it), and what it says.
 * modems_take_text changes the text; path is for sentences. */
enum outcome modems_read_text(const char *path, char **text, size_t *length, struct report *why);
enum outcome modems_take_text(struct modems *modems, const char *path, char *text, size_t length,
                              struct report *why);

/* To be called when the first modem has got all that openssl.cnf and environment say: the further
 * ones inherit what settings_inherit names. Errors: OUTCOME_USAGE if the first one's device is that
 * of a section, since it would get the first one's PIN; OUTCOME_SYSTEM. */
enum outcome modems_complete(struct modems *modems, struct report *why);

/* The settings of the modem of that name; NULL: of the first one. Errors: OUTCOME_USAGE, naming those
 * that there are. *settings is valid as long as modems. */
enum outcome modems_named(const struct modems *modems, const char *name,
                          const struct settings **settings, struct report *why);

/* The settings of the modem with that device, after symbolic links; NULL if none has it. */
const struct settings *modems_with_device(const struct modems *modems, const char *device);

/* True if text may be the name of a modem. */
bool modems_name_valid(const char *text);

/* Frees what it holds, cleanses PINs, and leaves one modem with the default settings. */
void modems_clear(struct modems *modems);

#endif
