/* SPDX-License-Identifier: Apache-2.0 */
/* See away.h. */
#include "apdu/agent/away.h"

#include "apdu/agent/child.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_MS 5000

union attached {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
};

/* ---- the parent ---- */

void away_ended(struct away *away)
{
    if (away->pid > 0)
        (void)close(away->control);
    away->pid = 0;
}

void away_stop(struct away *away)
{
    if (away->pid > 0)
        (void)kill(away->pid, SIGKILL);
    away_ended(away);
}

static bool start_child(struct away *away, const struct spawn *template)
{
    struct spawn spawn = *template;
    int ends[2];

    if (away->pid > 0)
        return true;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    away->control = spawn_lift(ends[0]);
    spawn.word = CHILD_AWAY;
    spawn.connection = -1;
    spawn.control = spawn_lift(ends[1]);
    if (away->control < 0 || spawn.control < 0 || !spawn_child(&spawn, &away->pid)) {
        away->pid = 0;
        if (away->control >= 0)
            (void)close(away->control);
    }
    if (spawn.control >= 0)
        (void)close(spawn.control);
    return away->pid > 0;
}

static bool hand_over(int control, int connection)
{
    union attached attached = {.space = {0}};
    char byte = 0;
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = attached.space,
                             .msg_controllen = sizeof attached.space};

    attached.head = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&attached.head), &connection, sizeof connection);
    return sendmsg(control, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

void away_check(struct away *away, int64_t now)
{
    if (now - away->used_at > IDLE_MS)
        away_stop(away);
}

void away_send(struct away *away, int connection, const struct spawn *spawn, int64_t now)
{
    bool handed = false;

    away->used_at = now;
    (void)shutdown(connection, SHUT_RDWR);
    for (int i = 0; i < 2 && !handed && start_child(away, spawn); i++) {
        handed = hand_over(away->control, connection);
        if (!handed)
            away_stop(away); /* it is held up */
    }
    (void)close(connection);
    if (handed) /* tells the child that it is the last one to have it, and may close it */
        (void)send(away->control, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- the child ---- */

/* One packet: a connection, or (*connection -1) the word that the parent has closed its own descriptor of it.
 * Returns -1 when the parent has ended. */
static int take_packet(int *connection)
{
    union attached attached;
    char byte;
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = attached.space,
                             .msg_controllen = sizeof attached.space};

    *connection = -1;
    if (recvmsg(CHILD_CONTROL, &message, MSG_CMSG_CLOEXEC) != 1)
        return -1;
    if (message.msg_controllen >= CMSG_LEN(sizeof(int)) && attached.head.cmsg_type == SCM_RIGHTS)
        memcpy(connection, CMSG_DATA(&attached.head), sizeof *connection);
    return 0;
}

int child_away(const struct child *child)
{
    int held = -1, next;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != child->parent)
        return 0;
    while (take_packet(&next) == 0) {
        if (held >= 0)
            (void)close(held);
        held = next;
    }
    return 0;
}
