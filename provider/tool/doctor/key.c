/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor: PIN, certificate, key, and one signature. Only the signature knows the PIN, and it
 * comes only where programs would try it too. */
#include "modem/deadline.h"
#include "provider/tool/doctor/doctor.h"
#include "provider/tool/x509.h"

#include <inttypes.h>
#include <openssl/asn1.h>
#include <stdio.h>
#include <string.h>

#define SOON_DAYS 30
#define NO_CLOCK  "20250101000000Z" /* before this was written: a clock that was never set */

/* ---- the PIN ---- */

void doctor_pin(struct doctor *doctor)
{
    static const char remedy[] = "run simkey pin verify with the right PIN, which resets the "
                                 "counter; then correct the PIN where programs have it";
    static const char remedy_refused[] =
        "correct the PIN where programs have it (a file is noticed when it changes), or run simkey "
        "pin verify with the right PIN, which clears that";
    const struct token_pin *pin = &doctor->pin;
    struct report why = REPORT_INIT;
    char tries[TOKEN_TRIES_TEXT];
    size_t refused;

    if (token_pin_status(doctor->sim, &doctor->pin, &refused, &why) != OUTCOME_OK) {
        doctor_report(doctor, &why);
    } else if (pin->blocked) {
        doctor_fail(doctor, OUTCOME_PIN_BLOCKED, "replace the SIM",
                    "the signing PIN is permanently blocked: this SIM can no longer sign");
    } else if (pin->verified) {
        doctor->found |= FOUND_TRIES;
        doctor_ok(doctor, "no PIN is needed%s",
                  doctor_by_agent(doctor) ? "" /* it does not say why */
                  : token_applet_known(doctor->sim) == TOKEN_APPLET_IOTSAFE
                      ? ": the IoT SAFE applet has none"
                      : ": it is disabled");
    } else if (pin->left < 0) {
        doctor_fail(doctor, OUTCOME_PIN_PROTECTED, remedy, "%s: programs do not try the PIN",
                    token_tries_text(pin, tries));
    } else if (pin->left < PIN_SOFTWARE_TRIES) {
        doctor_fail(doctor, OUTCOME_PIN_PROTECTED, remedy,
                    "%s: a wrong PIN was tried, and programs try none while fewer than %d are left",
                    token_tries_text(pin, tries), PIN_SOFTWARE_TRIES);
    } else if (refused > 0) {
        doctor->found |= FOUND_TRIES;
        doctor_warn(doctor, remedy_refused,
                    "%s, but this SIM refused the PIN of %zu %s before, or its answer "
                    "never came: programs do not try that again",
                    token_tries_text(pin, tries), refused, refused == 1 ? "source" : "sources");
    } else {
        doctor->found |= FOUND_TRIES;
        doctor_ok(doctor, "%s", token_tries_text(pin, tries));
    }
}

/* ---- the certificate ---- */

/* The first key with a certificate, or the one that FILE is for; the list is in their order. */
static enum outcome read_key(struct doctor *doctor, struct token_name *name, struct report *why)
{
    struct token_item list[TOKEN_ITEMS];
    size_t count, certificates = 0;
    struct uri uri;
    enum outcome outcome = token_list(doctor->sim, list, &count, why);

    for (size_t i = 0; i < count && outcome == OUTCOME_OK; i++) {
        if (!list[i].certificate || list[i].empty || list[i].no_signing)
            continue;
        certificates++;
        uri_init(&uri);
        uri.key = *name = list[i].name;
        outcome = signing_key_read(doctor->sim, &uri, NULL, SIGNING_BOTH, &doctor->signing, why);
        if (outcome == OUTCOME_OK &&
            (doctor->expected == NULL ||
             EVP_PKEY_eq(doctor->signing.public_key, doctor->expected) == 1))
            return OUTCOME_OK;
        if (outcome == OUTCOME_OK)
            signing_key_clear(&doctor->signing);
        else if (doctor->expected != NULL &&
                 (outcome == OUTCOME_BAD_DATA || outcome == OUTCOME_UNSUPPORTED))
            outcome = OUTCOME_OK; /* it is not that one */
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    if (certificates > 0)
        return report_set(why, OUTCOME_WRONG_SIM,
                          "no key in this SIM is the one of %s: no PIN is tried on it",
                          doctor->line->operands[0]);
    return report_set(why, OUTCOME_NOT_FOUND, "none of the %zu keys has a certificate", count);
}

/* Days from the clock's now to a time; false if that cannot be told. 30 years do not fit into a
 * 32-bit time_t, so none is used. */
static bool days_until(const ASN1_TIME *time, int *days)
{
    int seconds;

    if (ASN1_TIME_diff(days, &seconds, NULL, time) != 1)
        return false;
    if (*days == 0 && seconds < 0)
        *days = -1;
    return true;
}

static bool clock_is_set(void)
{
    ASN1_TIME *known = ASN1_TIME_new();
    int days;
    bool set = known == NULL || ASN1_TIME_set_string(known, NO_CLOCK) != 1 ||
               !days_until(known, &days) || days <= 0;

    ASN1_TIME_free(known);
    return set;
}

static void print_date(const ASN1_TIME *time, char *text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int length = 0;

    if (bio != NULL && ASN1_TIME_print(bio, time) == 1)
        length = BIO_read(bio, text, (int)size - 1);
    text[length > 0 ? length : 0] = '\0';
    BIO_free(bio);
}

void doctor_subject(const X509 *certificate, char *text, size_t size)
{
    x509_name(X509_get_subject_name(certificate), text, size);
}

static void judge_dates(struct doctor *doctor, const char *key, const char *subject)
{
    const X509 *certificate = doctor->signing.certificate;
    const ASN1_TIME *begin = X509_get0_notBefore(certificate);
    const ASN1_TIME *end = X509_get0_notAfter(certificate);
    char first[40], last[40];
    int to_begin, to_end;

    print_date(begin, first, sizeof first);
    print_date(end, last, sizeof last);
    if (!days_until(begin, &to_begin) || !days_until(end, &to_end))
        doctor_fail(doctor, OUTCOME_BAD_DATA, "ask the SIM's supplier",
                    "%s: %s has no readable dates", key, subject);
    else if (!clock_is_set())
        doctor_warn(doctor,
                    "set the clock (timedatectl, a time server, AT+CCLK?): TLS judges certificates "
                    "by it",
                    "%s: %s, from %s until %s; but this machine's clock was never set", key,
                    subject, first, last);
    else if (to_begin > 0)
        doctor_fail(doctor, OUTCOME_VERIFY_FAILED, "see whether this machine's clock is right",
                    "%s: %s is not valid before %s", key, subject, first);
    else if (to_end < 0)
        doctor_fail(
            doctor, OUTCOME_VERIFY_FAILED,
            "see whether this machine's clock is right; else ask for a new SIM, or let your "
            "own CA issue a certificate for the SIM's key (configs/README.md)",
            "%s: %s expired on %s", key, subject, last);
    else if (to_end < SOON_DAYS)
        doctor_warn(doctor, "ask for a new SIM, or let your own CA issue a certificate for the key",
                    "%s: %s expires on %s", key, subject, last);
    else
        doctor_ok(doctor, "%s: %s, until %s", key, subject, last);
}

void doctor_certificate(struct doctor *doctor)
{
    struct report why = REPORT_INIT;
    struct token_name key;
    char subject[256], name[TOKEN_NAME_TEXT];

    if (read_key(doctor, &key, &why) == OUTCOME_OK) {
        doctor->found |= FOUND_CERTIFICATE;
        doctor_subject(doctor->signing.certificate, subject, sizeof subject);
        judge_dates(doctor, token_name_text(&key, name), subject);
    } else if (why.outcome == OUTCOME_WRONG_SIM) {
        doctor_fail(doctor, why.outcome, DOCTOR_REPLACED, "%s", why.text);
    } else if (doctor_by_agent(doctor) &&
               strstr(why.text, "may not do that") != NULL) { /* refuse_use of the agent */
        doctor_warn(
            doctor,
            "where simkey doctor is to look further, add `read` to this user's `allow` line",
            "%s; for programs that have certificate and key reference in files `sign` will "
            "do",
            why.text);
    } else {
        doctor_report(doctor, &why);
    }
}

/* ---- the key ---- */

/* Whether the applet takes the key for a signature that TLS 1.3 wants. */
static bool does_tls13(uint64_t algorithms)
{
    for (int scheme = 0; scheme < TOKEN_SCHEMES; scheme++)
        for (int hash = TOKEN_HASH_NONE; hash < TOKEN_HASHES; hash++)
            if ((algorithms & TOKEN_ALGORITHM(scheme, hash)) != 0 &&
                token_scheme_tls13((enum token_scheme)scheme))
                return true;
    return false;
}

void doctor_key(struct doctor *doctor)
{
    const struct token_key *key = &doctor->signing.key;
    const char *type = token_type_name(key->type);
    struct report why = REPORT_INIT;
    uint64_t algorithms = 0;
    char id[2 * TOKEN_ID_MAX + 1] = "";

    for (size_t i = 0; i < key->name.id_length; i++)
        (void)snprintf(id + 2 * i, 3, "%02X", key->name.id[i]);
    if (token_algorithms(doctor->sim, key, &algorithms, &why) != OUTCOME_OK) {
        doctor_report(doctor, &why);
        return;
    }
    if (algorithms == 0) {
        doctor_fail(
            doctor, OUTCOME_NOT_FOUND,
            "if the rule fails for this SIM, name the applet's key reference: "
            "sim:signing;key-id=HEX",
            "the applet accepts no algorithm for key %s, which belongs to this container by rule",
            id);
        return;
    }
    doctor->found |= FOUND_KEY;
    if (does_tls13(algorithms))
        doctor_ok(doctor, "%s, %u bits, key id %s", type, key->bits, id);
    else
        doctor_warn(doctor,
                    "see configs/README.md, \"RSA keys in cards without PSS\": TLS 1.2 works",
                    "%s, %u bits, key id %s; this SIM does no PSS with it, so no TLS 1.3", type,
                    key->bits, id);
}

/* ---- the signature ---- */

void doctor_signature(struct doctor *doctor)
{
    struct sim *sim = NULL; /* the only one that has the PIN */
    struct report why = REPORT_INIT;
    int64_t start = monotonic_ms();
    enum outcome outcome;

    if (!doctor->pin_set && !doctor->pin.verified) {
        doctor_skip(doctor, "set `pin-source`, then run simkey doctor again",
                    "no PIN is configured: nothing was signed");
        return;
    }
    outcome = sim_new(&sim, &doctor->settings, &why);
    if (outcome == OUTCOME_OK)
        outcome = signing_key_challenge(sim, &doctor->signing, &why);
    if (outcome == OUTCOME_OK)
        doctor_ok(doctor, "the SIM signed, and the signature verifies (%" PRId64 " ms)",
                  monotonic_ms() - start);
    else if (outcome == OUTCOME_PIN_WRONG)
        doctor_fail(doctor, outcome,
                    "write the right PIN to where it is configured, then run simkey pin verify",
                    "%s", why.text);
    else if (outcome == OUTCOME_VERIFY_FAILED)
        doctor_fail(doctor, outcome,
                    "certificate and key do not belong together: name the key by "
                    "sim:signing;key-id=HEX, or ask the SIM's supplier",
                    "%s", why.text);
    else
        doctor_report(doctor, &why);
    sim_free(sim);
}
