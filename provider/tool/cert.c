/* SPDX-License-Identifier: Apache-2.0 */
/* simkey cert and simkey key: certificates, key references, the Type A private key. */
#include "provider/keyref.h"
#include "provider/tool/tool.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum outcome run_cert(const struct command_line *line, struct sim *sim, struct report *why)
{
    X509 *certificate = NULL;
    struct signing_key signing;
    BIO *content = BIO_new(BIO_s_mem());
    mode_t mask = umask(0);
    enum outcome outcome;
    int written;

    (void)umask(mask);
    if ((line->given & OPTION_DER) != 0 && (line->given & OPTION_OUT) == 0 &&
        isatty(STDOUT_FILENO)) {
        BIO_free(content);
        return report_set(why, OUTCOME_USAGE,
                          "DER is not written to a terminal, where its bytes may do anything: name "
                          "a file by --out, or use a pipe");
    }
    if (content == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    if (line->uri.what == URI_SIGNING) {
        outcome = signing_key_read(sim, &line->uri, NULL, false, &signing, why);
        if (outcome == OUTCOME_OK) {
            certificate = signing.certificate;
            signing.certificate = NULL;
            signing_key_clear(&signing);
        }
    } else {
        outcome = available_certificate_read(sim, &line->uri, &certificate, why);
    }
    if (outcome != OUTCOME_OK)
        goto out;
    written = (line->given & OPTION_DER) != 0 ? i2d_X509_bio(content, certificate)
                                              : PEM_write_bio_X509(content, certificate);
    outcome = written == 1 ? output_write(line, content, 0666 & ~(unsigned)mask, why)
                           : report_set(why, OUTCOME_SYSTEM, "cannot encode the certificate");
out:
    X509_free(certificate);
    BIO_free(content);
    return outcome;
}

static enum outcome write_reference(const struct command_line *line, struct sim *sim, BIO *content,
                                    struct report *why)
{
    struct signing_key signing;
    struct keyref keyref;
    enum outcome outcome = signing_key_read(sim, &line->uri, NULL, false, &signing, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    memset(&keyref, 0, sizeof keyref);
    uri_init(&keyref.uri);
    keyref.uri.key = signing.key.name;
    keyref.public_key = signing.public_key;
    memcpy(keyref.iccid, signing.key.iccid, sizeof keyref.iccid);
    outcome = keyref_write(content, &keyref, why);
    uri_clear(&keyref.uri);
    signing_key_clear(&signing);
    return outcome;
}

static enum outcome write_private_key(const struct command_line *line, struct sim *sim,
                                      BIO *content, struct report *why)
{
    EVP_PKEY *key = NULL;
    enum outcome outcome;

    if ((line->given & OPTION_OUT) == 0)
        return report_set(why, OUTCOME_USAGE,
                          "the Type A private key is a secret: name the file for it by --out");
    outcome = available_key_read(sim, &line->uri, &key, why);
    if (outcome == OUTCOME_OK &&
        PEM_write_bio_PrivateKey(content, key, NULL, NULL, 0, NULL, NULL) != 1)
        outcome = report_set(why, OUTCOME_SYSTEM, "cannot encode the private key");
    EVP_PKEY_free(key);
    return outcome;
}

static enum outcome run_key(const struct command_line *line, struct sim *sim, struct report *why)
{
    BIO *content;
    mode_t mask = umask(0);
    unsigned mode = 0600;
    enum outcome outcome;

    (void)umask(mask);
    if (line->rewrite != NULL)
        return key_rewrite(line->rewrite, why);
    content = BIO_new(BIO_s_secmem()); /* cleansed when it is freed */
    if (content == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    if (line->uri.what == URI_SIGNING) {
        mode = 0666 & ~(unsigned)mask;
        outcome = write_reference(line, sim, content, why);
    } else {
        outcome = write_private_key(line, sim, content, why);
    }
    if (outcome == OUTCOME_OK)
        outcome = output_write(line, content, mode, why);
    BIO_free(content);
    return outcome;
}

const struct command command_cert = {.name = "cert",
                                     .operands = "signing|available",
                                     .purpose = "prints the certificate (PEM)",
                                     .options = OPTION_OUT | OPTION_DER,
                                     .takes_uri = true,
                                     .run = run_cert};

const struct command command_key = {
    .name = "key",
    .operands = "signing|available",
    .purpose = "prints a key reference (PEM, no secret in it), or writes the Type A private key",
    .options = OPTION_OUT | OPTION_REWRITE,
    .takes_uri = true,
    .run = run_key};
