/* SPDX-License-Identifier: Apache-2.0 */
/* A record's shared channels, and the processes that go on with them. */
#include "apdu/session/record.h"

#include "apdu/session/rundir.h"

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

void record_join(struct record *record, enum record_channel which)
{
    pid_t self = getpid();
    size_t at = find_user(record, self);

    if (at < record->user_count && record->users[at].start == rundir_process_start(self)) {
        record->users[at].uses |= 1u << which;
        return;
    }
    prune(record, self);
    if (record->user_count < RECORD_USERS)
        record->users[record->user_count++] =
            (struct record_user){self, rundir_process_start(self), 1u << which};
}

size_t record_users(const struct record *record, enum record_channel which)
{
    size_t count = 0;

    for (size_t i = 0; i < record->user_count; i++)
        count += (record->users[i].uses & 1u << which) != 0;
    return count;
}

size_t record_leave(struct record *record)
{
    prune(record, getpid());
    return record->user_count;
}
