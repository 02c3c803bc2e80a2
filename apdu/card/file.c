/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT and READ BINARY. */
#include "apdu/card/file.h"

#include "apdu/card/tlv.h"

#include <stdlib.h>
#include <string.h>

#define INS_SELECT      0xA4
#define INS_READ_BINARY 0xB0

/* SELECT's P1 and P2 (ISO 7816-4, 11.1.1). */
#define P1_FILE_ID   0x00
#define P1_AID       0x04
#define P1_PATH      0x08
#define P2_FCI       0x00
#define P2_FCP       0x04
#define P2_NO_ANSWER 0x0C

/* ISO 7816-4, table 11: the template of control information, and a DF's name in it. */
#define TAG_FCI     0x6F
#define TAG_DF_NAME 0x84

#define READ_STEP_MIN 8
/* The answer to this is less than 512 characters on an AT line: some modems cut there. */
#define READ_SHORT 240

static bool taken(uint16_t sw)
{
    return sw == SW_OK || (sw & 0xFF00) == 0x6200 || (sw & 0xFF00) == 0x6300;
}

/* The answers of a card that does not like the parameters, whatever they select. */
static bool parameters_refused(uint16_t sw)
{
    return sw == 0x6A86 || sw == 0x6A81 || sw == 0x6A80 || sw == 0x6B00 || sw == 0x6700;
}

/* What became of SELECT by AID. */
static enum outcome judge_applet(const struct card *card, const struct apdu *select,
                                 const struct answer *answer, const char *name, struct report *why)
{
    if (answer->sw == SW_OK)
        card_note_selected(card, select->data, select->lc);
    if (taken(answer->sw))
        return OUTCOME_OK;
    if (answer->sw == 0x6A82)
        return report_sw(why, OUTCOME_NO_APPLET, answer->sw, "this SIM does not have %s", name);
    if (answer->sw == 0x6985 || answer->sw == 0x6999)
        return report_sw(why, OUTCOME_REFUSED, answer->sw,
                         "%s cannot be selected: it may be in use on another channel by another "
                         "program, which has to end first",
                         name);
    return apdu_refused(answer, "select the applet", why);
}

enum outcome file_select_applet(const struct card *card, const uint8_t *aid, size_t aid_length,
                                const char *name, struct report *why)
{
    struct apdu select = {.ins = INS_SELECT,
                          .p1 = P1_AID,
                          .p2 = P2_NO_ANSWER,
                          .data = aid,
                          .lc = aid_length,
                          .le = APDU_LE_NONE,
                          .repeatable = true};
    struct answer answer;
    enum outcome outcome = apdu_send(card, &select, &answer, why);

    if (outcome == OUTCOME_OK && parameters_refused(answer.sw)) {
        select.p2 = P2_FCI;
        select.le = APDU_LE_ALL;
        outcome = apdu_send(card, &select, &answer, why);
    }
    return outcome == OUTCOME_OK ? judge_applet(card, &select, &answer, name, why) : outcome;
}

/* The FCI's DF name (tag 84 in 6F; ISO 7816-4, 7.4.3), where it has one, begins like the AID. */
static bool other_name(const struct answer *answer, const uint8_t *aid, size_t aid_length)
{
    struct span all = {answer->data, answer->length}, fci, df_name;

    return tlv_find(all, TAG_FCI, &fci) && tlv_find(fci, TAG_DF_NAME, &df_name) &&
           (df_name.length < aid_length || memcmp(df_name.data, aid, aid_length) != 0);
}

enum outcome file_select_applet_again(const struct card *card, const uint8_t *aid,
                                      size_t aid_length, const char *name, struct report *why)
{
    const struct apdu select = {.ins = INS_SELECT,
                                .p1 = P1_AID,
                                .p2 = P2_FCI,
                                .data = aid,
                                .lc = aid_length,
                                .le = APDU_LE_ALL,
                                .unfetched = true};
    struct answer answer;
    enum outcome outcome = apdu_send(card, &select, &answer, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (parameters_refused(answer.sw))
        return file_select_applet(card, aid, aid_length, name, why);
    if (other_name(&answer, aid, aid_length))
        return report_set(why, OUTCOME_LOST, "another application answers in the place of %s",
                          name);
    return judge_applet(card, &select, &answer, name, why);
}

enum outcome file_select(const struct card *card, const uint8_t *path, size_t path_length,
                         size_t *size, struct report *why)
{
    struct apdu select = {.ins = INS_SELECT,
                          .p1 = P1_PATH,
                          .p2 = P2_FCP,
                          .data = path,
                          .lc = path_length,
                          .le = APDU_LE_ALL,
                          .repeatable = true};
    struct answer answer;
    enum outcome outcome = apdu_send(card, &select, &answer, why);

    *size = 0;
    if (outcome == OUTCOME_OK && path_length == 2 && !taken(answer.sw) && answer.sw != 0x6881) {
        uint16_t first = answer.sw;

        select.p1 = P1_FILE_ID;
        outcome = apdu_send(card, &select, &answer, why);
        if (outcome == OUTCOME_OK && !taken(answer.sw) && first == 0x6A82)
            answer.sw = first;
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!taken(answer.sw))
        return apdu_refused(&answer, "select a file", why);
    (void)fcp_file_size((struct span){answer.data, answer.length}, size);
    return OUTCOME_OK;
}

/* The next smaller Le worth trying. */
static unsigned smaller(unsigned le)
{
    if (le > 255)
        return 255;
    return le > 128 ? 128 : le / 2;
}

/* One READ BINARY of at most want bytes, smaller if the card or the modem does not take that much.
 * probing: the size of the file is not known, and a smaller Le may be what is left of it: that
 * teaches nothing. *asked: the Le that was answered. */
static enum outcome read_piece(const struct card *card, size_t offset, size_t want, bool probing,
                               int secrecy, struct answer *answer, size_t *asked,
                               struct report *why)
{
    unsigned le = want < *card->max_read ? (unsigned)want : *card->max_read;

    for (;;) {
        struct apdu read = {.ins = INS_READ_BINARY,
                            .p1 = (uint8_t)(offset >> 8),
                            .p2 = (uint8_t)offset,
                            .le = (int)le,
                            .secrecy = secrecy,
                            .repeatable = true};
        enum outcome outcome = apdu_send(card, &read, answer, why);
        bool too_long =
            outcome == OUTCOME_CARRIER_REFUSED || (outcome == OUTCOME_OK && answer->sw == 0x6700);
        bool cut = outcome == OUTCOME_BAD_DATA && le > READ_SHORT;

        *asked = le;
        if (probing && outcome == OUTCOME_OK && answer->sw == 0x6B00)
            too_long = true;
        if ((!too_long && !cut) || le <= (probing ? 1 : READ_STEP_MIN))
            return outcome;
        if (!probing &&
            le == *card->max_read) /* a refusal of a smaller last piece teaches nothing */
            *card->max_read = cut ? READ_SHORT : smaller(le);
        le = cut ? READ_SHORT : smaller(le);
    }
}

/* A card gives less than it is asked for at the end only. Elsewhere, and where the FCP's size is more
 * than there is, it gives the same once more; what was another command's answer does not come twice.
 */
static enum outcome read_again(const struct card *card, size_t offset, size_t asked, int secrecy,
                               struct answer *answer, struct report *why)
{
    struct answer second = {.length = 0};
    size_t le;
    enum outcome outcome;

    apdu_doubt(card);
    outcome = read_piece(card, offset, asked, false, secrecy, &second, &le, why);
    if (outcome == OUTCOME_OK && (second.sw != answer->sw || second.length != answer->length ||
                                  memcmp(second.data, answer->data, answer->length) != 0))
        outcome = report_set(why, OUTCOME_BAD_DATA, "the card read the same %zu bytes in two ways",
                             asked);
    answer_clear(&second);
    return outcome;
}

enum outcome file_read(const struct card *card, size_t size, int secrecy, uint8_t **data,
                       size_t *length, struct report *why)
{
    size_t limit = size == 0 ? FILE_SIZE_MAX : size, got = 0, asked = 0;
    struct answer answer = {.length = 0};
    uint8_t *buffer = NULL;
    bool was_short = false;
    enum outcome outcome = OUTCOME_OK;

    *data = NULL;
    *length = 0;
    if (limit > FILE_SIZE_MAX)
        return report_set(why, OUTCOME_BAD_DATA, "the card claims a file of %zu bytes", size);
    buffer = malloc(limit);
    if (buffer == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    while (got < limit) {
        size_t want = limit - got < APDU_LE_ALL ? limit - got : APDU_LE_ALL;
        bool end;

        outcome =
            read_piece(card, got, want, size == 0 && !was_short, secrecy, &answer, &asked, why);
        if (outcome != OUTCOME_OK)
            goto out;
        end = answer.sw == 0x6282 || (got > 0 && (answer.sw == 0x6B00 || answer.sw == 0x6A86 ||
                                                  (size == 0 && answer.sw == 0x6700)));
        if (!end && answer.sw != SW_OK) {
            outcome = apdu_refused(&answer, "read a file", why);
            goto out;
        }
        if (!end && size > 0 && answer.length < asked)
            outcome = read_again(card, got, asked, secrecy, &answer, why);
        if (outcome == OUTCOME_OK &&
            answer.length > want) /* 61xx and 6Cxx know no limit; the buffer does */
            outcome =
                report_set(why, OUTCOME_BAD_DATA,
                           "the card read %zu bytes where %zu were asked for", answer.length, want);
        if (outcome != OUTCOME_OK)
            goto out;
        memcpy(buffer + got, answer.data, answer.length);
        got += answer.length;
        was_short = answer.length < asked;
        if (end || answer.length == 0)
            break;
    }
    *data = buffer;
    *length = got;
    buffer = NULL;
out:
    if (buffer != NULL)
        explicit_bzero(buffer, limit);
    free(buffer);
    answer_clear(&answer);
    return outcome;
}
