/* SPDX-License-Identifier: Apache-2.0 */
/* The channels beside the shared ones, and whose they are: a table in the session record. A process
 * that dies leaves its entries there, and the next one closes their channels. A hint like all of the
 * record; read and written while the device is locked. */
#ifndef SIMKEY_APDU_SESSION_OWNERS_H
#define SIMKEY_APDU_SESSION_OWNERS_H

#include "modem/transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OWNERS_MAX 20

/* Whether a channel is still ours. In doubt it is asked before it is closed: a modem that restarted
 * unseen may have given its number to another program. */
enum doubt {
    DOUBT_NONE,
    DOUBT_ASK,  /* asked as soon as a new channel is open: where that got its number, it is gone */
    DOUBT_GONE, /* probably gone, or another program's: asked only when channels are wanted, and by
                 * `simkey close` */
    DOUBT_LAST = DOUBT_GONE
};

/* Whose a channel is. */
enum owner {
    OWNER_NONE,   /* nothing says whose it is */
    OWNER_HOLDS,  /* its owner lives and must not lose it */
    OWNER_LIVES,  /* its owner lives, and opens another one if it loses this */
    OWNER_IS_DEAD /* its owner will not close it: an orphan */
};

#define OWNED_STAYS 4U

struct owned {
    struct channel channel;
    pid_t pid;      /* 0: an orphan, to be closed by the next operation */
    uint64_t start; /* when that process started, see rundir_process_start */
    enum doubt doubt;
    /* in how many operations closing it was refused; OWNED_STAYS is added where the modem, or the card,
     * does not take the command at all, so that the channel is still open (channel_reuse) */
    unsigned refused;
    bool tried; /* in this operation; not recorded */
};

struct owners {
    size_t count;
    struct owned list[OWNERS_MAX];
};

/* True if both are open and the same: by number, or by the modem's name for a session. */
bool channel_same(const struct channel *a, const struct channel *b);

/* The entry of an open channel, NULL if there is none. It moves when an entry is added or removed. */
struct owned *owners_find(struct owners *owners, const struct channel *channel);

/* Notes a channel as this process's, which must not lose it. */
void owners_hold(struct owners *owners, const struct channel *channel, pid_t pid, uint64_t start);

/* Notes a channel that no process uses any more. Where the table is full, an entry goes that is probably
 * gone, else one in doubt, else the oldest. */
void owners_orphan(struct owners *owners, const struct channel *channel, enum doubt doubt);

/* Notes a number that may be a channel's, to be asked again (DOUBT_ASK). Half of the table is kept for channels
 * that somebody has opened: where that is all that is left, nothing is noted. */
void owners_guess(struct owners *owners, const struct channel *channel);

/* Takes a channel out: it is closed, or the card gave its number out again. */
void owners_remove(struct owners *owners, const struct channel *channel);

/* All in it are probably gone: the modem restarted, or the SIM was taken out. */
void owners_doubt_all(struct owners *owners);

/* Whose the channel of an entry is. Asks the system for a process that is named. */
enum owner owners_state(const struct owned *owned);

/* True if the table has a channel of this number (AT+CSIM). */
bool owners_know(const struct owners *owners, unsigned number);

#endif
