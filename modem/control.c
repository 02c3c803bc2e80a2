/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a control device, see control.h. */
#include "modem/control.h"

#include "modem/control_proxy.h"
#include "modem/descriptor.h"
#include "modem/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_LOCK_POLL_MS 10
#define PAUSE_MS         5
#define CONNECT_PAUSE_MS 20
#define RESTART_MS       1500 /* a proxy that was ended is there again */
#define ERRORS_MAX       3 /* of a node, which tells of each overflow and each broken transfer once */

static const char *prefix_of(const struct control *control)
{
    return control->name.protocol == CONTROL_MBIM ? CONTROL_MBIM_PREFIX : CONTROL_QMI_PREFIX;
}

/* The ways out for a program that is not root's. */
static enum outcome no_right(const struct control *control, struct report *why)
{
    return report_set(why, OUTCOME_NO_MODEM,
                      "this user may not use %s: %s lets only root in. Use the agent (device = "
                      "agent), or a proxy that was built with a group; or, where no ModemManager "
                      "runs, give users the node (78-simkey.rules) and say device = %s%s,direct",
                      control->name.path, control->proxy, prefix_of(control), control->name.path);
}

static enum outcome cannot_open(const struct control *control, int number, struct report *why)
{
    if (number == EACCES || number == EPERM)
        return no_right(control, why);
    return report_set(why, OUTCOME_NO_MODEM,
                      "cannot open the modem's control device %s: %s: check the cable and `device`",
                      control->name.path, strerror(number));
}

static enum outcome gone(const struct control *control, struct report *why)
{
    return report_set(why, OUTCOME_NO_MODEM,
                      "the modem at %s is gone: check its cable and power, the device comes back "
                      "when the modem does",
                      control->name.path);
}

static enum outcome find_node(struct control *control, struct report *why)
{
    struct stat file;

    if (control->name.path[0] != '/' || realpath(control->name.path, control->node) == NULL ||
        stat(control->node, &file) != 0)
        return cannot_open(control, control->name.path[0] != '/' ? ENOENT : errno, why);
    if (!S_ISCHR(file.st_mode))
        return report_set(
            why, OUTCOME_NO_MODEM,
            "%s is not a device: `device` must name the modem's control device, such as "
            "%s/dev/cdc-wdm0",
            control->name.path, prefix_of(control));
    control->device = file.st_rdev;
    control->owner = file.st_uid;
    return OUTCOME_OK;
}

/* Where this user cannot open the node its own programs still take turns. */
static enum outcome lock_own(struct control *control, const struct port_turn *turn,
                             struct deadline deadline, struct report *why)
{
    if (turn == NULL)
        return OUTCOME_OK;
    control->own_lock = turn->own_lock(turn->arg);
    while (control->own_lock >= 0 && flock(control->own_lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return OUTCOME_OK;
        if (deadline_passed(deadline))
            return report_set(
                why, OUTCOME_PORT_BUSY,
                "%s is in use by another program of this user: wait for it to end, or "
                "raise `timeout`",
                control->name.path);
        deadline_sleep(deadline, OWN_LOCK_POLL_MS);
    }
    return OUTCOME_OK;
}

/* Opened for writing alone, this descriptor takes no answers from anybody (see control_holder). */
static enum outcome lock_node(struct control *control, const struct port_turn *turn,
                              struct deadline deadline, struct report *why)
{
    int fd;

    forks_hold();
    fd = forks_note(
        descriptor_high(open(control->node, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)));
    if (fd < 0 && (errno == EACCES || errno == EPERM) && !control->name.direct)
        return lock_own(control, turn, deadline, why);
    if (fd < 0)
        return cannot_open(control, errno, why);
    return port_lock(&control->lock, fd, control->name.path, deadline, turn, why);
}

/* Takes the proxy's socket, if it is a proxy of somebody who could take the device anyway. */
static enum outcome trust_proxy(struct control *control, int fd, const struct control_proxy *proxy,
                                struct report *why)
{
    char program[32];

    if (proxy->uid != 0 && proxy->uid != control->owner) {
        forks_close(fd);
        control_program(proxy->pid, program);
        return report_set(why, OUTCOME_NO_MODEM,
                          "nothing was sent: %s's socket belongs to process %ld (%s) of uid %lu, "
                          "not to root. It would see the PIN: end it, and restart ModemManager",
                          control->proxy, (long)proxy->pid, program, (unsigned long)proxy->uid);
    }
    if (control->name.direct) {
        forks_close(fd);
        return report_set(
            why, OUTCOME_PORT_BUSY,
            "%s runs (process %ld) and may have %s open: leave out \",direct\", or end "
            "ModemManager",
            control->proxy, (long)proxy->pid, control->name.path);
    }
    control->fd = fd;
    control->proxied = true;
    return OUTCOME_OK;
}

static enum outcome open_directly(struct control *control, struct report *why)
{
    const char *installed = control_installed(control->proxy);

    if (control->lock == NULL)
        return no_right(control, why);
    if (installed != NULL && !control->name.direct)
        return report_set(why, OUTCOME_NO_MODEM,
                          "no %s runs, although it is installed: start ModemManager (systemctl "
                          "start ModemManager) or %s --no-exit; or, where nothing else uses the "
                          "modem, say device = %s%s,direct",
                          control->proxy, installed, prefix_of(control), control->name.path);
    forks_hold();
    control->fd = forks_note(
        descriptor_high(open(control->node, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)));
    if (control->fd < 0)
        return cannot_open(control, errno, why);
    control->messages = true;
    return OUTCOME_OK;
}

/* Waits while others are being let in; and a moment for a proxy that is installed and does not run: it
 * ended, or ModemManager is being restarted. */
static int connect_proxy(const struct control *control, struct control_proxy *proxy,
                         struct deadline deadline)
{
    const bool expected = !control->name.direct && control_installed(control->proxy) != NULL;
    const struct deadline patience = deadline_within(deadline, expected ? RESTART_MS : 0);
    int fd;

    while ((fd = control_connect(control->proxy, proxy)) < 0 &&
           ((errno == EAGAIN && !deadline_passed(deadline)) ||
            (errno == ECONNREFUSED && !deadline_passed(patience))))
        deadline_sleep(deadline, CONNECT_PAUSE_MS);
    return fd;
}

/* The proxy, or the node itself. */
static enum outcome open_way(struct control *control, struct deadline deadline, struct report *why)
{
    struct control_proxy proxy;
    int fd = connect_proxy(control, &proxy, deadline);

    if (fd >= 0)
        return trust_proxy(control, fd, &proxy, why);
    if (errno != ECONNREFUSED)
        return report_set(why, OUTCOME_PORT_BUSY, "cannot reach %s: %s", control->proxy,
                          strerror(errno));
    return open_directly(control, why);
}

/* The way, and behind a proxy the greeting. */
static enum outcome open_and_greet(struct control *control, control_greet_fn *greet, void *arg,
                                   struct deadline deadline, struct report *why)
{
    enum outcome outcome = open_way(control, deadline, why);

    return outcome == OUTCOME_OK && control->proxied ? greet(arg, deadline, why) : outcome;
}

enum outcome control_open(struct control *control, const struct transport_target *target,
                          control_greet_fn *greet, void *arg, struct deadline deadline,
                          struct report *why)
{
    enum outcome outcome;

    control->fd = control->own_lock = -1;
    control_parse(target->device, &control->name);
    control->proxy = control_proxy_name(control->name.protocol);
    outcome = find_node(control, why);
    if (outcome == OUTCOME_OK)
        outcome = lock_node(control, target->turn, deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = open_and_greet(control, greet, arg, deadline, why);
    if (!control->proxied ||
        (outcome != OUTCOME_LOST && (outcome != OUTCOME_NO_MODEM || control->answered)))
        return outcome;
    forks_close(control->fd);
    control->fd = -1;
    control->proxied = control->answered = false;
    return open_and_greet(control, greet, arg, deadline, why);
}

enum outcome control_alone(const struct control *control, struct report *why)
{
    pid_t holder = control->messages ? control_holder(control->device) : 0;
    char program[32];

    if (holder == 0)
        return OUTCOME_OK;
    control_program(holder, program);
    return report_set(
        why, OUTCOME_PORT_BUSY,
        "%s is open in process %ld (%s), which would take simkey's answers: end it, or "
        "let ModemManager's %s share the modem",
        control->name.path, (long)holder, program, control->proxy);
}

/* The proxy closes at once whom it does not let in, and whose device it cannot open. */
static enum outcome proxy_ended(const struct control *control, struct report *why)
{
    if (control->answered)
        return report_set(why, OUTCOME_LOST, "%s ended, or lost the modem", control->proxy);
    if (geteuid() != 0)
        return no_right(control, why);
    return report_set(why, OUTCOME_NO_MODEM,
                      "%s cannot open %s: is it a %s device, and the modem there?", control->proxy,
                      control->name.path, control->name.protocol == CONTROL_MBIM ? "MBIM" : "QMI");
}

static enum outcome wait_for(const struct control *control, short event, struct deadline deadline,
                             struct report *why)
{
    struct pollfd watch = {.fd = control->fd, .events = event, .revents = 0};

    for (;;) {
        int ready = poll(&watch, 1, deadline_left(deadline));

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return report_set(why, OUTCOME_TIMEOUT, "%s stayed silent until the deadline",
                              control->name.path);
        if (ready > 0 && (watch.revents & event) == 0 && !control->proxied)
            return gone(control, why);
        return OUTCOME_OK; /* the call that follows says what is wrong */
    }
}

enum outcome control_send(struct control *control, const void *data, size_t length,
                          struct deadline deadline, struct report *why)
{
    const char *rest = data;
    enum outcome outcome;

    while (length > 0) {
        ssize_t written = control->proxied ? send(control->fd, rest, length, MSG_NOSIGNAL)
                                           : write(control->fd, rest, length);

        if (written > 0) {
            rest += written;
            length -= (size_t)written;
            continue;
        }
        if (written < 0 && errno != EAGAIN && errno != EINTR)
            return control->proxied ? proxy_ended(control, why) : gone(control, why);
        outcome = wait_for(control, POLLOUT, deadline, why);
        if (outcome != OUTCOME_OK)
            return outcome;
        if (written == 0)
            deadline_sleep(deadline, PAUSE_MS);
    }
    return OUTCOME_OK;
}

enum outcome control_receive(struct control *control, void *data, size_t size, size_t *length,
                             struct deadline deadline, struct report *why)
{
    for (int errors = 0;;) {
        enum outcome outcome = wait_for(control, POLLIN, deadline, why);
        ssize_t got;

        if (outcome != OUTCOME_OK)
            return outcome;
        got = read(control->fd, data, size);
        if (got > 0) {
            control->answered = true;
            *length = (size_t)got;
            return OUTCOME_OK;
        }
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (deadline_passed(deadline))
                return report_set(why, OUTCOME_TIMEOUT,
                                  "%s gives nothing, although it says that it "
                                  "could",
                                  control->name.path);
            deadline_sleep(deadline, PAUSE_MS);
        } else if (control->proxied) {
            return proxy_ended(control, why);
        } else if (got == 0 || errno == ENODEV || ++errors > ERRORS_MAX) {
            return gone(control, why);
        }
    }
}

void control_close(struct control *control)
{
    forks_close(control->fd);
    if (control->own_lock >= 0)
        (void)flock(control->own_lock, LOCK_UN);
    forks_close(control->own_lock);
    port_close(control->lock);
    control->fd = control->own_lock = -1;
    control->lock = NULL;
}
