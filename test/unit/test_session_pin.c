/* SPDX-License-Identifier: Apache-2.0 */
/* Which SIM and which PIN, end to end: other SIMs, missing applets, wrong and missing PINs. No VERIFY is ever sent twice. */
#include "apdu/session/record.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <string.h>
#include <unistd.h>

/* ---- SIMs and applets ---- */

static void another_sim_than_the_keys_is_refused_before_any_pin(void)
{
    static const struct modem_step steps[] = {MODEM_END};
    static const struct modem_step standing[] = {LINE("AT", OK),
                                                 LINE("ATE0V1Q0", OK),
                                                 LINE("AT+CMEE=1", OK),
                                                 LINE(CRSM, CRSM_SAYS),
                                                 OPEN,
                                                 CLOSE,
                                                 MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, NULL, NULL);
    strcpy(seat.key.iccid, "89880330000000099999");
    EXPECT(seat_sign(&seat), OUTCOME_WRONG_SIM, &seat.why);
    EXPECT_SAYS(seat.why.text, ICCID);
    EXPECT_SAYS(seat.why.text, "89880330000000099999");
    seat_end(&seat);
}

static void a_sim_that_was_changed_under_way_is_noticed(void)
{
    static const struct modem_step steps[] = {
        COLD_ASKING, HASH_SAYS("6881"), OPEN,
        LINE(CRSM, "\r\n+CRSM: 144,0,\"98883003000000000082\"\r\n" OK), MODEM_END};
    static const struct modem_step standing[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                                 LINE("AT+CMEE=1", OK), CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, NULL, NULL);
    strcpy(seat.key.iccid, ICCID);
    seat_signs(&seat);
    EXPECT(seat_sign(&seat), OUTCOME_WRONG_SIM, &seat.why);
    seat_end(&seat);
}

/* Whether a certain one is wanted or not: refused PINs are remembered by it. */
static void a_modem_that_does_not_tell_the_iccid_is_helped_by_the_card(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        CSIM("01 A4 08 04 02 2FE2 00", "62 04 8002 000A 9000"),
        CSIM("01 B0 00 00 0A", "98883003000000000071 9000"),
        SELECT,
        STATE,
        VERIFY,
        MSE,
        HASH,
        CDS,
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, seat_starts_without_iccid, NULL, NULL);
    strcpy(seat.key.iccid, ICCID);
    seat_signs(&seat);
    seat_end(&seat);
    seat_begin(&seat, steps, seat_starts_without_iccid, NULL, NULL);
    seat_signs(&seat);
    seat_end(&seat);
}

static void a_card_that_does_not_tell_it_either_signs_all_the_same(void)
{
    static const struct modem_step refused[] = {OPEN,
                                                CSIM("01 A4 08 04 02 2FE2 00", "6982"),
                                                CSIM("01 A4 00 04 02 2FE2 00", "6982"),
                                                SELECT,
                                                STATE,
                                                VERIFY,
                                                MSE,
                                                HASH,
                                                CDS,
                                                CLOSE,
                                                MODEM_END};
    static const struct modem_step nonsense[] = {
        OPEN,
        CSIM("01 A4 08 04 02 2FE2 00", "62 04 8002 000A 9000"),
        CSIM("01 B0 00 00 0A", "FFFFFFFFFFFFFFFFFFFF 9000"),
        SELECT,
        STATE,
        VERIFY,
        MSE,
        HASH,
        CDS,
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, refused, seat_starts_without_iccid, NULL, NULL);
    seat_signs(&seat);
    seat_end(&seat);
    seat_begin(&seat, nonsense, seat_starts_without_iccid, NULL, NULL);
    seat_signs(&seat);
    seat_end(&seat);
}

static void no_sim_and_no_applet_have_their_own_words(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    static const struct modem_step no_sim[] = {
        LINE("AT", OK), LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", OK),
        LINE("AT+CSIM=10,\"0070000001\"", "\r\n+CME ERROR: 10\r\n"), MODEM_END};
    static const struct modem_step no_applet[] = {OPEN, CSIM("01 A4 04 0C 0D " MIAS_AID, "6A82"),
                                                  CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, nothing, no_sim, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_NO_SIM, &seat.why);
    seat_end(&seat);
    seat_begin(&seat, no_applet, NULL, "transport", "csim");
    EXPECT(seat_sign(&seat), OUTCOME_NO_APPLET, &seat.why);
    seat_end(&seat);
}

/* ---- PINs ---- */

static void a_wrong_pin_costs_one_try_however_often_it_is_used(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT,
                                              STATE,
                                              ECHO_OFF,
                                              CSIM("01 20 00 81 04 30303030", "63C2"),
                                              SELECT_AGAIN,
                                              CSIM("01 20 00 81", "63C2"),
                                              SELECT_AGAIN,
                                              CSIM("01 20 00 81", "63C2"),
                                              SELECT_AGAIN,
                                              CSIM("01 20 00 81", "63C2"),
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;
    int i;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_WRONG, &seat.why);
    for (i = 0; i < 3; i++)
        EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    seat_end(&seat);
}

static void without_a_pin_there_is_no_signature(void)
{
    static const struct modem_step steps[] = {OPEN, SELECT, STATE, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "pin", "");
    EXPECT(seat_sign(&seat), OUTCOME_PIN_MISSING, &seat.why);
    seat_end(&seat);
}

/* A VERIFY whose answer got lost: nobody knows whether it cost a try, so a new session asks before it tries again. */
static void a_verify_that_got_lost_is_not_sent_again_without_asking(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        STATE,
        ECHO_OFF,
        LINE("AT+CSIM=18,\"012000810430303030\"", "\r\n+CME ERROR: 13\r\n"),
        CLOSE,
        OPEN,
        SELECT,
        CSIM("01 20 00 81", "63C2"),
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    seat_end(&seat);
}

static void a_persons_attempt_is_one_verify_whatever_happens(void)
{
    static const struct modem_step right[] = {OPEN,   SELECT, CSIM("01 20 00 81", "63C2"),
                                              VERIFY, CLOSE,  MODEM_END};
    static const struct modem_step lost[] = {
        OPEN,
        SELECT,
        STATE,
        ECHO_OFF,
        LINE("AT+CSIM=18,\"012000810430303030\"", "\r\n+CME ERROR: 13\r\n"),
        MODEM_END};
    static const struct modem_step closing[] = {
        LINE("AT", OK), LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", OK), LINE(CRSM, CRSM_SAYS), CLOSE,
        MODEM_END};
    char stuck[TOKEN_PATH_SIZE];
    struct token_pin state;
    struct seat seat;

    seat_begin(&seat, right, NULL, NULL, NULL);
    EXPECT(token_pin_verify(seat.sim, "0000", NULL, false, &state, stuck, &seat.why), OUTCOME_OK,
           &seat.why);
    CU_ASSERT(state.verified);
    seat_end(&seat);
    seat_begin(&seat, lost, closing, NULL, NULL);
    CU_ASSERT(token_pin_verify(seat.sim, "0000", NULL, false, &state, stuck, &seat.why) !=
              OUTCOME_OK);
    seat_end(&seat);
}

/* ---- what is sent to whom ---- */

/* The record says which SIM the channel is in; that may be out of date, or forged. */
static void before_a_pin_the_sim_is_asked_who_it_is(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        LINE(CRSM, CRSM_SAYS),
        SELECT,
        CSIM("01 84 00 00 04", "01020304 9000"),
        LINE(CRSM, "\r\n+CRSM: 144,0,\"98883003000000000082\"\r\n" OK),
        CLOSE,
        MODEM_END};
    static const struct modem_step starts[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                               LINE("AT+CMEE=1", OK), MODEM_END};
    struct seat seat;
    uint8_t bytes[4];

    seat_begin(&seat, steps, starts, NULL, NULL);
    strcpy(seat.key.iccid, ICCID);
    EXPECT(token_random(seat.sim, bytes, sizeof bytes, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT(seat_sign(&seat), OUTCOME_WRONG_SIM, &seat.why);
    seat_end(&seat);
}

/* A record that names the wrong SIM keeps nobody from the right one. */
static void a_record_that_names_another_sim_is_corrected(void)
{
    static const struct modem_step steps[] = {COLD, SELECT_AGAIN, STATE, VERIFY, MSE,      WARM,
                                              WARM, CLOSE,        COLD,  CLOSE,  MODEM_END};
    struct record record;
    struct seat seat;
    int fd;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    strcpy(seat.key.iccid, ICCID);
    seat_signs(&seat);
    fd = record_open(sim_settings(seat.sim), &record);
    strcpy(record.shared.iccid, "89880330000000099999");
    CU_ASSERT_TRUE(record_save(fd, &record));
    seat_signs(&seat);
    seat_signs(&seat);
    (void)close(fd); /* the same without a channel */
    fd = record_open(sim_settings(seat.sim), &record);
    owners_orphan(&record.owners, &record.shared.channel, DOUBT_NONE);
    memset(&record.shared, 0, sizeof record.shared);
    strcpy(record.shared.iccid, "89880330000000099999");
    record.shared.iccid_asked = true;
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Nor does a refused PIN get another try by the name of another SIM. */
static void a_refusal_is_not_lost_by_another_name_in_the_record(void)
{
    static const struct modem_step steps[] = {
        OPEN,         SELECT, STATE, ECHO_OFF, CSIM("01 20 00 81 04 30303030", "63C2"),
        SELECT_AGAIN, STATE,  CLOSE, MODEM_END};
    struct record record;
    struct seat seat;
    int fd;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_WRONG, &seat.why);
    fd = record_open(sim_settings(seat.sim), &record);
    strcpy(record.shared.iccid, "89880330000000099999");
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    EXPECT_SAYS(seat.why.text, "not tried again");
    seat_end(&seat);
}

#define PIN_LINE         "AT+CSIM=18,\"012000810430303030\""
#define MEETS_BUSY(says) OPEN, SELECT, STATE, ECHO_OFF, LINE(PIN_LINE, says), CLOSE
/* Each second time the tries are asked for twice. */
#define MEETS_AGAIN(says) OPEN, SELECT, STATE, STATE, ECHO_OFF, LINE(PIN_LINE, says), CLOSE
#define COLD_AGAIN        OPEN, SELECT, STATE, STATE, VERIFY, MSE, HASH, CDS

/* The usual start-up; on a slow machine the channel is asked whose it is before it is closed. */
static const struct modem_step starts_and_tells[] = {
    LINE("AT", OK),        LINE("ATE0V1Q0", OK),        LINE("AT+CMEE=1", OK),
    LINE(CRSM, CRSM_SAYS), CSIM("81 F2 00 0C", "6D00"), MODEM_END};

/* A SIM that is busy has not seen the PIN: it goes out again, each time behind the question for the tries. */
static void a_pin_for_a_busy_sim_is_sent_again(void)
{
    static const struct modem_step steps[] = {MEETS_BUSY("\r\n+CME ERROR: 14\r\n"),
                                              MEETS_AGAIN("\r\n+CME ERROR: SIM busy\r\n"),
                                              MEETS_BUSY("\r\n+CME ERROR: 515\r\n"),
                                              COLD_AGAIN,
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, starts_and_tells, NULL, NULL);
    seat_signs(&seat);
    EXPECT_NUMBER(modem_heard(&seat.modem, PIN_LINE), 4);
    seat_end(&seat);
}

/* But only the modem says so, and one that says it each time would get all the tries. The source has done
 * nothing wrong: the next operation may send it. */
static void a_pin_is_not_said_for_ever_to_a_sim_that_stays_busy(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        LINE("AT+CSIM=8,\"01200081\"", "\r\n+CME ERROR: 14\r\n"), /* a question is */
        STATE,
        ECHO_OFF,
        LINE(PIN_LINE, "\r\n+CME ERROR: 14\r\n"),
        CLOSE,
        MEETS_AGAIN("\r\n+CME ERROR: 14\r\n"),
        MEETS_BUSY("\r\n+CME ERROR: 14\r\n"),
        MEETS_AGAIN("\r\n+CME ERROR: 14\r\n"),
        COLD,
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, starts_and_tells, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_TIMEOUT, &seat.why);
    EXPECT_SAYS(seat.why.text, "busy");
    EXPECT_NUMBER(modem_heard(&seat.modem, PIN_LINE), 4);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Busy for each second command, and said again those would meet the PIN each time: the one before it is not. */
static void a_sim_that_is_busy_for_each_second_command_gets_the_pin(void)
{
#define BUSY_FIRST(line, then) LINE(line, "\r\n+CME ERROR: 14\r\n"), then
    static const struct modem_step steps[] = {
        OPEN,
        BUSY_FIRST("AT+CSIM=36,\"01A4040C0D" MIAS_AID "\"", SELECT),
        BUSY_FIRST("AT+CSIM=8,\"01200081\"", STATE),
        ECHO_OFF,
        BUSY_FIRST(PIN_LINE, CLOSE),
        BUSY_FIRST("AT+CSIM=10,\"0070000001\"", OPEN),
        BUSY_FIRST("AT+CSIM=36,\"01A4040C0D" MIAS_AID "\"", SELECT),
        BUSY_FIRST("AT+CSIM=8,\"01200081\"", STATE),
        BUSY_FIRST("AT+CSIM=8,\"01200081\"", VERIFY),
        MSE,
        HASH,
        CDS,
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, starts_and_tells, NULL, NULL);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Where the SIM tells another number the second time it may have counted the PIN. */
static void a_sim_that_does_not_say_the_same_twice_gets_no_pin(void)
{
    static const struct modem_step steps[] = {
        MEETS_BUSY("\r\n+CME ERROR: 14\r\n"), OPEN,  SELECT,   STATE,
        CSIM("01 20 00 81", "63C2"),          CLOSE, OPEN,     SELECT,
        CSIM("01 20 00 81", "63C2"),          CLOSE, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, starts_and_tells, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    EXPECT_NUMBER(modem_heard(&seat.modem, PIN_LINE), 1);
    seat_end(&seat);
}

/* Another program's answer behind ours: it may have selected on our channel. The PIN that was not
 * sent is not taken for one that was refused: it goes out when the line is in step. */
static void behind_another_programs_answer_no_pin_goes_out(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT,
                                              STATE,
                                              LINE("ATE0", OK),
                                              LINE("AT", OK "\r\n+CSIM: 6,\"6A8200\"\r\n" OK),
                                              CLOSE,
                                              OPEN,
                                              SELECT,
                                              STATE,
                                              LINE("ATE0", OK),
                                              LINE("AT", OK "\r\n+CSIM: 6,\"6A8200\"\r\n" OK),
                                              CLOSE,
                                              COLD,
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=18,\"012000810430303030\""), 1);
    seat_end(&seat);
}

/* A URI may say `timeout`: a PIN whose answer nobody waits for would count as refused ever after. */
static void with_too_little_time_left_no_pin_goes_out(void)
{
    static const struct modem_step steps[] = {
        OPEN,     SELECT,       LINE("AT+CSIM=8,\"01200081\"", LONG "\r\n+CSIM: 4,\"63C3\"\r\n" OK),
        ECHO_OFF, SELECT_AGAIN, STATE,
        VERIFY,   MSE,          WARM,
        CLOSE,    MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, "timeout", "1");
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    EXPECT_SAYS(seat.why.text, "`timeout`");
    seat_signs(&seat);
    seat_end(&seat);
}

void add_session_pin_suite(void)
{
    static const struct test tests[] = {
        TEST(another_sim_than_the_keys_is_refused_before_any_pin),
        TEST(a_sim_that_was_changed_under_way_is_noticed),
        TEST(a_modem_that_does_not_tell_the_iccid_is_helped_by_the_card),
        TEST(a_card_that_does_not_tell_it_either_signs_all_the_same),
        TEST(no_sim_and_no_applet_have_their_own_words),
        TEST(a_wrong_pin_costs_one_try_however_often_it_is_used),
        TEST(without_a_pin_there_is_no_signature),
        TEST(a_verify_that_got_lost_is_not_sent_again_without_asking),
        TEST(a_persons_attempt_is_one_verify_whatever_happens),
        TEST(before_a_pin_the_sim_is_asked_who_it_is),
        TEST(a_record_that_names_another_sim_is_corrected),
        TEST(a_refusal_is_not_lost_by_another_name_in_the_record),
        TEST(a_pin_for_a_busy_sim_is_sent_again),
        TEST(a_pin_is_not_said_for_ever_to_a_sim_that_stays_busy),
        TEST(a_sim_that_is_busy_for_each_second_command_gets_the_pin),
        TEST(a_sim_that_does_not_say_the_same_twice_gets_no_pin),
        TEST(behind_another_programs_answer_no_pin_goes_out),
        TEST(with_too_little_time_left_no_pin_goes_out),
    };

    ADD_SUITE("session_pin", tests);
}
