/* SPDX-License-Identifier: Apache-2.0 */
/* What IoT SAFE cards do differently, and their bad habits: each switch of simmodem, and what it does. */
#include "test/unit/check.h"
#include "test/unit/sim_seat.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define GSMA   "A0000005590010"
#define HASH   "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
#define INIT   "812A0001 0D 840101 A10103 91020001 920104"
#define UPDATE "812B8001 22 9E20" HASH
#define CLOSE  "812A0101"

/* The information of the objects, by their last digit: label, id, the rest. */
#define LABEL_1 "740E426F6F7473747261704B65795F31"
#define REST_1  "600102 4A0101 4B0113 4E0101 610103 920104 91020001"
#define PUBLIC_1                                                                                   \
    "750E426F6F7473747261704B65795F31 850101 600101 4A0101 4B0113 4E0101 610101 920104 91020001"
#define PUBLIC_4                                                                                   \
    "7510636C69656E7473657373696F6E4B6579 850104 600101 4A0100 4B0113 4E0101 610105 920104 "       \
    "91020001 6F0101"
#define PUBLIC_5                                                                                   \
    "751073657276657273657373696F6E4B6579 850105 600103 4A0100 4B0113 4E0101 610105 920104 "       \
    "91020001 6F0101"
#define PRIVATE_4                                                                                  \
    "7410636C69656E7473657373696F6E4B6579 840104 600102 4A0100 4B0113 4E0101 610107 920104 "       \
    "91020001 6F0101"
#define SECRET_6 "760E7365637265746B65794C6162656C 860106 600100 4A0101 4B01A0 610108 940103"

#define SIT(s, ...)                                                                                \
    do {                                                                                           \
        SIM_SIT(s, "--applet", "iotsafe", __VA_ARGS__);                                            \
        sim_select(s, GSMA);                                                                       \
    } while (0)

/* All of the object list, by GET RESPONSE and page after page. */
static struct bytes object_list(struct sim_seat *s, unsigned *pages)
{
    struct bytes all = {0};
    unsigned sw = 0x6300;

    for (*pages = 0; sw == 0x6300; ++*pages) {
        (void)sim_send(s, *pages == 0 ? "81CB010000" : "81CB010100");
        for (;;) {
            size_t size = s->answer.size - 2;

            bytes_add(&all, s->answer.data, size);
            sw = (unsigned)s->answer.data[size] << 8 | s->answer.data[size + 1];
            if (sw >> 8 != 0x61)
                break;
            (void)sim_send(s, "81C0000000");
        }
    }
    EXPECT_NUMBER(sw, 0x9000);
    return all;
}

/* The list without its files, whose sizes are each card's own, is that. */
static void lists(struct sim_seat *s, size_t skip, const char *wanted)
{
    unsigned pages;
    struct bytes all = object_list(s, &pages);
    uint8_t octets[512];
    size_t size = bytes_of(wanted, octets, sizeof octets);

    EXPECT_NUMBER(pages, 1);
    CU_ASSERT(all.size >= skip + size);
    EXPECT_BYTES(all.data + skip, all.size < skip + size ? 0 : size, wanted);
    bytes_free(&all);
    sim_leave(s);
}

static void the_list_has_a_wrapper_an_object(void)
{
    struct sim_seat s;

    SIT(&s, "--iotsafe-list", "wrapped");
    lists(&s, 0,
          "C129" LABEL_1 "840101" REST_1 "C12E" PRIVATE_4 "C229" PUBLIC_1 "C22E" PUBLIC_4
          "C22E" PUBLIC_5 "C422" SECRET_6 "C321 73");
}

static void the_list_has_a_wrapper_for_several(void)
{
    struct sim_seat s;

    SIT(&s, "--iotsafe-list", "grouped");
    lists(&s, 0,
          "C157" LABEL_1 "840101" REST_1 PRIVATE_4 "C28185" PUBLIC_1 PUBLIC_4 PUBLIC_5
          "C422" SECRET_6 "C344 73");
}

static void the_list_is_flat(void)
{
    struct sim_seat s;

    SIT(&s, "--iotsafe-list", "flat");
    lists(&s, 0, LABEL_1 "840101" REST_1 PRIVATE_4 PUBLIC_1 PUBLIC_4 PUBLIC_5 "730F");
}

static void the_last_wrapper_has_a_raw_length(void)
{
    struct sim_seat s;

    SIT(&s, "--iotsafe-list", "grouped", "--iotsafe-raw-length");
    lists(&s, 2 + 0x44,
          "C157" LABEL_1 "840101" REST_1 PRIVATE_4 "C422" SECRET_6
          "C285" PUBLIC_1 PUBLIC_4 PUBLIC_5);
}

static void a_list_in_pages_is_the_same(void)
{
    struct sim_seat s;
    unsigned pages;
    struct bytes whole, paged;

    SIT(&s, "--iotsafe-list", "flat");
    whole = object_list(&s, &pages);
    SIM_AGAIN(&s, "--iotsafe-list", "flat", "--iotsafe-page", "50");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "81CB010100", "6985"); /* nothing to be continued */
    paged = object_list(&s, &pages);
    SIM_SAYS(&s, "81CB010100", "6985"); /* nothing any more */
    EXPECT_NUMBER(pages, (whole.size + 49) / 50);
    EXPECT_NUMBER(paged.size, whole.size);
    CU_ASSERT(paged.size == whole.size && memcmp(paged.data, whole.data, whole.size) == 0);
    bytes_free(&whole);
    bytes_free(&paged);
    sim_leave(&s);
}

static void there_is_no_list(void)
{
    struct sim_seat s;

    SIT(&s, "--iotsafe-list", "absent");
    SIM_SAYS(&s, "81CB010000", "6D00");
    SIM_SAYS(&s, "81CBC10003 840101 00", "C129" LABEL_1 "840101" REST_1 "9000");
    SIM_AGAIN(&s, "--iotsafe-list", "no-data");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "81CB010000", "6D00");
    SIM_SAYS(&s, "81CB000044", "6D00");
    SIM_SAYS(&s, "81CBC10003 840101 00", "6D00");
    SIM_SAYS(&s, INIT, "9000");
    sim_leave(&s);
}

static void the_information_of_an_object_differs(void)
{
    static const struct {
        const char *const switches[5];
        const char *answer;
    } ways[] = {
        {{"--iotsafe-info", "bare"}, LABEL_1 "840101" REST_1},
        {{"--iotsafe-list", "flat"}, LABEL_1 "840101" REST_1},
        {{"--iotsafe-list", "flat", "--iotsafe-info", "wrapped"}, "C129" LABEL_1 "840101" REST_1},
        {{"--iotsafe-order", "id"}, "C129 840101" LABEL_1 REST_1},
        {{"--iotsafe-order", "mixed"},
         "C12D 840101 5A02ABCD 920104 91020001 610103 4E0101 4B0113 4A0101 600102" LABEL_1},
        {{"--iotsafe-no-labels"}, "C119 840101" REST_1},
        {{"--iotsafe-bad-92"},
         "C129" LABEL_1 "840101 600102 4A0101 4B0113 4E0101 610103 920204 91020001"},
    };
    struct sim_seat s;
    char answer[256];

    SIT(&s, "--no-safe2");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        sim_again(&s, ways[i].switches);
        sim_select(&s, GSMA);
        (void)snprintf(answer, sizeof answer, "%s9000", ways[i].answer);
        SIM_SAYS(&s, "81CBC10003 840101 00", answer);
    }
    SIM_AGAIN(&s, "--iotsafe-no-labels");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "81CBC10010" LABEL_1 "00", "6A82");
    sim_leave(&s);
}

static void application_data_differ(void)
{
    struct sim_seat s;

    SIT(&s, "--iotsafe-data", "90");
    (void)sim_send(&s, "81CB000000");
    EXPECT_BYTES(s.answer.data + 37, s.answer.size - 37,
                 "B10102 B20102 B30103 B40101 90010F 91020001 920104 930101 940103 B70104 9000");
    SIM_AGAIN(&s, "--iotsafe-data", "odd", "--iotsafe-sessions", "1");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "81CB000000",
             "100110 1110 73696D6D6F64656D20496F5420534146 B10102 B20102 B30103 B40101 61010F "
             "910101 920104 6F0101 "
             "940103 B70101 9000");
    sim_leave(&s);
}

static void files_differ(void)
{
    struct sim_seat s;
    size_t size;
    char command[64];

    SIT(&s, "--iotsafe-no-usage");
    size = iotsafe_find(s.card.iotsafe, IOTSAFE_FILE, (const uint8_t[]){2}, 1)->data.size;
    (void)sim_send(&s, "81CBC30003 830102 00");
    EXPECT_BYTES(s.answer.data + 2 + 17 + 3, 8, "600101 4A0101 2002");
    EXPECT_NUMBER(s.answer.data[30] << 8 | s.answer.data[31], size);
    SIM_AGAIN(&s, "--iotsafe-size", "swapped");
    sim_select(&s, GSMA);
    (void)sim_send(&s, "81CBC30003 830102 00");
    EXPECT_BYTES(s.answer.data + 2 + 17 + 3, 11, "600101 4A0101 210102 2002");
    EXPECT_NUMBER(s.answer.data[34] << 8 | s.answer.data[33], size);
    SIM_AGAIN(&s, "--iotsafe-size", "none");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "81CBC30003 830102 00",
             "C31D 730F426F6F747374726170436572745F31 830102 600101 4A0101 210102 9000");
    SIM_AGAIN(&s, "--iotsafe-size", "padded", "--iotsafe-end", "6981");
    sim_select(&s, GSMA);
    (void)sim_send(&s, "81CBC30003 830102 00");
    size = (size / 512 + 1) * 512;
    EXPECT_NUMBER(s.answer.data[33] << 8 | s.answer.data[34], size);
    (void)snprintf(command, sizeof command, "81B0%04zX0383010200", size - 4);
    SIM_SAYS(&s, command, "00000000 9000");
    (void)snprintf(command, sizeof command, "81B0%04zX0383010200", size);
    SIM_SAYS(&s, command, "6981");
    SIM_AGAIN(&s, "--iotsafe-pem", "--iotsafe-end", "9000", "--max-read", "27");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "81B00000038301021B",
             "2D2D2D2D2D424547494E2043455254494649434154452D2D2D2D2D 9000");
    SIM_SAYS(&s, "81B00000038301021C", "6700");
    SIM_SAYS(&s, "81B07FFF038301021B", "9000");
    sim_leave(&s);
}

static void signatures_differ(void)
{
    struct sim_seat s;
    const struct iotsafe_object *key;
    uint8_t digest[32];

    SIT(&s, "--iotsafe-two-octets");
    (void)bytes_of(HASH, digest, sizeof digest);
    SIM_SAYS(&s, INIT, "9000");
    SIM_SAYS(&s, UPDATE, "6143");
    (void)sim_send(&s, "81C0000043");
    EXPECT_BYTES(s.answer.data, 3, "330040");
    SIM_AGAIN(&s, "--iotsafe-der");
    sim_select(&s, GSMA);
    key = iotsafe_find(s.card.iotsafe, IOTSAFE_PRIVATE, (const uint8_t[]){1}, 1);
    SIM_SAYS(&s, INIT, "9000");
    (void)sim_send(&s, UPDATE "00");
    CU_ASSERT(s.answer.size > 8 && s.answer.data[0] == 0x33 && s.answer.data[2] == 0x30);
    EXPECT_NUMBER(s.answer.data[1], s.answer.size - 4);
    CU_ASSERT(iotsafe_verify(key->key, IOTSAFE_ECDSA, IOTSAFE_SHA256, digest, s.answer.data + 2,
                             s.answer.size - 4));
    SIM_AGAIN(&s, "--wrong-signature", "1", "--sign-ms", "700");
    sim_select(&s, GSMA);
    key = iotsafe_find(s.card.iotsafe, IOTSAFE_PRIVATE, (const uint8_t[]){1}, 1);
    for (int right = 0; right < 2; right++) {
        SIM_SAYS(&s, INIT, "9000");
        EXPECT_NUMBER(sim_send(&s, UPDATE "00"), 700);
        EXPECT_NUMBER(
            iotsafe_verify(key->key, IOTSAFE_ECDSA, IOTSAFE_SHA256, digest, s.answer.data + 2, 64),
            right);
    }
    sim_leave(&s);
}

static void key_pairs_differ(void)
{
    struct sim_seat s;

    SIT(&s, "--iotsafe-generated", "key", "--iotsafe-generate-ms", "9000");
    EXPECT_NUMBER(sim_send(&s, "81B9000003840104"), 9000);
    EXPECT_BYTES(s.answer.data, s.answer.size, "6147");
    SIM_AGAIN(&s, "--iotsafe-generated", "nothing", "--iotsafe-bare-point");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "81B900000384010400", "9000");
    (void)sim_send(&s, "81CD00000385010400");
    EXPECT_NUMBER(s.answer.size, 65 + 2);
    EXPECT_NUMBER(s.answer.data[0], 0x04);
    SIM_AGAIN(&s, "--iotsafe-new-ids");
    sim_select(&s, GSMA);
    (void)sim_send(&s, "81B900000384010400");
    EXPECT_BYTES(s.answer.data, 8, "840114 850114 3445");
    SIM_SAYS(&s, "81CD00000385010400", "6A82");
    SIM_SAYS(&s, "81CD000003850114", "6147");
    iotsafe_find(s.card.iotsafe, IOTSAFE_PRIVATE, (const uint8_t[]){1}, 1)->id.octets[0] = 0x24;
    (void)sim_send(&s, "81B900000384011400");
    EXPECT_BYTES(s.answer.data, 8, "840134 850124 3445"); /* 24 is another's */
    (void)sim_send(&s, "81B900000384013400");
    EXPECT_BYTES(s.answer.data, 8, "840144 850134 3445");
    SIM_AGAIN(&s, "--no-safe2"); /* that is remembered */
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "81CD000003850134", "6147");
    sim_leave(&s);
}

static void ids_have_any_length(void)
{
    static const char *const lengths[] = {"2", "3", "20"};
    struct sim_seat s;
    char id[2 * 20 + 1], command[128], answer[128];

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        int size = i == 0 ? 2 : i == 1 ? 3 : 20;

        SIT(&s, "--iotsafe-id-size", lengths[i], "--iotsafe-public-next");
        (void)snprintf(id, sizeof id, "%0*d", 2 * size, 1);
        (void)snprintf(command, sizeof command, "812A0001%02X84%02X%sA1010391020001920104",
                       size + 12, size, id);
        SIM_SAYS(&s, command, "9000");
        SIM_SAYS(&s, "812A0002 0D 840101 A10103 91020001 920104", "6A82"); /* it is no number */
        id[2 * size - 1] = '2';
        (void)snprintf(command, sizeof command, "81CD0000%02X85%02X%s", size + 2, size, id);
        SIM_SAYS(&s, command, "6147");
        id[2 * size - 1] = '4';
        (void)snprintf(command, sizeof command, "81B90000%02X84%02X%s", size + 2, size, id);
        (void)snprintf(answer, sizeof answer, "61%02X", 0x47 + 2 * (size + 2));
        SIM_SAYS(&s, command, answer);
        sim_leave(&s);
    }
}

/* ---- status words and sessions ---- */

static void a_class_is_refused(void)
{
    struct sim_seat s;

    SIT(&s, "--iotsafe-class", "0x");
    SIM_SAYS(&s, "8184000001", "6E00");
    SIM_SAYS(&s, "01840000", "6100");
    (void)sim_send(&s, "81C0000000"); /* GET RESPONSE is not the applet's */
    EXPECT_NUMBER(s.answer.size, 256 + 2);
    SIM_AGAIN(&s, "--iotsafe-class", "8x");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "01840000", "6E00");
    SIM_SAYS(&s, "81840000", "6100");
    sim_leave(&s);
}

static void one_session_at_most(void)
{
    struct sim_seat s;

    SIT(&s, "--iotsafe-sessions", "1");
    SIM_SAYS(&s, INIT, "9000");
    SIM_SAYS(&s, INIT, "6985");
    SIM_SAYS(&s, "812C0002 0D 850101 A10103 91020001 920104", "6985");
    SIM_SAYS(&s, "0070000001", "02 9000");
    SIM_SAYS(&s, "02A4040C07" GSMA, "9000");
    SIM_SAYS(&s, "822A0001 0D 840101 A10103 91020001 920104", "6985"); /* of all channels */
    SIM_SAYS(&s, "822B8001 22 9E20" HASH, "6985");
    SIM_SAYS(&s, CLOSE, "9000");
    SIM_SAYS(&s, "822A0001 0D 840101 A10103 91020001 920104", "9000");
    SIM_SAYS(&s, "00708002", "9000");
    SIM_SAYS(&s, INIT, "9000"); /* that of a closed channel is closed */
    sim_leave(&s);
}

static void a_session_that_was_left_open_is_closed(void)
{
    struct sim_seat s;

    SIT(&s, "--iotsafe-left-open", "--iotsafe-full", "6989", "--iotsafe-missing", "6A88");
    SIM_SAYS(&s, INIT, "6989");
    SIM_SAYS(&s, "81CD000003850109", "6A88");
    SIM_AGAIN(&s, "--iotsafe-left-open");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, INIT, "6985");
    SIM_SAYS(&s, "01A4040C07" GSMA, "9000");
    SIM_SAYS(&s, INIT, "6985");
    SIM_SAYS(&s, UPDATE, "6985");
    SIM_SAYS(&s, CLOSE, "9000");
    SIM_SAYS(&s, INIT, "9000");
    SIM_SAYS(&s, UPDATE, "6142");
    sim_leave(&s);
}

static void remote_administration_comes_between(void)
{
    struct sim_seat s;

    SIT(&s, "--fault", "iotsafe-6984:2,2", "--fault", "iotsafe-6989:5", "--fault",
        "iotsafe-63cf:7");
    SIM_SAYS(&s, INIT, "9000");
    SIM_SAYS(&s, UPDATE, "6984");
    SIM_SAYS(&s, UPDATE, "6984");
    SIM_SAYS(&s, UPDATE, "6142"); /* nothing was lost */
    SIM_SAYS(&s, CLOSE, "6989");
    SIM_SAYS(&s, CLOSE, "9000");
    SIM_SAYS(&s, INIT, "63CF");
    SIM_SAYS(&s, UPDATE, "6142"); /* it was done */
    SIM_AGAIN(&s, "--fault", "iotsafe-63cf:1", "--iotsafe-new-ids");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, CLOSE, "6985"); /* only what is done can have been done meanwhile */
    SIM_AGAIN(&s, "--fault", "iotsafe-63cf:1", "--iotsafe-new-ids");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, INIT, "63CF");
    SIM_SAYS(&s, CLOSE, "9000");
    SIM_SAYS(&s, INIT, "6A82");
    SIM_SAYS(&s, "812A0001 0D 840111 A10103 91020001 920104", "9000");
    sim_leave(&s);
}

static void a_proactive_command_waits(void)
{
    struct sim_seat s;

    SIM_SIT(&s, "--applet", "iotsafe", "--iotsafe-9110", "--iotsafe-no-fci");
    SIM_SAYS(&s, "0070000001", "01 9110");
    SIM_SAYS(&s, "01A4040007" GSMA "00", "9110");
    SIM_SAYS(&s, INIT, "9110");
    SIM_SAYS(&s, UPDATE, "6142");
    (void)sim_send(&s, "81C0000042");
    EXPECT_BYTES(s.answer.data + s.answer.size - 2, 2, "9110");
    SIM_SAYS(&s, CLOSE, "9110");
    SIM_SAYS(&s, CLOSE, "6985");
    SIM_SAYS(&s, "00708001", "9110");
    sim_leave(&s);
}

void add_sim_iotsafe_shapes_suite(void)
{
    static const struct test tests[] = {
        TEST(the_list_has_a_wrapper_an_object),
        TEST(the_list_has_a_wrapper_for_several),
        TEST(the_list_is_flat),
        TEST(the_last_wrapper_has_a_raw_length),
        TEST(a_list_in_pages_is_the_same),
        TEST(there_is_no_list),
        TEST(the_information_of_an_object_differs),
        TEST(application_data_differ),
        TEST(files_differ),
        TEST(signatures_differ),
        TEST(key_pairs_differ),
        TEST(ids_have_any_length),
        TEST(a_class_is_refused),
        TEST(one_session_at_most),
        TEST(a_session_that_was_left_open_is_closed),
        TEST(remote_administration_comes_between),
        TEST(a_proactive_command_waits),
    };

    ADD_SUITE("sim_iotsafe_shapes", tests);
}
