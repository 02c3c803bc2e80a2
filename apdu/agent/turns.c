/* SPDX-License-Identifier: Apache-2.0 */
/* See turns.h. */
#include "apdu/agent/turns.h"

#include <string.h>

/* The user's place. A new user gets a free one, or that of a user of whom nothing has to be remembered;
 * TURN_USERS if there is none. */
static size_t find_user(struct turns *turns, uid_t uid, unsigned requests, int64_t now)
{
    size_t place = TURN_USERS;

    for (size_t i = 0; i < TURN_USERS; i++) {
        struct turn_user *user = &turns->users[i];

        if (user->used && user->uid == uid)
            return i;
        if (place == TURN_USERS && (!user->used || (user->seats == 0 && user->barred_until <= now &&
                                                    now - user->filled_at > 1000)))
            place = i;
    }
    if (place < TURN_USERS)
        turns->users[place] =
            (struct turn_user){.used = true, .uid = uid, .filled = requests, .filled_at = now};
    return place;
}

/* A second's worth of requests, which fills again as time passes. */
static bool take_request(struct turn_user *user, unsigned requests, int64_t now)
{
    const int64_t more = (now - user->filled_at) * requests / 1000;

    if (more > 0) {
        user->filled =
            more >= (int64_t)requests - user->filled ? requests : user->filled + (unsigned)more;
        user->filled_at = now;
    }
    if (user->filled == 0)
        return false;
    user->filled--;
    return true;
}

enum seating turns_sit(struct turns *turns, uid_t uid, unsigned connections, unsigned requests,
                       int64_t now, size_t *seat)
{
    const size_t place = find_user(turns, uid, requests, now);
    struct turn_user *user = place < TURN_USERS ? &turns->users[place] : NULL;

    for (*seat = 0; *seat < TURN_SEATS && turns->seats[*seat].state != SEAT_FREE;)
        ++*seat;
    if (user == NULL || *seat == TURN_SEATS)
        return SEATING_FULL;
    if (user->barred_until > now)
        return SEATING_BARRED;
    if (user->seats >= connections)
        return SEATING_MANY;
    if (!take_request(user, requests, now))
        return SEATING_FAST;
    user->seats++;
    turns->seats[*seat] =
        (struct seat){.state = SEAT_QUIET, .user = place, .since = now, .control = -1};
    return SEATING_GOOD;
}

void turns_wait(struct turns *turns, size_t seat, unsigned modem, int64_t now)
{
    struct seat *one = &turns->seats[seat];

    one->state = SEAT_WAITS;
    one->modem = modem;
    one->order = ++turns->clock;
    one->since = now;
}

/* True if a comes before b. */
static bool comes_before(const struct turns *turns, const struct seat *a, const struct seat *b)
{
    const uint64_t served_a = turns->users[a->user].served[a->modem];
    const uint64_t served_b = turns->users[b->user].served[b->modem];

    return served_a != served_b ? served_a < served_b : a->order < b->order;
}

size_t turns_next(struct turns *turns, unsigned modem, int64_t now)
{
    size_t next = TURN_SEATS;

    for (size_t i = 0; i < TURN_SEATS; i++) {
        const struct seat *seat = &turns->seats[i];

        if (seat->modem != modem || seat->state < SEAT_WAITS)
            continue;
        if (seat->state == SEAT_HOLDS)
            return TURN_SEATS;
        if (next == TURN_SEATS || comes_before(turns, seat, &turns->seats[next]))
            next = i;
    }
    if (next < TURN_SEATS) {
        turns->seats[next].state = SEAT_HOLDS;
        turns->seats[next].served = true;
        turns->seats[next].since = now;
        turns->users[turns->seats[next].user].served[modem] = ++turns->clock;
    }
    return next;
}

void turns_release(struct turns *turns, size_t seat, int64_t now)
{
    if (turns->seats[seat].state == SEAT_FREE)
        return;
    turns->seats[seat].state = SEAT_QUIET;
    turns->seats[seat].since = now;
}

void turns_leave(struct turns *turns, size_t seat, bool crashed, int64_t now)
{
    struct seat *one = &turns->seats[seat];
    struct turn_user *user = &turns->users[one->user];

    if (one->state == SEAT_FREE)
        return;
    if (crashed)
        user->barred_until = now + TURN_BARRED_MS;
    user->seats--;
    memset(one, 0, sizeof *one);
    one->control = -1;
}

bool turns_any(const struct turns *turns, enum seat_state state)
{
    for (size_t i = 0; i < TURN_SEATS; i++)
        if (turns->seats[i].state == state)
            return true;
    return false;
}
