/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that go on with a record's channel. */
#include "apdu/session/record.h"

#include "apdu/session/rundir.h"

#include <string.h>
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

void record_join(struct record *record)
{
    pid_t self = getpid();
    size_t at = find_user(record, self);

    if (at < record->user_count && record->users[at].start == rundir_process_start(self))
        return;
    prune(record, self);
    if (record->user_count < RECORD_USERS)
        record->users[record->user_count++] =
            (struct record_user){self, rundir_process_start(self)};
}

size_t record_leave(struct record *record)
{
    prune(record, getpid());
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
