/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, lines and the loading of keys and certificates. */
#include "test/bench/bench.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t bench_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t bench_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

bool bench_failed(const char *what)
{
    fprintf(stderr, "handshake: %s\n", what);
    ERR_print_errors_fp(stderr);
    return false;
}

EVP_PKEY *bench_key(const struct options *options)
{
    EVP_PKEY *key = NULL;
    BIO *in;

    if (options->key == NULL) {
        bench_failed("no --key");
        return NULL;
    }
    if (options->engine != NULL)
        return engine_key(options->engine, options->key);
    in = BIO_new_file(options->key, "r");
    if (in != NULL)
        key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    BIO_free(in);
    if (key == NULL)
        bench_failed("cannot load the key");
    return key;
}

X509 *bench_certificate(const struct options *options)
{
    X509 *certificate = NULL;
    BIO *in = options->cert == NULL ? NULL : BIO_new_file(options->cert, "r");

    if (in != NULL)
        certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
    BIO_free(in);
    if (certificate == NULL)
        bench_failed("cannot load the certificate");
    return certificate;
}

void bench_ready(const struct options *options)
{
    int c;

    if (!options->wait)
        return;
    puts("ready");
    fflush(stdout);
    do
        c = getchar();
    while (c != '\n' && c != EOF);
}

void bench_line(const char *kind, int64_t begin, int64_t end, int64_t cpu)
{
    printf("%s %lld %lld %lld\n", kind, (long long)begin, (long long)end, (long long)cpu);
}

bool bench_more(const struct options *options, long done, int64_t since)
{
    if (options->seconds > 0)
        return bench_now() - since < (int64_t)options->seconds * 1000000000;
    return done < options->count;
}
