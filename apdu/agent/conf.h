/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's configuration: settings as everywhere, and lines of its own. The parent reads the file and
 * hands what it says to its children in a sealed piece of memory, so that they all work by the same
 * words until the next SIGHUP. */
#ifndef SIMKEY_APDU_AGENT_CONF_H
#define SIMKEY_APDU_AGENT_CONF_H

#include "apdu/agent/rules.h"
#include "apdu/modems.h"
#include "modem/outcome.h"

#define CONFIG_FILE        "/etc/simkey/agent.conf"
#define CONFIG_PATH_SIZE   256
#define CONFIG_TEXT_MAX    (SETTINGS_FILE_MAX + 1)
#define CONFIG_CONNECTIONS 32 /* at once, of one user */
#define CONFIG_REQUESTS    50 /* a second, of one user */
#define CONFIG_IDLE        60 /* seconds */

/* The agent's own settings. Those of the modems are kept as text, which each process parses (conf_modems). */
struct conf {
    unsigned idle, connections, requests;
    char path[CONFIG_PATH_SIZE];    /* of the file, for sentences */
    char run_dir[CONFIG_PATH_SIZE]; /* where the settings name none */
    size_t length;                  /* of the text */
    struct rules rules;             /* a child gets only the used part of these and of the text */
    char text[CONFIG_TEXT_MAX];     /* the file without the agent's own lines */
};

/* Reads the file. run_dir: the agent's own. Errors: OUTCOME_USAGE with file and line: also for a device
 * that is the agent, for `pin` (each of the agent's processes would try a wrong one anew), and where no
 * modem has a device. */
enum outcome conf_load(struct conf *config, const char *path, const char *run_dir,
                       struct report *why);

/* The modems of it, for modems_clear. Errors: as conf_load. */
enum outcome conf_modems(const struct conf *config, struct modems *modems, struct report *why);

/* The longest time-out of the modems, in ms. */
int64_t conf_timeout(const struct modems *modems);

/* The settings of the modem with that number, 0 is the first; NULL behind the last. *name is "" for the
 * one that has no section. */
const struct settings *conf_modem(const struct modems *modems, size_t number, const char **name);

/* A sealed copy for children: a descriptor, -1 and errno. */
int conf_seal(const struct conf *config);

/* The copy that a child got. False if it is not whole. */
bool conf_receive(int fd, struct conf *config);

#endif
