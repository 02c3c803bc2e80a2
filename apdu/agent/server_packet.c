/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's half of protocol.h. A client may send any bytes: nothing is allocated for them, and a request
 * that has passed here has only numbers and lengths that the rest of the agent knows. */
#include "apdu/agent/protocol.h"

#include "apdu/card/tlv.h"

#include <string.h>

/* ---- the request ---- */

static bool refuse(struct report *why, const char *what)
{
    (void)report_set(why, OUTCOME_USAGE, "the agent does not take this request: %s", what);
    return false;
}

static bool good_text(struct span text)
{
    return text.length == 0 || memchr(text.data, 0, text.length) == NULL;
}

static bool good_iccid(struct span text)
{
    char iccid[ICCID_SIZE];

    return text.length == 0 ||
           (text.length < ICCID_SIZE &&
            iccid_from_text((const char *)text.data, text.length, iccid) &&
            strlen(iccid) == text.length && memcmp(iccid, text.data, text.length) == 0);
}

/* The numbers of the head that are of an enum or a range. */
static bool good_head(const uint8_t *head, struct report *why)
{
    if (head[3] < AGENT_LIST || head[3] >= AGENT_OPERATIONS)
        return refuse(why, "there is no such operation");
    if (head[8] >= TOKEN_KEY_TYPES || head[9] >= TOKEN_SCHEMES || head[10] >= TOKEN_HASHES)
        return refuse(why, "it has a key type, scheme or hash that the agent does not know");
    if (head[14] >= TOKEN_CONTAINERS && head[14] != AGENT_NO_CONTAINER)
        return refuse(why, "there is no such container");
    if (head[20] >= TOKEN_APPLETS)
        return refuse(why, "it has a family of applets that the agent does not know");
    if (head[15] >= ICCID_SIZE || head[16] > TOKEN_ID_MAX || head[17] >= TOKEN_LABEL_SIZE)
        return refuse(why, "a name in it is too long");
    return true;
}

/* With a hash: a digest of that. Without one: data for PKCS#1 padding, or for ECDSA a digest of any hash. Data
 * that no key takes are refused here: the SIM's refusal would cost other programs their session. */
static bool good_digest(const struct agent_request *request)
{
    if (request->hash != TOKEN_HASH_NONE)
        return request->length == hash_length(request->hash);
    if (request->scheme == TOKEN_PKCS1)
        return request->length > 0 && 8 * (request->length + 11) <= request->key.bits;
    return request->scheme == TOKEN_ECDSA && request->length > 0 &&
           request->length <= TOKEN_HASH_MAX;
}

/* What the operation makes of its numbers. */
static bool good_use(const struct agent_request *request, struct report *why)
{
    switch (request->operation) {
    case AGENT_SIGN:
        if (token_scheme_type(request->scheme) != request->key.type)
            return refuse(why, "its scheme is for another type of key");
        if (!good_digest(request))
            return refuse(why, "its digest is not as long as its hash says");
        return request->option <= AGENT_DISTRUST || refuse(why, "there is no such option");
    case AGENT_DECRYPT:
        return request->option <= TOKEN_DECRYPT_OAEP || refuse(why, "there is no such padding");
    case AGENT_AVAILABLE:
        return (request->option & ~AGENT_PRIVATE) <= TYPEA_FILES ||
               refuse(why, "there is no such store");
    default:
        return request->length == 0 || refuse(why, "it has data, and its operation takes none");
    }
}

bool agent_read_request(const uint8_t *packet, size_t length, struct agent_request *request,
                        struct report *why)
{
    struct span rest = {packet, length}, head, iccid, id, label, data;
    struct token_name *name = &request->key.name;
    size_t data_length;

    memset(request, 0, sizeof *request);
    if (!span_take(&rest, AGENT_REQUEST, &head) || head.data[0] != 'S' || head.data[1] != 'K')
        return refuse(why, "it does not follow the agent's protocol");
    if (head.data[2] != AGENT_VERSION)
        return refuse(why, "it is of another version of simkey");
    if (!good_head(head.data, why))
        return false;
    data_length = (size_t)(head.data[18] << 8 | head.data[19]);
    if (data_length > AGENT_DATA_MAX || !span_take(&rest, head.data[15], &iccid) ||
        !span_take(&rest, head.data[16], &id) || !span_take(&rest, head.data[17], &label) ||
        !span_take(&rest, data_length, &data) || rest.length != 0)
        return refuse(why, "it is not as long as it says");
    if (!good_iccid(iccid) || !good_text(label))
        return refuse(why, "a name in it is not text");
    request->operation = (enum agent_operation)head.data[3];
    request->patience = (uint32_t)head.data[4] << 24 | (uint32_t)head.data[5] << 16 |
                        (uint32_t)head.data[6] << 8 | head.data[7];
    request->key.type = (enum token_key_type)head.data[8];
    request->scheme = (enum token_scheme)head.data[9];
    request->hash = (enum token_hash)head.data[10];
    request->option = head.data[11];
    request->key.bits = (unsigned)(head.data[12] << 8 | head.data[13]);
    name->container = head.data[14] == AGENT_NO_CONTAINER ? TOKEN_CONTAINER_NONE : head.data[14];
    name->applet = (enum token_applet)head.data[20];
    name->id_length = head.data[16];
    memcpy(request->key.iccid, iccid.data, iccid.length);
    memcpy(name->id, id.data, id.length);
    memcpy(name->label, label.data, label.length);
    memcpy(request->data, data.data, data.length);
    request->length = data.length;
    return good_use(request, why);
}

/* ---- the answer ---- */

struct writer {
    uint8_t *packet;
    size_t used;
    bool full;
};

static void put_bytes(struct writer *to, const void *bytes, size_t length)
{
    if (to->full || length > AGENT_ANSWER_MAX - to->used) {
        to->full = true;
        return;
    }
    if (length > 0)
        memcpy(to->packet + to->used, bytes, length);
    to->used += length;
}

static void put_number(struct writer *to, uint64_t number, size_t count)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(number >> 8 * (count - 1 - i));
    put_bytes(to, bytes, count);
}

static void put_field(struct writer *to, const char *text)
{
    put_number(to, strlen(text), 1); /* all are shorter than 256 */
    put_bytes(to, text, strlen(text));
}

static void put_item(struct writer *to, const struct token_item *item)
{
    const struct token_name *name = &item->name;

    put_number(to, (uint8_t)name->container, 1);
    put_number(to, name->id_length, 1);
    put_number(to, strlen(name->label), 1);
    put_number(to,
               (item->decrypts ? AGENT_ITEM_DECRYPTS : 0) |
                   (item->certificate ? AGENT_ITEM_CERTIFICATE : 0) |
                   (item->generates ? AGENT_ITEM_GENERATES : 0) |
                   (item->empty ? AGENT_ITEM_EMPTY : 0) |
                   (item->no_signing ? AGENT_ITEM_NO_SIGNING : 0),
               1);
    put_number(to, item->bits, 2);
    put_number(to, name->applet, 1);
    put_number(to, item->candidates, 1); /* no SIM lists more objects than IOTSAFE_OBJECTS */
    put_bytes(to, name->id, name->id_length);
    put_bytes(to, name->label, strlen(name->label));
}

static void put_identity(struct writer *to, const struct agent_answer *answer)
{
    put_field(to, answer->identity.manufacturer);
    put_field(to, answer->identity.model);
    put_field(to, answer->identity.revision);
    put_field(to, answer->identity.imei);
    put_field(to, answer->identity.sim_state);
    put_field(to, answer->iccid);
}

static void put_tries(struct writer *to, const struct agent_answer *answer)
{
    const struct token_pin *pin = &answer->pin;

    put_number(to, pin->verified, 1);
    put_number(to, pin->blocked, 1);
    put_number(to,
               pin->left >= 0 && pin->left < AGENT_TRIES_UNKNOWN ? (uint64_t)pin->left
                                                                 : AGENT_TRIES_UNKNOWN,
               1);
    put_number(to, answer->refused < 255 ? answer->refused : 255, 1);
}

static void put_body(struct writer *to, enum agent_operation operation,
                     const struct agent_answer *answer)
{
    switch (operation) {
    case AGENT_LIST:
        for (size_t i = 0; i < answer->count; i++)
            put_item(to, &answer->list[i]);
        return;
    case AGENT_READ:
        put_item(to, &answer->list[0]);
        put_field(to, answer->iccid);
        put_number(to, answer->point_length, 1);
        put_bytes(to, answer->point, answer->point_length);
        put_bytes(to, answer->data, answer->length);
        return;
    case AGENT_CERTIFICATE:
        put_field(to, answer->iccid);
        put_bytes(to, answer->data, answer->length);
        return;
    case AGENT_ALGORITHMS:
        put_number(to, answer->set, 8);
        return;
    case AGENT_IDENTITY:
        put_identity(to, answer);
        return;
    case AGENT_TRIES:
        put_tries(to, answer);
        return;
    default:
        put_bytes(to, answer->data, answer->length);
    }
}

static void put_head(struct writer *to, const struct report *why, size_t count)
{
    const uint8_t mark[] = {'S', 'K', AGENT_VERSION, (uint8_t)why->outcome};

    to->used = 0;
    to->full = false;
    put_bytes(to, mark, sizeof mark);
    put_number(to, why->sw, 2);
    put_number(to, why->cme < 0 || why->cme > AGENT_NO_CME ? AGENT_NO_CME : (uint64_t)why->cme, 2);
    put_number(to, strlen(why->text), 2);
    put_number(to, count, 2);
    put_number(to, 0, 4); /* the length of the body, see below */
    put_bytes(to, why->text, strlen(why->text));
}

size_t agent_write_answer(enum agent_operation operation, const struct agent_answer *answer,
                          uint8_t *packet)
{
    struct writer to = {.packet = packet};
    struct report too_long = REPORT_INIT;
    size_t before;

    put_head(&to, &answer->why, operation == AGENT_LIST ? answer->count : 0);
    before = to.used;
    if (answer->why.outcome == OUTCOME_OK)
        put_body(&to, operation, answer);
    if (to.full) {
        (void)report_set(&too_long, OUTCOME_BAD_DATA,
                         "what the SIM has there does not fit into the agent's answer");
        put_head(&to, &too_long, 0);
        before = to.used;
    }
    for (size_t i = 0; i < 4; i++)
        packet[12 + i] = (uint8_t)((to.used - before) >> (24 - 8 * i));
    return to.used;
}
