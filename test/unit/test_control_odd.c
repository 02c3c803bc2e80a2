/* SPDX-License-Identifier: Apache-2.0 */
/* What the QMI and MBIM transports make of answers that are late, lie, or say two things at once. */
#include "modem/cme.h"
#include "modem/manage_channel.h"
#include "modem/qmi_parts.h"
#include "test/unit/check.h"
#include "test/unit/control_modem.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define OK         "02 0400 0000 0000 "
#define CLIENT     "01 0200 0B03"
#define NOT_READY  "02 0400 0100 3400"
#define NO_SLOTS   "02 0400 0100 5E00"
#define ALLOCATE   0x0022
#define RELEASE    0x0023
#define SLOTS      0x0047
#define OPEN       0x0042
#define STATUS     0x002F
#define SEND       0x003B
#define CLOSE      0x003F
#define M_SLOTS    7
#define M_OPEN     2
#define M_CLOSE    3
#define M_SEND     4
#define UNDERSTOOD "00000000"

static const uint8_t aid[] = {0xA0, 0x00, 0x00, 0x00, 0x18, 0x80, 0x00,
                              0x00, 0x00, 0x06, 0x62, 0x41, 0x51};
static const struct channel_wish wish = {.aid = aid, .aid_length = sizeof aid};
static const struct channel first = {.open = true, .selected = true, .number = 1};

static struct control_modem modem;
static struct transport transport;

static void start(bool mbim, const struct control_row *rows)
{
    struct report why = REPORT_INIT;

    memset(&transport, 0, sizeof transport);
    EXPECT(control_modem_start(&modem, mbim, rows, 1, &transport, &why), OUTCOME_OK, &why);
}

static enum outcome say(const uint8_t *command, size_t length, int secrecy, struct report *why)
{
    uint8_t answer[APDU_ANSWER_SIZE];
    struct exchange exchange = {.command = command,
                                .length = length,
                                .timeout_ms = 3000,
                                .secrecy = secrecy,
                                .answer = answer};

    return transport.ops->exchange(&transport, &first, &exchange, deadline_in(3000), why);
}

static enum outcome verify(struct report *why)
{
    static const uint8_t command[] = {0x00, 0x20, 0x00, 0x81, 0x04, '0', '0', '0', '0'};

    return say(command, sizeof command, SECRET_COMMAND, why);
}

static enum outcome challenge(struct report *why)
{
    static const uint8_t command[] = {0x00, 0x84, 0x00, 0x00, 0x08};

    return say(command, sizeof command, SECRET_NOTHING, why);
}

static enum outcome open_for(int ms, struct report *why)
{
    struct channel channel;

    return transport.ops->open(&transport, &wish, &channel, deadline_in(ms), why);
}

/* The modem is content, the card is not: whatever is selected there, the PIN is not for it. */
static void a_channel_whose_applet_the_card_refused_is_closed_by_qmi(void)
{
    static const struct control_row rows[] = {{ALLOCATE, OK CLIENT},
                                              {SLOTS, NO_SLOTS},
                                              {OPEN, OK "10 0100 01  11 0200 6A82"},
                                              {OPEN, OK "10 0100 01  11 0200 6999"},
                                              {OPEN, OK "10 0100 01  11 0200 6283"},
                                              {CLOSE, OK},
                                              {0, NULL}};
    struct report why = REPORT_INIT;

    start(false, rows);
    EXPECT(open_for(2000, &why), OUTCOME_NO_APPLET, &why);
    EXPECT_NUMBER(why.sw, 0x6A82);
    EXPECT_TEXT(modem.asked, " 0022 0047 0042 003F");
    EXPECT(open_for(2000, &why), OUTCOME_REFUSED, &why);
    EXPECT_NUMBER(why.sw, 0x6999);
    EXPECT(open_for(2000, &why), OUTCOME_OK, &why);
    control_modem_end(&modem, &transport);
}

/* The P2 of SELECT may be to blame: each is tried. */
static void a_channel_whose_applet_the_card_refused_is_closed_by_mbim(void)
{
    static const struct control_row rows[] = {
        {M_SLOTS, "00000009"},
        {M_OPEN, UNDERSTOOD "6A820000 01000000 00000000 00000000"},
        {M_OPEN, UNDERSTOOD "6A820000 01000000 00000000 00000000"},
        {M_OPEN, UNDERSTOOD "6A820000 01000000 00000000 00000000"},
        {M_OPEN, UNDERSTOOD "00000000 01000000 00000000 00000000"},
        {M_CLOSE, UNDERSTOOD "90000000"},
        {0, NULL}};
    struct report why = REPORT_INIT;

    start(true, rows);
    EXPECT(open_for(2000, &why), OUTCOME_NO_APPLET, &why);
    EXPECT_NUMBER(why.sw, 0x6A82);
    EXPECT_TEXT(modem.asked, " 0007 0002 0003 0002 0003 0002 0003");
    EXPECT(open_for(2000, &why), OUTCOME_OK, &why); /* a modem that does not tell the word */
    control_modem_end(&modem, &transport);
}

/* An answer that is known to be one is not waited for any longer. */
static void an_answer_whose_parts_do_not_fit_is_an_error_at_once(void)
{
    static const struct control_row rows[] = {{ALLOCATE, OK CLIENT},
                                              {SLOTS, NO_SLOTS},
                                              {SEND, OK "10 FFFF 90"},
                                              {SEND, OK "10"},
                                              {0, NULL}};
    struct report why = REPORT_INIT;
    int64_t since;

    start(false, rows);
    for (int i = 0; i < 2; i++) {
        since = monotonic_ms();
        EXPECT(challenge(&why), OUTCOME_BAD_DATA, &why);
        EXPECT_SAYS(why.text, "makes no sense");
        EXPECT_TOOK(since, 0, 1000);
    }
    control_modem_end(&modem, &transport);
}

/* As +CME ERROR: 14 by AT: it is not sent again here, and whoever sent it asks for the tries. */
static void a_pin_that_a_busy_sim_did_not_see_is_told_apart(void)
{
    static const struct control_row qmi[] = {
        {ALLOCATE, OK CLIENT}, {SLOTS, NO_SLOTS}, {SEND, NOT_READY}, {0, NULL}};
    static const struct control_row mbim[] = {
        {M_SLOTS, "00000009"}, {M_SEND, "00000001"}, {M_SEND, "0000000E"}, {0, NULL}};
    struct report why = REPORT_INIT;

    start(false, qmi);
    EXPECT(verify(&why), OUTCOME_TIMEOUT, &why);
    EXPECT_NUMBER(why.cme, CME_SIM_BUSY);
    EXPECT_SAYS(why.text, "error 52, device not ready");
    EXPECT_TEXT(modem.asked, " 0022 0047 003B");
    CU_ASSERT_EQUAL(transport.events & EVENT_LATE, 0);
    control_modem_end(&modem, &transport);
    start(true, mbim);
    for (int i = 1; i <= 2; i++) {
        report_clear(&why);
        EXPECT(verify(&why), OUTCOME_TIMEOUT, &why);
        EXPECT_NUMBER(why.cme, CME_SIM_BUSY);
    }
    EXPECT_TEXT(modem.asked, " 0007 0004 0004");
    control_modem_end(&modem, &transport);
}

/* What the modem said is told, not that it was silent. */
static void a_sim_that_stays_busy_is_no_modem_that_is_silent(void)
{
    static const struct control_row qmi[] = {
        {ALLOCATE, OK CLIENT}, {SLOTS, NO_SLOTS}, {OPEN, NOT_READY}, {0, NULL}};
    static const struct control_row mbim[] = {
        {M_SLOTS, "00000009"}, {M_OPEN, "00000001"}, {0, NULL}};
    struct report why = REPORT_INIT;

    start(false, qmi);
    EXPECT(open_for(1300, &why), OUTCOME_NO_SIM, &why);
    EXPECT_SAYS(why.text, "not ready (QMI error 52");
    EXPECT_TEXT(modem.asked, " 0022 0047 0042 0042 0042");
    control_modem_end(&modem, &transport);
    start(true, mbim);
    EXPECT(open_for(1300, &why), OUTCOME_NO_SIM, &why);
    EXPECT_SAYS(why.text, "not ready (MBIM status 1, busy)");
    control_modem_end(&modem, &transport);
}

static void note_what_is_kept(void *arg)
{
    (void)snprintf(arg, 300, "%u after%s", transport.kept & 0xFF, modem.asked);
}

/* It is told before anything else is asked: whoever is killed then loses no client id. */
static void a_new_client_id_is_told_at_once(void)
{
    static const struct control_row rows[] = {
        {ALLOCATE, OK CLIENT},       {ALLOCATE, OK "01 0200 0B04"},         {SLOTS, NO_SLOTS},
        {OPEN, "02 0400 0100 0700"}, {OPEN, OK "10 0100 01  11 0200 9000"}, {0, NULL}};
    struct report why = REPORT_INIT;
    char noted[300] = "";

    memset(&transport, 0, sizeof transport);
    transport.keeps = note_what_is_kept;
    transport.keeps_arg = noted;
    EXPECT(control_modem_start(&modem, false, rows, 1, &transport, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(noted, "3 after 0022");
    EXPECT(open_for(2000, &why), OUTCOME_LOST, &why); /* the modem restarted */
    EXPECT(open_for(2000, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(noted, "4 after 0022 0047 0042 0022");
    control_modem_end(&modem, &transport);
}

/* Whatever is asked when it is told: the next operation would send requests in another program's name. */
static void a_void_client_id_is_not_kept(void)
{
    static const struct control_row diagnoses[] = {
        {ALLOCATE, OK CLIENT}, {SLOTS, NO_SLOTS}, {STATUS, "02 0400 0100 0700"}, {0, NULL}};
    static const struct control_row closes[] = {{ALLOCATE, OK CLIENT},
                                                {SLOTS, NO_SLOTS},
                                                {OPEN, OK "10 0100 01  11 0200 9000"},
                                                {CLOSE, "02 0400 0100 0700"},
                                                {0, NULL}};
    struct report why = REPORT_INIT;
    struct channel channel = first;

    memset(&transport, 0, sizeof transport);
    EXPECT(control_modem_start(&modem, false, diagnoses, 1, &transport, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(transport.kept & 0xFF, 3);
    EXPECT(transport_diagnose(&transport, deadline_in(2000), &why), OUTCOME_LOST, &why);
    EXPECT_NUMBER(transport.kept & 0xFF, 0);
    control_modem_end(&modem, &transport);
    memset(&transport, 0, sizeof transport);
    EXPECT(control_modem_start(&modem, false, closes, 1, &transport, &why), OUTCOME_OK, &why);
    EXPECT(open_for(2000, &why), OUTCOME_OK, &why);
    EXPECT(transport.ops->close(&transport, &channel, deadline_in(2000), &why), OUTCOME_LOST, &why);
    EXPECT_NUMBER(transport.kept & 0xFF, 0);
    control_modem_end(&modem, &transport);
}

/* Nothing more is asked there, and `simkey close` would fail on the same slot. */
static void a_slot_that_is_not_active_keeps_no_client_id(void)
{
    static const struct control_row rows[] = {
        {ALLOCATE, OK CLIENT},
        {SLOTS, OK "10 1500 02  02000000 00000000 01 00  02000000 01000000 01 00"},
        {SLOTS, OK "10 1500 02  02000000 00000000 01 00  02000000 00000000 01 00"},
        {RELEASE, OK CLIENT},
        {0, NULL}};
    struct report why = REPORT_INIT;

    memset(&transport, 0, sizeof transport);
    EXPECT(control_modem_start(&modem, false, rows, 1, &transport, &why), OUTCOME_NO_SIM, &why);
    EXPECT_SAYS(why.text, "slot 2 is active: say slot = 2, or switch it (mmcli");
    EXPECT_TEXT(modem.asked, " 0022 0047 0023");
    EXPECT_NUMBER(transport.kept & 0xFF, 0);
    EXPECT(transport_wake(&transport, false, 0, deadline_in(2000), &why), OUTCOME_NO_SIM, &why);
    EXPECT_SAYS(why.text, "is not active, and no other is: switch it on (mmcli");
    control_modem_end(&modem, &transport);
}

static bool take(struct qmi_parts *parts, const char *hex, uint8_t client, uint8_t *to)
{
    const struct qmi_message head = {
        .service = QMI_UIM, .client = client, .kind = QMI_INDICATION, .id = SEND};
    uint8_t bytes[64];
    struct qmi_message message;
    struct qmi_frame frame;
    size_t length = bytes_of(hex, bytes, sizeof bytes);

    qmi_begin(&frame, &head);
    qmi_put(&frame, 0x01, bytes, length);
    return qmi_read(frame.data, frame.length, &message) && qmi_parts_take(parts, &message, to);
}

/* Token 11223344, six bytes: u32 token, u16 total, u16 offset, u16 length, the bytes. */
static void parts_of_a_long_answer_come_in_any_order(void)
{
    static const struct qmi_long all = {.token = 0x44332211, .total = 6};
    static uint8_t to[HELD_SIZE];
    struct qmi_parts parts;

    qmi_parts_begin(&parts, 3);
    CU_ASSERT_TRUE(take(&parts, "11223344 0600 0400 0200 9000", 3, to)); /* before the response */
    qmi_parts_announce(&parts, &all);
    CU_ASSERT_TRUE(take(&parts, "11223344 0600 0400 0200 9000", 3, to));
    CU_ASSERT_TRUE(take(&parts, "55223344 0600 0000 0200 5555", 3, to)); /* another answer's */
    CU_ASSERT_TRUE(take(&parts, "11223344 0600 0000 0200 6666", 4, to)); /* another client's */
    CU_ASSERT_TRUE(take(&parts, "11223344 0600 0200 0000", 3, to));
    EXPECT_NUMBER(parts.got, 2);
    CU_ASSERT_TRUE(take(&parts, "11223344 0600 0000 0300 010203", 3, to));
    CU_ASSERT_TRUE(take(&parts, "11223344 0600 0200 0200 0304", QMI_EVERYBODY, to));
    EXPECT_NUMBER(parts.got, 6);
    EXPECT_BYTES(to, 6, "010203049000");
    CU_ASSERT_FALSE(take(&parts, "11223344 0600 0500 0200 0304", 3, to));
    CU_ASSERT_FALSE(take(&parts, "11223344 0600 FFFF 0200 0304", 3, to));
    CU_ASSERT_FALSE(take(&parts, "11223344 0700 0000 0200 0304", 3, to));
    qmi_parts_begin(&parts, 0); /* nothing is waited for */
    CU_ASSERT_TRUE(take(&parts, "11223344 0600 0000 0200 7777", 0, to));
    EXPECT_BYTES(to, 6, "010203049000");
    qmi_parts_begin(&parts, 3);
    CU_ASSERT_TRUE(take(&parts, "11223344 FFFF FEFF 0100 88", 3, to)); /* longer than any */
    EXPECT_NUMBER(parts.got, 0);
}

static void warnings_of_the_card_are_no_refusals(void)
{
    static const uint16_t fine[] = {0, 0x9000, 0x9110, 0x6112, 0x6283, 0x6310, 0x0090},
                          refused[] = {0x6881, 0x6A82, 0x6985, 0x6999, 0x6F00, 0x6400};

    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        CU_ASSERT_FALSE(channel_refused(fine[i]));
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        CU_ASSERT_TRUE(channel_refused(refused[i]));
}

static const struct test tests[] = {
    TEST(a_channel_whose_applet_the_card_refused_is_closed_by_qmi),
    TEST(a_channel_whose_applet_the_card_refused_is_closed_by_mbim),
    TEST(an_answer_whose_parts_do_not_fit_is_an_error_at_once),
    TEST(a_pin_that_a_busy_sim_did_not_see_is_told_apart),
    TEST(a_sim_that_stays_busy_is_no_modem_that_is_silent),
    TEST(a_new_client_id_is_told_at_once),
    TEST(a_void_client_id_is_not_kept),
    TEST(a_slot_that_is_not_active_keeps_no_client_id),
    TEST(parts_of_a_long_answer_come_in_any_order),
    TEST(warnings_of_the_card_are_no_refusals),
};

void add_control_odd_suite(void)
{
    ADD_SUITE("control_odd", tests);
}
