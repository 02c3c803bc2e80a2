/* SPDX-License-Identifier: Apache-2.0 */
/* mIAS security operations byte by byte: plans for each scheme and hash, MSE SET kept and renewed, PSO HASH and CDS,
 * DECIPHER with its chain, GET CHALLENGE. */
#include "apdu/applet/mias.h"
#include "modem/trace.h"
#include "test/unit/check.h"
#include "test/unit/scripted_card.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

static const struct token_key rsa = {
    .name = {.id_length = 1, .id = {0x31}}, .type = TOKEN_RSA, .bits = 2048, .iccid = ""};
static const struct token_key p256 = {
    .name = {.id_length = 1, .id = {0x61}}, .type = TOKEN_EC, .bits = 256, .iccid = ""};
static const struct token_key p384 = {
    .name = {.id_length = 1, .id = {0x61}}, .type = TOKEN_EC, .bits = 384, .iccid = ""};

static const size_t hash_lengths[TOKEN_HASHES] = {[TOKEN_SHA1] = 20,
                                                  [TOKEN_SHA224] = 28,
                                                  [TOKEN_SHA256] = 32,
                                                  [TOKEN_SHA384] = 48,
                                                  [TOKEN_SHA512] = 64};

static void the_algorithm_byte_is_hash_and_scheme(void)
{
    static const uint8_t nibbles[TOKEN_HASHES] = {[TOKEN_SHA1] = 0x10,
                                                  [TOKEN_SHA224] = 0x30,
                                                  [TOKEN_SHA256] = 0x40,
                                                  [TOKEN_SHA384] = 0x50,
                                                  [TOKEN_SHA512] = 0x60};
    int hash;

    for (hash = TOKEN_SHA1; hash < TOKEN_HASHES; hash++) {
        EXPECT_NUMBER(mias_sign_algorithm(TOKEN_PKCS1, (enum token_hash)hash), nibbles[hash] | 2);
        EXPECT_NUMBER(mias_sign_algorithm(TOKEN_PSS, (enum token_hash)hash), nibbles[hash] | 5);
        EXPECT_NUMBER(mias_sign_algorithm(TOKEN_ECDSA, (enum token_hash)hash), nibbles[hash] | 4);
    }
    EXPECT_NUMBER(mias_sign_algorithm(TOKEN_PKCS1, TOKEN_HASH_NONE), 0x02);
    EXPECT_NUMBER(mias_sign_algorithm(TOKEN_PSS, TOKEN_HASH_NONE), 0);
    EXPECT_NUMBER(mias_decrypt_algorithm(TOKEN_DECRYPT_PKCS1, TOKEN_HASH_NONE), 0x1A);
    EXPECT_NUMBER(mias_decrypt_algorithm(TOKEN_DECRYPT_OAEP, TOKEN_SHA1), 0x1D);
    EXPECT_NUMBER(mias_decrypt_algorithm(TOKEN_DECRYPT_OAEP, TOKEN_SHA256), 0x4D);
    EXPECT_NUMBER(mias_decrypt_algorithm(TOKEN_DECRYPT_OAEP, TOKEN_SHA384), 0x5D);
    EXPECT_NUMBER(mias_decrypt_algorithm(TOKEN_DECRYPT_OAEP, TOKEN_SHA512), 0x6D);
    EXPECT_NUMBER(mias_decrypt_algorithm(TOKEN_DECRYPT_OAEP, TOKEN_SHA224), 0);
    EXPECT_NUMBER(mias_decrypt_algorithm(TOKEN_DECRYPT_OAEP, TOKEN_HASH_NONE), 0);
}

/* ---- plans ---- */

/* True if a plan of this algorithm carries these bytes. */
static bool planned(const struct mias_plan *plans, size_t count, uint8_t algorithm,
                    const uint8_t *data, size_t length)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (plans[i].algorithm == algorithm && plans[i].length == length &&
            memcmp(plans[i].data, data, length) == 0)
            return true;
    return false;
}

static size_t make_plans(const struct token_key *key, enum token_scheme scheme,
                         enum token_hash hash, const uint8_t *data, size_t length,
                         struct mias_plan plans[MIAS_PLANS])
{
    const struct token_digest digest = {scheme, hash, data, length};

    return mias_plans(key, &digest, plans);
}

static void pss_has_one_plan_and_never_another_scheme(void)
{
    struct mias_plan plans[MIAS_PLANS];
    uint8_t digest[64];
    int hash;

    memset(digest, 0xD1, sizeof digest);
    for (hash = TOKEN_SHA1; hash < TOKEN_HASHES; hash++) {
        EXPECT_NUMBER(
            make_plans(&rsa, TOKEN_PSS, (enum token_hash)hash, digest, hash_lengths[hash], plans),
            1);
        EXPECT_NUMBER(plans[0].algorithm, mias_sign_algorithm(TOKEN_PSS, (enum token_hash)hash));
        EXPECT_NUMBER(plans[0].length, hash_lengths[hash]);
        CU_ASSERT_EQUAL(memcmp(plans[0].data, digest, hash_lengths[hash]), 0);
    }
}

static void pkcs1_falls_back_to_the_bare_padding_with_digestinfo(void)
{
    static const char *const infos[TOKEN_HASHES] = {
        [TOKEN_SHA1] = "3021300906052B0E03021A05000414",
        [TOKEN_SHA224] = "302D300D06096086480165030402040500041C",
        [TOKEN_SHA256] = "3031300D060960864801650304020105000420",
        [TOKEN_SHA384] = "3041300D060960864801650304020205000430",
        [TOKEN_SHA512] = "3051300D060960864801650304020305000440"};
    struct mias_plan plans[MIAS_PLANS];
    uint8_t digest[64], whole[128];
    size_t info, count;
    int hash;

    memset(digest, 0xD2, sizeof digest);
    for (hash = TOKEN_SHA1; hash < TOKEN_HASHES; hash++) {
        count =
            make_plans(&rsa, TOKEN_PKCS1, (enum token_hash)hash, digest, hash_lengths[hash], plans);
        EXPECT_NUMBER(count, 2);
        EXPECT_NUMBER(plans[0].algorithm, mias_sign_algorithm(TOKEN_PKCS1, (enum token_hash)hash));
        EXPECT_NUMBER(plans[0].length, hash_lengths[hash]);
        info = bytes_of(infos[hash], whole, sizeof whole);
        memcpy(whole + info, digest, hash_lengths[hash]);
        EXPECT_NUMBER(plans[1].algorithm, 0x02);
        CU_ASSERT(planned(plans, count, 0x02, whole, info + hash_lengths[hash]));
    }
}

static void given_data_is_padded_as_it_is(void)
{
    struct mias_plan plans[MIAS_PLANS];
    uint8_t data[256];

    memset(data, 0xD3, sizeof data);
    EXPECT_NUMBER(make_plans(&rsa, TOKEN_PKCS1, TOKEN_HASH_NONE, data, 36, plans), 1);
    EXPECT_NUMBER(plans[0].algorithm, 0x02);
    EXPECT_NUMBER(plans[0].length, 36);
    /* PKCS#1 takes eleven bytes of the modulus (RFC 8017, 9.2). */
    EXPECT_NUMBER(make_plans(&rsa, TOKEN_PKCS1, TOKEN_HASH_NONE, data, 245, plans), 1);
    EXPECT_NUMBER(make_plans(&rsa, TOKEN_PKCS1, TOKEN_HASH_NONE, data, 246, plans), 0);
}

static void ecdsa_falls_back_to_44(void)
{
    struct mias_plan plans[MIAS_PLANS];
    uint8_t digest[64];
    size_t count;

    memset(digest, 0xD4, sizeof digest);
    count = make_plans(&p256, TOKEN_ECDSA, TOKEN_SHA256, digest, 32, plans);
    EXPECT_NUMBER(count, 1);
    EXPECT_NUMBER(plans[0].algorithm, 0x44);
    EXPECT_NUMBER(plans[0].length, 32);
    count = make_plans(&p384, TOKEN_ECDSA, TOKEN_SHA384, digest, 48, plans);
    EXPECT_NUMBER(plans[0].algorithm, 0x54);
    EXPECT_NUMBER(plans[0].length, 48);
    CU_ASSERT(count >= 2 && count <= MIAS_PLANS && planned(plans, count, 0x44, digest, 48));
}

/* FIPS 186-4, 6.4: only the leftmost bits of a longer digest count; zeros on the left of a shorter one do nothing. */
static void digests_are_fitted_to_the_field(void)
{
    struct mias_plan plans[MIAS_PLANS];
    uint8_t digest[64], padded[64] = {0};
    size_t count;

    memset(digest, 0xD5, sizeof digest);
    count = make_plans(&p256, TOKEN_ECDSA, TOKEN_SHA512, digest, 64, plans);
    EXPECT_NUMBER(plans[0].algorithm, 0x64);
    CU_ASSERT(planned(plans, count, 0x64, digest, 32) || planned(plans, count, 0x44, digest, 32));
    count = make_plans(&p256, TOKEN_ECDSA, TOKEN_SHA1, digest, 20, plans);
    memcpy(padded + 4, digest, 28);
    EXPECT_NUMBER(plans[0].algorithm, 0x14);
    CU_ASSERT(planned(plans, count, 0x14, padded, 24));
    count = make_plans(&p256, TOKEN_ECDSA, TOKEN_SHA224, digest, 28, plans);
    CU_ASSERT(planned(plans, count, 0x34, padded, 32));
    CU_ASSERT(count <= MIAS_PLANS);
}

static void what_cannot_be_signed_has_no_plan(void)
{
    struct mias_plan plans[MIAS_PLANS];
    uint8_t digest[64] = {0};

    EXPECT_NUMBER(make_plans(&rsa, TOKEN_ECDSA, TOKEN_SHA256, digest, 32, plans), 0);
    EXPECT_NUMBER(make_plans(&p256, TOKEN_PKCS1, TOKEN_SHA256, digest, 32, plans), 0);
    EXPECT_NUMBER(make_plans(&p256, TOKEN_PSS, TOKEN_SHA256, digest, 32, plans), 0);
    EXPECT_NUMBER(make_plans(&rsa, TOKEN_PSS, TOKEN_SHA256, digest, 31, plans), 0);
    EXPECT_NUMBER(make_plans(&rsa, TOKEN_PKCS1, TOKEN_SHA256, digest, 33, plans), 0);
    EXPECT_NUMBER(make_plans(&p256, TOKEN_ECDSA, TOKEN_SHA384, digest, 0, plans), 0);
    EXPECT_NUMBER(make_plans(&rsa, TOKEN_PSS, TOKEN_HASH_NONE, digest, 32, plans), 0);
}

/* ---- the security environment ---- */

static void an_environment_is_set_once_and_kept(void)
{
    static const struct card_step first[] = {{"00 22 41 B6 06 800142 840131", "9000"}, CARD_END};
    static const struct card_step nothing[] = {CARD_END};
    static const struct card_step other_algorithm[] = {{"00 22 41 B6 06 800145 840131", "9000"},
                                                       CARD_END};
    static const struct card_step other_key[] = {{"00 22 41 B6 06 800145 840133", "9000"},
                                                 CARD_END};
    static const struct card_step other_template[] = {{"00 22 41 B8 06 80011A 840133", "9112"},
                                                      CARD_END};
    struct security_environment environment = {.set = false};
    struct scripted_card card;
    struct report why = REPORT_INIT;

    card_start(&card, first);
    EXPECT(mias_set_environment(&card.card, &environment, 0xB6, 0x42, 0x31, &why), OUTCOME_OK,
           &why);
    CU_ASSERT(environment.set);
    card_continue(&card, nothing);
    EXPECT(mias_set_environment(&card.card, &environment, 0xB6, 0x42, 0x31, &why), OUTCOME_OK,
           &why);
    card_continue(&card, other_algorithm);
    EXPECT(mias_set_environment(&card.card, &environment, 0xB6, 0x45, 0x31, &why), OUTCOME_OK,
           &why);
    card_continue(&card, other_key);
    EXPECT(mias_set_environment(&card.card, &environment, 0xB6, 0x45, 0x33, &why), OUTCOME_OK,
           &why);
    card_continue(&card, other_template);
    EXPECT(mias_set_environment(&card.card, &environment, 0xB8, 0x1A, 0x33, &why), OUTCOME_OK,
           &why);
    /* What somebody else took away is set again. */
    environment.set = false;
    card_continue(&card, other_template);
    EXPECT(mias_set_environment(&card.card, &environment, 0xB8, 0x1A, 0x33, &why), OUTCOME_OK,
           &why);
    card_finish(&card);
}

static void a_refused_algorithm_leaves_no_environment(void)
{
    static const struct {
        const char *sw;
        enum outcome outcome;
    } cases[] = {{"6A80", OUTCOME_UNSUPPORTED},
                 {"6A81", OUTCOME_UNSUPPORTED},
                 {"6A86", OUTCOME_UNSUPPORTED},
                 {"6A88", OUTCOME_NOT_FOUND}};
    size_t i;

    for (i = 0; i < 4; i++) {
        const struct card_step steps[] = {{"00 22 41 B6 06 800145 840131", cases[i].sw}, CARD_END};
        struct security_environment environment = {
            .set = true, .template_tag = 0xB6, .algorithm = 0x42, .key_id = 0x31};
        struct scripted_card card;
        struct report why = REPORT_INIT;

        card_start(&card, steps);
        EXPECT(mias_set_environment(&card.card, &environment, 0xB6, 0x45, 0x31, &why),
               cases[i].outcome, &why);
        EXPECT_SAYS(why.text, "31");
        CU_ASSERT_FALSE(environment.set);
        card_finish(&card);
    }
}

/* Whatever else goes wrong, the environment is not known to stand. */
static void a_lost_channel_leaves_no_environment(void)
{
    static const char *const answers[] = {"6881", "6985", "6982",   "6D00",
                                          "6E00", "LOST", "TIMEOUT"};
    size_t i;

    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct card_step steps[] = {{"00 22 41 B6 06 800145 840131", answers[i]},
                                          {"00 22 41 B6 06 800145 840131", answers[i]},
                                          CARD_END};
        struct security_environment environment = {.set = true, .template_tag = 0xB8};
        struct scripted_card card;
        struct report why = REPORT_INIT;

        card_start(&card, steps);
        CU_ASSERT(mias_set_environment(&card.card, &environment, 0xB6, 0x45, 0x31, &why) !=
                  OUTCOME_OK);
        CU_ASSERT_FALSE(environment.set);
        CU_ASSERT(why.text[0] != '\0');
    }
}

/* ---- sign ---- */

static enum outcome sign(const struct card_step *steps, uint8_t *signature, size_t *length,
                         struct report *why)
{
    static const struct mias_plan plan = {
        .algorithm = 0x42, .data = {0xAA, 0xBB, 0xCC}, .length = 3};
    struct scripted_card card;
    enum outcome outcome;

    card_start(&card, steps);
    outcome = mias_hash_and_sign(&card.card, &plan, signature, length, why);
    card_finish(&card);
    return outcome;
}

static void a_signature_is_hash_then_cds(void)
{
    char answer[600] = "";
    const struct card_step at_once[] = {
        {"00 2A 90 A0 05 9003 AABBCC 00", "AABBCC 9000"}, {"00 2A 9E 9A 00", answer}, CARD_END};
    static const struct card_step pieces[] = {{"00 2A 90 A0 05 9003 AABBCC 00", "6103"},
                                              {"00 C0 00 00 03", "AABBCC 9000"},
                                              {"00 2A 9E 9A 00", "0102 6102"},
                                              {"00 C0 00 00 02", "0304 9000"},
                                              CARD_END};
    uint8_t signature[TOKEN_SIGNATURE_MAX];
    struct report why = REPORT_INIT;
    size_t length = 0;

    append_hex(answer, sizeof answer, 0x77, 256);
    strcat(answer, "9000");
    EXPECT(sign(at_once, signature, &length, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(length, 256);
    EXPECT(sign(pieces, signature, &length, &why), OUTCOME_OK, &why);
    EXPECT_BYTES(signature, length, "01020304");
}

static void a_refused_signature_is_an_error_and_never_repeated(void)
{
    static const char *const answers[] = {"6982",   "6985",     "6A80",    "6A88",
                                          "6F00",   "6881",     "9000",    "+CME 13",
                                          "+CME 0", "+CME 100", "TIMEOUT", "GONE"};
    uint8_t signature[TOKEN_SIGNATURE_MAX];
    size_t length = 0, i;

    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct card_step cds[] = {{"00 2A 90 A0 05 9003 AABBCC 00", "AABBCC 9000"},
                                        {"00 2A 9E 9A 00", answers[i]},
                                        CARD_END};
        struct report why = REPORT_INIT;

        CU_ASSERT(sign(cds, signature, &length, &why) != OUTCOME_OK);
        CU_ASSERT(why.text[0] != '\0');
    }
}

static void a_refused_digest_is_not_signed(void)
{
    static const char *const answers[] = {"6982", "6A80", "6985", "6881", "+CME 13", "TIMEOUT"};
    uint8_t signature[TOKEN_SIGNATURE_MAX];
    size_t length = 0, i;

    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct card_step hash[] = {{"00 2A 90 A0 05 9003 AABBCC 00", answers[i]}, CARD_END};
        struct report why = REPORT_INIT;

        CU_ASSERT(sign(hash, signature, &length, &why) != OUTCOME_OK);
    }
}

/* 256 bytes, 256 bytes, one byte: more than any key of the family has. */
static void an_overlong_signature_does_not_fit(void)
{
    char more[600] = "", nearly[600] = "";
    const struct card_step steps[] = {{"00 2A 90 A0 05 9003 AABBCC 00", "9000"},
                                      {"00 2A 9E 9A 00", more},
                                      {"00 C0 00 00 00", nearly},
                                      {"00 C0 00 00 01", "77 9000"},
                                      CARD_END};
    uint8_t signature[TOKEN_SIGNATURE_MAX];
    struct report why = REPORT_INIT;
    size_t length = 0;

    append_hex(more, sizeof more, 0x77, 256);
    strcat(more, "6100");
    append_hex(nearly, sizeof nearly, 0x77, 256);
    strcat(nearly, "6101");
    EXPECT(sign(steps, signature, &length, &why), OUTCOME_BAD_DATA, &why);
}

/* ---- decrypt and random ---- */

static void a_long_cryptogram_is_chained(void)
{
    char first[600] = "10 2A 80 86 FE 81", last[64] = "00 2A 80 86 03";
    const struct card_step steps[] = {
        {first, "9000"}, {last, "6104"}, {"00 C0 00 00 04", "CAFEBABE 9000"}, CARD_END};
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t cryptogram[256], plain[TOKEN_PLAIN_MAX];
    size_t length = 0;

    memset(cryptogram, 0x5C, sizeof cryptogram);
    append_hex(first, sizeof first, 0x5C, 253);
    append_hex(last, sizeof last, 0x5C, 3);
    strcat(last, "00");
    card_start(&card, steps);
    EXPECT(mias_decipher(&card.card, cryptogram, 256, plain, &length, &why), OUTCOME_OK, &why);
    EXPECT_BYTES(plain, length, "CAFEBABE");
    CU_ASSERT(card.last_secrecy & SECRET_ANSWER);
    card_finish(&card);
}

static void a_short_cryptogram_goes_at_once_and_refusals_are_told(void)
{
    char whole[400] = "00 2A 80 86 81 81";
    const struct card_step good[] = {{whole, "CAFE 9000"}, CARD_END};
    const struct card_step bad[] = {{whole, "6A80"}, CARD_END};
    const struct card_step lost[] = {{whole, "+CME 13"}, CARD_END};
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t cryptogram[128], plain[TOKEN_PLAIN_MAX];
    size_t length = 0;

    memset(cryptogram, 0x5C, sizeof cryptogram);
    append_hex(whole, sizeof whole, 0x5C, 128);
    strcat(whole, "00");
    card_start(&card, good);
    EXPECT(mias_decipher(&card.card, cryptogram, 128, plain, &length, &why), OUTCOME_OK, &why);
    EXPECT_BYTES(plain, length, "CAFE");
    card_continue(&card, bad);
    EXPECT(mias_decipher(&card.card, cryptogram, 128, plain, &length, &why), OUTCOME_REFUSED, &why);
    EXPECT_NUMBER(why.sw, 0x6A80);
    card_continue(&card, lost);
    CU_ASSERT(mias_decipher(&card.card, cryptogram, 128, plain, &length, &why) != OUTCOME_OK);
    card_finish(&card);
}

static void random_bytes_come_in_pieces_and_fill_everything(void)
{
    static const struct card_step small[] = {{"00 84 00 00 08", "0102030405060708 9000"}, CARD_END};
    static const struct card_step short_answer[] = {
        {"00 84 00 00 08", "0102030405 9000"}, {"00 84 00 00 03", "060708 9000"}, CARD_END};
    static const struct card_step refused[] = {{"00 84 00 00 08", "6D00"}, CARD_END};
    static const struct card_step dry[] = {{"00 84 00 00 08", "9000"}, CARD_END};
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t bytes[8];

    card_start(&card, small);
    EXPECT(mias_random(&card.card, bytes, 8, &why), OUTCOME_OK, &why);
    EXPECT_BYTES(bytes, 8, "0102030405060708");
    CU_ASSERT(card.last_secrecy & SECRET_ANSWER);
    card_continue(&card, short_answer);
    EXPECT(mias_random(&card.card, bytes, 8, &why), OUTCOME_OK, &why);
    EXPECT_BYTES(bytes, 8, "0102030405060708");
    card_continue(&card, refused);
    CU_ASSERT(mias_random(&card.card, bytes, 8, &why) != OUTCOME_OK);
    card_continue(&card, dry);
    CU_ASSERT(mias_random(&card.card, bytes, 8, &why) != OUTCOME_OK);
    card_finish(&card);
}

void add_mias_crypto_suite(void)
{
    static const struct test tests[] = {
        TEST(the_algorithm_byte_is_hash_and_scheme),
        TEST(pss_has_one_plan_and_never_another_scheme),
        TEST(pkcs1_falls_back_to_the_bare_padding_with_digestinfo),
        TEST(given_data_is_padded_as_it_is),
        TEST(ecdsa_falls_back_to_44),
        TEST(digests_are_fitted_to_the_field),
        TEST(what_cannot_be_signed_has_no_plan),
        TEST(an_environment_is_set_once_and_kept),
        TEST(a_refused_algorithm_leaves_no_environment),
        TEST(a_lost_channel_leaves_no_environment),
        TEST(a_signature_is_hash_then_cds),
        TEST(a_refused_signature_is_an_error_and_never_repeated),
        TEST(a_refused_digest_is_not_signed),
        TEST(an_overlong_signature_does_not_fit),
        TEST(a_long_cryptogram_is_chained),
        TEST(a_short_cryptogram_goes_at_once_and_refusals_are_told),
        TEST(random_bytes_come_in_pieces_and_fill_everything),
    };

    ADD_SUITE("mias_crypto", tests);
}
