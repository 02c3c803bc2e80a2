/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where the version stands: module, tool and safe2 all tell it. */
#ifndef SIMKEY_APDU_VERSION_H
#define SIMKEY_APDU_VERSION_H

#define SIMKEY_VERSION "0.1.0"

#endif
