/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use what a PIN has opened, and where a PIN is sent when a channel is found open: to the
 * applet that was just selected, over a line that does not repeat it, once. */
#include "apdu/session/record.h"
#include "test/unit/pty.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#define ASKED CSIM("81 F2 00 0C", "6D00") /* whose the channel is: the applet does not know that */

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same on channel 2. */
#define OPEN_2       CSIM("00 70 00 00 01", "02 9000")
#define SELECT_2     CSIM("02 A4 04 0C 0D " MIAS_AID, "9000")
#define STATE_2      CSIM("02 20 00 81", "63C3")
#define VERIFY_2     ECHO_OFF, CSIM("02 20 00 81 04 30303030", "9000")
#define CLOSE_2      CSIM("00 70 80 02 00", "9000")
#define PROVEN_ALONE OPEN_2, SELECT_2, STATE_2, VERIFY_2, CLOSE_2

/* Signs in a process of its own with the PIN from a file of this name, or with a literal one. */
static void another_one_signs(struct seat *seat, const char *file, const char *pin, int times,
                              enum outcome wanted)
{
    int status = -1;
    pid_t child = fork_child();

    if (child == 0) {
        struct seat other = *seat;
        struct settings settings;
        struct report why = REPORT_INIT;
        char path[192] = "0000";
        enum outcome outcome = OUTCOME_SYSTEM;

        if (file != NULL)
            folder_write(&seat->run_dir, file, pin, strlen(pin), 0600, path);
        settings_init(&settings);
        if (settings_copy(&settings, sim_settings(seat->sim), &why) == OUTCOME_OK &&
            settings_set(&settings, file != NULL ? "pin-source" : "pin", path, &why) ==
                OUTCOME_OK &&
            sim_new(&other.sim, &settings, &why) == OUTCOME_OK)
            for (outcome = wanted; times > 0 && outcome == wanted; times--)
                outcome = seat_sign(&other);
        if (outcome != wanted)
            (void)fprintf(stderr, "the other process: %s\n", other.why.text);
        sim_free(other.sim);
        _exit(outcome == wanted ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    EXPECT_NUMBER(status, 0);
}

/* ---- who rides ---- */

static void another_source_proves_its_own_pin_first_and_only_once(void)
{
    static const struct modem_step steps[] = {COLD, PROVEN_ALONE, WARM,     WARM,
                                              WARM, CLOSE,        MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_one_signs(&seat, "pin2", "0000\n", 2, OUTCOME_OK);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Any four digits in a file opened another one's session. */
static void a_wrong_pin_does_not_ride_and_takes_nothing_from_the_others(void)
{
    static const struct modem_step steps[] = {COLD,
                                              OPEN_2,
                                              SELECT_2,
                                              STATE_2,
                                              ECHO_OFF,
                                              CSIM("02 20 00 81 04 39383736", "63C2"),
                                              CLOSE_2,
                                              WARM,
                                              OPEN_2,
                                              SELECT_2,
                                              CSIM("02 20 00 81", "63C2"),
                                              CLOSE_2,
                                              WARM,
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_one_signs(&seat, "pin2", "9876\n", 1, OUTCOME_PIN_WRONG);
    seat_signs(&seat);
    another_one_signs(&seat, "pin3", "9876\n", 1, OUTCOME_PIN_PROTECTED);
    seat_signs(&seat);
    seat_end(&seat);
}

/* Not a PIN at all: nothing is asked of the SIM for it. */
static void who_has_no_pin_does_not_ride(void)
{
    static const struct modem_step steps[] = {COLD, WARM, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_one_signs(&seat, "pin2", "secret\n", 1, OUTCOME_PIN_MISSING);
    seat_signs(&seat);
    seat_end(&seat);
}

/* A card that wants no PIN has accepted none: whose it is does not matter, until the card wants one. */
static void a_pin_that_was_not_wanted_opened_nothing(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT, CSIM("01 20 00 81", "9000"), MSE, WARM, WARM, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_one_signs(&seat, "pin2", "9876\n", 1, OUTCOME_OK);
    seat_end(&seat);
}

static void a_literal_pin_counts_for_one_process(void)
{
    static const struct modem_step steps[] = {COLD,         PROVEN_ALONE, WARM,  WARM,
                                              PROVEN_ALONE, WARM,         CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_one_signs(&seat, NULL, NULL, 2, OUTCOME_OK);
    another_one_signs(&seat, NULL, NULL, 1, OUTCOME_OK);
    seat_end(&seat);
}

static void a_file_that_changed_is_proven_anew(void)
{
    static const struct modem_step steps[] = {COLD, PROVEN_ALONE, WARM, CLOSE, MODEM_END};
    char path[192];
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    folder_write(&seat.run_dir, "pin", "0000\n\n", 6, 0600, path);
    seat_signs(&seat);
    seat_end(&seat);
}

/* A card that calls verified on one channel what was verified on another: the others' is closed, so
 * that it has to say what it thinks of ours. */
static void where_the_card_does_not_tell_channels_apart_the_other_one_is_closed(void)
{
    static const struct modem_step steps[] = {COLD,  OPEN_2, SELECT_2, CSIM("02 20 00 81", "9000"),
                                              ASKED, CLOSE,  CLOSE_2,  COLD,
                                              WARM,  CLOSE,  MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_one_signs(&seat, "pin2", "0000\n", 2, OUTCOME_OK);
    seat_end(&seat);
}

static void where_there_is_no_second_channel_the_first_one_is_given_up(void)
{
    static const struct modem_step steps[] = {
        COLD,  CSIM("00 70 00 00 01", "6A81"),
        ASKED, CLOSE,
        OPEN,  SELECT,
        STATE, VERIFY,
        MSE,   WARM,
        WARM,  WARM, /* both sources are known on the new one */
        CLOSE, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_one_signs(&seat, "pin2", "0000\n", 2, OUTCOME_OK);
    seat_signs(&seat);
    seat_end(&seat);
}

/* The one that all share was taken by another program meanwhile. That says nothing of a PIN that was
 * accepted on another channel. */
static void a_refusal_on_the_shared_channel_is_not_held_against_the_pin_just_proven(void)
{
    static const struct modem_step steps[] = {COLD,         PROVEN_ALONE, HASH,  CDS_SAYS("6982"),
                                              CLOSE,        COLD, /* by the other one */
                                              PROVEN_ALONE, WARM,         CLOSE, MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    another_one_signs(&seat, "pin2", "0000\n", 1, OUTCOME_OK);
    seat_signs(&seat);
    seat_end(&seat);
}

#define OTHER_SIM LINE(CRSM, "\r\n+CRSM: 144,0,\"98883003000000000052\"\r\n" OK)

/* What was verified there stays in no record, or every program that comes anew is told for ever that the
 * SIM has just been changed. */
static void after_another_sim_was_put_in_a_second_program_says_so_once(void)
{
    static const struct modem_step steps[] = {COLD_ASKING, OPEN_2, OTHER_SIM, CLOSE_2, OPEN,
                                              OTHER_SIM,   SELECT, STATE,     VERIFY,  MSE,
                                              WARM,        CLOSE,  MODEM_END};
    static const struct modem_step standing[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                                 LINE("AT+CMEE=1", OK), MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, standing, NULL, NULL);
    seat_signs(&seat);
    another_one_signs(&seat, "pin2", "0000\n", 1, OUTCOME_WRONG_SIM);
    another_one_signs(&seat, "pin2", "0000\n", 1, OUTCOME_OK);
    seat_end(&seat);
}

/* ---- where a PIN goes ---- */

#define RANDOM CSIM("01 84 00 00 04", "01020304 9000")

static void take_random(struct seat *seat)
{
    uint8_t bytes[4];

    EXPECT(token_random(seat->sim, bytes, sizeof bytes, &seat->why), OUTCOME_OK, &seat->why);
}

static void on_a_channel_that_was_open_the_applet_is_selected_again(void)
{
    static const struct modem_step steps[] = {OPEN, SELECT, RANDOM, SELECT_AGAIN, STATE,    VERIFY,
                                              MSE,  WARM,   WARM,   CLOSE,        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    take_random(&seat);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

static void a_card_that_keeps_its_fci_waiting_is_not_asked_for_it(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT, RANDOM,   CSIM("01 A4 04 00 0D " MIAS_AID " 00", "6111"), STATE, VERIFY, MSE,
        WARM, CLOSE,  MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    take_random(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* The channel is somebody else's by now. */
static void where_another_application_answers_a_new_channel_is_taken(void)
{
    static const struct modem_step steps[] = {
        OPEN,   SELECT,
        RANDOM, CSIM("01 A4 04 00 0D " MIAS_AID " 00", "6F 12 84 10 " UICC_AID "9000"),
        CLOSE,  COLD,
        CLOSE,  MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    take_random(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

static void a_selection_with_a_warning_gets_no_pin(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              CSIM("01 A4 04 0C 0D " MIAS_AID, "6283"),
                                              CSIM("01 A4 04 0C 0D " MIAS_AID, "6283"),
                                              STATE,
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    seat_end(&seat);
}

#define CCHO_OPEN  LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 1\r\n" OK)
#define CCHO_CLOSE LINE("AT+CCHC=1", OK)

static void a_session_by_ccho_is_opened_anew(void)
{
    static const struct modem_step steps[] = {
        CCHO_OPEN,
        CGLA("00 84 00 00 04", "01020304 9000"),
        CCHO_CLOSE,
        CCHO_OPEN,
        CGLA("00 20 00 81", "63C3"),
        ECHO_OFF,
        CGLA("00 20 00 81 04 30303030", "9000"),
        CGLA("00 22 41 B6 06 800142 840131", "9000"),
        CGLA("00 2A 90 A0 22 9020 " DIGEST " 00", DIGEST "9000"),
        CGLA("00 2A 9E 9A 00", "51674E 9000"),
        CCHO_CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "ccho");
    take_random(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* The state says three, before and afterwards: on that card the answer is not to be trusted. */
static void a_lost_verify_is_the_last_one_of_its_source(void)
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
        STATE,
        SELECT_AGAIN,
        STATE,
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin_with_file(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    EXPECT_SAYS(seat.why.text, "not tried again");
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    seat_end(&seat);
}

static void a_refusal_holds_for_the_next_process_and_ends_with_a_persons_success(void)
{
    static const struct modem_step steps[] = {
        OPEN,         SELECT,   STATE,   ECHO_OFF, CSIM("01 20 00 81 04 30303030", "63C2"),
        SELECT_AGAIN, STATE,                                /* the next one */
        OPEN_2,       SELECT_2, STATE_2, VERIFY_2, CLOSE_2, /* a person */
        SELECT_AGAIN, STATE,    VERIFY,  MSE,      WARM,
        CLOSE,        MODEM_END};
    char stuck[TOKEN_PATH_SIZE];
    struct token_pin state;
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign(&seat), OUTCOME_PIN_WRONG, &seat.why);
    another_one_signs(&seat, NULL, NULL, 1, OUTCOME_PIN_PROTECTED);
    EXPECT(token_pin_verify(seat.sim, "0000", NULL, false, &state, stuck, &seat.why), OUTCOME_OK,
           &seat.why);
    CU_ASSERT_STRING_EQUAL(stuck, "");
    seat_signs(&seat);
    seat_end(&seat);
}

void add_riders_suite(void)
{
    static const struct test tests[] = {
        TEST(another_source_proves_its_own_pin_first_and_only_once),
        TEST(a_wrong_pin_does_not_ride_and_takes_nothing_from_the_others),
        TEST(who_has_no_pin_does_not_ride),
        TEST(a_pin_that_was_not_wanted_opened_nothing),
        TEST(a_literal_pin_counts_for_one_process),
        TEST(a_file_that_changed_is_proven_anew),
        TEST(where_the_card_does_not_tell_channels_apart_the_other_one_is_closed),
        TEST(where_there_is_no_second_channel_the_first_one_is_given_up),
        TEST(a_refusal_on_the_shared_channel_is_not_held_against_the_pin_just_proven),
        TEST(after_another_sim_was_put_in_a_second_program_says_so_once),
        TEST(on_a_channel_that_was_open_the_applet_is_selected_again),
        TEST(a_card_that_keeps_its_fci_waiting_is_not_asked_for_it),
        TEST(where_another_application_answers_a_new_channel_is_taken),
        TEST(a_selection_with_a_warning_gets_no_pin),
        TEST(a_session_by_ccho_is_opened_anew),
        TEST(a_lost_verify_is_the_last_one_of_its_source),
        TEST(a_refusal_holds_for_the_next_process_and_ends_with_a_persons_success),
    };

    ADD_SUITE("riders", tests);
}
