/* SPDX-License-Identifier: Apache-2.0 */
/* Put before apdu/claim.c when it is built for fuzzing: most of what it looks for is not there, and
 * that costs one system call instead of eight (neighbour.h). */
#ifndef SIMKEY_TEST_FUZZ_REDIRECT_CLAIM_H
#define SIMKEY_TEST_FUZZ_REDIRECT_CLAIM_H

#include "apdu/session/rundir.h"

int neighbour_device_file(const struct settings *settings, const char *suffix, int flags);

#define rundir_device_file neighbour_device_file

#endif
