/* SPDX-License-Identifier: Apache-2.0 */
/* MBIM, byte by byte: known messages written and read, and the stream they come in. */
#include "modem/mbim_talk.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <string.h>

#define BYTES_MAX 256

/* Messages as they pass between a host and a modem. */
enum vector {
    CONFIGURE,
    VERSION,
    CONFIGURED,
    OPEN,
    OPENED,
    CLOSE,
    CLOSED,
    OPEN_CHANNEL,
    CHANNEL_OPENED,
    CHANNEL_MISSING,
    CHANNEL_NONE,
    SEND,
    SENT,
    SENT_EMPTY,
    CLOSE_CHANNEL,
    CHANNEL_CLOSED,
    CAPS,
    READY,
    READY_TOLD,
    READY_TOLD_3,
    CAPS_TOLD,
    VECTORS
};

static const struct {
    const char *name, *hex;
} vectors[VECTORS] = {
    {"proxy config /dev/cdc-wdm0, 30 s",
     "0300000058000000010000000100000000000000838cf7fb8d0d4d7f871ed71dbefbb39b0100"
     "000001000000280000000c0000001a0000001e0000002f006400650076002f00630064006300"
     "2d00770064006d0030000000"},
    {"version indication 1.0, MBIMEx 3.0",
     "0700008030000000000000000100000000000000838cf7fb8d0d4d7f871ed71dbefbb39b0200"
     "00000400000000010003"},
    {"answer", "0300008030000000010000000100000000000000838cf7fb8d0d4d7f871ed71dbefbb39b0100"
               "00000000000000000000"},
    {"OPEN, 4096", "01000000100000000200000000100000"},
    {"OPEN_DONE", "01000080100000000200000000000000"},
    {"CLOSE", "020000000c00000009000000"},
    {"CLOSE_DONE", "02000080100000000900000000000000"},
    {"OPEN_CHANNEL mIAS, P2 04",
     "0300000050000000030000000100000000000000c2f6588ef0374bc98665f4d44bd093670200"
     "000001000000200000000d00000010000000040000006b6d6973a00000001880000000066241"
     "51000000"},
    {"ok, channel 1, no select response",
     "0300008040000000030000000100000000000000c2f6588ef0374bc98665f4d44bd093670200"
     "0000000000001000000090000000010000000000000000000000"},
    {"no such applet: 87430002, SW 6A82",
     "0300008040000000030000000100000000000000c2f6588ef0374bc98665f4d44bd093670200"
     "000002004387100000006a820000000000000000000000000000"},
    {"no channel: 87430001, SW 6A81",
     "0300008040000000030000000100000000000000c2f6588ef0374bc98665f4d44bd093670200"
     "000001004387100000006a810000000000000000000000000000"},
    {"APDU 01 84 00 00 08, interindustry",
     "030000004c000000040000000100000000000000c2f6588ef0374bc98665f4d44bd093670400"
     "0000010000001c00000001000000000000000000000005000000140000000184000008000000"},
    {"answer 8 bytes, 9000",
     "0300008044000000040000000100000000000000c2f6588ef0374bc98665f4d44bd093670400"
     "0000000000001400000090000000080000000c0000001122334455667788"},
    {"answer no data, 63C2",
     "030000803c000000040000000100000000000000c2f6588ef0374bc98665f4d44bd093670400"
     "0000000000000c00000063c20000000000000c000000"},
    {"CLOSE_CHANNEL 1",
     "0300000038000000050000000100000000000000c2f6588ef0374bc98665f4d44bd093670300"
     "00000100000008000000010000006b6d6973"},
    {"answer", "0300008034000000050000000100000000000000c2f6588ef0374bc98665f4d44bd093670300"
               "0000000000000400000090000000"},
    {"DEVICE_CAPS query",
     "0300000030000000060000000100000000000000a289cc33bcbb8b4fb6b0133ec2aae6df0100"
     "00000000000000000000"},
    {"SUBSCRIBER_READY_STATUS query",
     "0300000030000000070000000100000000000000a289cc33bcbb8b4fb6b0133ec2aae6df0200"
     "00000000000000000000"},
    {"answer, v1/v2", "0300008094000000070000000100000000000000a289cc33bcbb8b4fb6b0133ec2aae6df0200"
                      "00000000000064000000010000001c0000001e0000003c000000260000000000000000000000"
                      "3000300031003000310030003100320033003400350036003700380039000000380039003800"
                      "38003000300030003000300030003000300030003000300030003000300031000000"},
    {"answer, MBIMEx 3 (flags after the state)",
     "0300008098000000070000000100000000000000a289cc33bcbb8b4fb6b0133ec2aae6df0200"
     "000000000000680000000100000001000000200000001e000000400000002600000000000000"
     "0000000030003000310030003100300031003200330034003500360037003800390000003800"
     "3900380038003000300030003000300030003000300030003000300030003000300031000000"},
    {"DEVICE_CAPS answer",
     "03000080a0000000060000000100000000000000a289cc33bcbb8b4fb6b0133ec2aae6df0100"
     "00000000000070000000020000000100000001000000020000003f0000000300000001000000"
     "080000000000000000000000400000001e000000600000000600000068000000060000003300"
     "3500360039003300380030003300350036003400330038003000390000004600570031000000"
     "4800570031000000"},
};

static const uint8_t mias[] = {0xA0, 0x00, 0x00, 0x00, 0x18, 0x80, 0x00,
                               0x00, 0x00, 0x06, 0x62, 0x41, 0x51};

static size_t bytes_at(enum vector vector, uint8_t bytes[BYTES_MAX])
{
    return bytes_of(vectors[vector].hex, bytes, BYTES_MAX);
}

static struct mbim_message read_vector(enum vector vector, uint8_t bytes[BYTES_MAX])
{
    struct mbim_message message;

    if (!mbim_read(bytes, bytes_at(vector, bytes), &message))
        FAIL("%s is not read", vectors[vector].name);
    return message;
}

/* Every message is read into its parts, and these written are the message again. */
static void each_message_is_read_and_written_the_same(void)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        uint8_t bytes[BYTES_MAX];
        struct mbim_message message = read_vector((enum vector)i, bytes);
        struct mbim_frame frame;

        CU_ASSERT_FALSE(message.fragment);
        mbim_begin(&frame, &message);
        mbim_put_bytes(&frame, message.buffer, message.length);
        EXPECT_BYTES(frame.data, frame.length, vectors[i].hex);
    }
}

static void expect_request(struct mbim_frame *frame, uint32_t transaction, enum vector vector)
{
    mbim_number(frame, transaction);
    EXPECT_BYTES(frame->data, frame->length, vectors[vector].hex);
}

static void requests_are_the_known_bytes(void)
{
    static const uint8_t challenge[] = {0x01, 0x84, 0x00, 0x00, 0x08};
    struct mbim_frame frame;

    mbim_configure(&frame, "/dev/cdc-wdm0", 30);
    expect_request(&frame, 1, CONFIGURE);
    mbim_open(&frame, 4096);
    expect_request(&frame, 2, OPEN);
    mbim_close(&frame);
    expect_request(&frame, 9, CLOSE);
    mbim_open_channel(&frame, mias, sizeof mias, 0x04);
    expect_request(&frame, 3, OPEN_CHANNEL);
    mbim_send_apdu(&frame, 1, false, challenge, sizeof challenge);
    expect_request(&frame, 4, SEND);
    mbim_close_channel(&frame, 1);
    expect_request(&frame, 5, CLOSE_CHANNEL);
    mbim_query(&frame, MBIM_BASIC, MBIM_DEVICE_CAPS);
    expect_request(&frame, 6, CAPS);
    mbim_query(&frame, MBIM_BASIC, MBIM_READY_STATUS);
    expect_request(&frame, 7, READY);
}

static void answers_mean_what_they_say(void)
{
    uint8_t bytes[BYTES_MAX], channel = 0;
    struct mbim_message answer = read_vector(CHANNEL_OPENED, bytes);
    struct modem_identity identity;
    const uint8_t *data;
    size_t length;

    CU_ASSERT_TRUE(mbim_opened(&answer, &channel));
    EXPECT_NUMBER(channel, 1);
    EXPECT_NUMBER(mbim_card_word(&answer), 0x9000);
    answer = read_vector(SENT, bytes);
    data = mbim_apdu_data(&answer, &length);
    EXPECT_BYTES(data, length, "1122334455667788");
    EXPECT_NUMBER(mbim_card_word(&answer), 0x9000);
    answer = read_vector(SENT_EMPTY, bytes);
    CU_ASSERT_PTR_NOT_NULL(mbim_apdu_data(&answer, &length));
    EXPECT_NUMBER(length, 0);
    EXPECT_NUMBER(mbim_card_word(&answer), 0x63C2);
    answer = read_vector(CAPS_TOLD, bytes);
    memset(&identity, 0, sizeof identity);
    mbim_names(&answer, &identity);
    EXPECT_TEXT(identity.imei, "356938035643809");
    EXPECT_TEXT(identity.revision, "FW1");
    EXPECT_TEXT(identity.model, "HW1");
}

static void refusals_have_their_status_and_the_card_s_word(void)
{
    uint8_t bytes[BYTES_MAX], channel;
    struct mbim_message answer = read_vector(CHANNEL_MISSING, bytes);

    EXPECT_NUMBER(answer.word, MBIM_STATUS_SELECT_FAILED);
    EXPECT_NUMBER(mbim_card_word(&answer), 0x6A82);
    CU_ASSERT_FALSE(mbim_opened(&answer, &channel));
    answer = read_vector(CHANNEL_NONE, bytes);
    EXPECT_NUMBER(answer.word, MBIM_STATUS_NO_CHANNELS);
    EXPECT_NUMBER(mbim_card_word(&answer), 0x6A81);
    EXPECT_TEXT(mbim_status_name(MBIM_STATUS_NO_CHANNELS), "no logical channels");
}

/* The statuses of MBIM are known by their decimal numbers, those of the UICC service by hexadecimal ones. */
static void a_refusal_has_the_number_by_which_it_is_known(void)
{
    struct mbim mbim = {.opened = true};
    struct report why = REPORT_INIT;

    EXPECT_NUMBER(mbim_outcome(&mbim, MBIM_STATUS_INVALID_PARAMETERS, "do it", &why),
                  OUTCOME_CARRIER_REFUSED);
    EXPECT_SAYS(why.text, "status 21, invalid parameters");
    EXPECT_NUMBER(mbim_outcome(&mbim, MBIM_STATUS_NO_CHANNELS, "do it", &why),
                  OUTCOME_CARRIER_REFUSED);
    EXPECT_SAYS(why.text, "status 87430001, no logical channels");
}

static void the_iccid_is_read_in_both_layouts(void)
{
    static const enum vector both[] = {READY_TOLD, READY_TOLD_3};

    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
        uint8_t bytes[BYTES_MAX];
        struct mbim_message answer = read_vector(both[i], bytes);
        char iccid[ICCID_SIZE] = "";

        CU_ASSERT_TRUE(mbim_iccid(&answer, iccid));
        EXPECT_TEXT(iccid, "8988000000000000001");
        EXPECT_TEXT(mbim_sim_state(&answer), "READY");
    }
}

static void offsets_out_of_the_buffer_are_no_answer(void)
{
    static const uint32_t places[][2] = {{0xFFFFFFF0, 8}, {12, 0xFFFFFFFF}, {20, 8}, {0, 257}};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const struct mbim_message head = {
            .type = MBIM_COMMAND_DONE, .service = MBIM_UICC, .command = MBIM_APDU};
        struct mbim_message answer;
        struct mbim_frame frame;
        size_t length;

        mbim_begin(&frame, &head);
        mbim_put(&frame, 0x90);
        mbim_put(&frame, places[i][1]);
        mbim_put(&frame, places[i][0]);
        mbim_put_bytes(&frame, mias, 8);
        CU_ASSERT_TRUE(mbim_read(frame.data, frame.length, &answer));
        CU_ASSERT_PTR_NULL(mbim_apdu_data(&answer, &length));
    }
}

static void expect_next(struct mbim_stream *stream, bool wanted, uint32_t transaction)
{
    struct mbim_message message;
    bool there = mbim_stream_next(stream, &message);

    CU_ASSERT_EQUAL(there, wanted);
    if (there)
        EXPECT_NUMBER(message.transaction, transaction);
}

static void feed(struct mbim_stream *stream, const void *bytes, size_t length)
{
    size_t room;
    uint8_t *to = mbim_stream_room(stream, &room);

    if (length > room)
        FAIL("the stream has no room for %zu bytes", length);
    else
        memcpy(to, bytes, length);
    mbim_stream_add(stream, length);
}

static void messages_come_in_pieces_and_several_at_once(void)
{
    static struct mbim_stream stream;
    uint8_t bytes[2 * BYTES_MAX];
    size_t one = bytes_at(SENT, bytes), both = one + bytes_at(CHANNEL_CLOSED, bytes + one);

    memset(&stream, 0, sizeof stream);
    for (size_t i = 0; i < one; i++) {
        expect_next(&stream, false, 0);
        feed(&stream, bytes + i, 1);
    }
    expect_next(&stream, true, 4);
    feed(&stream, bytes, both);
    feed(&stream, bytes, both - 1);
    expect_next(&stream, true, 4);
    expect_next(&stream, true, 5);
    expect_next(&stream, true, 4);
    expect_next(&stream, false, 0);
    feed(&stream, bytes + both - 1, 1);
    expect_next(&stream, true, 5);
}

/* Noise, a message that is longer than any of ours, and the parts of one that was cut. */
static void what_is_no_message_of_ours_is_passed_over(void)
{
    static struct mbim_stream stream;
    static const uint8_t noise[] = {0xFF, 0x00, 0x09, 0x00, 0x00, 0x00, 0x41};
    uint8_t bytes[BYTES_MAX], too_long[12] = {0x07, 0, 0, 0x80, 0x88, 0x13}, filling[512] = {0};
    uint8_t part[32] = {0x07, 0, 0, 0x80, 32, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1};
    struct mbim_message message;
    size_t length = bytes_at(SENT, bytes);

    memset(&stream, 0, sizeof stream);
    feed(&stream, noise, sizeof noise);
    feed(&stream, bytes, length);
    expect_next(&stream, true, 4);
    feed(&stream, too_long, sizeof too_long); /* 5000 bytes */
    for (size_t left = 5000 - sizeof too_long; left > 0;) {
        size_t now = left < sizeof filling ? left : sizeof filling;

        expect_next(&stream, false, 0);
        feed(&stream, filling, now);
        left -= now;
    }
    feed(&stream, part, sizeof part);
    CU_ASSERT_TRUE(mbim_stream_next(&stream, &message) && message.fragment);
    feed(&stream, bytes, length);
    expect_next(&stream, true, 4);
}

static void broken_messages_are_none(void)
{
    uint8_t bytes[BYTES_MAX];
    struct mbim_message message;
    size_t length = bytes_at(SENT, bytes);

    CU_ASSERT_FALSE(mbim_read(bytes, length - 1, &message));
    bytes[44] ^= 1; /* the length of the buffer */
    CU_ASSERT_FALSE(mbim_read(bytes, length, &message));
    bytes[44] ^= 1;
    bytes[0] = 9; /* the type */
    CU_ASSERT_FALSE(mbim_read(bytes, length, &message));
    CU_ASSERT_FALSE(mbim_read(bytes, 8, &message));
}

/* Some firmware fills the message up; another one lies, or ends it within its head: that is an answer
 * too, and whoever waits for it need not wait any longer. */
static void an_answer_that_does_not_fit_its_message_is_one(void)
{
    static struct mbim_stream stream;
    uint8_t bytes[BYTES_MAX], short_one[24];
    struct mbim_message message;
    size_t length = bytes_at(SENT, bytes), size;

    memset(&stream, 0, sizeof stream);
    memcpy(short_one, bytes, sizeof short_one);
    short_one[4] = sizeof short_one;
    bytes[4] += 4;
    memset(bytes + length, 0, 4);
    feed(&stream, bytes, length + 4);
    CU_ASSERT_TRUE(mbim_stream_next(&stream, &message) && !message.fragment);
    CU_ASSERT_PTR_NOT_NULL(mbim_apdu_data(&message, &size));
    EXPECT_NUMBER(size, 8);
    EXPECT_NUMBER(message.length, 20);
    bytes[44] = 200;
    feed(&stream, bytes, length + 4);
    CU_ASSERT_TRUE(mbim_stream_next(&stream, &message));
    EXPECT_NUMBER(message.transaction, 4);
    EXPECT_NUMBER(message.length, 0);
    CU_ASSERT_PTR_NULL(mbim_apdu_data(&message, &size));
    feed(&stream, short_one, sizeof short_one);
    CU_ASSERT_TRUE(mbim_stream_next(&stream, &message) && message.fragment);
    bytes[4] += 5; /* a message that does not end is given up with its time-out */
    feed(&stream, bytes, length);
    expect_next(&stream, false, 0);
    mbim_stream_forget(&stream);
    feed(&stream, bytes, bytes_at(CHANNEL_CLOSED, bytes));
    expect_next(&stream, true, 5);
}

static void a_message_that_is_too_long_is_not_written(void)
{
    static const uint8_t long_aid[64];
    static const char path[600] = "/";
    static char name[600];
    struct mbim_frame frame;

    mbim_open_channel(&frame, long_aid, sizeof long_aid, 0x04);
    CU_ASSERT_TRUE(frame.full);
    memset(name, 'x', sizeof name - 1);
    mbim_configure(&frame, name, 30);
    CU_ASSERT_TRUE(frame.full);
    mbim_configure(&frame, path, 30);
    CU_ASSERT_FALSE(frame.full);
}

static const struct test tests[] = {
    TEST(each_message_is_read_and_written_the_same),
    TEST(requests_are_the_known_bytes),
    TEST(answers_mean_what_they_say),
    TEST(refusals_have_their_status_and_the_card_s_word),
    TEST(a_refusal_has_the_number_by_which_it_is_known),
    TEST(the_iccid_is_read_in_both_layouts),
    TEST(offsets_out_of_the_buffer_are_no_answer),
    TEST(messages_come_in_pieces_and_several_at_once),
    TEST(what_is_no_message_of_ours_is_passed_over),
    TEST(broken_messages_are_none),
    TEST(an_answer_that_does_not_fit_its_message_is_one),
    TEST(a_message_that_is_too_long_is_not_written),
};

void add_mbim_suite(void)
{
    ADD_SUITE("mbim", tests);
}
