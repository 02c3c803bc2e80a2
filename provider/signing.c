/* SPDX-License-Identifier: Apache-2.0 */
/* See signing.h. */
#include "provider/signing.h"
#include "provider/objects.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

static void take_name(struct sim *sim, const struct uri *uri, const struct token_item *item,
                      struct token_key *key)
{
    token_complete(sim, item, key->type, &key->name);
    if (uri->key.id_length == 0)
        return;
    key->name.id_length = uri->key.id_length;
    memcpy(key->name.id, uri->key.id, sizeof key->name.id);
}

/* ---- where the SIM does not say whose a certificate is ---- */

/* The search for it. */
struct search {
    OSSL_LIB_CTX *libctx;
    EVP_PKEY *own; /* the key's public half, NULL if the SIM does not tell it */
    unsigned bits; /* the key's size, 0 if the SIM does not tell it */
    X509 *found;
};

/* Whether a certificate is that of the key: by its public half, or, where that is not known, because it has
 * the key's size and is none of a CA's. A wrong one is seen at the first signature. */
static bool belongs(const struct search *search, X509 *certificate)
{
    EVP_PKEY *key = NULL;
    struct report ignored = REPORT_INIT;
    bool good = objects_public_key(certificate, &key, NULL, NULL, &ignored) == OUTCOME_OK;

    ERR_set_mark();
    good = good && (search->own != NULL
                        ? EVP_PKEY_eq(key, search->own) == 1
                        : X509_check_ca(certificate) == 0 &&
                              (search->bits == 0 || EVP_PKEY_get_bits(key) == (int)search->bits));
    ERR_pop_to_mark();
    EVP_PKEY_free(key);
    return good;
}

/* What is no certificate is none of the key's. */
static enum outcome try_candidate(struct search *search, const struct token_content *content,
                                  struct report *why)
{
    X509 *certificate = NULL;
    enum outcome outcome;

    if (content->certificate == NULL)
        return OUTCOME_OK;
    outcome = objects_certificate(search->libctx, content->certificate, content->length,
                                  &certificate, why);
    if (outcome == OUTCOME_BAD_DATA) {
        report_clear(why);
        return OUTCOME_OK;
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    if (belongs(search, certificate))
        search->found = certificate;
    else
        X509_free(certificate);
    return OUTCOME_OK;
}

/* first: the content with candidate 0, and the number of them. */
static enum outcome find_certificate(struct search *search, struct sim *sim,
                                     const struct token_content *first, struct report *why)
{
    enum outcome outcome = try_candidate(search, first, why);

    for (unsigned i = 1;
         i < first->item.candidates && outcome == OUTCOME_OK && search->found == NULL; i++) {
        struct token_content content;

        outcome = token_read(sim, first->iccid, &first->item.name, i, &content, why);
        if (outcome == OUTCOME_OK)
            outcome = try_candidate(search, &content, why);
        token_content_clear(&content);
        if (outcome == OUTCOME_NOT_FOUND) { /* fewer than there were */
            report_clear(why);
            return OUTCOME_OK;
        }
    }
    return outcome;
}

static enum outcome no_certificate(const struct token_item *item, bool key, struct report *why)
{
    char name[TOKEN_NAME_TEXT];

    return report_set(
        why, OUTCOME_NOT_FOUND,
        key ? "this SIM tells neither the public key nor a certificate of its %s"
            : "this SIM has no certificate of its %s: only a key reference can be had",
        token_name_text(&item->name, name));
}

static enum outcome search_certificate(struct sim *sim, const struct token_content *content,
                                       OSSL_LIB_CTX *libctx, enum signing_part part,
                                       struct signing_key *signing, struct report *why)
{
    struct search search = {.libctx = libctx, .bits = content->item.bits};
    enum outcome outcome = OUTCOME_OK;

    if (content->point_length > 0)
        outcome =
            objects_point_key(libctx, content->point, content->point_length, &search.own, why);
    if (outcome == OUTCOME_OK)
        outcome = find_certificate(&search, sim, content, why);
    if (outcome == OUTCOME_OK && search.found == NULL &&
        (part != SIGNING_KEY || search.own == NULL))
        outcome = no_certificate(&content->item, part == SIGNING_KEY, why);
    signing->certificate = search.found;
    if (outcome == OUTCOME_OK && search.found == NULL) {
        signing->public_key = search.own;
        return objects_key_type(search.own, &signing->key.type, &signing->key.bits, why);
    }
    EVP_PKEY_free(search.own);
    return outcome;
}

/* ---- reading ---- */

static enum outcome read_parts(struct sim *sim, const struct uri *uri,
                               const struct token_content *content, OSSL_LIB_CTX *libctx,
                               enum signing_part part, struct signing_key *signing,
                               struct report *why)
{
    enum outcome outcome;

    if (content->item.candidates > 0 || content->certificate == NULL)
        outcome = search_certificate(sim, content, libctx, part, signing, why);
    else
        outcome = objects_certificate(libctx, content->certificate, content->length,
                                      &signing->certificate, why);
    if (outcome == OUTCOME_OK && part != SIGNING_CERTIFICATE && signing->public_key == NULL)
        outcome = objects_public_key(signing->certificate, &signing->public_key, &signing->key.type,
                                     &signing->key.bits, why);
    if (outcome == OUTCOME_OK && part != SIGNING_CERTIFICATE)
        take_name(sim, uri, &content->item, &signing->key);
    return outcome;
}

enum outcome signing_key_read(struct sim *sim, const struct uri *uri, OSSL_LIB_CTX *libctx,
                              enum signing_part part, struct signing_key *signing,
                              struct report *why)
{
    struct token_content content;
    enum outcome outcome;

    memset(signing, 0, sizeof *signing);
    outcome = token_read(sim, uri->iccid, &uri->key, 0, &content, why);
    if (outcome == OUTCOME_OK)
        outcome = read_parts(sim, uri, &content, libctx, part, signing, why);
    signing->item = content.item;
    memcpy(signing->key.iccid, content.iccid[0] != '\0' ? content.iccid : uri->iccid,
           sizeof signing->key.iccid);
    token_content_clear(&content);
    if (outcome != OUTCOME_OK)
        signing_key_clear(signing);
    return outcome;
}

void signing_key_clear(struct signing_key *signing)
{
    X509_free(signing->certificate);
    EVP_PKEY_free(signing->public_key);
    signing->certificate = NULL;
    signing->public_key = NULL;
}
