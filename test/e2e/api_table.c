/* SPDX-License-Identifier: Apache-2.0 */
/* libcrypto's functions that print, write, export, compare, ask and set, each in a few lines. Those
 * that write do so into memory. Left out: i2b_PublicKey_bio and its like, which crash in libcrypto
 * with every RSA key that no RSA object can be made of. */
/* Functions for keys of the old kind are part of what is tried. */
#undef OPENSSL_NO_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED

#include "test/e2e/api_functions.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/encoder.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

/* A function with a parameter list of its own as one of the table. OUT is a BIO in memory. */
#define CALL(name, expression)                                                                     \
    static int name(struct world *world, EVP_PKEY *key)                                            \
    {                                                                                              \
        BIO *out = BIO_new(BIO_s_mem());                                                           \
        int result;                                                                                \
                                                                                                   \
        (void)world, (void)key;                                                                    \
        result = (int)(expression);                                                                \
        BIO_free(out);                                                                             \
        return result;                                                                             \
    }

/* Prints, and fails if nothing was printed although it worked. */
#define PRINTED(call) ((call) > 0 ? (BIO_pending(out) > 0 ? 1 : -2) : 0)

CALL(print_params, EVP_PKEY_print_params(out, key, 0, NULL))
CALL(print_public, PRINTED(EVP_PKEY_print_public(out, key, 0, NULL)))
CALL(print_private, PRINTED(EVP_PKEY_print_private(out, key, 0, NULL)))

CALL(write_pubkey, PRINTED(PEM_write_bio_PUBKEY(out, key)))
CALL(write_pubkey_der, PRINTED(i2d_PUBKEY_bio(out, key)))
CALL(write_parameters, PEM_write_bio_Parameters(out, key))
CALL(write_private, PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL))
CALL(write_encrypted, PEM_write_bio_PrivateKey(out, key, EVP_aes_128_cbc(), NULL, 0, NULL, "pass"))
CALL(write_traditional, PEM_write_bio_PrivateKey_traditional(out, key, NULL, NULL, 0, NULL, NULL))
CALL(write_pkcs8, PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL))
CALL(write_pkcs8_encrypted,
     PEM_write_bio_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), NULL, 0, NULL, "pass"))
CALL(write_pkcs8_der, i2d_PKCS8PrivateKey_bio(out, key, NULL, NULL, 0, NULL, NULL))
CALL(write_private_der, i2d_PrivateKey_bio(out, key))
CALL(write_pkcs8_info, i2d_PKCS8PrivateKeyInfo_bio(out, key))

/* i2d functions: both the size alone and the bytes. */
#define I2D(name, function)                                                                        \
    static int name(struct world *world, EVP_PKEY *key)                                            \
    {                                                                                              \
        unsigned char *der = NULL;                                                                 \
        int size = function(key, NULL);                                                            \
        int length = function(key, &der);                                                          \
                                                                                                   \
        (void)world;                                                                               \
        OPENSSL_free(der);                                                                         \
        return length <= 0 ? 0 : size == length ? 1 : -2;                                          \
    }

I2D(i2d_pubkey, i2d_PUBKEY)
I2D(i2d_public_key, i2d_PublicKey)
I2D(i2d_private_key, i2d_PrivateKey)
I2D(i2d_key_params, i2d_KeyParams)

static int to_pkcs8(struct world *world, EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int result = info != NULL;

    (void)world;
    PKCS8_PRIV_KEY_INFO_free(info);
    return result;
}

static int to_certificate(struct world *world, EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    int result =
        X509_set_pubkey(certificate, key) && EVP_PKEY_eq(X509_get0_pubkey(certificate), key) == 1;

    (void)world;
    X509_free(certificate);
    return result;
}

static int to_data(EVP_PKEY *key, int selection, const char *wanted)
{
    OSSL_PARAM *params = NULL;
    int result = EVP_PKEY_todata(key, selection, &params);

    if (result > 0 && wanted != NULL && OSSL_PARAM_locate(params, wanted) == NULL)
        result = -2;
    OSSL_PARAM_free(params);
    return result;
}

CALL(data_rsa, to_data(key, EVP_PKEY_PUBLIC_KEY, OSSL_PKEY_PARAM_RSA_N))
CALL(data_ec, to_data(key, EVP_PKEY_PUBLIC_KEY, OSSL_PKEY_PARAM_PUB_KEY))
CALL(data_pair, to_data(key, EVP_PKEY_KEYPAIR, NULL))
CALL(data_params, to_data(key, EVP_PKEY_KEY_PARAMETERS, OSSL_PKEY_PARAM_GROUP_NAME))

static int same_as_copy(struct world *world, EVP_PKEY *key)
{
    EVP_PKEY *copy = EVP_PKEY_dup(key);
    int result = copy != NULL && EVP_PKEY_eq(copy, key) == 1;

    (void)world;
    EVP_PKEY_free(copy);
    return result;
}

static int copies_parameters(struct world *world, EVP_PKEY *key)
{
    EVP_PKEY *to = EVP_PKEY_new();
    int result = EVP_PKEY_copy_parameters(to, key);

    (void)world;
    EVP_PKEY_free(to);
    return result;
}

CALL(same, EVP_PKEY_eq(key, key))
CALL(same_parameters, EVP_PKEY_parameters_eq(key, key))
CALL(same_old, EVP_PKEY_cmp(key, key))
CALL(missing, EVP_PKEY_missing_parameters(key))

CALL(bits, EVP_PKEY_get_bits(key))
CALL(security_bits, EVP_PKEY_get_security_bits(key))
CALL(size, EVP_PKEY_get_size(key))
CALL(id, EVP_PKEY_get_id(key))
CALL(base_id, EVP_PKEY_get_base_id(key))
CALL(can_sign, EVP_PKEY_can_sign(key))
CALL(field_type, EVP_PKEY_get_field_type(key))
CALL(conv_form, EVP_PKEY_get_ec_point_conv_form(key))

static int default_digest(struct world *world, EVP_PKEY *key)
{
    char name[40] = "";
    int nid = 0;
    int result = EVP_PKEY_get_default_digest_name(key, name, sizeof name);

    (void)world;
    return result * 10 + EVP_PKEY_get_default_digest_nid(key, &nid);
}

static int encoded_point(struct world *world, EVP_PKEY *key)
{
    unsigned char *point = NULL;
    size_t length = EVP_PKEY_get1_encoded_public_key(key, &point);

    (void)world;
    OPENSSL_free(point);
    return (int)length;
}

/* Every parameter that can be asked of a public key: how many are answered. */
static int parameters(struct world *world, EVP_PKEY *key)
{
    EVP_PKEY *public_key = X509_get_pubkey(world->certificate);
    const OSSL_PARAM *gettable = EVP_PKEY_gettable_params(public_key);
    unsigned char value[1024];
    int answered = 0;

    for (; gettable != NULL && gettable->key != NULL; gettable++) {
        OSSL_PARAM params[2] = {*gettable, OSSL_PARAM_END};
        const bool number = gettable->data_type == OSSL_PARAM_INTEGER;

        if (OSSL_PARAM_locate_const(EVP_PKEY_gettable_params(key), gettable->key) == NULL)
            continue;
        params[0].data = value;
        params[0].data_size = number ? sizeof(int) : sizeof value;
        params[0].return_size = OSSL_PARAM_UNMODIFIED;
        if (!EVP_PKEY_get_params(public_key, params) || !OSSL_PARAM_modified(params))
            continue;
        params[0].return_size = OSSL_PARAM_UNMODIFIED;
        if (EVP_PKEY_get_params(key, params) && OSSL_PARAM_modified(params))
            answered++;
    }
    EVP_PKEY_free(public_key);
    return answered;
}

static int get_old_rsa(struct world *world, EVP_PKEY *key)
{
    (void)world;
    return EVP_PKEY_get0_RSA(key) != NULL;
}

static int get_old_ec(struct world *world, EVP_PKEY *key)
{
    (void)world;
    return EVP_PKEY_get0_EC_KEY(key) != NULL;
}

static int set_word(EVP_PKEY *key, const char *name, const char *word)
{
    EVP_PKEY *copy = EVP_PKEY_dup(key);
    char answer[40] = "";
    int result = EVP_PKEY_set_utf8_string_param(copy, name, word);

    if (result > 0 && (!EVP_PKEY_get_utf8_string_param(copy, name, answer, sizeof answer, NULL) ||
                       strcmp(answer, word) != 0))
        result = -2;
    EVP_PKEY_free(copy);
    return result;
}

CALL(set_form, set_word(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"))
CALL(set_no_form, set_word(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "crumpled"))
CALL(set_encoding, set_word(key, OSSL_PKEY_PARAM_EC_ENCODING, "named_curve"))

/* What is written has the form that was set, and the key that was copied keeps its own. */
static int writes_form(struct world *world, EVP_PKEY *key)
{
    EVP_PKEY *copy = EVP_PKEY_dup(key);
    int before = i2d_PUBKEY(key, NULL), after = 0;

    (void)world;
    if (EVP_PKEY_set_utf8_string_param(copy, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       "compressed"))
        after = i2d_PUBKEY(copy, NULL);
    EVP_PKEY_free(copy);
    return before > 0 && i2d_PUBKEY(key, NULL) == before ? after : -2;
}

static int set_point(struct world *world, EVP_PKEY *key)
{
    EVP_PKEY *copy = EVP_PKEY_dup(key);
    unsigned char *point = NULL;
    size_t length = EVP_PKEY_get1_encoded_public_key(key, &point);
    int result = EVP_PKEY_set1_encoded_public_key(copy, point, length);

    (void)world;
    OPENSSL_free(point);
    EVP_PKEY_free(copy);
    return result;
}

static int with_context(struct world *world, EVP_PKEY *key, int (*function)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL);
    int result = ctx != NULL ? function(ctx) : -3;

    EVP_PKEY_CTX_free(ctx);
    return result;
}

CALL(checks, with_context(world, key, EVP_PKEY_check))
CALL(checks_public, with_context(world, key, EVP_PKEY_public_check))
CALL(checks_quickly, with_context(world, key, EVP_PKEY_public_check_quick))
CALL(checks_params, with_context(world, key, EVP_PKEY_param_check))
CALL(checks_private, with_context(world, key, EVP_PKEY_private_check))
CALL(checks_pair, with_context(world, key, EVP_PKEY_pairwise_check))
CALL(derives, with_context(world, key, EVP_PKEY_derive_init))
CALL(generates, with_context(world, key, EVP_PKEY_keygen_init))

static int init_encapsulation(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_encapsulate_init(ctx, NULL);
}

static int init_decapsulation(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_decapsulate_init(ctx, NULL);
}

CALL(encapsulates, with_context(world, key, init_encapsulation))
CALL(decapsulates, with_context(world, key, init_decapsulation))

#define ANY NULL

const struct api_function api_functions[] = {
    {"EVP_PKEY_print_params", ANY, EXPECT_SAME, print_params},
    {"EVP_PKEY_print_public", ANY, EXPECT_SAME, print_public},
    {"EVP_PKEY_print_private", ANY, EXPECT_SAME, print_private},
    {"PEM_write_bio_PUBKEY", ANY, EXPECT_SAME, write_pubkey},
    {"i2d_PUBKEY_bio", ANY, EXPECT_SAME, write_pubkey_der},
    {"i2d_PUBKEY", ANY, EXPECT_SAME, i2d_pubkey},
    {"i2d_PublicKey", ANY, EXPECT_SAME, i2d_public_key},
    {"i2d_KeyParams", ANY, EXPECT_SAME, i2d_key_params},
    {"PEM_write_bio_Parameters", ANY, EXPECT_SAME, write_parameters},
    {"X509_set_pubkey", ANY, EXPECT_SAME, to_certificate},
    {"PEM_write_bio_PrivateKey", ANY, EXPECT_REFUSED, write_private},
    {"PEM_write_bio_PrivateKey, encrypted", ANY, EXPECT_REFUSED, write_encrypted},
    {"PEM_write_bio_PrivateKey_traditional", ANY, EXPECT_TOLD, write_traditional},
    {"PEM_write_bio_PKCS8PrivateKey", ANY, EXPECT_REFUSED, write_pkcs8},
    {"PEM_write_bio_PKCS8PrivateKey, encrypted", ANY, EXPECT_REFUSED, write_pkcs8_encrypted},
    {"i2d_PKCS8PrivateKey_bio", ANY, EXPECT_REFUSED, write_pkcs8_der},
    {"i2d_PrivateKey_bio", ANY, EXPECT_REFUSED, write_private_der},
    {"i2d_PrivateKey", ANY, EXPECT_REFUSED, i2d_private_key},
    {"i2d_PKCS8PrivateKeyInfo_bio", ANY, EXPECT_REFUSED, write_pkcs8_info},
    {"EVP_PKEY2PKCS8", ANY, EXPECT_REFUSED, to_pkcs8},
    {"EVP_PKEY_todata, public", "RSA", EXPECT_SAME, data_rsa},
    {"EVP_PKEY_todata, public", "EC", EXPECT_SAME, data_ec},
    {"EVP_PKEY_todata, key pair", ANY, EXPECT_REFUSED, data_pair},
    {"EVP_PKEY_todata, parameters", "EC", EXPECT_SAME, data_params},
    {"EVP_PKEY_dup", ANY, EXPECT_SAME, same_as_copy},
    {"EVP_PKEY_copy_parameters", ANY, EXPECT_SAME, copies_parameters},
    {"EVP_PKEY_eq", ANY, EXPECT_SAME, same},
    {"EVP_PKEY_parameters_eq", ANY, EXPECT_SAME, same_parameters},
    {"EVP_PKEY_cmp", ANY, EXPECT_SAME, same_old},
    {"EVP_PKEY_missing_parameters", ANY, EXPECT_SAME, missing},
    {"EVP_PKEY_get_bits", ANY, EXPECT_SAME, bits},
    {"EVP_PKEY_get_security_bits", ANY, EXPECT_SAME, security_bits},
    {"EVP_PKEY_get_size", ANY, EXPECT_SAME, size},
    {"EVP_PKEY_get_id", ANY, EXPECT_SAME, id},
    {"EVP_PKEY_get_base_id", ANY, EXPECT_SAME, base_id},
    {"EVP_PKEY_can_sign", ANY, EXPECT_SAME, can_sign},
    {"EVP_PKEY_get_field_type", ANY, EXPECT_SAME, field_type},
    {"EVP_PKEY_get_ec_point_conv_form", "EC", EXPECT_SAME, conv_form},
    {"EVP_PKEY_get_default_digest_name", ANY, EXPECT_SAME, default_digest},
    {"EVP_PKEY_get1_encoded_public_key", "EC", EXPECT_SAME, encoded_point},
    {"EVP_PKEY_get_params", ANY, EXPECT_SAME, parameters},
    {"EVP_PKEY_get0_RSA", "RSA", EXPECT_REFUSED, get_old_rsa},
    {"EVP_PKEY_get0_EC_KEY", "EC", EXPECT_REFUSED, get_old_ec},
    {"EVP_PKEY_set_utf8_string_param, point-format", ANY, EXPECT_SAME, set_form},
    {"EVP_PKEY_set_utf8_string_param, wrong word", ANY, EXPECT_SAME, set_no_form},
    {"EVP_PKEY_set_utf8_string_param, encoding", "EC", EXPECT_SAME, set_encoding},
    {"i2d_PUBKEY with a compressed point", "EC", EXPECT_SAME, writes_form},
    {"EVP_PKEY_set1_encoded_public_key", "EC", EXPECT_REFUSED, set_point},
    {"EVP_PKEY_check", ANY, EXPECT_SAME, checks},
    {"EVP_PKEY_public_check", ANY, EXPECT_SAME, checks_public},
    {"EVP_PKEY_public_check_quick", ANY, EXPECT_SAME, checks_quickly},
    {"EVP_PKEY_param_check", ANY, EXPECT_SAME, checks_params},
    {"EVP_PKEY_private_check", ANY, EXPECT_SAME, checks_private},
    {"EVP_PKEY_pairwise_check", ANY, EXPECT_SAME, checks_pair},
    {"EVP_PKEY_derive_init", "EC", EXPECT_TOLD, derives},
    {"EVP_PKEY_keygen_init", "EC", EXPECT_TOLD, generates},
    {"EVP_PKEY_encapsulate_init", "RSA", EXPECT_TOLD, encapsulates},
    {"EVP_PKEY_decapsulate_init", "RSA", EXPECT_TOLD, decapsulates},
};

const size_t api_functions_count = sizeof api_functions / sizeof api_functions[0];
