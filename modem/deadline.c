/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines on the monotonic clock. */
#include "modem/deadline.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct deadline deadline_in(int64_t ms)
{
    return (struct deadline){monotonic_ms() + ms};
}

struct deadline deadline_within(struct deadline outer, int64_t ms)
{
    struct deadline inner = deadline_in(ms);

    return inner.at_ms < outer.at_ms ? inner : outer;
}

int deadline_left(struct deadline deadline)
{
    int64_t left = deadline.at_ms - monotonic_ms();

    if (left <= 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

bool deadline_passed(struct deadline deadline)
{
    return deadline_left(deadline) == 0;
}

void deadline_sleep(struct deadline deadline, int64_t ms)
{
    int64_t left = deadline_left(deadline);
    struct timespec pause;

    if (ms > left)
        ms = left;
    pause.tv_sec = (time_t)(ms / 1000);
    pause.tv_nsec = (long)(ms % 1000) * 1000000;
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
        ;
}
