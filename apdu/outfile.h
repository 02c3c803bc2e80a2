/* SPDX-License-Identifier: Apache-2.0 */
/* Result files of the commands: whole or not at all. */
#ifndef SIMKEY_APDU_OUTFILE_H
#define SIMKEY_APDU_OUTFILE_H

#include "modem/outcome.h"

#include <stdbool.h>
#include <stddef.h>

/* Replaces the file by a new one with this content: whoever reads it sees the old or the new one. A
 * new file gets the mode; one that is there keeps its own if keep_mode, unless another user can have
 * put it there. A link on the way is followed only if it belongs to root or this user and is in a
 * folder that no other user can write (see modem/place.h). What is not a regular file (a pipe, a terminal)
 * is written to, if it is not another user's; a descriptor of this process (/dev/stdout, /dev/fd/N)
 * too, from its present position. A pipe without a reader is waited for, 30000 ms at most. Nothing is
 * written beyond RLIMIT_FSIZE. Errors: OUTCOME_SYSTEM, OUTCOME_USAGE (no file can be made there, or
 * it is another user's link, pipe or device); the old file is untouched then. */
enum outcome outfile_write(const char *path, const void *data, size_t length, unsigned mode,
                           bool keep_mode, struct report *why);

/* Whether such a file could be written now: for what must not be done in vain. A file of this length is
 * made beside the place, and removed again; what is not a regular file is only looked at. Errors: as
 * those of outfile_write(). */
enum outcome outfile_try(const char *path, size_t length, struct report *why);

/* The same, as far as it can be known without writing anything: for what is done often. Errors:
 * OUTCOME_USAGE. */
enum outcome outfile_check(const char *path, struct report *why);

#endif
