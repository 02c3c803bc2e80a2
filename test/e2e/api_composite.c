/* SPDX-License-Identifier: Apache-2.0 */
/* Signature algorithms that name key and digest at once, which OpenSSL has from 3.4 on: each function
 * with a key in memory by the default provider, and with the SIM's by simkey. */
#include "test/e2e/api_functions.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#define ANY NULL

#if OPENSSL_VERSION_NUMBER >= 0x30400000L

static const unsigned char text[] = "what is signed by name";

struct made {
    unsigned char bytes[512];
    size_t length;
};

/* The algorithm of the key's kind with that digest, by the key's provider. */
static EVP_SIGNATURE *algorithm(const struct world *world, EVP_PKEY *key, const char *digest)
{
    char name[40], properties[60];

    (void)snprintf(name, sizeof name, "%s-%s", EVP_PKEY_is_a(key, "RSA") ? "RSA" : "ECDSA", digest);
    (void)snprintf(properties, sizeof properties, "provider=%s",
                   OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)));
    return EVP_SIGNATURE_fetch(world->ctx, name, properties);
}

/* In the three ways that there are: the message in pieces, at once, and its digest. */
enum way { IN_PIECES, AT_ONCE, DIGEST };

static bool sign_by(const struct world *world, EVP_PKEY *key, const char *digest, enum way way,
                    struct made *made)
{
    EVP_SIGNATURE *by = algorithm(world, key, digest);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL);
    unsigned char hashed[EVP_MAX_MD_SIZE];
    size_t length = 0, size = 0;
    bool done = by != NULL;

    made->length = sizeof made->bytes;
    if (way == DIGEST)
        done = done && EVP_Q_digest(world->ctx, digest, NULL, text, sizeof text, hashed, &length) &&
               EVP_PKEY_sign_init_ex2(ctx, by, NULL) > 0 &&
               EVP_PKEY_sign(ctx, made->bytes, &made->length, hashed, length) > 0;
    else
        done = done && EVP_PKEY_sign_message_init(ctx, by, NULL) > 0;
    if (way == AT_ONCE)
        done = done && EVP_PKEY_sign(ctx, NULL, &size, text, sizeof text) > 0 && size > 0 &&
               EVP_PKEY_sign(ctx, made->bytes, &made->length, text, sizeof text) > 0;
    if (way == IN_PIECES)
        done = done && EVP_PKEY_sign_message_update(ctx, text, 4) > 0 &&
               EVP_PKEY_sign_message_update(ctx, text + 4, sizeof text - 4) > 0 &&
               EVP_PKEY_sign_message_final(ctx, NULL, &size) > 0 && size > 0 &&
               EVP_PKEY_sign_message_final(ctx, made->bytes, &made->length) > 0;
    EVP_PKEY_CTX_free(ctx);
    EVP_SIGNATURE_free(by);
    return done;
}

static int verify_by(const struct world *world, EVP_PKEY *key, const char *digest, enum way way,
                     struct made *made, bool altered)
{
    EVP_SIGNATURE *by = algorithm(world, key, digest);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL), *copy = NULL;
    unsigned char hashed[EVP_MAX_MD_SIZE];
    size_t length = sizeof text - (altered ? 1 : 0), hashed_length = 0;
    int result = API_UNPREPARED;

    if (by != NULL && way == DIGEST &&
        EVP_Q_digest(world->ctx, digest, NULL, text, length, hashed, &hashed_length) &&
        EVP_PKEY_verify_init_ex2(ctx, by, NULL) > 0)
        result = EVP_PKEY_verify(ctx, made->bytes, made->length, hashed, hashed_length);
    if (by != NULL && way != DIGEST && EVP_PKEY_verify_message_init(ctx, by, NULL) > 0) {
        if (way == AT_ONCE)
            result = EVP_PKEY_verify(ctx, made->bytes, made->length, text, length);
        else if (EVP_PKEY_CTX_set_signature(ctx, made->bytes, made->length) > 0 &&
                 EVP_PKEY_verify_message_update(ctx, text, 4) > 0 &&
                 (copy = EVP_PKEY_CTX_dup(ctx)) != NULL &&
                 EVP_PKEY_verify_message_update(copy, text + 4, length - 4) > 0)
            result = EVP_PKEY_verify_message_final(copy);
    }
    EVP_PKEY_CTX_free(copy);
    EVP_PKEY_CTX_free(ctx);
    EVP_SIGNATURE_free(by);
    return result;
}

/* Signs by name, and has it verified by name, and with the certificate as everybody does. */
static int goes_by(struct world *world, EVP_PKEY *key, const char *digest, enum way way)
{
    EVP_MD_CTX *verify = EVP_MD_CTX_new();
    EVP_PKEY *public_key = key == world->key ? X509_get_pubkey(world->certificate) : key;
    struct made made;
    int result = API_UNPREPARED;

    if (sign_by(world, key, digest, way, &made)) {
        result = 10 * verify_by(world, key, digest, way, &made, false);
        if (verify_by(world, key, digest, way, &made, true) > 0)
            result = -8;
        ERR_clear_error();
        if (EVP_DigestVerifyInit_ex(verify, NULL, digest, world->ctx, NULL, public_key, NULL) > 0)
            result += EVP_DigestVerify(verify, made.bytes, made.length, text, sizeof text);
    }
    if (key == world->key)
        EVP_PKEY_free(public_key);
    EVP_MD_CTX_free(verify);
    return result;
}

#define GOES(name, digest, way)                                                                    \
    static int name(struct world *world, EVP_PKEY *key)                                            \
    {                                                                                              \
        return goes_by(world, key, digest, way);                                                   \
    }

GOES(pieces_sha1, "SHA1", IN_PIECES)
GOES(pieces_sha224, "SHA224", IN_PIECES)
GOES(pieces_sha256, "SHA256", IN_PIECES)
GOES(pieces_sha384, "SHA384", IN_PIECES)
GOES(pieces_sha512, "SHA2-512", IN_PIECES)
GOES(once_sha256, "SHA2-256", AT_ONCE)
GOES(once_sha384, "SHA384", AT_ONCE)
GOES(digest_sha256, "SHA256", DIGEST)
GOES(digest_sha512, "SHA512", DIGEST)

/* The other kind's algorithm is refused. */
static int takes_other(struct world *world, EVP_PKEY *key)
{
    const bool rsa = EVP_PKEY_is_a(key, "RSA");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL);
    char properties[60];
    EVP_SIGNATURE *by = NULL;
    int result = API_UNPREPARED;

    (void)snprintf(properties, sizeof properties, "provider=%s",
                   OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)));
    by = EVP_SIGNATURE_fetch(world->ctx, rsa ? "ECDSA-SHA256" : "RSA-SHA256", properties);
    if (by != NULL)
        result = EVP_PKEY_sign_message_init(ctx, by, NULL);
    EVP_SIGNATURE_free(by);
    EVP_PKEY_CTX_free(ctx);
    return result;
}

/* A digest of another length than the name's is refused. */
static int signs_wrong_length(struct world *world, EVP_PKEY *key)
{
    EVP_SIGNATURE *by = algorithm(world, key, "SHA256");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL);
    struct made made = {.length = sizeof made.bytes};
    int result = API_UNPREPARED;

    if (by != NULL && EVP_PKEY_sign_init_ex2(ctx, by, NULL) > 0)
        result = EVP_PKEY_sign(ctx, made.bytes, &made.length, text, 20);
    EVP_PKEY_CTX_free(ctx);
    EVP_SIGNATURE_free(by);
    return result;
}

static int recovers_by_name(struct world *world, EVP_PKEY *key)
{
    EVP_SIGNATURE *by = algorithm(world, key, "SHA256");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(world->ctx, key, NULL);
    struct made made, out = {.length = sizeof out.bytes};
    int result = API_UNPREPARED;

    if (by != NULL && sign_by(world, key, "SHA256", AT_ONCE, &made) &&
        EVP_PKEY_verify_recover_init_ex2(ctx, by, NULL) > 0 &&
        EVP_PKEY_verify_recover(ctx, out.bytes, &out.length, made.bytes, made.length) > 0)
        result = (int)out.length;
    EVP_PKEY_CTX_free(ctx);
    EVP_SIGNATURE_free(by);
    return result;
}

const struct api_function api_composite[] = {
    {"EVP_PKEY_sign_message_init, SHA1", ANY, EXPECT_SAME, pieces_sha1},
    {"EVP_PKEY_sign_message_init, SHA224", ANY, EXPECT_SAME, pieces_sha224},
    {"EVP_PKEY_sign_message_init, SHA256", ANY, EXPECT_SAME, pieces_sha256},
    {"EVP_PKEY_sign_message_init, SHA384", ANY, EXPECT_SAME, pieces_sha384},
    {"EVP_PKEY_sign_message_init, SHA512", ANY, EXPECT_SAME, pieces_sha512},
    {"EVP_PKEY_sign of a message, SHA256", ANY, EXPECT_SAME, once_sha256},
    {"EVP_PKEY_sign of a message, SHA384", ANY, EXPECT_SAME, once_sha384},
    {"EVP_PKEY_sign_init_ex2, SHA256", ANY, EXPECT_SAME, digest_sha256},
    {"EVP_PKEY_sign_init_ex2, SHA512", ANY, EXPECT_SAME, digest_sha512},
    {"EVP_PKEY_sign_message_init of another kind", ANY, EXPECT_SAME, takes_other},
    {"EVP_PKEY_sign of a digest too short", ANY, EXPECT_SAME, signs_wrong_length},
    {"EVP_PKEY_verify_recover_init_ex2", "RSA", EXPECT_SAME, recovers_by_name},
};

#else

/* To older OpenSSLs these are other names of digests, and simkey does not offer them. */
static int is_offered(struct world *world, EVP_PKEY *key)
{
    EVP_SIGNATURE *by = EVP_SIGNATURE_fetch(world->ctx, "RSA-SHA256", NULL);

    (void)key;
    EVP_SIGNATURE_free(by);
    return by != NULL ? API_UNPREPARED : 0;
}

const struct api_function api_composite[] = {
    {"EVP_SIGNATURE_fetch of RSA-SHA256", ANY, EXPECT_SAME, is_offered},
};

#endif

const size_t api_composite_count = sizeof api_composite / sizeof api_composite[0];
