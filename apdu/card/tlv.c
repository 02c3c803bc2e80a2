/* SPDX-License-Identifier: Apache-2.0 */
/* BER-TLV over borrowed bytes. Every function leaves its input alone when it fails. */
#include "apdu/card/tlv.h"

bool span_take(struct span *rest, size_t n, struct span *taken)
{
    if (n > rest->length)
        return false;
    taken->data = rest->data;
    taken->length = n;
    if (n > 0)
        rest->data += n;
    rest->length -= n;
    return true;
}

bool span_padding(struct span rest)
{
    for (size_t i = 0; i < rest.length; i++)
        if (rest.data[i] != rest.data[0] || (rest.data[0] != 0x00 && rest.data[0] != 0xFF))
            return false;
    return true;
}

bool tlv_take_length(struct span *rest, size_t *length)
{
    struct span after = *rest, first, more;
    size_t value;

    if (!span_take(&after, 1, &first))
        return false;
    value = first.data[0];
    if (value >= 0x80) {
        size_t bytes = value & 0x7F;

        /* 80 (indefinite) has no place on a card; 83 and up would not fit into it */
        if (bytes < 1 || bytes > 2 || !span_take(&after, bytes, &more))
            return false;
        value = 0;
        for (size_t i = 0; i < bytes; i++)
            value = value << 8 | more.data[i];
    }
    *length = value;
    *rest = after;
    return true;
}

bool tlv_take_field(struct span *rest, struct span *field)
{
    struct span after = *rest;
    size_t length;

    if (!tlv_take_length(&after, &length) || !span_take(&after, length, field))
        return false;
    *rest = after;
    return true;
}

bool tlv_take(struct span *rest, uint16_t *tag, struct span *value)
{
    struct span after = *rest, byte;
    unsigned number;

    do
        if (!span_take(&after, 1, &byte))
            return false;
    while (byte.data[0] == 0x00 || byte.data[0] == 0xFF);
    number = byte.data[0];
    if ((number & 0x1F) == 0x1F) {
        if (!span_take(&after, 1, &byte) || (byte.data[0] & 0x80) != 0)
            return false;
        number = number << 8 | byte.data[0];
    }
    if (!tlv_take_field(&after, value))
        return false;
    *tag = (uint16_t)number;
    *rest = after;
    return true;
}

bool tlv_find(struct span within, uint16_t tag, struct span *value)
{
    uint16_t found;

    while (tlv_take(&within, &found, value))
        if (found == tag)
            return true;
    return false;
}

/* Template of SELECT's answer (ISO 7816-4, 7.4.3; ETSI TS 102 221, 11.1.1.3):
 *   62|6F L { 80 02 size of the data | 81 02 size with structural data | 82 .. | 83 02 file
 * identifier | ... } */
bool fcp_file_size(struct span fcp, size_t *size)
{
    struct span template, value;
    size_t number = 0;

    if (!tlv_find(fcp, 0x62, &template) && !tlv_find(fcp, 0x6F, &template))
        return false;
    if ((!tlv_find(template, 0x80, &value) && !tlv_find(template, 0x81, &value)) ||
        value.length == 0)
        return false;
    for (size_t i = 0; i < value.length; i++) {
        number = number << 8 | value.data[i];
        if (number > 0xFFFF)
            return false;
    }
    *size = number;
    return true;
}
