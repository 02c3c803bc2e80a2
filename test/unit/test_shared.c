/* SPDX-License-Identifier: Apache-2.0 */
/* One session on the card for several processes: what stands is gone on with, by those who have a
 * PIN; the last one closes it; what a process that died left behind is cleaned up by the next. */
#include "apdu/applet/mias.h"
#include "apdu/session/record.h"
#include "apdu/session/rundir.h"
#include "apdu/session/session.h"
#include "test/unit/pty.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signs in a process of its own, with the seat's settings and one more; its sim is given back, or
 * it is killed with the sim in its hands. */
static void another_process_signs(struct seat *seat, const char *name, const char *value,
                                  enum outcome wanted, bool killed)
{
    struct settings settings;
    struct report why = REPORT_INIT;
    int status = -1;
    pid_t child = fork_child();

    if (child == 0) {
        struct seat other = *seat;
        enum outcome outcome = OUTCOME_SYSTEM;

        settings_init(&settings);
        if (settings_copy(&settings, sim_settings(seat->sim), &why) == OUTCOME_OK &&
            (name == NULL || settings_set(&settings, name, value, &why) == OUTCOME_OK) &&
            sim_new(&other.sim, &settings, &why) == OUTCOME_OK)
            outcome = seat_sign(&other);
        if (outcome != wanted)
            (void)fprintf(stderr, "the other process: %s\n", other.why.text);
        if (!killed)
            sim_free(other.sim);
        _exit(outcome == wanted ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    EXPECT_NUMBER(status, 0);
}

static void the_next_process_goes_on_with_two_commands(void)
{
    static const struct modem_step steps[] = {COLD, WARM, WARM, WARM, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_process_signs(&seat, NULL, NULL, OUTCOME_OK, false);
    another_process_signs(&seat, NULL, NULL, OUTCOME_OK, true);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Whoever asks for what the applet refuses pays for the new start that shows it; the others go on with the
 * session, and set the environment anew. The same for a key in another SIM, where the modem tells which it is. */
static void what_the_applet_refuses_costs_the_others_no_session(void)
{
    static const struct modem_step steps[] = {
        COLD,     HASH, CDS_SAYS("6985"), CLOSE, OPEN, SELECT, STATE, VERIFY,
        MSE,      HASH, CDS_SAYS("6985"), MSE,   WARM, WARM,   WARM,  CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_process_signs(&seat, NULL, NULL, OUTCOME_REFUSED, false);
    another_process_signs(&seat, NULL, NULL, OUTCOME_OK, false);
    seat_signs(&seat);
    (void)snprintf(seat.key.iccid, sizeof seat.key.iccid, "8949000000000000001");
    another_process_signs(&seat, NULL, NULL, OUTCOME_WRONG_SIM, false);
    seat.key.iccid[0] = '\0';
    seat_signs(&seat);
    seat_end(&seat);
}

/* The modem was set up, and the ICCID asked for, by the first one. */
static void the_next_process_asks_nothing_again(void)
{
    static const struct modem_step steps[] = {
        LINE("AT", OK), LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", OK), COLD_ASKING, WARM, CLOSE,
        MODEM_END};
    static const struct modem_step nothing[] = {MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, nothing, NULL, NULL);
    seat_signs(&seat);
    another_process_signs(&seat, NULL, NULL, OUTCOME_OK, false);
    seat_end(&seat);
}

static void the_last_of_the_living_closes_the_channel(void)
{
    static const struct modem_step steps[] = {COLD, CLOSE, COLD, WARM, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    another_process_signs(&seat, NULL, NULL, OUTCOME_OK, false); /* alone: closes */
    another_process_signs(&seat, NULL, NULL, OUTCOME_OK, true);  /* dies: leaves it */
    seat_signs(&seat);
    seat_end(&seat);
}

static void a_kept_session_stays(void)
{
    static const struct modem_step steps[] = {COLD, WARM, WARM, CLOSE, MODEM_END};
    struct sim_found found;
    struct seat seat;

    seat_begin_with_file(&seat, steps, seat_no_channels, "session", "keep");
    another_process_signs(&seat, NULL, NULL, OUTCOME_OK, false);
    another_process_signs(&seat, NULL, NULL, OUTCOME_OK, false);
    seat_signs(&seat);
    EXPECT(sim_shut(seat.sim, &found, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_TRUE(found.closed && found.count == 0);
    EXPECT(sim_shut(seat.sim, &found, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_FALSE(found.closed || found.count > 0);
    seat_end(&seat);
}

static void who_shares_does_not_close_what_another_one_keeps(void)
{
    static const struct modem_step steps[] = {COLD, WARM, WARM, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, "session", "keep");
    seat_signs(&seat);
    another_process_signs(&seat, "session", "shared", OUTCOME_OK, false);
    seat_signs(&seat);
    seat_end(&seat);
}

static void without_a_pin_nobody_uses_what_another_ones_pin_opened(void)
{
    static const struct modem_step steps[] = {COLD, WARM, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_process_signs(&seat, "pin-source", "", OUTCOME_PIN_MISSING, false);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Nor on a channel of its own, where some cards call verified what was verified on another. */
static void nor_on_a_channel_of_its_own(void)
{
    static const struct modem_step steps[] = {COLD,
                                              CSIM("00 70 00 00 01", "02 9000"),
                                              CSIM("02 A4 04 0C 0D " MIAS_AID, "9000"),
                                              CSIM("00 70 80 02 00", "9000"),
                                              WARM,
                                              CLOSE,
                                              MODEM_END};
    struct settings settings;
    struct report why = REPORT_INIT;
    struct sim *mine;
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    settings_init(&settings);
    EXPECT(settings_copy(&settings, sim_settings(seat.sim), &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "pin-source", "", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "session", "private", &why), OUTCOME_OK, &why);
    mine = seat.sim;
    EXPECT(sim_new(&seat.sim, &settings, &why), OUTCOME_OK, &why);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_MISSING, &seat.why);
    sim_free(seat.sim);
    seat.sim = mine;
    settings_clear(&settings);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Where the card's PIN is disabled, those without one share as well. */
static void a_card_without_a_pin_is_shared_by_all(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT, CSIM("01 20 00 81", "9000"), MSE, HASH, CDS, WARM, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "pin", "");
    seat_signs(&seat);
    another_process_signs(&seat, NULL, NULL, OUTCOME_OK, false);
    seat_end(&seat);
}

static unsigned recorded_generation(struct seat *seat)
{
    struct record record;
    int fd = record_open(sim_settings(seat->sim), &record);

    CU_ASSERT_TRUE(fd >= 0);
    (void)close(fd);
    return record.generation;
}

static enum outcome no_work(struct operation *operation, void *arg, struct report *why)
{
    (void)operation;
    (void)arg;
    (void)why;
    return OUTCOME_OK;
}

/* A second start after a failure on the shared session of that generation. */
static void start_again(struct seat *seat, unsigned generation)
{
    const struct job job = {.applet = &applet_mias,
                            .pin = true,
                            .again = true,
                            .generation = generation,
                            .proven = true};

    EXPECT(session_run(seat->sim, &job, no_work, NULL, &seat->why), OUTCOME_OK, &seat->why);
}

/* What another process has made since is not what failed. */
static void a_second_start_breaks_no_session_but_the_one_that_failed(void)
{
    static const struct modem_step steps[] = {COLD,   WARM, CLOSE, OPEN, SELECT, STATE,
                                              VERIFY, MSE,  HASH,  CDS,  CLOSE,  MODEM_END};
    struct seat seat;
    unsigned first;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    first = recorded_generation(&seat);
    CU_ASSERT_TRUE(first > 0);
    start_again(&seat, first + 1);
    seat_signs(&seat);
    start_again(&seat, first);
    CU_ASSERT_NOT_EQUAL(recorded_generation(&seat), first);
    seat_signs(&seat);
    seat_end(&seat);
}

static void a_private_process_leaves_the_shared_session_alone(void)
{
    static const struct modem_step steps[] = {
        COLD,
        CSIM("00 70 00 00 01", "02 9000"),
        CSIM("02 A4 04 0C 0D " MIAS_AID, "9000"),
        CSIM("02 20 00 81", "63C3"),
        ECHO_OFF,
        CSIM("02 20 00 81 04 30303030", "9000"),
        CSIM("02 22 41 B6 06 800142 840131", "9000"),
        CSIM("02 2A 90 A0 22 9020 " DIGEST " 00", DIGEST "9000"),
        CSIM("02 2A 9E 9A 00", "51674E 9000"),
        CSIM("00 70 80 02 00", "9000"),
        WARM,
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_process_signs(&seat, "session", "private", OUTCOME_OK, false);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Writes into the record that somebody died in the middle of an exchange. */
static void somebody_died(struct seat *seat)
{
    struct record record;
    int fd = record_open(sim_settings(seat->sim), &record);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    record.dirty = true;
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
}

static void after_a_death_the_line_is_cleaned_and_the_channel_closed(void)
{
    static const struct modem_step steps[] = {COLD, CLOSE, COLD, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    somebody_died(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* It takes itself out of the users and leaves the line as it is. */
static void a_program_that_ends_does_not_hide_that_another_one_died(void)
{
    static const struct modem_step steps[] = {COLD, MODEM_END};
    struct settings settings;
    struct record record;
    struct seat seat;
    int fd;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    settings_init(&settings);
    EXPECT(settings_copy(&settings, sim_settings(seat.sim), &seat.why), OUTCOME_OK, &seat.why);
    fd = record_open(&settings, &record);
    record.users[record.user_count++] =
        (struct record_user){getppid(), rundir_process_start(getppid()), 1};
    record.dirty = true;
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    sim_free(seat.sim);
    seat.sim = NULL;
    CU_ASSERT_TRUE(record_peek(&settings, &record) && record.dirty);
    EXPECT_NUMBER(record.user_count, 1);
    settings_clear(&settings);
    seat_end(&seat);
}

static void without_a_folder_sessions_are_private(void)
{
    static const struct modem_step steps[] = {COLD, CLOSE, COLD, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, "run-dir", "/dev/null/run");
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

void add_shared_suite(void)
{
    static const struct test tests[] = {
        TEST(the_next_process_goes_on_with_two_commands),
        TEST(what_the_applet_refuses_costs_the_others_no_session),
        TEST(the_next_process_asks_nothing_again),
        TEST(the_last_of_the_living_closes_the_channel),
        TEST(a_kept_session_stays),
        TEST(who_shares_does_not_close_what_another_one_keeps),
        TEST(without_a_pin_nobody_uses_what_another_ones_pin_opened),
        TEST(nor_on_a_channel_of_its_own),
        TEST(a_card_without_a_pin_is_shared_by_all),
        TEST(a_second_start_breaks_no_session_but_the_one_that_failed),
        TEST(a_private_process_leaves_the_shared_session_alone),
        TEST(after_a_death_the_line_is_cleaned_and_the_channel_closed),
        TEST(a_program_that_ends_does_not_hide_that_another_one_died),
        TEST(without_a_folder_sessions_are_private),
    };

    ADD_SUITE("shared", tests);
}
