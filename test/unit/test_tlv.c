/* SPDX-License-Identifier: Apache-2.0 */
/* BER-TLV, FCP and chains of commands: hand-made bytes, honest and hostile. */
#include "apdu/card/apdu.h"
#include "apdu/card/tlv.h"
#include "modem/trace.h"
#include "test/unit/check.h"
#include "test/unit/scripted_card.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A copy at the very end of its memory, so that the sanitizers see one byte too far. */
static struct span exact(const char *hex)
{
    uint8_t bytes[1024];
    size_t length = bytes_of(hex, bytes, sizeof bytes);
    uint8_t *copy = malloc(length ? length : 1);

    memcpy(copy, bytes, length);
    return (struct span){copy, length};
}

static void forget(struct span span)
{
    free((void *)(uintptr_t)span.data);
}

static void bytes_are_taken_only_if_they_are_there(void)
{
    struct span all = exact("010203"), rest = all, taken;

    CU_ASSERT(span_take(&rest, 2, &taken));
    EXPECT_BYTES(taken.data, taken.length, "0102");
    CU_ASSERT_FALSE(span_take(&rest, 2, &taken));
    EXPECT_NUMBER(rest.length, 1);
    CU_ASSERT_FALSE(span_take(&rest, SIZE_MAX, &taken));
    CU_ASSERT(span_take(&rest, 0, &taken));
    EXPECT_NUMBER(taken.length, 0);
    CU_ASSERT(span_take(&rest, 1, &taken));
    CU_ASSERT_FALSE(span_take(&rest, 1, &taken));
    forget(all);
}

static void expect_length(const char *hex, bool good, size_t expected)
{
    struct span all = exact(hex), rest = all;
    size_t length = 4711;

    if (tlv_take_length(&rest, &length) != good || (good && length != expected))
        FAIL("the length in %s came as %zu, good %d", hex, length, !good);
    if (!good)
        EXPECT_NUMBER(rest.length, all.length);
    forget(all);
}

static void lengths_have_one_two_or_three_bytes(void)
{
    expect_length("00", true, 0);
    expect_length("7F", true, 127);
    expect_length("81 80", true, 128);
    expect_length("81 FF", true, 255);
    expect_length("82 01 00", true, 256);
    expect_length("82 FF FF", true, 65535);
    expect_length("", false, 0);
    expect_length("80", false, 0);
    expect_length("81", false, 0);
    expect_length("82", false, 0);
    expect_length("82 01", false, 0);
    expect_length("83 01 00 00", false, 0);
    expect_length("84 00 00 00 01", false, 0);
    expect_length("FF FF FF FF FF", false, 0);
}

static void a_field_needs_all_its_bytes(void)
{
    struct span all = exact("02 AABB 03 CCDD"), rest = all, field;

    CU_ASSERT(tlv_take_field(&rest, &field));
    EXPECT_BYTES(field.data, field.length, "AABB");
    CU_ASSERT_FALSE(tlv_take_field(&rest, &field));
    EXPECT_NUMBER(rest.length, 3);
    forget(all);
}

static void tags_of_one_and_two_bytes_are_read(void)
{
    struct span all = exact("81 02 0010 00 FF 5F2D 02 656E BF20 01 77"), rest = all, value;
    uint16_t tag = 0;

    CU_ASSERT(tlv_take(&rest, &tag, &value));
    EXPECT_NUMBER(tag, 0x81);
    EXPECT_BYTES(value.data, value.length, "0010");
    CU_ASSERT(tlv_take(&rest, &tag, &value));
    EXPECT_NUMBER(tag, 0x5F2D);
    EXPECT_BYTES(value.data, value.length, "656E");
    CU_ASSERT(tlv_take(&rest, &tag, &value));
    EXPECT_NUMBER(tag, 0xBF20);
    CU_ASSERT_FALSE(tlv_take(&rest, &tag, &value));
    CU_ASSERT(tlv_find(all, 0x5F2D, &value));
    EXPECT_BYTES(value.data, value.length, "656E");
    CU_ASSERT_FALSE(tlv_find(all, 0x82, &value));
    forget(all);
}

static void hostile_tlvs_are_refused(void)
{
    static const char *const hex[] = {"",         "81",       "81 05 00",      "5F",   "5F2D",
                                      "81 83 01", "81 82 FF", "81 82 FFFF 00", "00FF", "BF81"};
    size_t i;

    for (i = 0; i < sizeof hex / sizeof hex[0]; i++) {
        struct span all = exact(hex[i]), rest = all, value;
        uint16_t tag;

        if (tlv_take(&rest, &tag, &value))
            FAIL("%s was taken for a TLV", hex[i]);
        CU_ASSERT_FALSE(tlv_find(all, 0x81, &value));
        forget(all);
    }
}

/* Every input of two and three bytes over a choice of values: nothing is read that is not there. */
static void no_short_input_leads_outside(void)
{
    static const uint8_t some[] = {0x00, 0x01, 0x02, 0x1F, 0x5F, 0x62, 0x6F,
                                   0x7F, 0x80, 0x81, 0x82, 0x83, 0xBF, 0xFF};
    size_t a, b, c, length, size, n = sizeof some;

    for (a = 0; a < n; a++)
        for (b = 0; b < n; b++)
            for (c = 0; c < n; c++)
                for (length = 2; length <= 3; length++) {
                    uint8_t *bytes = malloc(length);
                    struct span rest = {bytes, length}, value;
                    uint16_t tag;

                    bytes[0] = some[a];
                    bytes[1] = some[b];
                    if (length == 3)
                        bytes[2] = some[c];
                    (void)fcp_file_size(rest, &size);
                    while (tlv_take(&rest, &tag, &value))
                        if (value.length > length || rest.length >= length)
                            FAIL("a TLV of %zu bytes in %zu", value.length, length);
                    free(bytes);
                }
    CU_PASS("no short input led outside");
}

static void expect_size(const char *hex, bool good, size_t expected)
{
    struct span all = exact(hex);
    size_t size = 4711;

    if (fcp_file_size(all, &size) != good || (good && size != expected))
        FAIL("the size in %s came as %zu, good %d", hex, size, !good);
    else
        CU_PASS("size");
    forget(all);
}

static void the_file_size_is_found_in_any_order(void)
{
    expect_size("62 04 81 02 00A5", true, 165);
    expect_size("6F 04 81 02 00A5", true, 165);
    expect_size("62 04 80 02 0400", true, 1024);
    expect_size("62 03 80 01 15", true, 21);
    expect_size("62 0E 82 02 4121 83 02 0101 8A 01 05 80 01 1C", true, 28);
    expect_size("62 0E 80 01 1C 82 02 4121 83 02 0101 8A 01 05", true, 28);
    expect_size("62 08 81 02 0100 80 02 00F0", true, 240);
    expect_size("62 08 80 02 00F0 81 02 0100", true, 240);
    expect_size("62 81 04 80 02 1234", true, 0x1234);
    expect_size("62 82 0004 80 02 FFFF", true, 65535);
    expect_size("62 05 80 03 00 FFFF", true, 65535);
    expect_size("62 04 80 02 0010 9000", true, 16);
}

static void a_broken_fcp_has_no_size(void)
{
    expect_size("", false, 0);
    expect_size("62", false, 0);
    expect_size("62 00", false, 0);
    expect_size("62 04 82 02 0010", false, 0);
    expect_size("62 05 80 03 010000", false, 0);
    expect_size("62 06 80 04 FFFFFFFF", false, 0);
    expect_size("62 02 80 00", false, 0);
    expect_size("62 04 80 04 0010", false, 0);
    expect_size("63 04 80 02 0010", false, 0);
}

/* ---- chains ---- */

static unsigned learnt_before; /* what the next card's modem has taught */

static enum outcome send_chain(struct scripted_card *card, const struct card_step *steps,
                               size_t length, size_t piece, struct answer *answer)
{
    uint8_t data[600];
    struct apdu command = {
        .ins = 0x2A, .p1 = 0x80, .p2 = 0x86, .data = data, .lc = length, .le = APDU_LE_ALL};
    struct report why = REPORT_INIT;

    memset(data, 0x5E, sizeof data);
    card_start(card, steps);
    card->quirks = learnt_before;
    return apdu_send_chain(&card->card, &command, piece, answer, &why);
}

static void long_data_goes_as_a_chain(void)
{
    char first[600] = "10 2A 80 86 FE", second[600] = "10 2A 80 86 FE", last[64] = "00 2A 80 86 05";
    const struct card_step steps[] = {{first, "9000"},
                                      {second, "9000"},
                                      {last, "6102"},
                                      {"00 C0 00 00 02", "0304 9000"},
                                      CARD_END};
    struct scripted_card card;
    struct answer answer;

    append_hex(first, sizeof first, 0x5E, 254);
    append_hex(second, sizeof second, 0x5E, 254);
    append_hex(last, sizeof last, 0x5E, 5);
    strcat(last, "00");
    EXPECT_NUMBER(send_chain(&card, steps, 513, 254, &answer), OUTCOME_OK);
    EXPECT_BYTES(answer.data, answer.length, "0304");
    EXPECT_NUMBER(answer.sw, 0x9000);
    card_finish(&card);
}

static void data_that_fits_goes_as_one_command(void)
{
    char whole[600] = "00 2A 80 86 FE";
    const struct card_step steps[] = {{whole, "01 9000"}, CARD_END};
    struct scripted_card card;
    struct answer answer;

    append_hex(whole, sizeof whole, 0x5E, 254);
    strcat(whole, "00");
    EXPECT_NUMBER(send_chain(&card, steps, 254, 254, &answer), OUTCOME_OK);
    EXPECT_BYTES(answer.data, answer.length, "01");
    card_finish(&card);
}

/* Once refused by the modem, a piece of that length is not tried any more. */
static void pieces_that_the_modem_refuses_become_shorter(void)
{
    static const char *const refusals[] = {"ERROR", "+CME 50", "LOST", "6700"};
    char whole[600] = "10 2A 80 86 FE", first[600] = "10 2A 80 86 E0", last[128] = "00 2A 80 86 21";

    append_hex(whole, sizeof whole, 0x5E, 254);
    append_hex(first, sizeof first, 0x5E, 224);
    append_hex(last, sizeof last, 0x5E, 33);
    strcat(last, "00");
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct card_step steps[] = {
            {whole, refusals[i]}, {first, "9000"}, {last, "0304 9000"}, CARD_END};
        const struct card_step again[] = {{first, "9000"}, {last, "0304 9000"}, CARD_END};
        struct scripted_card card;
        struct answer answer;
        unsigned quirks;

        EXPECT_NUMBER(send_chain(&card, steps, 257, 254, &answer), OUTCOME_OK);
        EXPECT_BYTES(answer.data, answer.length, "0304");
        card_finish(&card);
        quirks = card.quirks;
        EXPECT_NUMBER(quirks, QUIRK_SHORT_LINES);
        learnt_before = quirks;
        EXPECT_NUMBER(send_chain(&card, again, 257, 254, &answer), OUTCOME_OK);
        learnt_before = 0;
        card_finish(&card);
    }
}

/* What is refused in shorter pieces too says what the first one said. */
static void a_chain_that_is_refused_at_any_length_is_refused(void)
{
    char whole[600] = "10 2A 80 86 FE", first[600] = "10 2A 80 86 E0";
    const struct card_step steps[] = {{whole, "+CME 50"}, {first, "+CME 3"}, CARD_END};
    struct scripted_card card;
    struct answer answer;

    append_hex(whole, sizeof whole, 0x5E, 254);
    append_hex(first, sizeof first, 0x5E, 224);
    EXPECT_NUMBER(send_chain(&card, steps, 257, 254, &answer), OUTCOME_CARRIER_REFUSED);
    EXPECT_NUMBER(card.quirks, 0);
    card_finish(&card);
}

static void a_refused_link_ends_the_chain(void)
{
    char first[64] = "10 2A 80 86 10";
    const struct card_step steps[] = {{first, "6884"}, CARD_END};
    struct scripted_card card;
    struct answer answer;

    append_hex(first, sizeof first, 0x5E, 16);
    EXPECT_NUMBER(send_chain(&card, steps, 48, 16, &answer), OUTCOME_OK);
    EXPECT_NUMBER(answer.sw, 0x6884);
    card_finish(&card);
}

static void status_words_get_an_outcome_and_a_sentence(void)
{
    static const struct {
        uint16_t sw;
        enum outcome outcome; /* OUTCOME_OK: any error */
        const char *shown;
    } words[] = {{0x6881, OUTCOME_LOST, "6881"},        {0x6982, OUTCOME_PIN_MISSING, "6982"},
                 {0x6983, OUTCOME_PIN_BLOCKED, "6983"}, {0x6A82, OUTCOME_NOT_FOUND, "6A82"},
                 {0x6985, OUTCOME_OK, "6985"},          {0x6986, OUTCOME_OK, "6986"},
                 {0x6999, OUTCOME_OK, "6999"},          {0x6A80, OUTCOME_OK, "6A80"},
                 {0x6A84, OUTCOME_OK, "6A84"},          {0x6A88, OUTCOME_OK, "6A88"},
                 {0x6B00, OUTCOME_OK, "6B00"},          {0x6D00, OUTCOME_OK, "6D00"},
                 {0x6E00, OUTCOME_OK, "6E00"},          {0x6F00, OUTCOME_OK, "6F00"},
                 {0x1234, OUTCOME_OK, "1234"}};
    struct answer answer = {.length = 0};
    char previous[REPORT_TEXT_SIZE] = "";
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct report why = REPORT_INIT;
        enum outcome outcome;

        answer.sw = words[i].sw;
        outcome = apdu_refused(&answer, "do the trick", &why);
        CU_ASSERT(outcome != OUTCOME_OK && why.outcome == outcome);
        if (words[i].outcome != OUTCOME_OK)
            EXPECT_NUMBER(outcome, words[i].outcome);
        EXPECT_NUMBER(why.sw, words[i].sw);
        EXPECT_SAYS(why.text, words[i].shown);
        EXPECT_SAYS(why.text, "do the trick");
        /* Each has a sentence of its own, not only a number of its own. */
        why.text[strlen(why.text) > 10 ? strlen(why.text) - 10 : 0] = '\0';
        CU_ASSERT(strcmp(why.text, previous) != 0);
        strcpy(previous, why.text);
    }
}

void add_tlv_suite(void)
{
    static const struct test tests[] = {
        TEST(bytes_are_taken_only_if_they_are_there),
        TEST(lengths_have_one_two_or_three_bytes),
        TEST(a_field_needs_all_its_bytes),
        TEST(tags_of_one_and_two_bytes_are_read),
        TEST(hostile_tlvs_are_refused),
        TEST(no_short_input_leads_outside),
        TEST(the_file_size_is_found_in_any_order),
        TEST(a_broken_fcp_has_no_size),
        TEST(long_data_goes_as_a_chain),
        TEST(data_that_fits_goes_as_one_command),
        TEST(pieces_that_the_modem_refuses_become_shorter),
        TEST(a_chain_that_is_refused_at_any_length_is_refused),
        TEST(a_refused_link_ends_the_chain),
        TEST(status_words_get_an_outcome_and_a_sentence),
    };

    ADD_SUITE("tlv", tests);
}
