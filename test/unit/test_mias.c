/* SPDX-License-Identifier: Apache-2.0 */
/* The files of the mIAS applet with hand-made bytes: container map, key references, directory, certificates plain and
 * compressed, honest and hostile. */
#include "apdu/applet/mias.h"
#include "modem/trace.h"
#include "test/unit/check.h"
#include "test/unit/scripted_card.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* A copy that ends where its memory ends. */
static struct span exact(const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);

    memcpy(copy, bytes, length);
    return (struct span){copy, length};
}

static struct span exact_hex(const char *hex)
{
    uint8_t bytes[4096];

    return exact(bytes, bytes_of(hex, bytes, sizeof bytes));
}

static void forget(struct span span)
{
    free((void *)(uintptr_t)span.data);
}

/* ---- container map ---- */

static void the_container_map_tells_keys_in_use(void)
{
    struct span map = exact_hex("01 000000 0000 0800 000000"   /* 0: exchange 2048 */
                                "00 000000 0800 0000 000000"   /* 1: not in use */
                                "03 FFFFFF 0400 0800 FFFFFF"   /* 2: signature 1024 wins */
                                "01 000000 0000 0400 000000"   /* 3: exchange 1024 */
                                "01 000000 0100 0000 000000"   /* 4: signature 256 */
                                "01 000000 0000 0000 000000"); /* 5: a size that is not recorded */
    struct mias_container list[TOKEN_CONTAINERS];

    memset(list, 0x55, sizeof list);
    EXPECT_NUMBER(mias_parse_map(map, list), 5);
    EXPECT_NUMBER(list[0].index, 0);
    CU_ASSERT(list[0].exchange && list[0].bits == 2048 && !list[0].certificate);
    EXPECT_NUMBER(list[1].index, 2);
    CU_ASSERT(!list[1].exchange && list[1].bits == 1024 && !list[1].certificate);
    EXPECT_NUMBER(list[2].index, 3);
    CU_ASSERT(list[2].exchange && list[2].bits == 1024);
    EXPECT_NUMBER(list[3].index, 4);
    CU_ASSERT(!list[3].exchange && list[3].bits == 256);
    EXPECT_NUMBER(list[4].index, 5);
    EXPECT_NUMBER(list[4].bits, 0);
    forget(map);
}

static void a_map_of_any_length_is_read_as_far_as_it_goes(void)
{
    struct mias_container list[TOKEN_CONTAINERS];
    uint8_t bytes[11 * 40];
    size_t length;

    memset(bytes, 0x01, sizeof bytes);
    for (length = 0; length <= sizeof bytes; length++) {
        struct span map = exact(bytes, length);
        size_t expected = length / 11 < TOKEN_CONTAINERS ? length / 11 : TOKEN_CONTAINERS;

        if (mias_parse_map(map, list) != expected)
            FAIL("a map of %zu bytes has %zu containers", length, mias_parse_map(map, list));
        forget(map);
    }
    CU_PASS("all lengths");
}

static void key_references_follow_the_familys_rule(void)
{
    EXPECT_NUMBER(mias_key_id(0, true, 1024, TOKEN_RSA), 0x11);
    EXPECT_NUMBER(mias_key_id(0, false, 1024, TOKEN_RSA), 0x21);
    EXPECT_NUMBER(mias_key_id(0, true, 2048, TOKEN_RSA), 0x31);
    EXPECT_NUMBER(mias_key_id(0, false, 2048, TOKEN_RSA), 0x41);
    EXPECT_NUMBER(mias_key_id(4, true, 2048, TOKEN_RSA), 0x35);
    EXPECT_NUMBER(mias_key_id(14, false, 2048, TOKEN_RSA), 0x4F);
    EXPECT_NUMBER(mias_key_id(0, true, 256, TOKEN_EC), 0x61);
    EXPECT_NUMBER(mias_key_id(0, false, 384, TOKEN_EC), 0x61);
    EXPECT_NUMBER(mias_key_id(2, false, 256, TOKEN_EC), 0x63);
}

/* ---- directory ---- */

#define ENTRY_CERT   "4301 04D2 6B78633030000000 6D73637000000000 00"
#define ENTRY_SIGN   "4302 0010 6B73633132000000 6D73637000000000 FF"
#define ENTRY_OBJECT "4401 0800 7075626461743031 7031310000000000 00"

static void the_directory_lists_files_with_name_and_folder(void)
{
    struct span directory = exact_hex("03" ENTRY_CERT ENTRY_SIGN ENTRY_OBJECT);
    struct mias_entry list[MIAS_ENTRIES];
    size_t count = 4711;

    CU_ASSERT(mias_parse_directory(directory, list, &count));
    EXPECT_NUMBER(count, 3);
    EXPECT_NUMBER(list[0].file, 0x4301);
    EXPECT_NUMBER(list[0].size, 0x04D2);
    EXPECT_TEXT(list[0].name, "kxc00");
    EXPECT_TEXT(list[0].directory, "mscp");
    EXPECT_TEXT(list[1].name, "ksc12");
    EXPECT_TEXT(list[2].name, "pubdat01"); /* eight characters without a NUL */
    EXPECT_TEXT(list[2].directory, "p11");
    forget(directory);
}

/* The number of entries and the size agree, or pieces of it are another answer. */
static void a_directory_that_is_cut_off_is_none(void)
{
    struct mias_entry list[MIAS_ENTRIES];
    struct span directory = exact_hex("03" ENTRY_CERT ENTRY_SIGN "4401 08");
    size_t count = 0;

    CU_ASSERT_FALSE(mias_parse_directory(directory, list, &count));
    forget(directory);
    directory = exact_hex("01 4301 FFFF 6B78633030000000 6D73637000000000 00");
    CU_ASSERT_FALSE(mias_parse_directory(directory, list, &count));
    forget(directory);
    directory = exact_hex("01" ENTRY_CERT ENTRY_SIGN);
    CU_ASSERT(mias_parse_directory(directory, list, &count));
    EXPECT_NUMBER(count, 1);
    forget(directory);
    directory = exact_hex("00");
    CU_ASSERT(mias_parse_directory(directory, list, &count));
    EXPECT_NUMBER(count, 0);
    forget(directory);
    directory = exact_hex("");
    CU_ASSERT_FALSE(mias_parse_directory(directory, list, &count));
    forget(directory);
}

static void a_directory_never_overflows_the_list(void)
{
    struct mias_entry *list = malloc(MIAS_ENTRIES * sizeof *list);
    uint8_t bytes[1 + 21 * 255];
    size_t length, count;

    memset(bytes, 0x41, sizeof bytes);
    bytes[0] = 0xFF;
    for (length = 0; length <= sizeof bytes; length += 17) {
        struct span directory = exact(bytes, length);

        count = 0;
        if (mias_parse_directory(directory, list, &count) && count > MIAS_ENTRIES)
            FAIL("%zu entries of %zu bytes", count, length);
        forget(directory);
    }
    CU_PASS("all lengths");
    free(list);
}

static void a_containers_certificate_is_found_by_its_name(void)
{
    struct span directory = exact_hex("03" ENTRY_CERT ENTRY_SIGN ENTRY_OBJECT);
    struct mias_container container = {.index = 0, .exchange = true};
    struct mias_entry list[MIAS_ENTRIES];
    size_t count = 0;

    CU_ASSERT(mias_parse_directory(directory, list, &count));
    CU_ASSERT_PTR_EQUAL(mias_find_certificate(list, count, &container), &list[0]);
    container.index = 12;
    CU_ASSERT_PTR_NULL(mias_find_certificate(list, 1, &container));
    container.exchange = false;
    CU_ASSERT_PTR_EQUAL(mias_find_certificate(list, count, &container), &list[1]);
    /* named for the other use: nobody tells the rule for EC keys */
    container.exchange = true;
    CU_ASSERT_PTR_EQUAL(mias_find_certificate(list, count, &container), &list[1]);
    CU_ASSERT_PTR_NULL(mias_find_certificate(list, 0, &container));
    forget(directory);
}

static void a_certificates_name_counts_only_in_its_folder(void)
{
    struct span directory = exact_hex("02 4301 0010 6B78633030000000 7031310000000000 00"
                                      "4302 0010 6B78633030410000 6D73637000000000 00");
    struct mias_container container = {.index = 0, .exchange = true};
    struct mias_entry list[MIAS_ENTRIES];
    size_t count = 0;

    CU_ASSERT(mias_parse_directory(directory, list, &count));
    CU_ASSERT_PTR_NULL(mias_find_certificate(list, count, &container));
    forget(directory);
}

/* ---- certificates ---- */

static enum outcome unpack(const void *bytes, size_t length, uint8_t **der, size_t *der_length,
                           struct report *why)
{
    struct span packed = exact(bytes, length);
    enum outcome outcome;

    *der = NULL;
    *der_length = 0;
    outcome = mias_unpack_certificate(packed, der, der_length, why);
    forget(packed);
    return outcome;
}

/* Something that has the shape of a certificate: a SEQUENCE with a long content. */
static size_t make_der(uint8_t *der, size_t content)
{
    size_t i;

    der[0] = 0x30;
    der[1] = 0x82;
    der[2] = (uint8_t)(content >> 8);
    der[3] = (uint8_t)content;
    for (i = 0; i < content; i++)
        der[4 + i] = (uint8_t)(i % 7);
    return 4 + content;
}

/* 01 00, announced length (little endian), zlib stream. */
static size_t pack(const uint8_t *plain, size_t length, size_t announced, uint8_t *packed,
                   size_t size)
{
    uLongf compressed = (uLongf)(size - 4);

    packed[0] = 0x01;
    packed[1] = 0x00;
    packed[2] = (uint8_t)announced;
    packed[3] = (uint8_t)(announced >> 8);
    if (compress(packed + 4, &compressed, plain, (uLong)length) != Z_OK)
        FAIL("zlib does not compress");
    return 4 + (size_t)compressed;
}

static void a_plain_certificate_loses_what_trails_it(void)
{
    uint8_t der[1024], *out;
    size_t length = make_der(der, 800), out_length;
    struct report why = REPORT_INIT;

    memset(der + length, 0xFF, 100);
    EXPECT(unpack(der, length, &out, &out_length, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(out_length, length);
    free(out);
    EXPECT(unpack(der, length + 100, &out, &out_length, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(out_length, length);
    CU_ASSERT(out && memcmp(out, der, length) == 0);
    free(out);
}

static void a_compressed_certificate_is_unpacked(void)
{
    uint8_t der[1024], packed[2048], *out;
    size_t length = make_der(der, 800), packed_length, out_length;
    struct report why = REPORT_INIT;

    packed_length = pack(der, length, length, packed, sizeof packed);
    CU_ASSERT(packed_length < length);
    EXPECT(unpack(packed, packed_length, &out, &out_length, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(out_length, length);
    CU_ASSERT(out && memcmp(out, der, length) == 0);
    free(out);
    /* The file may be longer than the stream. */
    memset(packed + packed_length, 0, 64);
    EXPECT(unpack(packed, packed_length + 64, &out, &out_length, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(out_length, length);
    free(out);
}

/* Pieces that fit by their length, but not to each other. */
static void what_trails_a_certificate_is_only_padding(void)
{
    uint8_t der[1024], packed[2048], *out;
    size_t length = make_der(der, 800), out_length, packed_length;
    struct report why = REPORT_INIT;

    memset(der + length, 0xFF, 100);
    der[length + 99] = 0x41;
    EXPECT(unpack(der, length + 100, &out, &out_length, &why), OUTCOME_BAD_DATA, &why);
    CU_ASSERT_PTR_NULL(out);
    packed_length = pack(der, length, length, packed, sizeof packed);
    memset(packed + packed_length, 0, 64);
    packed[packed_length + 3] = 0x41;
    EXPECT(unpack(packed, packed_length + 64, &out, &out_length, &why), OUTCOME_BAD_DATA, &why);
    CU_ASSERT_PTR_NULL(out);
}

static void expect_map(const char *size, const char *content, enum outcome outcome, size_t count)
{
    char fcp[64], read[32], answer[128];
    const struct card_step steps[] = {{"00 A4 08 04 02 0002 00", fcp}, {read, answer}, CARD_END};
    struct mias_container list[TOKEN_CONTAINERS];
    struct scripted_card card;
    struct report why = REPORT_INIT;
    size_t found = 4711;

    snprintf(fcp, sizeof fcp, "62 04 81 02 00%s 9000", size);
    snprintf(read, sizeof read, "00 B0 00 00 %s", size);
    snprintf(answer, sizeof answer, "%s 9000", content);
    card_start(&card, steps);
    EXPECT(mias_read_map(&card.card, list, &found, &why), outcome, &why);
    EXPECT_NUMBER(found, count);
    card_finish(&card);
}

#define RECORD "01 000000 0000 0800 000000"

static void a_map_has_whole_records(void)
{
    expect_map("0B", RECORD, OUTCOME_OK, 1);
    expect_map("16", RECORD RECORD, OUTCOME_OK, 2);
    expect_map("0D", RECORD "FFFF", OUTCOME_OK, 1);
    expect_map("0D", RECORD "0100", OUTCOME_BAD_DATA, 0);
    expect_map("04", "00070000", OUTCOME_BAD_DATA, 0);
}

static void a_broken_compressed_certificate_is_refused(void)
{
    uint8_t der[1024], packed[2048], *out;
    size_t length = make_der(der, 800), packed_length, out_length, cut;
    struct report why = REPORT_INIT;

    packed_length = pack(der, length, length, packed, sizeof packed);
    for (cut = 0; cut < packed_length; cut++) {
        report_clear(&why);
        if (unpack(packed, cut, &out, &out_length, &why) == OUTCOME_OK || out || !why.text[0])
            FAIL("%zu of %zu bytes were unpacked", cut, packed_length);
        free(out);
    }
    packed[packed_length / 2] ^= 0x55;
    EXPECT(unpack(packed, packed_length, &out, &out_length, &why), OUTCOME_BAD_DATA, &why);
    free(out);
}

static void a_wrong_announced_length_is_refused(void)
{
    static const int differences[] = {-800, -1, 1, 400};
    uint8_t der[1024], packed[2048], *out;
    size_t length = make_der(der, 800), packed_length, out_length, i;
    struct report why = REPORT_INIT;

    for (i = 0; i < 4; i++) {
        packed_length =
            pack(der, length, (size_t)((int)length + differences[i]), packed, sizeof packed);
        report_clear(&why);
        EXPECT(unpack(packed, packed_length, &out, &out_length, &why), OUTCOME_BAD_DATA, &why);
        free(out);
    }
}

/* A few hundred bytes that stand for many more than a certificate could have. */
static void a_bomb_does_not_go_off(void)
{
    enum { MUCH = 8 << 20 };
    uint8_t *zeros = calloc(1, MUCH), *packed = malloc(65536), *out;
    size_t packed_length = pack(zeros, MUCH, 0xFFFF, packed, 65536), out_length;
    struct report why = REPORT_INIT;

    EXPECT(unpack(packed, packed_length, &out, &out_length, &why), OUTCOME_BAD_DATA, &why);
    free(out);
    free(zeros);
    free(packed);
}

static void what_is_no_certificate_is_refused(void)
{
    static const char *const hex[] = {
        "",   "00",   "30",       "3082",     "308201",       "30820400",   "3005",
        "01", "0100", "01000000", "0100FFFF", "3084FFFFFFFF", "2D2D2D2D2D", "FFFFFFFFFFFFFFFF"};
    uint8_t bytes[64], *out;
    size_t i, out_length;

    for (i = 0; i < sizeof hex / sizeof hex[0]; i++) {
        struct report why = REPORT_INIT;

        if (unpack(bytes, bytes_of(hex[i], bytes, sizeof bytes), &out, &out_length, &why) !=
                OUTCOME_BAD_DATA ||
            out)
            FAIL("\"%s\" was taken for a certificate", hex[i]);
        free(out);
    }
}

/* ---- through a card ---- */

static void map_directory_and_files_are_read_by_their_identifiers(void)
{
    static const struct card_step map[] = {{"00 A4 08 04 02 0002 00", "62 04 8102 000B 9000"},
                                           {"00 B0 00 00 0B", "01 000000 0000 0800 000000 9000"},
                                           CARD_END};
    static const struct card_step directory[] = {{"00 A4 08 04 02 0101 00", "6106"},
                                                 {"00 C0 00 00 06", "6F 04 8002 0016 9000"},
                                                 {"00 B0 00 00 16", "01" ENTRY_CERT "9000"},
                                                 CARD_END};
    static const struct card_step file[] = {
        {"00 A4 08 04 02 4301 00", "9000"}, {"00 B0 00 00 04", "AABBCCDD 9000"}, CARD_END};
    static const struct card_step none[] = {
        {"00 A4 08 04 02 4301 00", "6A82"}, {"00 A4 00 04 02 4301 00", "6A82"}, CARD_END};
    struct mias_container containers[TOKEN_CONTAINERS];
    struct mias_entry entries[MIAS_ENTRIES];
    struct scripted_card card;
    struct report why = REPORT_INIT;
    uint8_t *data = NULL;
    size_t count = 0, length = 0;

    card_start(&card, map);
    EXPECT(mias_read_map(&card.card, containers, &count, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(count, 1);
    EXPECT_NUMBER(containers[0].bits, 2048);
    card_continue(&card, directory);
    EXPECT(mias_read_directory(&card.card, entries, &count, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(count, 1);
    EXPECT_TEXT(entries[0].name, "kxc00");
    card_continue(&card, file);
    /* A card that tells no size is believed what its directory says. */
    EXPECT(mias_read_file(&card.card, 0x4301, 4, SECRET_ANSWER, &data, &length, &why), OUTCOME_OK,
           &why);
    EXPECT_BYTES(data, length, "AABBCCDD");
    CU_ASSERT(card.last_secrecy & SECRET_ANSWER);
    free(data);
    card_continue(&card, none);
    EXPECT(mias_read_file(&card.card, 0x4301, 4, 0, &data, &length, &why), OUTCOME_NOT_FOUND, &why);
    EXPECT_SAYS(why.text, "4301");
    CU_ASSERT_PTR_NULL(data);
    card_finish(&card);
}

void add_mias_suite(void)
{
    static const struct test tests[] = {
        TEST(the_container_map_tells_keys_in_use),
        TEST(a_map_of_any_length_is_read_as_far_as_it_goes),
        TEST(key_references_follow_the_familys_rule),
        TEST(the_directory_lists_files_with_name_and_folder),
        TEST(a_directory_that_is_cut_off_is_none),
        TEST(a_directory_never_overflows_the_list),
        TEST(a_containers_certificate_is_found_by_its_name),
        TEST(a_certificates_name_counts_only_in_its_folder),
        TEST(a_plain_certificate_loses_what_trails_it),
        TEST(a_compressed_certificate_is_unpacked),
        TEST(what_trails_a_certificate_is_only_padding),
        TEST(a_map_has_whole_records),
        TEST(a_broken_compressed_certificate_is_refused),
        TEST(a_wrong_announced_length_is_refused),
        TEST(a_bomb_does_not_go_off),
        TEST(what_is_no_certificate_is_refused),
        TEST(map_directory_and_files_are_read_by_their_identifiers),
    };

    ADD_SUITE("mias", tests);
}
