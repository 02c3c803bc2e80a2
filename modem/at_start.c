/* SPDX-License-Identifier: Apache-2.0 */
/* How the line to a modem comes into step: start-up, resynchronisation, the proof that no answer is
 * outstanding. */
#include "modem/at_line.h"
#include "modem/cme.h"

#define START_TIMEOUT_MS  250 /* a modem may be asleep, or reset by the opening of its port */
#define SETUP_TIMEOUT_MS  2000
#define RESYNC_TOTAL_MS   20000 /* as long as the longest command lasts */
#define RESYNC_LONGEST_MS 1000

/* A command of which only its success matters. */
static enum outcome plain(struct at *at, const char *line, int timeout_ms, struct deadline deadline,
                          bool *ok, struct report *why)
{
    struct at_command command = {
        .line = line, .answer = AT_ANSWER_NONE, .prefix = NULL, .timeout_ms = timeout_ms};
    struct at_result result;
    enum outcome outcome = at_exchange(at, &command, deadline, &result, why);

    *ok = outcome == OUTCOME_OK && result.final == AT_FINAL_OK;
    /* nothing of that kind was asked for: it was said meanwhile */
    if (outcome == OUTCOME_OK && result.final == AT_FINAL_CME && cme_is_no_sim(result.cme))
        at_note(at, EVENT_NO_SIM_HEARD, true);
    return outcome;
}

/* What makes a modem answer AT in words: it may have been left without words, or without answers. */
static const char *const openers[] = {"AT", "AT", "ATE0V1Q0", "ATQ0", "ATV1", "AT", "AT", "AT"};
#define OPENERS (sizeof openers / sizeof openers[0])

/* `AT` was answered ERROR, not for the first time: it may have come too soon. True if so. */
static bool refused_again(struct at *at, unsigned *refusals, struct deadline deadline)
{
    static const struct at_command own = {.to_sim = false};

    *refusals += at->refused;
    return at->refused && *refusals > 1 && at_learn_gap(at, &own, deadline);
}

/* `AT` until a clean OK. What never answered owes no answer: nothing but `AT` was said. */
static enum outcome awaken(struct at *at, struct deadline deadline, struct report *why)
{
    const bool owed = at_saw(at, EVENT_LATE);
    bool ok = false;
    unsigned finals, refusals = 0;

    for (size_t i = 0; i < OPENERS && !ok && (i == 0 || !deadline_passed(deadline)); i++) {
        enum outcome outcome = plain(at, openers[i], START_TIMEOUT_MS, deadline, &ok, why);

        if (outcome == OUTCOME_TIMEOUT &&
            (outcome = at_leave_prompt(at, deadline, why)) != OUTCOME_OK)
            return outcome;
        if (outcome != OUTCOME_OK && outcome != OUTCOME_LOST)
            return outcome;
        ok = ok || refused_again(at, &refusals, deadline);
        if (ok && i > 0) /* the others may be answered late */
            outcome = at_skip(at, AT_SETTLE_MS, deadline, &finals, why);
        if (ok)
            at_note(at, EVENT_LATE, false);
        if (ok && outcome != OUTCOME_OK)
            return outcome;
    }
    if (!ok)
        at_note(at, EVENT_LATE, owed);
    if (!ok)
        return report_set(why, OUTCOME_NO_MODEM,
                          "nothing answers AT: check that `device` is the modem's AT port, that no "
                          "other program uses it, and `baud`");
    return OUTCOME_OK;
}

/* Another OK than that of `AT` was an earlier command's. */
enum outcome at_settle(struct at *at, struct deadline outer, struct report *why)
{
    struct deadline deadline = deadline_within(outer, RESYNC_TOTAL_MS);
    int timeout_ms = START_TIMEOUT_MS;
    enum outcome outcome = OUTCOME_OK;
    unsigned others = 1, refusals = 0;
    bool ok;

    for (size_t i = 0; !deadline_passed(deadline) && others > 0; i++) {
        outcome = plain(at, openers[i % OPENERS], timeout_ms, deadline, &ok, why);
        timeout_ms = timeout_ms * 2 > RESYNC_LONGEST_MS ? RESYNC_LONGEST_MS : timeout_ms * 2;
        if (outcome == OUTCOME_TIMEOUT) { /* still at work */
            if ((outcome = at_leave_prompt(at, deadline, why)) != OUTCOME_OK)
                return outcome;
            continue;
        }
        if (outcome == OUTCOME_LOST)
            continue; /* restarting */
        ok = ok || refused_again(at, &refusals, deadline);
        if (outcome == OUTCOME_OK)
            outcome = at_skip(at, AT_SETTLE_MS, deadline, &others, why);
        if (outcome != OUTCOME_OK)
            return outcome;
        others += ok ? 0 : 1;
    }
    if (others > 0)
        return report_set(why, OUTCOME_TIMEOUT,
                          "the modem has not answered since an earlier command: it may still be "
                          "working on it, so try again later, or raise `timeout`; if that does not "
                          "help, check that `device` is its AT port");
    at_note(at, EVENT_LATE, false);
    at_note(at, EVENT_DOUBT, false);
    at->messages = at->unsettled = false;
    return OUTCOME_OK;
}

/* The same of the start-up: once more where the modem has not heard it. A modem that never answers it, but
 * `AT`, is not kept waiting for; which is noted. */
static enum outcome set_up(struct at *at, const char *line, unsigned deaf, struct deadline deadline,
                           bool *ok, struct report *why)
{
    static const struct at_command own = {.to_sim = false};
    struct report other = REPORT_INIT;
    enum outcome outcome = plain(at, line, SETUP_TIMEOUT_MS, deadline, ok, why);

    if ((outcome == OUTCOME_TIMEOUT || (outcome == OUTCOME_OK && !*ok)) &&
        at_learn_gap(at, &own, deadline))
        outcome = plain(at, line, SETUP_TIMEOUT_MS, deadline, ok, why);
    if (outcome != OUTCOME_TIMEOUT ||
        at_settle(at, deadline_within(deadline, SETUP_TIMEOUT_MS), &other) != OUTCOME_OK)
        return outcome;
    at->deaf |= deaf;
    report_clear(why);
    return OUTCOME_OK;
}

/* Echo off, words, answers. */
static enum outcome set_line(struct at *at, struct deadline deadline, struct report *why)
{
    static const char *const single[] = {"ATE0", "ATV1", "ATQ0"};
    enum outcome outcome = OUTCOME_OK;
    bool ok = false;

    if (!(at->deaf & AT_DEAF_COMPOUND))
        outcome = set_up(at, "ATE0V1Q0", AT_DEAF_COMPOUND, deadline, &ok, why);
    for (size_t i = 0; i < sizeof single / sizeof single[0] && outcome == OUTCOME_OK && !ok; i++) {
        bool taken;

        outcome = set_up(at, single[i], 0, deadline, &taken, why);
    }
    return outcome;
}

enum outcome at_start(struct at *at, struct deadline deadline, struct report *why)
{
    enum outcome outcome = awaken(at, deadline, why);
    bool ok;

    at_note(at, EVENT_FORGOT, at_saw(at, EVENT_ECHOED));
    if (outcome == OUTCOME_OK)
        outcome = set_line(at, deadline, why);
    at->echo_stays = false;
    at_note(at, EVENT_ECHOED, false);
    /* a modem without numbers behind its errors still works; whether it echoes is seen all the same */
    if (outcome == OUTCOME_OK && !(at->deaf & AT_DEAF_CMEE))
        outcome = set_up(at, "AT+CMEE=1", AT_DEAF_CMEE, deadline, &ok, why);
    else if (outcome == OUTCOME_OK)
        outcome = plain(at, "AT", SETUP_TIMEOUT_MS, deadline, &ok, why);
    at->echo_stays = at_saw(at, EVENT_ECHOED);
    at_note(at, EVENT_ECHOED, false);
    return outcome;
}

enum outcome at_resync(struct at *at, int quiet_ms, bool idle, struct deadline deadline,
                       struct report *why)
{
    unsigned finals;
    enum outcome outcome = at_skip(at, quiet_ms, deadline, &finals, why);

    if (outcome == OUTCOME_OK && idle)
        outcome = awaken(at, deadline, why);
    if (outcome == OUTCOME_OK)
        outcome = at_settle(at, deadline, why);
    return outcome;
}

enum outcome at_listen(struct at *at, int quiet_ms, struct deadline deadline, struct report *why)
{
    unsigned finals;

    return at_skip(at, quiet_ms, deadline, &finals, why);
}

/* The modem takes its commands one after the other: with the OK of `AT` everything before it is
 * answered. */
enum outcome at_confirm(struct at *at, struct deadline deadline, struct report *why)
{
    enum outcome outcome = OUTCOME_OK;
    bool ok = false;

    if (!at->unsettled && !at->messages && !at_saw(at, EVENT_DOUBT))
        outcome = plain(at, "AT", SETUP_TIMEOUT_MS, deadline, &ok, why);
    if (outcome == OUTCOME_TIMEOUT || (outcome == OUTCOME_OK && !ok))
        outcome = at_settle(at, deadline, why);
    if (outcome == OUTCOME_OK && at_saw(at, EVENT_FOREIGN))
        outcome = report_set(why, OUTCOME_LOST, AT_OUT_OF_STEP);
    return outcome;
}
