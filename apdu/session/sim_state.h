/* SPDX-License-Identifier: Apache-2.0 */
/* What a handle of the SIM (sim.h) knows in this process, from one operation to the next. */
#ifndef SIMKEY_APDU_SESSION_SIM_STATE_H
#define SIMKEY_APDU_SESSION_SIM_STATE_H

#include "apdu/session/record.h"
#include "apdu/sim.h"
#include "modem/transport.h"

#include <stdatomic.h>

/* After so many refusals of the short way it is not tried any more. */
#define SHORT_WAY_REFUSALS 2

struct token_ops;

/* The channel that answered last as ours, and when. */
struct proof {
    struct channel channel;
    int64_t at; /* monotonic_ms */
};

struct sim {
    _Atomic unsigned references;
    struct settings settings;
    _Atomic(const struct transport_ops *) transport; /* NULL: not known yet; or see sim_reach_by */
    const struct token_ops *const *families;         /* see token_ops.h; NULL: all that there are */
    _Atomic(const struct token_ops *) family;        /* the one of this SIM; NULL: not known yet */
    _Atomic bool forget;                             /* set by sim_forget */
    _Atomic unsigned under_way;                      /* operations */
    _Atomic bool recalled; /* that the SIM lacks mIAS was said from memory alone */
    _Atomic bool misled;   /* such a memory was of another SIM */
    bool limited;          /* see sim_limit */
    struct deadline limit;
    /* What follows belongs to the thread that holds the device's lock; the counter carries the
     * order between them. */
    _Atomic unsigned turn;
    struct line_state line;
    struct card_quirks quirks;
    bool lacks_mias;    /* the SIM said so to this process */
    bool fetch_refused; /* the last GET RESPONSE was, in words that may mean something else */
    struct proof proof;
    struct pin_memory memory; /* the record's, which counts where there is one */
    uint64_t start;           /* when start_of did, see rundir_process_start */
    pid_t start_of;
    bool others;    /* more processes went on with the shared session at the last look */
    pid_t joined;   /* the process that is among the record's users by this sim; 0: none */
    pid_t acts_for; /* see sim_act_for; 0: itself */
    bool (*wanted)(void *arg); /* see sim_ask_before; NULL: always */
    void *wanted_arg;
    pid_t mine_pid;              /* the process whose the next two are */
    struct channel_state mine;   /* the channel of an applet that is not recorded */
    const struct applet *owner;  /* the applet of own */
    char mine_iccid[ICCID_SIZE]; /* the SIM of own, "" if none or unknown */
    void *family_state;          /* of the family's own code: one block of malloc, or NULL */
    struct transport_rest half;  /* of a line that had not ended when an operation gave up */
    struct owners unsaved;       /* channels that may be open, which no record could be told of */
    char boot[BOOT_SIZE];        /* see record_open_in */
};

#endif
