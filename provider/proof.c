/* SPDX-License-Identifier: Apache-2.0 */
/* A signature from the SIM, and the proof that it is one: made with the public key before anybody gets
 * it. Nothing here knows OpenSSL's signature contexts. */
#include "provider/proof.h"
#include "provider/objects.h"
#include "provider/scheme.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <string.h>

enum verdict { VERDICT_GOOD, VERDICT_BAD, VERDICT_NONE /* the proof could not be made */ };

static enum verdict verify_once(const struct proof *proof, const struct token_digest *digest,
                                const uint8_t *signature, size_t length)
{
    const struct scheme_rule *rule = scheme_rule(digest->scheme);
    EVP_PKEY_CTX *ctx = NULL;
    OSSL_PARAM params[5];
    OSSL_PARAM *next = params;
    char *name = (char *)hash_name(digest->hash);
    enum verdict verdict = VERDICT_NONE;

    if (digest->hash != TOKEN_HASH_NONE)
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, name, 0);
    if (rule->pad_mode != NULL)
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE,
                                                   (char *)rule->pad_mode, 0);
    if (rule->salted) {
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN,
                                                   (char *)OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST, 0);
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, name, 0);
    }
    *next = OSSL_PARAM_construct_end();
    ERR_set_mark();
    ctx = EVP_PKEY_CTX_new_from_pkey(proof->libctx, proof->public_key, NULL);
    if (ctx != NULL && EVP_PKEY_verify_init_ex(ctx, params) > 0)
        verdict = EVP_PKEY_verify(ctx, signature, length, digest->data, digest->length) == 1
                      ? VERDICT_GOOD
                      : VERDICT_BAD;
    ERR_pop_to_mark();
    EVP_PKEY_CTX_free(ctx);
    return verdict;
}

/* What does not verify is tried again here, because libcrypto answers the same for want of memory,
 * before the SIM is asked again, which costs a second. */
static enum verdict verify_signature(const struct proof *proof, const struct token_digest *digest,
                                     const uint8_t *signature, size_t length)
{
    enum verdict verdict = verify_once(proof, digest, signature, length);

    if (verdict == VERDICT_NONE && proof->mend != NULL)
        (void)proof->mend(proof->arg);
    if (verdict != VERDICT_GOOD)
        verdict = verify_once(proof, digest, signature, length);
    return verdict;
}

/* One signature; *verdict says how the proof went. */
static enum outcome sign_once(const struct proof *proof, struct sim *sim,
                              const struct token_digest *digest, uint8_t *signature, size_t *length,
                              enum verdict *verdict, struct deadline deadline, struct report *why)
{
    uint8_t raw[TOKEN_SIGNATURE_MAX];
    size_t raw_length = sizeof(raw);
    size_t room = *length;
    enum outcome outcome;

    outcome = token_sign(sim, proof->key, digest, raw, &raw_length, deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (scheme_rule(digest->scheme)->pair) {
        *length = objects_ecdsa_der(raw, raw_length, signature, room);
    } else {
        *length = raw_length <= room ? raw_length : 0;
        memcpy(signature, raw, *length);
    }
    *verdict = VERDICT_BAD;
    if (*length > 0)
        *verdict = verify_signature(proof, digest, signature, *length);
    return OUTCOME_OK;
}

enum outcome proof_sign(const struct proof *proof, struct sim *sim,
                        const struct token_digest *digest, uint8_t *signature, size_t *length,
                        struct deadline deadline, struct report *why)
{
    const size_t room = *length < TOKEN_SIGNATURE_MAX ? *length : TOKEN_SIGNATURE_MAX;
    enum verdict verdict = VERDICT_BAD;
    enum outcome outcome;
    char name[TOKEN_NAME_TEXT];

    for (int tries = 0; tries < 2; tries++) {
        *length = room;
        outcome = sign_once(proof, sim, digest, signature, length, &verdict, deadline, why);
        if (outcome != OUTCOME_OK || verdict != VERDICT_BAD)
            break;
        /* Another program may have set up another key on our channel, or a byte was lost on the
         * line. */
        sim_forget(sim);
    }
    if (outcome == OUTCOME_OK && verdict == VERDICT_GOOD)
        return OUTCOME_OK;
    OPENSSL_cleanse(signature, room);
    *length = 0;
    if (outcome != OUTCOME_OK)
        return outcome;
    if (verdict == VERDICT_NONE)
        return report_set(why, OUTCOME_SYSTEM,
                          "the SIM's signature could not be checked and is not handed out: most "
                          "likely memory ran out");
    return report_set(
        why, OUTCOME_VERIFY_FAILED,
        "the SIM signed twice, but neither signature verifies with the public key: the "
        "certificate or key reference may belong to another key (%s)",
        token_name_text(&proof->key->name, name));
}
