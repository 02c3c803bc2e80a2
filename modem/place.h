/* SPDX-License-Identifier: Apache-2.0 */
/* Where a path leads that was named for writing: a folder, as an open descriptor, and a name in
 * it. Symbolic links are followed one by one, and only those that no user but root and this one can
 * have put there; so a link that waits in /tmp leads nowhere, whatever fs.protected_symlinks says. */
#ifndef SIMKEY_MODEM_PLACE_H
#define SIMKEY_MODEM_PLACE_H

#include "modem/outcome.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct place {
    int folder;              /* -1 if the path is a descriptor's */
    char name[NAME_MAX + 1]; /* in the folder; no link */
    bool guarded;            /* no user but root and this one can change the folder */
    bool exists;
    struct stat file; /* if it exists */
    int descriptor;   /* of this process, which the path names (/dev/stdout, /dev/fd/3), else -1 */
};

/* Finds it. A link is followed if it belongs to root or the effective user, in a folder that belongs
 * to one of them and that no other user can write. The file itself need not exist; it is never opened.
 * Errors: OUTCOME_USAGE with a sentence (no such folder, a folder itself, a link of another user).
 * The caller ends it by place_close, also after an error. */
enum outcome place_find(struct place *place, const char *path, struct report *why);

/* True if another user can have made this file, or have given it another name. */
bool place_foreign(const struct place *place, const struct stat *file);

void place_close(struct place *place);

#endif
