/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: certificate files, plain and compressed, bombs included, and what OpenSSL's objects
 * are made of: certificates and private keys, DER and PEM.
 *
 * The first byte says what the rest is:
 *   0     a certificate file as it stands
 *   1     what is compressed here, announced right
 *   2     a bomb: the second byte says what is announced, the third how often the rest repeats
 *   3, 4  a certificate; a private key */
#include "apdu/applet/mias.h"
#include "provider/objects.h"
#include "test/fuzz/fuzz.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PLAIN_MAX 70000

static void try_objects(struct span bytes, bool private_key)
{
    struct report why = REPORT_INIT;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    enum token_key_type type;
    unsigned bits = 0;
    enum outcome outcome;

    ERR_clear_error();
    if (private_key) {
        outcome = objects_private_key(NULL, bytes.data, bytes.length, &key, &why);
        REQUIRE((outcome == OUTCOME_OK) == (key != NULL));
        check_report(outcome, &why);
    } else {
        outcome = objects_certificate(NULL, bytes.data, bytes.length, &certificate, &why);
        REQUIRE((outcome == OUTCOME_OK) == (certificate != NULL));
        check_report(outcome, &why);
        if (outcome == OUTCOME_OK) {
            outcome = objects_public_key(certificate, &key, &type, &bits, &why);
            REQUIRE((outcome == OUTCOME_OK) == (key != NULL));
            REQUIRE(outcome != OUTCOME_OK || bits > 0);
            check_report(outcome, &why);
        }
    }
    REQUIRE(ERR_peek_error() == 0);
    EVP_PKEY_free(key);
    X509_free(certificate);
}

/* Unpacks. wanted, if not NULL, is all that may come out. */
static void try_unpack(struct span packed, const struct span *wanted)
{
    struct report why = REPORT_INIT;
    uint8_t *der = NULL;
    size_t length = 0;
    enum outcome outcome = mias_unpack_certificate(packed, &der, &length, &why);

    check_report(outcome, &why);
    REQUIRE((outcome == OUTCOME_OK) == (der != NULL));
    if (outcome == OUTCOME_OK) {
        REQUIRE(length > 1 && length <= 0xFFFF + 4 && der[0] == 0x30);
        REQUIRE(wanted == NULL ||
                (length <= wanted->length && memcmp(der, wanted->data, length) == 0));
        try_objects((struct span){der, length}, false);
    }
    free(der);
}

static void try_compressed(struct span plain, size_t announced)
{
    uLongf room = compressBound((uLong)plain.length);
    uint8_t *packed = malloc(4 + room);

    REQUIRE(packed != NULL);
    packed[0] = 1;
    packed[1] = 0;
    packed[2] = (uint8_t)announced;
    packed[3] = (uint8_t)(announced >> 8);
    REQUIRE(compress2(packed + 4, &room, plain.data, (uLong)plain.length, 9) == Z_OK);
    try_unpack((struct span){packed, 4 + room}, &plain);
    free(packed);
}

static void try_bomb(struct span input)
{
    size_t announced = (size_t)input_byte(&input) << 8, times = 1 + input_byte(&input), used = 0;
    uint8_t *plain = malloc(PLAIN_MAX);

    REQUIRE(plain != NULL);
    for (size_t i = 0; i < times && input.length > 0 && used + input.length <= PLAIN_MAX; i++) {
        memcpy(plain + used, input.data, input.length);
        used += input.length;
    }
    try_compressed((struct span){plain, used}, announced);
    free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {data, size};

    switch (input_byte(&input) % 5) {
    case 0:
        try_unpack(input, NULL);
        break;
    case 1:
        if (input.length <= 0xFFFF)
            try_compressed(input, input.length);
        break;
    case 2:
        try_bomb(input);
        break;
    case 3:
        try_objects(input, false);
        break;
    default:
        try_objects(input, true);
        break;
    }
    return 0;
}
