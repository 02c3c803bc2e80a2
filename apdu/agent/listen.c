/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's socket: systemd's, or one of its own. */
#include "apdu/agent/say.h"
#include "apdu/agent/server.h"
#include "apdu/agent/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG      128
#define SOCKET_GROUP "simkey"
#define HANDED       3 /* sd_listen_fds(3): the first one */

static int fail(struct report *why, const char *what, const char *path)
{
    (void)report_set(why, OUTCOME_SYSTEM, "%s %.200s: %s", what, path, strerror(errno));
    return -1;
}

/* A socket that systemd listens on for us. -1 and no report: there is none. */
static int take_handed(struct report *why)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int type = 0, fd;
    socklen_t length = sizeof type;

    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != (long)getpid())
        return -1;
    (void)fcntl(HANDED, F_SETFL, O_NONBLOCK);
    if (strcmp(count, "1") != 0 || getsockopt(HANDED, SOL_SOCKET, SO_TYPE, &type, &length) != 0 ||
        type != SOCK_SEQPACKET) {
        (void)report_set(why, OUTCOME_USAGE,
                         "the socket unit must have one ListenSequentialPacket=, not %s sockets of "
                         "another kind",
                         count);
        return -1;
    }
    fd = spawn_lift(HANDED);
    return fd >= 0 ? fd : fail(why, "cannot take over", "the socket");
}

static void make_folder(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    char *slash;

    (void)snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    if (slash == NULL || slash == folder)
        return;
    *slash = '\0';
    if (mkdir(folder, 0755) == 0)
        (void)chmod(folder, 0755); /* whatever the umask */
}

/* True if a process listens there. */
static bool is_served(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool served = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
                              errno == EAGAIN);

    if (fd >= 0)
        (void)close(fd);
    return served;
}

/* Lets in the members of the group SOCKET_GROUP only. If there is no such group, or this user is not in it, the
 * socket stays with this user's group. */
static void give_to_group(const char *path)
{
    const struct group *group = getgrnam(SOCKET_GROUP);

    if (group == NULL)
        agent_say("there is no group " SOCKET_GROUP
                  ", and only root and this user's group can connect: "
                  "make it (groupadd --system " SOCKET_GROUP "), then start simkey-agent again");
    else if (lchown(path, (uid_t)-1, group->gr_gid) != 0)
        agent_say("members of the group " SOCKET_GROUP " cannot connect, because the socket is not "
                  "given to it (%s): start simkey-agent as root or as one of them",
                  strerror(errno));
}

/* Makes the socket under another name and renames it: a client that connects meanwhile finds the old one or
 * the new one. */
static int make_socket(const char *path, struct report *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX}, beside = {.sun_family = AF_UNIX};
    mode_t mask;
    int fd, bound;

    if (strlen(path) + sizeof ".new" > sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return fail(why, "cannot listen at", path);
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)snprintf(beside.sun_path, sizeof beside.sun_path, "%s.new", path);
    make_folder(path);
    if (is_served(&address)) {
        (void)report_set(
            why, OUTCOME_USAGE,
            "another agent listens at %.200s: end it, or give this one another --socket", path);
        return -1;
    }
    fd = spawn_lift(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd < 0)
        return fail(why, "cannot listen at", path);
    (void)unlink(beside.sun_path);
    mask = umask(0117); /* it is 0660 from the first moment, and listens later */
    bound = bind(fd, (const struct sockaddr *)&beside, sizeof beside);
    (void)umask(mask);
    if (bound == 0)
        give_to_group(beside.sun_path);
    if (bound == 0 && listen(fd, BACKLOG) == 0 && rename(beside.sun_path, path) == 0)
        return fd;
    (void)fail(why, "cannot listen at", path);
    (void)close(fd);
    return -1;
}

bool listen_path(int listening, char path[LISTEN_PATH_SIZE])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;

    if (getsockname(listening, (struct sockaddr *)&address, &length) != 0 ||
        address.sun_path[0] != '/')
        return false;
    (void)snprintf(path, LISTEN_PATH_SIZE, "%.*s", (int)sizeof address.sun_path, address.sun_path);
    return true;
}

int listen_at(const char *path, bool *handed, struct report *why)
{
    int fd = take_handed(why);

    *handed = fd >= 0;
    if (fd < 0 && why->outcome == OUTCOME_OK)
        fd = make_socket(path, why);
    return fd;
}
