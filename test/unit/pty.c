/* SPDX-License-Identifier: Apache-2.0 */
/* Bare ptys and children for the tests of the port. */
#include "test/unit/pty.h"

#include "test/unit/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void pty_make(struct pty *pty)
{
    pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pty->master < 0 || grantpt(pty->master) != 0 || unlockpt(pty->master) != 0 ||
        ptsname_r(pty->master, pty->name, sizeof pty->name) != 0)
        FAIL("no pty: %s", strerror(errno));
    pty->slave = open(pty->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

void pty_say(const struct pty *pty, const void *bytes, size_t length)
{
    if (write(pty->master, bytes, length) != (ssize_t)length)
        FAIL("cannot write to the pty: %s", strerror(errno));
}

struct port *pty_open_port(const struct pty *pty)
{
    struct port *port = NULL;
    struct report why = REPORT_INIT;

    EXPECT(port_open(&port, pty->name, 115200, deadline_in(1000), NULL, &why), OUTCOME_OK, &why);
    return port;
}

void pty_unplug(struct pty *pty)
{
    if (pty->slave >= 0)
        close(pty->slave);
    if (pty->master >= 0)
        close(pty->master);
    pty->slave = pty->master = -1;
}

pid_t fork_child(void)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(20);
    }
    return child;
}

void end_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int descriptors_of(const char *device, bool *all_cloexec)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    char target[256];
    int count = 0;

    *all_cloexec = true;
    while (directory && (entry = readdir(directory))) {
        ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);

        if (n <= 0)
            continue;
        target[n] = '\0';
        if (strcmp(target, device) != 0)
            continue;
        count++;
        if (!(fcntl((int)strtol(entry->d_name, NULL, 10), F_GETFD) & FD_CLOEXEC))
            *all_cloexec = false;
    }
    closedir(directory);
    return count;
}
