/* SPDX-License-Identifier: Apache-2.0 */
/* Which connections there are, which of them wait for which modem, and whose turn it is: that of the user who
 * was served longest ago, and of its connections the one that has waited longest. No I/O. Times are
 * monotonic_ms. */
#ifndef SIMKEY_APDU_AGENT_TURNS_H
#define SIMKEY_APDU_AGENT_TURNS_H

#include "apdu/modems.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TURN_SEATS 128 /* connections at once */
#define TURN_USERS 128
/* How long a user is not served after a child that served it has crashed. */
#define TURN_BARRED_MS 10000

enum seat_state {
    SEAT_FREE,
    SEAT_QUIET, /* connected; asks for nothing yet, or has been served */
    SEAT_WAITS,
    SEAT_HOLDS, /* has the modem */
};

struct seat {
    enum seat_state state;
    size_t user; /* index */
    bool served; /* it has had a turn */
    unsigned modem;
    uint64_t order; /* of its waiting */
    int64_t since;  /* monotonic_ms of its state */
    pid_t pid;
    int control; /* the parent's end; -1: the child has closed its own */
};

struct turn_user {
    bool used;
    uid_t uid;
    unsigned seats;
    uint64_t served[MODEMS_ALL]; /* when it was last served by each modem: greater is later */
    int64_t barred_until;
    int64_t filled_at; /* when `filled` grew last; it grows to the requests of a second */
    unsigned filled;   /* how many requests the user may begin now */
};

struct turns {
    struct seat seats[TURN_SEATS];
    struct turn_user users[TURN_USERS];
    uint64_t clock;
};

enum seating {
    SEATING_GOOD,
    SEATING_FULL,   /* no room for any user */
    SEATING_MANY,   /* this user has as many as it may have at once */
    SEATING_FAST,   /* this user begins too many a second */
    SEATING_BARRED, /* a child has died of what this user sent */
};

/* A seat for a connection of this user, in state QUIET. */
enum seating turns_sit(struct turns *turns, uid_t uid, unsigned connections, unsigned requests,
                       int64_t now, size_t *seat);

/* It waits for a modem. */
void turns_wait(struct turns *turns, size_t seat, unsigned modem, int64_t now);

/* The seat whose turn it is at this modem, which holds it from now on; TURN_SEATS if none waits for it, or
 * one holds it. */
size_t turns_next(struct turns *turns, unsigned modem, int64_t now);

/* It holds nothing and waits for nothing any more. */
void turns_release(struct turns *turns, size_t seat, int64_t now);

/* The seat is free. crashed: its child died of a signal that the agent did not send. */
void turns_leave(struct turns *turns, size_t seat, bool crashed, int64_t now);

/* True if any seat is in this state. */
bool turns_any(const struct turns *turns, enum seat_state state);

#endif
