/* SPDX-License-Identifier: Apache-2.0 */
/* The AT dialogue: lines, answers, final results, start-up, resynchronisation. The values in the
 * answers are taken apart in at_value.c. */
#include "modem/at.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define START_TRIES       8 /* a modem may be asleep, or reset by the opening of its port */
#define START_TIMEOUT_MS  250
#define SETUP_TIMEOUT_MS  2000
#define SETTLE_MS         50    /* within this a modem that answers twice has done so */
#define RESTART_MS        500   /* after a boot line the answer comes soon or never */
#define RESYNC_TOTAL_MS   20000 /* as long as the longest command lasts */
#define RESYNC_LONGEST_MS 1000
#define BUSY_TOTAL_MS     10000
#define BUSY_FIRST_MS     250
#define BUSY_LONGEST_MS   2000

/* Final results: those that must match exactly, and those that go on behind a prefix. */
static const char *const exact_errors[] = {"ERROR",
                                           "NO CARRIER",
                                           "BUSY",
                                           "NO ANSWER",
                                           "NO DIALTONE",
                                           "ABORTED",
                                           "COMMAND NOT SUPPORT",
                                           "TOO MANY PARAMETERS"};
static const char *const prefix_errors[] = {"+CMS ERROR:", "+EXT ERROR:", "ERROR:"};

/* The verbose texts of the numbers that are treated apart (27.007, 9.2.1 and 9.2.2). */
static const struct {
    const char *text;
    int cme;
} cme_texts[] = {
    {"phone failure", CME_PHONE_FAILURE},
    {"operation not allowed", CME_NOT_ALLOWED},
    {"operation not supported", CME_NOT_SUPPORTED},
    {"SIM not inserted", CME_NO_SIM},
    {"SIM PIN required", CME_SIM_PIN},
    {"SIM PUK required", CME_SIM_PUK},
    {"SIM failure", CME_SIM_FAILURE},
    {"SIM busy", CME_SIM_BUSY},
    {"SIM wrong", CME_SIM_WRONG},
    {"incorrect password", CME_WRONG_PASSWORD},
    {"SIM PIN2 required", CME_SIM_PIN2},
    {"SIM PUK2 required", CME_SIM_PUK2},
    {"memory full", CME_MEMORY_FULL},
    {"invalid index", CME_INVALID_INDEX},
    {"not found", CME_NOT_FOUND},
    {"incorrect parameters", CME_WRONG_PARAMETERS},
    {"unknown", CME_UNKNOWN},
};

static bool starts_with(const char *line, const char *prefix)
{
    return strncasecmp(line, prefix, strlen(prefix)) == 0;
}

static int cme_number(const char *text)
{
    long number;
    const char *rest = text;

    if (at_take_number(&rest, &number) && number <= 1000)
        return (int)number;
    text += strspn(text, " \t");
    for (size_t i = 0; i < sizeof cme_texts / sizeof cme_texts[0]; i++)
        if (strcasecmp(text, cme_texts[i].text) == 0)
            return cme_texts[i].cme;
    return CME_UNKNOWN;
}

enum at_final at_final_result(const char *line, int *cme)
{
    static const char cme_prefix[] = "+CME ERROR:";

    *cme = -1;
    if (strcmp(line, "OK") == 0)
        return AT_FINAL_OK;
    if (strncmp(line, cme_prefix, sizeof cme_prefix - 1) == 0) {
        *cme = cme_number(line + sizeof cme_prefix - 1);
        return AT_FINAL_CME;
    }
    for (size_t i = 0; i < sizeof exact_errors / sizeof exact_errors[0]; i++)
        if (strcmp(line, exact_errors[i]) == 0)
            return AT_FINAL_ERROR;
    for (size_t i = 0; i < sizeof prefix_errors / sizeof prefix_errors[0]; i++)
        if (strncmp(line, prefix_errors[i], strlen(prefix_errors[i])) == 0)
            return AT_FINAL_ERROR;
    return AT_FINAL_NONE;
}

void at_init(struct at *at, struct port *port, const struct trace *trace)
{
    at->port = port;
    at->trace = trace;
    at->restarted = false;
    at->echo_stays = false;
    at->echoed = false;
    at->forgot = false;
    at->late = false;
    at->stray[0] = '\0';
    at->strayed = false;
    at->input_length = 0;
}

/* Takes the first whole line out of what was read. A line ends at CR or LF; empty ones and NULs at
 * the beginning of one are skipped. */
static bool take_line(struct at *at, char line[AT_LINE_SIZE])
{
    size_t start = 0, end;
    bool whole;

    while (start < at->input_length && strchr("\r\n", at->input[start]) != NULL)
        start++; /* strchr finds the NUL too */
    for (end = start; end < at->input_length; end++)
        if (at->input[end] == '\r' || at->input[end] == '\n')
            break;
    whole = end < at->input_length;
    if (whole) {
        memcpy(line, at->input + start, end - start);
        line[end - start] = '\0';
        start = end;
    } else if (start == 0 && at->input_length == sizeof at->input) {
        start = at->input_length; /* no modem says anything that long: garbage */
    }
    memmove(at->input, at->input + start, at->input_length - start);
    at->input_length -= start;
    return whole;
}

static enum outcome read_line(struct at *at, char line[AT_LINE_SIZE], struct deadline deadline,
                              struct report *why)
{
    while (!take_line(at, line)) {
        size_t got;
        enum outcome outcome = port_read(at->port, at->input + at->input_length,
                                         sizeof at->input - at->input_length, &got, deadline, why);

        if (outcome != OUTCOME_OK)
            return outcome;
        at->input_length += got;
    }
    return OUTCOME_OK;
}

static bool all_hex(const char *line)
{
    return line[0] != '\0' && line[strspn(line, "0123456789abcdefABCDEF")] == '\0';
}

/* Unsolicited lines start with a mark, or are one of these words. */
static bool unsolicited(const char *line)
{
    static const char *const words[] = {"RDY",     "RING",       "SMS DONE",
                                        "PB DONE", "Call Ready", "SMS Ready"};

    if (strchr("+^%#*$!&", line[0]) != NULL)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(line, words[i]) == 0)
            return true;
    return false;
}

/* The part of the line that answers the command, or NULL if it is none. */
static const char *answer_of(const struct at_command *command, const char *line, bool have_one)
{
    if (command->answer == AT_ANSWER_NONE)
        return NULL;
    if (command->prefix != NULL && starts_with(line, command->prefix)) {
        line += strlen(command->prefix);
        return line + strspn(line, " \t");
    }
    if (command->answer == AT_ANSWER_BARE_HEX && all_hex(line))
        return line;
    if (command->answer == AT_ANSWER_TEXT && !have_one && !unsolicited(line))
        return line;
    return NULL;
}

static void keep_value(struct at_result *result, const char *value)
{
    size_t length = strlen(value);

    while (length > 0 && strchr(" \t", value[length - 1]) != NULL)
        length--;
    memcpy(result->value, value, length);
    result->value[length] = '\0';
}

static bool boot_line(const char *line)
{
    return strcmp(line, "RDY") == 0 || strcmp(line, "+CFUN: 1") == 0;
}

/* How much of a line the trace shows. While a secret is under way any line may be its torn echo. */
static enum masking masking(const struct at_command *command, enum at_final final,
                            const char *value)
{
    if (final != AT_FINAL_NONE || command->secrecy == SECRET_NOTHING)
        return MASK_NOTHING;
    if (value == NULL)
        return MASK_ALL;
    return (command->secrecy & SECRET_ANSWER) != 0 ? MASK_VALUE : MASK_NOTHING;
}

/* An answer to nothing that was asked for: an earlier command's, so that answers may be off by one.
 * One to the opening of a channel is kept for its number. */
static void notice_stray(struct at *at, const char *line)
{
    static const char *const prefixes[] = {"+CSIM:", "+CGLA:", "+CCHO:", "+CRSM:"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (starts_with(line, prefixes[i]))
            at->strayed = true;
    if ((starts_with(line, "+CSIM:") || starts_with(line, "+CCHO:")) &&
        strlen(line) < sizeof at->stray)
        memcpy(at->stray, line, strlen(line) + 1);
}

static enum outcome collect(struct at *at, const struct at_command *command,
                            struct deadline deadline, struct at_result *result, struct report *why)
{
    char line[AT_LINE_SIZE];
    bool restarted = false;
    enum outcome outcome;

    while ((outcome = read_line(at, line, deadline, why)) == OUTCOME_OK) {
        const char *value;

        result->final = at_final_result(line, &result->cme);
        if (starts_with(line, "AT") && result->final == AT_FINAL_NONE) {
            at->echoed = at->echoed || !at->echo_stays;
            continue;
        }
        value = answer_of(command, line, result->value[0] != '\0');
        trace_line(at->trace, '<', line, masking(command, result->final, value));
        if (result->final != AT_FINAL_NONE)
            break;
        if (value != NULL)
            keep_value(result, value);
        else if (boot_line(line))
            restarted = true;
        else
            notice_stray(at, line);
        if (restarted && !at->restarted) /* a modem that restarted has forgotten the command */
            deadline = deadline_within(deadline, RESTART_MS);
        at->restarted = at->restarted || restarted;
    }
    explicit_bzero(line, sizeof line);
    if (outcome == OUTCOME_TIMEOUT && restarted)
        outcome = report_set(why, OUTCOME_LOST, "the modem restarted");
    return outcome;
}

/* Reads away what came since the last command (late finals, unsolicited lines) until nothing comes
 * for quiet_ms. *finals counts the final results among it. */
static enum outcome skip_counting(struct at *at, int quiet_ms, struct deadline deadline,
                                  unsigned *finals, struct report *why)
{
    char line[AT_LINE_SIZE];
    enum outcome outcome;
    int cme;

    *finals = 0;
    do {
        outcome = read_line(at, line, deadline_within(deadline, quiet_ms), why);
        if (outcome == OUTCOME_OK && boot_line(line))
            at->restarted = true;
        if (outcome == OUTCOME_OK && at_final_result(line, &cme) != AT_FINAL_NONE)
            ++*finals;
        if (outcome == OUTCOME_OK)
            notice_stray(at, line);
    } while (outcome == OUTCOME_OK && !deadline_passed(deadline));
    explicit_bzero(line, sizeof line);
    return outcome == OUTCOME_TIMEOUT ? OUTCOME_OK : outcome;
}

static enum outcome skip_pending(struct at *at, int quiet_ms, struct deadline deadline,
                                 struct report *why)
{
    unsigned finals;

    return skip_counting(at, quiet_ms, deadline, &finals, why);
}

enum outcome at_listen(struct at *at, int quiet_ms, struct deadline deadline, struct report *why)
{
    return skip_pending(at, quiet_ms, deadline, why);
}

/* One command, one answer; nothing is repeated. */
static enum outcome converse(struct at *at, const struct at_command *command,
                             struct deadline deadline, struct at_result *result, struct report *why)
{
    struct deadline until = deadline_within(deadline, command->timeout_ms);
    int64_t started = monotonic_ms();
    enum outcome outcome;

    result->final = AT_FINAL_NONE;
    result->cme = -1;
    result->value[0] = '\0';
    outcome = skip_pending(at, 0, deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    trace_line(at->trace, '>', command->line,
               (command->secrecy & SECRET_COMMAND) != 0 ? MASK_VALUE : MASK_NOTHING);
    outcome = port_write(at->port, command->line, strlen(command->line), until, why);
    if (outcome == OUTCOME_OK)
        outcome = port_write(at->port, "\r", 1, until, why);
    if (outcome == OUTCOME_OK)
        outcome = collect(at, command, until, result, why);
    if (outcome == OUTCOME_TIMEOUT) {
        at->late = true;
        return report_set(why, OUTCOME_TIMEOUT, "the modem did not answer AT%.*s within %d ms",
                          (int)strcspn(command->line + 2, "="), command->line + 2,
                          (int)(monotonic_ms() - started));
    }
    if (outcome == OUTCOME_OK && result->final != AT_FINAL_OK)
        outcome = skip_pending(at, SETTLE_MS, deadline, why);
    return outcome;
}

enum outcome at_command(struct at *at, const struct at_command *command, struct deadline deadline,
                        struct at_result *result, struct report *why)
{
    struct deadline patience;
    int64_t pause = BUSY_FIRST_MS;
    enum outcome outcome = OUTCOME_OK;

    if (at->port == NULL) { /* a card reader: nobody knows AT there */
        *result = (struct at_result){.final = AT_FINAL_ERROR, .cme = -1};
        return OUTCOME_OK;
    }
    if (at->late) /* what comes now would be taken for the answer to this one */
        outcome = at_resync(at, 0, deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    for (patience = deadline_within(deadline, BUSY_TOTAL_MS);;) {
        outcome = converse(at, command, deadline, result, why);
        if (outcome != OUTCOME_OK || result->final != AT_FINAL_CME || result->cme != CME_SIM_BUSY ||
            deadline_passed(patience))
            return outcome;
        deadline_sleep(patience, pause);
        pause = pause * 2 > BUSY_LONGEST_MS ? BUSY_LONGEST_MS : pause * 2;
    }
}

/* A command of which only its success matters. */
static enum outcome plain(struct at *at, const char *line, int timeout_ms, struct deadline deadline,
                          bool *ok, struct report *why)
{
    struct at_command command = {
        .line = line, .answer = AT_ANSWER_NONE, .prefix = NULL, .timeout_ms = timeout_ms};
    struct at_result result;
    enum outcome outcome = converse(at, &command, deadline, &result, why);

    *ok = outcome == OUTCOME_OK && result.final == AT_FINAL_OK;
    return outcome;
}

/* What makes a modem answer AT in words: it may have been left without words, or without answers. */
static const char *const openers[] = {"AT", "AT", "ATE0V1Q0", "ATQ0", "ATV1", "AT", "AT", "AT"};
#define OPENERS (sizeof openers / sizeof openers[0])

/* `AT` until a clean OK. */
static enum outcome awaken(struct at *at, struct deadline deadline, struct report *why)
{
    bool ok = false;

    for (size_t i = 0; i < OPENERS && !ok && (i == 0 || !deadline_passed(deadline)); i++) {
        enum outcome outcome = plain(at, openers[i], START_TIMEOUT_MS, deadline, &ok, why);

        if (outcome != OUTCOME_OK && outcome != OUTCOME_TIMEOUT && outcome != OUTCOME_LOST)
            return outcome;
        if (ok && i > 0) /* the others may be answered late */
            outcome = skip_pending(at, SETTLE_MS, deadline, why);
        if (ok)
            at->late = false;
        if (ok && outcome != OUTCOME_OK)
            return outcome;
    }
    if (!ok)
        return report_set(why, OUTCOME_NO_MODEM,
                          "nothing answers AT: check that `device` is the modem's AT port, that no "
                          "other program uses it, and `baud`");
    return OUTCOME_OK;
}

enum outcome at_start(struct at *at, struct deadline deadline, struct report *why)
{
    static const char *const single[] = {"ATE0", "ATV1", "ATQ0"};
    enum outcome outcome = awaken(at, deadline, why);
    bool ok;

    at->forgot = at->echoed;
    if (outcome == OUTCOME_OK)
        outcome = plain(at, "ATE0V1Q0", SETUP_TIMEOUT_MS, deadline, &ok, why);
    for (size_t i = 0; i < sizeof single / sizeof single[0] && outcome == OUTCOME_OK && !ok; i++) {
        bool taken;

        outcome = plain(at, single[i], SETUP_TIMEOUT_MS, deadline, &taken, why);
    }
    at->echo_stays = at->echoed = false;
    /* a modem without numbers behind its errors still works */
    if (outcome == OUTCOME_OK)
        outcome = plain(at, "AT+CMEE=1", SETUP_TIMEOUT_MS, deadline, &ok, why);
    at->echo_stays = at->echoed;
    at->echoed = false;
    return outcome;
}

/* `AT` until its OK is the only one: another one was an earlier command's. */
static enum outcome settle_line(struct at *at, struct deadline deadline, struct report *why)
{
    int timeout_ms = START_TIMEOUT_MS;
    enum outcome outcome = OUTCOME_OK;
    unsigned others = 1;
    bool ok;

    for (size_t i = 0; !deadline_passed(deadline) && others > 0; i++) {
        outcome = plain(at, openers[i % OPENERS], timeout_ms, deadline, &ok, why);
        timeout_ms = timeout_ms * 2 > RESYNC_LONGEST_MS ? RESYNC_LONGEST_MS : timeout_ms * 2;
        if (outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_LOST)
            continue; /* still at work, or restarting */
        if (outcome == OUTCOME_OK)
            outcome = skip_counting(at, SETTLE_MS, deadline, &others, why);
        if (outcome != OUTCOME_OK)
            return outcome;
        others += ok ? 0 : 1;
    }
    if (others > 0)
        return report_set(
            why, OUTCOME_TIMEOUT,
            "the modem does not answer since an earlier command: it may still work "
            "on it, try again later, or raise `timeout`; if that does not help, check "
            "that `device` is its AT port");
    at->late = false;
    return OUTCOME_OK;
}

enum outcome at_resync(struct at *at, int quiet_ms, struct deadline deadline, struct report *why)
{
    enum outcome outcome = skip_pending(at, quiet_ms, deadline, why);

    if (outcome == OUTCOME_OK)
        outcome = settle_line(at, deadline_within(deadline, RESYNC_TOTAL_MS), why);
    return outcome;
}
