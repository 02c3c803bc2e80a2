/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of modem/pcsc.c, each of which makes one call: it is made at once, or hangs until the
 * end, as the input says. */
#ifndef SIMKEY_TEST_FUZZ_THREADS_H
#define SIMKEY_TEST_FUZZ_THREADS_H

#include "test/fuzz/fuzz.h"

#define THREAD_HANGS 0x40 /* in the next byte of the input, which stays where it is */

void threads_start(const struct span *input);

/* The call that hangs, if there is one, goes on and comes to its end. */
void threads_end(void);

#endif
