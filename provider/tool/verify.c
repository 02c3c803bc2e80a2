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
#include <string.h>

#define CHALLENGE_SIZE 32

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
        return signing_key_read(sim, &line->uri, NULL, false, signing, why);
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

    if (line->ca_file == NULL)
        return report_set(why, OUTCOME_USAGE,
                          "simkey verify needs the CAs that are to be trusted: --CAfile BUNDLE");
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
    signing_key_clear(&signing);
    return outcome;
}

const struct command command_verify = {
    .name = "verify",
    .operands = "signing|available",
    .purpose =
        "checks the certificate against the CAs of one file only, and that the key belongs to it",
    .options = OPTION_CAFILE | OPTION_CRL | OPTION_PURPOSE,
    .takes_uri = true,
    .run = run_verify};
