/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on keys spoken in IoT SAFE, from the port to the applet: what each costs, which family a
 * name leads to, what is remembered of a SIM, and one shared channel for each of two families. */
#include "apdu/session/sim_state.h"
#include "apdu/token_iotsafe.h"
#include "apdu/token_mias.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#define RS                                                                                         \
    "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"                             \
    "202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F"

#define GSMA    "07 A0000005590010"
#define THALES  "0F A00000003053F12401770101495341"
#define THIRD   "07 A0000002480400"
#define NO_MIAS CSIM("01 A4 04 0C 0D " MIAS_AID, "6A82")

/* On a channel n. */
#define SAFE_SELECT(n) CSIM("0" n " A4 04 0C " GSMA, "9000")
#define SAFE_INIT(n)   CSIM("8" n " 2A 00 01 0D 840101 A10103 91020001 920104", "9000")
#define SAFE_UPDATE(n) CSIM("8" n " 2B 80 01 22 9E20 " DIGEST " 00", "3340 " RS "9000")
#define SAFE_FINISH(n) CSIM("8" n " 2A 01 01", "9000")
#define SAFE_WARM(n)   SAFE_INIT(n), SAFE_UPDATE(n), SAFE_FINISH(n)
#define SAFE_CLOSE(n)  CSIM("00 70 80 0" n " 00", "9000")

/* No answer to the start-up's question for the ICCID but in the script. */
static const struct modem_step quiet[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                          LINE("AT+CMEE=1", OK), MODEM_END};

static const struct token_key key_1 = {
    .name = {.container = -1, .id_length = 1, .id = {1}, .applet = TOKEN_APPLET_IOTSAFE},
    .type = TOKEN_EC,
    .bits = 256,
    .iccid = ""};

static enum outcome sign_with(struct seat *seat, const struct token_key *key, enum token_hash hash)
{
    uint8_t digest[64];
    const struct token_digest what = {TOKEN_ECDSA, hash, digest, hash_length(hash)};

    memset(digest, 0xDD, sizeof digest);
    report_clear(&seat->why);
    return token_sign(seat->sim, key, &what, seat->signature, &seat->length,
                      sim_deadline(seat->sim), &seat->why);
}

static void signs(struct seat *seat)
{
    EXPECT(sign_with(seat, &key_1, TOKEN_SHA256), OUTCOME_OK, &seat->why);
    EXPECT_BYTES(seat->signature, seat->length, RS);
}

/* Five APDUs cold, three warm, and nothing is asked that a signature does not need. */
static void a_signature_costs_five_apdus_then_three(void)
{
    static const struct modem_step steps[] = {
        OPEN, SAFE_SELECT("1"), SAFE_WARM("1"), SAFE_WARM("1"), CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    signs(&seat);
    signs(&seat);
    seat_end(&seat);
}

/* By the record, as another process does. */
static void another_program_goes_on_with_the_channel(void)
{
    static const struct modem_step steps[] = {
        OPEN, SAFE_SELECT("1"), SAFE_WARM("1"), SAFE_WARM("1"), CLOSE, MODEM_END};
    struct settings settings;
    struct seat seat;
    struct sim *first;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    signs(&seat);
    first = seat.sim;
    settings_init(&settings);
    EXPECT(settings_copy(&settings, sim_settings(first), &seat.why), OUTCOME_OK, &seat.why);
    EXPECT(sim_new(&seat.sim, &settings, &seat.why), OUTCOME_OK, &seat.why);
    settings_clear(&settings);
    signs(&seat);
    sim_free(first);
    seat_end(&seat);
}

/* ---- which family ---- */

/* The SIM is asked for mIAS once; then nobody does, not in another process either. */
static void a_sim_without_mias_pays_for_the_question_once(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        LINE(CRSM, CRSM_SAYS),
        NO_MIAS,
        CLOSE, /* asked */
        OPEN,
        LINE(CRSM, CRSM_SAYS),
        SAFE_SELECT("1"),
        CSIM("81 CB 01 00 00", "840101 4A0101 9000"),
        CSIM("81 CB 01 00 00", "840101 4A0101 9000"), /* another process */
        CLOSE,
        MODEM_END};
    struct token_item list[TOKEN_ITEMS];
    struct settings settings;
    struct seat seat;
    struct sim *second;
    size_t count;

    seat_begin(&seat, steps, quiet, "transport", "csim");
    EXPECT(token_list(seat.sim, list, &count, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(count, 1);
    EXPECT_BYTES(list[0].name.id, list[0].name.id_length, "01");
    EXPECT_NUMBER(list[0].name.applet, TOKEN_APPLET_IOTSAFE);
    settings_init(&settings);
    EXPECT(settings_copy(&settings, sim_settings(seat.sim), &seat.why), OUTCOME_OK, &seat.why);
    EXPECT(sim_new(&second, &settings, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT(token_list(second, list, &count, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(count, 1);
    sim_free(second);
    settings_clear(&settings);
    seat_end(&seat);
}

#define OTHER_CRSM_SAYS "\r\n+CRSM: 144,0,\"98883003000000000082\"\r\n" OK

/* Another SIM came in where one without mIAS was: what is remembered of that says nothing of this one. */
static void another_sim_is_asked_for_mias_again(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              LINE(CRSM, CRSM_SAYS),
                                              NO_MIAS,
                                              CLOSE,
                                              OPEN,
                                              LINE(CRSM, CRSM_SAYS),
                                              SAFE_SELECT("1"),
                                              CLOSE, /* the next process */
                                              OPEN,
                                              LINE(CRSM, OTHER_CRSM_SAYS),
                                              SAFE_SELECT("1"),
                                              CSIM("00 70 00 00 01", "02 9000"),
                                              LINE(CRSM, OTHER_CRSM_SAYS),
                                              CSIM("02 A4 04 0C 0D " MIAS_AID, "9000"),
                                              CSIM("02 20 00 81", "63C3"),
                                              SAFE_CLOSE("2"),
                                              CSIM("81 F2 00 0C", "6E00"),
                                              CLOSE,
                                              MODEM_END};
    struct settings settings;
    struct token_pin pin;
    struct seat seat;

    seat_begin(&seat, steps, quiet, "transport", "csim");
    EXPECT(token_pin_status(seat.sim, &pin, NULL, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_TRUE(pin.verified);
    settings_init(&settings);
    EXPECT(settings_copy(&settings, sim_settings(seat.sim), &seat.why), OUTCOME_OK, &seat.why);
    sim_free(seat.sim);
    EXPECT(sim_new(&seat.sim, &settings, &seat.why), OUTCOME_OK, &seat.why);
    settings_clear(&settings);
    EXPECT(token_pin_status(seat.sim, &pin, NULL, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_FALSE(pin.verified);
    EXPECT_NUMBER(pin.left, 3);
    seat_end(&seat);
}

/* What is remembered of one SIM does not answer for another that is wanted: several modems are told apart
 * by that. */
static void memory_of_a_sim_does_not_speak_for_another(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              LINE(CRSM, CRSM_SAYS),
                                              NO_MIAS,
                                              CLOSE,
                                              OPEN,
                                              LINE(CRSM, CRSM_SAYS),
                                              SAFE_SELECT("1"),
                                              CSIM("00 70 00 00 01", "02 9000"),
                                              LINE(CRSM, CRSM_SAYS),
                                              SAFE_CLOSE("2"),
                                              CSIM("81 F2 00 0C", "6E00"),
                                              CLOSE,
                                              MODEM_END};
    struct token_content content;
    struct token_name any = TOKEN_NAME_NONE;
    struct token_pin pin;
    struct seat seat;

    seat_begin(&seat, steps, quiet, "transport", "csim");
    EXPECT(token_pin_status(seat.sim, &pin, NULL, &seat.why), OUTCOME_OK, &seat.why);
    any.applet = TOKEN_APPLET_MIAS;
    EXPECT(token_read(seat.sim, "89880330000000000028", &any, 0, &content, &seat.why),
           OUTCOME_WRONG_SIM, &seat.why);
    EXPECT(token_read(seat.sim, ICCID, &any, 0, &content, &seat.why), OUTCOME_NO_APPLET, &seat.why);
    seat_end(&seat);
}

/* A name, a setting, and a SIM with both: each leads to one family without a question to the other. */
static void a_name_or_a_setting_chooses_the_family(void)
{
    static const struct modem_step by_name[] = {OPEN, SAFE_SELECT("1"), SAFE_WARM("1"), CLOSE,
                                                MODEM_END};
    static const struct modem_step by_setting[] = {
        OPEN, SAFE_SELECT("1"), CSIM("81 CB 01 00 00", "9000"), CLOSE, MODEM_END};
    static const struct modem_step nothing[] = {MODEM_END};
    struct token_key key = key_1;
    struct token_item list[TOKEN_ITEMS];
    struct token_content content;
    struct seat seat;
    size_t count;

    seat_begin(&seat, by_name, NULL, "transport", "csim");
    key.name.applet = TOKEN_APPLET_ANY; /* bytes alone are no name of mIAS's */
    EXPECT(sign_with(&seat, &key, TOKEN_SHA256), OUTCOME_OK, &seat.why);
    seat_end(&seat);
    seat_begin(&seat, by_setting, NULL, "applet", "iotsafe");
    EXPECT(token_list(seat.sim, list, &count, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(count, 0);
    seat_end(&seat);
    seat_begin(&seat, nothing, nothing, "applet", "iotsafe");
    EXPECT(token_read(seat.sim, "", &seat.key.name, 0, &content, &seat.why), OUTCOME_USAGE,
           &seat.why);
    EXPECT_SAYS(seat.why.text, "not by container");
    EXPECT(seat_sign(&seat), OUTCOME_USAGE, &seat.why);
    EXPECT_SAYS(seat.why.text, "another applet's key");
    seat_end(&seat);
}

static void a_sim_with_neither_is_told_what_was_asked_for(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              NO_MIAS,
                                              CLOSE,
                                              OPEN,
                                              CSIM("01 A4 04 0C " GSMA, "6A82"),
                                              CSIM("01 A4 04 0C " THALES, "6A82"),
                                              CSIM("01 A4 04 0C " THIRD, "6A82"),
                                              CLOSE,
                                              MODEM_END};
    struct token_item list[TOKEN_ITEMS];
    struct seat seat;
    size_t count;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    EXPECT(token_list(seat.sim, list, &count, &seat.why), OUTCOME_NO_APPLET, &seat.why);
    EXPECT_SAYS(seat.why.text, "mIAS");
    EXPECT_SAYS(seat.why.text, MIAS_AID);
    EXPECT_SAYS(seat.why.text, "A0000005590010");
    EXPECT_SAYS(seat.why.text, "A00000003053F12401770101495341");
    seat_end(&seat);
}

/* Another AID is tried on the same channel, and remembered for the SIM. */
static void the_aid_is_found_and_remembered(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              CSIM("01 A4 04 0C " GSMA, "6A82"),
                                              CSIM("01 A4 04 0C " THALES, "9000"),
                                              SAFE_WARM("1"),
                                              CLOSE,
                                              OPEN,
                                              CSIM("01 A4 04 0C " THALES, "9000"),
                                              SAFE_WARM("1"),
                                              CLOSE,
                                              MODEM_END};
    static const struct modem_step given[] = {OPEN, CSIM("01 A4 04 0C 05 A011223344", "9000"),
                                              SAFE_WARM("1"), CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "session", "private");
    signs(&seat);
    signs(&seat);
    seat_end(&seat);
    seat_begin(&seat, given, NULL, "aid", "A011223344");
    signs(&seat);
    seat_end(&seat);
}

/* ---- two families ---- */

#define SECOND_OPEN CSIM("00 70 00 00 01", "02 9000")

/* Each has its channel, and none selects on the other's. */
static void two_families_share_two_channels(void)
{
    static const struct modem_step steps[] = {
        COLD,
        SECOND_OPEN,
        SAFE_SELECT("2"),
        SAFE_WARM("2"),
        WARM,
        SAFE_WARM("2"),
        WARM,
        SAFE_CLOSE("1"),
        CSIM("82 F2 00 0C", "6E00"),
        /* not the last one that answered: asked */ SAFE_CLOSE("2"),
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    seat_signs(&seat);
    signs(&seat);
    seat_signs(&seat);
    signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Where one channel is all that there is, the families give way to each other. */
static void one_free_channel_goes_from_one_family_to_the_other(void)
{
    static const struct modem_step steps[] = {
        COLD,           CSIM("00 70 00 00 01", "6A81"), SAFE_CLOSE("1"), OPEN, SAFE_SELECT("1"),
        SAFE_WARM("1"), CSIM("00 70 00 00 01", "6A81"), SAFE_CLOSE("1"), COLD, CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    seat_signs(&seat);
    signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* ---- algorithms ---- */

static void what_the_key_cannot_do_is_told_by_what_it_can(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SAFE_SELECT("1"),
        CSIM("81 CB C1 00 03 840101 00", "840101 610107 920104 91020001 9000"),
        CSIM("81 CB C1 00 03 840101 00", "840101 610107 920104 91020003 9000"),
        CSIM("81 2A 00 01 0D 840101 A10103 91020002 920104", "9000"),
        CSIM("81 2B 80 01 32 9E30 " DIGEST "DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD 00",
             "3340 " RS "9000"),
        SAFE_FINISH("1"),
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    EXPECT(sign_with(&seat, &key_1, TOKEN_SHA384), OUTCOME_UNSUPPORTED, &seat.why);
    EXPECT_SAYS(seat.why.text, "ECDSA with SHA384");
    EXPECT_SAYS(seat.why.text, "it can do ECDSA with SHA256");
    EXPECT(sign_with(&seat, &key_1, TOKEN_SHA384), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* An applet that tells nothing of its keys tells what it can do itself, or nothing at all. */
static void an_applet_that_tells_nothing_does_what_every_key_can(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SAFE_SELECT("1"),
                                              CSIM("81 CB C1 00 03 840101 00", "6D00"),
                                              CSIM("01 CB C1 00 03 840101 00", "6D00"),
                                              CSIM("81 CB 00 00 00", "100110 91020003 920104 9000"),
                                              CSIM("81 CB C1 00 03 840101 00", "6A86"),
                                              CSIM("81 CB 00 00 00", "6A86"),
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;
    uint64_t set = 0;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    EXPECT(token_algorithms(seat.sim, &key_1, &set, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_TRUE(set == (TOKEN_ALGORITHM(TOKEN_ECDSA, TOKEN_SHA256) |
                           TOKEN_ALGORITHM(TOKEN_ECDSA, TOKEN_SHA384)));
    EXPECT(token_algorithms(seat.sim, &key_1, &set, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_TRUE(set == TOKEN_ALGORITHM(TOKEN_ECDSA, TOKEN_SHA256));
    seat_end(&seat);
}

/* ---- losses ---- */

/* Another program closed the channel: a new one, and the same signature. */
static void a_lost_channel_is_opened_again(void)
{
    static const struct modem_step steps[] = {
        OPEN, SAFE_SELECT("1"), SAFE_WARM("1"),
        CSIM("81 2A 00 01 0D 840101 A10103 91020001 920104", "6881"),
        /* what was there is asked whose it is, once a new one is open */
        SECOND_OPEN, CSIM("81 F2 00 0C", "6881"), CSIM("81 F2 00 0C", "6881"), SAFE_CLOSE("1"),
        SAFE_SELECT("2"), SAFE_WARM("2"), SAFE_CLOSE("2"), MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    signs(&seat);
    signs(&seat);
    seat_end(&seat);
}

void add_token_iotsafe_suite(void)
{
    static const struct test tests[] = {
        TEST(a_signature_costs_five_apdus_then_three),
        TEST(another_program_goes_on_with_the_channel),
        TEST(a_sim_without_mias_pays_for_the_question_once),
        TEST(another_sim_is_asked_for_mias_again),
        TEST(memory_of_a_sim_does_not_speak_for_another),
        TEST(a_name_or_a_setting_chooses_the_family),
        TEST(a_sim_with_neither_is_told_what_was_asked_for),
        TEST(the_aid_is_found_and_remembered),
        TEST(two_families_share_two_channels),
        TEST(one_free_channel_goes_from_one_family_to_the_other),
        TEST(what_the_key_cannot_do_is_told_by_what_it_can),
        TEST(an_applet_that_tells_nothing_does_what_every_key_can),
        TEST(a_lost_channel_is_opened_again),
    };

    ADD_SUITE("token_iotsafe", tests);
}
