/* SPDX-License-Identifier: Apache-2.0 */
/* What the IoT SAFE applet's processor computes, with libcrypto, in the applet's formats. No
 * conditions, no state. */
#undef OPENSSL_NO_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_CTX: a hash that the host began has no other way in */
#include "test/sim/iotsafe.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <string.h>

#define HALF     32                   /* octets of a coordinate, and of r and s */
#define POINT    (1 + 2 * HALF)       /* 04 X Y */
#define POINT_49 (2 + POINT)          /* 86 41 04 X Y */
#define POINT_34 (2 + POINT_49)       /* 49 43 86 41 04 X Y */
#define DER_MAX  (2 * (HALF + 3) + 3) /* of an ECDSA signature */

const EVP_MD *iotsafe_hash(unsigned hash)
{
    switch (hash) {
    case IOTSAFE_SHA256:
        return EVP_sha256();
    case IOTSAFE_SHA384:
        return EVP_sha384();
    case IOTSAFE_SHA512:
        return EVP_sha512();
    default:
        return NULL;
    }
}

static const char *curve_of(unsigned type)
{
    return type >> 4 == IOTSAFE_BRAINPOOL >> 4 ? "brainpoolP256r1" : "P-256";
}

EVP_PKEY *iotsafe_new_key(unsigned type)
{
    return type == IOTSAFE_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen(curve_of(type));
}

bool iotsafe_add_point(const EVP_PKEY *key, struct bytes *out)
{
    uint8_t der[4 + POINT_49] = {0x34, POINT_34, 0x49, POINT_49, 0x86, POINT};
    size_t size = 0;

    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, der + 6, POINT, &size) != 1 ||
        size != POINT)
        return false;
    bytes_add(out, der, 6 + POINT);
    return true;
}

EVP_PKEY *iotsafe_read_point(unsigned type, const uint8_t *value, size_t size)
{
    static const uint8_t header[] = {0x49, POINT_49, 0x86, POINT, 0x04};
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;

    if (build == NULL || ctx == NULL || size != POINT_34 ||
        memcmp(value, header, sizeof header) != 0)
        goto out;
    if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve_of(type), 0) !=
            1 ||
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, value + 4, POINT) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(build);
    if (params != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return key;
}

/* The state's words are big-endian, eight of them. */
static uint64_t word_at(const struct iotsafe_tlv *state, size_t index)
{
    size_t width = state->size / 8;
    uint64_t word = 0;

    for (size_t i = 0; i < width; i++)
        word = word << 8 | state->value[index * width + i];
    return word;
}

static bool end_sha256(const struct iotsafe_tlv *state, uint64_t count,
                       const struct iotsafe_tlv *last, uint8_t digest[64])
{
    SHA256_CTX ctx;

    if (state->size != 32 || count % SHA256_CBLOCK != 0 || SHA256_Init(&ctx) != 1)
        return false;
    for (size_t i = 0; i < 8; i++)
        ctx.h[i] = (SHA_LONG)word_at(state, i);
    ctx.Nl = (SHA_LONG)(count << 3);
    ctx.Nh = (SHA_LONG)(count >> 29);
    return SHA256_Update(&ctx, last->value, last->size) == 1 && SHA256_Final(digest, &ctx) == 1;
}

static bool end_sha512(bool sha384, const struct iotsafe_tlv *state, uint64_t count,
                       const struct iotsafe_tlv *last, uint8_t digest[64])
{
    SHA512_CTX ctx;

    if (state->size != 64 || count % SHA512_CBLOCK != 0 ||
        (sha384 ? SHA384_Init(&ctx) : SHA512_Init(&ctx)) != 1)
        return false;
    for (size_t i = 0; i < 8; i++)
        ctx.h[i] = word_at(state, i);
    ctx.Nl = count << 3;
    return SHA512_Update(&ctx, last->value, last->size) == 1 &&
           (sha384 ? SHA384_Final(digest, &ctx) : SHA512_Final(digest, &ctx)) == 1;
}

bool iotsafe_end_hash(unsigned hash, const struct iotsafe_tlv *state, uint64_t count,
                      const struct iotsafe_tlv *last, uint8_t digest[64])
{
    return hash == IOTSAFE_SHA256 ? end_sha256(state, count, last, digest)
                                  : end_sha512(hash == IOTSAFE_SHA384, state, count, last, digest);
}

static bool set_scheme(EVP_PKEY_CTX *ctx, unsigned scheme, const EVP_MD *md)
{
    if (scheme == IOTSAFE_ECDSA)
        return true;
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, scheme == IOTSAFE_PSS ? RSA_PKCS1_PSS_PADDING
                                                                : RSA_PKCS1_PADDING) != 1 ||
        EVP_PKEY_CTX_set_signature_md(ctx, md) != 1)
        return false;
    return scheme != IOTSAFE_PSS ||
           (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* SEQUENCE { r, s } to r||s. */
static bool add_raw(const uint8_t *der, size_t size, struct bytes *out)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)size);
    uint8_t raw[2 * HALF];
    bool done = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, HALF) == HALF &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + HALF, HALF) == HALF;

    if (done)
        bytes_add(out, raw, sizeof raw);
    ECDSA_SIG_free(sig);
    return done;
}

bool iotsafe_sign(EVP_PKEY *key, unsigned scheme, unsigned hash, const uint8_t *digest, bool der,
                  struct bytes *out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    const EVP_MD *md = iotsafe_hash(hash);
    uint8_t value[256];
    size_t size = sizeof value;
    bool done = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 && set_scheme(ctx, scheme, md) &&
                EVP_PKEY_sign(ctx, value, &size, digest, (size_t)EVP_MD_get_size(md)) == 1;

    if (done && scheme == IOTSAFE_ECDSA && !der)
        done = add_raw(value, size, out);
    else if (done)
        bytes_add(out, value, size);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return done;
}

/* r||s to SEQUENCE { r, s }; 0: it cannot be. */
static size_t der_of_raw(const uint8_t *raw, uint8_t der[DER_MAX])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, HALF, NULL);
    BIGNUM *s = BN_bin2bn(raw + HALF, HALF, NULL);
    int size = 0;

    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL;
        size = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return size > 0 ? (size_t)size : 0;
}

static bool verify_value(EVP_PKEY *key, unsigned scheme, unsigned hash, const uint8_t *digest,
                         const uint8_t *value, size_t size)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    const EVP_MD *md = iotsafe_hash(hash);
    bool good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 && set_scheme(ctx, scheme, md) &&
                EVP_PKEY_verify(ctx, value, size, digest, (size_t)EVP_MD_get_size(md)) == 1;

    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

bool iotsafe_verify(EVP_PKEY *key, unsigned scheme, unsigned hash, const uint8_t *digest,
                    const uint8_t *value, size_t size)
{
    uint8_t der[DER_MAX];

    if (scheme == IOTSAFE_ECDSA && size == 2 * HALF) {
        size_t length = der_of_raw(value, der);

        if (length > 0 && verify_value(key, scheme, hash, digest, der, length))
            return true;
    }
    return verify_value(key, scheme, hash, digest, value, size);
}

bool iotsafe_cmac(const struct bytes *key, const struct bytes *text, struct bytes *out)
{
    uint8_t value[16];
    size_t size = 0;
    bool done = EVP_Q_mac(NULL, "CMAC", NULL, "AES-128-CBC", NULL, key->data, key->size, text->data,
                          text->size, value, sizeof value, &size) != NULL;

    if (done)
        bytes_add(out, value, size);
    ERR_clear_error();
    return done;
}

bool iotsafe_shared(EVP_PKEY *key, EVP_PKEY *peer, struct bytes *out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    uint8_t x[HALF];
    size_t size = sizeof x;
    bool done = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, x, &size) == 1;

    if (done)
        bytes_add(out, x, size);
    explicit_bzero(x, sizeof x);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return done;
}

static bool derive(const char *kdf, OSSL_PARAM params[], size_t size, struct bytes *out)
{
    EVP_KDF *method = EVP_KDF_fetch(NULL, kdf, NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(method);
    uint8_t value[256];
    bool done = ctx != NULL && EVP_KDF_derive(ctx, value, size, params) == 1;

    if (done)
        bytes_add(out, value, size);
    explicit_bzero(value, sizeof value);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(method);
    ERR_clear_error();
    return done;
}

/* libcrypto's parameters are not const where they are only read. */
static OSSL_PARAM octets(const char *name, const uint8_t *value, size_t size)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)value, size);
}

bool iotsafe_prf_bytes(const struct bytes *secret, const struct iotsafe_tlv *seed, size_t size,
                       struct bytes *out)
{
    char md[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, md, 0),
                           octets(OSSL_KDF_PARAM_SECRET, secret->data, secret->size),
                           octets(OSSL_KDF_PARAM_SEED, seed->value, seed->size),
                           OSSL_PARAM_construct_end()};

    return size <= 255 && derive("TLS1-PRF", params, size, out);
}

bool iotsafe_extract(const EVP_MD *md, const struct iotsafe_tlv *key,
                     const struct iotsafe_tlv *salt, struct bytes *out)
{
    char name[16];
    int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
                           octets(OSSL_KDF_PARAM_KEY, key->value, key->size),
                           octets(OSSL_KDF_PARAM_SALT, salt->value, salt->size),
                           OSSL_PARAM_construct_end()};

    snprintf(name, sizeof name, "%s", EVP_MD_get0_name(md));
    return derive("HKDF", params, (size_t)EVP_MD_get_size(md), out);
}
