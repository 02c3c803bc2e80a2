/* SPDX-License-Identifier: Apache-2.0 */
/* What an operation notes for the next one, and what its transport's events mean for it. At the bottom of
 * operation*.c and channel*.c: of those it uses only channel_leave_doubtful. */
#include "apdu/session/channel.h"
#include "modem/forks.h"

#include <string.h>
#include <unistd.h>

bool operation_out_of_step(const struct operation *operation)
{
    return (operation->transport.events & EVENT_UNASKED) && !operation->again;
}

enum outcome operation_echoes(struct report *why)
{
    return report_set(
        why, OUTCOME_LOST,
        "the modem echoes commands again: it may have restarted, and the channel may be gone");
}

uint64_t operation_own_start(struct sim *sim)
{
    if (sim->start_of != getpid()) {
        sim->start_of = getpid();
        sim->start = rundir_process_start(sim->start_of);
    }
    return sim->start;
}

bool operation_all_lost(struct operation *operation)
{
    if ((operation->transport.events & (EVENT_RESTARTED | EVENT_NO_SIM)) == 0)
        return false;
    owners_doubt_all(&operation->record.owners);
    channel_leave_doubtful(operation, &operation->record.shared, DOUBT_GONE);
    channel_leave_doubtful(operation, &operation->record.second, DOUBT_GONE);
    channel_leave_doubtful(operation, &operation->sim->mine, DOUBT_GONE);
    channel_leave_doubtful(operation, &operation->oneshot, DOUBT_GONE);
    operation->sim->line.ready = false;
    return true;
}

bool operation_save(struct operation *operation, bool dirty)
{
    if (operation->woken)
        operation->sim->line.kept = operation->transport.kept;
    if (operation->file < 0)
        return false;
    operation->record.dirty = dirty;
    operation->record.line = operation->sim->line;
    quirks_copy(&operation->record.quirks, &operation->sim->quirks);
    operation->record.memory = operation->sim->memory;
    return record_save(operation->file, &operation->record);
}

/* Without a record no channel can be left for others: the one in use becomes this operation's own. */
static void give_up_record(struct operation *operation)
{
    record_spoil(operation->file);
    forks_close(operation->file);
    operation->file = -1;
    if (record_which(&operation->record, operation->current) != RECORD_CHANNELS) {
        operation->oneshot = *operation->current;
        memset(operation->current, 0, sizeof *operation->current);
        operation->current = &operation->oneshot;
        if (operation->oneshot.level > LEVEL_CLOSED)
            owners_orphan(&operation->record.owners, &operation->oneshot.channel, DOUBT_NONE);
    }
}

void operation_owes(struct operation *operation, bool answered, int more_ms)
{
    struct line_state *line = &operation->sim->line;

    if (operation->woken || (line->late_until == 0 && (answered || operation->record.dirty)))
        line->late_until = monotonic_ms() + more_ms;
    else if (line->late_until == 0) /* nothing but `AT` was said */
        line->late_until = LATE_OVER;
}

void operation_note(struct operation *operation)
{
    struct line_state *line = &operation->sim->line;
    const bool was = operation->record.dirty;
    const int64_t late_until = line->late_until;

    if (!operation->woken && !line->ready && !was)
        operation_owes(operation, false, 0);
    if (!operation_save(operation, true) && operation->file >= 0)
        give_up_record(operation);
    operation->record.dirty = was;
    line->late_until = late_until;
}
