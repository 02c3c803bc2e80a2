/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a key of IoT SAFE by its name: its public half, and the file that is looked at first for
 * its certificate. The applet does not say, and a card may have several keys. */
#include "apdu/token.h"
#include "apdu/token_iotsafe.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <string.h>

#define SELECT_SAFE CSIM("01 A4 04 0C 07 A0000005590010", "9000")
#define LIST(says)  CSIM("81 CB 01 00 00", says "9000")

/* Objects of a list. */
#define PRIVATE(id)          "8401" id "4A0101 4B0113 610101"
#define PRIVATE_OF(id, name) "7401" name PRIVATE(id)
#define PUBLIC(id)           "8501" id "4A0101 4B0113"
#define PUBLIC_OF(id, name)  "7501" name PUBLIC(id)
#define FILE_(id)            "8301" id "4A0101 210102 20020005"
#define FILE_OF(id, name)    "7301" name FILE_(id)

#define X32         "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
#define POINT(y)    "04" X32 "202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E" y
#define READ(id, y) CSIM("81 CD 00 00 03 8501" id " 00", "34454943 8641" POINT(y) "9000")

/* Five bytes that look like a certificate, with the file's id in the last. */
#define CERTIFICATE(id) CSIM("81 B0 00 00 03 8301" id " 00", "308102 00" id "9000")

static struct token_name named(uint8_t id)
{
    return (struct token_name){.container = TOKEN_CONTAINER_NONE,
                               .id_length = 1,
                               .id = {id},
                               .applet = TOKEN_APPLET_IOTSAFE};
}

static void reads(struct seat *seat, uint8_t id, const char *point, const char *certificate)
{
    struct token_name name = named(id);
    struct token_content content;

    EXPECT(token_read(seat->sim, "", &name, 0, &content, &seat->why), OUTCOME_OK, &seat->why);
    EXPECT_BYTES(content.point, content.point_length, point);
    EXPECT_BYTES(content.certificate, content.length, certificate);
    token_content_clear(&content);
}

/* Key 01 has no public half that is listed: the next id is that of key 02, and so is the label. */
static void another_keys_public_half_is_not_taken(void)
{
    static const struct modem_step nameless[] = {OPEN,
                                                 SELECT_SAFE,
                                                 LIST(PRIVATE("01") PRIVATE("02") PUBLIC("02")),
                                                 LIST(PRIVATE("01") PRIVATE("02") PUBLIC("02")),
                                                 READ("02", "3F"),
                                                 CLOSE,
                                                 MODEM_END};
    static const struct modem_step alike[] = {
        OPEN, SELECT_SAFE,
        LIST(PRIVATE_OF("01", "41") PRIVATE_OF("02", "41") PUBLIC_OF("02", "41")), CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, nameless, NULL, "transport", "csim");
    reads(&seat, 1, "", "");
    reads(&seat, 2, POINT("3F"), "");
    seat_end(&seat);
    seat_begin(&seat, alike, NULL, "transport", "csim");
    reads(&seat, 1, "", "");
    seat_end(&seat);
}

/* Where names tell nothing, a public key is that of the only private key, and not of one of two. */
static void an_only_pair_belongs_together(void)
{
    static const struct modem_step one[] = {
        OPEN, SELECT_SAFE, LIST(PRIVATE("01") PUBLIC("09")), READ("09", "3F"), CLOSE, MODEM_END};
    static const struct modem_step two[] = {
        OPEN, SELECT_SAFE, LIST(PRIVATE("01") PRIVATE("05") PUBLIC("09")), CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, one, NULL, "transport", "csim");
    reads(&seat, 1, POINT("3F"), "");
    seat_end(&seat);
    seat_begin(&seat, two, NULL, "transport", "csim");
    reads(&seat, 1, "", "");
    seat_end(&seat);
}

static void an_empty_file_is_not_read(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT_SAFE,
        LIST(PRIVATE("01") "830101 4A0100 210102 20020005" FILE_("07")),
        CERTIFICATE("07"),
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    reads(&seat, 1, "", "3081020007");
    seat_end(&seat);
}

/* Nothing is asked of a key that cannot be there. */
static void a_key_that_is_empty_or_not_listed_is_not_found(void)
{
    static const struct modem_step steps[] = {
        OPEN,  SELECT_SAFE, LIST("840104 4A0100 4B0113 610101" PUBLIC("04")), LIST(PRIVATE("01")),
        CLOSE, MODEM_END};
    static const char *const words[] = {"is empty", "this SIM does not have"};
    struct token_name name = named(4);
    struct token_content content;
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        EXPECT(token_read(seat.sim, "", &name, 0, &content, &seat.why), OUTCOME_NOT_FOUND,
               &seat.why);
        CU_ASSERT_PTR_NOT_NULL(strstr(seat.why.text, words[i]));
    }
    seat_end(&seat);
}

static void without_a_name_the_first_key_that_may_sign_counts(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT_SAFE,
        LIST("840101 4A0101 4B0113 610102 840102 4A0100 4B0113 610101" PRIVATE("05") PRIVATE("06")),
        CLOSE, MODEM_END};
    const struct token_name nothing = {.container = TOKEN_CONTAINER_NONE,
                                       .applet = TOKEN_APPLET_IOTSAFE};
    struct token_content content;
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    EXPECT(token_read(seat.sim, "", &nothing, 0, &content, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(content.item.name.id, content.item.name.id_length, "05");
    token_content_clear(&content);
    seat_end(&seat);
}

/* A public half has its private half's id, or the next. */
static void an_applet_without_a_list_is_asked_by_number(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE,
                                              CSIM("81 CB 01 00 00", "6D00"),
                                              CSIM("01 CB 01 00 00", "6D00"),
                                              CSIM("81 CD 00 00 03 850101 00", "6A82"),
                                              READ("02", "3F"),
                                              CERTIFICATE("01"),
                                              CSIM("81 CB 01 00 00", "6D00"),
                                              CSIM("01 CB 01 00 00", "6D00"),
                                              CLOSE,
                                              MODEM_END};
    struct token_name name = named(1);
    struct token_content content;
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    reads(&seat, 1, POINT("3F"), "3081020001");
    EXPECT(token_read(seat.sim, "", &name, IOTSAFE_PLACES, &content, &seat.why), OUTCOME_NOT_FOUND,
           &seat.why);
    seat_end(&seat);
}

/* A public key has the id after its private key's, and the private keys follow each other. */
static void labels_tell_pairs_apart_where_ids_overlap(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT_SAFE,
        LIST(PRIVATE_OF("01", "41") PUBLIC_OF("02", "41") PRIVATE_OF("02", "42")
                 PUBLIC_OF("03", "42")),
        READ("02", "3F"),
        LIST(PRIVATE_OF("01", "41") PUBLIC_OF("02", "41") PRIVATE_OF("02", "42")
                 PUBLIC_OF("03", "42")),
        READ("03", "40"),
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    reads(&seat, 1, POINT("3F"), "");
    reads(&seat, 2, POINT("40"), "");
    seat_end(&seat);
}

/* Where no public key is told, the first file counts that can be the key's certificate. */
static void the_file_of_the_keys_own_name_is_looked_at_first(void)
{
    static const struct modem_step by_id[] = {
        OPEN,
        SELECT_SAFE,
        LIST(PRIVATE("01") PRIVATE("02") FILE_("05") FILE_("02") FILE_("01")),
        CERTIFICATE("01"),
        LIST(PRIVATE("01") PRIVATE("03") FILE_("05") FILE_("04") FILE_("02")),
        CERTIFICATE("04"),
        CLOSE,
        MODEM_END};
    static const struct modem_step by_label[] = {
        OPEN, SELECT_SAFE,
        /* "A", "B" */
        LIST(PRIVATE_OF("01", "41") PRIVATE_OF("09", "42") FILE_OF("31", "41") FILE_OF("32", "42")),
        CERTIFICATE("32"),
        /* Key1, Key2, Cert1, Cert2 */
        LIST("7404 4B657931" PRIVATE("01") "7404 4B657932" PRIVATE("09") "7305 4365727431" FILE_(
            "31") "7305 4365727432" FILE_("32")),
        CERTIFICATE("32"), CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, by_id, NULL, "transport", "csim");
    reads(&seat, 1, "", "3081020001");
    reads(&seat, 3, "", "3081020004");
    seat_end(&seat);
    seat_begin(&seat, by_label, NULL, "transport", "csim");
    reads(&seat, 9, "", "3081020032");
    reads(&seat, 9, "", "3081020032");
    seat_end(&seat);
}

#define LISTED LIST(PRIVATE("01") PUBLIC("01") FILE_("02"))
#define TROUBLE(sw)                                                                                \
    {                                                                                              \
        OPEN, SELECT_SAFE, LISTED, READ("01", "3F"), CSIM("81 B0 00 00 03 830102 00", sw), CLOSE,  \
            OPEN, SELECT_SAFE, LISTED, READ("01", "3F"), CERTIFICATE("02"), CLOSE, MODEM_END       \
    }

/* What a card in trouble does not give is asked for once more before the key counts as one without. */
static void a_file_that_a_card_in_trouble_does_not_give_is_asked_for_again(void)
{
    static const struct modem_step internal[] = TROUBLE("6F00");
    static const struct modem_step busy[] = TROUBLE("9300");
    static const struct modem_step *const troubles[] = {internal, busy};
    struct seat seat;

    for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
        seat_begin(&seat, troubles[i], NULL, "transport", "csim");
        reads(&seat, 1, POINT("3F"), "3081020002");
        seat_end(&seat);
    }
}

static void a_public_key_that_a_card_in_trouble_does_not_give_is_asked_for_again(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE,
                                              LISTED,
                                              CSIM("81 CD 00 00 03 850101 00", "6F00"),
                                              CLOSE,
                                              OPEN,
                                              SELECT_SAFE,
                                              LISTED,
                                              READ("01", "3F"),
                                              CERTIFICATE("02"),
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    reads(&seat, 1, POINT("3F"), "3081020002");
    seat_end(&seat);
}

/* A card that tells its sizes with the octets swapped: 2 for 512. "-----BEGIN X509 CERTIFICATE-----" and so on,
 * in two pieces that part the end line. */
static void pem_text_is_read_to_its_end(void)
{
#define PEM_1                                                                                      \
    "2D2D2D2D2D424547494E20 5835303920 43455254494649434154452D2D2D2D2D0A41410A "                  \
    "2D2D2D2D2D454E4420"
#define PEM_2 "5835303920 43455254494649434154452D2D2D2D2D0A"
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE,
                                              LIST(PRIVATE("01") "830102 4A0101 210102 20020002"),
                                              CSIM("81 B0 00 00 03 830102 00", PEM_1 "9000"),
                                              CSIM("81 B0 00 2D 03 830102 00", PEM_2 "9000"),
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    reads(&seat, 1, "", PEM_1 PEM_2);
    seat_end(&seat);
}

/* It says neither ids nor the key, and the public half has the next id. */
static void a_new_pairs_public_half_may_have_the_next_id(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE,
                                              CSIM("81 B9 00 00 03 840106 00", "9000"),
                                              CSIM("81 CD 00 00 03 850106 00", "6A82"),
                                              READ("07", "3F"),
                                              CLOSE,
                                              MODEM_END};
    struct token_key key = {.name = named(6), .type = TOKEN_EC, .bits = 256};
    uint8_t point[TOKEN_POINT_MAX];
    struct seat seat;
    size_t length;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    EXPECT(token_generate(seat.sim, &key, point, &length, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(point, length, POINT("3F"));
    EXPECT_BYTES(key.name.id, key.name.id_length, "06");
    seat_end(&seat);
}

void add_token_names_suite(void)
{
    static const struct test tests[] = {
        TEST(another_keys_public_half_is_not_taken),
        TEST(an_only_pair_belongs_together),
        TEST(an_empty_file_is_not_read),
        TEST(a_key_that_is_empty_or_not_listed_is_not_found),
        TEST(an_applet_without_a_list_is_asked_by_number),
        TEST(without_a_name_the_first_key_that_may_sign_counts),
        TEST(labels_tell_pairs_apart_where_ids_overlap),
        TEST(the_file_of_the_keys_own_name_is_looked_at_first),
        TEST(pem_text_is_read_to_its_end),
        TEST(a_new_pairs_public_half_may_have_the_next_id),
        TEST(a_file_that_a_card_in_trouble_does_not_give_is_asked_for_again),
        TEST(a_public_key_that_a_card_in_trouble_does_not_give_is_asked_for_again),
    };

    ADD_SUITE("token_names", tests);
}
