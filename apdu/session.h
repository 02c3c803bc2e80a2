/* SPDX-License-Identifier: Apache-2.0 */
/* The SIM taken for one operation: lock, deadline, channel, applet, PIN, and one new start after a
 * loss. Internal to apdu/: programs use sim.h, token.h and typea.h. */
#ifndef SIMKEY_APDU_SESSION_H
#define SIMKEY_APDU_SESSION_H

#include "apdu/apdu.h"
#include "apdu/mias.h"
#include "apdu/pin.h"
#include "apdu/sim.h"
#include "modem/transport.h"

#include <stdatomic.h>
#include <sys/types.h>

/* An applet as something to select. */
struct applet {
    const uint8_t *aid;
    size_t aid_length; /* 0: the channel is used as it opens */
    const char *name;
    /* NULL, or a harmless command that only this applet takes: asked before its channel is closed,
     * because after a reset of the modem the number may be somebody else's */
    const struct apdu *probe;
    bool claim; /* the channel must not be lost between operations: see claim.h */
};

extern const struct applet applet_mias;
extern const struct applet applet_uicc;

/* What stands on the card and in the modem since this process's last operation. It holds no pointer
 * into the heap and nothing secret, so that it can be written down for other processes. A hint: the
 * card's answers have the last word. */
struct standing {
    pid_t pid;            /* whose it is: a forked child starts anew */
    bool ready;           /* the AT start-up is done */
    bool broken;          /* an operation failed on it: close it and start anew */
    int64_t late_until;   /* an answer may come until then (monotonic_ms), 0: none */
    enum carrier carrier; /* the one that opened a channel last; auto: none yet */
    struct channel channel;
    const struct applet *applet; /* selected on the channel, or NULL */
    bool verified;               /* with our PIN, on this channel */
    struct mias_environment environment;
    bool iccid_asked;
    char iccid[ICCID_SIZE]; /* "" if the modem does not tell */
};

#define REFUSALS 32

/* What this SIM and modem taught. Kept while the ICCID stays the same. */
struct learnt {
    char iccid[ICCID_SIZE];
    bool no_le;
    unsigned max_read;
    unsigned environment_refused; /* how often the standing environment was not good enough */
    unsigned pin_refused;         /* the same of the verified PIN */
    /* key id and algorithm that MSE SET refused; 0 where there is none; read without the lock */
    _Atomic uint16_t refusals[REFUSALS];
};

/* After so many refusals of the short way it is not tried any more. */
#define SHORT_WAY_REFUSALS 2

struct sim {
    _Atomic unsigned references;
    _Atomic int pid; /* of the process that used it last */
    struct port_descriptors held;
    struct settings settings;
    _Atomic bool forget; /* set by sim_forget */
    /* What follows belongs to the thread that holds the device's lock; the counter carries the
     * order between them. */
    _Atomic unsigned turn;
    struct standing standing;
    struct learnt learnt;
    int claim; /* of the standing channel, -1 if there is none */
};

/* What an operation needs before its work begins. */
struct job {
    const struct applet *applet; /* NULL: no channel at all */
    bool pin;                    /* the applet's PIN must be verified (mIAS) */
    const char *iccid;           /* the SIM must be this one; NULL or "": any */
    bool fresh;                  /* on a channel of its own, closed afterwards */
    bool once;                   /* never started anew: it may cost a PIN try */
};

/* An operation under way: the device is open and locked, the channel stands. */
struct operation {
    struct sim *sim;
    struct transport transport;
    struct card card;
    struct deadline deadline;
    bool fresh; /* the applet was selected in this operation: a refusal is the applet's own word */
    bool answered; /* the channel has answered in this operation */
};

/* Opens and locks the device, in this process and no other's name. Ends with operation_end, also
 * after a failure. */
enum outcome operation_begin(struct operation *operation, struct sim *sim, struct deadline deadline,
                             struct report *why);
void operation_end(struct operation *operation);

/* Makes sure that the applet's PIN is verified on the channel, in the middle of the work: for work
 * that finds out late that it wants one (see struct job). */
enum outcome operation_pin(struct operation *operation, struct report *why);

typedef enum outcome operation_fn(struct operation *operation, void *arg, struct report *why);

/* Runs the work as one operation within the settings' time-out, and once more from a new channel if
 * the first try failed because of what stood on the card. */
enum outcome session_run(struct sim *sim, const struct job *job, operation_fn *work, void *arg,
                         struct report *why);

/* Makes a channel stand with the applet selected: the standing one, or a new one (channel.c). */
enum outcome channel_ensure(struct operation *operation, const struct applet *applet,
                            const char *iccid, struct report *why);

/* Closes the channel if it is open, and forgets what stood on it. Best effort. */
void channel_drop(struct operation *operation);

/* Forgets what stood on a channel that is gone. */
void channel_lost(struct sim *sim);

#endif
