/* SPDX-License-Identifier: Apache-2.0 */
/* The key reference among other things of one PEM file, as programs have certificate and key in one:
 * what is read is what a key in its place would give, whatever is in the error queue before. */
#include "test/e2e/api.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/store.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void add_file(BIO *to, const char *path)
{
    BIO *from = BIO_new_file(path, "r");
    char data[8192];
    int length = from != NULL ? BIO_read(from, data, sizeof data) : 0;

    if (length > 0)
        (void)BIO_write(to, data, length);
    BIO_free(from);
}

/* A PEM text of these: c the certificate, r the reference, k a key in memory, and words of no use
 * between them (w). */
static BIO *compose(const struct world *world, EVP_PKEY *in_memory, const char *parts)
{
    BIO *made = BIO_new(BIO_s_mem());

    for (; *parts != '\0'; parts++) {
        if (*parts == 'c')
            add_file(made, world->certificate_file);
        else if (*parts == 'r')
            add_file(made, world->reference_file);
        else if (*parts == 'w')
            (void)BIO_puts(made, "Bag Attributes\n    friendlyName: sim\n");
        else
            PEM_write_bio_PrivateKey(made, in_memory, NULL, NULL, 0, NULL, NULL);
    }
    return made;
}

static void read_parts(const struct world *world, EVP_PKEY *in_memory, const char *parts,
                       bool older, EVP_PKEY *wanted)
{
    BIO *in = compose(world, in_memory, parts);
    EVP_PKEY *key;
    char sentence[100];

    (void)snprintf(sentence, sizeof sentence, "a file of %s is read%s", parts,
                   older ? " with an older error in the queue" : "");
    if (older)
        ERR_raise(ERR_LIB_USER, ERR_R_PASSED_INVALID_ARGUMENT);
    key = PEM_read_bio_PrivateKey_ex(in, NULL, NULL, NULL, world->ctx, NULL);
    if (wanted == NULL)
        check(key == NULL && ERR_peek_last_error() != 0, sentence);
    else
        check(key != NULL && EVP_PKEY_eq(key, wanted) == 1 &&
                  (ERR_peek_last_error() != 0) == older &&
                  ERR_peek_last_error() == ERR_peek_error(),
              sentence);
    ERR_clear_error();
    EVP_PKEY_free(key);
    BIO_free(in);
}

static bool write_parts(const struct world *world, EVP_PKEY *in_memory, const char *parts,
                        const char *path)
{
    BIO *made = compose(world, in_memory, parts), *file = BIO_new_file(path, "w");
    char *data = NULL;
    long length = BIO_get_mem_data(made, &data);
    bool done = file != NULL && BIO_write(file, data, (int)length) == length;

    BIO_free(file);
    BIO_free(made);
    return done;
}

/* What the store of files finds: certificates by tens, keys by ones. */
static int count_objects(const struct world *world, const char *path, int expect)
{
    OSSL_STORE_CTX *store =
        OSSL_STORE_open_ex(path, world->ctx, NULL, NULL, NULL, NULL, NULL, NULL);
    int found = 0;

    if (store != NULL && expect != 0)
        OSSL_STORE_expect(store, expect);
    while (store != NULL && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        int type = info != NULL ? OSSL_STORE_INFO_get_type(info) : 0;

        found += type == OSSL_STORE_INFO_CERT ? 10 : type == OSSL_STORE_INFO_PKEY ? 1 : 0;
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    return found;
}

static void read_file(const struct world *world, EVP_PKEY *in_memory, const char *parts, int all)
{
    static const char path[] = "composed.pem";
    SSL_CTX *ctx = SSL_CTX_new_ex(world->ctx, NULL, TLS_client_method());
    char sentence[100];

    (void)snprintf(sentence, sizeof sentence, "libssl and the store read a file of %s", parts);
    check_quiet(write_parts(world, in_memory, parts, path), "a file is composed");
    check_quiet(SSL_CTX_use_certificate_chain_file(ctx, path) > 0 &&
                    SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) > 0 &&
                    SSL_CTX_check_private_key(ctx) > 0,
                sentence);
    check(count_objects(world, path, 0) == all, sentence);
    check(count_objects(world, path, OSSL_STORE_INFO_CERT) == all / 10 * 10, sentence);
    check(count_objects(world, path, OSSL_STORE_INFO_PKEY) == all % 10, sentence);
    ERR_clear_error();
    SSL_CTX_free(ctx);
    unlink(path);
}

void test_reading(struct world *world)
{
    static const char *const with_reference[] = {"r", "rc", "cr", "ccr", "wcwr", "cccccr", "rk"};
    EVP_PKEY *in_memory = EVP_PKEY_Q_keygen(world->ctx, NULL, "EC", "P-256");

    for (int older = 0; older < 2; older++)
        for (size_t i = 0; i < sizeof with_reference / sizeof with_reference[0]; i++)
            read_parts(world, in_memory, with_reference[i], older > 0, world->key);
    read_parts(world, in_memory, "ckr", false, in_memory);
    read_parts(world, in_memory, "k", true, in_memory);
    read_parts(world, in_memory, "c", false, NULL);
    read_parts(world, in_memory, "cc", true, NULL);
    read_file(world, in_memory, "cr", 11);
    read_file(world, in_memory, "rc", 11);
    read_file(world, in_memory, "wcwccr", 31);
    EVP_PKEY_free(in_memory);
}
