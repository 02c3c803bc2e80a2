/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the C program share: what was loaded, and how a claim is checked. */
#ifndef SIMKEY_E2E_API_H
#define SIMKEY_E2E_API_H

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <stdbool.h>

struct world {
    const char *modules;
    const char *certificate_file;
    const char *reference_file;
    OSSL_LIB_CTX *ctx;
    OSSL_PROVIDER *first;
    OSSL_PROVIDER *second;
    X509 *certificate;
    EVP_PKEY *key; /* by PEM reference */
};

/* Counts the claim, and says it with OpenSSL's errors if it does not hold. */
void check(bool good, const char *sentence);

/* Good, and nothing is left in the error queue. */
void check_quiet(bool good, const char *sentence);

/* Signs with the key, verifies with the certificate. */
bool sign_and_verify(const struct world *world, EVP_PKEY *key);

/* api_fork.c: children of a program with many threads in operations. */
void test_children_keep_nothing(struct world *world);

/* api_functions.c: each function of libcrypto on a key, and those that take its public half alone. */
void test_functions(struct world *world);
void test_public(struct world *world);
void test_composite(struct world *world);

/* api_reading.c: the reference among other things in one file. */
void test_reading(struct world *world);

/* api_tls.c: the SIM's key as the client's, certificate and key by files. */
void test_tls_1_2(struct world *world);
void test_tls_1_3(struct world *world);

#endif
