/* SPDX-License-Identifier: Apache-2.0 */
/* TLS handshakes with a client certificate, timed from connect(2) to our Finished. What the server
 * then thinks of it is waited for, but is not in the time. */
#include "test/bench/bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *client_context(const struct options *options)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    EVP_PKEY *key = NULL;
    bool good = false;

    if (ctx == NULL || options->cert == NULL || options->ca == NULL ||
        SSL_CTX_use_certificate_chain_file(ctx, options->cert) != 1 ||
        SSL_CTX_load_verify_locations(ctx, options->ca, NULL) != 1)
        bench_failed("the client cannot load its files");
    else if (options->engine == NULL && options->key != NULL)
        /* As programs do. */
        good = SSL_CTX_use_PrivateKey_file(ctx, options->key, SSL_FILETYPE_PEM) == 1 ||
               bench_failed("the client cannot load its key");
    else
        good = (key = bench_key(options)) != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1;
    EVP_PKEY_free(key);
    if (!good) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

static int connect_to(long port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        perror("handshake: cannot connect");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static bool shake_hands(SSL_CTX *ctx, long port)
{
    int64_t begin = bench_now(), cpu = bench_cpu();
    int fd = connect_to(port);
    SSL *ssl = fd < 0 ? NULL : SSL_new(ctx);
    bool good = false;
    char octet = 0;

    if (ssl == NULL || !SSL_set1_host(ssl, "localhost") || !SSL_set_fd(ssl, fd) ||
        SSL_connect(ssl) != 1) {
        bench_failed("no handshake");
    } else {
        bench_line("handshake", begin, bench_now(), bench_cpu() - cpu);
        good = (SSL_read(ssl, &octet, 1) == 1 && octet == '.') ||
               bench_failed("the server refused the handshake");
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
    return good;
}

bool act_connect(const struct options *options)
{
    int64_t begin = bench_now(), cpu = bench_cpu();
    SSL_CTX *ctx = client_context(options);
    bool good = ctx != NULL;

    bench_line("loaded", begin, bench_now(), bench_cpu() - cpu);
    bench_ready(options);
    begin = bench_now();
    for (long i = 0; good && bench_more(options, i, begin); i++)
        good = shake_hands(ctx, options->port);
    SSL_CTX_free(ctx);
    return good;
}
