/* SPDX-License-Identifier: Apache-2.0 */
/* A SIM that is pulled, or a modem that restarts, in the middle of a retry: that counts more than what
 * failed before, and nothing is said on channels that are gone. */
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#define NO_SIM     "\r\n+CME ERROR: 10\r\n"
#define WRONG_SIM  "\r\n+CME ERROR: 15\r\n"
#define FAILED     "\r\n+CME ERROR: 13\r\n"
#define BUSY       "\r\n+CME ERROR: 14\r\n"
#define RESTARTED  "\r\nRDY\r\n+CFUN: 1\r\n"
#define CLOSE_LINE "AT+CSIM=10,\"0070800100\""
#define HASH_NO_LE "AT+CSIM=78,\"012A90A0229020" DIGEST "\""

/* The retry without a Le says more than the refusal before it. Nothing is open on a SIM that is not
 * there: the number may be the modem's own by now, and is not closed. */
static void a_sim_that_is_pulled_in_a_retry_is_no_refusal(void)
{
    static const char *const said[] = {NO_SIM, WRONG_SIM};
    size_t i;

    for (i = 0; i < sizeof said / sizeof said[0]; i++) {
        const struct modem_step steps[] = {
            COLD,     HASH_LINE("\r\n+CME ERROR: 232\r\n"), LINE(HASH_NO_LE, said[i]), COLD, CLOSE,
            MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, NULL, NULL);
        seat_signs(&seat);
        EXPECT(seat_sign(&seat), OUTCOME_NO_SIM, &seat.why);
        seat_signs(&seat);
        seat_end(&seat);
    }
}

static void a_sim_that_is_pulled_is_asked_to_close_nothing(void)
{
    static const struct modem_step steps[] = {
        COLD,  HASH_SAYS("6985"), LINE(CLOSE_LINE, FAILED), LINE(CLOSE_LINE, NO_SIM), COLD,
        CLOSE, MODEM_END};
    static const struct modem_step still_away[] = {COLD,
                                                   HASH_SAYS("6985"),
                                                   LINE(CLOSE_LINE, NO_SIM),
                                                   LINE("AT+CSIM=10,\"0070000001\"", NO_SIM),
                                                   COLD,
                                                   CLOSE,
                                                   MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
    seat_begin(&seat, still_away, NULL, NULL, NULL);
    seat_signs(&seat);
    EXPECT(seat_sign(&seat), OUTCOME_NO_SIM, &seat.why);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Where answers are off by one, what says that the SIM is gone comes behind another answer. */
static void a_sim_that_was_said_to_be_gone_unasked_is_asked_to_close_nothing(void)
{
    static const char *const said[] = {"\r\n+CSIM: 4,\"6985\"\r\n" OK BREATH NO_SIM,
                                       "\r\n+CSIM: 4,\"6985\"\r\n" OK BREATH WRONG_SIM};
    size_t i;

    for (i = 0; i < sizeof said / sizeof said[0]; i++) {
        const struct modem_step steps[] = {COLD, HASH_LINE(said[i]), COLD, CLOSE, MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, NULL, NULL);
        seat_signs(&seat);
        seat_signs(&seat);
        seat_end(&seat);
    }
}

/* The same where it is heard by the next start only: the second refusal is the card's own word. */
static void a_late_word_of_a_sim_that_is_gone_is_heard_by_the_next_one(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT,
                                              STATE,
                                              VERIFY,
                                              MSE,
                                              HASH,
                                              CDS_SAYS("6985"),
                                              CLOSE,
                                              OPEN,
                                              SELECT,
                                              STATE,
                                              VERIFY,
                                              MSE,
                                              HASH,
                                              CDS_LINE("\r\n+CSIM: 4,\"6985\"\r\n" OK PAUSE NO_SIM),
                                              COLD,
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_REFUSED, &seat.why);
    deadline_sleep(deadline_in(1000), 200);
    seat_signs(&seat);
    seat_end(&seat);
}

/* By the other carrier the modem says that there is no SIM: not that it fails. */
static void what_the_second_carrier_says_of_the_sim_counts(void)
{
    static const struct modem_step steps[] = {LINE("AT+CSIM=10,\"0070000001\"", FAILED),
                                              LINE("AT+CSIM=10,\"0070000001\"", FAILED),
                                              LINE("AT+CCHO=\"" MIAS_AID "\"", NO_SIM),
                                              COLD,
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_NO_SIM, &seat.why);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Closing is not tried again, nor what a busy SIM did not take: a channel of that number is another's
 * after a restart. */
static void nothing_is_said_again_to_a_modem_that_restarted(void)
{
    static const struct modem_step closing[] = {
        COLD, HASH_SAYS("6985"), LINE(CLOSE_LINE, FAILED RESTARTED), COLD, CLOSE, MODEM_END};
    static const struct modem_step waiting[] = {COLD, HASH_LINE(BUSY RESTARTED), COLD, CLOSE,
                                                MODEM_END};
    static const struct modem_step *const scripts[] = {closing, waiting};
    struct seat seat;
    size_t i;

    for (i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        seat_begin(&seat, scripts[i], NULL, NULL, NULL);
        seat_signs(&seat);
        seat_signs(&seat);
        seat_end(&seat);
    }
}

void add_session_gone_suite(void)
{
    static const struct test tests[] = {
        TEST(a_sim_that_is_pulled_in_a_retry_is_no_refusal),
        TEST(a_sim_that_is_pulled_is_asked_to_close_nothing),
        TEST(a_sim_that_was_said_to_be_gone_unasked_is_asked_to_close_nothing),
        TEST(a_late_word_of_a_sim_that_is_gone_is_heard_by_the_next_one),
        TEST(what_the_second_carrier_says_of_the_sim_counts),
        TEST(nothing_is_said_again_to_a_modem_that_restarted),
    };

    ADD_SUITE("session_gone", tests);
}
