/* SPDX-License-Identifier: Apache-2.0 */
/* A signature from the SIM, and the proof that it is one. No provider context is needed here: the
 * simkey tool shares this. */
#ifndef SIMKEY_PROVIDER_PROOF_H
#define SIMKEY_PROVIDER_PROOF_H

#include "apdu/token.h"
#include "modem/outcome.h"

#include <openssl/evp.h>
#include <stdbool.h>

/* Who proves it. */
struct proof {
    const struct token_key *key;
    EVP_PKEY *public_key;
    OSSL_LIB_CTX *libctx; /* NULL: the default one */
    /* NULL, or what is tried where the proof cannot be made: true if another try is worth it */
    bool (*mend)(void *arg);
    void *arg;
};

/* Has the digest signed by that SIM, and verifies the signature with the public key: what does not
 * verify is asked for once more from a new session, and never handed out. ECDSA signatures are DER.
 * *length: room in, bytes out (0 after an error). Leaves OpenSSL's error queue as it was. Errors:
 * those of token_sign, OUTCOME_VERIFY_FAILED (twice in a row it did not verify). */
enum outcome proof_sign(const struct proof *proof, struct sim *sim,
                        const struct token_digest *digest, uint8_t *signature, size_t *length,
                        struct deadline deadline, struct report *why);

#endif
