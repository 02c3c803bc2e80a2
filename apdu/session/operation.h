/* SPDX-License-Identifier: Apache-2.0 */
/* The device taken for one operation and given back: lock, deadline, record, PIN (session.h has the
 * picture). */
#ifndef SIMKEY_APDU_SESSION_OPERATION_H
#define SIMKEY_APDU_SESSION_OPERATION_H

#include "apdu/applet/pin.h"
#include "apdu/card/apdu.h"
#include "apdu/session/queue.h"
#include "apdu/session/sim_state.h"

/* An operation under way: the device is open and locked, the channel stands. */
struct operation {
    struct sim *sim;
    struct transport transport;
    struct card card;
    struct selection selection;  /* of the channel in use */
    const struct applet *applet; /* the job's, and the SIM that it wants */
    const char *iccid;
    struct pin_given *given;
    struct deadline deadline;
    struct rundir_place place; /* of the files in the run-dir */
    struct queue queue;
    int file; /* of the record, -1 without one */
    struct record record;
    struct channel_state oneshot; /* what stands on a channel for this operation only */
    struct channel_state
        *current; /* the one in use: a shared one of the record, the sim's mine, or oneshot */
    bool
        just_selected; /* the applet was selected in this operation: a refusal is the applet's own word */
    bool pin_follows;     /* the applet is selected for the sake of a PIN */
    bool opened;          /* the channel in use was opened in this operation */
    bool reused;          /* or it is one that could not be closed, see channel_reuse */
    bool answered;        /* the channel has answered in this operation */
    bool missed;          /* a channel was looked for that was opened, and not all were asked */
    bool refused_opening; /* opening one was refused in this operation, if that was its answer */
    bool again;           /* it is the second start */
    bool tries_gap;       /* see operation_try_gap */
    bool woken;           /* the modem listens, and the line is clean */
    bool long_way; /* the security environment was set, or the PIN verified, in this operation */
    bool told;     /* the modem was asked for the ICCID in this operation */
    bool accepted; /* the SIM took our PIN of that place in this operation */
    enum pin_reference accepted_at;
    bool csim_refuses; /* AT+CSIM opened channels here, and passed nothing on to them */
    bool class_good; /* the channel answered 9000 to a command whose CLA has no channel (AT+CGLA) */
    bool echoed;     /* it echoed again before the channel in use was opened */
    bool doubtful;   /* the modem may have restarted unseen: a channel may be somebody else's */
    bool
        said_once; /* an algorithm was refused for the first time: that may be no word of the card */
    bool begun;    /* the device is locked, and the record was read */
    bool old_claims_known;
    enum owner old_claims[CHANNEL_MAX + 1]; /* by number; read only when a channel is opened */
};

/* Opens and locks the device, in this process and no other's name. Ends with operation_end, also
 * after a failure. */
enum outcome operation_begin(struct operation *operation, struct sim *sim, struct deadline deadline,
                             struct report *why);
void operation_end(struct operation *operation);

/* If the modem restarted, or said that the SIM is gone: no channel stands any more, if that is true,
 * and the other programs learn it from the table. Else false. */
bool operation_all_lost(struct operation *operation);

/* Makes the modem listen, and knows afterwards whether it has restarted since. Errors: as at_start's
 * and at_resync's. */
enum outcome operation_wake(struct operation *operation, struct report *why);

/* True where an answer came that nobody asked for, so that none can be trusted, on the first start:
 * a modem that says all twice is borne on the second one. */
bool operation_out_of_step(const struct operation *operation);

/* Notes that the operation leaves the modem with an answer outstanding, which may come until more_ms
 * from now. Before the modem woke that is an earlier operation's, if there was one; a modem that was
 * called and never answered owes none. */
void operation_owes(struct operation *operation, bool answered, int more_ms);

/* On a new start after a loss (EVENT_LOST): leaves a gap before each command, this time only. */
void operation_try_gap(struct operation *operation);

/* OUTCOME_LOST: the modem may have restarted since the channel was opened. */
enum outcome operation_echoes(struct report *why);

/* Writes down what stands now, marked as dirty: from here on a death is noticed by the next one.
 * Where that fails, operation->current is another place afterwards. */
void operation_note(struct operation *operation);

/* The same at the end of an operation: dirty if nobody has cleaned what a dead program left. False without
 * a record, or if that failed: nothing may be left standing then. */
bool operation_save(struct operation *operation, bool dirty);

/* One exchange on the operation's channel, in the way that this modem's carrier wants it (carry.c).
 * Errors: those of transport_ops.exchange. */
enum outcome operation_carry(struct operation *operation, struct exchange *exchange,
                             struct deadline deadline, struct report *why);

/* Before a PIN goes out by AT+CGLA on a session that is named by a channel's number: makes sure, once
 * for a modem, that it does not go to the basic channel, where it would be another PIN's. Errors:
 * OUTCOME_LOST if it would, which is remembered, ... */
enum outcome operation_prove_class(struct operation *operation, struct report *why);

/* Makes sure that the applet's PIN is verified on the channel, also in the middle of the work
 * (pin_later in struct job), by the PIN of this process's own source. May select the applet again. */
enum outcome operation_pin(struct operation *operation, struct report *why);

/* The same for PIN1 of the application with the Type A files. */
enum outcome operation_pin1(struct operation *operation, struct report *why);

/* After work that failed: whether the SIM took our PIN in this operation, then refused for want of
 * one, and does not say that it is verified either. One of its words is not true, and the PIN may have
 * cost a try: its source is noted as refused, and *why says so (OUTCOME_PIN_PROTECTED). */
bool operation_pin_doubted(struct operation *operation, struct report *why);

/* Notes what became of setting an algorithm for a key: a refusal (OUTCOME_UNSUPPORTED) on a channel
 * where the applet was just selected, or that it was taken. */
void operation_algorithm(struct operation *operation, unsigned key_id, uint8_t algorithm,
                         enum outcome outcome);

/* How many sources this SIM has refused. */
size_t operation_refusals(struct operation *operation);

/* A person's PIN was refused: notes its source for this SIM. */
void operation_refused(struct operation *operation, const struct pin_identity *source);

/* A person's PIN was right: forgets the refusals of this SIM. *path is "" or the file that could not
 * be removed. */
void operation_forgive(struct operation *operation, char *path, size_t size);

/* Closes the channels that are marked as broken, if the modem is ready for that within patience_ms. */
void operation_close(struct operation *operation, int patience_ms);

/* When this process started, see rundir_process_start. */
uint64_t operation_own_start(struct sim *sim);

#endif
