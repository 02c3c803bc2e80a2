/* SPDX-License-Identifier: Apache-2.0 */
/* Type A: data objects byte by byte, and both places end to end: the directory p11 of the applet, and the files under the
 * UICC's PIN1. */
#include "apdu/applet/mias.h"
#include "apdu/typea.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "000102030405060708090A0B0C0D0E0F"
/* CERT_AVAILABLE, CERT_TYPE_A, PRIV_AVAILABLE, PRIV_TYPE_A as fields */
#define CERT_NEW "0E 434552545F415641494C41424C45"
#define CERT_OLD "0B 434552545F545950455F41"
#define PRIV_NEW "0E 505249565F415641494C41424C45"
#define PRIV_OLD "0B 505249565F545950455F41"
#define REST     "03 746F62 02 0001"

/* A copy that ends where its memory ends. */
static bool parse(const uint8_t *bytes, size_t length, char label[33], char value_hex[600])
{
    uint8_t *copy = malloc(length ? length : 1);
    struct span value = {NULL, 0};
    bool good;

    memcpy(copy, bytes, length);
    memset(label, 'x', 33);
    value_hex[0] = '\0';
    good = typea_parse_object((struct span){copy, length}, label, &value);
    if (good && value.length <= 256) {
        size_t i;

        for (i = 0; i < value.length; i++)
            append_hex(value_hex, 600, value.data[i], 1);
        if (value.length && (value.data < copy || value.data + value.length > copy + length))
            FAIL("the value lies outside the object");
    }
    free(copy);
    return good;
}

static void expect_object_at(const char *file, int line, const char *hex, const char *label,
                             const char *value)
{
    uint8_t bytes[1024];
    char found[33], found_value[600];

    if (!parse(bytes, bytes_of(hex, bytes, sizeof bytes), found, found_value)) {
        fail_at(file, line, "the object was not taken");
        return;
    }
    check_text(file, line, "the label", found, label);
    check_text(file, line, "the value", found_value, value);
}
#define EXPECT_OBJECT(hex, label, value) expect_object_at(__FILE__, __LINE__, hex, label, value)

static void an_object_has_header_label_application_id_and_value(void)
{
    EXPECT_OBJECT(HEADER CERT_NEW REST "04 2D2D2D2D", "CERT_AVAILABLE", "2D2D2D2D");
    EXPECT_OBJECT(HEADER CERT_OLD REST "02 2D2D", "CERT_TYPE_A", "2D2D");
    EXPECT_OBJECT(HEADER PRIV_NEW "00 00 03 308200", "PRIV_AVAILABLE", "308200");
    /* The file may be longer than the object. */
    EXPECT_OBJECT(HEADER PRIV_OLD REST "01 30 FFFFFF", "PRIV_TYPE_A", "30");
}

static void a_label_comes_without_the_spaces_that_pad_it(void)
{
    EXPECT_OBJECT(HEADER "20 434552545F415641494C41424C45 202020202020202020202020202020202020" REST
                         "01 2D",
                  "CERT_AVAILABLE", "2D");
    EXPECT_OBJECT(HEADER "0D 434552545F545950455F41 2020" REST "01 2D", "CERT_TYPE_A", "2D");
}

static void lengths_are_ber(void)
{
    char hex[900] = HEADER CERT_NEW REST "81 80", value[600] = "";

    append_hex(hex, sizeof hex, 0x2D, 128);
    append_hex(value, sizeof value, 0x2D, 128);
    EXPECT_OBJECT(hex, "CERT_AVAILABLE", value);
    strcpy(hex, HEADER CERT_NEW REST "82 0100");
    value[0] = '\0';
    append_hex(hex, sizeof hex, 0x2E, 256);
    append_hex(value, sizeof value, 0x2E, 256);
    EXPECT_OBJECT(hex, "CERT_AVAILABLE", value);
    EXPECT_OBJECT(HEADER "81 0B 434552545F545950455F41" REST "82 0001 2D", "CERT_TYPE_A", "2D");
}

static void every_cut_object_is_refused(void)
{
    uint8_t bytes[256];
    char label[33], value[600];
    size_t whole = bytes_of(HEADER CERT_NEW REST "04 2D2D2D2D", bytes, sizeof bytes), length;

    for (length = 0; length < whole; length++)
        if (parse(bytes, length, label, value))
            FAIL("%zu of %zu bytes were taken", length, whole);
    CU_ASSERT(parse(bytes, whole, label, value));
}

static void an_object_ends_with_its_value_or_padding(void)
{
    uint8_t bytes[128];
    char label[33], value[600];

    EXPECT_OBJECT(HEADER CERT_NEW REST "01 2D FFFFFFFF", "CERT_AVAILABLE", "2D");
    EXPECT_OBJECT(HEADER CERT_NEW REST "01 2D 000000", "CERT_AVAILABLE", "2D");
    CU_ASSERT_FALSE(
        parse(bytes, bytes_of(HEADER CERT_NEW REST "01 2D 2D", bytes, sizeof bytes), label, value));
    CU_ASSERT_FALSE(parse(bytes, bytes_of(HEADER CERT_NEW REST "01 2D FFFF00", bytes, sizeof bytes),
                          label, value));
}

static void malformed_objects_do_no_harm(void)
{
    static const char *const hex[] = {
        HEADER "80 41" REST "01 2D",        /* indefinite length */
        HEADER "83 000001 41" REST "01 2D", /* three bytes of length */
        HEADER "82 FFFF 41",                /* beyond the end */
        HEADER CERT_NEW REST "81",          /* a length that is cut off */
        HEADER "FF FF FF FF FF",
        /* A label of 40 bytes has no room. */
        HEADER
        "28 41414141414141414141414141414141414141414141414141414141414141414141414141414141" REST
        "01 2D"};
    uint8_t bytes[256];
    char label[33], value[600];
    size_t i;

    for (i = 0; i < sizeof hex / sizeof hex[0]; i++)
        if (parse(bytes, bytes_of(hex[i], bytes, sizeof bytes), label, value) && i != 5)
            FAIL("object %zu was taken", i);
    CU_PASS("none was taken");
}

/* ---- the data objects, end to end ---- */

#define SELECT_DIRECTORY CSIM("01 A4 08 04 02 0101 00", "62 04 8102 0040 9000")
/* kxc00 in mscp, pubdat01 and pridat01 in p11 */
#define DIRECTORY                                                                                  \
    CSIM("01 B0 00 00 40", "03 4301 0006 6B78633030000000 6D73637000000000 00"                     \
                           "4401 0000 7075626461743031 7031310000000000 00"                        \
                           "4402 0000 7072696461743031 7031310000000000 00 9000")

static void the_certificate_is_found_by_its_label_without_a_pin(void)
{
    static const struct modem_step fresh[] = {
        OPEN,
        SELECT,
        SELECT_DIRECTORY,
        DIRECTORY,
        CSIM("01 A4 08 04 02 4401 00", "62 04 8002 002B 9000"),
        CSIM("01 B0 00 00 2B", HEADER CERT_NEW REST "04 2D2D2D2D 9000"),
        CLOSE,
        MODEM_END};
    static const struct modem_step old[] = {
        OPEN,
        SELECT,
        SELECT_DIRECTORY,
        DIRECTORY,
        CSIM("01 A4 08 04 02 4401 00", "62 04 8002 0028 9000"),
        CSIM("01 B0 00 00 28", HEADER CERT_OLD REST "04 2D2D2D2D 9000"),
        CLOSE,
        MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, fresh, NULL, "pin", "");
    EXPECT(typea_certificate(seat.sim, "", TYPEA_ANY, &blob, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(blob.data, blob.length, "2D2D2D2D");
    typea_blob_clear(&blob);
    CU_ASSERT(blob.data == NULL && blob.length == 0);
    seat_end(&seat);
    seat_begin(&seat, old, NULL, "pin", "");
    EXPECT(typea_certificate(seat.sim, "", TYPEA_OBJECTS, &blob, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(blob.data, blob.length, "2D2D2D2D");
    typea_blob_clear(&blob);
    seat_end(&seat);
}

static void the_key_object_needs_the_applets_pin(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        SELECT_DIRECTORY,
        DIRECTORY,
        SELECT,
        STATE,
        VERIFY,
        CSIM("01 A4 08 04 02 4402 00", "62 04 8002 002A 9000"),
        CSIM("01 B0 00 00 2A", HEADER PRIV_NEW REST "03 308200 9000"),
        CLOSE,
        MODEM_END};
    static const struct modem_step without[] = {OPEN,  SELECT, SELECT_DIRECTORY, DIRECTORY, SELECT,
                                                STATE, CLOSE,  MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(typea_key(seat.sim, "", TYPEA_ANY, &blob, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(blob.data, blob.length, "308200");
    typea_blob_clear(&blob);
    seat_end(&seat);
    seat_begin(&seat, without, NULL, "pin", "");
    EXPECT(typea_key(seat.sim, "", TYPEA_ANY, &blob, &seat.why), OUTCOME_PIN_MISSING, &seat.why);
    CU_ASSERT_PTR_NULL(blob.data);
    seat_end(&seat);
}

/* The public objects hold none: then the private ones are read with the PIN. */
static void a_certificate_among_the_private_objects_is_read_with_the_pin(void)
{
#define NO_PUBLIC_ONE                                                                              \
    OPEN, SELECT, SELECT_DIRECTORY, DIRECTORY,                                                     \
        CSIM("01 A4 08 04 02 4401 00", "62 04 8002 0028 9000"),                                    \
        CSIM("01 B0 00 00 28", HEADER "0B 4F544845525F5459504541" REST "04 2D2D2D2D 9000")
#define PRIVATE_ONE                                                                                \
    SELECT_AGAIN, STATE, VERIFY, CSIM("01 A4 08 04 02 4402 00", "62 04 8002 002B 9000"),           \
        CSIM("01 B0 00 00 2B", HEADER CERT_NEW REST "04 2D2D2D2E 9000")
    static const struct modem_step steps[] = {NO_PUBLIC_ONE, PRIVATE_ONE, CLOSE, MODEM_END};
    static const struct modem_step without[] = {NO_PUBLIC_ONE, CLOSE, MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(typea_certificate(seat.sim, "", TYPEA_OBJECTS, &blob, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(blob.data, blob.length, "2D2D2D2E");
    typea_blob_clear(&blob);
    seat_end(&seat);
    seat_begin(&seat, without, NULL, "pin", "");
    EXPECT(typea_certificate(seat.sim, "", TYPEA_OBJECTS, &blob, &seat.why), OUTCOME_PIN_MISSING,
           &seat.why);
    seat_end(&seat);
}

static void objects_of_other_names_are_passed_over(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        CSIM("01 A4 08 04 02 0101 00", "62 04 8102 0040 9000"),
        CSIM("01 B0 00 00 40", "03 4501 0000 7075626461743030 6D73637000000000 00" /* in mscp */
                               "4401 0000 7075626461743031 7031310000000000 00"
                               "4403 0000 7075626461743032 7031310000000000 00 9000"),
        CSIM("01 A4 08 04 02 4401 00", "62 04 8002 0018 9000"),
        CSIM("01 B0 00 00 18", HEADER "04 4F544852 00 00 01 9000"), /* malformed */
        CSIM("01 A4 08 04 02 4403 00", "62 04 8002 0028 9000"),
        CSIM("01 B0 00 00 28", HEADER CERT_OLD REST "04 2D2D2D2D 9000"),
        CLOSE,
        MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(typea_certificate(seat.sim, "", TYPEA_OBJECTS, &blob, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(blob.data, blob.length, "2D2D2D2D");
    typea_blob_clear(&blob);
    seat_end(&seat);
}

/* ---- the files ---- */

#define SELECT_UICC      CSIM("01 A4 04 0C 10 " UICC_AID, "9000")
#define SELECT_CERT_FILE CSIM("01 A4 08 04 04 7FAA6F01 00", "62 04 8002 0005 9000")

#define READ_IN_DOUBT                                                                              \
    LINE("AT+CSIM=10,\"01B0000005\"", "\r\n+CSIM: 14,\"AAAAAAAAAA9000\"\r\n" OK BREATH             \
                                      "\r\n+CSIM: 14,\"2D2D2D2D2D9000\"\r\n" OK)

static void the_files_are_read_without_a_pin_when_the_card_lets_us(void)
{
    static const struct modem_step steps[] = {
        OPEN,  SELECT_UICC, SELECT_CERT_FILE, CSIM("01 B0 00 00 05", "2D2D2D2D2D 9000"),
        CLOSE, MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(typea_certificate(seat.sim, "", TYPEA_FILES, &blob, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(blob.data, blob.length, "2D2D2D2D2D");
    typea_blob_clear(&blob);
    seat_end(&seat);
}

/* The applet's PIN is configured, PIN1 is not: nothing is sent to PIN1's place. */
static void the_applets_pin_does_not_open_the_files(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_UICC,
                                              SELECT_CERT_FILE,
                                              CSIM("01 B0 00 00 05", "6982"),
                                              SELECT_UICC,
                                              CSIM("01 20 00 01", "63C3"),
                                              CLOSE,
                                              MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(typea_certificate(seat.sim, "", TYPEA_FILES, &blob, &seat.why), OUTCOME_PIN_MISSING,
           &seat.why);
    EXPECT_SAYS(seat.why.text, "sim-pin-source");
    CU_ASSERT_PTR_NULL(blob.data);
    seat_end(&seat);
}

static void pin1_opens_the_files(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT_UICC,
        CSIM("01 A4 08 04 04 7FAA6F02 00", "62 04 8002 0003 9000"),
        CSIM("01 B0 00 00 03", "6982"),
        SELECT_UICC,
        CSIM("01 20 00 01", "63C3"),
        ECHO_OFF,
        CSIM("01 20 00 01 08 31323334FFFFFFFF", "9000"),
        CSIM("01 A4 08 04 04 7FAA6F02 00", "62 04 8002 0003 9000"),
        CSIM("01 B0 00 00 03", "308200 9000"),
        CLOSE,
        MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct folder folder;
    struct seat seat;
    char path[192];

    folder_make(&folder);
    folder_write(&folder, "pin1", "1234\n", 5, 0600, path);
    seat_begin(&seat, steps, NULL, "sim-pin-source", path);
    EXPECT(typea_key(seat.sim, "", TYPEA_FILES, &blob, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(blob.data, blob.length, "308200");
    typea_blob_clear(&blob);
    seat_end(&seat);
    folder_remove(&folder);
}

/* The files want PIN1, which is not there: that the applet's PIN was wrong is what is told. */
static void a_pin_that_is_wrong_for_the_private_objects_is_told(void)
{
#define WANTS_PIN1                                                                                 \
    SELECT_UICC, SELECT_CERT_FILE, CSIM("01 B0 00 00 05", "6982"),                                 \
        CSIM("01 A4 04 00 10 " UICC_AID " 00", "6F 12 84 10 " UICC_AID " 9000"),                   \
        CSIM("01 20 00 01", "63C3"), SELECT, SELECT_DIRECTORY, DIRECTORY, SELECT_AGAIN, STATE,     \
        ECHO_OFF, CSIM("01 20 00 81 04 30303030", "63C2"), CLOSE
    static const struct modem_step steps[] = {NO_PUBLIC_ONE, WANTS_PIN1, MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(typea_certificate(seat.sim, "", TYPEA_ANY, &blob, &seat.why), OUTCOME_PIN_WRONG,
           &seat.why);
    seat_end(&seat);
}

static void without_objects_the_files_are_looked_at(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        CSIM("01 A4 08 04 02 0101 00", "62 04 8102 0001 9000"),
        CSIM("01 B0 00 00 01", "00 9000"),
        SELECT_UICC,
        SELECT_CERT_FILE,
        CSIM("01 B0 00 00 05", "2D2D2D2D2D 9000"),
        CLOSE,
        MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(typea_certificate(seat.sim, "", TYPEA_ANY, &blob, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(blob.data, blob.length, "2D2D2D2D2D");
    typea_blob_clear(&blob);
    seat_end(&seat);
}

/* Another command's answer was taken, its own comes behind it: what was read is not handed out, and
 * not kept where the next start comes to nothing. */
static void what_was_read_in_doubt_is_given_up(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT_UICC,
        SELECT_CERT_FILE,
        READ_IN_DOUBT,
        CLOSE,
        OPEN,
        CSIM("01 A4 04 0C 10 " UICC_AID, "6A82"), /* the second start ends before its work */
        CLOSE,
        MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(typea_certificate(seat.sim, "", TYPEA_FILES, &blob, &seat.why), OUTCOME_NO_APPLET,
           &seat.why);
    CU_ASSERT_PTR_NULL(blob.data);
    EXPECT_NUMBER(blob.length, 0);
    typea_blob_clear(&blob);
    seat_end(&seat);
}

static void what_was_read_in_doubt_is_read_again(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_UICC,
                                              SELECT_CERT_FILE,
                                              READ_IN_DOUBT,
                                              CLOSE,
                                              OPEN,
                                              SELECT_UICC,
                                              SELECT_CERT_FILE,
                                              CSIM("01 B0 00 00 05", "2D2D2D2D2D 9000"),
                                              CLOSE,
                                              MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(typea_certificate(seat.sim, "", TYPEA_FILES, &blob, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(blob.data, blob.length, "2D2D2D2D2D");
    typea_blob_clear(&blob);
    seat_end(&seat);
}

static void another_sim_is_refused_before_anything_is_read(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    static const struct modem_step standing[] = {LINE("AT", OK),
                                                 LINE("ATE0V1Q0", OK),
                                                 LINE("AT+CMEE=1", OK),
                                                 LINE(CRSM, CRSM_SAYS),
                                                 OPEN,
                                                 CLOSE,
                                                 MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, nothing, standing, NULL, NULL);
    EXPECT(typea_certificate(seat.sim, "89880330000000099999", TYPEA_OBJECTS, &blob, &seat.why),
           OUTCOME_WRONG_SIM, &seat.why);
    CU_ASSERT_PTR_NULL(blob.data);
    seat_end(&seat);
}

/* The first place lacks the thing, and before the second another SIM came: that is what is told. */
static void another_sim_between_the_two_places_is_told(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        LINE(CRSM, CRSM_SAYS),
        SELECT,
        CSIM("01 A4 08 04 02 0101 00", "62 04 8102 0001 9000"),
        CSIM("01 B0 00 00 01", "00 9000"),
        CSIM("01 A4 04 0C 10 " UICC_AID, "6881"),
        OPEN,
        LINE(CRSM, "\r\n+CRSM: 144,0,\"98883003000000000082\"\r\n" OK),
        MODEM_END};
    static const struct modem_step standing[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                                 LINE("AT+CMEE=1", OK), CLOSE, MODEM_END};
    struct typea_blob blob = {NULL, 0};
    struct seat seat;

    seat_begin(&seat, steps, standing, "transport", "csim");
    EXPECT(typea_certificate(seat.sim, ICCID, TYPEA_ANY, &blob, &seat.why), OUTCOME_WRONG_SIM,
           &seat.why);
    CU_ASSERT_PTR_NULL(blob.data);
    seat_end(&seat);
}

void add_typea_suite(void)
{
    static const struct test tests[] = {
        TEST(an_object_has_header_label_application_id_and_value),
        TEST(a_label_comes_without_the_spaces_that_pad_it),
        TEST(lengths_are_ber),
        TEST(every_cut_object_is_refused),
        TEST(an_object_ends_with_its_value_or_padding),
        TEST(malformed_objects_do_no_harm),
        TEST(the_certificate_is_found_by_its_label_without_a_pin),
        TEST(the_key_object_needs_the_applets_pin),
        TEST(a_certificate_among_the_private_objects_is_read_with_the_pin),
        TEST(objects_of_other_names_are_passed_over),
        TEST(the_files_are_read_without_a_pin_when_the_card_lets_us),
        TEST(the_applets_pin_does_not_open_the_files),
        TEST(pin1_opens_the_files),
        TEST(a_pin_that_is_wrong_for_the_private_objects_is_told),
        TEST(without_objects_the_files_are_looked_at),
        TEST(what_was_read_in_doubt_is_given_up),
        TEST(what_was_read_in_doubt_is_read_again),
        TEST(another_sim_is_refused_before_anything_is_read),
        TEST(another_sim_between_the_two_places_is_told),
    };

    ADD_SUITE("typea", tests);
}
