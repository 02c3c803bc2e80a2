/* SPDX-License-Identifier: Apache-2.0 */
/* The question for the echo. */
#include "modem/at_echo.h"

#include "modem/cme.h"

#define ECHO_TIMEOUT_MS 2000

/* One line; whether it came back before its answer. */
static enum outcome ask_line(struct at *at, const char *line, struct deadline deadline,
                             bool *repeated, bool *ok, struct report *why)
{
    const struct at_command command = {
        .line = line, .answer = AT_ANSWER_NONE, .prefix = NULL, .timeout_ms = ECHO_TIMEOUT_MS};
    const unsigned before = at->echoes;
    struct at_result result;
    enum outcome outcome = at_command(at, &command, deadline, &result, why);

    *repeated = at->echoes != before;
    *ok = outcome == OUTCOME_OK && result.final == AT_FINAL_OK;
    /* nothing of that kind was asked for: it was said meanwhile */
    if (outcome == OUTCOME_OK && result.final == AT_FINAL_CME && cme_is_no_sim(result.cme))
        at_note(at, EVENT_NO_SIM_HEARD, true);
    return outcome;
}

enum outcome at_echo_off(struct at *at, struct deadline deadline, struct at_echo *echo,
                         struct report *why)
{
    const bool stays = at->echo_stays, echoed = at_saw(at, EVENT_ECHOED);
    bool ok;
    enum outcome outcome;

    *echo = (struct at_echo){.was_on = false};
    at->echo_stays = false; /* an echo that is known is not noted */
    outcome = ask_line(at, "ATE0", deadline, &echo->was_on, &ok, why);
    if (outcome == OUTCOME_OK)
        outcome = ask_line(at, "AT", deadline, &echo->stays, &ok, why);
    at->echo_stays = stays;
    at_note(at, EVENT_ECHOED, echoed || (echo->was_on && !stays));
    if (outcome == OUTCOME_OK && !ok)
        outcome = report_set(why, OUTCOME_LOST, "the modem does not answer AT with OK any more");
    return outcome;
}
