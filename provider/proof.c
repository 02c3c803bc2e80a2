/* SPDX-License-Identifier: Apache-2.0 */
/* A signature from the SIM, and the proof that it is one: made with the public key in the private
 * library context before anybody gets it. Nothing here knows OpenSSL's signature contexts. */
#include "provider/key.h"
#include "provider/objects.h"
#include "provider/params.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <string.h>

enum proof { PROOF_GOOD, PROOF_BAD, PROOF_NONE /* it could not be made */ };

static enum proof verify_once(const struct key *key, enum token_scheme scheme, enum token_hash hash,
                              const uint8_t *digest, size_t digest_length, const uint8_t *signature,
                              size_t length)
{
    EVP_PKEY_CTX *ctx = NULL;
    OSSL_PARAM params[5];
    OSSL_PARAM *next = params;
    char *name = (char *)hash_name(hash);
    enum proof proof = PROOF_NONE;

    if (hash != TOKEN_HASH_NONE)
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, name, 0);
    if (scheme == TOKEN_PKCS1)
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE,
                                                   (char *)OSSL_PKEY_RSA_PAD_MODE_PKCSV15, 0);
    if (scheme == TOKEN_PSS) {
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE,
                                                   (char *)OSSL_PKEY_RSA_PAD_MODE_PSS, 0);
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN,
                                                   (char *)OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST, 0);
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, name, 0);
    }
    *next = OSSL_PARAM_construct_end();
    ERR_set_mark();
    ctx = EVP_PKEY_CTX_new_from_pkey(key->provider->libctx, key->public_key, NULL);
    if (ctx != NULL && EVP_PKEY_verify_init_ex(ctx, params) > 0)
        proof = EVP_PKEY_verify(ctx, signature, length, digest, digest_length) == 1 ? PROOF_GOOD
                                                                                    : PROOF_BAD;
    ERR_pop_to_mark();
    EVP_PKEY_CTX_free(ctx);
    return proof;
}

/* What does not verify is tried again here, because libcrypto answers the same for want of memory,
 * before the SIM is asked again, which costs a second. */
static enum proof verifies(const struct key *key, enum token_scheme scheme, enum token_hash hash,
                           const uint8_t *digest, size_t digest_length, const uint8_t *signature,
                           size_t length)
{
    enum proof proof = verify_once(key, scheme, hash, digest, digest_length, signature, length);

    if (proof == PROOF_NONE)
        (void)context_mend(key->provider);
    if (proof != PROOF_GOOD)
        proof = verify_once(key, scheme, hash, digest, digest_length, signature, length);
    return proof;
}

/* One attempt; *proof says how the proof went. */
static enum outcome attempt(const struct key *key, struct sim *sim, enum token_scheme scheme,
                            enum token_hash hash, const uint8_t *digest, size_t digest_length,
                            uint8_t *signature, size_t *length, enum proof *proof,
                            struct deadline deadline, struct report *why)
{
    uint8_t raw[TOKEN_SIGNATURE_MAX];
    size_t raw_length = sizeof(raw);
    size_t room = *length;
    enum outcome outcome;

    outcome = token_sign(sim, &key->token, scheme, hash, digest, digest_length, raw, &raw_length,
                         deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (scheme == TOKEN_ECDSA) {
        *length = objects_ecdsa_der(raw, raw_length, signature, room);
    } else {
        *length = raw_length <= room ? raw_length : 0;
        memcpy(signature, raw, *length);
    }
    *proof = PROOF_BAD;
    if (*length > 0)
        *proof = verifies(key, scheme, hash, digest, digest_length, signature, *length);
    return OUTCOME_OK;
}

/* By the SIM of one modem. */
static enum outcome sign_there(const struct key *key, struct sim *sim, enum token_scheme scheme,
                               enum token_hash hash, const uint8_t *digest, size_t digest_length,
                               uint8_t *signature, size_t *length, struct deadline deadline,
                               struct report *why)
{
    const size_t room = *length < TOKEN_SIGNATURE_MAX ? *length : TOKEN_SIGNATURE_MAX;
    enum proof proof = PROOF_BAD;
    enum outcome outcome;

    for (int tries = 0; tries < 2; tries++) {
        *length = room;
        outcome = attempt(key, sim, scheme, hash, digest, digest_length, signature, length, &proof,
                          deadline, why);
        if (outcome != OUTCOME_OK || proof != PROOF_BAD)
            break;
        /* Another program may have set up another key on our channel, or a byte was lost on the
         * line. */
        sim_forget(sim);
    }
    if (outcome == OUTCOME_OK && proof == PROOF_GOOD)
        return OUTCOME_OK;
    OPENSSL_cleanse(signature, room);
    *length = 0;
    if (outcome != OUTCOME_OK)
        return outcome;
    if (proof == PROOF_NONE)
        return report_set(why, OUTCOME_SYSTEM,
                          "the SIM's signature could not be checked and is not handed out: most "
                          "likely memory is out");
    return report_set(
        why, OUTCOME_VERIFY_FAILED,
        "the SIM signed twice, but neither signature verifies with the public key: the "
        "certificate or key reference may belong to another key (container %d, key id %02x)",
        key->token.container, (unsigned)key->token.key_id);
}

enum outcome key_sign(const struct key *key, enum token_scheme scheme, enum token_hash hash,
                      const uint8_t *digest, size_t digest_length, uint8_t *signature,
                      size_t *length, struct report *why)
{
    const struct deadline deadline = choice_deadline(key->choice); /* of all tries */
    const size_t room = *length;
    struct sim *sim = NULL;
    struct choice_tries tries = {.tried = 0};
    enum outcome outcome;

    do {
        *length = room;
        outcome = choice_sim(key->choice, &tries, deadline, &sim, why);
        if (outcome == OUTCOME_OK)
            outcome = sign_there(key, sim, scheme, hash, digest, digest_length, signature, length,
                                 deadline, why);
        else
            *length = 0;
    } while (choice_again(key->choice, sim, &tries, why));
    return outcome;
}
