/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines on the monotonic clock. Every wait in this project takes one. */
#ifndef SIMKEY_MODEM_DEADLINE_H
#define SIMKEY_MODEM_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

struct deadline {
    int64_t at_ms; /* CLOCK_MONOTONIC, milliseconds */
};

/* CLOCK_MONOTONIC in milliseconds. */
int64_t monotonic_ms(void);

/* The deadline that passes in ms milliseconds from now. */
struct deadline deadline_in(int64_t ms);

/* The earlier one of a deadline and ms milliseconds from now: an exchange's time-out inside an
 * operation's. */
struct deadline deadline_within(struct deadline outer, int64_t ms);

/* Milliseconds left, 0 when it has passed, at most INT_MAX: fit for poll(2). */
int deadline_left(struct deadline deadline);

bool deadline_passed(struct deadline deadline);

/* Sleeps ms milliseconds, but not past the deadline. */
void deadline_sleep(struct deadline deadline, int64_t ms);

#endif
