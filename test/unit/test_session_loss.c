/* SPDX-License-Identifier: Apache-2.0 */
/* What can go wrong on the way of a signature, end to end: channels that vanish, answers that do not come, other SIMs, wrong
 * PINs, cards that want more. A lost operation is redone once from a new session; PSO and VERIFY are never resent. */
#include "apdu/session/operation.h"
#include "modem/port.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- lost channels ---- */

/* Life cycle, 21. The number of a channel that is gone may be somebody else's: it is not closed. */
static void a_lost_channel_is_rebuilt_once(void)
{
    static const struct modem_step steps[] = {COLD,  HASH_SAYS("6881"), COLD, WARM,
                                              CLOSE, MODEM_END};
    static const struct modem_step at_the_sign[] = {COLD, HASH,  CDS_SAYS("6881"),
                                                    COLD, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
    seat_begin(&seat, at_the_sign, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* A channel that was reset or taken over by somebody is closed, then all is redone. */
static void a_refusal_on_a_standing_channel_is_redone_on_a_new_one(void)
{
    static const char *const words[] = {"6985", "6E00", "6999", "6D00", "6A88", "6A82"};
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct modem_step steps[] = {COLD,     HASH_SAYS(words[i]), CLOSE, COLD, CLOSE,
                                           MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, NULL, NULL);
        seat_signs(&seat);
        seat_signs(&seat);
        seat_end(&seat);
    }
}

static void a_modem_that_failed_is_given_a_new_session(void)
{
    static const char *const failures[] = {"\r\n+CME ERROR: 13\r\n", "\r\n+CME ERROR: 22\r\n",
                                           "\r\n+CME ERROR: 100\r\n"};
    size_t i;

    for (i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        const struct modem_step steps[] = {COLD,  HASH,     CDS_LINE(failures[i]), CLOSE, COLD,
                                           CLOSE, MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, NULL, NULL);
        seat_signs(&seat);
        seat_signs(&seat);
        seat_end(&seat);
    }
}

static void a_torn_answer_to_a_signature_is_redone_from_the_start(void)
{
    static const struct modem_step steps[] = {
        COLD,     HASH, CDS_LINE("\r\n+CSIM: 10,\"5167\r\n+CREG: 1\r\n4E9000\"\r\n" OK),
        CLOSE,    COLD, CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Nothing was said that cannot be said again: it is, as long as there is time. */
static void what_is_lost_again_and_again_is_done_in_the_end(void)
{
    static const struct modem_step steps[] = {
        COLD, HASH_SAYS("6881"), OPEN, SELECT, STATE,    VERIFY,
        MSE,  HASH_SAYS("6881"), OPEN, SELECT, STATE,    VERIFY,
        MSE,  HASH_SAYS("6881"), COLD, CLOSE,  MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

static void without_time_what_is_lost_twice_is_an_error(void)
{
    static const struct modem_step steps[] = {
        COLD, HASH_SAYS("6881"), OPEN, SELECT, STATE,    VERIFY,
        MSE,  HASH_SAYS("6881"), COLD, CLOSE,  MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "timeout", "2");
    seat_signs(&seat);
    EXPECT(seat_sign(&seat), OUTCOME_LOST, &seat.why);
    seat_signs(&seat);
    seat_end(&seat);
}

/* A refusal on a new channel may come from a REFRESH in the middle: it is final the second time. */
static void a_refusal_on_a_new_channel_is_final_the_second_time(void)
{
    static const struct modem_step steps[] = {
        OPEN,     SELECT, STATE, VERIFY, MSE, HASH, CDS_SAYS("6985"), CLOSE,
        OPEN,     SELECT, STATE, VERIFY, MSE, HASH, CDS_SAYS("6985"), CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_REFUSED, &seat.why);
    EXPECT_NUMBER(seat.why.sw, 0x6985);
    EXPECT_SAYS(seat.why.text, "6985");
    seat_end(&seat);
}

/* Nor is there a third start where the first one went on with a session that stood. */
static void what_a_card_always_fails_ends_within_two_starts(void)
{
    static const struct modem_step steps[] = {
        COLD, HASH, CDS_SAYS("6F00"), CLOSE, OPEN,     SELECT, STATE, VERIFY,
        MSE,  HASH, CDS_SAYS("6F00"), CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    EXPECT(seat_sign(&seat), OUTCOME_REFUSED, &seat.why);
    EXPECT_NUMBER(seat.why.sw, 0x6F00);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"012A9E9A00\""), 3);
    seat_end(&seat);
}

static void a_signature_that_does_not_verify_leads_to_a_new_channel(void)
{
    static const struct modem_step steps[] = {COLD, CLOSE, COLD, WARM, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    sim_forget(seat.sim);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* It is closed nevertheless, as its number shows when it is given anew: closed once more, by the next
 * operation, it would be the one that works. */
static void a_channel_whose_closing_was_not_confirmed_is_closed_once(void)
{
    static const struct modem_step steps[] = {
        COLD, LINE("AT+CSIM=10,\"0070800100\"", ""), COLD, WARM, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    sim_forget(seat.sim);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Text, 4: channels do not survive a restart, whatever the modem answers. */
static void a_restart_of_the_modem_starts_everything_anew(void)
{
    static const struct modem_step steps[] = {
        LINE("AT", OK),
        LINE("ATE0V1Q0", OK),
        LINE("AT+CMEE=1", OK),
        COLD_ASKING,
        HASH,
        CDS_LINE("\r\nRDY\r\n+CFUN: 1\r\n+CSIM: 10,\"51674E9000\"\r\n" OK),
        LINE("AT", OK),
        LINE("ATE0V1Q0", OK),
        LINE("AT+CMEE=1", OK),
        COLD_ASKING,
        CLOSE,
        MODEM_END};
    static const struct modem_step nothing[] = {MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, nothing, NULL, NULL);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* ---- cards that want more than the standard ---- */

static void a_card_that_wants_its_environment_each_time_gets_it(void)
{
    static const struct modem_step steps[] = {
        COLD,  HASH_SAYS("6985"), CLOSE, COLD, HASH_SAYS("6985"), CLOSE, COLD, MSE, WARM, MSE, WARM,
        CLOSE, MODEM_END};
    struct seat seat;
    int i;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    for (i = 0; i < 5; i++)
        seat_signs(&seat);
    seat_end(&seat);
}

static void a_card_that_wants_its_pin_each_time_gets_it(void)
{
    static const struct modem_step steps[] = {
        COLD,         HASH,  CDS_SAYS("6982"), CLOSE, COLD,   HASH,  CDS_SAYS("6982"),
        CLOSE,        COLD,  SELECT_AGAIN,     STATE, VERIFY, MSE,   WARM,
        SELECT_AGAIN, STATE, VERIFY,           MSE,   WARM,   CLOSE, MODEM_END};
    struct seat seat;
    int i;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    for (i = 0; i < 5; i++)
        seat_signs(&seat);
    seat_end(&seat);
}

/* ---- time ---- */

/* Time, 17 and 18: the signature of the first operation may still come; the second one waits for it
 * to be over, and starts from a new session. */
static void a_signature_that_did_not_come_is_never_asked_for_again(void)
{
    static const struct modem_step steps[] = {
        COLD,
        HASH,
        CDS_LINE(LONG LONG LONG LONG LONG LONG LONG LONG "\r\n+CSIM: 10,\"BADBAD9000\"\r\n" OK),
        CSIM("81 F2 00 0C", "6D00"),
        CLOSE,
        COLD,
        CLOSE,
        MODEM_END};
    struct seat seat;
    int64_t start;

    seat_begin(&seat, steps, NULL, "timeout", "3");
    seat_signs(&seat);
    start = monotonic_ms();
    EXPECT(seat_sign(&seat), OUTCOME_TIMEOUT, &seat.why);
    EXPECT_TOOK(start, 2900, 3600);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Operations that may take one second only: the waiting may be spread over some of them.
 * Whether the old channel is closed is left open: its modem may have restarted meanwhile. */
static void a_late_answer_is_waited_out_even_by_short_operations(void)
{
    static const struct modem_step steps[] = {
        COLD, HASH, CDS_LINE(LONG LONG LONG "\r\n+CSIM: 10,\"BADBAD9000\"\r\n" OK), COLD,
        MODEM_END};
    static const struct modem_step standing[] = {LINE("AT", OK),
                                                 LINE("ATE0V1Q0", OK),
                                                 LINE("AT+CMEE=1", OK),
                                                 LINE(CRSM, CRSM_SAYS),
                                                 CSIM("81 F2 00 0C", "6D00"),
                                                 CLOSE,
                                                 MODEM_END};
    struct seat seat;
    int tries;

    seat_begin(&seat, steps, standing, "timeout", "1");
    seat_signs(&seat);
    EXPECT(seat_sign(&seat), OUTCOME_TIMEOUT, &seat.why);
    for (tries = 0; tries < 4 && seat_sign(&seat) != OUTCOME_OK; tries++)
        ;
    EXPECT(seat.why.outcome, OUTCOME_OK, &seat.why);
    EXPECT_BYTES(seat.signature, seat.length, "51674E");
    seat_end(&seat);
}

/* It may have come too soon: the new start leaves a gap before each command. The first time that is not
 * kept, because another thing may have been the reason. */
static void a_lost_command_is_said_again_with_a_gap(void)
{
    static const struct modem_step steps[] = {
        COLD, HASH_LINE(""), CSIM("81 F2 00 0C", "6D00"), CLOSE, COLD, CLOSE, MODEM_END};
    struct seat seat;
    int64_t start;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    EXPECT_NUMBER(seat.sim->line.gap, 0);
    start = monotonic_ms();
    seat_signs(&seat);
    EXPECT_TOOK(start, 5000 + 1500 + 10 * 20, 8000);
    EXPECT_NUMBER(seat.sim->line.gap, EVENT_LOST);
    seat_end(&seat);
}

static void a_busy_port_ends_at_the_operations_time(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    struct seat seat;
    struct port *port = NULL;
    char pid[32];
    int64_t start;

    seat_begin(&seat, nothing, nothing, "timeout", "1");
    EXPECT(port_open(&port, seat.modem.device, 9600, deadline_in(1000), NULL, &seat.why),
           OUTCOME_OK, &seat.why);
    start = monotonic_ms();
    EXPECT(seat_sign(&seat), OUTCOME_PORT_BUSY, &seat.why);
    EXPECT_TOOK(start, 900, 2000);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    EXPECT_SAYS(seat.why.text, pid);
    port_close(port);
    seat_end(&seat);
}

static void an_unplugged_modem_ends_the_operation_at_once(void)
{
    static const struct modem_step steps[] = {COLD, HASH, CDS_LINE("\r\n+CSIM: 10,\"51" HANG_UP),
                                              MODEM_END};
    struct seat seat;
    int64_t start;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    start = monotonic_ms();
    EXPECT(seat_sign(&seat), OUTCOME_NO_MODEM, &seat.why);
    EXPECT(seat_sign(&seat), OUTCOME_NO_MODEM, &seat.why);
    EXPECT_TOOK(start, 0, 1500);
    seat_end(&seat);
}

/* The last user's farewell is silent and short, even when nobody answers. */
static void a_mute_modem_does_not_delay_the_end(void)
{
    static const struct modem_step steps[] = {COLD, LINE("AT+CSIM=10,\"0070800100\"", ""),
                                              MODEM_END};
    struct seat seat;
    int64_t start;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    start = monotonic_ms();
    sim_free(seat.sim);
    seat.sim = NULL;
    EXPECT_TOOK(start, 0, 600);
    seat_end(&seat);
}

void add_session_loss_suite(void)
{
    static const struct test tests[] = {
        TEST(a_lost_channel_is_rebuilt_once),
        TEST(a_refusal_on_a_standing_channel_is_redone_on_a_new_one),
        TEST(a_modem_that_failed_is_given_a_new_session),
        TEST(a_torn_answer_to_a_signature_is_redone_from_the_start),
        TEST(what_is_lost_again_and_again_is_done_in_the_end),
        TEST(without_time_what_is_lost_twice_is_an_error),
        TEST(a_refusal_on_a_new_channel_is_final_the_second_time),
        TEST(what_a_card_always_fails_ends_within_two_starts),
        TEST(a_signature_that_does_not_verify_leads_to_a_new_channel),
        TEST(a_channel_whose_closing_was_not_confirmed_is_closed_once),
        TEST(a_restart_of_the_modem_starts_everything_anew),
        TEST(a_card_that_wants_its_environment_each_time_gets_it),
        TEST(a_card_that_wants_its_pin_each_time_gets_it),
        TEST(a_signature_that_did_not_come_is_never_asked_for_again),
        TEST(a_late_answer_is_waited_out_even_by_short_operations),
        TEST(a_lost_command_is_said_again_with_a_gap),
        TEST(a_busy_port_ends_at_the_operations_time),
        TEST(an_unplugged_modem_ends_the_operation_at_once),
        TEST(a_mute_modem_does_not_delay_the_end),
    };

    ADD_SUITE("session_loss", tests);
}
