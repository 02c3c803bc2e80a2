/* SPDX-License-Identifier: Apache-2.0 */
/* IoT SAFE's applet byte by byte: the shapes in which cards tell their objects, files in pieces, public
 * keys, random bytes, and the class of its commands. */
#include "apdu/applet/iotsafe.h"
#include "modem/trace.h"
#include "test/unit/check.h"
#include "test/unit/scripted_card.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One card's list, as it was traced: flat, and with the length of tag 92 wrong. */
#define KEY_2    "74023131 84020002 600102 4A0101 4B0113 4E0103 610107 920204 91020007 6F0101"
#define PUBLIC_2 "75023131 85020002 600102 4A0101 4B0113 4E0103 610107 920204 91020007 6F0101"
#define PUBLIC_3 "75023232 85020003 600102 4A0100 4B0113 4E0103 610107 920204 91020007 6F0101"
#define FILE_1   "73023031 83020001 600101 4A0101 210101 20020040"
#define SECRET_4 "76023333 86020004 600103 4A0100 4B01A0 61010C 940102"
#define TRACED   KEY_2 PUBLIC_2 PUBLIC_3 FILE_1 SECRET_4

static struct iotsafe_objects *parsed(const char *hex)
{
    struct iotsafe_objects *objects = calloc(1, sizeof *objects);
    uint8_t bytes[2048];

    CU_ASSERT_PTR_NOT_NULL_FATAL(objects);
    CU_ASSERT_TRUE(
        iotsafe_parse_objects((struct span){bytes, bytes_of(hex, bytes, sizeof bytes)}, objects));
    return objects;
}

/* The five of the traced list, in its order. */
static void expect_traced(const char *hex)
{
    struct iotsafe_objects *objects = parsed(hex);
    const struct iotsafe_object *list = objects->list;

    EXPECT_NUMBER(objects->count, 5);
    EXPECT_NUMBER(list[0].kind, IOTSAFE_PRIVATE);
    EXPECT_BYTES(list[0].name.id, list[0].name.id_length, "0002");
    EXPECT_TEXT(list[0].name.label, "11");
    CU_ASSERT_FALSE(list[0].empty);
    EXPECT_NUMBER(list[0].functions, 7);
    EXPECT_NUMBER(list[0].schemes, 4);
    EXPECT_NUMBER(list[0].hashes, 7);
    EXPECT_NUMBER(list[0].type, 0x13);
    EXPECT_NUMBER(list[1].kind, IOTSAFE_PUBLIC);
    EXPECT_NUMBER(list[2].kind, IOTSAFE_PUBLIC);
    CU_ASSERT_TRUE(list[2].empty);
    EXPECT_NUMBER(list[3].kind, IOTSAFE_FILE);
    EXPECT_NUMBER(list[3].size, 64);
    EXPECT_NUMBER(list[3].usage, 1);
    EXPECT_NUMBER(list[3].functions, -1);
    EXPECT_NUMBER(list[4].kind, IOTSAFE_SECRET);
    EXPECT_BYTES(list[4].name.id, list[4].name.id_length, "0004");
    free(objects);
}

static void objects_come_flat_wrapped_or_all_in_one(void)
{
    expect_traced(TRACED);
    expect_traced("C121" KEY_2 "C221" PUBLIC_2 "C221" PUBLIC_3 "C315" FILE_1 "C417" SECRET_4);
    expect_traced("C1818F" TRACED);
    expect_traced("C18F" TRACED); /* one bare byte */
    expect_traced("C182008F" TRACED);
    expect_traced(TRACED "0000FF");
}

static void ids_and_labels_come_in_any_order_and_alone(void)
{
    struct iotsafe_objects *objects =
        parsed("84 01 01 74 01 41 4A0101 84 01 02 74 01 42 84 03 303036 83 01 02 210102 "
               "73 04 43657274 75 01 01 FE 02 0000 4A0100");

    EXPECT_NUMBER(objects->count, 5);
    EXPECT_TEXT(objects->list[0].name.label, "A");
    EXPECT_TEXT(objects->list[1].name.label, "B");
    EXPECT_BYTES(objects->list[2].name.id, objects->list[2].name.id_length, "303036");
    EXPECT_TEXT(objects->list[2].name.label, "");
    EXPECT_NUMBER(objects->list[3].kind, IOTSAFE_FILE);
    EXPECT_NUMBER(objects->list[3].usage, IOTSAFE_CERTIFICATE);
    EXPECT_TEXT(objects->list[3].name.label, "Cert");
    EXPECT_NUMBER(objects->list[4].kind, IOTSAFE_PUBLIC);
    EXPECT_TEXT(objects->list[4].name.label, "\x01");
    CU_ASSERT_TRUE(objects->list[4].empty);
    free(objects);
}

static void a_broken_list_is_none(void)
{
    static const char *const broken[] = {"84", "84 05 0102", "C1 7F 840101", "84 83 000001 01",
                                         "C1", "C1 81"};
    struct iotsafe_objects *objects = calloc(1, sizeof *objects);
    uint8_t bytes[64] = {0};

    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        CU_ASSERT_FALSE(iotsafe_parse_objects(
            (struct span){bytes, bytes_of(broken[i], bytes, sizeof bytes)}, objects));
    free(objects);
}

static void more_objects_than_there_is_room_for_are_left_out(void)
{
    char hex[1200] = "";
    struct iotsafe_objects *objects;

    for (size_t i = 0; i < IOTSAFE_OBJECTS + 6; i++)
        strcat(hex, i % 2 == 0 ? "840101" : "840102");
    objects = parsed(hex);
    EXPECT_NUMBER(objects->count, IOTSAFE_OBJECTS);
    free(objects);
}

/* ---- GET DATA ---- */

static void a_list_comes_in_pages_that_end_anywhere(void)
{
    static const struct card_step steps[] = {{"80 CB 01 00 00", "74023131 84020002 6001 6300"},
                                             {"80 CB 01 01 00", "02 4A0101 83 6300"},
                                             {"80 CB 01 01 00", "020001 4A0101 9000"},
                                             CARD_END};
    struct iotsafe_objects *objects = calloc(1, sizeof *objects);
    struct scripted_card card;
    struct report why = REPORT_INIT;

    card_start(&card, steps);
    EXPECT(iotsafe_read_objects(&card.card, objects, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(objects->count, 2);
    EXPECT_NUMBER(objects->list[1].kind, IOTSAFE_FILE);
    card_finish(&card);
    free(objects);
}

static void an_applet_without_a_list_says_so(void)
{
    static const struct card_step without[] = {
        {"80 CB 01 00 00", "6D00"}, {"00 CB 01 00 00", "6D00"}, CARD_END};
    static const struct card_step wrong[] = {{"80 CB 01 00 00", "6A86"}, CARD_END};
    struct iotsafe_objects *objects = calloc(1, sizeof *objects);
    struct scripted_card card;
    struct report why = REPORT_INIT;

    card_start(&card, without);
    EXPECT(iotsafe_read_objects(&card.card, objects, &why), OUTCOME_NOT_FOUND, &why);
    EXPECT_NUMBER(card.quirks, 0); /* the class was not to blame */
    card_continue(&card, wrong);
    EXPECT(iotsafe_read_objects(&card.card, objects, &why), OUTCOME_NOT_FOUND, &why);
    card_finish(&card);
    free(objects);
}

static void a_list_without_end_is_given_up(void)
{
    static struct card_step steps[130];
    struct iotsafe_objects *objects = calloc(1, sizeof *objects);
    struct scripted_card card;
    struct report why = REPORT_INIT;

    for (size_t i = 0; i < 128; i++)
        steps[i] = (struct card_step){i == 0 ? "80 CB 01 00 00" : "80 CB 01 01 00", "840101 6300"};
    card_start(&card, steps);
    EXPECT(iotsafe_read_objects(&card.card, objects, &why), OUTCOME_BAD_DATA, &why);
    card_finish(&card);
    free(objects);
}

static void one_object_is_asked_for_by_id_else_by_label(void)
{
    static const struct card_step by_id[] = {{"80 CB C1 00 04 84020002 00", "C1 21" KEY_2 "9000"},
                                             CARD_END};
    static const struct card_step by_label[] = {
        {"80 CB C3 00 06 7304 43657274 00", "7304 43657274 210102 9000"}, CARD_END};
    struct token_name name = {.container = -1, .id_length = 2, .id = {0, 2}, .label = "11"};
    struct iotsafe_object object;
    struct scripted_card card;
    struct report why = REPORT_INIT;

    card_start(&card, by_id);
    EXPECT(iotsafe_read_object(&card.card, IOTSAFE_PRIVATE, &name, &object, &why), OUTCOME_OK,
           &why);
    EXPECT_NUMBER(object.hashes, 7);
    name = (struct token_name){.container = -1, .label = "Cert"};
    card_continue(&card, by_label);
    EXPECT(iotsafe_read_object(&card.card, IOTSAFE_FILE, &name, &object, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(object.usage, IOTSAFE_CERTIFICATE);
    card_finish(&card);
}

#define IDENTIFIER "0011223344556677889900112233445566778899001122334455667788990011"

static void the_application_is_read_in_both_dialects(void)
{
    static const char *const forms[] = {
        "100110 1120 " IDENTIFIER " B1010A B2010A B3010A B4010A 61010F 91020001 920104 6F0101 "
        "940102 B70101",
        "100110 1110 " IDENTIFIER " B1010A B2010A B3010A B4010A 90010F 91020001 920104 930101 "
        "940102 B70101",
        "100110 11FF " IDENTIFIER " B1010A 90010F 91010001 920104 930101 B70101",
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct iotsafe_application application;
        uint8_t bytes[256];

        CU_ASSERT_TRUE(iotsafe_parse_application(
            (struct span){bytes, bytes_of(forms[i], bytes, sizeof bytes)}, &application));
        EXPECT_NUMBER(application.version, 0x10);
        EXPECT_NUMBER(application.functions, 0x0F);
        EXPECT_NUMBER(application.hashes, 1);
        EXPECT_NUMBER(application.schemes, 4);
        EXPECT_NUMBER(application.sessions, 1);
    }
}

static void the_length_of_an_answer_is_corrected(void)
{
    static const struct card_step steps[] = {
        {"80 CB 00 00 00", "6C06"}, {"80 CB 00 00 06", "100110 920104 9000"}, CARD_END};
    struct iotsafe_application application;
    struct scripted_card card;
    struct report why = REPORT_INIT;

    card_start(&card, steps);
    EXPECT(iotsafe_read_application(&card.card, &application, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(application.schemes, 4);
    card_finish(&card);
}

/* ---- how commands are sent ---- */

static void the_class_is_tried_and_remembered(void)
{
    static const struct card_step steps[] = {{"80 84 00 00 02", "6E00"},
                                             {"00 84 00 00 02", "AABB 9000"},
                                             {"00 84 00 00 02", "AABB 9000"},
                                             /* another SIM */
                                             {"00 84 00 00 02", "6E00"},
                                             {"80 84 00 00 02", "AABB 9000"},
                                             {"80 84 00 00 02", "AABB 9000"},
                                             CARD_END};
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t bytes[2];

    card_start(&card, steps);
    for (int i = 0; i < 4; i++) {
        EXPECT(iotsafe_random(&card.card, bytes, sizeof bytes, &why), OUTCOME_OK, &why);
        EXPECT_BYTES(bytes, sizeof bytes, "AABB");
        EXPECT_NUMBER(card.quirks, i < 2 ? QUIRK_BARE_CLASS : 0);
    }
    CU_ASSERT_TRUE((card.last_secrecy & SECRET_ANSWER) != 0);
    card_finish(&card);
}

static void an_applet_under_administration_is_waited_for(void)
{
    static const struct card_step steps[] = {{"80 84 00 00 02", "6984"},
                                             {"80 84 00 00 02", "6984"},
                                             {"80 84 00 00 02", "6989"},
                                             {"80 84 00 00 02", "AABB 63CF"},
                                             CARD_END};
    static const struct card_step cut_off[] = {
        {"80 84 00 00 02", "6989"}, {"80 84 00 00 02", "6989"}, CARD_END};
    static const struct card_step still[] = {{"80 84 00 00 02", "6984"}, CARD_END};
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t bytes[2];

    card_start(&card, steps);
    EXPECT(iotsafe_random(&card.card, bytes, sizeof bytes, &why), OUTCOME_OK, &why);
    EXPECT_BYTES(bytes, sizeof bytes, "AABB");
    card_continue(&card, cut_off);
    EXPECT(iotsafe_random(&card.card, bytes, sizeof bytes, &why), OUTCOME_REFUSED, &why);
    EXPECT_SAYS(why.text, "try again later");
    card_continue(&card, still);
    card.card.deadline = deadline_in(1000);
    EXPECT(iotsafe_random(&card.card, bytes, sizeof bytes, &why), OUTCOME_REFUSED, &why);
    card_finish(&card);
}

static void no_word_of_the_card_is_taken_for_a_pin(void)
{
    static const char *const words[] = {"6982", "6983", "63C2"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct card_step steps[] = {{"80 84 00 00 02", words[i]}, CARD_END};
        struct scripted_card card;
        struct report why = REPORT_INIT;
        uint8_t bytes[2];

        card_start(&card, steps);
        EXPECT(iotsafe_random(&card.card, bytes, sizeof bytes, &why), OUTCOME_REFUSED, &why);
        EXPECT_SAYS_NOT(why.text, "PIN");
        card_finish(&card);
    }
}

/* ---- files ---- */

static const struct token_name file_2 = {.container = -1, .id_length = 1, .id = {2}};

static void read_file(const struct card_step *steps, size_t size, enum outcome expected,
                      const char *content)
{
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t *data = NULL;
    size_t length = 0;

    card_start(&card, steps);
    EXPECT(iotsafe_read_file(&card.card, &file_2, size, &data, &length, &why), expected, &why);
    if (content != NULL)
        EXPECT_BYTES(data, length, content);
    card_finish(&card);
    free(data);
}

#define READ_AT(offset) "80 B0 " offset " 03 830102 00"

static void a_file_ends_where_its_content_ends(void)
{
    static const struct card_step padded[] = {{READ_AT("0000"), "3003020101 000000 9000"},
                                              CARD_END};
    static const struct card_step pieces[] = {
        {READ_AT("0000"), "3006 0201 9000"}, {READ_AT("0004"), "01 020102 0000 9000"}, CARD_END};
    static const struct card_step text[] = {{READ_AT("0000"), "2D2D 0A 9000"},
                                            {READ_AT("0003"), "41 0000 9000"},
                                            {READ_AT("0006"), "6B00"},
                                            CARD_END};
    static const struct card_step sized[] = {{READ_AT("0000"), "414243 0000 9000"}, CARD_END};

    read_file(padded, 0, OUTCOME_OK, "3003020101");
    read_file(padded, 3, OUTCOME_OK, "3003020101"); /* the object's size is not believed */
    read_file(padded, 0x0500, OUTCOME_OK, "3003020101");
    read_file(pieces, 0, OUTCOME_OK, "3006020101020102");
    read_file(text, 0, OUTCOME_OK, "2D2D0A41");
    read_file(sized, 5, OUTCOME_OK, "414243");
}

static void the_end_of_a_file_is_said_in_many_words(void)
{
    static const char *const ends[] = {"6A86", "6981", "6B00", "6282", "9000"};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const struct card_step steps[] = {
            {READ_AT("0000"), "414243 9000"}, {READ_AT("0003"), ends[i]}, CARD_END};
        const struct card_step cut[] = {
            {READ_AT("0000"), "300502 9000"}, {READ_AT("0003"), ends[i]}, CARD_END};

        read_file(steps, 0, OUTCOME_OK, "414243");
        read_file(cut, 0, OUTCOME_BAD_DATA, NULL);
    }
}

static void a_file_that_is_not_there_is_not_found(void)
{
    static const struct card_step missing[] = {{READ_AT("0000"), "6A82"}, CARD_END};
    static const struct card_step refused[] = {
        {READ_AT("0000"), "414243 9000"}, {READ_AT("0003"), "6982"}, CARD_END};
    static const struct card_step empty[] = {{READ_AT("0000"), "9000"}, CARD_END};

    read_file(missing, 0, OUTCOME_NOT_FOUND, NULL);
    read_file(refused, 0, OUTCOME_REFUSED, NULL);
    read_file(empty, 0, OUTCOME_OK, "");
}

static void pieces_get_smaller_where_the_modem_wants_it(void)
{
    static const struct card_step steps[] = {{READ_AT("0000"), "+CME 3"},
                                             {"80 B0 0000 03 830102", "+CME 3"},
                                             {"80 B0 0000 03 830102 FF", "+CME 3"},
                                             {"80 B0 0000 03 830102", "+CME 3"},
                                             {"80 B0 0000 03 830102 80", "3003020101 9000"},
                                             CARD_END};

    read_file(steps, 0, OUTCOME_OK, "3003020101");
}

/* ---- public keys ---- */

#define XY                                                                                         \
    "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"                             \
    "202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F"

static void a_public_key_is_a_point_however_it_is_wrapped(void)
{
    static const char *const forms[] = {"34 45 49 43 86 41 04" XY "9000",
                                        "49 43 86 41 04" XY "9000", "04" XY "9000"};
    static const struct token_name name = {.container = -1, .id_length = 2, .id = {0, 2}};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct card_step steps[] = {{"80 CD 00 00 04 85020002 00", forms[i]}, CARD_END};
        struct scripted_card card;
        struct report why = REPORT_INIT;
        uint8_t point[TOKEN_POINT_MAX];
        size_t length = 0;

        card_start(&card, steps);
        EXPECT(iotsafe_read_public_key(&card.card, &name, point, &length, &why), OUTCOME_OK, &why);
        EXPECT_BYTES(point, length, "04" XY);
        card_finish(&card);
    }
}

static void what_is_no_point_is_no_public_key(void)
{
    static const char *const forms[] = {
        "", "34", "34 02 4900", "34 45 49 43 86 41 02" XY, "04 00", "30 45 49 43 86 41 04" XY};

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        uint8_t bytes[128], point[TOKEN_POINT_MAX];
        size_t length;

        CU_ASSERT_FALSE(iotsafe_parse_point(
            (struct span){bytes, bytes_of(forms[i], bytes, sizeof bytes)}, point, &length));
    }
}

void add_iotsafe_suite(void)
{
    static const struct test tests[] = {
        TEST(objects_come_flat_wrapped_or_all_in_one),
        TEST(ids_and_labels_come_in_any_order_and_alone),
        TEST(a_broken_list_is_none),
        TEST(more_objects_than_there_is_room_for_are_left_out),
        TEST(a_list_comes_in_pages_that_end_anywhere),
        TEST(an_applet_without_a_list_says_so),
        TEST(a_list_without_end_is_given_up),
        TEST(one_object_is_asked_for_by_id_else_by_label),
        TEST(the_application_is_read_in_both_dialects),
        TEST(the_length_of_an_answer_is_corrected),
        TEST(the_class_is_tried_and_remembered),
        TEST(an_applet_under_administration_is_waited_for),
        TEST(no_word_of_the_card_is_taken_for_a_pin),
        TEST(a_file_ends_where_its_content_ends),
        TEST(the_end_of_a_file_is_said_in_many_words),
        TEST(a_file_that_is_not_there_is_not_found),
        TEST(pieces_get_smaller_where_the_modem_wants_it),
        TEST(a_public_key_is_a_point_however_it_is_wrapped),
        TEST(what_is_no_point_is_no_public_key),
    };

    ADD_SUITE("iotsafe", tests);
}
