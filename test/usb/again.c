/* SPDX-License-Identifier: Apache-2.0 */
/* A long-lived program for the test on a USB port: loads sim:signing once, then signs and verifies
 * for each line of its input, up to "end", and says how that went. It takes provider and settings
 * from OPENSSL_CONF like any program, and never starts anew. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/store.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SIGNATURE_SIZE 512

static EVP_PKEY *load(const char *uri)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
    EVP_PKEY *key = NULL;

    if (store == NULL)
        return NULL;
    (void)OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    while (key == NULL && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (info != NULL)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    (void)OSSL_STORE_close(store);
    return key;
}

/* The public half alone, so that software verifies. */
static EVP_PKEY *public_half(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    const unsigned char *at = der;
    EVP_PKEY *half = length > 0 ? d2i_PUBKEY(NULL, &at, length) : NULL;

    OPENSSL_free(der);
    return half;
}

static bool sign_and_verify(EVP_PKEY *key, EVP_PKEY *half, const char *text)
{
    unsigned char signature[SIGNATURE_SIZE];
    size_t length = sizeof signature;
    EVP_MD_CTX *sign = EVP_MD_CTX_new();
    EVP_MD_CTX *verify = EVP_MD_CTX_new();
    bool good;

    good =
        sign != NULL && verify != NULL &&
        EVP_DigestSignInit_ex(sign, NULL, "SHA2-256", NULL, NULL, key, NULL) > 0 &&
        EVP_DigestSign(sign, signature, &length, (const unsigned char *)text, strlen(text)) > 0 &&
        EVP_DigestVerifyInit_ex(verify, NULL, "SHA2-256", NULL, NULL, half, NULL) > 0 &&
        EVP_DigestVerify(verify, signature, length, (const unsigned char *)text, strlen(text)) == 1;
    EVP_MD_CTX_free(verify);
    EVP_MD_CTX_free(sign);
    return good;
}

static long now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One line: the cue, how it went, how long it took, and the sentences of the error queue. */
static void say(const char *cue, bool good, long ms)
{
    const char *data;
    int flags;
    unsigned long error;

    printf("%s %s in %ld ms", cue, good ? "signed" : "failed", ms);
    while ((error = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *reason = ERR_reason_error_string(error);

        printf(": %s", (flags & ERR_TXT_STRING) != 0 ? data : reason != NULL ? reason : "?");
    }
    printf("\n");
    (void)fflush(stdout);
}

int main(void)
{
    char cue[64];
    EVP_PKEY *key = load("sim:signing");
    EVP_PKEY *half = key != NULL ? public_half(key) : NULL;

    say("key", half != NULL, 0);
    while (half != NULL && fgets(cue, sizeof cue, stdin) != NULL && strcmp(cue, "end\n") != 0) {
        long before = now_ms();
        bool good;

        cue[strcspn(cue, "\n")] = '\0';
        good = sign_and_verify(key, half, cue);
        say(cue, good, now_ms() - before);
    }
    EVP_PKEY_free(half);
    EVP_PKEY_free(key);
    return half != NULL ? 0 : 1;
}
