/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates as text and JSON, see x509.h. Nothing is judged here. */
#include "provider/tool/x509.h"
#include "provider/objects.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void x509_name(const X509_NAME *name, char *text, size_t size)
{
    static const char cut[] = "...";
    BIO *bio = BIO_new(BIO_s_mem());
    int length = 0;
    bool readable = bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0;

    if (readable)
        length = BIO_read(bio, text, (int)size - 1);
    text[length > 0 ? length : 0] = '\0';
    if (!readable)
        (void)snprintf(text, size, "?");
    else if (BIO_pending(bio) > 0)
        memcpy(text + size - sizeof cut, cut, sizeof cut);
    BIO_free(bio);
}

void x509_date(const ASN1_TIME *time, char text[DATE_SIZE])
{
    struct tm tm;
    char longer[64];

    if (ASN1_TIME_to_tm(time, &tm) != 1) {
        memcpy(text, "?", 2);
        return;
    }
    (void)snprintf(longer, sizeof longer, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    longer[DATE_SIZE - 1] = '\0';
    memcpy(text, longer, DATE_SIZE);
}

static bool add_text(cJSON *object, const char *name, const char *text)
{
    return cJSON_AddStringToObject(object, name, text) != NULL;
}

static bool add_digest(cJSON *object, const char *name, const EVP_MD *md, const uint8_t *data,
                       int length)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1];
    unsigned size = 0;

    if (length <= 0 || EVP_Digest(data, (size_t)length, digest, &size, md, NULL) != 1)
        return false;
    for (unsigned i = 0; i < size; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    text[2 * size] = '\0';
    return add_text(object, name, text);
}

static bool add_fingerprints(cJSON *object, const X509 *certificate)
{
    uint8_t *der = NULL, *key = NULL;
    int length = i2d_X509(certificate, &der);
    int key_length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
    bool done = add_digest(object, "sha256", EVP_sha256(), der, length) &&
                add_digest(object, "sha1", EVP_sha1(), der, length) &&
                add_digest(object, "public_key_sha256", EVP_sha256(), key, key_length);

    OPENSSL_free(der);
    OPENSSL_free(key);
    return done;
}

static bool add_pem(cJSON *object, const X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool done = bio != NULL && PEM_write_bio_X509(bio, certificate) == 1 &&
                BIO_write(bio, "", 1) == 1 && BIO_get_mem_data(bio, &text) > 0 &&
                add_text(object, "pem", text);

    BIO_free(bio);
    return done;
}

static bool add_serial(cJSON *object, const X509 *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = number != NULL ? BN_bn2hex(number) : NULL;
    bool done = text != NULL && add_text(object, "serial", text);

    OPENSSL_free(text);
    BN_free(number);
    return done;
}

/* A key that is neither RSA nor EC, or not readable, is left out. */
static bool add_key(cJSON *object, const X509 *certificate)
{
    struct report why = REPORT_INIT;
    enum token_key_type type;
    EVP_PKEY *key;
    unsigned bits;
    enum outcome outcome = objects_public_key(certificate, &key, &type, &bits, &why);

    if (outcome != OUTCOME_OK)
        return outcome != OUTCOME_SYSTEM;
    EVP_PKEY_free(key);
    return add_text(object, "key", token_type_name(type)) &&
           cJSON_AddNumberToObject(object, "bits", bits) != NULL;
}

/* libcrypto and cJSON alike leave it to errno to tell a want of memory from other failures. A name that is "?"
 * for that is none. */
enum outcome x509_json(cJSON *object, const X509 *certificate, struct report *why)
{
    char name[1024], date[DATE_SIZE];
    bool done;

    ERR_set_mark();
    errno = 0;
    done = add_key(object, certificate);
    x509_name(X509_get_subject_name(certificate), name, sizeof name);
    done = done && add_text(object, "subject", name);
    x509_name(X509_get_issuer_name(certificate), name, sizeof name);
    done = done && add_text(object, "issuer", name) && add_serial(object, certificate);
    x509_date(X509_get0_notBefore(certificate), date);
    done = done && add_text(object, "not_before", date);
    x509_date(X509_get0_notAfter(certificate), date);
    done = done && add_text(object, "not_after", date) && add_fingerprints(object, certificate) &&
           add_pem(object, certificate);
    ERR_pop_to_mark();
    if (errno == ENOMEM)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    return done ? OUTCOME_OK
                : report_set(why, OUTCOME_BAD_DATA, "the certificate cannot be decoded");
}
