/* SPDX-License-Identifier: Apache-2.0 */
/* One SAFE2 job at a time: a file in the run-dir that is locked for as long as a safe2 waits for a
 * job, so that others know that the job is not an abandoned one. A hint: without a usable run-dir
 * nobody is seen. */
#ifndef SIMKEY_APDU_SAFE2_JOB_LOCK_H
#define SIMKEY_APDU_SAFE2_JOB_LOCK_H

#include "apdu/settings.h"

#include <stdbool.h>

/* Takes the lock of the settings' device. Returns a descriptor for job_lock_release; -1 where another
 * safe2 has it (*other is true then), or where there is no usable run-dir. */
int job_lock_take(const struct settings *settings, bool *other);

/* True if another process has it. */
bool job_lock_seen(const struct settings *settings);

/* Gives it back. -1 is allowed. */
void job_lock_release(const struct settings *settings, int lock);

#endif
