/* SPDX-License-Identifier: Apache-2.0 */
/* See signing.h. */
#include "provider/signing.h"
#include "provider/objects.h"

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

enum outcome signing_key_read(struct sim *sim, const struct uri *uri, OSSL_LIB_CTX *libctx,
                              bool only_certificate, struct signing_key *signing,
                              struct report *why)
{
    struct token_content content;
    enum outcome outcome;

    memset(signing, 0, sizeof *signing);
    outcome = token_read(sim, uri->iccid, &uri->key, 0, &content, why);
    if (outcome == OUTCOME_OK)
        outcome = objects_certificate(libctx, content.certificate, content.length,
                                      &signing->certificate, why);
    if (outcome == OUTCOME_OK && !only_certificate)
        outcome = objects_public_key(signing->certificate, &signing->public_key, &signing->key.type,
                                     &signing->key.bits, why);
    if (outcome == OUTCOME_OK && !only_certificate)
        take_name(sim, uri, &content.item, &signing->key);
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
