/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail: given a modem whose SIM holds a key, when the n-th allocation of something
 * fails, and count in a row, then it works or says why not, leaves no descriptor, and works the next
 * time. test_memory.py runs it with build/memory_fail.so preloaded.
 *
 *     memory MODULES REFERENCE.pem PART FIRST STEP COUNT
 *
 * Each n, from FIRST in steps until nothing fails any more, has a child of its own. Where libcrypto
 * itself has lost something of the application's context afterwards, which it never asks for again,
 * the next time need not work. */
#include <dirent.h>
#include <dlfcn.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TOO_LONG_S 15
#define LAST       100000

typedef void fail_fn(long first, long count);
typedef long failed_fn(void);

static struct {
    fail_fn *fail;
    failed_fn *failed;
    const char *modules, *reference;
    OSSL_PROVIDER *base, *ours;
    EVP_PKEY *key;
    unsigned char signature[1024]; /* the last one */
    size_t length;
} world;

/* What a child saw: bits. */
enum { HIT = 1, WORKED = 2, SILENT = 4, LEAK = 8, BROKEN = 16, SLOW = 32 };

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count;
}

static EVP_PKEY *by_reference(void)
{
    BIO *in = BIO_new_file(world.reference, "r");
    EVP_PKEY *key = in != NULL ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;

    BIO_free(in);
    return key;
}

/* The first key or certificate of a URI; a certificate only shows that it was read. */
static bool by_store(const char *uri, EVP_PKEY **key)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
    bool found = false;

    while (store != NULL && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        found = found || info != NULL;
        if (info != NULL && key != NULL && *key == NULL)
            *key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    return key != NULL ? *key != NULL : found;
}

static bool sign(EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good;

    world.length = sizeof world.signature;
    good = ctx != NULL && key != NULL &&
           EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) > 0 &&
           EVP_DigestSign(ctx, world.signature, &world.length, (const unsigned char *)"abc", 3) > 0;

    if (ctx == NULL)
        ERR_raise(ERR_LIB_EVP, ERR_R_MALLOC_FAILURE); /* which OpenSSL 3 leaves to its caller */
    EVP_MD_CTX_free(ctx);
    return good;
}

/* With the private key's object, by a copy of the context. */
static bool verify(EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new(), *copy = EVP_MD_CTX_new();
    bool good = ctx != NULL && copy != NULL &&
                EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) > 0 &&
                EVP_DigestVerifyUpdate(ctx, "abc", 3) > 0 && EVP_MD_CTX_copy_ex(copy, ctx) > 0 &&
                EVP_DigestVerifyFinal(copy, world.signature, world.length) == 1;

    EVP_MD_CTX_free(copy);
    EVP_MD_CTX_free(ctx);
    return good;
}

static bool load_ours(void)
{
    if (world.ours == NULL)
        world.ours = OSSL_PROVIDER_load(NULL, "simkey");
    return world.ours != NULL;
}

/* ---- the parts ---- */

static bool do_sign(void)
{
    return sign(world.key);
}

static bool do_verify(void)
{
    return verify(world.key);
}

static bool do_key(void)
{
    EVP_PKEY *key = by_reference();

    EVP_PKEY_free(key);
    return key != NULL;
}

static bool do_uri(void)
{
    EVP_PKEY *key = NULL;
    bool good = by_store("sim:signing", &key) && sign(key);

    EVP_PKEY_free(key);
    return good;
}

static bool do_available(void)
{
    return by_store("sim:available", NULL);
}

static bool do_provider(void)
{
    return load_ours();
}

static const struct part {
    const char *name;
    bool (*run)(void);
    bool warm; /* everything was done once before */
    bool load; /* provider and key are there beforehand */
    bool says; /* each failure leaves an error: libcrypto's own of a key's load do not */
} parts[] = {
    {"sign", do_sign, true, true, true},           {"first-sign", do_sign, false, true, true},
    {"verify", do_verify, true, true, false},      {"key", do_key, true, true, false},
    {"first-key", do_key, false, false, false},    {"uri", do_uri, true, true, true},
    {"available", do_available, true, true, true}, {"provider", do_provider, false, false, false},
};

/* Whether libcrypto still finds what loading a reference takes. */
static bool decoders_whole(void)
{
    static const char *const names[] = {"DER", "RSA", "EC"};
    bool whole = true;

    for (int i = 0; i < 3; i++) {
        OSSL_DECODER *decoder = OSSL_DECODER_fetch(NULL, names[i], "provider=simkey");

        whole = whole && decoder != NULL;
        OSSL_DECODER_free(decoder);
    }
    return whole;
}

/* The same for what signing takes, in the application's context. */
static bool libcrypto_whole(void)
{
    static const char *const types[] = {"RSA", "EC"}, *const algorithms[] = {"RSA", "ECDSA"};
    bool whole = decoders_whole();

    for (int i = 0; i < 2; i++) {
        EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(NULL, types[i], "provider=simkey");
        EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(NULL, algorithms[i], "provider=simkey");
        EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);

        whole = whole && keymgmt != NULL && signature != NULL && md != NULL;
        EVP_KEYMGMT_free(keymgmt);
        EVP_SIGNATURE_free(signature);
        EVP_MD_free(md);
    }
    return whole;
}

/* Afterwards, with memory again: a key is loaded, signs and verifies. */
static bool next_works(const struct part *part)
{
    EVP_PKEY *key;
    bool good;

    if (!load_ours())
        return false;
    if (part->load && !sign(world.key))
        return false;
    key = by_reference();
    good = sign(key);
    good = good && verify(key);
    EVP_PKEY_free(key);
    return good;
}

static int in_child(const struct part *part, long first, long count)
{
    int before = open_descriptors(), saw = 0;
    time_t start = time(NULL);

    alarm(60);
    ERR_clear_error();
    world.fail(first, count);
    if (part->run())
        saw |= WORKED;
    if (world.failed() > 0)
        saw |= HIT;
    /* The last one: before it OpenSSL 4.0 leaves an empty one where the text of an error finds no memory. */
    if ((saw & WORKED) == 0 && part->says && ERR_peek_last_error() == 0)
        saw |= SILENT;
    if (open_descriptors() > before)
        saw |= LEAK;
    ERR_clear_error();
    if (!next_works(part) && libcrypto_whole()) {
        saw |= BROKEN;
        ERR_print_errors_fp(stderr);
    }
    if (time(NULL) - start > TOO_LONG_S)
        saw |= SLOW;
    EVP_PKEY_free(world.key);
    OSSL_PROVIDER_unload(world.ours);
    OSSL_PROVIDER_unload(world.base);
    return saw;
}

/* Returns what the child saw, -1 if it crashed. */
static int run_child(const struct part *part, long first, long count)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0)
        _exit(in_child(part, first, count));
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static const struct part *find_part(const char *name)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcmp(parts[i].name, name) == 0)
            return &parts[i];
    return NULL;
}

/* The application's context as one finds it that runs for a while. */
static bool prepare(const struct part *part)
{
    OSSL_PROVIDER_set_default_search_path(NULL, world.modules);
    world.base = OSSL_PROVIDER_load(NULL, "default");
    if (world.base == NULL || (part->load && !load_ours()))
        return false;
    if (part->load && (world.key = by_reference()) == NULL)
        return false;
    return !part->warm || (sign(world.key) && part->run());
}

int main(int argc, char **argv)
{
    const struct part *part = argc == 7 ? find_part(argv[3]) : NULL;
    long first, step, count, tried = 0, worked = 0, bad = 0;
    int saw = HIT;

    *(void **)&world.fail = dlsym(RTLD_DEFAULT, "memory_fail");
    *(void **)&world.failed = dlsym(RTLD_DEFAULT, "memory_failed");
    if (part == NULL || world.fail == NULL || world.failed == NULL) {
        fprintf(stderr, "usage: LD_PRELOAD=memory_fail.so memory MODULES REFERENCE.pem PART FIRST "
                        "STEP COUNT\n");
        return 2;
    }
    world.modules = argv[1];
    world.reference = argv[2];
    first = strtol(argv[4], NULL, 10);
    step = strtol(argv[5], NULL, 10);
    count = strtol(argv[6], NULL, 10);
    if (!prepare(part)) {
        ERR_print_errors_fp(stderr);
        return 2;
    }
    for (long n = first; saw < 0 || ((saw & HIT) != 0 && n < LAST); n += step) {
        saw = run_child(part, n, count);
        tried++;
        worked += saw >= 0 && (saw & WORKED) != 0;
        if (saw < 0 || (saw & (SILENT | LEAK | BROKEN | SLOW)) != 0) {
            bad++;
            printf("allocation %ld:%s%s%s%s%s\n", n, saw < 0 ? " a crash" : "",
                   saw >= 0 && (saw & SILENT) ? " a failure without an error" : "",
                   saw >= 0 && (saw & LEAK) ? " a descriptor left open" : "",
                   saw >= 0 && (saw & BROKEN) ? " the next signature failed" : "",
                   saw >= 0 && (saw & SLOW) ? " too slow" : "");
        }
    }
    printf("%ld tried, %ld worked, %ld bad\n", tried, worked, bad);
    return bad != 0;
}
