/* SPDX-License-Identifier: Apache-2.0 */
/* What IoT SAFE's applet says of itself and of its objects: GET DATA, and the structures that it
 * answers. Cards disagree on their shape, so that nothing goes by its place: a tag says what it is. */
#include "apdu/applet/iotsafe.h"

#include <stdlib.h>
#include <string.h>

#define INS_GET_DATA 0xCB

#define P1_APPLICATION 0x00
#define P1_LIST        0x01
#define P2_FIRST       0x00
#define P2_NEXT        0x01

#define SW_MORE 0x6300 /* the list goes on */

/* A list of 64 objects has some 4 kB. */
#define LIST_MAX  16384
#define PAGES_MAX 128

/* Tags of information structures (IoT.05, 2.14.4): each has one byte. */
enum {
    TAG_WRAPPER_FIRST = 0xC1, /* around one object, several, or none at all */
    TAG_WRAPPER_LAST = 0xC4,
    TAG_LABEL_FIRST = 0x73, /* file, private, public, secret key */
    TAG_LABEL_LAST = 0x76,
    TAG_ID_FIRST = 0x83,
    TAG_ID_LAST = 0x86,
    TAG_STATE = 0x4A,
    TAG_TYPE = 0x4B,
    TAG_KEY_USAGE = 0x4E,
    TAG_FILE_SIZE = 0x20,
    TAG_FILE_USAGE = 0x21,
    TAG_FUNCTIONS = 0x61,
    TAG_HASHES = 0x91,
    TAG_SCHEMES = 0x92,
    /* of the applet */
    TAG_VERSION = 0x10,
    TAG_IDENTIFIER = 0x11,
    TAG_APPLET_FUNCTIONS = 0x90,
    TAG_MAX_FILES = 0xB1,
    TAG_MAX_SESSIONS = 0xB7
};

/* GET DATA's P1 for one object: C3 for a file, C1 for a private key, ... */
static const uint8_t info_p1[IOTSAFE_KINDS] = {[IOTSAFE_FILE] = 0xC3,
                                               [IOTSAFE_PRIVATE] = 0xC1,
                                               [IOTSAFE_PUBLIC] = 0xC2,
                                               [IOTSAFE_SECRET] = 0xC4};

/* ---- parsing ---- */

/* A big-endian number; the last bytes of one that is longer than it should be. */
static size_t number_of(struct span value)
{
    size_t number = 0;

    for (size_t i = 0; i < value.length; i++)
        number = (number << 8 | value.data[i]) & 0xFFFFFF;
    return number;
}

static size_t byte_of(struct span value)
{
    return value.length > 0 ? value.data[value.length - 1] : 0;
}

/* Moves behind the length of a wrapper. Above 127 that may be BER's, or one bare byte: whichever there
 * is room for. */
static bool skip_wrapper(struct span *rest)
{
    struct span ber = *rest, raw = *rest, first;
    size_t length;

    if (!span_take(&raw, 1, &first))
        return false;
    if (tlv_take_length(&ber, &length) && length <= ber.length &&
        (first.data[0] < 0x80 || length >= 0x80)) {
        *rest = ber;
        return true;
    }
    if (first.data[0] < 0x80 || first.data[0] > raw.length)
        return false;
    *rest = raw;
    return true;
}

/* One element. Some cards announce two bytes of schemes and give one (92 02 04, and 91 02 ... behind
 * it). */
static bool take_element(struct span *rest, uint8_t *tag, struct span *value)
{
    struct span byte, all;

    if (!span_take(rest, 1, &byte))
        return false;
    *tag = byte.data[0];
    all = *rest;
    if (!tlv_take_field(rest, value))
        return false;
    if (*tag == TAG_SCHEMES && value->length == 2 && value->data[1] == TAG_HASHES &&
        rest->length > 0 && rest->data[0] == 2) {
        (void)span_take(&all, 1, &byte);
        (void)span_take(&all, 1, value);
        *rest = all;
    }
    return true;
}

static void set_id(struct token_name *name, struct span value)
{
    if (value.length > TOKEN_ID_MAX)
        return;
    name->id_length = (uint8_t)value.length;
    if (value.length > 0)
        memcpy(name->id, value.data, value.length);
}

/* A label that cannot be a text is none. */
static void set_label(struct token_name *name, struct span value)
{
    if (value.length == 0 || value.length >= TOKEN_LABEL_SIZE ||
        memchr(value.data, '\0', value.length) != NULL)
        return;
    memcpy(name->label, value.data, value.length);
    name->label[value.length] = '\0';
}

static struct iotsafe_object no_object(void)
{
    return (struct iotsafe_object){.kind = IOTSAFE_KINDS, .name = TOKEN_NAME_NONE, .functions = -1};
}

static void set_property(struct iotsafe_object *object, uint8_t tag, struct span value)
{
    switch (tag) {
    case TAG_STATE:
        object->empty = value.length > 0 && byte_of(value) == 0;
        break;
    case TAG_TYPE:
        object->type = (uint8_t)byte_of(value);
        break;
    case TAG_KEY_USAGE:
    case TAG_FILE_USAGE:
        object->usage = (uint8_t)byte_of(value);
        break;
    case TAG_FILE_SIZE:
        object->size = number_of(value);
        break;
    case TAG_FUNCTIONS:
        object->functions = (int)byte_of(value);
        break;
    case TAG_HASHES:
        object->hashes = (uint16_t)number_of(value);
        break;
    case TAG_SCHEMES:
        object->schemes = (uint8_t)byte_of(value);
        break;
    default: /* others are none of ours */
        break;
    }
}

/* The parser's state: the object that is being filled. */
struct filling {
    struct iotsafe_objects *objects;
    struct iotsafe_object object;
    bool has_id, has_label;
};

static void finish_object(struct filling *filling)
{
    struct iotsafe_objects *objects = filling->objects;

    if (filling->object.kind != IOTSAFE_KINDS && objects->count < IOTSAFE_OBJECTS)
        objects->list[objects->count++] = filling->object;
    filling->object = no_object();
    filling->has_id = filling->has_label = false;
}

/* An id or a label: of the object at hand, or the beginning of the next one. */
static void take_name(struct filling *filling, enum iotsafe_kind kind, bool id, struct span value)
{
    if (filling->object.kind != IOTSAFE_KINDS &&
        (filling->object.kind != kind || (id ? filling->has_id : filling->has_label)))
        finish_object(filling);
    filling->object.kind = kind;
    if (id) {
        set_id(&filling->object.name, value);
        filling->has_id = true;
    } else {
        set_label(&filling->object.name, value);
        filling->has_label = true;
    }
}

bool iotsafe_parse_objects(struct span data, struct iotsafe_objects *objects)
{
    struct filling filling = {.objects = objects, .object = no_object()};
    struct span value;
    bool good = true;
    uint8_t tag;

    objects->count = 0;
    while (good && data.length > 0 && !span_padding(data)) {
        tag = data.data[0];
        if (tag >= TAG_WRAPPER_FIRST && tag <= TAG_WRAPPER_LAST) {
            (void)span_take(&data, 1, &value);
            good = skip_wrapper(&data);
            finish_object(&filling);
            continue;
        }
        good = take_element(&data, &tag, &value);
        if (!good)
            break;
        if (tag >= TAG_LABEL_FIRST && tag <= TAG_LABEL_LAST)
            take_name(&filling, (enum iotsafe_kind)(tag - TAG_LABEL_FIRST), false, value);
        else if (tag >= TAG_ID_FIRST && tag <= TAG_ID_LAST)
            take_name(&filling, (enum iotsafe_kind)(tag - TAG_ID_FIRST), true, value);
        else
            set_property(&filling.object, tag, value);
    }
    finish_object(&filling);
    return good;
}

/* The identifier's length is wrong on some cards: what follows it is the number of files. */
static void skip_identifier(struct span *rest)
{
    struct span after = *rest, value;

    if (tlv_take_field(&after, &value) && (after.length == 0 || after.data[0] == TAG_MAX_FILES)) {
        *rest = after;
        return;
    }
    while (rest->length > 2 && !(rest->data[0] == TAG_MAX_FILES && rest->data[1] == 1))
        (void)span_take(rest, 1, &value);
}

/* So is that of the hashes: they have two bytes, and the schemes follow. */
static bool take_hashes(struct span *rest, struct span *value)
{
    struct span after = *rest, length;

    if (span_take(&after, 1, &length) && span_take(&after, 2, value) && after.length > 0 &&
        after.data[0] == TAG_SCHEMES) {
        *rest = after;
        return true;
    }
    return tlv_take_field(rest, value);
}

bool iotsafe_parse_application(struct span data, struct iotsafe_application *application)
{
    struct span byte, value;

    memset(application, 0, sizeof *application);
    while (data.length > 0 && !span_padding(data)) {
        bool good;

        (void)span_take(&data, 1, &byte);
        if (byte.data[0] == TAG_IDENTIFIER) {
            skip_identifier(&data);
            continue;
        }
        good =
            byte.data[0] == TAG_HASHES ? take_hashes(&data, &value) : tlv_take_field(&data, &value);
        if (!good)
            return false;
        switch (byte.data[0]) {
        case TAG_VERSION:
            application->version = (uint8_t)byte_of(value);
            break;
        case TAG_FUNCTIONS:
        case TAG_APPLET_FUNCTIONS:
            application->functions = (uint8_t)byte_of(value);
            break;
        case TAG_HASHES:
            application->hashes = (uint16_t)number_of(value);
            break;
        case TAG_SCHEMES:
            application->schemes = (uint8_t)byte_of(value);
            break;
        case TAG_MAX_SESSIONS:
            application->sessions = (uint8_t)byte_of(value);
            break;
        default:
            break;
        }
    }
    return true;
}

/* ---- commands ---- */

static enum outcome get_data(const struct card *card, uint8_t p1, uint8_t p2, struct span data,
                             struct answer *answer, struct report *why)
{
    struct apdu get = {.ins = INS_GET_DATA,
                       .p1 = p1,
                       .p2 = p2,
                       .data = data.data,
                       .lc = data.length,
                       .le = APDU_LE_ALL,
                       .repeatable = true};

    return iotsafe_send(card, &get, answer, why);
}

enum outcome iotsafe_read_application(const struct card *card,
                                      struct iotsafe_application *application, struct report *why)
{
    const struct span nothing = {NULL, 0};
    struct answer answer;
    enum outcome outcome = get_data(card, P1_APPLICATION, 0, nothing, &answer, why);

    memset(application, 0, sizeof *application);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (answer.sw != SW_OK)
        return iotsafe_refused(&answer, "read what the applet can do", why);
    if (!iotsafe_parse_application((struct span){answer.data, answer.length}, application))
        return report_set(why, OUTCOME_BAD_DATA, "what the applet says of itself is malformed");
    return OUTCOME_OK;
}

/* The pages one behind the other: one may end inside an object. */
static enum outcome read_pages(const struct card *card, uint8_t *list, size_t *length,
                               struct report *why)
{
    const struct span nothing = {NULL, 0};
    struct answer answer;

    *length = 0;
    for (int page = 0; page < PAGES_MAX; page++) {
        enum outcome outcome =
            get_data(card, P1_LIST, page == 0 ? P2_FIRST : P2_NEXT, nothing, &answer, why);

        if (outcome != OUTCOME_OK)
            return outcome;
        if (answer.sw != SW_OK && answer.sw != SW_MORE)
            return page > 0 ? OUTCOME_OK : iotsafe_refused(&answer, "list the objects", why);
        if (answer.length > LIST_MAX - *length)
            break;
        memcpy(list + *length, answer.data, answer.length);
        *length += answer.length;
        if (answer.sw == SW_OK)
            return OUTCOME_OK;
    }
    return report_set(why, OUTCOME_BAD_DATA, "the applet's list of objects has no end");
}

/* What an applet says that has no list, or no information on an object. */
static bool does_not_tell(const struct report *why)
{
    return why->sw == 0x6D00 || why->sw == 0x6E00 || why->sw == 0x6A81 || why->sw == 0x6A86 ||
           why->sw == 0x6A88 || why->sw == 0x6A82 || why->sw == 0x6985;
}

enum outcome iotsafe_read_objects(const struct card *card, struct iotsafe_objects *objects,
                                  struct report *why)
{
    uint8_t *list = malloc(LIST_MAX);
    size_t length;
    enum outcome outcome;

    objects->count = 0;
    if (list == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    outcome = read_pages(card, list, &length, why);
    if (outcome == OUTCOME_OK && !iotsafe_parse_objects((struct span){list, length}, objects))
        outcome = report_set(why, OUTCOME_BAD_DATA, "the applet's list of objects is malformed");
    free(list);
    if (outcome != OUTCOME_OK && outcome != OUTCOME_BAD_DATA && does_not_tell(why))
        outcome = why->outcome = OUTCOME_NOT_FOUND;
    return outcome;
}

enum outcome iotsafe_read_object(const struct card *card, enum iotsafe_kind kind,
                                 const struct token_name *name, struct iotsafe_object *object,
                                 struct report *why)
{
    uint8_t data[IOTSAFE_NAME_MAX];
    const struct span named = {data, iotsafe_name_data(kind, name, data)};
    struct iotsafe_objects *objects;
    struct answer answer;
    enum outcome outcome = get_data(card, info_p1[kind], 0, named, &answer, why);

    *object = no_object();
    if (outcome != OUTCOME_OK)
        return outcome;
    if (answer.sw != SW_OK) {
        outcome = iotsafe_refused(&answer, "read what the key can do", why);
        return does_not_tell(why) ? (why->outcome = OUTCOME_NOT_FOUND) : outcome;
    }
    objects = calloc(1, sizeof *objects);
    if (objects == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    if (!iotsafe_parse_objects((struct span){answer.data, answer.length}, objects) ||
        objects->count == 0)
        outcome = report_set(why, OUTCOME_BAD_DATA, "what the applet says of the key is malformed");
    else
        *object = objects->list[0];
    free(objects);
    return outcome;
}
