/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a card directory with fresh keys: --new. */
#ifndef SIMKEY_SIM_PERSONALISE_H
#define SIMKEY_SIM_PERSONALISE_H

#include "test/sim/options.h"

#include <stdbool.h>

/* Makes the card in o->card; never overwrites one. False after a sentence on stderr. The file that
 * makes the directory a card is written last, so that a personalisation cut short leaves none. */
bool personalise(const struct options *o);

#endif
