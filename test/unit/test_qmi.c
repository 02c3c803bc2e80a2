/* SPDX-License-Identifier: Apache-2.0 */
/* QMI, byte by byte: known messages written and read, and the stream they come in. */
#include "modem/qmi_message.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <string.h>

#define BYTES_MAX 256

/* Messages as they pass between a host and a modem. */
enum vector {
    PROXY_OPEN,
    PROXY_OPENED,
    ALLOCATE,
    ALLOCATED,
    RELEASE,
    IDS,
    IDS_TOLD,
    OPEN,
    OPENED,
    OPEN_MISSING,
    OPEN_DENIED,
    SEND,
    SENT,
    CLOSE,
    CLOSED,
    CARD_STATUS,
    SLOT_STATUS,
    SLOT_STATUS_UNKNOWN,
    READ_ICCID,
    ICCID_READ,
    VECTORS
};

static const struct {
    const char *name, *hex;
} vectors[VECTORS] = {
    {"proxy open /dev/cdc-wdm0", "011b00000000000100ff1000010d002f6465762f6364632d77646d30"},
    {"answer ok", "011200800000010100ff070002040000000000"},
    {"allocate CID, UIM", "010f000000000002220004000101000b"},
    {"answer: service 0b, cid 3", "011700800000010222000c00020400000000000102000b03"},
    {"release CID, UIM 3", "0110000000000003230005000102000b03"},
    {"Get IDs (cid 1)", "010c0000020100010025000000"},
    {"answer IMEI 356938035643809",
     "01290080020102010025001d000204000000000010010030110f003335363933383033353634"
     "33383039"},
    {"Open Logical Channel, mIAS",
     "012100000b030001004200150001010001100e000da0000000188000000006624151"},
    {"ok: channel 1, 9000, no select response",
     "011c00800b030201004200100002040000000000100100011102009000"},
    {"applet missing: error 90, 6A82", "011800800b0302010042000c0002040001005a001102006a82"},
    {"firmware denies: error 82", "011300800b030201004200070002040001005200"},
    {"Send APDU 01 84 00 00 08",
     "012200000b030002003b00160001010001020700050001840000081001000111010000"},
    {"answer 8 bytes + 9000",
     "012200800b030202003b00160002040000000000100c000a0011223344556677889000"},
    {"close: Logical Channel 1", "011400000b030003003f0008000101000111010001"},
    {"answer", "011300800b030203003f00070002040000000000"},
    {"Get Card Status", "010c00000b030004002f000000"},
    {"Get Slot Status", "010c00000b0300050047000000"},
    {"answer error 94 (old modem)", "011300800b030205004700070002040001005e00"},
    {"Read Transparent ICCID (3F00/2FE2)",
     "012000000b03000600200014000102000000020500e22f02003f03040000000000"},
    {"answer", "012700800b0302060020001b00020400000000001002009000110c000a009888000000000000"
               "0010"},
};

static const uint8_t mias[] = {0xA0, 0x00, 0x00, 0x00, 0x18, 0x80, 0x00,
                               0x00, 0x00, 0x06, 0x62, 0x41, 0x51};

static size_t bytes_at(enum vector vector, uint8_t bytes[BYTES_MAX])
{
    return bytes_of(vectors[vector].hex, bytes, BYTES_MAX);
}

static struct qmi_message read_vector(enum vector vector, uint8_t bytes[BYTES_MAX])
{
    struct qmi_message message;

    if (!qmi_read(bytes, bytes_at(vector, bytes), &message))
        FAIL("%s is not read", vectors[vector].name);
    return message;
}

/* Every frame is read into its parts, and these written are the frame again. */
static void each_message_is_read_and_written_the_same(void)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        uint8_t bytes[BYTES_MAX];
        struct qmi_message message = read_vector((enum vector)i, bytes);
        const uint8_t *tlv = message.tlvs;
        struct qmi_frame frame;

        qmi_begin(&frame, &message);
        for (; tlv < message.tlvs + message.length; tlv += 3 + qmi_u16(tlv + 1))
            qmi_put(&frame, tlv[0], tlv + 3, qmi_u16(tlv + 1));
        EXPECT_BYTES(frame.data, frame.length, vectors[i].hex);
    }
}

static void expect_request(struct qmi_frame *frame, uint16_t transaction, enum vector vector)
{
    qmi_number(frame, transaction);
    EXPECT_BYTES(frame->data, frame->length, vectors[vector].hex);
}

static void requests_are_the_known_bytes(void)
{
    static const uint8_t challenge[] = {0x01, 0x84, 0x00, 0x00, 0x08};
    struct qmi_frame frame;

    qmi_proxy_open(&frame, "/dev/cdc-wdm0");
    expect_request(&frame, 1, PROXY_OPEN);
    qmi_allocate(&frame, QMI_UIM);
    expect_request(&frame, 2, ALLOCATE);
    qmi_release(&frame, QMI_UIM, 3);
    expect_request(&frame, 3, RELEASE);
    qmi_request(&frame, QMI_DMS, 1, QMI_DMS_IDS);
    expect_request(&frame, 1, IDS);
    qmi_open_channel(&frame, 3, 1, mias, sizeof mias);
    expect_request(&frame, 1, OPEN);
    qmi_send_apdu(&frame, 3, 1, 1, challenge, sizeof challenge, true);
    expect_request(&frame, 2, SEND);
    qmi_close_channel(&frame, 3, 1, 1);
    expect_request(&frame, 3, CLOSE);
    qmi_request(&frame, QMI_UIM, 3, QMI_UIM_CARD_STATUS);
    expect_request(&frame, 4, CARD_STATUS);
    qmi_request(&frame, QMI_UIM, 3, QMI_UIM_SLOT_STATUS);
    expect_request(&frame, 5, SLOT_STATUS);
    qmi_read_iccid(&frame, 3, 0);
    expect_request(&frame, 6, READ_ICCID);
}

static void answers_mean_what_they_say(void)
{
    uint8_t bytes[BYTES_MAX], number = 0;
    struct qmi_message answer = read_vector(ALLOCATED, bytes);
    char text[64], iccid[ICCID_SIZE];
    const uint8_t *apdu;
    size_t length;

    CU_ASSERT_TRUE(qmi_result(&answer) == QMI_OK && qmi_allocated(&answer, QMI_UIM, &number));
    EXPECT_NUMBER(number, 3);
    CU_ASSERT_FALSE(qmi_allocated(&answer, QMI_DMS, &number));
    answer = read_vector(IDS_TOLD, bytes);
    qmi_text(&answer, 0x11, text, sizeof text);
    EXPECT_TEXT(text, "356938035643809");
    answer = read_vector(OPENED, bytes);
    CU_ASSERT_TRUE(qmi_opened(&answer, &number));
    EXPECT_NUMBER(number, 1);
    EXPECT_NUMBER(qmi_card_word(&answer, 0x11), 0x9000);
    answer = read_vector(SENT, bytes);
    apdu = qmi_apdu_answer(&answer, &length);
    EXPECT_BYTES(apdu, length, "1122334455667788 9000");
    answer = read_vector(ICCID_READ, bytes);
    CU_ASSERT_TRUE(qmi_iccid(&answer, iccid));
    EXPECT_TEXT(iccid, "89880000000000000001");
}

static void refusals_have_their_numbers_and_the_card_s_word(void)
{
    uint8_t bytes[BYTES_MAX], channel;
    struct qmi_message answer = read_vector(OPEN_MISSING, bytes);

    EXPECT_NUMBER(qmi_result(&answer), QMI_INCOMPATIBLE_STATE);
    EXPECT_NUMBER(qmi_card_word(&answer, 0x11), 0x6A82);
    CU_ASSERT_FALSE(qmi_opened(&answer, &channel));
    answer = read_vector(OPEN_DENIED, bytes);
    EXPECT_NUMBER(qmi_result(&answer), QMI_ACCESS_DENIED);
    EXPECT_NUMBER(qmi_card_word(&answer, 0x11), 0);
    EXPECT_TEXT(qmi_error_name(QMI_ACCESS_DENIED), "access denied");
    answer = read_vector(SLOT_STATUS_UNKNOWN, bytes);
    EXPECT_NUMBER(qmi_result(&answer), QMI_NOT_SUPPORTED);
}

/* As a modem with two cards answered in the field, the parts in the order 12, 11, 10. */
static void slots_are_read_behind_parts_that_nobody_asked_for(void)
{
    uint8_t bytes[BYTES_MAX];
    struct qmi_message answer;
    struct qmi_slots slots;
    size_t length = bytes_of("013300800b03020400470027000204000000000012010000"
                             "110100001015000202000000000000000100020000000100"
                             "00000100",
                             bytes, sizeof bytes);

    CU_ASSERT_TRUE(qmi_read(bytes, length, &answer) && qmi_slots(&answer, &slots));
    EXPECT_NUMBER(slots.count, 2);
    CU_ASSERT_TRUE(!slots.slot[0].active && slots.slot[1].active);
    EXPECT_NUMBER(slots.slot[1].logical, 1);
}

/* A USIM that wants PIN1, behind a CSIM that is ready. */
static void the_state_of_the_sim_is_that_of_its_usim(void)
{
    uint8_t bytes[BYTES_MAX];
    struct qmi_message answer;
    size_t length = bytes_of("014100800b030204002f00350002040000000000102b0000"
                             "00ffffffffffff0101000000000204070000000000000000"
                             "00000000020200000000000001030a01030a",
                             bytes, sizeof bytes);

    CU_ASSERT_TRUE(qmi_read(bytes, length, &answer));
    EXPECT_TEXT(qmi_sim_state(&answer, 1), "SIM PIN");
    EXPECT_TEXT(qmi_sim_state(&answer, 2), "");
}

static void expect_next(struct qmi_stream *stream, bool wanted, uint16_t id)
{
    struct qmi_message message;
    bool there = qmi_stream_next(stream, &message);

    CU_ASSERT_EQUAL(there, wanted);
    if (there)
        EXPECT_NUMBER(message.id, id);
}

static void feed(struct qmi_stream *stream, const void *bytes, size_t length)
{
    size_t room;
    uint8_t *to = qmi_stream_room(stream, &room);

    if (length > room)
        FAIL("the stream has no room for %zu bytes", length);
    else
        memcpy(to, bytes, length);
    qmi_stream_add(stream, length);
}

static void frames_come_in_pieces_and_several_at_once(void)
{
    static struct qmi_stream stream;
    uint8_t bytes[2 * BYTES_MAX];
    size_t one = bytes_at(SENT, bytes), both = one + bytes_at(OPENED, bytes + one);

    memset(&stream, 0, sizeof stream);
    for (size_t i = 0; i < one; i++) {
        expect_next(&stream, false, 0);
        feed(&stream, bytes + i, 1);
    }
    expect_next(&stream, true, QMI_UIM_SEND_APDU);
    expect_next(&stream, false, 0);
    feed(&stream, bytes, both);
    feed(&stream, bytes, both - 1);
    expect_next(&stream, true, QMI_UIM_SEND_APDU);
    expect_next(&stream, true, QMI_UIM_OPEN_CHANNEL);
    expect_next(&stream, true, QMI_UIM_SEND_APDU);
    expect_next(&stream, false, 0);
    feed(&stream, bytes + both - 1, 1);
    expect_next(&stream, true, QMI_UIM_OPEN_CHANNEL);
}

static void what_is_no_frame_is_passed_over(void)
{
    static struct qmi_stream stream;
    static const uint8_t noise[] = {0x00, 0xFF, 0x41, 0x01, 0x02, 0x00};
    uint8_t bytes[BYTES_MAX], too_long[] = {0x01, 0x88, 0x13, 0x80, 0x0B, 0x03}, filling[512];
    size_t length = bytes_at(SENT, bytes);

    memset(&stream, 0, sizeof stream);
    memset(filling, 0x01, sizeof filling);
    feed(&stream, noise, sizeof noise);
    feed(&stream, bytes, length);
    expect_next(&stream, true, QMI_UIM_SEND_APDU);
    feed(&stream, too_long, sizeof too_long); /* 5001 bytes */
    for (size_t left = 5001 - sizeof too_long; left > 0;) {
        size_t part = left < sizeof filling ? left : sizeof filling;

        expect_next(&stream, false, 0);
        feed(&stream, filling, part);
        left -= part;
    }
    feed(&stream, bytes, length);
    expect_next(&stream, true, QMI_UIM_SEND_APDU);
    expect_next(&stream, false, 0);
}

/* A length that does not fit the frame, or a part that does not fit its length. */
static void broken_frames_are_no_messages(void)
{
    static const char *const broken[] = {"0112008000000101 00ff0700 02040000000000 00",
                                         "0111008000000101 00ff0700 020400000000",
                                         "0112008000000101 00ff0600 02040000000000",
                                         "0112008000000101 00ff0700 02050000000000",
                                         "0112008000000301 00ff0700 02040000000000",
                                         "0112004000000101 00ff0700 02040000000000",
                                         "0104008000"};
    struct qmi_message message;
    uint8_t bytes[BYTES_MAX];

    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        if (qmi_read(bytes, bytes_of(broken[i], bytes, sizeof bytes), &message))
            FAIL("\"%s\" is read as a message", broken[i]);
}

/* It is an answer to something: whoever waits for it need not wait any longer. */
static void a_broken_frame_comes_without_its_parts(void)
{
    static struct qmi_stream stream;
    uint8_t bytes[BYTES_MAX];
    struct qmi_message message;
    size_t length = bytes_at(OPENED, bytes);

    memset(&stream, 0, sizeof stream);
    bytes[length - 3] = 9; /* the last TLV's length */
    feed(&stream, bytes, length);
    CU_ASSERT_TRUE(qmi_stream_next(&stream, &message));
    EXPECT_NUMBER(message.id, QMI_UIM_OPEN_CHANNEL);
    EXPECT_NUMBER(message.length, 0);
    EXPECT_NUMBER(qmi_result(&message), QMI_NO_RESULT);
    bytes[11]--; /* the length of all TLVs */
    feed(&stream, bytes, length);
    CU_ASSERT_TRUE(qmi_stream_next(&stream, &message) && message.length == 0);
    bytes[1] += 5; /* a frame that does not end is given up with its time-out */
    feed(&stream, bytes, length);
    expect_next(&stream, false, 0);
    qmi_stream_forget(&stream);
    feed(&stream, bytes, bytes_at(SENT, bytes));
    expect_next(&stream, true, QMI_UIM_SEND_APDU);
}

static void a_frame_that_is_too_long_is_not_written(void)
{
    static const uint8_t long_aid[64];
    static const uint8_t value[QMI_FRAME_SIZE];
    struct qmi_frame frame;

    qmi_open_channel(&frame, 3, 1, long_aid, sizeof long_aid);
    CU_ASSERT_TRUE(frame.full);
    qmi_request(&frame, QMI_UIM, 3, QMI_UIM_SEND_APDU);
    qmi_put(&frame, 0x02, value, sizeof value);
    CU_ASSERT_TRUE(frame.full);
}

static const struct test tests[] = {
    TEST(each_message_is_read_and_written_the_same),
    TEST(requests_are_the_known_bytes),
    TEST(answers_mean_what_they_say),
    TEST(refusals_have_their_numbers_and_the_card_s_word),
    TEST(slots_are_read_behind_parts_that_nobody_asked_for),
    TEST(the_state_of_the_sim_is_that_of_its_usim),
    TEST(frames_come_in_pieces_and_several_at_once),
    TEST(what_is_no_frame_is_passed_over),
    TEST(broken_frames_are_no_messages),
    TEST(a_broken_frame_comes_without_its_parts),
    TEST(a_frame_that_is_too_long_is_not_written),
};

void add_qmi_suite(void)
{
    ADD_SUITE("qmi", tests);
}
