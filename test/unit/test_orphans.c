/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of channels that may be open, end to end: those of killed programs, those of which nobody
 * knows whose they are, and what `simkey close` says of them. */
#include "apdu/session/record.h"
#include "apdu/session/rundir.h"
#include "test/unit/channels.h"
#include "test/unit/pty.h"
#include "test/unit/safe2_seat.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program that was killed had channel 1, so that even that one may be closed. */
static void a_killed_programs_channel_is_closed_first(void)
{
    static const struct modem_step steps[] = {
        STATUS("6D00"), CLOSE, OPEN, SELECT, CSIM("01 84 00 00 02", "0102 9000"), CLOSE, MODEM_END};
    struct seat seat;
    uint8_t bytes[2];
    pid_t child;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    child = fork_child();
    if (child == 0) {
        seat_hold(sim_settings(seat.sim), 1);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_IS_DEAD);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_NONE);
    seat_end(&seat);
}

/* The same by the file of an older program, which is removed. */
static void an_older_programs_channel_is_closed_first(void)
{
    static const struct modem_step steps[] = {
        STATUS("6D00"), CLOSE, OPEN, SELECT, CSIM("01 84 00 00 02", "0102 9000"), CLOSE, MODEM_END};
    char name[NAME_MAX], path[192];
    struct seat seat;
    uint8_t bytes[2];

    seat_begin(&seat, steps, NULL, "transport", "csim");
    rundir_name(sim_settings(seat.sim), "channel-1", name);
    folder_write(&seat.run_dir, name, "1 42\n", 5, 0660, path);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(access(path, F_OK), -1);
    seat_end(&seat);
}

/* What that file says is not true any more when the card gives its number to somebody else. */
static void an_older_programs_file_goes_when_its_number_is_given_out(void)
{
    static const struct modem_step steps[] = {COLD, CLOSE, COLD, CLOSE, MODEM_END};
    char name[NAME_MAX], path[192];
    struct record record;
    struct seat seat;
    int fd;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    rundir_name(sim_settings(seat.sim), "channel-1", name);
    folder_write(&seat.run_dir, name, "1 42\n", 5, 0660, path);
    fd = record_open(sim_settings(seat.sim), &record);
    record.dirty = true;
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    seat_signs(&seat);
    EXPECT_NUMBER(access(path, F_OK), -1);
    seat_end(&seat);
}

static void a_held_channel_is_left_open(void)
{
    static const struct modem_step steps[] = {CSIM("00 70 00 00 01", "6A81"),
                                              STATUS_2("6D00"),
                                              CLOSE_2,
                                              OPEN_2,
                                              CSIM("02 A4 04 0C 0D " MIAS_AID, "9000"),
                                              CSIM("02 84 00 00 02", "0102 9000"),
                                              CLOSE_2,
                                              MODEM_END};
    struct seat seat;
    uint8_t bytes[2];

    seat_begin(&seat, steps, NULL, "transport", "csim");
    seat_hold(sim_settings(seat.sim), 3);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 3), OWNER_HOLDS);
    seat_end(&seat);
}

/* A channel that is not shared with other processes. */
static void a_channel_of_ones_own_is_held_while_it_is_open(void)
{
    static const struct modem_step steps[] = {OPEN, SELECT_SAFE2, ASK("00010000 9000"), BYE,
                                              MODEM_END};
    struct settings settings;
    struct report why = REPORT_INIT;
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(settings_copy(&settings, sim_settings(seat.sim), &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(seat_owner(&settings, 1), OWNER_NONE);
    asks(&seat, SAFE2_RECEIVING, 1, 0);
    EXPECT_NUMBER(seat_owner(&settings, 1), OWNER_HOLDS);
    sim_free(seat.sim);
    seat.sim = NULL;
    EXPECT_NUMBER(seat_owner(&settings, 1), OWNER_NONE);
    settings_clear(&settings);
    seat_end(&seat);
}

/* 6881 may not be true: the new channel has another number, so that the old one is still open. */
static void a_channel_that_was_called_gone_and_is_open_is_closed(void)
{
    static const struct modem_step steps[] = {
        COLD, HASH_SAYS("6881"), OPEN_2, STATUS("6D00"), CLOSE, REST_2, CLOSE_2, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    seat_signs(&seat);
    seat_signs(&seat);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_NONE);
    seat_end(&seat);
}

/* An unseen restart may have given its number to the modem: it is left open, and stays known. */
static void a_channel_that_is_somebody_elses_is_left_open_and_stays_known(void)
{
    static const struct modem_step steps[] = {
        COLD,   HASH_SAYS("6881"), OPEN_2,   STATUS("9000"), NAMED("84 10 " USIM_AID " 9000"),
        REST_2, CLOSE_2,           MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    seat_signs(&seat);
    seat_signs(&seat);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_IS_DEAD);
    seat_end(&seat);
}

/* Another program selected an applet on ours: that is one which simkey selects too. */
static void a_channel_on_which_another_program_selected_is_closed(void)
{
    static const struct modem_step steps[] = {COLD,
                                              HASH_LINE("AT+CSIM=80,\"012A90A0\"\r\n\r\n"
                                                        "+CSIM: 4,\"6E00\"\r\n" OK),
                                              OPEN_2,
                                              STATUS("9000"),
                                              NAMED("84 10 " UICC_AID " 9000"),
                                              CLOSE,
                                              REST_2,
                                              CLOSE_2,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    seat_signs(&seat);
    seat_signs(&seat);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_NONE);
    seat_end(&seat);
}

/* A restart was announced: that may be a message's text. Nothing is asked while nothing is wanted. */
static void after_a_restart_a_channel_stays_known_until_its_number_is_given_out(void)
{
    static const struct modem_step steps[] = {
        COLD,   HASH,   CDS_LINE("\r\nRDY\r\n+CSIM: 10,\"51674E9000\"\r\n" OK),
        OPEN_2, REST_2, CLOSE_2,
        COLD,   CLOSE,  MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    seat_signs(&seat);
    seat_signs(&seat); /* with the answer to the first start */
    seat_signs(&seat);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_IS_DEAD);
    sim_close(seat.sim);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_IS_DEAD);
    seat_signs(&seat);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_NONE);
    seat_end(&seat);
}

#define SELECT_2 "AT+CSIM=36,\"02A4040C0D" MIAS_AID "\""

/* The number of our channel is another program's, or the modem's, when another program saw the modem
 * restart: it is neither used nor closed. */
static void what_another_program_saw_end_is_not_ours_any_more(void)
{
    static const char *const said[] = {"\r\nRDY\r\n+CFUN: 1\r\n", "\r\n+CME ERROR: 10\r\n"};
    struct seat seat, other;

    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        const struct modem_step steps[] = {OPEN,
                                           SELECT_SAFE2,
                                           SET_ID,
                                           START,
                                           OPEN_2,
                                           LINE(SELECT_2, said[i]),
                                           COLD,
                                           CLOSE,
                                           OPEN,
                                           SELECT_SAFE2,
                                           ASK("00010000 9000"),
                                           BYE,
                                           MODEM_END};

        seat_begin(&seat, steps, NULL, NULL, NULL);
        other = seat;
        EXPECT(sim_new(&other.sim, sim_settings(seat.sim), &seat.why), OUTCOME_OK, &seat.why);
        EXPECT(request(&seat), OUTCOME_OK, &seat.why);
        if (i == 1)
            EXPECT(seat_sign(&other), OUTCOME_NO_SIM, &other.why);
        seat_signs(&other);
        sim_free(other.sim);
        asks(&seat, SAFE2_RECEIVING, 0x0001, 0);
        seat_end(&seat);
    }
}

/* The same where nobody got its number meanwhile: it is asked before it is closed for another one. */
static void what_another_program_saw_end_stays_known(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE2,
                                              SET_ID,
                                              START,
                                              OPEN_2,
                                              LINE(SELECT_2, "\r\n+CME ERROR: 10\r\n"),
                                              OPEN_2,
                                              CSIM("02 A4 04 0C 0C " SAFE2_AID, "9000"),
                                              CSIM("02 CC 02 00 00", "00010000 9000"),
                                              CSIM("02 CC 02 00 00", "00010000 9000"),
                                              CLOSE_2,
                                              MODEM_END};
    struct seat seat, other;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    other = seat;
    EXPECT(sim_new(&other.sim, sim_settings(seat.sim), &seat.why), OUTCOME_OK, &seat.why);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    EXPECT(seat_sign(&other), OUTCOME_NO_SIM, &other.why);
    sim_free(other.sim);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_HOLDS);
    asks(&seat, SAFE2_RECEIVING, 0x0001, 0);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_IS_DEAD);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 2), OWNER_HOLDS);
    seat_end(&seat);
}

/* A program ends before the answer to its last command has come: the next one waits for that, or it would take
 * it for the answer to its own. */
static void what_an_ended_program_did_not_hear_is_waited_for(void)
{
    static const struct modem_step steps[] = {COLD, LINE("AT+CSIM=10,\"0070800100\"", ""),
                                              MODEM_END};
    struct record record;
    struct seat seat, other;
    int fd;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    other = seat;
    EXPECT(sim_new(&other.sim, sim_settings(seat.sim), &seat.why), OUTCOME_OK, &seat.why);
    seat_signs(&other);
    sim_free(other.sim);
    fd = record_open(sim_settings(seat.sim), &record);
    CU_ASSERT_TRUE(record.line.late_until > monotonic_ms() + 1000);
    CU_ASSERT_FALSE(record.line.ready);
    CU_ASSERT_TRUE(owners_know(&record.owners, 1));
    (void)close(fd);
    seat_end(&seat);
}

/* A channel of ours on which nothing was selected: the card has no name to tell, in one way or another. */
static void a_channel_without_a_name_is_closed(void)
{
    static const char *const says[] = {"9000", "8400 9000", "6A86", "6985"};
    const struct channel two = numbered(2);

    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
        const struct modem_step steps[] = {STATUS_2("9000"),
                                           CSIM("82 F2 00 01 00", says[i]),
                                           CSIM("82 F2 00 01 00", says[i]),
                                           CLOSE_2,
                                           OPEN,
                                           SELECT,
                                           CSIM("01 84 00 00 02", "0102 9000"),
                                           CLOSE,
                                           MODEM_END};
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
}

/* A session has no number; the modem's name for it is what is noted. */
static void a_killed_programs_session_is_closed_by_its_name(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CGLA=7,8,\"80F2000C\"", "\r\n+CGLA: 4,\"6D00\"\r\n" OK),
        LINE("AT+CCHC=7", OK),
        LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 1\r\n" OK),
        CGLA("00 84 00 00 02", "0102 9000"),
        LINE("AT+CCHC=1", OK),
        MODEM_END};
    const struct channel session = named("7");
    struct record record;
    struct seat seat;
    uint8_t bytes[2];
    int fd;

    seat_begin(&seat, steps, NULL, "transport", "ccho");
    fd = record_open(sim_settings(seat.sim), &record);
    owners_hold(&record.owners, &session, 1, 42);
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* ---- simkey close ---- */

/* What looks like ours is asked twice before it is closed. */
#define OURS_1 STATUS("6D00"), CSIM("01 20 00 81", "63C3")
#define OURS_3                                                                                     \
    CSIM("83 F2 00 0C", "6E00"), CSIM("03 20 00 81", "6D00"),                                      \
        CSIM("03 CC 02 00 00", "00010000 9000")
#define OURS_5                                                                                     \
    CSIM("C1 F2 00 0C", "6D00"), CSIM("41 20 00 81", "6D00"), CSIM("41 CC 02 00 00", "6D00"),      \
        CSIM("C1 CB 00 00 00", "100110 9000")

/* What another run-dir's programs left, or what was never written down: three applets of ours, and
 * one of a network. */
static void closing_looks_at_every_channel(void)
{
    static const struct modem_step steps[] = {OURS_1,
                                              OURS_1,
                                              CLOSE,
                                              STATUS_2("9000"),
                                              CSIM("82 F2 00 01 00", "84 10 " USIM_AID " 9000"),
                                              OURS_3,
                                              OURS_3,
                                              CSIM("00 70 80 03 00", "9000"),
                                              CSIM("C0 F2 00 0C", "6D00"),
                                              CSIM("40 20 00 81", "6D00"),
                                              CSIM("40 CC 02 00 00", "6D00"),
                                              CSIM("C0 CB 00 00 00", "6D00"),
                                              OURS_5,
                                              OURS_5,
                                              CSIM("00 70 80 05 00", "9000"),
                                              MODEM_END};
    struct sim_found found;
    struct seat seat;

    seat_begin(&seat, steps, seat_no_channels, NULL, NULL);
    seat_hold(sim_settings(seat.sim), 6);
    EXPECT(sim_shut(seat.sim, &found, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_FALSE(found.closed);
    EXPECT_NUMBER(found.count, 4);
    EXPECT_TEXT(found.channels[0].name, "6");
    EXPECT_NUMBER(found.channels[0].end, SIM_CHANNEL_HELD);
    EXPECT_NUMBER(found.channels[0].pid, getpid());
    EXPECT_TEXT(found.channels[1].name, "1");
    EXPECT_NUMBER(found.channels[1].end, SIM_CHANNEL_CLOSED);
    EXPECT_TEXT(found.channels[2].name, "3");
    EXPECT_NUMBER(found.channels[2].end, SIM_CHANNEL_CLOSED);
    EXPECT_TEXT(found.channels[3].name, "5");
    EXPECT_NUMBER(found.channels[3].end, SIM_CHANNEL_CLOSED);
    seat_end(&seat);
}

/* One that we knew is told of, whatever becomes of it. */
static void closing_tells_of_what_stays_open(void)
{
    static const struct modem_step steps[] = {
        STATUS("9000"),
        NAMED("84 10 " USIM_AID " 9000"),
        STATUS_2("6881"),
        LINE("AT+CSIM=10,\"0070800200\"", "\r\n+CME ERROR: 13\r\n"),
        LINE("AT+CSIM=10,\"0070800200\"", "\r\n+CME ERROR: 13\r\n"),
        LINE("AT+CSIM=8,\"00708002\"", "\r\n+CME ERROR: 13\r\n"),
        LINE("AT+CSIM=8,\"02708000\"", "\r\n+CME ERROR: 13\r\n"),
        MODEM_END};
    const struct channel one = numbered(1), two = numbered(2);
    struct sim_found found;
    struct record record;
    struct seat seat;
    int fd;

    seat_begin(&seat, steps, seat_no_channels, NULL, NULL);
    fd = record_open(sim_settings(seat.sim), &record);
    owners_orphan(&record.owners, &one, DOUBT_GONE);
    owners_orphan(&record.owners, &two, DOUBT_ASK);
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    EXPECT(sim_shut(seat.sim, &found, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(found.count, 2);
    EXPECT_NUMBER(found.channels[0].end, SIM_CHANNEL_OTHERS);
    EXPECT_NUMBER(found.channels[1].end, SIM_CHANNEL_STAYS);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 1), OWNER_IS_DEAD);
    EXPECT_NUMBER(seat_owner(sim_settings(seat.sim), 2), OWNER_IS_DEAD);
    seat_end(&seat);
}

void add_orphans_suite(void)
{
    static const struct test tests[] = {
        TEST(a_killed_programs_channel_is_closed_first),
        TEST(an_older_programs_channel_is_closed_first),
        TEST(an_older_programs_file_goes_when_its_number_is_given_out),
        TEST(a_held_channel_is_left_open),
        TEST(a_channel_of_ones_own_is_held_while_it_is_open),
        TEST(a_channel_that_was_called_gone_and_is_open_is_closed),
        TEST(a_channel_that_is_somebody_elses_is_left_open_and_stays_known),
        TEST(a_channel_on_which_another_program_selected_is_closed),
        TEST(after_a_restart_a_channel_stays_known_until_its_number_is_given_out),
        TEST(what_another_program_saw_end_is_not_ours_any_more),
        TEST(what_another_program_saw_end_stays_known),
        TEST(what_an_ended_program_did_not_hear_is_waited_for),
        TEST(a_channel_without_a_name_is_closed),
        TEST(a_killed_programs_session_is_closed_by_its_name),
        TEST(closing_looks_at_every_channel),
        TEST(closing_tells_of_what_stays_open),
    };

    ADD_SUITE("orphans", tests);
}
