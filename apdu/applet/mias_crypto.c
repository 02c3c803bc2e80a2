/* SPDX-License-Identifier: Apache-2.0 */
/* The security operations of the mIAS applet: MSE SET, PSO, GET CHALLENGE (ISO 7816-8; IAS ECC). */
#include "apdu/applet/mias.h"

#include <string.h>

#define INS_MSE           0x22
#define INS_PSO           0x2A
#define INS_GET_CHALLENGE 0x84

#define TAG_ALGORITHM  0x80
#define TAG_KEY        0x84
#define TAG_HASH       0x90
#define ALG_ECDSA_ANY  0x44 /* the open driver sends it whatever the hash */
#define ALG_PKCS1_BARE 0x02 /* PKCS#1 padding around data given as it is */

#define CHALLENGE_MAX 128

/* High nibble of the algorithm byte, digest length, and the DigestInfo before the digest (RFC
 * 8017, 9.2, note 1). */
static const struct {
    uint8_t nibble;
    uint8_t length;
    uint8_t info_length;
    uint8_t info[19];
} hashes[TOKEN_HASHES] = {
    [TOKEN_SHA1] = {0x10,
                    20,
                    15,
                    {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00,
                     0x04, 0x14}},
    [TOKEN_SHA224] = {0x30,
                      28,
                      19,
                      {0x30, 0x2D, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                       0x02, 0x04, 0x05, 0x00, 0x04, 0x1C}},
    [TOKEN_SHA256] = {0x40,
                      32,
                      19,
                      {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                       0x02, 0x01, 0x05, 0x00, 0x04, 0x20}},
    [TOKEN_SHA384] = {0x50,
                      48,
                      19,
                      {0x30, 0x41, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                       0x02, 0x02, 0x05, 0x00, 0x04, 0x30}},
    [TOKEN_SHA512] = {0x60,
                      64,
                      19,
                      {0x30, 0x51, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                       0x02, 0x03, 0x05, 0x00, 0x04, 0x40}},
};

uint8_t mias_sign_algorithm(enum token_scheme scheme, enum token_hash hash)
{
    static const uint8_t schemes[] = {
        [TOKEN_PKCS1] = 0x02, [TOKEN_PSS] = 0x05, [TOKEN_ECDSA] = 0x04};

    if (hash == TOKEN_HASH_NONE)
        return scheme == TOKEN_PKCS1 ? ALG_PKCS1_BARE : 0;
    return hashes[hash].nibble | schemes[scheme];
}

uint8_t mias_decrypt_algorithm(enum token_padding padding, enum token_hash hash)
{
    if (padding == TOKEN_DECRYPT_PKCS1)
        return 0x1A;
    switch (hash) {
    case TOKEN_SHA1:
        return 0x1D;
    case TOKEN_SHA256:
        return 0x4D;
    case TOKEN_SHA384:
        return 0x5D;
    case TOKEN_SHA512:
        return 0x6D;
    case TOKEN_HASH_NONE:
    case TOKEN_SHA224:
    case TOKEN_HASHES:
        break;
    }
    return 0;
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

size_t mias_plans(const struct token_key *key, enum token_scheme scheme, enum token_hash hash,
                  const uint8_t *digest, size_t digest_length, struct mias_plan plans[MIAS_PLANS])
{
    const struct span nothing = {NULL, 0};
    struct span data = {digest, digest_length}, head, fitted;
    uint8_t algorithm = mias_sign_algorithm(scheme, hash);
    size_t count = 0;

    if (hash != TOKEN_HASH_NONE && digest_length != hashes[hash].length)
        return 0;
    if ((key->type == TOKEN_EC) != (scheme == TOKEN_ECDSA))
        return 0;
    if (scheme == TOKEN_ECDSA) {
        fit_to_field(data, (key->bits + 7) / 8, &head, &fitted);
        add_plan(plans, &count, algorithm, nothing, data);
        add_plan(plans, &count, algorithm, head, fitted);
        add_plan(plans, &count, ALG_ECDSA_ANY, nothing, data);
        add_plan(plans, &count, ALG_ECDSA_ANY, head, fitted);
        return count;
    }
    /* PKCS#1 v1.5 needs 11 bytes beside the data (RFC 8017, 9.2) */
    if (scheme == TOKEN_PKCS1 && digest_length + hashes[hash].info_length + 11 > key->bits / 8)
        return 0;
    add_plan(plans, &count, algorithm, nothing, data);
    if (scheme == TOKEN_PKCS1 && hash != TOKEN_HASH_NONE)
        add_plan(plans, &count, ALG_PKCS1_BARE,
                 (struct span){hashes[hash].info, hashes[hash].info_length}, data);
    return count;
}

/* MSE SET, for computation: template { 80 01 algorithm, 84 01 key }. */
enum outcome mias_set_environment(const struct card *card, struct mias_environment *environment,
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
        *environment = (struct mias_environment){
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
        return report_set(why, OUTCOME_BAD_DATA, "the SIM answered a signature of %zu bytes",
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
        outcome = report_set(why, OUTCOME_BAD_DATA, "the SIM answered %zu bytes of plain text",
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
            outcome = report_set(why, OUTCOME_BAD_DATA, "the SIM gives no random bytes");
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
