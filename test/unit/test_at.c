/* SPDX-License-Identifier: Apache-2.0 */
/* What modems write (protocol-at: "Text", "Length" and the table of final results): the parsers
 * with hand-made lines, and whole dialogues with a scripted modem. Waiting is judged in
 * test_at_time.c. */
#include "modem/at_apdu.h"
#include "modem/cme.h"
#include "modem/hex.h"
#include "test/unit/talk.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* ---- final results ---- */

static void expect_final(const char *line, enum at_final expected, int expected_cme)
{
    int cme = 777;
    enum at_final final = at_final_result(line, &cme);

    if (final != expected || (final != AT_FINAL_NONE && cme != expected_cme))
        FAIL("\"%s\" is final result %d with CME %d instead of %d with %d", line, (int) final, cme,
             (int)expected, expected_cme);
    else
        CU_PASS("final result");
}

static void every_final_result_is_recognised(void)
{
    expect_final("OK", AT_FINAL_OK, -1);
    expect_final("ERROR", AT_FINAL_ERROR, -1);
    expect_final("NO CARRIER", AT_FINAL_ERROR, -1);
    expect_final("BUSY", AT_FINAL_ERROR, -1);
    expect_final("NO ANSWER", AT_FINAL_ERROR, -1);
    expect_final("NO DIALTONE", AT_FINAL_ERROR, -1);
    expect_final("ABORTED", AT_FINAL_ERROR, -1);
    expect_final("COMMAND NOT SUPPORT", AT_FINAL_ERROR, -1);
    expect_final("TOO MANY PARAMETERS", AT_FINAL_ERROR, -1);
    expect_final("+CMS ERROR: 302", AT_FINAL_ERROR, -1);
    expect_final("+EXT ERROR: 4", AT_FINAL_ERROR, -1);
    expect_final("ERROR: 23", AT_FINAL_ERROR, -1);
    expect_final("+CME ERROR: 14", AT_FINAL_CME, 14);
    expect_final("+CME ERROR:100", AT_FINAL_CME, 100);
    expect_final("+CME ERROR:  0", AT_FINAL_CME, 0);
}

static void what_only_resembles_a_final_result_is_none(void)
{
    static const char *const lines[] = {"",
                                        "O",
                                        "OKAY",
                                        "OK OK",
                                        "+OK",
                                        "NOT OK",
                                        "RING",
                                        "ERRORS",
                                        "NO CARROTS",
                                        "+CME",
                                        "+CME ERROR",
                                        "CME ERROR",
                                        "ABORTED BY USER",
                                        "+CSIM",
                                        "+CREG: 1",
                                        "BUSYX",
                                        "+CPIN: READY"};
    size_t i;

    for (i = 0; i < sizeof lines / sizeof lines[0]; i++)
        expect_final(lines[i], AT_FINAL_NONE, -1);
}

static void a_cme_text_stands_for_its_number(void)
{
    expect_final("+CME ERROR: phone failure", AT_FINAL_CME, CME_PHONE_FAILURE);
    expect_final("+CME ERROR: operation not allowed", AT_FINAL_CME, CME_NOT_ALLOWED);
    expect_final("+CME ERROR: operation not supported", AT_FINAL_CME, CME_NOT_SUPPORTED);
    expect_final("+CME ERROR: SIM not inserted", AT_FINAL_CME, CME_NO_SIM);
    expect_final("+CME ERROR: SIM PIN required", AT_FINAL_CME, CME_SIM_PIN);
    expect_final("+CME ERROR: SIM PUK required", AT_FINAL_CME, CME_SIM_PUK);
    expect_final("+CME ERROR: SIM failure", AT_FINAL_CME, CME_SIM_FAILURE);
    expect_final("+CME ERROR: SIM busy", AT_FINAL_CME, CME_SIM_BUSY);
    expect_final("+CME ERROR: sim BUSY", AT_FINAL_CME, CME_SIM_BUSY);
    expect_final("+CME ERROR: busy", AT_FINAL_CME, CME_SIM_BUSY);
    expect_final("+CME ERROR: 515", AT_FINAL_CME, CME_PLEASE_WAIT);
    expect_final("+CME ERROR: Please wait, init or command processing in progress", AT_FINAL_CME,
                 CME_PLEASE_WAIT);
    expect_final("+CME ERROR: SIM wrong", AT_FINAL_CME, CME_SIM_WRONG);
    expect_final("+CME ERROR: incorrect password", AT_FINAL_CME, CME_WRONG_PASSWORD);
    expect_final("+CME ERROR: SIM PIN2 required", AT_FINAL_CME, CME_SIM_PIN2);
    expect_final("+CME ERROR: SIM PUK2 required", AT_FINAL_CME, CME_SIM_PUK2);
    expect_final("+CME ERROR: memory full", AT_FINAL_CME, CME_MEMORY_FULL);
    expect_final("+CME ERROR: invalid index", AT_FINAL_CME, CME_INVALID_INDEX);
    expect_final("+CME ERROR: not found", AT_FINAL_CME, CME_NOT_FOUND);
    expect_final("+CME ERROR: unknown", AT_FINAL_CME, CME_UNKNOWN);
    expect_final("+CME ERROR: the cat ate it", AT_FINAL_CME, CME_UNKNOWN);
    expect_final("+CME ERROR:", AT_FINAL_CME, CME_UNKNOWN);
    expect_final("+CME ERROR: 99999999999999999999", AT_FINAL_CME, CME_UNKNOWN);
}

/* ---- parsers ---- */

static void expect_apdu(const char *value, const char *hex)
{
    uint8_t bytes[258];

    EXPECT_BYTES(bytes, at_parse_apdu(value, bytes, sizeof bytes), hex);
}

static void one_parser_reads_every_manner_of_writing_an_answer(void)
{
    expect_apdu("4,\"9000\"", "9000");
    expect_apdu("4,\"611A\"", "611A");
    expect_apdu("  8, \"6F008e1f\"", "6F008E1F");
    expect_apdu("4,9000", "9000");
    expect_apdu("4 , 9000", "9000");
    expect_apdu("4,\"6a82\"", "6A82");
    expect_apdu("4, \"9000\" ", "9000");
}

static void an_announced_length_that_does_not_fit_is_an_error(void)
{
    static const char *const values[] = {"",
                                         ",",
                                         "4",
                                         "4,",
                                         "4,\"\"",
                                         "2,\"90\"",
                                         "5,\"90000\"",
                                         "3,\"900\"",
                                         "6,\"9000\"",
                                         "2,\"9000\"",
                                         "4,\"90 00\"",
                                         "4,\"90G0\"",
                                         "-4,\"9000\"",
                                         "4;\"9000\"",
                                         "x,\"9000\"",
                                         ",\"9000\"",
                                         "4,\"9000",
                                         "0,\"\"",
                                         "99999999999999999999,\"9000\"",
                                         "4,\"9000\",\"9000\"",
                                         "8,\"6F00\"+CREG: 1"};
    uint8_t bytes[258];
    size_t i;

    for (i = 0; i < sizeof values / sizeof values[0]; i++)
        if (strcmp(values[i], "4,\"9000") != 0 && at_parse_apdu(values[i], bytes, sizeof bytes))
            FAIL("\"%s\" was taken for an answer", values[i]);
    CU_PASS("none was taken");
}

static void the_longest_answer_fits_and_a_longer_one_does_not(void)
{
    char value[AT_LINE_SIZE] = "516,\"";
    uint8_t bytes[259];

    append_hex(value, sizeof value, 0xA5, 256);
    strcat(value, "9000\"");
    EXPECT_NUMBER(at_parse_apdu(value, bytes, 258), 258);
    EXPECT_NUMBER(bytes[255], 0xA5);
    EXPECT_NUMBER(at_parse_apdu(value, bytes, 257), 0);
    strcpy(value, "518,\"");
    append_hex(value, sizeof value, 0xA5, 259);
    strcat(value, "\"");
    EXPECT_NUMBER(at_parse_apdu(value, bytes, 258), 0);
}

static void hex_is_decoded_only_when_all_of_it_is_hex(void)
{
    uint8_t bytes[4];
    char text[9];

    EXPECT_BYTES(bytes, hex_decode("00ffAa", bytes, sizeof bytes), "00FFAA");
    EXPECT_NUMBER(hex_decode("", bytes, sizeof bytes), 0);
    EXPECT_NUMBER(hex_decode("0", bytes, sizeof bytes), 0);
    EXPECT_NUMBER(hex_decode("00112", bytes, sizeof bytes), 0);
    EXPECT_NUMBER(hex_decode("0x11", bytes, sizeof bytes), 0);
    EXPECT_NUMBER(hex_decode("00 11", bytes, sizeof bytes), 0);
    EXPECT_NUMBER(hex_decode("00\xC3\xA9", bytes, sizeof bytes), 0);
    EXPECT_NUMBER(hex_decode("0011223344", bytes, sizeof bytes), 0);
    EXPECT_NUMBER(hex_decode("00112233", bytes, sizeof bytes), 4);
    hex_encode((const uint8_t *)"\x00\x9A\xBC\xFF", 4, text);
    EXPECT_TEXT(text, "009ABCFF");
    hex_encode(NULL, 0, text);
    EXPECT_TEXT(text, "");
}

static void numbers_and_words_are_taken_one_after_the_other(void)
{
    const char *text = " 144, \"0\" ,\"98 76\",end";
    char word[8];
    long number = -1;

    CU_ASSERT(at_take_number(&text, &number));
    EXPECT_NUMBER(number, 144);
    CU_ASSERT(at_take_number(&text, &number));
    EXPECT_NUMBER(number, 0);
    CU_ASSERT(at_take_word(&text, word, sizeof word));
    EXPECT_TEXT(word, "98 76");
    CU_ASSERT(at_take_word(&text, word, sizeof word));
    EXPECT_TEXT(word, "end");
    CU_ASSERT_FALSE(at_take_word(&text, word, sizeof word));
    CU_ASSERT_FALSE(at_take_number(&text, &number));
}

static void hostile_numbers_and_words_are_refused(void)
{
    static const char *const numbers[] = {
        "", ",", "abc", "\"\"", "99999999999999999999999", "18446744073709551617", "-"};
    const char *text;
    char word[8];
    long number;
    size_t i;

    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        text = numbers[i];
        if (at_take_number(&text, &number))
            FAIL("\"%s\" was taken for a number", numbers[i]);
    }
    text = "12345678";
    CU_ASSERT_FALSE(at_take_word(&text, word, sizeof word));
    text = "1234567";
    CU_ASSERT(at_take_word(&text, word, sizeof word));
    EXPECT_TEXT(word, "1234567");
    text = "\"\"";
    CU_ASSERT_FALSE(at_take_word(&text, word, sizeof word));
    text = ",x";
    CU_ASSERT_FALSE(at_take_word(&text, word, sizeof word));
}

/* ---- dialogues ---- */

#define STATUS "AT+CSIM=10,\"80F2000000\""

/* The modem says all this to one command; the value (or NULL: an error final) is what must come of
 * it. */
static void expect_value(const char *said, const char *value)
{
    const struct modem_step steps[] = {LINE(STATUS, said), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(ask(&talk, STATUS, "+CSIM:", 1500), OUTCOME_OK, &talk.why);
    if (value) {
        EXPECT_NUMBER(talk.result.final, AT_FINAL_OK);
        EXPECT_NUMBER(talk.result.cme, -1);
        EXPECT_TEXT(talk.result.value, value);
    } else {
        CU_ASSERT(talk.result.final != AT_FINAL_OK);
    }
    talk_end(&talk);
}

#define ANSWER "+CSIM: 4,\"9000\"\r\n"
#define VALUE  "4,\"9000\""

static void a_plain_answer_is_read(void)
{
    expect_value("\r\n" ANSWER OK, VALUE);
    expect_value(ANSWER "OK\r\n", VALUE);
}

/* Text, 1 */
static void the_echo_is_dropped_whatever_its_line_end(void)
{
    expect_value(STATUS "\r\r\n" ANSWER OK, VALUE);
    expect_value(STATUS "\r\n" ANSWER OK, VALUE);
    expect_value(STATUS "\r" ANSWER OK, VALUE);
    expect_value(STATUS "\n\r\n" ANSWER OK, VALUE);
}

/* Text, 3 */
static void garbage_and_odd_line_ends_are_skipped(void)
{
    expect_value(NUL NUL NUL "\r\n" ANSWER OK, VALUE);
    expect_value(NUL NUL ANSWER OK, VALUE);
    expect_value("\xF8\xFE\x7F\x81\r\n" ANSWER OK, VALUE);
    expect_value("\r\r\n+CSIM: 4,\"9000\"\r\r\n\r\r\nOK\r\r\n", VALUE);
    expect_value("\n+CSIM: 4,\"9000\"\nOK\n", VALUE);
    expect_value("\r+CSIM: 4,\"9000\"\rOK\r", VALUE);
    expect_value("\r\n\r\n\r\n\n\n" ANSWER "\r\n\r\n" OK, VALUE);
}

/* Text, 4 */
static void unsolicited_lines_anywhere_are_skipped(void)
{
    expect_value("\r\n+CREG: 1\r\n" ANSWER OK, VALUE);
    expect_value("\r\nRING\r\n\r\n" ANSWER "\r\n+CUSD: 0,\"4 OK\",15\r\n" OK, VALUE);
    expect_value("^RSSI:19\r\n" ANSWER "+QIND: \"csq\",19,99\r\n" OK "+CREG: 5\r\n", VALUE);
    expect_value("+CPIN: READY\r\n" ANSWER "+CSIMX: 4,\"6F00\"\r\n" OK, VALUE);
    expect_value("\r\n+CUSD: 1,\"ERROR\"\r\n" ANSWER OK, VALUE);
}

static void a_restart_of_the_modem_is_noticed(void)
{
    static const struct {
        const char *said;
        bool restarted;
    } cases[] = {{"\r\nRDY\r\n" OK, true},
                 {"\r\n+CFUN: 1\r\n" OK, true},
                 {"\r\n+CREG: 1\r\n+CPIN: READY\r\n" OK, false},
                 {"\r\n+CFUN: 0\r\n" OK, false},
                 {"\r\nRDYX\r\n" OK, false}};
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct modem_step steps[] = {LINE("AT", cases[i].said), MODEM_END};
        struct talk talk;

        talk_begin(&talk, steps, NULL);
        EXPECT(ask(&talk, "AT", NULL, 1000), OUTCOME_OK, &talk.why);
        EXPECT_NUMBER((talk.events & EVENT_RESTARTED) != 0, cases[i].restarted);
        talk_end(&talk);
    }
}

/* A URC that came while nobody asked counts too: it is in the input when the next command drains
 * it. */
static void a_restart_between_two_commands_is_noticed(void)
{
    static const struct modem_step steps[] = {LINE("AT", OK PAUSE "\r\nRDY\r\n"), LINE("AT", OK),
                                              MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(ask(&talk, "AT", NULL, 1000), OUTCOME_OK, &talk.why);
    CU_ASSERT_FALSE(talk.events & EVENT_RESTARTED);
    deadline_sleep(talk.deadline, 150);
    EXPECT(ask(&talk, "AT", NULL, 1000), OUTCOME_OK, &talk.why);
    CU_ASSERT(talk.events & EVENT_RESTARTED);
    talk_end(&talk);
}

/* The modem fails and restarts: the boot line is behind the error, where some modems have a second
 * final result. */
static void a_restart_right_behind_an_error_is_noticed(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CPIN?", "\r\n+CME ERROR: 13\r\n" BREATH "\r\nRDY\r\n"), LINE("AT", OK), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(ask(&talk, "AT+CPIN?", "+CPIN:", 1000), OUTCOME_OK, &talk.why);
    EXPECT(ask(&talk, "AT", NULL, 1000), OUTCOME_OK, &talk.why);
    CU_ASSERT(talk.events & EVENT_RESTARTED);
    talk_end(&talk);
}

/* Text, 5 */
static void a_second_final_result_does_not_answer_the_next_command(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CCHO=\"A0\"", "\r\n+CME ERROR: 3\r\n\r\nERROR\r\n"), LINE("AT", OK),
        LINE("AT+CCHO=\"A1\"", "\r\n+CME ERROR: 4\r\n" PAUSE "\r\nERROR\r\n"), LINE("AT", OK),
        MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(ask(&talk, "AT+CCHO=\"A0\"", "+CCHO:", 1000), OUTCOME_OK, &talk.why);
    EXPECT_NUMBER(talk.result.final, AT_FINAL_CME);
    EXPECT_NUMBER(talk.result.cme, 3);
    EXPECT(ask(&talk, "AT", NULL, 1000), OUTCOME_OK, &talk.why);
    EXPECT_NUMBER(talk.result.final, AT_FINAL_OK);
    EXPECT(ask(&talk, "AT+CCHO=\"A1\"", "+CCHO:", 1000), OUTCOME_OK, &talk.why);
    EXPECT_NUMBER(talk.result.cme, 4);
    deadline_sleep(talk.deadline, 150);
    EXPECT(ask(&talk, "AT", NULL, 1000), OUTCOME_OK, &talk.why);
    EXPECT_NUMBER(talk.result.final, AT_FINAL_OK);
    talk_end(&talk);
}

static void every_error_final_ends_the_exchange_at_once(void)
{
    static const char *const finals[] = {
        "ERROR",           "NO CARRIER",    "BUSY",           "NO ANSWER",
        "NO DIALTONE",     "ABORTED",       "+CME ERROR: 13", "COMMAND NOT SUPPORT",
        "+CMS ERROR: 500", "+EXT ERROR: 1", "ERROR: 4",       "TOO MANY PARAMETERS"};
    char said[64];
    size_t i;
    int64_t start;

    for (i = 0; i < sizeof finals / sizeof finals[0]; i++) {
        snprintf(said, sizeof said, "\r\n%s\r\n", finals[i]);
        start = monotonic_ms();
        expect_value(said, NULL);
        EXPECT_TOOK(start, 0, 1000);
    }
}

/* Length, 7 */
static void a_line_split_by_an_unsolicited_one_is_never_data(void)
{
    static const char *const said[] = {
        "\r\n+CSIM: 8,\"61\r\n+CREG: 1\r\n1A9000\"\r\n" OK,
        "\r\n+CSIM: 8,\"6F00+CREG: 1\r\n9000\"\r\n" OK,
        "\r\n+CSIM: 8,\"6F\r\n" OK,
        "\r\n+CSIM:\r\n" OK,
        "\r\n" OK,
    };
    uint8_t bytes[258];
    size_t i;

    for (i = 0; i < sizeof said / sizeof said[0]; i++) {
        const struct modem_step steps[] = {LINE(STATUS, said[i]), MODEM_END};
        struct talk talk;

        talk_begin(&talk, steps, NULL);
        EXPECT(ask(&talk, STATUS, "+CSIM:", 1500), OUTCOME_OK, &talk.why);
        EXPECT_NUMBER(at_parse_apdu(talk.result.value, bytes, sizeof bytes), 0);
        talk_end(&talk);
    }
}

/* Length, 8 */
static void the_longest_command_and_the_longest_answer_pass(void)
{
    char command[AT_LINE_SIZE] = "AT+CSIM=522,\"", said[AT_LINE_SIZE + 16] = "\r\n+CSIM: 516,\"";
    const struct modem_step steps[] = {LINE(command, said), MODEM_END};
    struct talk talk;
    uint8_t bytes[258];

    append_hex(command, sizeof command, 0x5A, 261);
    strcat(command, "\"");
    append_hex(said, sizeof said, 0xC3, 256);
    strcat(said, "9000\"\r\n" OK);
    talk_begin(&talk, steps, NULL);
    EXPECT(ask(&talk, command, "+CSIM:", 2000), OUTCOME_OK, &talk.why);
    EXPECT_NUMBER(at_parse_apdu(talk.result.value, bytes, sizeof bytes), 258);
    talk_end(&talk);
}

static void an_endless_line_does_no_harm(void)
{
    char said[4096] = "\r\n+CSIM: 516,\"";
    const struct modem_step steps[] = {LINE(STATUS, said), LINE("AT", OK), MODEM_END};
    struct talk talk;
    uint8_t bytes[258];

    append_hex(said, sizeof said, 0x44, 1900);
    strcat(said, "\"\r\n" OK);
    talk_begin(&talk, steps, NULL);
    if (ask(&talk, STATUS, "+CSIM:", 1000) == OUTCOME_OK)
        EXPECT_NUMBER(at_parse_apdu(talk.result.value, bytes, sizeof bytes), 0);
    EXPECT(ask(&talk, "AT", NULL, 1000), OUTCOME_OK, &talk.why);
    talk_end(&talk);
}

void add_at_suite(void)
{
    static const struct test tests[] = {
        TEST(every_final_result_is_recognised),
        TEST(what_only_resembles_a_final_result_is_none),
        TEST(a_cme_text_stands_for_its_number),
        TEST(one_parser_reads_every_manner_of_writing_an_answer),
        TEST(an_announced_length_that_does_not_fit_is_an_error),
        TEST(the_longest_answer_fits_and_a_longer_one_does_not),
        TEST(hex_is_decoded_only_when_all_of_it_is_hex),
        TEST(numbers_and_words_are_taken_one_after_the_other),
        TEST(hostile_numbers_and_words_are_refused),
        TEST(a_plain_answer_is_read),
        TEST(the_echo_is_dropped_whatever_its_line_end),
        TEST(garbage_and_odd_line_ends_are_skipped),
        TEST(unsolicited_lines_anywhere_are_skipped),
        TEST(a_restart_of_the_modem_is_noticed),
        TEST(a_restart_between_two_commands_is_noticed),
        TEST(a_restart_right_behind_an_error_is_noticed),
        TEST(a_second_final_result_does_not_answer_the_next_command),
        TEST(every_error_final_ends_the_exchange_at_once),
        TEST(a_line_split_by_an_unsolicited_one_is_never_data),
        TEST(the_longest_command_and_the_longest_answer_pass),
        TEST(an_endless_line_does_no_harm),
    };

    ADD_SUITE("at", tests);
}
