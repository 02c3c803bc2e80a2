/* SPDX-License-Identifier: Apache-2.0 */
/* How a signature begins, and its parameters: digest, padding, PSS's salt and MGF1, the
 * AlgorithmIdentifier; and what of them the SIM cannot do. A request for PSS is either answered with
 * PSS or refused. */
#include "provider/calls.h"
#include "provider/error.h"
#include "provider/params.h"
#include "provider/scheme.h"
#include "provider/signature.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool signature_begin(struct signature *signature, struct key *key)
{
    if (key != NULL) {
        key_ref(key);
        key_free(signature->key);
        signature->key = key;
    }
    if (!key_usable(signature->key)) {
        RAISE(signature->provider, REASON_SEQUENCE, "there is no key to sign or verify with");
        return false;
    }
    signature->scheme = token_type_scheme(signature->key->token.type);
    signature->salt_length = RSA_PSS_SALTLEN_DIGEST;
    signature->mgf1_given = false;
    signature->hash = TOKEN_HASH_NONE;
    EVP_MD_free(signature->md);
    signature->md = NULL;
    EVP_MD_CTX_free(signature->digest);
    signature->digest = NULL;
    public_end(&signature->public_op);
    signature->message = false;
    OPENSSL_free(signature->expected);
    signature->expected = NULL;
    return true;
}

void signature_raise_no_pss(const struct signature *signature, const char *how)
{
    RAISE(signature->provider, REASON_NO_PSS,
          "this SIM's RSA key cannot do PSS, which TLS 1.3 needs and TLS 1.2 prefers: set "
          "MaxProtocol "
          "= TLSv1.2 and ClientSignatureAlgorithms = RSA+SHA256:ECDSA+SHA256 in openssl.cnf "
          "(s_client: "
          "-tls1_2 -client_sigalgs RSA+SHA256; curl: that openssl.cnf and --tls-max 1.2); %s",
          how);
}

bool signature_possible(const struct signature *signature)
{
    const struct provider *provider = signature->provider;
    int salt = signature->salt_length;
    struct sim *sim;

    if (!scheme_rule(signature->scheme)->salted || signature->md == NULL)
        return true;
    if (signature->hash == TOKEN_HASH_NONE) {
        RAISE(provider, REASON_DIGEST, "PSS cannot be used with %s",
              EVP_MD_get0_name(signature->md));
        return false;
    }
    if (signature->mgf1_given && signature->mgf1 != signature->hash) {
        RAISE(provider, REASON_DIGEST,
              "the SIM's PSS must have the same digest in MGF1 (%s), not %s",
              hash_name(signature->hash), hash_name(signature->mgf1));
        return false;
    }
    if (salt >= 0 && (size_t)salt != hash_length(signature->hash)) {
        RAISE(provider, REASON_SALT_LENGTH,
              "the SIM's PSS must have a salt as long as the digest, not of %d bytes: "
              "rsa_pss_saltlen:digest",
              salt);
        return false;
    }
    sim = choice_known(signature->key->choice);
    if (sim != NULL &&
        token_refuses(sim, &signature->key->token, signature->scheme, signature->hash)) {
        signature_raise_no_pss(signature, "the SIM has refused it before");
        return false;
    }
    return true;
}

static bool take_digest(struct signature *signature, const OSSL_PARAM *param)
{
    EVP_MD *md = NULL;
    enum token_hash hash;

    if (!hash_param(signature->provider, param, scheme_rule(signature->scheme)->input == INPUT_DATA,
                    &md, &hash))
        return false;
    if (signature->digest != NULL && !EVP_MD_is_a(signature->md, EVP_MD_get0_name(md))) {
        EVP_MD_free(md);
        RAISE(signature->provider, REASON_SEQUENCE,
              "the digest cannot change while data is hashed");
        return false;
    }
    EVP_MD_free(signature->md);
    signature->md = md;
    signature->hash = hash;
    return true;
}

static bool take_padding(struct signature *signature, const OSSL_PARAM *param)
{
    int padding = 0;

    if (!padding_param(signature->provider, param, &padding))
        return false;
    for (int i = 0; i < TOKEN_SCHEMES; i++) {
        enum token_scheme scheme = (enum token_scheme)i;

        if (token_scheme_type(scheme) == signature->key->token.type &&
            scheme_rule(scheme)->padding != 0 && scheme_rule(scheme)->padding == padding) {
            signature->scheme = scheme;
            return true;
        }
    }
    RAISE(signature->provider, REASON_PADDING,
          "the SIM signs with pkcs1 or pss padding (RSA keys), not with %d", padding);
    return false;
}

static bool take_salt_length(struct signature *signature, const OSSL_PARAM *param)
{
    const char *word = NULL;
    int length = 0;

    if (param->data_type == OSSL_PARAM_UTF8_STRING) {
        if (!OSSL_PARAM_get_utf8_string_ptr(param, &word) || word == NULL)
            length = RSA_PSS_SALTLEN_MAX;
        else if (strcmp(word, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0)
            length = RSA_PSS_SALTLEN_DIGEST;
        else if (strcmp(word, OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO) == 0 ||
                 strcmp(word, "auto-digestmax") == 0)
            length = RSA_PSS_SALTLEN_AUTO;
        else if (strcmp(word, OSSL_PKEY_RSA_PSS_SALT_LEN_MAX) == 0 || word[0] == '\0' ||
                 strspn(word, "0123456789") != strlen(word) || strlen(word) > 5)
            length = RSA_PSS_SALTLEN_MAX;
        else
            length = atoi(word);
    } else if (!OSSL_PARAM_get_int(param, &length)) {
        length = RSA_PSS_SALTLEN_MAX;
    }
    /* -4 is 3.1's "auto, but at most the digest's". To "auto" every salt is right; "max" is a wish
     * that cannot be met. */
    if (length == -4)
        length = RSA_PSS_SALTLEN_AUTO;
    if (length < 0 && length != RSA_PSS_SALTLEN_DIGEST && length != RSA_PSS_SALTLEN_AUTO) {
        RAISE(signature->provider, REASON_SALT_LENGTH,
              "the SIM's PSS has a salt as long as the digest: use rsa_pss_saltlen:digest");
        return false;
    }
    signature->salt_length = length;
    return true;
}

static bool take_mgf1(struct signature *signature, const OSSL_PARAM *param)
{
    signature->mgf1_given = hash_param(signature->provider, param, false, NULL, &signature->mgf1);
    return signature->mgf1_given;
}

bool signature_take_params(struct signature *signature, const OSSL_PARAM params[])
{
    const OSSL_PARAM *padding = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    const OSSL_PARAM *digest = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST);
    const OSSL_PARAM *salt = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
    const OSSL_PARAM *mgf1 = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);

    if (padding != NULL && !take_padding(signature, padding))
        return false;
    if (digest != NULL && !take_digest(signature, digest))
        return false;
    if ((salt != NULL || mgf1 != NULL) && !scheme_rule(signature->scheme)->salted) {
        RAISE(signature->provider, REASON_PADDING,
              "salt length and MGF1 digest belong to pss padding: set that first");
        return false;
    }
    if (salt != NULL && !take_salt_length(signature, salt))
        return false;
    if (mgf1 != NULL && !take_mgf1(signature, mgf1))
        return false;
    return signature_possible(signature);
}

int signature_set_ctx_params(void *ctx, const OSSL_PARAM params[])
{
    struct signature *signature = ctx;
    char names[CALLS_TEXT];

    CALLED(signature->provider, "%s", calls_params(params, names));
    if (params == NULL || params[0].key == NULL)
        return 1;
    if (public_active(&signature->public_op))
        return public_set_params(&signature->public_op, params);
    if (signature->key == NULL) {
        RAISE(signature->provider, REASON_SEQUENCE, "parameters came before the key");
        return 0;
    }
    return signature_take_params(signature, params);
}

/* RFC 4055, 3.1. The parameters' defaults (SHA-1, 20 bytes) are left out, as DER wants. */
static bool pss_parameters(const struct signature *signature, X509_ALGOR *to)
{
    RSA_PSS_PARAMS *pss = RSA_PSS_PARAMS_new();
    X509_ALGOR *hash = X509_ALGOR_new();
    ASN1_STRING *mgf1 = NULL;
    ASN1_STRING *packed = NULL;
    bool done = false;

    if (pss == NULL || hash == NULL)
        goto out;
    X509_ALGOR_set_md(hash, signature->md);
    if (signature->hash != TOKEN_SHA1) {
        mgf1 = ASN1_item_pack(hash, ASN1_ITEM_rptr(X509_ALGOR), NULL);
        pss->maskGenAlgorithm = X509_ALGOR_new();
        pss->saltLength = ASN1_INTEGER_new();
        if (mgf1 == NULL || pss->maskGenAlgorithm == NULL || pss->saltLength == NULL ||
            !X509_ALGOR_set0(pss->maskGenAlgorithm, OBJ_nid2obj(NID_mgf1), V_ASN1_SEQUENCE, mgf1))
            goto out;
        mgf1 = NULL;
        pss->hashAlgorithm = hash;
        hash = NULL;
        if (!ASN1_INTEGER_set(pss->saltLength, (long)hash_length(signature->hash)))
            goto out;
    }
    packed = ASN1_item_pack(pss, ASN1_ITEM_rptr(RSA_PSS_PARAMS), NULL);
    if (packed == NULL || !X509_ALGOR_set0(to, OBJ_nid2obj(NID_rsassaPss), V_ASN1_SEQUENCE, packed))
        goto out;
    packed = NULL;
    done = true;
out:
    ASN1_STRING_free(packed);
    ASN1_STRING_free(mgf1);
    X509_ALGOR_free(hash);
    RSA_PSS_PARAMS_free(pss);
    return done;
}

/* The AlgorithmIdentifier that goes into certificates and requests. */
static bool answer_algorithm(const struct signature *signature, OSSL_PARAM *param)
{
    const struct scheme_rule *rule = scheme_rule(signature->scheme);
    X509_ALGOR *algorithm = NULL;
    unsigned char *der = NULL;
    int length = 0;
    int nid = NID_undef;
    bool done = false;

    if (signature->hash == TOKEN_HASH_NONE)
        return false;
    algorithm = X509_ALGOR_new();
    if (algorithm == NULL)
        return false;
    if (rule->salted)
        done = pss_parameters(signature, algorithm);
    else if (OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(signature->md), rule->key_nid))
        done = X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), rule->parameters, NULL);
    if (done)
        length = i2d_X509_ALGOR(algorithm, &der);
    done = length > 0 && OSSL_PARAM_set_octet_string(param, der, (size_t)length);
    OPENSSL_free(der);
    X509_ALGOR_free(algorithm);
    return done;
}

static bool answer_salt_length(const struct signature *signature, OSSL_PARAM *param)
{
    char number[16];

    if (param->data_type != OSSL_PARAM_UTF8_STRING)
        return OSSL_PARAM_set_int(param, signature->salt_length < 0 ? RSA_PSS_SALTLEN_DIGEST
                                                                    : signature->salt_length);
    if (signature->salt_length < 0)
        return OSSL_PARAM_set_utf8_string(param, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST);
    snprintf(number, sizeof(number), "%d", signature->salt_length);
    return OSSL_PARAM_set_utf8_string(param, number);
}

int signature_get_ctx_params(void *ctx, OSSL_PARAM params[])
{
    const struct signature *signature = ctx;
    const char *name;
    char names[CALLS_TEXT];
    OSSL_PARAM *p;

    CALLED(signature->provider, "%s", calls_params(params, names));
    if (params == NULL)
        return 1;
    if (signature->key == NULL)
        return 0;
    if (public_active(&signature->public_op))
        return public_get_params(&signature->public_op, params);
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    if (p != NULL && !answer_algorithm(signature, p))
        return 0;
    /* The name that old code knows, too; MD5-SHA1 has none of ours. */
    name = signature->hash != TOKEN_HASH_NONE ? hash_name(signature->hash)
           : signature->md != NULL            ? EVP_MD_get0_name(signature->md)
                                              : "";
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST);
    if (p != NULL && !OSSL_PARAM_set_utf8_string(p, name))
        return 0;
    if (scheme_rule(signature->scheme)->padding == 0)
        return 1;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    if (p != NULL && !padding_answer(p, scheme_rule(signature->scheme)->padding))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
    if (p != NULL && !answer_salt_length(signature, p))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
    return p == NULL || OSSL_PARAM_set_utf8_string(p, name);
}

/* One list for RSA and EC: before the key is known, nobody can tell which it will be. */
const OSSL_PARAM *signature_settable_ctx_params(void *ctx, void *provctx)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PROPERTIES, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_PROPERTIES, NULL, 0),
        OSSL_PARAM_END,
    };
    const struct signature *signature = ctx;

    (void)provctx;
    if (signature != NULL && public_active(&signature->public_op))
        return public_settable(&signature->public_op);
    return settable;
}

const OSSL_PARAM *signature_gettable_ctx_params(void *ctx, void *provctx)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_END,
    };
    const struct signature *signature = ctx;

    (void)provctx;
    if (signature != NULL && public_active(&signature->public_op))
        return public_gettable(&signature->public_op);
    return gettable;
}
