/* SPDX-License-Identifier: Apache-2.0 */
/* The safe2 command's waits between operations, which signals end. */
#include "apdu/safe2/run.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

bool safe2_pause(struct safe2_run *run, int64_t ms)
{
    struct deadline until = deadline_in(ms);
    sigset_t signals;
    int caught;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    do {
        int left = deadline_left(until);
        const struct timespec wait = {left / 1000, (long)(left % 1000) * 1000000};

        caught = sigtimedwait(&signals, NULL, &wait);
    } while (caught < 0 && errno == EINTR);
    if (caught > 0)
        run->caught = caught;
    return run->caught == 0;
}

void safe2_hold_signals(bool hold)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &signals, NULL);
}
