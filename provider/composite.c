/* SPDX-License-Identifier: Apache-2.0 */
/* See composite.h. What is done is what signature.c and verify.c do: here the digest is known from the
 * algorithm's name, and whole messages are taken as well as their digests. */
#include "provider/composite.h"

#ifdef SIMKEY_COMPOSITE

#include "provider/calls.h"
#include "provider/error.h"
#include "provider/params.h"
#include "provider/signature.h"

#include <openssl/core_names.h>

static OSSL_FUNC_signature_sign_fn composite_sign;
static OSSL_FUNC_signature_verify_fn composite_verify;
static OSSL_FUNC_signature_verify_message_final_fn composite_verify_final;
static OSSL_FUNC_signature_set_ctx_params_fn composite_set_ctx_params;
static OSSL_FUNC_signature_settable_ctx_params_fn composite_settable_ctx_params;
static OSSL_FUNC_signature_query_key_types_fn composite_rsa_types;
static OSSL_FUNC_signature_query_key_types_fn composite_ecdsa_types;

enum step { SIGN, SIGN_MESSAGE, VERIFY, VERIFY_MESSAGE, RECOVER };

static bool begin_sign(struct signature *signature, const char *digest, bool message)
{
    if (!hash_fetch(signature->provider, digest, false, &signature->md, &signature->hash))
        return false;
    if (!message)
        return true;
    signature->digest = EVP_MD_CTX_new();
    if (signature->digest != NULL && EVP_DigestInit_ex2(signature->digest, signature->md, NULL))
        return true;
    RAISE_MEMORY(signature->provider);
    return false;
}

static int begin_step(void *ctx, void *key, const OSSL_PARAM params[], enum step step,
                      const char *digest)
{
    struct signature *signature = ctx;
    struct public_op *op = &signature->public_op;
    OSSL_PARAM named[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, (char *)digest, 0),
        OSSL_PARAM_construct_end()};
    char name[CALLS_TEXT];
    bool done = false;

    CALLED(signature->provider, "key %s, digest %s", calls_key(key, name), digest);
    if (!signature_begin(signature, key))
        return 0;
    signature->message = step == SIGN_MESSAGE || step == VERIFY_MESSAGE;
    switch (step) {
    case SIGN:
    case SIGN_MESSAGE:
        done = begin_sign(signature, digest, signature->message);
        break;
    case VERIFY:
        done = public_begin(op, signature->key, PUBLIC_VERIFY, named);
        break;
    case VERIFY_MESSAGE:
        done = public_begin_digest(op, signature->key, digest, NULL);
        break;
    case RECOVER:
        done = public_begin(op, signature->key, PUBLIC_RECOVER, named);
        break;
    }
    return done && composite_set_ctx_params(ctx, params);
}

/* After SIGN_MESSAGE: the message, all at once. */
static int composite_sign(void *ctx, unsigned char *out, size_t *out_length, size_t room,
                          const unsigned char *data, size_t length)
{
    const struct signature *signature = ctx;

    if (!signature->message)
        return signature_sign(ctx, out, out_length, room, data, length);
    if (out != NULL && !signature_digest_sign_update(ctx, data, length))
        return 0;
    return signature_digest_sign_final(ctx, out, out_length, room);
}

static int composite_verify(void *ctx, const unsigned char *bytes, size_t bytes_length,
                            const unsigned char *data, size_t length)
{
    const struct signature *signature = ctx;

    if (!signature->message)
        return signature_verify(ctx, bytes, bytes_length, data, length);
    return signature_digest_verify_update(ctx, data, length) &&
           signature_digest_verify_final(ctx, bytes, bytes_length);
}

/* The signature came before, as a parameter. */
static int composite_verify_final(void *ctx)
{
    const struct signature *signature = ctx;

    if (signature->expected == NULL) {
        RAISE(signature->provider, REASON_SEQUENCE,
              "there is no signature to verify: EVP_PKEY_CTX_set_signature comes first");
        return 0;
    }
    return signature_digest_verify_final(ctx, signature->expected, signature->expected_length);
}

/* The name has said all but the signature that a message is verified with. */
static int composite_set_ctx_params(void *ctx, const OSSL_PARAM params[])
{
    struct signature *signature = ctx;
    const OSSL_PARAM *p = NULL;
    void *bytes = NULL;
    size_t length = 0;

    if (params != NULL && signature->message && public_active(&signature->public_op))
        p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_SIGNATURE);
    if (p == NULL)
        return 1;
    if (!OSSL_PARAM_get_octet_string(p, &bytes, 0, &length)) {
        RAISE(signature->provider, REASON_PARAMETER,
              "the signature to verify is not a byte string");
        return 0;
    }
    OPENSSL_free(signature->expected);
    signature->expected = bytes;
    signature->expected_length = length;
    return 1;
}

static const OSSL_PARAM *composite_settable_ctx_params(void *ctx, void *provctx)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_SIGNATURE, NULL, 0), OSSL_PARAM_END};
    static const OSSL_PARAM nothing[] = {OSSL_PARAM_END};
    const struct signature *signature = ctx;

    (void)provctx;
    return signature == NULL || (signature->message && public_active(&signature->public_op))
               ? settable
               : nothing;
}

static const char **composite_rsa_types(void)
{
    static const char *types[] = {"RSA", NULL};

    return types;
}

static const char **composite_ecdsa_types(void)
{
    static const char *types[] = {"EC", NULL};

    return types;
}

/* The functions of one digest, for either kind of key: what sets them apart is their first step. */
#define STEP(digest, name, step, of)                                                               \
    static int digest##_##name(void *ctx, void *key, const OSSL_PARAM params[])                    \
    {                                                                                              \
        return begin_step(ctx, key, params, step, of);                                             \
    }
#define STEPS(digest, of)                                                                          \
    STEP(digest, sign_init, SIGN, of)                                                              \
    STEP(digest, sign_message_init, SIGN_MESSAGE, of)                                              \
    STEP(digest, verify_init, VERIFY, of)                                                          \
    STEP(digest, verify_message_init, VERIFY_MESSAGE, of)                                          \
    STEP(digest, verify_recover_init, RECOVER, of)

STEPS(sha1, "SHA1")
STEPS(sha224, "SHA224")
STEPS(sha256, "SHA256")
STEPS(sha384, "SHA384")
STEPS(sha512, "SHA512")

#define FUNCTION(id, function)                                                                     \
    {                                                                                              \
        OSSL_FUNC_SIGNATURE_##id, (void (*)(void))(function)                                       \
    }
#define FUNCTIONS_OF(digest, types)                                                                \
    FUNCTION(NEWCTX, signature_newctx), FUNCTION(FREECTX, signature_freectx),                      \
        FUNCTION(DUPCTX, signature_dupctx), FUNCTION(QUERY_KEY_TYPES, types),                      \
        FUNCTION(SIGN_INIT, digest##_sign_init), FUNCTION(SIGN, composite_sign),                   \
        FUNCTION(SIGN_MESSAGE_INIT, digest##_sign_message_init),                                   \
        FUNCTION(SIGN_MESSAGE_UPDATE, signature_digest_sign_update),                               \
        FUNCTION(SIGN_MESSAGE_FINAL, signature_digest_sign_final),                                 \
        FUNCTION(VERIFY_INIT, digest##_verify_init), FUNCTION(VERIFY, composite_verify),           \
        FUNCTION(VERIFY_MESSAGE_INIT, digest##_verify_message_init),                               \
        FUNCTION(VERIFY_MESSAGE_UPDATE, signature_digest_verify_update),                           \
        FUNCTION(VERIFY_MESSAGE_FINAL, composite_verify_final),                                    \
        FUNCTION(SET_CTX_PARAMS, composite_set_ctx_params),                                        \
        FUNCTION(SETTABLE_CTX_PARAMS, composite_settable_ctx_params),                              \
        FUNCTION(GET_CTX_PARAMS, signature_get_ctx_params),                                        \
        FUNCTION(GETTABLE_CTX_PARAMS, signature_gettable_ctx_params)
#define TABLES(digest)                                                                             \
    const OSSL_DISPATCH composite_ecdsa_##digest[] = {FUNCTIONS_OF(digest, composite_ecdsa_types), \
                                                      {0, NULL}};                                  \
    const OSSL_DISPATCH composite_rsa_##digest[] = {                                               \
        FUNCTIONS_OF(digest, composite_rsa_types),                                                 \
        FUNCTION(VERIFY_RECOVER_INIT, digest##_verify_recover_init),                               \
        FUNCTION(VERIFY_RECOVER, signature_verify_recover),                                        \
        {0, NULL}};

TABLES(sha1)
TABLES(sha224)
TABLES(sha256)
TABLES(sha384)
TABLES(sha512)

#endif
