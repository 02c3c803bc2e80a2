/* SPDX-License-Identifier: Apache-2.0 */
/* simkey key --rewrite: takes the settings out of key references of before. The file is replaced
 * whole, with the owner, group and mode that it had, and what else is in it stays as it is. */
#include "modem/place.h"
#include "modem/text.h"
#include "provider/keyref.h"
#include "provider/tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX    1048576 /* with certificates beside the reference */
#define BLOCK_BEGIN "-----BEGIN " KEYREF_PEM_LABEL "-----"
#define BLOCK_END   "-----END " KEYREF_PEM_LABEL "-----"
#define NEW_SUFFIX  ".rewrite"

static enum outcome file_error(const char *what, const char *path, struct report *why)
{
    return report_set(why, OUTCOME_USAGE, "cannot %s %s: %s", what, path, strerror(errno));
}

/* Reads all of a regular file; there may be a private key in it too. */
static enum outcome read_file(int folder, const char *name, const char *path, struct stat *file,
                              BIO *text, struct report *why)
{
    int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
    enum outcome outcome = OUTCOME_OK;
    char buffer[4096];
    ssize_t got = 0;

    if (fd < 0)
        return file_error("read", path, why);
    if (fstat(fd, file) != 0)
        outcome = file_error("read", path, why);
    else if (!S_ISREG(file->st_mode) || file->st_nlink != 1 || file->st_size > FILE_MAX)
        outcome = report_set(why, OUTCOME_USAGE,
                             "%s is not a regular file with one name and at most %d bytes", path,
                             FILE_MAX);
    for (long all = 0; outcome == OUTCOME_OK; all += got) {
        got = read(fd, buffer, sizeof buffer);
        if (got == 0)
            break;
        if (got < 0)
            outcome = file_error("read", path, why);
        else if (all > FILE_MAX || BIO_write(text, buffer, (int)got) != (int)got)
            outcome = report_set(why, OUTCOME_SYSTEM, "%s is too long", path);
    }
    OPENSSL_cleanse(buffer, sizeof buffer);
    (void)close(fd);
    return outcome;
}

/* The new file is made beside the old one and takes its place. */
static enum outcome replace_file(int folder, const char *name, const char *path,
                                 const struct stat *file, const char *data, size_t length,
                                 struct report *why)
{
    char fresh[NAME_MAX + 1];
    enum outcome outcome = OUTCOME_OK;
    int fd;

    if (snprintf(fresh, sizeof fresh, "%s.%ld" NEW_SUFFIX, name, (long)getpid()) >=
        (int)sizeof fresh)
        return report_set(why, OUTCOME_USAGE, "the name of %s is too long", path);
    fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return report_set(why, OUTCOME_USAGE, "cannot make a new file beside %s: %s", path,
                          strerror(errno));
    if ((file->st_uid != geteuid() || file->st_gid != getegid()) &&
        fchown(fd, file->st_uid, file->st_gid) != 0)
        outcome = report_set(
            why, OUTCOME_USAGE,
            "%s cannot keep its owner and group: rewrite it as root or as its owner", path);
    if (outcome == OUTCOME_OK &&
        (write(fd, data, length) != (ssize_t)length || fchmod(fd, file->st_mode & 07777) != 0 ||
         fsync(fd) != 0 || renameat(folder, fresh, folder, name) != 0))
        outcome = file_error("write", path, why);
    if (close(fd) != 0 && outcome == OUTCOME_OK)
        outcome = file_error("write", path, why);
    if (outcome != OUTCOME_OK)
        (void)unlinkat(folder, fresh, 0);
    return outcome;
}

/* One block: the same reference without settings, or as it is if it has none. */
static enum outcome rewrite_block(const char *block, size_t length, BIO *out, unsigned *words,
                                  struct report *why)
{
    BIO *in = BIO_new_mem_buf(block, (int)length);
    struct keyref keyref;
    char *label = NULL, *header = NULL;
    unsigned char *der = NULL;
    long der_length = 0;
    enum outcome outcome;

    ERR_set_mark();
    if (in == NULL || PEM_read_bio(in, &label, &header, &der, &der_length) != 1)
        outcome = report_set(why, OUTCOME_USAGE, "its SIM key reference is damaged");
    else
        outcome = keyref_read(&keyref, der, (size_t)der_length, NULL, why);
    ERR_pop_to_mark();
    if (outcome == OUTCOME_OK) {
        *words |= keyref.words;
        if (keyref.words != 0)
            outcome = keyref_write(out, &keyref, why);
        else if (BIO_write(out, block, (int)length) != (int)length)
            outcome = report_set(why, OUTCOME_SYSTEM, "out of memory");
        keyref_clear(&keyref);
    }
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(in);
    return outcome;
}

/* All blocks of a text that ends with a NUL; *count is how many there are. */
static enum outcome rewrite_text(const char *text, BIO *out, unsigned *words, size_t *count,
                                 struct report *why)
{
    const char *begin, *end;

    for (*count = 0; (begin = strstr(text, BLOCK_BEGIN)) != NULL; ++*count) {
        enum outcome outcome;

        end = strstr(begin, BLOCK_END);
        if (end == NULL)
            return report_set(why, OUTCOME_USAGE, "its SIM key reference has no end");
        end += strlen(BLOCK_END);
        end += strspn(end, "\r");
        end += *end == '\n';
        if (begin > text && BIO_write(out, text, (int)(begin - text)) <= 0)
            return report_set(why, OUTCOME_SYSTEM, "out of memory");
        outcome = rewrite_block(begin, (size_t)(end - begin), out, words, why);
        if (outcome != OUTCOME_OK)
            return outcome;
        text = end;
    }
    if (*text != '\0' && BIO_write(out, text, (int)strlen(text)) <= 0)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    return *count > 0 ? OUTCOME_OK
                      : report_set(why, OUTCOME_USAGE, "there is no SIM key reference in it");
}

static enum outcome rewrite_in(int folder, const char *name, const char *path, struct report *why)
{
    BIO *in = BIO_new(BIO_s_secmem()), *out = BIO_new(BIO_s_secmem());
    struct stat file = {.st_nlink = 0};
    unsigned words = 0;
    size_t count = 0;
    char *text, *data, names[128];
    long length;
    enum outcome outcome;

    if (in == NULL || out == NULL)
        outcome = report_set(why, OUTCOME_SYSTEM, "out of memory");
    else
        outcome = read_file(folder, name, path, &file, in, why);
    if (outcome != OUTCOME_OK)
        goto out;
    length = BIO_get_mem_data(in, &text);
    if ((length > 0 && memchr(text, '\0', (size_t)length) != NULL) || BIO_write(in, "", 1) != 1) {
        outcome = report_set(why, OUTCOME_USAGE, "%s is not a text file", path);
        goto out;
    }
    (void)BIO_get_mem_data(in, &text);
    outcome = rewrite_text(text, out, &words, &count, why);
    if (outcome != OUTCOME_OK) {
        report_prefix(why, "%s", path);
        goto out;
    }
    length = BIO_get_mem_data(out, &data);
    if (words != 0)
        outcome = replace_file(folder, name, path, &file, data, (size_t)length, why);
    if (outcome == OUTCOME_OK && words != 0)
        text_line(stdout, "took %s out of %s", keyref_words(words, names, sizeof names), path);
    else if (outcome == OUTCOME_OK)
        text_line(stdout, "%s has no settings in it and stays as it is", path);
out:
    BIO_free(in);
    BIO_free(out);
    return outcome;
}

/* A link stays one; another user's is not followed, for it could lead to any file of root's. */
enum outcome key_rewrite(const char *path, struct report *why)
{
    struct place place;
    enum outcome outcome = place_find(&place, path, why);

    if (outcome != OUTCOME_OK) {
        why->outcome = outcome = OUTCOME_USAGE; /* the path is the user's */
    } else if (!place.exists || place.descriptor >= 0) {
        errno = place.descriptor >= 0 ? EINVAL : ENOENT;
        outcome = file_error("read", path, why);
    } else {
        outcome = rewrite_in(place.folder, place.name, path, why);
    }
    place_close(&place);
    return outcome;
}
