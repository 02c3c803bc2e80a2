/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of simmodem's IoT SAFE applet: generated, put and remembered; key agreement and derivation with the vectors of
 * the standards. */
#include "test/unit/check.h"
#include "test/unit/sim_seat.h"
#include "test/unit/unit.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GSMA "A0000005590010"

/* NIST CAVP, ECC CDH, P-256, count 0. */
#define PEER                                                                                       \
    "04700C48F77F56584C5CC632CA65640DB91B6BACCE3A4DF6B42CE7CC838833D287DB71E509E3FD9B060DDB20BA5C" \
    "51DCC5948D46FBF640DFE0441782CAB85FA4AC"
#define OWN                                                                                        \
    "04EAD218590119E8876B29146FF89CA61770C4EDBBF97D38CE385ED281D8A6B23028AF61281FD35E2FA7002523AC" \
    "C85A429CB06EE6648325389F59EDFCE1405141"
#define SCALAR "7D7DC5F71EB29DDAF80D6214632EEAE03D9058AF1FB6D22ED80BADB62BC1A534"
#define SHARED "46FC62106420FF012E54A434FBDD2D25CCC5852060561E68040DD7778997BD7B"

#define PUT_OPEN   "81240002 03 850105"
#define PUT_UPDATE "81D88002 47 344549438641" PEER
#define PUT_CLOSE  "81240102"

static void sit(struct sim_seat *s)
{
    SIM_SIT(s, "--applet", "iotsafe");
    sim_select(s, GSMA);
}

static struct iotsafe_object *object(const struct sim_seat *s, enum iotsafe_kind kind, uint8_t id)
{
    return iotsafe_find(s->card.iotsafe, kind, &id, 1);
}

/* The key of the vector. */
static EVP_PKEY *own_key(void)
{
    uint8_t scalar[32], point[65];
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params;
    BIGNUM *number;
    EVP_PKEY *key = NULL;

    (void)bytes_of(SCALAR, scalar, sizeof scalar);
    (void)bytes_of(OWN, point, sizeof point);
    number = BN_bin2bn(scalar, sizeof scalar, NULL);
    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, number);
    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point);
    params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_fromdata_init(ctx);
    CU_ASSERT(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_free(number);
    return key;
}

/* ---- key pairs ---- */

static void a_pair_is_generated_and_used(void)
{
    struct sim_seat s;
    uint8_t made[0x47];

    sit(&s);
    SIM_SAYS(&s, "81CD0000 03 850104 00", "6985");
    (void)sim_send(&s, "81B90000 03 840104 00");
    EXPECT_NUMBER(s.answer.size, 0x4D + 2);
    EXPECT_BYTES(s.answer.data, 13, "840104 850104 3445 4943 8641 04");
    memcpy(made, s.answer.data + 6, sizeof made);
    (void)sim_send(&s, "81CD0000 03 850104 00");
    EXPECT_NUMBER(s.answer.size, sizeof made + 2);
    CU_ASSERT(memcmp(s.answer.data, made, sizeof made) == 0);
    SIM_SAYS(&s, "81B90000 03 840104", "614D");
    (void)sim_send(&s, "81CD0000 03 850104 00");
    CU_ASSERT(memcmp(s.answer.data, made, sizeof made) != 0); /* another one */
    SIM_SAYS(&s, "812A0001 0D 840104 A10103 91020001 920104", "9000");
    SIM_SAYS(&s, "812A0101", "9000");
    SIM_SAYS(&s, "81B90000 03 840109", "6A82");
    SIM_SAYS(&s, "81B90001 03 840104", "6A86");
    object(&s, IOTSAFE_PRIVATE, 1)->functions = IOTSAFE_SIGN;
    SIM_SAYS(&s, "81B90000 03 840101", "6985");
    object(&s, IOTSAFE_PRIVATE, 1)->functions = IOTSAFE_GENERATE;
    object(&s, IOTSAFE_PRIVATE, 1)->access = IOTSAFE_READ;
    SIM_SAYS(&s, "81B90000 03 840101", "6985");
    sim_leave(&s);
}

static void keys_are_remembered_but_for_volatile_ones(void)
{
    struct sim_seat s;
    uint8_t made[2][0x47];
    char path[256];

    SIM_SIT(&s, "--applet", "iotsafe", "--iotsafe-volatile");
    sim_select(&s, GSMA);
    (void)sim_send(&s, "81B90000 03 840101 00");
    memcpy(made[0], s.answer.data + 6, sizeof made[0]);
    (void)sim_send(&s, "81B90000 03 840104 00");
    EXPECT_NUMBER(s.answer.size, 0x4D + 2);
    (void)sim_send(&s, "81CD0000 03 850104 00");
    EXPECT_NUMBER(s.answer.size, 0x47 + 2);
    SIM_SAYS(&s, PUT_OPEN, "9000");
    SIM_SAYS(&s, PUT_UPDATE, "9000");
    (void)snprintf(path, sizeof path, "%s/private/iotsafe-04.key", s.dir);
    EXPECT_NUMBER(access(path, F_OK), -1);
    uicc_reset(&s.uicc);
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "81CD0000 03 850104 00", "6985");
    SIM_AGAIN(&s, "--channels", "1");
    sim_select(&s, GSMA);
    (void)sim_send(&s, "81CD0000 03 850101 00");
    memcpy(made[1], s.answer.data, sizeof made[1]);
    CU_ASSERT(memcmp(made[0], made[1], sizeof made[0]) == 0);
    SIM_SAYS(&s, "81CD0000 03 850105 00", "344549438641" PEER "9000");
    SIM_SAYS(&s, "81CD0000 03 850104 00", "6985");
    sim_leave(&s);
}

static void a_pair_that_is_generated_takes_the_place_of_a_key_that_was_put(void)
{
    struct sim_seat s;
    uint8_t made[0x47];

    sit(&s);
    object(&s, IOTSAFE_PUBLIC, 4)->access = IOTSAFE_READ | IOTSAFE_UPDATE;
    SIM_SAYS(&s, "81240002 03 850104", "9000");
    SIM_SAYS(&s, PUT_UPDATE, "9000");
    SIM_SAYS(&s, "81CD0000 03 850104 00", "344549438641" PEER "9000");
    (void)sim_send(&s, "81B90000 03 840104 00");
    memcpy(made, s.answer.data + 6, sizeof made);
    SIM_AGAIN(&s, "--channels", "1");
    sim_select(&s, GSMA);
    (void)sim_send(&s, "81CD0000 03 850104 00");
    CU_ASSERT(s.answer.size == sizeof made + 2 && memcmp(s.answer.data, made, sizeof made) == 0);
    sim_leave(&s);
}

static void a_public_key_is_put(void)
{
    struct sim_seat s;

    sit(&s);
    SIM_SAYS(&s, "81240002 03 850101", "6985"); /* it cannot be changed */
    SIM_SAYS(&s, PUT_UPDATE, "6985");
    SIM_SAYS(&s, PUT_OPEN "00", "9000");
    SIM_SAYS(&s, PUT_UPDATE "00", "9000");
    SIM_SAYS(&s, PUT_CLOSE, "9000");
    SIM_SAYS(&s, "81CD0000 03 850105 00", "344549438641" PEER "9000");
    SIM_SAYS(&s, PUT_OPEN, "9000");
    SIM_SAYS(&s, "81D88002 47 344549438641 04" SCALAR SCALAR, "6A80"); /* not on the curve */
    SIM_SAYS(&s, PUT_CLOSE, "6985");
    SIM_SAYS(&s, PUT_OPEN, "9000");
    SIM_SAYS(&s, "81D80002 06 344549438641", "9000"); /* in two parts */
    SIM_SAYS(&s, "81D88002 41" PEER, "9000");
    SIM_SAYS(&s, PUT_OPEN, "9000");
    SIM_SAYS(&s, "81D80002 06 340449438641", "9000"); /* with a tag each */
    SIM_SAYS(&s, "81D88002 43 3441" PEER, "9000");
    SIM_SAYS(&s, "81CD0000 03 850105 00", "344549438641" PEER "9000");
    sim_leave(&s);
}

static void a_shared_secret_is_the_x_coordinate(void)
{
    struct sim_seat s;

    sit(&s);
    iotsafe_set_key(s.card.iotsafe, object(&s, IOTSAFE_PRIVATE, 4), own_key());
    SIM_SAYS(&s, "81460000 06 840104 850105 00", "6985"); /* nobody's key is there */
    SIM_SAYS(&s, PUT_OPEN, "9000");
    SIM_SAYS(&s, PUT_UPDATE, "9000");
    SIM_SAYS(&s, PUT_CLOSE, "9000");
    SIM_SAYS(&s, "81460000 06 840104 850105 00", SHARED "9000");
    SIM_SAYS(&s, "01460000 06 850105 840104", "6120");
    SIM_SAYS(&s, "81460000 06 840101 850105 00", "6985"); /* it may only sign */
    SIM_SAYS(&s, "81460000 03 840104 00", "6A80");
    sim_leave(&s);
}

/* ---- derivation ---- */

#define SECRET_1 "C0485B054863F6DFA458789768B9035C6CACB160DD1A01834811F5783309DB81"
#define SEED_1                                                                                     \
    "657874656E646564206D617374657220736563726574CE15B44D68440B652624244DB8D2FB7DD601C759E9EB627F" \
    "B10529AB0DB76049"
#define MASTER_1                                                                                   \
    "A1F02A766DA04C8FD83A40E358267528F8D815C48E3DC353D55FE3861C350622C78B48FE6F49F6E13E1B6B175CFE" \
    "59FB"

static void prf_is_that_of_tls_1_2(void)
{
    struct sim_seat s;

    sit(&s);
    (void)sim_send(&s, "81480000 5D D120" SECRET_1 "D236" SEED_1 "D301FF 00");
    EXPECT_NUMBER(s.answer.size, 255 + 2);
    EXPECT_BYTES(s.answer.data, 48, MASTER_1);
    SIM_SAYS(&s, "01480000 5D D120" SECRET_1 "D236" SEED_1 "D30130 00", MASTER_1 "9000");
    SIM_SAYS(&s, "81480000 5D D120" SECRET_1 "D236" SEED_1 "D30100 00", "6A80");
    SIM_SAYS(&s, "81480300 5D D120" SECRET_1 "D236" SEED_1 "D30130 00", "6A86");
    SIM_SAYS(&s, "81480000 3B D236" SEED_1 "D30130 00", "6A80");
    sim_leave(&s);
}

#define PSK       "000102030405060708090A0B0C0D0E0F"
#define DH_RESULT "404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F"
#define LABEL     "D20A6C6162656C2073656564 D30110" /* "label seed", 16 octets */

static void prf_makes_the_premaster_of_a_pre_shared_key(void)
{
    struct sim_seat s;
    struct iotsafe_object *key;
    uint8_t psk[16];

    sit(&s);
    SIM_SAYS(&s, "81480100 21 D110" PSK LABEL "00", "32F41E783A5C154C9C7EA12B0EAC0110 9000");
    SIM_SAYS(&s, "81480200 43 D110" PSK "D420" DH_RESULT LABEL "00",
             "D46E0C23F0AF5792EBD53F3329ED1FE3 9000");
    SIM_SAYS(&s, "81480200 21 D110" PSK LABEL "00", "6A80");
    key = object(&s, IOTSAFE_SECRET, 6);
    bytes_free(&key->data);
    (void)bytes_of(PSK, psk, sizeof psk);
    SIM_SAYS(&s, "81480100 12 860106" LABEL "00", "6985");
    bytes_add(&key->data, psk, sizeof psk);
    SIM_SAYS(&s, "81480100 12 860106" LABEL "00", "32F41E783A5C154C9C7EA12B0EAC0110 9000");
    SIM_SAYS(&s, "81480100 1F 760E7365637265746B65794C6162656C" LABEL "00",
             "32F41E783A5C154C9C7EA12B0EAC0110 9000");
    SIM_SAYS(&s, "81480100 12 860109" LABEL "00", "6A82");
    sim_leave(&s);
}

/* RFC 5869, A.1 */
static void hkdf_extracts(void)
{
    struct sim_seat s;

    sit(&s);
    SIM_SAYS(&s,
             "814A0000 2B D116 0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B D50D "
             "000102030405060708090A0B0C "
             "91020001 00",
             "077709362C2E32DF0DDC3F0DC47BBA6390B6C73BB50F9C3122EC844AD7C2B3E5 9000");
    /* A.3: no salt */
    SIM_SAYS(&s, "814A0000 1E D116 0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B D500 91020001 00",
             "19EF24A32C717B167F33A91D6F648BDF96596776AFDB6377AC434C1C293CCB04 9000");
    SIM_SAYS(&s, "814A0000 1E D116 0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B D500 91020002",
             "6130");
    SIM_SAYS(&s, "814A0000 1E D116 0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B D500 91020008",
             "6A80");
    sim_leave(&s);
}

static void random_octets_are_as_many_as_asked_for(void)
{
    struct sim_seat s;
    uint8_t first[16];

    sit(&s);
    (void)sim_send(&s, "8184000010");
    EXPECT_NUMBER(s.answer.size, 16 + 2);
    memcpy(first, s.answer.data, sizeof first);
    (void)sim_send(&s, "0184000010");
    CU_ASSERT(memcmp(s.answer.data, first, sizeof first) != 0);
    (void)sim_send(&s, "8184000000");
    EXPECT_NUMBER(s.answer.size, 256 + 2);
    SIM_SAYS(&s, "8184000100", "6A86");
    sim_leave(&s);
}

/* RFC 4493, 4 */
static void a_secret_key_makes_a_cmac(void)
{
    struct sim_seat s;
    struct iotsafe_object *key;
    uint8_t value[16];

    SIM_SIT(&s, "--applet", "iotsafe", "--iotsafe-cmac");
    sim_select(&s, GSMA);
    SIM_SAYS(&s, "81CBC40003 860107 00",
             "C420 760C636D61636B65794C6162656C 860107 600100 4A0101 4B01B0 610101 920108 9000");
    key = object(&s, IOTSAFE_SECRET, 7);
    bytes_free(&key->data);
    (void)bytes_of("2B7E151628AED2A6ABF7158809CF4F3C", value, sizeof value);
    bytes_add(&key->data, value, sizeof value);
    SIM_SAYS(&s, "812A0001 06 860107 920108", "9000");
    SIM_SAYS(&s,
             "812B0001 22 9F20 6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51",
             "9000");
    SIM_SAYS(&s, "812B8001 0A 9F08 30C81C46A35CE411 00",
             "3310 DFA66747DE9AE63030CA32611497C827 9000");
    SIM_SAYS(&s, "812A0001 06 860106 920108", "6985");
    sim_leave(&s);
}

/* By libcrypto alone. */
static bool is_rsa_signature(EVP_PKEY *key, bool pss, const uint8_t *digest, const uint8_t *value)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool good =
        EVP_PKEY_verify_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
        (!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32) == 1) &&
        EVP_PKEY_verify(ctx, value, 256, digest, 32) == 1;

    EVP_PKEY_CTX_free(ctx);
    return good;
}

static void rsa_keys_sign_by_both_schemes(void)
{
    static const char hash[] = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";
    struct sim_seat s;
    uint8_t digest[32], value[256];
    EVP_PKEY *key;
    char command[128];

    SIM_SIT(&s, "--applet", "iotsafe", "--iotsafe-key", "rsa2048");
    SIM_AGAIN(&s, "--iotsafe-two-octets");
    sim_select(&s, GSMA);
    key = object(&s, IOTSAFE_PRIVATE, 1)->key;
    (void)bytes_of(hash, digest, sizeof digest);
    for (unsigned scheme = IOTSAFE_PKCS1; scheme <= IOTSAFE_PSS; scheme++) {
        (void)snprintf(command, sizeof command, "812A00010D840101A101039102000192 01%02X", scheme);
        SIM_SAYS(&s, command, "9000");
        (void)snprintf(command, sizeof command, "812B8001229E20%s", hash);
        SIM_SAYS(&s, command, "6100"); /* 259 octets */
        (void)sim_send(&s, "81C0000000");
        EXPECT_BYTES(s.answer.data, 3, "330100");
        EXPECT_BYTES(s.answer.data + 256, 2, "6103");
        memcpy(value, s.answer.data + 3, 253);
        (void)sim_send(&s, "81C0000003");
        memcpy(value + 253, s.answer.data, 3);
        CU_ASSERT(is_rsa_signature(key, scheme == IOTSAFE_PSS, digest, value));
        SIM_SAYS(&s, "812A0101", "9000");
    }
    SIM_SAYS(&s, "812A00010D840101A10103910200019201 04", "6985");
    SIM_SAYS(&s, "81CD000003850101", "6985"); /* how it is written there nobody tells */
    sim_leave(&s);
}

void add_sim_iotsafe_keys_suite(void)
{
    static const struct test tests[] = {
        TEST(a_pair_is_generated_and_used),
        TEST(keys_are_remembered_but_for_volatile_ones),
        TEST(a_pair_that_is_generated_takes_the_place_of_a_key_that_was_put),
        TEST(a_public_key_is_put),
        TEST(a_shared_secret_is_the_x_coordinate),
        TEST(prf_is_that_of_tls_1_2),
        TEST(prf_makes_the_premaster_of_a_pre_shared_key),
        TEST(hkdf_extracts),
        TEST(random_octets_are_as_many_as_asked_for),
        TEST(a_secret_key_makes_a_cmac),
        TEST(rsa_keys_sign_by_both_schemes),
    };

    ADD_SUITE("sim_iotsafe_keys", tests);
}
