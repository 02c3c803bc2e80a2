/* SPDX-License-Identifier: Apache-2.0 */
/* The question for the modem's echo directly before a PIN. */
#include "apdu/session/record.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void where_the_line_echoes_no_pin_goes_out(void)
{
    static const char *const stays[] = {"AT\r" OK, "at\r" OK};
    size_t i;

    for (i = 0; i < sizeof stays / sizeof stays[0]; i++) {
        const struct modem_step steps[] = {
            OPEN, SELECT, STATE, LINE("ATE0", "ATE0\r" OK), LINE("AT", stays[i]), CLOSE, MODEM_END};
        struct record record;
        struct seat seat;
        int fd;

        seat_begin(&seat, steps, NULL, NULL, NULL);
        /* whatever the record says of this modem's habits */
        fd = record_open(sim_settings(seat.sim), &record);
        record.line.ready = record.line.echo_stays = true;
        CU_ASSERT_TRUE(record_save(fd, &record));
        (void)close(fd);
        EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
        EXPECT_SAYS(seat.why.text, "echo");
        EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=18,\"012000810430303030\""), 0);
        seat_end(&seat);
    }
}

/* Another program's OK, or a message, hides the echo of the question for it; what comes behind is
 * looked at too, and the next start asks anew. */
static void an_echo_behind_another_ones_answer_is_heard(void)
{
    static const char *const says[] = {
        OK BREATH "AT\r" OK,
        OK BREATH "\r\n+CMT: \"+491511\",,\"26/01/01,12:00:00+04\"\r\nAT\r" OK};
    static const struct modem_step standing[] = {LINE("AT", "AT\r" OK),
                                                 LINE("ATE0V1Q0", "ATE0V1Q0\r" OK),
                                                 LINE("AT+CMEE=1", "AT+CMEE=1\r" OK),
                                                 LINE("ATE0", "ATE0\r" OK),
                                                 LINE(CRSM, CRSM_SAYS),
                                                 MODEM_END};
    size_t i;

    for (i = 0; i < sizeof says / sizeof says[0]; i++) {
        const struct modem_step steps[] = {OPEN,
                                           SELECT,
                                           STATE,
                                           LINE("ATE0", "ATE0\r" OK),
                                           LINE("AT", says[i]),
                                           CLOSE,
                                           OPEN,
                                           SELECT,
                                           STATE,
                                           CLOSE,
                                           MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, standing, NULL, NULL);
        EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
        EXPECT_SAYS(seat.why.text, "echo");
        EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=18,\"012000810430303030\""), 0);
        seat_end(&seat);
    }
}

#define STATE_TWICE(then)                                                                          \
    LINE("AT+CSIM=8,\"01200081\"",                                                                 \
         "\r\n+CSIM: 4,\"63C3\"\r\n" OK BREATH "\r\n+CSIM: 4,\"63C3\"\r\n" OK then)

/* A modem that says all twice is borne on the second start. Its second OK passes for that of ATE0, whose
 * own passes for that of AT: so each echo comes directly before the next line is sent. */
static void an_echo_behind_an_answer_that_is_said_twice_is_heard(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT,
                                              STATE_TWICE(""),
                                              LINE("ATE0", OK),
                                              CLOSE,
                                              OPEN,
                                              SELECT,
                                              STATE_TWICE("ATE0\r"),
                                              LINE("ATE0", BREATH OK),
                                              LINE("AT", BREATH "AT\r" OK),
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    EXPECT_SAYS(seat.why.text, "echo");
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=18,\"012000810430303030\""), 0);
    seat_end(&seat);
}

/* Nor does a message that comes directly before it. */
static void an_echo_behind_a_messages_header_is_heard(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        STATE,
        LINE("ATE0", "ATE0\r" OK),
        LINE("AT", "\r\n+CMT: \"+491511\",,\"26/01/01,12:00:00+04\"\r\nAT\r" OK),
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    EXPECT_SAYS(seat.why.text, "echo");
    seat_end(&seat);
}

/* The modem is set up anew by the next operation. */
static void an_echo_that_was_turned_on_is_turned_off(void)
{
    static const struct modem_step steps[] = {LINE("AT", OK),
                                              LINE("ATE0V1Q0", OK),
                                              LINE("AT+CMEE=1", OK),
                                              OPEN,
                                              SELECT,
                                              STATE,
                                              LINE("ATE0", "ATE0\r" OK),
                                              LINE("AT", OK),
                                              CSIM("01 20 00 81 04 30303030", "9000"),
                                              MSE,
                                              WARM,
                                              LINE("AT", OK),
                                              LINE("ATE0V1Q0", OK),
                                              LINE("AT+CMEE=1", OK),
                                              WARM,
                                              CLOSE,
                                              MODEM_END};
    static const struct modem_step standing[] = {LINE(CRSM, CRSM_SAYS), MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, NULL, NULL);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* ---- one try ---- */

/* The card has more to say of the PIN, and the modem restarts before that is fetched: what became of it
 * nobody knows, so that it is not tried again. */
static void a_pin_whose_answer_is_cut_short_is_not_tried_again(void)
{
    static const char verify[] = "AT+CSIM=18,\"012000810430303030\"";
    static const struct modem_step steps[] = {
        OPEN, SELECT, STATE, ECHO_OFF, LINE(verify, "\r\n+CSIM: 4,\"6102\"\r\n\r\nRDY\r\n" OK),
        OPEN, SELECT, STATE, CLOSE,    MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    EXPECT_SAYS(seat.why.text, "refused by this SIM before, or its answer never came");
    EXPECT_NUMBER(modem_heard(&seat.modem, verify), 1);
    seat_end(&seat);
}

/* The card says nothing beside how many tries are left: data come with another command's answer. */
static void a_state_with_data_gets_no_pin(void)
{
    static const struct modem_step steps[] = {OPEN,     SELECT, CSIM("01 20 00 81", "0102 63CF"),
                                              CLOSE,    OPEN,   SELECT,
                                              STATE,    VERIFY, MSE,
                                              HASH,     CDS,    CLOSE,
                                              MODEM_END};
    static const struct modem_step always[] = {
        OPEN,     SELECT, CSIM("01 20 00 81", "0102 63CF"), CLOSE,
        OPEN,     SELECT, CSIM("01 20 00 81", "0102 63C3"), CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_end(&seat);
    seat_begin(&seat, always, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_BAD_DATA, &seat.why);
    EXPECT_SAYS(seat.why.text, "do not belong to it");
    seat_end(&seat);
}

/* What was selected is not there any more, and another SIM may be in by now. */
static void a_sim_that_is_said_to_be_gone_gets_no_pin(void)
{
    static const struct modem_step steps[] = {
        OPEN,           SELECT, STATE, LINE("ATE0", "\r\n+CME ERROR: 10\r\n" BREATH OK),
        LINE("AT", OK), COLD,   CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_end(&seat);
}

void add_pin_echo_suite(void)
{
    static const struct test tests[] = {
        TEST(where_the_line_echoes_no_pin_goes_out),
        TEST(an_echo_behind_another_ones_answer_is_heard),
        TEST(an_echo_behind_an_answer_that_is_said_twice_is_heard),
        TEST(an_echo_behind_a_messages_header_is_heard),
        TEST(an_echo_that_was_turned_on_is_turned_off),
        TEST(a_pin_whose_answer_is_cut_short_is_not_tried_again),
        TEST(a_state_with_data_gets_no_pin),
        TEST(a_sim_that_is_said_to_be_gone_gets_no_pin),
    };

    ADD_SUITE("pin_echo", tests);
}
