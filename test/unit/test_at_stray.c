/* SPDX-License-Identifier: Apache-2.0 */
/* What comes while an answer is due and is none of it: messages that the modem shows, other
 * programs' answers and final results. */
#include "test/unit/talk.h"
#include "test/unit/unit.h"

#include <string.h>

#define READ    "AT+CSIM=10,\"01B0000002\""
#define MESSAGE "\r\n+CMT: \"+4915112345678\",,\"26/01/01,12:00:00+04\"\r\n"
#define MINE    "\r\n+CSIM: 8,\"AAAA9000\"\r\n"
#define OTHERS  "\r\n+CSIM: 8,\"BBBB9000\"\r\n"
#define VALUE   "8,\"AAAA9000\""

/* The modem says all this to a command; its own answer is MINE. The next command gets its own too. */
static void expect_mine_at(const char *file, int line, const char *said)
{
    const struct modem_step steps[] = {LINE(READ, said), LINE(READ, OTHERS OK), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, modem_starts);
    check_outcome(file, line, said, ask(&talk, READ, "+CSIM:", 3000), OUTCOME_OK, &talk.why);
    check_number(file, line, "the final result", talk.result.final, AT_FINAL_OK);
    check_text(file, line, said, talk.result.value, VALUE);
    check_outcome(file, line, said, ask(&talk, READ, "+CSIM:", 3000), OUTCOME_OK, &talk.why);
    check_text(file, line, "the next one's", talk.result.value, "8,\"BBBB9000\"");
    EXPECT(at_confirm(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    talk_end_at(&talk, file, line);
}
#define EXPECT_MINE(said) expect_mine_at(__FILE__, __LINE__, said)

static void an_ok_without_the_answer_does_not_end_a_command(void)
{
    EXPECT_MINE(OK PAUSE MINE OK);
    EXPECT_MINE(OK OK PAUSE MINE PAUSE OK);
    EXPECT_MINE(MESSAGE "OK\r\n" PAUSE MINE OK);
    EXPECT_MINE("\r\n+CUSD: 0,\"Menu\r\nOK\r\n1. more\",15\r\n" PAUSE MINE OK);
}

static void an_error_before_the_answer_is_another_commands(void)
{
    EXPECT_MINE("\r\nERROR\r\n" PAUSE MINE OK);
    EXPECT_MINE("\r\n+CME ERROR: 13\r\n" LONG MINE OK);
    EXPECT_MINE("\r\n+CME ERROR: 14\r\n" PAUSE MINE OK);
    EXPECT_MINE("\r\nERROR\r\n" BREATH MINE OK);
    EXPECT_MINE("\r\nNO CARRIER\r\n" PAUSE MINE OK);
    EXPECT_MINE(OK "\r\nBUSY\r\n" PAUSE MINE OK);
}

/* Whatever the text of a message looks like. */
static void the_text_of_a_message_means_nothing(void)
{
    EXPECT_MINE(MESSAGE "+CSIM: 4,\"9000\"\r\n" PAUSE MINE OK);
    EXPECT_MINE(MESSAGE "ERROR\r\n" MINE OK);
    EXPECT_MINE("\r\n+CMT: ,24\r\n07911326040000F0\r\n" MINE OK);
    EXPECT_MINE("\r\n+CBM: 1,2,0,1,1\r\nOK\r\n" PAUSE MINE OK);
    EXPECT_MINE("\r\n+CDS: 25\r\nOK\r\n" PAUSE MINE OK);
    EXPECT_MINE("\r\n+CDS: 6,1,,,\"26/01/01,12:00:00+04\",\"26/01/01,12:00:00+04\",0\r\n" MINE OK);
}

/* Then the line behind it is the modem's. */
static void an_empty_message_has_no_text(void)
{
    static const struct modem_step steps[] = {LINE(READ, MESSAGE "\r\n" MINE OK), MODEM_END};
    struct talk talk;
    int64_t start;

    EXPECT_MINE(MESSAGE "\r\n" MINE OK);
    EXPECT_MINE(MESSAGE "\r\nhello\r\n" MINE OK);
    talk_begin(&talk, steps, modem_starts);
    start = monotonic_ms();
    EXPECT(ask(&talk, READ, "+CSIM:", 3000), OUTCOME_OK, &talk.why);
    EXPECT_TOOK(start, 0, 400);
    talk_end(&talk);
}

static void a_restart_in_a_message_is_none(void)
{
    static const char *const texts[] = {MESSAGE "RDY\r\n" MINE OK,
                                        MESSAGE "hello\r\nRDY\r\n+CFUN: 1\r\n" MINE OK};
    size_t i;

    for (i = 0; i < 2; i++) {
        const struct modem_step steps[] = {LINE(READ, texts[i]), MODEM_END};
        struct talk talk;

        talk_begin(&talk, steps, modem_starts);
        EXPECT(ask(&talk, READ, "+CSIM:", 3000), OUTCOME_OK, &talk.why);
        EXPECT_TEXT(talk.result.value, VALUE);
        CU_ASSERT_FALSE(talk.events & EVENT_RESTARTED);
        talk_end(&talk);
    }
}

/* There are such modems: they pay nothing for it. */
static void an_ok_that_comes_first_costs_no_time(void)
{
    static const struct modem_step steps[] = {LINE(READ, OK MINE), LINE(READ, OK OTHERS),
                                              MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, modem_starts);
    start = monotonic_ms();
    EXPECT(ask(&talk, READ, "+CSIM:", 5000), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, VALUE);
    EXPECT(ask(&talk, READ, "+CSIM:", 5000), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "8,\"BBBB9000\"");
    EXPECT_TOOK(start, 0, 400);
    EXPECT_NUMBER(modem_heard(&talk.modem, "AT"), 0);
    talk_end(&talk);
}

static void an_ok_alone_ends_with_the_line_in_step(void)
{
    static const struct modem_step steps[] = {LINE(READ, OK), MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, modem_starts);
    start = monotonic_ms();
    EXPECT(ask(&talk, READ, "+CSIM:", 5000), OUTCOME_OK, &talk.why);
    EXPECT_TOOK(start, 900, 2000);
    EXPECT_NUMBER(talk.result.values, 0);
    EXPECT_NUMBER(modem_heard(&talk.modem, "AT"), 1);
    talk_end(&talk);
}

/* Longer than is waited behind the OK: it is found while the line is brought into step. */
static void an_answer_that_takes_longer_is_found_all_the_same(void)
{
    static const struct modem_step steps[] = {LINE(READ, OK LONG LONG MINE OK),
                                              LINE(READ, OTHERS OK), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, modem_starts);
    EXPECT(ask(&talk, READ, "+CSIM:", 1000), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, VALUE);
    EXPECT(ask(&talk, READ, "+CSIM:", 3000), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "8,\"BBBB9000\"");
    talk_end(&talk);
}

static void an_error_alone_is_the_commands_own(void)
{
    static const struct modem_step steps[] = {LINE(READ, "\r\n+CME ERROR: 13\r\n"), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, modem_starts);
    EXPECT(ask(&talk, READ, "+CSIM:", 3000), OUTCOME_OK, &talk.why);
    EXPECT_NUMBER(talk.result.final, AT_FINAL_CME);
    EXPECT_NUMBER(talk.result.cme, 13);
    talk_end(&talk);
}

static void two_answers_are_none(void)
{
    static const char *const said[] = {
        OTHERS MINE OK, MESSAGE "hello\r\n+CSIM: 8,\"BBBB9000\"\r\nOK\r\n" PAUSE MINE OK,
        "\r\nERROR\r\n" PAUSE OTHERS OK MINE OK, OTHERS "\r\nERROR\r\n" PAUSE MINE OK};
    size_t i;

    for (i = 0; i < sizeof said / sizeof said[0]; i++) {
        const struct modem_step steps[] = {LINE(READ, said[i]), LINE(READ, MINE OK), MODEM_END};
        struct talk talk;

        talk_begin(&talk, steps, modem_starts);
        EXPECT(ask(&talk, READ, "+CSIM:", 3000), OUTCOME_LOST, &talk.why);
        EXPECT_SAYS(talk.why.text, "out of step");
        EXPECT(ask(&talk, READ, "+CSIM:", 3000), OUTCOME_OK, &talk.why);
        EXPECT_TEXT(talk.result.value, VALUE);
        talk_end(&talk);
    }
}

static void the_number_of_a_channel_is_not_lost_to_an_ok(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CCHO=\"A0\"", OK PAUSE "\r\n+CCHO: 3\r\n" OK), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, modem_starts);
    EXPECT(ask(&talk, "AT+CCHO=\"A0\"", "+CCHO:", 3000), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "3");
    talk_end(&talk);
}

/* Nor to an answer that tells of none, which comes behind it. */
static void the_number_of_a_channel_is_not_lost_to_another_answer(void)
{
    static const char opening[] = "AT+CSIM=10,\"0070000001\"";
    static const char stale[] =
        "\r\n+CSIM: 4,\"9000\"\r\n" OK PAUSE "\r\n+CSIM: 6,\"019000\"\r\n" OK PAUSE
        "\r\n+CSIM: 4,\"9000\"\r\n" OK;
    static const struct modem_step steps[] = {LINE(opening, stale), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, modem_starts);
    EXPECT(ask(&talk, opening, "+CSIM:", 3000), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "4,\"9000\"");
    EXPECT(at_listen(&talk.at, 300, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.at.stray, "+CSIM: 6,\"019000\"");
    talk_end(&talk);
}

static void a_question_is_asked_again(void)
{
    static const char *const said[] = {OK, MESSAGE "hello\r\nR2D2\r\n" OK,
                                       MESSAGE "x\r\n+CGMM: R2D2\r\nR1\r\n" OK};
    size_t i;

    for (i = 0; i < sizeof said / sizeof said[0]; i++) {
        const struct modem_step steps[] = {LINE("AT+CGMM", said[i]),
                                           LINE("AT+CGMM", "\r\nR1\r\n" OK), MODEM_END};
        const struct at_command command = {.line = "AT+CGMM",
                                           .answer = AT_ANSWER_TEXT,
                                           .prefix = "+CGMM:",
                                           .timeout_ms = 1500,
                                           .question = true};
        struct talk talk;

        talk_begin(&talk, steps, modem_starts);
        EXPECT(at_command(&talk.at, &command, talk.deadline, &talk.result, &talk.why), OUTCOME_OK,
               &talk.why);
        EXPECT_TEXT(talk.result.value, "R1");
        talk_end(&talk);
    }
}

/* The other program's answer came in the place of ours, and ours comes now. */
static void what_was_taken_is_confirmed_or_not(void)
{
    static const struct {
        const char *said;
        enum outcome outcome;
    } cases[] = {{OTHERS OK PAUSE MINE OK, OUTCOME_LOST},
                 {MINE OK, OUTCOME_OK},
                 {MINE OK PAUSE MINE OK, OUTCOME_OK}, /* a modem that says all twice */
                 {OK MINE OK, OUTCOME_OK}};
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct modem_step steps[] = {LINE(READ, cases[i].said), MODEM_END};
        struct talk talk;

        talk_begin(&talk, steps, modem_starts);
        EXPECT(ask(&talk, READ, "+CSIM:", 3000), OUTCOME_OK, &talk.why);
        EXPECT(at_confirm(&talk.at, talk.deadline, &talk.why), cases[i].outcome, &talk.why);
        talk_end(&talk);
    }
}

void add_at_stray_suite(void)
{
    static const struct test tests[] = {
        TEST(an_ok_without_the_answer_does_not_end_a_command),
        TEST(an_error_before_the_answer_is_another_commands),
        TEST(the_text_of_a_message_means_nothing),
        TEST(an_empty_message_has_no_text),
        TEST(a_restart_in_a_message_is_none),
        TEST(an_ok_that_comes_first_costs_no_time),
        TEST(an_ok_alone_ends_with_the_line_in_step),
        TEST(an_answer_that_takes_longer_is_found_all_the_same),
        TEST(an_error_alone_is_the_commands_own),
        TEST(two_answers_are_none),
        TEST(the_number_of_a_channel_is_not_lost_to_an_ok),
        TEST(the_number_of_a_channel_is_not_lost_to_another_answer),
        TEST(a_question_is_asked_again),
        TEST(what_was_taken_is_confirmed_or_not),
    };

    ADD_SUITE("at_stray", tests);
}
