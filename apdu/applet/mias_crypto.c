/* SPDX-License-Identifier: Apache-2.0 */
/* The security operations of the mIAS applet: MSE SET, PSO, GET CHALLENGE (ISO 7816-8; IAS ECC). */
#include "apdu/applet/mias.h"

#include <string.h>

#define INS_MSE           0x22
#define INS_PSO           0x2A
#define INS_GET_CHALLENGE 0x84

#define TAG_ALGORITHM     0x80
#define TAG_KEY           0x84
#define TAG_HASH          0x90
#define ALG_ECDSA_ANY     0x44 /* the open driver sends it whatever the hash */
#define ALG_PKCS1_BARE    0x02 /* PKCS#1 padding around data given as it is */
#define ALG_DECRYPT_PKCS1 0x1A

#define CHALLENGE_MAX 128

/* The family's codes of each hash: high nibble of the algorithm byte of a signature, algorithm of OAEP;
 * 0 where the family has none. */
static const struct {
    uint8_t signature;
    uint8_t oaep;
} hash_codes[] = {
    [TOKEN_HASH_NONE] = {0, 0},    [TOKEN_SHA1] = {0x10, 0x1D},   [TOKEN_SHA224] = {0x30, 0},
    [TOKEN_SHA256] = {0x40, 0x4D}, [TOKEN_SHA384] = {0x50, 0x5D}, [TOKEN_SHA512] = {0x60, 0x6D},
};
_Static_assert(sizeof hash_codes / sizeof hash_codes[0] == TOKEN_HASHES,
               "each hash of key.h has its codes here");

/* Low nibble of the algorithm byte; 0 where the family has none. */
static const uint8_t scheme_codes[] = {
    [TOKEN_PKCS1] = 0x02, [TOKEN_PSS] = 0x05, [TOKEN_ECDSA] = 0x04};
_Static_assert(sizeof scheme_codes / sizeof scheme_codes[0] == TOKEN_SCHEMES,
               "each scheme of key.h has its code here");

uint8_t mias_sign_algorithm(enum token_scheme scheme, enum token_hash hash)
{
    if (hash == TOKEN_HASH_NONE)
        return scheme == TOKEN_PKCS1 ? ALG_PKCS1_BARE : 0;
    if (hash_codes[hash].signature == 0 || scheme_codes[scheme] == 0)
        return 0;
    return hash_codes[hash].signature | scheme_codes[scheme];
}

uint8_t mias_decrypt_algorithm(enum token_padding padding, enum token_hash hash)
{
    return padding == TOKEN_DECRYPT_PKCS1 ? ALG_DECRYPT_PKCS1 : hash_codes[hash].oaep;
}

static void add_plan(struct mias_plan *plans, size_t *count, uint8_t algorithm, struct span head,
                     struct span data)
{
    struct mias_plan *plan = &plans[*count];

    if (algorithm == 0 || head.length + data.length > sizeof plan->data)
        return;
    plan->algorithm = algorithm;
    plan->length = head.length + data.length;
    if (head.length > 0)
        memcpy(plan->data, head.data, head.length);
    if (data.length > 0)
        memcpy(plan->data + head.length, data.data, data.length);
    for (size_t i = 0; i < *count; i++)
        if (plans[i].algorithm == algorithm && plans[i].length == plan->length)
            return; /* the same once more */
    (*count)++;
}

/* ECDSA uses the leftmost bits of the digest, as many as the field has (FIPS 186-4, 6.4): cutting
 * more off, or zeros on the left of a shorter one, changes nothing. */
static void fit_to_field(struct span digest, size_t field, struct span *head, struct span *data)
{
    static const uint8_t zeros[8];

    *data = digest;
    *head = (struct span){zeros, 0};
    if (digest.length > field)
        data->length = field;
    else
        head->length = (8 - digest.length % 8) % 8;
}

/* ECDSA takes digests of the field's length, or any; and one code for all hashes. */
static size_t plan_ecdsa(const struct token_key *key, const struct token_digest *digest,
                         struct mias_plan plans[MIAS_PLANS])
{
    const struct span nothing = {NULL, 0};
    struct span data = {digest->data, digest->length}, head, fitted;
    uint8_t algorithm = mias_sign_algorithm(digest->scheme, digest->hash);
    size_t count = 0;

    fit_to_field(data, (key->bits + 7) / 8, &head, &fitted);
    add_plan(plans, &count, algorithm, nothing, data);
    add_plan(plans, &count, algorithm, head, fitted);
    add_plan(plans, &count, ALG_ECDSA_ANY, nothing, data);
    add_plan(plans, &count, ALG_ECDSA_ANY, head, fitted);
    return count;
}

static size_t plan_pkcs1(const struct token_key *key, const struct token_digest *digest,
                         struct mias_plan plans[MIAS_PLANS])
{
    const struct span nothing = {NULL, 0}, data = {digest->data, digest->length};
    struct span info = nothing;
    size_t count = 0;

    info.data = hash_info(digest->hash, &info.length);
    /* PKCS#1 v1.5 needs 11 bytes beside the data (RFC 8017, 9.2) */
    if (digest->length + info.length + 11 > key->bits / 8)
        return 0;
    add_plan(plans, &count, mias_sign_algorithm(digest->scheme, digest->hash), nothing, data);
    if (digest->hash != TOKEN_HASH_NONE)
        add_plan(plans, &count, ALG_PKCS1_BARE, info, data);
    return count;
}

size_t mias_plans(const struct token_key *key, const struct token_digest *digest,
                  struct mias_plan plans[MIAS_PLANS])
{
    const struct span nothing = {NULL, 0}, data = {digest->data, digest->length};
    size_t count = 0;

    if (digest->hash != TOKEN_HASH_NONE && digest->length != hash_length(digest->hash))
        return 0;
    if (token_scheme_type(digest->scheme) != key->type)
        return 0;
    if (digest->scheme == TOKEN_ECDSA)
        return plan_ecdsa(key, digest, plans);
    if (digest->scheme == TOKEN_PKCS1)
        return plan_pkcs1(key, digest, plans);
    add_plan(plans, &count, mias_sign_algorithm(digest->scheme, digest->hash), nothing, data);
    return count;
}

/* MSE SET, for computation: template { 80 01 algorithm, 84 01 key }. */
enum outcome mias_set_environment(const struct card *card, struct security_environment *environment,
                                  uint8_t template_tag, uint8_t algorithm, uint8_t key_id,
                                  struct report *why)
{
    const uint8_t data[] = {TAG_ALGORITHM, 1, algorithm, TAG_KEY, 1, key_id};
    struct apdu mse = {.ins = INS_MSE,
                       .p1 = 0x41,
                       .p2 = template_tag,
                       .data = data,
                       .lc = sizeof data,
                       .le = APDU_LE_NONE,
                       .repeatable = true};
    struct answer answer;
    enum outcome outcome;

    if (environment->set && environment->template_tag == template_tag &&
        environment->algorithm == algorithm && environment->key_id == key_id)
        return OUTCOME_OK;
    environment->set = false;
    outcome = apdu_send(card, &mse, &answer, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    switch (answer.sw) {
    case SW_OK:
        *environment = (struct security_environment){
            .set = true, .template_tag = template_tag, .algorithm = algorithm, .key_id = key_id};
        return OUTCOME_OK;
    case 0x6A80:
    case 0x6A81:
    case 0x6A86:
        return report_sw(why, OUTCOME_UNSUPPORTED, answer.sw,
                         "this SIM refuses algorithm %02X for key %02X", algorithm, key_id);
    case 0x6A88:
        return report_sw(why, OUTCOME_NOT_FOUND, answer.sw,
                         "this SIM has no key %02X, or refuses algorithm %02X for it: check "
                         "`container` and `key-id`",
                         key_id, algorithm);
    default:
        return apdu_refused(&answer, "set the security environment", why);
    }
}

enum outcome mias_hash_and_sign(const struct card *card, const struct mias_plan *plan,
                                uint8_t *signature, size_t *length, struct report *why)
{
    uint8_t data[2 + sizeof plan->data];
    struct apdu hash = {.ins = INS_PSO,
                        .p1 = 0x90,
                        .p2 = 0xA0,
                        .data = data,
                        .lc = 2 + plan->length,
                        .le = APDU_LE_ALL};
    struct apdu sign = {.ins = INS_PSO,
                        .p1 = 0x9E,
                        .p2 = 0x9A,
                        .le = APDU_LE_ALL,
                        .timeout_ms = APDU_TIMEOUT_KEY_MS};
    struct answer answer;
    enum outcome outcome;

    if (plan->length > 253)
        return report_set(why, OUTCOME_UNSUPPORTED, "the data to sign is too long for the SIM");
    data[0] = TAG_HASH;
    data[1] = (uint8_t)plan->length;
    memcpy(data + 2, plan->data, plan->length);
    outcome = apdu_send(card, &hash, &answer, why);
    if (outcome == OUTCOME_OK && answer.sw != SW_OK)
        outcome = apdu_refused(&answer, "hand the digest to the SIM", why);
    if (outcome == OUTCOME_OK)
        outcome = apdu_send(card, &sign, &answer, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (answer.sw != SW_OK)
        return apdu_refused(&answer, "sign", why);
    if (answer.length == 0 || answer.length > TOKEN_SIGNATURE_MAX)
        return report_set(why, OUTCOME_BAD_DATA, "the SIM returned a signature of %zu bytes",
                          answer.length);
    memcpy(signature, answer.data, answer.length);
    *length = answer.length;
    return OUTCOME_OK;
}

enum outcome mias_decipher(const struct card *card, const uint8_t *cryptogram, size_t length,
                           uint8_t *plain, size_t *plain_length, struct report *why)
{
    uint8_t data[1 + TOKEN_SIGNATURE_MAX];
    struct apdu decipher = {.ins = INS_PSO,
                            .p1 = 0x80,
                            .p2 = 0x86,
                            .data = data,
                            .lc = 1 + length,
                            .le = APDU_LE_ALL,
                            .timeout_ms = APDU_TIMEOUT_KEY_MS,
                            .secrecy = SECRET_ANSWER};
    struct answer answer;
    enum outcome outcome;

    if (length > TOKEN_SIGNATURE_MAX)
        return report_set(why, OUTCOME_UNSUPPORTED, "the cryptogram is too long for the SIM");
    data[0] =
        0x81; /* padding indicator (ISO 7816-4, table 36): further information in the algorithm */
    memcpy(data + 1, cryptogram, length);
    /* the last piece carries a Le: 254 bytes leave room for it on stacks that count it in */
    outcome = apdu_send_chain(card, &decipher, 254, &answer, why);
    if (outcome == OUTCOME_OK && answer.sw != SW_OK)
        outcome = apdu_refused(&answer, "decrypt", why);
    if (outcome == OUTCOME_OK && answer.length > TOKEN_PLAIN_MAX)
        outcome = report_set(why, OUTCOME_BAD_DATA, "the SIM returned %zu bytes of plain text",
                             answer.length);
    if (outcome == OUTCOME_OK) {
        memcpy(plain, answer.data, answer.length);
        *plain_length = answer.length;
    }
    answer_clear(&answer);
    return outcome;
}

enum outcome mias_random(const struct card *card, uint8_t *bytes, size_t length, struct report *why)
{
    while (length > 0) {
        size_t piece = length < CHALLENGE_MAX ? length : CHALLENGE_MAX;
        struct apdu challenge = {.ins = INS_GET_CHALLENGE,
                                 .le = (int)piece,
                                 .secrecy = SECRET_ANSWER,
                                 .repeatable = true};
        struct answer answer;
        enum outcome outcome = apdu_send(card, &challenge, &answer, why);

        if (outcome == OUTCOME_OK && answer.sw != SW_OK)
            outcome = apdu_refused(&answer, "get random bytes", why);
        if (outcome == OUTCOME_OK && answer.length == 0)
            outcome = report_set(why, OUTCOME_BAD_DATA, "the SIM returned no random bytes");
        if (outcome == OUTCOME_OK) {
            if (answer.length < piece)
                piece = answer.length;
            memcpy(bytes, answer.data, piece);
            bytes += piece;
            length -= piece;
        }
        answer_clear(&answer);
        if (outcome != OUTCOME_OK)
            return outcome;
    }
    return OUTCOME_OK;
}
