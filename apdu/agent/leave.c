/* SPDX-License-Identifier: Apache-2.0 */
/* The child that closes what the agent holds open in its modems. */
#include "apdu/agent/child.h"
#include "apdu/agent/say.h"
#include "apdu/session/sim_state.h"

#define SHUT_MS 10000

/* Something in the modem is, or may be, the agent's: the shared channel, or one that a child left. */
static bool leaves_something(const struct settings *settings, bool *open)
{
    struct record record;

    if (!record_peek(settings, &record))
        return false;
    *open = record.shared.level > LEVEL_CLOSED || record.second.level > LEVEL_CLOSED;
    return *open || record.dirty || record.owners.count > 0;
}

/* Takes the agent out of the session's users, of which it is the last. */
static void close_softly(struct sim *sim, pid_t agent)
{
    sim_act_for(sim, agent);
    sim_close(sim);
}

static void leave_modem(const struct settings *settings, pid_t agent, bool end)
{
    struct report why = REPORT_INIT;
    struct sim_found found;
    struct sim *sim = NULL;
    bool open = false;

    if (!leaves_something(settings, &open) || (!end && settings->session == SESSION_KEEP) ||
        sim_new(&sim, settings, &why) != OUTCOME_OK)
        return;
    if (open)
        close_softly(sim, agent);
    if (end &&
        leaves_something(settings, &open)) { /* a child was killed in the middle of something */
        sim_limit(sim, deadline_in(SHUT_MS));
        if (sim_shut(sim, &found, &why) != OUTCOME_OK)
            agent_say("a channel may be open in %s: %s", settings->device, why.text);
    }
    sim_free(sim);
}

int child_leave(const struct child *child, bool end)
{
    const struct settings *settings;
    const char *name;

    for (size_t i = 0; (settings = conf_modem(&child->modems, i, &name)) != NULL; i++)
        leave_modem(settings, child->parent, end);
    return 0;
}
