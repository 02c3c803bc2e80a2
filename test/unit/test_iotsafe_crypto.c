/* SPDX-License-Identifier: Apache-2.0 */
/* IoT SAFE's signatures and key pairs byte by byte: sessions opened and closed, those of dead programs
 * healed, the forms of an answer, ids that change. */
#include "apdu/applet/iotsafe.h"
#include "test/unit/check.h"
#include "test/unit/scripted_card.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define R      "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
#define S      "7F112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEE01"
#define DIGEST "DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD"

#define INIT   "80 2A 00 01 0D 840101 A10103 91020001 920104"
#define UPDATE "80 2B 80 01 22 9E20 " DIGEST " 00"
#define CLOSE  "80 2A 01 01"
#define SIGNED "33 40 " R S "9000"

static const struct token_key key_1 = {.name = {.container = -1, .id_length = 1, .id = {1}},
                                       .type = TOKEN_EC,
                                       .bits = 256,
                                       .iccid = ""};

static enum outcome sign_with(const struct card_step *steps, const struct token_key *key,
                              enum token_scheme scheme, bool *unclean, struct report *why)
{
    uint8_t digest[32], signature[TOKEN_SIGNATURE_MAX];
    const struct token_digest what = {scheme, TOKEN_SHA256, digest, sizeof digest};
    struct scripted_card card;
    size_t length = 0;
    enum outcome outcome;

    memset(digest, 0xDD, sizeof digest);
    report_clear(why);
    card_start(&card, steps);
    outcome = iotsafe_sign(&card.card, key, &what, signature, &length, unclean, why);
    if (outcome == OUTCOME_OK && scheme == TOKEN_ECDSA)
        EXPECT_BYTES(signature, length, R S);
    card_finish(&card);
    return outcome;
}

static void sign(const struct card_step *steps, enum outcome expected, bool left)
{
    struct report why = REPORT_INIT;
    bool unclean;

    EXPECT(sign_with(steps, &key_1, TOKEN_ECDSA, &unclean, &why), expected, &why);
    EXPECT_NUMBER(unclean, left);
}

static void a_signature_is_one_session(void)
{
    static const struct card_step at_once[] = {
        {INIT, "9000"}, {UPDATE, SIGNED}, {CLOSE, "9000"}, CARD_END};
    static const struct card_step fetched[] = {{INIT, "9110"},
                                               {UPDATE, "6143"},
                                               {"80 C0 00 00 43", "33 0040 " R S "9110"},
                                               {CLOSE, "63CF"},
                                               CARD_END};
    static const struct card_step with_le[] = {
        {INIT, "6700"}, {INIT "00", "9000"}, {UPDATE, SIGNED}, {CLOSE, "9000"}, CARD_END};

    sign(at_once, OUTCOME_OK, false);
    sign(fetched, OUTCOME_OK, false);
    sign(with_le, OUTCOME_OK, false);
}

static void a_key_is_named_by_up_to_20_bytes_or_by_its_label(void)
{
    static const struct card_step three[] = {
        {"80 2A 00 01 0F 8403303036 A10103 91020001 920104", "9000"},
        {UPDATE, SIGNED},
        {CLOSE, "9000"},
        CARD_END};
    static const struct card_step label[] = {
        {"80 2A 00 01 10 7404 4B657931 A10103 91020001 920104", "9000"},
        {UPDATE, SIGNED},
        {CLOSE, "9000"},
        CARD_END};
    struct token_key key = key_1;
    struct report why = REPORT_INIT;
    bool unclean;

    key.name = (struct token_name){.container = -1, .id_length = 3, .id = "006"};
    EXPECT(sign_with(three, &key, TOKEN_ECDSA, &unclean, &why), OUTCOME_OK, &why);
    key.name = (struct token_name){.container = -1, .label = "Key1"};
    EXPECT(sign_with(label, &key, TOKEN_ECDSA, &unclean, &why), OUTCOME_OK, &why);
}

/* With a length of two bytes, or BER's: 259 or 260 bytes. */
static void an_rsa_signature_comes_in_two_pieces_or_at_once(void)
{
    static const struct {
        const char *head, *rest; /* GET RESPONSE */
        const char *sw;
        size_t first, second; /* bytes of the signature in each */
    } forms[] = {{"33 0100", "80 C0 00 00 03", "6103", 253, 3},
                 {"33 820100", "80 C0 00 00 04", "6104", 252, 4}};
    static const char init[] = "80 2A 00 01 0D 840101 A10103 91020001 920101";
    struct token_key key = key_1;
    struct report why = REPORT_INIT;
    bool unclean;

    key.type = TOKEN_RSA;
    key.bits = 2048;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char first[2 * 256 + 16] = "", second[24] = "", whole[2 * 260 + 16] = "";
        const struct card_step pieces[] = {
            {init, "9000"},          {UPDATE, "6100"}, {"80 C0 00 00 00", first},
            {forms[i].rest, second}, {CLOSE, "9000"},  CARD_END};
        /* by a modem that follows 61xx itself */
        const struct card_step at_once[] = {
            {init, "9000"}, {UPDATE, whole}, {CLOSE, "9000"}, CARD_END};

        strcat(first, forms[i].head);
        append_hex(first, sizeof first, 0x5A, forms[i].first);
        strcat(first, forms[i].sw);
        append_hex(second, sizeof second, 0x5A, forms[i].second);
        strcat(second, "9000");
        EXPECT(sign_with(pieces, &key, TOKEN_PKCS1, &unclean, &why), OUTCOME_OK, &why);
        strcat(whole, forms[i].head);
        append_hex(whole, sizeof whole, 0x5A, 256);
        strcat(whole, "9000");
        EXPECT(sign_with(at_once, &key, TOKEN_PKCS1, &unclean, &why), OUTCOME_OK, &why);
    }
}

static void a_session_that_was_left_open_is_closed(void)
{
    static const char *const words[] = {"6985", "6A84"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct card_step ours[] = {{INIT, words[i]}, {CLOSE, "9000"}, {INIT, "9000"},
                                         {UPDATE, SIGNED}, {CLOSE, "9000"}, CARD_END};
        const struct card_step others[] = {
            {INIT, words[i]},        {CLOSE, "6985"},         {INIT, words[i]},
            {"80 2A 01 00", "9000"}, {"80 2A 01 02", "6985"}, {INIT, "9000"},
            {UPDATE, SIGNED},        {CLOSE, "9000"},         CARD_END};

        sign(ours, OUTCOME_OK, false);
        sign(others, OUTCOME_OK, false);
    }
}

static void a_session_is_closed_after_a_failure_too(void)
{
    static const struct card_step refused[] = {
        {INIT, "9000"}, {UPDATE, "6F00"}, {CLOSE, "6985"}, CARD_END};
    static const struct card_step nonsense[] = {
        {INIT, "9000"}, {UPDATE, "33 41 00 9000"}, {CLOSE, "9000"}, CARD_END};
    static const struct card_step lost[] = {{INIT, "9000"}, {UPDATE, "LOST"}, CARD_END};
    static const struct card_step late[] = {
        {INIT, "9000"}, {UPDATE, SIGNED}, {CLOSE, "TIMEOUT"}, CARD_END};

    sign(refused, OUTCOME_REFUSED, false);
    sign(nonsense, OUTCOME_BAD_DATA, false);
    sign(lost, OUTCOME_LOST, true);
    sign(late, OUTCOME_OK, true); /* the signature is there */
}

static void what_a_key_cannot_do_is_said(void)
{
    static const struct {
        const char *sw;
        enum outcome outcome;
        const char *says;
    } cases[] = {{"6A80", OUTCOME_UNSUPPORTED, "ECDSA with SHA256"},
                 {"6A88", OUTCOME_NOT_FOUND, "no private key"},
                 {"6A82", OUTCOME_NOT_FOUND, "no private key"},
                 {"6982", OUTCOME_REFUSED, "does not permit"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct card_step steps[] = {{INIT, cases[i].sw}, CARD_END};
        struct report why = REPORT_INIT;
        bool unclean;

        EXPECT(sign_with(steps, &key_1, TOKEN_ECDSA, &unclean, &why), cases[i].outcome, &why);
        EXPECT_SAYS(why.text, cases[i].says);
    }
}

static void an_empty_key_is_told_from_a_session_in_the_way(void)
{
    static const struct card_step steps[] = {
        {INIT, "6985"},          {CLOSE, "6985"}, {INIT, "6985"}, {"80 2A 01 00", "6985"},
        {"80 2A 01 02", "6985"}, {INIT, "6985"},  CARD_END};
    struct report why = REPORT_INIT;
    bool unclean;

    EXPECT(sign_with(steps, &key_1, TOKEN_ECDSA, &unclean, &why), OUTCOME_REFUSED, &why);
    EXPECT_SAYS(why.text, "empty");
    EXPECT_SAYS(why.text, "key id 01");
}

/* ---- the forms of a signature ---- */

#define R_DER "0220" R
#define S_DER "0220" S

static void a_signature_comes_raw_or_as_der(void)
{
    static const char *const forms[] = {"33 40" R S, "33 0040" R S, "33 8140" R S, "33 820040" R S};
    uint8_t bytes[128] = {0}, signature[TOKEN_SIGNATURE_MAX];
    size_t length;

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        CU_ASSERT_TRUE(
            iotsafe_parse_signature((struct span){bytes, bytes_of(forms[i], bytes, sizeof bytes)},
                                    TOKEN_EC, 32, signature, &length));
        EXPECT_BYTES(signature, length, R S);
    }
    /* R's first byte is 00, which DER leaves out; the other is 0x11 */
    CU_ASSERT_TRUE(iotsafe_parse_signature(
        (struct span){
            bytes, bytes_of("33 45 3043 021F "
                            "112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF" S_DER,
                            bytes, sizeof bytes)},
        TOKEN_EC, 32, signature, &length));
    EXPECT_BYTES(signature, length, R S);
    CU_ASSERT_TRUE(iotsafe_parse_signature(
        (struct span){bytes, bytes_of("33 0008 3006 020101 020102", bytes, sizeof bytes)}, TOKEN_EC,
        32, signature, &length));
    EXPECT_NUMBER(length, 64);
    EXPECT_NUMBER(signature[31], 1);
    EXPECT_NUMBER(signature[63], 2);
}

static void a_raw_signature_that_begins_like_der_is_raw(void)
{
    char hex[200] = "33 40 303E0220";
    uint8_t bytes[128], signature[TOKEN_SIGNATURE_MAX];
    size_t length;

    append_hex(hex, sizeof hex, 0xAB, 60);
    CU_ASSERT_TRUE(iotsafe_parse_signature((struct span){bytes, bytes_of(hex, bytes, sizeof bytes)},
                                           TOKEN_EC, 32, signature, &length));
    EXPECT_NUMBER(length, 64);
    EXPECT_NUMBER(signature[0], 0x30);
}

static void what_is_no_signature_is_refused(void)
{
    static const char *const forms[] = {"",          "33",        "33 00",     "34 40" R S,
                                        "33 41" R S, "33 3F" R S, ("33 20" R), "33 0000"};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        uint8_t bytes[128], signature[TOKEN_SIGNATURE_MAX];
        size_t length;

        CU_ASSERT_FALSE(
            iotsafe_parse_signature((struct span){bytes, bytes_of(forms[i], bytes, sizeof bytes)},
                                    TOKEN_EC, 32, signature, &length));
    }
}

static void masks_are_a_set_of_algorithms(void)
{
    const uint64_t plain = TOKEN_ALGORITHM(TOKEN_ECDSA, TOKEN_SHA256);

    CU_ASSERT_TRUE(iotsafe_algorithms(TOKEN_EC, 0, 0) == plain);
    CU_ASSERT_TRUE(iotsafe_algorithms(TOKEN_EC, 4, 1) == plain);
    CU_ASSERT_TRUE(iotsafe_algorithms(TOKEN_EC, 4, 3) ==
                   (plain | TOKEN_ALGORITHM(TOKEN_ECDSA, TOKEN_SHA384)));
    CU_ASSERT_TRUE(iotsafe_algorithms(TOKEN_EC, 3, 1) == 0);
    CU_ASSERT_TRUE(iotsafe_algorithms(TOKEN_RSA, 0, 0) ==
                   TOKEN_ALGORITHM(TOKEN_PKCS1, TOKEN_SHA256));
    CU_ASSERT_TRUE(
        iotsafe_algorithms(TOKEN_RSA, 3, 4) ==
        (TOKEN_ALGORITHM(TOKEN_PKCS1, TOKEN_SHA512) | TOKEN_ALGORITHM(TOKEN_PSS, TOKEN_SHA512)));
}

/* ---- key pairs ---- */

#define XY       R S
#define GENERATE "80 B9 00 00 03 840104 00"

static void generate(const char *answer, enum outcome expected, const char *id,
                     const char *public_id, const char *point_hex)
{
    const struct card_step steps[] = {{GENERATE, answer}, CARD_END};
    static const struct token_name name = {.container = -1, .id_length = 1, .id = {4}};
    struct token_name made, public_name;
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t point[TOKEN_POINT_MAX];
    size_t length;

    card_start(&card, steps);
    EXPECT(iotsafe_generate(&card.card, &name, &made, &public_name, point, &length, &why), expected,
           &why);
    if (expected == OUTCOME_OK) {
        EXPECT_BYTES(made.id, made.id_length, id);
        EXPECT_BYTES(public_name.id, public_name.id_length, public_id);
        EXPECT_BYTES(point, length, point_hex);
        CU_ASSERT_TRUE(card.last_timeout >= 60000);
    }
    card_finish(&card);
}

static void a_key_pair_may_get_other_ids(void)
{
    generate("840104 850104 34 45 49 43 86 41 04" XY "9000", OUTCOME_OK, "04", "04", "04" XY);
    generate("84020010 85020011 34 45 49 43 86 41 04" XY "9000", OUTCOME_OK, "0010", "0011",
             "04" XY);
    generate("34 45 49 43 86 41 04" XY "9000", OUTCOME_OK, "04", "", "04" XY);
    generate("9000", OUTCOME_OK, "04", "", "");
    generate("6985", OUTCOME_REFUSED, NULL, NULL, NULL);
    generate("6A88", OUTCOME_NOT_FOUND, NULL, NULL, NULL);
}

void add_iotsafe_crypto_suite(void)
{
    static const struct test tests[] = {
        TEST(a_signature_is_one_session),
        TEST(a_key_is_named_by_up_to_20_bytes_or_by_its_label),
        TEST(an_rsa_signature_comes_in_two_pieces_or_at_once),
        TEST(a_session_that_was_left_open_is_closed),
        TEST(a_session_is_closed_after_a_failure_too),
        TEST(what_a_key_cannot_do_is_said),
        TEST(an_empty_key_is_told_from_a_session_in_the_way),
        TEST(a_signature_comes_raw_or_as_der),
        TEST(a_raw_signature_that_begins_like_der_is_raw),
        TEST(what_is_no_signature_is_refused),
        TEST(masks_are_a_set_of_algorithms),
        TEST(a_key_pair_may_get_other_ids),
    };

    ADD_SUITE("iotsafe_crypto", tests);
}
