/* SPDX-License-Identifier: Apache-2.0 */
/* Proof of possession: the SIM signs a fresh random challenge, which is judged by the certificate's
 * public key. Type A's key proves itself in verify.c. */
#include "provider/proof.h"
#include "provider/tool/tool.h"

#include <openssl/rand.h>

enum outcome signing_key_challenge(struct sim *sim, const struct signing_key *signing,
                                   struct report *why)
{
    const struct proof proof = {.key = &signing->key, .public_key = signing->public_key};
    uint8_t challenge[TOKEN_HASH_MAX], signature[TOKEN_SIGNATURE_MAX];
    const struct token_digest digest = {.scheme = token_type_scheme(signing->key.type),
                                        .hash = TOKEN_SHA256,
                                        .data = challenge,
                                        .length = hash_length(TOKEN_SHA256)};
    size_t length = sizeof signature;

    if (RAND_bytes(challenge, (int)digest.length) != 1)
        return report_set(why, OUTCOME_SYSTEM, "OpenSSL gives no random bytes");
    return proof_sign(&proof, sim, &digest, signature, &length, sim_deadline(sim), why);
}
