/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the modem itself: its names, its SIM's state and ICCID. */
#include "modem/at_identity.h"

#include "modem/cme.h"
#include "modem/hex.h"

#include <stdio.h>
#include <string.h>

/* For one question, and for one behind another that came to no end. Not more than half of what is
 * left: an answer that comes a little later counts too, see at_command. */
#define ASK_TIMEOUT_MS      4000
#define ASK_NEXT_MS         1000
#define DIAGNOSE_TIMEOUT_MS 2000
#define EF_ICCID_SIZE       10

static int patience(const struct at *at, struct deadline deadline)
{
    int most = at->unanswered ? ASK_NEXT_MS : ASK_TIMEOUT_MS, half = deadline_left(deadline) / 2;

    return half < most ? half : most;
}

/* AT+CRSM answers SW1, SW2 in decimal, then the bytes of the file. */
static bool iccid_from_crsm(const char *value, char iccid[ICCID_SIZE])
{
    char hex[2 * EF_ICCID_SIZE + 1];
    uint8_t bytes[EF_ICCID_SIZE];
    long sw1, sw2;

    return at_take_number(&value, &sw1) && at_take_number(&value, &sw2) &&
           (sw1 == 0x90 || sw1 == 0x91) && at_take_word(&value, hex, sizeof hex) &&
           iccid_from_bytes(bytes, hex_decode(hex, bytes, sizeof bytes), iccid);
}

/* The vendors' commands answer the digits, some with the padding F. */
static bool iccid_from_answer(const char *value, char iccid[ICCID_SIZE])
{
    const char *word;
    size_t length = at_next_word(&value, &word);

    return iccid_from_text(word, length, iccid);
}

static const struct iccid_way {
    const char *line, *prefix;
    bool (*parse)(const char *, char *);
    enum at_answer answer;
} iccid_ways[] = {
    {"AT+CRSM=176,12258,0,0,10", "+CRSM:", iccid_from_crsm, AT_ANSWER_PREFIXED},
    {"AT+CCID", "+CCID:", iccid_from_answer, AT_ANSWER_BARE_HEX},
    {"AT+ICCID", "+ICCID:", iccid_from_answer, AT_ANSWER_BARE_HEX},
    {"AT+QCCID", "+QCCID:", iccid_from_answer, AT_ANSWER_BARE_HEX},
    {"AT#CCID", "#CCID:", iccid_from_answer, AT_ANSWER_BARE_HEX},
    {"AT+CICCID", "+ICCID:", iccid_from_answer, AT_ANSWER_BARE_HEX},
    {"AT%XICCID", "%XICCID:", iccid_from_answer, AT_ANSWER_BARE_HEX},
};
#define ICCID_WAYS (sizeof iccid_ways / sizeof iccid_ways[0])

/* One way to the ICCID. OUTCOME_CARRIER_REFUSED: it is refused, or its answer is no ICCID. *silent: it was
 * not answered. *again: it may be answered the next time. */
static enum outcome iccid_by(struct at *at, const struct iccid_way *way, char iccid[ICCID_SIZE],
                             bool *silent, bool *again, struct deadline deadline,
                             struct report *why)
{
    struct at_command command = {.line = way->line,
                                 .answer = way->answer,
                                 .prefix = way->prefix,
                                 .timeout_ms = patience(at, deadline),
                                 .question = true};
    struct at_result result;
    enum outcome outcome = at_command(at, &command, deadline, &result, why);

    *silent = outcome == OUTCOME_OK && result.silent;
    if (outcome == OUTCOME_OK)
        outcome = at_outcome(&result, "tell the ICCID", why);
    *again = *silent ||
             (outcome == OUTCOME_LOST && (why->cme == CME_SIM_FAILURE || why->cme == CME_UNKNOWN));
    if (outcome == OUTCOME_OK && !way->parse(result.value, iccid))
        outcome = OUTCOME_CARRIER_REFUSED;
    /* without a SIM, or locked by PIN1, the other ways answer no better */
    return outcome == OUTCOME_LOST ? OUTCOME_CARRIER_REFUSED : outcome;
}

static enum outcome iccid_by_any(struct at *at, char iccid[ICCID_SIZE], struct deadline deadline,
                                 struct report *why)
{
    const struct iccid_way *doubtful = NULL;
    enum outcome outcome = OUTCOME_CARRIER_REFUSED;
    bool silent, again;

    iccid[0] = '\0';
    for (size_t i = 0; i < ICCID_WAYS && outcome == OUTCOME_CARRIER_REFUSED; i++) {
        outcome = iccid_by(at, &iccid_ways[i], iccid, &silent, &again, deadline, why);
        if (again && doubtful == NULL)
            doubtful = &iccid_ways[i];
    }
    if (outcome == OUTCOME_CARRIER_REFUSED && doubtful != NULL) /* its answer may have got lost */
        outcome = iccid_by(at, doubtful, iccid, &silent, &again, deadline, why);
    if (outcome == OUTCOME_CARRIER_REFUSED && doubtful != NULL && silent)
        return report_set(why, OUTCOME_TIMEOUT,
                          "the modem did not answer %s, which asks for the SIM's ICCID",
                          doubtful->line);
    if (outcome == OUTCOME_CARRIER_REFUSED)
        return report_set(why, OUTCOME_REFUSED, "the modem does not tell the SIM's ICCID");
    return outcome;
}

/* A modem that may be starting does not tell it either: what it does not tell twice, in two operations, it
 * does not have. After a restart, or with another SIM, it may. */
enum outcome at_iccid(struct at *at, char iccid[ICCID_SIZE], struct deadline deadline,
                      struct report *why)
{
    enum outcome outcome;

    iccid[0] = '\0';
    if (at_saw(at, EVENT_RESTARTED) || at_saw(at, EVENT_NO_SIM))
        at->deaf &= ~(unsigned)(AT_DEAF_ICCID | AT_DEAF_ICCID_ONCE);
    if (at->deaf & AT_DEAF_ICCID)
        return report_set(why, OUTCOME_REFUSED, "the modem does not tell the SIM's ICCID");
    outcome = iccid_by_any(at, iccid, deadline, why);
    if (outcome == OUTCOME_OK)
        at->deaf &= ~(unsigned)AT_DEAF_ICCID_ONCE;
    if (at->iccid_asked || (outcome != OUTCOME_REFUSED && outcome != OUTCOME_TIMEOUT) ||
        at_saw(at, EVENT_LATE) || cme_is_busy(why->cme))
        return outcome;
    at->iccid_asked = true;
    at->deaf |= at->deaf & AT_DEAF_ICCID_ONCE ? AT_DEAF_ICCID : AT_DEAF_ICCID_ONCE;
    return outcome;
}

/* 14 digits, a check digit, or the two of the software's version (3GPP TS 23.003, 6.2). */
static bool is_imei(const char *text)
{
    const size_t digits = strspn(text, "0123456789");

    return text[digits] == '\0' && digits >= 14 && digits <= 17;
}

enum outcome at_identity(struct at *at, struct modem_identity *identity, struct deadline deadline,
                         struct report *why)
{
    const struct {
        const char *line, *prefix;
        enum at_answer answer;
        char *field;
        size_t size;
    } questions[] = {
        {"AT+CGMI", "+CGMI:", AT_ANSWER_TEXT, identity->manufacturer,
         sizeof identity->manufacturer},
        {"AT+CGMM", "+CGMM:", AT_ANSWER_TEXT, identity->model, sizeof identity->model},
        {"AT+CGMR", "+CGMR:", AT_ANSWER_TEXT, identity->revision, sizeof identity->revision},
        {"AT+CGSN", "+CGSN:", AT_ANSWER_BARE_HEX, identity->imei, sizeof identity->imei},
        {"AT+CPIN?", "+CPIN:", AT_ANSWER_PREFIXED, identity->sim_state, sizeof identity->sim_state},
    };

    memset(identity, 0, sizeof *identity);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        struct at_command command = {.line = questions[i].line,
                                     .answer = questions[i].answer,
                                     .prefix = questions[i].prefix,
                                     .timeout_ms = patience(at, deadline),
                                     .question = true};
        struct at_result result;
        const char *value = result.value;
        enum outcome outcome = at_command(at, &command, deadline, &result, why);

        if (outcome == OUTCOME_OK && cme_is_busy(result.cme))
            outcome = at_outcome(&result, "tell its state", why);
        if (outcome != OUTCOME_OK)
            return outcome;
        if (result.final != AT_FINAL_OK)
            continue;
        if (value[0] == '"')
            (void)at_take_word(&value, questions[i].field, questions[i].size);
        else
            (void)snprintf(questions[i].field, questions[i].size, "%s", value);
        for (char *c = questions[i].field; *c != '\0'; c++)
            if (*c < ' ' || *c > '~') /* whatever the host program's locale is */
                *c = '?';             /* it will be printed on somebody's terminal */
    }
    if (!is_imei(identity->imei))
        identity->imei[0] = '\0';
    return OUTCOME_OK;
}

/* 27.007, 7.2 and 10.1.22: at home or abroad, for all services, for SMS only, or without a preference
 * for CSFB. 8 is for emergency calls only. */
static bool is_registered(long state)
{
    return state == 1 || (state >= 5 && state <= 7) || state == 9 || state == 10;
}

enum outcome at_registration(struct at *at, enum registration *state, struct deadline deadline,
                             struct report *why)
{
    static const struct {
        const char *line, *prefix;
    } questions[] = {{"AT+CEREG?", "+CEREG:"}, {"AT+CREG?", "+CREG:"}};

    *state = REGISTRATION_UNKNOWN;
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        struct at_command command = {.line = questions[i].line,
                                     .answer = AT_ANSWER_PREFIXED,
                                     .prefix = questions[i].prefix,
                                     .timeout_ms = patience(at, deadline),
                                     .question = true};
        struct at_result result;
        const char *value = result.value;
        long mode, registered;
        enum outcome outcome = at_command(at, &command, deadline, &result, why);

        if (outcome != OUTCOME_OK)
            return outcome;
        if (result.final != AT_FINAL_OK || !at_take_number(&value, &mode) || *value == '"' ||
            !at_take_number(&value, &registered)) /* an area's number in quotes */
            continue;
        *state = REGISTRATION_NONE;
        if (is_registered(registered)) {
            *state = REGISTRATION_DONE;
            break;
        }
    }
    return OUTCOME_OK;
}

enum outcome at_diagnose(struct at *at, struct deadline deadline, struct report *why)
{
    const struct at_command command = {.line = "AT+CPIN?",
                                       .answer = AT_ANSWER_PREFIXED,
                                       .prefix = "+CPIN:",
                                       .timeout_ms = DIAGNOSE_TIMEOUT_MS,
                                       .question = true};
    struct at_result result;
    enum outcome outcome = at_command(at, &command, deadline, &result, why);

    if (outcome == OUTCOME_OK && result.silent)
        return OUTCOME_OK;
    if (outcome == OUTCOME_OK)
        outcome = at_outcome(&result, "tell the state of the SIM", why);
    if (outcome == OUTCOME_OK && strcmp(result.value, "SIM PIN") == 0)
        return report_set(why, OUTCOME_PIN_MISSING,
                          "the SIM waits for its own PIN1: unlock it with AT+CPIN, or have the "
                          "modem do it");
    if (outcome == OUTCOME_OK && strcmp(result.value, "READY") != 0)
        return report_set(why, OUTCOME_NO_SIM, "the SIM is not ready: the modem says \"%.40s\"",
                          result.value);
    return outcome;
}
