/* SPDX-License-Identifier: Apache-2.0 */
/* Digests and RSA paddings as OpenSSL's parameters name them, for signatures and decryption alike.
 */
#ifndef SIMKEY_PROVIDER_PARAMS_H
#define SIMKEY_PROVIDER_PARAMS_H

#include "apdu/token.h"
#include "provider/provider.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdbool.h>

/* Finds a digest by any of its names in the private library context. *md may be NULL if the caller
 * only wants the hash. md5_sha1 allows MD5-SHA1, which TLS 1.0 and 1.1 sign as it is:
 * TOKEN_HASH_NONE then. False, with an error raised, for a digest that the SIM does not do. */
bool hash_fetch(struct provider *provider, const char *name, bool md5_sha1, EVP_MD **md,
                enum token_hash *hash);

/* The same for a parameter that holds a digest's name. */
bool hash_param(struct provider *provider, const OSSL_PARAM *param, bool md5_sha1, EVP_MD **md,
                enum token_hash *hash);

/* RSA_PKCS1_PADDING and its like, given as number or as word. False, with an error raised, if it is
 * neither. */
bool padding_param(const struct provider *provider, const OSSL_PARAM *param, int *padding);

/* Answers a request for the padding as number or as word, whichever is asked for. */
bool padding_answer(OSSL_PARAM *param, int padding);

#endif
