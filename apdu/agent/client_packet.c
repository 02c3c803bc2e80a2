/* SPDX-License-Identifier: Apache-2.0 */
/* The client's half of protocol.h. The agent is trusted with the key, not with this program's memory:
 * every length is checked. */
#include "apdu/agent/protocol.h"

#include "apdu/card/tlv.h"
#include "modem/text.h"

#include <string.h>

/* ---- the request ---- */

static uint8_t *put_bytes(uint8_t *to, const void *bytes, size_t length)
{
    memcpy(to, bytes, length);
    return to + length;
}

size_t agent_write_request(const struct agent_request *request, uint8_t packet[AGENT_REQUEST_MAX])
{
    const struct token_name *name = &request->key.name;
    const size_t iccid = strlen(request->key.iccid), label = strlen(name->label);
    const uint8_t head[AGENT_REQUEST] = {'S',
                                         'K',
                                         AGENT_VERSION,
                                         (uint8_t)request->operation,
                                         (uint8_t)(request->patience >> 24),
                                         (uint8_t)(request->patience >> 16),
                                         (uint8_t)(request->patience >> 8),
                                         (uint8_t)request->patience,
                                         (uint8_t)request->key.type,
                                         (uint8_t)request->scheme,
                                         (uint8_t)request->hash,
                                         request->option,
                                         (uint8_t)(request->key.bits >> 8),
                                         (uint8_t)request->key.bits,
                                         (uint8_t)name->container, /* NONE is FF */
                                         (uint8_t)iccid,
                                         name->id_length,
                                         (uint8_t)label,
                                         (uint8_t)(request->length >> 8),
                                         (uint8_t)request->length,
                                         (uint8_t)name->applet};
    uint8_t *to = put_bytes(packet, head, sizeof head);

    to = put_bytes(to, request->key.iccid, iccid);
    to = put_bytes(to, name->id, name->id_length);
    to = put_bytes(to, name->label, label);
    to = put_bytes(to, request->data, request->length);
    return (size_t)(to - packet);
}

/* ---- the answer ---- */

static unsigned number_of(const uint8_t *bytes, size_t count)
{
    unsigned number = 0;

    while (count-- > 0)
        number = number << 8 | *bytes++;
    return number;
}

/* A text of so many bytes, harmless, into size bytes. */
static bool take_text(struct span *rest, size_t length, char *text, size_t size)
{
    char raw[REPORT_TEXT_SIZE];
    struct span taken;

    if (length >= sizeof raw || !span_take(rest, length, &taken))
        return false;
    memcpy(raw, taken.data, length);
    raw[length] = '\0';
    (void)text_copy(text, size, raw);
    return true;
}

/* A text with its length before it. */
static bool take_field(struct span *rest, char *text, size_t size)
{
    struct span length;

    return span_take(rest, 1, &length) && take_text(rest, length.data[0], text, size);
}

static bool take_iccid(struct span *rest, char iccid[ICCID_SIZE])
{
    struct span length, digits;

    if (!span_take(rest, 1, &length) || !span_take(rest, length.data[0], &digits))
        return false;
    iccid[0] = '\0';
    return digits.length == 0 || iccid_from_text((const char *)digits.data, digits.length, iccid);
}

static bool take_point(struct span *rest, struct agent_answer *answer)
{
    struct span length, point;

    if (!span_take(rest, 1, &length) || length.data[0] > TOKEN_POINT_MAX ||
        !span_take(rest, length.data[0], &point))
        return false;
    memcpy(answer->point, point.data, point.length);
    answer->point_length = point.length;
    return true;
}

static bool take_item(struct span *rest, struct token_item *item)
{
    struct span head, id, label;

    if (!span_take(rest, 8, &head) || head.data[1] > TOKEN_ID_MAX ||
        head.data[2] >= TOKEN_LABEL_SIZE || head.data[6] >= TOKEN_APPLETS ||
        !span_take(rest, head.data[1], &id) || !span_take(rest, head.data[2], &label) ||
        (head.data[0] != AGENT_NO_CONTAINER && head.data[0] >= TOKEN_CONTAINERS))
        return false;
    memset(item, 0, sizeof *item);
    item->name.container = head.data[0] == AGENT_NO_CONTAINER ? TOKEN_CONTAINER_NONE : head.data[0];
    item->name.id_length = head.data[1];
    memcpy(item->name.id, id.data, id.length);
    memcpy(item->name.label, label.data, label.length);
    item->decrypts = (head.data[3] & AGENT_ITEM_DECRYPTS) != 0;
    item->certificate = (head.data[3] & AGENT_ITEM_CERTIFICATE) != 0;
    item->generates = (head.data[3] & AGENT_ITEM_GENERATES) != 0;
    item->empty = (head.data[3] & AGENT_ITEM_EMPTY) != 0;
    item->no_signing = (head.data[3] & AGENT_ITEM_NO_SIGNING) != 0;
    item->bits = number_of(head.data + 4, 2);
    item->name.applet = (enum token_applet)head.data[6];
    item->candidates = head.data[7];
    return true;
}

static bool take_list(struct span *rest, struct agent_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        if (!take_item(rest, &answer->list[i]))
            return false;
    return true;
}

static bool take_set(struct span *rest, uint64_t *set)
{
    struct span bytes;

    if (!span_take(rest, 8, &bytes))
        return false;
    *set = (uint64_t)number_of(bytes.data, 4) << 32 | number_of(bytes.data + 4, 4);
    return true;
}

static bool take_identity(struct span *rest, struct agent_answer *answer)
{
    struct modem_identity *to = &answer->identity;

    return take_field(rest, to->manufacturer, sizeof to->manufacturer) &&
           take_field(rest, to->model, sizeof to->model) &&
           take_field(rest, to->revision, sizeof to->revision) &&
           take_field(rest, to->imei, sizeof to->imei) &&
           take_field(rest, to->sim_state, sizeof to->sim_state) && take_iccid(rest, answer->iccid);
}

static bool take_tries(struct span *rest, struct agent_answer *answer)
{
    struct span bytes;

    if (!span_take(rest, 4, &bytes))
        return false;
    answer->pin.verified = bytes.data[0] != 0;
    answer->pin.blocked = bytes.data[1] != 0;
    answer->pin.left = bytes.data[2] == AGENT_TRIES_UNKNOWN ? -1 : bytes.data[2];
    answer->refused = bytes.data[3];
    return true;
}

/* What goes to the caller as it is. */
static bool take_data(struct span *rest, struct agent_answer *answer)
{
    answer->data = rest->data;
    answer->length = rest->length;
    rest->length = 0;
    return true;
}

static bool take_body(enum agent_operation operation, struct span *rest,
                      struct agent_answer *answer)
{
    switch (operation) {
    case AGENT_LIST:
        return take_list(rest, answer);
    case AGENT_READ:
        return take_item(rest, &answer->list[0]) && take_iccid(rest, answer->iccid) &&
               take_point(rest, answer) && take_data(rest, answer);
    case AGENT_CERTIFICATE:
        return take_iccid(rest, answer->iccid) && take_data(rest, answer);
    case AGENT_ALGORITHMS:
        return take_set(rest, &answer->set);
    case AGENT_IDENTITY:
        return take_identity(rest, answer);
    case AGENT_TRIES:
        return take_tries(rest, answer);
    case AGENT_SIGN:
    case AGENT_DECRYPT:
        return rest->length <= AGENT_DATA_MAX && take_data(rest, answer);
    default: /* AGENT_AVAILABLE */
        return take_data(rest, answer);
    }
}

bool agent_read_answer(enum agent_operation operation, const uint8_t *packet, size_t length,
                       struct agent_answer *answer)
{
    struct span rest = {packet, length}, head;
    struct report *why = &answer->why;
    unsigned cme;

    memset(answer, 0, sizeof *answer);
    if (!span_take(&rest, AGENT_ANSWER, &head) || head.data[0] != 'S' || head.data[1] != 'K' ||
        head.data[2] != AGENT_VERSION || head.data[3] > OUTCOME_SYSTEM)
        return false;
    why->outcome = (enum outcome)head.data[3];
    why->sw = (uint16_t)number_of(head.data + 4, 2);
    cme = number_of(head.data + 6, 2);
    why->cme = cme == AGENT_NO_CME ? -1 : (int)cme;
    answer->count = number_of(head.data + 10, 2);
    if (answer->count > TOKEN_ITEMS ||
        !take_text(&rest, number_of(head.data + 8, 2), why->text, sizeof why->text) ||
        rest.length != number_of(head.data + 12, 4))
        return false;
    return (why->outcome != OUTCOME_OK || take_body(operation, &rest, answer)) && rest.length == 0;
}
