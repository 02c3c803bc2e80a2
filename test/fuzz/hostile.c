/* SPDX-License-Identifier: Apache-2.0 */
/* The hostile card: what it answers, and what it knows of its channels. What it forbids is in
 * watch.c. */
#include "test/fuzz/hostile.h"

#include "test/fuzz/watch.h"

#include <string.h>

void hostile_start(struct hostile *card, struct span input, int tries_wanted)
{
    memset(card, 0, sizeof *card);
    card->input = input;
    card->told = card->before = -1;
    hostile_operation(card, SOURCE_LITERAL, tries_wanted);
}

void hostile_operation(struct hostile *card, enum hostile_source source, int tries_wanted)
{
    watch_settle(card); /* the last operation's PIN is its source's */
    card->source = source;
    card->tries_wanted = tries_wanted;
    card->verifies = 0;
    card->copies = 0;
    card->called_busy = false;
    card->change_wanted = card->asked = card->disturbed = false;
    card->shifted = card->reset_unheard = false;
    card->mistaken = card->fetched_for = 0;
    if (!card->remembers)
        memset(card->refused, 0, sizeof card->refused);
    for (unsigned i = 0; i < HOSTILE_CHANNELS; i++)
        card->channels[i].selected = card->channels[i].select_under_way = false;
}

unsigned hostile_free_channel(const struct hostile *card)
{
    for (unsigned i = 1; i < 4; i++)
        if (!card->channels[i].open)
            return i;
    return 0;
}

void hostile_open(struct hostile *card, unsigned channel, bool selected)
{
    REQUIRE(channel > 0 && channel < HOSTILE_CHANNELS);
    card->twice = 0;
    card->copies = 0;
    card->channels[channel] =
        (struct hostile_channel){.open = true, .owed = true, .selected = selected};
}

void hostile_close(struct hostile *card, unsigned channel)
{
    REQUIRE(channel < HOSTILE_CHANNELS);
    card->twice = 0;
    card->copies = 0;
    card->channels[channel] = (struct hostile_channel){.open = false};
    if (card->shifted) /* the program may take another answer for that of closing it */
        card->mistaken |= 1U << channel;
}

void hostile_close_failed(struct hostile *card, unsigned channel, enum hostile_end end)
{
    struct hostile_channel *closing;

    REQUIRE(channel < HOSTILE_CHANNELS);
    closing = &card->channels[channel];
    closing->unclosed += end == HOSTILE_CME || end == HOSTILE_ERROR;
    /* or the refusal came one answer too late */
    if (closing->unclosed >= 6 || card->shifted)
        closing->owed = false;
}

void hostile_reset(struct hostile *card)
{
    memset(card->channels, 0, sizeof card->channels);
    card->asked = false;
}

static uint16_t usual(uint8_t place)
{
    static const uint16_t words[] = {
        0x9000, 0x63C3, 0x6103, 0x61FF, 0x6100, 0x6C05, 0x6C00, 0x63C2, 0x6282, 0x6700, 0x6881,
        0x6982, 0x6983, 0x6984, 0x6985, 0x6A80, 0x6A81, 0x6A82, 0x6A84, 0x6A86, 0x6A88, 0x6B00,
        0x6D00, 0x6E00, 0x9110, 0x6F00, 0x63C1, 0x63C0, 0x6999, 0x6300, 0x63CF, 0x6986};

    return words[place % (sizeof words / sizeof words[0])];
}

/* How a command ends that is not simply answered. */
static enum hostile_end take_end(struct hostile *card, uint8_t kind, size_t *number)
{
    static const enum hostile_end ends[] = {HOSTILE_ERROR, HOSTILE_TORN, HOSTILE_SILENT,
                                            HOSTILE_GONE,  HOSTILE_LATE, HOSTILE_RESTARTS,
                                            HOSTILE_STRAY, HOSTILE_TWICE};

    if (kind >= 0xF0)
        return ends[kind & 7];
    *number = input_byte(&card->input);
    return HOSTILE_CME;
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

static uint16_t take_word(struct hostile *card, uint8_t kind)
{
    uint16_t sw = usual(kind);

    if (kind >= 0x80) {
        sw = (uint16_t)(input_byte(&card->input) << 8);
        sw = (uint16_t)(sw | input_byte(&card->input));
    }
    return sw;
}

static bool has_answer(enum hostile_end end)
{
    return end == HOSTILE_ANSWERS || end == HOSTILE_LATE || end == HOSTILE_STRAY ||
           end == HOSTILE_TWICE;
}

enum hostile_end hostile_answer(struct hostile *card, unsigned channel, const uint8_t *command,
                                size_t length, uint8_t *answer, size_t *answer_length)
{
    enum hostile_end end = HOSTILE_ANSWERS;
    struct watched watched;
    size_t used;
    uint8_t kind;

    card->exchanges++;
    watched = watch_command(card, channel, command, length);
    if (channel > 0 && channel < HOSTILE_CHANNELS &&
        !card->channels[channel].open) { /* there is no such channel */
        watched.sw = 0x6881;
        answer[0] = 0x68;
        answer[1] = 0x81;
        watched.answer_length = *answer_length = 2;
        watch_end(card, &watched, HOSTILE_ANSWERS, 0);
        return HOSTILE_ANSWERS;
    }
    if (card->input.length == 0) {
        watch_end(card, &watched, HOSTILE_SILENT, 0);
        return HOSTILE_SILENT;
    }
    kind = input_byte(&card->input);
    if (kind >= 0xE0)
        end = take_end(card, kind, answer_length);
    if (!has_answer(end)) {
        watch_end(card, &watched, end, *answer_length);
        return end;
    }
    if (end != HOSTILE_ANSWERS)
        kind = input_byte(&card->input);
    watched.sw = take_word(card, kind);
    used = put_data(card, watched.le, answer);
    answer[used] = (uint8_t)(watched.sw >> 8);
    answer[used + 1] = (uint8_t)watched.sw;
    *answer_length = used + 2;
    watched.first = answer[0];
    watched.answer_length = used + 2;
    watch_end(card, &watched, end, 0);
    return end;
}

enum outcome hostile_exchange(void *arg, struct exchange *exchange, struct deadline deadline,
                              struct report *why)
{
    struct at_result result = {.final = AT_FINAL_ERROR, .cme = -1, .value = ""};
    size_t number = 0;
    struct hostile *card = arg;

    (void)deadline;
    card->channels[1].open = true; /* who lost it opened another one */
    REQUIRE(exchange->timeout_ms > 0);
    REQUIRE((exchange->command[0] & 0x03) == 0); /* the transport's bits */
    REQUIRE(exchange->command[1] != INS_VERIFY || (exchange->secrecy & SECRET_COMMAND) != 0);
    exchange->answer_length = 0;
    switch (
        hostile_answer(card, 1, exchange->command, exchange->length, exchange->answer, &number)) {
    case HOSTILE_ANSWERS:
    case HOSTILE_TWICE:
    case HOSTILE_STRAY:
        exchange->answer_length = number;
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
    case HOSTILE_LATE:
        return report_set(why, OUTCOME_TIMEOUT, "silent");
    case HOSTILE_RESTARTS:
        return report_set(why, OUTCOME_LOST, "restarted");
    case HOSTILE_GONE:
        return report_set(why, OUTCOME_NO_MODEM, "gone");
    }
    if (result.final == AT_FINAL_CME && result.cme > 1000)
        result.cme = CME_UNKNOWN;
    return at_outcome(&result, "pass a command to the SIM", why);
}
