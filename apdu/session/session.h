/* SPDX-License-Identifier: Apache-2.0 */
/* The SIM taken for one operation: lock, deadline, channel, applet, PIN, and new starts after losses.
 * Internal to apdu/: programs use sim.h, token.h and typea.h.
 *
 *   session_run     policy: which channel, what a failure means, whether to start anew   session.c
 *     operation_*   the device taken and given back, the record, the PIN      operation*.c, refusals.c
 *       channel_*   opened, selected, asked whose it is, closed                           channel*.c
 *         record_*, owners_*, queue_*   what processes tell each other         record*.c, owners.c, ...
 *
 * A channel's level (channel_state.h) and what happens to it:
 *
 *   event                                  the channel                      the next operation
 *   the work succeeded                     stays, at its level (shared)     goes on with it
 *   an unexpected status word              broken                           asks whose it is, closes it, starts anew
 *   the same again on a new channel        stays, with no environment       waits until the line is clean, goes on with it
 *   6881, an unexpected echo or "no SIM"   in doubt, in the table           opens another one, asks the old one then
 *   the modem restarted, the SIM went      gone, in the table               opens another one
 *   no answer in time, or the device went  broken; the line is late         waits until the line is clean, asks, closes
 *   its process died                       in the table, or "opening"       asks, closes; looks for the number
 *   the PIN was refused, or not answered   LEVEL_SELECTED                   sends no PIN of that source
 *
 * Whose a channel is (owners.h has the table): shared by all processes, through the record; mine, this
 * process's (SAFE2's); oneshot, this operation's; or an orphan, which no process uses any more. */
#ifndef SIMKEY_APDU_SESSION_SESSION_H
#define SIMKEY_APDU_SESSION_SESSION_H

#include "apdu/session/operation.h"

/* What an operation needs before its work begins. */
struct job {
    const struct applet *applet;     /* NULL: no channel at all */
    bool pin;                        /* the applet's PIN must be verified (mIAS) */
    bool pin_later;                  /* the work may find out that it wants one */
    enum pin_reference reference;    /* which */
    const char *iccid;               /* the SIM must be this one; NULL or "": any */
    bool fresh;                      /* on a channel of its own, closed afterwards */
    const struct deadline *deadline; /* NULL: sim_deadline's */
    bool once;                       /* never started anew: it may cost a PIN try */
    bool again;                      /* it is a further start; set by session_run */
    bool sweeps;                     /* the work closes all channels itself, and tells of them */
    /* the carrier that failed, and was left for the other one; CARRIER_AUTO: none; set by session_run */
    enum carrier left;
    unsigned
        generation; /* with again: of the shared session on which the last start failed, or 0 */
    /* the caller checks the result by itself, as a signature with the public key. Without this an `AT`
     * behind the work makes sure that no answer belonged to another command */
    bool proven;
    struct pin_given *given; /* set by session_run; NULL: no PIN is wanted */
};

/* The work, called with the device locked and what the job asks for made ready. It may be called
 * several times, each time from the beginning. */
typedef enum outcome operation_fn(struct operation *operation, void *arg, struct report *why);

/* Runs the work as one operation within job->deadline, or the settings' time-out. Unless job->once, it
 * is started anew as long as that may help: the second start as a rule on a new channel, because what
 * was left on the card or the line may be the reason; further ones for losses only, until shortly before
 * the deadline. *why is the last start's. Errors: those of the work; OUTCOME_WRONG_SIM, also where the SIM
 * was changed meanwhile; OUTCOME_UNSUPPORTED where the device is simkey-agent; ... */
enum outcome session_run(struct sim *sim, const struct job *job, operation_fn *work, void *arg,
                         struct report *why);

#endif
