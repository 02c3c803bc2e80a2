/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs that the IoT SAFE applet makes and what it computes at once: GENERATE KEY PAIR, READ PUBLIC
 * KEY, COMPUTE DH, PRF and HKDF, GET RANDOM. */
#include "test/sim/iotsafe.h"

#include "test/sim/uicc.h"

#include <openssl/rand.h>

#include <string.h>

/* P1-P2 are 0000. */
static bool plain_parameters(const struct iotsafe_call *c)
{
    if (c->cmd->p1 == 0 && c->cmd->p2 == 0)
        return true;
    c->r->sw = 0x6A86;
    return false;
}

static void add_key_id(const struct iotsafe_object *key, struct bytes *out)
{
    bytes_add_tlv(out, iotsafe_id_tag(key->kind), key->id.octets, key->id.size);
}

/* Makes the key and remembers it; false: the card cannot. */
static bool new_pair(const struct iotsafe_call *c, struct iotsafe_object *key,
                     struct iotsafe_object *pair)
{
    EVP_PKEY *made = iotsafe_new_key(key->type);

    if (made == NULL)
        return false;
    key->from[0] = '\0';
    if (pair != NULL)
        pair->from[0] = '\0';
    iotsafe_set_key(c->memory, key, made);
    if (c->card->options->iotsafe_new_ids)
        iotsafe_rename(c->memory, key);
    return iotsafe_save(c->card->card->dir, c->memory);
}

/* 84 id, 85 id, 34 { point }, or less of it. */
void iotsafe_generate(struct iotsafe_call *c)
{
    const struct options *o = c->card->options;
    struct iotsafe_object *key = plain_parameters(c) ? iotsafe_named(c, IOTSAFE_PRIVATE) : NULL;
    struct iotsafe_object *pair;

    if (key == NULL)
        return;
    c->r->sw = 0x6985;
    if ((key->access & IOTSAFE_UPDATE) == 0 || (key->functions & IOTSAFE_GENERATE) == 0)
        return;
    pair = iotsafe_find(c->memory, IOTSAFE_PUBLIC, key->pair.octets, key->pair.size);
    c->r->ms = o->iotsafe_generate_ms;
    c->r->sw = 0x6F00;
    if (!new_pair(c, key, pair))
        return;
    c->r->sw = 0x9000;
    if (o->iotsafe_generated == IOTSAFE_NOTHING)
        return;
    if (o->iotsafe_generated == IOTSAFE_ALL) {
        add_key_id(key, &c->r->data);
        if (pair != NULL)
            add_key_id(pair, &c->r->data);
    }
    /* how a key of RSA is written there, nobody tells */
    if (key->type != IOTSAFE_RSA)
        iotsafe_add_point(key->key, &c->r->data);
}

void iotsafe_read_public(struct iotsafe_call *c)
{
    const struct iotsafe_object *key =
        plain_parameters(c) ? iotsafe_named(c, IOTSAFE_PUBLIC) : NULL;
    struct bytes value = {0};
    bool bare = c->card->options->iotsafe_bare_point;

    if (key == NULL)
        return;
    c->r->sw = 0x6985;
    if (key->key == NULL || key->type == IOTSAFE_RSA || !iotsafe_add_point(key->key, &value))
        return;
    bytes_add(&c->r->data, value.data + (bare ? IOTSAFE_POINT_AT : 0),
              value.size - (bare ? IOTSAFE_POINT_AT : 0));
    bytes_free(&value);
    c->r->sw = 0x9000;
}

static bool may_agree(const struct iotsafe_object *key)
{
    return key->key != NULL && (key->functions & IOTSAFE_AGREE) != 0;
}

void iotsafe_agree(struct iotsafe_call *c)
{
    const struct iotsafe_object *key =
        plain_parameters(c) ? iotsafe_named(c, IOTSAFE_PRIVATE) : NULL;
    const struct iotsafe_object *peer = key != NULL ? iotsafe_named(c, IOTSAFE_PUBLIC) : NULL;

    if (peer == NULL)
        return;
    c->r->secret = true;
    c->r->ms = c->card->options->sign_ms;
    c->r->sw = may_agree(key) && may_agree(peer) && iotsafe_shared(key->key, peer->key, &c->r->data)
                   ? 0x9000
                   : 0x6985;
}

/* ---- derivation ---- */

/* The octets of a secret key, or of D1. */
static bool take_secret(const struct iotsafe_call *c, struct iotsafe_tlv *secret)
{
    const struct iotsafe_object *key;

    if (iotsafe_tag(c->cmd, 0xD1, secret))
        return true;
    key = iotsafe_named(c, IOTSAFE_SECRET);
    if (key == NULL)
        return false;
    *secret = (struct iotsafe_tlv){.value = key->data.data, .size = key->data.size};
    c->r->sw = 0x6985;
    return key->data.size > 0 && (key->functions & IOTSAFE_DERIVE) != 0 &&
           (key->derivation & IOTSAFE_PRF) != 0;
}

static void add_counted(struct bytes *out, const uint8_t *value, size_t size)
{
    bytes_add16(out, (unsigned)size);
    for (size_t i = 0; i < size; i++)
        bytes_add8(out, value != NULL ? value[i] : 0);
}

/* What PRF takes as its secret, by P1:
 *   00  the secret
 *   01  of a pre-shared key (RFC 4279 2): zeros as long as it, then the key
 *   02  of one with a shared secret D4 (RFC 5489 2): D4, then the key */
static bool build_premaster(const struct iotsafe_call *c, const struct iotsafe_tlv *secret,
                            struct bytes *out)
{
    struct iotsafe_tlv shared = {.size = secret->size};

    if (c->cmd->p1 == 0x00) {
        bytes_add(out, secret->value, secret->size);
        return true;
    }
    if (c->cmd->p1 == 0x02 && !iotsafe_tag(c->cmd, 0xD4, &shared))
        return false;
    add_counted(out, shared.value, shared.size);
    add_counted(out, secret->value, secret->size);
    return true;
}

void iotsafe_prf(struct iotsafe_call *c)
{
    struct iotsafe_tlv secret, seed, size;
    struct bytes premaster = {0};

    c->r->sw = 0x6A86;
    if (c->cmd->p1 > 0x02 || c->cmd->p2 != 0 || !take_secret(c, &secret))
        return;
    c->r->secret = true;
    c->r->sw = 0x6A80;
    if (iotsafe_tag(c->cmd, 0xD2, &seed) && iotsafe_tag(c->cmd, 0xD3, &size) && size.size == 1 &&
        size.value[0] > 0 && build_premaster(c, &secret, &premaster) &&
        iotsafe_prf_bytes(&premaster, &seed, size.value[0], &c->r->data))
        c->r->sw = 0x9000;
    bytes_free(&premaster);
}

void iotsafe_hkdf(struct iotsafe_call *c)
{
    struct iotsafe_tlv key, salt, hash;
    const EVP_MD *md = NULL;

    if (!plain_parameters(c))
        return;
    c->r->secret = true;
    c->r->sw = 0x6A80;
    if (iotsafe_tag(c->cmd, 0x91, &hash) && hash.size == 2)
        md = iotsafe_hash((unsigned)hash.value[0] << 8 | hash.value[1]);
    if (md != NULL && iotsafe_tag(c->cmd, 0xD5, &salt) && iotsafe_tag(c->cmd, 0xD1, &key) &&
        iotsafe_extract(md, &key, &salt, &c->r->data))
        c->r->sw = 0x9000;
}

void iotsafe_random(struct iotsafe_call *c)
{
    uint8_t random[256];

    if (!plain_parameters(c))
        return;
    c->r->sw = c->cmd->lc != 0                            ? 0x6700
               : RAND_bytes(random, (int)c->cmd->le) == 1 ? 0x9000
                                                          : 0x6F00;
    if (c->r->sw == 0x9000)
        bytes_add(&c->r->data, random, c->cmd->le);
}
