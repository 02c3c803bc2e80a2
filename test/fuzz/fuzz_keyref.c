/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: key references. The first byte says what the rest is: 0 DER, 1 PEM, 2 a URI and 3 an
 * ICCID to put into a reference that is made here. */
#include "provider/keyref.h"
#include "test/fuzz/fuzz.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* A P-256 key (the base point, RFC 5480) as SubjectPublicKeyInfo. */
static const uint8_t spki[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A,
    0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04, 0x6B, 0x17, 0xD1, 0xF2, 0xE1,
    0x2C, 0x42, 0x47, 0xF8, 0xBC, 0xE6, 0xE5, 0x63, 0xA4, 0x40, 0xF2, 0x77, 0x03, 0x7D, 0x81, 0x2D,
    0xEB, 0x33, 0xA0, 0xF4, 0xA1, 0x39, 0x45, 0xD8, 0x98, 0xC2, 0x96, 0x4F, 0xE3, 0x42, 0xE2, 0xFE,
    0x1A, 0x7F, 0x9B, 0x8E, 0xE7, 0xEB, 0x4A, 0x7C, 0x0F, 0x9E, 0x16, 0x2B, 0xCE, 0x33, 0x57, 0x6B,
    0x31, 0x5E, 0xCE, 0xCB, 0xB6, 0x40, 0x68, 0x37, 0xBF, 0x51, 0xF5};

static uint8_t *unwrap(BIO *in, long *length)
{
    char *label = NULL, *header = NULL;
    unsigned char *der = NULL;
    uint8_t *copy = NULL;

    if (PEM_read_bio(in, &label, &header, &der, length) == 1 &&
        strcmp(label, KEYREF_PEM_LABEL) == 0) {
        copy = malloc(*length > 0 ? (size_t)*length : 1);
        REQUIRE(copy != NULL);
        memcpy(copy, der, (size_t)*length);
    }
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    ERR_clear_error();
    return copy;
}

static void check_same(const struct keyref *a, const struct keyref *b)
{
    REQUIRE(token_name_equal(&a->uri.key, &b->uri.key));
    REQUIRE(a->uri.setting_count == b->uri.setting_count);
    REQUIRE(strcmp(a->uri.iccid, b->uri.iccid) == 0 && strcmp(a->iccid, b->iccid) == 0);
    REQUIRE(EVP_PKEY_eq(a->public_key, b->public_key) == 1);
}

/* What was read is written, and read to the same again. */
static void write_and_read(const struct keyref *keyref)
{
    BIO *pem = BIO_new(BIO_s_mem());
    struct report why = REPORT_INIT;
    struct keyref again;
    uint8_t *der;
    long length = 0;

    REQUIRE(keyref_write(pem, keyref, &why) == OUTCOME_OK);
    der = unwrap(pem, &length);
    REQUIRE(der != NULL);
    REQUIRE(keyref_read(&again, der, (size_t)length, NULL, &why) == OUTCOME_OK);
    check_same(keyref, &again);
    keyref_clear(&again);
    free(der);
    BIO_free(pem);
}

static void try_der(const uint8_t *der, size_t length)
{
    struct report why = REPORT_INIT;
    struct keyref keyref;
    enum outcome outcome;

    ERR_clear_error();
    outcome = keyref_read(&keyref, der, length, NULL, &why);
    REQUIRE(ERR_peek_error() == 0);
    check_report(outcome, &why);
    if (outcome != OUTCOME_OK)
        return;
    REQUIRE(keyref.public_key != NULL && keyref.uri.what == URI_SIGNING);
    REQUIRE(uri_names_key(&keyref.uri));
    REQUIRE(keyref.iccid[strspn(keyref.iccid, "0123456789")] == '\0');
    write_and_read(&keyref);
    keyref_clear(&keyref);
}

static void try_pem(struct span input)
{
    BIO *in = BIO_new_mem_buf(input.length > 0 ? (const void *)input.data : "", (int)input.length);
    long length = 0;
    uint8_t *der = unwrap(in, &length);

    if (der != NULL)
        try_der(der, (size_t)length);
    free(der);
    BIO_free(in);
}

/* A DER TLV; returns its length. */
static size_t put(uint8_t *to, uint8_t tag, const void *data, size_t length)
{
    to[0] = tag;
    to[1] = 0x82;
    to[2] = (uint8_t)(length >> 8);
    to[3] = (uint8_t)length;
    if (length > 0)
        memcpy(to + 4, data, length);
    return 4 + length;
}

static void try_made(struct span uri, struct span iccid)
{
    static const uint8_t version[] = {0x02, 0x01, 0x01};
    static uint8_t body[4096], all[4096 + 4];
    size_t used = sizeof version;

    if (uri.length > 2000 || iccid.length > 1000)
        return;
    memcpy(body, version, sizeof version);
    used += put(body + used, V_ASN1_UTF8STRING, uri.data, uri.length);
    memcpy(body + used, spki, sizeof spki);
    used += sizeof spki;
    used += put(body + used, V_ASN1_NUMERICSTRING, iccid.data, iccid.length);
    try_der(all, put(all, 0x30, body, used));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t usual[] = "sim:signing;key-id=31";
    struct span input = {data, size}, uri = {usual, sizeof usual - 1}, none = {usual, 0};

    switch (input_byte(&input) % 4) {
    case 0:
        try_der(input.data, input.length);
        break;
    case 1:
        try_pem(input);
        break;
    case 2:
        try_made(input, none);
        break;
    default:
        try_made(uri, input);
        break;
    }
    return 0;
}
