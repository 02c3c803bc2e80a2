/* SPDX-License-Identifier: Apache-2.0 */
/* The PEM key reference: written and read again, other versions, foreign shapes, damage. */
#include "provider/keyref.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ICCID "89880330000000000017"

/* A reference as `simkey key` makes it; its public key is the caller's to free by keyref_clear. */
static void make_keyref(struct keyref *keyref, EVP_PKEY *public_key, const char *uri)
{
    struct report why = REPORT_INIT;

    memset(keyref, 0, sizeof *keyref);
    EXPECT(uri_parse(&keyref->uri, uri, &why), OUTCOME_OK, &why);
    keyref->public_key = public_key;
    strcpy(keyref->iccid, ICCID);
}

/* The DER inside the one PEM block that keyref_write makes. */
static size_t write_der(const struct keyref *keyref, uint8_t der[2048])
{
    BIO *out = BIO_new(BIO_s_mem());
    struct report why = REPORT_INIT;
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long length = 0;

    EXPECT(keyref_write(out, keyref, &why), OUTCOME_OK, &why);
    if (PEM_read_bio(out, &name, &header, &data, &length) != 1 || length > 2048) {
        FAIL("no PEM block was written");
        length = 0;
    }
    if (name)
        EXPECT_TEXT(name, KEYREF_PEM_LABEL);
    if (header)
        EXPECT_TEXT(header, "");
    EXPECT_NUMBER(BIO_pending(out), 0);
    if (length > 0)
        memcpy(der, data, (size_t)length);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    BIO_free(out);
    return (size_t)length;
}

/* Reads a copy that ends where its memory ends, and shows that the error queue stays as it was. */
static enum outcome read_der(struct keyref *keyref, const uint8_t *der, size_t length,
                             struct report *why)
{
    uint8_t *copy = malloc(length ? length : 1);
    enum outcome outcome;

    memcpy(copy, der, length);
    ERR_clear_error();
    memset(keyref, 0x55, sizeof *keyref);
    outcome = keyref_read(keyref, copy, length, NULL, why);
    EXPECT_NUMBER(ERR_peek_error(), 0);
    free(copy);
    return outcome;
}

static void a_reference_names_its_key_by_bytes_or_label(void)
{
    static const char *const uris[] = {"sim:signing;id=%01", "sim:signing;id=%00%FF%25",
                                       "sim:signing;object=BootstrapKey_1",
                                       "sim:signing;container=0;key-id=31"};

    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        struct keyref keyref, again;
        struct report why = REPORT_INIT;
        uint8_t der[2048];
        size_t length;

        make_keyref(&keyref, EVP_EC_gen("P-256"), uris[i]);
        length = write_der(&keyref, der);
        CU_ASSERT_PTR_NOT_NULL(memmem(der, length, uris[i], strlen(uris[i])));
        EXPECT(read_der(&again, der, length, &why), OUTCOME_OK, &why);
        CU_ASSERT(token_name_equal(&again.uri.key, &keyref.uri.key));
        keyref_clear(&again);
        keyref_clear(&keyref);
    }
}

static void what_is_written_is_read_again(void)
{
    EVP_PKEY *keys[2] = {EVP_RSA_gen(2048), EVP_EC_gen("P-256")};
    size_t i;

    for (i = 0; i < 2; i++) {
        struct keyref keyref, again;
        struct report why = REPORT_INIT;
        uint8_t der[2048];
        size_t length;

        make_keyref(&keyref, keys[i], "sim:signing;container=2;key-id=33");
        length = write_der(&keyref, der);
        EXPECT(read_der(&again, der, length, &why), OUTCOME_OK, &why);
        EXPECT_NUMBER(again.uri.what, URI_SIGNING);
        EXPECT_NUMBER(again.uri.key.container, 2);
        EXPECT_BYTES(again.uri.key.id, again.uri.key.id_length, "33");
        EXPECT_NUMBER(again.uri.setting_count, 0);
        EXPECT_TEXT(again.iccid, ICCID);
        EXPECT_NUMBER(EVP_PKEY_eq(again.public_key, keys[i]), 1);
        keyref_clear(&again);
        keyref_clear(&keyref);
    }
}

static void a_reference_holds_no_private_key_and_no_device(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIGNUM *secret = NULL;
    struct keyref keyref;
    uint8_t der[2048], bytes[32];
    size_t length;

    make_keyref(&keyref, key, "sim:signing;container=0;key-id=61");
    length = write_der(&keyref, der);
    CU_ASSERT_EQUAL(EVP_PKEY_get_bn_param(key, "priv", &secret), 1);
    CU_ASSERT_EQUAL(BN_bn2binpad(secret, bytes, 32), 32);
    CU_ASSERT_PTR_NULL(memmem(der, length, bytes, 32));
    CU_ASSERT_PTR_NULL(memmem(der, length, "device", 6));
    CU_ASSERT_PTR_NOT_NULL(memmem(der, length, "sim:signing;container=0;key-id=61", 33));
    CU_ASSERT_PTR_NOT_NULL(memmem(der, length, ICCID, 20));
    BN_clear_free(secret);
    keyref_clear(&keyref);
}

static void settings_are_not_written(void)
{
    BIO *out = BIO_new(BIO_s_mem());
    struct keyref keyref;
    struct report why = REPORT_INIT;

    make_keyref(&keyref, EVP_EC_gen("P-256"), "sim:signing;key-id=61?timeout=5");
    EXPECT(keyref_write(out, &keyref, &why), OUTCOME_USAGE, &why);
    EXPECT_NUMBER(BIO_pending(out), 0);
    keyref_clear(&keyref);
    BIO_free(out);
}

static void a_sim_whose_number_nobody_knows_is_any_sim(void)
{
    struct keyref keyref, again;
    struct report why = REPORT_INIT;
    uint8_t der[2048];
    size_t length;

    make_keyref(&keyref, EVP_EC_gen("P-256"), "sim:signing;key-id=61");
    keyref.iccid[0] = '\0';
    length = write_der(&keyref, der);
    EXPECT(read_der(&again, der, length, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(again.iccid, "");
    keyref_clear(&again);
    keyref_clear(&keyref);
}

static void only_resolved_signing_keys_are_written(void)
{
    static const char *const uris[] = {"sim:signing", "sim:available"};
    BIO *out = BIO_new(BIO_s_mem());
    size_t i;

    for (i = 0; i < 2; i++) {
        struct keyref keyref;
        struct report why = REPORT_INIT;

        make_keyref(&keyref, EVP_EC_gen("P-256"), uris[i]);
        EXPECT(keyref_write(out, &keyref, &why), OUTCOME_USAGE, &why);
        EXPECT_NUMBER(BIO_pending(out), 0);
        keyref_clear(&keyref);
    }
    BIO_free(out);
}

/* ---- hand-made references ---- */

static size_t put(uint8_t *to, unsigned tag, const void *data, size_t length)
{
    size_t head = 2;

    to[0] = (uint8_t)tag;
    if (length < 128) {
        to[1] = (uint8_t)length;
    } else {
        to[1] = 0x82;
        to[2] = (uint8_t)(length >> 8);
        to[3] = (uint8_t)length;
        head = 4;
    }
    memmove(to + head, data, length);
    return head + length;
}

/* A reference of these parts, and a trailer inside the sequence. */
static size_t forge(uint8_t *der, uint8_t version, const char *uri, unsigned iccid_tag,
                    const char *iccid, const char *trailer)
{
    uint8_t body[2048], spki[512], *at = spki;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    size_t length, spki_length = (size_t)i2d_PUBKEY(key, &at);

    EVP_PKEY_free(key);
    length = put(body, 0x02, &version, 1);
    length += put(body + length, 0x0C, uri, strlen(uri));
    memcpy(body + length, spki, spki_length);
    length += spki_length;
    length += put(body + length, iccid_tag, iccid, strlen(iccid));
    length += bytes_of(trailer, body + length, 64);
    return put(der, 0x30, body, length);
}

static enum outcome read_forged(uint8_t version, const char *uri, unsigned iccid_tag,
                                const char *iccid, const char *trailer, struct report *why)
{
    struct keyref keyref;
    uint8_t der[2048];
    size_t length = forge(der, version, uri, iccid_tag, iccid, trailer);
    enum outcome outcome = read_der(&keyref, der, length, why);

    if (outcome == OUTCOME_OK)
        keyref_clear(&keyref);
    return outcome;
}

#define GOOD_URI "sim:signing;container=0;key-id=61"

static void a_hand_made_reference_is_read(void)
{
    struct report why = REPORT_INIT;

    EXPECT(read_forged(1, GOOD_URI, 0x12, ICCID, "", &why), OUTCOME_OK, &why);
}

static void another_version_is_refused_by_its_number(void)
{
    struct report why = REPORT_INIT;

    EXPECT(read_forged(3, GOOD_URI, 0x12, ICCID, "", &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "version 3");
    EXPECT(read_forged(0, GOOD_URI, 0x12, ICCID, "", &why), OUTCOME_USAGE, &why);
}

/* A number with letters makes another version: programs that know digits only refuse it by that. */
static void an_iccid_with_letters_has_a_version_of_its_own(void)
{
    static const char letters[] = "898830070000124A567B";
    struct report why = REPORT_INIT;

    EXPECT(read_forged(2, GOOD_URI, 0x13, letters, "", &why), OUTCOME_OK, &why);
    EXPECT(read_forged(2, GOOD_URI, 0x13, ICCID, "", &why), OUTCOME_OK, &why);
    EXPECT(read_forged(1, GOOD_URI, 0x12, letters, "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(1, GOOD_URI, 0x13, ICCID, "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(2, GOOD_URI, 0x12, ICCID, "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(2, GOOD_URI, 0x13, "898830070000124a567b", "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(2, GOOD_URI, 0x13, "898830070000124F567B", "", &why), OUTCOME_USAGE, &why);
}

static void another_shape_is_refused(void)
{
    struct report why = REPORT_INIT;

    EXPECT(read_forged(1, GOOD_URI, 0x12, ICCID, "0500", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(1, GOOD_URI, 0x0C, ICCID, "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(1, GOOD_URI, 0x12, "8988033000000000001X", "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(1, GOOD_URI, 0x12, "898803300000000000171", "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(1, "sim:available", 0x12, ICCID, "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(1, "sim:signing", 0x12, ICCID, "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(1, "file:/etc/passwd", 0x12, ICCID, "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(1, "", 0x12, ICCID, "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(1, GOOD_URI "?colour=red", 0x12, ICCID, "", &why), OUTCOME_USAGE, &why);
    EXPECT(read_forged(1, GOOD_URI "?", 0x12, ICCID, "", &why), OUTCOME_USAGE, &why);
}

/* Anybody may have made it: what it says of devices, files and PINs counts for nothing, and the
 * reader learns which settings stood there. */
static void settings_in_a_reference_do_not_count(void)
{
    static const char uri[] =
        GOOD_URI "?device=/tmp/mine&trace=at,file:/etc/x&pin_source=/p&pin=1234&timeout=99999";
    struct keyref keyref;
    struct report why = REPORT_INIT;
    uint8_t der[2048];
    size_t length = forge(der, 1, uri, 0x12, ICCID, "");
    char names[128];

    EXPECT(read_der(&keyref, der, length, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(keyref.uri.setting_count, 0);
    EXPECT_TEXT(keyref_words(keyref.words, names, sizeof names),
                "device, pin-source, pin, timeout and trace");
    keyref_clear(&keyref);
    length = forge(der, 1, GOOD_URI, 0x12, ICCID, "");
    EXPECT(read_der(&keyref, der, length, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(keyref.words, 0);
    keyref_clear(&keyref);
}

static void a_reference_names_one_sim(void)
{
    struct keyref keyref;
    struct report why = REPORT_INIT;
    uint8_t der[2048];
    size_t length;

    EXPECT(read_forged(1, GOOD_URI ";iccid=" ICCID, 0x12, ICCID, "", &why), OUTCOME_OK, &why);
    EXPECT(read_forged(1, GOOD_URI ";iccid=89880330000000000025", 0x12, ICCID, "", &why),
           OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "two SIMs");
    length = forge(der, 1, GOOD_URI ";iccid=" ICCID, 0x12, "", "");
    EXPECT(read_der(&keyref, der, length, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(keyref.iccid, ICCID);
    keyref_clear(&keyref);
}

static void no_control_character_of_a_reference_comes_into_a_sentence(void)
{
    static const char *const uris[] = {"sim:signing;\033[31m=1", "\033]0;x\007",
                                       GOOD_URI "?\033[2J=1", GOOD_URI ";iccid=\033[1m"};

    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        struct report why = REPORT_INIT;

        EXPECT(read_forged(1, uris[i], 0x12, ICCID, "", &why), OUTCOME_USAGE, &why);
        for (const char *c = why.text; *c != '\0'; c++)
            if (*c < ' ' || *c >= 0x7f)
                FAIL("character %02x in the sentence for URI %zu", (unsigned char)*c, i);
    }
}

/* The URI is UTF-8 text in DER: a NUL in it must not hide what follows. */
static void a_nul_in_the_uri_is_refused(void)
{
    struct keyref keyref;
    struct report why = REPORT_INIT;
    uint8_t der[2048], *uri;
    size_t length = forge(der, 1, GOOD_URI "X;evil", 0x12, ICCID, "");

    uri = memmem(der, length, "X;evil", 6);
    CU_ASSERT_PTR_NOT_NULL(uri);
    if (uri)
        *uri = 0;
    EXPECT(read_der(&keyref, der, length, &why), OUTCOME_USAGE, &why);
}

static void every_cut_and_many_damaged_references_do_no_harm(void)
{
    struct keyref keyref;
    struct report why = REPORT_INIT;
    uint8_t der[2048];
    size_t length = forge(der, 1, GOOD_URI, 0x12, ICCID, ""), i;
    unsigned bit;

    for (i = 0; i < length; i++) {
        EXPECT(read_der(&keyref, der, i, &why), OUTCOME_USAGE, &why);
        for (bit = 0; bit < 8; bit++) {
            der[i] ^= (uint8_t)(1u << bit);
            if (read_der(&keyref, der, length, &why) == OUTCOME_OK)
                keyref_clear(&keyref);
            der[i] ^= (uint8_t)(1u << bit);
        }
    }
    der[length] = 0;
    EXPECT(read_der(&keyref, der, length + 1, &why), OUTCOME_USAGE, &why);
}

void add_keyref_suite(void)
{
    static const struct test tests[] = {
        TEST(what_is_written_is_read_again),
        TEST(a_reference_names_its_key_by_bytes_or_label),
        TEST(a_reference_holds_no_private_key_and_no_device),
        TEST(settings_are_not_written),
        TEST(a_sim_whose_number_nobody_knows_is_any_sim),
        TEST(only_resolved_signing_keys_are_written),
        TEST(a_hand_made_reference_is_read),
        TEST(another_version_is_refused_by_its_number),
        TEST(an_iccid_with_letters_has_a_version_of_its_own),
        TEST(another_shape_is_refused),
        TEST(settings_in_a_reference_do_not_count),
        TEST(a_reference_names_one_sim),
        TEST(no_control_character_of_a_reference_comes_into_a_sentence),
        TEST(a_nul_in_the_uri_is_refused),
        TEST(every_cut_and_many_damaged_references_do_no_harm),
    };

    ADD_SUITE("keyref", tests);
}
