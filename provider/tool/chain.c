/* SPDX-License-Identifier: Apache-2.0 */
/* Chains as `openssl verify -CApath /dev/null -CAfile BUNDLE` judges them, with all reasons at once
 * and in words. Where the certificate comes from, and whose its key is, is not known here. */
#include "provider/tool/chain.h"
#include "provider/tool/input.h"
#include "provider/tool/x509.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAS_MAX     ((size_t)16 << 20) /* all CAs of a browser have 250 kB */
#define CRLS_MAX    ((size_t)64 << 20) /* the largest CRLs in the field have some 30 MB */
#define OBJECTS_MAX 2000               /* certificates and CRLs of one file */

/* What the callback needs: the user's names of things, and where the reasons go. */
struct judging {
    const char *bundle, *crl, *purpose;
    struct chain_result *result;
};

/* ---- the files ---- */

/* Encrypted PEM has no place here: nobody is asked on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

static enum outcome parse_pem(const char *name, const char *text, size_t length,
                              STACK_OF(X509_INFO) * *list, struct report *why)
{
    BIO *in = length <= INT_MAX ? BIO_new_mem_buf(text, (int)length) : NULL;
    const char *reason;

    *list = NULL;
    if (in == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory for %s", name);
    ERR_set_mark();
    *list = PEM_X509_INFO_read_bio(in, NULL, no_passphrase, NULL);
    reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_pop_to_mark();
    BIO_free(in);
    if (*list == NULL)
        return report_set(why, OUTCOME_USAGE, "%s is damaged: %s", name,
                          reason != NULL ? reason : "it cannot be read");
    if (sk_X509_INFO_num(*list) <= OBJECTS_MAX)
        return OUTCOME_OK;
    sk_X509_INFO_pop_free(*list, X509_INFO_free);
    *list = NULL;
    return report_set(why, OUTCOME_USAGE,
                      "%s has more than %d objects: leave only those in it that the SIM's chain "
                      "needs",
                      name, OBJECTS_MAX);
}

/* Self-signed certificates are trusted, the others wait for being needed. CRLs are welcome. */
static bool take(const X509_INFO *info, X509_STORE *store, STACK_OF(X509) * others)
{
    if (info->crl != NULL && X509_STORE_add_crl(store, info->crl) != 1)
        return false;
    if (info->x509 == NULL)
        return true;
    if (X509_self_signed(info->x509, 0) == 1)
        return X509_STORE_add_cert(store, info->x509) == 1;
    if (X509_up_ref(info->x509) != 1)
        return false;
    if (sk_X509_push(others, info->x509) > 0)
        return true;
    X509_free(info->x509);
    return false;
}

enum outcome chain_take(const char *name, const char *text, size_t length, bool crl,
                        X509_STORE *store, STACK_OF(X509) * others, struct report *why)
{
    STACK_OF(X509_INFO) *list = NULL;
    enum outcome outcome = parse_pem(name, text, length, &list, why);
    int wanted = 0;

    for (int i = 0; i < sk_X509_INFO_num(list) && outcome == OUTCOME_OK; i++) {
        X509_INFO *info = sk_X509_INFO_value(list, i);

        wanted += crl ? info->crl != NULL : info->x509 != NULL;
        if (crl && info->x509 != NULL)
            continue; /* nobody becomes trusted by a file of CRLs */
        if (!take(info, store, others))
            outcome = report_set(why, OUTCOME_SYSTEM, "out of memory");
    }
    if (outcome == OUTCOME_OK && wanted == 0)
        outcome = report_set(why, OUTCOME_USAGE,
                             "%s has no %s in it: PEM is wanted (DER: openssl %s -inform DER)",
                             name, crl ? "CRL" : "certificate", crl ? "crl" : "x509");
    sk_X509_INFO_pop_free(list, X509_INFO_free);
    return outcome;
}

static enum outcome load(const char *path, bool crl, X509_STORE *store, STACK_OF(X509) * others,
                         struct report *why)
{
    char *text;
    size_t length;
    enum outcome outcome = input_read(path, crl ? CRLS_MAX : CAS_MAX, &text, &length, why);

    if (outcome == OUTCOME_OK)
        outcome = chain_take(path, text, length, crl, store, others, why);
    free(text);
    return outcome;
}

/* ---- reasons ---- */

static void say(struct chain_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Each reason once. */
static void say(struct chain_result *result, const char *format, ...)
{
    char text[REPORT_TEXT_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t i = 0; i < result->count; i++)
        if (strcmp(result->reasons[i], text) == 0)
            return;
    if (result->count < CHAIN_REASONS)
        memcpy(result->reasons[result->count++], text, sizeof text);
}

static void say_revoked(X509_STORE_CTX *ctx, const X509 *certificate, const char *subject,
                        struct chain_result *result)
{
    const X509_CRL *crl = X509_STORE_CTX_get0_current_crl(ctx);
    X509_REVOKED *entry = NULL;
    char date[DATE_SIZE];

    /* 3.0's header lacks the consts. */
    if (crl != NULL && X509_CRL_get0_by_cert((X509_CRL *)crl, &entry, (X509 *)certificate) == 1) {
        x509_date(X509_REVOKED_get0_revocationDate(entry), date);
        say(result, "revoked: %s, on %s", subject, date);
    } else {
        say(result, "revoked: %s", subject);
    }
}

/* What is wrong with a CRL; false if the error is not of that kind. */
static bool say_crl(const struct judging *judging, int error, const char *issuer)
{
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        say(judging->result, "no CRL for the issuer: %s has none of %s", judging->crl, issuer);
        return true;
    case X509_V_ERR_CRL_HAS_EXPIRED:
        say(judging->result, "the CRL of %s is out of date: fetch a new one", issuer);
        return true;
    case X509_V_ERR_CRL_NOT_YET_VALID:
        say(judging->result, "the CRL of %s is not yet valid: is this machine's clock right?",
            issuer);
        return true;
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
        say(judging->result, "the CRL of %s has a bad signature", issuer);
        return true;
    default:
        return false;
    }
}

static bool say_date(struct chain_result *result, int error, const X509 *certificate,
                     const char *subject)
{
    char date[DATE_SIZE];

    switch (error) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
        x509_date(X509_get0_notBefore(certificate), date);
        say(result, "not yet valid: %s begins on %s; is this machine's clock right?", subject,
            date);
        return true;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        x509_date(X509_get0_notAfter(certificate), date);
        say(result, "expired: %s ended on %s", subject, date);
        return true;
    default:
        return false;
    }
}

static void say_error(X509_STORE_CTX *ctx, const struct judging *judging, int error,
                      const X509 *certificate)
{
    struct chain_result *result = judging->result;
    char subject[NAME_SIZE], issuer[NAME_SIZE];

    x509_name(X509_get_subject_name(certificate), subject, sizeof subject);
    x509_name(X509_get_issuer_name(certificate), issuer, sizeof issuer);
    if (say_crl(judging, error, issuer) || say_date(result, error, certificate, subject))
        return;
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        say(result, "unknown issuer: %s has no certificate of %s, which issued %s", judging->bundle,
            issuer, subject);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        say(result, "unknown issuer: %s signed itself and is not in %s", subject, judging->bundle);
        break;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
        say(result, "bad signature: %s was not signed by the key of %s that is in %s", subject,
            issuer, judging->bundle);
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        say(result, "wrong purpose: %s is not for TLS %ss", subject, judging->purpose);
        break;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
        say(result, "%s is not a CA and must not issue certificates", subject);
        break;
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        say(result, "the chain has more CAs below %s than that allows", subject);
        break;
    case X509_V_ERR_CERT_REVOKED:
        say_revoked(ctx, certificate, subject, result);
        break;
    default:
        say(result, "%s: %s", subject, X509_verify_cert_error_string(error));
    }
}

/* Goes on after each error, to tell all of them: what counts are the reasons. */
static int note(int ok, X509_STORE_CTX *ctx)
{
    const struct judging *judging = X509_STORE_CTX_get_app_data(ctx);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);

    if (ok == 1)
        return 1;
    if (certificate == NULL) {
        say(judging->result, "%s", X509_verify_cert_error_string(error));
        return 0;
    }
    say_error(ctx, judging, error, certificate);
    return error != X509_V_ERR_OUT_OF_MEM && error != X509_V_ERR_UNSPECIFIED;
}

/* ---- the chain ---- */

static void print_path(X509_STORE_CTX *ctx, struct chain_result *result)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
    size_t used = 0;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        char name[NAME_SIZE];
        int length;

        x509_name(X509_get_subject_name(sk_X509_value(chain, i)), name, sizeof name);
        length = snprintf(result->path + used, sizeof result->path - used, "%s%s",
                          i > 0 ? " <- " : "", name);
        if (length < 0 || (size_t)length >= sizeof result->path - used)
            break;
        used += (size_t)length;
    }
}

static enum outcome judge(X509 *certificate, X509_STORE *store, STACK_OF(X509) * others,
                          struct judging *judging, struct report *why)
{
    struct chain_result *result = judging->result;
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    enum outcome outcome = OUTCOME_OK;

    ERR_set_mark();
    if (ctx == NULL || X509_STORE_CTX_init(ctx, store, certificate, others) != 1 ||
        X509_STORE_CTX_set_app_data(ctx, judging) != 1) {
        outcome = report_set(why, OUTCOME_SYSTEM, "out of memory");
        goto out;
    }
    X509_STORE_CTX_set_verify_cb(ctx, note);
    if (X509_verify_cert(ctx) != 1 && result->count == 0)
        say(result, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    print_path(ctx, result);
    if (result->count > 0)
        outcome = report_set(why, OUTCOME_VERIFY_FAILED, "%s", result->reasons[0]);
out:
    ERR_pop_to_mark();
    X509_STORE_CTX_free(ctx);
    return outcome;
}

static enum outcome purpose_id(const char *name, int *id, struct report *why)
{
    static const struct {
        const char *name;
        int id;
    } known[] = {
        {"client", X509_PURPOSE_SSL_CLIENT}, {"server", X509_PURPOSE_SSL_SERVER}, {"any", 0}};

    *id = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0] && name != NULL; i++)
        if (strcmp(known[i].name, name) == 0) {
            *id = known[i].id;
            return OUTCOME_OK;
        }
    return name == NULL ? OUTCOME_OK
                        : report_set(why, OUTCOME_USAGE,
                                     "--purpose is client, server or any, not \"%s\"", name);
}

enum outcome chain_verify(X509 *certificate, const char *bundle, const char *crl,
                          const char *purpose, struct chain_result *result, struct report *why)
{
    X509_STORE *store = X509_STORE_new(); /* without any default paths */
    STACK_OF(X509) *others = sk_X509_new_null();
    struct judging judging;
    enum outcome outcome;
    int id;

    memset(result, 0, sizeof *result);
    judging = (struct judging){bundle, crl, purpose, result};
    outcome = purpose_id(purpose, &id, why);
    if (outcome == OUTCOME_OK && (store == NULL || others == NULL))
        outcome = report_set(why, OUTCOME_SYSTEM, "out of memory");
    if (outcome == OUTCOME_OK)
        outcome = load(bundle, false, store, others, why);
    if (outcome == OUTCOME_OK && crl != NULL)
        outcome = load(crl, true, store, others, why);
    if (outcome == OUTCOME_OK &&
        ((id != 0 && X509_STORE_set_purpose(store, id) != 1) ||
         (crl != NULL &&
          X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1)))
        outcome = report_set(why, OUTCOME_SYSTEM, "OpenSSL refuses the settings of a chain");
    if (outcome == OUTCOME_OK)
        outcome = judge(certificate, store, others, &judging, why);
    sk_X509_pop_free(others, X509_free);
    X509_STORE_free(store);
    return outcome;
}
