/* SPDX-License-Identifier: Apache-2.0 */
/* libcrypto's functions that take a key's public half alone, with the object of the private key: each
 * signs or encrypts with the key first where that is needed, and gives what a key in memory gives. */
#include "test/e2e/api_functions.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

static const unsigned char text[] = "what is signed";

struct made {
    unsigned char bytes[512];
    size_t length;
};

static const OSSL_PARAM *pss(OSSL_PARAM params[4], const char *salt, const char *mgf1)
{
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, (char *)"pss", 0);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, (char *)salt, 0);
    params[2] = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, (char *)mgf1, 0);
    params[3] = OSSL_PARAM_construct_end();
    return params;
}

static bool sign_text(const struct world *world, EVP_PKEY *key, const OSSL_PARAM params[],
                      struct made *made)
{
    EVP_MD_CTX *sign = EVP_MD_CTX_new();
    bool done;

    made->length = sizeof made->bytes;
    done = EVP_DigestSignInit_ex(sign, NULL, "SHA256", world->ctx, NULL, key, params) > 0 &&
           EVP_DigestSign(sign, made->bytes, &made->length, text, sizeof text) > 0;
    EVP_MD_CTX_free(sign);
    return done;
}

/* What EVP_DigestVerify says of a signature made with the first parameters by the second. */
static int verify_text(struct world *world, EVP_PKEY *key, const OSSL_PARAM made_with[],
                       const OSSL_PARAM params[], const char *digest, bool altered)
{
    EVP_MD_CTX *verify = EVP_MD_CTX_new();
    struct made made;
    int result = API_UNPREPARED;

    if (sign_text(world, key, made_with, &made) &&
        EVP_DigestVerifyInit_ex(verify, NULL, digest, world->ctx, NULL, key, params) > 0)
        result = EVP_DigestVerify(verify, made.bytes, made.length, text,
                                  sizeof text - (altered ? 1 : 0));
    EVP_MD_CTX_free(verify);
    return result;
}

#define VERIFY(name, arguments, digest, altered)                                                   \
    static int name(struct world *world, EVP_PKEY *key)                                            \
    {                                                                                              \
        OSSL_PARAM made_with[4], params[4];                                                        \
                                                                                                   \
        (void)made_with, (void)params;                                                             \
        return verify_text(world, key, arguments, digest, altered);                                \
    }
#define NO_PARAMETERS   NULL, NULL
#define PSS(salt, mgf1) pss(made_with, "digest", "SHA256"), pss(params, salt, mgf1)

VERIFY(verifies, NO_PARAMETERS, "SHA256", false)
VERIFY(verifies_by_default, NO_PARAMETERS, NULL, false)
VERIFY(verifies_other_text, NO_PARAMETERS, "SHA256", true)
VERIFY(verifies_other_digest, NO_PARAMETERS, "SHA384", false)
VERIFY(verifies_pss, PSS("digest", "SHA256"), "SHA256", false)
VERIFY(verifies_pss_auto, PSS("auto", "SHA256"), "SHA256", false)
VERIFY(verifies_pss_other_salt, PSS("20", "SHA256"), "SHA256", false)
VERIFY(verifies_pss_other_mgf1, PSS("digest", "SHA1"), "SHA256", false)

/* Half of the text, then a copy; both end well, and the copy may be asked twice. */
static int verifies_copy(struct world *world, EVP_PKEY *key)
{
    EVP_MD_CTX *first = EVP_MD_CTX_new(), *copy = EVP_MD_CTX_new();
    struct made made;
    int result = API_UNPREPARED;

    if (sign_text(world, key, NULL, &made) &&
        EVP_DigestVerifyInit_ex(first, NULL, "SHA256", world->ctx, NULL, key, NULL) > 0 &&
        EVP_DigestVerifyUpdate(first, text, 5) > 0 && EVP_MD_CTX_copy_ex(copy, first) > 0 &&
        EVP_DigestVerifyUpdate(first, text + 5, sizeof text - 5) > 0 &&
        EVP_DigestVerifyUpdate(copy, text + 5, sizeof text - 5) > 0)
        result = 100 * EVP_DigestVerifyFinal(first, made.bytes, made.length) +
                 10 * EVP_DigestVerifyFinal(copy, made.bytes, made.length) +
                 EVP_DigestVerifyFinal(copy, made.bytes, made.length);
    EVP_MD_CTX_free(copy);
    EVP_MD_CTX_free(first);
    return result;
}

/* One context for a signature, a verification and a signature again. */
static int verifies_between(struct world *world, EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct made made = {.length = sizeof made.bytes}, again = made;
    int result = EVP_DigestSignInit_ex(ctx, NULL, "SHA256", world->ctx, NULL, key, NULL) > 0 &&
                 EVP_DigestSign(ctx, made.bytes, &made.length, text, sizeof text) > 0 &&
                 EVP_MD_CTX_reset(ctx) > 0 &&
                 EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", world->ctx, NULL, key, NULL) > 0 &&
                 EVP_DigestVerify(ctx, made.bytes, made.length, text, sizeof text) > 0 &&
                 EVP_MD_CTX_reset(ctx) > 0 &&
                 EVP_DigestSignInit_ex(ctx, NULL, "SHA256", world->ctx, NULL, key, NULL) > 0 &&
                 EVP_DigestSign(ctx, again.bytes, &again.length, text, sizeof text) > 0;

    EVP_MD_CTX_free(ctx);
    return result;
}

/* A digest's signature by EVP_PKEY_verify, also by a copy of the context; the parameters are set one by
 * one, a property query among them, and read back. */
static int verifies_digest(struct world *world, EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL), *copy = NULL;
    OSSL_PARAM query[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, (char *)"SHA256", 6),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PROPERTIES, (char *)"provider!=simkey", 16),
        OSSL_PARAM_END};
    unsigned char digest[EVP_MAX_MD_SIZE];
    const EVP_MD *md = NULL;
    struct made made;
    int padding = 0, result = API_UNPREPARED;

    if (sign_text(world, key, NULL, &made) &&
        EVP_Q_digest(world->ctx, "SHA256", NULL, text, sizeof text, digest, NULL) &&
        EVP_PKEY_verify_init(ctx) > 0 && EVP_PKEY_CTX_set_params(ctx, query) > 0 &&
        EVP_PKEY_CTX_settable_params(ctx) != NULL && EVP_PKEY_CTX_gettable_params(ctx) != NULL &&
        (copy = EVP_PKEY_CTX_dup(ctx)) != NULL)
        result = EVP_PKEY_verify(ctx, made.bytes, made.length, digest, 32) * 10 +
                 EVP_PKEY_verify(copy, made.bytes, made.length, digest, 32);
    if (result > 0 && EVP_PKEY_is_a(key, "RSA") &&
        (EVP_PKEY_CTX_get_rsa_padding(copy, &padding) <= 0 || padding != RSA_PKCS1_PADDING))
        result = -8;
    if (result > 0 && (EVP_PKEY_CTX_get_signature_md(copy, &md) <= 0 || !EVP_MD_is_a(md, "SHA256")))
        result = -7;
    made.bytes[made.length / 2] ^= 1;
    if (result > 0 && EVP_PKEY_verify(copy, made.bytes, made.length, digest, 32) > 0)
        result = -6;
    ERR_clear_error();
    EVP_PKEY_CTX_free(copy);
    EVP_PKEY_CTX_free(ctx);
    return result;
}

static int verifies_old_way(struct world *world, EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct made made;
    int result = API_UNPREPARED;

    if (sign_text(world, key, NULL, &made) && EVP_VerifyInit(ctx, EVP_sha256()) > 0 &&
        EVP_VerifyUpdate(ctx, text, sizeof text) > 0)
        result = EVP_VerifyFinal_ex(ctx, made.bytes, (unsigned)made.length, key, world->ctx, NULL);
    EVP_MD_CTX_free(ctx);
    return result;
}

static int recovers(struct world *world, EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL), *copy = NULL;
    unsigned char digest[EVP_MAX_MD_SIZE], out[512];
    size_t length = sizeof out;
    struct made made;
    int result = API_UNPREPARED;

    if (sign_text(world, key, NULL, &made) &&
        EVP_Q_digest(world->ctx, "SHA256", NULL, text, sizeof text, digest, NULL) &&
        EVP_PKEY_verify_recover_init(ctx) > 0 &&
        EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
        (copy = EVP_PKEY_CTX_dup(ctx)) != NULL &&
        EVP_PKEY_verify_recover(copy, NULL, &length, made.bytes, made.length) > 0 &&
        EVP_PKEY_verify_recover(copy, out, &length, made.bytes, made.length) > 0)
        result = length == 32 && memcmp(out, digest, 32) == 0;
    EVP_PKEY_CTX_free(copy);
    EVP_PKEY_CTX_free(ctx);
    return result;
}

/* With an EC key there is nothing to recover. */
static int recovers_nothing(struct world *world, EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL);
    int result = EVP_PKEY_verify_recover_init(ctx);

    EVP_PKEY_CTX_free(ctx);
    return result;
}

/* Encrypts by a copy of the context, and decrypts with the key. The padding's settings are those of both
 * sides. */
static int encrypts(struct world *world, EVP_PKEY *key, int padding, const EVP_MD *md)
{
    EVP_PKEY_CTX *to = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL), *copy = NULL;
    EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL);
    unsigned char secret[512], out[512];
    size_t length = 0, out_length = sizeof out;
    int result = API_UNPREPARED;

    if (EVP_PKEY_encrypt_init(to) > 0 && EVP_PKEY_CTX_set_rsa_padding(to, padding) > 0 &&
        (md == NULL || EVP_PKEY_CTX_set_rsa_oaep_md(to, md) > 0) &&
        (copy = EVP_PKEY_CTX_dup(to)) != NULL &&
        EVP_PKEY_encrypt(copy, NULL, &length, text, sizeof text) > 0 && length <= sizeof secret &&
        EVP_PKEY_encrypt(copy, secret, &length, text, sizeof text) > 0 &&
        EVP_PKEY_decrypt_init(from) > 0 && EVP_PKEY_CTX_set_rsa_padding(from, padding) > 0 &&
        (md == NULL || EVP_PKEY_CTX_set_rsa_oaep_md(from, md) > 0) &&
        EVP_PKEY_decrypt(from, out, &out_length, secret, length) > 0)
        result = out_length == sizeof text && memcmp(out, text, sizeof text) == 0;
    EVP_PKEY_CTX_free(copy);
    EVP_PKEY_CTX_free(from);
    EVP_PKEY_CTX_free(to);
    return result;
}

static int encrypts_pkcs1(struct world *world, EVP_PKEY *key)
{
    return encrypts(world, key, RSA_PKCS1_PADDING, NULL);
}

static int encrypts_oaep(struct world *world, EVP_PKEY *key)
{
    return encrypts(world, key, RSA_PKCS1_OAEP_PADDING, EVP_sha256());
}

/* A label is the other side's to know: that it was taken is all that is seen here. */
static int encrypts_label(struct world *world, EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL);
    unsigned char secret[512], *label = NULL;
    size_t length = sizeof secret;
    int result = API_UNPREPARED;

    if (EVP_PKEY_encrypt_init(ctx) > 0 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha1()) > 0 &&
        EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_strdup("label"), 5) > 0 &&
        EVP_PKEY_encrypt(ctx, secret, &length, text, sizeof text) > 0)
        result = EVP_PKEY_CTX_get0_rsa_oaep_label(ctx, &label);
    if (result == 5 && memcmp(label, "label", 5) != 0)
        result = -8;
    EVP_PKEY_CTX_free(ctx);
    return result;
}

static int encrypts_nothing(struct world *world, EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL);
    int result = EVP_PKEY_encrypt_init(ctx);

    EVP_PKEY_CTX_free(ctx);
    return result;
}

static int seals(struct world *world, EVP_PKEY *key)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new(), *back = EVP_CIPHER_CTX_new();
    unsigned char secret[512], iv[EVP_MAX_IV_LENGTH], *secrets = secret;
    int length = 0, result = API_UNPREPARED;

    (void)world;
    if (EVP_SealInit(ctx, EVP_aes_128_cbc(), &secrets, &length, iv, &key, 1) > 0)
        result = EVP_OpenInit(back, EVP_aes_128_cbc(), secret, length, iv, key) > 0;
    EVP_CIPHER_CTX_free(back);
    EVP_CIPHER_CTX_free(ctx);
    return result;
}

static int verifies_request(struct world *world, EVP_PKEY *key)
{
    X509_REQ *request = X509_REQ_new_ex(world->ctx, NULL);
    int result = API_UNPREPARED;

    if (X509_REQ_set_pubkey(request, key) && X509_REQ_sign(request, key, EVP_sha256()) > 0)
        result = X509_REQ_verify_ex(request, key, world->ctx, NULL);
    X509_REQ_free(request);
    return result;
}

static int verifies_certificate_of(struct world *world, EVP_PKEY *key, const OSSL_PARAM params[])
{
    X509 *certificate = X509_new_ex(world->ctx, NULL);
    EVP_MD_CTX *sign = EVP_MD_CTX_new();
    int result = API_UNPREPARED;

    if (X509_set_pubkey(certificate, key) &&
        EVP_DigestSignInit_ex(sign, NULL, "SHA256", world->ctx, NULL, key, params) > 0 &&
        X509_sign_ctx(certificate, sign) > 0)
        result = X509_verify(certificate, key);
    EVP_MD_CTX_free(sign);
    X509_free(certificate);
    return result;
}

static int verifies_certificate(struct world *world, EVP_PKEY *key)
{
    return verifies_certificate_of(world, key, NULL);
}

static int verifies_pss_certificate(struct world *world, EVP_PKEY *key)
{
    OSSL_PARAM params[4];

    return verifies_certificate_of(world, key, pss(params, "digest", "SHA256"));
}

#define ANY NULL

const struct api_function api_public[] = {
    {"EVP_DigestVerify", ANY, EXPECT_SAME, verifies},
    {"EVP_DigestVerify, default digest", ANY, EXPECT_SAME, verifies_by_default},
    {"EVP_DigestVerify of other data", ANY, EXPECT_SAME, verifies_other_text},
    {"EVP_DigestVerify with another digest", ANY, EXPECT_SAME, verifies_other_digest},
    {"EVP_DigestVerify, PSS", "RSA", EXPECT_SAME, verifies_pss},
    {"EVP_DigestVerify, PSS, salt auto", "RSA", EXPECT_SAME, verifies_pss_auto},
    {"EVP_DigestVerify, PSS, another salt", "RSA", EXPECT_SAME, verifies_pss_other_salt},
    {"EVP_DigestVerify, PSS, another MGF1", "RSA", EXPECT_SAME, verifies_pss_other_mgf1},
    {"EVP_DigestVerifyFinal of a copied context", ANY, EXPECT_SAME, verifies_copy},
    {"EVP_DigestVerify between two signatures", ANY, EXPECT_SAME, verifies_between},
    {"EVP_PKEY_verify", ANY, EXPECT_SAME, verifies_digest},
    {"EVP_VerifyFinal", ANY, EXPECT_SAME, verifies_old_way},
    {"EVP_PKEY_verify_recover", "RSA", EXPECT_SAME, recovers},
    {"EVP_PKEY_verify_recover_init", "EC", EXPECT_SAME, recovers_nothing},
    {"EVP_PKEY_encrypt, PKCS#1", "RSA", EXPECT_SAME, encrypts_pkcs1},
    {"EVP_PKEY_encrypt, OAEP", "RSA", EXPECT_SAME, encrypts_oaep},
    {"EVP_PKEY_encrypt, OAEP with a label", "RSA", EXPECT_SAME, encrypts_label},
    {"EVP_PKEY_encrypt_init", "EC", EXPECT_SAME, encrypts_nothing},
    {"EVP_SealInit", "RSA", EXPECT_SAME, seals},
    {"X509_REQ_verify", ANY, EXPECT_SAME, verifies_request},
    {"X509_verify", ANY, EXPECT_SAME, verifies_certificate},
    {"X509_verify, PSS", "RSA", EXPECT_SAME, verifies_pss_certificate},
};

const size_t api_public_count = sizeof api_public / sizeof api_public[0];
