/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the logical channels are: claims in the run-dir, by living, dead and other processes, and what leaked channels become
 * of them end to end. */
#include "apdu/session/claim.h"
#include "test/unit/pty.h"
#include "test/unit/safe2_seat.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void a_claim_is_seen_until_it_is_given_up(void)
{
    struct desk desk;
    int claim;

    desk_begin(&desk, "/dev/ttyUSB7");
    EXPECT_NUMBER(claim_look(&desk.settings, 1), CLAIM_NONE);
    claim = claim_take(&desk.settings, 1, false);
    EXPECT_NUMBER(claim, -1);
    EXPECT_NUMBER(claim_look(&desk.settings, 1), CLAIM_OURS);
    EXPECT_NUMBER(claim_look(&desk.settings, 2), CLAIM_NONE);
    claim_release(&desk.settings, 1, claim);
    EXPECT_NUMBER(claim_look(&desk.settings, 1), CLAIM_NONE);
    claim_release(&desk.settings, 0, -1);
    desk_end(&desk);
}

static void a_held_channel_is_not_to_be_taken_away(void)
{
    struct desk desk;
    int claim;

    desk_begin(&desk, "/dev/ttyUSB7");
    claim = claim_take(&desk.settings, 3, true);
    CU_ASSERT(claim >= 0);
    if (claim >= 0)
        CU_ASSERT(fcntl(claim, F_GETFD) & FD_CLOEXEC);
    EXPECT_NUMBER(claim_look(&desk.settings, 3), CLAIM_HELD);
    claim_release(&desk.settings, 3, claim);
    EXPECT_NUMBER(claim_look(&desk.settings, 3), CLAIM_NONE);
    desk_end(&desk);
}

static void a_dead_owners_claim_is_told_from_a_living_ones(void)
{
    struct desk desk;
    int ready[2];
    char byte;
    pid_t child;

    desk_begin(&desk, "/dev/ttyUSB7");
    CU_ASSERT_EQUAL(pipe2(ready, O_CLOEXEC), 0);
    child = fork_child();
    if (child == 0) {
        (void)claim_take(&desk.settings, 2, false);
        (void)claim_take(&desk.settings, 3, true);
        _exit(write(ready[1], "r", 1) == 1 ? pause() : 1);
    }
    CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
    EXPECT_NUMBER(claim_look(&desk.settings, 2), CLAIM_OURS);
    EXPECT_NUMBER(claim_look(&desk.settings, 3), CLAIM_HELD);
    /* What is somebody else's is not given up by us. */
    claim_release(&desk.settings, 2, -1);
    EXPECT_NUMBER(claim_look(&desk.settings, 2), CLAIM_OURS);
    end_child(child);
    EXPECT_NUMBER(claim_look(&desk.settings, 2), CLAIM_DEAD);
    EXPECT_NUMBER(claim_look(&desk.settings, 3), CLAIM_DEAD);
    claim_bury(&desk.settings, 2);
    EXPECT_NUMBER(claim_look(&desk.settings, 2), CLAIM_NONE);
    close(ready[0]);
    close(ready[1]);
    desk_end(&desk);
}

static void claims_of_another_device_are_other_claims(void)
{
    struct desk desk;
    struct report why = REPORT_INIT;

    desk_begin(&desk, "/dev/ttyUSB7");
    (void)claim_take(&desk.settings, 1, false);
    EXPECT(settings_set(&desk.settings, "device", "/dev/ttyUSB8", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(claim_look(&desk.settings, 1), CLAIM_NONE);
    desk_end(&desk);
}

/* One device under two names is one device. */
static void a_links_claims_are_its_devices(void)
{
    struct desk desk;
    struct report why = REPORT_INIT;
    char link[192];

    desk_begin(&desk, "/dev/null");
    snprintf(link, sizeof link, "%s/by-id", desk.folder.path);
    CU_ASSERT_EQUAL(symlink("/dev/null", link), 0);
    (void)claim_take(&desk.settings, 1, false);
    EXPECT(settings_set(&desk.settings, "device", link, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(claim_look(&desk.settings, 1), CLAIM_OURS);
    desk_end(&desk);
}

static void without_a_usable_folder_there_are_no_claims(void)
{
    static const char *const places[] = {"/nonexistent/run", "/dev/null", "/proc"};
    struct desk desk;
    struct report why = REPORT_INIT;
    size_t i;

    desk_begin(&desk, "/dev/ttyUSB7");
    for (i = 0; i < 3; i++) {
        EXPECT(settings_set(&desk.settings, "run-dir", places[i], &why), OUTCOME_OK, &why);
        EXPECT_NUMBER(claim_take(&desk.settings, 1, true), -1);
        EXPECT_NUMBER(claim_look(&desk.settings, 1), CLAIM_NONE);
        claim_bury(&desk.settings, 1);
        claim_release(&desk.settings, 1, -1);
    }
    desk_end(&desk);
}

/* Everybody may write there: nothing in it is believed, and nothing is written into it. */
static void a_folder_that_others_can_write_is_not_used(void)
{
    struct desk desk;

    desk_begin(&desk, "/dev/ttyUSB7");
    CU_ASSERT_EQUAL(chmod(desk.folder.path, 0777), 0);
    EXPECT_NUMBER(claim_take(&desk.settings, 1, true), -1);
    EXPECT_NUMBER(claim_look(&desk.settings, 1), CLAIM_NONE);
    desk_end(&desk);
}

static void senseless_and_hostile_claims_do_no_harm(void)
{
    static const char *const texts[] = {
        "", "x", "-1 5\n", "0 0\n", "1", "99999999999999999999 1\n", "1 99999999999999999999\n"};
    struct desk desk;
    char path[192];
    size_t i;

    desk_begin(&desk, "/dev/ttyUSB7");
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        folder_write(&desk.folder, "dev-ttyUSB7.channel-4", texts[i], strlen(texts[i]), 0660, path);
        EXPECT_NUMBER(claim_look(&desk.settings, 4), CLAIM_DEAD);
        claim_bury(&desk.settings, 4);
    }
    /* A link that leads elsewhere is not followed, a fifo does not hold anybody up. */
    folder_write(&desk.folder, "victim", "precious", 8, 0600, path);
    snprintf(path, sizeof path, "%s/dev-ttyUSB7.channel-4", desk.folder.path);
    CU_ASSERT_EQUAL(symlink("victim", path), 0);
    EXPECT_NUMBER(claim_take(&desk.settings, 4, true), -1);
    EXPECT_NUMBER(claim_look(&desk.settings, 4), CLAIM_NONE);
    unlink(path);
    CU_ASSERT_EQUAL(mkfifo(path, 0660), 0);
    EXPECT_NUMBER(claim_take(&desk.settings, 4, true), -1);
    EXPECT_NUMBER(claim_look(&desk.settings, 4), CLAIM_NONE);
    snprintf(path, sizeof path, "%s/victim", desk.folder.path);
    {
        struct stat victim;

        CU_ASSERT_EQUAL(stat(path, &victim), 0);
        EXPECT_NUMBER(victim.st_size, 8);
    }
    desk_end(&desk);
}

/* ---- end to end ---- */

/* A program that was killed had claimed channel 1, so that even that one may be closed. */
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
        (void)claim_take(sim_settings(seat.sim), 1, true);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    EXPECT_NUMBER(claim_look(sim_settings(seat.sim), 1), CLAIM_DEAD);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

static void a_held_channel_is_left_alone(void)
{
    static const struct modem_step steps[] = {CSIM("00 70 00 00 01", "6A81"),
                                              CSIM("00 70 80 02 00", "9000"),
                                              CSIM("00 70 00 00 01", "02 9000"),
                                              CSIM("02 A4 04 0C 0D " MIAS_AID, "9000"),
                                              CSIM("02 84 00 00 02", "0102 9000"),
                                              CSIM("00 70 80 02 00", "9000"),
                                              MODEM_END};
    struct seat seat;
    uint8_t bytes[2];
    int claim;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    claim = claim_take(sim_settings(seat.sim), 3, true);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    claim_release(sim_settings(seat.sim), 3, claim);
    seat_end(&seat);
}

/* A channel that is not written down for other processes. */
static void a_channel_of_ones_own_is_claimed_while_it_stands(void)
{
    static const struct modem_step steps[] = {OPEN, SELECT_SAFE2, ASK("00010000 9000"), BYE,
                                              MODEM_END};
    struct settings settings;
    struct report why = REPORT_INIT;
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(settings_copy(&settings, sim_settings(seat.sim), &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(claim_look(&settings, 1), CLAIM_NONE);
    asks(&seat, SAFE2_RECEIVING, 1, 0);
    EXPECT_NUMBER(claim_look(&settings, 1), CLAIM_HELD);
    sim_free(seat.sim);
    seat.sim = NULL;
    EXPECT_NUMBER(claim_look(&settings, 1), CLAIM_NONE);
    settings_clear(&settings);
    seat_end(&seat);
}

#define OPEN_2   CSIM("00 70 00 00 01", "02 9000")
#define SELECT_2 "AT+CSIM=36,\"02A4040C0D" MIAS_AID "\""

/* The number of our channel is another program's, or the modem's, when another program saw the modem
 * restart: it is neither used nor closed. */
static void what_another_program_saw_end_is_not_ours_any_more(void)
{
    static const char *const said[] = {"\r\nRDY\r\n+CFUN: 1\r\n", "\r\n+CME ERROR: 10\r\n"};
    struct seat seat, other;
    size_t i;

    for (i = 0; i < sizeof said / sizeof said[0]; i++) {
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

static void claims_are_all_given_up_at_once(void)
{
    struct desk desk;
    int first, last;

    desk_begin(&desk, "/dev/ttyUSB7");
    first = claim_take(&desk.settings, 1, true);
    last = claim_take(&desk.settings, 19, true);
    CU_ASSERT(first >= 0 && claim_stands(first) && last >= 0 && claim_stands(last));
    CU_ASSERT(claim_stands(-1));
    claim_bury_all(&desk.settings);
    CU_ASSERT_FALSE(claim_stands(first));
    CU_ASSERT_FALSE(claim_stands(last));
    EXPECT_NUMBER(claim_look(&desk.settings, 19), CLAIM_NONE);
    claim_release(&desk.settings, 1, first);
    claim_release(&desk.settings, 19, last);
    desk_end(&desk);
}

void add_claim_suite(void)
{
    static const struct test tests[] = {
        TEST(a_claim_is_seen_until_it_is_given_up),
        TEST(a_held_channel_is_not_to_be_taken_away),
        TEST(a_dead_owners_claim_is_told_from_a_living_ones),
        TEST(claims_of_another_device_are_other_claims),
        TEST(a_links_claims_are_its_devices),
        TEST(without_a_usable_folder_there_are_no_claims),
        TEST(a_folder_that_others_can_write_is_not_used),
        TEST(senseless_and_hostile_claims_do_no_harm),
        TEST(a_killed_programs_channel_is_closed_first),
        TEST(a_held_channel_is_left_alone),
        TEST(a_channel_of_ones_own_is_claimed_while_it_stands),
        TEST(what_another_program_saw_end_is_not_ours_any_more),
        TEST(claims_are_all_given_up_at_once),
    };

    ADD_SUITE("claim", tests);
}
