/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the public operations (keys, Type A, SAFE2, raw APDUs) from port to applet, with a
 * modem that speaks AT well and a card behind it that does not (hostile.h).
 *
 * The first byte: 1 operation or 2; carrier by AT+CCHO only; no ICCID told; channels opened by the
 * input too. Then one byte for each operation; the rest are the card's answers. */
#include "apdu/safe2.h"
#include "apdu/token.h"
#include "apdu/typea.h"
#include "provider/key.h"
#include "test/fuzz/hostile.h"
#include "test/fuzz/line.h"

#include <openssl/ec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_S   20
#define FAREWELL_MS 500
#define SLACK_MS    100

#define HEAD_TWO      0x01
#define HEAD_CCHO     0x02
#define HEAD_NO_ICCID 0x04
#define HEAD_OPEN     0x08

struct modem {
    struct hostile card;
    uint8_t head;
};

static void say(const char *text)
{
    line_say(text, strlen(text), 5);
}

static void say_answer(const char *prefix, const uint8_t *answer, size_t length, bool torn)
{
    char hex[2 * APDU_ANSWER_SIZE + 1], text[2 * APDU_ANSWER_SIZE + 64];

    hex_encode(answer, length, hex);
    if (torn)
        hex[length] = '\0';
    (void)snprintf(text, sizeof text, "\r\n%s %zu,\"%s\"\r\n\r\nOK\r\n", prefix, 2 * length, hex);
    say(text);
}

static void pass(struct modem *modem, const char *prefix, const char *value)
{
    uint8_t command[APDU_COMMAND_SIZE], answer[APDU_ANSWER_SIZE] = {0x90, 0x00};
    size_t length = at_parse_apdu(value, command, sizeof command), answer_length = 0;
    char text[32];

    REQUIRE(length >= 4);
    if (command[1] == 0x70 && (modem->head & HEAD_OPEN) == 0) {
        const uint8_t opened[] = {0x01, 0x90, 0x00};

        say_answer(prefix, command[2] == 0 ? opened : opened + 1, command[2] == 0 ? 3 : 2, false);
        return;
    }
    switch (hostile_answer(&modem->card, command, length, answer, &answer_length)) {
    case HOSTILE_ANSWERS:
        say_answer(prefix, answer, answer_length, false);
        break;
    case HOSTILE_CME:
        (void)snprintf(text, sizeof text, "\r\n+CME ERROR: %zu\r\n", answer_length);
        say(text);
        break;
    case HOSTILE_ERROR:
        say("\r\nERROR\r\n");
        break;
    case HOSTILE_TORN:
        say_answer(prefix, answer, 2, true);
        break;
    case HOSTILE_SILENT:
        break;
    case HOSTILE_GONE:
        line_unplug();
        break;
    }
}

static void heard(void *arg, const char *text)
{
    struct modem *modem = arg;

    if (strncmp(text, "AT+CSIM=", 8) == 0 && (modem->head & HEAD_CCHO) != 0)
        say("\r\n+CME ERROR: 4\r\n");
    else if (strncmp(text, "AT+CSIM=", 8) == 0)
        pass(modem, "+CSIM:", text + 8);
    else if (strncmp(text, "AT+CGLA=1,", 10) == 0)
        pass(modem, "+CGLA:", text + 10);
    else if (strncmp(text, "AT+CCHO=", 8) == 0)
        say("\r\n+CCHO: 1\r\n\r\nOK\r\n");
    else if (strncmp(text, "AT+CRSM=", 8) == 0 && (modem->head & HEAD_NO_ICCID) == 0)
        say("\r\n+CRSM: 144,0,\"98883003000000000071\"\r\n\r\nOK\r\n");
    else if (strcmp(text, "AT+CPIN?") == 0)
        say("\r\n+CPIN: READY\r\n\r\nOK\r\n");
    else if (strncmp(text, "ATE0", 4) == 0 || strcmp(text, "AT") == 0 ||
             strncmp(text, "AT+CMEE", 7) == 0 || strncmp(text, "AT+CCHC", 7) == 0)
        say("\r\nOK\r\n");
    else
        say("\r\nERROR\r\n");
}

static const uint8_t digest[64] = {0xDD};

static enum outcome sign(struct sim *sim, enum token_scheme scheme, struct report *why)
{
    struct token_key key = {.key_id = 0x31, .bits = 2048};
    uint8_t *signature = malloc(TOKEN_SIGNATURE_MAX);
    size_t length = 0;
    enum outcome outcome;

    key.type = scheme == TOKEN_ECDSA ? TOKEN_EC : TOKEN_RSA;
    key.bits = scheme == TOKEN_ECDSA ? 256 : 2048;
    outcome = token_sign(sim, &key, scheme, TOKEN_SHA256, digest, 32, signature, &length,
                         sim_deadline(sim), why);
    REQUIRE(outcome != OUTCOME_OK || (length > 0 && length <= TOKEN_SIGNATURE_MAX));
    free(signature);
    return outcome;
}

/* A signature that the card made up never gets out. */
static enum outcome sign_and_prove(struct sim *sim, struct report *why)
{
    static EVP_PKEY *public_key;
    static struct provider provider;
    struct key key = {.provider = &provider};
    uint8_t signature[80];
    size_t length = sizeof signature;
    enum outcome outcome;

    if (public_key == NULL)
        public_key = EVP_EC_gen("P-256");
    REQUIRE(public_key != NULL);
    REQUIRE(choice_new(&key.choice, &sim, 1, "", why) == OUTCOME_OK);
    key.public_key = public_key;
    key.token = (struct token_key){.key_id = 0x61, .type = TOKEN_EC, .bits = 256};
    outcome = key_sign(&key, TOKEN_ECDSA, TOKEN_SHA256, digest, 32, signature, &length, why);
    choice_free(key.choice);
    REQUIRE(outcome != OUTCOME_OK);
    REQUIRE(length == 0);
    return outcome;
}

static enum outcome decrypt(struct sim *sim, struct report *why)
{
    const struct token_key key = {.key_id = 0x31, .type = TOKEN_RSA, .bits = 2048};
    static const uint8_t cryptogram[256] = {1};
    uint8_t *plain = malloc(TOKEN_PLAIN_MAX);
    size_t length = 0;
    enum outcome outcome = token_decrypt(sim, &key, TOKEN_DECRYPT_PKCS1, TOKEN_HASH_NONE,
                                         cryptogram, sizeof cryptogram, plain, &length, why);

    REQUIRE(length <= TOKEN_PLAIN_MAX);
    free(plain);
    return outcome;
}

static enum outcome list(struct sim *sim, struct report *why)
{
    struct token_container containers[TOKEN_CONTAINERS];
    size_t count = 0;
    enum outcome outcome = token_list(sim, containers, &count, why);

    REQUIRE(count <= TOKEN_CONTAINERS);
    return outcome;
}

static enum outcome read_one(struct sim *sim, struct report *why)
{
    struct token_container info;
    uint8_t *certificate = NULL;
    size_t length = 0;
    char iccid[ICCID_SIZE] = "";
    enum outcome outcome = token_read(sim, "", 0, &info, &certificate, &length, iccid, why);

    REQUIRE(outcome != OUTCOME_OK || (certificate != NULL && length > 0));
    REQUIRE(outcome == OUTCOME_OK || certificate == NULL);
    free(certificate);
    return outcome;
}

static enum outcome type_a(struct sim *sim, bool private_key, struct report *why)
{
    struct typea_blob blob;
    enum outcome outcome = private_key ? typea_key(sim, "", TYPEA_ANY, &blob, why)
                                       : typea_certificate(sim, "", TYPEA_ANY, &blob, why);

    REQUIRE(outcome == OUTCOME_OK ? blob.data != NULL : blob.data == NULL);
    typea_blob_clear(&blob);
    return outcome;
}

static enum outcome safe2(struct sim *sim, unsigned which, struct report *why)
{
    static const uint8_t id[] = {1, 2, 3, 4};
    struct safe2_status status;
    uint8_t *data = malloc(SAFE2_DATA_MAX);
    size_t length = 0;
    enum outcome outcome;

    switch (which % 4) {
    case 0:
        outcome = safe2_status(sim, SAFE2_RECEIVING, &status, why);
        REQUIRE(outcome != OUTCOME_OK || (status.known && safe2_phase(&status) <= SAFE2_FAILED));
        break;
    case 1:
        outcome = safe2_status(sim, SAFE2_SENDING, &status, why);
        break;
    case 2:
        outcome = safe2_fetch(sim, data, &length, why);
        REQUIRE(outcome == OUTCOME_OK ? length > 0 && length <= SAFE2_DATA_MAX : length == 0);
        break;
    default:
        outcome = which & 4 ? safe2_send(sim, id, sizeof id, digest, sizeof digest, why)
                            : safe2_request(sim, id, sizeof id, why);
        break;
    }
    free(data);
    return outcome;
}

static bool got(void *arg, size_t index, const struct sim_answer *answer)
{
    (void)arg, (void)index;
    REQUIRE(answer->length <= sizeof answer->data);
    return answer->sw == SW_OK;
}

static enum outcome raw(struct sim *sim, struct report *why)
{
    static const uint8_t first[] = {0x00, 0xB0, 0x00, 0x00, 0x00},
                         second[] = {0x00, 0xA4, 0x08, 0x04, 0x02, 0x2F, 0xE2, 0x00};
    const uint8_t *const commands[] = {first, second};
    const size_t lengths[] = {sizeof first, sizeof second};
    const struct sim_raw request = {
        .count = 2, .commands = commands, .lengths = lengths, .got = got};

    return sim_raw(sim, &request, why);
}

static enum outcome person(struct sim *sim, struct modem *modem, bool last, struct report *why)
{
    char stuck[TOKEN_PATH_SIZE];
    struct token_pin state;
    enum outcome outcome;

    modem->card.tries_wanted = last ? TRIES_ANY : TRIES_PERSON;
    outcome = token_pin_verify(sim, "0000", NULL, last, &state, stuck, why);
    REQUIRE(modem->card.verifies <= 1);
    return outcome;
}

static enum outcome operate(struct sim *sim, struct modem *modem, unsigned which,
                            struct report *why)
{
    const struct token_key key = {.key_id = 0x31, .type = TOKEN_RSA, .bits = 2048};
    struct token_pin state;
    uint8_t bytes[200];
    uint32_t mask;

    switch (which % 16) {
    case 0:
    case 1:
    case 2:
        return sign(sim, (enum token_scheme)(which % 16), why);
    case 3:
        return sign_and_prove(sim, why);
    case 4:
        return decrypt(sim, why);
    case 5:
        return list(sim, why);
    case 6:
        return read_one(sim, why);
    case 7:
    case 8:
        return type_a(sim, which % 16 == 8, why);
    case 9:
    case 10:
        return safe2(sim, which >> 4, why);
    case 11:
        return raw(sim, why);
    case 12:
        return token_pin_status(sim, &state, NULL, why);
    case 13:
        return person(sim, modem, (which & 0x10) != 0, why);
    case 14:
        return token_random(sim, bytes, sizeof bytes, why);
    default:
        return token_algorithms(sim, &key, &mask, why);
    }
}

static struct sim *make_sim(void)
{
    struct report why = REPORT_INIT;
    struct settings settings;
    struct sim *sim = NULL;

    settings_init(&settings);
    REQUIRE(settings_set(&settings, "device", LINE_DEVICE, &why) == OUTCOME_OK);
    REQUIRE(settings_set(&settings, "run-dir", "/proc/none/run", &why) == OUTCOME_OK);
    REQUIRE(settings_set(&settings, "pin", "0000", &why) == OUTCOME_OK);
    settings.timeout = TIMEOUT_S;
    REQUIRE(sim_new(&sim, &settings, &why) == OUTCOME_OK);
    settings_clear(&settings);
    return sim;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {data, size};
    struct modem modem = {.head = input_byte(&input)};
    unsigned count = modem.head & HEAD_TWO ? 2 : 1;
    unsigned which[2] = {input_byte(&input), count == 2 ? input_byte(&input) : 0};
    struct sim *sim;
    int64_t started;

    hostile_start(&modem.card, input, TRIES_SOFTWARE);
    line_start(heard, &modem);
    sim = make_sim();
    for (unsigned i = 0; i < count; i++) {
        /* what looks for two places, or proves a signature, is two operations */
        int64_t most = (which[i] % 16 == 3 || which[i] % 16 == 7 || which[i] % 16 == 8 ? 2 : 1) *
                       (int64_t)TIMEOUT_S * 1000;
        struct report why = REPORT_INIT;
        enum outcome outcome;

        modem.card.tries_wanted = TRIES_SOFTWARE;
        modem.card.verifies = 0;
        started = line_now();
        outcome = operate(sim, &modem, which[i], &why);
        check_report(outcome, &why);
        REQUIRE(line_now() - started <= most + SLACK_MS);
    }
    modem.card.tries_wanted = TRIES_SOFTWARE;
    started = line_now();
    sim_free(sim);
    REQUIRE(line_now() - started <= FAREWELL_MS + SLACK_MS);
    return 0;
}
