/* SPDX-License-Identifier: Apache-2.0 */
/* Before a PIN goes out by AT+CGLA: whose channel it reaches. A modem that hands the class on as it is reaches the
 * network's application, where the same reference is its PIN2's. STATUS, which an applet with a PIN does not know,
 * tells; where it does not, no PIN goes out. */
#include "test/unit/other_way.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#define VERIFY_LINE(class) "AT+CGLA=1,18,\"" class "2000810430303030\""

/* A modem that hands +CGLA's class on as it is: what has no number reaches the network's application, where
 * the reference is its PIN2's. Both channels know STATUS, and their names tell. */
static void a_pin_does_not_reach_the_basic_channel(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 1\r\n" OK),
        CGLA("80 F2 00 0C", "9000"),
        CGLA("81 F2 00 0C", "9000"),
        CGLA("80 F2 00 01 00", "84 07 A0000000871002 9000"),
        CGLA("81 F2 00 01 00", "84 0D " MIAS_AID " 9000"),
        LINE("AT+CCHC=1", OK),
        LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 1\r\n" OK),
        CGLA("01 20 00 81", "63C2"),
        LINE("AT+CCHC=1", OK),
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "ccho");
    EXPECT(seat_sign(&seat), OUTCOME_PIN_PROTECTED, &seat.why);
    seat_end(&seat);
}

/* The same where the session's name does not tell its channel: nothing can be put into the commands. */
static void a_pin_does_not_leave_an_opaque_session(void)
{
#define OPAQUE                                                                                     \
    LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 4F\r\n" OK),                                      \
        LINE("AT+CGLA=4F,8,\"80F2000C\"", "\r\n+CGLA: 4,\"9000\"\r\n" OK),                         \
        LINE("AT+CGLA=4F,10,\"80F2000100\"", "\r\n+CGLA: 22,\"8407A00000008710029000\"\r\n" OK),   \
        LINE("AT+CCHC=4F", OK)
    static const struct modem_step steps[] = {OPAQUE, OPAQUE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "ccho");
    EXPECT(seat_sign(&seat), OUTCOME_CARRIER_REFUSED, &seat.why);
    EXPECT_SAYS(seat.why.text, "the PIN was not sent");
    seat_end(&seat);
}

/* How STATUS may be refused: by the modem, which tells nothing of the channel, or by the card. */
struct refusal {
    const char *says;
    const char *named; /* what the question for the name is answered */
};

#define USIM_NAME "\r\n+CGLA: 22,\"8407A00000008710029000\"\r\n" OK
#define CARD(sw)  "\r\n+CGLA: 4,\"" sw "\"\r\n" OK

/* No PIN on a session without a number where STATUS does not tell that it is the applet's. */
static void an_opaque_session_gets_no_pin_where_status_does_not_tell(void)
{
    static const struct refusal refusals[] = {
        {CME("3"), CME("3")},         {CME("4"), CME("4")},      {"\r\nERROR\r\n", "\r\nERROR\r\n"},
        {CARD("6A86"), USIM_NAME},    {CARD("6B00"), USIM_NAME}, {CARD("6700"), USIM_NAME},
        {CARD("9000"), CARD("6A86")}, {CARD("9000"), CME("4")},
    };

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        static const struct modem_step steps[] = {MODEM_END};
        const struct modem_step standing[] = {
            STARTING,
            LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 4F\r\n" OK),
            LINE("AT+CGLA=4F,8,\"80F2000C\"", refusals[i].says),
            LINE("AT+CGLA=4F,10,\"80F2000100\"", refusals[i].named),
            LINE("AT+CGLA=4F,8,\"00200081\"", CARD("63C3")),
            LINE("AT+CCHC=4F", OK),
            MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, standing, "transport", "ccho");
        EXPECT(seat_sign(&seat), OUTCOME_CARRIER_REFUSED, &seat.why);
        EXPECT_SAYS(seat.why.text, "the PIN was not sent");
        EXPECT_NUMBER(modem_heard(&seat.modem, "AT+CGLA=4F,18,\"002000810430303030\""), 0);
        seat_end(&seat);
    }
}

/* A session with a number: where the modem refuses STATUS the number is put in, with which the PIN can reach no
 * other channel. */
static void a_number_is_put_in_where_the_modem_refuses_status(void)
{
    static const char *const refusals[] = {CME("3"), "\r\nERROR\r\n"};

    for (size_t i = 0; i < 2; i++) {
        const struct modem_step steps[] = {CCHO_OPENS,
                                           LINE("AT+CGLA=1,8,\"80F2000C\"", refusals[i]),
                                           CCHC,
                                           CCHO_OPENS,
                                           CGLA("01 20 00 81", "63C3"),
                                           ECHO_OFF,
                                           CGLA("01 20 00 81 04 30303030", "9000"),
                                           CGLA("01 22 41 B6 06 800142 840131", "9000"),
                                           CGLA("01 2A 90 A0 22 9020 " DIGEST " 00", DIGEST "9000"),
                                           CGLA("01 2A 9E 9A 00", "51674E 9000"),
                                           CCHC,
                                           MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, "transport", "ccho");
        seat_signs(&seat);
        seat_end(&seat);
    }
}

/* And where it takes no number while the network's application answers without one, there is no way to the
 * applet. */
static void a_modem_that_takes_no_number_gets_no_pin_for_the_network(void)
{
    static const char *const refusals[] = {CME("3"), CARD("6881")};

    for (size_t i = 0; i < 2; i++) {
        static const struct modem_step steps[] = {MODEM_END};
        const struct modem_step standing[] = {STARTING,
                                              CCHO_OPENS,
                                              CGLA("80 F2 00 0C", "9000"),
                                              LINE("AT+CGLA=1,8,\"81F2000C\"", refusals[i]),
                                              CGLA("80 F2 00 01 00", "84 07 A0000000871002 9000"),
                                              CGLA("00 20 00 81", "63C3"),
                                              CCHC,
                                              MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, standing, "transport", "ccho");
        EXPECT(seat_sign(&seat), OUTCOME_CARRIER_REFUSED, &seat.why);
        EXPECT_SAYS(seat.why.text, "the PIN was not sent");
        EXPECT_NUMBER(modem_heard(&seat.modem, VERIFY_LINE("00")), 0);
        EXPECT_NUMBER(modem_heard(&seat.modem, VERIFY_LINE("01")), 0);
        seat_end(&seat);
    }
}

void add_pin_channel_suite(void)
{
    static const struct test tests[] = {
        TEST(a_pin_does_not_reach_the_basic_channel),
        TEST(a_pin_does_not_leave_an_opaque_session),
        TEST(an_opaque_session_gets_no_pin_where_status_does_not_tell),
        TEST(a_number_is_put_in_where_the_modem_refuses_status),
        TEST(a_modem_that_takes_no_number_gets_no_pin_for_the_network),
    };

    ADD_SUITE("pin_channel", tests);
}
