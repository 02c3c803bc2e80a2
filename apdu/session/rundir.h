/* SPDX-License-Identifier: Apache-2.0 */
/* The run-dir: where processes that share a SIM leave hints for each other. Nothing in it is trusted
 * further than that: files are opened without following links, in a directory that only root, we
 * and our group can write, and all works without it. */
#ifndef SIMKEY_APDU_SESSION_RUNDIR_H
#define SIMKEY_APDU_SESSION_RUNDIR_H

#include "apdu/rundir.h"
#include "apdu/settings.h"

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens a directory for all processes that share the device. Root makes it if it is missing: for the group of
 * the settings' device, mode 2770, or for itself, mode 0700, if that is no device whose group counts;
 * one that root has to itself is given to the group by the first of root's programs that has such a
 * device. -1 and errno if there is none, or it can be written by others. */
int rundir_shared(const char *path, const struct settings *settings);

/* The group whose members may share what concerns a device: that of a modem's port (a serial port, a
 * WWAN or WDM port, by its number or by sysfs) which the group may read and write. False for what is
 * none: a file, a pty, a console, another device, a port of root's group. A device's name may come
 * from anybody, so a file of that name says nothing. */
bool rundir_device_group(const char *device, gid_t *group);

/* The name of a device's file: "dev-ttyUSB2" by its real name, then a dot and the suffix. */
void rundir_name(const struct settings *settings, const char *suffix, char name[NAME_MAX]);

/* Opens a regular file of the directory that only root, we or our group can have made; mode 0660
 * whatever the umask says. flags: O_CREAT, O_APPEND or 0, always for reading and writing. -1 if
 * that cannot be. */
int rundir_file(int directory, const char *name, int flags);

/* The place of one device's files: looked up once for an operation. */
struct rundir_place {
    int directory;       /* -1: there is no directory that can be used */
    char base[NAME_MAX]; /* how the files' names begin, "dev-ttyUSB2." */
};
void rundir_place_open(struct rundir_place *place, const struct settings *settings);
void rundir_place_close(struct rundir_place *place);

/* rundir_file by the suffix of the device's file there. */
int rundir_place_file(const struct rundir_place *place, const char *suffix, int flags);

/* The same for a caller that needs one file only. */
int rundir_device_file(const struct settings *settings, const char *suffix, int flags);

/* Opens a file of the directory that is this user's alone, mode 0600, named BASE.SUFFIX-UID: members
 * of the group can remove it but not open it. base: a device's name as rundir_name makes it. For
 * reading and writing. -1 if that cannot be. */
int rundir_own_file(const struct settings *settings, const char *base, const char *suffix);

/* When a process started, in clock ticks since boot: a pid alone may be another process's by now. 0
 * if there is no such process (or only a zombie is left of it). */
uint64_t rundir_process_start(pid_t pid);

/* True if the process that started then still lives. Without a /proc (a chroot) its number alone has
 * to do; so it has where start is 0, because its own process had no /proc. */
bool rundir_process_lives(pid_t pid, uint64_t start);

#endif
