/* SPDX-License-Identifier: Apache-2.0 */
/* TLS inside one process: a server with a fresh P-256 key that demands a certificate, a client with
 * the SIM's. The bytes go through memory. */
#include "test/e2e/api.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* A self-signed P-256 certificate for the server. */
static X509 *make_server(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_NAME_new();

    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"server", -1, -1,
                               0);
    X509_set_subject_name(certificate, name);
    X509_set_issuer_name(certificate, name);
    X509_NAME_free(name);
    X509_set_pubkey(certificate, key);
    if (!X509_sign(certificate, key, EVP_sha256())) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

static int accept_any(int preverified, X509_STORE_CTX *store)
{
    (void)preverified, (void)store;
    return 1;
}

static bool shake(SSL *client, SSL *server)
{
    BIO *left = NULL;
    BIO *right = NULL;
    int done = 0;

    BIO_new_bio_pair(&left, 0, &right, 0);
    SSL_set_bio(client, left, left);
    SSL_set_bio(server, right, right);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int i = 0; i < 20 && done != 3; i++) {
        done |= SSL_do_handshake(client) == 1 ? 1 : 0;
        done |= SSL_do_handshake(server) == 1 ? 2 : 0;
    }
    return done == 3 && SSL_get0_peer_certificate(server) != NULL;
}

/* P-256 only (and P-384 if that is the SIM's: TLS 1.2 asks for the
 * certificate's group), an EC server certificate, and the SIM's key as the
 * client's. */
static void test_tls(const struct world *world, int version, const char *sentence)
{
    EVP_PKEY *server_key = EVP_PKEY_Q_keygen(world->ctx, NULL, "EC", "P-256");
    X509 *server_certificate = make_server(server_key);
    SSL_CTX *client_ctx = SSL_CTX_new_ex(world->ctx, NULL, TLS_client_method());
    SSL_CTX *server_ctx = SSL_CTX_new_ex(world->ctx, NULL, TLS_server_method());
    const char *groups = EVP_PKEY_get_bits(world->key) == 384 ? "P-256:P-384" : "P-256";
    SSL *client = NULL;
    SSL *server = NULL;

    SSL_CTX_set_verify(client_ctx, SSL_VERIFY_PEER, accept_any);
    SSL_CTX_set_verify(server_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    check_quiet(SSL_CTX_use_certificate(server_ctx, server_certificate) > 0 &&
                    SSL_CTX_use_PrivateKey(server_ctx, server_key) > 0 &&
                    SSL_CTX_set1_groups_list(server_ctx, groups) > 0 &&
                    SSL_CTX_set1_groups_list(client_ctx, groups) > 0,
                "the TLS server is set up");
    check_quiet(
        SSL_CTX_use_certificate(client_ctx, world->certificate) > 0 &&
            SSL_CTX_use_PrivateKey_file(client_ctx, world->reference_file, SSL_FILETYPE_PEM) > 0 &&
            SSL_CTX_check_private_key(client_ctx) > 0,
        "the TLS client takes the reference as key file");
    SSL_CTX_set_min_proto_version(client_ctx, version);
    SSL_CTX_set_max_proto_version(client_ctx, version);
    client = SSL_new(client_ctx);
    server = SSL_new(server_ctx);
    check_quiet(shake(client, server), sentence);
    SSL_free(server);
    SSL_free(client);
    SSL_CTX_free(server_ctx);
    SSL_CTX_free(client_ctx);
    X509_free(server_certificate);
    EVP_PKEY_free(server_key);
}

void test_tls_1_2(struct world *world)
{
    test_tls(world, TLS1_2_VERSION, "TLS 1.2 is shaken");
}

void test_tls_1_3(struct world *world)
{
    test_tls(world, TLS1_3_VERSION, "TLS 1.3 is shaken");
}
