/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the bench's C program share: its options, its clocks, how it loads what it is
 * given. The program knows nothing of simkey: keys come by openssl.cnf, as in any program. */
#ifndef SIMKEY_TEST_BENCH_BENCH_H
#define SIMKEY_TEST_BENCH_BENCH_H

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *cert;   /* PEM files */
    const char *key;    /* PEM file, or what the engine calls it */
    const char *ca;     /* whom the peer's certificate must come from */
    const char *uri;    /* of load */
    const char *engine; /* NULL: none */
    long port;
    long count;   /* so many handshakes or signatures */
    long seconds; /* 0: count them; else as many as begin in that time */
    bool wait;    /* says "ready" and waits for a line on stdin first */
};

int64_t bench_now(void); /* CLOCK_MONOTONIC in ns */
int64_t bench_cpu(void); /* what this process has used of a processor, in ns */

/* Says what went wrong, with OpenSSL's reasons; false. */
bool bench_failed(const char *what);

/* NULL after a sentence. */
EVP_PKEY *bench_key(const struct options *options);
X509 *bench_certificate(const struct options *options);

/* Waits for the start if that is wanted. */
void bench_ready(const struct options *options);

/* One line about something done: its kind, when it began and ended, processor time meanwhile. */
void bench_line(const char *kind, int64_t begin, int64_t end, int64_t cpu);

/* True while more is to be done after so many. */
bool bench_more(const struct options *options, long done, int64_t since);

/* A key by an engine of the old kind; NULL after a sentence (engine.c). */
EVP_PKEY *engine_key(const char *engine, const char *name);

/* The actions; false after a sentence. */
bool act_serve(const struct options *options);
bool act_connect(const struct options *options);
bool act_sign(const struct options *options);
bool act_verify(const struct options *options);
bool act_load(const struct options *options);

#endif
