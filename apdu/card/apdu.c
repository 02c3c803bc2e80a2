/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, responses and the T=0 rules. */
#include "apdu/card/apdu.h"

#include "apdu/aid.h"
#include "modem/channel.h"

#include <string.h>

#define INS_VERIFY       0x20
#define INS_CHANGE       0x24
#define INS_DISABLE      0x26
#define INS_ENABLE       0x28
#define INS_UNBLOCK      0x2C
#define INS_SELECT       0xA4
#define INS_GET_RESPONSE 0xC0
#define INS_MSE          0x22
#define INS_PUT_DATA     0xDA

/* A signature of 512 bytes in pieces of 16 is as far as an honest card goes; one modem answers 6100
 * for ever. */
#define ROUNDS_MAX 40

/* With this much data, a Le and the name of a session an AT line has less than 512 characters. */
#define SHORT_PIECE 224

/* Bytes of an answer whose line has at most 500 characters. */
#define SHORT_ANSWER 240

static size_t encode(const struct apdu *command, int le, uint8_t bytes[APDU_COMMAND_SIZE])
{
    size_t length = 4;

    bytes[0] = command->cla;
    bytes[1] = command->ins;
    bytes[2] = command->p1;
    bytes[3] = command->p2;
    if (command->lc > 0) {
        bytes[length++] = (uint8_t)command->lc;
        memcpy(bytes + length, command->data, command->lc);
        length += command->lc;
    }
    if (le != APDU_LE_NONE)
        bytes[length++] = (uint8_t)le; /* 256 is 00 */
    return length;
}

/* True if these data may be the answer to the command: a card gives no more than it was asked for,
 * and nothing where nothing can be. (A modem that follows 61xx itself may add data to SELECT, or give
 * more at once than a card can.) What cannot be was another command's answer, another program's for
 * instance. */
static bool fits(const struct apdu *command, int le, size_t length, uint16_t sw)
{
    if (command->le != APDU_LE_NONE || le != APDU_LE_NONE)
        return le == APDU_LE_NONE || le == APDU_LE_ALL || length <= (size_t)le;
    return length == 0 || sw != SW_OK ||
           (command->ins != INS_VERIFY && command->ins != INS_CHANGE &&
            command->ins != INS_UNBLOCK && command->ins != INS_MSE && command->ins != INS_PUT_DATA);
}

void apdu_doubt(const struct card *card)
{
    if (card->doubt != NULL)
        card->doubt(card->arg);
}

void card_note_selected(const struct card *card, const uint8_t *aid, size_t aid_length)
{
    struct selection *selection = card->selection;

    if (selection == NULL || aid_length > sizeof selection->aid)
        return;
    memcpy(selection->aid, aid, aid_length);
    selection->aid_length = aid_length;
    selection->pinless = card_is_iotsafe(card, aid, aid_length);
}

bool card_just_selected(const struct card *card, const uint8_t *aid, size_t aid_length)
{
    const struct selection *selection = card->selection;

    return selection != NULL && aid_length > 0 && selection->aid_length == aid_length &&
           memcmp(selection->aid, aid, aid_length) == 0;
}

bool apdu_pin_instruction(uint8_t ins)
{
    static const uint8_t list[] = {INS_VERIFY, INS_CHANGE, INS_DISABLE, INS_ENABLE, INS_UNBLOCK};

    for (size_t i = 0; i < sizeof list; i++)
        if ((ins & 0xFE) == list[i])
            return true;
    return false;
}

bool card_is_iotsafe(const struct card *card, const uint8_t *aid, size_t aid_length)
{
    return aid_is_iotsafe(aid, aid_length) ||
           (card->iotsafe_length > 0 && card->iotsafe_length == aid_length &&
            memcmp(card->iotsafe, aid, aid_length) == 0);
}

bool apdu_iotsafe_instruction(uint8_t ins)
{
    return ins == INS_CHANGE || (ins & 0xFE) == INS_UNBLOCK;
}

/* The same for a question for a PIN's state, which has no data. */
static bool is_pin_instruction(const struct card *card, uint8_t ins)
{
    return apdu_pin_instruction(ins) &&
           !(card->selection != NULL && card->selection->pinless && apdu_iotsafe_instruction(ins));
}

bool apdu_is_pin(const struct card *card, const struct apdu *command)
{
    return command->lc > 0 && is_pin_instruction(card, command->ins);
}

/* Whatever is no question for a PIN's state may change what the channel is. */
static void note_command(const struct card *card, const struct apdu *command)
{
    bool secret =
        apdu_is_pin(card, command) && (command->ins == INS_VERIFY || command->ins == INS_CHANGE);

    if (card->selection == NULL)
        return;
    if (secret)
        card->selection->passed = true;
    if (secret || command->ins != INS_VERIFY)
        card->selection->aid_length = 0;
}

/* What is selected by now. A SELECT that was not answered may have been done. */
static void note_select(const struct card *card, const struct apdu *command, enum outcome outcome,
                        uint16_t sw)
{
    const bool refused = outcome == OUTCOME_OK && sw >= 0x6400 && (sw & 0xFF00) != 0x9000;

    if (card->selection == NULL || command->ins != INS_SELECT || refused)
        return;
    card->selection->pinless = outcome == OUTCOME_OK && command->p1 == 0x04 &&
                               card_is_iotsafe(card, command->data, command->lc);
}

/* One exchange: what came is appended to the answer. */
static enum outcome exchange(const struct card *card, const struct apdu *command, int le,
                             struct answer *answer, struct report *why)
{
    uint8_t bytes[APDU_COMMAND_SIZE], got[APDU_ANSWER_SIZE];
    struct exchange sent = {.command = bytes,
                            .length = encode(command, le, bytes),
                            .timeout_ms =
                                command->timeout_ms > 0 ? command->timeout_ms : APDU_TIMEOUT_MS,
                            .secrecy = command->secrecy,
                            .brief = command->brief,
                            .answer = got};
    size_t got_length;
    int64_t started = monotonic_ms();
    enum outcome outcome;

    if (is_pin_instruction(card, command->ins))
        sent.secrecy |= SECRET_COMMAND;
    note_command(card, command);
    outcome = card->exchange(card->arg, &sent, card->deadline, why);
    got_length = sent.answer_length;
    if (outcome == OUTCOME_BAD_DATA && sent.cut && card->quirks != NULL)
        *card->quirks |= QUIRK_SHORT_LINES; /* the next start asks for less at a time */
    trace_apdu(card->trace, bytes, sent.length, outcome == OUTCOME_OK ? got : NULL, got_length,
               monotonic_ms() - started, sent.secrecy);
    if (outcome == OUTCOME_OK) {
        answer->sw = (uint16_t)(got[got_length - 2] << 8 | got[got_length - 1]);
        if ((answer->sw & 0xFF00) ==
            0x9100) /* success, and the card wants to tell the modem something */
            answer->sw = SW_OK;
        got_length -= 2;
        if (!fits(command, le, got_length, answer->sw))
            outcome =
                report_set(why, OUTCOME_BAD_DATA,
                           "the answer has %zu bytes, more than the command asked for", got_length);
        else if (got_length > sizeof answer->data - answer->length)
            outcome = report_set(why, OUTCOME_BAD_DATA, "the card's answer has no end");
        else
            memcpy(answer->data + answer->length, got, got_length);
        answer->length += outcome == OUTCOME_OK ? got_length : 0;
    }
    note_select(card, command, outcome, answer->sw);
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(got, sizeof got);
    return outcome;
}

/* The same, and once more if the modem failed, or its answer is torn or another command's, and the
 * command may be repeated. Nothing is outstanding then, see at_command. */
static enum outcome exchange_again(const struct card *card, const struct apdu *command, int le,
                                   struct answer *answer, struct report *why)
{
    enum outcome outcome = exchange(card, command, le, answer, why);

    if (outcome == OUTCOME_BAD_DATA)
        apdu_doubt(card);
    if ((outcome == OUTCOME_LOST || outcome == OUTCOME_BAD_DATA) && command->repeatable &&
        !apdu_pin_instruction(command->ins))
        outcome = exchange(card, command, le, answer, why);
    return outcome;
}

/* True for an end of the second try that says more than the refusal of the first one. */
static bool tells_more(enum outcome outcome)
{
    return outcome == OUTCOME_NO_SIM || outcome == OUTCOME_NO_MODEM || outcome == OUTCOME_LOST ||
           outcome == OUTCOME_TIMEOUT;
}

/* Some stacks refuse a Le behind data. The card has not seen the command then, or has refused it
 * unexecuted. */
static enum outcome exchange_le(const struct card *card, const struct apdu *command,
                                struct answer *answer, struct report *why)
{
    bool case_4 = command->lc > 0 && command->le != APDU_LE_NONE;
    int le = case_4 && *card->no_le ? APDU_LE_NONE : command->le;
    enum outcome outcome = exchange_again(card, command, le, answer, why);
    struct report second = REPORT_INIT;
    struct answer other = {.length = 0};
    enum outcome retried;

    if (!case_4 || le == APDU_LE_NONE ||
        !(outcome == OUTCOME_CARRIER_REFUSED || (outcome == OUTCOME_OK && answer->sw == 0x6700)))
        return outcome;
    if (!command->repeatable && outcome == OUTCOME_CARRIER_REFUSED && why->cme < 0) {
        /* a bare ERROR does not tell whether the card saw it: only a new session may say it again
         */
        *card->no_le = true;
        why->outcome = OUTCOME_LOST;
        return OUTCOME_LOST;
    }
    retried = exchange_again(card, command, APDU_LE_NONE, &other, &second);
    if (retried == OUTCOME_OK && other.sw != 0x6700) {
        *card->no_le = true;
        *answer = other;
        report_clear(why);
        outcome = OUTCOME_OK;
    } else if (tells_more(retried)) {
        *why = second;
        outcome = retried;
    }
    answer_clear(&other);
    return outcome;
}

static enum outcome right_length(const struct card *card, const struct apdu *command,
                                 struct answer *answer, struct report *why)
{
    enum outcome outcome = OUTCOME_OK;

    /* data without a Le has no length to correct: such a VERIFY may have been counted */
    if (command->lc > 0 && command->le == APDU_LE_NONE)
        return OUTCOME_OK;
    /* twice: a stack may first say what it carries, then the card what it has */
    for (int round = 0; round < 2 && outcome == OUTCOME_OK && (answer->sw & 0xFF00) == 0x6C00;
         round++) {
        int le = answer->sw & 0xFF;

        outcome = exchange_again(card, command, le == 0 ? APDU_LE_ALL : le, answer, why);
    }
    return outcome;
}

static bool class_refused(uint16_t sw)
{
    return sw == 0x6E00 || sw == 0x6D00;
}

/* So much at a time as goes through a modem with short lines. */
static int short_le(const struct card *card, int le)
{
    return card->quirks != NULL && (*card->quirks & QUIRK_SHORT_LINES) && le > SHORT_ANSWER
               ? SHORT_ANSWER
               : le;
}

/* One GET RESPONSE, in the way that this modem and card take it: what was tried stays in the command. */
static enum outcome fetch(const struct card *card, struct apdu *get_response, struct answer *answer,
                          struct report *why)
{
    enum outcome outcome;

    get_response->le = short_le(card, get_response->le);
    outcome = exchange(card, get_response, get_response->le, answer, why);
    if (outcome == OUTCOME_CARRIER_REFUSED && get_response->le > SHORT_ANSWER &&
        card->quirks != NULL) { /* the answer's line may be too long for it */
        get_response->le = SHORT_ANSWER;
        outcome = exchange(card, get_response, get_response->le, answer, why);
        if (outcome == OUTCOME_OK)
            *card->quirks |= QUIRK_SHORT_LINES;
    }
    if (outcome == OUTCOME_OK && class_refused(answer->sw) && (get_response->cla & 0x80) != 0) {
        get_response->cla &= 0x7F; /* it is an interindustry command for some */
        outcome = exchange(card, get_response, get_response->le, answer, why);
    }
    return outcome;
}

static enum outcome collect(const struct card *card, const struct apdu *command,
                            struct answer *answer, struct report *why)
{
    struct apdu get_response = {.cla = (uint8_t)(command->cla & ~APDU_CLA_CHAIN),
                                .ins = INS_GET_RESPONSE,
                                .timeout_ms = command->timeout_ms,
                                .secrecy = command->secrecy};

    for (int round = 0; (answer->sw & 0xFF00) == 0x6100; round++) {
        size_t before = answer->length;
        const int told = answer->sw & 0xFF; /* 0: 256 bytes or more */
        bool announced;
        enum outcome outcome;

        if (round == ROUNDS_MAX)
            return report_set(why, OUTCOME_BAD_DATA, "the card's answer has no end (61%02X again)",
                              answer->sw & 0xFF);
        get_response.le = told == 0 ? APDU_LE_ALL : told;
        outcome = fetch(card, &get_response, answer, why);
        announced = get_response.le == told;
        if (outcome == OUTCOME_OK && (answer->sw & 0xFF00) == 0x6C00) {
            announced = false; /* the card has less after all */
            outcome = right_length(card, &get_response, answer, why);
        }
        if (outcome == OUTCOME_OK && announced && answer->sw == SW_OK &&
            answer->length - before != (size_t)get_response.le)
            outcome = report_set(why, OUTCOME_BAD_DATA,
                                 "the card announced %d bytes and the answer has %zu",
                                 get_response.le, answer->length - before);
        if (outcome == OUTCOME_BAD_DATA)
            apdu_doubt(card);
        if (outcome != OUTCOME_OK)
            return outcome;
    }
    return OUTCOME_OK;
}

enum outcome apdu_send(const struct card *card, const struct apdu *command, struct answer *answer,
                       struct report *why)
{
    enum outcome outcome;

    answer->length = 0;
    answer->sw = 0;
    if (command->lc > 255)
        return report_set(why, OUTCOME_USAGE, "a short APDU carries at most 255 bytes, not %zu",
                          command->lc);
    outcome = exchange_le(card, command, answer, why);
    if (outcome == OUTCOME_OK)
        outcome = right_length(card, command, answer, why);
    if (outcome == OUTCOME_OK && command->unfetched && (answer->sw & 0xFF00) == 0x6100)
        answer->sw = SW_OK;
    if (outcome == OUTCOME_OK)
        outcome = collect(card, command, answer, why);
    return outcome;
}

/* *sent: so many bytes of data were taken with 9000. */
static enum outcome send_pieces(const struct card *card, const struct apdu *command, size_t piece,
                                size_t *sent, struct answer *answer, struct report *why)
{
    struct apdu part = *command;

    *sent = 0;
    part.lc = piece;
    part.cla |= APDU_CLA_CHAIN;
    part.le = APDU_LE_NONE;
    while (command->lc - *sent > piece) {
        enum outcome outcome = apdu_send(card, &part, answer, why);

        if (outcome != OUTCOME_OK || answer->sw != SW_OK)
            return outcome;
        part.data += piece;
        *sent += piece;
    }
    part.lc = command->lc - *sent;
    part.cla = command->cla;
    part.le = command->le;
    return apdu_send(card, &part, answer, why);
}

/* The card has seen nothing of a chain whose first piece the modem refused. */
enum outcome apdu_send_chain(const struct card *card, const struct apdu *command, size_t piece,
                             struct answer *answer, struct report *why)
{
    bool may_shrink = card->quirks != NULL && piece > SHORT_PIECE && command->lc > SHORT_PIECE;
    struct report second = REPORT_INIT;
    enum outcome outcome, shorter;
    size_t sent;

    if (may_shrink && (*card->quirks & QUIRK_SHORT_LINES))
        return send_pieces(card, command, SHORT_PIECE, &sent, answer, why);
    outcome = send_pieces(card, command, piece, &sent, answer, why);
    if (!may_shrink || sent > 0 ||
        !(outcome == OUTCOME_CARRIER_REFUSED || outcome == OUTCOME_LOST ||
          (outcome == OUTCOME_OK && answer->sw == 0x6700)))
        return outcome;
    shorter = send_pieces(card, command, SHORT_PIECE, &sent, answer, &second);
    if (sent > 0)
        *card->quirks |= QUIRK_SHORT_LINES;
    if (sent == 0 && shorter != OUTCOME_OK)
        return outcome;
    *why = second;
    return shorter;
}

/* Status words that deserve words (ISO 7816-4, 5.6). */
static const struct {
    uint16_t sw;
    enum outcome outcome;
    const char *words;
} meanings[] = {
    {0x6881, OUTCOME_LOST, "the logical channel is gone"},
    {0x6982, OUTCOME_PIN_MISSING, "the card wants a PIN first"},
    {0x6983, OUTCOME_PIN_BLOCKED, "the PIN is blocked"},
    {0x6985, OUTCOME_REFUSED, "the card says that the conditions are not met"},
    {0x6986, OUTCOME_REFUSED, "no file is selected"},
    {0x6999, OUTCOME_REFUSED, "the applet's selection failed"},
    {0x6A80, OUTCOME_REFUSED, "the card rejects the data or the algorithm"},
    {0x6A82, OUTCOME_NOT_FOUND, "the card does not have that file"},
    {0x6A84, OUTCOME_REFUSED, "the card does not have enough memory"},
    {0x6A88, OUTCOME_NOT_FOUND, "the card does not have that key"},
    {0x6B00, OUTCOME_REFUSED, "the offset is outside the file"},
    {0x6D00, OUTCOME_REFUSED, "the card does not know the command"},
    {0x6E00, OUTCOME_REFUSED, "the card does not take commands of this class"},
    {0x6F00, OUTCOME_REFUSED, "the card reports an internal error"},
};

enum outcome apdu_refused(const struct answer *answer, const char *what, struct report *why)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].sw == answer->sw)
            return report_sw(why, meanings[i].outcome, answer->sw, "cannot %s: %s", what,
                             meanings[i].words);
    return report_sw(why, OUTCOME_REFUSED, answer->sw, "cannot %s: the card refuses", what);
}

void answer_clear(struct answer *answer)
{
    explicit_bzero(answer, sizeof *answer);
}
