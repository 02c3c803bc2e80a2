/* SPDX-License-Identifier: Apache-2.0 */
/* The pause that some modems need between a final result and the next command (u-blox SARA-R4 and
 * Telit LE910 ask for 20 ms): what comes sooner is lost without a word, or answered ERROR. Whether this
 * one is such a modem is only asked after a command that nothing answered, or that was answered so. */
#include "modem/at_line.h"

#include <string.h>

#define ASK_MS 250
/* So many commands in a row have to be answered: a modem may lose only some. */
#define ASK_TIMES 4

#define GAPS (EVENT_GAP | EVENT_LONG_GAP)

/* `AT` so many times, each as soon as the gap allows. Returns how often it was answered OK. *heard: it was
 * answered at all. */
static unsigned count_answers(struct at *at, struct deadline deadline, bool *heard)
{
    const struct at_command command = {.line = "AT", .timeout_ms = ASK_MS};
    struct at_result result;
    struct report ignored = REPORT_INIT;
    unsigned answered = 0;

    while (answered < ASK_TIMES && !deadline_passed(deadline) &&
           at_exchange(at, &command, deadline, &result, &ignored) == OUTCOME_OK &&
           result.final == AT_FINAL_OK)
        answered++;
    *heard = answered > 0 || at->refused;
    return answered;
}

static bool reaches_sim(const struct at_command *command)
{
    return command->to_sim || (command->prefix != NULL && strcmp(command->prefix, "+CRSM:") == 0);
}

/* All of the calls were answered at once, and yet the command was lost. Once that may be anything; some
 * modems want the gap only behind an answer of the SIM, which is not asked for that. */
static void suspect_gap(struct at *at)
{
    at_note(at, at_saw(at, EVENT_LOST) ? EVENT_GAP : EVENT_LOST, true);
}

/* The first `AT` comes after the silence of a time-out, where it was one: every modem that listens answers
 * it. */
bool at_learn_gap(struct at *at, const struct at_command *command, struct deadline deadline)
{
    static const unsigned ways[] = {0, EVENT_GAP, EVENT_LONG_GAP};
    const unsigned before = *at->events;
    const size_t first = (before & EVENT_GAP) != 0 ? 1 : 0;
    const bool refused = at->refused;
    unsigned answered = 0;
    bool heard = true;

    if ((!at->unheard && !refused) || at->gap_asked || (before & EVENT_LONG_GAP) != 0)
        return false;
    for (size_t i = first; i < sizeof ways / sizeof ways[0] && heard; i++) {
        *at->events = (*at->events & ~(unsigned)GAPS) | ways[i];
        answered = count_answers(at, deadline, &heard);
        if (answered == ASK_TIMES && i > first) {
            /* so often answered, it has nothing else to do; but a channel may be open */
            if (!reaches_sim(command))
                at_note(at, EVENT_LATE, false);
            return true;
        }
        if (answered == ASK_TIMES) /* it is not for want of a gap between these */
            break;
    }
    at->gap_asked = true;
    *at->events = (*at->events & ~(unsigned)GAPS) | (before & (GAPS | EVENT_LATE));
    if (answered == ASK_TIMES && first == 0 && !refused && reaches_sim(command))
        suspect_gap(at);
    return false;
}
