/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, responses and the T=0 rules (protocol-at: "APDU" 9 to 11, protocol-mias: "Card and
 * channels") with a scripted card. */
#include "apdu/card/apdu.h"
#include "modem/transport.h"
#include "test/unit/check.h"
#include "test/unit/scripted_card.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

static const uint8_t ten[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

static struct apdu apdu(uint8_t cla, uint8_t ins, uint8_t p1, uint8_t p2, size_t lc, int le)
{
    struct apdu command;

    memset(&command, 0, sizeof command);
    command.cla = cla;
    command.ins = ins;
    command.p1 = p1;
    command.p2 = p2;
    command.data = lc ? ten : NULL;
    command.lc = lc;
    command.le = le;
    command.repeatable = true;
    return command;
}

/* Sends one command to a card of these steps, and judges what came: hex of the data, status word.
 */
static void expect_answer_at(const char *file, int line, const struct card_step *steps,
                             const struct apdu *command, const char *data, unsigned sw)
{
    struct scripted_card card;
    struct answer answer;
    struct report why = REPORT_INIT;

    card_start(&card, steps);
    check_outcome(file, line, "apdu_send", apdu_send(&card.card, command, &answer, &why),
                  OUTCOME_OK, &why);
    check_bytes(file, line, answer.data, answer.length, data);
    check_number(file, line, "the status word", answer.sw, sw);
    card_finish_at(&card, file, line);
}
#define EXPECT_ANSWER(steps, command, data, sw)                                                    \
    expect_answer_at(__FILE__, __LINE__, steps, command, data, sw)

static void each_case_of_a_command_has_its_bytes(void)
{
    static const struct card_step case_1[] = {{"00 20 00 81", "63C3"}, CARD_END};
    static const struct card_step case_2[] = {{"00 B0 01 02 10", "AA 9000"}, CARD_END};
    static const struct card_step case_2_all[] = {{"80 CA 00 00 00", "BB 9000"}, CARD_END};
    static const struct card_step case_3[] = {{"00 22 41 B6 03 010203", "9000"}, CARD_END};
    static const struct card_step case_4[] = {{"00 2A 90 A0 02 0102 00", "0102 9000"}, CARD_END};
    struct apdu command = apdu(0x00, 0x20, 0x00, 0x81, 0, APDU_LE_NONE);

    EXPECT_ANSWER(case_1, &command, "", 0x63C3);
    command = apdu(0x00, 0xB0, 0x01, 0x02, 0, 16);
    EXPECT_ANSWER(case_2, &command, "AA", 0x9000);
    command = apdu(0x80, 0xCA, 0x00, 0x00, 0, APDU_LE_ALL);
    EXPECT_ANSWER(case_2_all, &command, "BB", 0x9000);
    command = apdu(0x00, 0x22, 0x41, 0xB6, 3, APDU_LE_NONE);
    EXPECT_ANSWER(case_3, &command, "", 0x9000);
    command = apdu(0x00, 0x2A, 0x90, 0xA0, 2, APDU_LE_ALL);
    EXPECT_ANSWER(case_4, &command, "0102", 0x9000);
}

/* APDU, 9 */
static void waiting_data_is_fetched_in_pieces_and_kept_together(void)
{
    static const struct card_step steps[] = {{"00 2A 9E 9A 00", "A1A2 6103"},
                                             {"00 C0 00 00 03", "B1B2B3 6102"},
                                             {"00 C0 00 00 02", "C1C2 9000"},
                                             CARD_END};
    struct apdu command = apdu(0x00, 0x2A, 0x9E, 0x9A, 0, APDU_LE_ALL);

    EXPECT_ANSWER(steps, &command, "A1A2B1B2B3C1C2", 0x9000);
}

static void get_response_goes_with_the_same_cla(void)
{
    static const struct card_step steps[] = {
        {"80 F2 00 00 02 0102", "6101"}, {"80 C0 00 00 01", "55 9000"}, CARD_END};
    struct apdu command = apdu(0x80, 0xF2, 0x00, 0x00, 2, APDU_LE_NONE);

    EXPECT_ANSWER(steps, &command, "55", 0x9000);
}

static void a_signature_of_256_bytes_comes_by_6100(void)
{
    char whole[600] = "", answer[608] = "";
    const struct card_step steps[] = {
        {"00 2A 9E 9A 00", "6100"}, {"00 C0 00 00 00", answer}, CARD_END};
    struct apdu command = apdu(0x00, 0x2A, 0x9E, 0x9A, 0, APDU_LE_ALL);

    append_hex(whole, sizeof whole, 0x3C, 256);
    snprintf(answer, sizeof answer, "%s9000", whole);
    EXPECT_ANSWER(steps, &command, whole, 0x9000);
}

static void get_response_is_corrected_by_6cxx_too(void)
{
    static const struct card_step steps[] = {{"00 2A 9E 9A 00", "6110"},
                                             {"00 C0 00 00 10", "6C02"},
                                             {"00 C0 00 00 02", "AABB 9000"},
                                             CARD_END};
    struct apdu command = apdu(0x00, 0x2A, 0x9E, 0x9A, 0, APDU_LE_ALL);

    EXPECT_ANSWER(steps, &command, "AABB", 0x9000);
}

/* Modems with lines of 512 characters: what waits comes in smaller pieces, and from then on at once. */
static void get_response_asks_for_less_where_the_modem_carries_less(void)
{
    static const struct card_step steps[] = {
        {"00 2A 9E 9A 00", "6100"},      {"00 C0 00 00 00", "ERROR"},
        {"00 C0 00 00 F0", "AABB 6102"}, {"00 C0 00 00 02", "CCDD 9000"},
        {"00 2A 9E 9A 00", "61F8"},      {"00 C0 00 00 F0", "01 6101"},
        {"00 C0 00 00 01", "02 9000"},   CARD_END};
    struct apdu command = apdu(0x00, 0x2A, 0x9E, 0x9A, 0, APDU_LE_ALL);
    struct scripted_card card;
    struct answer answer;
    struct report why = REPORT_INIT;

    card_start(&card, steps);
    EXPECT(apdu_send(&card.card, &command, &answer, &why), OUTCOME_OK, &why);
    EXPECT_BYTES(answer.data, answer.length, "AABBCCDD");
    EXPECT(apdu_send(&card.card, &command, &answer, &why), OUTCOME_OK, &why);
    EXPECT_BYTES(answer.data, answer.length, "0102");
    card_finish(&card);
}

/* A card that answers the same for ever. */
struct stubborn {
    size_t calls;
    size_t data;
    uint16_t sw;
};

static enum outcome stubborn_exchange(void *arg, struct exchange *exchange,
                                      struct deadline deadline, struct report *why)
{
    struct stubborn *card = arg;

    (void)deadline, (void)why;
    card->calls++;
    memset(exchange->answer, 0x11, card->data);
    exchange->answer[card->data] = (uint8_t)(card->sw >> 8);
    exchange->answer[card->data + 1] = (uint8_t)card->sw;
    exchange->answer_length = card->data + 2;
    return OUTCOME_OK;
}

static void answers_without_an_end_are_given_up(void)
{
    static const struct stubborn cards[] = {{0, 0, 0x6100},   {0, 1, 0x6100}, {0, 256, 0x6100},
                                            {0, 255, 0x61FF}, {0, 0, 0x6C10}, {0, 256, 0x6C00}};
    struct apdu command = apdu(0x00, 0x2A, 0x9E, 0x9A, 0, APDU_LE_ALL);
    bool no_le = false;
    unsigned max_read = 256;
    size_t i;

    for (i = 0; i < sizeof cards / sizeof cards[0]; i++) {
        struct stubborn stubborn = cards[i];
        struct card card = {.exchange = stubborn_exchange,
                            .arg = &stubborn,
                            .deadline = deadline_in(5000),
                            .no_le = &no_le,
                            .max_read = &max_read};
        struct answer answer;
        struct report why = REPORT_INIT;
        enum outcome outcome = apdu_send(&card, &command, &answer, &why);

        CU_ASSERT(outcome != OUTCOME_OK || answer.sw != 0x9000);
        CU_ASSERT(answer.length <= sizeof answer.data);
        if (stubborn.calls > 260)
            FAIL("%zu commands to a card that always says %04X", stubborn.calls, stubborn.sw);
    }
}

/* APDU, 10 */
static void a_wrong_le_is_corrected_keeping_lc_and_data(void)
{
    static const struct card_step case_2[] = {
        {"00 B0 00 00 00", "6C05"}, {"00 B0 00 00 05", "0102030405 9000"}, CARD_END};
    static const struct card_step case_4[] = {{"00 2A 90 A0 04 01020304 00", "6C14"},
                                              {"00 2A 90 A0 04 01020304 14", "77 9000"},
                                              CARD_END};
    static const struct card_step all[] = {
        {"00 B0 00 00 80", "6C00"}, {"00 B0 00 00 00", "88 9000"}, CARD_END};
    struct apdu command = apdu(0x00, 0xB0, 0, 0, 0, APDU_LE_ALL);

    EXPECT_ANSWER(case_2, &command, "0102030405", 0x9000);
    command = apdu(0x00, 0x2A, 0x90, 0xA0, 4, APDU_LE_ALL);
    EXPECT_ANSWER(case_4, &command, "77", 0x9000);
    command = apdu(0x00, 0xB0, 0, 0, 0, 0x80);
    EXPECT_ANSWER(all, &command, "88", 0x9000);
}

static void a_corrected_command_may_have_data_waiting(void)
{
    static const struct card_step steps[] = {{"00 CA 00 00 00", "6C04"},
                                             {"00 CA 00 00 04", "0102 6102"},
                                             {"00 C0 00 00 02", "0304 9000"},
                                             CARD_END};
    struct apdu command = apdu(0x00, 0xCA, 0, 0, 0, APDU_LE_ALL);

    EXPECT_ANSWER(steps, &command, "01020304", 0x9000);
}

/* APDU, 11 */
static void a_refused_le_is_left_out_and_remembered(void)
{
    static const char *const refusals[] = {"6700", "+CME 3", "+CME 50"};
    static const struct card_step again[] = {
        {"00 22 00 00 01 01", "6101"}, {"00 C0 00 00 01", "66 9000"}, CARD_END};
    struct apdu command = apdu(0x00, 0x2A, 0x90, 0xA0, 2, APDU_LE_ALL);
    struct apdu other = apdu(0x00, 0x22, 0x00, 0x00, 1, APDU_LE_ALL);
    size_t i;

    for (i = 0; i < 3; i++) {
        const struct card_step steps[] = {{"00 2A 90 A0 02 0102 00", refusals[i]},
                                          {"00 2A 90 A0 02 0102", "6102"},
                                          {"00 C0 00 00 02", "0102 9000"},
                                          CARD_END};
        struct scripted_card card;
        struct answer answer;
        struct report why = REPORT_INIT;

        card_start(&card, steps);
        EXPECT(apdu_send(&card.card, &command, &answer, &why), OUTCOME_OK, &why);
        EXPECT_BYTES(answer.data, answer.length, "0102");
        EXPECT_NUMBER(answer.sw, 0x9000);
        CU_ASSERT(card.no_le);
        card_continue(&card, again);
        EXPECT(apdu_send(&card.card, &other, &answer, &why), OUTCOME_OK, &why);
        EXPECT_BYTES(answer.data, answer.length, "66");
        card_finish(&card);
    }
}

/* That the SIM or the modem is gone says more than the refusal before. */
static void what_ends_the_retry_without_le_is_said(void)
{
    static const struct {
        const char *said;
        enum outcome outcome;
    } ends[] = {{"+CME 10", OUTCOME_NO_SIM},
                {"GONE", OUTCOME_NO_MODEM},
                {"TIMEOUT", OUTCOME_TIMEOUT},
                {"LOST", OUTCOME_LOST},
                {"+CME 4", OUTCOME_CARRIER_REFUSED}};
    struct apdu command = apdu(0x00, 0x2A, 0x90, 0xA0, 2, APDU_LE_ALL);
    size_t i;

    command.repeatable = false;
    for (i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const struct card_step steps[] = {{"00 2A 90 A0 02 0102 00", "+CME 232"},
                                          {"00 2A 90 A0 02 0102", ends[i].said},
                                          CARD_END};
        struct scripted_card card;
        struct answer answer;
        struct report why = REPORT_INIT;

        card_start(&card, steps);
        EXPECT(apdu_send(&card.card, &command, &answer, &why), ends[i].outcome, &why);
        if (ends[i].outcome == OUTCOME_CARRIER_REFUSED) /* twice refused: as it was first */
            EXPECT_NUMBER(why.cme, 232);
        CU_ASSERT_FALSE(card.no_le);
        card_finish(&card);
    }
}

static void a_command_that_is_refused_with_and_without_le_teaches_nothing(void)
{
    static const struct card_step steps[] = {
        {"00 2A 90 A0 02 0102 00", "6700"}, {"00 2A 90 A0 02 0102", "6700"}, CARD_END};
    struct apdu command = apdu(0x00, 0x2A, 0x90, 0xA0, 2, APDU_LE_ALL);
    struct scripted_card card;
    struct answer answer;
    struct report why = REPORT_INIT;

    card_start(&card, steps);
    EXPECT(apdu_send(&card.card, &command, &answer, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(answer.sw, 0x6700);
    CU_ASSERT_FALSE(card.no_le);
    card_finish(&card);
}

/* Without data there is no fourth case: 6700 is the answer then. */
static void a_reads_le_is_never_left_out(void)
{
    static const struct card_step steps[] = {{"00 B0 00 00 10", "6700"}, CARD_END};
    struct apdu command = apdu(0x00, 0xB0, 0, 0, 0, 16);

    EXPECT_ANSWER(steps, &command, "", 0x6700);
}

static void a_waiting_proactive_command_is_success(void)
{
    static const struct card_step steps[] = {{"00 22 41 B6 02 0102", "9112"}, CARD_END};
    static const struct card_step pieces[] = {
        {"00 CA 00 00 00", "6101"}, {"00 C0 00 00 01", "44 910B"}, CARD_END};
    struct apdu command = apdu(0x00, 0x22, 0x41, 0xB6, 2, APDU_LE_NONE);

    EXPECT_ANSWER(steps, &command, "", 0x9000);
    command = apdu(0x00, 0xCA, 0, 0, 0, APDU_LE_ALL);
    EXPECT_ANSWER(pieces, &command, "44", 0x9000);
}

static void a_read_that_failed_in_the_modem_is_said_once_more(void)
{
    static const char *const failures[] = {"+CME 0", "+CME 13", "+CME 100"};
    struct apdu command = apdu(0x00, 0xB0, 0, 0, 0, 16);
    size_t i;

    for (i = 0; i < 3; i++) {
        const struct card_step good[] = {
            {"00 B0 00 00 10", failures[i]}, {"00 B0 00 00 10", "99 9000"}, CARD_END};
        const struct card_step bad[] = {
            {"00 B0 00 00 10", failures[i]}, {"00 B0 00 00 10", failures[i]}, CARD_END};
        struct scripted_card card;
        struct answer answer;
        struct report why = REPORT_INIT;

        EXPECT_ANSWER(good, &command, "99", 0x9000);
        card_start(&card, bad);
        CU_ASSERT(apdu_send(&card.card, &command, &answer, &why) != OUTCOME_OK);
        CU_ASSERT(why.cme >= 0 && why.text[0] != '\0');
        card_finish(&card);
    }
}

/* What another command's answer looks like in the place of this one's. */
static void an_answer_that_cannot_be_its_own_is_none(void)
{
    static const struct card_step read[] = {
        {"00 B0 00 00 02", "010203 9000"}, {"00 B0 00 00 02", "0102 9000"}, CARD_END};
    static const struct card_step verify[] = {{"00 20 00 81 04 01020304", "00030000 9000"},
                                              CARD_END};
    static const struct card_step data[] = {{"00 DA 02 C1 02 0102", "AA 9000"}, CARD_END};
    static const struct card_step less[] = {
        {"00 CA 01 00 00", "6104"}, {"00 C0 00 00 04", "9000"}, CARD_END};
    static const struct card_step more[] = {
        {"00 CA 01 00 00", "6102"}, {"00 C0 00 00 02", "010203 9000"}, CARD_END};
    static const struct card_step *const bad[] = {verify, data, less, more};
    struct apdu commands[] = {apdu(0x00, 0x20, 0x00, 0x81, 4, APDU_LE_NONE),
                              apdu(0x00, 0xDA, 0x02, 0xC1, 2, APDU_LE_NONE),
                              apdu(0x00, 0xCA, 0x01, 0x00, 0, APDU_LE_ALL),
                              apdu(0x00, 0xCA, 0x01, 0x00, 0, APDU_LE_ALL)};
    struct apdu command = apdu(0x00, 0xB0, 0, 0, 0, 2);
    size_t i;

    EXPECT_ANSWER(read, &command, "0102", 0x9000); /* said once more */
    for (i = 0; i < 4; i++) {
        struct scripted_card card;
        struct answer answer;
        struct report why = REPORT_INIT;

        commands[i].repeatable = false;
        card_start(&card, bad[i]);
        EXPECT(apdu_send(&card.card, &commands[i], &answer, &why), OUTCOME_BAD_DATA, &why);
        card_finish(&card);
    }
}

/* Time, 18: one command each, whatever happens to it. */
static void what_changes_the_card_is_never_said_twice(void)
{
    static const char *const failures[] = {"+CME 0",  "+CME 13", "+CME 100", "+CME 16", "+CME 22",
                                           "TIMEOUT", "ERROR",   "GONE",     "LOST"};
    size_t i;

    for (i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        const struct card_step sign[] = {{"00 2A 9E 9A 00", failures[i]}, CARD_END};
        const struct card_step verify[] = {{"00 20 00 81 04 01020304", failures[i]}, CARD_END};
        struct apdu command = apdu(0x00, 0x2A, 0x9E, 0x9A, 0, APDU_LE_ALL);
        struct scripted_card card;
        struct answer answer;
        struct report why = REPORT_INIT;

        command.repeatable = false;
        card_start(&card, sign);
        CU_ASSERT(apdu_send(&card.card, &command, &answer, &why) != OUTCOME_OK);
        card_finish(&card);
        command = apdu(0x00, 0x20, 0x00, 0x81, 4, APDU_LE_NONE);
        card_start(&card, verify);
        CU_ASSERT(apdu_send(&card.card, &command, &answer, &why) != OUTCOME_OK);
        card_finish(&card);
    }
}

/* A late answer may still come: saying anything again would take it for the new one's. */
static void a_read_that_timed_out_is_not_said_again(void)
{
    static const struct card_step steps[] = {{"00 B0 00 00 10", "TIMEOUT"}, CARD_END};
    static const struct card_step gone[] = {{"00 B0 00 00 10", "GONE"}, CARD_END};
    struct apdu command = apdu(0x00, 0xB0, 0, 0, 0, 16);
    struct scripted_card card;
    struct answer answer;
    struct report why = REPORT_INIT;

    card_start(&card, steps);
    EXPECT(apdu_send(&card.card, &command, &answer, &why), OUTCOME_TIMEOUT, &why);
    card_continue(&card, gone);
    EXPECT(apdu_send(&card.card, &command, &answer, &why), OUTCOME_NO_MODEM, &why);
    card_finish(&card);
}

static void pins_are_secret_without_being_told(void)
{
    static const uint8_t instructions[] = {0x20, 0x21, 0x24, 0x25, 0x26, 0x28, 0x2C, 0x2D};
    size_t i;

    for (i = 0; i < sizeof instructions; i++) {
        char hex[64];
        const struct card_step steps[] = {{hex, "9000"}, CARD_END};
        struct apdu command = apdu(0x00, instructions[i], 0x00, 0x81, 4, APDU_LE_NONE);
        struct scripted_card card;
        struct answer answer;
        struct report why = REPORT_INIT;

        snprintf(hex, sizeof hex, "00 %02X 00 81 04 01020304", instructions[i]);
        card_start(&card, steps);
        EXPECT(apdu_send(&card.card, &command, &answer, &why), OUTCOME_OK, &why);
        CU_ASSERT(card.last_secrecy & SECRET_COMMAND);
        EXPECT_NUMBER(card.last_timeout, APDU_TIMEOUT_MS);
        card_finish(&card);
    }
}

static void a_secret_answer_stays_secret_over_get_response(void)
{
    static const struct card_step steps[] = {
        {"00 2A 80 86 02 0102 00", "6102"}, {"00 C0 00 00 02", "CAFE 9000"}, CARD_END};
    struct apdu command = apdu(0x00, 0x2A, 0x80, 0x86, 2, APDU_LE_ALL);
    struct scripted_card card;
    struct answer answer;
    struct report why = REPORT_INIT;

    command.secrecy = SECRET_ANSWER;
    command.timeout_ms = APDU_TIMEOUT_KEY_MS;
    card_start(&card, steps);
    EXPECT(apdu_send(&card.card, &command, &answer, &why), OUTCOME_OK, &why);
    CU_ASSERT(card.last_secrecy & SECRET_ANSWER);
    card_finish(&card);
    answer_clear(&answer);
    EXPECT_NUMBER(answer.data[0], 0);
    EXPECT_NUMBER(answer.data[1], 0);
}

void add_apdu_suite(void)
{
    static const struct test tests[] = {
        TEST(each_case_of_a_command_has_its_bytes),
        TEST(waiting_data_is_fetched_in_pieces_and_kept_together),
        TEST(get_response_goes_with_the_same_cla),
        TEST(a_signature_of_256_bytes_comes_by_6100),
        TEST(get_response_is_corrected_by_6cxx_too),
        TEST(get_response_asks_for_less_where_the_modem_carries_less),
        TEST(answers_without_an_end_are_given_up),
        TEST(a_wrong_le_is_corrected_keeping_lc_and_data),
        TEST(a_corrected_command_may_have_data_waiting),
        TEST(a_refused_le_is_left_out_and_remembered),
        TEST(what_ends_the_retry_without_le_is_said),
        TEST(a_command_that_is_refused_with_and_without_le_teaches_nothing),
        TEST(a_reads_le_is_never_left_out),
        TEST(a_waiting_proactive_command_is_success),
        TEST(a_read_that_failed_in_the_modem_is_said_once_more),
        TEST(an_answer_that_cannot_be_its_own_is_none),
        TEST(what_changes_the_card_is_never_said_twice),
        TEST(a_read_that_timed_out_is_not_said_again),
        TEST(pins_are_secret_without_being_told),
        TEST(a_secret_answer_stays_secret_over_get_response),
    };

    ADD_SUITE("apdu", tests);
}
