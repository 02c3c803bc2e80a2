/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange on an AT line: lines, what answers the command among them, and what else they say.
 * Nothing is repeated here, and nothing is said but the command. */
#include "modem/at_line.h"

#include "modem/cme.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Before a PIN it is listened that long for what may come behind the last answer. */
#define ONCE_QUIET_MS 30
#define SETTLE_MS     AT_SETTLE_MS
#define RESTART_MS    500 /* after a boot line the answer comes soon or never */
/* So long is waited for an answer behind its OK, as a part of the command's time-out: 1 s where that
 * is 5 s. */
#define BEHIND_OK_PART 5
/* Behind "> " nothing else comes: the modem takes our lines for a message's text. */
#define PROMPT_MS 1000
/* Each by one more than is asked for, because the clock is read in whole milliseconds. */
#define GAP_MS      21
#define LONG_GAP_MS 101
/* So many reads take all that a terminal holds (4096 in Linux). */
#define OVERDUE_READS (4096 / AT_LINE_SIZE + 1)
/* Skipping lasts so many times the quiet that it waits for, at most: some modems never are. */
#define SKIP_MOST 3
/* So long for the OK behind the answer to a question, see at_command. */
#define BEHIND_ANSWER_MS 1000
/* MANAGE CHANNEL OPEN is answered by the number of the channel and a status word (ISO 7816-4). */
#define CHANNEL_ANSWER_DIGITS 6

static bool starts_with(const char *line, const char *prefix)
{
    return strncasecmp(line, prefix, strlen(prefix)) == 0;
}

void at_init(struct at *at, struct port *port, const struct trace *trace, unsigned *events)
{
    *events = 0;
    at->events = events;
    at->port = port;
    at->trace = trace;
    at->echo_stays = false;
    at->echoes = 0;
    at->unanswered = false;
    at->stray[0] = '\0';
    at->skip_text = at->messages = false;
    at->breaks = 0;
    at->unsettled = false;
    at->taken = 0;
    at->no_sim = 0;
    at->owed = NULL;
    at->owed_result = NULL;
    at->input_length = 0;
    at->overdue = 0;
    at->heard_at = monotonic_ms();
    at->prompted = at->escaped = at->unheard = at->gap_asked = false;
    at->refused = at->iccid_asked = false;
    at->deaf = 0;
}

/* Takes the first whole line out of what was read. A line ends at CR or LF; empty ones are skipped, and so
 * are NULs and octets that are not ASCII at the beginning of one. */
static bool take_line(struct at *at, char line[AT_LINE_SIZE])
{
    size_t start = 0, end;
    bool whole;

    while (start < at->input_length &&
           (strchr("\r\n", at->input[start]) != NULL || (at->input[start] & 0x80) != 0))
        at->breaks += at->input[start++] == '\n'; /* strchr finds the NUL too */
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

/* True if the modem waits for the text of a message (3GPP TS 27.005, 3.5.1): "> " without an end of
 * line is the last that it said. */
static bool prompt_waits(const struct at *at)
{
    size_t i = 1;

    if (at->input_length == 0 || at->input[0] != '>')
        return false;
    while (i < at->input_length && at->input[i] == ' ')
        i++;
    return i == at->input_length;
}

/* Behind the prompt the modem may repeat what it is sent, up to the end of our line. */
static bool prompt_line(const char *line)
{
    if (line[0] != '>')
        return false;
    line += 1 + strspn(line + 1, " ");
    return line[0] == '\0' || starts_with(line, "AT");
}

/* Reads until there is a whole line, or nothing came until quiet. When end has passed, what had
 * arrived by then is still read, but not what comes on and on. */
static enum outcome read_line(struct at *at, char line[AT_LINE_SIZE], struct deadline quiet,
                              struct deadline end, struct report *why)
{
    line[0] = '\0';
    while (!take_line(at, line)) {
        struct deadline wait = prompt_waits(at) ? deadline_within(quiet, PROMPT_MS) : quiet;
        size_t got;
        enum outcome outcome;

        if (deadline_passed(end) && at->overdue++ >= OVERDUE_READS)
            return report_set(
                why, OUTCOME_TIMEOUT,
                "the modem sends without a pause: use another of its ports, or restart it");
        outcome = port_read(at->port, at->input + at->input_length,
                            sizeof at->input - at->input_length, &got, wait, why);
        if (outcome != OUTCOME_OK)
            return outcome;
        at->input_length += got;
        at->heard_at = monotonic_ms();
    }
    at->prompted = at->prompted || prompt_line(line);
    return OUTCOME_OK;
}

/* Hex digits, in quotes or not; blanks may follow. */
static bool all_hex(const char *line)
{
    const size_t quote = line[0] == '"';
    const size_t digits = strspn(line + quote, "0123456789abcdefABCDEF");
    const char *end = line + quote + digits + quote;

    return digits > 0 && (quote == 0 || end[-1] == '"') && end[strspn(end, " \t")] == '\0';
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
    const char *bare;

    if (command->answer == AT_ANSWER_NONE)
        return NULL;
    if (command->prefix != NULL && starts_with(line, command->prefix)) {
        line += strlen(command->prefix);
        return line + strspn(line, " \t");
    }
    if (command->question && command->prefix != NULL && command->prefix[0] == '+' &&
        starts_with(line, command->prefix + 1)) /* some leave the mark out */
        return line + strlen(command->prefix + 1) +
               strspn(line + strlen(command->prefix + 1), " \t");
    bare = line + strspn(line, " \t");
    if (command->answer == AT_ANSWER_BARE_HEX && all_hex(bare))
        return bare;
    if (command->answer == AT_ANSWER_TEXT && !have_one && !unsolicited(line))
        return line;
    return NULL;
}

/* FNV-1a: to tell whether an answer is the one that was taken, without keeping it. */
static uint32_t sum_of(const char *value, size_t length)
{
    uint32_t sum = 2166136261U;

    for (size_t i = 0; i < length; i++)
        sum = (sum ^ (uint8_t)value[i]) * 16777619U;
    return sum;
}

static size_t trimmed(const char *value)
{
    size_t length = strlen(value);

    while (length > 0 && strchr(" \t", value[length - 1]) != NULL)
        length--;
    return length;
}

static void keep_value(struct at *at, struct at_result *result, const char *value)
{
    size_t length = trimmed(value);

    if (result->values > 0 &&
        (strlen(result->value) != length || memcmp(result->value, value, length) != 0))
        result->differ = true;
    memmove(result->value, value, length);
    result->value[length] = '\0';
    result->values++;
    at->taken = sum_of(value, length);
}

/* An unsolicited line whose quoted text goes on in the next one. */
static bool text_goes_on(const char *line)
{
    size_t quotes = 0;

    if (line[0] != '+' && line[0] != '^')
        return false;
    for (; *line != '\0'; line++)
        quotes += *line == '"';
    return quotes % 2 != 0;
}

/* The line feed of the header and those around a text; more are those of a text that is empty. */
#define TEXT_BREAKS 2

/* True for the one line behind a message's header: whatever it looks like, it means nothing. Asked
 * for each line that is read. */
static bool message_text(struct at *at)
{
    bool text = at->skip_text && at->breaks <= TEXT_BREAKS;

    at->skip_text = false;
    at->breaks = 0;
    return text;
}

static const char *const apdu_prefixes[] = {"+CSIM:", "+CGLA:"};

/* How much of a line the trace shows. While a secret is under way any line may be its torn echo, and
 * the answer to an earlier command may be a secret. */
static enum masking masking(const struct at *at, const struct at_command *command, const char *line,
                            enum at_final final, const char *value)
{
    if (final != AT_FINAL_NONE)
        return MASK_NOTHING;
    if (value == NULL && at->owed != NULL && at->owed->secrecy != SECRET_NOTHING)
        return MASK_ALL;
    for (size_t i = 0; value == NULL && i < sizeof apdu_prefixes / sizeof apdu_prefixes[0]; i++)
        if (starts_with(line, apdu_prefixes[i]) && command->secrecy == SECRET_NOTHING)
            return MASK_VALUE;
    if (command->secrecy == SECRET_NOTHING)
        return MASK_NOTHING;
    if (value == NULL)
        return MASK_ALL;
    return (command->secrecy & SECRET_ANSWER) != 0 ? MASK_VALUE : MASK_NOTHING;
}

/* An answer to nothing that was asked for: an earlier command's, or another program's, so that
 * answers may be off by one. One to the opening of a channel is kept for its number. False if it is
 * no answer. */
static bool notice_stray(struct at *at, const char *line)
{
    static const char *const prefixes[] = {"+CSIM:", "+CGLA:", "+CCHO:", "+CRSM:"};
    const char *value =
        at->owed != NULL ? answer_of(at->owed, line, at->owed_result->values > 0) : NULL;

    if (value != NULL) {
        keep_value(at, at->owed_result, value);
        return true;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (starts_with(line, prefixes[i])) {
            value = line + strlen(prefixes[i]);
            value += strspn(value, " \t");
            at_note(at, EVENT_UNASKED, true);
            /* some modems say an answer twice: that does no harm */
            if (sum_of(value, trimmed(value)) != at->taken)
                at_note(at, EVENT_FOREIGN, true);
        }
    if (starts_with(line, "+CSIM:") || starts_with(line, "+CCHO:"))
        at_keep_stray(at, line);
    return value != NULL;
}

/* An answer that can tell of no channel does not push out one that may: more than one may come. */
void at_keep_stray(struct at *at, const char *line)
{
    static const char csim[] = "+CSIM:";
    const char *value = line + sizeof csim - 1;
    long digits;

    if (starts_with(line, csim) &&
        (!at_take_number(&value, &digits) || digits != CHANNEL_ANSWER_DIGITS))
        return;
    if (strlen(line) < sizeof at->stray)
        memcpy(at->stray, line, strlen(line) + 1);
}

/* A line that neither ends nor answers a command. A message may say anything, a restart too. True if
 * it is the answer to another command. */
static bool notice_line(struct at *at, const char *line)
{
    if (at_text_follows(line))
        at->skip_text = at->messages = true;
    else if (text_goes_on(line))
        at->messages = true;
    else if (!at_is_boot_line(line))
        return notice_stray(at, line);
    else if (!at->messages)
        at_note(at, EVENT_RESTARTED, true);
    return false;
}

static enum outcome collect(struct at *at, const struct at_command *command,
                            struct deadline deadline, struct at_result *result, struct report *why)
{
    char line[AT_LINE_SIZE];
    bool restarted = false, owes = command->answer != AT_ANSWER_NONE;
    enum outcome outcome;

    while ((outcome = read_line(at, line, deadline, deadline, why)) == OUTCOME_OK) {
        bool text = message_text(at), before = at_saw(at, EVENT_RESTARTED);
        int cme;
        enum at_final final = text ? AT_FINAL_NONE : at_final_result(line, &cme);
        const char *value;

        if (!text && final == AT_FINAL_NONE && starts_with(line, "AT")) {
            if (!at->echo_stays)
                at_note(at, EVENT_ECHOED, true);
            at->echoes++;
            continue;
        }
        at->echoes += text && strcasecmp(line, command->line) == 0;
        value = text ? NULL : answer_of(command, line, result->values > 0);
        trace_line(at->trace, '<', line, masking(at, command, line, final, value));
        if (final == AT_FINAL_OK && owes && result->values == 0) {
            /* another's, or of a modem that says OK first: the answer tells */
            if (!result->early)
                deadline = deadline_within(deadline, command->timeout_ms / BEHIND_OK_PART);
            result->early = true;
        } else if (final != AT_FINAL_NONE) {
            result->final = final;
            result->cme = cme;
            break;
        } else if (value != NULL) {
            keep_value(at, result, value);
            if (result->early) {
                at->unsettled = true; /* its own OK may follow */
                break;
            }
            if (command->question) /* some give no OK to it */
                deadline = deadline_within(deadline, BEHIND_ANSWER_MS);
        } else if (!text) {
            (void)notice_line(at, line);
            restarted = restarted || (at_is_boot_line(line) && at_saw(at, EVENT_RESTARTED));
        }
        if (at_saw(at, EVENT_RESTARTED) &&
            !before) /* a modem that restarted has forgotten the command */
            deadline = deadline_within(deadline, RESTART_MS);
    }
    explicit_bzero(line, sizeof line);
    if (outcome == OUTCOME_TIMEOUT && restarted)
        outcome = report_set(why, OUTCOME_LOST, "the modem restarted");
    else if (outcome == OUTCOME_TIMEOUT && result->early)
        outcome = OUTCOME_OK; /* it came, but nothing else */
    if (outcome == OUTCOME_OK && result->early && result->final == AT_FINAL_NONE)
        result->final = AT_FINAL_OK;
    return outcome;
}

/* A line between two exchanges. True if it belongs to one, so that more of that may follow: a final
 * result, an echo or an answer. Unsolicited lines go on for ever on some ports. */
static bool skip_line(struct at *at, const char *line, unsigned *finals)
{
    const bool text = message_text(at), echo = starts_with(line, "AT");
    int cme;

    at->echoes += echo;
    if (text || echo)
        return echo;
    if (at_final_result(line, &cme) == AT_FINAL_NONE)
        return notice_line(at, line);
    ++*finals;
    if (cme_is_no_sim(cme))
        at_note(at, EVENT_NO_SIM_HEARD, true);
    return true;
}

enum outcome at_skip(struct at *at, int quiet_ms, struct deadline deadline, unsigned *finals,
                     struct report *why)
{
    const struct deadline end = deadline_within(deadline, (int64_t)SKIP_MOST * quiet_ms);
    struct deadline quiet = deadline_within(end, quiet_ms);
    char line[AT_LINE_SIZE];
    enum outcome outcome;

    *finals = 0;
    at->overdue = 0;
    while ((outcome = read_line(at, line, quiet, end, why)) == OUTCOME_OK)
        if (skip_line(at, line, finals))
            quiet = deadline_within(end, quiet_ms);
    explicit_bzero(line, sizeof line);
    return outcome == OUTCOME_TIMEOUT ? OUTCOME_OK : outcome;
}

enum outcome at_leave_prompt(struct at *at, struct deadline deadline, struct report *why)
{
    enum outcome outcome;
    unsigned finals;

    if (prompt_waits(at)) {
        at->prompted = true;
        at->input_length = 0;
    }
    if (!at->prompted || at->escaped)
        return OUTCOME_OK;
    at->escaped = true;
    trace_line(at->trace, '>', "<ESC>", MASK_NOTHING);
    outcome = port_write(at->port, "\x1B", 1, deadline_within(deadline, PROMPT_MS), why);
    if (outcome == OUTCOME_OK)
        outcome = at_skip(at, SETTLE_MS, deadline, &finals, why);
    return outcome == OUTCOME_TIMEOUT ? OUTCOME_OK : outcome;
}

/* The pause that this modem needs behind what it said last. */
static void leave_gap(const struct at *at, struct deadline deadline)
{
    const int gap = at_saw(at, EVENT_LONG_GAP) ? LONG_GAP_MS : at_saw(at, EVENT_GAP) ? GAP_MS : 0;
    const int64_t left = gap > 0 ? at->heard_at + gap - monotonic_ms() : 0;

    if (left > 0)
        deadline_sleep(deadline, left);
}

enum outcome at_exchange(struct at *at, const struct at_command *command, struct deadline deadline,
                         struct at_result *result, struct report *why)
{
    struct deadline until = deadline_within(deadline, command->timeout_ms);
    int64_t started = monotonic_ms();
    enum outcome outcome;
    unsigned finals, echoes = at->echoes;

    result->final = AT_FINAL_NONE;
    result->cme = -1;
    result->value[0] = '\0';
    result->values = 0;
    result->differ = result->early = result->said = result->silent = false;
    at->unheard = at->refused = false;
    leave_gap(at, deadline);
    outcome = at_skip(at, command->once ? ONCE_QUIET_MS : 0, deadline, &finals, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if ((at_saw(at, EVENT_RESTARTED) && (command->to_sim || command->once)) ||
        (command->once && (at_saw(at, EVENT_FOREIGN) || finals > 0 || at->echoes != echoes)))
        return report_set(why, OUTCOME_LOST,
                          at_saw(at, EVENT_RESTARTED) ? "the modem restarted" : AT_OUT_OF_STEP);
    if (prompt_waits(at)) { /* it would be a message's text */
        outcome = at_leave_prompt(at, deadline, why);
        if (outcome == OUTCOME_OK && command->once)
            outcome = report_set(why, OUTCOME_LOST, "the modem was waiting for the text of an SMS");
        if (outcome != OUTCOME_OK)
            return outcome;
    }
    if (deadline_passed(deadline)) /* nobody would wait for the answer */
        return report_set(why, OUTCOME_TIMEOUT, "no time was left for AT%.*s: raise `timeout`",
                          (int)strcspn(command->line + 2, "="), command->line + 2);
    result->said = true;
    echoes = at->echoes;
    at->overdue = 0;
    trace_line(at->trace, '>', command->line,
               (command->secrecy & SECRET_COMMAND) != 0 ? MASK_VALUE : MASK_NOTHING);
    outcome = port_write(at->port, command->line, strlen(command->line), until, why);
    if (outcome == OUTCOME_OK)
        outcome = port_write(at->port, "\r", 1, until, why);
    if (outcome == OUTCOME_OK)
        outcome = collect(at, command, until, result, why);
    if (outcome == OUTCOME_TIMEOUT) {
        at->unheard =
            result->values == 0 && at->echoes == echoes && at->input_length == 0 && !at->prompted;
        at_note(at, EVENT_LATE, true);
        return report_set(why, OUTCOME_TIMEOUT, "the modem did not answer AT%.*s within %d ms",
                          (int)strcspn(command->line + 2, "="), command->line + 2,
                          (int)(monotonic_ms() - started));
    }
    at->prompted = at->prompted && outcome != OUTCOME_OK;
    at->refused = outcome == OUTCOME_OK && result->final == AT_FINAL_ERROR;
    /* where an answer may still come it is looked for, see at_command */
    if (outcome == OUTCOME_OK && result->final != AT_FINAL_OK &&
        (command->answer == AT_ANSWER_NONE || command->question))
        outcome = at_skip(at, SETTLE_MS, deadline, &finals, why);
    return outcome;
}
