/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys out of bytes from the SIM, in whatever of the known forms they come.
 * Nothing is read from the SIM here. */
#include "provider/objects.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

static void begin_reading(void)
{
    ERR_set_mark();
    errno = 0;
}

/* Why nothing came of the data. libcrypto's error queue does not always know of a want of memory. */
static enum outcome unreadable(struct report *why, const char *sentence)
{
    if (errno == ENOMEM)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    return report_set(why, OUTCOME_BAD_DATA, "%s", sentence);
}

static bool is_der(const uint8_t *data, size_t length)
{
    return length > 0 && data[0] == 0x30;
}

/* Nobody is asked on the terminal for a passphrase: encrypted PEM is not for here. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

enum outcome objects_certificate(OSSL_LIB_CTX *libctx, const uint8_t *data, size_t length,
                                 X509 **certificate, struct report *why)
{
    X509 *made = X509_new_ex(libctx, NULL);
    X509 *read = NULL;
    BIO *in = NULL;

    *certificate = NULL;
    if (made == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    begin_reading();
    if (length > INT_MAX) {
        read = NULL;
    } else if (is_der(data, length)) {
        read = d2i_X509(&made, &data, (long)length);
    } else {
        in = BIO_new_mem_buf(data, (int)length);
        read = in == NULL ? NULL : PEM_read_bio_X509(in, &made, no_passphrase, NULL);
    }
    ERR_pop_to_mark();
    BIO_free(in);
    if (read != NULL) {
        *certificate = read;
        return OUTCOME_OK;
    }
    X509_free(made);
    return unreadable(why, "what the SIM has as a certificate is neither DER nor PEM");
}

enum outcome objects_key_type(const EVP_PKEY *key, enum token_key_type *type, unsigned *bits,
                              struct report *why)
{
    int size = EVP_PKEY_get_bits(key);
    int found;

    for (found = 0; found < TOKEN_KEY_TYPES; found++)
        if (EVP_PKEY_is_a(key, token_type_name((enum token_key_type)found)))
            break;
    if (found == TOKEN_KEY_TYPES)
        return report_set(why, OUTCOME_UNSUPPORTED, "the key's type is neither RSA nor EC");
    if (size <= 0)
        return report_set(why, OUTCOME_BAD_DATA, "the public key has no size");
    *type = (enum token_key_type)found;
    *bits = (unsigned)size;
    return OUTCOME_OK;
}

enum outcome objects_public_key(const X509 *certificate, EVP_PKEY **key, enum token_key_type *type,
                                unsigned *bits, struct report *why)
{
    enum token_key_type found_type;
    unsigned found_bits;
    enum outcome outcome;

    begin_reading();
    /* 3.0's header lacks the const. */
    *key = X509_get_pubkey((X509 *)certificate);
    if (*key == NULL)
        outcome = unreadable(why, "the certificate's public key is not readable");
    else
        outcome = objects_key_type(*key, &found_type, &found_bits, why);
    ERR_pop_to_mark();
    if (outcome != OUTCOME_OK) {
        EVP_PKEY_free(*key);
        *key = NULL;
        return outcome;
    }
    if (type != NULL)
        *type = found_type;
    if (bits != NULL)
        *bits = found_bits;
    return OUTCOME_OK;
}

static EVP_PKEY *key_on_curve(OSSL_LIB_CTX *libctx, const char *curve, const uint8_t *point,
                              size_t length)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(libctx, "EC", NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, length),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *key = NULL;

    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) > 0)
        (void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

enum outcome objects_point_key(OSSL_LIB_CTX *libctx, const uint8_t *point, size_t length,
                               EVP_PKEY **key, struct report *why)
{
    static const struct {
        const char *name;
        size_t length; /* of a point */
    } curves[] = {
        {"prime256v1", 65}, {"brainpoolP256r1", 65}, {"secp384r1", 97}, {"secp521r1", 133}};

    *key = NULL;
    begin_reading();
    for (size_t i = 0; i < sizeof curves / sizeof curves[0] && *key == NULL; i++)
        if (curves[i].length == length)
            *key = key_on_curve(libctx, curves[i].name, point, length);
    ERR_pop_to_mark();
    if (*key != NULL)
        return OUTCOME_OK;
    return unreadable(why, "the SIM's public key is not a point of a known curve");
}

enum outcome objects_private_key(OSSL_LIB_CTX *libctx, const uint8_t *data, size_t length,
                                 EVP_PKEY **key, struct report *why)
{
    BIO *in = NULL;

    *key = NULL;
    begin_reading();
    if (length > INT_MAX) {
        *key = NULL;
    } else if (is_der(data, length)) {
        *key = d2i_AutoPrivateKey_ex(NULL, &data, (long)length, libctx, NULL);
    } else {
        in = BIO_new_mem_buf(data, (int)length);
        if (in != NULL)
            *key = PEM_read_bio_PrivateKey_ex(in, NULL, no_passphrase, NULL, libctx, NULL);
    }
    ERR_pop_to_mark();
    BIO_free(in);
    if (*key != NULL)
        return OUTCOME_OK;
    return unreadable(
        why, "what the SIM has as a private key is neither PKCS#1 nor PKCS#8, in DER or PEM");
}

size_t objects_ecdsa_der(const uint8_t *raw, size_t raw_length, uint8_t *der, size_t room)
{
    size_t half = raw_length / 2;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)half, NULL);
    BIGNUM *s = BN_bin2bn(raw + half, (int)half, NULL);
    int length = 0;

    if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = s = NULL; /* the signature's now */
        length = i2d_ECDSA_SIG(signature, NULL);
        length = length > 0 && (size_t)length <= room ? i2d_ECDSA_SIG(signature, &der) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return length > 0 ? (size_t)length : 0;
}
