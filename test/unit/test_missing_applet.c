/* SPDX-License-Identifier: Apache-2.0 */
/* A SIM without the applet that is asked for, in a modem that opens channels by AIDs (AT+CCHO): it looks like
 * any other failure there. */
#include "apdu/aid.h"
#include "test/unit/other_way.h"
#include "test/unit/unit.h"

#define GSMA_AID     "A0000005590010"
#define THALES_AID   "A00000003053F12401770101495341"
#define OTHER_AID    "A0000002480400"
#define CCHO_OF(aid) "AT+CCHO=\"" aid "\""
#define LISTS        LINE(CCHO_OF(THALES_AID), "\r\n+CCHO: 1\r\n" OK), CGLA("80 CB 01 00 00", "9000"), CCHC
/* No session and no channel of these numbers is open. */
#define NONE_OPEN                                                                                  \
    LINE("AT+CSIM=8,\"83F2000C\"", CME("3")), LINE("AT+CSIM=8,\"82F2000C\"", CME("3")),            \
        LINE("AT+CGLA=3,8,\"80F2000C\"", CME("3")), LINE("AT+CGLA=2,8,\"80F2000C\"", CME("3")),    \
        LINE("AT+CGLA=1,8,\"80F2000C\"", CME("3")), LINE("AT+CGLA=4,8,\"80F2000C\"", CME("3")),    \
        LINE("AT+CPIN?", "\r\n+CPIN: READY\r\n" OK)

static enum outcome list_keys(struct seat *seat)
{
    struct token_item list[TOKEN_ITEMS];
    size_t count;

    report_clear(&seat->why);
    return token_list(seat->sim, list, &count, &seat->why);
}

/* A modem by AT+CCHO alone may say anything of an applet that is missing (15): the others are asked for all the
 * same, each once. */
static void an_applet_that_ccho_refuses_may_not_be_there(void)
{
    static const char *const refusals[] = {"\r\nERROR\r\n", CME("4"), CME("50"), CME("30"),
                                           CME("22")};

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct modem_step steps[] = {LISTS, MODEM_END};
        const struct modem_step standing[] = {
            STARTING,  LINE(OPEN_LINE, CME("3")), LINE(ALL_LINE, CME("3")),
            NONE_OPEN, CCHO_SAYS(refusals[i]),    LINE(CCHO_OF(GSMA_AID), refusals[i]),
            MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, standing, "session", "private");
        EXPECT(list_keys(&seat), OUTCOME_OK, &seat.why);
        EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_LINE), 1);
        EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_OF(GSMA_AID)), 1);
        seat_end(&seat);
    }
}

/* That it failed is no reason to ask for each AID twice, as long as there is another one. */
static void an_applet_that_ccho_fails_to_open_is_asked_for_once(void)
{
    for (size_t i = 0; i < FAILURES; i++) {
        const struct modem_step steps[] = {LISTS, MODEM_END};
        const struct modem_step standing[] = {
            STARTING,  LINE(OPEN_LINE, CME("3")), LINE(ALL_LINE, CME("3")),
            NONE_OPEN, CCHO_SAYS(failures[i]),    LINE(CCHO_OF(GSMA_AID), failures[i]),
            MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, standing, "session", "private");
        EXPECT(list_keys(&seat), OUTCOME_OK, &seat.why);
        EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_LINE), 2);
        EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_OF(GSMA_AID)), 1);
        seat_end(&seat);
    }
}

/* Without any of them each is asked for twice, because a modem may fail once. */
static void without_any_applet_each_is_asked_for_twice(void)
{
    static const struct modem_step steps[] = {MODEM_END};
    static const struct modem_step standing[] = {STARTING,
                                                 LINE(OPEN_LINE, CME("3")),
                                                 LINE(ALL_LINE, CME("3")),
                                                 NONE_OPEN,
                                                 CCHO_SAYS(CME("100")),
                                                 LINE(CCHO_OF(GSMA_AID), CME("100")),
                                                 LINE(CCHO_OF(THALES_AID), CME("100")),
                                                 LINE(CCHO_OF(OTHER_AID), CME("100")),
                                                 MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, "session", "private");
    EXPECT(list_keys(&seat), OUTCOME_NO_APPLET, &seat.why);
    EXPECT_SAYS(seat.why.text, "+CME ERROR: 100");
    EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_LINE), 2);
    EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_OF(GSMA_AID)), 2);
    EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_OF(THALES_AID)), 2);
    EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_OF(OTHER_AID)), 2);
    seat_end(&seat);
}

/* Where AT+CCHO has opened something before, its refusal says that this applet is missing. */
static void a_way_that_worked_before_is_not_denied(void)
{
    static const struct modem_step steps[] = {
        CCHO_OPENS, CGLA("80 F2 00 0C", "6D00"), CCHO_UNLOCKS, CCHO_SIGNS, CCHC, MODEM_END};
    static const struct modem_step standing[] = {STARTING,
                                                 LINE(OPEN_LINE, CME("3")),
                                                 LINE(ALL_LINE, CME("3")),
                                                 NONE_OPEN,
                                                 LINE("AT+CCHO=\"" SAFE2_AID "\"", "\r\nERROR\r\n"),
                                                 MODEM_END};
    const struct aid *safe2 = &aids[AID_SAFE2];
    const struct sim_raw select = {.aid = safe2->bytes, .aid_length = safe2->length};
    struct seat seat;

    seat_begin(&seat, steps, standing, "session", "private");
    seat_signs(&seat);
    EXPECT(sim_raw(seat.sim, &select, &seat.why), OUTCOME_NO_APPLET, &seat.why);
    EXPECT_SAYS(seat.why.text, "does not have");
    seat_end(&seat);
}

/* The SIM's number is known from the first channel on; then it has to say so in two operations. */
static void that_mias_is_missing_is_remembered_for_the_sim(void)
{
    static const char *const refusals[] = {"\r\nERROR\r\n", CME("100"), CME("22")};
    static const int asked[] = {3, 2 * 3, 2};

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct modem_step steps[] = {LISTS, LISTS, LISTS, LISTS, LISTS, MODEM_END};
        const struct modem_step standing[] = {
            STARTING,  LINE(OPEN_LINE, CME("3")), LINE(ALL_LINE, CME("3")),
            NONE_OPEN, CCHO_SAYS(refusals[i]),    LINE(CCHO_OF(GSMA_AID), refusals[i]),
            MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, standing, "session", "private");
        for (int times = 0; times < 5; times++) {
            EXPECT(list_keys(&seat), OUTCOME_OK, &seat.why);
            next_process(&seat);
        }
        EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_LINE), asked[i]);
        EXPECT_NUMBER(modem_heard(&seat.modem, CCHO_OF(GSMA_AID)), 1);
        seat_end(&seat);
    }
}

/* Where AT+CSIM is no way to any channel, which looks like the SIM's own word, what AT+CCHO says of the applet
 * counts. */
static void another_applet_is_asked_for_where_csim_is_no_way(void)
{
#define REFUSES(sw) CSIM("01 A4 04 0C 0D " MIAS_AID, sw), CSIM("01 A4 04 0C 07 " GSMA_AID, sw)
    static const char *const refusals[] = {"\r\nERROR\r\n", CME("100")};
    static const struct modem_step ways[][4] = {
        {CSIM("00 70 00 00 01", "6881"), CSIM("00 70 00 00 00", "6881"),
         CSIM("00 70 80 01 00", "6881"), CSIM("00 70 80 02 00", "6881")},
        {CSIM("00 70 00 00 01", "019000"), CSIM("00 70 80 01 00", "9000"), REFUSES("6E00")},
        {CSIM("00 70 00 00 01", "019000"), CSIM("00 70 80 01 00", "9000"), REFUSES("6D00")},
    };

    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++)
        for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
            const struct modem_step steps[] = {LISTS, MODEM_END};
            const struct modem_step standing[] = {STARTING,
                                                  ways[way][0],
                                                  ways[way][1],
                                                  ways[way][2],
                                                  ways[way][3],
                                                  NONE_OPEN,
                                                  CCHO_SAYS(refusals[i]),
                                                  LINE(CCHO_OF(GSMA_AID), refusals[i]),
                                                  MODEM_END};
            struct seat seat;

            seat_begin(&seat, steps, standing, "session", "private");
            EXPECT(list_keys(&seat), OUTCOME_OK, &seat.why);
            seat_end(&seat);
        }
}

void add_missing_applet_suite(void)
{
    static const struct test tests[] = {
        TEST(an_applet_that_ccho_refuses_may_not_be_there),
        TEST(an_applet_that_ccho_fails_to_open_is_asked_for_once),
        TEST(without_any_applet_each_is_asked_for_twice),
        TEST(a_way_that_worked_before_is_not_denied),
        TEST(that_mias_is_missing_is_remembered_for_the_sim),
        TEST(another_applet_is_asked_for_where_csim_is_no_way),
    };

    ADD_SUITE("missing_applet", tests);
}
