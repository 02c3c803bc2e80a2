/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor, the step run-dir: whether this user's programs can tell each other about the SIM. */
#include "apdu/rundir.h"
#include "provider/tool/doctor/doctor.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void doctor_run_dir(struct doctor *doctor)
{
    int fd = rundir_open(&doctor->settings);
    char link[64], path[PATH_MAX] = "?";
    struct stat directory;
    ssize_t length;

    if (fd < 0) {
        doctor_warn(doctor,
                    "make one that only root or this user, and the port's group, can write: sudo "
                    "install -d -m 2770 -g dialout /run/simkey; if another user has taken the "
                    "name, remove that",
                    "no run-dir can be used (%s%s): programs work, but each operation opens a "
                    "session of its own, and does not know of the others'",
                    doctor->settings.run_dir != NULL
                        ? doctor->settings.run_dir
                        : "/run/simkey, $XDG_RUNTIME_DIR/simkey, /tmp/simkey-UID",
                    doctor->settings.run_dir != NULL ? "" : ": missing or another user's");
        return;
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length > 0)
        path[length] = '\0';
    if (fstat(fd, &directory) == 0 && (directory.st_mode & S_IWGRP) != 0)
        doctor_ok(doctor, "programs of the group %lu share sessions by %s",
                  (unsigned long)directory.st_gid, path);
    else
        doctor_ok(doctor, "programs of this user share sessions by %s", path);
    (void)close(fd);
}
