/* SPDX-License-Identifier: Apache-2.0 */
/* SAFE2's client when channels are lost, taken over or held: the job goes on in the SIM, is never
 * started twice, and nobody else's channel is closed. */
#include "apdu/safe2/applet.h"
#include "modem/deadline.h"
#include "test/unit/pty.h"
#include "test/unit/safe2_seat.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same on channel 2. */
#define OPEN_2      CSIM("00 70 00 00 01", "02 9000")
#define SELECT_2    CSIM("02 A4 04 0C 0C " SAFE2_AID, "9000")
#define ASK_2(says) CSIM("02 CC 02 00 00", says)
#define CLOSE_2     CSIM("00 70 80 02 00", "9000")
#define BYE_2       ASK_2("00010000 9000"), CLOSE_2
/* Which may not be true: where the number was not given out again, the channel is asked and closed. */
#define CHANNEL_GONE "6881"
#define OPEN_3                                                                                     \
    CSIM("00 70 00 00 01", "03 9000"), CSIM("03 A4 04 0C 0C " SAFE2_AID, "9000"),                  \
        CSIM("03 DA 02 C0 02 A1B2", "9000"), CSIM("03 CA 00 00 00", "9000")
#define CLOSE_3      CSIM("03 CC 02 00 00", "00070000 9000"), CSIM("00 70 80 03 00", "9000")
#define ASKED(on)    CSIM(on " F2 00 0C", CHANNEL_GONE), CSIM(on " F2 00 0C", CHANNEL_GONE)
#define IS_IT_GONE   ASKED("81"), CSIM("00 70 80 01 00", CHANNEL_GONE)
#define IS_IT_GONE_2 ASKED("82"), CSIM("00 70 80 02 00", CHANNEL_GONE)

/* ---- a lost start ---- */

/* The answer is lost, the applet has the command: its state says so, and it is not started again. */
static void a_start_without_answer_is_not_repeated_while_the_job_runs(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT_SAFE2, SET_ID,       START_LINE("\r\n+CME ERROR: 13\r\n"),
        BYE,  OPEN,         SELECT_SAFE2, ASK("00010000 9000"),
        BYE,  MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"01CA000000\""), 1);
    seat_end(&seat);
}

static void a_start_that_timed_out_is_not_repeated_while_the_job_runs(void)
{
    static const struct modem_step steps[] = {
        OPEN,         SELECT_SAFE2,         SET_ID, START_LINE(""), BYE, OPEN,
        SELECT_SAFE2, ASK("00010000 9000"), BYE,    MODEM_END};
    struct seat seat;
    int64_t start;

    seat_begin(&seat, steps, NULL, "timeout", "12");
    start = monotonic_ms();
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    EXPECT_TOOK(start, 4900, 9000);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"01CA000000\""), 1);
    seat_end(&seat);
}

/* The command did not reach the applet: the state is that of the job before. */
static void a_start_that_was_not_taken_is_repeated(void)
{
    static const char *const states[] = {"00000000 9000", "00030000 9000", "00030404 9000",
                                         "00070000 9000", "000F0005 9000"};
    size_t i;

    for (i = 0; i < sizeof states / sizeof states[0]; i++) {
        const struct modem_step steps[] = {
            OPEN,   SELECT_SAFE2, SET_ID,       START_LINE("\r\n+CME ERROR: 13\r\n"),
            BYE,    OPEN,         SELECT_SAFE2, ASK(states[i]),
            SET_ID, START,        BYE,          MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, NULL, NULL);
        EXPECT(request(&seat), OUTCOME_OK, &seat.why);
        seat_end(&seat);
    }
}

/* It would be there twice: whether it went out is said to be unknown, unless the applet tells. */
static void telemetry_without_answer_is_not_sent_twice(void)
{
    static const char *const states[] = {"00010000 9000", "00000000 9000", "00030000 9000", "6D00"};
    size_t i;

    for (i = 0; i < sizeof states / sizeof states[0]; i++) {
        const struct modem_step steps[] = {
            OPEN,
            SELECT_SAFE2,
            SET_ID,
            LINE("AT+CSIM=20,\"01DA02C10568656C6C6F\"", "\r\n+CME ERROR: 100\r\n"),
            OPEN,
            SELECT_SAFE2,
            ASK_SENT(states[i]),
            MODEM_END};
        static const struct modem_step standing[] = {STARTING, ASK("00000000 9000"),
                                                     ASK_SENT("00000000 9000"), CLOSE, MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, standing, NULL, NULL);
        EXPECT(send_hello(&seat), i == 0 ? OUTCOME_OK : OUTCOME_REFUSED, &seat.why);
        if (i > 0)
            EXPECT_SAYS(seat.why.text, "may have been sent");
        seat_end(&seat);
    }
}

/* ---- channels ---- */

static void a_channel_lost_in_mid_poll_is_replaced_and_the_question_repeated(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE2,
                                              SET_ID,
                                              START,
                                              ASK("00010000 9000"),
                                              ASK(CHANNEL_GONE),
                                              OPEN_2,
                                              IS_IT_GONE,
                                              SELECT_2,
                                              ASK_2("00010000 9000"),
                                              ASK_2(CHANNEL_GONE),
                                              OPEN,
                                              IS_IT_GONE_2,
                                              SELECT_SAFE2,
                                              ASK("00070000 9000"),
                                              FETCH(CHANNEL_GONE),
                                              OPEN_2,
                                              IS_IT_GONE,
                                              SELECT_2,
                                              CSIM("02 CA 01 00 00", "7B7D 9000"),
                                              BYE_2,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    asks(&seat, SAFE2_RECEIVING, 0x0001, 0);
    asks(&seat, SAFE2_RECEIVING, 0x0001, 0);
    asks(&seat, SAFE2_RECEIVING, 0x0007, 0);
    fetches(&seat, "7B7D");
    seat_end(&seat);
}

/* The modem was reset and the number is somebody else's: it is asked, and left to its owner. */
static void a_channel_that_was_taken_over_is_not_closed(void)
{
    static const char *const words[] = {"6D00", "6E00", "6A86", "6985", "6A82"};
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct modem_step steps[] = {OPEN,   SELECT_SAFE2,  SET_ID,
                                           START,  ASK(words[i]), ASK(words[i]),
                                           OPEN_2, SELECT_2,      ASK_2("00010000 9000"),
                                           BYE_2,  MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, NULL, NULL);
        EXPECT(request(&seat), OUTCOME_OK, &seat.why);
        asks(&seat, SAFE2_RECEIVING, 0x0001, 0);
        EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_IS_DEAD);
        EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 2), OWNER_HOLDS);
        seat_end(&seat);
    }
}

static void a_channel_taken_over_before_the_end_is_not_closed_either(void)
{
    static const struct modem_step steps[] = {OPEN,  SELECT_SAFE2, SET_ID,
                                              START, ASK("6D00"),  MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* A 6D00 of somebody else's channel is not the old applet's "I do not tell". */
static void a_taken_over_channel_does_not_make_an_old_applet(void)
{
    static const struct modem_step steps[] = {
        OPEN,   SELECT_SAFE2,     SET_ID,
        SEND,   ASK_SENT("6D00"), ASK("6D00"),
        OPEN_2, SELECT_2,         CSIM("02 CC 01 00 00", "00030000 9000"),
        BYE_2,  MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(send_hello(&seat), OUTCOME_OK, &seat.why);
    asks(&seat, SAFE2_SENDING, 0x0003, 0);
    seat_end(&seat);
}

/* A refusal on a taken-over channel says nothing about jobs. */
static void a_second_request_on_a_taken_over_channel_finds_its_own(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE2,
                                              SET_ID,
                                              START,
                                              CSIM("01 DA 02 C0 02 A1B2", "6985"),
                                              ASK("6E00"),
                                              OPEN_2,
                                              SELECT_2,
                                              CSIM("02 DA 02 C0 02 A1B2", "9000"),
                                              CSIM("02 CA 00 00 00", "9000"),
                                              BYE_2,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

static void what_is_lost_twice_is_asked_for_once_more(void)
{
    static const struct modem_step steps[] = {
        OPEN,         SELECT_SAFE2,      SET_ID, START,        ASK(CHANNEL_GONE),    OPEN,
        SELECT_SAFE2, ASK(CHANNEL_GONE), OPEN,   SELECT_SAFE2, ASK("00070000 9000"), BYE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    asks(&seat, SAFE2_RECEIVING, 0x0007, 0);
    seat_end(&seat);
}

/* Another command's answer was taken for it, and the next start comes to nothing. */
static void what_was_fetched_in_doubt_is_not_handed_out(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE2,
                                              LINE("AT+CSIM=10,\"01CA010000\"",
                                                   "\r\n+CSIM: 8,\"AAAA9000\"\r\n" OK BREATH
                                                   "\r\n+CSIM: 8,\"BBBB9000\"\r\n" OK),
                                              ASK("00010000 9000"),
                                              CLOSE,
                                              OPEN,
                                              SELECT_SAFE2,
                                              FETCH("6985"),
                                              BYE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    fails_to_fetch(&seat);
    seat_end(&seat);
}

static void a_modem_that_restarts_in_mid_poll_is_met_anew(void)
{
    static const struct modem_step steps[] = {
        WAKING,
        OPEN,
        LINE(CRSM, CRSM_SAYS),
        SELECT_SAFE2,
        SET_ID,
        START,
        LINE("AT+CSIM=10,\"01CC020000\"", "\r\nRDY\r\n+CFUN: 1\r\n+CSIM: 4,\"6881\"\r\n" OK),
        WAKING,
        OPEN,
        LINE(CRSM, CRSM_SAYS),
        SELECT_SAFE2,
        ASK("000F000B 9000"),
        BYE,
        MODEM_END};
    static const struct modem_step nothing[] = {MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, nothing, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    asks(&seat, SAFE2_RECEIVING, 0x000F, 0x000B);
    seat_end(&seat);
}

static void an_unplugged_modem_ends_the_question_at_once(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT_SAFE2,
        SET_ID,
        START,
        LINE("AT+CSIM=10,\"01CC020000\"", "\r\n+CSIM: 12,\"00" HANG_UP),
        MODEM_END};
    struct safe2_status status;
    struct seat seat;
    int64_t start;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    start = monotonic_ms();
    EXPECT(safe2_status(seat.sim, SAFE2_RECEIVING, &status, &seat.why), OUTCOME_NO_MODEM,
           &seat.why);
    EXPECT_TOOK(start, 0, 1500);
    seat_end(&seat);
}

/* The modem owes an answer when the program lets go of the SIM: the next operation closes the channel,
 * and does not take it for its own as well. */
static void a_channel_left_to_the_next_operation_is_closed_once(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE2,
                                              SET_ID,
                                              START,
                                              LINE("AT+CSIM=10,\"01CC020000\"", ""),
                                              CSIM("81 F2 00 0C", "6D00"),
                                              CLOSE,
                                              OPEN,
                                              SELECT_SAFE2,
                                              ASK("00010000 9000"),
                                              BYE,
                                              MODEM_END};
    struct safe2_status status;
    struct seat seat;

    seat_begin(&seat, steps, NULL, "timeout", "2");
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    EXPECT(safe2_status(seat.sim, SAFE2_RECEIVING, &status, &seat.why), OUTCOME_TIMEOUT, &seat.why);
    sim_close(seat.sim);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_IS_DEAD);
    asks(&seat, SAFE2_RECEIVING, 0x0001, 0);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"0070800100\""), 1);
    seat_end(&seat);
}

static void no_channel_is_free(void)
{
    static const struct modem_step steps[] = {CSIM("00 70 00 00 01", "6A81"), MODEM_END};
    static const struct modem_step standing[] = {STARTING, CSIM("00 70 00 00 01", "6A81"),
                                                 MODEM_END};
    struct seat seat;
    unsigned i;

    seat_begin(&seat, steps, standing, "transport", "csim");
    for (i = 0; i < 3; i++)
        seat_hold(sim_settings(seat.sim), i + 1);
    EXPECT(request(&seat), OUTCOME_REFUSED, &seat.why);
    EXPECT_SAYS(seat.why.text, "channel");
    seat_end(&seat);
}

/* ---- who holds it ---- */

static void the_channel_is_held_while_it_stands(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT_SAFE2, SET_ID, START, ASK("00010000 9000"), BYE, MODEM_END};
    struct settings settings;
    struct report why = REPORT_INIT;
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(settings_copy(&settings, sim_settings(seat.sim), &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(seat_owner(&settings, 1), OWNER_NONE);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(seat_owner(&settings, 1), OWNER_HOLDS);
    asks(&seat, SAFE2_RECEIVING, 0x0001, 0);
    EXPECT_NUMBER(seat_owner(&settings, 1), OWNER_HOLDS);
    sim_free(seat.sim);
    seat.sim = NULL;
    EXPECT_NUMBER(seat_owner(&settings, 1), OWNER_NONE);
    settings_clear(&settings);
    seat_end(&seat);
}

static void a_signature_on_a_full_card_leaves_it_alone(void)
{
    static const struct modem_step steps[] = {OPEN_3,
                                              CSIM("00 70 00 00 01", "6A81"),
                                              CSIM("82 F2 00 0C", "6D00"),
                                              CLOSE_2,
                                              OPEN_2,
                                              CSIM("02 A4 04 0C 0D " MIAS_AID, "9000"),
                                              CSIM("02 84 00 00 02", "0102 9000"),
                                              CLOSE_2,
                                              CSIM("03 CC 02 00 00", "00070000 9000"),
                                              CLOSE_3,
                                              MODEM_END};
    struct sim *other = NULL;
    struct seat seat;
    uint8_t bytes[2];

    seat_begin(&seat, steps, NULL, "transport", "csim");
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    EXPECT(sim_new(&other, sim_settings(seat.sim), &seat.why), OUTCOME_OK, &seat.why);
    EXPECT(token_random(other, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    sim_free(other);
    asks(&seat, SAFE2_RECEIVING, 0x0007, 0);
    seat_end(&seat);
}

static void a_killed_polls_channel_is_got_back(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE2,
                                              SET_ID,
                                              START,
                                              CSIM("81 F2 00 0C", "6D00"),
                                              CLOSE,
                                              OPEN,
                                              SELECT_SAFE2,
                                              ASK("00010000 9000"),
                                              BYE,
                                              MODEM_END};
    struct seat seat;
    pid_t child;
    int ready[2];
    char byte = 'n';

    seat_begin(&seat, steps, NULL, "transport", "csim");
    CU_ASSERT_EQUAL(pipe(ready), 0);
    child = fork_child();
    if (child == 0)
        _exit(request(&seat) == OUTCOME_OK && write(ready[1], "r", 1) == 1 ? pause() : 1);
    CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_HOLDS);
    end_child(child);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_IS_DEAD);
    asks(&seat, SAFE2_RECEIVING, 0x0001, 0);
    close(ready[0]);
    close(ready[1]);
    seat_end(&seat);
}

/* Four bytes that are the state of a job that is ready: the answer to that question, come late. On a
 * new channel it is what the server sent after all. */
static void a_state_is_no_configuration(void)
{
    static const struct modem_step late[] = {OPEN,     SELECT_SAFE2, FETCH("00070000 9000"), BYE,
                                             OPEN,     SELECT_SAFE2, FETCH("7B7D 9000"),     BYE,
                                             MODEM_END};
    static const struct modem_step truly[] = {OPEN,     SELECT_SAFE2, FETCH("00070000 9000"), BYE,
                                              OPEN,     SELECT_SAFE2, FETCH("00070000 9000"), BYE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, late, NULL, NULL, NULL);
    fetches(&seat, "7B7D");
    seat_end(&seat);
    seat_begin(&seat, truly, NULL, NULL, NULL);
    fetches(&seat, "00070000");
    seat_end(&seat);
}

/* Another program's answer in the place of the configuration: ours comes behind it. */
static void another_programs_answer_is_no_configuration(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE2,
                                              LINE("AT+CSIM=10,\"01CA010000\"",
                                                   "\r\n+CSIM: 8,\"BAD09000\"\r\n" OK PAUSE
                                                   "\r\n+CSIM: 8,\"7B7D9000\"\r\n" OK),
                                              BYE,
                                              OPEN,
                                              SELECT_SAFE2,
                                              FETCH("7B7D 9000"),
                                              BYE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    fetches(&seat, "7B7D");
    seat_end(&seat);
}

void add_safe2_loss_suite(void)
{
    static const struct test tests[] = {
        TEST(a_start_without_answer_is_not_repeated_while_the_job_runs),
        TEST(a_start_that_timed_out_is_not_repeated_while_the_job_runs),
        TEST(a_start_that_was_not_taken_is_repeated),
        TEST(telemetry_without_answer_is_not_sent_twice),
        TEST(a_channel_lost_in_mid_poll_is_replaced_and_the_question_repeated),
        TEST(a_channel_that_was_taken_over_is_not_closed),
        TEST(a_channel_taken_over_before_the_end_is_not_closed_either),
        TEST(a_taken_over_channel_does_not_make_an_old_applet),
        TEST(a_second_request_on_a_taken_over_channel_finds_its_own),
        TEST(what_is_lost_twice_is_asked_for_once_more),
        TEST(what_was_fetched_in_doubt_is_not_handed_out),
        TEST(a_modem_that_restarts_in_mid_poll_is_met_anew),
        TEST(an_unplugged_modem_ends_the_question_at_once),
        TEST(a_channel_left_to_the_next_operation_is_closed_once),
        TEST(no_channel_is_free),
        TEST(the_channel_is_held_while_it_stands),
        TEST(a_signature_on_a_full_card_leaves_it_alone),
        TEST(a_killed_polls_channel_is_got_back),
        TEST(a_state_is_no_configuration),
        TEST(another_programs_answer_is_no_configuration),
    };

    ADD_SUITE("safe2_loss", tests);
}
