/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the IoT SAFE applet: INIT opens one, UPDATEs bring its data, the last one ends it, INIT
 * with P1 01 closes it. COMPUTE SIGNATURE (2A, 2B), VERIFY SIGNATURE (2C, 2D), PUT PUBLIC KEY (24,
 * D8). */
#include "test/sim/iotsafe.h"

#include "test/sim/uicc.h"

#include <string.h>

#define INS_COMPUTE 0x2A
#define INS_VERIFY  0x2C
#define INS_PUT     0x24

#define P1_OPEN  0x00
#define P1_CLOSE 0x01
#define P1_MORE  0x00
#define P1_LAST  0x80

#define TAG_KEY       0x34
#define TAG_SIGNATURE 0x33
#define TAG_LAST      0x9A
#define TAG_TEXT      0x9B
#define TAG_STATE     0x9C
#define TAG_COUNT     0x9D
#define TAG_HASH      0x9E
#define TAG_MAC       0x9F

#define TEXT_MOST 65536

static void end_session(struct iotsafe_session *s)
{
    bytes_free(&s->text);
    *s = (struct iotsafe_session){.open = false};
}

void iotsafe_close_sessions(struct iotsafe_selection *selection)
{
    struct iotsafe *i = &selection->card->iotsafe;

    for (size_t n = 0; n < IOTSAFE_SESSIONS; n++) {
        if (i->sessions[n].open && i->sessions[n].owner == selection)
            end_session(&i->sessions[n]);
    }
}

/* The session of that INIT and number; only this selection's, or anybody's. */
static struct iotsafe_session *find_session(const struct iotsafe_call *c, uint8_t ins, bool mine)
{
    for (size_t n = 0; n < IOTSAFE_SESSIONS; n++) {
        struct iotsafe_session *s = &c->card->iotsafe.sessions[n];

        if (s->open && s->ins == ins && s->number == c->cmd->p2 &&
            (s->owner == c->selection || !mine))
            return s;
    }
    return NULL;
}

/* Where one that is to be opened goes. One of the same number on the same channel begins anew, unless
 * one is all that the card has: some clients never close theirs. */
static struct iotsafe_session *free_session(const struct iotsafe_call *c)
{
    const struct options *o = c->card->options;
    size_t most = o->iotsafe_left_open ? 1 : (size_t)o->iotsafe_sessions;
    struct iotsafe_session *s = find_session(c, c->cmd->ins, true);
    size_t open = 0;

    if (s != NULL && most > 1) {
        end_session(s);
        return s;
    }
    s = NULL;
    for (size_t n = 0; n < IOTSAFE_SESSIONS; n++) {
        struct iotsafe_session *slot = &c->card->iotsafe.sessions[n];

        open += slot->open;
        if (!slot->open && s == NULL)
            s = slot;
    }
    return open < most ? s : NULL;
}

/* ---- INIT ---- */

/* A secret key makes an AES-CMAC, with which some cards go beyond the standard. */
static enum iotsafe_kind kind_of(const struct command *cmd)
{
    struct iotsafe_tlv t;
    bool secret = iotsafe_tag(cmd, iotsafe_id_tag(IOTSAFE_SECRET), &t) ||
                  iotsafe_tag(cmd, iotsafe_label_tag(IOTSAFE_SECRET), &t);

    if (cmd->ins != INS_COMPUTE)
        return IOTSAFE_PUBLIC;
    return secret ? IOTSAFE_SECRET : IOTSAFE_PRIVATE;
}

/* A1, 91, 92; of these a secret key wants the last alone. False with a status word. */
static bool take_algorithm(const struct iotsafe_call *c, struct iotsafe_session *s)
{
    struct iotsafe_tlv mode, hash, scheme;

    c->r->sw = 0x6A80;
    if (!iotsafe_tag(c->cmd, 0x92, &scheme) || scheme.size != 1)
        return false;
    s->scheme = scheme.value[0];
    if (s->object->kind == IOTSAFE_SECRET) {
        c->r->sw = 0x6985;
        return s->scheme == IOTSAFE_CMAC && (s->object->sign & IOTSAFE_CMAC) != 0;
    }
    if (!iotsafe_tag(c->cmd, 0xA1, &mode) || mode.size != 1 || !iotsafe_tag(c->cmd, 0x91, &hash) ||
        hash.size != 2)
        return false;
    s->mode = mode.value[0];
    s->hash = (unsigned)hash.value[0] << 8 | hash.value[1];
    if (s->mode < IOTSAFE_FULL_TEXT || s->mode > IOTSAFE_HASHED || iotsafe_hash(s->hash) == NULL)
        return false;
    /* one bit each of what the key's information names */
    c->r->sw = 0x6985;
    return (s->hash & s->object->hash) != 0 && (s->scheme & s->object->sign) != 0 &&
           (s->scheme & (s->scheme - 1)) == 0;
}

static void open_session(const struct iotsafe_call *c)
{
    uint8_t ins = c->cmd->ins;
    struct iotsafe_session wanted = {
        .open = true, .ins = ins, .number = c->cmd->p2, .owner = c->selection};
    struct iotsafe_object *object = iotsafe_named(c, kind_of(c->cmd));
    struct iotsafe_session *slot;

    if (object == NULL)
        return;
    wanted.object = object;
    c->r->sw = 0x6985;
    if (ins == INS_PUT ? (object->access & IOTSAFE_UPDATE) == 0
                       : !iotsafe_activated(object) || (object->functions & IOTSAFE_SIGN) == 0)
        return;
    if (ins != INS_PUT && !take_algorithm(c, &wanted))
        return;
    slot = free_session(c);
    c->r->sw = slot != NULL                                          ? 0x9000
               : c->card->options->iotsafe_full == IOTSAFE_FULL_6989 ? 0x6989
                                                                     : 0x6985;
    if (slot != NULL)
        *slot = wanted;
}

/* One's own, or one that was left: nobody knows by whom. */
static void close_session(const struct iotsafe_call *c)
{
    struct iotsafe_session *s = find_session(c, c->cmd->ins, true);

    if (s == NULL)
        s = find_session(c, c->cmd->ins, false);
    c->r->sw = c->cmd->lc > 0 ? 0x6700 : s != NULL ? 0x9000 : 0x6985;
    if (c->r->sw == 0x9000)
        end_session(s);
}

void iotsafe_init(struct iotsafe_call *c)
{
    c->r->sw = 0x6A86;
    if (c->cmd->p1 == P1_OPEN)
        open_session(c);
    else if (c->cmd->p1 == P1_CLOSE)
        close_session(c);
}

/* ---- UPDATE ---- */

/* What one UPDATE of a signature brings, beside text. */
struct update {
    bool has_last, has_state, has_count, has_hash, has_signature;
    bool wrong_coding; /* of the signature */
    struct iotsafe_tlv last, state, count, hash, signature;
};

/* Tag 33 is the last. Its length is BER, or two octets. */
static bool take_signature(const uint8_t *at, const uint8_t *end, struct update *u)
{
    size_t rest = (size_t)(end - at) - 1;

    u->has_signature = true;
    if (rest >= 2 && rest - 2 == ((size_t)at[1] << 8 | at[2])) {
        u->signature = (struct iotsafe_tlv){TAG_SIGNATURE, at + 3, rest - 2};
        return true;
    }
    u->wrong_coding = !iotsafe_next(&at, end, &u->signature) || at != end;
    return !u->wrong_coding;
}

/* Data whose length is told at once may come in parts: those that follow have no tag then, or each has
 * one of its own. */
static bool take_part(struct iotsafe_session *s, unsigned tag, const uint8_t **at,
                      const uint8_t *end)
{
    const uint8_t *p = *at;
    size_t more, size, here = (size_t)(end - p);

    if (s->missing == 0) {
        if (here < 2 || p[0] != tag)
            return false;
        size = p[1];
        more = size > 0x7F ? size & 0x7F : 0;
        p += 2;
        if (more > 3 || (size_t)(end - p) < more || size == 0x80)
            return false;
        for (size = more > 0 ? 0 : size; more > 0; more--)
            size = size << 8 | *p++;
        s->missing = size;
        here = (size_t)(end - p);
    }
    if (here > s->missing)
        here = s->missing;
    if (s->text.size + here > TEXT_MOST)
        return false;
    bytes_add(&s->text, p, here);
    s->missing -= here;
    *at = p + here;
    return true;
}

static bool take_update(struct iotsafe_session *s, const struct command *cmd, struct update *u)
{
    const uint8_t *at = cmd->data, *end = at + cmd->lc;
    struct iotsafe_tlv t;

    while (at < end) {
        if (s->missing > 0 || at[0] == TAG_TEXT) {
            if (!take_part(s, TAG_TEXT, &at, end))
                return false;
            continue;
        }
        if (at[0] == TAG_SIGNATURE)
            return take_signature(at, end, u);
        if (!iotsafe_next(&at, end, &t))
            return false;
        if (t.tag == TAG_HASH) {
            u->has_hash = true;
            u->hash = t;
        } else if (t.tag == TAG_LAST) {
            u->has_last = true;
            u->last = t;
        } else if (t.tag == TAG_STATE) {
            u->has_state = true;
            u->state = t;
        } else if (t.tag == TAG_COUNT) {
            u->has_count = true;
            u->count = t;
        } else {
            return false;
        }
    }
    return true;
}

static bool end_text(const struct iotsafe_session *s, const struct update *u, uint8_t digest[64])
{
    uint64_t count = 0;

    if (s->mode == IOTSAFE_FULL_TEXT)
        return !u->has_hash && !u->has_last && s->missing == 0 &&
               EVP_Digest(s->text.data, s->text.size, digest, NULL, iotsafe_hash(s->hash), NULL) ==
                   1;
    if (s->text.size > 0)
        return false;
    if (s->mode == IOTSAFE_HASHED) {
        if (!u->has_hash || u->hash.size != (size_t)EVP_MD_get_size(iotsafe_hash(s->hash)))
            return false;
        memcpy(digest, u->hash.value, u->hash.size);
        return true;
    }
    if (!u->has_last || !u->has_state || !u->has_count || u->last.size > 128 || u->count.size != 4)
        return false;
    for (size_t i = 0; i < 4; i++)
        count = count << 8 | u->count.value[i];
    return iotsafe_end_hash(s->hash, &u->state, count, &u->last, digest);
}

/* 33 and the signature. What one octet cannot say has two in any case: the only RSA cards that are known
   answer 33 0100 and 256 octets, none the form that BER has for it. */
static void answer_signature(const struct iotsafe_call *c, const struct bytes *value)
{
    if (c->card->options->iotsafe_two_octets || value->size > UINT8_MAX) {
        bytes_add8(&c->r->data, TAG_SIGNATURE);
        bytes_add16(&c->r->data, (unsigned)value->size);
        bytes_add(&c->r->data, value->data, value->size);
    } else {
        bytes_add_tlv(&c->r->data, TAG_SIGNATURE, value->data, value->size);
    }
    c->r->sw = 0x9000;
}

static void compute(const struct iotsafe_call *c, const struct iotsafe_session *s,
                    const uint8_t *digest)
{
    const struct options *o = c->card->options;
    struct bytes value = {0};

    c->r->ms = o->sign_ms;
    c->r->sw = 0x6F00;
    if (iotsafe_sign(s->object->key, s->scheme, s->hash, digest, o->iotsafe_der, &value)) {
        if (c->card->wrong_signatures != 0) {
            value.data[value.size / 2] ^= 0x01;
            c->card->wrong_signatures -= c->card->wrong_signatures > 0;
        }
        answer_signature(c, &value);
    }
    bytes_free(&value);
}

static void update_mac(const struct iotsafe_call *c, struct iotsafe_session *s)
{
    const uint8_t *at = c->cmd->data, *end = at + c->cmd->lc;
    struct bytes value = {0};
    bool good = true;

    while (good && at < end)
        good = take_part(s, TAG_MAC, &at, end);
    c->r->sw = good ? 0x9000 : 0x6A80;
    if (!good || c->cmd->p1 != P1_LAST)
        return;
    c->r->ms = c->card->options->sign_ms;
    if (s->missing > 0)
        c->r->sw = 0x6A80;
    else if (!iotsafe_cmac(&s->object->data, &s->text, &value))
        c->r->sw = 0x6F00;
    else
        answer_signature(c, &value);
    bytes_free(&value);
}

static void update_signature(const struct iotsafe_call *c, struct iotsafe_session *s)
{
    struct update u = {.has_hash = false};
    uint8_t digest[64];
    bool last = c->cmd->p1 == P1_LAST, verify = s->ins == INS_VERIFY;
    bool taken = take_update(s, c->cmd, &u);

    c->r->sw = u.wrong_coding ? 0x6985 : 0x6A80;
    if (!taken || u.has_signature != (last && verify) ||
        (!last && (s->mode != IOTSAFE_FULL_TEXT || u.has_hash || u.has_last)))
        return;
    c->r->sw = 0x9000;
    if (!last)
        return;
    if (!end_text(s, &u, digest)) {
        c->r->sw = 0x6A80;
        return;
    }
    if (!verify)
        compute(c, s, digest);
    else if (!iotsafe_verify(s->object->key, s->scheme, s->hash, digest, u.signature.value,
                             u.signature.size))
        c->r->sw = 0x6D01;
}

static void update_key(const struct iotsafe_call *c, struct iotsafe_session *s)
{
    const uint8_t *at = c->cmd->data, *end = at + c->cmd->lc;
    EVP_PKEY *key = NULL;

    c->r->sw = c->cmd->lc == 0 ? 0x6700 : 0x6A80;
    if (c->cmd->lc == 0 || !take_part(s, TAG_KEY, &at, end) || at != end)
        return;
    c->r->sw = 0x9000;
    if (c->cmd->p1 != P1_LAST)
        return;
    if (s->missing == 0)
        key = iotsafe_read_point(s->object->type, s->text.data, s->text.size);
    if (key == NULL) {
        c->r->sw = 0x6A80;
        return;
    }
    s->object->from[0] = '\0';
    iotsafe_set_key(c->memory, s->object, key);
    if (!iotsafe_save(c->card->card->dir, c->memory))
        c->r->sw = 0x6F00;
}

static uint8_t init_of(uint8_t update)
{
    return update == 0xD8 ? INS_PUT : (uint8_t)(update - 1);
}

/* One that fails ends the session. */
void iotsafe_update(struct iotsafe_call *c)
{
    struct iotsafe_session *s = find_session(c, init_of(c->cmd->ins), true);
    uint8_t p1 = c->cmd->p1;

    c->r->sw = p1 != P1_MORE && p1 != P1_LAST ? 0x6A86 : 0x6985;
    if (c->r->sw == 0x6A86 || s == NULL || s->done)
        return;
    if (s->ins == INS_PUT)
        update_key(c, s);
    else if (s->object->kind == IOTSAFE_SECRET)
        update_mac(c, s);
    else
        update_signature(c, s);
    if (c->r->sw != 0x9000 && c->r->sw != 0x6D01)
        end_session(s);
    else
        s->done = p1 == P1_LAST;
}
