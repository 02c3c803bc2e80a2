/* SPDX-License-Identifier: Apache-2.0 */
/* `trace = provider`: a line for each call that libcrypto makes, with the function, key, digest and
 * lengths. Never data, nor a URI as it was typed: a user may have typed a PIN into it. */
#ifndef SIMKEY_PROVIDER_CALLS_H
#define SIMKEY_PROVIDER_CALLS_H

#include "provider/key.h"
#include "provider/provider.h"

#include <openssl/core.h>
#include <openssl/evp.h>

/* Costs next to nothing where it is off. */
#define CALLED(provider, ...)                                                                      \
    do {                                                                                           \
        if (calls_traced(provider))                                                                \
            calls_note(provider, __func__, __VA_ARGS__);                                           \
    } while (0)

bool calls_traced(const struct provider *provider);
void calls_note(struct provider *provider, const char *function, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What is said of a key ("RSA 2048 (container 0, key id 31)"), and the names of parameters
 * ("digest pad-mode"). Both return text. */
#define CALLS_TEXT 256
const char *calls_key(const struct key *key, char text[CALLS_TEXT]);
const char *calls_params(const OSSL_PARAM params[], char text[CALLS_TEXT]);

/* A digest's name, "none" for NULL. */
const char *calls_digest(const EVP_MD *md);

#endif
