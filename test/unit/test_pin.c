/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that keep a SIM from blocking: the state costs nothing, software never goes below three
 * tries, a wrong PIN costs one try once, and no PIN ever goes to the other's place. Where PINs come
 * from is judged in test_pin_source.c. */
#include "apdu/applet/mias.h"
#include "apdu/applet/pin.h"
#include "test/unit/check.h"
#include "test/unit/scripted_card.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define ASK_81      "00 20 00 81"
#define ASK_81_FIVE "00 20 00 81 00"
#define ASK_01      "00 20 00 01"
#define VERIFY_81   "00 20 00 81 04 30303030"

static enum outcome ask_state(const struct card_step *steps, enum pin_reference reference,
                              struct token_pin *state, struct report *why)
{
    struct scripted_card card;
    enum outcome outcome;

    memset(state, 0x55, sizeof *state);
    card_start(&card, steps);
    outcome = pin_state(&card.card, reference, state, why);
    card_finish(&card);
    return outcome;
}

static void expect_state(const char *sw, bool verified, bool blocked, int left)
{
    const struct card_step steps[] = {{ASK_81, sw}, CARD_END};
    struct token_pin state;
    struct report why = REPORT_INIT;

    EXPECT(ask_state(steps, PIN_APPLET, &state, &why), OUTCOME_OK, &why);
    if (state.verified != verified || state.blocked != blocked || state.left != left)
        FAIL("%s: verified %d, blocked %d, %d left", sw, state.verified, state.blocked, state.left);
}

static void the_state_is_read_from_the_status_word(void)
{
    expect_state("9000", true, false, -1);
    expect_state("63C3", false, false, 3);
    expect_state("63C1", false, false, 1);
    expect_state("63CF", false, false, 15);
    expect_state("6983", false, true, 0);
    expect_state("63C0", false, true, 0);
}

static void a_stack_that_wants_a_fifth_byte_gets_it(void)
{
    static const char *const refusals[] = {"6700", "+CME 50", "+CME 3"};
    struct token_pin state;
    struct report why = REPORT_INIT;
    size_t i;

    for (i = 0; i < 3; i++) {
        const struct card_step steps[] = {{ASK_81, refusals[i]}, {ASK_81_FIVE, "63C3"}, CARD_END};

        EXPECT(ask_state(steps, PIN_APPLET, &state, &why), OUTCOME_OK, &why);
        EXPECT_NUMBER(state.left, 3);
    }
}

static void the_uiccs_pin_has_its_own_place_and_may_be_disabled(void)
{
    static const struct card_step open[] = {{ASK_01, "9000"}, CARD_END};
    static const struct card_step disabled[] = {{ASK_01, "6984"}, CARD_END};
    static const struct card_step closed[] = {{ASK_01, "63C2"}, CARD_END};
    struct token_pin state;
    struct report why = REPORT_INIT;

    EXPECT(ask_state(open, PIN_UICC, &state, &why), OUTCOME_OK, &why);
    CU_ASSERT(state.verified);
    EXPECT(ask_state(disabled, PIN_UICC, &state, &why), OUTCOME_OK, &why);
    CU_ASSERT(state.verified && !state.blocked);
    EXPECT(ask_state(closed, PIN_UICC, &state, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(state.left, 2);
}

static void a_senseless_state_is_an_error(void)
{
    static const char *const words[] = {"6D00", "6E00", "6A88", "6F00"};
    struct token_pin state;
    struct report why = REPORT_INIT;
    size_t i;

    for (i = 0; i < 4; i++) {
        const struct card_step steps[] = {{ASK_81, words[i]}, CARD_END};

        CU_ASSERT(ask_state(steps, PIN_APPLET, &state, &why) != OUTCOME_OK);
        CU_ASSERT(why.text[0] != '\0');
    }
}

/* ---- software ---- */

static void select_for(struct scripted_card *card, enum pin_reference reference)
{
    if (reference == PIN_APPLET)
        card_select(card, mias_aid, sizeof mias_aid);
    else
        card_select(card, uicc_aid, sizeof uicc_aid);
}

/* With the PIN of these settings, and what is remembered of the SIM. */
static enum outcome unlock_by(const struct settings *settings, const struct card_step *steps,
                              enum pin_reference reference, struct pin_memory *memory,
                              struct report *why)
{
    struct scripted_card card;
    struct pin_given given;
    struct pin_try try = {
        .given = &given, .memory = memory, .sim = "89880330000000000017", .settings = settings};
    enum outcome outcome;

    pin_given_read(&given, settings, reference);
    card_start(&card, steps);
    select_for(&card, reference);
    outcome = pin_unlock(&card.card, reference, &try, why);
    card_finish(&card);
    pin_given_clear(&given);
    return outcome;
}

static enum outcome unlock(const struct card_step *steps, enum pin_reference reference,
                           const char *pin, struct report *why)
{
    struct pin_memory memory = {.count = 0};
    struct settings settings;
    enum outcome outcome;

    settings_init(&settings);
    if (pin)
        EXPECT(settings_set(&settings, "pin", pin, why), OUTCOME_OK, why);
    outcome = unlock_by(&settings, steps, reference, &memory, why);
    settings_clear(&settings);
    return outcome;
}

static void a_verified_pin_is_not_sent(void)
{
    static const struct card_step steps[] = {{ASK_81, "9000"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(unlock(steps, PIN_APPLET, "0000", &why), OUTCOME_OK, &why);
    EXPECT(unlock(steps, PIN_APPLET, NULL, &why), OUTCOME_OK, &why);
}

static void the_applets_pin_goes_as_its_digits(void)
{
    static const struct card_step four[] = {{ASK_81, "63C3"}, {VERIFY_81, "9000"}, CARD_END};
    static const struct card_step sixteen[] = {
        {ASK_81, "63C5"}, {"00 20 00 81 10 31323334353637383930313233343536", "9000"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(unlock(four, PIN_APPLET, "0000", &why), OUTCOME_OK, &why);
    EXPECT(unlock(sixteen, PIN_APPLET, "1234567890123456", &why), OUTCOME_OK, &why);
}

static void software_never_tries_below_three(void)
{
    static const char *const words[] = {"63C2", "63C1"};
    struct report why = REPORT_INIT;
    size_t i;

    for (i = 0; i < 2; i++) {
        const struct card_step steps[] = {{ASK_81, words[i]}, CARD_END};

        EXPECT(unlock(steps, PIN_APPLET, "0000", &why), OUTCOME_PIN_PROTECTED, &why);
        EXPECT_SAYS(why.text, "simkey pin verify");
    }
}

static void a_blocked_pin_is_left_alone(void)
{
    static const struct card_step blocked[] = {{ASK_81, "6983"}, CARD_END};
    static const struct card_step none[] = {{ASK_81, "63C0"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(unlock(blocked, PIN_APPLET, "0000", &why), OUTCOME_PIN_BLOCKED, &why);
    EXPECT(unlock(none, PIN_APPLET, "0000", &why), OUTCOME_PIN_BLOCKED, &why);
}

static void a_state_that_does_not_tell_the_tries_is_no_licence(void)
{
    static const struct card_step steps[] = {{ASK_81, "6300"}, CARD_END};
    struct report why = REPORT_INIT;

    CU_ASSERT(unlock(steps, PIN_APPLET, "0000", &why) != OUTCOME_OK);
}

static void without_a_pin_nothing_is_tried(void)
{
    static const struct card_step steps[] = {{ASK_81, "63C3"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(unlock(steps, PIN_APPLET, NULL, &why), OUTCOME_PIN_MISSING, &why);
    EXPECT_SAYS(why.text, "pin-source");
}

static void a_wrong_pin_costs_one_try_and_is_told(void)
{
    static const struct card_step steps[] = {
        {ASK_81, "63C3"}, {"00 20 00 81 04 39383736", "63C2"}, CARD_END};
    static const struct card_step last[] = {
        {ASK_81, "63C3"}, {"00 20 00 81 04 39383736", "6983"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(unlock(steps, PIN_APPLET, "9876", &why), OUTCOME_PIN_WRONG, &why);
    EXPECT_SAYS(why.text, "2");
    EXPECT_SAYS_NOT(why.text, "9876");
    CU_ASSERT(unlock(last, PIN_APPLET, "9876", &why) == OUTCOME_PIN_BLOCKED ||
              why.outcome == OUTCOME_PIN_WRONG);
}

/* What became of that try is not known: it is never sent a second time. Asking for the state is
 * allowed. */
static void a_verify_that_went_wrong_on_the_way_is_not_repeated(void)
{
    static const char *const failures[] = {"TIMEOUT", "GONE",    "+CME 13", "+CME 100", "+CME 0",
                                           "+CME 50", "+CME 16", "ERROR",   "6700",     "6F00"};
    struct report why = REPORT_INIT;
    size_t i;

    for (i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        const struct card_step steps[] = {{ASK_81, "63C3"}, {VERIFY_81, failures[i]}, CARD_END};

        CU_ASSERT(unlock(steps, PIN_APPLET, "0000", &why) != OUTCOME_OK);
        CU_ASSERT(why.text[0] != '\0');
    }
}

static void the_applets_pin_is_never_sent_to_the_uiccs_place(void)
{
    static const struct card_step steps[] = {{ASK_01, "63C3"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(unlock(steps, PIN_UICC, "0000", &why), OUTCOME_PIN_MISSING, &why);
    EXPECT_SAYS(why.text, "sim-pin-source");
}

static enum outcome unlock_from_file(const struct card_step *steps, enum pin_reference reference,
                                     const char *content, struct report *why)
{
    struct pin_memory memory = {.count = 0};
    struct settings settings;
    struct folder folder;
    char path[192];
    enum outcome outcome;

    folder_make(&folder);
    folder_write(&folder, "pin1", content, strlen(content), 0600, path);
    settings_init(&settings);
    EXPECT(settings_set(&settings, "sim-pin-source", path, why), OUTCOME_OK, why);
    outcome = unlock_by(&settings, steps, reference, &memory, why);
    settings_clear(&settings);
    folder_remove(&folder);
    return outcome;
}

static void the_uiccs_pin_is_padded_to_eight_bytes(void)
{
    static const struct card_step four[] = {
        {ASK_01, "63C3"}, {"00 20 00 01 08 31323334FFFFFFFF", "9000"}, CARD_END};
    static const struct card_step eight[] = {
        {ASK_01, "63C3"}, {"00 20 00 01 08 3132333435363738", "9000"}, CARD_END};
    static const struct card_step nine[] = {{ASK_01, "63C3"}, CARD_END};
    static const struct card_step applet[] = {{ASK_81, "63C3"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(unlock_from_file(four, PIN_UICC, "1234\n", &why), OUTCOME_OK, &why);
    EXPECT(unlock_from_file(eight, PIN_UICC, "12345678\n", &why), OUTCOME_OK, &why);
    EXPECT(unlock_from_file(nine, PIN_UICC, "123456789\n", &why), OUTCOME_PIN_MISSING, &why);
    /* And the other way round: PIN1 is never sent to the applet. */
    EXPECT(unlock_from_file(applet, PIN_APPLET, "1234\n", &why), OUTCOME_PIN_MISSING, &why);
}

/* ---- where a PIN goes ---- */

static void a_pin_goes_only_to_the_applet_that_was_just_selected(void)
{
    static const struct card_step steps[] = {{ASK_81, "63C3"}, CARD_END};
    static const struct card_step behind[] = {
        {"00 B0 00 00 05", "2D2D2D2D2D 9000"}, {ASK_81, "63C3"}, CARD_END};
    static const struct apdu read = {.ins = 0xB0, .le = 5};
    struct scripted_card card;
    struct token_pin state;
    struct answer answer;
    struct report why = REPORT_INIT;

    card_start(&card, steps); /* nothing */
    EXPECT(pin_attempt(&card.card, PIN_APPLET, "0000", true, &state, &why), OUTCOME_PIN_PROTECTED,
           &why);
    card_finish(&card);
    card_start(&card, steps); /* the application that has another PIN under this reference */
    card_select(&card, uicc_aid, sizeof uicc_aid);
    EXPECT(pin_attempt(&card.card, PIN_APPLET, "0000", true, &state, &why), OUTCOME_PIN_PROTECTED,
           &why);
    card_finish(&card);
    card_start(&card, behind); /* something came since */
    card_select(&card, mias_aid, sizeof mias_aid);
    EXPECT(apdu_send(&card.card, &read, &answer, &why), OUTCOME_OK, &why);
    EXPECT(pin_attempt(&card.card, PIN_APPLET, "0000", true, &state, &why), OUTCOME_PIN_PROTECTED,
           &why);
    card_finish(&card);
}

static void a_second_verify_wants_a_second_selection(void)
{
    static const struct card_step steps[] = {
        {ASK_81, "63C3"}, {VERIFY_81, "63C2"}, {ASK_81, "63C2"}, CARD_END};
    struct scripted_card card;
    struct token_pin state;
    struct report why = REPORT_INIT;

    card_start(&card, steps);
    select_for(&card, PIN_APPLET);
    EXPECT(pin_attempt(&card.card, PIN_APPLET, "0000", true, &state, &why), OUTCOME_PIN_WRONG,
           &why);
    EXPECT(pin_attempt(&card.card, PIN_APPLET, "0000", true, &state, &why), OUTCOME_PIN_PROTECTED,
           &why);
    card_finish(&card);
}

static enum outcome echo_is_on(void *arg, struct report *why)
{
    (void)arg;
    return report_set(why, OUTCOME_PIN_PROTECTED, "the echo is on");
}

static void what_has_to_be_made_sure_of_before_comes_first(void)
{
    static const struct card_step steps[] = {{ASK_81, "63C3"}, CARD_END};
    struct scripted_card card;
    struct token_pin state;
    struct report why = REPORT_INIT;

    card_start(&card, steps);
    card.card.before_pin = echo_is_on;
    select_for(&card, PIN_APPLET);
    EXPECT(pin_attempt(&card.card, PIN_APPLET, "0000", true, &state, &why), OUTCOME_PIN_PROTECTED,
           &why);
    EXPECT_SAYS(why.text, "echo");
    card_finish(&card);
}

/* ---- a person ---- */

static enum outcome attempt(const struct card_step *steps, const char *pin, bool spend_last,
                            struct token_pin *state, struct report *why)
{
    struct scripted_card card;
    enum outcome outcome;

    memset(state, 0, sizeof *state);
    card_start(&card, steps);
    select_for(&card, PIN_APPLET);
    outcome = pin_attempt(&card.card, PIN_APPLET, pin, spend_last, state, why);
    card_finish(&card);
    return outcome;
}

static void a_person_may_try_with_two_left(void)
{
    static const struct card_step right[] = {{ASK_81, "63C2"}, {VERIFY_81, "9000"}, CARD_END};
    static const struct card_step wrong[] = {{ASK_81, "63C2"}, {VERIFY_81, "63C1"}, CARD_END};
    struct token_pin state;
    struct report why = REPORT_INIT;

    EXPECT(attempt(right, "0000", false, &state, &why), OUTCOME_OK, &why);
    CU_ASSERT(state.verified && !state.blocked);
    EXPECT(attempt(wrong, "0000", false, &state, &why), OUTCOME_PIN_WRONG, &why);
    CU_ASSERT(!state.verified && !state.blocked);
    EXPECT_NUMBER(state.left, 1);
}

static void the_last_try_is_only_spent_when_told(void)
{
    static const struct card_step kept[] = {{ASK_81, "63C1"}, CARD_END};
    static const struct card_step right[] = {{ASK_81, "63C1"}, {VERIFY_81, "9000"}, CARD_END};
    static const struct card_step wrong[] = {{ASK_81, "63C1"}, {VERIFY_81, "63C0"}, CARD_END};
    static const struct card_step gone[] = {{ASK_81, "6983"}, CARD_END};
    struct token_pin state;
    struct report why = REPORT_INIT;

    EXPECT(attempt(kept, "0000", false, &state, &why), OUTCOME_PIN_PROTECTED, &why);
    EXPECT_SAYS(why.text, "--spend-last-try");
    EXPECT_NUMBER(state.left, 1);
    EXPECT(attempt(right, "0000", true, &state, &why), OUTCOME_OK, &why);
    CU_ASSERT(attempt(wrong, "0000", true, &state, &why) != OUTCOME_OK);
    CU_ASSERT(why.outcome == OUTCOME_PIN_WRONG || why.outcome == OUTCOME_PIN_BLOCKED);
    CU_ASSERT(state.blocked && state.left == 0);
    EXPECT(attempt(gone, "0000", true, &state, &why), OUTCOME_PIN_BLOCKED, &why);
}

static void what_is_no_pin_costs_nothing(void)
{
    static const char *const texts[] = {"",     "000",   "00000000000000000", "12a4", "12 4",
                                        "-123", "0000\n"};
    static const struct card_step asked[] = {{ASK_81, "63C3"}, CARD_END};
    struct token_pin state;
    struct report why = REPORT_INIT;
    size_t i;

    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct scripted_card card;

        card_start(&card, asked);
        EXPECT(pin_attempt(&card.card, PIN_APPLET, texts[i], true, &state, &why), OUTCOME_USAGE,
               &why);
        CU_ASSERT(card.sent <= 1);
    }
}

void add_pin_suite(void)
{
    static const struct test tests[] = {
        TEST(the_state_is_read_from_the_status_word),
        TEST(a_stack_that_wants_a_fifth_byte_gets_it),
        TEST(the_uiccs_pin_has_its_own_place_and_may_be_disabled),
        TEST(a_senseless_state_is_an_error),
        TEST(a_verified_pin_is_not_sent),
        TEST(the_applets_pin_goes_as_its_digits),
        TEST(software_never_tries_below_three),
        TEST(a_blocked_pin_is_left_alone),
        TEST(a_state_that_does_not_tell_the_tries_is_no_licence),
        TEST(without_a_pin_nothing_is_tried),
        TEST(a_wrong_pin_costs_one_try_and_is_told),
        TEST(a_verify_that_went_wrong_on_the_way_is_not_repeated),
        TEST(the_applets_pin_is_never_sent_to_the_uiccs_place),
        TEST(the_uiccs_pin_is_padded_to_eight_bytes),
        TEST(a_person_may_try_with_two_left),
        TEST(the_last_try_is_only_spent_when_told),
        TEST(what_is_no_pin_costs_nothing),
        TEST(a_pin_goes_only_to_the_applet_that_was_just_selected),
        TEST(a_second_verify_wants_a_second_selection),
        TEST(what_has_to_be_made_sure_of_before_comes_first),
    };

    ADD_SUITE("pin", tests);
}
