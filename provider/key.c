/* SPDX-License-Identifier: Apache-2.0 */
/* The key object's life. What is done with it lives in keymgmt.c, signature.c and asym_cipher.c. */
#include "provider/key.h"
#include "provider/error.h"
#include "provider/proof.h"

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>

struct key *key_new(struct provider *provider, EVP_PKEY *public_key, struct choice *choice,
                    const struct token_key *token)
{
    struct key *key = OPENSSL_zalloc(sizeof(*key));

    if (key == NULL)
        return NULL;
    atomic_init(&key->references, 1);
    key->provider = provider;
    if (public_key == NULL)
        return key;
    if (!EVP_PKEY_up_ref(public_key)) {
        OPENSSL_free(key);
        return NULL;
    }
    key->public_key = public_key;
    key->choice = choice != NULL ? choice_ref(choice) : NULL;
    key->token = *token;
    return key;
}

/* The group of an EC key. NULL for one without. */
static EVP_PKEY *copy_parameters(EVP_PKEY *from)
{
    EVP_PKEY *to = EVP_PKEY_new();

    if (to != NULL && EVP_PKEY_copy_parameters(to, from))
        return to;
    EVP_PKEY_free(to);
    return NULL;
}

struct key *key_copy(const struct key *key, bool parameters)
{
    EVP_PKEY *public_key = NULL;
    struct key *copy;

    if (parameters && key->token.type != TOKEN_EC)
        return NULL;
    if (key->public_key == NULL)
        return key_new(key->provider, NULL, NULL, NULL);
    public_key = parameters ? copy_parameters(key->public_key) : EVP_PKEY_dup(key->public_key);
    if (public_key == NULL)
        return NULL;
    copy = key_new(key->provider, public_key, parameters ? NULL : key->choice, &key->token);
    EVP_PKEY_free(public_key);
    return copy;
}

bool key_usable(const struct key *key)
{
    return key != NULL && key->choice != NULL;
}

void key_raise_private(const struct provider *provider)
{
    RAISE(provider, REASON_PRIVATE,
          "the private key is in the SIM and cannot be written out: use the sim: URI, or the key "
          "reference that `simkey key signing` writes for programs that read files");
}

void key_raise_elsewhere(const struct provider *provider)
{
    RAISE(provider, REASON_PRIVATE,
          "the key stays in the SIM, but OpenSSL looked for another provider's keys: a property "
          "query excludes simkey (fips=yes? use ?fips=yes), or memory ran out");
}

struct key *key_ref(struct key *key)
{
    atomic_fetch_add(&key->references, 1);
    return key;
}

void key_free(struct key *key)
{
    if (key == NULL || atomic_fetch_sub(&key->references, 1) != 1)
        return;
    EVP_PKEY_free(key->public_key);
    choice_free(key->choice);
    OPENSSL_free(key);
}

int key_emit(struct key *key, OSSL_CALLBACK *callback, void *arg)
{
    int object = OSSL_OBJECT_PKEY;
    OSSL_PARAM params[4];
    struct provider *provider = key->provider;
    int result;

    /* The reference is the address of our pointer; LOAD takes the key and leaves NULL. */
    params[0] = OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &object);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
                                                 (char *)token_type_name(key->token.type), 0);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof(key));
    params[3] = OSSL_PARAM_construct_end();
    result = callback(params, arg);
    key_free(key);
    order_prepare(provider);
    return result;
}

struct signing_work {
    const struct key *key;
    const struct token_digest *digest;
    uint8_t *signature;
    size_t room;
    size_t *length;
};

static bool mend_context(void *arg)
{
    return context_mend(arg);
}

static enum outcome sign_there(struct sim *sim, void *arg, struct deadline deadline,
                               struct report *why)
{
    const struct signing_work *work = arg;
    const struct key *key = work->key;
    const struct proof proof = {.key = &key->token,
                                .public_key = key->public_key,
                                .libctx = key->provider->libctx,
                                .mend = mend_context,
                                .arg = key->provider};

    *work->length = work->room;
    return proof_sign(&proof, sim, work->digest, work->signature, work->length, deadline, why);
}

enum outcome key_sign(const struct key *key, const struct token_digest *digest, uint8_t *signature,
                      size_t *length, struct report *why)
{
    struct signing_work work = {key, digest, signature, *length, length};

    *length = 0;
    return choice_run(key->choice, sign_there, &work, why);
}
