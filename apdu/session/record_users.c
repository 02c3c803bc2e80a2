/* SPDX-License-Identifier: Apache-2.0 */
/* A record's shared channels, and the processes that use them. */
#include "apdu/session/record.h"

#include "apdu/session/rundir.h"

#include <string.h>
#include <unistd.h>

struct channel_state *record_channel(struct record *record, enum record_channel which)
{
    return which == RECORD_SECOND ? &record->second : &record->shared;
}

unsigned *record_generation(struct record *record, enum record_channel which)
{
    return which == RECORD_SECOND ? &record->second_generation : &record->generation;
}

enum record_channel record_which(const struct record *record, const struct channel_state *state)
{
    return state == &record->shared   ? RECORD_SHARED
           : state == &record->second ? RECORD_SECOND
                                      : RECORD_CHANNELS;
}

static size_t find_user(const struct record *record, pid_t pid)
{
    size_t i = 0;

    while (i < record->user_count && record->users[i].pid != pid)
        i++;
    return i;
}

/* Takes out those that ended, and one more. */
static void prune(struct record *record, pid_t also)
{
    size_t kept = 0;

    for (size_t i = 0; i < record->user_count; i++) {
        const struct record_user *user = &record->users[i];

        if (user->pid != also && rundir_process_lives(user->pid, user->start))
            record->users[kept++] = *user;
    }
    record->user_count = kept;
}

void record_join_for(struct record *record, enum record_channel which, pid_t pid)
{
    const uint64_t start = rundir_process_start(pid);
    size_t at = find_user(record, pid);

    if (at < record->user_count && record->users[at].start == start) {
        record->users[at].uses |= 1u << which;
        return;
    }
    prune(record, pid);
    if (record->user_count < RECORD_USERS)
        record->users[record->user_count++] = (struct record_user){pid, start, 1u << which};
}

void record_join(struct record *record, enum record_channel which)
{
    record_join_for(record, which, getpid());
}

size_t record_users(const struct record *record, enum record_channel which)
{
    size_t count = 0;

    for (size_t i = 0; i < record->user_count; i++)
        count += (record->users[i].uses & 1u << which) != 0;
    return count;
}

size_t record_leave_for(struct record *record, pid_t pid)
{
    prune(record, pid);
    return record->user_count;
}

void quirks_copy(struct card_quirks *to, const struct card_quirks *from)
{
    memcpy(to->iccid, from->iccid, sizeof to->iccid);
    to->no_le = from->no_le;
    to->short_way = from->short_way;
    to->max_read = from->max_read;
    to->modem = from->modem;
    to->environment_refused = from->environment_refused;
    to->pin_refused = from->pin_refused;
    for (size_t i = 0; i < REFUSALS; i++) {
        atomic_store(&to->said[i], atomic_load(&from->said[i]));
        atomic_store(&to->refusals[i], atomic_load(&from->refusals[i]));
    }
}
