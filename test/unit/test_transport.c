/* SPDX-License-Identifier: Apache-2.0 */
/* The carriers +CSIM and +CCHO: which bytes go out for open, exchange and close, and what refusals
 * become. */
#include "modem/at.h"
#include "modem/manage_channel.h"
#include "modem/transport.h"
#include "test/unit/check.h"
#include "test/unit/scripted_modem.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE "\r\nERROR\r\n"
#define AID    "A0000000188000000006624151"

struct line {
    struct modem modem;
    struct trace trace;
    struct transport transport;
    enum carrier carrier;
    struct channel channel;
    struct report why;
    uint8_t answer[APDU_ANSWER_SIZE];
    size_t length;
};

/* A modem that was set up by an earlier operation: the first line is the carrier's own. */
static void line_begin(struct line *line, enum carrier carrier, const struct modem_step *steps)
{
    struct transport_target target;

    memset(line, 0, sizeof *line);
    memset(&target, 0, sizeof target);
    report_clear(&line->why);
    modem_start(&line->modem, steps, NULL);
    target.device = line->modem.device;
    target.baud = 115200;
    target.trace = &line->trace;
    EXPECT(transport_begin(&line->transport, &target, deadline_in(2000), &line->why), OUTCOME_OK,
           &line->why);
    line->carrier = carrier;
}

static void line_end_at(struct line *line, const char *file, int number)
{
    transport_end(&line->transport);
    modem_finish_at(&line->modem, file, number);
}
#define line_end(line) line_end_at(line, __FILE__, __LINE__)

static enum outcome open_channel(struct line *line)
{
    uint8_t aid[13];
    size_t length = bytes_of(AID, aid, sizeof aid);

    const struct channel_wish wish = {.carrier = line->carrier, .aid = aid, .aid_length = length};

    return line->transport.ops->open(&line->transport, &wish, &line->channel, deadline_in(2000),
                                     &line->why);
}

static enum outcome exchange(struct line *line, const char *hex, int secrecy)
{
    uint8_t command[APDU_COMMAND_SIZE];
    size_t length = bytes_of(hex, command, sizeof command);

    struct exchange exchange = {.command = command,
                                .length = length,
                                .timeout_ms = 1000,
                                .secrecy = secrecy,
                                .answer = line->answer};
    enum outcome outcome = line->transport.ops->exchange(&line->transport, &line->channel,
                                                         &exchange, deadline_in(2000), &line->why);

    line->length = exchange.answer_length;
    return outcome;
}

static enum outcome close_channel(struct line *line)
{
    return line->transport.ops->close(&line->transport, &line->channel, deadline_in(2000),
                                      &line->why);
}

/* APDU, 12 */
static void the_channel_number_goes_into_the_cla(void)
{
    EXPECT_NUMBER(cla_with_channel(0x00, 0), 0x00);
    EXPECT_NUMBER(cla_with_channel(0x00, 1), 0x01);
    EXPECT_NUMBER(cla_with_channel(0x00, 3), 0x03);
    EXPECT_NUMBER(cla_with_channel(0x00, 4), 0x40);
    EXPECT_NUMBER(cla_with_channel(0x00, 7), 0x43);
    EXPECT_NUMBER(cla_with_channel(0x00, 19), 0x4F);
    EXPECT_NUMBER(cla_with_channel(0x80, 0), 0x80);
    EXPECT_NUMBER(cla_with_channel(0x80, 2), 0x82);
    EXPECT_NUMBER(cla_with_channel(0x80, 4), 0xC0);
    EXPECT_NUMBER(cla_with_channel(0x80, 19), 0xCF);
    EXPECT_NUMBER(cla_with_channel(0x10, 1), 0x11);
    EXPECT_NUMBER(cla_with_channel(0x10, 5), 0x51);
    EXPECT_NUMBER(cla_with_channel(0x90, 6), 0xD2);
}

static void waking_sets_the_modem_up_unless_it_is_ready(void)
{
    static const struct modem_step steps[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                              LINE("AT+CMEE=1", OK), MODEM_END};
    struct transport_target target = {.baud = 115200};
    struct transport transport;
    struct report why = REPORT_INIT;
    struct trace trace = {TRACE_OFF, NULL};
    struct modem modem;
    struct port *port = NULL;

    modem_start(&modem, steps, NULL);
    target.device = modem.device;
    target.trace = &trace;
    EXPECT(transport_begin(&transport, &target, deadline_in(2000), &why), OUTCOME_OK, &why);
    EXPECT(transport_wake(&transport, false, 0, deadline_in(2000), &why), OUTCOME_OK, &why);
    transport_end(&transport);
    /* Nothing more is said to one that is ready; and end has let the port go. */
    EXPECT(transport_begin(&transport, &target, deadline_in(2000), &why), OUTCOME_OK, &why);
    EXPECT(transport_wake(&transport, true, 0, deadline_in(2000), &why), OUTCOME_OK, &why);
    transport_end(&transport);
    EXPECT(port_open(&port, modem.device, 9600, deadline_in(0), NULL, &why), OUTCOME_OK, &why);
    port_close(port);
    modem_finish(&modem);
}

static void waking_resynchronises_after_an_answer_that_was_outstanding(void)
{
    static const struct modem_step steps[] = {SAY(PAUSE PAUSE "\r\n+CSIM: 4,\"9000\"\r\n" OK),
                                              LINE("AT", OK), MODEM_END};
    struct transport_target target = {.baud = 115200};
    struct transport transport;
    struct report why = REPORT_INIT;
    struct trace trace = {TRACE_OFF, NULL};
    struct modem modem;
    int64_t start;

    modem_start(&modem, steps, modem_starts);
    target.device = modem.device;
    target.trace = &trace;
    start = monotonic_ms();
    EXPECT(transport_begin(&transport, &target, deadline_in(4000), &why), OUTCOME_OK, &why);
    EXPECT(transport_wake(&transport, true, 250, deadline_in(4000), &why), OUTCOME_OK, &why);
    EXPECT_TOOK(start, 240, 2500);
    transport_end(&transport);
    modem_finish(&modem);
}

/* ---- +CSIM ---- */

static void csim_opens_uses_and_closes_a_channel(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CSIM=10,\"0070000001\"", "\r\n+CSIM: 6,\"019000\"\r\n" OK),
        LINE("AT+CSIM=36,\"01A404040D" AID "\"", "\r\n+CSIM: 4,\"611A\"\r\n" OK),
        LINE("AT+CSIM=10,\"0170800100\"", REFUSE),
        LINE("AT+CSIM=10,\"0070800100\"", "\r\n+CSIM: 4,\"9000\"\r\n" OK), MODEM_END};
    struct line line;

    line_begin(&line, CARRIER_CSIM, steps);
    EXPECT(open_channel(&line), OUTCOME_OK, &line.why);
    CU_ASSERT(line.channel.open && !line.channel.selected);
    EXPECT_NUMBER(line.channel.carrier, CARRIER_CSIM);
    EXPECT_NUMBER(line.channel.number, 1);
    /* 61xx is none of a transport's business. */
    EXPECT(exchange(&line, "00A404040D" AID, SECRET_NOTHING), OUTCOME_OK, &line.why);
    EXPECT_BYTES(line.answer, line.length, "611A");
    CU_ASSERT(exchange(&line, "0070800100", SECRET_NOTHING) != OUTCOME_OK);
    EXPECT(close_channel(&line), OUTCOME_OK, &line.why);
    CU_ASSERT_FALSE(line.channel.open);
    line_end(&line);
}

static void csim_writes_far_channels_and_proprietary_classes_right(void)
{
    static const struct modem_step steps[] = {
        CSIM("00 70 00 00 01", "05 9000"), CSIM("41 84 00 00 08", "6C04"),
        CSIM("C1 F2 00 00 00", "9000"),    CSIM("51 2A 80 86 01 AA", "9000"),
        CSIM("00 70 80 05 00", "9000"),    MODEM_END};
    struct line line;

    line_begin(&line, CARRIER_CSIM, steps);
    EXPECT(open_channel(&line), OUTCOME_OK, &line.why);
    EXPECT_NUMBER(line.channel.number, 5);
    EXPECT(exchange(&line, "00 84 00 00 08", SECRET_NOTHING), OUTCOME_OK, &line.why);
    EXPECT_BYTES(line.answer, line.length, "6C04");
    EXPECT(exchange(&line, "80 F2 00 00 00", SECRET_NOTHING), OUTCOME_OK, &line.why);
    EXPECT(exchange(&line, "10 2A 80 86 01 AA", SECRET_NOTHING), OUTCOME_OK, &line.why);
    (void)close_channel(&line);
    line_end(&line);
}

/* The longest command and the longest answer of classic APDUs, as a real line carries them. */
static void the_longest_apdus_pass(void)
{
    char sent[600] = "00 D6 00 00 FF ", got[600] = "";
    const struct modem_step steps[] = {CSIM("00 70 00 00 01", "01 9000"), CSIM(sent, got),
                                       MODEM_END};
    struct line line;

    append_hex(sent, sizeof sent, 0x77, 255);
    strcat(sent, "00");
    append_hex(got, sizeof got, 0x88, 256);
    strcat(got, "9000");
    sent[1] = '1';
    line_begin(&line, CARRIER_CSIM, steps);
    EXPECT(open_channel(&line), OUTCOME_OK, &line.why);
    EXPECT(exchange(&line, sent, SECRET_NOTHING), OUTCOME_OK, &line.why);
    EXPECT_BYTES(line.answer, line.length, got);
    line_end(&line);
}

/* What opening becomes when the modem or the card says this instead. */
static enum outcome opening(enum carrier carrier, const char *said, struct report *why)
{
    const struct modem_step steps[] = {LINE(NULL, said), MODEM_END};
    struct line line;
    enum outcome outcome;

    line_begin(&line, carrier, steps);
    outcome = open_channel(&line);
    CU_ASSERT(outcome == OUTCOME_OK || !line.channel.open);
    *why = line.why;
    line_end(&line);
    return outcome;
}

#define SAYS_SW(sw) "\r\n+CSIM: 4,\"" sw "\"\r\n" OK

/* APDU, 13 and 14 */
static void refused_channels_are_told_from_exhausted_ones(void)
{
    static const char *const exhausted[] = {SAYS_SW("6A81"), SAYS_SW("6A84"), SAYS_SW("6881")};
    static const uint16_t words[] = {0x6A81, 0x6A84, 0x6881};
    static const char *const carrier[] = {SAYS_SW("6E00"), SAYS_SW("6D00"), "\r\n+CME ERROR: 3\r\n",
                                          "\r\n+CME ERROR: 4\r\n",
                                          "\r\n+CME ERROR: operation not allowed\r\n"};
    struct report why;
    size_t i;

    for (i = 0; i < 3; i++) {
        EXPECT(opening(CARRIER_CSIM, exhausted[i], &why), OUTCOME_REFUSED, &why);
        EXPECT_NUMBER(why.sw, words[i]);
    }
    for (i = 0; i < sizeof carrier / sizeof carrier[0]; i++)
        EXPECT(opening(CARRIER_CSIM, carrier[i], &why), OUTCOME_CARRIER_REFUSED, &why);
}

static void a_senseless_channel_number_is_refused(void)
{
    static const char *const said[] = {"\r\n+CSIM: 6,\"009000\"\r\n" OK,
                                       "\r\n+CSIM: 6,\"149000\"\r\n" OK,
                                       "\r\n+CSIM: 6,\"FF9000\"\r\n" OK,
                                       "\r\n+CSIM: 6,\"01\r\n+CREG: 1\r\n9000\"\r\n" OK, "\r\n" OK};
    struct report why;
    size_t i;

    for (i = 0; i < sizeof said / sizeof said[0]; i++)
        CU_ASSERT(opening(CARRIER_CSIM, said[i], &why) != OUTCOME_OK && why.text[0] != '\0');
}

static void finals_that_concern_the_user_are_said_in_words(void)
{
    static const enum carrier carriers[] = {CARRIER_CSIM, CARRIER_CCHO};
    struct report why;
    size_t i;

    for (i = 0; i < 2; i++) {
        EXPECT(opening(carriers[i], "\r\n+CME ERROR: 10\r\n", &why), OUTCOME_NO_SIM, &why);
        EXPECT_NUMBER(why.cme, 10);
        EXPECT(opening(carriers[i], "\r\n+CME ERROR: SIM not inserted\r\n", &why), OUTCOME_NO_SIM,
               &why);
        EXPECT(opening(carriers[i], "\r\n+CME ERROR: 15\r\n", &why), OUTCOME_NO_SIM, &why);
        CU_ASSERT(opening(carriers[i], "\r\n+CME ERROR: 11\r\n", &why) != OUTCOME_OK);
        EXPECT_SAYS(why.text, "PIN");
        CU_ASSERT(opening(carriers[i], "\r\n+CME ERROR: 12\r\n", &why) != OUTCOME_OK);
        EXPECT_SAYS(why.text, "PUK");
    }
}

/* One line each: whatever the modem says, a transport never says a command twice. */
static void nothing_is_resent_and_every_refusal_has_its_number(void)
{
    static const struct {
        const char *said;
        int cme;
        enum outcome outcome; /* OUTCOME_OK: any error */
    } cases[] = {
        {"\r\n+CME ERROR: 3\r\n", 3, OUTCOME_CARRIER_REFUSED},
        {"\r\n+CME ERROR: 4\r\n", 4, OUTCOME_CARRIER_REFUSED},
        {"\r\n+CME ERROR: 50\r\n", 50, OUTCOME_CARRIER_REFUSED},
        {"\r\n+CME ERROR: 0\r\n", 0, OUTCOME_OK},
        {"\r\n+CME ERROR: 13\r\n", 13, OUTCOME_OK},
        {"\r\n+CME ERROR: 16\r\n", 16, OUTCOME_OK},
        {"\r\n+CME ERROR: 22\r\n", 22, OUTCOME_OK},
        {"\r\n+CME ERROR: 100\r\n", 100, OUTCOME_OK},
        {REFUSE, -1, OUTCOME_CARRIER_REFUSED},
        {"\r\n+CSIM: 6,\"9000\"\r\n" OK, -1, OUTCOME_BAD_DATA},
        {"\r\n+CSIM: 8,\"61\r\nRING\r\n1A9000\"\r\n" OK, -1, OUTCOME_BAD_DATA},
        {"\r\n+CSIM: 3,\"900\"\r\n" OK, -1, OUTCOME_BAD_DATA},
        {"\r\n+CSIM: 2,\"90\"\r\n" OK, -1, OUTCOME_BAD_DATA},
        {"\r\n" OK, -1, OUTCOME_CARRIER_REFUSED}, /* OK alone: nothing was passed on */
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct modem_step steps[] = {CSIM("00 70 00 00 01", "02 9000"),
                                           LINE("AT+CSIM=10,\"022A9E9A00\"", cases[i].said),
                                           MODEM_END};
        struct line line;
        enum outcome outcome;

        line_begin(&line, CARRIER_CSIM, steps);
        EXPECT(open_channel(&line), OUTCOME_OK, &line.why);
        outcome = exchange(&line, "00 2A 9E 9A 00", SECRET_NOTHING);
        CU_ASSERT(outcome != OUTCOME_OK);
        if (cases[i].outcome != OUTCOME_OK)
            EXPECT_NUMBER(outcome, cases[i].outcome);
        EXPECT_NUMBER(line.why.cme, cases[i].cme);
        line_end(&line);
    }
}

/* ---- +CCHO ---- */

static void ccho_opens_selects_uses_and_closes(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CCHO=\"" AID "\"", "\r\n+CCHO: 1\r\n" OK),
        LINE("AT+CGLA=1,10,\"002A9E9A00\"", "\r\n+CGLA:4,\"6110\"\r\n" OK),
        LINE("AT+CGLA=1,10,\"80CA000000\"", "\r\n+CGLA: 4,9000\r\n" OK), LINE("AT+CCHC=1", OK),
        MODEM_END};
    struct line line;

    line_begin(&line, CARRIER_CCHO, steps);
    EXPECT(open_channel(&line), OUTCOME_OK, &line.why);
    CU_ASSERT(line.channel.open && line.channel.selected);
    EXPECT_NUMBER(line.channel.carrier, CARRIER_CCHO);
    EXPECT_NUMBER(line.channel.number, 0);
    /* The modem fills the channel bits in. */
    EXPECT(exchange(&line, "00 2A 9E 9A 00", SECRET_NOTHING), OUTCOME_OK, &line.why);
    EXPECT_BYTES(line.answer, line.length, "6110");
    EXPECT(exchange(&line, "80 CA 00 00 00", SECRET_NOTHING), OUTCOME_OK, &line.why);
    EXPECT_BYTES(line.answer, line.length, "9000");
    EXPECT(close_channel(&line), OUTCOME_OK, &line.why);
    CU_ASSERT_FALSE(line.channel.open);
    line_end(&line);
}

static void the_session_is_an_opaque_word(void)
{
    static const char *const said[] = {"\r\n+CCHO: 2F00AB1200CD34EF\r\n" OK,
                                       "\r\n2F00AB1200CD34EF\r\n" OK,
                                       "\r\n+CCHO: \"2F00AB1200CD34EF\"\r\n" OK};
    size_t i;

    for (i = 0; i < sizeof said / sizeof said[0]; i++) {
        const struct modem_step steps[] = {
            LINE("AT+CCHO=\"" AID "\"", said[i]),
            LINE("AT+CGLA=2F00AB1200CD34EF,10,\"0084000008\"", "\r\n+CGLA: 4,\"9000\"\r\n" OK),
            LINE("AT+CCHC=2F00AB1200CD34EF", REFUSE),
            LINE("AT+CGLA=2F00AB1200CD34EF,8,\"00708000\"", "\r\n+CGLA: 4,\"9000\"\r\n" OK),
            MODEM_END};
        struct line line;

        line_begin(&line, CARRIER_CCHO, steps);
        EXPECT(open_channel(&line), OUTCOME_OK, &line.why);
        EXPECT_TEXT(line.channel.session, "2F00AB1200CD34EF");
        EXPECT(exchange(&line, "00 84 00 00 08", SECRET_NOTHING), OUTCOME_OK, &line.why);
        /* Absent on some modems: there the channel closes itself. */
        EXPECT(close_channel(&line), OUTCOME_OK, &line.why);
        CU_ASSERT_FALSE(line.channel.open);
        line_end(&line);
    }
}

static void a_bare_number_is_a_session_too(void)
{
    static const struct modem_step steps[] = {LINE("AT+CCHO=\"" AID "\"", "\r\n3\r\n" OK),
                                              MODEM_END};
    struct line line;

    line_begin(&line, CARRIER_CCHO, steps);
    EXPECT(open_channel(&line), OUTCOME_OK, &line.why);
    EXPECT_TEXT(line.channel.session, "3");
    line_end(&line);
}

static void a_session_need_not_look_like_a_number(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CCHO=\"" AID "\"", "\r\n+CCHO: 0x1\r\n" OK),
        LINE("AT+CGLA=0x1,10,\"0084000008\"", "\r\n+CGLA: 4,\"9000\"\r\n" OK), MODEM_END};
    struct line line;

    line_begin(&line, CARRIER_CCHO, steps);
    EXPECT(open_channel(&line), OUTCOME_OK, &line.why);
    EXPECT_TEXT(line.channel.session, "0x1");
    EXPECT(exchange(&line, "00 84 00 00 08", SECRET_NOTHING), OUTCOME_OK, &line.why);
    line_end(&line);
}

static void a_senseless_session_is_refused(void)
{
    static const char *const said[] = {"\r\n" OK, "\r\n+CCHO:\r\n" OK, "\r\n+CCHO: \"\"\r\n" OK,
                                       "\r\n+CCHO: 0123456789ABCDEF0123456789ABCDEF0123\r\n" OK,
                                       "\r\n+CCHO: 1;+CFUN=0\r\n" OK};
    struct report why;
    size_t i;

    for (i = 0; i < sizeof said / sizeof said[0]; i++)
        CU_ASSERT(opening(CARRIER_CCHO, said[i], &why) != OUTCOME_OK && why.text[0] != '\0');
    EXPECT(opening(CARRIER_CCHO, REFUSE, &why), OUTCOME_CARRIER_REFUSED, &why);
    EXPECT(opening(CARRIER_CCHO, "\r\n+CME ERROR: 4\r\n", &why), OUTCOME_CARRIER_REFUSED, &why);
}

/* What the trace of a VERIFY, of random bytes and of an ordinary read shows. echo: what the modem says
 * before it answers the VERIFY. */
static void trace_secrets(const char *echo, char text[4096])
{
    char said[200];
    const struct modem_step steps[] = {LINE("AT+CCHO=\"" AID "\"", "\r\n+CCHO: 1\r\n" OK),
                                       LINE("AT+CGLA=1,18,\"002000810431323334\"", said),
                                       CGLA("00 84 00 00 04", "CAFEBABE 9000"),
                                       CGLA("00 B0 00 00 02", "4242 9000"), MODEM_END};
    struct line line;
    struct folder folder;
    char path[192];
    size_t n;
    FILE *file;

    snprintf(said, sizeof said, "%s\r\n+CGLA: 4,\"9000\"\r\n" OK, echo);
    folder_make(&folder);
    folder_write(&folder, "trace", "", 0, 0600, path);
    line_begin(&line, CARRIER_CCHO, steps);
    line.trace.level = TRACE_AT;
    line.trace.path = path;
    EXPECT(open_channel(&line), OUTCOME_OK, &line.why);
    EXPECT(exchange(&line, "00 20 00 81 04 31323334", SECRET_COMMAND), OUTCOME_OK, &line.why);
    EXPECT(exchange(&line, "00 84 00 00 04", SECRET_ANSWER), OUTCOME_OK, &line.why);
    EXPECT(exchange(&line, "00 B0 00 00 02", SECRET_NOTHING), OUTCOME_OK, &line.why);
    line_end(&line);
    file = fopen(path, "r");
    n = file ? fread(text, 1, 4095, file) : 0;
    text[n] = '\0';
    if (file)
        fclose(file);
    folder_remove(&folder);
}

/* A PIN stays out of the trace, even where the modem repeats it, and so does a secret answer. */
static void secrets_stay_out_of_the_trace(void)
{
    static const char *const echoes[] = {"", "AT+CGLA=1,18,\"002000810431323334\"\r",
                                         ("\xF8"
                                          "AT+CGLA=1,18,\"002000810431323334\"\r"),
                                         "T+CGLA=1,18,\"002000810431323334\"\r"};
    char text[4096];
    size_t i;

    for (i = 0; i < sizeof echoes / sizeof echoes[0]; i++) {
        trace_secrets(echoes[i], text);
        EXPECT_SAYS_NOT(text, "31323334");
        EXPECT_SAYS_NOT(text, "CAFEBABE");
        EXPECT_SAYS(text, "42429000");
        EXPECT_SAYS(text, "AT+CGLA");
    }
}

void add_transport_suite(void)
{
    static const struct test tests[] = {
        TEST(the_channel_number_goes_into_the_cla),
        TEST(waking_sets_the_modem_up_unless_it_is_ready),
        TEST(waking_resynchronises_after_an_answer_that_was_outstanding),
        TEST(csim_opens_uses_and_closes_a_channel),
        TEST(csim_writes_far_channels_and_proprietary_classes_right),
        TEST(the_longest_apdus_pass),
        TEST(refused_channels_are_told_from_exhausted_ones),
        TEST(a_senseless_channel_number_is_refused),
        TEST(finals_that_concern_the_user_are_said_in_words),
        TEST(nothing_is_resent_and_every_refusal_has_its_number),
        TEST(ccho_opens_selects_uses_and_closes),
        TEST(the_session_is_an_opaque_word),
        TEST(a_bare_number_is_a_session_too),
        TEST(a_session_need_not_look_like_a_number),
        TEST(a_senseless_session_is_refused),
        TEST(secrets_stay_out_of_the_trace),
    };

    ADD_SUITE("transport", tests);
}
