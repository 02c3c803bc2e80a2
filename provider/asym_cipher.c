/* SPDX-License-Identifier: Apache-2.0 */
/* RSA decryption in the SIM: PKCS#1 v1.5 and OAEP. Encryption takes the public half alone, see
 * public_ops.h. */
#include "provider/calls.h"
#include "provider/error.h"
#include "provider/key.h"
#include "provider/params.h"
#include "provider/public_ops.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <string.h>

static OSSL_FUNC_asym_cipher_newctx_fn asym_cipher_newctx;
static OSSL_FUNC_asym_cipher_freectx_fn asym_cipher_freectx;
static OSSL_FUNC_asym_cipher_dupctx_fn asym_cipher_dupctx;
static OSSL_FUNC_asym_cipher_encrypt_init_fn asym_cipher_encrypt_init;
static OSSL_FUNC_asym_cipher_encrypt_fn asym_cipher_encrypt;
static OSSL_FUNC_asym_cipher_decrypt_init_fn asym_cipher_decrypt_init;
static OSSL_FUNC_asym_cipher_decrypt_fn asym_cipher_decrypt;
static OSSL_FUNC_asym_cipher_set_ctx_params_fn asym_cipher_set_ctx_params;
static OSSL_FUNC_asym_cipher_get_ctx_params_fn asym_cipher_get_ctx_params;
static OSSL_FUNC_asym_cipher_settable_ctx_params_fn asym_cipher_settable_ctx_params;
static OSSL_FUNC_asym_cipher_gettable_ctx_params_fn asym_cipher_gettable_ctx_params;

/* libssl's own padding for the premaster secret (its header is private): PKCS#1 v1.5 that never
 * says whether it failed. */
#define TLS_PADDING 7

/* OSSL_ASYM_CIPHER_PARAM_IMPLICIT_REJECTION, which 3.0 has no name for. */
#define IMPLICIT_REJECTION "implicit-rejection"

struct cipher {
    struct provider *provider;
    struct key *key;
    enum token_padding padding;
    enum token_hash hash; /* of OAEP */
    bool mgf1_given;
    enum token_hash mgf1;
    struct public_op
        public_op; /* an encryption under way: the members from padding on do not count */
};

static void *asym_cipher_newctx(void *provctx)
{
    struct cipher *cipher = OPENSSL_zalloc(sizeof(*cipher));

    if (cipher == NULL)
        RAISE_MEMORY((struct provider *)provctx);
    else
        cipher->provider = provctx;
    return cipher;
}

static void asym_cipher_freectx(void *ctx)
{
    struct cipher *cipher = ctx;

    if (cipher == NULL)
        return;
    key_free(cipher->key);
    public_end(&cipher->public_op);
    OPENSSL_free(cipher);
}

static void *asym_cipher_dupctx(void *ctx)
{
    const struct cipher *from = ctx;
    struct cipher *to = OPENSSL_memdup(from, sizeof(*from));

    if (to == NULL) {
        RAISE_MEMORY(from->provider);
        return NULL;
    }
    if (to->key != NULL)
        key_ref(to->key);
    if (!public_copy(&to->public_op, &from->public_op)) {
        asym_cipher_freectx(to);
        return NULL;
    }
    return to;
}

/* Begins anew with a key, or with the one that is there already if libcrypto gives none. */
static bool begin(struct cipher *cipher, struct key *key)
{
    if (key != NULL) {
        key_ref(key);
        key_free(cipher->key);
        cipher->key = key;
    }
    if (!key_usable(cipher->key)) {
        RAISE(cipher->provider, REASON_SEQUENCE, "there is no key to encrypt or decrypt with");
        return false;
    }
    public_end(&cipher->public_op);
    cipher->padding = TOKEN_DECRYPT_PKCS1;
    cipher->hash = TOKEN_SHA1; /* RFC 8017, A.2.1: OAEP's default */
    cipher->mgf1_given = false;
    return true;
}

static int asym_cipher_encrypt_init(void *ctx, void *key, const OSSL_PARAM params[])
{
    struct cipher *cipher = ctx;
    char name[CALLS_TEXT], names[CALLS_TEXT];

    CALLED(cipher->provider, "key %s, parameters %s", calls_key(key, name),
           calls_params(params, names));
    return begin(cipher, key) &&
           public_begin(&cipher->public_op, cipher->key, PUBLIC_ENCRYPT, params);
}

static int asym_cipher_encrypt(void *ctx, unsigned char *out, size_t *out_length, size_t room,
                               const unsigned char *in, size_t length)
{
    const struct cipher *cipher = ctx;
    int result;

    *out_length = room;
    result = EVP_PKEY_encrypt(cipher->public_op.ctx, out, out_length, in, length);
    CALLED(cipher->provider, "%zu bytes, room for %zu: %d", length, room, result);
    return result;
}

static int asym_cipher_decrypt_init(void *ctx, void *key, const OSSL_PARAM params[])
{
    struct cipher *cipher = ctx;
    char name[CALLS_TEXT], names[CALLS_TEXT];

    CALLED(cipher->provider, "key %s, parameters %s", calls_key(key, name),
           calls_params(params, names));
    return begin(cipher, key) && asym_cipher_set_ctx_params(cipher, params);
}

struct decipher_work {
    const struct cipher *cipher;
    const unsigned char *in;
    size_t length;
    uint8_t *plain;
    size_t plain_length;
};

static enum outcome decipher_there(struct sim *sim, void *arg, struct deadline deadline,
                                   struct report *why)
{
    struct decipher_work *work = arg;
    const struct cipher *cipher = work->cipher;

    (void)deadline;
    return token_decrypt(sim, &cipher->key->token, cipher->padding, cipher->hash, work->in,
                         work->length, work->plain, &work->plain_length, why);
}

static int asym_cipher_decrypt(void *ctx, unsigned char *out, size_t *out_length, size_t room,
                               const unsigned char *in, size_t length)
{
    const struct cipher *cipher = ctx;
    const struct token_key *token = &cipher->key->token;
    struct report why = REPORT_INIT;
    size_t modulus = (token->bits + 7) / 8;
    uint8_t plain[TOKEN_PLAIN_MAX];
    struct decipher_work work = {cipher, in, length, plain, 0};
    int result = 0;

    if (out == NULL) {
        *out_length = modulus;
        CALLED(cipher->provider, "asks for the size: %zu bytes", modulus);
        return 1;
    }
    CALLED(cipher->provider, "%zu bytes by %s, room for %zu", length,
           cipher->padding == TOKEN_DECRYPT_OAEP ? "OAEP" : "PKCS1", room);
    if (cipher->padding == TOKEN_DECRYPT_OAEP && cipher->mgf1_given &&
        cipher->mgf1 != cipher->hash) {
        RAISE(cipher->provider, REASON_DIGEST,
              "the SIM's OAEP must have the same digest in MGF1 (%s), not %s",
              hash_name(cipher->hash), hash_name(cipher->mgf1));
        return 0;
    }
    if (length != modulus) {
        RAISE(cipher->provider, REASON_INPUT_LENGTH,
              "a cryptogram for this key has %zu bytes, not %zu", modulus, length);
        return 0;
    }
    if (choice_run(cipher->key->choice, decipher_there, &work, &why) != OUTCOME_OK) {
        RAISE_REPORT(cipher->provider, &why);
    } else if (work.plain_length > room) {
        RAISE(cipher->provider, REASON_BUFFER,
              "the plain text needs %zu bytes, there is room for %zu", work.plain_length, room);
    } else {
        memcpy(out, plain, work.plain_length);
        *out_length = work.plain_length;
        result = 1;
    }
    OPENSSL_cleanse(plain, sizeof(plain));
    CALLED(cipher->provider, "ends: %s", result ? "done" : "failed");
    return result;
}

static bool take_padding(struct cipher *cipher, const OSSL_PARAM *param)
{
    int padding = 0;

    if (!padding_param(cipher->provider, param, &padding))
        return false;
    switch (padding) {
    case RSA_PKCS1_PADDING:
        cipher->padding = TOKEN_DECRYPT_PKCS1;
        return true;
    case RSA_PKCS1_OAEP_PADDING:
        cipher->padding = TOKEN_DECRYPT_OAEP;
        return true;
    case TLS_PADDING:
        RAISE(cipher->provider, REASON_PADDING,
              "a key in a SIM is not used for TLS with static RSA, because the SIM's timing would "
              "reveal the plain text: use cipher suites with ECDHE");
        return false;
    default:
        RAISE(cipher->provider, REASON_PADDING,
              "the SIM decrypts with pkcs1 or oaep padding, not with %d", padding);
        return false;
    }
}

/* OAEP with a label, and answers that hide a padding failure, are nothing that the SIM does. */
static bool refuse_others(const struct cipher *cipher, const OSSL_PARAM params[])
{
    const OSSL_PARAM *label = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL);
    const OSSL_PARAM *implicit = OSSL_PARAM_locate_const(params, IMPLICIT_REJECTION);
    unsigned wanted = 0;

    if (label != NULL && label->data_size > 0) {
        RAISE(cipher->provider, REASON_LABEL, "the SIM's OAEP has no label");
        return false;
    }
    if (implicit != NULL && (!OSSL_PARAM_get_uint(implicit, &wanted) || wanted != 0)) {
        RAISE(cipher->provider, REASON_PADDING,
              "the SIM cannot hide that a padding is wrong (implicit rejection)");
        return false;
    }
    return true;
}

static int asym_cipher_set_ctx_params(void *ctx, const OSSL_PARAM params[])
{
    struct cipher *cipher = ctx;
    const OSSL_PARAM *padding = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_PAD_MODE);
    const OSSL_PARAM *digest = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST);
    const OSSL_PARAM *mgf1 = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST);
    char names[CALLS_TEXT];

    CALLED(cipher->provider, "%s", calls_params(params, names));
    if (public_active(&cipher->public_op))
        return public_set_params(&cipher->public_op, params);
    if (padding != NULL && !take_padding(cipher, padding))
        return 0;
    if (digest != NULL && !hash_param(cipher->provider, digest, false, NULL, &cipher->hash))
        return 0;
    if (mgf1 != NULL) {
        cipher->mgf1_given = hash_param(cipher->provider, mgf1, false, NULL, &cipher->mgf1);
        if (!cipher->mgf1_given)
            return 0;
    }
    return refuse_others(cipher, params);
}

static int asym_cipher_get_ctx_params(void *ctx, OSSL_PARAM params[])
{
    const struct cipher *cipher = ctx;
    bool oaep = cipher->padding == TOKEN_DECRYPT_OAEP;
    char names[CALLS_TEXT];
    OSSL_PARAM *p;

    CALLED(cipher->provider, "%s", calls_params(params, names));
    if (public_active(&cipher->public_op))
        return public_get_params(&cipher->public_op, params);
    p = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_PAD_MODE);
    if (p != NULL && !padding_answer(p, oaep ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST);
    if (p != NULL && !OSSL_PARAM_set_utf8_string(p, hash_name(cipher->hash)))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST);
    return p == NULL || OSSL_PARAM_set_utf8_string(p, hash_name(cipher->hash));
}

static const OSSL_PARAM *asym_cipher_settable_ctx_params(void *ctx, void *provctx)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST_PROPS, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST_PROPS, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, NULL, 0),
        OSSL_PARAM_uint(IMPLICIT_REJECTION, NULL),
        OSSL_PARAM_END,
    };
    const struct cipher *cipher = ctx;

    (void)provctx;
    if (cipher != NULL && public_active(&cipher->public_op))
        return public_settable(&cipher->public_op);
    return settable;
}

static const OSSL_PARAM *asym_cipher_gettable_ctx_params(void *ctx, void *provctx)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_END,
    };
    const struct cipher *cipher = ctx;

    (void)provctx;
    if (cipher != NULL && public_active(&cipher->public_op))
        return public_gettable(&cipher->public_op);
    return gettable;
}

const OSSL_DISPATCH asym_cipher_functions[] = {
    {OSSL_FUNC_ASYM_CIPHER_NEWCTX, (void (*)(void))asym_cipher_newctx},
    {OSSL_FUNC_ASYM_CIPHER_FREECTX, (void (*)(void))asym_cipher_freectx},
    {OSSL_FUNC_ASYM_CIPHER_DUPCTX, (void (*)(void))asym_cipher_dupctx},
    {OSSL_FUNC_ASYM_CIPHER_ENCRYPT_INIT, (void (*)(void))asym_cipher_encrypt_init},
    {OSSL_FUNC_ASYM_CIPHER_ENCRYPT, (void (*)(void))asym_cipher_encrypt},
    {OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT, (void (*)(void))asym_cipher_decrypt_init},
    {OSSL_FUNC_ASYM_CIPHER_DECRYPT, (void (*)(void))asym_cipher_decrypt},
    {OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS, (void (*)(void))asym_cipher_set_ctx_params},
    {OSSL_FUNC_ASYM_CIPHER_GET_CTX_PARAMS, (void (*)(void))asym_cipher_get_ctx_params},
    {OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS, (void (*)(void))asym_cipher_settable_ctx_params},
    {OSSL_FUNC_ASYM_CIPHER_GETTABLE_CTX_PARAMS, (void (*)(void))asym_cipher_gettable_ctx_params},
    {0, NULL},
};
