/* SPDX-License-Identifier: Apache-2.0 */
/* Modems that refuse, swallow or misname what others do, from whole operations down to one line: what is
 * tried instead, and what is remembered. */
#include "apdu/session/record.h"
#include "modem/at_identity.h"
#include "test/unit/channels.h"
#include "test/unit/talk.h"
#include "test/unit/unit.h"

#include <string.h>

/* The usual start-up; on a slow machine the channel is asked whose it is before it is closed. */
static const struct modem_step starts_and_tells[] = {STARTING, CSIM("81 F2 00 0C", "6D00"),
                                                     MODEM_END};

/* ---- closing ---- */

#define STAYS_OPEN                                                                                 \
    CSIM("00 70 80 01 00", "6D00"), CSIM("00 70 80 01", "6D00"), CSIM("01 70 80 00", "6D00")

/* Or there would be one less with each program. */
static void a_channel_that_the_modem_does_not_close_is_used_again(void)
{
    static const struct modem_step steps[] = {
        COLD,         STAYS_OPEN, STATUS("6D00"), CSIM("01 20 00 81", "63C3"), /* whose is it? */
        SELECT_AGAIN, STATE,      VERIFY,         MSE,
        WARM,         STAYS_OPEN, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "session", "private");
    seat_signs(&seat);
    seat_signs(&seat);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"0070000001\""), 1);
    seat_end(&seat);
}

/* But not where another program has it by now. */
static void one_that_is_somebody_elses_by_now_is_left(void)
{
    static const struct modem_step steps[] = {
        COLD,   STAYS_OPEN, STATUS("9000"), NAMED("84 10 " USIM_AID " 9000"),
        OPEN_2, REST_2,     CLOSE_2,        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "session", "private");
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* What was verified there by a right PIN, and stands in spite of SELECT, proves nothing of ours. */
static void what_stands_verified_on_it_is_proven_elsewhere(void)
{
    static const struct modem_step steps[] = {
        COLD,
        STAYS_OPEN,
        STATUS("6D00"),
        CSIM("01 20 00 81", "9000"),
        SELECT_AGAIN,
        CSIM("01 20 00 81", "9000"),
        STAYS_OPEN,
        OPEN_2,
        CSIM("02 A4 04 00 0D " MIAS_AID " 00", "6F 0F 84 0D " MIAS_AID " 9000"),
        CSIM("02 20 00 81", "63C3"),
        ECHO_OFF,
        CSIM("02 20 00 81 04 30303030", "63C2"),
        CLOSE_2,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "session", "private");
    seat_signs(&seat);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_WRONG, &seat.why);
    seat_end(&seat);
}

/* ---- the other carrier ---- */

#define CCHO_SAYS(says) LINE("AT+CCHO=\"" MIAS_AID "\"", says)
#define CCHO_COLD                                                                                  \
    CCHO_SAYS("\r\n+CCHO: 1\r\n" OK), CGLA("00 20 00 81", "63C3"), ECHO_OFF,                       \
        CGLA("00 20 00 81 04 30303030", "9000"), CGLA("00 22 41 B6 06 800142 840131", "9000"),     \
        CCHO_WARM
#define CCHO_WARM                                                                                  \
    CGLA("00 2A 90 A0 22 9020 " DIGEST " 00", DIGEST "9000"), CGLA("00 2A 9E 9A 00", "51674E "     \
                                                                                     "9000")
#define NOT_ALLOWED "\r\n+CME ERROR: 3\r\n"

/* SELECT is taken by AT+CSIM, and nothing else: twice, and then the other way, also by the next program. */
static void a_modem_that_takes_nothing_but_select_is_left_for_ccho(void)
{
#define TAKES_SELECT                                                                               \
    OPEN, SELECT, LINE("AT+CSIM=8,\"01200081\"", NOT_ALLOWED),                                     \
        LINE("AT+CSIM=10,\"0120008100\"", NOT_ALLOWED), CLOSE
    static const struct modem_step steps[] = {
        TAKES_SELECT, TAKES_SELECT,          CCHO_COLD, LINE("AT+CCHC=1", OK),
        CCHO_COLD,    LINE("AT+CCHC=1", OK), MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, starts_and_tells, "session", "private");
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Where there is none, what was refused is told. */
static void without_another_way_the_refusal_is_told(void)
{
    static const struct modem_step steps[] = {TAKES_SELECT, TAKES_SELECT, CCHO_SAYS(NOT_ALLOWED),
                                              TAKES_SELECT, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, starts_and_tells, "session", "private");
    EXPECT(seat_sign(&seat), OUTCOME_CARRIER_REFUSED, &seat.why);
    EXPECT_SAYS(seat.why.text, "+CME ERROR: 3");
    seat_end(&seat);
}

/* The PIN alone is refused: the SIM tells that it has not counted it before it goes out by the other way. */
static void a_modem_that_takes_no_pin_by_csim_is_left_for_ccho(void)
{
#define REFUSED_PIN LINE("AT+CSIM=18,\"012000810430303030\"", NOT_ALLOWED)
    static const struct modem_step steps[] = {OPEN,
                                              SELECT,
                                              STATE,
                                              ECHO_OFF,
                                              REFUSED_PIN,
                                              CLOSE,
                                              OPEN,
                                              SELECT,
                                              STATE,
                                              STATE,
                                              ECHO_OFF,
                                              REFUSED_PIN,
                                              CLOSE,
                                              CCHO_COLD,
                                              LINE("AT+CCHC=1", OK),
                                              CCHO_COLD,
                                              LINE("AT+CCHC=1", OK),
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, starts_and_tells, "session", "private");
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* But what it counted all the same is not sent again, now or later. */
static void a_pin_that_was_refused_and_counted_is_not_sent_again(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT,
                                              STATE,
                                              ECHO_OFF,
                                              REFUSED_PIN,
                                              CLOSE,
                                              OPEN,
                                              SELECT,
                                              CSIM("01 20 00 81", "63C2"),
                                              CLOSE,
                                              OPEN,
                                              SELECT,
                                              CSIM("01 20 00 81", "63C2"),
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, starts_and_tells, "session", "private");
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=18,\"012000810430303030\""), 1);
    seat_end(&seat);
}

/* From the same source as programs have it. */
static void person_verifies(struct seat *seat, enum outcome expected)
{
    char stuck[TOKEN_PATH_SIZE];
    struct token_pin state;
    struct pin_given given;

    pin_given_read(&given, sim_settings(seat->sim), PIN_APPLET);
    EXPECT(token_pin_verify(seat->sim, "0000", &given.identity, false, &state, stuck, &seat->why),
           expected, &seat->why);
    pin_given_clear(&given);
}

#define TRIED_BY_CSIM(before, after)                                                               \
    OPEN, SELECT, CSIM("01 20 00 81", before), ECHO_OFF, REFUSED_PIN, CSIM("01 20 00 81", after),  \
        CLOSE, CCHO_SAYS("\r\n+CCHO: 1\r\n" OK), CGLA("00 20 00 81", after)

/* A person's PIN goes out once: the next one by the other way, and nothing is held against its source. */
static void a_persons_pin_that_is_refused_by_csim_goes_by_ccho_the_next_time(void)
{
    static const struct modem_step steps[] = {TRIED_BY_CSIM("63C3", "63C3"),
                                              ECHO_OFF,
                                              CGLA("00 20 00 81 04 30303030", "9000"),
                                              LINE("AT+CCHC=1", OK),
                                              CCHO_COLD,
                                              LINE("AT+CCHC=1", OK),
                                              MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, starts_and_tells, "session", "private");
    person_verifies(&seat, OUTCOME_CARRIER_REFUSED);
    EXPECT_SAYS(seat.why.text, "did not reach the SIM");
    person_verifies(&seat, OUTCOME_OK);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Where the SIM has counted it, the source is not tried by programs. */
static void a_persons_pin_that_is_refused_and_counted_is_noted(void)
{
    static const struct modem_step steps[] = {TRIED_BY_CSIM("63CA", "63C9"), LINE("AT+CCHC=1", OK),
                                              MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, starts_and_tells, "session", "private");
    person_verifies(&seat, OUTCOME_CARRIER_REFUSED);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    EXPECT_SAYS(seat.why.text, "not tried again");
    seat_end(&seat);
}

/* AT+CCHO opens the channel, and then says that it did not: each start would leave one open. */
static void a_channel_that_ccho_opened_in_spite_of_its_error_is_closed(void)
{
#define FAILED    CCHO_SAYS("\r\n+CME ERROR: 100\r\n")
#define IS_OURS   CGLA("80 F2 00 0C", "6D00"), CGLA("00 20 00 81", "63C3")
#define IS_CLOSED IS_OURS, IS_OURS, LINE("AT+CCHC=1", OK)
    static const struct modem_step steps[] = {FAILED, IS_CLOSED, FAILED, IS_CLOSED, MODEM_END};
    static const struct modem_step standing[] = {WAKING,
                                                 LINE(CRSM, CRSM_SAYS),
                                                 LINE("AT+CPIN?", "\r\n+CPIN: READY\r\n" OK),
                                                 CSIM("83 F2 00 0C", "6881"),
                                                 CSIM("82 F2 00 0C", "6881"),
                                                 CCHO_SAYS("\r\n+CME ERROR: 4\r\n"),
                                                 MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, "transport", "ccho");
    CU_ASSERT(seat_sign(&seat) != OUTCOME_OK);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CCHC=1"), 2);
    seat_end(&seat);
}

/* The same by AT+CSIM: the other way works. */
static void a_channel_that_csim_opened_in_spite_of_its_error_is_closed(void)
{
#define OPEN_FAILED LINE("AT+CSIM=10,\"0070000001\"", "\r\n+CME ERROR: 100\r\n")
#define BARE_CLOSED STATUS("9000"), NAMED("9000"), NAMED("9000"), CSIM("00 70 80 01 00", "9000")
    static const struct modem_step steps[] = {OPEN_FAILED, BARE_CLOSED, OPEN_FAILED,
                                              BARE_CLOSED, CCHO_COLD,   LINE("AT+CCHC=1", OK),
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_end(&seat);
}

/* ---- what is not answered, or not to be had ---- */

/* Two operations ask, the third one knows. */
static void a_modem_that_never_tells_the_iccid_is_not_asked_for_ever(void)
{
#define NOT_ON_THE_CARD                                                                            \
    CSIM("01 A4 08 04 02 2FE2 00", "6A82"), CSIM("01 A4 00 04 02 2FE2 00", "6A82")
#define NAMELESS_COLD OPEN, NOT_ON_THE_CARD, SELECT, STATE, VERIFY, MSE, WARM, CLOSE
    static const struct modem_step steps[] = {NAMELESS_COLD, NAMELESS_COLD, NAMELESS_COLD,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, seat_starts_without_iccid, "session", "private");
    for (int i = 0; i < 3; i++)
        seat_signs(&seat);
    EXPECT_NUMBER(modem_heard(&seat.modem, CRSM), 2);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT%XICCID"), 2);
    seat_end(&seat);
}

static void one_that_told_it_once_is_asked_again(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    char iccid[ICCID_SIZE];

    for (unsigned deaf = 0; deaf <= AT_DEAF_ICCID; deaf += AT_DEAF_ICCID) {
        struct talk talk;

        talk_begin(&talk, nothing, deaf == 0 ? seat_starts : nothing);
        talk.at.deaf = deaf | AT_DEAF_ICCID_ONCE;
        EXPECT(at_iccid(&talk.at, iccid, talk.deadline, &talk.why),
               deaf == 0 ? OUTCOME_OK : OUTCOME_REFUSED, &talk.why);
        EXPECT_NUMBER(talk.at.deaf, deaf == 0 ? 0 : AT_DEAF_ICCID | AT_DEAF_ICCID_ONCE);
        talk_end(&talk);
    }
}

/* A SIM or a modem in trouble says so once, where the vendors' names for it are refused. */
static void a_question_that_failed_once_is_asked_again(void)
{
#define UNNAMED(question)                                                                          \
    LINE("AT" question, "\r\nERROR\r\n"), LINE("AT" question "?", "\r\nERROR\r\n")
    static const char *const failures[] = {"\r\n+CME ERROR: 13\r\n", "\r\n+CME ERROR: 100\r\n"};

    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        const struct modem_step steps[] = {LINE(CRSM, failures[i]), MODEM_END};
        const struct modem_step standing[] = {
            LINE("AT", OK),     UNNAMED("+CCID"),      UNNAMED("+ICCID"),
            UNNAMED("+QCCID"),  UNNAMED("#CCID"),      UNNAMED("+CICCID"),
            UNNAMED("%XICCID"), LINE(CRSM, CRSM_SAYS), MODEM_END};
        char iccid[ICCID_SIZE];
        struct talk talk;

        talk_begin(&talk, steps, standing);
        EXPECT(at_iccid(&talk.at, iccid, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        EXPECT_TEXT(iccid, "89880330000000000017");
        talk_end(&talk);
    }
}

/* The start-up goes on without it, and knows the next time. */
static void a_setting_that_is_not_answered_costs_its_time_once(void)
{
#define MUTE ""
    static const struct {
        unsigned deaf;
        struct modem_step steps[8], again[8];
    } cases[] = {
        {AT_DEAF_CMEE,
         {LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", MUTE), MODEM_END},
         {LINE("ATE0V1Q0", OK), MODEM_END}},
        {AT_DEAF_COMPOUND,
         {LINE("ATE0V1Q0", MUTE), LINE("ATE0", OK), LINE("ATV1", OK), LINE("ATQ0", OK),
          LINE("AT+CMEE=1", OK), MODEM_END},
         {LINE("ATE0", OK), LINE("ATV1", OK), LINE("ATQ0", OK), LINE("AT+CMEE=1", OK), MODEM_END}}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk talk;

        talk_begin(&talk, cases[i].steps, NULL);
        EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        EXPECT_NUMBER(talk.at.deaf, cases[i].deaf);
        CU_ASSERT_FALSE(talk.events & EVENT_LATE);
        talk_end(&talk);
        talk_begin(&talk, cases[i].again, NULL);
        talk.at.deaf = cases[i].deaf;
        EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        talk_end(&talk);
    }
}

/* The record carries it from program to program. */
static void what_a_modem_does_not_answer_is_known_to_the_next_operation(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CMEE=1", MUTE), COLD, CLOSE, COLD, CLOSE, MODEM_END};
    static const struct modem_step standing[] = {LINE("ATE0V1Q0", OK), LINE(CRSM, CRSM_SAYS),
                                                 MODEM_END};
    struct record record;
    struct seat seat;

    seat_begin(&seat, steps, standing, "session", "private");
    seat_signs(&seat);
    CU_ASSERT_TRUE(record_peek(sim_settings(seat.sim), &record));
    EXPECT_NUMBER(record.line.kept, AT_DEAF_CMEE);
    sim_forget(seat.sim);
    seat_signs(&seat);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CMEE=1"), 1);
    seat_end(&seat);
}

/* ---- one line ---- */

/* ERROR for what comes too soon, as others lose it. */
static void an_error_for_what_comes_too_soon_teaches_the_gap(void)
{
#define REFUSE     "\r\nERROR\r\n"
#define FOUR_CALLS LINE("AT", OK), LINE("AT", OK), LINE("AT", OK), LINE("AT", OK)
#define WAKES      LINE("AT", OK), LINE("ATE0V1Q0", REFUSE), LINE("AT", OK), LINE("AT", REFUSE)
#define STARTS     LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", OK), MODEM_END
    static const struct modem_step brief[] = {WAKES, FOUR_CALLS, STARTS};
    static const struct modem_step longer[] = {LINE("AT", REFUSE), LINE("AT", REFUSE),
                                               LINE("AT", REFUSE), LINE("AT", REFUSE),
                                               FOUR_CALLS,         STARTS};
    static const struct modem_step none[] = {
        LINE("AT", OK),   LINE("ATE0V1Q0", REFUSE),  FOUR_CALLS, LINE("ATE0", OK), LINE("ATV1", OK),
        LINE("ATQ0", OK), LINE("AT+CMEE=1", REFUSE), MODEM_END};
    static const struct {
        const struct modem_step *steps;
        unsigned event;
    } cases[] = {{brief, EVENT_GAP}, {longer, EVENT_LONG_GAP}, {none, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk talk;

        talk_begin(&talk, cases[i].steps, NULL);
        EXPECT(at_start(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        EXPECT_NUMBER(talk.events & EVENTS_REMEMBERED, cases[i].event);
        talk_end(&talk);
    }
}

/* However short the time-out is, what is told is that the SIM is busy; and nothing is outstanding. */
static void a_sim_that_stays_busy_is_told_of_in_each_run(void)
{
    static const struct modem_step steps[] = {MODEM_END};
    static const struct modem_step standing[] = {
        STARTING, LINE("AT+CSIM=10,\"0070000001\"", "\r\n+CME ERROR: 14\r\n"), MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, "timeout", "1");
    for (int run = 0; run < 2; run++) {
        EXPECT(seat_sign(&seat), OUTCOME_TIMEOUT, &seat.why);
        EXPECT_SAYS(seat.why.text, "busy");
    }
    seat_end(&seat);
}

/* Who asks for the modem's names and the SIM's number learns it too, and does not go on to wait as long again. */
static void that_it_stays_busy_is_told_of_by_the_first_question(void)
{
    static const struct modem_step steps[] = {MODEM_END};
    static const struct modem_step standing[] = {LINE("AT", OK),
                                                 LINE("ATE0V1Q0", OK),
                                                 LINE("AT+CMEE=1", OK),
                                                 LINE("AT+CGMI", "\r\nAcme\r\n" OK),
                                                 LINE("AT+CGMM", "\r\nM1\r\n" OK),
                                                 LINE("AT+CGMR", "\r\n1\r\n" OK),
                                                 LINE("AT+CGSN", "\r\n356938035643809\r\n" OK),
                                                 LINE("AT+CPIN?", "\r\n+CPIN: READY\r\n" OK),
                                                 LINE(CRSM, "\r\n+CME ERROR: 14\r\n"),
                                                 MODEM_END};
    struct modem_identity identity;
    char iccid[ICCID_SIZE];
    struct seat seat;

    seat_begin(&seat, steps, standing, "timeout", "2");
    EXPECT(sim_identity(seat.sim, &identity, iccid, &seat.why), OUTCOME_TIMEOUT, &seat.why);
    EXPECT_SAYS(seat.why.text, "busy");
    EXPECT_TEXT(identity.model, "M1");
    seat_end(&seat);
}

/* With blanks around it, without the mark of its prefix; what has letters in it is another number. */
static void an_imei_is_found_among_what_stands_around_it(void)
{
    static const struct {
        const char *said, *imei;
    } cases[] = {{"\r\n 356938035643809 \r\n" OK, "356938035643809"},
                 {"\r\n\"356938035643809\" \r\n" OK, "356938035643809"},
                 {"\r\nCGSN: 356938035643809\r\n" OK, "356938035643809"},
                 {"\r\n80A1B2C3\r\n" OK, ""}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct modem_step steps[] = {LINE("AT+CGMI", REFUSE),  LINE("AT+CGMM", REFUSE),
                                           LINE("AT+CGMR", REFUSE),  LINE("AT+CGSN", cases[i].said),
                                           LINE("AT+CPIN?", REFUSE), MODEM_END};
        struct modem_identity identity;
        struct talk talk;

        talk_begin(&talk, steps, NULL);
        EXPECT(at_identity(&talk.at, &identity, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        EXPECT_TEXT(identity.imei, cases[i].imei);
        talk_end(&talk);
    }
}

void add_odd_modem_suite(void)
{
    static const struct test tests[] = {
        TEST(a_channel_that_the_modem_does_not_close_is_used_again),
        TEST(one_that_is_somebody_elses_by_now_is_left),
        TEST(what_stands_verified_on_it_is_proven_elsewhere),
        TEST(a_modem_that_takes_nothing_but_select_is_left_for_ccho),
        TEST(without_another_way_the_refusal_is_told),
        TEST(a_modem_that_takes_no_pin_by_csim_is_left_for_ccho),
        TEST(a_pin_that_was_refused_and_counted_is_not_sent_again),
        TEST(a_persons_pin_that_is_refused_by_csim_goes_by_ccho_the_next_time),
        TEST(a_persons_pin_that_is_refused_and_counted_is_noted),
        TEST(a_channel_that_ccho_opened_in_spite_of_its_error_is_closed),
        TEST(a_channel_that_csim_opened_in_spite_of_its_error_is_closed),
        TEST(a_modem_that_never_tells_the_iccid_is_not_asked_for_ever),
        TEST(one_that_told_it_once_is_asked_again),
        TEST(a_question_that_failed_once_is_asked_again),
        TEST(a_setting_that_is_not_answered_costs_its_time_once),
        TEST(what_a_modem_does_not_answer_is_known_to_the_next_operation),
        TEST(an_error_for_what_comes_too_soon_teaches_the_gap),
        TEST(a_sim_that_stays_busy_is_told_of_in_each_run),
        TEST(that_it_stays_busy_is_told_of_by_the_first_question),
        TEST(an_imei_is_found_among_what_stands_around_it),
    };

    ADD_SUITE("odd_modem", tests);
}
