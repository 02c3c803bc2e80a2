/* SPDX-License-Identifier: Apache-2.0 */
/* The change of the applet's PIN, whose command is doubtful: one attempt, at the full counter, never
 * repeated, and never in a trace. The other PIN rules are judged in test_pin.c. */
#include "apdu/applet/mias.h"
#include "apdu/applet/pin.h"
#include "test/unit/check.h"
#include "test/unit/scripted_card.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <string.h>

#define ASK    "00 20 00 81"
#define CHANGE "80 24 00 81 09 04 30303030 34373131"

static enum outcome change(const struct card_step *steps, const char *old_pin, const char *new_pin,
                           bool *sent, struct report *why)
{
    struct scripted_card card;
    enum outcome outcome;

    card_start(&card, steps);
    card_select(&card, mias_aid, sizeof mias_aid);
    *sent = true;
    outcome = pin_change(&card.card, old_pin, new_pin, sent, why);
    card_finish(&card);
    return outcome;
}

static void the_length_of_the_old_pin_goes_before_both(void)
{
    static const struct card_step four[] = {{ASK, "63C3"}, {CHANGE, "9000"}, CARD_END};
    static const struct card_step long_ones[] = {
        {ASK, "63C3"},
        {"80 24 00 81 19 10 31323334353637383930313233343536 3837363534333231", "9000"},
        CARD_END};
    struct report why = REPORT_INIT;
    bool sent;

    EXPECT(change(four, "0000", "4711", &sent, &why), OUTCOME_OK, &why);
    CU_ASSERT(sent);
    EXPECT(change(long_ones, "1234567890123456", "87654321", &sent, &why), OUTCOME_OK, &why);
}

static void the_command_is_secret_and_has_no_length_to_correct(void)
{
    static const struct card_step steps[] = {{ASK, "63C3"}, {CHANGE, "6C05"}, CARD_END};
    struct scripted_card card;
    struct report why = REPORT_INIT;
    bool sent;

    card_start(&card, steps);
    card_select(&card, mias_aid, sizeof mias_aid);
    EXPECT(pin_change(&card.card, "0000", "4711", &sent, &why), OUTCOME_REFUSED, &why);
    EXPECT_NUMBER(card.last_secrecy & SECRET_COMMAND, SECRET_COMMAND);
    card_finish(&card);
}

static void below_three_tries_nothing_is_sent(void)
{
    static const char *const words[] = {"63C2", "63C1", "6300", "9000"};
    static const struct card_step blocked[] = {{ASK, "6983"}, CARD_END};
    struct report why = REPORT_INIT;
    bool sent;
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct card_step steps[] = {{ASK, words[i]}, CARD_END};

        EXPECT(change(steps, "0000", "4711", &sent, &why), OUTCOME_PIN_PROTECTED, &why);
        CU_ASSERT(!sent);
        EXPECT_SAYS(why.text, "simkey pin verify");
    }
    EXPECT(change(blocked, "0000", "4711", &sent, &why), OUTCOME_PIN_BLOCKED, &why);
    CU_ASSERT(!sent);
}

static void what_are_no_two_pins_costs_nothing(void)
{
    static const char *const pairs[][2] = {
        {"", "4711"},     {"000", "4711"},  {"00a0", "4711"},      {"00000000000000000", "4711"},
        {"0000", ""},     {"0000", "471"},  {"0000", "471123456"}, {"0000", "47 1"},
        {"0000", "-471"}, {"0000", "0000"},
    };
    static const struct card_step none[] = {CARD_END};
    struct report why = REPORT_INIT;
    bool sent;
    size_t i;

    for (i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        EXPECT(change(none, pairs[i][0], pairs[i][1], &sent, &why), OUTCOME_USAGE, &why);
        CU_ASSERT(!sent);
        EXPECT_SAYS(why.text, "nothing was sent");
        EXPECT_SAYS_NOT(why.text, "4711");
    }
}

static void a_refusal_is_told_with_its_status_word(void)
{
    static const struct {
        const char *sw;
        enum outcome outcome;
        const char *says;
    } cases[] = {
        {"63C2", OUTCOME_PIN_WRONG, "(SW 63C2)"},
        {"6300", OUTCOME_PIN_WRONG, "(SW 6300)"},
        {"6983", OUTCOME_PIN_BLOCKED, "blocked"},
        {"63C0", OUTCOME_PIN_BLOCKED, "blocked"},
        {"6D00", OUTCOME_REFUSED, "(SW 6D00)"},
        {"6E00", OUTCOME_REFUSED, "should be unchanged"},
        {"6A80", OUTCOME_REFUSED, "does not accept"},
        {"6700", OUTCOME_REFUSED, "(SW 6700)"},
    };
    struct report why = REPORT_INIT;
    bool sent;
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct card_step steps[] = {{ASK, "63C3"}, {CHANGE, cases[i].sw}, CARD_END};

        EXPECT(change(steps, "0000", "4711", &sent, &why), cases[i].outcome, &why);
        CU_ASSERT(sent && why.sw != 0);
        EXPECT_SAYS(why.text, cases[i].says);
    }
}

static void a_change_that_got_lost_is_not_repeated(void)
{
    static const char *const failures[] = {"TIMEOUT", "GONE",    "LOST",    "+CME 13", "+CME 100",
                                           "+CME 0",  "+CME 50", "+CME 14", "ERROR"};
    struct report why = REPORT_INIT;
    bool sent;
    size_t i;

    for (i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        const struct card_step steps[] = {{ASK, "63C3"}, {CHANGE, failures[i]}, CARD_END};

        CU_ASSERT(change(steps, "0000", "4711", &sent, &why) != OUTCOME_OK);
        CU_ASSERT(sent && why.sw == 0);
    }
}

/* ---- from the port to the card ---- */

static void a_whole_change_has_a_channel_of_its_own(void)
{
    static const struct modem_step right[] = {
        OPEN,  SELECT,   STATE, ECHO_OFF, CSIM("81 24 00 81 09 04 30303030 34373131", "9000"),
        CLOSE, MODEM_END};
    static const struct modem_step lost[] = {
        OPEN,
        SELECT,
        STATE,
        ECHO_OFF,
        LINE("AT+CSIM=28,\"8124008109043030303034373131\"", "\r\n+CME ERROR: 13\r\n"),
        MODEM_END};
    static const struct modem_step closing[] = {
        LINE("AT", OK), LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", OK), LINE(CRSM, CRSM_SAYS), CLOSE,
        MODEM_END};
    struct seat seat;
    bool sent;

    seat_begin(&seat, right, NULL, NULL, NULL);
    EXPECT(token_pin_change(seat.sim, "0000", "4711", &sent, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT(sent);
    seat_end(&seat);
    seat_begin(&seat, lost, closing, NULL, NULL);
    CU_ASSERT(token_pin_change(seat.sim, "0000", "4711", &sent, &seat.why) != OUTCOME_OK);
    CU_ASSERT(sent && seat.why.sw == 0);
    seat_end(&seat);
}

void add_pin_change_suite(void)
{
    static const struct test tests[] = {
        TEST(the_length_of_the_old_pin_goes_before_both),
        TEST(the_command_is_secret_and_has_no_length_to_correct),
        TEST(below_three_tries_nothing_is_sent),
        TEST(what_are_no_two_pins_costs_nothing),
        TEST(a_refusal_is_told_with_its_status_word),
        TEST(a_change_that_got_lost_is_not_repeated),
        TEST(a_whole_change_has_a_channel_of_its_own),
    };

    ADD_SUITE("pin_change", tests);
}
