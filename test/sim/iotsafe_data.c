/* SPDX-License-Identifier: Apache-2.0 */
/* What the IoT SAFE applet tells of itself and its objects, and what its files hold. The sources of
 * what real cards do disagree; each way is a switch. */
#include "test/sim/iotsafe.h"

#include "test/sim/uicc.h"

#include <openssl/pem.h>

#include <string.h>

#define PARTS   12
#define PAD     512u /* capacities are multiples of it */
#define P1_LIST 0x01
#define P2_NEXT 0x01

/* The wrappers, which are also P1 of the information of one object. */
static const uint8_t wrappers[IOTSAFE_KINDS] = {[IOTSAFE_PRIVATE] = 0xC1,
                                                [IOTSAFE_PUBLIC] = 0xC2,
                                                [IOTSAFE_FILE] = 0xC3,
                                                [IOTSAFE_SECRET] = 0xC4};

/* ---- application data ---- */

static unsigned count_of(const struct iotsafe_memory *m, enum iotsafe_kind kind)
{
    unsigned count = 0;

    for (size_t i = 0; i < m->count; i++)
        count += m->objects[i].kind == kind;
    return count;
}

static void add_number(struct bytes *out, unsigned tag, size_t size, unsigned value)
{
    const uint8_t octets[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    bytes_add_tlv(out, tag, octets + 2 - size, size);
}

/* Tags 10, 11, B1 to B4, functions, 91, 92, agreement, 94, B7. Functions and agreement are 61 and 6F on
 * one card that was seen, 90 and 93 in a client for others. */
static void application_data(const struct iotsafe_call *c)
{
    static const uint8_t name[32] = "simmodem IoT SAFE 1.0";
    static const enum iotsafe_kind kinds[] = {IOTSAFE_FILE, IOTSAFE_PRIVATE, IOTSAFE_PUBLIC,
                                              IOTSAFE_SECRET};
    const struct options *o = c->card->options;
    struct bytes *out = &c->r->data;
    bool odd = o->iotsafe_data == IOTSAFE_DATA_ODD, by_90 = o->iotsafe_data == IOTSAFE_DATA_90;
    unsigned hash = 0, sign = 0;

    for (size_t i = 0; i < c->memory->count; i++) {
        hash |= c->memory->objects[i].hash;
        sign |= c->memory->objects[i].sign;
    }
    add_number(out, 0x10, 1, 0x10);
    bytes_add_tlv(out, 0x11, name, odd ? 16 : sizeof name);
    for (size_t i = 0; i < 4; i++)
        add_number(out, 0xB1 + (unsigned)i, 1, count_of(c->memory, kinds[i]));
    add_number(out, by_90 ? 0x90 : 0x61, 1, 0x0F);
    add_number(out, 0x91, odd ? 1 : 2, hash);
    add_number(out, 0x92, 1, sign);
    add_number(out, by_90 ? 0x93 : 0x6F, 1, IOTSAFE_ECKA);
    add_number(out, 0x94, 1, IOTSAFE_PRF | IOTSAFE_HKDF);
    add_number(out, 0xB7, 1, o->iotsafe_left_open ? 1 : (unsigned)o->iotsafe_sessions);
    c->r->sw = 0x9000;
}

/* ---- information of objects ---- */

/* As it is read: in DER or PEM, and with zeros up to the capacity. */
static void add_content(const struct options *o, const struct iotsafe_object *file,
                        struct bytes *out)
{
    const uint8_t *data = file->data.data;
    bool der = file->usage == 2 && file->data.size > 0 && data[0] == 0x30;
    BIO *bio = der && o->iotsafe_pem ? BIO_new(BIO_s_mem()) : NULL;
    char *text;
    long size;

    if (bio != NULL && PEM_write_bio(bio, "CERTIFICATE", "", data, (long)file->data.size) > 0) {
        size = BIO_get_mem_data(bio, &text);
        bytes_add(out, text, (size_t)size);
    } else {
        bytes_add(out, data, file->data.size);
    }
    BIO_free(bio);
    while (o->iotsafe_size == IOTSAFE_PADDED &&
           (out->size == file->data.size || out->size % PAD != 0))
        bytes_add8(out, 0);
}

/* The tags of one object. 92 and 91 are one part, because the card that gives 92 a wrong length has
 * them so. */
struct parts {
    struct bytes tlv[PARTS];
    size_t count;
};

static void add_part(struct parts *p, unsigned tag, size_t size, unsigned value)
{
    add_number(&p->tlv[p->count++], tag, size, value);
}

static void add_file_parts(const struct options *o, const struct iotsafe_object *file,
                           struct parts *p)
{
    struct bytes content = {0};
    unsigned size;

    add_content(o, file, &content);
    size = (unsigned)content.size;
    bytes_free(&content);
    if (!o->iotsafe_no_usage)
        add_part(p, 0x21, 1, file->usage);
    if (o->iotsafe_size == IOTSAFE_SWAPPED)
        size = (size & 0xFF) << 8 | size >> 8;
    if (o->iotsafe_size != IOTSAFE_NO_SIZE)
        add_part(p, 0x20, 2, size);
}

static void add_key_parts(const struct options *o, const struct iotsafe_object *key,
                          struct parts *p)
{
    struct bytes *algorithms;

    add_part(p, 0x4B, 1, key->type);
    if (key->kind != IOTSAFE_SECRET)
        add_part(p, 0x4E, 1, key->usage);
    add_part(p, 0x61, 1, key->functions);
    if (key->sign != 0) {
        algorithms = &p->tlv[p->count++];
        add_number(algorithms, 0x92, 1, key->sign);
        if (o->iotsafe_bad_92)
            algorithms->data[1] = 2;
        if (key->hash != 0)
            add_number(algorithms, 0x91, 2, key->hash);
    }
    if (key->agreement != 0)
        add_part(p, 0x6F, 1, key->agreement);
    if (key->derivation != 0)
        add_part(p, 0x94, 1, key->derivation);
}

static void add_name(const struct options *o, const struct iotsafe_object *object, bool label,
                     struct bytes *out)
{
    if (!label)
        bytes_add_tlv(out, iotsafe_id_tag(object->kind), object->id.octets, object->id.size);
    else if (object->label[0] != '\0' && !o->iotsafe_no_labels)
        bytes_add_tlv(out, iotsafe_label_tag(object->kind), object->label, strlen(object->label));
}

static void add_info(const struct options *o, const struct iotsafe_object *object,
                     struct bytes *out)
{
    struct parts p = {.count = 0};
    bool mixed = o->iotsafe_order == IOTSAFE_MIXED,
         label_first = o->iotsafe_order == IOTSAFE_LABEL_FIRST;

    add_part(&p, 0x60, 1, object->access);
    add_part(&p, 0x4A, 1, iotsafe_activated(object));
    if (object->kind == IOTSAFE_FILE)
        add_file_parts(o, object, &p);
    else
        add_key_parts(o, object, &p);
    if (mixed)
        add_part(&p, 0x5A, 2, 0xABCD); /* nobody knows it */
    add_name(o, object, label_first, out);
    if (!mixed)
        add_name(o, object, !label_first, out);
    for (size_t i = 0; i < p.count; i++) {
        struct bytes *part = &p.tlv[mixed ? p.count - 1 - i : i];

        bytes_add(out, part->data, part->size);
        bytes_free(part);
    }
    if (mixed)
        add_name(o, object, true, out);
}

/* ---- the object list ---- */

static void add_wrapped(const struct options *o, unsigned tag, const struct bytes *inner, bool last,
                        struct bytes *out)
{
    if (o->iotsafe_raw_length && last && inner->size > 0x7F && inner->size <= 0xFF) {
        bytes_add8(out, tag);
        bytes_add8(out, (unsigned)inner->size);
        bytes_add(out, inner->data, inner->size);
    } else {
        bytes_add_tlv(out, tag, inner->data, inner->size);
    }
}

/* The objects of one kind. */
static void add_kind(const struct iotsafe_call *c, enum iotsafe_kind kind, bool last,
                     struct bytes *out)
{
    const struct options *o = c->card->options;
    struct bytes inner = {0};

    for (size_t i = 0; i < c->memory->count; i++) {
        const struct iotsafe_object *object = &c->memory->objects[i];

        if (object->kind != kind)
            continue;
        if (o->iotsafe_list == IOTSAFE_LIST_FLAT) {
            add_info(o, object, out);
            continue;
        }
        add_info(o, object, &inner);
        if (o->iotsafe_list == IOTSAFE_LIST_GROUPED)
            continue;
        add_wrapped(o, wrappers[kind], &inner, false, out);
        bytes_free(&inner);
    }
    if (inner.size > 0)
        add_wrapped(o, wrappers[kind], &inner, last, out);
    bytes_free(&inner);
}

/* Private, public, then secret keys and files, as one client wants it; or files first, as a flat list
 * was seen. Public keys come last where the last wrapper is the matter. */
static void add_list(const struct iotsafe_call *c, struct bytes *out)
{
    static const enum iotsafe_kind orders[3][IOTSAFE_KINDS] = {
        {IOTSAFE_PRIVATE, IOTSAFE_PUBLIC, IOTSAFE_SECRET, IOTSAFE_FILE},
        {IOTSAFE_PRIVATE, IOTSAFE_PUBLIC, IOTSAFE_FILE, IOTSAFE_SECRET},
        {IOTSAFE_FILE, IOTSAFE_PRIVATE, IOTSAFE_SECRET, IOTSAFE_PUBLIC},
    };
    const struct options *o = c->card->options;
    const enum iotsafe_kind *order =
        orders[o->iotsafe_raw_length || o->iotsafe_order == IOTSAFE_MIXED ? 2
               : o->iotsafe_list == IOTSAFE_LIST_FLAT                     ? 1
                                                                          : 0];

    for (size_t i = 0; i < IOTSAFE_KINDS; i++)
        add_kind(c, order[i], i == IOTSAFE_KINDS - 1, out);
}

static void object_list(const struct iotsafe_call *c)
{
    size_t page = (size_t)c->card->options->iotsafe_page;
    size_t *told = &c->selection->listed;
    struct bytes list = {0};
    size_t part;

    c->r->sw = 0x6985;
    if (c->cmd->p2 != P2_NEXT)
        *told = 0;
    else if (*told == 0)
        return; /* nothing is to be continued */
    add_list(c, &list);
    part = page > 0 && list.size - *told > page ? page : list.size - *told;
    bytes_add(&c->r->data, list.data + *told, part);
    *told += part;
    c->r->sw = *told < list.size ? 0x6300 : 0x9000;
    if (*told == list.size)
        *told = 0;
    bytes_free(&list);
}

static void object_info(const struct iotsafe_call *c, enum iotsafe_kind kind)
{
    const struct options *o = c->card->options;
    const struct iotsafe_object *object = iotsafe_named(c, kind);
    struct bytes inner = {0};

    if (object == NULL)
        return;
    c->r->sw = 0x9000;
    add_info(o, object, &inner);
    if (o->iotsafe_info == IOTSAFE_INFO_BARE ||
        (o->iotsafe_info == IOTSAFE_INFO_AS_LIST && o->iotsafe_list == IOTSAFE_LIST_FLAT))
        bytes_add(&c->r->data, inner.data, inner.size);
    else
        add_wrapped(o, wrappers[kind], &inner, true, &c->r->data);
    bytes_free(&inner);
}

void iotsafe_get_data(struct iotsafe_call *c)
{
    int list = c->card->options->iotsafe_list;
    const struct command *cmd = c->cmd;

    c->r->sw = 0x6D00;
    if (list == IOTSAFE_LIST_NO_DATA || (list == IOTSAFE_LIST_ABSENT && cmd->p1 == P1_LIST))
        return;
    c->r->sw = 0x6A86;
    if (cmd->p2 != 0 && (cmd->p1 != P1_LIST || cmd->p2 != P2_NEXT))
        return;
    for (int kind = 0; kind < IOTSAFE_KINDS; kind++) {
        if (cmd->p1 == wrappers[kind])
            object_info(c, (enum iotsafe_kind)kind);
    }
    if (cmd->p1 > P1_LIST)
        return;
    c->r->sw = 0x6700;
    if (cmd->lc > 0)
        return;
    if (cmd->p1 == P1_LIST)
        object_list(c);
    else
        application_data(c);
}

/* ---- files ---- */

void iotsafe_read_file(struct iotsafe_call *c)
{
    static const unsigned ends[] = {0x6B00, 0x6A86, 0x6981, 0x9000};
    const struct options *o = c->card->options;
    const struct iotsafe_object *file = iotsafe_named(c, IOTSAFE_FILE);
    size_t offset = (size_t)c->cmd->p1 << 8 | c->cmd->p2;
    struct bytes content = {0};

    if (file == NULL)
        return;
    c->r->sw = c->cmd->has_le && c->cmd->le > (size_t)o->max_read ? 0x6700
               : (file->access & IOTSAFE_READ) == 0               ? 0x6982
               : !iotsafe_activated(file)                         ? 0x6985
                                                                  : 0x9000;
    if (c->r->sw != 0x9000)
        return;
    add_content(o, file, &content);
    if (offset >= content.size)
        c->r->sw = ends[o->iotsafe_end];
    else
        bytes_add(&c->r->data, content.data + offset,
                  content.size - offset < c->cmd->le ? content.size - offset : c->cmd->le);
    bytes_free(&content);
}
