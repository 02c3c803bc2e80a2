/* SPDX-License-Identifier: Apache-2.0 */
/* A command and its answer: whether what came answers it, and what may be asked again. */
#include "modem/at_line.h"
#include "modem/cme.h"

#include <stdio.h>
#include <string.h>

#define ASK_TRIES       2
#define BUSY_TOTAL_MS   10000
#define BUSY_FIRST_MS   50
#define BUSY_LONGEST_MS 2000
/* With less than that left a command is not said again to a busy SIM: its answer might come too late. */
#define BUSY_LEAST_MS 400
/* So long a modem that left a question unanswered may take to answer `AT`. */
#define UNANSWERED_MS 1000

/* True if what came may not be the command's own: an SMS and another program say OK, ERROR and even
 * answers too. A refusal of a question is taken for what it is: others are asked instead. */
static bool in_doubt(const struct at *at, const struct at_command *command,
                     const struct at_result *result)
{
    if (command->answer == AT_ANSWER_NONE)
        return false;
    if (at->messages || result->differ || (result->final == AT_FINAL_OK && result->values == 0))
        return true;
    return result->final != AT_FINAL_OK &&
           (!command->question || result->values > 0 || command->answer != AT_ANSWER_PREFIXED);
}

/* Two answers: nobody knows which one is ours. The last one may tell of a channel. */
static enum outcome out_of_step(struct at *at, const struct at_command *command,
                                const struct at_result *result, struct report *why)
{
    char line[AT_STRAY_SIZE];
    int length = snprintf(line, sizeof line, "%s %s", command->prefix, result->value);

    if (!command->question && length > 0 && (size_t)length < sizeof line)
        at_keep_stray(at, line);
    explicit_bzero(line, sizeof line);
    return report_set(why, OUTCOME_LOST, AT_OUT_OF_STEP);
}

/* Brings the line into step and looks what came meanwhile: an answer behind a final result that was
 * not its own is the answer. */
static enum outcome resolve(struct at *at, const struct at_command *command,
                            struct deadline deadline, struct at_result *result, struct report *why)
{
    bool refused = result->final != AT_FINAL_OK, answered = result->values > 0;
    enum outcome outcome;

    at->owed = command;
    at->owed_result = result;
    outcome = at_settle(at, deadline, why);
    at->owed = NULL;
    at->owed_result = NULL;
    if (outcome == OUTCOME_TIMEOUT)
        at_note(at, EVENT_LATE, true);
    if (outcome != OUTCOME_OK || result->values == 0)
        return outcome;
    if (result->differ || (refused && answered))
        return out_of_step(at, command, result, why);
    result->final = AT_FINAL_OK;
    result->cme = -1;
    return OUTCOME_OK;
}

/* A question to the modem that came to no end within its time, while the modem answers `AT`: some never
 * answer one of them, some give the answer without its OK. That is no reason to ask nothing else. A
 * modem that does not answer `AT` either has failed: *why says which question it was. */
static enum outcome unanswered(struct at *at, const struct at_command *command,
                               struct deadline deadline, struct at_result *result,
                               struct report *why)
{
    struct report other = REPORT_INIT;
    const bool unheard = at->unheard;

    if (result->values > 0)
        result->final = AT_FINAL_OK;
    if (resolve(at, command, deadline_within(deadline, UNANSWERED_MS), result, &other) !=
            OUTCOME_OK ||
        deadline_passed(deadline))
        return OUTCOME_TIMEOUT;
    at->unheard = unheard;
    if (result->values == 0 && at_learn_gap(at, command, deadline))
        return at_exchange(at, command, deadline, result, why);
    at->unanswered = true;
    if (result->values == 0) {
        result->final = AT_FINAL_ERROR;
        result->silent = true;
    }
    report_clear(why);
    return OUTCOME_OK;
}

/* One exchange, and a question again where its answer was in doubt. What differs every time is the
 * modem's way: it also says it unasked. But a text is not taken from among messages. */
static enum outcome ask(struct at *at, const struct at_command *command, struct deadline deadline,
                        struct at_result *result, struct report *why)
{
    struct report ignored;

    for (int tries = 0;; tries++) {
        const unsigned gap = *at->events & (EVENT_GAP | EVENT_LONG_GAP);
        enum outcome outcome = at_exchange(at, command, deadline, result, why);

        if (outcome == OUTCOME_TIMEOUT)
            (void)at_leave_prompt(at, deadline, &ignored);
        if (outcome == OUTCOME_TIMEOUT && command->question && result->said)
            return unanswered(at, command, deadline, result, why);
        if (outcome == OUTCOME_TIMEOUT)
            (void)at_learn_gap(at, command, deadline);
        if (outcome != OUTCOME_OK || !in_doubt(at, command, result))
            return outcome;
        if (command->question && tries == ASK_TRIES - 1) {
            if (at->messages && command->answer != AT_ANSWER_PREFIXED)
                *result = (struct at_result){.final = AT_FINAL_ERROR, .cme = -1};
            return OUTCOME_OK;
        }
        outcome = resolve(at, command, deadline, result, why);
        if (outcome == OUTCOME_OK && result->final == AT_FINAL_ERROR && !command->once &&
            gap != (*at->events & (EVENT_GAP | EVENT_LONG_GAP))) /* it came too soon */
            continue;
        if (!command->question || (outcome != OUTCOME_OK && outcome != OUTCOME_LOST) ||
            (outcome == OUTCOME_OK && result->final != AT_FINAL_OK)) /* refused, and in step */
            return outcome;
    }
}

struct at_result at_no_sim(const struct at *at)
{
    return (struct at_result){.final = AT_FINAL_CME,
                              .cme = at->no_sim != 0 ? at->no_sim : CME_NO_SIM};
}

enum outcome at_command(struct at *at, const struct at_command *command, struct deadline deadline,
                        struct at_result *result, struct report *why)
{
    struct deadline patience;
    int64_t pause = BUSY_FIRST_MS;
    enum outcome outcome = OUTCOME_OK;

    result->said = false;
    if (command->to_sim && at_saw(at, EVENT_NO_SIM)) {
        *result = at_no_sim(at);
        return OUTCOME_OK;
    }
    if (at_saw(at, EVENT_LATE)) /* what comes now would be taken for the answer to this one */
        outcome = at_resync(at, 0, false, deadline, why);
    else if (at_saw(at, EVENT_DOUBT))
        outcome = at_settle(at, deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    for (patience = deadline_within(deadline, BUSY_TOTAL_MS);;) {
        outcome = ask(at, command, deadline, result, why);
        if (outcome == OUTCOME_OK && result->final == AT_FINAL_CME && command->to_sim &&
            cme_is_no_sim(result->cme)) {
            at->no_sim = result->cme;
            at_note(at, EVENT_NO_SIM, true);
        }
        if (outcome != OUTCOME_OK || result->final != AT_FINAL_CME || !cme_is_busy(result->cme) ||
            command->once || command->brief || deadline_passed(patience) ||
            deadline_left(deadline) <= BUSY_LEAST_MS)
            return outcome;
        deadline_sleep(patience, pause < deadline_left(deadline) - BUSY_LEAST_MS
                                     ? pause
                                     : deadline_left(deadline) - BUSY_LEAST_MS);
        pause = pause * 2 > BUSY_LONGEST_MS ? BUSY_LONGEST_MS : pause * 2;
    }
}
