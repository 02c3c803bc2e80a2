/* SPDX-License-Identifier: Apache-2.0 */
/* What cert and key have in common: reading a container as objects, and writing files whole or not
 * at all. */
#include "provider/cmd.h"
#include "provider/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum outcome failed(const char *path, struct report *why)
{
    return report_set(why, OUTCOME_SYSTEM, "cannot write %s: %s", path, strerror(errno));
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        length -= (size_t)written;
    }
    return true;
}

/* Into a new file beside the old one, which it then replaces. */
static enum outcome replace(const char *path, const char *data, size_t length, unsigned mode,
                            struct report *why)
{
    char temporary[PATH_MAX];
    int fd = -1;
    bool ok;

    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary)
        return report_set(why, OUTCOME_USAGE, "the path in --out is too long");
    fd = mkostemp(temporary, O_CLOEXEC); /* made with mode 0600 */
    if (fd < 0)
        return failed(path, why);
    ok = write_all(fd, data, length) && fchmod(fd, (mode_t)mode) == 0 && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (ok && rename(temporary, path) == 0)
        return OUTCOME_OK;
    (void)failed(path, why);
    (void)unlink(temporary);
    return why->outcome;
}

enum outcome output_write(const struct command_line *line, BIO *content, unsigned mode,
                          struct report *why)
{
    char *data;
    long length = BIO_get_mem_data(content, &data);
    struct stat there;
    int fd;
    bool ok;

    if (length < 0)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    if ((line->given & OPTION_OUT) == 0) {
        if (fwrite(data, 1, (size_t)length, stdout) != (size_t)length)
            return failed("to standard output", why);
        return OUTCOME_OK;
    }
    if (stat(line->out, &there) != 0 || S_ISREG(there.st_mode))
        return replace(line->out, data, (size_t)length, mode, why);
    /* a pipe or a device cannot be replaced */
    fd = open(line->out, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    ok = fd >= 0 && write_all(fd, data, (size_t)length);
    if (!ok)
        (void)failed(line->out, why);
    if (fd >= 0)
        (void)close(fd);
    return ok ? OUTCOME_OK : why->outcome;
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
