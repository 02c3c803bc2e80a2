/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of PINs and their comparison. */
#include "test/sim/pin.h"

#include <openssl/crypto.h>

#include <string.h>

unsigned pin_state(const struct card *card, enum pin_name name)
{
    unsigned tries = card->pins[name].tries;

    return tries == 0 ? 0x6983 : 0x63C0 | tries;
}

unsigned pin_verify(struct card *card, enum pin_name name, const uint8_t *value, size_t size)
{
    struct pin *p = &card->pins[name];

    if (p->tries == 0)
        return 0x6983;
    p->tries--;
    /* If the power is cut now, the try is gone: nobody may compare for nothing. */
    if (!card_save_pins(card)) {
        p->tries++;
        return 0x6581;
    }
    if (size != p->size || CRYPTO_memcmp(value, p->value, size) != 0)
        return pin_state(card, name);
    p->tries = p->max;
    return card_save_pins(card) ? 0x9000 : 0x6581;
}

static unsigned set_value(struct card *card, enum pin_name name, const uint8_t *value, size_t size)
{
    struct pin *p = &card->pins[name];

    if (size == 0 || size > sizeof p->value)
        return 0x6A80;
    memcpy(p->value, value, size);
    p->size = size;
    p->tries = p->max;
    return card_save_pins(card) ? 0x9000 : 0x6581;
}

unsigned pin_change(struct card *card, enum pin_name name, const uint8_t *old, size_t old_size,
                    const uint8_t *value, size_t size)
{
    unsigned sw = pin_verify(card, name, old, old_size);

    return sw == 0x9000 ? set_value(card, name, value, size) : sw;
}

unsigned pin_unblock(struct card *card, const uint8_t *puk, size_t puk_size, const uint8_t *value,
                     size_t size)
{
    unsigned sw = pin_verify(card, PIN_UICC1_PUK, puk, puk_size);

    return sw == 0x9000 ? set_value(card, PIN_UICC1, value, size) : sw;
}
