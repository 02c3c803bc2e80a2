/* SPDX-License-Identifier: Apache-2.0 */
/* PINs with their counters, as a card treats them: the try is spent, durably, before the
 * comparison, and given back when it was right. Which PIN is verified on which channel is the
 * applets' matter. */
#ifndef SIMKEY_SIM_PIN_H
#define SIMKEY_SIM_PIN_H

#include "test/sim/card.h"

/* All answer a status word: 9000, 63Cx (x tries left), 6983 (blocked), 6581 (memory failure). */

/* The state question; 9000 never comes from here. */
unsigned pin_state(const struct card *card, enum pin_name name);
unsigned pin_verify(struct card *card, enum pin_name name, const uint8_t *value, size_t size);
unsigned pin_change(struct card *card, enum pin_name name, const uint8_t *old, size_t old_size,
                    const uint8_t *value, size_t size);
/* Verifies the PUK and sets PIN1 with a full counter. */
unsigned pin_unblock(struct card *card, const uint8_t *puk, size_t puk_size, const uint8_t *value,
                     size_t size);

#endif
