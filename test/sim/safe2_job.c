/* SPDX-License-Identifier: Apache-2.0 */
/* A job as a process: made by fork without exec, so that no key is ever an argument, killed when it
 * is not wanted any more, gone with simmodem in any case. What it does in a try is safe2_net.c. */
#include "test/sim/safe2_job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 1024
#define GRACE_MS  2000

static void sleep_until(int64_t end)
{
    struct timespec at = {(time_t)(end / (1000 * NS_PER_MS)), (long)(end % (1000 * NS_PER_MS))};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

/* What a try says is about that try: the report begins anew. */
static bool one_try(const struct safe2_request *request, unsigned number,
                    struct safe2_report *report)
{
    struct safe2_data data;
    int64_t deadline = clock_ns() + request->options->safe2_timeout_ms * NS_PER_MS;
    bool again = false;

    *report = (struct safe2_report){.result = SAFE2_NO_DATA, .tries = number};
    if (safe2_card_read(request->card, request->options, &data))
        again = safe2_try(request, &data, deadline, report);
    explicit_bzero(&data, sizeof data);
    return again;
}

static void run(const struct safe2_request *request, struct safe2_report *report)
{
    const struct options *o = request->options;
    int64_t least = clock_ns() + o->safe2_ms * NS_PER_MS;

    for (unsigned n = 1; one_try(request, n, report) && n < (unsigned)o->safe2_tries; n++)
        sleep_until(clock_ns() + o->safe2_retry_ms * NS_PER_MS);
    sleep_until(least);
}

/* In the new process. It keeps nothing of the modem: neither the pty, nor the card's lock. */
static _Noreturn void be_worker(const struct safe2_request *request, pid_t parent, int out)
{
    struct safe2_report report;
    sigset_t none;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    for (int fd = STDERR_FILENO + 1; fd < FILES_MAX; fd++) {
        if (fd != out)
            close(fd);
    }
    run(request, &report);
    if (write(out, &report, sizeof report) != (ssize_t)sizeof report)
        _exit(1);
    _exit(0);
}

bool safe2_worker_start(struct safe2_worker *w, const struct safe2_request *request)
{
    const struct options *o = request->options;
    int64_t tries = o->safe2_tries;
    pid_t self = getpid();
    int ends[2];

    *w = (struct safe2_worker){.fd = -1};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    /* A name server that does not answer has time-outs of its own: the whole job has this one. */
    w->deadline = clock_ns() + NS_PER_MS * (tries * (o->safe2_timeout_ms + o->safe2_retry_ms) +
                                            o->safe2_ms + GRACE_MS);
    w->pid = fork();
    if (w->pid == 0)
        be_worker(request, self, ends[1]);
    close(ends[1]);
    w->fd = ends[0];
    if (w->pid > 0)
        return true;
    safe2_worker_kill(w);
    return false;
}

bool safe2_worker_poll(struct safe2_worker *w, int64_t now, struct safe2_report *report)
{
    ssize_t n;

    if (w->pid <= 0)
        return false;
    n = read(w->fd, report, sizeof *report);
    if (n < 0 && now < w->deadline)
        return false;
    if (n != (ssize_t)sizeof *report)
        *report = (struct safe2_report){.result = n < 0 ? SAFE2_TIMEOUT : SAFE2_DIED};
    safe2_worker_kill(w);
    return true;
}

void safe2_worker_kill(struct safe2_worker *w)
{
    if (w->pid > 0) {
        kill(w->pid, SIGKILL);
        while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (w->fd >= 0)
        close(w->fd);
    *w = (struct safe2_worker){.fd = -1};
}
