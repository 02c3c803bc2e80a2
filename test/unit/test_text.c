/* SPDX-License-Identifier: Apache-2.0 */
/* What others wrote, made harmless: which characters are shown, how the others are written, and that
 * reports and lines for people cannot leave it out. */
#include "modem/outcome.h"
#include "modem/text.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static void copy_is(const char *from, const char *wanted)
{
    char to[256], again[256];

    CU_ASSERT_EQUAL(text_copy(to, sizeof to, from), strlen(wanted));
    EXPECT_TEXT(to, wanted);
    (void)text_copy(again, sizeof again, to);
    EXPECT_TEXT(again, to);
}

static void what_is_harmless_stays(void)
{
    copy_is("", "");
    copy_is("/dev/ttyUSB2: \"C:\\x\" ~", "/dev/ttyUSB2: \"C:\\x\" ~");
    copy_is("M\xC3\xBCller \xE2\x82\xAC \xF0\x9F\x94\x91",
            "M\xC3\xBCller \xE2\x82\xAC \xF0\x9F\x94\x91");
    copy_is("\xC2\xA0", "\xC2\xA0");                                 /* the first one behind C1 */
    copy_is("\xED\x9F\xBF\xEE\x80\x80", "\xED\x9F\xBF\xEE\x80\x80"); /* around the surrogates */
}

static void controls_are_escaped(void)
{
    copy_is("\x1B]0;t\a", "\\x1b]0;t\\x07");
    copy_is("a\r\n\tb\x7F", "a\\x0d\\x0a\\x09b\\x7f");
    copy_is("\x01\x1F ", "\\x01\\x1f ");
    copy_is("\xC2\x80\xC2\x9B\xC2\x9F", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f");
}

static void what_turns_its_neighbours_round_is_escaped(void)
{
    copy_is("\xE2\x80\xAE", "\\xe2\\x80\\xae"); /* U+202E */
    copy_is("\xE2\x80\xAA\xE2\x80\xA8", "\\xe2\\x80\\xaa\\xe2\\x80\\xa8");
    copy_is("\xE2\x81\xA6x\xE2\x81\xA9", "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9"); /* U+2066, U+2069 */
    copy_is("\xE2\x80\x8B\xEF\xBB\xBF", "\\xe2\\x80\\x8b\\xef\\xbb\\xbf");
    copy_is("\xD8\x9C\xC2\xAD", "\\xd8\\x9c\\xc2\\xad");
    copy_is("\xF3\xA0\x80\xA1", "\\xf3\\xa0\\x80\\xa1"); /* U+E0021 */
    copy_is("\xE1\xA0\x8E", "\\xe1\\xa0\\x8e");          /* U+180E */
    copy_is("\xF0\x9D\x85\xB3", "\\xf0\\x9d\\x85\\xb3"); /* U+1D173 */
}

static void what_is_not_utf8_is_escaped_byte_by_byte(void)
{
    copy_is("\x9B"
            "31m",
            "\\x9b31m"); /* CSI of eight bits */
    copy_is("a\xC3", "a\\xc3");
    copy_is("\xC3(", "\\xc3(");
    copy_is("\xE2\x82", "\\xe2\\x82");
    copy_is("\xC0\x9B\xC1\xBF", "\\xc0\\x9b\\xc1\\xbf"); /* overlong */
    copy_is("\xE0\x80\x9B", "\\xe0\\x80\\x9b");
    copy_is("\xF0\x80\x80\x9B", "\\xf0\\x80\\x80\\x9b");
    copy_is("\xED\xA0\x80", "\\xed\\xa0\\x80"); /* a surrogate */
    copy_is("\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
    copy_is("\xF8\x88\x80\x80\x80\xFF", "\\xf8\\x88\\x80\\x80\\x80\\xff");
}

static void a_copy_is_cut_before_what_does_not_fit(void)
{
    char to[8];

    CU_ASSERT_EQUAL(text_copy(to, 4, "abcdef"), 3);
    EXPECT_TEXT(to, "abc");
    CU_ASSERT_EQUAL(text_copy(to, 4, "ab\xE2\x82\xAC"), 2);
    EXPECT_TEXT(to, "ab");
    CU_ASSERT_EQUAL(text_copy(to, 6,
                              "ab\x1B"
                              "c"),
                    2); /* no half escape, and nothing behind it */
    EXPECT_TEXT(to, "ab");
    CU_ASSERT_EQUAL(text_copy(to, 1, "a"), 0);
    EXPECT_TEXT(to, "");
}

static void characters_are_counted_by_bytes(void)
{
    CU_ASSERT_EQUAL(text_character("a", 1), 1);
    CU_ASSERT_EQUAL(text_character("\0", 1), 1);
    CU_ASSERT_EQUAL(text_character("\xC2\x9B", 2), 2);
    CU_ASSERT_EQUAL(text_character("\xE2\x82\xAC", 3), 3);
    CU_ASSERT_EQUAL(text_character("\xE2\x82\xAC", 2), 0);
    CU_ASSERT_EQUAL(text_character("", 0), 0);
}

/* Also where the host program has a locale in which such bytes are letters. */
static void a_report_is_harmless_whoever_fills_it(void)
{
    struct report why = REPORT_INIT;

    (void)setlocale(LC_ALL, "en_US.ISO-8859-1");
    (void)report_set(&why, OUTCOME_USAGE, "cannot read %s", "a\x1B[2J\nb\xC2\x9B\x9B");
    EXPECT_TEXT(why.text, "cannot read a\\x1b[2J\\x0ab\\xc2\\x9b\\x9b");
    report_prefix(&why, "--%s", "\r");
    EXPECT_TEXT(why.text, "--\\x0d: cannot read a\\x1b[2J\\x0ab\\xc2\\x9b\\x9b");
    (void)report_sw(&why, OUTCOME_REFUSED, 0x6A82, "%s", "\xE2\x80\xAE");
    EXPECT_TEXT(why.text, "\\xe2\\x80\\xae (SW 6A82)");
    (void)setlocale(LC_ALL, "C");
}

static void a_report_that_grows_is_cut_whole(void)
{
    struct report why = REPORT_INIT;
    char long_one[REPORT_TEXT_SIZE + 100];

    memset(long_one, 0x1B, sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    (void)report_set(&why, OUTCOME_USAGE, "%s", long_one);
    CU_ASSERT_EQUAL(strlen(why.text), (REPORT_TEXT_SIZE - 1) / 4 * 4);
    EXPECT_TEXT(why.text + strlen(why.text) - 4, "\\x1b");
}

static const char *written(FILE *file, char *text, size_t size)
{
    size_t length;

    rewind(file);
    length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    (void)fclose(file);
    return text;
}

static void a_line_has_one_end(void)
{
    char long_one[5000], text[20000];
    FILE *file = tmpfile();

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    text_line(file, "%s: %d", "a\nb\x1B", 5);
    EXPECT_TEXT(written(file, text, sizeof text), "a\\x0ab\\x1b: 5\n");
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    file = tmpfile();
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    text_line(file, "%s", long_one);
    (void)written(file, text, sizeof text);
    CU_ASSERT_EQUAL(strlen(text), 4095 + 4);
    EXPECT_TEXT(text + 4090, "xxxxx...\n");
}

static void data_for_a_terminal_keeps_its_lines(void)
{
    char text[256];
    FILE *file = tmpfile();

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    text_show(file, "a\tb\n\x1B[31m\0\xC3\xBC\xC3", 13);
    EXPECT_TEXT(written(file, text, sizeof text), "a\tb\n\\x1b[31m\\x00\xC3\xBC\\xc3");
}

void add_text_suite(void)
{
    static const struct test tests[] = {
        TEST(what_is_harmless_stays),
        TEST(controls_are_escaped),
        TEST(what_turns_its_neighbours_round_is_escaped),
        TEST(what_is_not_utf8_is_escaped_byte_by_byte),
        TEST(a_copy_is_cut_before_what_does_not_fit),
        TEST(characters_are_counted_by_bytes),
        TEST(a_report_is_harmless_whoever_fills_it),
        TEST(a_report_that_grows_is_cut_whole),
        TEST(a_line_has_one_end),
        TEST(data_for_a_terminal_keeps_its_lines),
    };

    ADD_SUITE("text", tests);
}
