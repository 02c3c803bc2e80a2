/* SPDX-License-Identifier: Apache-2.0 */
/* Octets between the pty and the AT front end, with their times. Nothing blocks: what a client does
 * not take in time is lost, as on a real line. */
#include "test/sim/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PART           16          /* octets that pass a paced line at a time */
#define OUT_HIGH       (16 * 1024) /* above this the modem takes no more commands */
#define STUCK_NS       (2000 * NS_PER_MS)
#define BITS_PER_OCTET 10

static bool complain(const char *what, const char *path)
{
    fprintf(stderr, "simmodem: %s %s: %s\n", what, path, strerror(errno));
    return false;
}

/* For programs of other users, as a udev rule gives a real port to a group. */
static bool give_to_group(const struct pty *p)
{
    const struct group *group = p->group != NULL ? getgrnam(p->group) : NULL;

    if (p->group == NULL)
        return true;
    if (group == NULL) {
        fprintf(stderr, "simmodem: there is no group %s\n", p->group);
        return false;
    }
    return (fchown(p->slave, (uid_t)-1, group->gr_gid) == 0 && fchmod(p->slave, 0660) == 0) ||
           complain("cannot give to that group", p->name);
}

static bool open_pair(struct pty *p)
{
    struct termios raw;

    p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (p->master < 0 || grantpt(p->master) != 0 || unlockpt(p->master) != 0 ||
        ptsname_r(p->master, p->name, sizeof p->name) != 0)
        return complain("cannot make", "a pty");
    p->slave = open(p->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (p->slave < 0 || tcgetattr(p->slave, &raw) != 0)
        return complain("cannot open", p->name);
    cfmakeraw(&raw);
    if (tcsetattr(p->slave, TCSANOW, &raw) != 0)
        return complain("cannot set up", p->name);
    if (!give_to_group(p))
        return false;
    /* After our own opening of it. The watch ends with the pty. */
    if (p->opens >= 0 && inotify_add_watch(p->opens, p->name, IN_OPEN) < 0)
        return complain("cannot watch", p->name);
    return true;
}

bool pty_open(struct pty *p, const char *link, const char *group, long baud, bool watch_opens)
{
    sigset_t set;

    *p = (struct pty){
        .master = -1, .slave = -1, .signals = -1, .opens = -1, .link = link, .group = group};
    if (baud > 0)
        p->octet = BITS_PER_OCTET * 1000 * NS_PER_MS / baud;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return complain("cannot block", "signals");
    p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (p->signals < 0)
        return complain("cannot wait for", "signals");
    if (watch_opens)
        p->opens = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch_opens && p->opens < 0)
        return complain("cannot watch", "the pty");
    return open_pair(p);
}

bool pty_publish(struct pty *p)
{
    char fresh[4096];
    struct stat st;

    if (lstat(p->link, &st) == 0 && !S_ISLNK(st.st_mode)) {
        fprintf(stderr, "simmodem: %s exists and is not a link; it is left alone\n", p->link);
        return false;
    }
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.%ld", p->link, (long)getpid()) >= sizeof fresh) {
        fprintf(stderr, "simmodem: --link is too long\n");
        return false;
    }
    unlink(fresh);
    if (symlink(p->name, fresh) != 0)
        return complain("cannot make", fresh);
    if (rename(fresh, p->link) == 0)
        return true;
    complain("cannot make", p->link);
    unlink(fresh);
    return false;
}

static void drop_output(struct pty *p)
{
    p->out.size = 0;
    p->out_at = 0;
}

/* Whoever has the line open sees it hung up. The link goes first: the pty's name may be somebody
 * else's at once. */
static void close_pair(struct pty *p)
{
    char target[64];
    ssize_t size = p->master >= 0 ? readlink(p->link, target, sizeof target - 1) : -1;

    if (size > 0) {
        target[size] = '\0';
        if (strcmp(target, p->name) == 0)
            unlink(p->link);
    }
    if (p->slave >= 0)
        close(p->slave);
    if (p->master >= 0)
        close(p->master);
    p->master = p->slave = -1;
    p->in_start = p->in_size = 0;
    drop_output(p);
}

/* The modem hangs up; it is back, with another pty, when its time has come. */
bool pty_hang_up(struct pty *p, bool *hang_up, int64_t gone_ns, int64_t now)
{
    if (*hang_up) {
        *hang_up = false;
        close_pair(p);
        p->back_at = now + gone_ns;
    }
    if (p->master >= 0)
        return true;
    drop_output(p);
    return now < p->back_at || (open_pair(p) && pty_publish(p));
}

void pty_close(struct pty *p)
{
    close_pair(p);
    if (p->opens >= 0)
        close(p->opens);
    if (p->signals >= 0)
        close(p->signals);
    bytes_free(&p->out);
}

/* A client has opened the line, how often does not matter. */
static void notice_opens(struct pty *p, struct at *at, int64_t now)
{
    char events[1024] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool opened = false;
    ssize_t n;

    while (p->opens >= 0 && (n = read(p->opens, events, sizeof events)) > 0) {
        for (const char *e = events; e < events + n;) {
            const struct inotify_event *event = (const void *)e;

            opened |= (event->mask & IN_OPEN) != 0;
            e += sizeof *event + event->len;
        }
    }
    if (opened)
        noise_opened(at, now);
}

/* Writes what has passed the line by now. */
void pty_send(struct pty *p, int64_t now)
{
    size_t part = p->octet > 0 && p->out.size > PART ? PART : p->out.size;
    ssize_t n;

    if (p->out.size == 0 || p->master < 0)
        return;
    if (p->octet > 0 && p->out_at == 0) {
        p->out_at = now + (int64_t)part * p->octet;
        return;
    }
    if (p->octet > 0 && now < p->out_at)
        return;
    n = write(p->master, p->out.data, part);
    if (n <= 0) {
        if (now - p->moved_at > STUCK_NS)
            drop_output(p);
        return;
    }
    p->moved_at = now;
    p->went += (uint64_t)n;
    p->out.size -= (size_t)n;
    memmove(p->out.data, p->out.data + n, p->out.size);
    part = p->out.size > PART ? PART : p->out.size;
    p->out_at = p->out.size > 0 ? p->out_at + (int64_t)part * p->octet : 0;
}

/* Reads what the client wrote; a paced line takes it in parts. */
static void take_input(struct pty *p, int64_t now)
{
    size_t part = p->octet > 0 ? PART : sizeof p->in;
    ssize_t n;

    if (p->master < 0 || p->in_start < p->in_size || (p->octet > 0 && now < p->in_at))
        return;
    n = read(p->master, p->in, part);
    p->in_start = 0;
    p->in_size = n > 0 ? (size_t)n : 0;
    p->came += p->in_size;
    if (n <= 0 || p->octet == 0)
        return;
    /* Without a pause on the line the parts follow each other: from the last one's end, not from
     * when the loop came round to read it. */
    if (now - p->in_at > 2 * NS_PER_MS)
        p->in_at = now;
    p->in_at += n * p->octet;
}

static bool can_feed(const struct pty *p, const struct at *at, int64_t now)
{
    return p->in_start < p->in_size && !at->running && !at->life.hang_up &&
           p->out.size < OUT_HIGH && (p->octet == 0 || now >= p->in_at);
}

/* Hands characters to the modem while it listens. */
static void feed(struct pty *p, struct at *at, int64_t now)
{
    while (can_feed(p, at, now))
        at_character(at, p->in[p->in_start++]);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return b > 0 && b < a ? b : a;
}

/* When something is to be done although nothing happens. */
static int64_t next_time(const struct pty *p, const struct at *at, int64_t now)
{
    int64_t next = sooner(INT64_MAX, safe2_due(&at->uicc->safe2));

    if (can_feed(p, at, now))
        return now; /* there is room for answers again */
    next = sooner(next, at_due(at));
    if (p->master < 0)
        next = sooner(next, p->back_at);
    if (p->out.size > 0)
        next = sooner(next, p->out_at > now ? p->out_at : p->moved_at + STUCK_NS + NS_PER_MS);
    if (p->octet > 0 && now < p->in_at)
        next = sooner(next, p->in_at);
    return next;
}

static bool wait_for_work(struct pty *p, const struct at *at)
{
    int64_t now = clock_ns();
    int64_t next = next_time(p, at, now);
    bool may_read = p->in_start == p->in_size && (p->octet == 0 || now >= p->in_at);
    bool may_write = p->out.size > 0 && p->out_at <= now;
    struct pollfd fds[] = {
        {p->signals, POLLIN, 0},
        {p->master, (short)((may_read ? POLLIN : 0) | (may_write ? POLLOUT : 0)), 0},
        {safe2_fd(&at->uicc->safe2), POLLIN, 0},
        {p->opens, POLLIN, 0}};
    int64_t wait = next > now ? next - now : 0;
    struct timespec timeout = {(time_t)(wait / (1000 * NS_PER_MS)),
                               (long)(wait % (1000 * NS_PER_MS))};

    if (ppoll(fds, 4, next == INT64_MAX ? NULL : &timeout, NULL) < 0 && errno != EINTR)
        return complain("cannot wait for", p->name);
    return fds[0].revents == 0;
}

/* Once an answer is out. */
static void trace_octets(struct pty *p, const struct at *at)
{
    if (!at->trace->line || at->running || p->out.size > 0 || p->told == p->went)
        return;
    p->told = p->went;
    trace_note(at->trace, "line - in %llu out %llu", (unsigned long long)p->came,
               (unsigned long long)p->went);
}

bool pty_serve(struct pty *p, struct at *at)
{
    struct signalfd_siginfo info;

    p->moved_at = clock_ns();
    while (wait_for_work(p, at)) {
        int64_t now = clock_ns();
        bool idle = p->out.size == 0;

        take_input(p, now);
        notice_opens(p, at, now);
        at_work(at, now);
        safe2_work(&at->uicc->safe2, now);
        feed(p, at, now);
        if (!pty_hang_up(p, &at->life.hang_up, at->life.gone_ns, now))
            return false;
        if (idle)
            p->moved_at = now;
        pty_send(p, now);
        trace_octets(p, at);
    }
    return read(p->signals, &info, sizeof info) == (ssize_t)sizeof info;
}
