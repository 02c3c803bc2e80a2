/* SPDX-License-Identifier: Apache-2.0 */
/* Channels whose opening or closing did not go as it should: none is forgotten, and none is closed that may
 * be somebody else's by now. */
#include "apdu/session/record.h"
#include "apdu/session/rundir.h"
#include "test/unit/channels.h"
#include "test/unit/safe2_seat.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAMELESS_3                                                                                 \
    CSIM("83 F2 00 0C", "9000"), CSIM("83 F2 00 01 00", "9000"), CSIM("83 F2 00 01 00", "9000")

/* Neither is it forgotten because a card does not close it at once, nor is it kept without end. */
static void a_channel_whose_closing_is_refused_is_kept_for_three_operations(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    static const struct modem_step standing[] = {WAKING, LINE(CRSM, CRSM_SAYS), STATUS("6881"),
                                                 CSIM("00 70 80 01 00", "6881"), MODEM_END};
    const struct channel one = numbered(1);
    struct sim_found found;
    struct record record;
    struct seat seat;
    int fd;

    seat_begin(&seat, nothing, standing, "transport", "csim");
    fd = record_open(sim_settings(seat.sim), &record);
    owners_orphan(&record.owners, &one, DOUBT_NONE);
    for (unsigned i = 2; i <= CHANNEL_MAX; i++) { /* which are not asked */
        const struct channel other = numbered(i);

        owners_hold(&record.owners, &other, getpid(), rundir_process_start(getpid()));
    }
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    for (int i = 0; i < 3; i++) {
        EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_IS_DEAD);
        EXPECT(sim_shut(seat.sim, &found, &seat.why), OUTCOME_OK, &seat.why);
    }
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_NONE);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 2), OWNER_HOLDS);
    seat_end(&seat);
}

/* Where there is no record, the process itself remembers. */
static void without_a_folder_a_channel_that_could_not_be_closed_is_closed_later(void)
{
    static const struct modem_step steps[] = {
        COLD,
        LINE("AT+CSIM=10,\"0070800100\"", LONG LONG LONG LONG LONG LONG "\r\n+CME ERROR: 13\r\n"),
        OPEN_2,
        STATUS("6D00"), /* the answer that did not come might have been that it is closed */
        CLOSE,
        REST_2,
        CLOSE_2,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "run-dir", "/dev/null/run");
    seat_signs(&seat);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"0070800100\""), 1);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Another command's answer came before that to the opening, where answers are off by one: with data, so
 * that it is no refusal of it. */
static void a_channel_whose_number_comes_behind_another_answer_is_closed(void)
{
    static const struct modem_step steps[] = {LINE("AT+CSIM=10,\"0070000001\"",
                                                   "\r\n+CSIM: 8,\"12346982\"\r\n" OK BREATH
                                                   "\r\n+CSIM: 6,\"029000\"\r\n" OK),
                                              CLOSE_2, COLD, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_end(&seat);
}

/* What answers the closing makes no sense, so that the channel may be closed, and its number the modem's. */
static void a_channel_whose_closing_was_not_understood_is_asked_first(void)
{
    static const struct modem_step steps[] = {
        COLD,
        LINE("AT+CSIM=10,\"0070800100\"", "\r\n+CSIM: 8,\"9000\"\r\n" OK),
        OPEN_2,
        STATUS("9000"),
        NAMED("84 10 " USIM_AID " 9000"),
        REST_2,
        CLOSE_2,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "session", "private");
    seat_signs(&seat);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"0070800100\""), 1);
    seat_signs(&seat);
    seat_end(&seat);
}

/* The card's word on closing is none of success, but it may be closed all the same, and be given to the
 * modem at once: that our applet answered on it a moment ago is no proof any more. */
static void a_channel_whose_closing_was_refused_is_asked_before_it_is_closed_again(void)
{
    static const struct modem_step steps[] = {COLD,
                                              CSIM("00 70 80 01 00", "6F00"),
                                              CSIM("00 70 00 00 01", "6A81"),
                                              STATUS("9000"),
                                              NAMED("84 10 " USIM_AID " 9000"),
                                              CSIM("00 70 00 00 01", "6A81"),
                                              CSIM("83 F2 00 0C", "6881"),
                                              CSIM("83 F2 00 0C", "6881"),
                                              CSIM("00 70 00 00 01", "6A81"),
                                              STATUS_2("6881"),
                                              STATUS_2("6881"),
                                              CSIM("00 70 00 00 01", "6A81"),
                                              LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\nERROR\r\n"),
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "session", "private");
    seat_signs(&seat);
    EXPECT(seat_sign(&seat), OUTCOME_REFUSED, &seat.why);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"0070800100\""), 1);
    seat_end(&seat);
}

/* The same of one that somebody else left. */
static void an_orphan_whose_closing_was_not_understood_is_asked_first(void)
{
    static const struct modem_step steps[] = {
        STATUS_2("6D00"),
        LINE("AT+CSIM=10,\"0070800200\"", "\r\n+CSIM: 8,\"9000\"\r\n" OK),
        OPEN,
        STATUS_2("9000"),
        CSIM("82 F2 00 01 00", "84 10 " USIM_AID " 9000"),
        SELECT,
        CSIM("01 84 00 00 02", "0102 9000"),
        CLOSE,
        MODEM_END};
    const struct channel two = numbered(2);
    struct record record;
    struct seat seat;
    uint8_t bytes[2];
    int fd;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    fd = record_open(sim_settings(seat.sim), &record);
    owners_orphan(&record.owners, &two, DOUBT_NONE);
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"0070800200\""), 1);
    seat_end(&seat);
}

/* The answer to the opening of a channel is lost with the device: the modem may have kept its power, and
 * the channel be open. */
static void an_opening_that_a_lost_device_leaves_open_is_known(void)
{
    static const struct modem_step steps[] = {LINE("AT+CCHO=\"" MIAS_AID "\"", HANG_UP), MODEM_END};
    struct record record;
    struct seat seat;
    uint8_t bytes[2];
    int fd;

    seat_begin(&seat, steps, NULL, "transport", "ccho");
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_NO_MODEM, &seat.why);
    fd = record_open(sim_settings(seat.sim), &record);
    CU_ASSERT_TRUE(record.line.opening);
    (void)close(fd);
    seat_end(&seat);
}

/* Where the modem has no AT+CCHC and the card does not close the channel either, it is not forgotten. */
static void a_session_that_refuses_to_close_itself_is_kept(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CSIM=10,\"0070000001\"", "\r\nERROR\r\n"),
        LINE("AT+CSIM=10,\"0070000000\"", "\r\nERROR\r\n"),
        LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 1\r\n" OK),
        CGLA("00 84 00 00 02", "0102 9000"),
        LINE("AT+CCHC=1", "\r\nERROR\r\n"),
        CGLA("00 70 80 00", "6982"),
        MODEM_END};
    const struct channel session = named("1");
    struct record record;
    struct seat seat;
    uint8_t bytes[2];
    int fd;

    seat_begin(&seat, steps, NULL, "session", "private");
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    fd = record_open(sim_settings(seat.sim), &record);
    CU_ASSERT_PTR_NOT_NULL(owners_find(&record.owners, &session));
    (void)close(fd);
    seat_end(&seat);
}

/* What announced its answer by 61xx is the applet: a refusal to hand it out says nothing of the class byte. */
static void what_waits_is_not_fetched_from_another_channel(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 1\r\n" OK),
        CGLA("00 84 00 00 02", "6102"),
        CGLA("00 C0 00 00 02", "6A88"),
        LINE("AT+CCHC=1", OK),
        LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 1\r\n" OK),
        CGLA("00 84 00 00 02", "0102 9000"),
        LINE("AT+CCHC=1", OK),
        MODEM_END};
    struct seat seat;
    uint8_t bytes[2];

    seat_begin(&seat, steps, NULL, "transport", "ccho");
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* The modem swallows the number, every time: the new channel is the one on which nothing is selected, and of
 * which nobody else knows. */
static void a_channel_whose_number_is_not_told_is_found(void)
{
    static const struct modem_step steps[] = {
        CSIM("00 70 00 00 01", "9000"),           NAMELESS_3,
        CSIM("03 A4 04 0C 0D " MIAS_AID, "9000"), CSIM("03 84 00 00 02", "0102 9000"),
        CSIM("00 70 80 03 00", "9000"),           MODEM_END};
    static const struct modem_step standing[] = {WAKING, LINE(CRSM, CRSM_SAYS), STATUS("9000"),
                                                 NAMED("84 10 " USIM_AID " 9000"), MODEM_END};
    struct seat seat;
    uint8_t bytes[2];

    seat_begin(&seat, steps, standing, "transport", "csim");
    seat_hold(sim_settings(seat.sim), 2); /* another program's, on which nothing is selected yet */
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* What is to say that a channel has no name may be another command's answer, where answers are off by one:
 * the name comes next. */
static void a_name_that_comes_late_is_waited_for(void)
{
    static const struct modem_step steps[] = {STATUS_2("9000"),
                                              CSIM("82 F2 00 01 00", "9000"),
                                              CSIM("82 F2 00 01 00", "84 10 " USIM_AID " 9000"),
                                              OPEN,
                                              SELECT,
                                              CSIM("01 84 00 00 02", "0102 9000"),
                                              CLOSE,
                                              MODEM_END};
    const struct channel two = numbered(2);
    struct record record;
    struct seat seat;
    uint8_t bytes[2];
    int fd;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    fd = record_open(sim_settings(seat.sim), &record);
    owners_orphan(&record.owners, &two, DOUBT_NONE);
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* Another program closed SAFE2's channel, and the card gave its number to this process again: it is not
 * SAFE2's any more, also where closing it was not understood. */
static void a_number_that_this_process_gets_again_is_only_the_new_channels(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT_SAFE2,
        SET_ID,
        START,
        OPEN,
        SELECT,
        STATE,
        LINE("AT+CSIM=10,\"0070800100\"", "\r\n+CSIM: 8,\"9000\"\r\n" OK),
        OPEN_2,
        STATUS("6D00"),
        CLOSE,
        CSIM("02 A4 04 0C 0C " SAFE2_AID, "9000"),
        CSIM("02 CC 02 00 00", "00010000 9000"),
        CSIM("02 CC 02 00 00", "00010000 9000"),
        CLOSE_2,
        MODEM_END};
    struct token_pin pin;
    struct seat seat;
    size_t refused;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    EXPECT(token_pin_status(seat.sim, &pin, &refused, &seat.why), OUTCOME_OK, &seat.why);
    asks(&seat, SAFE2_RECEIVING, 0x0001, 0);
    seat_end(&seat);
}

/* A program died while it opened a channel, whose number nobody heard yet. */
static void leave_opening(struct seat *seat)
{
    struct record record;
    int fd = record_open(sim_settings(seat->sim), &record);

    record.line.opening = record.dirty = true;
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
}

#define RANDOM_2                                                                                   \
    CSIM("02 A4 04 0C 0D " MIAS_AID, "9000"), CSIM("02 84 00 00 02", "0102 9000"), CLOSE_2

/* One that does not say whose it is may be the one that is looked for: it is asked again later, and the
 * others are asked before the next opening. */
static void a_channel_that_does_not_answer_the_search_is_asked_again(void)
{
#define TWICE(command) CSIM(command, "6881"), CSIM(command, "6881")
    static const struct modem_step steps[] = {STATUS("6F00"),
                                              STATUS("6F00"),
                                              TWICE("82 F2 00 0C"),
                                              TWICE("83 F2 00 0C"),
                                              TWICE("C0 F2 00 0C"),
                                              OPEN_2,
                                              STATUS("6D00"),
                                              CLOSE,
                                              RANDOM_2,
                                              MODEM_END};
    struct seat seat;
    uint8_t bytes[2];

    seat_begin(&seat, steps, NULL, "transport", "csim");
    leave_opening(&seat);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* The number that comes after its program's death may be the modem's own channel's by now. */
static void a_number_that_comes_late_is_asked_whose_it_is(void)
{
    static const struct modem_step steps[] = {LINE("AT", "\r\n+CSIM: 6,\"019000\"\r\n" OK OK),
                                              STATUS("9000"),
                                              NAMED("84 10 " USIM_AID " 9000"),
                                              STATUS("9000"),
                                              NAMED("84 10 " USIM_AID " 9000"),
                                              OPEN_2,
                                              RANDOM_2,
                                              MODEM_END};
    struct seat seat;
    uint8_t bytes[2];

    seat_begin(&seat, steps, seat_no_channels, "transport", "csim");
    leave_opening(&seat);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* The modem tells of a session and then takes nothing for it: it is closed, which does no harm if there is
 * none. */
static void a_session_that_is_told_late_and_takes_nothing_is_closed(void)
{
    static const struct modem_step steps[] = {
        LINE("AT", "\r\n+CCHO: 2\r\n" OK OK),
        LINE("AT+CGLA=2,8,\"80F2000C\"", "\r\nERROR\r\n"),
        LINE("AT+CCHC=2", OK),
        LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 1\r\n" OK),
        CGLA("00 84 00 00 02", "0102 9000"),
        LINE("AT+CCHC=1", OK),
        MODEM_END};
    struct seat seat;
    uint8_t bytes[2];

    seat_begin(&seat, steps, NULL, "transport", "ccho");
    leave_opening(&seat);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* `simkey close` asks each channel, also one that has just signed. */
static void closing_asks_the_channel_that_signed_too(void)
{
    static const struct modem_step steps[] = {COLD, STATUS("6D00"), CLOSE, MODEM_END};
    struct sim_found found;
    struct seat seat;

    seat_begin(&seat, steps, seat_no_channels, "transport", "csim");
    seat_signs(&seat);
    EXPECT(sim_shut(seat.sim, &found, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* ---- an unannounced restart shows by the echo ---- */

/* On a channel that was found open nothing is selected then: it may be the modem's. */
static void where_the_modem_echoes_again_no_applet_is_selected_on_a_found_channel(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT,
                                              CSIM("01 84 00 00 02", "0102 9000"),
                                              LINE(CRSM, CRSM "\r" CRSM_SAYS),
                                              OPEN_2,
                                              STATUS("9000"),
                                              NAMED("84 10 " USIM_AID " 9000"),
                                              REST_2,
                                              CLOSE_2,
                                              MODEM_END};
    struct seat seat;
    uint8_t bytes[2];

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    seat_signs(&seat);
    seat_end(&seat);
}

/* A channel that was opened just now and took no command is not simply closed then. */
static void where_the_modem_echoes_again_a_new_channel_is_asked_too(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              LINE(CRSM, CRSM "\r" CRSM_SAYS),
                                              OPEN_2,
                                              STATUS("9000"),
                                              NAMED("84 10 " USIM_AID " 9000"),
                                              REST_2,
                                              CLOSE_2,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Nor is a PIN sent on a channel that was opened just now; and that channel is asked whose it is. */
static void where_the_modem_echoes_again_no_pin_is_sent(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        LINE("AT+CSIM=8,\"01200081\"", "AT+CSIM=8,\"01200081\"\r\r\n+CSIM: 4,\"63C3\"\r\n" OK),
        ECHO_OFF,
        OPEN_2,
        STATUS("9000"),
        NAMED("84 10 " USIM_AID " 9000"),
        REST_2,
        CLOSE_2,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_end(&seat);
}

void add_closing_suite(void)
{
    static const struct test tests[] = {
        TEST(a_channel_whose_closing_is_refused_is_kept_for_three_operations),
        TEST(without_a_folder_a_channel_that_could_not_be_closed_is_closed_later),
        TEST(a_channel_whose_number_comes_behind_another_answer_is_closed),
        TEST(a_channel_whose_closing_was_not_understood_is_asked_first),
        TEST(a_channel_whose_closing_was_refused_is_asked_before_it_is_closed_again),
        TEST(an_orphan_whose_closing_was_not_understood_is_asked_first),
        TEST(an_opening_that_a_lost_device_leaves_open_is_known),
        TEST(a_session_that_refuses_to_close_itself_is_kept),
        TEST(a_channel_whose_number_is_not_told_is_found),
        TEST(a_name_that_comes_late_is_waited_for),
        TEST(a_number_that_this_process_gets_again_is_only_the_new_channels),
        TEST(a_channel_that_does_not_answer_the_search_is_asked_again),
        TEST(what_waits_is_not_fetched_from_another_channel),
        TEST(a_number_that_comes_late_is_asked_whose_it_is),
        TEST(a_session_that_is_told_late_and_takes_nothing_is_closed),
        TEST(closing_asks_the_channel_that_signed_too),
        TEST(where_the_modem_echoes_again_no_applet_is_selected_on_a_found_channel),
        TEST(where_the_modem_echoes_again_a_new_channel_is_asked_too),
        TEST(where_the_modem_echoes_again_no_pin_is_sent),
    };

    ADD_SUITE("closing", tests);
}
