/* SPDX-License-Identifier: Apache-2.0 */
/* The private library context, made anew where it has lost something: libcrypto asks a provider for
 * its algorithms once, and what it cannot write down then for want of memory is missing from that
 * context for ever. */
#include "provider/params.h"
#include "provider/provider.h"
#include "provider/scheme.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>

static bool digests_there(OSSL_LIB_CTX *libctx)
{
    for (int i = TOKEN_HASH_NONE + 1; i < TOKEN_HASHES; i++) {
        EVP_MD *md = EVP_MD_fetch(libctx, hash_name((enum token_hash)i), NULL);

        EVP_MD_free(md);
        if (md == NULL)
            return false;
    }
    return true;
}

/* What reading and using a public key of this type takes. */
static bool keys_there(OSSL_LIB_CTX *libctx, const char *type, const char *algorithm)
{
    OSSL_DECODER *decoder =
        OSSL_DECODER_fetch(libctx, type, "input=der,structure=SubjectPublicKeyInfo");
    EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(libctx, type, NULL);
    EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(libctx, algorithm, NULL);
    bool there = decoder != NULL && keymgmt != NULL && signature != NULL;

    OSSL_DECODER_free(decoder);
    EVP_KEYMGMT_free(keymgmt);
    EVP_SIGNATURE_free(signature);
    return there;
}

static bool is_whole(OSSL_LIB_CTX *libctx)
{
    bool whole = digests_there(libctx);

    for (int i = 0; whole && i < TOKEN_SCHEMES; i++) {
        enum token_scheme scheme = (enum token_scheme)i;

        whole = keys_there(libctx, token_type_name(token_scheme_type(scheme)),
                           scheme_rule(scheme)->algorithm);
    }
    return whole;
}

/* The replaced one lives on: keys and digests of it are in use. */
static bool replace_context(struct provider *provider, OSSL_LIB_CTX *damaged)
{
    OSSL_LIB_CTX *made = OSSL_LIB_CTX_new_from_dispatch(provider->handle, provider->dispatch);
    unsigned place;

    if (made == NULL)
        return false;
    if (!is_whole(made)) {
        OSSL_LIB_CTX_free(made);
        return false;
    }
    place = atomic_fetch_add(&provider->replaced_count, 1);
    if (place >= CONTEXTS_REPLACED) {
        (void)atomic_fetch_sub(&provider->replaced_count, 1);
        OSSL_LIB_CTX_free(made);
        return false;
    }
    if (atomic_compare_exchange_strong(&provider->libctx, &damaged, made))
        atomic_store(&provider->replaced[place], damaged);
    else /* another thread was faster */
        OSSL_LIB_CTX_free(made);
    return true;
}

bool context_mend(struct provider *provider)
{
    OSSL_LIB_CTX *libctx = atomic_load(&provider->libctx);
    bool mended;

    ERR_set_mark();
    mended = !is_whole(libctx) && replace_context(provider, libctx);
    ERR_pop_to_mark();
    return mended;
}

void context_clear(struct provider *provider)
{
    for (size_t i = 0; i < CONTEXTS_REPLACED; i++)
        OSSL_LIB_CTX_free(atomic_load(&provider->replaced[i]));
    OSSL_LIB_CTX_free(atomic_load(&provider->libctx));
}
