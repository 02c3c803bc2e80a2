/* SPDX-License-Identifier: Apache-2.0 */
/* See spawn.h. */
#include "apdu/agent/spawn.h"

#include "apdu/agent/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE 16384

int spawn_lift(int fd)
{
    int lifted, saved;

    if (fd < 0 || fd >= SPAWN_FIRST)
        return fd;
    lifted = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_FIRST);
    saved = errno;
    (void)close(fd);
    errno = saved;
    return lifted;
}

/* A child gets only these variables: where the PIN's credential is, where refused PINs are kept, and what a
 * build with sanitizers reads. TZ is UTC, as the log's times are: no file of a time zone has to be read. */
static void pick_environment(char *picked[], size_t size)
{
    static const char *const names[] = {
        "CREDENTIALS_DIRECTORY=", "SIMKEY_STATE_DIR=", "ASAN_OPTIONS=", "UBSAN_OPTIONS="};
    static char utc[] = "TZ=UTC0";
    size_t count = 0;

    picked[count++] = utc;
    for (char *const *at = environ; *at != NULL; at++)
        for (size_t i = 0; i < sizeof names / sizeof names[0] && count + 1 < size; i++)
            if (strncmp(*at, names[i], strlen(names[i])) == 0)
                picked[count++] = *at;
    picked[count] = NULL;
}

struct start {
    int from[3], to[3]; /* descriptors */
    sigset_t mask;
    char **arguments, **environment;
    int error; /* the child's, where it could not be */
};

/* In the child, which has the parent's memory, and a stack of its own, until the new program is there. No
 * signal has a handler in the parent. A sanitizer would take that stack for the parent's. */
__attribute__((no_sanitize("address"))) static int start_program(void *arg)
{
    struct start *start = arg;
    bool good = true;

    for (size_t i = 0; i < sizeof start->from / sizeof start->from[0] && good; i++)
        good = start->from[i] < 0 || dup2(start->from[i], start->to[i]) == start->to[i];
    if (good && sigprocmask(SIG_SETMASK, &start->mask, NULL) == 0)
        (void)execve("/proc/self/exe", start->arguments, start->environment);
    start->error = errno;
    _exit(127);
}

/* posix_spawn asks for and sets what each signal does, which is a hundred system calls more. */
bool spawn_child(const struct spawn *spawn, pid_t *pid)
{
    char parent[24], group[24], name[] = "simkey-agent", option[] = "--child", word[16];
    char *arguments[] = {name, option, word, parent, group, NULL};
    char *environment[8];
    struct start start = {.from = {spawn->connection, spawn->control, spawn->config},
                          .to = {CHILD_CONNECTION, CHILD_CONTROL, CHILD_CONFIG},
                          .arguments = arguments,
                          .environment = environment};
    _Alignas(16) char stack[STACK_SIZE];

    (void)snprintf(word, sizeof word, "%s", spawn->word);
    (void)snprintf(parent, sizeof parent, "%ld", (long)getpid());
    (void)snprintf(group, sizeof group, "%lu", (unsigned long)spawn->socket_group);
    pick_environment(environment, sizeof environment / sizeof environment[0]);
    (void)sigemptyset(&start.mask);
    *pid = clone(start_program, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
    if (*pid > 0 && start.error != 0)
        (void)waitpid(*pid, NULL, 0);
    if (*pid > 0)
        errno = start.error;
    return *pid > 0 && start.error == 0;
}
