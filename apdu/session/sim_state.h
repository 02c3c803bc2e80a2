/* SPDX-License-Identifier: Apache-2.0 */
/* What a handle of the SIM (sim.h) knows in this process, from one operation to the next. */
#ifndef SIMKEY_APDU_SESSION_SIM_STATE_H
#define SIMKEY_APDU_SESSION_SIM_STATE_H

#include "apdu/session/record.h"
#include "apdu/sim.h"
#include "modem/transport.h"

#include <stdatomic.h>

/* The short way is to use a channel with the environment and the PIN that an earlier operation left on
 * it. A card that refused a command after it this often, and never took one, gets both anew each time. */
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
    _Atomic bool recalled; /* "no mIAS" was answered from memory, without asking the SIM */
    _Atomic bool misled;   /* what is remembered of mIAS was another SIM's */
    bool limited;          /* see sim_limit */
    struct deadline limit;
    /* What follows belongs to the thread that holds the device's lock. The counter is released at the
     * end of an operation and acquired at the next one's beginning, so that its thread sees all of it. */
    _Atomic unsigned turn;
    struct line_state line;
    struct card_quirks quirks;
    /* opening by an AID was refused, which may mean that the SIM does not have the applet */
    _Atomic bool may_lack;
    bool lacks_mias;    /* the SIM said so to this process */
    bool may_lack_mias; /* the modem did, which may have had another reason */
    bool fetch_refused; /* the last GET RESPONSE was refused by 6881 or 6F00, see carry.c */
    struct proof proof;
    struct pin_memory memory; /* the record's, which counts where there is one */
    uint64_t start;           /* when start_of did, see rundir_process_start */
    pid_t start_of;
    bool others;    /* other processes used the shared channels when this one joined last */
    pid_t joined;   /* the process that this sim put among the record's users; 0: none */
    pid_t acts_for; /* see sim_act_for; 0: itself */
    bool (*wanted)(void *arg); /* see sim_ask_before; NULL: always */
    void *wanted_arg;
    pid_t mine_pid;              /* the process whose the next two are */
    struct channel_state mine;   /* the channel of an applet that is not recorded */
    const struct applet *owner;  /* the applet of mine */
    char mine_iccid[ICCID_SIZE]; /* the SIM of mine, "" if none or unknown */
    void *family_state;          /* of the family's own code: one block of malloc, or NULL */
    struct transport_rest half;  /* of a line that had not ended when an operation gave up */
    struct owners unsaved;       /* channels that may be open, which no record could be told of */
    char boot[BOOT_SIZE];        /* see record_open_in */
};

/* True if the SIM does not have the applet that was asked for, or the modem gave no other reason: may_lack of
 * struct sim, and neither way led to a channel. */
bool sim_may_lack(enum outcome outcome, bool may_lack);

#endif
