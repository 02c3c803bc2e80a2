/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the user names to be read: inventories, CAs, CRLs. They may be anybody's work. */
#ifndef SIMKEY_PROVIDER_TOOL_INPUT_H
#define SIMKEY_PROVIDER_TOOL_INPUT_H

#include "modem/outcome.h"

#include <stddef.h>

/* Reads a file whole, `most` bytes at most (a multiple of 1 MiB). A NUL follows the *length bytes.
 * *data is malloc'd, the caller frees it; NULL after an error. A FIFO, a device or a socket is not
 * opened, for it could keep us waiting or do something by being opened; what programs write comes in
 * by the names of descriptors: /dev/stdin, /dev/fd/N, /proc/self/fd/N (<(...) of the shell). Errors:
 * OUTCOME_USAGE (it cannot be read, is too large or no file), OUTCOME_SYSTEM (no memory). */
enum outcome input_read(const char *path, size_t most, char **data, size_t *length,
                        struct report *why);

#endif
