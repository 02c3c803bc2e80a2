/* SPDX-License-Identifier: Apache-2.0 */
/* The session record: what stands on the card and in the modem when an operation has ended, in a
 * file of the run-dir, so that the next operation, also another process's, goes on with it. A hint
 * that is checked and never trusted: the card's answers have the last word. Read and written while
 * the device is locked. */
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

/* What this SIM and modem taught. Kept while the ICCID stays the same. */
struct card_quirks {
    char iccid[ICCID_SIZE];
    bool no_le;
    unsigned max_read;
    unsigned modem;               /* bits of enum card_quirk */
    bool short_way;               /* a warm signature succeeded: the card takes the short way */
    unsigned environment_refused; /* how often in a row the standing one was not good enough */
    unsigned pin_refused;         /* the same of the verified PIN */
    /* key id and algorithm that MSE SET refused; 0 where there is none; read without the lock */
    _Atomic uint16_t refusals[REFUSALS];
    _Atomic uint32_t said[REFUSALS]; /* how often and when: see algorithms.c */
};

#define RECORD_USERS 32 /* bits of a number in the text */

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
    bool lists_owners;    /* they were read: a record of an older version, or a new one, has none */
    struct card_quirks quirks;
    size_t user_count; /* processes that go on with the channels */
    struct record_user users[RECORD_USERS];
    bool remembers; /* memory was read: a record of an older version has none */
    struct pin_memory memory;
};

/* An empty record: nothing stands, nothing was learnt. */
void record_init(struct record *record);

/* True if the card refused the algorithm for the key twice, less than ten minutes ago: it is not
 * asked then. To be called without the lock too. */
bool quirks_refuses(const struct card_quirks *quirks, unsigned key_id, uint8_t algorithm);

/* Notes that it was refused just now. True if that counts: it was said before. */
bool quirks_note_refusal(struct card_quirks *quirks, unsigned key_id, uint8_t algorithm);

/* Notes that it was taken, and that nothing is known of any. */
void quirks_note_accepted(struct card_quirks *quirks, unsigned key_id, uint8_t algorithm);
void quirks_forget_refusals(struct card_quirks *quirks);

/* Copies, so that others may read the refusals meanwhile. */
void quirks_copy(struct card_quirks *to, const struct card_quirks *from);

/* Opens the file of the settings' device, makes it if need be, and reads it. A file of another
 * boot or version is as good as none, and one that is torn counts as dirty, but the channels that
 * they name may be open: they are in owners, in doubt. So is what stood before the device came
 * anew. A process that cannot learn its boot (no /proc) goes by the device alone. Returns a descriptor
 * for record_save, -1 if there is no usable run-dir, or if this process may not write a file of that
 * length (RLIMIT_FSIZE): the record is empty then. */
int record_open(const struct settings *settings, struct record *record);

/* The same for one who opens it often. boot: "" at first; it gets the boot id, which is not read again
 * then. */
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

/* Which one that is; RECORD_CHANNELS if it is none of the record's. */
enum record_channel record_which(const struct record *record, const struct channel_state *state);

/* Notes that this process goes on with the channel. */
void record_join(struct record *record, enum record_channel which);

/* Takes this process out. Returns how many living ones are left. */
size_t record_leave(struct record *record);

/* How many go on with that channel. */
size_t record_users(const struct record *record, enum record_channel which);

/* The same for another process in whose name this one works. */
void record_join_for(struct record *record, enum record_channel which, pid_t pid);
size_t record_leave_for(struct record *record, pid_t pid);

#endif
