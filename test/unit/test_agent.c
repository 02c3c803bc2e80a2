/* SPDX-License-Identifier: Apache-2.0 */
/* What simkey-agent and its clients say to each other, both ways, with bytes made by hand: what is taken,
 * and that nothing else is. */
#include "apdu/agent/protocol.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <stdlib.h>
#include <string.h>

/* sign with container 2, key id 33, in the SIM 8988300000: a digest of SHA-256 */
#define SIGN_HEAD "534B 01 03 00007530 00 00 03 00 0800 02 0A 01 00 0020 00"
#define SIGN_REST "38393838333030303030 33"
#define DIGEST    "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"

/* ---- requests ---- */

static struct agent_request a_request(void)
{
    struct agent_request request = {.operation = AGENT_SIGN,
                                    .patience = 30000,
                                    .key = {.name = {.container = 2, .id_length = 1, .id = {0x33}},
                                            .type = TOKEN_RSA,
                                            .bits = 2048,
                                            .iccid = "8988300000"},
                                    .scheme = TOKEN_PKCS1,
                                    .hash = TOKEN_SHA256,
                                    .length = 32};

    for (uint8_t i = 0; i < 32; i++)
        request.data[i] = i;
    return request;
}

static void a_request_has_these_bytes(void)
{
    const struct agent_request request = a_request();
    uint8_t packet[AGENT_REQUEST_MAX];

    EXPECT_BYTES(packet, agent_write_request(&request, packet), SIGN_HEAD SIGN_REST DIGEST);
}

static void the_agent_reads_what_the_client_wrote(void)
{
    struct agent_request request = a_request(), read;
    struct report why = REPORT_INIT;
    uint8_t packet[AGENT_REQUEST_MAX];

    strcpy(request.key.name.label, "Client");
    request.key.name.applet = TOKEN_APPLET_IOTSAFE;
    CU_ASSERT(agent_read_request(packet, agent_write_request(&request, packet), &read, &why));
    EXPECT_NUMBER(read.operation, AGENT_SIGN);
    EXPECT_NUMBER(read.patience, 30000);
    EXPECT_TEXT(read.key.iccid, "8988300000");
    CU_ASSERT(token_name_equal(&read.key.name, &request.key.name));
    EXPECT_NUMBER(read.key.name.applet, TOKEN_APPLET_IOTSAFE);
    EXPECT_NUMBER(read.key.bits, 2048);
    EXPECT_NUMBER(read.hash, TOKEN_SHA256);
    EXPECT_BYTES(read.data, read.length, DIGEST);
}

/* Takes hex, changes a byte, and expects the sentence. */
static void expect_refused(size_t at, uint8_t byte, const char *said)
{
    struct agent_request read;
    struct report why = REPORT_INIT;
    uint8_t packet[AGENT_REQUEST_MAX];
    size_t length = bytes_of(SIGN_HEAD SIGN_REST DIGEST, packet, sizeof packet);

    packet[at] = byte;
    if (agent_read_request(packet, length, &read, &why))
        FAIL("byte %zu may be %02X", at, byte);
    EXPECT_NUMBER(why.outcome, OUTCOME_USAGE);
    EXPECT_SAYS(why.text, said);
}

static void a_request_of_another_kind_is_refused_in_words(void)
{
    expect_refused(0, 'X', "does not follow the agent's protocol");
    expect_refused(1, 'X', "does not follow the agent's protocol");
    expect_refused(2, 2, "another version");
    expect_refused(3, 0, "no such operation");
    expect_refused(3, AGENT_OPERATIONS, "no such operation");
    expect_refused(3, AGENT_LIST, "its operation takes none");
    expect_refused(8, TOKEN_KEY_TYPES, "does not know");
    expect_refused(9, TOKEN_SCHEMES, "does not know");
    expect_refused(9, TOKEN_ECDSA, "another type of key");
    expect_refused(10, TOKEN_HASHES, "does not know");
    expect_refused(10, TOKEN_SHA384, "not as long as its hash says");
    expect_refused(11, 2, "no such option");
    expect_refused(14, TOKEN_CONTAINERS, "no such container");
    expect_refused(14, 0xFE, "no such container");
    expect_refused(15, ICCID_SIZE, "too long");
    expect_refused(15, 11, "not as long as it says");
    expect_refused(16, TOKEN_ID_MAX + 1, "too long");
    expect_refused(17, TOKEN_LABEL_SIZE, "too long");
    expect_refused(18, 0xFF, "not as long as it says");
    expect_refused(19, 0x1F, "not as long as it says");
    expect_refused(20, TOKEN_APPLETS, "does not know");
    expect_refused(21, 'x', "not text");
    expect_refused(21, 0, "not text");
}

static void data_without_a_hash_fit_the_key(void)
{
    static const struct {
        enum token_scheme scheme;
        unsigned bits;
        size_t length;
        bool good;
    } rows[] = {{TOKEN_PKCS1, 2048, 245, true}, {TOKEN_PKCS1, 2048, 246, false},
                {TOKEN_PKCS1, 2048, 0, false},  {TOKEN_PKCS1, 0, 1, false},
                {TOKEN_PSS, 2048, 32, false},   {TOKEN_ECDSA, 256, 64, true},
                {TOKEN_ECDSA, 256, 65, false},  {TOKEN_ECDSA, 256, 0, false}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct agent_request request = a_request(), read;
        struct report why = REPORT_INIT;
        uint8_t packet[AGENT_REQUEST_MAX];

        request.hash = TOKEN_HASH_NONE;
        request.scheme = rows[i].scheme;
        request.key.type = token_scheme_type(rows[i].scheme);
        request.key.bits = rows[i].bits;
        request.length = rows[i].length;
        if (agent_read_request(packet, agent_write_request(&request, packet), &read, &why) !=
            rows[i].good)
            FAIL("row %zu: %s", i, why.text);
    }
}

static void half_a_request_is_none(void)
{
    struct agent_request read;
    struct report why = REPORT_INIT;
    uint8_t packet[AGENT_REQUEST_MAX];
    const size_t length = bytes_of(SIGN_HEAD SIGN_REST DIGEST, packet, sizeof packet);

    for (size_t part = 0; part < length; part++) {
        uint8_t *half = malloc(part > 0 ? part : 1); /* nothing behind it is touched */

        memcpy(half, packet, part);
        if (agent_read_request(half, part, &read, &why))
            FAIL("%zu of %zu bytes are a request", part, length);
        free(half);
    }
    if (agent_read_request(packet, length + 1, &read, &why))
        FAIL("a byte more is a request");
}

static void a_label_with_a_nul_is_refused(void)
{
    struct agent_request request = a_request(), read;
    struct report why = REPORT_INIT;
    uint8_t packet[AGENT_REQUEST_MAX];
    size_t length;

    strcpy(request.key.name.label, "Client");
    length = agent_write_request(&request, packet);
    packet[length - 32 - 3] = 0;
    CU_ASSERT(!agent_read_request(packet, length, &read, &why));
    EXPECT_SAYS(why.text, "not text");
}

static void options_are_of_their_operation(void)
{
    static const struct {
        enum agent_operation operation;
        uint8_t option;
        bool good;
    } rows[] = {
        {AGENT_READ, 0, true},
        {AGENT_READ, 255, true},
        {AGENT_CERTIFICATE, 255, true},
        {AGENT_DECRYPT, TOKEN_DECRYPT_OAEP, true},
        {AGENT_DECRYPT, TOKEN_DECRYPT_OAEP + 1, false},
        {AGENT_AVAILABLE, TYPEA_FILES, true},
        {AGENT_AVAILABLE, AGENT_PRIVATE | TYPEA_OBJECTS, true},
        {AGENT_AVAILABLE, TYPEA_FILES + 1, false},
        {AGENT_AVAILABLE, AGENT_PRIVATE | (TYPEA_FILES + 1), false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct agent_request request = {.operation = rows[i].operation,
                                              .key.name.container = TOKEN_CONTAINER_NONE,
                                              .option = rows[i].option};
        struct agent_request read;
        struct report why = REPORT_INIT;
        uint8_t packet[AGENT_REQUEST_MAX];

        if (agent_read_request(packet, agent_write_request(&request, packet), &read, &why) !=
            rows[i].good)
            FAIL("row %zu: %s", i, why.text);
        else if (rows[i].good)
            EXPECT_NUMBER(read.key.name.container, TOKEN_CONTAINER_NONE);
    }
}

/* ---- answers ---- */

static struct agent_answer an_answer(void)
{
    struct agent_answer answer = {.why = REPORT_INIT, .count = 2};

    answer.list[0] = (struct token_item){
        .name = {.container = 4}, .decrypts = true, .bits = 2048, .certificate = true};
    answer.list[1].name = (struct token_name)TOKEN_NAME_NONE;
    answer.list[1].name.id_length = (uint8_t)bytes_of("0102", answer.list[1].name.id, TOKEN_ID_MAX);
    strcpy(answer.list[1].name.label, "Client");
    answer.list[1].name.applet = TOKEN_APPLET_IOTSAFE;
    answer.list[1].generates = answer.list[1].empty = answer.list[1].no_signing = true;
    answer.list[1].candidates = 64;
    answer.point_length = bytes_of("040102", answer.point, TOKEN_POINT_MAX);
    strcpy(answer.iccid, "8988307014312854820");
    answer.set = UINT64_C(0x0102030405060708);
    strcpy(answer.identity.model, "EC25");
    strcpy(answer.identity.imei, "356938035643809");
    answer.pin = (struct token_pin){.verified = true, .blocked = false, .left = 3};
    answer.refused = 2;
    return answer;
}

static uint8_t packet[AGENT_ANSWER_MAX];

static void read_back(enum agent_operation operation, const struct agent_answer *answer,
                      struct agent_answer *read)
{
    const size_t length = agent_write_answer(operation, answer, packet);

    if (!agent_read_answer(operation, packet, length, read))
        FAIL("the answer to operation %d is not read", (int)operation);
}

static void the_client_reads_what_the_agent_wrote(void)
{
    struct agent_answer answer = an_answer(), read;
    static const uint8_t bytes[] = {1, 2, 3};

    read_back(AGENT_LIST, &answer, &read);
    EXPECT_NUMBER(read.count, 2);
    EXPECT_NUMBER(read.list[0].name.container, 4);
    EXPECT_NUMBER(read.list[0].bits, 2048);
    CU_ASSERT(read.list[0].decrypts && read.list[0].certificate && !read.list[1].decrypts);
    CU_ASSERT(token_name_equal(&read.list[1].name, &answer.list[1].name));
    EXPECT_NUMBER(read.list[1].name.applet, TOKEN_APPLET_IOTSAFE);
    CU_ASSERT(read.list[1].generates && read.list[1].empty && read.list[1].no_signing);
    CU_ASSERT(!read.list[0].generates && !read.list[0].empty && !read.list[0].no_signing);
    EXPECT_NUMBER(read.list[1].candidates, 64);
    read_back(AGENT_ALGORITHMS, &answer, &read);
    CU_ASSERT(read.set == answer.set);
    read_back(AGENT_IDENTITY, &answer, &read);
    EXPECT_TEXT(read.identity.model, "EC25");
    EXPECT_TEXT(read.identity.imei, "356938035643809");
    EXPECT_TEXT(read.iccid, "8988307014312854820");
    read_back(AGENT_TRIES, &answer, &read);
    CU_ASSERT(read.pin.verified && !read.pin.blocked);
    EXPECT_NUMBER(read.pin.left, 3);
    EXPECT_NUMBER(read.refused, 2);
    answer.pin.left = -1;
    read_back(AGENT_TRIES, &answer, &read);
    EXPECT_NUMBER(read.pin.left, -1);
    answer.data = bytes;
    answer.length = sizeof bytes;
    for (int i = AGENT_SIGN; i <= AGENT_AVAILABLE; i++)
        if (i == AGENT_SIGN || i == AGENT_DECRYPT || i == AGENT_AVAILABLE) {
            read_back((enum agent_operation)i, &answer, &read);
            EXPECT_BYTES(read.data, read.length, "010203");
        }
    read_back(AGENT_READ, &answer, &read);
    EXPECT_BYTES(read.data, read.length, "010203");
    EXPECT_NUMBER(read.list[0].name.container, 4);
    EXPECT_TEXT(read.iccid, "8988307014312854820");
    EXPECT_BYTES(read.point, read.point_length, "040102");
    read_back(AGENT_CERTIFICATE, &answer, &read);
    EXPECT_BYTES(read.data, read.length, "010203");
    EXPECT_TEXT(read.iccid, "8988307014312854820");
}

static void an_error_comes_whole_and_harmless(void)
{
    struct agent_answer answer = {.why = REPORT_INIT}, read;

    (void)report_sw(&answer.why, OUTCOME_REFUSED, 0x6985, "no");
    answer.why.cme = 14;
    strcpy(answer.why.text, "\033[2Jno");
    read_back(AGENT_SIGN, &answer, &read);
    EXPECT_NUMBER(read.why.outcome, OUTCOME_REFUSED);
    EXPECT_NUMBER(read.why.sw, 0x6985);
    EXPECT_NUMBER(read.why.cme, 14);
    EXPECT_TEXT(read.why.text, "\\x1b[2Jno");
    EXPECT_NUMBER(read.length, 0);
}

static void what_does_not_fit_becomes_an_error(void)
{
    struct agent_answer answer = {.why = REPORT_INIT}, read;
    uint8_t *large = calloc(1, AGENT_ANSWER_MAX);

    answer.data = large;
    answer.length = AGENT_ANSWER_MAX - AGENT_ANSWER;
    read_back(AGENT_AVAILABLE, &answer, &read);
    EXPECT_NUMBER(read.length, AGENT_ANSWER_MAX - AGENT_ANSWER);
    answer.length++;
    read_back(AGENT_AVAILABLE, &answer, &read);
    EXPECT_NUMBER(read.why.outcome, OUTCOME_BAD_DATA);
    free(large);
}

/* Every single bit turned, and every part: nothing but the same lengths is taken, nothing beyond the
 * packet is read (by the sanitizers' word). */
static void a_broken_answer_is_refused_or_makes_sense(void)
{
    static const enum agent_operation operations[] = {
        AGENT_LIST,  AGENT_READ, AGENT_ALGORITHMS, AGENT_IDENTITY,
        AGENT_TRIES, AGENT_SIGN, AGENT_CERTIFICATE};
    const struct agent_answer answer = an_answer();
    struct agent_answer read;

    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        const size_t length = agent_write_answer(operations[i], &answer, packet);

        for (size_t part = 0; part < length; part++) {
            uint8_t *copy = malloc(part > 0 ? part : 1);

            memcpy(copy, packet, part);
            if (agent_read_answer(operations[i], copy, part, &read))
                FAIL("%zu of %zu bytes are an answer", part, length);
            free(copy);
        }
        for (size_t bit = 0; bit < 8 * length; bit++) {
            uint8_t *copy = malloc(length);

            memcpy(copy, packet, length);
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (agent_read_answer(operations[i], copy, length, &read))
                CU_ASSERT(read.count <= TOKEN_ITEMS && read.length <= length &&
                          read.point_length <= TOKEN_POINT_MAX &&
                          memchr(read.iccid, 0, ICCID_SIZE) != NULL);
            free(copy);
        }
    }
}

static void a_signature_longer_than_any_is_refused(void)
{
    static const uint8_t bytes[AGENT_DATA_MAX + 1];
    struct agent_answer answer = {.why = REPORT_INIT, .data = bytes, .length = sizeof bytes}, read;
    size_t length = agent_write_answer(AGENT_SIGN, &answer, packet);

    CU_ASSERT(!agent_read_answer(AGENT_SIGN, packet, length, &read));
    answer.length--;
    length = agent_write_answer(AGENT_SIGN, &answer, packet);
    CU_ASSERT(agent_read_answer(AGENT_SIGN, packet, length, &read));
}

void add_agent_suite(void)
{
    static const struct test tests[] = {
        TEST(a_request_has_these_bytes),
        TEST(the_agent_reads_what_the_client_wrote),
        TEST(a_request_of_another_kind_is_refused_in_words),
        TEST(data_without_a_hash_fit_the_key),
        TEST(half_a_request_is_none),
        TEST(a_label_with_a_nul_is_refused),
        TEST(options_are_of_their_operation),
        TEST(the_client_reads_what_the_agent_wrote),
        TEST(an_error_comes_whole_and_harmless),
        TEST(what_does_not_fit_becomes_an_error),
        TEST(a_broken_answer_is_refused_or_makes_sense),
        TEST(a_signature_longer_than_any_is_refused),
    };

    ADD_SUITE("agent", tests);
}
