/* SPDX-License-Identifier: Apache-2.0 */
/* One try of a SAFE2 job: name, connection, TLS 1.3 with the pre-shared key, request, answer. Runs
 * in the job's process and may wait, never longer than until the try's deadline. */
#include "test/sim/safe2_job.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IDENTITY_MAX 20

struct connection {
    const struct safe2_request *request;
    const struct safe2_data *data;
    struct safe2_report *report;
    int64_t deadline;
    uint8_t identity[IDENTITY_MAX];
    size_t identity_size;
    int fd;
    SSL_CTX *context;
    SSL *ssl;
    bool again; /* a failure now may be over at the next try */
};

static bool fail(struct connection *c, enum safe2_result result, const char *detail)
{
    c->report->result = result;
    snprintf(c->report->detail, sizeof c->report->detail, "%s", detail != NULL ? detail : "");
    return false;
}

static int64_t ms_left(int64_t deadline)
{
    int64_t left = (deadline - clock_ns() + NS_PER_MS - 1) / NS_PER_MS;

    return left > 0 ? left : 0;
}

/* False when the deadline comes first. */
static bool wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd p = {fd, events, 0};

    for (;;) {
        int64_t left = ms_left(deadline);
        int n = poll(&p, 1, left < 3600000 ? (int)left : 3600000);

        if (n > 0)
            return true;
        if (left == 0 || (n < 0 && errno != EINTR))
            return false;
    }
}

/* Connects to one address; the error, 0 if none. */
static int connect_one(struct connection *c, const struct addrinfo *a, int64_t deadline)
{
    int error = 0;
    socklen_t size = sizeof error;

    c->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (c->fd < 0)
        return errno;
    if (connect(c->fd, a->ai_addr, a->ai_addrlen) == 0)
        return 0;
    error = errno;
    if (error == EINPROGRESS) {
        if (!wait_for(c->fd, POLLOUT, deadline))
            error = ETIMEDOUT;
        else if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
    }
    if (error != 0) {
        close(c->fd);
        c->fd = -1;
    }
    return error;
}

/* Tries the addresses in their order; one that is mute takes half of the time that is left, so that
 * the next has a chance. */
static bool connect_to_server(struct connection *c)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(c->data->host, c->data->port, &hints, &list);

    if (error != 0) {
        /* "There is no such name" is an answer; everything else may change. */
        c->again = error != EAI_NONAME;
        return fail(c, SAFE2_NO_NAME, gai_strerror(error));
    }
    error = EADDRNOTAVAIL;
    for (const struct addrinfo *a = list; a != NULL && error != 0; a = a->ai_next) {
        int64_t left = c->deadline - clock_ns();

        error = connect_one(c, a, a->ai_next != NULL ? c->deadline - left / 2 : c->deadline);
    }
    freeaddrinfo(list);
    if (error == ETIMEDOUT)
        return fail(c, SAFE2_TIMEOUT, "no connection");
    return error == 0 || fail(c, SAFE2_NO_SERVER, strerror(error));
}

/* The oldest error is the cause. */
static const char *library_words(void)
{
    return ERR_reason_error_string(ERR_peek_error());
}

/* The session that stands for the pre-shared key; of the suites that it allows only the hash
 * counts. OpenSSL frees it. */
static int use_session(SSL *ssl, const EVP_MD *hash, const unsigned char **identity, size_t *size,
                       SSL_SESSION **session)
{
    static const unsigned char gcm[] = {0x13, 0x01}; /* TLS_AES_128_GCM_SHA256 */
    const struct connection *c = SSL_get_app_data(ssl);
    const SSL_CIPHER *suite = SSL_CIPHER_find(ssl, gcm);
    SSL_SESSION *s = SSL_SESSION_new();

    (void)hash;
    *session = NULL;
    if (s == NULL || suite == NULL ||
        SSL_SESSION_set1_master_key(s, c->data->key, sizeof c->data->key) != 1 ||
        SSL_SESSION_set_cipher(s, suite) != 1 ||
        SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) != 1) {
        SSL_SESSION_free(s);
        return 0;
    }
    *identity = c->identity;
    *size = c->identity_size;
    *session = s;
    return 1;
}

/* TLS 1.3 with the key and nothing else. OpenSSL offers a key share in any case; the one group that
 * is offered is one that servers do not have on by default, and so a server that may do without
 * Diffie-Hellman does. A server with a certificate instead of the key is not trusted. */
static bool prepare(struct connection *c)
{
    c->context = SSL_CTX_new(TLS_client_method());
    if (c->context == NULL || SSL_CTX_set_min_proto_version(c->context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(c->context, "TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256") !=
            1 ||
        SSL_CTX_set1_groups_list(c->context, "ffdhe2048") != 1)
        return false;
    SSL_CTX_set_options(c->context, SSL_OP_ALLOW_NO_DHE_KEX);
    SSL_CTX_set_verify(c->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_psk_use_session_callback(c->context, use_session);
    c->ssl = SSL_new(c->context);
    return c->ssl != NULL && SSL_set_app_data(c->ssl, c) == 1 && SSL_set_fd(c->ssl, c->fd) == 1;
}

/* After a TLS call that did not succeed: waits if that is what it wants; false if it is over. */
static bool carry_on(struct connection *c, int returned, enum safe2_result otherwise)
{
    int error = SSL_get_error(c->ssl, returned);

    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return wait_for(c->fd, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, c->deadline) ||
               fail(c, SAFE2_TIMEOUT, "no answer");
    }
    if (error == SSL_ERROR_SYSCALL || error == SSL_ERROR_ZERO_RETURN ||
        ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return fail(c, SAFE2_BROKEN_OFF, "connection closed");
    c->again = false;
    return fail(c, otherwise, library_words());
}

static bool shake_hands(struct connection *c)
{
    struct safe2_report *r = c->report;
    EVP_PKEY *share = NULL;
    int n;

    if (!prepare(c))
        return fail(c, SAFE2_HANDSHAKE, library_words());
    for (ERR_clear_error(); (n = SSL_connect(c->ssl)) != 1; ERR_clear_error()) {
        if (!carry_on(c, n, SAFE2_HANDSHAKE))
            return false;
    }
    r->shaken = true;
    r->dhe = SSL_get_peer_tmp_key(c->ssl, &share) == 1;
    EVP_PKEY_free(share);
    snprintf(r->suite, sizeof r->suite, "%s", SSL_CIPHER_get_name(SSL_get_current_cipher(c->ssl)));
    c->again = false;
    if (SSL_session_reused(c->ssl) != 1)
        return fail(c, SAFE2_HANDSHAKE, "the server did not use the key");
    /* A real applet cannot: it never offers it. */
    if (r->dhe)
        return fail(c, SAFE2_DHE, "the server used Diffie-Hellman");
    c->again = true;
    return true;
}

static bool ask(struct connection *c)
{
    struct bytes text = {0};
    size_t written;
    bool done = false;
    int n;

    safe2_http_request(c->request, c->data, &text);
    /* From here on the server may have got the data; only a question can be asked twice. */
    c->again = c->request->job == SAFE2_GET;
    for (;;) {
        ERR_clear_error();
        n = SSL_write_ex(c->ssl, text.data, text.size, &written);
        done = n == 1;
        if (done || !carry_on(c, n, SAFE2_BROKEN_OFF))
            break;
    }
    bytes_free(&text);
    return done;
}

/* Reads until the answer is whole or cannot become so. */
static bool hear(struct connection *c, struct safe2_http *h)
{
    uint8_t part[1024];
    size_t size;

    while (safe2_http_wants_more(h)) {
        int n;

        ERR_clear_error();
        n = SSL_read_ex(c->ssl, part, sizeof part, &size);
        if (n == 1) {
            c->again = false;
            safe2_http_take(h, part, size);
            c->report->status = h->status;
            continue;
        }
        if (SSL_get_error(c->ssl, n) == SSL_ERROR_ZERO_RETURN && h->at == HTTP_BODY_TO_END)
            break; /* an end that the server has signed */
        if (!carry_on(c, n, SAFE2_BROKEN_OFF))
            return false;
    }
    explicit_bzero(part, sizeof part);
    if (h->at == HTTP_BAD)
        return fail(c, SAFE2_NO_HTTP, "not understood");
    return h->at != HTTP_LONG || fail(c, SAFE2_TOO_LONG, "more than the SIM takes");
}

/* A status as its decimal digits: 404 is 0404. */
static unsigned digits_of(unsigned status)
{
    return status / 100 << 8 | status / 10 % 10 << 4 | status % 10;
}

static bool judge(struct connection *c, const struct safe2_http *h)
{
    struct safe2_report *r = c->report;
    bool get = c->request->job == SAFE2_GET;

    if (h->status != 200 && h->status != 204 && (get || h->status >= 300)) {
        r->result = digits_of(h->status);
        /* What a proxy says of the server behind it. */
        c->again = get && h->status >= 502 && h->status <= 504;
        return false;
    }
    r->result = SAFE2_SUCCESS;
    r->size = get ? h->size : c->request->size;
    if (get)
        memcpy(r->data, h->body, h->size);
    return true;
}

static void set_identity(struct connection *c)
{
    const struct card *card = c->request->card;
    char hex[2 * IDENTITY_MAX + 1];

    if (c->data->raw_identity) {
        c->identity_size = sizeof card->ef_iccid;
        memcpy(c->identity, card->ef_iccid, c->identity_size);
        hex_write(hex, c->identity, c->identity_size);
        snprintf(c->report->identity, sizeof c->report->identity, "raw:%s", hex);
    } else {
        c->identity_size = strlen(card->iccid);
        memcpy(c->identity, card->iccid, c->identity_size);
        snprintf(c->report->identity, sizeof c->report->identity, "digits:%s", card->iccid);
    }
    snprintf(c->report->server, sizeof c->report->server, "%s:%s", c->data->host, c->data->port);
}

bool safe2_try(const struct safe2_request *request, const struct safe2_data *data, int64_t deadline,
               struct safe2_report *report)
{
    struct connection c = {.request = request,
                           .data = data,
                           .report = report,
                           .deadline = deadline,
                           .fd = -1,
                           .again = true};
    struct safe2_http http = {.wants_body = request->job == SAFE2_GET,
                              .limit = (size_t)request->options->safe2_max};
    bool done;

    set_identity(&c);
    done =
        connect_to_server(&c) && shake_hands(&c) && ask(&c) && hear(&c, &http) && judge(&c, &http);
    if (done)
        (void)SSL_shutdown(c.ssl);
    SSL_free(c.ssl);
    SSL_CTX_free(c.context);
    if (c.fd >= 0)
        close(c.fd);
    explicit_bzero(&http, sizeof http);
    return !done && c.again;
}
