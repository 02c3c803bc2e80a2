/* SPDX-License-Identifier: Apache-2.0 */
/* The key object, one for RSA and EC: which key of which SIM, and its public half as an ordinary
 * key of the private library context. Nothing of it changes once made but the form in which an EC
 * point is written (keymgmt's SET_PARAMS). */
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
    struct choice *choice; /* of the SIM that has it; NULL in one that has parameters alone */
    struct token_key token;
};

/* A key with one reference. public_key NULL: one that has nothing, choice and token are not looked
 * at then. choice may be NULL. Takes references of its own to public_key and choice. NULL if memory ran out. */
struct key *key_new(struct provider *provider, EVP_PKEY *public_key, struct choice *choice,
                    const struct token_key *token);

/* A copy with a public half of its own. parameters: of an EC key's group alone, which is all that
 * public_key holds then. NULL if memory ran out, and for the parameters of an RSA key, which has
 * none. */
struct key *key_copy(const struct key *key, bool parameters);

/* Whether it is a whole key. NULL is allowed. */
bool key_usable(const struct key *key);

/* Raises that no private key comes out of a SIM, and what to do. */
void key_raise_private(const struct provider *provider);

/* Raises that libcrypto wants our key for another provider, for the EXPORT_OBJECT of store and decoders:
 * it asks for that where a property query excludes our keymgmt, or after it lost it for want of memory.
 * Without that function it would call NULL. The public half is no answer to it: the caller would take
 * it for the key. */
void key_raise_elsewhere(const struct provider *provider);

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
