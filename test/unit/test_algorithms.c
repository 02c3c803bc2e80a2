/* SPDX-License-Identifier: Apache-2.0 */
/* Algorithms that a card refuses for a key: other ways round, what is remembered, and how long. */
#include "apdu/session/sim_state.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <string.h>

#define DIGEST_INFO "3031300D060960864801650304020105000420"

static void a_card_without_hashing_signs_the_digestinfo(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        STATE,
        VERIFY,
        CSIM("01 22 41 B6 06 800142 840131", "6A80"),
        CSIM("01 22 41 B6 06 800102 840131", "9000"),
        CSIM("01 2A 90 A0 35 9033 " DIGEST_INFO DIGEST " 00", "9000"),
        CDS,
        CSIM("01 22 41 B6 06 800142 840131", "6A80"), /* on a channel that was open */
        CLOSE,
        OPEN,
        SELECT,
        STATE,
        VERIFY,
        CSIM("01 22 41 B6 06 800142 840131", "6A80"),
        CSIM("01 22 41 B6 06 800102 840131", "9000"),
        CSIM("01 2A 90 A0 35 9033 " DIGEST_INFO DIGEST " 00", "9000"),
        CDS,
        CSIM("01 2A 90 A0 35 9033 " DIGEST_INFO DIGEST " 00", "9000"),
        CDS,
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat_signs(&seat);
    seat_signs(&seat);
    /* The refusal is remembered. */
    seat_signs(&seat);
    seat_end(&seat);
}

static void a_card_without_pss_never_signs_anything_else(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT, STATE, VERIFY,   CSIM("01 22 41 B6 06 800145 840131", "6A80"), CLOSE,
        OPEN, SELECT, STATE, VERIFY,   CSIM("01 22 41 B6 06 800145 840131", "6A80"), MSE,
        HASH, CDS,    CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    CU_ASSERT_FALSE(token_refuses(seat.sim, &seat.key, TOKEN_PSS, TOKEN_SHA256));
    EXPECT(seat_sign_as(&seat, TOKEN_PSS, TOKEN_SHA256, 32), OUTCOME_UNSUPPORTED, &seat.why);
    CU_ASSERT(token_refuses(seat.sim, &seat.key, TOKEN_PSS, TOKEN_SHA256));
    CU_ASSERT_FALSE(token_refuses(seat.sim, &seat.key, TOKEN_PSS, TOKEN_SHA384));
    CU_ASSERT_FALSE(token_refuses(seat.sim, &seat.key, TOKEN_PKCS1, TOKEN_SHA256));
    EXPECT(seat_sign_as(&seat, TOKEN_PSS, TOKEN_SHA256, 32), OUTCOME_UNSUPPORTED, &seat.why);
    CU_ASSERT(seat.why.text[0] != '\0');
    seat_signs(&seat);
    seat_end(&seat);
}

/* One word may be an answer that belongs to another command: on a new channel it was not the card's. */
static void a_refusal_that_is_said_once_is_forgotten(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT, STATE,    VERIFY, CSIM("01 22 41 B6 06 800145 840131", "6A80"), CLOSE,
        OPEN, SELECT, STATE,    VERIFY, CSIM("01 22 41 B6 06 800145 840131", "9000"), HASH,
        CDS,  CLOSE,  MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    EXPECT(seat_sign_as(&seat, TOKEN_PSS, TOKEN_SHA256, 32), OUTCOME_OK, &seat.why);
    CU_ASSERT_FALSE(token_refuses(seat.sim, &seat.key, TOKEN_PSS, TOKEN_SHA256));
    seat_end(&seat);
}

/* After ten minutes, by a doctor that finds it taken, and where a person closes all. */
static void a_refusal_is_unlearnt(void)
{
    struct card_quirks quirks;
    uint32_t said;

    memset(&quirks, 0, sizeof quirks);
    CU_ASSERT_FALSE(quirks_note_refusal(&quirks, 0x31, 0x45));
    CU_ASSERT_FALSE(quirks_refuses(&quirks, 0x31, 0x45));
    CU_ASSERT_TRUE(quirks_note_refusal(&quirks, 0x31, 0x45));
    CU_ASSERT_TRUE(quirks_refuses(&quirks, 0x31, 0x45));
    CU_ASSERT_FALSE(quirks_refuses(&quirks, 0x32, 0x45));
    quirks_note_accepted(&quirks, 0x31, 0x45);
    CU_ASSERT_FALSE(quirks_refuses(&quirks, 0x31, 0x45));
    (void)quirks_note_refusal(&quirks, 0x31, 0x45);
    (void)quirks_note_refusal(&quirks, 0x31, 0x45);
    said = atomic_load(&quirks.said[0]);
    if (monotonic_ms() > 700000) { /* the machine is on for that long */
        atomic_store(&quirks.said[0], said - 590);
        CU_ASSERT_TRUE(quirks_refuses(&quirks, 0x31, 0x45));
        atomic_store(&quirks.said[0], said - 600);
        CU_ASSERT_FALSE(quirks_refuses(&quirks, 0x31, 0x45));
        CU_ASSERT_FALSE(quirks_note_refusal(&quirks, 0x31, 0x45)); /* it is said anew */
    }
    atomic_store(&quirks.said[0], said + 1000); /* nobody said it in the future */
    CU_ASSERT_FALSE(quirks_refuses(&quirks, 0x31, 0x45));
    (void)quirks_note_refusal(&quirks, 0x31, 0x45);
    (void)quirks_note_refusal(&quirks, 0x31, 0x45);
    quirks_forget_refusals(&quirks);
    CU_ASSERT_FALSE(quirks_refuses(&quirks, 0x31, 0x45));
    for (unsigned key = 1; key <= 2 * REFUSALS; key++) { /* more than there is room for */
        (void)quirks_note_refusal(&quirks, key, 0x45);
        (void)quirks_note_refusal(&quirks, key, 0x45);
    }
    CU_ASSERT_TRUE(quirks_refuses(&quirks, REFUSALS + 1, 0x45));
    CU_ASSERT_TRUE(quirks_refuses(&quirks, 2 * REFUSALS, 0x45));
}

static void closing_all_forgets_what_was_refused(void)
{
    static const struct modem_step steps[] = {
        OPEN,     SELECT, STATE, VERIFY, CSIM("01 22 41 B6 06 800145 840131", "6A80"), CLOSE,
        OPEN,     SELECT, STATE, VERIFY, CSIM("01 22 41 B6 06 800145 840131", "6A80"), CLOSE,
        MODEM_END};
    struct sim_found found;
    struct seat seat;

    seat_begin_with_file(&seat, steps, seat_no_channels, NULL, NULL);
    EXPECT(seat_sign_as(&seat, TOKEN_PSS, TOKEN_SHA256, 32), OUTCOME_UNSUPPORTED, &seat.why);
    CU_ASSERT(token_refuses(seat.sim, &seat.key, TOKEN_PSS, TOKEN_SHA256));
    EXPECT(sim_shut(seat.sim, &found, &seat.why), OUTCOME_OK, &seat.why);
    CU_ASSERT_FALSE(token_refuses(seat.sim, &seat.key, TOKEN_PSS, TOKEN_SHA256));
    seat_end(&seat);
}

/* Whoever makes key references chooses their keys and types. */
static void a_refusal_is_known_however_many_there_were_before(void)
{
    static const struct modem_step steps[] = {
        OPEN, SELECT, STATE, VERIFY,   CSIM("01 22 41 B6 06 800145 840131", "6A80"), CLOSE,
        OPEN, SELECT, STATE, VERIFY,   CSIM("01 22 41 B6 06 800145 840131", "6A80"), MSE,
        HASH, CDS,    CLOSE, MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    memcpy(seat.sim->quirks.iccid, ICCID, sizeof ICCID);
    for (unsigned i = 0; i < 2 * REFUSALS; i++)
        (void)quirks_note_refusal(&seat.sim->quirks, 0x40 + i / 2, 0x42);
    EXPECT(seat_sign_as(&seat, TOKEN_PSS, TOKEN_SHA256, 32), OUTCOME_UNSUPPORTED, &seat.why);
    CU_ASSERT(token_refuses(seat.sim, &seat.key, TOKEN_PSS, TOKEN_SHA256));
    seat_signs(&seat);
    seat_end(&seat);
}

static void an_ec_card_that_knows_only_44_gets_44(void)
{
    static const struct modem_step steps[] = {
        OPEN,
        SELECT,
        STATE,
        VERIFY,
        CSIM("01 22 41 B6 06 800154 840161", "6A80"),
        CSIM("01 22 41 B6 06 800144 840161", "9000"),
        CSIM("01 2A 90 A0 32 9030 DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD " DIGEST " 00", "9000"),
        CDS,
        CLOSE,
        MODEM_END};
    struct seat seat;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat.key.type = TOKEN_EC;
    seat.key.bits = 384;
    seat.key.name.id[0] = 0x61;
    EXPECT(seat_sign_as(&seat, TOKEN_ECDSA, TOKEN_SHA384, 48), OUTCOME_OK, &seat.why);
    seat_end(&seat);
}

/* Trying costs no signature and needs no PIN. */
static void the_accepted_algorithms_are_found_by_asking(void)
{
    static const struct modem_step steps[] = {OPEN,
                                              SELECT,
                                              CSIM("01 22 41 B6 06 800114 840161", "9000"),
                                              CSIM("01 22 41 B6 06 800134 840161", "6A80"),
                                              CSIM("01 22 41 B6 06 800144 840161", "9000"),
                                              CSIM("01 22 41 B6 06 800154 840161", "6A88"),
                                              CSIM("01 22 41 B6 06 800164 840161", "6A86"),
                                              CLOSE,
                                              MODEM_END};
    struct seat seat;
    uint64_t mask = 0;

    seat_begin(&seat, steps, NULL, NULL, NULL);
    seat.key.type = TOKEN_EC;
    seat.key.bits = 256;
    seat.key.name.id[0] = 0x61;
    EXPECT(token_algorithms(seat.sim, &seat.key, &mask, &seat.why), OUTCOME_OK, &seat.why);
    EXPECT_NUMBER(mask, 1u << (TOKEN_ECDSA * TOKEN_HASHES + TOKEN_SHA1) |
                            1u << (TOKEN_ECDSA * TOKEN_HASHES + TOKEN_SHA256));
    seat_end(&seat);
}

void add_algorithms_suite(void)
{
    static const struct test tests[] = {
        TEST(a_card_without_hashing_signs_the_digestinfo),
        TEST(a_card_without_pss_never_signs_anything_else),
        TEST(a_refusal_that_is_said_once_is_forgotten),
        TEST(a_refusal_is_unlearnt),
        TEST(closing_all_forgets_what_was_refused),
        TEST(a_refusal_is_known_however_many_there_were_before),
        TEST(an_ec_card_that_knows_only_44_gets_44),
        TEST(the_accepted_algorithms_are_found_by_asking),
    };

    ADD_SUITE("algorithms", tests);
}
