/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of a Type A data object. Bytes only: no card here. */
#include "apdu/applet/mias.h"

#include <string.h>

/* 16 bytes of header, then four fields, each behind its length:
 *   label (may be padded with spaces) | application | object id | value
 * A length is one byte under 80, else BER (81 xx, 82 xx xx). */
#define OBJECT_HEADER 16
#define LABEL_MAX     32

bool typea_parse_object(struct span object, char label[33], struct span *value)
{
    struct span header, name, application, identifier;

    if (!span_take(&object, OBJECT_HEADER, &header) || !tlv_take_field(&object, &name) ||
        !tlv_take_field(&object, &application) || !tlv_take_field(&object, &identifier) ||
        !tlv_take_field(&object, value) || !span_padding(object))
        return false;
    while (name.length > 0 &&
           (name.data[name.length - 1] == ' ' || name.data[name.length - 1] == 0))
        name.length--;
    while (name.length > 0 && name.data[0] == ' ') {
        name.data++;
        name.length--;
    }
    if (name.length > LABEL_MAX)
        return false;
    if (name.length > 0)
        memcpy(label, name.data, name.length);
    label[name.length] = '\0';
    return true;
}
