/* SPDX-License-Identifier: Apache-2.0 */
/* The table of channels and their owners. */
#include "apdu/session/owners.h"

#include "apdu/session/rundir.h"

#include <string.h>

bool channel_same(const struct channel *a, const struct channel *b)
{
    return a->open && b->open && a->carrier == b->carrier && a->number == b->number &&
           strcmp(a->session, b->session) == 0;
}

struct owned *owners_find(struct owners *owners, const struct channel *channel)
{
    for (size_t i = 0; i < owners->count; i++)
        if (channel_same(&owners->list[i].channel, channel))
            return &owners->list[i];
    return NULL;
}

static void remove_at(struct owners *owners, size_t i)
{
    owners->count--;
    memmove(&owners->list[i], &owners->list[i + 1], (owners->count - i) * sizeof owners->list[0]);
}

/* Room for one more, at the expense of the least likely to be open. */
static struct owned *make_room(struct owners *owners)
{
    size_t worst = 0;

    if (owners->count == OWNERS_MAX) {
        for (size_t i = 1; i < owners->count; i++)
            if (owners->list[i].doubt > owners->list[worst].doubt)
                worst = i;
        remove_at(owners, worst);
    }
    return &owners->list[owners->count++];
}

static struct owned *put_channel(struct owners *owners, const struct channel *channel)
{
    struct owned *owned = owners_find(owners, channel);

    if (owned == NULL)
        owned = make_room(owners);
    *owned = (struct owned){.channel = *channel};
    return owned;
}

void owners_hold(struct owners *owners, const struct channel *channel, pid_t pid, uint64_t start)
{
    struct owned *owned = put_channel(owners, channel);

    owned->pid = pid;
    owned->start = start;
}

void owners_orphan(struct owners *owners, const struct channel *channel, enum doubt doubt)
{
    put_channel(owners, channel)->doubt = doubt;
}

void owners_guess(struct owners *owners, const struct channel *channel)
{
    if (owners->count < OWNERS_MAX / 2 || owners_find(owners, channel) != NULL)
        owners_orphan(owners, channel, DOUBT_ASK);
}

void owners_remove(struct owners *owners, const struct channel *channel)
{
    struct owned *owned = owners_find(owners, channel);

    if (owned != NULL)
        remove_at(owners, (size_t)(owned - owners->list));
}

void owners_doubt_all(struct owners *owners)
{
    for (size_t i = 0; i < owners->count; i++)
        owners->list[i].doubt = DOUBT_GONE;
}

enum owner owners_state(const struct owned *owned)
{
    return owned->pid > 0 && rundir_process_lives(owned->pid, owned->start) ? OWNER_HOLDS
                                                                            : OWNER_IS_DEAD;
}

bool owners_know(const struct owners *owners, unsigned number)
{
    for (size_t i = 0; i < owners->count; i++)
        if (owners->list[i].channel.number == number)
            return true;
    return false;
}
