/* SPDX-License-Identifier: Apache-2.0 */
/* What several commands have in common: reading Type A as objects, writing files
 * whole or not at all. */
#include "apdu/outfile.h"
#include "provider/objects.h"
#include "provider/tool/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
