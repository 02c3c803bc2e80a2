/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that go on with a record's channel. */
#include "apdu/session/record.h"

#include "apdu/session/rundir.h"

#include <unistd.h>

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

void record_join_for(struct record *record, pid_t pid)
{
    size_t at = find_user(record, pid);
    const uint64_t start = rundir_process_start(pid);

    if (at < record->user_count && record->users[at].start == start)
        return;
    prune(record, pid);
    if (record->user_count < RECORD_USERS)
        record->users[record->user_count++] = (struct record_user){pid, start};
}

void record_join(struct record *record)
{
    record_join_for(record, getpid());
}

size_t record_leave_for(struct record *record, pid_t pid)
{
    prune(record, pid);
    return record->user_count;
}

size_t record_leave(struct record *record)
{
    return record_leave_for(record, getpid());
}
