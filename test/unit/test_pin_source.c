/* SPDX-License-Identifier: Apache-2.0 */
/* Where a PIN may come from: a file that only its owner reads, whose first line is the PIN. */
#include "apdu/applet/pin.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The PIN that settings with this source lead to. */
static enum outcome pin_from(const char *name, const char *source, enum pin_reference reference,
                             char pin[PIN_SIZE], struct report *why)
{
    struct settings settings;
    enum outcome outcome;

    settings_init(&settings);
    memset(pin, 0, PIN_SIZE);
    outcome = settings_set(&settings, name, source, why);
    if (outcome == OUTCOME_OK)
        outcome = pin_from_settings(&settings, reference, pin, why);
    settings_clear(&settings);
    return outcome;
}

static enum outcome pin_from_file(const void *content, size_t length, unsigned mode,
                                  char pin[PIN_SIZE], struct report *why)
{
    struct folder folder;
    char path[192];
    enum outcome outcome;

    folder_make(&folder);
    folder_write(&folder, "pin", content, length, mode, path);
    outcome = pin_from("pin-source", path, PIN_APPLET, pin, why);
    folder_remove(&folder);
    return outcome;
}

static void expect_pin(const char *content, const char *expected)
{
    char pin[PIN_SIZE];
    struct report why = REPORT_INIT;

    EXPECT(pin_from_file(content, strlen(content), 0600, pin, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(pin, expected);
}

static void the_first_line_is_the_pin_whatever_its_end(void)
{
    expect_pin("0000\n", "0000");
    expect_pin("0000", "0000");
    expect_pin("1234\r\n", "1234");
    expect_pin("1234567890123456\n", "1234567890123456");
    expect_pin("0000\nthis is the PIN of the lorry\n", "0000");
    expect_pin("4711\r\n\r\n", "4711");
}

static void what_is_no_pin_is_refused_without_being_repeated(void)
{
    static const struct {
        const char *content;
        size_t length;
    } cases[] = {{"", 0},
                 {"\n", 1},
                 {"\n0000\n", 6},
                 {"000\n", 4},
                 {"98 76\n", 6},
                 {"9876x\n", 6},
                 {"pin: 9876\n", 10},
                 {"98\00076\n", 6},
                 {"\xC3\xA9\n", 3},
                 {"98765432109876543\n", 18},
                 {"\xEF\xBB\xBF"
                  "9876\n",
                  8},
                 {"\r\n", 2},
                 {"-9876\n", 6}};
    char pin[PIN_SIZE];
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct report why = REPORT_INIT;

        EXPECT(pin_from_file(cases[i].content, cases[i].length, 0600, pin, &why),
               OUTCOME_PIN_MISSING, &why);
        EXPECT_SAYS_NOT(why.text, "9876");
        EXPECT_SAYS(why.text, "pin");
    }
}

static void an_endless_line_is_refused(void)
{
    enum { MUCH = 1 << 20 };
    char *much = malloc(MUCH), pin[PIN_SIZE];
    struct report why = REPORT_INIT;

    memset(much, '7', MUCH);
    EXPECT(pin_from_file(much, MUCH, 0600, pin, &why), OUTCOME_PIN_MISSING, &why);
    free(much);
}

static void a_file_that_others_can_read_is_refused(void)
{
    static const unsigned closed[] = {0600, 0400}, open[] = {0604, 0644, 0666, 0606};
    char pin[PIN_SIZE];
    size_t i;

    for (i = 0; i < sizeof closed / sizeof closed[0]; i++) {
        struct report why = REPORT_INIT;

        EXPECT(pin_from_file("0000\n", 5, closed[i], pin, &why), OUTCOME_OK, &why);
    }
    for (i = 0; i < sizeof open / sizeof open[0]; i++) {
        struct report why = REPORT_INIT;

        EXPECT(pin_from_file("0000\n", 5, open[i], pin, &why), OUTCOME_PIN_MISSING, &why);
        EXPECT_SAYS(why.text, "chmod");
    }
}

static void what_is_no_file_is_refused_at_once(void)
{
    struct folder folder;
    char path[192], pin[PIN_SIZE];
    struct report why = REPORT_INIT;
    int64_t start = monotonic_ms();

    folder_make(&folder);
    snprintf(path, sizeof path, "%s/fifo", folder.path);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    EXPECT(pin_from("pin-source", path, PIN_APPLET, pin, &why), OUTCOME_PIN_MISSING, &why);
    EXPECT(pin_from("pin-source", folder.path, PIN_APPLET, pin, &why), OUTCOME_PIN_MISSING, &why);
    EXPECT(pin_from("pin-source", "/dev/zero", PIN_APPLET, pin, &why), OUTCOME_PIN_MISSING, &why);
    EXPECT(pin_from("pin-source", "/nonexistent/pin", PIN_APPLET, pin, &why), OUTCOME_PIN_MISSING,
           &why);
    EXPECT_SAYS(why.text, "/nonexistent/pin");
    EXPECT_TOOK(start, 0, 1000);
    folder_remove(&folder);
}

static void a_source_may_be_written_as_file_and_path(void)
{
    struct folder folder;
    char path[192], source[256], pin[PIN_SIZE];
    struct report why = REPORT_INIT;

    folder_make(&folder);
    folder_write(&folder, "pin", "2468\n", 5, 0600, path);
    snprintf(source, sizeof source, "file:%s", path);
    EXPECT(pin_from("pin-source", source, PIN_APPLET, pin, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(pin, "2468");
    EXPECT(pin_from("sim-pin-source", source, PIN_UICC, pin, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(pin, "2468");
    folder_remove(&folder);
}

static void a_pin_in_the_settings_is_taken_as_it_is(void)
{
    char pin[PIN_SIZE];
    struct report why = REPORT_INIT;

    EXPECT(pin_from("pin", "135790", PIN_APPLET, pin, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(pin, "135790");
}

/* Each place has its own source, and no source serves both. */
static void no_source_serves_the_other_place(void)
{
    struct folder folder;
    char path[192], pin[PIN_SIZE];
    struct report why = REPORT_INIT;

    folder_make(&folder);
    folder_write(&folder, "pin", "2468\n", 5, 0600, path);
    EXPECT(pin_from("pin-source", path, PIN_UICC, pin, &why), OUTCOME_PIN_MISSING, &why);
    EXPECT(pin_from("pin", "2468", PIN_UICC, pin, &why), OUTCOME_PIN_MISSING, &why);
    EXPECT(pin_from("sim-pin-source", path, PIN_APPLET, pin, &why), OUTCOME_PIN_MISSING, &why);
    folder_remove(&folder);
}

static void pin1_has_at_most_eight_digits(void)
{
    struct folder folder;
    char path[192], pin[PIN_SIZE];
    struct report why = REPORT_INIT;

    folder_make(&folder);
    folder_write(&folder, "pin", "123456789\n", 10, 0600, path);
    EXPECT(pin_from("sim-pin-source", path, PIN_UICC, pin, &why), OUTCOME_PIN_MISSING, &why);
    EXPECT(pin_from("pin-source", path, PIN_APPLET, pin, &why), OUTCOME_OK, &why);
    folder_remove(&folder);
}

/* One that is named on the command line, for a change. */
static void a_source_that_is_no_setting_is_judged_the_same(void)
{
    struct folder folder;
    char path[192], pin[PIN_SIZE];
    struct report why = REPORT_INIT;

    folder_make(&folder);
    folder_write(&folder, "pin", "2468\n", 5, 0600, path);
    EXPECT(pin_from_source(path, "--new-source", pin, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(pin, "2468");
    folder_write(&folder, "open", "2468\n", 5, 0644, path);
    EXPECT(pin_from_source(path, "--new-source", pin, &why), OUTCOME_PIN_MISSING, &why);
    EXPECT_SAYS(why.text, "chmod");
    EXPECT_TEXT(pin, "");
    folder_write(&folder, "letters", "secret\n", 7, 0600, path);
    EXPECT(pin_from_source(path, "--new-source", pin, &why), OUTCOME_PIN_MISSING, &why);
    EXPECT_SAYS(why.text, "--new-source");
    EXPECT_SAYS_NOT(why.text, "secret");
    EXPECT_TEXT(pin, "");
    folder_remove(&folder);
}

void add_pin_source_suite(void)
{
    static const struct test tests[] = {
        TEST(the_first_line_is_the_pin_whatever_its_end),
        TEST(what_is_no_pin_is_refused_without_being_repeated),
        TEST(an_endless_line_is_refused),
        TEST(a_file_that_others_can_read_is_refused),
        TEST(what_is_no_file_is_refused_at_once),
        TEST(a_source_may_be_written_as_file_and_path),
        TEST(a_pin_in_the_settings_is_taken_as_it_is),
        TEST(no_source_serves_the_other_place),
        TEST(pin1_has_at_most_eight_digits),
        TEST(a_source_that_is_no_setting_is_judged_the_same),
    };

    ADD_SUITE("pin_source", tests);
}
