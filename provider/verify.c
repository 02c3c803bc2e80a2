/* SPDX-License-Identifier: Apache-2.0 */
/* The signature operation's public side: verify, and recover what was signed. See public_ops.h. */
#include "provider/calls.h"
#include "provider/error.h"
#include "provider/signature.h"

int signature_verify_init(void *ctx, void *key, const OSSL_PARAM params[])
{
    struct signature *signature = ctx;
    char name[CALLS_TEXT], names[CALLS_TEXT];

    CALLED(signature->provider, "key %s, parameters %s", calls_key(key, name),
           calls_params(params, names));
    return signature_begin(signature, key) &&
           public_begin(&signature->public_op, signature->key, PUBLIC_VERIFY, params);
}

int signature_verify(void *ctx, const unsigned char *bytes, size_t length,
                     const unsigned char *digest, size_t digest_length)
{
    struct signature *signature = ctx;
    int result = EVP_PKEY_verify(signature->public_op.ctx, bytes, length, digest, digest_length);

    CALLED(signature->provider, "%zu bytes, signature of %zu: %d", digest_length, length, result);
    return result;
}

int signature_verify_recover_init(void *ctx, void *key, const OSSL_PARAM params[])
{
    struct signature *signature = ctx;
    char name[CALLS_TEXT], names[CALLS_TEXT];

    CALLED(signature->provider, "key %s, parameters %s", calls_key(key, name),
           calls_params(params, names));
    return signature_begin(signature, key) &&
           public_begin(&signature->public_op, signature->key, PUBLIC_RECOVER, params);
}

int signature_verify_recover(void *ctx, unsigned char *out, size_t *out_length, size_t room,
                             const unsigned char *bytes, size_t length)
{
    struct signature *signature = ctx;
    int result;

    *out_length = room;
    result = EVP_PKEY_verify_recover(signature->public_op.ctx, out, out_length, bytes, length);
    CALLED(signature->provider, "signature of %zu bytes: %d", length, result);
    return result;
}

int signature_digest_verify_init(void *ctx, const char *digest, void *key,
                                 const OSSL_PARAM params[])
{
    struct signature *signature = ctx;
    char name[CALLS_TEXT], names[CALLS_TEXT];

    CALLED(signature->provider, "key %s, digest %.40s, parameters %s", calls_key(key, name),
           digest != NULL ? digest : "(default)", calls_params(params, names));
    return signature_begin(signature, key) &&
           public_begin_digest(&signature->public_op, signature->key, digest, params);
}

int signature_digest_verify_update(void *ctx, const unsigned char *data, size_t length)
{
    struct signature *signature = ctx;

    CALLED(signature->provider, "%zu bytes", length);
    if (signature->public_op.digest == NULL) {
        RAISE(signature->provider, REASON_SEQUENCE,
              "data to verify came before the digest was chosen");
        return 0;
    }
    return EVP_DigestVerifyUpdate(signature->public_op.digest, data, length);
}

int signature_digest_verify_final(void *ctx, const unsigned char *bytes, size_t length)
{
    struct signature *signature = ctx;
    int result;

    if (signature->public_op.digest == NULL) {
        RAISE(signature->provider, REASON_SEQUENCE,
              "no verification has been begun: initialise it first");
        return 0;
    }
    result = EVP_DigestVerifyFinal(signature->public_op.digest, bytes, length);
    CALLED(signature->provider, "signature of %zu bytes: %d", length, result);
    return result;
}
