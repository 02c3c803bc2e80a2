/* SPDX-License-Identifier: Apache-2.0 */
/* The run-dir for programs that only look at it, as simkey doctor does. */
#ifndef SIMKEY_APDU_RUNDIR_H
#define SIMKEY_APDU_RUNDIR_H

#include "apdu/settings.h"

/* Opens the directory: the setting `run-dir`, else /run/simkey, else one of this user. -1 if there is
 * none that can be used. */
int rundir_open(const struct settings *settings);

#endif
