/* SPDX-License-Identifier: Apache-2.0 */
/* What the applet's processor computes: signatures and decipherment with libcrypto, in the applet's
 * formats. No conditions, no state. */
#include "test/sim/mias.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include <string.h>

const EVP_MD *mias_hash(unsigned alg)
{
    switch (alg >> 4) {
    case 1:
        return EVP_sha1();
    case 3:
        return EVP_sha224();
    case 4:
        return EVP_sha256();
    case 5:
        return EVP_sha384();
    case 6:
        return EVP_sha512();
    default:
        return NULL;
    }
}

static bool set_rsa_scheme(EVP_PKEY_CTX *ctx, unsigned alg)
{
    const EVP_MD *md = mias_hash(alg);

    if ((alg & 0x0F) == SCHEME_PSS)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1)
        return false;
    /* Without a digest set, the octets are padded as they are. */
    if ((alg & 0x0F) == SCHEME_PKCS1 && md != NULL)
        return EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;
    return true;
}

/* SEQUENCE { r, s } to r||s, each as long as the field. */
static bool raw_ecdsa(const struct container *key, const uint8_t *der, size_t size,
                      struct bytes *out)
{
    int half = (int)(key_bits(key->type) + 7) / 8;
    uint8_t raw[2 * 66];
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)size);
    bool done = false;

    if (sig != NULL)
        done = BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, half) == half &&
               BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, half) == half;
    if (done)
        bytes_add(out, raw, 2 * (size_t)half);
    ECDSA_SIG_free(sig);
    return done;
}

bool mias_sign(const struct container *key, unsigned alg, const uint8_t *digest, size_t size,
               struct bytes *out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->key, NULL);
    bool rsa = key->type == KEY_RSA2048;
    uint8_t value[512];
    size_t length = sizeof value;
    bool done = false;

    if (ctx == NULL || EVP_PKEY_sign_init(ctx) != 1 || (rsa && !set_rsa_scheme(ctx, alg)))
        goto out;
    if (EVP_PKEY_sign(ctx, value, &length, digest, size) != 1)
        goto out;
    if (rsa)
        bytes_add(out, value, length);
    done = rsa || raw_ecdsa(key, value, length, out);
out:
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return done;
}

/* 00 02, at least eight octets that are not 00, 00, the message. Taken apart here, because newer
 * libcrypto answers noise where a card answers an error. */
static bool unpad_pkcs1(const uint8_t *block, size_t size, struct bytes *out)
{
    size_t i = 2;

    if (size < 11 || block[0] != 0x00 || block[1] != 0x02)
        return false;
    while (i < size && block[i] != 0x00)
        i++;
    if (i < 10 || i == size)
        return false;
    bytes_add(out, block + i + 1, size - i - 1);
    return true;
}

static bool set_oaep(EVP_PKEY_CTX *ctx, unsigned alg)
{
    const EVP_MD *md = mias_hash(alg);

    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
}

bool mias_decipher(const struct container *key, unsigned alg, const uint8_t *cryptogram,
                   size_t size, struct bytes *out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->key, NULL);
    bool oaep = (alg & 0x0F) == 0x0D;
    uint8_t value[512];
    size_t length = sizeof value;
    bool done = false;

    if (ctx == NULL || size != (size_t)EVP_PKEY_get_size(key->key) ||
        EVP_PKEY_decrypt_init(ctx) != 1)
        goto out;
    if (oaep ? !set_oaep(ctx, alg) : EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) != 1)
        goto out;
    if (EVP_PKEY_decrypt(ctx, value, &length, cryptogram, size) != 1)
        goto out;
    done = oaep || unpad_pkcs1(value, length, out);
    if (oaep)
        bytes_add(out, value, length);
out:
    explicit_bzero(value, sizeof value);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return done;
}
