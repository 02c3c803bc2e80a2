/* SPDX-License-Identifier: Apache-2.0 */
/* The signature operation for RSA and EC: data is hashed here on the host, the digest is signed in
 * the SIM. Starting one, asking for its size and copying it touch no device: libssl does all that
 * several times a handshake. Its parameters are in signature_params.c, the proof of each signature
 * in proof.c, verifications in verify.c. */
#include "provider/signature.h"
#include "provider/calls.h"
#include "provider/error.h"
#include "provider/params.h"
#include "provider/scheme.h"

#include <string.h>

static OSSL_FUNC_signature_sign_init_fn signature_sign_init;
static OSSL_FUNC_signature_digest_sign_init_fn signature_digest_sign_init;

void *signature_newctx(void *provctx, const char *properties)
{
    struct signature *signature = OPENSSL_zalloc(sizeof(*signature));

    (void)properties; /* digests come from the private library context */
    if (signature == NULL)
        RAISE_MEMORY((struct provider *)provctx);
    else
        signature->provider = provctx;
    return signature;
}

void signature_freectx(void *ctx)
{
    struct signature *signature = ctx;

    if (signature == NULL)
        return;
    key_free(signature->key);
    EVP_MD_free(signature->md);
    EVP_MD_CTX_free(signature->digest);
    public_end(&signature->public_op);
    OPENSSL_free(signature->expected);
    OPENSSL_free(signature);
}

void *signature_dupctx(void *ctx)
{
    const struct signature *from = ctx;
    struct signature *to = OPENSSL_memdup(from, sizeof(*from));

    CALLED(from->provider, "of a signature %s", from->digest != NULL ? "under way" : "");
    if (to == NULL) {
        RAISE_MEMORY(from->provider);
        return NULL;
    }
    to->digest = NULL;
    to->expected = NULL;
    memset(&to->public_op, 0, sizeof to->public_op);
    if (to->key != NULL)
        key_ref(to->key);
    if (to->md != NULL)
        EVP_MD_up_ref(to->md);
    if (from->digest != NULL) {
        to->digest = EVP_MD_CTX_new();
        if (to->digest == NULL || !EVP_MD_CTX_copy_ex(to->digest, from->digest)) {
            RAISE_MEMORY(from->provider);
            signature_freectx(to);
            return NULL;
        }
    }
    if (from->expected != NULL)
        to->expected = OPENSSL_memdup(from->expected, from->expected_length);
    if (!public_copy(&to->public_op, &from->public_op) ||
        (from->expected != NULL && to->expected == NULL)) {
        signature_freectx(to);
        return NULL;
    }
    return to;
}

static int signature_sign_init(void *ctx, void *key, const OSSL_PARAM params[])
{
    char name[CALLS_TEXT], names[CALLS_TEXT];

    CALLED(((struct signature *)ctx)->provider, "key %s, parameters %s", calls_key(key, name),
           calls_params(params, names));
    return signature_begin(ctx, key) && signature_take_params(ctx, params);
}

static int signature_digest_sign_init(void *ctx, const char *name, void *key,
                                      const OSSL_PARAM params[])
{
    struct signature *signature = ctx;
    char words[CALLS_TEXT], names[CALLS_TEXT];

    CALLED(signature->provider, "key %s, digest %.40s, parameters %s", calls_key(key, words),
           name != NULL ? name : "(default)", calls_params(params, names));
    if (!signature_begin(signature, key))
        return 0;
    if (name == NULL || name[0] == '\0')
        name = "SHA256";
    if (!hash_fetch(signature->provider, name, scheme_rule(signature->scheme)->input == INPUT_DATA,
                    &signature->md, &signature->hash))
        return 0;
    signature->digest = EVP_MD_CTX_new();
    if (signature->digest == NULL || !EVP_DigestInit_ex2(signature->digest, signature->md, NULL)) {
        RAISE_MEMORY(signature->provider);
        return 0;
    }
    return signature_take_params(signature, params);
}

int signature_digest_sign_update(void *ctx, const unsigned char *data, size_t length)
{
    struct signature *signature = ctx;

    CALLED(signature->provider, "%zu bytes", length);
    if (signature->digest == NULL) {
        RAISE(signature->provider, REASON_SEQUENCE,
              "data to sign came before the digest was chosen");
        return 0;
    }
    return EVP_DigestUpdate(signature->digest, data, length);
}

/* Checks the length of what the caller has hashed, and guesses the hash of an ECDSA digest from it.
 */
static bool check_input(const struct signature *signature, size_t length, enum token_hash *hash)
{
    const struct provider *provider = signature->provider;
    size_t modulus = (signature->key->token.bits + 7) / 8;

    *hash = signature->hash;
    if (signature->md != NULL) {
        if (length == (size_t)EVP_MD_get_size(signature->md))
            return true;
        RAISE(provider, REASON_INPUT_LENGTH, "a digest of %s must have %d bytes, not %zu",
              EVP_MD_get0_name(signature->md), EVP_MD_get_size(signature->md), length);
        return false;
    }
    switch (scheme_rule(signature->scheme)->input) {
    case INPUT_BY_LENGTH:
        *hash = hash_of_length(length);
        if (*hash != TOKEN_HASH_NONE)
            return true;
        RAISE(
            provider, REASON_INPUT_LENGTH,
            "the SIM signs no digests of %zu bytes: use SHA256 (32 bytes) or another that it knows",
            length);
        return false;
    case INPUT_DIGEST:
        RAISE(provider, REASON_DIGEST, "%s needs a digest to be named (-pkeyopt digest:sha256)",
              token_scheme_name(signature->scheme));
        return false;
    case INPUT_DATA:
        break;
    }
    /* RFC 8017, 9.2: 00 01, at least eight FF, 00. */
    if (length + 11 <= modulus)
        return true;
    RAISE(provider, REASON_INPUT_LENGTH,
          "%zu bytes are too many for a PKCS#1 signature with %u bits", length,
          signature->key->token.bits);
    return false;
}

/* The most that a signature can have; 0 if the key does not tell. */
static size_t sign_size(const struct signature *signature)
{
    int size = EVP_PKEY_get_size(signature->key->public_key);

    return size > 0 ? (size_t)size : 0;
}

static int sign_digest(const struct signature *signature, unsigned char *out, size_t *out_length,
                       size_t room, const unsigned char *digest, size_t length)
{
    struct report why = REPORT_INIT;
    size_t needed = sign_size(signature);
    struct token_digest what = {.scheme = signature->scheme, .data = digest, .length = length};

    if (!signature_possible(signature) || !check_input(signature, length, &what.hash))
        return 0;
    if (room < needed) {
        RAISE(signature->provider, REASON_BUFFER,
              "the signature needs %zu bytes, there is room for %zu", needed, room);
        return 0;
    }
    *out_length = room;
    if (key_sign(signature->key, &what, out, out_length, &why) == OUTCOME_OK)
        return 1;
    /* a SIM that told what the key can do, and was not asked, may do PSS with TLS's first digest */
    if (why.outcome == OUTCOME_UNSUPPORTED && scheme_rule(signature->scheme)->salted &&
        (why.sw != 0 || signature->hash == TOKEN_SHA256))
        signature_raise_no_pss(signature, why.text);
    else
        RAISE_REPORT(signature->provider, &why);
    return 0;
}

int signature_sign(void *ctx, unsigned char *out, size_t *out_length, size_t room,
                   const unsigned char *digest, size_t length)
{
    const struct signature *signature = ctx;
    int result;

    if (out == NULL) {
        *out_length = sign_size(ctx);
        CALLED(signature->provider, "asks for the size: %zu bytes", *out_length);
        return *out_length > 0;
    }
    CALLED(signature->provider, "%zu bytes by %s with %s, room for %zu", length,
           token_scheme_name(signature->scheme), calls_digest(signature->md), room);
    result = sign_digest(ctx, out, out_length, room, digest, length);
    CALLED(signature->provider, "ends: %zu bytes", result ? *out_length : 0);
    return result;
}

int signature_digest_sign_final(void *ctx, unsigned char *out, size_t *out_length, size_t room)
{
    struct signature *signature = ctx;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    bool hashed;

    if (signature->digest == NULL) {
        RAISE(signature->provider, REASON_SEQUENCE,
              "no signature has been begun: initialise it first");
        return 0;
    }
    if (out == NULL) {
        *out_length = sign_size(signature);
        CALLED(signature->provider, "asks for the size: %zu bytes", *out_length);
        return *out_length > 0;
    }
    CALLED(signature->provider, "by %s with %s, room for %zu", token_scheme_name(signature->scheme),
           calls_digest(signature->md), room);
    hashed = EVP_DigestFinal_ex(signature->digest, digest, &length);
    EVP_MD_CTX_free(signature->digest);
    signature->digest = NULL;
    hashed = hashed && sign_digest(signature, out, out_length, room, digest, length);
    CALLED(signature->provider, "ends: %zu bytes", hashed ? *out_length : 0);
    return hashed;
}

#define FUNCTIONS_COMMON                                                                           \
    {OSSL_FUNC_SIGNATURE_NEWCTX, (void (*)(void))signature_newctx},                                \
        {OSSL_FUNC_SIGNATURE_FREECTX, (void (*)(void))signature_freectx},                          \
        {OSSL_FUNC_SIGNATURE_DUPCTX, (void (*)(void))signature_dupctx},                            \
        {OSSL_FUNC_SIGNATURE_SIGN_INIT, (void (*)(void))signature_sign_init},                      \
        {OSSL_FUNC_SIGNATURE_SIGN, (void (*)(void))signature_sign},                                \
        {OSSL_FUNC_SIGNATURE_VERIFY_INIT, (void (*)(void))signature_verify_init},                  \
        {OSSL_FUNC_SIGNATURE_VERIFY, (void (*)(void))signature_verify},                            \
        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (void (*)(void))signature_digest_sign_init},        \
        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, (void (*)(void))signature_digest_sign_update},    \
        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, (void (*)(void))signature_digest_sign_final},      \
        {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, (void (*)(void))signature_digest_verify_init},    \
        {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_UPDATE,                                                 \
         (void (*)(void))signature_digest_verify_update},                                          \
        {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_FINAL, (void (*)(void))signature_digest_verify_final},  \
        {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (void (*)(void))signature_set_ctx_params},            \
        {OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, (void (*)(void))signature_get_ctx_params},            \
        {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (void (*)(void))signature_settable_ctx_params},  \
    {                                                                                              \
        OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, (void (*)(void))signature_gettable_ctx_params     \
    }

const OSSL_DISPATCH signature_rsa_functions[] = {
    FUNCTIONS_COMMON,
    {OSSL_FUNC_SIGNATURE_VERIFY_RECOVER_INIT, (void (*)(void))signature_verify_recover_init},
    {OSSL_FUNC_SIGNATURE_VERIFY_RECOVER, (void (*)(void))signature_verify_recover},
    {0, NULL},
};

const OSSL_DISPATCH signature_ecdsa_functions[] = {FUNCTIONS_COMMON, {0, NULL}};
