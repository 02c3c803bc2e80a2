/* SPDX-License-Identifier: Apache-2.0 */
/* The device taken for one operation and given back: lock, deadline, record, PIN (session.h has the
 * picture). */
#ifndef SIMKEY_APDU_SESSION_OPERATION_H
#define SIMKEY_APDU_SESSION_OPERATION_H

#include "apdu/applet/pin.h"
#include "apdu/card/apdu.h"
#include "apdu/session/queue.h"
#include "apdu/session/sim_state.h"

/* The sentence of operation_out_of_step, which the AT transport has in the same words. */
#define OPERATION_OUT_OF_STEP                                                                      \
    "the modem's answers are out of step, one came without a command: end any other "              \
    "program that uses the port"

/* How long the line must be quiet after a time-out: longer than what was asked for may still take. */
#define LATE_ANSWER_MS 1500

/* An operation under way, from operation_begin to operation_end. */
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
    struct channel_state oneshot; /* the channel for this operation only */
    struct channel_state
        *current; /* the one in use: a shared one of the record, the sim's mine, or oneshot */
    bool
        just_selected; /* the applet was selected in this operation: a refusal is the applet's own word */
    bool pin_follows;     /* the applet is selected for the sake of a PIN */
    bool opened;          /* the channel in use was opened in this operation */
    bool reused;          /* opened too, but the channel is one that could not be closed before */
    bool answered;        /* the channel has answered in this operation */
    bool heard;           /* as an applet does: by success or a warning */
    bool missed;          /* channel_find_missed met a channel that did not answer: look again */
    bool refused_opening; /* opening was refused, unless that was another command's answer */
    bool again;           /* it is not the first start */
    bool turned;          /* an earlier start went by the other carrier: see `left` in struct job */
    bool tries_gap;       /* see operation_try_gap */
    bool woken;           /* the modem listens, and the line is clean */
    bool long_way; /* the security environment was set, or the PIN verified, in this operation */
    bool told;     /* the modem was asked for the ICCID in this operation */
    bool accepted; /* the SIM took our PIN in this operation: accepted_at */
    enum pin_reference accepted_at;
    bool csim_refuses;   /* AT+CSIM opened channels here, and passed nothing on to them */
    bool more_aids;      /* the applet has other AIDs to be asked for: each once, by AT+CCHO */
    unsigned look_later; /* openings that may have opened one in spite of their error */
    bool open_all;       /* MANAGE CHANNEL is tried with Le 00 */
    size_t said; /* bytes of the last command on a channel, and of the answer that it asks for */
    bool class_good; /* the channel answered 9000 to a command whose CLA has no channel (AT+CGLA) */
    bool echoed;     /* the modem echoed again before the channel in use was opened */
    bool doubtful;   /* the modem may have restarted unseen: a channel may be another program's */
    bool said_once;  /* an algorithm was refused for the first time: it counts at the second */
    bool begun;      /* the device is locked, and the record was read */
    bool old_claims_known;
    enum owner old_claims[CHANNEL_MAX + 1]; /* by number; read only when a channel is opened */
};

/* Waits for the turn, opens and locks the device, and reads the record. operation_end is due afterwards,
 * also after a failure. Errors: those of transport_begin; OUTCOME_TIMEOUT also where the program that
 * asked is gone (sim_ask_before). */
enum outcome operation_begin(struct operation *operation, struct sim *sim, struct deadline deadline,
                             struct report *why);

/* Writes the record and gives the device back. */
void operation_end(struct operation *operation);

/* If the modem restarted, or said that the SIM is gone: gives up all channels, which are probably gone,
 * and notes that in the table for the other programs. Else false, and nothing is done. */
bool operation_all_lost(struct operation *operation);

/* Makes the modem listen, with no answer outstanding, and finds out whether it has restarted since the
 * last operation. Errors: those of transport_wake. */
enum outcome operation_wake(struct operation *operation, struct report *why);

/* True on the first start if an answer came that belongs to no command: then answers may be off by one,
 * and none can be trusted. On further starts false: there are modems that say everything twice. */
bool operation_out_of_step(const struct operation *operation);

/* Notes that the operation leaves the modem with an answer outstanding, which may come until more_ms
 * from now. Where the modem did not wake, it can only be an earlier operation's answer, if that left one;
 * answered: false if the modem did not even answer `AT`. */
void operation_owes(struct operation *operation, bool answered, int more_ms);

/* On a new start after a loss (EVENT_LOST): leaves a gap before each command, this time only. */
void operation_try_gap(struct operation *operation);

/* OUTCOME_LOST: the modem may have restarted since the channel was opened. */
enum outcome operation_echoes(struct report *why);

/* Writes the record as it is now and marks it as dirty, so that the next program notices if this one is
 * killed from here on. If that fails, nothing can be shared: operation->current points to oneshot
 * afterwards. */
void operation_note(struct operation *operation);

/* Writes the record. dirty: an operation is under way, or what a killed one left is not cleaned up yet.
 * False without a record, or if that failed: no channel may be left for others then. */
bool operation_save(struct operation *operation, bool dirty);

/* One exchange on the operation's channel, in the way that this modem's carrier wants it (carry.c).
 * Errors: those of transport_ops.exchange. */
enum outcome operation_carry(struct operation *operation, struct exchange *exchange,
                             struct deadline deadline, struct report *why);

/* Before a PIN goes out by AT+CGLA on a session that is named by a channel's number: makes sure, once
 * for a modem, that it does not go to the basic channel, where it would be another PIN's. Errors:
 * OUTCOME_LOST if it would, which is remembered; OUTCOME_PIN_PROTECTED where the modem fails to tell again and
 * again; ... */
enum outcome operation_prove_class(struct operation *operation, struct report *why);

/* Makes sure that the applet's PIN is verified on the channel, also in the middle of the work
 * (pin_later in struct job), by the PIN of this process's own source. May select the applet again, or
 * go on on another channel. Errors: OUTCOME_PIN_*, OUTCOME_WRONG_SIM, ... */
enum outcome operation_pin(struct operation *operation, struct report *why);

/* The same for PIN1 of the application with the Type A files. */
enum outcome operation_pin1(struct operation *operation, struct report *why);

/* After work that failed: true if the SIM took our PIN in this operation, then refused the work because
 * no PIN is verified, and says the same when asked. One of these answers is false, and the PIN may have
 * cost a try: its source is noted as refused, and *why says so (OUTCOME_PIN_PROTECTED). */
bool operation_pin_doubted(struct operation *operation, struct report *why);

/* Notes what became of setting an algorithm for a key: that it was taken, or a refusal
 * (OUTCOME_UNSUPPORTED), which counts only where the applet was selected in this operation. */
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
