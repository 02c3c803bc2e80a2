/* SPDX-License-Identifier: Apache-2.0 */
/* The key object, one for RSA and EC: which key of which SIM, and its public half as an ordinary
 * key of the private library context. It never changes once made, so that copies are references. */
#ifndef SIMKEY_PROVIDER_KEY_H
#define SIMKEY_PROVIDER_KEY_H

#include "apdu/choice.h"
#include "apdu/token.h"
#include "modem/outcome.h"
#include "provider/provider.h"

#include <openssl/evp.h>
#include <stdatomic.h>

struct key {
    atomic_uint references;
    struct provider
        *provider;         /* outlives the key: libcrypto counts keys as users of the provider */
    EVP_PKEY *public_key;  /* NULL in an object that keymgmt's NEW made: such a one has nothing */
    struct choice *choice; /* of the SIM that has it */
    struct token_key token;
};

/* A key with one reference. public_key NULL: one that has nothing, choice and token are not looked
 * at then. Takes references of its own to public_key and choice. NULL if memory is out. */
struct key *key_new(struct provider *provider, EVP_PKEY *public_key, struct choice *choice,
                    const struct token_key *token);

struct key *key_ref(struct key *key);

/* NULL is allowed. */
void key_free(struct key *key);

/* Hands a reference to the key to libcrypto, as store and decoders do: it calls keymgmt's LOAD with
 * it. Takes over the caller's reference. Returns what the callback returned. */
int key_emit(struct key *key, OSSL_CALLBACK *callback, void *arg);

/* Signs in the SIM and proves the signature with the public key (proof.h). *length: room in, bytes
 * out. Errors: those of proof_sign. */
enum outcome key_sign(const struct key *key, const struct token_digest *digest, uint8_t *signature,
                      size_t *length, struct report *why);

#endif
