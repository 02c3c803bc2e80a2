/* SPDX-License-Identifier: Apache-2.0 */
/* The AT dialogue against the clock (protocol-at: "Time" and "Life cycle"): start-up, mute modems,
 * late answers, a busy SIM, unplugged devices. */
#include "test/unit/talk.h"
#include "test/unit/unit.h"

#include <string.h>

#define MUTE      ""
#define BUSY_SIM  "\r\n+CME ERROR: 14\r\n"
#define NO_ANSWER LINE("AT", MUTE)

/* ---- start-up ---- */

static void an_awake_modem_is_set_up_by_three_lines(void)
{
    static const struct modem_step steps[] = {LINE("AT", "AT\r\r\nOK\r\n"),
                                              LINE("ATE0V1Q0", "ATE0V1Q0\r\r\nOK\r\n"),
                                              LINE("AT+CMEE=1", OK), MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, NULL);
    start = monotonic_ms();
    EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    EXPECT_TOOK(start, 0, 600);
    CU_ASSERT_FALSE(talk.events & EVENT_LATE);
    talk_end(&talk);
}

static void a_sleeping_modem_is_called_until_it_answers(void)
{
    static const struct modem_step steps[] = {NO_ANSWER,
                                              NO_ANSWER,
                                              LINE("ATE0V1Q0", MUTE),
                                              LINE("ATQ0", MUTE),
                                              LINE("ATV1", OK),
                                              LINE("ATE0V1Q0", OK),
                                              LINE("AT+CMEE=1", OK),
                                              MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, NULL);
    start = monotonic_ms();
    EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    EXPECT_TOOK(start, 700, 2500);
    talk_end(&talk);
}

static void a_mute_modem_is_called_eight_times_and_then_reported(void)
{
    static const struct modem_step steps[] = {
        NO_ANSWER,          NO_ANSWER,          LINE("ATE0V1Q0", MUTE),
        LINE("ATQ0", MUTE), LINE("ATV1", MUTE), NO_ANSWER,
        NO_ANSWER,          NO_ANSWER,          MODEM_END};
    struct talk talk;
    int64_t start, processor;

    talk_begin(&talk, steps, NULL);
    start = monotonic_ms();
    processor = processor_ms();
    EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_NO_MODEM, &talk.why);
    EXPECT_TOOK(start, 1800, 4000);
    CU_ASSERT(processor_ms() - processor < 300);
    CU_ASSERT_FALSE(talk.events & EVENT_LATE); /* it owes no answer to AT */
    talk_end(&talk);
}

static void the_operations_deadline_ends_the_calling_too(void)
{
    static const struct modem_step steps[] = {NO_ANSWER, MODEM_END};
    static const struct modem_step mute[] = {NO_ANSWER, LINE("ATE0V1Q0", MUTE), LINE("ATQ0", MUTE),
                                             MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, mute);
    start = monotonic_ms();
    CU_ASSERT(at_start(&talk.at, deadline_in(400), &talk.why) != OUTCOME_OK);
    EXPECT_TOOK(start, 200, 900);
    talk_end(&talk);
}

static void setting_up_falls_back_to_single_commands(void)
{
    static const struct modem_step steps[] = {LINE("AT", OK),
                                              LINE("ATE0V1Q0", "\r\nERROR\r\n"),
                                              LINE("ATE0", "ATE0\r\r\nOK\r\n"),
                                              LINE("ATV1", OK),
                                              LINE("ATQ0", OK),
                                              LINE("AT+CMEE=1", OK),
                                              MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    talk_end(&talk);
}

static void a_modem_without_numbered_errors_is_good_enough(void)
{
    static const struct modem_step steps[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                              LINE("AT+CMEE=1", "\r\nERROR\r\n"), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    talk_end(&talk);
}

static void a_modem_that_vanishes_while_it_is_called_ends_that_at_once(void)
{
    static const struct modem_step steps[] = {LINE("AT", PAUSE HANG_UP), MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, NULL);
    start = monotonic_ms();
    EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_NO_MODEM, &talk.why);
    EXPECT_TOOK(start, 0, 500);
    talk_end(&talk);
}

/* ---- answers that are slow, late or never come ---- */

static void an_answer_in_pieces_is_put_together(void)
{
    static const struct modem_step steps[] = {LINE("AT+CSIM=10,\"0084000002\"",
                                                   "\r" PAUSE "\n+CS" PAUSE "IM: 8,\"12" PAUSE
                                                   "349000\"\r" PAUSE "\n\r\nO" PAUSE "K\r\n"),
                                              MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(ask(&talk, "AT+CSIM=10,\"0084000002\"", "+CSIM:", 3000), OUTCOME_OK, &talk.why);
    EXPECT_NUMBER(talk.result.final, AT_FINAL_OK);
    EXPECT_TEXT(talk.result.value, "8,\"12349000\"");
    talk_end(&talk);
}

static void a_mute_modem_ends_an_exchange_at_its_own_timeout(void)
{
    static const struct modem_step steps[] = {LINE("AT+CPIN?", MUTE), MODEM_END};
    struct talk talk;
    int64_t start, processor;

    talk_begin(&talk, steps, NULL);
    start = monotonic_ms();
    processor = processor_ms();
    EXPECT(ask(&talk, "AT+CPIN?", "+CPIN:", 250), OUTCOME_TIMEOUT, &talk.why);
    EXPECT_TOOK(start, 230, 800);
    CU_ASSERT(processor_ms() - processor < 120);
    CU_ASSERT(talk.events & EVENT_LATE);
    talk_end(&talk);
}

static void an_answer_without_a_final_result_is_no_answer(void)
{
    static const struct modem_step steps[] = {LINE("AT+CPIN?", "\r\n+CPIN: READY\r\n"), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(ask(&talk, "AT+CPIN?", "+CPIN:", 200), OUTCOME_TIMEOUT, &talk.why);
    CU_ASSERT(talk.events & EVENT_LATE);
    talk_end(&talk);
}

static void the_operations_deadline_is_above_the_exchanges(void)
{
    static const struct modem_step steps[] = {LINE("AT+CPIN?", MUTE), MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, NULL);
    talk.deadline = deadline_in(200);
    start = monotonic_ms();
    EXPECT(ask(&talk, "AT+CPIN?", "+CPIN:", 6000), OUTCOME_TIMEOUT, &talk.why);
    EXPECT_TOOK(start, 150, 700);
    talk_end(&talk);
}

static void chatter_does_not_prolong_the_wait(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CPIN?", "\r\nRING\r\n" PAUSE "\r\nRING\r\n" PAUSE "\r\nRING\r\n" PAUSE
                         "\r\nRING\r\n" PAUSE "\r\nRING\r\n" PAUSE "\r\nRING\r\n" PAUSE
                         "\r\nRING\r\n" PAUSE "\r\nRING\r\n" PAUSE "\r\nRING\r\n"),
        MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, NULL);
    start = monotonic_ms();
    EXPECT(ask(&talk, "AT+CPIN?", "+CPIN:", 250), OUTCOME_TIMEOUT, &talk.why);
    EXPECT_TOOK(start, 230, 250 + 250 + 150); /* and the time of one AT, which looks for a reason */
    talk_end(&talk);
}

/* Time, 17: the answer of the first command comes when the second would be under way. */
static void a_late_answer_is_waited_out_before_anything_else(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CSIM=10,\"00B0000002\"", LONG "\r\n+CSIM: 8,\"AAAA9000\"\r\n" OK), LINE("AT", OK),
        LINE("AT+CSIM=10,\"00B0000202\"", "\r\n+CSIM: 8,\"BBBB9000\"\r\n" OK), MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, modem_starts);
    EXPECT(ask(&talk, "AT+CSIM=10,\"00B0000002\"", "+CSIM:", 120), OUTCOME_TIMEOUT, &talk.why);
    CU_ASSERT(talk.events & EVENT_LATE);
    start = monotonic_ms();
    EXPECT(at_resync(&talk.at, 500, false, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    EXPECT_TOOK(start, 500, 3000);
    CU_ASSERT_FALSE(talk.events & EVENT_LATE);
    EXPECT(ask(&talk, "AT+CSIM=10,\"00B0000202\"", "+CSIM:", 1000), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "8,\"BBBB9000\"");
    talk_end(&talk);
}

/* The modem is busy for longer than the line was awaited to be quiet: it reads the ATs afterwards,
 * and its first OK belongs to the late answer. */
static void a_late_answers_own_ok_is_not_a_clean_one(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CSIM=10,\"00B0000002\"", LONG LONG "\r\n+CSIM: 8,\"AAAA9000\"\r\n" PAUSE OK),
        LINE("AT+CSIM=10,\"00B0000202\"", "\r\n+CSIM: 8,\"BBBB9000\"\r\n" OK), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, modem_starts);
    EXPECT(ask(&talk, "AT+CSIM=10,\"00B0000002\"", "+CSIM:", 60), OUTCOME_TIMEOUT, &talk.why);
    EXPECT(at_resync(&talk.at, 60, false, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    EXPECT(ask(&talk, "AT+CSIM=10,\"00B0000202\"", "+CSIM:", 1000), OUTCOME_OK, &talk.why);
    EXPECT_NUMBER(talk.result.final, AT_FINAL_OK);
    EXPECT_TEXT(talk.result.value, "8,\"BBBB9000\"");
    talk_end(&talk);
}

static void resynchronising_takes_a_clean_ok(void)
{
    static const struct modem_step steps[] = {
        LINE("AT", "\r\nERROR\r\n"), LINE("AT", MUTE), LINE("ATE0V1Q0", OK),
        LINE("AT+CPIN?", "\r\n+CPIN: READY\r\n" OK), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, modem_starts);
    talk.events |= EVENT_LATE;
    EXPECT(at_resync(&talk.at, 50, false, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    CU_ASSERT_FALSE(talk.events & EVENT_LATE);
    EXPECT(ask(&talk, "AT+CPIN?", "+CPIN:", 1000), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "READY");
    talk_end(&talk);
}

static void a_modem_that_stays_mute_cannot_be_resynchronised(void)
{
    static const struct modem_step steps[] = {NO_ANSWER, MODEM_END};
    static const struct modem_step mute[] = {NO_ANSWER, LINE("ATE0V1Q0", MUTE), LINE("ATQ0", MUTE),
                                             MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, mute);
    talk.events |= EVENT_LATE;
    start = monotonic_ms();
    CU_ASSERT(at_resync(&talk.at, 50, false, deadline_in(600), &talk.why) != OUTCOME_OK);
    EXPECT_TOOK(start, 300, 1200);
    CU_ASSERT(talk.events & EVENT_LATE);
    talk_end(&talk);
}

/* ---- SIM busy ---- */

static void a_busy_sim_is_waited_for(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CSIM=10,\"0070000001\"", BUSY_SIM),
        LINE("AT+CSIM=10,\"0070000001\"", "\r\n+CME ERROR: SIM busy\r\n"),
        LINE("AT+CSIM=10,\"0070000001\"", "\r\n+CME ERROR: 515\r\n"),
        LINE("AT+CSIM=10,\"0070000001\"", "\r\n+CSIM: 6,\"019000\"\r\n" OK), MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, NULL);
    start = monotonic_ms();
    EXPECT(ask(&talk, "AT+CSIM=10,\"0070000001\"", "+CSIM:", 1000), OUTCOME_OK, &talk.why);
    EXPECT_NUMBER(talk.result.final, AT_FINAL_OK);
    EXPECT_TEXT(talk.result.value, "6,\"019000\"");
    EXPECT_TOOK(start, 150, 6000);
    talk_end(&talk);
}

static void a_sim_that_stays_busy_ends_at_the_deadline_with_growing_pauses(void)
{
    static const struct modem_step steps[] = {LINE("AT+CPIN?", BUSY_SIM), MODEM_END};
    static const struct modem_step busy[] = {LINE("AT+CPIN?", BUSY_SIM), MODEM_END};
    struct talk talk;
    enum outcome outcome;
    int64_t start;

    talk_begin(&talk, steps, busy);
    talk.deadline = deadline_in(1200);
    start = monotonic_ms();
    outcome = ask(&talk, "AT+CPIN?", "+CPIN:", 1000);
    CU_ASSERT(outcome == OUTCOME_TIMEOUT || (outcome == OUTCOME_OK && talk.result.cme == 14));
    EXPECT_TOOK(start, 300, 1800);
    CU_ASSERT(modem_lines(&talk.modem) >= 2 && modem_lines(&talk.modem) < 13);
    talk_end(&talk);
}

static void a_busy_sim_is_given_about_ten_seconds(void)
{
    static const struct modem_step steps[] = {LINE("AT+CPIN?", BUSY_SIM), MODEM_END};
    static const struct modem_step busy[] = {LINE("AT+CPIN?", BUSY_SIM), MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, busy);
    talk.deadline = deadline_in(25000);
    start = monotonic_ms();
    EXPECT(ask(&talk, "AT+CPIN?", "+CPIN:", 1000), OUTCOME_OK, &talk.why);
    EXPECT_NUMBER(talk.result.cme, 14);
    EXPECT_TOOK(start, 7000, 14000);
    CU_ASSERT(modem_lines(&talk.modem) < 60);
    talk_end(&talk);
}

/* ---- unplugged ---- */

static void a_modem_that_vanishes_in_mid_answer_ends_the_exchange_at_once(void)
{
    static const struct modem_step steps[] = {LINE("AT+CPIN?", "\r\n+CPIN: RE" PAUSE HANG_UP),
                                              MODEM_END};
    struct talk talk;
    int64_t start, processor;

    talk_begin(&talk, steps, NULL);
    start = monotonic_ms();
    processor = processor_ms();
    EXPECT(ask(&talk, "AT+CPIN?", "+CPIN:", 6000), OUTCOME_NO_MODEM, &talk.why);
    EXPECT_TOOK(start, 0, 500);
    CU_ASSERT(processor_ms() - processor < 200);
    EXPECT_SAYS(talk.why.text, "gone");
    EXPECT(ask(&talk, "AT", NULL, 6000), OUTCOME_NO_MODEM, &talk.why);
    EXPECT_TOOK(start, 0, 600);
    talk_end(&talk);
}

static void a_modem_that_vanishes_while_its_sim_is_busy_ends_the_waiting(void)
{
    static const struct modem_step steps[] = {LINE("AT+CPIN?", BUSY_SIM PAUSE HANG_UP), MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, NULL);
    start = monotonic_ms();
    EXPECT(ask(&talk, "AT+CPIN?", "+CPIN:", 1000), OUTCOME_NO_MODEM, &talk.why);
    EXPECT_TOOK(start, 0, 2000);
    talk_end(&talk);
}

void add_at_time_suite(void)
{
    static const struct test tests[] = {
        TEST(an_awake_modem_is_set_up_by_three_lines),
        TEST(a_sleeping_modem_is_called_until_it_answers),
        TEST(a_mute_modem_is_called_eight_times_and_then_reported),
        TEST(the_operations_deadline_ends_the_calling_too),
        TEST(setting_up_falls_back_to_single_commands),
        TEST(a_modem_without_numbered_errors_is_good_enough),
        TEST(a_modem_that_vanishes_while_it_is_called_ends_that_at_once),
        TEST(an_answer_in_pieces_is_put_together),
        TEST(a_mute_modem_ends_an_exchange_at_its_own_timeout),
        TEST(an_answer_without_a_final_result_is_no_answer),
        TEST(the_operations_deadline_is_above_the_exchanges),
        TEST(chatter_does_not_prolong_the_wait),
        TEST(a_late_answer_is_waited_out_before_anything_else),
        TEST(a_late_answers_own_ok_is_not_a_clean_one),
        TEST(resynchronising_takes_a_clean_ok),
        TEST(a_modem_that_stays_mute_cannot_be_resynchronised),
        TEST(a_busy_sim_is_waited_for),
        TEST(a_sim_that_stays_busy_ends_at_the_deadline_with_growing_pauses),
        TEST(a_busy_sim_is_given_about_ten_seconds),
        TEST(a_modem_that_vanishes_in_mid_answer_ends_the_exchange_at_once),
        TEST(a_modem_that_vanishes_while_its_sim_is_busy_ends_the_waiting),
    };

    ADD_SUITE("at_time", tests);
}
