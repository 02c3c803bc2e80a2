/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of IoT SAFE's applet that read: files, public keys, random bytes; and how all commands
 * are sent. */
#include "apdu/applet/iotsafe.h"

#include "apdu/card/file.h"

#include <stdlib.h>
#include <string.h>

#define INS_READ_FILE       0xB0
#define INS_READ_PUBLIC_KEY 0xCD
#define INS_GET_RANDOM      0x84

#define CLA_PROPRIETARY 0x80

#define TAG_PUBLIC_KEY 0x34
#define TAG_EC_KEY     0x49
#define TAG_POINT      0x86

#define SW_ADMINISTERED 0x6984 /* the issuer is at work on the applet */
#define SW_CUT_OFF      0x6989 /* that has ended, and the command was not done */
#define SW_DONE_CHANGED 0x63CF /* done; the objects may be others since */

/* While the applet is administered: the pauses, and what is left of the time-out for the command. */
#define WAIT_FIRST_MS   100
#define WAIT_LONGEST_MS 1000
#define WAIT_RESERVE_MS 2000

#define RANDOM_MAX  128
#define READ_LEAST  16 /* no smaller pieces of a file are tried */
#define READ_SHORT  128
#define POINT_LEAST 65

static const struct applet third = {.aid = iotsafe_other_aid,
                                    .aid_length = sizeof iotsafe_other_aid,
                                    .name = IOTSAFE_NAME,
                                    .kind = SELECTED_IOTSAFE,
                                    .number = 3};
static const struct applet second = {.aid = iotsafe_thales_aid,
                                     .aid_length = sizeof iotsafe_thales_aid,
                                     .name = IOTSAFE_NAME,
                                     .kind = SELECTED_IOTSAFE,
                                     .other = &third,
                                     .number = 2};
const struct applet applet_iotsafe = {.aid = iotsafe_aid,
                                      .aid_length = sizeof iotsafe_aid,
                                      .name = IOTSAFE_NAME,
                                      .kind = SELECTED_IOTSAFE,
                                      .other = &second,
                                      .number = 1};

/* ---- sending ---- */

static bool class_refused(const struct answer *answer)
{
    return answer->sw == 0x6E00 || answer->sw == 0x6D00;
}

/* By the class that this SIM took last, or by the other one where that is refused. */
static enum outcome send_classed(const struct card *card, struct apdu *command,
                                 struct answer *answer, struct report *why)
{
    const bool bare = card->quirks != NULL && (*card->quirks & QUIRK_BARE_CLASS) != 0;
    struct answer first;
    enum outcome outcome;

    command->cla = bare ? 0 : CLA_PROPRIETARY;
    outcome = apdu_send(card, command, answer, why);
    if (outcome != OUTCOME_OK || !class_refused(answer))
        return outcome;
    first = *answer;
    command->cla ^= CLA_PROPRIETARY;
    outcome = apdu_send(card, command, answer, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (class_refused(answer)) /* it is the command that is refused, or the first class was right */
        *answer = first;
    else if (card->quirks != NULL)
        *card->quirks ^= QUIRK_BARE_CLASS;
    answer_clear(&first);
    return OUTCOME_OK;
}

enum outcome iotsafe_send(const struct card *card, struct apdu *command, struct answer *answer,
                          struct report *why)
{
    int64_t pause = WAIT_FIRST_MS;
    bool again = false;

    for (;;) {
        enum outcome outcome = send_classed(card, command, answer, why);

        if (outcome != OUTCOME_OK)
            return outcome;
        if (answer->sw == SW_DONE_CHANGED) /* nothing is remembered of objects */
            answer->sw = SW_OK;
        if (answer->sw == SW_CUT_OFF && !again) {
            again = true;
        } else if (answer->sw == SW_ADMINISTERED &&
                   deadline_left(card->deadline) > WAIT_RESERVE_MS) {
            deadline_sleep(card->deadline, pause);
            pause = pause * 2 < WAIT_LONGEST_MS ? pause * 2 : WAIT_LONGEST_MS;
        } else {
            return OUTCOME_OK;
        }
    }
}

enum outcome iotsafe_refused(const struct answer *answer, const char *what, struct report *why)
{
    const uint16_t sw = answer->sw;

    if (sw == SW_ADMINISTERED || sw == SW_CUT_OFF)
        return report_sw(why, OUTCOME_REFUSED, sw,
                         "cannot %s: the SIM's issuer is at work on the applet; try again later",
                         what);
    if ((sw & 0xFFF0) == 0x6980 && sw != 0x6985 && sw != 0x6986)
        return report_sw(why, OUTCOME_REFUSED, sw, "cannot %s: the applet does not permit it",
                         what);
    if (sw == 0x6A82 || sw == 0x6A88)
        return report_sw(why, OUTCOME_NOT_FOUND, sw, "cannot %s: the applet has no such object",
                         what);
    return apdu_refused(answer, what, why);
}

size_t iotsafe_name_data(enum iotsafe_kind kind, const struct token_name *name, uint8_t *data)
{
    const size_t label = strlen(name->label);

    if (name->id_length > 0) {
        data[0] = (uint8_t)(0x83 + kind);
        data[1] = name->id_length;
        memcpy(data + 2, name->id, name->id_length);
        return 2 + (size_t)name->id_length;
    }
    if (label == 0)
        return 0;
    data[0] = (uint8_t)(0x73 + kind);
    data[1] = (uint8_t)label;
    memcpy(data + 2, name->label, label);
    return 2 + label;
}

/* ---- files ---- */

/* How long the content is by its own word: DER's length, else 0. */
static size_t own_length(struct span content)
{
    struct span rest = content, tag;
    size_t length;

    if (!span_take(&rest, 1, &tag) || tag.data[0] != 0x30 || !tlv_take_length(&rest, &length))
        return 0;
    return (size_t)(rest.data - content.data) + length;
}

/* True for the beginning of PEM text: what it lacks is behind it, whatever size the card told (some tell it
 * with its octets swapped). */
static bool unfinished_text(const struct span content)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----END ", last[] = "-----";
    const uint8_t *at;

    if (content.length < sizeof begin - 1 || memcmp(content.data, begin, sizeof begin - 1) != 0)
        return false;
    at = memmem(content.data, content.length, end, sizeof end - 1);
    return at == NULL || memmem(at + sizeof end - 1,
                                content.length - (size_t)(at - content.data) - (sizeof end - 1),
                                last, sizeof last - 1) == NULL;
}

static unsigned smaller(unsigned le)
{
    return le > 255 ? 255 : le > READ_SHORT ? READ_SHORT : le / 2;
}

/* One piece, smaller if the card or the modem does not take that much: remembered as for other files. */
static enum outcome read_piece(const struct card *card, const struct token_name *name,
                               size_t offset, struct answer *answer, struct report *why)
{
    uint8_t data[IOTSAFE_NAME_MAX];

    for (;;) {
        struct apdu read = {.ins = INS_READ_FILE,
                            .p1 = (uint8_t)(offset >> 8),
                            .p2 = (uint8_t)offset,
                            .data = data,
                            .lc = iotsafe_name_data(IOTSAFE_FILE, name, data),
                            .le = (int)*card->max_read,
                            .repeatable = true};
        enum outcome outcome = iotsafe_send(card, &read, answer, why);
        bool too_long = outcome == OUTCOME_CARRIER_REFUSED || outcome == OUTCOME_BAD_DATA ||
                        (outcome == OUTCOME_OK && answer->sw == 0x6700 && offset == 0);

        if (!too_long || *card->max_read / 2 < READ_LEAST)
            return outcome;
        *card->max_read = smaller(*card->max_read);
    }
}

/* True for what a card says behind the end of a file. */
static bool is_end(const struct answer *answer)
{
    return answer->sw == 0x6282 || answer->sw == 0x6A86 || answer->sw == 0x6981 ||
           answer->sw == 0x6B00 || answer->sw == 0x6700;
}

/* Cuts off what is behind the content. */
static enum outcome trim(const struct span content, size_t *length, struct report *why)
{
    size_t own = own_length(content);

    *length = content.length;
    if (own > content.length)
        return report_set(why, OUTCOME_BAD_DATA,
                          "the file in the SIM has %zu bytes of a content of %zu", content.length,
                          own);
    if (own > 0)
        *length = own;
    while (own == 0 && *length > 0 &&
           (content.data[*length - 1] == 0x00 || content.data[*length - 1] == 0xFF))
        --*length;
    return OUTCOME_OK;
}

enum outcome iotsafe_read_file(const struct card *card, const struct token_name *name, size_t size,
                               uint8_t **data, size_t *length, struct report *why)
{
    uint8_t *buffer = malloc(FILE_SIZE_MAX);
    size_t got = 0, wanted = size;
    struct answer answer;
    enum outcome outcome = OUTCOME_OK;

    *data = NULL;
    *length = 0;
    if (buffer == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    while (outcome == OUTCOME_OK && (wanted == 0 || got < wanted) && got < FILE_SIZE_MAX) {
        size_t own;

        outcome = read_piece(card, name, got, &answer, why);
        if (outcome != OUTCOME_OK)
            break;
        if (answer.sw != SW_OK && answer.sw != 0x6282 && (got == 0 || !is_end(&answer)))
            outcome = iotsafe_refused(&answer, "read a file", why);
        if (outcome != OUTCOME_OK || answer.length == 0)
            break;
        if (answer.length > FILE_SIZE_MAX - got)
            answer.length = FILE_SIZE_MAX - got;
        memcpy(buffer + got, answer.data, answer.length);
        got += answer.length;
        own = own_length((struct span){buffer, got});
        if (own > 0) /* the object may tell the room, not the content, or in another order */
            wanted = own;
        else
            wanted = unfinished_text((struct span){buffer, got}) ? 0 : size;
        if (answer.sw == 0x6282)
            break;
    }
    if (outcome == OUTCOME_OK)
        outcome = trim((struct span){buffer, got}, length, why);
    if (outcome != OUTCOME_OK) {
        free(buffer);
        *length = 0;
        return outcome;
    }
    *data = buffer;
    return OUTCOME_OK;
}

/* ---- public keys, random bytes ---- */

bool iotsafe_parse_point(struct span data, uint8_t point[static TOKEN_POINT_MAX], size_t *length)
{
    struct span value = data;
    uint16_t tag;

    /* 34 { 49 { 86 { 04 x y } } }, or the point alone */
    while (value.length > 0 && value.data[0] != 0x04) {
        struct span rest = value;

        if (!tlv_take(&rest, &tag, &value) ||
            (tag != TAG_PUBLIC_KEY && tag != TAG_EC_KEY && tag != TAG_POINT))
            return false;
    }
    if (value.length < POINT_LEAST || value.length > TOKEN_POINT_MAX || value.length % 2 == 0)
        return false;
    memcpy(point, value.data, value.length);
    *length = value.length;
    return true;
}

enum outcome iotsafe_read_public_key(const struct card *card, const struct token_name *name,
                                     uint8_t point[static TOKEN_POINT_MAX], size_t *length,
                                     struct report *why)
{
    uint8_t data[IOTSAFE_NAME_MAX];
    struct apdu read = {.ins = INS_READ_PUBLIC_KEY,
                        .data = data,
                        .lc = iotsafe_name_data(IOTSAFE_PUBLIC, name, data),
                        .le = APDU_LE_ALL,
                        .repeatable = true};
    struct answer answer;
    enum outcome outcome = iotsafe_send(card, &read, &answer, why);

    *length = 0;
    if (outcome != OUTCOME_OK)
        return outcome;
    if (answer.sw != SW_OK)
        return iotsafe_refused(&answer, "read a public key", why);
    if (!iotsafe_parse_point((struct span){answer.data, answer.length}, point, length))
        return report_set(why, OUTCOME_BAD_DATA,
                          "the SIM's public key is not an uncompressed point of a curve");
    return OUTCOME_OK;
}

enum outcome iotsafe_random(const struct card *card, uint8_t *bytes, size_t length,
                            struct report *why)
{
    while (length > 0) {
        size_t piece = length < RANDOM_MAX ? length : RANDOM_MAX;
        struct apdu get = {
            .ins = INS_GET_RANDOM, .le = (int)piece, .secrecy = SECRET_ANSWER, .repeatable = true};
        struct answer answer;
        enum outcome outcome = iotsafe_send(card, &get, &answer, why);

        if (outcome == OUTCOME_OK && answer.sw != SW_OK && answer.sw != 0x6300)
            outcome = iotsafe_refused(&answer, "get random bytes", why);
        if (outcome == OUTCOME_OK && answer.length == 0)
            outcome = report_set(why, OUTCOME_BAD_DATA, "the SIM returned no random bytes");
        if (outcome == OUTCOME_OK) {
            if (answer.length < piece)
                piece = answer.length;
            memcpy(bytes, answer.data, piece);
            bytes += piece;
            length -= piece;
        }
        answer_clear(&answer);
        if (outcome != OUTCOME_OK)
            return outcome;
    }
    return OUTCOME_OK;
}
