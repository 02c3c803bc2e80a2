/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor FILE: a key reference, a certificate or a sim: URI, which programs use and which may be
 * of another SIM than the one in the modem. */
#include "provider/keyref.h"
#include "provider/tool/doctor/doctor.h"
#include "provider/tool/input.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_SIZE_MAX 1048576 /* with certificates beside it */

static enum outcome take_reference(struct doctor *doctor, const unsigned char *der, long length,
                                   struct report *why)
{
    struct keyref keyref;
    enum outcome outcome = keyref_read(&keyref, der, (size_t)length, NULL, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    memcpy(doctor->wanted, keyref.iccid[0] != '\0' ? keyref.iccid : keyref.uri.iccid, ICCID_SIZE);
    if (keyref.public_key != NULL && EVP_PKEY_up_ref(keyref.public_key) == 1)
        doctor->expected = keyref.public_key;
    keyref_clear(&keyref);
    return OUTCOME_OK;
}

static enum outcome take_certificate(struct doctor *doctor, const unsigned char *der, long length,
                                     const char *path, struct report *why)
{
    X509 *certificate = d2i_X509(NULL, &der, length);

    if (certificate != NULL)
        doctor->expected = X509_get_pubkey(certificate);
    X509_free(certificate);
    return doctor->expected != NULL
               ? OUTCOME_OK
               : report_set(why, OUTCOME_USAGE, "the certificate in %s cannot be decoded", path);
}

static enum outcome nothing_found(const char *text, const char *path, struct report *why)
{
    if (strstr(text, "-----BEGIN " KEYREF_PEM_LABEL) != NULL)
        return report_set(why, OUTCOME_USAGE,
                          "the key reference in %s is cut off or damaged: export it again with "
                          "`simkey key signing`",
                          path);
    return report_set(why, OUTCOME_USAGE,
                      "%s is neither a key reference (`simkey key`) nor a certificate nor "
                      "a sim: URI",
                      path);
}

/* Takes the first key reference or certificate. Other blocks may be private keys: they are cleansed. */
static enum outcome take_block(struct doctor *doctor, BIO *in, const char *text, const char *path,
                               struct report *why)
{
    char *label = NULL, *header = NULL;
    unsigned char *der = NULL;
    long length = 0;
    enum outcome outcome = OUTCOME_USAGE;
    bool found = false;

    while (!found && PEM_read_bio(in, &label, &header, &der, &length) == 1) {
        found = true;
        if (strcmp(label, KEYREF_PEM_LABEL) == 0)
            outcome = take_reference(doctor, der, length, why);
        else if (strcmp(label, PEM_STRING_X509) == 0 || strcmp(label, PEM_STRING_X509_OLD) == 0)
            outcome = take_certificate(doctor, der, length, path, why);
        else
            found = false;
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)length);
    }
    return found ? outcome : nothing_found(text, path, why);
}

static enum outcome read_file(struct doctor *doctor, const char *path, struct report *why)
{
    char *text = NULL;
    size_t length;
    BIO *in;
    enum outcome outcome = input_read(path, FILE_SIZE_MAX, &text, &length, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    in = BIO_new_mem_buf(text, (int)length);
    outcome = in != NULL ? take_block(doctor, in, text, path, why)
                         : report_set(why, OUTCOME_SYSTEM, "out of memory");
    BIO_free(in);
    OPENSSL_cleanse(text, length);
    free(text);
    ERR_clear_error();
    return outcome;
}

enum outcome doctor_file(struct doctor *doctor, struct report *why)
{
    const struct command_line *line = doctor->line;
    const char *what = line->operand_count > 0 ? line->operands[0] : NULL;
    struct uri uri;
    enum outcome outcome;

    if (line->operand_count > 1)
        return report_set(why, OUTCOME_USAGE, "simkey doctor takes one FILE, not \"%s\" too",
                          line->operands[1]);
    if (what == NULL)
        return OUTCOME_OK;
    if (strncasecmp(what, "sim:", 4) != 0)
        return read_file(doctor, what, why);
    outcome = uri_parse(&uri, what, why);
    if (outcome == OUTCOME_OK) {
        memcpy(doctor->wanted, uri.iccid, ICCID_SIZE);
        uri_clear(&uri);
    }
    return outcome;
}
