/* SPDX-License-Identifier: Apache-2.0 */
/* See trust.h. */
#include "provider/trust.h"
#include "provider/objects.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* No SIM has so many. */
#define CERTIFICATES_MAX 512

/* By the basic constraints (RFC 5280, 4.2.1.9), or a self-signed one of version 1. */
static bool is_ca(X509 *certificate)
{
    int kind;

    ERR_set_mark();
    kind = X509_check_ca(certificate);
    ERR_pop_to_mark();
    return kind == 1 || kind == 3;
}

/* Takes one over, if it is a CA's and not there yet. */
static enum outcome add_trusted(STACK_OF(X509) * trusted, const struct token_content *content,
                                OSSL_LIB_CTX *libctx, struct report *why)
{
    X509 *certificate = NULL;
    enum outcome outcome;

    if (content->certificate == NULL)
        return OUTCOME_OK;
    outcome = objects_certificate(libctx, content->certificate, content->length, &certificate, why);
    if (outcome == OUTCOME_BAD_DATA) {
        report_clear(why);
        return OUTCOME_OK;
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    for (int i = 0; i < sk_X509_num(trusted) && certificate != NULL; i++)
        if (X509_cmp(sk_X509_value(trusted, i), certificate) == 0) {
            X509_free(certificate);
            certificate = NULL;
        }
    if (certificate == NULL)
        return OUTCOME_OK;
    if (is_ca(certificate) && sk_X509_push(trusted, certificate) > 0)
        return OUTCOME_OK;
    outcome = is_ca(certificate) ? report_set(why, OUTCOME_SYSTEM, "out of memory") : OUTCOME_OK;
    X509_free(certificate);
    return outcome;
}

static enum outcome read_family(struct sim *sim, const struct uri *uri, enum token_applet applet,
                                OSSL_LIB_CTX *libctx, STACK_OF(X509) * trusted, struct report *why)
{
    enum outcome outcome = OUTCOME_OK;

    for (unsigned i = 0; i < CERTIFICATES_MAX && outcome == OUTCOME_OK; i++) {
        struct token_content content;

        outcome = token_certificate(sim, uri->iccid, applet, i, &content, why);
        if (outcome == OUTCOME_OK)
            outcome = add_trusted(trusted, &content, libctx, why);
        token_content_clear(&content);
    }
    if (outcome == OUTCOME_OK)
        return report_set(why, OUTCOME_BAD_DATA, "the SIM's certificates have no end");
    if (outcome != OUTCOME_NOT_FOUND)
        return outcome;
    report_clear(why);
    return OUTCOME_OK;
}

/* Of the family that is meant, else of each that the SIM has. */
static enum outcome read_families(struct sim *sim, const struct uri *uri, OSSL_LIB_CTX *libctx,
                                  STACK_OF(X509) * trusted, struct report *why)
{
    const enum token_applet configured = sim_settings(sim)->applet;
    const enum token_applet meant =
        uri->key.applet != TOKEN_APPLET_ANY ? uri->key.applet : configured;
    struct report lacks = REPORT_INIT;
    bool there = false;

    if (meant != TOKEN_APPLET_ANY)
        return read_family(sim, uri, meant, libctx, trusted, why);
    for (int applet = TOKEN_APPLET_ANY + 1; applet < TOKEN_APPLETS; applet++) {
        enum outcome outcome =
            read_family(sim, uri, (enum token_applet)applet, libctx, trusted, why);

        if (outcome != OUTCOME_OK && outcome != OUTCOME_NO_APPLET)
            return outcome;
        there = there || outcome == OUTCOME_OK;
        if (outcome != OUTCOME_OK && lacks.outcome == OUTCOME_OK)
            lacks = *why;
        report_clear(why);
    }
    if (!there)
        *why = lacks;
    return why->outcome;
}

enum outcome trust_read(struct sim *sim, const struct uri *uri, OSSL_LIB_CTX *libctx,
                        STACK_OF(X509) * *trusted, struct report *why)
{
    enum outcome outcome;

    *trusted = sk_X509_new_null();
    if (*trusted == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    outcome = read_families(sim, uri, libctx, *trusted, why);
    if (outcome == OUTCOME_OK && sk_X509_num(*trusted) > 0)
        return OUTCOME_OK;
    if (outcome == OUTCOME_OK)
        outcome = report_set(why, OUTCOME_NOT_FOUND, "this SIM has no certificate of a CA");
    sk_X509_pop_free(*trusted, X509_free);
    *trusted = NULL;
    return outcome;
}
