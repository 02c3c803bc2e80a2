/* SPDX-License-Identifier: Apache-2.0 */
/* Bad habits of modems and of those who use them too: lines that never are quiet, a prompt for a
 * message that a program left behind, commands that are lost when they come too soon. */
#include "test/unit/pty.h"
#include "test/unit/talk.h"
#include "test/unit/unit.h"

#include <string.h>
#include <unistd.h>

#define MUTE     ""
#define CHATTER  "\r\n^RSSI: 17\r\n" BREATH "\r\n[1234.5] rrc: idle\r\n" BREATH
#define CHATTER8 CHATTER CHATTER CHATTER CHATTER CHATTER CHATTER CHATTER CHATTER
#define PROMPT   "\r\n> "
#define ESCAPE   "\x1B"

/* ---- lines that never are quiet ---- */

/* It talks for about a second. */
static void unsolicited_lines_do_not_prolong_a_drain(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CPIN?", "\r\n+CME ERROR: 100\r\n" CHATTER8 CHATTER8 CHATTER8 CHATTER8), MODEM_END};
    const struct at_command question = {.line = "AT+CPIN?",
                                        .answer = AT_ANSWER_PREFIXED,
                                        .prefix = "+CPIN:",
                                        .timeout_ms = 2000,
                                        .question = true};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, NULL);
    start = monotonic_ms();
    EXPECT(at_command(&talk.at, &question, talk.deadline, &talk.result, &talk.why), OUTCOME_OK,
           &talk.why);
    EXPECT_NUMBER(talk.result.cme, 100);
    EXPECT(at_listen(&talk.at, 100, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    EXPECT_TOOK(start, 150, 600);
    talk_end(&talk);
}

/* Results do, up to three times the quiet. */
static void results_that_come_on_and_on_end_a_drain_at_its_cap(void)
{
#define RESULTS "\r\nOK\r\n" PAUSE "\r\nOK\r\n" PAUSE "\r\nOK\r\n" PAUSE
    static const struct modem_step steps[] = {
        LINE("AT", RESULTS RESULTS RESULTS RESULTS RESULTS RESULTS), MODEM_END};
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, NULL);
    EXPECT(ask(&talk, "AT", NULL, 500), OUTCOME_OK, &talk.why);
    start = monotonic_ms();
    EXPECT(at_listen(&talk.at, 100, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    EXPECT_TOOK(start, 250, 600);
    talk_end(&talk);
}

/* A port where somebody talks without a pause: lines, or octets without an end of line. */
static void input_without_a_pause_ends_at_the_deadline(void)
{
    static const char *const said[] = {"\r\n^RSSI: 17\r\n", "\xA5\x5A\xA5\x5A\xA5\x5A\xA5\x5A"};

    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        struct talk talk = {.events = 0};
        struct pty pty;
        pid_t child;
        int64_t start;

        pty_make(&pty);
        EXPECT(port_open(&talk.port, pty.name, 115200, deadline_in(1000), NULL, &talk.why),
               OUTCOME_OK, &talk.why);
        at_init(&talk.at, talk.port, &talk.trace, &talk.events);
        talk.deadline = deadline_in(5000);
        child = fork_child();
        while (child == 0)
            (void)!write(pty.master, said[i], strlen(said[i]));
        start = monotonic_ms();
        EXPECT(ask(&talk, "AT", NULL, 300), OUTCOME_TIMEOUT, &talk.why);
        EXPECT_TOOK(start, 280, 900);
        start = monotonic_ms();
        EXPECT(at_listen(&talk.at, 50, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        EXPECT_TOOK(start, 0, 600);
        end_child(child);
        port_close(talk.port);
        pty_unplug(&pty);
    }
}

/* ---- the prompt for the text of a message ---- */

static void a_prompt_is_left_before_anything_else(void)
{
    static const struct modem_step steps[] = {LINE("AT", PROMPT), LINE(ESCAPE "AT", OK OK),
                                              LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", OK),
                                              MODEM_END};
    static const struct modem_step repeated[] = {
        LINE("AT", "AT\r" PROMPT), LINE(ESCAPE "AT", OK PAUSE OK), LINE("ATE0V1Q0", OK),
        LINE("AT+CMEE=1", OK), MODEM_END};
    static const struct modem_step before[] = {SAY(PROMPT), /* and none behind our line */
                                               LINE(ESCAPE "AT", OK OK), LINE("ATE0V1Q0", OK),
                                               LINE("AT+CMEE=1", OK), MODEM_END};
    static const struct modem_step *const cases[] = {steps, repeated, before};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk talk;
        int64_t start = monotonic_ms();

        talk_begin(&talk, cases[i], NULL);
        usleep(50 * 1000);
        EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        EXPECT_TOOK(start, 50, 1500);
        talk_end(&talk);
    }
}

/* In the middle of an operation another program left the port so. */
static void a_prompt_ends_the_wait_for_an_answer(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CSIM=10,\"00B0000002\"", PROMPT), LINE(ESCAPE "AT", OK OK),
        LINE("AT+CSIM=10,\"00B0000202\"", "\r\n+CSIM: 8,\"BBBB9000\"\r\n" OK), MODEM_END};
    struct talk talk;
    int64_t start = monotonic_ms();

    talk_begin(&talk, steps, modem_starts);
    EXPECT(ask(&talk, "AT+CSIM=10,\"00B0000002\"", "+CSIM:", 5000), OUTCOME_TIMEOUT, &talk.why);
    EXPECT(ask(&talk, "AT+CSIM=10,\"00B0000202\"", "+CSIM:", 2000), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "8,\"BBBB9000\"");
    EXPECT_TOOK(start, 900, 3000);
    talk_end(&talk);
}

/* A PIN would become the text of the message. */
static void no_pin_goes_to_a_prompt(void)
{
    static const struct modem_step steps[] = {SAY(PROMPT), LINE(ESCAPE "AT", OK OK), MODEM_END};
    const struct at_command pin = {.line = "AT+CSIM=26,\"00200001083030303030303030\"",
                                   .answer = AT_ANSWER_PREFIXED,
                                   .prefix = "+CSIM:",
                                   .timeout_ms = 2000,
                                   .secrecy = SECRET_COMMAND,
                                   .once = true};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    usleep(50 * 1000);
    EXPECT(at_command(&talk.at, &pin, talk.deadline, &talk.result, &talk.why), OUTCOME_LOST,
           &talk.why);
    CU_ASSERT_FALSE(talk.result.said);
    EXPECT(ask(&talk, "AT", NULL, 500), OUTCOME_OK, &talk.why);
    talk_end(&talk);
}

/* Where no prompt was seen nothing is said that a modem does not know, and once is enough. */
static void no_escape_is_sent_without_a_prompt_nor_twice(void)
{
    static const struct modem_step text[] = {LINE("AT", "\r\n>> booting\r\n> loading"),
                                             LINE("AT", MUTE),
                                             LINE("ATE0V1Q0", OK),
                                             LINE("ATE0V1Q0", OK),
                                             LINE("AT+CMEE=1", OK),
                                             MODEM_END};
    static const struct modem_step stuck[] = {
        LINE("AT", PROMPT),   LINE(ESCAPE "AT", PROMPT), LINE("ATE0V1Q0", PROMPT),
        LINE("ATQ0", PROMPT), LINE("ATV1", PROMPT),      LINE("AT", PROMPT),
        LINE("AT", PROMPT),   LINE("AT", PROMPT),        MODEM_END};
    struct talk talk;

    talk_begin(&talk, text, NULL);
    EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    talk_end(&talk);
    talk_begin(&talk, stuck, NULL);
    EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_NO_MODEM, &talk.why);
    talk_end(&talk);
}

/* ---- commands that are lost when they come too soon ---- */

static void a_lost_command_of_the_start_teaches_the_gap(void)
{
#define WAKES       LINE("AT", OK), LINE("ATE0V1Q0", MUTE), LINE("AT", OK), LINE("AT", MUTE)
#define FOUR_CALLS  LINE("AT", OK), LINE("AT", OK), LINE("AT", OK), LINE("AT", OK)
#define THEN_STARTS LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", OK), MODEM_END
    static const struct modem_step brief[] = {WAKES, FOUR_CALLS, THEN_STARTS};
    static const struct modem_step longer[] = {WAKES, LINE("AT", OK), LINE("AT", MUTE), FOUR_CALLS,
                                               THEN_STARTS};
    static const struct {
        const struct modem_step *steps;
        unsigned event;
        int ms;
    } cases[] = {{brief, EVENT_GAP, 20}, {longer, EVENT_LONG_GAP, 100}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk talk;
        int64_t start;

        talk_begin(&talk, cases[i].steps, NULL);
        EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        EXPECT_NUMBER(talk.events & (EVENT_GAP | EVENT_LONG_GAP | EVENT_LATE), cases[i].event);
        start = monotonic_ms();
        EXPECT(ask(&talk, "AT", NULL, 500), OUTCOME_OK, &talk.why);
        EXPECT(ask(&talk, "AT", NULL, 500), OUTCOME_OK, &talk.why);
        EXPECT_TOOK(start, 2 * cases[i].ms - 5, 2 * cases[i].ms + 200);
        talk_end(&talk);
    }
}

/* It answers what follows at once: only the second time it may be the gap after all. */
static void a_command_that_is_lost_for_another_reason_teaches_none(void)
{
    static const char open[] = "AT+CSIM=10,\"0070000001\"";
    static const struct modem_step steps[] = {LINE(open, MUTE), FOUR_CALLS, MODEM_END};
    static const unsigned before[] = {0, EVENT_LOST, EVENT_GAP};
    static const unsigned after[] = {EVENT_LOST, EVENT_LOST | EVENT_GAP, EVENT_GAP};

    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        const struct at_command command = {.line = open,
                                           .answer = AT_ANSWER_PREFIXED,
                                           .prefix = "+CSIM:",
                                           .timeout_ms = 200,
                                           .to_sim = true};
        struct talk talk;

        talk_begin(&talk, steps, NULL);
        talk.events = before[i];
        EXPECT(at_command(&talk.at, &command, talk.deadline, &talk.result, &talk.why),
               OUTCOME_TIMEOUT, &talk.why);
        EXPECT_NUMBER(talk.events & EVENTS_REMEMBERED, after[i]);
        CU_ASSERT(talk.events & EVENT_LATE);
        talk_end(&talk);
    }
}

/* A question that this modem never answers, a command that was heard, a modem that is at work. */
static void what_was_heard_or_is_never_answered_teaches_nothing(void)
{
    static const struct modem_step question[] = {LINE("AT+CPIN?", MUTE), FOUR_CALLS, MODEM_END};
    static const struct modem_step echoed[] = {LINE("AT+CPIN?", "AT+CPIN?\r"), MODEM_END};
    static const struct modem_step torn[] = {LINE("AT+CPIN?", "\r\n+CPIN: RE"), MODEM_END};
    static const struct modem_step busy[] = {LINE("AT+CPIN?", LONG LONG), MODEM_END};
    static const struct modem_step *const cases[] = {question, echoed, torn, busy};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk talk;

        talk_begin(&talk, cases[i], NULL);
        EXPECT(ask(&talk, "AT+CPIN?", "+CPIN:", 200), OUTCOME_TIMEOUT, &talk.why);
        EXPECT_NUMBER(talk.events & (EVENTS_REMEMBERED | EVENT_LATE), EVENT_LATE);
        talk_end(&talk);
    }
}

void add_at_habits_suite(void)
{
    static const struct test tests[] = {
        TEST(unsolicited_lines_do_not_prolong_a_drain),
        TEST(results_that_come_on_and_on_end_a_drain_at_its_cap),
        TEST(input_without_a_pause_ends_at_the_deadline),
        TEST(a_prompt_is_left_before_anything_else),
        TEST(a_prompt_ends_the_wait_for_an_answer),
        TEST(no_pin_goes_to_a_prompt),
        TEST(no_escape_is_sent_without_a_prompt_nor_twice),
        TEST(a_lost_command_of_the_start_teaches_the_gap),
        TEST(a_command_that_is_lost_for_another_reason_teaches_none),
        TEST(what_was_heard_or_is_never_answered_teaches_nothing),
    };

    ADD_SUITE("at_habits", tests);
}
