/* SPDX-License-Identifier: Apache-2.0 */
/* The setting `log`: the provider's own sentence for a failure, for programs that shorten OpenSSL's
 * errors to nothing ("[SSL] EVP lib"). */
#ifndef SIMKEY_PROVIDER_LOG_H
#define SIMKEY_PROVIDER_LOG_H

#include "apdu/settings.h"

#include <stdatomic.h>
#include <stdint.h>

/* What was written lately; all zero at first. NULL: nothing is written. */
struct log_rate {
    _Atomic int64_t since; /* monotonic_ms of the minute that is counted */
    _Atomic unsigned written, left_out;
};

/* Writes the sentence, which must be harmless, to stderr or to syslog's socket: without a wait, and at
 * most LOG_A_MINUTE a minute; how many were left out is told with the next one. errno stays. */
#define LOG_A_MINUTE 10
void log_write(struct log_rate *rate, enum log_target target, const char *sentence);

#endif
