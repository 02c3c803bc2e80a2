/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where the version stands: all programs and the module tell it. */
#ifndef SIMKEY_APDU_VERSION_H
#define SIMKEY_APDU_VERSION_H

#define SIMKEY_VERSION "1.0.0"

#endif
