/* SPDX-License-Identifier: Apache-2.0 */
/* See spawn.h. */
#include "apdu/agent/spawn.h"

#include "apdu/agent/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* Of the environment a child needs two: where the PIN's credential is, and where refused PINs are kept.
 * (And what a build with sanitizers reads.) Its log has the time in UTC: no file says what that is. */
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

static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                  const struct spawn *spawn)
{
    const int from[] = {spawn->connection, spawn->control, spawn->config};
    const int to[] = {CHILD_CONNECTION, CHILD_CONTROL, CHILD_CONFIG};
    sigset_t none;
    int error = 0;

    (void)sigemptyset(&none);
    (void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
    (void)posix_spawnattr_setsigmask(attributes, &none);
    for (size_t i = 0; i < sizeof from / sizeof from[0] && error == 0; i++)
        if (from[i] >= 0)
            error = posix_spawn_file_actions_adddup2(actions, from[i], to[i]);
    return error;
}

bool spawn_child(const struct spawn *spawn, pid_t *pid)
{
    char parent[24], group[24], name[] = "simkey-agent", option[] = "--child", word[16];
    char *arguments[] = {name, option, word, parent, group, NULL};
    char *environment[8];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error;

    (void)snprintf(word, sizeof word, "%s", spawn->word);
    (void)snprintf(parent, sizeof parent, "%ld", (long)getpid());
    (void)snprintf(group, sizeof group, "%lu", (unsigned long)spawn->socket_group);
    pick_environment(environment, sizeof environment / sizeof environment[0]);
    error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = posix_spawnattr_init(&attributes);
        if (error == 0) {
            error = set_up(&actions, &attributes, spawn);
            if (error == 0)
                error = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, arguments,
                                    environment);
            (void)posix_spawnattr_destroy(&attributes);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    errno = error;
    return error == 0;
}
