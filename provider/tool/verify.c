/* SPDX-License-Identifier: Apache-2.0 */
/* simkey verify: is the certificate in the SIM one of these CAs', and is its key in this SIM? The
 * chain is judged in chain.c. */
#include "modem/text.h"
#include "provider/objects.h"
#include "provider/tool/chain.h"
#include "provider/tool/tool.h"
#include "provider/tool/x509.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHALLENGE_SIZE 32
#define DAYS_MAX       36500

static void tell(const char *result, const char *step, const char *text)
{
    terminal_make_room();
    text_line(stdout, "%-8s %-12s %s", result, step, text);
    (void)fflush(stdout); /* the SIM may take its time for the next one */
}

static void tell_certificate(const X509 *certificate)
{
    char subject[NAME_SIZE], begin[DATE_SIZE], end[DATE_SIZE];
    char text[NAME_SIZE + 2 * DATE_SIZE + 16];

    x509_name(X509_get_subject_name(certificate), subject, sizeof subject);
    x509_date(X509_get0_notBefore(certificate), begin);
    x509_date(X509_get0_notAfter(certificate), end);
    (void)snprintf(text, sizeof text, "%s, %s to %s", subject, begin, end);
    tell("ok", "certificate", text);
}

/* --warn: days, 1 to 36500. 0 where it is not given. */
static enum outcome read_days(const struct command_line *line, int *days, struct report *why)
{
    char *end;
    long given;

    *days = 0;
    if (line->warn == NULL)
        return OUTCOME_OK;
    given = strtol(line->warn, &end, 10);
    if (line->warn[0] < '0' || line->warn[0] > '9' || *end != '\0' || given < 1 || given > DAYS_MAX)
        return report_set(why, OUTCOME_USAGE, "--warn is a number of days, 1 to %d", DAYS_MAX);
    *days = (int)given;
    return OUTCOME_OK;
}

/* Whether the certificate ends within so many days: for a timer that tells in time. No time_t: 32 bits
 * end in 2038. */
static enum outcome judge_end(const X509 *certificate, int days, struct report *why)
{
    const ASN1_TIME *end = X509_get0_notAfter(certificate);
    int left = 0, seconds = 0;
    char date[DATE_SIZE];

    if (days == 0)
        return OUTCOME_OK;
    x509_date(end, date);
    if (ASN1_TIME_diff(&left, &seconds, NULL, end) != 1)
        return report_set(why, OUTCOME_VERIFY_FAILED, "the certificate's end is not a date");
    if (left < days || (left == days && seconds <= 0)) {
        (void)report_set(why, OUTCOME_VERIFY_FAILED,
                         "the certificate ends on %s, in %d days: ask for a new SIM, or let a CA "
                         "of your own issue one for the SIM's key",
                         date, left);
        tell("failure", "end", why->text);
        return why->outcome;
    }
    return OUTCOME_OK;
}

static enum outcome judge_chain(const struct command_line *line, X509 *certificate,
                                struct report *why)
{
    struct chain_result result;
    enum outcome outcome =
        chain_verify(certificate, line->ca_file, line->crl, line->purpose, &result, why);

    if (outcome == OUTCOME_OK)
        tell("ok", "chain", result.path);
    for (size_t i = 0; i < result.count; i++)
        tell("failure", "chain", result.reasons[i]);
    return outcome;
}

/* The Type A key signs a challenge, and is the one that the certificate is for. */
static enum outcome prove_available(EVP_PKEY *key, EVP_PKEY *public_key, struct report *why)
{
    uint8_t challenge[CHALLENGE_SIZE], signature[TOKEN_SIGNATURE_MAX];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t length = sizeof signature;
    bool proven = false;

    ERR_set_mark();
    if (ctx != NULL && RAND_bytes(challenge, sizeof challenge) == 1 &&
        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(ctx, signature, &length, challenge, sizeof challenge) == 1 &&
        EVP_MD_CTX_reset(ctx) == 1 &&
        EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, public_key) == 1)
        proven = EVP_DigestVerify(ctx, signature, length, challenge, sizeof challenge) == 1 &&
                 EVP_PKEY_eq(key, public_key) == 1;
    ERR_pop_to_mark();
    EVP_MD_CTX_free(ctx);
    if (proven)
        return OUTCOME_OK;
    return report_set(why, OUTCOME_VERIFY_FAILED,
                      "key and certificate do not belong together: the certificate is for another "
                      "key than the one in the SIM");
}

/* The applet's refusal for a certificate of another type of key is the same news: the SIM has no
 * such key. */
static enum outcome name_mismatch(struct report *why)
{
    char text[REPORT_TEXT_SIZE];

    (void)snprintf(text, sizeof text, "%.300s", why->text);
    return report_set(why, OUTCOME_VERIFY_FAILED,
                      "key and certificate do not belong together: the certificate may be another "
                      "SIM's (%s)",
                      text);
}

static enum outcome prove_signing(struct sim *sim, const struct signing_key *signing,
                                  struct report *why)
{
    enum outcome outcome = signing_key_challenge(sim, signing, why);

    if (outcome == OUTCOME_VERIFY_FAILED || outcome == OUTCOME_NOT_FOUND)
        return name_mismatch(why);
    return outcome;
}

static enum outcome judge_possession(const struct command_line *line, struct sim *sim,
                                     const struct signing_key *signing, struct report *why)
{
    bool in_sim = line->uri.what == URI_SIGNING;
    EVP_PKEY *key = NULL;
    enum outcome outcome;

    if (in_sim) {
        outcome = prove_signing(sim, signing, why);
    } else {
        outcome = available_key_read(sim, &line->uri, &key, why);
        if (outcome == OUTCOME_OK)
            outcome = prove_available(key, signing->public_key, why);
        EVP_PKEY_free(key);
    }
    if (outcome == OUTCOME_OK)
        tell("ok", "possession",
             in_sim ? "the SIM signed a fresh challenge with the certificate's key"
                    : "the Type A key signed a fresh challenge and is the certificate's key");
    else
        tell("failure", "possession", why->text);
    return outcome;
}

static enum outcome read_certificate(const struct command_line *line, struct sim *sim,
                                     struct signing_key *signing, struct report *why)
{
    enum outcome outcome;

    memset(signing, 0, sizeof *signing);
    if (line->uri.what == URI_SIGNING)
        return signing_key_read(sim, &line->uri, NULL, SIGNING_BOTH, signing, why);
    outcome = available_certificate_read(sim, &line->uri, &signing->certificate, why);
    if (outcome == OUTCOME_OK)
        outcome = objects_public_key(signing->certificate, &signing->public_key, NULL, NULL, why);
    if (outcome != OUTCOME_OK)
        signing_key_clear(signing);
    return outcome;
}

static enum outcome run_verify(const struct command_line *line, struct sim *sim, struct report *why)
{
    struct report proof = REPORT_INIT;
    struct signing_key signing;
    enum outcome outcome;
    int days;

    if (line->ca_file == NULL)
        return report_set(why, OUTCOME_USAGE,
                          "simkey verify needs the CAs that are to be trusted: --CAfile BUNDLE");
    outcome = read_days(line, &days, why);
    if (outcome == OUTCOME_OK)
        outcome = read_certificate(line, sim, &signing, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    tell_certificate(signing.certificate);
    outcome = judge_chain(line, signing.certificate, why);
    /* both are told; what the chain says goes before what the key says */
    if (outcome == OUTCOME_OK)
        outcome = judge_possession(line, sim, &signing, why);
    else if (outcome == OUTCOME_VERIFY_FAILED)
        (void)judge_possession(line, sim, &signing, &proof);
    if (outcome == OUTCOME_OK)
        outcome = judge_end(signing.certificate, days, why);
    signing_key_clear(&signing);
    return outcome;
}

const struct command command_verify = {
    .name = "verify",
    .operands = "signing|available",
    .purpose =
        "checks the certificate against the CAs of one file only, and that the key belongs to it",
    .options = OPTION_CAFILE | OPTION_CRL | OPTION_PURPOSE | OPTION_WARN,
    .takes_uri = true,
    .run = run_verify};
