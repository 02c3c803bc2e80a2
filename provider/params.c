/* SPDX-License-Identifier: Apache-2.0 */
/* Names of digests and paddings, as they come in parameters. A digest has many names ("SHA256",
 * "SHA2-256", an OID): it is looked up, and the found one compared. */
#include "provider/params.h"
#include "provider/error.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

static const struct {
    int padding;
    const char *word;
} paddings[] = {
    {RSA_PKCS1_PADDING, OSSL_PKEY_RSA_PAD_MODE_PKCSV15},
    {RSA_NO_PADDING, OSSL_PKEY_RSA_PAD_MODE_NONE},
    {RSA_PKCS1_OAEP_PADDING, OSSL_PKEY_RSA_PAD_MODE_OAEP},
    {RSA_PKCS1_OAEP_PADDING, "oeap"}, /* an old slip of OpenSSL that it still takes */
    {RSA_X931_PADDING, OSSL_PKEY_RSA_PAD_MODE_X931},
    {RSA_PKCS1_PSS_PADDING, OSSL_PKEY_RSA_PAD_MODE_PSS},
};

#define PADDINGS (sizeof(paddings) / sizeof(paddings[0]))

static bool hash_of(const EVP_MD *md, bool md5_sha1, enum token_hash *hash)
{
    for (int i = TOKEN_HASH_NONE + 1; i < TOKEN_HASHES; i++) {
        if (EVP_MD_is_a(md, hash_name((enum token_hash)i))) {
            *hash = (enum token_hash)i;
            return true;
        }
    }
    *hash = TOKEN_HASH_NONE;
    return md5_sha1 && EVP_MD_is_a(md, "MD5-SHA1");
}

bool hash_fetch(struct provider *provider, const char *name, bool md5_sha1, EVP_MD **md,
                enum token_hash *hash)
{
    EVP_MD *found;
    bool known;

    ERR_set_mark();
    found = EVP_MD_fetch(provider->libctx, name, NULL);
    if (found == NULL && context_mend(provider))
        found = EVP_MD_fetch(provider->libctx, name, NULL);
    ERR_pop_to_mark();
    known = found != NULL && hash_of(found, md5_sha1, hash);
    if (known && md != NULL) {
        *md = found;
        return true;
    }
    EVP_MD_free(found);
    if (!known)
        RAISE(provider, REASON_DIGEST,
              "the SIM does not work with the digest %s here: use SHA256 (or SHA1, SHA224, SHA384, "
              "SHA512)",
              name);
    return known;
}

bool hash_param(struct provider *provider, const OSSL_PARAM *param, bool md5_sha1, EVP_MD **md,
                enum token_hash *hash)
{
    const char *name = NULL;

    if (!OSSL_PARAM_get_utf8_string_ptr(param, &name) || name == NULL) {
        RAISE(provider, REASON_PARAMETER, "%s is not a digest's name", param->key);
        return false;
    }
    return hash_fetch(provider, name, md5_sha1, md, hash);
}

bool padding_param(const struct provider *provider, const OSSL_PARAM *param, int *padding)
{
    const char *word = NULL;

    if (param->data_type == OSSL_PARAM_UTF8_STRING) {
        if (OSSL_PARAM_get_utf8_string_ptr(param, &word) && word != NULL)
            for (size_t i = 0; i < PADDINGS; i++)
                if (strcmp(word, paddings[i].word) == 0) {
                    *padding = paddings[i].padding;
                    return true;
                }
    } else if (OSSL_PARAM_get_int(param, padding)) {
        return true;
    }
    RAISE(provider, REASON_PADDING, "%s is not a known RSA padding",
          word == NULL ? param->key : word);
    return false;
}

bool padding_answer(OSSL_PARAM *param, int padding)
{
    if (param->data_type != OSSL_PARAM_UTF8_STRING)
        return OSSL_PARAM_set_int(param, padding);
    for (size_t i = 0; i < PADDINGS; i++)
        if (paddings[i].padding == padding)
            return OSSL_PARAM_set_utf8_string(param, paddings[i].word);
    return false;
}
