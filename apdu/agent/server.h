/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's parent process: accepts, gives turns, starts and ends children. It reads no byte of a
 * client's and none of a modem's. */
#ifndef SIMKEY_APDU_AGENT_SERVER_H
#define SIMKEY_APDU_AGENT_SERVER_H

#include "modem/outcome.h"

#include <stdbool.h>

/* A listening socket. *handed: systemd gave it (LISTEN_FDS). path: of the socket that is made where it
 * gave none: 0660, group simkey, in a folder that is made 0755 if it is missing. -1 with a report. */
int listen_at(const char *path, bool *handed, struct report *why);

/* Where systemd's socket lies; false if that cannot be told. */
#define LISTEN_PATH_SIZE 109
bool listen_path(int listening, char path[LISTEN_PATH_SIZE]);

/* Serves until SIGTERM or SIGINT. path: the socket's; file: the configuration. Errors: those of the
 * configuration, OUTCOME_SYSTEM. */
enum outcome server_run(int listening, const char *path, const char *file, struct report *why);

#endif
