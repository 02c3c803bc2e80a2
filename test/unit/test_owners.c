/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the channels beside the shared one are: the record's table, the files of older programs, and
 * what becomes of channels that may be open, end to end. */
#include "apdu/session/old_claims.h"
#include "apdu/session/record.h"
#include "apdu/session/rundir.h"
#include "test/unit/pty.h"
#include "test/unit/safe2_seat.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS(says)   CSIM("81 F2 00 0C", says)
#define STATUS_2(says) CSIM("82 F2 00 0C", says)
#define NAMED(says)    CSIM("81 F2 00 01 00", says)
#define USIM_AID       "A0000000871002FF33FFFF8901010100"

/* The way to a signature on channel 2. */
#define OPEN_2  CSIM("00 70 00 00 01", "02 9000")
#define CLOSE_2 CSIM("00 70 80 02 00", "9000")
#define REST_2                                                                                     \
    CSIM("02 A4 04 0C 0D " MIAS_AID, "9000"), CSIM("02 20 00 81", "63C3"), ECHO_OFF,               \
        CSIM("02 20 00 81 04 30303030", "9000"), CSIM("02 22 41 B6 06 800142 840131", "9000"),     \
        CSIM("02 2A 90 A0 22 9020 " DIGEST " 00", DIGEST "9000"),                                  \
        CSIM("02 2A 9E 9A 00", "51674E 9000")

static struct channel numbered(unsigned number)
{
    return (struct channel){.open = true, .carrier = CARRIER_CSIM, .number = (uint8_t)number};
}

static struct channel named(const char *session)
{
    struct channel channel = {.open = true, .carrier = CARRIER_CCHO};

    (void)snprintf(channel.session, sizeof channel.session, "%s", session);
    return channel;
}

/* ---- the table ---- */

static void an_entry_is_found_by_its_channel_until_it_is_removed(void)
{
    const struct channel one = numbered(1), also = named("1"), closed = {.number = 1};
    struct owners owners = {0};

    owners_orphan(&owners, &one, DOUBT_NONE);
    owners_hold(&owners, &also, getpid(), rundir_process_start(getpid()));
    EXPECT_NUMBER(owners.count, 2);
    CU_ASSERT_PTR_NULL(owners_find(&owners, &closed));
    CU_ASSERT_PTR_NOT_NULL_FATAL(owners_find(&owners, &one));
    EXPECT_NUMBER(owners_state(owners_find(&owners, &one)), OWNER_IS_DEAD);
    EXPECT_NUMBER(owners_state(owners_find(&owners, &also)), OWNER_HOLDS);
    CU_ASSERT_TRUE(owners_know(&owners, 1));
    CU_ASSERT_FALSE(owners_know(&owners, 2));
    owners_orphan(&owners, &also, DOUBT_ASK); /* it is one entry further on */
    EXPECT_NUMBER(owners.count, 2);
    owners_remove(&owners, &one);
    owners_remove(&owners, &one);
    EXPECT_NUMBER(owners.count, 1);
    EXPECT_NUMBER(owners_find(&owners, &also)->doubt, DOUBT_ASK);
    owners_doubt_all(&owners);
    EXPECT_NUMBER(owners_find(&owners, &also)->doubt, DOUBT_GONE);
}

static void a_full_table_loses_what_is_least_likely_to_be_open(void)
{
    struct owners owners = {0};
    struct channel channel;
    char name[8];

    for (unsigned i = 0; i < OWNERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        channel = named(name);
        owners_orphan(&owners, &channel, i == 7 ? DOUBT_GONE : i == 9 ? DOUBT_ASK : DOUBT_NONE);
    }
    channel = named("a");
    owners_orphan(&owners, &channel, DOUBT_NONE);
    channel = named("7");
    CU_ASSERT_PTR_NULL(owners_find(&owners, &channel));
    channel = named("b");
    owners_orphan(&owners, &channel, DOUBT_NONE);
    channel = named("9");
    CU_ASSERT_PTR_NULL(owners_find(&owners, &channel));
    EXPECT_NUMBER(owners.count, OWNERS_MAX);
}

static void who_died_holds_nothing(void)
{
    const struct channel one = numbered(1);
    struct owners owners = {0};
    pid_t child = fork_child();

    if (child == 0)
        _exit(pause());
    owners_hold(&owners, &one, child, rundir_process_start(child));
    EXPECT_NUMBER(owners_state(&owners.list[0]), OWNER_HOLDS);
    owners.list[0].start++; /* another process of that number */
    EXPECT_NUMBER(owners_state(&owners.list[0]), OWNER_IS_DEAD);
    owners.list[0].start = 0; /* it had no /proc to learn it from */
    EXPECT_NUMBER(owners_state(&owners.list[0]), OWNER_HOLDS);
    end_child(child);
    EXPECT_NUMBER(owners_state(&owners.list[0]), OWNER_IS_DEAD);
}

/* ---- the files of older programs ---- */

struct desk {
    struct folder folder;
    struct settings settings;
};

static void desk_begin(struct desk *desk, const char *device)
{
    struct report why = REPORT_INIT;

    folder_make(&desk->folder);
    settings_init(&desk->settings);
    EXPECT(settings_set(&desk->settings, "device", device, &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&desk->settings, "run-dir", desk->folder.path, &why), OUTCOME_OK, &why);
}

static void desk_end(struct desk *desk)
{
    settings_clear(&desk->settings);
    folder_remove(&desk->folder);
}

static void read_claims(const struct desk *desk, enum owner claims[CHANNEL_MAX + 1])
{
    struct rundir_place place;

    rundir_place_open(&place, &desk->settings);
    old_claims_read(&place, claims);
    rundir_place_close(&place);
}

static void remove_claim(const struct desk *desk, unsigned number)
{
    struct rundir_place place;

    rundir_place_open(&place, &desk->settings);
    old_claims_remove(&place, number);
    rundir_place_close(&place);
}

static void an_older_programs_claims_are_honoured(void)
{
    enum owner claims[CHANNEL_MAX + 1];
    struct desk desk;
    char path[192], text[64];
    int fd;

    desk_begin(&desk, "/dev/ttyUSB7");
    (void)snprintf(text, sizeof text, "%ld %llu\n", (long)getpid(),
                   (unsigned long long)rundir_process_start(getpid()));
    folder_write(&desk.folder, "dev-ttyUSB7.channel-19", text, strlen(text), 0660, path);
    folder_write(&desk.folder, "dev-ttyUSB8.channel-2", text, strlen(text), 0660, path);
    folder_write(&desk.folder, "dev-ttyUSB7.channel-2", "1 42\n", 5, 0660, path);
    folder_write(&desk.folder, "dev-ttyUSB7.channel-20", text, strlen(text), 0660, path);
    folder_write(&desk.folder, "dev-ttyUSB7.channel-03", text, strlen(text), 0660, path);
    folder_write(&desk.folder, "dev-ttyUSB7.channel-1", text, strlen(text), 0660, path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL(flock(fd, LOCK_EX), 0);
    read_claims(&desk, claims);
    EXPECT_NUMBER(claims[1], OWNER_HOLDS);
    EXPECT_NUMBER(claims[2], OWNER_IS_DEAD);
    EXPECT_NUMBER(claims[3], OWNER_NONE);
    EXPECT_NUMBER(claims[19], OWNER_LIVES);
    remove_claim(&desk, 2);
    (void)close(fd);
    read_claims(&desk, claims);
    EXPECT_NUMBER(claims[1], OWNER_LIVES);
    EXPECT_NUMBER(claims[2], OWNER_NONE);
    desk_end(&desk);
}

static void senseless_and_hostile_claims_do_no_harm(void)
{
    static const char *const texts[] = {
        "", "x", "-1 5\n", "0 0\n", "1", "99999999999999999999 1\n", "1 99999999999999999999\n"};
    enum owner claims[CHANNEL_MAX + 1];
    struct report why = REPORT_INIT;
    struct desk desk;
    char path[192];
    size_t i;

    desk_begin(&desk, "/dev/ttyUSB7");
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        folder_write(&desk.folder, "dev-ttyUSB7.channel-4", texts[i], strlen(texts[i]), 0660, path);
        read_claims(&desk, claims);
        EXPECT_NUMBER(claims[4], OWNER_IS_DEAD);
        remove_claim(&desk, 4);
    }
    /* A link that leads elsewhere is not followed, a fifo does not hold anybody up. */
    folder_write(&desk.folder, "victim", "precious", 8, 0600, path);
    (void)snprintf(path, sizeof path, "%s/dev-ttyUSB7.channel-4", desk.folder.path);
    CU_ASSERT_EQUAL(symlink("victim", path), 0);
    read_claims(&desk, claims);
    EXPECT_NUMBER(claims[4], OWNER_NONE);
    (void)unlink(path);
    CU_ASSERT_EQUAL(mkfifo(path, 0660), 0);
    read_claims(&desk, claims);
    EXPECT_NUMBER(claims[4], OWNER_NONE);
    (void)unlink(path);
    /* Nor is a folder believed that others can write, or that is none. */
    folder_write(&desk.folder, "dev-ttyUSB7.channel-4", "1 42\n", 5, 0660, path);
    CU_ASSERT_EQUAL(chmod(desk.folder.path, 0777), 0);
    read_claims(&desk, claims);
    EXPECT_NUMBER(claims[4], OWNER_NONE);
    EXPECT(settings_set(&desk.settings, "run-dir", "/dev/null", &why), OUTCOME_OK, &why);
    read_claims(&desk, claims);
    remove_claim(&desk, 4);
    EXPECT_NUMBER(claims[4], OWNER_NONE);
    desk_end(&desk);
}

/* ---- end to end ---- */

/* A program that was killed had channel 1, so that even that one may be closed. */
static void a_killed_programs_channel_is_closed_first(void)
{
    static const struct modem_step steps[] = {
        CLOSE, OPEN, SELECT, CSIM("01 84 00 00 02", "0102 9000"), CLOSE, MODEM_END};
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
        CLOSE, OPEN, SELECT, CSIM("01 84 00 00 02", "0102 9000"), CLOSE, MODEM_END};
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

static void a_held_channel_is_left_open(void)
{
    static const struct modem_step steps[] = {CSIM("00 70 00 00 01", "6A81"),
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
        CLOSE,
        COLD,
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "run-dir", "/dev/null/run");
    seat_signs(&seat);
    EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CSIM=10,\"0070800100\""), 1);
    seat_signs(&seat);
    seat_end(&seat);
}

/* A session has no number; the modem's name for it is what is noted. */
static void a_killed_programs_session_is_closed_by_its_name(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CCHC=7", OK), LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 1\r\n" OK),
        CGLA("00 84 00 00 02", "0102 9000"), LINE("AT+CCHC=1", OK), MODEM_END};
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

/* What another run-dir's programs left, or what was never written down: two applets of ours, and one
 * of a network. */
static void closing_looks_at_every_channel(void)
{
    static const struct modem_step steps[] = {STATUS("6D00"),
                                              CSIM("01 20 00 81", "63C3"),
                                              CLOSE,
                                              STATUS_2("9000"),
                                              CSIM("82 F2 00 01 00", "84 10 " USIM_AID " 9000"),
                                              CSIM("83 F2 00 0C", "6E00"),
                                              CSIM("03 20 00 81", "6D00"),
                                              CSIM("03 CC 02 00 00", "00010000 9000"),
                                              CSIM("00 70 80 03 00", "9000"),
                                              CSIM("C0 F2 00 0C", "6D00"),
                                              CSIM("40 20 00 81", "6D00"),
                                              CSIM("40 CC 02 00 00", "6D00"),
                                              CSIM("C1 F2 00 0C", "6881"),
                                              MODEM_END};
    struct sim_found found;
    struct seat seat;

    seat_begin(&seat, steps, seat_no_channels, NULL, NULL);
    seat_hold(sim_settings(seat.sim), 6);
    EXPECT(sim_shut(seat.sim, &found, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_FALSE(found.closed);
    EXPECT_NUMBER(found.count, 3);
    EXPECT_TEXT(found.channels[0].name, "6");
    EXPECT_NUMBER(found.channels[0].end, SIM_CHANNEL_HELD);
    EXPECT_NUMBER(found.channels[0].pid, getpid());
    EXPECT_TEXT(found.channels[1].name, "1");
    EXPECT_NUMBER(found.channels[1].end, SIM_CHANNEL_CLOSED);
    EXPECT_TEXT(found.channels[2].name, "3");
    EXPECT_NUMBER(found.channels[2].end, SIM_CHANNEL_CLOSED);
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

void add_owners_suite(void)
{
    static const struct test tests[] = {
        TEST(an_entry_is_found_by_its_channel_until_it_is_removed),
        TEST(a_full_table_loses_what_is_least_likely_to_be_open),
        TEST(who_died_holds_nothing),
        TEST(an_older_programs_claims_are_honoured),
        TEST(senseless_and_hostile_claims_do_no_harm),
        TEST(a_killed_programs_channel_is_closed_first),
        TEST(an_older_programs_channel_is_closed_first),
        TEST(a_held_channel_is_left_open),
        TEST(a_channel_of_ones_own_is_held_while_it_is_open),
        TEST(a_channel_that_was_called_gone_and_is_open_is_closed),
        TEST(a_channel_that_is_somebody_elses_is_left_open_and_stays_known),
        TEST(a_channel_on_which_another_program_selected_is_closed),
        TEST(after_a_restart_a_channel_stays_known_until_its_number_is_given_out),
        TEST(a_channel_whose_closing_is_refused_is_kept_for_three_operations),
        TEST(without_a_folder_a_channel_that_could_not_be_closed_is_closed_later),
        TEST(a_killed_programs_session_is_closed_by_its_name),
        TEST(closing_looks_at_every_channel),
        TEST(closing_tells_of_what_stays_open),
    };

    ADD_SUITE("owners", tests);
}
