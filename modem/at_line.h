/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the AT dialogue share; others use at.h. One exchange, and the line between two
 * of them. */
#ifndef SIMKEY_MODEM_AT_LINE_H
#define SIMKEY_MODEM_AT_LINE_H

#include "modem/at.h"

/* Within this time, in milliseconds, a modem that answers twice has done so. */
#define AT_SETTLE_MS 50

/* Sends the command once, after the pause that this modem needs (EVENT_GAP, EVENT_LONG_GAP), if it does,
 * and collects what answers it. An OK without the line that is owed is not
 * the end: that line is waited for, a fifth of the command's time-out, and ends the exchange when it
 * comes (result->early). Errors: OUTCOME_NO_MODEM, OUTCOME_TIMEOUT (EVENT_LATE is set), OUTCOME_LOST
 * (the modem restarted). */
enum outcome at_exchange(struct at *at, const struct at_command *command, struct deadline deadline,
                         struct at_result *result, struct report *why);

/* Reads away what came since the last exchange until nothing that belongs to one (a final result, an
 * answer, an echo) comes for quiet_ms, for three times that at most; 0: only what is there.
 * Unsolicited lines do not prolong it. *finals counts the final results among it. Errors:
 * OUTCOME_NO_MODEM. */
enum outcome at_skip(struct at *at, int quiet_ms, struct deadline deadline, unsigned *finals,
                     struct report *why);

/* Brings the line into step: `AT` until its OK is the only final result, for 20 s at most. Then no
 * earlier command is unanswered. EVENT_LATE and EVENT_DOUBT are gone
 * afterwards; what answers at->owed goes to at->owed_result. Errors: OUTCOME_NO_MODEM, OUTCOME_TIMEOUT. */
enum outcome at_settle(struct at *at, struct deadline deadline, struct report *why);

/* After a time-out, and before a command: where the modem was seen to wait for the text of a message
 * ("> ", left so by a program that died), tells it to stop (ESC), once for each struct at. Nothing is
 * said elsewhere. Errors: OUTCOME_NO_MODEM. */
enum outcome at_leave_prompt(struct at *at, struct deadline deadline, struct report *why);

/* True for what modems of several makers say when they have started. */
bool at_is_boot_line(const char *line);

/* True for the header of a message that the modem shows, or that another program reads: the next line is
 * a message's text (3GPP TS 27.005, 3.4.1 and 3.4.2). A delivery report in text mode has none. */
bool at_text_follows(const char *line);

/* After a time-out: if nothing at all came for the command, asks by a few `AT` whether the modem loses
 * what comes too soon after a final result. After a bare ERROR, with nothing outstanding: whether it
 * answers so what comes too soon. True if it does, and the gap that is enough was learnt:
 * the command was not heard then; EVENT_LATE stays where it was one to the SIM. If it does not, and the command was one
 * to the SIM, EVENT_LOST is set; the second time EVENT_GAP. */
bool at_learn_gap(struct at *at, const struct at_command *command, struct deadline deadline);

/* Keeps a line for the channel that it may tell of. */
void at_keep_stray(struct at *at, const char *line);

#endif
