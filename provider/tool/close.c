/* SPDX-License-Identifier: Apache-2.0 */
/* simkey close: ends what `session = keep` lets stand, and what killed programs left. */
#include "provider/tool/tool.h"

#include <stdio.h>

static void say_channel(const struct sim_channel *channel)
{
    const char *what = channel->session ? "session" : "channel";

    switch (channel->end) {
    case SIM_CHANNEL_CLOSED:
        printf("%s %s, which no program used any more, is closed\n", what, channel->name);
        break;
    case SIM_CHANNEL_HELD:
        printf("%s %s stays open: ", what, channel->name);
        if (channel->pid > 0)
            printf("process %ld works on it\n", channel->pid);
        else
            printf("another program works on it\n");
        break;
    case SIM_CHANNEL_OTHERS:
        printf("%s %s stays open: the application selected on it may be in use by the modem "
               "itself. If it is not, "
               "restart the modem\n",
               what, channel->name);
        break;
    case SIM_CHANNEL_STAYS:
        printf("%s %s may still be open: the SIM did not say that it is closed. The next operation "
               "tries again; a restart of the modem closes it too\n",
               what, channel->name);
        break;
    }
}

static enum outcome run_close(const struct command_line *line, struct sim *sim, struct report *why)
{
    struct sim_found found;
    enum outcome outcome;

    if (line->operand_count != 0)
        return report_set(why, OUTCOME_USAGE, "simkey close takes no arguments");
    outcome = token_close(sim, &found, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (found.closed)
        puts("the session on the SIM is closed");
    for (size_t i = 0; i < found.count; i++)
        say_channel(&found.channels[i]);
    if (!found.closed && found.count == 0)
        puts("no session was open");
    return OUTCOME_OK;
}

const struct command command_close = {.name = "close",
                                      .operands = "",
                                      .purpose =
                                          "closes the session that programs share, also a kept one",
                                      .run = run_close};
