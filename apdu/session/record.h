/* SPDX-License-Identifier: Apache-2.0 */
/* The session record: the channels that are open when an operation has ended, and what is known of the
 * card and the modem, in a file of the run-dir, so that the next operation, also another process's, goes
 * on from there. A hint that is checked and never trusted: the card's answers have the last word. Read
 * and written while the device is locked. */
#ifndef SIMKEY_APDU_SESSION_RECORD_H
#define SIMKEY_APDU_SESSION_RECORD_H

#include "apdu/applet/pin_memory.h"
#include "apdu/session/channel_state.h"
#include "apdu/session/owners.h"
#include "apdu/session/rundir.h"
#include "apdu/settings.h"
#include "modem/channel.h"
#include "modem/identity.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A late_until that is over, however short ago the machine started. */
#define LATE_OVER 1

/* The modem and the line to it. */
struct line_state {
    bool ready;           /* the AT start-up is done */
    bool echo_stays;      /* in spite of ATE0 */
    unsigned last;        /* the number that the last channel got, 0: not known */
    bool opening;         /* a channel was being opened: its number may come late */
    int64_t late_until;   /* an answer may come until then (monotonic_ms), 0: none */
    enum carrier carrier; /* the one that opened a channel last; auto: none yet */
    unsigned gap;         /* of EVENTS_REMEMBERED */
    unsigned kept;        /* the transport's, see transport.h */
};

#define REFUSALS 32

/* What was found out about this SIM and modem. Kept while the ICCID stays the same. */
struct card_quirks {
    char iccid[ICCID_SIZE];
    bool no_le;
    unsigned max_read;
    unsigned modem;               /* bits of enum card_quirk */
    bool short_way;               /* the card took the short way once (SHORT_WAY_REFUSALS) */
    unsigned environment_refused; /* before that: how often not, with an environment set earlier */
    unsigned pin_refused;         /* the same with a PIN verified earlier */
    /* key id and algorithm that MSE SET refused; 0 where there is none; read without the lock */
    _Atomic uint16_t refusals[REFUSALS];
    _Atomic uint32_t said[REFUSALS]; /* how often and when: see algorithms.c */
};

#define RECORD_USERS 32 /* a bit for each of them in the numbers of the line "second" */

/* Room for the kernel's boot id. */
#define BOOT_SIZE 40

/* Room for what a record is bound to. */
#define RECORD_BINDING 160

/* The channels that processes share, one for a family of applets: mIAS's, which the application with the
 * Type A files gets too, and IoT SAFE's. */
enum record_channel { RECORD_SHARED, RECORD_SECOND, RECORD_CHANNELS };

struct record_user { /* a process that goes on with a channel */
    pid_t pid;
    uint64_t start; /* see rundir_process_start */
    unsigned uses;  /* which: bits, 1 << enum record_channel */
};

struct record {
    char binding[RECORD_BINDING]; /* boot and device, as text */
    bool dirty;                   /* an operation began and did not end: its process died */
    struct line_state line;
    struct channel_state shared, second; /* by record_channel */
    /* another one each time such a channel is opened; 0: not known */
    unsigned generation, second_generation;
    struct owners owners; /* the channels beside that */
    bool lists_owners;    /* the file had the table: an older program writes none */
    struct card_quirks quirks;
    size_t user_count; /* processes that go on with the channels */
    struct record_user users[RECORD_USERS];
    bool remembers; /* the file had the memory: an older program writes none */
    struct pin_memory memory;
};

/* An empty record: no channel is open, and nothing is known of SIM and modem. */
void record_init(struct record *record);

/* True if the card refused the algorithm for the key twice, less than ten minutes ago: it is not
 * asked then. To be called without the lock too. */
bool quirks_refuses(const struct card_quirks *quirks, unsigned key_id, uint8_t algorithm);

/* Notes that it was refused just now. True if that counts: it was said before. */
bool quirks_note_refusal(struct card_quirks *quirks, unsigned key_id, uint8_t algorithm);

/* Notes that the card took the algorithm for the key: an earlier refusal does not count any more. */
void quirks_note_accepted(struct card_quirks *quirks, unsigned key_id, uint8_t algorithm);

/* Forgets the refusals of all algorithms. */
void quirks_forget_refusals(struct card_quirks *quirks);

/* Copies; other threads may read the refusals of both meanwhile. */
void quirks_copy(struct card_quirks *to, const struct card_quirks *from);

/* Opens the file of the settings' device, makes it if need be, and reads it. A file of another boot or
 * version is as good as none, and one that is torn counts as dirty; but the channels that they name may be
 * open, and are in owners, in doubt. So are those of a file that is older than the device file. A process
 * that cannot tell its boot (no /proc) goes by the device alone. Returns a descriptor for record_save, -1 if
 * there is no usable run-dir, or if this process may not write a file of that length (RLIMIT_FSIZE): the
 * record is empty then. For tests: operations use record_open_in. */
int record_open(const struct settings *settings, struct record *record);

/* The same for a caller that opens it often, and has looked up the place. boot: "" at first; it gets the
 * boot id, which is not read again then. */
int record_open_in(const struct settings *settings, const struct rundir_place *place,
                   char boot[BOOT_SIZE], struct record *record);

/* Reads it without making or locking anything. False if there is none. */
bool record_peek(const struct settings *settings, struct record *record);

/* Writes all of it. False if that failed, or if there is no room within RLIMIT_FSIZE: it must not be
 * relied on then. */
bool record_save(int fd, const struct record *record);

/* Empties a file that could not be written: the next one starts anew. */
void record_spoil(int fd);

/* One of the shared channels, and its generation. */
struct channel_state *record_channel(struct record *record, enum record_channel which);
unsigned *record_generation(struct record *record, enum record_channel which);

/* Which of the two it is; RECORD_CHANNELS: neither. */
enum record_channel record_which(const struct record *record, const struct channel_state *state);

/* Notes that this process uses the channel; record_join_for: the process in whose name this one works. */
void record_join(struct record *record, enum record_channel which);
void record_join_for(struct record *record, enum record_channel which, pid_t pid);

/* Takes a process out of the users, and those that have ended. Returns how many are left. */
size_t record_leave_for(struct record *record, pid_t pid);

/* How many of the users use that channel. */
size_t record_users(const struct record *record, enum record_channel which);

#endif
