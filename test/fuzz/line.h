/* SPDX-License-Identifier: Apache-2.0 */
/* A line to a modem that the target plays: modem/port.c runs on it as on a device. Its clock moves
 * by what is waited for and by what is read, so that an hour of time-outs takes no time. One line a
 * process, as the redirected system calls know no other. */
#ifndef SIMKEY_TEST_FUZZ_LINE_H
#define SIMKEY_TEST_FUZZ_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_DEVICE "/proc/none/modem" /* nothing of that name exists */

/* From now on the line is kept in this memory of line_size() bytes: such as processes share, where
 * several of them talk on it in turn. line_start comes afterwards. */
size_t line_size(void);
void line_place(void *memory);

/* Called with each line that the host wrote, without its CR. */
typedef void line_heard_fn(void *arg, const char *line);

/* Starts anew: nothing to read, the device is there. */
void line_start(line_heard_fn *heard, void *arg);

/* The modem says this, delay_ms after what it said before. */
void line_say(const void *bytes, size_t length, unsigned delay_ms);

/* It is unplugged, once all it said is read. */
void line_unplug(void);

/* Another process has the device locked, for good. */
void line_lock_elsewhere(void);

/* It is plugged in again. */
void line_plug(void);

/* Calls are counted from here on again, to find code that spins. */
void line_count_anew(void);

bool line_is_plugged(void);

/* Time passes. */
void line_wait(unsigned ms);

/* Later reads and writes are cut to so many bytes; 0: as they come. */
void line_cut(size_t most);

/* The clock that the code under test sees, milliseconds. */
int64_t line_now(void);

#endif
