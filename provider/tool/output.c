/* SPDX-License-Identifier: Apache-2.0 */
/* What several commands have in common: reading a container or Type A as objects, writing files
 * whole or not at all, the applets' names. */
#include "apdu/outfile.h"
#include "provider/objects.h"
#include "provider/tool/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t aid_mias[] = {0xA0, 0x00, 0x00, 0x00, 0x18, 0x80, 0x00,
                                   0x00, 0x00, 0x06, 0x62, 0x41, 0x51};
static const uint8_t aid_files[] = {0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x01, 0xFF,
                                    0x33, 0xFF, 0xFF, 0x89, 0x01, 0x01, 0x01, 0x00};
static const uint8_t aid_safe2[] = {0xF0, 0x70, 0x6F, 0x64, 0x67, 0x73,
                                    0x61, 0x66, 0x65, 0x32, 0x01, 0x01};

const struct known_applet known_mias = {"the mIAS applet", aid_mias, sizeof aid_mias};
const struct known_applet known_files = {"the application with the Type A files", aid_files,
                                         sizeof aid_files};
const struct known_applet known_safe2 = {"the SAFE2 applet", aid_safe2, sizeof aid_safe2};

enum outcome output_write(const struct command_line *line, BIO *content, unsigned mode,
                          struct report *why)
{
    char *data;
    long length = BIO_get_mem_data(content, &data);

    if (length < 0)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    if ((line->given & OPTION_OUT) != 0)
        return outfile_write(line->out, data, (size_t)length, mode, false, why);
    if (fwrite(data, 1, (size_t)length, stdout) != (size_t)length)
        return report_set(why, OUTCOME_SYSTEM, "cannot write to standard output: %s",
                          strerror(errno));
    return OUTCOME_OK;
}

enum outcome signing_key_read(struct sim *sim, const struct uri *uri, struct signing_key *signing,
                              struct report *why)
{
    uint8_t *der = NULL;
    size_t length;
    enum outcome outcome;

    memset(signing, 0, sizeof *signing);
    outcome = token_read(sim, uri->iccid, uri->container, &signing->info, &der, &length,
                         signing->key.iccid, why);
    if (outcome == OUTCOME_OK)
        outcome = objects_certificate(NULL, der, length, &signing->certificate, why);
    if (outcome == OUTCOME_OK)
        outcome = objects_public_key(signing->certificate, &signing->public_key, &signing->key.type,
                                     &signing->key.bits, why);
    if (outcome == OUTCOME_OK) {
        signing->key.container = uri->container;
        signing->key.key_id = uri->key_id != TOKEN_KEY_ID_NONE
                                  ? uri->key_id
                                  : token_key_id(&signing->info, signing->key.type);
    }
    free(der);
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

enum outcome available_certificate_read(struct sim *sim, const struct uri *uri, X509 **certificate,
                                        struct report *why)
{
    struct typea_blob blob = {NULL, 0};
    enum outcome outcome = typea_certificate(sim, uri->iccid, uri->store, &blob, why);

    if (outcome == OUTCOME_OK)
        outcome = objects_certificate(NULL, blob.data, blob.length, certificate, why);
    typea_blob_clear(&blob);
    return outcome;
}

enum outcome available_key_read(struct sim *sim, const struct uri *uri, EVP_PKEY **key,
                                struct report *why)
{
    struct typea_blob blob = {NULL, 0};
    enum outcome outcome = typea_key(sim, uri->iccid, uri->store, &blob, why);

    if (outcome == OUTCOME_OK)
        outcome = objects_private_key(NULL, blob.data, blob.length, key, why);
    typea_blob_clear(&blob);
    return outcome;
}
