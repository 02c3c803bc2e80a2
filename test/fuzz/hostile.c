/* SPDX-License-Identifier: Apache-2.0 */
/* The hostile card. */
#include "test/fuzz/hostile.h"

#include <string.h>

#define INS_VERIFY       0x20
#define INS_GET_RESPONSE 0xC0

void hostile_start(struct hostile *card, struct span input, int tries_wanted)
{
    memset(card, 0, sizeof *card);
    card->input = input;
    card->tries_wanted = tries_wanted;
}

/* The four cases of a short command (ISO 7816-4, 5.1). *lc and *le are 0 where absent. */
static void check_shape(const uint8_t *command, size_t length, size_t *lc, size_t *le)
{
    REQUIRE(length >= 4 && length <= APDU_COMMAND_SIZE);
    *lc = *le = 0;
    if (length == 4)
        return;
    if (length == 5) {
        *le = command[4] == 0 ? 256 : command[4];
        return;
    }
    *lc = command[4];
    REQUIRE(*lc > 0);
    REQUIRE(length == 5 + *lc || length == 6 + *lc);
    if (length == 6 + *lc)
        *le = command[length - 1] == 0 ? 256 : command[length - 1];
}

/* A VERIFY with data comes right behind the state that allows it. */
static void check_pin(struct hostile *card, const uint8_t *command, size_t lc)
{
    bool tries = (card->state & 0xFFF0) == 0x63C0;
    int left = tries ? card->state & 0x0F : -1;

    REQUIRE(command[1] != 0x24 && command[1] != 0x2C); /* nobody asked for CHANGE or UNBLOCK */
    if (command[1] != INS_VERIFY || lc == 0)
        return;
    REQUIRE(command[0] == (command[0] & 0x4F));
    REQUIRE((command[3] == 0x81 && lc >= 4 && lc <= 16) || (command[3] == 0x01 && lc == 8));
    card->verifies++;
    REQUIRE(card->asked);
    REQUIRE(card->state != 0x6983 && left != 0);
    if (card->tries_wanted == TRIES_SOFTWARE)
        REQUIRE(left >= TRIES_SOFTWARE);
    else if (card->tries_wanted == TRIES_PERSON)
        REQUIRE(left >= TRIES_PERSON || card->state == 0x9000 || (card->state & 0xFF00) == 0x9100 ||
                card->state == 0x6984);
}

/* Notes what the program now knows of the PIN's state. */
static void note_state(struct hostile *card, const uint8_t *command, size_t lc, uint16_t sw)
{
    card->asked =
        (command[1] == INS_VERIFY && lc == 0) || (card->asked && command[1] == INS_GET_RESPONSE);
    card->state = sw;
}

static uint16_t usual(uint8_t place)
{
    static const uint16_t words[] = {
        0x9000, 0x63C3, 0x6103, 0x61FF, 0x6100, 0x6C05, 0x6C00, 0x63C2, 0x6282, 0x6700, 0x6881,
        0x6982, 0x6983, 0x6984, 0x6985, 0x6A80, 0x6A81, 0x6A82, 0x6A84, 0x6A86, 0x6A88, 0x6B00,
        0x6D00, 0x6E00, 0x9110, 0x6F00, 0x63C1, 0x63C0, 0x6999, 0x6300, 0x63CF, 0x6986};

    return words[place % (sizeof words / sizeof words[0])];
}

static enum hostile_end fail(struct hostile *card, uint8_t kind, size_t *number)
{
    static const enum hostile_end ends[] = {HOSTILE_ERROR, HOSTILE_TORN, HOSTILE_SILENT,
                                            HOSTILE_GONE};

    *number = kind < 0xF0 ? input_byte(&card->input) : 0;
    if (kind >= 0xF0 || *number != CME_SIM_BUSY)
        card->asked = false;
    return kind < 0xF0 ? HOSTILE_CME : ends[kind & 3];
}

/* The data of an answer: the input's, or as many bytes as the command asked for. */
static size_t put_data(struct hostile *card, size_t le, uint8_t *answer)
{
    size_t wanted = input_byte(&card->input);
    struct span data;

    if (wanted == 0xFE) {
        memset(answer, 0x20, le);
        return le;
    }
    data = input_bytes(&card->input, wanted == 0xFF ? 256 : wanted);
    if (data.length > 0)
        memcpy(answer, data.data, data.length);
    return data.length;
}

enum hostile_end hostile_answer(struct hostile *card, const uint8_t *command, size_t length,
                                uint8_t *answer, size_t *answer_length)
{
    size_t lc, le, used;
    uint16_t sw;
    uint8_t kind;

    card->exchanges++;
    check_shape(command, length, &lc, &le);
    check_pin(card, command, lc);
    if (card->input.length == 0) {
        card->asked = false;
        return HOSTILE_SILENT;
    }
    kind = input_byte(&card->input);
    if (kind >= 0xE0) {
        enum hostile_end end = fail(card, kind, answer_length);

        if (end == HOSTILE_CME && *answer_length == CME_SIM_BUSY && command[1] == INS_VERIFY)
            card->verifies -= lc > 0; /* a modem that is busy has not passed it on */
        return end;
    }
    sw = usual(kind);
    if (kind >= 0x80) {
        sw = (uint16_t)(input_byte(&card->input) << 8);
        sw = (uint16_t)(sw | input_byte(&card->input));
    }
    used = put_data(card, le, answer);
    answer[used] = (uint8_t)(sw >> 8);
    answer[used + 1] = (uint8_t)sw;
    *answer_length = used + 2;
    note_state(card, command, lc, sw);
    return HOSTILE_ANSWERS;
}

enum outcome hostile_exchange(void *arg, const uint8_t *command, size_t command_length,
                              uint8_t *answer, size_t *answer_length, int timeout_ms, int secrecy,
                              struct deadline deadline, struct report *why)
{
    struct at_result result = {.final = AT_FINAL_ERROR, .cme = -1, .value = ""};
    size_t number = 0;

    (void)deadline;
    REQUIRE(timeout_ms > 0);
    REQUIRE((command[0] & 0x03) == 0); /* the transport's bits */
    REQUIRE(command[1] != INS_VERIFY || (secrecy & SECRET_COMMAND) != 0);
    *answer_length = 0;
    switch (hostile_answer(arg, command, command_length, answer, &number)) {
    case HOSTILE_ANSWERS:
        *answer_length = number;
        return OUTCOME_OK;
    case HOSTILE_CME:
        result.final = AT_FINAL_CME;
        result.cme = (int)number;
        break;
    case HOSTILE_ERROR:
        break;
    case HOSTILE_TORN:
        return report_set(why, OUTCOME_BAD_DATA, "torn");
    case HOSTILE_SILENT:
        return report_set(why, OUTCOME_TIMEOUT, "silent");
    case HOSTILE_GONE:
        return report_set(why, OUTCOME_NO_MODEM, "gone");
    }
    if (result.final == AT_FINAL_CME && result.cme > 1000)
        result.cme = CME_UNKNOWN;
    return transport_final(&result, "pass a command to the SIM", why);
}
