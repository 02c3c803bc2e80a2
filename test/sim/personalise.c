/* SPDX-License-Identifier: Apache-2.0 */
/* Makes keys, certificates and the description of a card. The layout of the directory is told in
 * card.h. */
#include "test/sim/personalise.h"

#include "test/sim/card.h"
#include "test/sim/safe2_job.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a card has besides container 0: with any --key there are RSA-2048, P-256 and P-384 keys,
 * keys that only sign and one that deciphers, and records of the map that are empty. */
struct plan {
    bool present;
    bool exchange;
    enum key_type type;
};

#define PLAN_SIZE 8

static const struct plan rest[PLAN_SIZE] = {
    {true, true, KEY_RSA2048},  /* 0: type by --key */
    {false, false, 0},          /* 1 */
    {true, false, KEY_RSA2048}, /* 2 */
    {true, false, KEY_P256},    /* 3 */
    {true, false, KEY_P384},    /* 4 */
    {false, false, 0},          /* 5 */
    {true, true, KEY_RSA2048},  /* 6 */
    {false, false, 0},          /* 7 */
};

struct issuer {
    EVP_PKEY *key;
    X509 *cert;
};

/* The key of that name of another card, if it is of the type. */
static EVP_PKEY *other_key(const char *dir, const char *stem, enum key_type type)
{
    static const int bits[] = {[KEY_RSA2048] = 2048, [KEY_P256] = 256, [KEY_P384] = 384};
    char path[4096 + 64];
    EVP_PKEY *key = NULL;
    FILE *f;

    snprintf(path, sizeof path, "%s/private/%s.key", dir, stem);
    f = fopen(path, "re");
    if (f != NULL) {
        key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
        fclose(f);
    }
    if (key != NULL && (EVP_PKEY_is_a(key, "RSA") == 1) == (type == KEY_RSA2048) &&
        EVP_PKEY_get_bits(key) == bits[type])
        return key;
    fprintf(stderr,
            "simmodem: %s is not there or not a key of the type that is wanted; give --keys-of "
            "a card that was made with the same --key\n",
            path);
    EVP_PKEY_free(key);
    return NULL;
}

/* A card without IoT SAFE lacks its key alone. */
static bool has_key(const char *dir, const char *stem)
{
    char path[4096 + 64];

    snprintf(path, sizeof path, "%s/private/%s.key", dir, stem);
    return strcmp(stem, "iotsafe") != 0 || access(path, F_OK) == 0;
}

static EVP_PKEY *make_key(const struct options *o, const char *stem, enum key_type type)
{
    if (o->keys_of != NULL && has_key(o->keys_of, stem))
        return other_key(o->keys_of, stem, type);
    if (type == KEY_RSA2048)
        return EVP_RSA_gen(2048);
    return EVP_EC_gen(type == KEY_P256 ? "P-256" : "P-384");
}

static bool set_name(X509 *cert, bool subject, const char *common_name)
{
    X509_NAME *name = X509_NAME_new();
    bool done = name != NULL &&
                X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                           (const unsigned char *)"simmodem", -1, -1, 0) == 1 &&
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                           (const unsigned char *)common_name, -1, -1, 0) == 1;

    if (done)
        done =
            (subject ? X509_set_subject_name(cert, name) : X509_set_issuer_name(cert, name)) == 1;
    X509_NAME_free(name);
    return done;
}

/* A serial number of 127 random bits, positive and not zero. */
static bool set_serial(X509 *cert)
{
    unsigned char random[16];
    BIGNUM *number = NULL;
    bool done = false;

    if (RAND_bytes(random, sizeof random) != 1)
        return false;
    random[0] = (unsigned char)((random[0] & 0x7F) | 0x40);
    number = BN_bin2bn(random, sizeof random, NULL);
    if (number != NULL)
        done = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return done;
}

static bool add_extension(X509 *cert, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
    bool done = extension != NULL && X509_add_ext(cert, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return done;
}

static bool add_extensions(X509 *cert, const struct issuer *ca, bool is_ca, bool rsa)
{
    X509V3_CTX context;
    const char *usage =
        rsa ? "critical,digitalSignature,keyEncipherment" : "critical,digitalSignature";

    X509V3_set_ctx(&context, is_ca ? cert : ca->cert, cert, NULL, NULL, 0);
    if (!add_extension(cert, &context, NID_subject_key_identifier, "hash") ||
        !add_extension(cert, &context, NID_authority_key_identifier, "keyid:always"))
        return false;
    if (is_ca)
        return add_extension(cert, &context, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
               add_extension(cert, &context, NID_key_usage, "critical,keyCertSign,cRLSign");
    return add_extension(cert, &context, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, &context, NID_key_usage, usage) &&
           add_extension(cert, &context, NID_ext_key_usage, "clientAuth");
}

/* Issues a certificate for key; with ca->cert NULL the CA's own. The dates are fixed and reach past
 * 2038, as those of real SIMs do. */
static X509 *issue(const struct issuer *ca, EVP_PKEY *key, const char *common_name)
{
    X509 *cert = X509_new();
    bool is_ca = ca->cert == NULL;
    bool done = false;

    if (cert == NULL)
        return NULL;
    done = X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           set_name(cert, true, common_name) && X509_set_pubkey(cert, key) == 1 &&
           ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), "20240101000000Z") == 1 &&
           ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), "20460101000000Z") == 1;
    if (done && is_ca)
        done = set_name(cert, false, common_name);
    else if (done)
        done = X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)) == 1;
    done = done && add_extensions(cert, ca, is_ca, EVP_PKEY_is_a(key, "RSA") == 1) &&
           X509_sign(cert, ca->key, EVP_sha256()) > 0;
    if (!done) {
        X509_free(cert);
        cert = NULL;
    }
    return cert;
}

static bool write_bio(const char *dir, const char *name, unsigned mode, BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);

    return size > 0 && card_write(dir, name, mode, data, (size_t)size);
}

static bool write_pair(const char *dir, const char *stem, EVP_PKEY *key, X509 *cert)
{
    char name[64];
    BIO *pem_cert = BIO_new(BIO_s_mem());
    BIO *pem_key = BIO_new(BIO_s_secmem());
    bool done = false;

    if (pem_cert == NULL || pem_key == NULL || PEM_write_bio_X509(pem_cert, cert) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(pem_key, key, NULL, NULL, 0, NULL, NULL) != 1)
        goto out;
    snprintf(name, sizeof name, "private/%s.key", stem);
    done = write_bio(dir, name, 0600, pem_key);
    snprintf(name, sizeof name, "%s.pem", stem);
    done = done && write_bio(dir, name, 0644, pem_cert);
out:
    BIO_free(pem_cert);
    BIO_free(pem_key);
    return done;
}

/* Makes a key and its certificate and writes both as stem; with keep they stay for the caller. */
static bool make_pair(const struct options *o, const struct issuer *ca, enum key_type type,
                      const char *stem, const char *common_name, struct issuer *keep)
{
    EVP_PKEY *key = make_key(o, stem, type);
    struct issuer self = {key, NULL};
    X509 *cert = key != NULL ? issue(ca != NULL ? ca : &self, key, common_name) : NULL;
    bool done = cert != NULL && write_pair(o->card, stem, key, cert);

    if (key == NULL || cert == NULL) {
        fprintf(stderr, "simmodem: cannot make the key %s:\n", stem);
        ERR_print_errors_fp(stderr);
    }
    if (done && keep != NULL) {
        *keep = (struct issuer){key, cert};
        return true;
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return done;
}

/* 8988307 (no issuer of the real world is meant), eleven random digits, and the Luhn digit. */
static bool random_iccid(char out[21])
{
    unsigned char random[11];
    unsigned sum = 0;

    if (RAND_bytes(random, sizeof random) != 1)
        return false;
    memcpy(out, "8988307", 7);
    for (size_t i = 0; i < sizeof random; i++)
        out[7 + i] = (char)('0' + random[i] % 10);
    for (size_t i = 0; i < 18; i++) {
        unsigned digit = (unsigned)(out[17 - i] - '0') * (i % 2 == 0 ? 2 : 1);

        sum += digit / 10 + digit % 10;
    }
    out[18] = (char)('0' + (10 - sum % 10) % 10);
    out[19] = '\0';
    return true;
}

static bool make_containers(const struct options *o, const struct issuer *ca, const char *iccid,
                            struct bytes *description)
{
    for (unsigned i = 0; i < PLAN_SIZE; i++) {
        enum key_type type = i == 0 ? (enum key_type)o->key : rest[i].type;
        char stem[32], name[64], line[64];

        snprintf(line, sizeof line, "container.%u = absent\n", i);
        if (rest[i].present) {
            snprintf(stem, sizeof stem, "signing-%u", i);
            snprintf(name, sizeof name, "%s signing %u", iccid, i);
            if (!make_pair(o, ca, type, stem, name, NULL))
                return false;
            snprintf(line, sizeof line, "container.%u = %s %s\n", i,
                     rest[i].exchange ? "exchange" : "signature", key_type_name(type));
        }
        bytes_add(description, line, strlen(line));
    }
    return true;
}

static bool make_iotsafe(const struct options *o, const struct issuer *ca, const char *iccid)
{
    enum key_type type = o->iotsafe_key == IOTSAFE_KEY_RSA2048 ? KEY_RSA2048 : KEY_P256;
    char name[64];

    snprintf(name, sizeof name, "%s IoT SAFE 01", iccid);
    return make_pair(o, ca, type, "iotsafe", name, NULL) && iotsafe_make(o);
}

static bool write_pins(const struct options *o)
{
    struct card card = {.dir = NULL};
    const char *const values[PIN_NAMES] = {o->pin, o->pin1, "12345678", CARD_PIN2};
    static const unsigned tries[PIN_NAMES] = {3, 3, 10, 3};
    char dir[4096];
    bool done;

    snprintf(dir, sizeof dir, "%s", o->card);
    card.dir = dir;
    for (size_t i = 0; i < PIN_NAMES; i++) {
        struct pin *p = &card.pins[i];

        p->size = strlen(values[i]);
        memcpy(p->value, values[i], p->size);
        p->tries = p->max = tries[i];
    }
    done = card_save_pins(&card);
    explicit_bzero(&card, sizeof card);
    return done;
}

/* Makes the folder and its private part; false if a card is there already. */
static bool make_folders(const char *dir)
{
    char path[4096 + 16];
    struct stat st;

    snprintf(path, sizeof path, "%s/card", dir);
    if (stat(path, &st) == 0) {
        fprintf(stderr, "simmodem: there is a card in %s already; remove it or leave --new out\n",
                dir);
        return false;
    }
    snprintf(path, sizeof path, "%s/private", dir);
    if ((mkdir(dir, 0755) == 0 || errno == EEXIST) && (mkdir(path, 0700) == 0 || errno == EEXIST))
        return true;
    fprintf(stderr, "simmodem: cannot make %s: %s\n", path, strerror(errno));
    return false;
}

bool personalise(const struct options *o)
{
    struct issuer ca = {NULL, NULL};
    struct bytes description = {0};
    static const char *const applets[] = {"mias", "iotsafe", "both"};
    char iccid[21], line[96];
    bool done = false;

    if (!make_folders(o->card))
        return false;
    if (o->iccid != NULL)
        snprintf(iccid, sizeof iccid, "%s", o->iccid);
    else if (!random_iccid(iccid))
        return false;
    snprintf(line, sizeof line, "version = 1\niccid = %s\napplets = %s\n", iccid,
             applets[o->applets]);
    bytes_add(&description, line, strlen(line));
    if (!make_pair(o, NULL, KEY_RSA2048, "ca", "simmodem issuing CA", &ca))
        goto out;
    if (o->applets != APPLETS_IOTSAFE) {
        snprintf(line, sizeof line, "%s available", iccid);
        if (!make_pair(o, &ca, KEY_RSA2048, "available", line, NULL) ||
            !make_containers(o, &ca, iccid, &description))
            goto out;
    }
    if (o->applets != APPLETS_MIAS && !make_iotsafe(o, &ca, iccid))
        goto out;
    done = write_pins(o) && safe2_card_make(o) &&
           card_write(o->card, "card", 0644, description.data, description.size);
out:
    X509_free(ca.cert);
    EVP_PKEY_free(ca.key);
    bytes_free(&description);
    return done;
}
