/* SPDX-License-Identifier: Apache-2.0 */
/* MANAGE CHANNEL by AT+CSIM: cards and modems that want it otherwise, or answer otherwise. */
#include "modem/carrier.h"
#include "test/unit/talk.h"
#include "test/unit/unit.h"

static const struct channel_wish usual = {.carrier = CARRIER_CSIM};

/* How opening goes, over the dialogue that the steps have. */
static enum outcome open_over(const struct modem_step *steps, struct channel *channel,
                              struct report *why)
{
    struct talk talk;
    enum outcome outcome;

    talk_begin(&talk, steps, NULL);
    outcome = csim_open(&talk.at, &usual, channel, talk.deadline, why);
    talk_end(&talk);
    return outcome;
}

static void opening_takes_the_length_that_the_card_wants(void)
{
    static const struct modem_step dialogues[][4] = {
        {CSIM("0070000001", "6700"), CSIM("0070000000", "02 9000"), MODEM_END},
        {CSIM("0070000001", "6C00"), CSIM("0070000000", "02 9000"), MODEM_END},
        {CSIM("0070000001", "6C01"), CSIM("0070000001", "02 9000"), MODEM_END},
        {LINE("AT+CSIM=10,\"0070000001\"", "\r\n+CME ERROR: 50\r\n"), CSIM("0070000000", "02 9000"),
         MODEM_END},
        {CSIM("0070000001", "6700"), CSIM("0070000000", "6700"), CSIM("00700000", "02 9000"),
         MODEM_END},
        {CSIM("0070000001", "6101"), CSIM("00C0000001", "02 9000"), MODEM_END},
        /* words that may mean something else */
        {CSIM("0070000001", "6A86"), CSIM("0070000000", "02 9000"), MODEM_END},
        {LINE("AT+CSIM=10,\"0070000001\"", "\r\nERROR\r\n"), CSIM("0070000000", "02 9000"),
         MODEM_END},
    };
    struct channel channel;
    struct report why = REPORT_INIT;

    for (size_t i = 0; i < sizeof dialogues / sizeof dialogues[0]; i++) {
        EXPECT(open_over(dialogues[i], &channel, &why), OUTCOME_OK, &why);
        EXPECT_NUMBER(channel.number, 2);
    }
}

/* Nothing was opened: the other carrier may open one. */
static void opening_that_is_refused_at_any_length_is_refused(void)
{
    static const struct {
        struct modem_step steps[4];
        uint16_t sw;
    } cases[] = {{{CSIM("0070000001", "6700"), CSIM("0070000000", "6700"), CSIM("00700000", "6700"),
                   MODEM_END},
                  0x6700},
                 {{CSIM("0070000001", "6A86"), CSIM("0070000000", "6A86"), MODEM_END}, 0x6A86},
                 {{LINE("AT+CSIM=10,\"0070000001\"", "\r\nERROR\r\n"),
                   LINE("AT+CSIM=10,\"0070000000\"", "\r\nERROR\r\n"), MODEM_END},
                  0}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct channel channel;
        struct report why = REPORT_INIT;

        EXPECT(open_over(cases[i].steps, &channel, &why), OUTCOME_CARRIER_REFUSED, &why);
        EXPECT_NUMBER(why.sw, cases[i].sw);
    }
}

/* Where answers are off by one: what waits is not fetched from the basic channel, which is the modem's. */
static void what_waits_behind_opening_and_is_no_number_is_not_fetched(void)
{
    static const struct modem_step steps[] = {CSIM("0070000001", "6104"), MODEM_END};
    struct channel channel;
    struct report why = REPORT_INIT;

    EXPECT(open_over(steps, &channel, &why), OUTCOME_BAD_DATA, &why);
    EXPECT_NUMBER(why.sw, 0x6104);
    CU_ASSERT_FALSE(channel.open);
}

static void what_refuses_to_be_closed_is_closed_in_another_way(void)
{
    static const struct modem_step dialogues[][5] = {
        {CSIM("0070000001", "02 9000"), CSIM("0070800200", "6700"), CSIM("00708002", "9000"),
         MODEM_END},
        {CSIM("0070000001", "02 9000"), CSIM("0070800200", "6E00"), CSIM("00708002", "6E00"),
         CSIM("02708000", "9000"), MODEM_END},
        {CSIM("0070000001", "02 9000"),
         LINE("AT+CSIM=10,\"0070800200\"", "\r\n+CME ERROR: 50\r\n"), /* a modem may fail once */
         LINE("AT+CSIM=10,\"0070800200\"", "\r\n+CME ERROR: 50\r\n"), CSIM("00708002", "9000"),
         MODEM_END},
        {CSIM("0070000001", "02 9000"), CSIM("0070800200", "6881"), MODEM_END},
    };

    for (size_t i = 0; i < sizeof dialogues / sizeof dialogues[0]; i++) {
        struct channel channel;
        struct talk talk;

        talk_begin(&talk, dialogues[i], NULL);
        EXPECT(csim_open(&talk.at, &usual, &channel, talk.deadline, &talk.why), OUTCOME_OK,
               &talk.why);
        EXPECT(csim_close(&talk.at, &channel, talk.deadline, &talk.why), OUTCOME_OK, &talk.why);
        EXPECT_NUMBER(talk.why.sw, i < 3 ? 0x9000 : 0x6881);
        talk_end(&talk);
    }
}

void add_manage_channel_suite(void)
{
    static const struct test tests[] = {
        TEST(opening_takes_the_length_that_the_card_wants),
        TEST(opening_that_is_refused_at_any_length_is_refused),
        TEST(what_waits_behind_opening_and_is_no_number_is_not_fetched),
        TEST(what_refuses_to_be_closed_is_closed_in_another_way),
    };

    ADD_SUITE("manage_channel", tests);
}
