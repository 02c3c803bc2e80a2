/* SPDX-License-Identifier: Apache-2.0 */
/* The security operations of mIAS: MSE SET, PSO HASH, COMPUTE DIGITAL SIGNATURE and DECIPHER, GET
 * CHALLENGE, with their conditions. The arithmetic itself is in mias_crypto.c. */
#include "test/sim/mias.h"

#include <openssl/rand.h>

#include <string.h>

/* PSO, by P1-P2. */
#define PSO_HASH       0x90A0u
#define PSO_HASH_BLOCK 0x9080u
#define PSO_CDS        0x9E9Au
#define PSO_DECIPHER   0x8086u

#define TAG_DIGEST     0x90
#define TAG_LAST_BLOCK 0x80
#define TAG_CRYPTOGRAM 0x81

static void drop_hash(struct mias *m)
{
    EVP_MD_CTX_free(m->hash);
    m->hash = NULL;
    m->digest_ready = false;
    m->last_partial = false;
}

/* 80 01 algorithm, 84 01 key reference, in any order; false if anything else is there. */
static bool parse_template(const struct command *cmd, int *alg, int *kid)
{
    *alg = *kid = -1;
    if (cmd->lc == 0 || cmd->lc % 3 != 0)
        return false;
    for (size_t i = 0; i < cmd->lc; i += 3) {
        int *to = cmd->data[i] == 0x80 ? alg : cmd->data[i] == 0x84 ? kid : NULL;

        if (to == NULL || *to >= 0 || cmd->data[i + 1] != 1)
            return false;
        *to = cmd->data[i + 2];
    }
    return *alg >= 0;
}

static bool sign_alg_known(const struct options *o, unsigned alg, const struct container *key)
{
    bool rsa = key->type == KEY_RSA2048;
    bool hash = mias_hash(alg) != NULL;

    switch (alg & 0x0F) {
    case SCHEME_PKCS1:
        return rsa && (hash || alg >> 4 == 0);
    case SCHEME_PKCS1_PLAIN:
        return rsa && (hash || alg >> 4 == 0);
    case SCHEME_PSS:
        return rsa && hash && !o->no_pss;
    case SCHEME_ECDSA:
        return !rsa && hash && (alg == 0x44 || !o->alg44_only);
    default: /* ISO 9796-2 (x1) among them */
        return false;
    }
}

static bool decipher_alg_known(const struct options *o, unsigned alg, const struct container *key)
{
    if (key->type != KEY_RSA2048)
        return false;
    return alg == 0x1A ||
           (!o->no_oaep && (alg == 0x1D || alg == 0x4D || alg == 0x5D || alg == 0x6D));
}

static unsigned set_template(struct uicc *u, struct mias *m, unsigned alg, unsigned kid, bool sign)
{
    const struct container *key = card_find_kid(u->card, kid);

    /* A signature-only key is no key of the confidentiality template. */
    if (key == NULL || (!sign && !key->exchange))
        return 0x6A88;
    if (!(sign ? sign_alg_known : decipher_alg_known)(u->options, alg, key))
        return 0x6A80;
    *(sign ? &m->sign : &m->decipher) = (struct mias_template){true, alg, key};
    return 0x9000;
}

static const struct container *another_key(const struct card *card, const struct container *than)
{
    const struct container *other = NULL;

    for (size_t i = 0; i < CARD_CONTAINERS; i++) {
        const struct container *c = &card->containers[i];

        if (!c->present || c == than)
            continue;
        if (c->type == than->type)
            return c;
        if (other == NULL)
            other = c;
    }
    return other;
}

void mias_intrude(struct uicc *u, struct mias *m, const struct mias_template *before)
{
    const struct container *key = before->set ? before->key : NULL;
    const struct container *other;
    unsigned alg = before->alg;

    for (size_t i = 0; key == NULL && i < CARD_CONTAINERS; i++)
        key = u->card->containers[i].present ? &u->card->containers[i] : NULL;
    m->verified = true;
    if (key == NULL)
        return;
    other = another_key(u->card, key);
    if (other == NULL)
        other = key;
    if (other == key || !before->set || !sign_alg_known(u->options, alg, other)) {
        alg = other->type != KEY_RSA2048 ? 0x44 : 0x42;
        if (other == key && alg == before->alg)
            alg = other->type != KEY_RSA2048 ? 0x54 : 0x52;
    }
    m->sign = (struct mias_template){true, alg, other};
}

/* The hash template takes the family's 10, 30, 40, 50, 60; the scheme's nibble does not matter. */
static unsigned set_hash(struct mias *m, unsigned alg)
{
    if (mias_hash(alg) == NULL)
        return 0x6A80;
    drop_hash(m);
    m->hash_alg = alg;
    return 0x9000;
}

void mias_mse(struct uicc *u, struct mias *m, const struct command *cmd, struct response *r)
{
    int alg, kid;

    r->sw = 0x6A86;
    if (cmd->p1 != 0x41 || (cmd->p2 != 0xB6 && cmd->p2 != 0xB8 && cmd->p2 != 0xAA))
        return;
    r->sw = cmd->lc == 0 ? 0x6700 : 0x6A80;
    if (!parse_template(cmd, &alg, &kid) || (cmd->p2 == 0xAA) != (kid < 0))
        return;
    if (cmd->p2 == 0xAA) {
        r->sw = set_hash(m, (unsigned)alg);
        return;
    }
    r->sw = set_template(u, m, (unsigned)alg, (unsigned)kid, cmd->p2 == 0xB6);
    /* A digest that the host gave belongs to the environment it was given in; one that the card
     * made by the hash template stays. A refused MSE SET leaves the old environment. */
    if (r->sw == 0x9000 && cmd->p2 == 0xB6 && m->hash_alg == 0)
        drop_hash(m);
}

/* Starts hashing on the card: by the hash template, else by the hash of the algorithm to sign with.
 */
static bool start_hash(struct mias *m)
{
    const EVP_MD *md = mias_hash(m->hash_alg != 0 ? m->hash_alg : m->sign.set ? m->sign.alg : 0);

    if (m->hash != NULL)
        return true;
    if (md == NULL)
        return false;
    m->digest_ready = false;
    m->last_partial = false;
    m->block = (size_t)EVP_MD_get_block_size(md);
    m->hash = EVP_MD_CTX_new();
    return m->hash != NULL && EVP_DigestInit_ex(m->hash, md, NULL) == 1;
}

/* Blocks go through whole; a short one is the last. */
static unsigned hash_block(struct mias *m, const uint8_t *data, size_t size)
{
    if (!start_hash(m) || (m->last_partial && size > 0)) {
        drop_hash(m);
        return 0x6985;
    }
    m->last_partial = size % m->block != 0;
    return EVP_DigestUpdate(m->hash, data, size) == 1 ? 0x9000 : 0x6F00;
}

static unsigned hash_result(struct mias *m, const uint8_t *data, size_t size)
{
    unsigned length = 0;
    unsigned sw = hash_block(m, data, size);

    if (sw == 0x9000 && EVP_DigestFinal_ex(m->hash, m->digest, &length) != 1)
        sw = 0x6F00;
    drop_hash(m);
    m->digest_ready = sw == 0x9000;
    m->digest_size = length;
    return sw;
}

/* A digest from the host must fit the algorithm. For ECDSA left zero padding to a multiple of eight
 * is tolerated, and 44 takes a digest of any hash, because clients send it whatever the hash. */
static unsigned take_digest(struct mias *m, const uint8_t *data, size_t size)
{
    const EVP_MD *md = mias_hash(m->sign.alg);
    size_t want = md != NULL ? (size_t)EVP_MD_get_size(md) : size;
    bool ecdsa = (m->sign.alg & 0x0F) == SCHEME_ECDSA;

    if (!m->sign.set)
        return 0x6985;
    drop_hash(m);
    if (ecdsa && m->sign.alg == 0x44 && size >= 20 && size <= 64)
        want = size;
    if (ecdsa && size > want && size == (want + 7) / 8 * 8) {
        for (; size > want; data++, size--) {
            if (*data != 0)
                return 0x6A80;
        }
    }
    if (size != want || size == 0)
        return 0x6A80;
    memcpy(m->digest, data, size);
    m->digest_size = size;
    m->digest_ready = true;
    return 0x9000;
}

/* 90 L digest: from the host, echoed. 80 L last block: ends a hash on the card and gives it. */
static void pso_hash(struct mias *m, const struct command *cmd, struct response *r)
{
    r->sw = 0x6A80;
    if (cmd->lc < 2 || (size_t)cmd->data[1] + 2 != cmd->lc)
        return;
    if (cmd->data[0] == TAG_DIGEST)
        r->sw = take_digest(m, cmd->data + 2, cmd->lc - 2);
    else if (cmd->data[0] == TAG_LAST_BLOCK)
        r->sw = hash_result(m, cmd->data + 2, cmd->lc - 2);
    if (r->sw != 0x9000)
        return;
    if (cmd->data[0] == TAG_DIGEST)
        bytes_add(&r->data, cmd->data + 2, cmd->lc - 2);
    else
        bytes_add(&r->data, m->digest, m->digest_size);
}

/* A digest made on the card may be of another length than the algorithm wants. */
static bool digest_fits(const struct mias *m)
{
    const EVP_MD *md = mias_hash(m->sign.alg);

    return m->digest_ready &&
           (md == NULL || m->sign.alg == 0x44 || m->digest_size == (size_t)EVP_MD_get_size(md));
}

static void pso_cds(struct uicc *u, struct mias *m, struct response *r)
{
    bool wrong = u->wrong_signatures != 0;

    r->sw = 0x6985;
    if (!m->sign.set)
        return;
    r->sw = 0x6982;
    if (!m->verified)
        return;
    r->sw = 0x6985;
    if (!digest_fits(m))
        return;
    r->ms = u->options->sign_ms;
    r->sw =
        mias_sign(m->sign.key, m->sign.alg, m->digest, m->digest_size, &r->data) ? 0x9000 : 0x6A80;
    m->digest_ready = false;
    if (u->options->mse_each)
        m->sign.set = false;
    if (r->sw == 0x9000 && wrong) {
        r->data.data[r->data.size / 2] ^= 0x01;
        if (u->wrong_signatures > 0)
            u->wrong_signatures--;
    }
}

/* 81 and the cryptogram, in parts with CLA 10 when it is longer than one command. */
static void pso_decipher(struct uicc *u, struct mias *m, const struct command *cmd,
                         struct response *r)
{
    struct bytes *in = &m->cryptogram;

    r->sw = !m->decipher.set ? 0x6985 : !m->verified ? 0x6982 : cmd->lc == 0 ? 0x6700 : 0x9000;
    if (r->sw == 0x9000 && in->size + cmd->lc > 1 + 256)
        r->sw = 0x6700;
    if (r->sw != 0x9000) {
        bytes_free(in);
        return;
    }
    bytes_add(in, cmd->data, cmd->lc);
    if (cmd->chained)
        return;
    r->ms = u->options->sign_ms;
    r->secret = true;
    if (in->data[0] != TAG_CRYPTOGRAM ||
        !mias_decipher(m->decipher.key, m->decipher.alg, in->data + 1, in->size - 1, &r->data))
        r->sw = 0x6A80;
    bytes_free(in);
}

void mias_pso(struct uicc *u, struct mias *m, const struct command *cmd, struct response *r)
{
    unsigned what = (unsigned)cmd->p1 << 8 | cmd->p2;

    if (what != PSO_DECIPHER) {
        bytes_free(&m->cryptogram);
        r->sw = 0x6884;
        if (cmd->chained)
            return;
    }
    switch (what) {
    case PSO_HASH:
        pso_hash(m, cmd, r);
        return;
    case PSO_HASH_BLOCK:
        r->sw = cmd->lc == 0 ? 0x6700 : hash_block(m, cmd->data, cmd->lc);
        return;
    case PSO_CDS:
        r->sw = 0x6700;
        if (cmd->lc == 0)
            pso_cds(u, m, r);
        return;
    case PSO_DECIPHER:
        pso_decipher(u, m, cmd, r);
        return;
    default:
        r->sw = 0x6A86;
    }
}

void mias_challenge(const struct command *cmd, struct response *r)
{
    uint8_t random[256];

    r->sw = cmd->p1 != 0 || cmd->p2 != 0 ? 0x6A86 : cmd->lc != 0 ? 0x6700 : 0x9000;
    if (r->sw != 0x9000)
        return;
    if (RAND_bytes(random, (int)cmd->le) != 1)
        r->sw = 0x6F00;
    else
        bytes_add(&r->data, random, cmd->le);
}
