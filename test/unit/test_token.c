/* SPDX-License-Identifier: Apache-2.0 */
/* The seam behind token.h: which family of tokens an operation goes to, what one that is not mIAS can
 * do through it, and what it lacks. */
#include "apdu/token_mias.h"
#include "apdu/typea.h"
#include "provider/proof.h"
#include "provider/signing.h"
#include "test/unit/seat.h"
#include "test/unit/token_memory.h"
#include "test/unit/unit.h"

#include <string.h>

#define OTHER_CRSM_SAYS "\r\n+CRSM: 144,0,\"98883003000000000082\"\r\n" OK

static const struct token_ops token_nothing = {.name = "the applet of nothing"};

/* A sim whose device is in memory: opening it would fail. */
static struct sim *memory_sim(const struct token_ops *const *families)
{
    struct report why = REPORT_INIT;
    struct settings settings;
    struct sim *sim = NULL;

    settings_init(&settings);
    EXPECT(settings_set(&settings, "device", "memory:0", &why), OUTCOME_OK, &why);
    EXPECT(sim_new(&sim, &settings, &why), OUTCOME_OK, &why);
    settings_clear(&settings);
    token_set_families(sim, families);
    return sim;
}

static const struct token_ops *const by_device[] = {&token_nothing, &token_memory_device, NULL};

static void a_device_decides_before_any_applet(void)
{
    struct report why = REPORT_INIT;
    struct token_item list[TOKEN_ITEMS];
    struct modem_identity identity;
    struct sim *sim = memory_sim(by_device);
    char iccid[ICCID_SIZE];
    size_t count;

    memory_begin();
    EXPECT(token_list(sim, list, &count, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(count, 2);
    EXPECT_BYTES(list[0].name.id, list[0].name.id_length, "0102");
    EXPECT_TEXT(list[0].name.label, "Client");
    EXPECT_NUMBER(list[1].name.id_length, 20);
    EXPECT(token_identity(sim, &identity, iccid, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(identity.model, "memory");
    EXPECT_NUMBER(memory_calls(), 2);
    memory_end();
    sim_free(sim);
}

/* The whole way of a signature, from the URI to the proof. */
static void keys_are_named_by_bytes_and_labels(void)
{
    static const char *const uris[] = {
        "sim:signing", "sim:signing;id=%01%02", "sim:signing;object=Client",
        "sim:signing;id=%A0%A1%A2%A3%A4%A5%A6%A7%A8%A9%AA%AB%AC%AD%AE%AF%B0%B1%B2%B3"};
    struct sim *sim = memory_sim(by_device);

    memory_begin();
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        uint8_t digest[32] = {(uint8_t)i}, signature[TOKEN_SIGNATURE_MAX];
        const struct token_digest what = {TOKEN_ECDSA, TOKEN_SHA256, digest, sizeof digest};
        struct report why = REPORT_INIT;
        struct signing_key signing;
        struct proof proof = {.key = &signing.key};
        size_t length = sizeof signature;
        struct uri uri;

        EXPECT(uri_parse(&uri, uris[i], &why), OUTCOME_OK, &why);
        EXPECT(signing_key_read(sim, &uri, NULL, SIGNING_BOTH, &signing, &why), OUTCOME_OK, &why);
        EXPECT_NUMBER(signing.key.type, TOKEN_EC);
        EXPECT_NUMBER(signing.key.name.id_length, i == 3 ? 20 : 2);
        proof.public_key = signing.public_key;
        EXPECT(proof_sign(&proof, sim, &what, signature, &length, sim_deadline(sim), &why),
               OUTCOME_OK, &why);
        CU_ASSERT(length > 64 && signature[0] == 0x30);
        signing_key_clear(&signing);
        uri_clear(&uri);
    }
    memory_end();
    sim_free(sim);
}

static void a_key_that_is_not_there_is_not_found(void)
{
    struct report why = REPORT_INIT;
    struct token_content content;
    struct token_name name = TOKEN_NAME_NONE;
    struct sim *sim = memory_sim(by_device);

    memory_begin();
    strcpy(name.label, "Server");
    EXPECT(token_read(sim, "", &name, 0, &content, &why), OUTCOME_NOT_FOUND, &why);
    CU_ASSERT_PTR_NULL(content.certificate);
    memory_end();
    sim_free(sim);
}

static void what_a_family_lacks_is_said_in_words(void)
{
    struct report why = REPORT_INIT;
    struct token_key key = {.name = TOKEN_NAME_NONE, .type = TOKEN_RSA, .bits = 2048};
    struct token_pin pin;
    struct typea_blob blob;
    struct sim *sim = memory_sim(by_device);
    uint8_t bytes[TOKEN_PLAIN_MAX] = {0};
    uint64_t set = 1;
    size_t length = 0;
    bool sent = true;

    memory_begin();
    EXPECT(token_decrypt(sim, &key, TOKEN_DECRYPT_PKCS1, TOKEN_HASH_NONE, bytes, 256, bytes,
                         &length, &why),
           OUTCOME_UNSUPPORTED, &why);
    EXPECT_TEXT(why.text, MEMORY_NAME " has no command to decrypt");
    EXPECT(token_random(sim, bytes, 4, &why), OUTCOME_UNSUPPORTED, &why);
    EXPECT_SAYS(why.text, MEMORY_NAME);
    EXPECT_SAYS(why.text, "random");
    EXPECT(token_pin_status(sim, &pin, NULL, &why), OUTCOME_UNSUPPORTED, &why);
    EXPECT_SAYS(why.text, "PIN");
    EXPECT(token_pin_change(sim, "0000", "1111", &sent, &why), OUTCOME_UNSUPPORTED, &why);
    CU_ASSERT_FALSE(sent);
    EXPECT(token_algorithms(sim, &key, &set, &why), OUTCOME_UNSUPPORTED, &why);
    EXPECT_NUMBER(set, 0);
    EXPECT(typea_key(sim, "", TYPEA_ANY, &blob, &why), OUTCOME_UNSUPPORTED, &why);
    EXPECT_SAYS(why.text, "Type A");
    CU_ASSERT_PTR_NULL(blob.data);
    CU_ASSERT_FALSE(token_refuses(sim, &key, TOKEN_PSS, TOKEN_SHA256));
    memory_end();
    sim_free(sim);
}

static void a_key_pair_is_made_where_the_family_can(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    struct report why = REPORT_INIT;
    struct token_key key = {.name = TOKEN_NAME_NONE, .type = TOKEN_EC, .bits = 256};
    struct sim *sim = memory_sim(by_device);
    uint8_t point[TOKEN_POINT_MAX] = {0};
    size_t length = 0;
    struct seat seat;

    memory_begin();
    EXPECT(token_generate(sim, &key, point, &length, &why), OUTCOME_OK, &why);
    CU_ASSERT(length == 65 && point[0] == 0x04);
    memory_end();
    sim_free(sim);
    /* mIAS has no such command, and is not asked */
    seat_begin(&seat, nothing, nothing, NULL, NULL);
    EXPECT(token_generate(seat.sim, &seat.key, point, &length, &seat.why), OUTCOME_UNSUPPORTED,
           &seat.why);
    EXPECT_SAYS(seat.why.text, "mIAS");
    EXPECT_SAYS(seat.why.text, "make a key pair");
    EXPECT_NUMBER(length, 0);
    seat_end(&seat);
}

static const struct token_ops *const mias_alone[] = {&token_mias, NULL};

static void mias_has_no_keys_by_bytes_or_label(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    struct token_content content;
    struct token_name name = TOKEN_NAME_NONE;
    struct seat seat;

    seat_begin(&seat, nothing, nothing, NULL, NULL);
    token_set_families(seat.sim, mias_alone);
    strcpy(name.label, "Client");
    EXPECT(token_read(seat.sim, "", &name, 0, &content, &seat.why), OUTCOME_USAGE, &seat.why);
    EXPECT_SAYS(seat.why.text, "container");
    seat.key.name.id_length = 2;
    EXPECT(seat_sign(&seat), OUTCOME_USAGE, &seat.why);
    EXPECT_SAYS(seat.why.text, "another SIM's key");
    seat_end(&seat);
}

/* ---- by the applet ---- */

#define NO_MIAS        CSIM("01 A4 04 0C 0D " MIAS_AID, "6A82")
#define SELECT_MEMORY  CSIM("01 A4 04 0C 07 " MEMORY_AID, "9000")
#define ASKED_FOR_MIAS OPEN, LINE(CRSM, CRSM_SAYS), NO_MIAS, CLOSE
#define IN_MEMORY      OPEN, LINE(CRSM, CRSM_SAYS), SELECT_MEMORY, CLOSE

static const struct token_ops *const by_applet[] = {&token_mias, &token_memory_applet, NULL};

static void expect_list(struct seat *seat)
{
    struct token_item list[TOKEN_ITEMS];
    size_t count = 0;

    EXPECT(token_list(seat->sim, list, &count, &seat->why), OUTCOME_OK, &seat->why);
    EXPECT_NUMBER(count, 2);
}

/* mIAS is looked for once, and again when another SIM is in the modem. */
static void the_applet_of_the_sim_decides_and_is_remembered(void)
{
    static const struct modem_step steps[] = {
        ASKED_FOR_MIAS, IN_MEMORY, IN_MEMORY,      OPEN,      LINE(CRSM, OTHER_CRSM_SAYS),
        SELECT_MEMORY,  CLOSE,     ASKED_FOR_MIAS, IN_MEMORY, MODEM_END};
    static const struct modem_step standing[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                                 LINE("AT+CMEE=1", OK), MODEM_END};
    struct seat seat;

    memory_begin();
    seat_begin(&seat, steps, standing, "transport", "csim");
    token_set_families(seat.sim, by_applet);
    expect_list(&seat);
    expect_list(&seat);
    expect_list(&seat);
    expect_list(&seat);
    EXPECT_NUMBER(memory_calls(), 4);
    seat_end(&seat);
    memory_end();
}

/* What the first family said is what the user is told. */
static void a_sim_with_no_applet_at_all_says_so(void)
{
    static const struct modem_step steps[] = {
        ASKED_FOR_MIAS, OPEN,     LINE(CRSM, CRSM_SAYS), CSIM("01 A4 04 0C 07 " MEMORY_AID, "6A82"),
        CLOSE,          MODEM_END};
    static const struct modem_step standing[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                                 LINE("AT+CMEE=1", OK), MODEM_END};
    struct token_item list[TOKEN_ITEMS];
    struct seat seat;
    size_t count;

    memory_begin();
    seat_begin(&seat, steps, standing, "transport", "csim");
    token_set_families(seat.sim, by_applet);
    EXPECT(token_list(seat.sim, list, &count, &seat.why), OUTCOME_NO_APPLET, &seat.why);
    EXPECT_SAYS(seat.why.text, "mIAS");
    EXPECT_NUMBER(memory_calls(), 0);
    seat_end(&seat);
    memory_end();
}

/* ---- the tables ---- */

static void every_hash_scheme_and_type_has_its_words(void)
{
    static const size_t lengths[] = {0, 20, 28, 32, 48, 64};
    size_t info;

    for (int i = TOKEN_HASH_NONE; i < TOKEN_HASHES; i++) {
        EXPECT_NUMBER(hash_length((enum token_hash)i), lengths[i]);
        (void)hash_info((enum token_hash)i, &info);
        CU_ASSERT((info > 0) == (i != TOKEN_HASH_NONE));
        CU_ASSERT((hash_name((enum token_hash)i)[0] != '\0') == (i != TOKEN_HASH_NONE));
    }
    EXPECT_TEXT(hash_name((enum token_hash)TOKEN_HASHES), "");
    EXPECT_NUMBER(hash_length((enum token_hash)1000), 0);
    EXPECT_NUMBER(hash_of_length(48), TOKEN_SHA384);
    EXPECT_NUMBER(hash_of_length(16), TOKEN_HASH_NONE);
    for (int i = 0; i < TOKEN_SCHEMES; i++)
        CU_ASSERT(token_scheme_type((enum token_scheme)i) < TOKEN_KEY_TYPES &&
                  token_scheme_name((enum token_scheme)i)[0] != '\0');
    EXPECT_NUMBER(token_type_named("EC"), TOKEN_EC);
    EXPECT_NUMBER(token_type_named("ED25519"), TOKEN_KEY_TYPES);
}

static void names_and_tries_are_said_in_words(void)
{
    struct token_name name = {.container = 2, .id_length = 1, .id = {0x33}, .label = ""};
    struct token_pin pin = {.left = 2};
    char text[TOKEN_NAME_TEXT], tries[TOKEN_TRIES_TEXT];

    EXPECT_TEXT(token_name_text(&name, text), "container 2, key id 33");
    name = (struct token_name)TOKEN_NAME_NONE;
    EXPECT_TEXT(token_name_text(&name, text), "");
    strcpy(name.label, "a\x1b[b");
    EXPECT_TEXT(token_name_text(&name, text), "the key \"a\\x1b[b\"");
    EXPECT_TEXT(token_tries_text(&pin, tries), "2 tries are left");
    pin.left = 1;
    EXPECT_TEXT(token_tries_text(&pin, tries), "1 try is left");
    pin.left = -1;
    EXPECT_SAYS(token_tries_text(&pin, tries), "does not tell");
}

void add_token_suite(void)
{
    static const struct test tests[] = {
        TEST(a_device_decides_before_any_applet),
        TEST(keys_are_named_by_bytes_and_labels),
        TEST(a_key_that_is_not_there_is_not_found),
        TEST(what_a_family_lacks_is_said_in_words),
        TEST(a_key_pair_is_made_where_the_family_can),
        TEST(mias_has_no_keys_by_bytes_or_label),
        TEST(the_applet_of_the_sim_decides_and_is_remembered),
        TEST(a_sim_with_no_applet_at_all_says_so),
        TEST(every_hash_scheme_and_type_has_its_words),
        TEST(names_and_tries_are_said_in_words),
    };

    ADD_SUITE("token", tests);
}
