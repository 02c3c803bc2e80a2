/* SPDX-License-Identifier: Apache-2.0 */
/* See public_ops.h. */
#include "provider/public_ops.h"
#include "provider/error.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <string.h>

static bool is_query(const char *name)
{
    static const char *const queries[] = {
        OSSL_SIGNATURE_PARAM_PROPERTIES, OSSL_SIGNATURE_PARAM_MGF1_PROPERTIES,
        OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST_PROPS, OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST_PROPS};

    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        if (strcmp(name, queries[i]) == 0)
            return true;
    return false;
}

/* A copy of the list without the property queries. The values stay where they are. NULL if memory is
 * out. */
static OSSL_PARAM *without_queries(const OSSL_PARAM params[])
{
    OSSL_PARAM *kept;
    size_t count = 0;

    for (const OSSL_PARAM *p = params; p != NULL && p->key != NULL; p++)
        count++;
    kept = OPENSSL_malloc((count + 1) * sizeof(*kept));
    if (kept == NULL)
        return NULL;
    count = 0;
    for (const OSSL_PARAM *p = params; p != NULL && p->key != NULL; p++)
        if (!is_query(p->key))
            kept[count++] = *p;
    kept[count] = OSSL_PARAM_construct_end();
    return kept;
}

static bool init_digest(struct public_op *op, const struct key *key, const char *name,
                        const OSSL_PARAM params[])
{
    op->digest = EVP_MD_CTX_new();
    return op->digest != NULL &&
           EVP_DigestVerifyInit_ex(op->digest, &op->ctx, name, key->provider->libctx, NULL,
                                   key->public_key, params) > 0;
}

static bool init_plain(struct public_op *op, const struct key *key, enum public_kind kind,
                       const OSSL_PARAM params[])
{
    op->ctx = EVP_PKEY_CTX_new_from_pkey(key->provider->libctx, key->public_key, NULL);
    if (op->ctx == NULL)
        return false;
    switch (kind) {
    case PUBLIC_VERIFY:
        return EVP_PKEY_verify_init_ex(op->ctx, params) > 0;
    case PUBLIC_RECOVER:
        return EVP_PKEY_verify_recover_init_ex(op->ctx, params) > 0;
    case PUBLIC_ENCRYPT:
        return EVP_PKEY_encrypt_init_ex(op->ctx, params) > 0;
    }
    return false;
}

static bool init_once(struct public_op *op, const struct key *key, enum public_kind kind,
                      bool hashed, const char *name, const OSSL_PARAM params[])
{
    bool done = hashed ? init_digest(op, key, name, params) : init_plain(op, key, kind, params);

    if (!done)
        public_end(op);
    return done;
}

/* Once more if the private library context had lost what it takes. */
static bool init_mended(struct public_op *op, const struct key *key, enum public_kind kind,
                        bool hashed, const char *name, const OSSL_PARAM params[])
{
    OSSL_PARAM *kept = without_queries(params);
    bool done;

    public_end(op);
    if (kept == NULL) {
        RAISE_MEMORY(key->provider);
        return false;
    }
    ERR_set_mark();
    done = init_once(op, key, kind, hashed, name, kept);
    if (!done && context_mend(key->provider)) {
        ERR_pop_to_mark();
        ERR_set_mark();
        done = init_once(op, key, kind, hashed, name, kept);
    }
    ERR_clear_last_mark();
    OPENSSL_free(kept);
    return done;
}

bool public_begin(struct public_op *op, const struct key *key, enum public_kind kind,
                  const OSSL_PARAM params[])
{
    return init_mended(op, key, kind, false, NULL, params);
}

bool public_begin_digest(struct public_op *op, const struct key *key, const char *name,
                         const OSSL_PARAM params[])
{
    return init_mended(op, key, PUBLIC_VERIFY, true, name, params);
}

bool public_copy(struct public_op *to, const struct public_op *from)
{
    memset(to, 0, sizeof *to);
    if (from->digest != NULL) {
        to->digest = EVP_MD_CTX_new();
        if (to->digest != NULL && EVP_MD_CTX_copy_ex(to->digest, from->digest))
            to->ctx = EVP_MD_CTX_get_pkey_ctx(to->digest);
    } else if (from->ctx != NULL) {
        to->ctx = EVP_PKEY_CTX_dup(from->ctx);
    }
    if (to->ctx != NULL || from->ctx == NULL)
        return true;
    public_end(to);
    return false;
}

bool public_active(const struct public_op *op)
{
    return op->ctx != NULL;
}

void public_end(struct public_op *op)
{
    if (op->digest != NULL)
        EVP_MD_CTX_free(op->digest);
    else
        EVP_PKEY_CTX_free(op->ctx);
    memset(op, 0, sizeof *op);
}

int public_set_params(const struct public_op *op, const OSSL_PARAM params[])
{
    OSSL_PARAM *kept = without_queries(params);
    int result = kept != NULL && EVP_PKEY_CTX_set_params(op->ctx, kept) > 0;

    OPENSSL_free(kept);
    return result;
}

int public_get_params(const struct public_op *op, OSSL_PARAM params[])
{
    return EVP_PKEY_CTX_get_params(op->ctx, params) > 0;
}

const OSSL_PARAM *public_settable(const struct public_op *op)
{
    return EVP_PKEY_CTX_settable_params(op->ctx);
}

const OSSL_PARAM *public_gettable(const struct public_op *op)
{
    return EVP_PKEY_CTX_gettable_params(op->ctx);
}
