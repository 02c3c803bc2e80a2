/* SPDX-License-Identifier: Apache-2.0 */
/* The peer of the handshakes: demands a client certificate, says one octet after a good handshake,
 * and serves any number at once, a thread each. No resumption: every handshake is a full one. */
#include "test/bench/bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct guest {
    SSL_CTX *ctx;
    int fd;
};

static void *serve_guest(void *arg)
{
    struct guest *guest = arg;
    SSL *ssl = SSL_new(guest->ctx);
    char gone;

    if (ssl != NULL && SSL_set_fd(ssl, guest->fd) && SSL_accept(ssl) == 1 &&
        SSL_write(ssl, ".", 1) == 1) {
        /* Until the client goes, so that its port and not ours is kept from use for a while. */
        while (SSL_read(ssl, &gone, 1) > 0)
            continue;
    } else {
        bench_failed("a handshake was not good");
    }
    SSL_free(ssl);
    close(guest->fd);
    free(guest);
    ERR_clear_error();
    OPENSSL_thread_stop();
    return NULL;
}

static SSL_CTX *server_context(const struct options *options)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL || options->cert == NULL || options->key == NULL ||
        SSL_CTX_use_certificate_chain_file(ctx, options->cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, options->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_load_verify_locations(ctx, options->ca, NULL) != 1) {
        bench_failed("the server cannot load its files");
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    return ctx;
}

/* A socket of the loopback; its port is told. -1: none. */
static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        perror("handshake: no port");
        return -1;
    }
    printf("port %u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

bool act_serve(const struct options *options)
{
    SSL_CTX *ctx = server_context(options);
    int fd = ctx == NULL ? -1 : listen_on_loopback();
    const int one = 1;

    while (fd >= 0) {
        struct guest *guest = malloc(sizeof(*guest));
        pthread_t thread;

        if (guest == NULL)
            break;
        *guest = (struct guest){ctx, accept4(fd, NULL, NULL, SOCK_CLOEXEC)};
        if (guest->fd < 0 || pthread_create(&thread, NULL, serve_guest, guest) != 0) {
            free(guest);
            break;
        }
        setsockopt(guest->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        pthread_detach(thread);
    }
    SSL_CTX_free(ctx);
    return bench_failed("the server ends");
}
