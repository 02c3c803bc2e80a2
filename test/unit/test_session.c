/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a signature end to end on a pty: what is said cold and warm, by which carrier, on which channel; forks, threads
 * and manners. What goes wrong is judged in test_session_loss.c. */
#include "test/unit/pty.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_cold_signature_is_seven_apdus_and_a_warm_one_two(void)
{
    static const struct modem_step steps[] = {
        LINE("AT", OK), LINE("ATE0V1Q0", OK), LINE("AT+CMEE=1", OK), COLD_ASKING, WARM, WARM, CLOSE,
        MODEM_END};
    static const struct modem_step nothing_else[] = {MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, nothing_else, NULL, NULL);
    strcpy(seat.key.iccid, ICCID);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

static void nothing_is_held_between_operations(void)
{
    static const struct modem_step steps[] = {COLD, CLOSE, MODEM_END};
    struct seat seat;
    bool cloexec;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    EXPECT_NUMBER(descriptors_of(seat.modem.device, &cloexec), 0);
    seat_end(&seat);
}

static void a_second_reference_keeps_the_channel_open(void)
{
    static const struct modem_step steps[] = {COLD, WARM, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    CU_ASSERT_PTR_EQUAL(sim_ref(seat.sim), seat.sim);
    seat_signs(&seat);
    sim_free(seat.sim);
    seat_signs(&seat);
    seat_end(&seat);
}

static void a_sim_that_was_never_used_says_nothing(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    struct seat seat;

    seat_begin(&seat, nothing, nothing, NULL, NULL);
    EXPECT_TEXT(sim_settings(seat.sim)->device, seat.modem.device);
    seat_end(&seat);
    sim_free(NULL);
}

static void without_a_device_there_is_no_sim(void)
{
    struct settings settings;
    struct sim *sim = NULL;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    EXPECT(sim_new(&sim, &settings, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "device");
    CU_ASSERT_PTR_NULL(sim);
}

static void a_private_session_closes_after_each_operation(void)
{
    static const struct modem_step steps[] = {COLD, CLOSE, COLD, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "session", "private");
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

static void a_pin_that_is_not_wanted_is_not_sent(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT, CSIM("01 20 00 81", "9000"), MSE, WARM, WARM, CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* ---- carriers ---- */

#define CCHO_OPEN LINE("AT+CCHO=\"" MIAS_AID "\"", "\r\n+CCHO: 1\r\n" OK)
#define CCHO_COLD                                                                                  \
    CCHO_OPEN, CGLA("00 20 00 81", "63C3"), ECHO_OFF, CGLA("00 20 00 81 04 30303030", "9000"),     \
        CGLA("00 22 41 B6 06 800142 840131", "9000"), CCHO_WARM
#define CCHO_WARM                                                                                  \
    CGLA("00 2A 90 A0 22 9020 " DIGEST " 00", "6120"), CGLA("00 C0 00 00 20", DIGEST "9000"),      \
        CGLA("00 2A 9E 9A 00", "6103"), CGLA("00 C0 00 00 03", "51674E 9000")
#define CCHO_CLOSE LINE("AT+CCHC=1", OK)

static void ccho_is_used_when_it_is_pinned(void)
{
    static const struct modem_step steps[] = {CCHO_COLD, CCHO_WARM, CCHO_CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, "transport", "ccho");
    seat_signs(&seat);
    seat_signs(&seat);
    seat_end(&seat);
}

/* APDU, 13: each of these means that programs may not open channels by +CSIM. */
static void ccho_is_found_when_csim_opens_no_channel(void)
{
    static const char *const refusals[] = {"\r\n+CSIM: 4,\"6E00\"\r\n" OK,
                                           "\r\n+CSIM: 4,\"6D00\"\r\n" OK,
                                           "\r\n+CSIM: 4,\"6881\"\r\n" OK,
                                           "\r\n+CME ERROR: 3\r\n",
                                           "\r\n+CME ERROR: 4\r\n",
                                           "\r\n+CME ERROR: 0\r\n",
                                           "\r\n+CME ERROR: operation not supported\r\n",
                                           "\r\nERROR\r\n"};
    static const struct modem_step steps[] = {CCHO_COLD, CCHO_WARM, CCHO_CLOSE, MODEM_END};
    size_t i;

    for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct modem_step standing[] = {LINE("AT", OK),
                                              LINE("ATE0V1Q0", OK),
                                              LINE("AT+CMEE=1", OK),
                                              LINE(CRSM, CRSM_SAYS),
                                              LINE("AT+CSIM=10,\"0070000001\"", refusals[i]),
                                              LINE("AT+CSIM=10,\"0070000000\"", refusals[i]),
                                              MODEM_END};
        struct seat seat;

        seat_begin(&seat, steps, standing, NULL, NULL);
        seat_signs(&seat);
        /* What worked is used straight away the next time. */
        seat_signs(&seat);
        CU_ASSERT(modem_heard(&seat.modem, "AT+CSIM=10,\"0070000001\"") <= 2);
        seat_end(&seat);
    }
}

static void a_pinned_carrier_is_not_left(void)
{
    static const struct modem_step steps[] = {
        LINE("AT+CSIM=10,\"0070000001\"", "\r\n+CME ERROR: 4\r\n"), MODEM_END};
    static const struct modem_step standing[] = {
        LINE("AT", OK),
        LINE("ATE0V1Q0", OK),
        LINE("AT+CMEE=1", OK),
        LINE(CRSM, CRSM_SAYS),
        LINE("AT+CPIN?", "\r\n+CPIN: READY\r\n" OK),
        LINE("AT+CSIM=10,\"0070000001\"", "\r\n+CME ERROR: 4\r\n"),
        LINE("AT+CSIM=10,\"0070000000\"", "\r\n+CME ERROR: 4\r\n"),
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, standing, "transport", "csim");
    CU_ASSERT(seat_sign(&seat) != OUTCOME_OK);
    CU_ASSERT(seat.why.text[0] != '\0');
    CU_ASSERT(modem_heard(&seat.modem, "AT+CCHO=\"" MIAS_AID "\"") == 0);
    seat_end(&seat);
}

/* ---- channels ---- */

/* APDU, 14 */
static void a_leaked_channel_is_closed_when_none_is_free(void)
{
    static const char *const exhausted[] = {"6A81", "6A84"};
    size_t i;

    for (i = 0; i < 2; i++) {
        const struct modem_step steps[] = {
            CSIM("00 70 00 00 01", exhausted[i]),     CSIM("83 F2 00 0C", "6D00"),
            CSIM("00 70 80 03 00", "9000"),           CSIM("00 70 00 00 01", "03 9000"),
            CSIM("03 A4 04 0C 0D " MIAS_AID, "9000"), CSIM("03 84 00 00 04", "01020304 9000"),
            CSIM("00 70 80 03 00", "9000"),           MODEM_END};
        struct seat seat;
        uint8_t bytes[4];

        seat_begin(&seat, steps, NULL, "transport", "csim");
        EXPECT(token_random(seat.sim, bytes, 4, &seat.why), OUTCOME_OK, &seat.why);
        seat_end(&seat);
    }
}

static void channel_1_is_never_closed_for_others(void)
{
    static const struct modem_step steps[] = {
        CSIM("00 70 00 00 01", "6A81"), CSIM("83 F2 00 0C", "6E00"),
        CSIM("00 70 80 03 00", "9000"), CSIM("00 70 00 00 01", "6A81"),
        CSIM("82 F2 00 0C", "6985"),    CSIM("00 70 80 02 00", "6881"),
        CSIM("00 70 00 00 01", "6A81"), MODEM_END};
    struct seat seat;
    uint8_t bytes[4];

    seat_begin(&seat, steps, NULL, "transport", "csim");
    EXPECT(token_random(seat.sim, bytes, 4, &seat.why), OUTCOME_REFUSED, &seat.why);
    EXPECT_SAYS(seat.why.text, "channel");
    seat_end(&seat);
}

static void a_far_channel_is_used_with_its_own_coding(void)
{
    static const struct modem_step steps[] = {
        CSIM("00 70 00 00 01", "06 9000"),        CSIM("42 A4 04 0C 0D " MIAS_AID, "6104"),
        CSIM("42 C0 00 00 04", "6F02 8400 9000"), CSIM("42 84 00 00 02", "0102 9000"),
        CSIM("00 70 80 06 00", "9000"),           MODEM_END};
    struct seat seat;
    uint8_t bytes[2];

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(token_random(seat.sim, bytes, 2, &seat.why), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* ---- many users of one process ---- */

static void *sign_twice(void *arg)
{
    struct seat mine = *(struct seat *)arg;

    if (seat_sign(&mine) != OUTCOME_OK || seat_sign(&mine) != OUTCOME_OK)
        return mine.sim; /* not NULL: it failed */
    return NULL;
}

static void threads_take_turns(void)
{
    static const struct modem_step steps[] = {COLD, WARM, WARM, WARM,  WARM,
                                              WARM, WARM, WARM, CLOSE, MODEM_END};
    struct seat seat;
    pthread_t threads[4];
    void *failed = NULL;
    size_t i;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    for (i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, sign_twice, &seat), 0);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        CU_ASSERT_PTR_NULL(failed);
    }
    seat_end(&seat);
}

/* The child goes on with the channel and leaves it to the parent. */
static void a_forked_child_goes_on_with_the_channel(void)
{
    static const struct modem_step steps[] = {COLD, CSIM("01 84 00 00 02", "0102 9000"), WARM,
                                              CLOSE, MODEM_END};
    struct seat seat;
    int status = -1;
    pid_t child;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    child = fork_child();
    if (child == 0) {
        uint8_t bytes[2];
        enum outcome outcome = token_random(seat.sim, bytes, 2, &seat.why);

        sim_free(seat.sim);
        _exit(outcome == OUTCOME_OK ? 0 : 1);
    }
    waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
    seat_signs(&seat);
    seat_end(&seat);
}

static void a_child_that_does_nothing_says_nothing(void)
{
    static const struct modem_step steps[] = {COLD, WARM, CLOSE, MODEM_END};
    struct seat seat;
    int status = -1;
    pid_t child;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    child = fork_child();
    if (child == 0) {
        sim_free(seat.sim);
        _exit(0);
    }
    waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
    seat_signs(&seat);
    seat_end(&seat);
}

/* ---- other operations ---- */

static bool keep_answer(void *arg, size_t index, const struct sim_answer *answer)
{
    uint16_t *words = arg;

    words[index] = answer->sw;
    return answer->sw == 0x9000;
}

static void raw_apdus_go_on_a_fresh_channel_that_is_closed(void)
{
    static const struct modem_step steps[] = {
        OPEN,  SELECT,   CSIM("01 B0 00 00 02", "0102 9000"), CSIM("81 CA 00 00 00", "6D00"),
        CLOSE, MODEM_END};
    static const uint8_t first[] = {0x00, 0xB0, 0, 0, 2}, second[] = {0x80, 0xCA, 0, 0, 0};
    static const uint8_t *const commands[] = {first, second, first};
    static const size_t lengths[] = {5, 5, 5};
    uint8_t aid[13];
    uint16_t words[3] = {0, 0, 0};
    struct sim_raw raw = {.aid = aid,
                          .count = 3,
                          .commands = commands,
                          .lengths = lengths,
                          .got = keep_answer,
                          .arg = words};
    struct seat seat;

    raw.aid_length = bytes_of(MIAS_AID, aid, sizeof aid);
    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(sim_raw(seat.sim, &raw, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(words[0], 0x9000);
    EXPECT_NUMBER(words[1], 0x6D00);
    EXPECT_NUMBER(words[2], 0);
    seat_end(&seat);
}

static void who_the_modem_is_needs_no_channel(void)
{
    static const struct modem_step nothing[] = {MODEM_END};
    static const struct modem_step standing[] = {LINE("AT", OK),
                                                 LINE("ATE0V1Q0", OK),
                                                 LINE("AT+CMEE=1", OK),
                                                 LINE(CRSM, CRSM_SAYS),
                                                 LINE("AT+CGMI", "\r\nQuectel\r\n" OK),
                                                 LINE("AT+CGMM", "\r\nBG96\r\n" OK),
                                                 LINE("AT+CGMR", "\r\nR1\r\n" OK),
                                                 LINE("AT+CGSN", "\r\n866425030000001\r\n" OK),
                                                 LINE("AT+CPIN?", "\r\n+CPIN: READY\r\n" OK),
                                                 MODEM_END};
    struct modem_identity who;
    struct seat seat;
    char iccid[ICCID_SIZE] = "";

    seat_begin(&seat, nothing, standing, NULL, NULL);
    EXPECT(sim_identity(seat.sim, &who, iccid, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_TEXT(iccid, ICCID);
    EXPECT_TEXT(who.model, "BG96");
    EXPECT_TEXT(who.sim_state, "READY");
    seat_end(&seat);
}

static void a_certificate_is_read_without_a_pin(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        CSIM("01 A4 08 04 02 0002 00", "62 04 8102 000B 9000"),
        CSIM("01 B0 00 00 0B", "01 000000 0000 0800 000000 9000"),
        CSIM("01 A4 08 04 02 0101 00", "62 04 8102 0016 9000"),
        CSIM("01 B0 00 00 16", "01 4301 0006 6B78633030000000 6D73637000000000 00 9000"),
        CSIM("01 A4 08 04 02 4301 00", "62 04 8102 0006 9000"),
        CSIM("01 B0 00 00 06", "3003020107FF 9000"),
        CLOSE,
        MODEM_END};
    const struct token_name nothing = TOKEN_NAME_NONE;
    struct token_content content;
    struct token_name name;
    struct seat seat;

    seat_begin(&seat, steps, NULL, "pin", "");
    EXPECT(token_read(seat.sim, "", &nothing, 0, &content, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_BYTES(content.certificate, content.length, "3003020107");
    EXPECT_TEXT(content.iccid, ICCID);
    EXPECT_NUMBER(content.item.name.container, 0);
    CU_ASSERT(content.item.decrypts && content.item.bits == 2048 && content.item.certificate);
    token_complete(seat.sim, &content.item, TOKEN_RSA, &name);
    EXPECT_NUMBER(name.container, 0);
    EXPECT_BYTES(name.id, name.id_length, "31");
    token_content_clear(&content);
    seat_end(&seat);
}

/* Another command's answer was taken for it, and the next start comes to nothing. */
static void a_certificate_that_was_read_in_doubt_is_given_up(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        CSIM("01 A4 08 04 02 0002 00", "62 04 8102 000B 9000"),
        CSIM("01 B0 00 00 0B", "01 000000 0000 0800 000000 9000"),
        CSIM("01 A4 08 04 02 0101 00", "62 04 8102 0016 9000"),
        CSIM("01 B0 00 00 16", "01 4301 0006 6B78633030000000 6D73637000000000 00 9000"),
        CSIM("01 A4 08 04 02 4301 00", "62 04 8102 0006 9000"),
        LINE("AT+CSIM=10,\"01B0000006\"", "\r\n+CSIM: 16,\"3003020107FF9000\"\r\n" OK BREATH
                                          "\r\n+CSIM: 16,\"3003020108FF9000\"\r\n" OK),
        CLOSE,
        OPEN,
        CSIM("01 A4 04 0C 0D " MIAS_AID, "6A82"), /* the second start ends before its work */
        CLOSE,
        MODEM_END};
    const struct token_name first = {.container = 0};
    struct token_content content;
    struct seat seat;

    seat_begin(&seat, steps, NULL, "pin", "");
    EXPECT(token_read(seat.sim, "", &first, 0, &content, &seat.why), OUTCOME_NO_APPLET, &seat.why);
    CU_ASSERT_PTR_NULL(content.certificate);
    EXPECT_NUMBER(content.length, 0);
    token_content_clear(&content);
    seat_end(&seat);
}

static void what_was_decrypted_in_doubt_is_not_handed_out(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        STATE,
        VERIFY,
        CSIM("01 22 41 B8 06 80011A 840131", "9000"),
        LINE(NULL, "\r\n+CSIM: 8,\"AAAA9000\"\r\n" OK BREATH "\r\n+CSIM: 8,\"BBBB9000\"\r\n" OK),
        CLOSE,
        OPEN,
        CSIM("01 A4 04 0C 0D " MIAS_AID, "6A82"),
        CLOSE,
        MODEM_END};
    const struct token_key key = {
        .name = {.container = 0, .id = {0x31}, .id_length = 1}, .type = TOKEN_RSA, .bits = 1024};
    static const uint8_t cryptogram[128] = {1};
    uint8_t plain[TOKEN_PLAIN_MAX] = {0xEE};
    size_t length = 0;
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(token_decrypt(seat.sim, &key, TOKEN_DECRYPT_PKCS1, TOKEN_HASH_NONE, cryptogram,
                         sizeof cryptogram, plain, &length, &seat.why),
           OUTCOME_NO_APPLET, &seat.why);
    EXPECT_NUMBER(length, 0);
    EXPECT_NUMBER(plain[0], 0xEE);
    seat_end(&seat);
}

void add_session_suite(void)
{
    static const struct test tests[] = {
        TEST(a_cold_signature_is_seven_apdus_and_a_warm_one_two),
        TEST(nothing_is_held_between_operations),
        TEST(a_second_reference_keeps_the_channel_open),
        TEST(a_sim_that_was_never_used_says_nothing),
        TEST(without_a_device_there_is_no_sim),
        TEST(a_private_session_closes_after_each_operation),
        TEST(a_pin_that_is_not_wanted_is_not_sent),
        TEST(ccho_is_used_when_it_is_pinned),
        TEST(ccho_is_found_when_csim_opens_no_channel),
        TEST(a_pinned_carrier_is_not_left),
        TEST(a_leaked_channel_is_closed_when_none_is_free),
        TEST(channel_1_is_never_closed_for_others),
        TEST(a_far_channel_is_used_with_its_own_coding),
        TEST(threads_take_turns),
        TEST(a_forked_child_goes_on_with_the_channel),
        TEST(a_child_that_does_nothing_says_nothing),
        TEST(raw_apdus_go_on_a_fresh_channel_that_is_closed),
        TEST(who_the_modem_is_needs_no_channel),
        TEST(a_certificate_is_read_without_a_pin),
        TEST(a_certificate_that_was_read_in_doubt_is_given_up),
        TEST(what_was_decrypted_in_doubt_is_not_handed_out),
    };

    ADD_SUITE("session", tests);
}
