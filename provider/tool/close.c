/* SPDX-License-Identifier: Apache-2.0 */
/* simkey close: ends what `session = keep` lets stand, and what killed programs left. */
#include "provider/tool/tool.h"

#include <stdio.h>

static enum outcome run_close(const struct command_line *line, struct sim *sim, struct report *why)
{
    bool closed;
    enum outcome outcome;

    if (line->operand_count != 0)
        return report_set(why, OUTCOME_USAGE, "simkey close takes no arguments");
    outcome = token_close(sim, &closed, why);
    if (outcome == OUTCOME_OK)
        puts(closed ? "the session on the SIM is closed" : "no session was open");
    return outcome;
}

const struct command command_close = {.name = "close",
                                      .operands = "",
                                      .purpose =
                                          "closes the session that programs share, also a kept one",
                                      .run = run_close};
