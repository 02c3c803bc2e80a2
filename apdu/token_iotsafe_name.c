/* SPDX-License-Identifier: Apache-2.0 */
/* The names of IoT SAFE's objects: whether two of them are one, and where by its name what belongs to a key
 * is. Ids are bytes; a name may have an id, a label, or both. */
#include "apdu/token_iotsafe.h"

#include <string.h>

bool iotsafe_same_id(const struct token_name *a, const struct token_name *b)
{
    return a->id_length > 0 && a->id_length == b->id_length &&
           memcmp(a->id, b->id, a->id_length) == 0;
}

bool iotsafe_same_label(const struct token_name *a, const struct token_name *b)
{
    return a->label[0] != '\0' && strcmp(a->label, b->label) == 0;
}

bool iotsafe_same_name(const struct token_name *a, const struct token_name *b)
{
    return iotsafe_same_id(a, b) &&
           (a->label[0] == '\0' || b->label[0] == '\0' || iotsafe_same_label(a, b));
}

void iotsafe_next_id(struct token_name *name)
{
    for (size_t i = name->id_length; i-- > 0;)
        if (++name->id[i] != 0)
            break;
}

struct token_name iotsafe_certificate_place(const struct token_name *key, unsigned number)
{
    struct token_name place = *key;
    char *at = strstr(place.label, "Key");

    if (number == 0)
        return place;
    if (place.id_length > 0) {
        iotsafe_next_id(&place);
    } else if (at != NULL && strlen(place.label) + 1 < sizeof place.label) {
        memmove(at + 4, at + 3, strlen(at + 3) + 1);
        memcpy(at, "Cert", 4);
    }
    return place;
}

unsigned iotsafe_place_of(const struct token_name *key, const struct token_name *file)
{
    struct token_name label = *key;

    label.id_length = 0;
    for (unsigned i = 0; i < 2 * IOTSAFE_PLACES; i++) {
        const struct token_name place = iotsafe_certificate_place(i % 2 == 0 ? key : &label, i / 2);

        if (iotsafe_same_id(&place, file) || iotsafe_same_label(&place, file))
            return i / 2;
    }
    return IOTSAFE_PLACES;
}
