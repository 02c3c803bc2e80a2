/* SPDX-License-Identifier: Apache-2.0 */
/* See token_memory.h. */
#include "test/unit/token_memory.h"
#include "test/unit/check.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define KEYS  2
#define FIELD 32 /* bytes */

static struct {
    struct token_name name;
    EVP_PKEY *key;
    X509 *certificate;
} keys[KEYS];
static unsigned calls;

unsigned memory_calls(void)
{
    return calls;
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *made = X509_new();

    CU_ASSERT(made != NULL && X509_set_version(made, 2) == 1 &&
              ASN1_INTEGER_set(X509_get_serialNumber(made), 1) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(made), 0) != NULL &&
              X509_gmtime_adj(X509_getm_notAfter(made), 3600) != NULL &&
              X509_set_pubkey(made, key) == 1 && X509_sign(made, key, EVP_sha256()) > 0);
    return made;
}

void memory_begin(void)
{
    calls = 0;
    for (size_t i = 0; i < KEYS; i++) {
        keys[i].name = (struct token_name)TOKEN_NAME_NONE;
        keys[i].key = EVP_EC_gen("P-256");
        keys[i].certificate = make_certificate(keys[i].key);
    }
    keys[0].name.id_length = (uint8_t)bytes_of("0102", keys[0].name.id, TOKEN_ID_MAX);
    strcpy(keys[0].name.label, "Client");
    keys[1].name.id_length = TOKEN_ID_MAX;
    for (size_t i = 0; i < TOKEN_ID_MAX; i++)
        keys[1].name.id[i] = (uint8_t)(0xA0 + i);
}

void memory_end(void)
{
    for (size_t i = 0; i < KEYS; i++) {
        EVP_PKEY_free(keys[i].key);
        X509_free(keys[i].certificate);
    }
}

static bool is_memory(const char *device)
{
    return strncmp(device, "memory:", 7) == 0;
}

/* The key of that name, by whichever part of it is given; the first one where nothing is. */
static enum outcome find_key(const struct token_name *name, size_t *found, struct report *why)
{
    for (*found = 0; *found < KEYS; (*found)++) {
        const struct token_name *own = &keys[*found].name;

        if (name->label[0] != '\0'
                ? strcmp(name->label, own->label) == 0
                : name->id_length == 0 || (name->id_length == own->id_length &&
                                           memcmp(name->id, own->id, own->id_length) == 0))
            return OUTCOME_OK;
    }
    return report_set(why, OUTCOME_NOT_FOUND, MEMORY_NAME " has no such key");
}

static enum outcome list_keys(struct sim *sim, enum token_applet applet, struct token_item *list,
                              size_t *count, struct deadline deadline, struct report *why)
{
    (void)sim, (void)applet, (void)deadline, (void)why;
    calls++;
    for (*count = 0; *count < KEYS; (*count)++)
        list[*count] =
            (struct token_item){.name = keys[*count].name, .bits = 8 * FIELD, .certificate = true};
    return OUTCOME_OK;
}

static enum outcome read_key(struct sim *sim, const char *iccid, const struct token_name *name,
                             unsigned candidate, struct token_content *content,
                             struct deadline deadline, struct report *why)
{
    size_t found;
    int length;

    (void)sim, (void)iccid, (void)deadline;
    calls++;
    if (find_key(name, &found, why) != OUTCOME_OK)
        return OUTCOME_NOT_FOUND;
    if (candidate > 0)
        return report_set(why, OUTCOME_NOT_FOUND, "there is no further certificate");
    length = i2d_X509(keys[found].certificate, &content->certificate);
    content->length = length > 0 ? (size_t)length : 0;
    content->item.name = keys[found].name;
    return OUTCOME_OK;
}

static enum outcome sign_digest(struct sim *sim, const struct token_key *key,
                                const struct token_digest *digest, uint8_t *signature,
                                size_t *length, struct deadline deadline, struct report *why)
{
    uint8_t der[128];
    const uint8_t *at = der;
    size_t found, der_length = sizeof der;
    EVP_PKEY_CTX *ctx;
    ECDSA_SIG *pair = NULL;

    (void)sim, (void)deadline;
    calls++;
    if (find_key(&key->name, &found, why) != OUTCOME_OK)
        return OUTCOME_NOT_FOUND;
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, keys[found].key, NULL);
    CU_ASSERT(ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
              EVP_PKEY_sign(ctx, der, &der_length, digest->data, digest->length) == 1);
    EVP_PKEY_CTX_free(ctx);
    pair = d2i_ECDSA_SIG(NULL, &at, (long)der_length);
    CU_ASSERT(pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, FIELD) == FIELD &&
              BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + FIELD, FIELD) == FIELD);
    ECDSA_SIG_free(pair);
    *length = 2 * FIELD;
    return OUTCOME_OK;
}

static enum outcome generate_key(struct sim *sim, struct token_key *key, uint8_t *point,
                                 size_t *length, struct deadline deadline, struct report *why)
{
    size_t found;

    (void)sim, (void)deadline;
    calls++;
    if (find_key(&key->name, &found, why) != OUTCOME_OK)
        return OUTCOME_NOT_FOUND;
    EVP_PKEY_free(keys[found].key);
    keys[found].key = EVP_EC_gen("P-256");
    CU_ASSERT_EQUAL(EVP_PKEY_get_octet_string_param(keys[found].key, "encoded-pub-key", point,
                                                    TOKEN_POINT_MAX, length),
                    1);
    return OUTCOME_OK;
}

static enum outcome identify(struct sim *sim, struct modem_identity *identity, char *iccid,
                             struct report *why)
{
    (void)sim, (void)why;
    calls++;
    memset(identity, 0, sizeof *identity);
    strcpy(identity->model, "memory");
    iccid[0] = '\0';
    return OUTCOME_OK;
}

const struct token_ops token_memory_device = {.name = MEMORY_NAME,
                                              .takes_device = is_memory,
                                              .list = list_keys,
                                              .read = read_key,
                                              .sign = sign_digest,
                                              .generate = generate_key,
                                              .identity = identify};

/* ---- behind an applet ---- */

static enum outcome list_in_sim(struct sim *sim, enum token_applet applet, struct token_item *list,
                                size_t *count, struct deadline deadline, struct report *why)
{
    uint8_t aid[16];
    size_t length = bytes_of(MEMORY_AID, aid, sizeof aid);
    enum carrier carrier = CARRIER_AUTO;
    enum outcome outcome = sim_probe(sim, aid, length, MEMORY_NAME, &carrier, why);

    return outcome == OUTCOME_OK ? list_keys(sim, applet, list, count, deadline, why) : outcome;
}

const struct token_ops token_memory_applet = {.name = MEMORY_NAME, .list = list_in_sim};
