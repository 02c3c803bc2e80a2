/* SPDX-License-Identifier: Apache-2.0 */
/* simmodem's IoT SAFE applet by the octets that clients really send: selection, what it tells of itself, files,
 * signatures and their sessions. Keys are in test_sim_iotsafe_keys.c, what cards do differently in
 * test_sim_iotsafe_shapes.c. */
#include "test/unit/check.h"
#include "test/unit/sim_seat.h"
#include "test/unit/unit.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define GSMA   "A0000005590010"
#define THALES "A00000003053F12401770101495341"
#define HASH   "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
#define INIT   "812A0001 0D 840101 A10103 91020001 920104"
#define UPDATE "812B8001 22 9E20" HASH "00"
#define CLOSE  "812A0101"

static void sit(struct sim_seat *s)
{
    SIM_SIT(s, "--applet", "iotsafe");
    sim_select(s, GSMA);
}

/* ---- selection ---- */

static void both_aids_select_it_whole_or_in_part(void)
{
    struct sim_seat s;

    SIM_SIT(&s, "--applet", "iotsafe");
    SIM_SAYS(&s, "00A4040007" GSMA "00", "6F0984 07" GSMA "9000");
    SIM_SAYS(&s, "00A4040007" GSMA, "610B");
    SIM_SAYS(&s, "00C000000B", "6F0984 07" GSMA "9000");
    SIM_SAYS(&s, "00A404000F" THALES "00", "6F0984 07" GSMA "9000");
    SIM_SAYS(&s, "00A4040C05A000000559", "9000");
    SIM_SAYS(&s, "00A4040007A0000002480400", "6A82");
    SIM_SAYS(&s, "00A404000DA0000000188000000006624151", "6A82"); /* mIAS */
    sim_leave(&s);
}

static void a_card_without_it_has_none(void)
{
    struct sim_seat s;

    SIM_SIT(&s, "--applet", "both", "--no-applet");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "01A404000DA0000000188000000006624151", "6A82");
    SIM_AGAIN(&s, "--no-safe2");
    SIM_SAYS(&s, "00A4040C0DA0000000188000000006624151", "9000");
    sim_leave(&s);
}

static void other_aids_are_personalised(void)
{
    struct sim_seat s;

    SIM_SIT(&s, "--applet", "iotsafe", "--iotsafe-aid",
            "A0000002480400,A0000001157000000000000049534102");
    SIM_SAYS(&s, "00A4040007" GSMA, "6A82");
    SIM_SAYS(&s, "00A4040C07A0000002480400", "9000");
    SIM_SAYS(&s, "00A4040C10A0000001157000000000000049534102", "9000");
    sim_leave(&s);
}

static void both_classes_are_taken_with_and_without_le(void)
{
    static const char *const commands[] = {
        "%XB0000003830102", "%XCBC10003840101", "%XCBC20003850101",
        "%XCBC30003830102", "%XCBC40003860106", "%XCD000003850101",
        "%XCB0000",         "%XCB0100",         "%X840000",
    };
    struct sim_seat s;
    char command[64];

    sit(&s);
    for (size_t i = 0; i < 2 * (sizeof commands / sizeof *commands); i++) {
        unsigned class = i % 2 == 0 ? 0x8 : 0x0;
        uint8_t first;

        (void)snprintf(command, sizeof command, commands[i / 2], class);
        memmove(command + 2, command + 1, strlen(command));
        command[1] = '1';
        (void)sim_send(&s, command);
        EXPECT_NUMBER(s.answer.size, 2);
        EXPECT_NUMBER(s.answer.data[0], 0x61);
        first = s.answer.data[1];
        (void)sim_send(&s, i % 3 == 0 ? "81C0000000" : "01C0000000");
        EXPECT_NUMBER(s.answer.size, (first == 0 ? 256u : first) + 2u);
        (void)strcat(command, "00");
        (void)sim_send(&s, command);
        EXPECT_NUMBER(s.answer.size, (first == 0 ? 256u : first) + 2u);
    }
    sim_leave(&s);
}

static void what_it_has_not_is_refused(void)
{
    struct sim_seat s;

    sit(&s);
    SIM_SAYS(&s, "0120008108 3030303030303030", "6D00"); /* VERIFY: there is no PIN */
    SIM_SAYS(&s, "0122000000", "6D00");
    SIM_SAYS(&s, "01DA000001AA", "6D00");
    SIM_SAYS(&s, "91CB000000", "6884");
    SIM_SAYS(&s, "81CB000100", "6A86");
    SIM_SAYS(&s, "81CB020000", "6A86");
    SIM_SAYS(&s, "81CBC500 03 840101", "6A86");
    SIM_SAYS(&s, "81CB0000 01 00", "6700");
    SIM_SAYS(&s, "81CBC100 03 840109", "6A82");
    SIM_SAYS(&s, "81CBC100 03 850101", "6A80");
    SIM_SAYS(&s, "81CBC100 00", "6700");
    sim_leave(&s);
}

/* ---- what it tells ---- */

static void application_data_is_that_of_a_real_card(void)
{
    struct sim_seat s;

    sit(&s);
    SIM_SAYS(&s, "81CB000044",
             "100110 1120 73696D6D6F64656D20496F54205341464520312E30 0000000000000000000000 B10102 "
             "B20102 "
             "B30103 B40101 61010F 91020001 920104 6F0101 940103 B70104 9000");
    sim_leave(&s);
}

static void one_object_is_told_by_id_or_label(void)
{
    static const char private[] =
        "C129 740E426F6F7473747261704B65795F31 840101 600102 4A0101 4B0113 "
        "4E0101 610103 920104 91020001 9000";
    struct sim_seat s;

    sit(&s);
    SIM_SAYS(&s, "81CBC10003 840101 00", private);
    SIM_SAYS(&s, "01CBC10010 740E426F6F7473747261704B65795F31 00", private);
    SIM_SAYS(&s, "81CBC10003 840104 00",
             "C12E 7410636C69656E7473657373696F6E4B6579 840104 600102 4A0100 4B0113 4E0101 610107 "
             "920104 "
             "91020001 6F0101 9000");
    SIM_SAYS(&s, "81CBC20003 850105 00",
             "C22E 751073657276657273657373696F6E4B6579 850105 600103 4A0100 4B0113 4E0101 610105 "
             "920104 "
             "91020001 6F0101 9000");
    SIM_SAYS(
        &s, "81CBC40003 860106 00",
        "C422 760E7365637265746B65794C6162656C 860106 600100 4A0101 4B01A0 610108 940103 9000");
    sim_leave(&s);
}

/* The certificate as the card directory has it. */
static size_t certificate(const struct sim_seat *s, const char *name, uint8_t **der)
{
    char path[256];
    FILE *f;
    X509 *cert = NULL;
    int size = 0;

    (void)snprintf(path, sizeof path, "%s/%s", s->dir, name);
    *der = NULL;
    f = fopen(path, "re");
    if (f != NULL) {
        cert = PEM_read_X509(f, NULL, NULL, NULL);
        (void)fclose(f);
    }
    if (cert != NULL)
        size = i2d_X509(cert, der);
    X509_free(cert);
    return size > 0 ? (size_t)size : 0;
}

static void files_are_read_in_pieces(void)
{
    struct sim_seat s;
    uint8_t *der;
    size_t size, at = 0;
    char command[64];

    sit(&s);
    size = certificate(&s, "iotsafe.pem", &der);
    CU_ASSERT(size > 300);
    while (at < size) {
        (void)snprintf(command, sizeof command, "81B0%04zX038301 02%02X", at, 0xF0u);
        (void)sim_send(&s, command);
        CU_ASSERT_FATAL(s.answer.size > 2 && at + s.answer.size - 2 <= size);
        CU_ASSERT(memcmp(der + at, s.answer.data, s.answer.size - 2) == 0);
        at += s.answer.size - 2;
    }
    EXPECT_NUMBER(at, size);
    (void)snprintf(command, sizeof command, "81B0%04zX03830102 00", at);
    SIM_SAYS(&s, command, "6B00");
    (void)sim_send(&s, "81B0000003830102 05");
    EXPECT_NUMBER(s.answer.size, 5 + 2);
    OPENSSL_free(der);
    iotsafe_find(s.card.iotsafe, IOTSAFE_FILE, (const uint8_t[]){2}, 1)->access = IOTSAFE_UPDATE;
    SIM_SAYS(&s, "81B0000003830102 05", "6982");
    bytes_free(&iotsafe_find(s.card.iotsafe, IOTSAFE_FILE, (const uint8_t[]){3}, 1)->data);
    SIM_SAYS(&s, "81B0000003830103 05", "6985"); /* it is empty */
    sim_leave(&s);
}

/* ---- signatures ---- */

/* The signature in the answer (behind so many octets) is right for the hash. */
static bool is_signature(const struct sim_seat *s, size_t before, const char *hash, const char *md)
{
    const struct iotsafe_object *key =
        iotsafe_find(s->card.iotsafe, IOTSAFE_PUBLIC, (const uint8_t[]){1}, 1);
    uint8_t digest[64];
    unsigned code = strcmp(md, "sha256") == 0 ? 1 : strcmp(md, "sha384") == 0 ? 2 : 4;

    (void)bytes_of(hash, digest, sizeof digest);
    return s->answer.size == before + 64 + 2 &&
           iotsafe_verify(key->key, IOTSAFE_ECDSA, code, digest, s->answer.data + before, 64);
}

static void a_hash_is_signed_in_one_session(void)
{
    struct sim_seat s;

    sit(&s);
    SIM_SAYS(&s, INIT, "9000");
    (void)sim_send(&s, UPDATE);
    EXPECT_BYTES(s.answer.data, 2, "3340");
    CU_ASSERT(is_signature(&s, 2, HASH, "sha256"));
    SIM_SAYS(&s, UPDATE, "6985"); /* it waits to be closed */
    SIM_SAYS(&s, CLOSE, "9000");
    SIM_SAYS(&s, CLOSE, "6985");
    sim_leave(&s);
}

static void the_traces_of_clients_are_answered(void)
{
    struct sim_seat s;

    sit(&s);
    SIM_SAYS(&s, "012A0001 0D 840101 A10103 91020001 920104 00", "9000"); /* CLA 0x and Le */
    SIM_SAYS(&s, "012B8001 22 9E20" HASH, "6142");
    (void)sim_send(&s, "01C0000000");
    CU_ASSERT(is_signature(&s, 2, HASH, "sha256"));
    SIM_SAYS(&s, "812A010100", "9000");                                /* a fifth octet */
    SIM_SAYS(&s, "812A0000 0D 840101 A10103 91020001 920104", "9000"); /* number 00, never closed */
    SIM_SAYS(&s, "812A0000 0D 840101 A10103 91020001 920104", "9000");
    (void)sim_send(&s, "812B8000 22 9E20" HASH "00");
    CU_ASSERT(is_signature(&s, 2, HASH, "sha256"));
    SIM_SAYS(&s, "812A0001 1A 740E426F6F7473747261704B65795F31 A10103 91020001 920104", "9000");
    sim_leave(&s);
}

static void what_init_cannot_take_is_refused(void)
{
    struct sim_seat s;

    sit(&s);
    SIM_SAYS(&s, "812A0001 0D 840109 A10103 91020001 920104", "6A82");
    SIM_SAYS(&s, "812A0001 0D 840104 A10103 91020001 920104", "6985"); /* it is empty */
    SIM_SAYS(&s, "812A0001 0D 840101 A10104 91020001 920104", "6A80");
    SIM_SAYS(&s, "812A0001 0D 840101 A10103 91020008 920104", "6A80");
    SIM_SAYS(&s, "812A0001 0D 840101 A10103 91020002 920104", "6985"); /* not in its information */
    SIM_SAYS(&s, "812A0001 0D 840101 A10103 91020001 920101", "6985");
    SIM_SAYS(&s, "812A0001 0A 840101 A10103 91020001", "6A80");
    SIM_SAYS(&s, "812A0201 0D 840101 A10103 91020001 920104", "6A86");
    SIM_SAYS(&s, UPDATE, "6985"); /* none of these opened a session */
    sim_leave(&s);
}

static void an_update_that_fails_ends_the_session(void)
{
    struct sim_seat s;

    sit(&s);
    SIM_SAYS(&s, INIT, "9000");
    SIM_SAYS(&s, "812B8001 12 9E10 000102030405060708090A0B0C0D0E0F", "6A80");
    SIM_SAYS(&s, UPDATE, "6985");
    SIM_SAYS(&s, INIT, "9000");
    SIM_SAYS(&s, "812B8101 22 9E20" HASH, "6A86");
    SIM_SAYS(&s, "812B8002 22 9E20" HASH, "6985"); /* another number */
    SIM_SAYS(&s, "812B0001 22 9E20" HASH, "6A80"); /* a hash is the last block */
    SIM_SAYS(&s, INIT, "9000");
    SIM_SAYS(&s, "01A4040C07" GSMA, "9000");
    SIM_SAYS(&s, UPDATE, "6985"); /* SELECT closed it */
    sim_leave(&s);
}

#define TEXT      "812A0001 0D 840101 A10101 91020001 920104"
#define ABC_HASH  "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
#define LAST      "812A0001 0D 840101 A10102 91020001 920104"
#define STATE_256 "DF5BB81CE81E0626FB45A8944FD40F31B25E6816D6D499C1AB90492900635E66"
#define REST_256  "15ADB89AB80BA0F70FFB17DD5CF235BA28F347664C6CD8EE9B39742CDBB46656"
#define STATE_512                                                                                  \
    "03BF7C6E55C11B040D48757F45285FDCED46689BFC9026C0281701A1424C80F5CA31738BEFE6AFEE30F5FE8D4E4"  \
    "1E2489379D57C74895AF44B1E84EBC1BAB8B0"
#define REST_512                                                                                   \
    "FE55E037AB6A6BDFF8B231CE8F3213A7800A70C2D81C84C990D73B0493D9F20454D8F00702E21D639E245F1EE53"  \
    "88A2AA58CAD8AAB224E7D728A222D4197ADE6"

#define STATE_384                                                                                  \
    "CBBB9D5DC1059ED8629A292A367CD5079159015A3070DD17152FECD8F70E593967332667FFC00B318EB44A876858" \
    "1511DB0C2E0D64F98FA747B5481DBEFA4FA4" /* of nothing yet */
#define ABC_384                                                                                    \
    "CB00753F45A35E8BB5A03D699AC65007272C32AB0EDED1631A8B605A43FF5BED8086072BA1E7CC2358BAECA134C8" \
    "25A7"

static void the_card_hashes_a_text_in_one_part_or_several(void)
{
    static const char *const ways[][3] = {
        {"812B8001 05 9B03616263 00"},
        {"812B0001 03 9B0161", "812B0001 03 9B0162", "812B8001 03 9B0163 00"}, /* a tag each */
        {"812B0001 03 9B0361", "812B0001 01 62", "812B8001 01 63 00"},         /* one for all */
        {"812B8001 07 9B82000361 6263 00"},
        {"812B0001 05 9B03616263", "812B8001 00"},
    };
    struct sim_seat s;

    sit(&s);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        SIM_SAYS(&s, TEXT, "9000");
        for (size_t part = 0; part < 3 && ways[i][part] != NULL; part++)
            (void)sim_send(&s, ways[i][part]);
        CU_ASSERT(is_signature(&s, 2, ABC_HASH, "sha256"));
    }
    SIM_SAYS(&s, TEXT, "9000");
    SIM_SAYS(&s, "812B8001 04 9B036162", "6A80"); /* less than was told */
    sim_leave(&s);
}

static void the_card_ends_a_hash_that_the_host_began(void)
{
    struct sim_seat s;

    SIM_SIT(&s, "--applet", "iotsafe", "--iotsafe-all-hashes");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, LAST, "9000");
    (void)sim_send(&s, "812B8001 2E 9A0472657374 9C20" STATE_256 "9D0400000040 00");
    CU_ASSERT(is_signature(&s, 2, REST_256, "sha256"));
    SIM_SAYS(&s, "812A0001 0D 840101 A10102 91020004 920104", "9000");
    (void)sim_send(&s, "812B8001 4E 9A0472657374 9C40" STATE_512 "9D0400000080 00");
    CU_ASSERT(is_signature(&s, 2, REST_512, "sha512"));
    SIM_SAYS(&s, "812A0001 0D 840101 A10102 91020002 920104", "9000");
    (void)sim_send(&s, "812B8001 4D 9D0400000000 9C40" STATE_384 "9A03616263 00");
    CU_ASSERT(is_signature(&s, 2, ABC_384, "sha384"));
    SIM_SAYS(&s, LAST, "9000");
    SIM_SAYS(&s, "812B8001 2E 9A0472657374 9C20" STATE_256 "9D0400000041", "6A80");
    SIM_SAYS(&s, "812A0001 0D 840101 A10103 91020002 920104", "9000");
    (void)sim_send(&s, "812B8001 32 9E30" ABC_384 "00");
    CU_ASSERT(is_signature(&s, 2, ABC_384, "sha384"));
    sim_leave(&s);
}

static void signatures_are_verified(void)
{
    static const char init[] = "812C0002 0D 850101 A10103 91020001 920104";
    struct sim_seat s;
    char value[2 * 64 + 1], command[512];

    sit(&s);
    SIM_SAYS(&s, INIT, "9000");
    (void)sim_send(&s, UPDATE);
    CU_ASSERT_FATAL(s.answer.size == 68);
    hex_write(value, s.answer.data + 2, 64);
    SIM_SAYS(&s, init, "9000");
    (void)snprintf(command, sizeof command, "812D8002659E20" HASH "330040%s", value);
    SIM_SAYS(&s, command, "9000");
    SIM_SAYS(&s, "812C0102", "9000");
    SIM_SAYS(&s, init, "9000");
    (void)snprintf(command, sizeof command, "812D8002649E20" HASH "3340%s", value);
    SIM_SAYS(&s, command, "9000");
    SIM_SAYS(&s, init, "9000");
    value[0] = value[0] == '0' ? '1' : '0';
    (void)snprintf(command, sizeof command, "812D8002649E20" HASH "3340%s", value);
    SIM_SAYS(&s, command, "6D01");
    SIM_SAYS(&s, init, "9000");
    (void)snprintf(command, sizeof command, "812D8002649E20" HASH "3341%s", value);
    SIM_SAYS(&s, command, "6985"); /* a wrong length */
    SIM_SAYS(&s, init, "9000");
    SIM_SAYS(&s, "812D8002 22 9E20" HASH, "6A80"); /* nothing to verify */
    sim_leave(&s);
}

void add_sim_iotsafe_suite(void)
{
    static const struct test tests[] = {
        TEST(both_aids_select_it_whole_or_in_part),
        TEST(a_card_without_it_has_none),
        TEST(other_aids_are_personalised),
        TEST(both_classes_are_taken_with_and_without_le),
        TEST(what_it_has_not_is_refused),
        TEST(application_data_is_that_of_a_real_card),
        TEST(one_object_is_told_by_id_or_label),
        TEST(files_are_read_in_pieces),
        TEST(a_hash_is_signed_in_one_session),
        TEST(the_traces_of_clients_are_answered),
        TEST(what_init_cannot_take_is_refused),
        TEST(an_update_that_fails_ends_the_session),
        TEST(the_card_hashes_a_text_in_one_part_or_several),
        TEST(the_card_ends_a_hash_that_the_host_began),
        TEST(signatures_are_verified),
    };

    ADD_SUITE("sim_iotsafe", tests);
}
