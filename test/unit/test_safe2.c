/* SPDX-License-Identifier: Apache-2.0 */
/* SAFE2's client against a scripted modem: starting a job, the states in both forms, fetching. What
 * becomes of it when channels are lost is judged in test_safe2_loss.c. */
#include "apdu/safe2/applet.h"
#include "test/unit/pty.h"
#include "test/unit/safe2_seat.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what states mean ---- */

static void only_five_answers_end_a_job(void)
{
    static const struct {
        uint16_t state, result;
        enum safe2_phase phase;
    } known[] = {{0x0003, 0x0000, SAFE2_DONE},   {0x0003, 0x0001, SAFE2_FAILED},
                 {0x0003, 0x0404, SAFE2_FAILED}, {0x0003, 0xFFFF, SAFE2_FAILED},
                 {0x0007, 0x0000, SAFE2_READY},  {0x0007, 0x1234, SAFE2_READY},
                 {0x000F, 0x0000, SAFE2_FAILED}, {0x000F, 0x0005, SAFE2_FAILED}};
    struct safe2_status status = {.known = true};
    unsigned state;
    size_t i;

    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        status.state = known[i].state;
        status.result = known[i].result;
        EXPECT_NUMBER(safe2_phase(&status), known[i].phase);
    }
    for (state = 0; state <= 0xFFFF; state++) {
        if (state == 0x0003 || state == 0x0007 || state == 0x000F)
            continue;
        status.state = (uint16_t)state;
        if (safe2_phase(&status) != SAFE2_BUSY)
            FAIL("state %04X does not mean busy", state);
    }
}

/* ---- starting ---- */

static void a_request_is_the_id_and_the_start_on_a_channel_of_its_own(void)
{
    static const struct modem_step steps[] = {OPEN, SELECT_SAFE2, SET_ID, START, BYE, MODEM_END};
    struct seat seat;
    bool cloexec;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    EXPECT_TEXT(seat.why.text, "");
    EXPECT_NUMBER(descriptors_of(seat.modem.device, &cloexec), 0);
    seat_end(&seat);
}

static void ids_have_1_to_16_bytes(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT_SAFE2, CSIM("01 DA 02 C0 01 00", "9000"), START, BYE, MODEM_END};
    static const struct modem_step longest[] = {
        OPEN,  SELECT_SAFE2, CSIM("01 DA 02 C0 10 00112233445566778899AABBCCDDEEFF", "9000"),
        START, BYE,          MODEM_END};
    uint8_t id[17];
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(safe2_request(seat.sim, (const uint8_t *)"", 1, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
    seat_begin(&seat, longest, NULL, NULL, NULL);
    (void)bytes_of("00112233445566778899AABBCCDDEEFF00", id, sizeof id);
    EXPECT(safe2_request(seat.sim, id, 16, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

static void other_sizes_are_refused_without_a_word_to_the_modem(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    uint8_t bytes[256] = {0};
    struct seat seat;

    seat_begin(&seat, nothing, nothing, NULL, NULL);
    EXPECT(safe2_request(seat.sim, bytes, 0, &seat.why), OUTCOME_USAGE, &seat.why);
    EXPECT(safe2_request(seat.sim, bytes, 17, &seat.why), OUTCOME_USAGE, &seat.why);
    EXPECT(safe2_send(seat.sim, bytes, 0, bytes, 1, &seat.why), OUTCOME_USAGE, &seat.why);
    EXPECT(safe2_send(seat.sim, bytes, 17, bytes, 1, &seat.why), OUTCOME_USAGE, &seat.why);
    EXPECT(safe2_send(seat.sim, bytes, 1, bytes, 0, &seat.why), OUTCOME_USAGE, &seat.why);
    EXPECT(safe2_send(seat.sim, bytes, 1, bytes, 256, &seat.why), OUTCOME_USAGE, &seat.why);
    EXPECT_NUMBER(modem_lines(&seat.modem), 0);
    seat_end(&seat);
}

static void telemetry_goes_out_in_one_command(void)
{
    char command[700] = "01 DA 02 C1 FF ";
    const struct modem_step steps[] = {OPEN,     SELECT_SAFE2,          SET_ID, SEND,
                                       SET_ID_1, CSIM(command, "9000"), BYE,    MODEM_END};
    static const uint8_t id[2] = {0xA1, 0xB2};
    uint8_t data[255];
    struct seat seat;

    memset(data, 0x5A, sizeof data);
    append_hex(command, sizeof command, 0x5A, 255);
    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(send_hello(&seat), OUTCOME_OK, &seat.why);
    EXPECT(safe2_send(seat.sim, id, 1, data, 255, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* Older applets take only P2 00. */
static void an_applet_that_refuses_p2_0c_is_selected_with_p2_00(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              CSIM("01 A4 04 0C 0C " SAFE2_AID, "6A86"),
                                              CSIM("01 A4 04 00 0C " SAFE2_AID " 00", "9000"),
                                              SET_ID,
                                              START,
                                              BYE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

static void a_sim_without_the_applet_is_left_with_its_channel_closed(void)
{
    static const struct modem_step steps[] = {OPEN, CSIM("01 A4 04 0C 0C " SAFE2_AID, "6A82"),
                                              CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "csim");
    EXPECT(request(&seat), OUTCOME_NO_APPLET, &seat.why);
    EXPECT_SAYS(seat.why.text, "SAFE2");
    seat_end(&seat);
}

static void over_at_ccho_the_same_is_said(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CCHO=\"" SAFE2_AID "\"", "\r\n+CCHO: 1\r\n" OK),
        CGLA("00 DA 02 C0 02 A1B2", "9000"),
        CGLA("00 CA 00 00 00", "9000"),
        CGLA("00 CC 02 00 00", "00070000 9000"),
        CGLA("00 CA 01 00 00", "7B7D 9000"),
        CGLA("00 CC 02 00 00", "00070000 9000"),
        LINE("AT+CCHC=1", OK),
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "ccho");
    EXPECT(request(&seat), OUTCOME_OK, &seat.why);
    asks(&seat, SAFE2_RECEIVING, 0x0007, 0x0000);
    fetches(&seat, "7B7D");
    seat_end(&seat);
}

static void a_refusal_while_a_job_runs_says_so(void)
{
    static const struct modem_step at_start[] = {
        OPEN, SELECT_SAFE2, SET_ID, CSIM("01 CA 00 00 00", "6985"), ASK("0001ABCD 9000"),
        BYE,  MODEM_END};
    static const struct modem_step at_id[] = {
        OPEN, SELECT_SAFE2, CSIM("01 DA 02 C0 02 A1B2", "6985"), ASK("00010000 9000"),
        BYE,  MODEM_END};
    struct seat seat;

    seat_begin(&seat, at_start, NULL, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_REFUSED, &seat.why);
    EXPECT_SAYS(seat.why.text, "already running");
    EXPECT_SAYS(seat.why.text, "0001");
    EXPECT_SAYS(seat.why.text, "ABCD");
    EXPECT_SAYS(seat.why.text, "6985");
    seat_end(&seat);
    seat_begin(&seat, at_id, NULL, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_REFUSED, &seat.why);
    EXPECT_SAYS(seat.why.text, "already running");
    seat_end(&seat);
}

/* One job at a time: it may be the other one that runs. */
static void the_other_job_can_be_the_one_that_runs(void)
{
    static const struct modem_step steps[] = {OPEN, SELECT_SAFE2, SET_ID,
                                              CSIM("01 DA 02 C1 05 68656C6C6F", "6985"), MODEM_END};
    static const struct modem_step get[] = {OPEN, SELECT_SAFE2, SET_ID,
                                            CSIM("01 CA 00 00 00", "6985"), MODEM_END};
    static const struct modem_step receiving[] = {STARTING, ASK("00010000 9000"),
                                                  ASK_SENT("00030000 9000"), CLOSE, MODEM_END};
    static const struct modem_step sending[] = {STARTING, ASK("00070000 9000"),
                                                ASK_SENT("00010000 9000"), CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, receiving, NULL, NULL);
    EXPECT(send_hello(&seat), OUTCOME_REFUSED, &seat.why);
    EXPECT_SAYS(seat.why.text, "already running");
    seat_end(&seat);
    seat_begin(&seat, get, sending, NULL, NULL);
    EXPECT(request(&seat), OUTCOME_REFUSED, &seat.why);
    EXPECT_SAYS(seat.why.text, "already running");
    seat_end(&seat);
}

static void a_refusal_without_a_job_is_the_cards_own(void)
{
    static const struct modem_step steps[] = {
        OPEN,     SELECT_SAFE2, SET_ID, CSIM("01 DA 02 C1 05 68656C6C6F", "6A80"),
        OPEN,     SELECT_SAFE2, SET_ID, CSIM("01 DA 02 C1 05 68656C6C6F", "6A80"),
        MODEM_END};
    static const struct modem_step standing[] = {STARTING, ASK("00070000 9000"),
                                                 ASK_SENT("00030000 9000"), CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, NULL, NULL);
    EXPECT(send_hello(&seat), OUTCOME_REFUSED, &seat.why);
    EXPECT_NUMBER(seat.why.sw, 0x6A80);
    EXPECT_SAYS(seat.why.text, "6A80");
    EXPECT_SAYS_NOT(seat.why.text, "already running");
    seat_end(&seat);
}

/* ---- states ---- */

static void a_state_comes_at_once_or_by_get_response(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE2,
                                              ASK("00010000 9000"),
                                              ASK("6104"),
                                              CSIM("01 C0 00 00 04", "00071234 9000"),
                                              ASK("6C04"),
                                              CSIM("01 CC 02 00 04", "000F00FF 9000"),
                                              ASK_SENT("00030000 9000"),
                                              ASK_SENT("6104"),
                                              CSIM("01 C0 00 00 04", "0003ABCD 9000"),
                                              BYE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    asks(&seat, SAFE2_RECEIVING, 0x0001, 0x0000);
    asks(&seat, SAFE2_RECEIVING, 0x0007, 0x1234);
    asks(&seat, SAFE2_RECEIVING, 0x000F, 0x00FF);
    asks(&seat, SAFE2_SENDING, 0x0003, 0x0000);
    asks(&seat, SAFE2_SENDING, 0x0003, 0xABCD);
    seat_end(&seat);
}

/* One new channel is tried, then it is an error. */
static void a_state_of_another_length_is_none(void)
{
    static const char *const states[] = {"9000", "00 9000", "000700 9000", "0007000000 9000",
                                         "00070000 00070000 9000"};
    struct safe2_status status;
    size_t i;

    for (i = 0; i < sizeof states / sizeof states[0]; i++) {
        const struct modem_step steps[] = {OPEN,     SELECT_SAFE2, ASK(states[i]), BYE,
                                           OPEN,     SELECT_SAFE2, ASK(states[i]), BYE,
                                           MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, NULL, NULL, NULL);
        EXPECT(safe2_status(seat.sim, SAFE2_RECEIVING, &status, &seat.why), OUTCOME_BAD_DATA,
               &seat.why);
        seat_end(&seat);
    }
}

static void an_applet_that_does_not_tell_about_sending_is_unknown(void)
{
    static const struct modem_step steps[] = {OPEN, SELECT_SAFE2, ASK_SENT("6D00"), BYE, MODEM_END};
    static const struct modem_step after_a_send[] = {
        OPEN, SELECT_SAFE2, SET_ID,           SEND, ASK_SENT("6D00"), BYE,
        OPEN, SELECT_SAFE2, ASK_SENT("6D00"), BYE,  MODEM_END};
    struct safe2_status status = {.known = true};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(safe2_status(seat.sim, SAFE2_SENDING, &status, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_FALSE(status.known);
    seat_end(&seat);
    status.known = true;
    seat_begin(&seat, after_a_send, NULL, NULL, NULL);
    EXPECT(send_hello(&seat), OUTCOME_OK, &seat.why);
    EXPECT(safe2_status(seat.sim, SAFE2_SENDING, &status, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_FALSE(status.known);
    seat_end(&seat);
}

/* Every applet tells about receiving. */
static void the_state_of_receiving_is_never_unknown(void)
{
    static const struct modem_step steps[] = {OPEN,         SELECT_SAFE2, ASK("6D00"), OPEN,
                                              SELECT_SAFE2, ASK("6D00"),  MODEM_END};
    static const struct modem_step standing[] = {STARTING, ASK("6D00"), CLOSE, MODEM_END};
    struct safe2_status status;
    struct seat seat;

    seat_begin(&seat, steps, standing, NULL, NULL);
    EXPECT(safe2_status(seat.sim, SAFE2_RECEIVING, &status, &seat.why), OUTCOME_REFUSED, &seat.why);
    EXPECT_NUMBER(seat.why.sw, 0x6D00);
    seat_end(&seat);
}

/* ---- fetching ---- */

static void data_come_at_once_by_61xx_and_by_6c(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE2,
                                              FETCH("00 9000"),
                                              FETCH("6103"),
                                              CSIM("01 C0 00 00 03", "0A0D22 9000"),
                                              FETCH("6C02"),
                                              CSIM("01 CA 01 00 02", "FFFE 9000"),
                                              FETCH("AB 6102"),
                                              CSIM("01 C0 00 00 02", "CDEF 9000"),
                                              FETCH("6104"),
                                              CSIM("01 C0 00 00 04", "6C03"),
                                              CSIM("01 C0 00 00 03", "010203 9000"),
                                              BYE,
                                              MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    fetches(&seat, "00");
    fetches(&seat, "0A0D22");
    fetches(&seat, "FFFE");
    fetches(&seat, "ABCDEF");
    fetches(&seat, "010203");
    seat_end(&seat);
}

static void up_to_256_bytes_are_taken(void)
{
    char at_once[700] = "", most[700] = "", plain[600] = "", all[600] = "";
    const struct modem_step steps[] = {OPEN,
                                       SELECT_SAFE2,
                                       FETCH(at_once),
                                       FETCH("61FF"),
                                       CSIM("01 C0 00 00 FF", at_once),
                                       FETCH(most),
                                       FETCH("6100"),
                                       CSIM("01 C0 00 00 00", most),
                                       BYE,
                                       MODEM_END};
    struct seat seat;

    append_hex(plain, sizeof plain, 0x7E, 255);
    append_hex(all, sizeof all, 0x22, 256);
    snprintf(at_once, sizeof at_once, "%s9000", plain);
    snprintf(most, sizeof most, "%s9000", all);
    seat_begin(&seat, steps, NULL, NULL, NULL);
    fetches(&seat, plain);
    fetches(&seat, plain);
    fetches(&seat, all);
    fetches(&seat, all);
    seat_end(&seat);
}

static void more_and_nothing_are_refused(void)
{
    char most[700] = "";
    const struct modem_step too_much[] = {OPEN, SELECT_SAFE2, FETCH(most),
                                          CSIM("01 C0 00 00 01", "AA 9000"), MODEM_END};
    static const struct modem_step nothing[] = {OPEN, SELECT_SAFE2, FETCH("9000"), MODEM_END};
    static const struct modem_step standing[] = {STARTING, ASK("00070000 9000"), CLOSE, MODEM_END};
    struct seat seat;

    append_hex(most, sizeof most, 0x41, 256);
    strcat(most, "6101");
    seat_begin(&seat, too_much, standing, NULL, NULL);
    fails_to_fetch(&seat);
    EXPECT_SAYS(seat.why.text, "257");
    seat_end(&seat);
    seat_begin(&seat, nothing, standing, NULL, NULL);
    fails_to_fetch(&seat);
    seat_end(&seat);
}

static void what_is_refused_has_the_cards_word(void)
{
    static const struct modem_step steps[] = {OPEN,         SELECT_SAFE2,  FETCH("6A88"), OPEN,
                                              SELECT_SAFE2, FETCH("6A88"), MODEM_END};
    static const struct modem_step standing[] = {STARTING, ASK("00070000 9000"), CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, NULL, NULL);
    fails_to_fetch(&seat);
    EXPECT_NUMBER(seat.why.sw, 0x6A88);
    EXPECT_SAYS(seat.why.text, "6A88");
    seat_end(&seat);
}

/* ---- secrets ---- */

static void fetched_data_are_in_no_trace(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT_SAFE2,
                                              FETCH("5EC2E7 DA7A 9000"),
                                              FETCH("6105"),
                                              CSIM("01 C0 00 00 05", "5EC2E7 DA7A 9000"),
                                              FETCH("6C05"),
                                              CSIM("01 CA 01 00 05", "5EC2E7 DA7A 9000"),
                                              BYE,
                                              MODEM_END};
    static const char *const levels[] = {"at", "apdu"};
    size_t i;

    for (i = 0; i < 2; i++) {
        char setting[200], text[16384];
        struct folder folder;
        struct seat seat;

        folder_make(&folder);
        snprintf(setting, sizeof setting, "%s,file:%s/trace", levels[i], folder.path);
        seat_begin(&seat, steps, NULL, "trace", setting);
        fetches(&seat, "5EC2E7DA7A");
        fetches(&seat, "5EC2E7DA7A");
        fetches(&seat, "5EC2E7DA7A");
        seat_end(&seat);
        read_text(&folder, "trace", text, sizeof text);
        EXPECT_SAYS(text, "CA0100");
        EXPECT_SAYS_NOT(text, "5EC2");
        EXPECT_SAYS_NOT(text, "E7DA");
        EXPECT_SAYS_NOT(text, "DA7A");
        folder_remove(&folder);
    }
}

void add_safe2_suite(void)
{
    static const struct test tests[] = {
        TEST(only_five_answers_end_a_job),
        TEST(a_request_is_the_id_and_the_start_on_a_channel_of_its_own),
        TEST(ids_have_1_to_16_bytes),
        TEST(other_sizes_are_refused_without_a_word_to_the_modem),
        TEST(telemetry_goes_out_in_one_command),
        TEST(an_applet_that_refuses_p2_0c_is_selected_with_p2_00),
        TEST(a_sim_without_the_applet_is_left_with_its_channel_closed),
        TEST(over_at_ccho_the_same_is_said),
        TEST(a_refusal_while_a_job_runs_says_so),
        TEST(the_other_job_can_be_the_one_that_runs),
        TEST(a_refusal_without_a_job_is_the_cards_own),
        TEST(a_state_comes_at_once_or_by_get_response),
        TEST(a_state_of_another_length_is_none),
        TEST(an_applet_that_does_not_tell_about_sending_is_unknown),
        TEST(the_state_of_receiving_is_never_unknown),
        TEST(data_come_at_once_by_61xx_and_by_6c),
        TEST(up_to_256_bytes_are_taken),
        TEST(more_and_nothing_are_refused),
        TEST(what_is_refused_has_the_cards_word),
        TEST(fetched_data_are_in_no_trace),
    };

    ADD_SUITE("safe2", tests);
}
