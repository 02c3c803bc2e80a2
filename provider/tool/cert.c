/* SPDX-License-Identifier: Apache-2.0 */
/* simkey cert and simkey key: certificates, key references, the Type A private key. */
#include "provider/keyref.h"
#include "provider/tool/tool.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdlib.h>
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
        outcome = signing_key_read(sim, &line->uri, NULL, SIGNING_BOTH, &signing, why);
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

enum outcome key_reference(const struct signing_key *signing, BIO *content, struct report *why)
{
    struct keyref keyref = {.public_key = signing->public_key};
    enum outcome outcome;

    uri_init(&keyref.uri);
    keyref.uri.key = signing->key.name;
    memcpy(keyref.iccid, signing->key.iccid, sizeof keyref.iccid);
    outcome = keyref_write(content, &keyref, why);
    uri_clear(&keyref.uri);
    return outcome;
}

static enum outcome write_reference(const struct command_line *line, struct sim *sim, BIO *content,
                                    struct report *why)
{
    struct signing_key signing;
    enum outcome outcome = signing_key_read(sim, &line->uri, NULL, SIGNING_KEY, &signing, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = key_reference(&signing, content, why);
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

/* --mode: the permissions of a new file, as chmod(1) takes them in octal. */
static enum outcome read_mode(const struct command_line *line, unsigned *mode, struct report *why)
{
    char *end;
    unsigned long given = strtoul(line->mode, &end, 8);

    if (line->mode[0] < '0' || line->mode[0] > '7' || *end != '\0' || given > 0777 ||
        (given & 0400) == 0)
        return report_set(why, OUTCOME_USAGE,
                          "--mode is a file's mode in octal that lets its owner read it, such as "
                          "0600");
    if ((line->given & OPTION_OUT) == 0)
        return report_set(why, OUTCOME_USAGE, "--mode is the mode of the file that --out names");
    if (line->uri.what != URI_SIGNING && (given & 077) != 0)
        return report_set(why, OUTCOME_USAGE,
                          "the Type A private key is a secret: its file is for its owner alone");
    *mode = (unsigned)given;
    return OUTCOME_OK;
}

static enum outcome run_key(const struct command_line *line, struct sim *sim, struct report *why)
{
    BIO *content;
    mode_t mask = umask(0);
    unsigned mode = 0600;
    enum outcome outcome;

    (void)umask(mask);
    if (line->rewrite != NULL && line->mode != NULL)
        return report_set(why, OUTCOME_USAGE, "--rewrite keeps the file's mode: leave out --mode");
    if (line->rewrite != NULL)
        return key_rewrite(line->rewrite, why);
    if (line->uri.what == URI_SIGNING)
        mode = 0666 & ~(unsigned)mask;
    if (line->mode != NULL && read_mode(line, &mode, why) != OUTCOME_OK)
        return why->outcome;
    content = BIO_new(BIO_s_secmem()); /* cleansed when it is freed */
    if (content == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    outcome = line->uri.what == URI_SIGNING ? write_reference(line, sim, content, why)
                                            : write_private_key(line, sim, content, why);
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
    .options = OPTION_OUT | OPTION_MODE | OPTION_REWRITE,
    .takes_uri = true,
    .run = run_key};
