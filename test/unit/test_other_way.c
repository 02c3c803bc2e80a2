/* SPDX-License-Identifier: Apache-2.0 */
/* Modems with two ways to the SIM of which one half-works: what is tried by the other one, how often, and
 * what the next operation knows of it. */
#include "test/unit/other_way.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* The usual start-up; on a slow machine a channel is asked whose it is before it is closed. */
static const struct modem_step starts_and_tells[] = {STARTING, CSIM("81 F2 00 0C", "6D00"),
                                                     MODEM_END};

/* ---- a question on a channel that was opened ---- */

/* Twice it may be the SIM that is in trouble: then the other way, which the next operation takes at once. */
static void a_state_that_csim_fails_to_ask_is_asked_by_ccho(void)
{
    for (size_t i = 0; i < FAILURES; i++) {
        const struct modem_step fails = LINE("AT+CSIM=8,\"01200081\"", failures[i]);
        const struct modem_step steps[] = {OPEN,      SELECT, fails,    CLOSE,     OPEN,
                                           SELECT,    fails,  CLOSE,    CCHO_COLD, CCHC,
                                           CCHO_COLD, CCHC,   MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, starts_and_tells, "session", "private");
        seat_signs(&seat);
        seat_signs(&seat);
        seat_end(&seat);
    }
}

static void an_environment_that_csim_fails_to_set_is_set_by_ccho(void)
{
#define OPEN_VERIFIED OPEN, SELECT, STATE, VERIFY
    for (size_t i = 0; i < FAILURES; i++) {
        const struct modem_step fails = LINE("AT+CSIM=22,\"012241B606800142840131\"", failures[i]);
        const struct modem_step steps[] = {OPEN_VERIFIED, fails, fails,    CLOSE,
                                           OPEN_VERIFIED, fails, fails,    CLOSE,
                                           CCHO_COLD,     CCHC,  MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, starts_and_tells, "session", "private");
        seat_signs(&seat);
        seat_end(&seat);
    }
}

/* Wrong parameters: the modem does not take a short command at all. */
static void what_csim_calls_wrong_parameters_goes_by_ccho(void)
{
#define WRONG_STATE                                                                                \
    LINE("AT+CSIM=8,\"01200081\"", CME("50")), LINE("AT+CSIM=10,\"0120008100\"", CME("50"))
    static const struct modem_step steps[] = {OPEN,      SELECT, WRONG_STATE, CLOSE,
                                              OPEN,      SELECT, WRONG_STATE, CLOSE,
                                              CCHO_COLD, CCHC,   MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, starts_and_tells, "session", "private");
    seat_signs(&seat);
    seat_end(&seat);
}

static void what_cgla_fails_to_do_goes_by_csim(void)
{
    for (size_t i = 0; i < FAILURES; i++) {
        const struct modem_step fails = LINE("AT+CGLA=1,8,\"00200081\"", failures[i]);
        const struct modem_step steps[] = {LINE("AT+CSIM=10,\"0070000001\"", CME("3")),
                                           CCHO_COLD,
                                           CCHC,
                                           CCHO_OPENS,
                                           fails,
                                           CCHC,
                                           CCHO_OPENS,
                                           fails,
                                           CCHC,
                                           COLD,
                                           CLOSE,
                                           COLD,
                                           CLOSE,
                                           MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, starts_and_tells, "session", "private");
        for (int times = 0; times < 3; times++)
            seat_signs(&seat);
        seat_end(&seat);
    }
}

/* A session on which nothing is answered but what no applet says: the modem gets it wrong. */
static void what_cgla_answers_by_other_words_goes_by_csim(void)
{
    static const char *const words[] = {"6881", "6E00", "6D00"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct modem_step says[] = {CGLA("00 20 00 81", words[i]),
                                          CGLA("01 20 00 81", words[i])};
        const struct modem_step steps[] = {LINE(OPEN_LINE, CME("3")),
                                           CCHO_OPENS,
                                           says[0],
                                           CCHO_OPENS,
                                           says[0],
                                           COLD,
                                           CLOSE,
                                           MODEM_END};
        const struct modem_step standing[] = {STARTING, CCHC, says[1], MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, standing, "session", "private");
        seat_signs(&seat);
        seat_end(&seat);
    }
}

/* Where the other way does not exist it is asked for once, and the failure is told as it was. */
static void another_way_that_does_not_exist_is_asked_for_once(void)
{
    static const struct modem_step steps[] = {MODEM_END};
    static const struct modem_step standing[] = {STARTING,
                                                 OPEN,
                                                 SELECT,
                                                 CLOSE,
                                                 CSIM("81 F2 00 0C", "6D00"),
                                                 LINE("AT+CSIM=8,\"01200081\"", CME("100")),
                                                 CCHO_SAYS(CME("4")),
                                                 MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, "timeout", "5");
    EXPECT(seat_sign(&seat), OUTCOME_LOST, &seat.why);
    EXPECT_SAYS(seat.why.text, "+CME ERROR: 100");
    EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_LINE), 1);
    CU_ASSERT(modem_heard(&seat.modem, "AT+CSIM=8,\"01200081\"") > 3);
    seat_end(&seat);
}

/* ---- opening ---- */

#define REST_OF_COLD SELECT, STATE, VERIFY, MSE, HASH, CDS

/* MANAGE CHANNEL is taken with Le 00 alone, and refused as if it were not taken at all. Without another way that
 * is tried, and remembered. */
static void a_channel_that_opens_with_le_00_alone_is_opened_so(void)
{
    static const char *const refusals[] = {CME("3"), CME("4"), "\r\n+CSIM: 4,\"6D00\"\r\n" OK,
                                           "\r\n+CSIM: 4,\"6E00\"\r\n" OK};

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct modem_step refused = LINE(OPEN_LINE, refusals[i]);
        const struct modem_step steps[] = {refused,
                                           CCHO_SAYS("\r\nERROR\r\n"),
                                           CSIM("00 70 00 00 00", "01 9000"),
                                           REST_OF_COLD,
                                           CLOSE,
                                           CSIM("00 70 00 00 00", "01 9000"),
                                           REST_OF_COLD,
                                           CLOSE,
                                           MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, "session", "private");
        seat_signs(&seat);
        seat_signs(&seat);
        seat_end(&seat);
    }
}

/* The same where it only says that it failed, and nothing was opened. */
static void one_that_fails_to_open_is_opened_with_le_00(void)
{
    static const char *const said[] = {CME("0"), CME("13")};

    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        const struct modem_step failed = LINE(OPEN_LINE, said[i]);
        const struct modem_step steps[] = {
            failed, failed,   CCHO_SAYS(CME("4")), CSIM("00 70 00 00 00", "01 9000"), REST_OF_COLD,
            CLOSE,  MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, "session", "private");
        seat_signs(&seat);
        seat_end(&seat);
    }
}

static void wrong_parameters_of_opening_are_other_ones_the_second_time(void)
{
    static const char *const words[] = {"6B00", "6A80"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct modem_step steps[] = {CSIM("00 70 00 00 01", words[i]),
                                           CSIM("00 70 00 00 00", "01 9000"), REST_OF_COLD, CLOSE,
                                           MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, "session", "private");
        seat_signs(&seat);
        seat_end(&seat);
    }
}

/* ---- closing ---- */

/* What a modem fails to close in the usual way is closed in another one. */
static void a_close_that_fails_is_said_in_another_way(void)
{
    for (size_t i = 0; i < FAILURES; i++) {
        const struct modem_step fails = LINE("AT+CSIM=10,\"0070800100\"", failures[i]);
        const struct modem_step brief[] = {COLD, fails, fails, CSIM("00 70 80 01", "9000"),
                                           MODEM_END};
        const struct modem_step itself[] = {COLD,
                                            fails,
                                            fails,
                                            LINE("AT+CSIM=8,\"00708001\"", failures[i]),
                                            CSIM("01 70 80 00", "9000"),
                                            MODEM_END};
        const struct modem_step *const cases[] = {brief, itself};

        for (size_t way = 0; way < 2; way++) {
            struct seat seat;

            seat_begin(&seat, cases[way], NULL, "session", "private");
            seat_signs(&seat);
            EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_NONE);
            seat_end(&seat);
        }
    }
}

/* Or it is used again: else there would be one less with each program. */
static void a_channel_that_fails_to_close_is_used_again(void)
{
#define FAILS_TO_CLOSE                                                                             \
    LINE("AT+CSIM=10,\"0070800100\"", CME("100")), LINE("AT+CSIM=10,\"0070800100\"", CME("100")),  \
        LINE("AT+CSIM=8,\"00708001\"", CME("100")), LINE("AT+CSIM=8,\"01708000\"", CME("100"))
    static const struct modem_step steps[] = {
        COLD,         FAILS_TO_CLOSE, STATUS("6D00"), CSIM("01 20 00 81", "63C3"),
        SELECT_AGAIN, STATE,          VERIFY,         MSE,
        WARM,         FAILS_TO_CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "session", "private");
    seat_signs(&seat);
    seat_signs(&seat);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"0070000001\""), 1);
    seat_end(&seat);
}

/* ---- a PIN by AT+CGLA ---- */

/* Whether the modem puts the channel into the class is asked by STATUS. Where that fails for ever no PIN goes
 * out, which is said soon. */
static void a_class_that_cannot_be_proven_ends_soon_without_a_pin(void)
{
    static const char *const ways[] = {"auto", "ccho"};

    for (size_t i = 0; i < 2; i++) {
        static const struct modem_step steps[] = {MODEM_END};
        static const struct modem_step standing[] = {STARTING,
                                                     LINE(OPEN_LINE, CME("3")),
                                                     LINE("AT+CGLA=1,8,\"80F2000C\"", CME("100")),
                                                     CGLA("00 20 00 81", "63C3"),
                                                     LINE(CCHO_LINE, "\r\n+CCHO: 1\r\n" OK),
                                                     CCHC,
                                                     MODEM_END};
        struct seat seat;
        int64_t start = monotonic_ms();

        seat_begin(&seat, steps, standing, "transport", ways[i]);
        EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
        EXPECT_SAYS(seat.why.text, "+CME ERROR: 100");
        EXPECT_SAYS(seat.why.text, "not sent");
        EXPECT_TOOK(start, 0, 4000);
        EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CGLA=1,18,\"002000810430303030\""), 0);
        seat_end(&seat);
    }
}

/* A session that the record names is used as it stands, by the next process too; only for a PIN it is opened
 * anew. */
static void a_session_of_the_record_is_used_as_it_stands(void)
{
    static const struct modem_step steps[] = {CCHO_COLD, CCHO_WARM, CCHO_WARM, MODEM_END};
    static const struct modem_step standing[] = {STARTING, LINE(OPEN_LINE, CME("3")), MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, standing, "session", "keep");
    seat_signs(&seat);
    for (int times = 0; times < 2; times++) {
        next_process(&seat);
        seat_signs(&seat);
    }
    EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_LINE), 1);
    seat_end(&seat);
}

/* A signature that fails each time is asked for again, at growing pauses; what the modem said is told. */
static void a_signature_that_always_fails_is_told_by_the_modems_number(void)
{
    for (size_t i = 0; i < FAILURES; i++) {
        static const struct modem_step steps[] = {MODEM_END};
        const struct modem_step standing[] = {STARTING,
                                              OPEN,
                                              SELECT,
                                              STATE,
                                              LINE("ATE0", OK),
                                              CSIM("01 20 00 81 04 30303030", "9000"),
                                              MSE,
                                              HASH,
                                              CDS_LINE(failures[i]),
                                              CLOSE,
                                              CSIM("81 F2 00 0C", "6D00"),
                                              CCHO_SAYS(CME("4")),
                                              MODEM_END};
        struct seat seat;
        int tries;

        seat_begin(&seat, steps, standing, "timeout", "5");
        EXPECT(seat_sign(&seat), OUTCOME_LOST, &seat.why);
        EXPECT_SAYS(seat.why.text,
                    strstr(failures[i], "+CME ERROR: 1") ? "+CME ERROR: 1" : "+CME ERROR: 0");
        tries = modem_heard(&seat.modem, "AT+CSIM=10,\"012A9E9A00\"");
        CU_ASSERT(tries >= 4 && tries <= 12);
        seat_end(&seat);
    }
}

/* ---- noise ---- */

/* Octets that no line begins with, left from another speed or a boot loader, directly before an answer or a final
 * result: neither the PIN nor anything else is in doubt for them. */
static void noise_before_an_answer_is_no_part_of_it(void)
{
#define NOISE "\r\n\xFF\xFE\x80"
    static const struct modem_step steps[] = {
        LINE("AT", NOISE "OK\r\n"),
        LINE(OPEN_LINE, NOISE "+CSIM: 6,\"019000\"\r\n" OK),
        LINE(CRSM, NOISE "\r\n" CRSM_SAYS),
        LINE("AT+CSIM=36,\"01A4040C0D" MIAS_AID "\"",
             NOISE NOISE "+CSIM: 4,\"9000\"" NOISE "OK\r\n"),
        STATE,
        LINE("ATE0", NOISE "\r\n" OK),
        LINE("AT", NOISE "OK\r\n"),
        LINE("AT+CSIM=18,\"012000810430303030\"", NOISE "+CSIM: 4,\"9000\"\r\n" OK),
        MSE,
        HASH,
        CDS,
        CLOSE,
        MODEM_END};
    static const struct modem_step standing[] = {LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", OK),
                                                 MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, "session", "private");
    seat_signs(&seat);
    seat_end(&seat);
}

void add_other_way_suite(void)
{
    static const struct test tests[] = {
        TEST(a_state_that_csim_fails_to_ask_is_asked_by_ccho),
        TEST(an_environment_that_csim_fails_to_set_is_set_by_ccho),
        TEST(what_csim_calls_wrong_parameters_goes_by_ccho),
        TEST(what_cgla_fails_to_do_goes_by_csim),
        TEST(what_cgla_answers_by_other_words_goes_by_csim),
        TEST(another_way_that_does_not_exist_is_asked_for_once),
        TEST(a_channel_that_opens_with_le_00_alone_is_opened_so),
        TEST(one_that_fails_to_open_is_opened_with_le_00),
        TEST(wrong_parameters_of_opening_are_other_ones_the_second_time),
        TEST(a_class_that_cannot_be_proven_ends_soon_without_a_pin),
        TEST(a_session_of_the_record_is_used_as_it_stands),
        TEST(a_signature_that_always_fails_is_told_by_the_modems_number),
        TEST(noise_before_an_answer_is_no_part_of_it),
        TEST(a_close_that_fails_is_said_in_another_way),
        TEST(a_channel_that_fails_to_close_is_used_again),
    };

    ADD_SUITE("other_way", tests);
}
