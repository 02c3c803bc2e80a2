/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT and READ BINARY: fallbacks of the parameters, the ends that a file can have, the largest
 * read. */
#include "apdu/card/file.h"
#include "modem/trace.h"
#include "test/unit/check.h"
#include "test/unit/scripted_card.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AID "A0000000188000000006624151"

static enum outcome select_applet(const struct card_step *steps, struct report *why)
{
    struct scripted_card card;
    uint8_t aid[16];
    size_t length = bytes_of(AID, aid, sizeof aid);
    enum outcome outcome;

    card_start(&card, steps);
    outcome = file_select_applet(&card.card, aid, length, "the test applet", why);
    card_finish(&card);
    return outcome;
}

static void an_applet_is_selected_without_asking_for_data(void)
{
    static const struct card_step steps[] = {{"00 A4 04 0C 0D " AID, "9000"}, CARD_END};
    static const struct card_step talkative[] = {
        {"00 A4 04 0C 0D " AID, "6104"}, {"00 C0 00 00 04", "6F02 8400 9000"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(select_applet(steps, &why), OUTCOME_OK, &why);
    EXPECT(select_applet(talkative, &why), OUTCOME_OK, &why);
}

static void an_applet_that_insists_on_its_fci_is_selected_with_it(void)
{
    static const struct card_step steps[] = {
        {"00 A4 04 0C 0D " AID, "6A86"}, {"00 A4 04 00 0D " AID " 00", "6F02 8400 9000"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(select_applet(steps, &why), OUTCOME_OK, &why);
}

static void a_missing_applet_is_named(void)
{
    static const struct card_step steps[] = {{"00 A4 04 0C 0D " AID, "6A82"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(select_applet(steps, &why), OUTCOME_NO_APPLET, &why);
    EXPECT_SAYS(why.text, "the test applet");
    EXPECT_NUMBER(why.sw, 0x6A82);
}

static void an_applet_selected_elsewhere_is_a_refusal(void)
{
    static const struct card_step busy[] = {{"00 A4 04 0C 0D " AID, "6985"}, CARD_END};
    static const struct card_step failed[] = {{"00 A4 04 0C 0D " AID, "6999"}, CARD_END};
    struct report why = REPORT_INIT;

    EXPECT(select_applet(busy, &why), OUTCOME_REFUSED, &why);
    EXPECT_NUMBER(why.sw, 0x6985);
    EXPECT(select_applet(failed, &why), OUTCOME_REFUSED, &why);
    EXPECT_NUMBER(why.sw, 0x6999);
}

static enum outcome select_file(const struct card_step *steps, const char *path, size_t *size,
                                struct report *why)
{
    struct scripted_card card;
    uint8_t bytes[8];
    size_t length = bytes_of(path, bytes, sizeof bytes);
    enum outcome outcome;

    *size = 4711;
    card_start(&card, steps);
    outcome = file_select(&card.card, bytes, length, size, why);
    card_finish(&card);
    return outcome;
}

static void a_file_is_selected_by_path_and_tells_its_size(void)
{
    static const struct card_step fcp[] = {{"00 A4 08 04 02 0002 00", "62 04 81 02 00A5 9000"},
                                           CARD_END};
    static const struct card_step pieces[] = {{"00 A4 08 04 02 0101 00", "6108"},
                                              {"00 C0 00 00 08", "62 06 8201 01 800115 9000"},
                                              CARD_END};
    static const struct card_step fci[] = {{"00 A4 08 04 04 7FAA6F01 00", "6F 04 80 02 0400 9000"},
                                           CARD_END};
    static const struct card_step nothing[] = {{"00 A4 08 04 02 0002 00", "9000"}, CARD_END};
    static const struct card_step broken[] = {{"00 A4 08 04 02 0002 00", "62 40 81 02 9000"},
                                              CARD_END};
    struct report why = REPORT_INIT;
    size_t size;

    EXPECT(select_file(fcp, "0002", &size, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(size, 165);
    EXPECT(select_file(pieces, "0101", &size, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(size, 21);
    EXPECT(select_file(fci, "7FAA6F01", &size, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(size, 1024);
    EXPECT(select_file(nothing, "0002", &size, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(size, 0);
    EXPECT(select_file(broken, "0002", &size, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(size, 0);
}

static void a_card_without_paths_is_asked_by_file_identifier(void)
{
    static const struct card_step steps[] = {{"00 A4 08 04 02 0002 00", "6A86"},
                                             {"00 A4 00 04 02 0002 00", "62 03 81 01 0B 9000"},
                                             CARD_END};
    struct report why = REPORT_INIT;
    size_t size;

    EXPECT(select_file(steps, "0002", &size, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(size, 11);
}

static void a_missing_file_is_not_found(void)
{
    static const struct card_step steps[] = {{"00 A4 08 04 04 7FAA6F02 00", "6A82"}, CARD_END};
    struct report why = REPORT_INIT;
    size_t size;

    EXPECT(select_file(steps, "7FAA6F02", &size, &why), OUTCOME_NOT_FOUND, &why);
    EXPECT_NUMBER(why.sw, 0x6A82);
}

/* ---- reading ---- */

static void expect_read_at(const char *file, int line, const struct card_step *steps, size_t size,
                           const char *hex)
{
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t *data = NULL;
    size_t length = 4711;

    card_start(&card, steps);
    check_outcome(file, line, "file_read",
                  file_read(&card.card, size, SECRET_ANSWER, &data, &length, &why), OUTCOME_OK,
                  &why);
    if (data)
        check_bytes(file, line, data, length, hex);
    CU_ASSERT(card.last_secrecy & SECRET_ANSWER);
    card_finish_at(&card, file, line);
    free(data);
}
#define EXPECT_READ(steps, size, hex) expect_read_at(__FILE__, __LINE__, steps, size, hex)

/* 256 bytes as hex, with 9000 behind, and 300 bytes of file. */
static void make_texts(char full[600], char whole[700])
{
    full[0] = whole[0] = '\0';
    append_hex(full, 600, 0x61, 256);
    append_hex(whole, 700, 0x61, 256);
    append_hex(whole, 700, 0x62, 44);
    strcat(full, "9000");
}

#define REST                                                                                       \
    "62626262626262626262626262626262626262626262626262626262626262626262626262626262626262"

static void a_file_of_known_size_is_read_with_the_largest_reads(void)
{
    char full[600], whole[700];
    const struct card_step steps[] = {
        {"00 B0 00 00 00", full}, {"00 B0 01 00 2C", REST "62 9000"}, CARD_END};

    make_texts(full, whole);
    EXPECT_READ(steps, 300, whole);
}

static void a_file_of_unknown_size_is_read_to_its_end(void)
{
    char full[600], whole[700];
    const struct card_step six_c[] = {{"00 B0 00 00 00", full},
                                      {"00 B0 01 00 00", "6C2C"},
                                      {"00 B0 01 00 2C", REST "62 9000"},
                                      {"00 B0 01 2C 00", "6B00"},
                                      CARD_END};
    const struct card_step warning[] = {
        {"00 B0 00 00 00", full}, {"00 B0 01 00 00", REST "62 6282"}, CARD_END};
    const struct card_step short_read[] = {{"00 B0 00 00 00", full},
                                           {"00 B0 01 00 00", REST "62 9000"},
                                           {"00 B0 01 2C 00", "6282"},
                                           CARD_END};
    const struct card_step empty[] = {{"00 B0 00 00 00", full},
                                      {"00 B0 01 00 00", REST "62 9000"},
                                      {"00 B0 01 2C 00", "9000"},
                                      CARD_END};

    make_texts(full, whole);
    EXPECT_READ(six_c, 0, whole);
    EXPECT_READ(warning, 0, whole);
    EXPECT_READ(short_read, 0, whole);
    EXPECT_READ(empty, 0, whole);
}

static void a_file_shorter_than_its_fcp_gives_what_there_is(void)
{
    static const struct card_step warning[] = {{"00 B0 00 00 20", "010203 6282"}, CARD_END};
    static const struct card_step six_b[] = {{"00 B0 00 00 20", "010203 9000"},
                                             {"00 B0 00 00 20", "010203 9000"},
                                             {"00 B0 00 03 1D", "6B00"},
                                             CARD_END};
    static const struct card_step six_c[] = {
        {"00 B0 00 00 20", "6C03"}, {"00 B0 00 00 03", "010203 9000"},
        {"00 B0 00 00 20", "6C03"}, {"00 B0 00 00 03", "010203 9000"},
        {"00 B0 00 03 1D", "6B00"}, CARD_END};

    EXPECT_READ(warning, 32, "010203");
    EXPECT_READ(six_b, 32, "010203");
    EXPECT_READ(six_c, 32, "010203");
}

/* In the middle of a file too little is read a second time: a card that has its own limit says the
 * same. */
static void short_answers_are_continued_where_they_ended(void)
{
    static const struct card_step steps[] = {{"00 B0 00 00 06", "0102 9000"},
                                             {"00 B0 00 00 06", "0102 9000"},
                                             {"00 B0 00 02 04", "0304 6102"},
                                             {"00 C0 00 00 02", "0506 9000"},
                                             CARD_END};

    EXPECT_READ(steps, 6, "010203040506");
}

static void expect_no_file(const struct card_step *steps, size_t size)
{
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t *data = NULL;
    size_t length = 0;

    card_start(&card, steps);
    EXPECT(file_read(&card.card, size, 0, &data, &length, &why), OUTCOME_BAD_DATA, &why);
    CU_ASSERT_PTR_NULL(data);
    card_finish(&card);
    free(data);
}

/* The answer of another command in the place of a piece: no part of it is the file's. */
static void another_commands_answer_is_no_piece_of_a_file(void)
{
    static const struct card_step none[] = {
        {"00 B0 00 00 06", "9000"}, {"00 B0 00 00 06", "010203040506 9000"}, CARD_END};
    static const struct card_step little[] = {
        {"00 B0 00 00 06", "AABB 9000"}, {"00 B0 00 00 06", "010203040506 9000"}, CARD_END};

    expect_no_file(none, 6);
    expect_no_file(little, 6);
}

/* It is read once more: what comes twice is the card's own nonsense. */
static void more_than_was_asked_for_is_not_taken(void)
{
    static const struct card_step again[] = {
        {"00 B0 00 00 03", "0102030405060708 9000"}, {"00 B0 00 00 03", "010203 9000"}, CARD_END};
    static const struct card_step always[] = {{"00 B0 00 00 03", "0102030405060708 9000"},
                                              {"00 B0 00 00 03", "0102030405060708 9000"},
                                              CARD_END};

    EXPECT_READ(again, 3, "010203");
    expect_no_file(always, 3);
}

/* Nor where each answer is as long as its own command allows: the buffer is as long as the file. */
static void more_than_the_file_has_is_not_taken(void)
{
    static const struct card_step corrected[] = {
        {"00 B0 00 00 03", "6C08"}, {"00 B0 00 00 08", "0102030405060708 9000"}, CARD_END};
    static const struct card_step fetched[] = {
        {"00 B0 00 00 03", "010203 6105"}, {"00 C0 00 00 05", "0405060708 9000"}, CARD_END};
    static const struct card_step last[] = {{"00 B0 00 00 04", "0102 9000"},
                                            {"00 B0 00 00 04", "0102 9000"},
                                            {"00 B0 00 02 02", "6108"},
                                            {"00 C0 00 00 08", "0304050607080910 9000"},
                                            CARD_END};

    expect_no_file(corrected, 3);
    expect_no_file(fetched, 3);
    expect_no_file(last, 4);
}

static void a_file_that_wants_a_pin_says_so(void)
{
    static const struct card_step steps[] = {{"00 B0 00 00 10", "6982"}, CARD_END};
    static const struct card_step none[] = {{"00 B0 00 00 10", "6986"}, CARD_END};
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t *data = (uint8_t *)1;
    size_t length = 0;

    card_start(&card, steps);
    EXPECT(file_read(&card.card, 16, 0, &data, &length, &why), OUTCOME_PIN_MISSING, &why);
    EXPECT_NUMBER(why.sw, 0x6982);
    CU_ASSERT_PTR_NULL(data);
    card_continue(&card, none);
    EXPECT(file_read(&card.card, 16, 0, &data, &length, &why), OUTCOME_REFUSED, &why);
    CU_ASSERT_PTR_NULL(data);
    card_finish(&card);
}

/* A card that refuses reads over its own limit, in its own words; its file is longer than any
 * limit. */
struct small_card {
    size_t limit;
    size_t file_size;
    uint16_t refusal; /* 0: the modem refuses instead */
    bool cuts;        /* it gives torn answers instead */
    size_t calls, refused, largest;
};

static enum outcome small_exchange(void *arg, struct exchange *exchange, struct deadline deadline,
                                   struct report *why)
{
    struct small_card *card = arg;
    const uint8_t *command = exchange->command;
    uint8_t *answer = exchange->answer;
    size_t offset = (size_t)command[2] << 8 | command[3], i;
    size_t le = command[4] ? command[4] : 256;

    (void)deadline;
    card->calls++;
    if (le > card->limit) {
        card->refused++;
        answer[0] = (uint8_t)(card->refusal >> 8);
        answer[1] = (uint8_t)card->refusal;
        exchange->answer_length = 2;
        if (card->cuts)
            return report_set(why, OUTCOME_BAD_DATA, "small: torn");
        return card->refusal ? OUTCOME_OK
                             : report_set(why, OUTCOME_CARRIER_REFUSED, "small: too long");
    }
    if (offset >= card->file_size)
        le = 0;
    else if (le > card->file_size - offset)
        le = card->file_size - offset;
    for (i = 0; i < le; i++)
        answer[i] = (uint8_t)((offset + i) * 7);
    answer[le] = le ? 0x90 : 0x6B;
    answer[le + 1] = 0x00;
    exchange->answer_length = le + 2;
    if (le > card->largest)
        card->largest = le;
    return OUTCOME_OK;
}

static void expect_small_card_is_read(size_t limit, uint16_t refusal)
{
    struct small_card small = {.limit = limit, .file_size = 700, .refusal = refusal};
    bool no_le = false;
    unsigned max_read = 256;
    struct card card = {.exchange = small_exchange,
                        .arg = &small,
                        .deadline = deadline_in(5000),
                        .no_le = &no_le,
                        .max_read = &max_read};
    struct report why = REPORT_INIT;
    uint8_t *data = NULL;
    size_t length = 0, refused;
    int round;

    for (round = 0; round < 2; round++) {
        refused = small.refused;
        EXPECT(file_read(&card, 700, 0, &data, &length, &why), OUTCOME_OK, &why);
        EXPECT_NUMBER(length, 700);
        if (data && (data[699] != (uint8_t)(699 * 7) || data[300] != (uint8_t)(300 * 7)))
            FAIL("the file was read wrongly with reads of %zu", limit);
        free(data);
        data = NULL;
        /* It is learnt once and not tried again. */
        if (round == 1)
            EXPECT_NUMBER(small.refused, refused);
    }
    CU_ASSERT(max_read <= limit && 2 * small.largest >= limit);
}

static void the_largest_read_is_learnt_from_the_refusals(void)
{
    static const size_t limits[] = {256, 255, 254, 248, 200, 128, 100, 64, 32};
    size_t i;

    for (i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        expect_small_card_is_read(limits[i], 0x6700);
        expect_small_card_is_read(limits[i], 0);
    }
}

/* A modem that cuts its lines at 512 characters: the answer to 256 bytes is torn, twice. */
static void answers_that_are_cut_are_asked_for_in_parts(void)
{
    struct small_card small = {.limit = 248, .file_size = 700, .cuts = true};
    bool no_le = false;
    unsigned max_read = 256;
    struct card card = {.exchange = small_exchange,
                        .arg = &small,
                        .deadline = deadline_in(5000),
                        .no_le = &no_le,
                        .max_read = &max_read};
    struct report why = REPORT_INIT;

    for (int round = 0; round < 2; round++) {
        uint8_t *data = NULL;
        size_t length = 0, refused = small.refused;

        EXPECT(file_read(&card, 700, 0, &data, &length, &why), OUTCOME_OK, &why);
        EXPECT_NUMBER(length, 700);
        CU_ASSERT(data != NULL && data[699] == (uint8_t)(699 * 7) &&
                  data[300] == (uint8_t)(300 * 7));
        free(data);
        EXPECT_NUMBER(small.refused - refused, round == 0 ? 2 : 0);
    }
    EXPECT_NUMBER(max_read, 240);
}

static void a_card_that_never_reads_is_given_up(void)
{
    struct small_card small = {.limit = 0, .file_size = 700, .refusal = 0x6700};
    bool no_le = false;
    unsigned max_read = 256;
    struct card card = {.exchange = small_exchange,
                        .arg = &small,
                        .deadline = deadline_in(5000),
                        .no_le = &no_le,
                        .max_read = &max_read};
    struct report why = REPORT_INIT;
    uint8_t *data = NULL;
    size_t length = 0;

    CU_ASSERT(file_read(&card, 700, 0, &data, &length, &why) != OUTCOME_OK);
    CU_ASSERT(why.text[0] != '\0' && small.calls < 20);
    CU_ASSERT_PTR_NULL(data);
}

static void a_file_without_an_end_is_bounded(void)
{
    struct small_card small = {.limit = 256, .file_size = 1 << 20};
    bool no_le = false;
    unsigned max_read = 256;
    struct card card = {.exchange = small_exchange,
                        .arg = &small,
                        .deadline = deadline_in(5000),
                        .no_le = &no_le,
                        .max_read = &max_read};
    struct report why = REPORT_INIT;
    uint8_t *data = NULL;
    size_t length = 0;

    if (file_read(&card, 0, 0, &data, &length, &why) == OUTCOME_OK)
        CU_ASSERT(length <= FILE_SIZE_MAX);
    CU_ASSERT(small.calls <= 1 + FILE_SIZE_MAX / 256);
    free(data);
    data = NULL;
    CU_ASSERT(file_read(&card, FILE_SIZE_MAX + 1, 0, &data, &length, &why) != OUTCOME_OK);
    free(data);
}

void add_file_suite(void)
{
    static const struct test tests[] = {
        TEST(an_applet_is_selected_without_asking_for_data),
        TEST(an_applet_that_insists_on_its_fci_is_selected_with_it),
        TEST(a_missing_applet_is_named),
        TEST(an_applet_selected_elsewhere_is_a_refusal),
        TEST(a_file_is_selected_by_path_and_tells_its_size),
        TEST(a_card_without_paths_is_asked_by_file_identifier),
        TEST(a_missing_file_is_not_found),
        TEST(a_file_of_known_size_is_read_with_the_largest_reads),
        TEST(a_file_of_unknown_size_is_read_to_its_end),
        TEST(a_file_shorter_than_its_fcp_gives_what_there_is),
        TEST(short_answers_are_continued_where_they_ended),
        TEST(another_commands_answer_is_no_piece_of_a_file),
        TEST(more_than_was_asked_for_is_not_taken),
        TEST(more_than_the_file_has_is_not_taken),
        TEST(a_file_that_wants_a_pin_says_so),
        TEST(the_largest_read_is_learnt_from_the_refusals),
        TEST(answers_that_are_cut_are_asked_for_in_parts),
        TEST(a_card_that_never_reads_is_given_up),
        TEST(a_file_without_an_end_is_bounded),
    };

    ADD_SUITE("file", tests);
}
