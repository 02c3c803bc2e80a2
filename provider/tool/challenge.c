/* SPDX-License-Identifier: Apache-2.0 */
/* Proof of possession: the SIM signs a fresh random challenge, which is judged by the certificate's
 * public key. Type A's key proves itself in cmd_verify.c. */
#include "provider/objects.h"
#include "provider/tool/tool.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define DIGEST_SIZE  32
#define SIGN_RETRIES 2

static bool verifies(const struct signing_key *signing, const uint8_t *digest,
                     const uint8_t *signature, size_t length)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, signing->public_key, NULL);
    uint8_t der[TOKEN_SIGNATURE_MAX];
    bool verified;

    if (signing->key.type == TOKEN_EC) {
        length = objects_ecdsa_der(signature, length, der, sizeof der);
        signature = der;
    }
    ERR_set_mark();
    verified = ctx != NULL && length > 0 && EVP_PKEY_verify_init(ctx) == 1 &&
               (signing->key.type == TOKEN_EC ||
                EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1) &&
               EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
               EVP_PKEY_verify(ctx, signature, length, digest, DIGEST_SIZE) == 1;
    ERR_pop_to_mark();
    EVP_PKEY_CTX_free(ctx);
    return verified;
}

/* One that does not verify is made once more, as the provider does: another program may have set up
 * another key on the channel. */
enum outcome signing_key_challenge(struct sim *sim, const struct signing_key *signing,
                                   struct report *why)
{
    enum token_scheme scheme = signing->key.type == TOKEN_EC ? TOKEN_ECDSA : TOKEN_PKCS1;
    uint8_t digest[DIGEST_SIZE], signature[TOKEN_SIGNATURE_MAX];
    struct deadline deadline = sim_deadline(sim); /* for both */
    size_t length = sizeof signature;
    enum outcome outcome = OUTCOME_OK;

    if (RAND_bytes(digest, sizeof digest) != 1)
        return report_set(why, OUTCOME_SYSTEM, "OpenSSL gives no random bytes");
    for (int i = 0; i < SIGN_RETRIES && outcome == OUTCOME_OK; i++) {
        length = sizeof signature;
        outcome = token_sign(sim, &signing->key, scheme, TOKEN_SHA256, digest, sizeof digest,
                             signature, &length, deadline, why);
        if (outcome == OUTCOME_OK && verifies(signing, digest, signature, length))
            return OUTCOME_OK;
        if (outcome == OUTCOME_OK)
            sim_forget(sim);
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    return report_set(why, OUTCOME_VERIFY_FAILED,
                      "the SIM signed twice, but neither signature verifies with the certificate's "
                      "public key");
}
