/* SPDX-License-Identifier: Apache-2.0 */
/* Result files of the commands: whole or not at all. */
#ifndef SIMKEY_APDU_OUTFILE_H
#define SIMKEY_APDU_OUTFILE_H

#include "modem/outcome.h"

#include <stdbool.h>
#include <stddef.h>

/* Replaces the file by a new one with this content: whoever reads it sees the old or the new one. A
 * new file gets the mode; one that is there keeps its own if keep_mode. What is no regular file (a
 * pipe, a terminal) is written to. Errors: OUTCOME_SYSTEM, OUTCOME_USAGE (no file can be made there);
 * the old file is untouched then. */
enum outcome outfile_write(const char *path, const void *data, size_t length, unsigned mode,
                           bool keep_mode, struct report *why);

#endif
