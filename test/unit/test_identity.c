/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the modem itself: the ICCID by +CRSM or one of the vendors' names, and who the modem
 * is. */
#include "modem/at_identity.h"
#include "test/unit/talk.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define CRSM   "AT+CRSM=176,12258,0,0,10"
#define REFUSE "\r\nERROR\r\n"
#define ICCID  "8988303000000000017"

static enum outcome ask_for(struct talk *talk, const char *line, enum at_answer answer,
                            const char *prefix)
{
    struct at_command command = {
        .line = line, .answer = answer, .prefix = prefix, .timeout_ms = 1000};

    return at_command(&talk->at, &command, talk->deadline, &talk->result, &talk->why);
}

static void a_bare_answer_is_told_from_unsolicited_lines(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CGSN", "\r\nRING\r\n+CREG: 1\r\n\r\n867000000000001\r\n" OK),
        LINE("AT+CGSN", "\r\n+CGSN: 867000000000001\r\n" OK),
        LINE("AT+CGSN", "\r\n\"867000000000001\"\r\n" OK),
        LINE("AT+CCHO=\"A0\"", "\r\n^RSSI: 3\r\n2F00AB1200CD34EF\r\n" OK),
        LINE("AT+CGMI", "AT+CGMI\r\r\n^RSSI:9\r\nRING\r\nQuectel\r\n\r\nOK\r\n"),
        LINE("AT+CGMM", "\r\n+CGMM: \"BG96\"\r\n" OK),
        MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(ask_for(&talk, "AT+CGSN", AT_ANSWER_BARE_HEX, "+CGSN:"), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "867000000000001");
    EXPECT(ask_for(&talk, "AT+CGSN", AT_ANSWER_BARE_HEX, "+CGSN:"), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "867000000000001");
    EXPECT(ask_for(&talk, "AT+CGSN", AT_ANSWER_BARE_HEX, "+CGSN:"), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "\"867000000000001\"");
    EXPECT(ask_for(&talk, "AT+CCHO=\"A0\"", AT_ANSWER_BARE_HEX, "+CCHO:"), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "2F00AB1200CD34EF");
    EXPECT(ask_for(&talk, "AT+CGMI", AT_ANSWER_TEXT, "+CGMI:"), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(talk.result.value, "Quectel");
    EXPECT(ask_for(&talk, "AT+CGMM", AT_ANSWER_TEXT, "+CGMM:"), OUTCOME_OK, &talk.why);
    EXPECT_SAYS(talk.result.value, "BG96");
    talk_end(&talk);
}

static enum outcome ask_iccid(const struct modem_step *steps, const struct modem_step *standing,
                              char iccid[ICCID_SIZE], struct report *why)
{
    struct talk talk;
    enum outcome outcome;

    iccid[0] = '\0';
    talk_begin(&talk, steps, standing);
    outcome = at_iccid(&talk.at, iccid, talk.deadline, &talk.why);
    *why = talk.why;
    talk_end(&talk);
    return outcome;
}

static void the_iccid_is_read_from_its_file(void)
{
    static const char *const answers[] = {"\r\n+CRSM: 144,0,\"98883003000000000071\"\r\n" OK,
                                          "\r\n+CRSM: 144,0,\"988830030000000000F1\"\r\n" OK,
                                          "\r\n+CRSM:144, 0, 988830030000000000f1\r\n" OK};
    static const char *const digits[] = {"89880330000000000017", "8988033000000000001",
                                         "8988033000000000001"};
    char iccid[ICCID_SIZE];
    struct report why = REPORT_INIT;
    size_t i;

    for (i = 0; i < 3; i++) {
        const struct modem_step steps[] = {LINE(CRSM, answers[i]), MODEM_END};

        EXPECT(ask_iccid(steps, NULL, iccid, &why), OUTCOME_OK, &why);
        EXPECT_TEXT(iccid, digits[i]);
    }
}

/* Each vendor has another name; a modem that knows none of the others must still be understood. */
static void the_iccid_is_found_under_every_vendors_name(void)
{
    static const struct {
        const char *line, *asked, *answer;
    } names[] = {
        {"AT+CCID", "AT+CCID?", "\r\n+CCID: " ICCID "\r\n" OK},
        {"AT+ICCID", "AT+ICCID?", "\r\n+ICCID: " ICCID "\r\n" OK},
        {"AT+QCCID", "AT+QCCID?", "\r\n+QCCID: " ICCID "\r\n" OK},
        {"AT#CCID", "AT#CCID?", "\r\n#CCID: " ICCID "\r\n" OK},
        {"AT+CICCID", "AT+CICCID?", "\r\n+ICCID: \"" ICCID "F\"\r\n" OK},
        {"AT%XICCID", "AT%XICCID?", "\r\n%XICCID: " ICCID "f\r\n" OK},
    };
    static const struct modem_step nothing[] = {LINE(CRSM, REFUSE), MODEM_END};
    char iccid[ICCID_SIZE];
    struct report why = REPORT_INIT;
    size_t i, j, n;

    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct modem_step standing[2 * sizeof names / sizeof names[0] + 1] = {MODEM_END};

        for (n = j = 0; j < sizeof names / sizeof names[0]; j++) {
            const char *said = i == j ? names[j].answer : REFUSE;

            standing[n++] = (struct modem_step)LINE(names[j].line, said);
            standing[n++] = (struct modem_step)LINE(names[j].asked, said);
        }
        standing[n] = (struct modem_step)MODEM_END;
        EXPECT(ask_iccid(nothing, standing, iccid, &why), OUTCOME_OK, &why);
        EXPECT_TEXT(iccid, ICCID);
    }
}

/* Whole and in upper case, in whichever way it is told; never the digits before the first letter. */
static void an_iccid_with_letters_is_taken_whole(void)
{
    static const struct {
        const char *line, *answer, *iccid; /* NULL: none */
    } rows[] = {
        {CRSM, "\r\n+CRSM: 144,0,\"98880370000021A465F7\"\r\n" OK, "898830070000124A567"},
        {CRSM, "\r\n+CRSM: 144,0,\"98880370000021a465b7\"\r\n" OK, "898830070000124A567B"},
        {"AT+CCID", "\r\n+CCID: 898830070000124a567f\r\n" OK, "898830070000124A567"},
        {"AT+CCID", "\r\n898830070000124A567FF\r\n" OK, "898830070000124A567"},
        {"AT+CCID", "\r\n+CCID: \"898830070000124A567\"\r\n" OK, "898830070000124A567"},
        {"AT+CCID", "\r\n+CCID: 898830070000F24567\r\n" OK, NULL},
        {"AT+CCID", "\r\n+CCID: 8988300700001245670G\r\n" OK, NULL},
        {"AT+CCID", "\r\n+CCID: 898830070000124567012\r\n" OK, NULL},
    };
    static const char *const others[] = {CRSM,      "AT+CCID",   "AT+ICCID", "AT+QCCID",
                                         "AT#CCID", "AT+CICCID", "AT%XICCID"};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct modem_step standing[9] = {MODEM_END};
        static const struct modem_step nothing[] = {MODEM_END};
        char iccid[ICCID_SIZE];
        struct report why = REPORT_INIT;
        size_t n = 0;

        standing[n++] = (struct modem_step)LINE(rows[i].line, rows[i].answer);
        for (size_t j = 0; j < sizeof others / sizeof others[0]; j++)
            standing[n++] = (struct modem_step)LINE(others[j], REFUSE);
        standing[n] = (struct modem_step)MODEM_END;
        EXPECT(ask_iccid(nothing, standing, iccid, &why),
               rows[i].iccid != NULL ? OUTCOME_OK : OUTCOME_REFUSED, &why);
        EXPECT_TEXT(iccid, rows[i].iccid != NULL ? rows[i].iccid : "");
    }
}

static void a_refused_or_senseless_crsm_leads_to_the_vendors_names(void)
{
    static const char *const answers[] = {"\r\n+CRSM: 106,130\r\n" OK,
                                          "\r\n+CRSM: 144,0,\"98\"\r\n" OK,
                                          "\r\n+CRSM: 144,0\r\n" OK,
                                          "\r\n+CRSM: 144,0,\"FFFFFFFFFFFFFFFFFFFF\"\r\n" OK,
                                          "\r\n+CME ERROR: 4\r\n",
                                          "\r\n" OK,
                                          "\r\n+CRSM: 144,0,\"zz883003000000000071\"\r\n" OK};
    char iccid[ICCID_SIZE];
    struct report why = REPORT_INIT;
    size_t i;

    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct modem_step steps[] = {LINE(CRSM, answers[i]), MODEM_END};
        /* a question whose OK came without an answer is asked once more */
        const struct modem_step standing[] = {
            LINE(CRSM, answers[i]), LINE("AT+CCID", "\r\n+CCID: " ICCID "\r\n" OK),
            LINE("AT+CCID?", "\r\n+CCID: " ICCID "\r\n" OK), MODEM_END};

        EXPECT(ask_iccid(steps, standing, iccid, &why), OUTCOME_OK, &why);
        EXPECT_TEXT(iccid, ICCID);
    }
}

static void no_sim_is_final_and_said_in_words(void)
{
    static const struct modem_step steps[] = {LINE(CRSM, "\r\n+CME ERROR: 10\r\n"), MODEM_END};
    char iccid[ICCID_SIZE];
    struct report why = REPORT_INIT;

    EXPECT(ask_iccid(steps, NULL, iccid, &why), OUTCOME_NO_SIM, &why);
    EXPECT_SAYS(why.text, "SIM");
    EXPECT_NUMBER(why.cme, 10);
}

static void a_modem_that_knows_no_iccid_is_said_to_refuse(void)
{
    static const struct modem_step steps[] = {LINE(CRSM, REFUSE), MODEM_END};
    static const struct modem_step standing[] = {LINE("AT+CCID", REFUSE),
                                                 LINE("AT+CCID?", REFUSE),
                                                 LINE("AT+ICCID", REFUSE),
                                                 LINE("AT+ICCID?", REFUSE),
                                                 LINE("AT+QCCID", REFUSE),
                                                 LINE("AT+QCCID?", REFUSE),
                                                 LINE("AT#CCID", REFUSE),
                                                 LINE("AT#CCID?", REFUSE),
                                                 LINE("AT+CICCID", REFUSE),
                                                 LINE("AT+CICCID?", REFUSE),
                                                 LINE("AT%XICCID", REFUSE),
                                                 LINE("AT%XICCID?", REFUSE),
                                                 MODEM_END};
    char iccid[ICCID_SIZE];
    struct report why = REPORT_INIT;

    EXPECT(ask_iccid(steps, standing, iccid, &why), OUTCOME_REFUSED, &why);
}

static void the_bytes_of_the_file_become_digits(void)
{
    char iccid[ICCID_SIZE];
    uint8_t bytes[12];
    size_t n;

    n = bytes_of("98 88 30 03 00 00 00 00 00 71", bytes, sizeof bytes);
    CU_ASSERT(iccid_from_bytes(bytes, n, iccid));
    EXPECT_TEXT(iccid, "89880330000000000017");
    n = bytes_of("98 88 30 03 00 00 00 00 00 F1", bytes, sizeof bytes);
    CU_ASSERT(iccid_from_bytes(bytes, n, iccid));
    EXPECT_TEXT(iccid, "8988033000000000001");
    n = bytes_of("98 88 30 03 00 00 00 00 F0 FF", bytes, sizeof bytes);
    CU_ASSERT(iccid_from_bytes(bytes, n, iccid));
    EXPECT_TEXT(iccid, "89880330000000000");
    n = bytes_of("FF FF FF FF FF FF FF FF FF FF", bytes, sizeof bytes);
    CU_ASSERT_FALSE(iccid_from_bytes(bytes, n, iccid));
    n = bytes_of("98 A8 3B 03 00 00 00 00 0E F1", bytes, sizeof bytes);
    CU_ASSERT(iccid_from_bytes(bytes, n, iccid));
    EXPECT_TEXT(iccid, "898AB33000000000E01");
    n = bytes_of("98 88 30 03 00 00", bytes, sizeof bytes);
    CU_ASSERT_FALSE(iccid_from_bytes(bytes, n, iccid));
    n = bytes_of("98 88 30 03 00 00 00 F0 00 71", bytes, sizeof bytes);
    CU_ASSERT_FALSE(iccid_from_bytes(bytes, n, iccid));
    n = bytes_of("98 8F 30 03 00 00 00 00 00 71", bytes, sizeof bytes);
    CU_ASSERT_FALSE(iccid_from_bytes(bytes, n, iccid));
    CU_ASSERT_FALSE(iccid_from_bytes(bytes, 0, iccid));
    n = bytes_of("98 88 30 03 00 00 00 00 00 71 22 33", bytes, sizeof bytes);
    CU_ASSERT_FALSE(iccid_from_bytes(bytes, n, iccid));
}

static void the_modem_tells_who_it_is(void)
{
    static const struct modem_step standing[] = {LINE("AT+CGMI", "\r\nQuectel\r\n" OK),
                                                 LINE("AT+CGMM", "\r\n+CGMM: BG96\r\n" OK),
                                                 LINE("AT+CGMR", "\r\nBG96MAR02A07M1G\r\n" OK),
                                                 LINE("AT+CGSN", "\r\n866425030000001\r\n" OK),
                                                 LINE("AT+CPIN?", "\r\n+CPIN: SIM PIN\r\n" OK),
                                                 MODEM_END};
    static const struct modem_step nothing[] = {MODEM_END};
    struct modem_identity who;
    struct talk talk;

    talk_begin(&talk, nothing, standing);
    EXPECT(at_identity(&talk.at, &who, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(who.manufacturer, "Quectel");
    EXPECT_TEXT(who.model, "BG96");
    EXPECT_TEXT(who.revision, "BG96MAR02A07M1G");
    EXPECT_TEXT(who.imei, "866425030000001");
    EXPECT_TEXT(who.sim_state, "SIM PIN");
    talk_end(&talk);
}

static void an_imei_in_quotes_is_taken_without_them(void)
{
    static const char *const answers[] = {"\r\n\"866425030000001\"\r\n" OK,
                                          "\r\n+CGSN: \"866425030000001\"\r\n" OK,
                                          "\r\n+CGSN:866425030000001 \r\n" OK};

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct modem_step standing[] = {LINE("AT+CGMI", REFUSE),  LINE("AT+CGMM", REFUSE),
                                              LINE("AT+CGMR", REFUSE),  LINE("AT+CGSN", answers[i]),
                                              LINE("AT+CPIN?", REFUSE), MODEM_END};
        static const struct modem_step nothing[] = {MODEM_END};
        struct modem_identity who;
        struct talk talk;

        talk_begin(&talk, nothing, standing);
        EXPECT(at_identity(&talk.at, &who, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        EXPECT_TEXT(who.imei, "866425030000001");
        talk_end(&talk);
    }
}

static void questions_that_the_modem_refuses_stay_open(void)
{
    char longest[400] = "\r\n";
    const struct modem_step standing[] = {LINE("AT+CGMI", REFUSE),
                                          LINE("AT+CGMM", longest),
                                          LINE("AT+CGMR", "\r\n" OK),
                                          LINE("AT+CGSN", "\r\n+CME ERROR: 4\r\n"),
                                          LINE("AT+CPIN?", "\r\n+CME ERROR: 10\r\n"),
                                          MODEM_END};
    static const struct modem_step nothing[] = {MODEM_END};
    struct modem_identity who;
    struct talk talk;

    append_hex(longest, sizeof longest, 0x42, 100);
    strcat(longest, "\r\n" OK);
    memset(&who, 'x', sizeof who);
    talk_begin(&talk, nothing, standing);
    EXPECT(at_identity(&talk.at, &who, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(who.manufacturer, "");
    CU_ASSERT(memchr(who.model, '\0', sizeof who.model) != NULL);
    EXPECT_TEXT(who.revision, "");
    EXPECT_TEXT(who.imei, "");
    EXPECT_TEXT(who.sim_state, "");
    talk_end(&talk);
}

/* The answers of a modem that has all of them, and the fields that they fill. */
static const struct {
    const char *line, *answer, *open, *value;
} told[] = {
    {"AT+CGMI", "\r\nMaker\r\n" OK, "\r\nMaker\r\n", "Maker"},
    {"AT+CGMM", "\r\nModel\r\n" OK, "\r\nModel\r\n", "Model"},
    {"AT+CGMR", "\r\nRevision\r\n" OK, "\r\nRevision\r\n", "Revision"},
    {"AT+CGSN", "\r\n866425030000001\r\n" OK, "\r\n866425030000001\r\n", "866425030000001"},
    {"AT+CPIN?", "\r\n+CPIN: READY\r\n" OK, "\r\n+CPIN: READY\r\n", "READY"},
};
#define TOLD (sizeof told / sizeof told[0])

/* One of them has no end: there is no answer, or no OK behind it. */
static void without_an_end(size_t odd, bool answered)
{
    static const struct modem_step nothing[] = {MODEM_END};
    struct modem_step standing[TOLD + 1] = {MODEM_END};
    struct modem_identity who;
    const char *fields[TOLD] = {who.manufacturer, who.model, who.revision, who.imei, who.sim_state};
    struct talk talk;

    for (size_t i = 0; i < TOLD; i++)
        standing[i] = (struct modem_step)LINE(
            told[i].line, i != odd ? told[i].answer : (answered ? told[i].open : ""));
    talk_begin(&talk, nothing, standing);
    talk.deadline = deadline_in(900);
    EXPECT(at_identity(&talk.at, &who, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    CU_ASSERT_FALSE(talk.events & (EVENT_LATE | EVENT_UNASKED));
    for (size_t i = 0; i < TOLD; i++)
        EXPECT_TEXT(fields[i], i != odd || answered ? told[i].value : "");
    talk_end(&talk);
}

static void a_question_without_an_answer_costs_its_field_only(void)
{
    for (size_t i = 0; i < TOLD; i++)
        without_an_end(i, false);
}

static void an_answer_without_its_ok_is_taken(void)
{
    for (size_t i = 0; i < TOLD; i++)
        without_an_end(i, true);
}

/* The one that comes a little later than it is waited for too. */
static void a_late_answer_to_a_question_is_taken(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    static const struct modem_step standing[] = {
        LINE("AT+CGMI", REFUSE),
        LINE("AT+CGMM", REFUSE),
        LINE("AT+CGMR", REFUSE),
        LINE("AT+CGSN", LONG LONG "\r\n866425030000001\r\n" OK),
        LINE("AT+CPIN?", "\r\n+CPIN: READY\r\n" OK),
        MODEM_END};
    struct modem_identity who;
    struct talk talk;

    talk_begin(&talk, nothing, standing);
    EXPECT(at_identity(&talk.at, &who, deadline_in(1600), &talk.why), OUTCOME_OK, &talk.why);
    EXPECT_TEXT(who.imei, "866425030000001");
    EXPECT_TEXT(who.sim_state, "READY");
    talk_end(&talk);
}

/* A modem that has died is asked nothing more. */
static void a_modem_that_says_nothing_more_is_not_asked_for_the_rest(void)
{
    static const struct modem_step steps[] = {LINE("AT+CGMI", ""), LINE("AT", ""), LINE("AT", ""),
                                              LINE("ATE0V1Q0", ""), MODEM_END};
    static const struct modem_step standing[] = {LINE("ATQ0", ""), LINE("ATV1", ""), MODEM_END};
    struct modem_identity who;
    struct talk talk;
    int64_t start;

    talk_begin(&talk, steps, standing);
    start = monotonic_ms();
    EXPECT(at_identity(&talk.at, &who, deadline_in(2200), &talk.why), OUTCOME_TIMEOUT, &talk.why);
    EXPECT_TOOK(start, 1900, 2600);
    EXPECT_SAYS(talk.why.text, "did not answer AT+CGMI");
    CU_ASSERT(talk.events & EVENT_LATE);
    talk_end(&talk);
}

static void an_iccid_that_is_not_answered_is_asked_for_in_the_next_way(void)
{
    static const char *const answers[] = {"", "\r\n+CRSM: 144,0,\"98883003000000000071\"\r\n"};
    static const char *const wanted[] = {ICCID, "89880330000000000017"};

    for (size_t i = 0; i < 2; i++) {
        const struct modem_step steps[] = {LINE(CRSM, answers[i]), MODEM_END};
        static const struct modem_step standing[] = {
            LINE("AT+CCID", ""), LINE("AT+ICCID", "\r\n+ICCID: " ICCID "\r\n" OK), MODEM_END};
        char iccid[ICCID_SIZE] = "";
        struct talk talk;

        talk_begin(&talk, steps, standing);
        talk.deadline = deadline_in(1600);
        EXPECT(at_iccid(&talk.at, iccid, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        EXPECT_TEXT(iccid, wanted[i]);
        talk_end(&talk);
    }
}

static void a_registration_that_is_not_answered_is_asked_for_in_the_other_way(void)
{
    static const struct modem_step steps[] = {LINE("AT+CEREG?", ""),
                                              LINE("AT+CREG?", "\r\n+CREG: 0,1\r\n" OK), MODEM_END};
    enum registration state;
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(at_registration(&talk.at, &state, deadline_in(1000), &talk.why), OUTCOME_OK, &talk.why);
    CU_ASSERT_EQUAL(state, REGISTRATION_DONE);
    talk_end(&talk);
}

static void each_state_of_27_007_is_told_from_no_network(void)
{
    const struct {
        const char *answer;
        enum registration state;
    } rows[] = {
        {"\r\n+CEREG: 2,9,\"1A2B\",\"01C4E702\",7\r\n" OK, REGISTRATION_DONE},
        {"\r\n+CEREG: 2,2,\"0001\"\r\n" OK, REGISTRATION_NONE},
        {"\r\n+CEREG: 2,\"0001\"\r\n" OK, REGISTRATION_UNKNOWN}, /* one that nobody asked for */
    };
    char answer[64];
    enum registration state;

    for (size_t i = 0; i < 12 + sizeof rows / sizeof rows[0]; i++) {
        bool listed = i >= 12;
        bool done = i == 1 || i == 5 || i == 6 || i == 7 || i == 9 || i == 10;
        enum registration wanted =
            listed ? rows[i - 12].state : (done ? REGISTRATION_DONE : REGISTRATION_NONE);
        const struct modem_step steps[] = {LINE("AT+CEREG?", listed ? rows[i - 12].answer : answer),
                                           MODEM_END};
        static const struct modem_step standing[] = {LINE("AT+CREG?", REFUSE), MODEM_END};
        struct talk talk;

        (void)snprintf(answer, sizeof answer, "\r\n+CEREG: 0,%zu\r\n" OK, i);
        talk_begin(&talk, steps, standing);
        EXPECT(at_registration(&talk.at, &state, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        CU_ASSERT_EQUAL(state, wanted);
        talk_end(&talk);
    }
}

static void a_state_that_is_not_answered_is_not_known(void)
{
    static const struct modem_step steps[] = {LINE("AT+CPIN?", ""), MODEM_END};
    struct talk talk;

    talk_begin(&talk, steps, NULL);
    EXPECT(at_diagnose(&talk.at, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
    talk_end(&talk);
}

void add_identity_suite(void)
{
    static const struct test tests[] = {
        TEST(a_bare_answer_is_told_from_unsolicited_lines),
        TEST(the_iccid_is_read_from_its_file),
        TEST(the_iccid_is_found_under_every_vendors_name),
        TEST(an_iccid_with_letters_is_taken_whole),
        TEST(a_refused_or_senseless_crsm_leads_to_the_vendors_names),
        TEST(no_sim_is_final_and_said_in_words),
        TEST(a_modem_that_knows_no_iccid_is_said_to_refuse),
        TEST(the_bytes_of_the_file_become_digits),
        TEST(the_modem_tells_who_it_is),
        TEST(an_imei_in_quotes_is_taken_without_them),
        TEST(questions_that_the_modem_refuses_stay_open),
        TEST(a_question_without_an_answer_costs_its_field_only),
        TEST(an_answer_without_its_ok_is_taken),
        TEST(a_late_answer_to_a_question_is_taken),
        TEST(a_modem_that_says_nothing_more_is_not_asked_for_the_rest),
        TEST(an_iccid_that_is_not_answered_is_asked_for_in_the_next_way),
        TEST(a_registration_that_is_not_answered_is_asked_for_in_the_other_way),
        TEST(each_state_of_27_007_is_told_from_no_network),
        TEST(a_state_that_is_not_answered_is_not_known),
    };

    ADD_SUITE("identity", tests);
}
