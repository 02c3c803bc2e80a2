/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures without TLS, as TLS 1.3 wants them: RSA-PSS or ECDSA with SHA-256. And what the store
 * gives for a URI. */
#include "test/bench/bench.h"

#include <openssl/rsa.h>
#include <openssl/store.h>
#include <stdio.h>

static const unsigned char message[] = "what is signed and verified";

static bool use_pss(EVP_PKEY *key, EVP_PKEY_CTX *ctx)
{
    return !EVP_PKEY_is_a(key, "RSA") ||
           (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0);
}

static bool make_signature(EVP_PKEY *key, unsigned char *signature, size_t *length)
{
    EVP_MD_CTX *sign = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    bool good = EVP_DigestSignInit_ex(sign, &ctx, "SHA256", NULL, NULL, key, NULL) > 0 &&
                use_pss(key, ctx) &&
                EVP_DigestSign(sign, signature, length, message, sizeof(message)) > 0;

    EVP_MD_CTX_free(sign);
    return good || bench_failed("no signature");
}

static bool verify_signature(EVP_PKEY *key, const unsigned char *signature, size_t length)
{
    EVP_MD_CTX *verify = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    bool good = EVP_DigestVerifyInit_ex(verify, &ctx, "SHA256", NULL, NULL, key, NULL) > 0 &&
                use_pss(key, ctx) &&
                EVP_DigestVerify(verify, signature, length, message, sizeof(message)) == 1;

    EVP_MD_CTX_free(verify);
    return good || bench_failed("the signature does not verify");
}

bool act_sign(const struct options *options)
{
    int64_t begin = bench_now(), cpu = bench_cpu();
    EVP_PKEY *key = bench_key(options);
    unsigned char signature[512];
    bool good = key != NULL;

    bench_line("loaded", begin, bench_now(), bench_cpu() - cpu);
    bench_ready(options);
    int64_t since = bench_now();
    for (long i = 0; good && bench_more(options, i, since); i++) {
        size_t length = sizeof(signature);

        begin = bench_now();
        cpu = bench_cpu();
        good = make_signature(key, signature, &length);
        bench_line("signature", begin, bench_now(), bench_cpu() - cpu);
    }
    EVP_PKEY_free(key);
    return good;
}

bool act_verify(const struct options *options)
{
    EVP_PKEY *key = bench_key(options);
    X509 *certificate = bench_certificate(options);
    EVP_PKEY *public_key = certificate == NULL ? NULL : X509_get_pubkey(certificate);
    unsigned char signature[512];
    size_t length = sizeof(signature);
    bool good = key != NULL && public_key != NULL && make_signature(key, signature, &length);
    int64_t since = bench_now();

    for (long i = 0; good && bench_more(options, i, since); i++) {
        int64_t begin = bench_now(), cpu = bench_cpu();

        good = verify_signature(public_key, signature, length);
        bench_line("verification", begin, bench_now(), bench_cpu() - cpu);
    }
    EVP_PKEY_free(public_key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return good;
}

/* Tells how long an object is in DER: the card's form of it. */
static bool tell_object(OSSL_STORE_INFO *info)
{
    EVP_PKEY *key = OSSL_STORE_INFO_get0_PKEY(info);
    X509 *certificate = OSSL_STORE_INFO_get0_CERT(info);

    if (key != NULL)
        printf("key %d\n", i2d_PrivateKey(key, NULL));
    if (certificate != NULL)
        printf("certificate %d\n", i2d_X509(certificate, NULL));
    return key != NULL || certificate != NULL;
}

bool act_load(const struct options *options)
{
    int64_t begin = bench_now(), cpu = bench_cpu();
    OSSL_STORE_CTX *store =
        options->uri == NULL ? NULL : OSSL_STORE_open(options->uri, NULL, NULL, NULL, NULL);
    int found = 0;

    if (store == NULL)
        return bench_failed("cannot open the URI");
    while (!OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (info != NULL)
            found += tell_object(info);
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    bench_line("load", begin, bench_now(), bench_cpu() - cpu);
    return found >= 2 || bench_failed("the URI does not give certificate and key");
}
