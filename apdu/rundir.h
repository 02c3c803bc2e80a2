/* SPDX-License-Identifier: Apache-2.0 */
/* The run-dir: where processes that share a SIM leave hints for each other. Nothing in it is trusted
 * further than that: files are opened without following links, in a directory that only root, we
 * and our group can write, and all works without it. */
#ifndef SIMKEY_APDU_RUNDIR_H
#define SIMKEY_APDU_RUNDIR_H

#include "apdu/settings.h"

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens the directory: the setting `run-dir`, else /run/simkey (made by root, 2770, for the
 * device's group), else one of this user. -1 if there is none that can be used. */
int rundir_open(const struct settings *settings);

/* The name of a device's file: "dev-ttyUSB2" by its real name, then a dot and the suffix. */
void rundir_name(const struct settings *settings, const char *suffix, char name[NAME_MAX]);

/* Opens a regular file of the directory that only root, we or our group can have made; mode 0660
 * whatever the umask says. flags: O_CREAT, O_APPEND or 0, always for reading and writing. -1 if
 * that cannot be. */
int rundir_file(int directory, const char *name, int flags);

/* The same by the suffix of this device's file. */
int rundir_device_file(const struct settings *settings, const char *suffix, int flags);

/* When a process started, in clock ticks since boot: a pid alone may be somebody else's by now. 0
 * if there is no such process (or only a zombie is left of it). */
uint64_t rundir_process_start(pid_t pid);

#endif
