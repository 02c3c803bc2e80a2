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
 *   a status word that was not awaited     broken                           asks whose it is, closes it, starts anew
 *   6881, an echo that nobody expected     in doubt, in the table           opens another one, asks the old one then
 *   the modem restarted, the SIM went      gone, in the table               opens another one
 *   no answer in time, or the device went  broken; the line is late         waits until the line is clean, asks, closes
 *   its process died                       in the table, or "opening"       asks, closes; looks for the number
 *   the PIN was refused, or not answered   LEVEL_SELECTED                   sends no PIN of that source
 *
 * Whose a channel is (the table is owners.h): shared by all processes, by the record; mine, this process's
 * (SAFE2's); oneshot, this operation's; or an orphan, which nobody goes on with. */
#ifndef SIMKEY_APDU_SESSION_SESSION_H
#define SIMKEY_APDU_SESSION_SESSION_H

#include "apdu/applet/applet.h"
#include "apdu/applet/pin.h"
#include "apdu/card/apdu.h"
#include "apdu/session/queue.h"
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
    bool lacks_mias; /* the SIM said so to this process */
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
    bool again;                      /* it is a further start */
    bool sweeps;                     /* the work closes all channels itself, and tells of them */
    unsigned
        generation; /* with again: of the shared session on which the last start failed, or 0 */
    /* what it gives is proven by other means, as a signature is by the public key: no AT at its end
     * shows that no answer was another command's */
    bool proven;
    struct pin_given *given; /* read by session_run; NULL: no PIN is wanted */
};

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
    bool pin_follows; /* the applet is selected for the sake of a PIN */
    bool opened;      /* the channel in use was opened in this operation */
    bool answered;    /* the channel has answered in this operation */
    bool again;       /* it is the second start */
    bool tries_gap;   /* see operation_try_gap */
    bool woken;       /* the modem listens, and the line is clean */
    bool long_way;    /* the security environment was set, or the PIN verified, in this operation */
    bool told;        /* the modem was asked for the ICCID in this operation */
    bool accepted;    /* the SIM took our PIN of that place in this operation */
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

typedef enum outcome operation_fn(struct operation *operation, void *arg, struct report *why);

/* Runs the work as one operation within the settings' time-out, and once more from a new channel if
 * the first try failed because of what stood on the card. */
enum outcome session_run(struct sim *sim, const struct job *job, operation_fn *work, void *arg,
                         struct report *why);

/* Makes sure that the applet is selected on the current channel, or on a new one (channel.c). */
enum outcome channel_ensure(struct operation *operation, const struct applet *applet,
                            const char *iccid, struct report *why);

/* The SIM in which the operation's channel is has to be this one (NULL or "": any). A record's word on it
 * counts only if it fits; otherwise the modem is asked. Errors: OUTCOME_WRONG_SIM, ... */
enum outcome channel_right_sim(struct operation *operation, const char *iccid, struct report *why);

/* Before a PIN: makes sure that the channel is in the SIM that the operation wants, and that the SIM's
 * ICCID is what was told in this operation, not what a record says (channel.c). */
enum outcome channel_ask_sim(struct operation *operation, struct report *why);

/* Makes sure that the job's applet was selected on the channel with nothing behind it, as a PIN
 * wants it: selects again, on a channel opened anew where opening selects (channel.c). */
enum outcome channel_select_again(struct operation *operation, struct report *why);

/* Closes a channel if it is open, and forgets what stood on it. What cannot be closed, or may be
 * somebody else's by now, stays in the table of owners (channel_close.c). */
void channel_drop(struct operation *operation, struct channel_state *state);

/* The same for those that are broken, among the shared ones and this process's. */
void channel_drop_broken(struct operation *operation);

/* Forgets what stood on a channel that may still be open, which stays in the table. */
void channel_leave_doubtful(struct operation *operation, struct channel_state *state,
                            enum doubt doubt);

/* Asks for the ICCID of the SIM in which the operation's channel is, once a session: the modem, or the
 * card itself where the modem does not tell and the channel is new. */
enum outcome channel_learn_sim(struct operation *operation, struct report *why);

/* Reads the ICCID on a new channel, before an applet is selected: where there is no modem that tells
 * it. Errors: OUTCOME_REFUSED if the card does not tell either. */
enum outcome channel_iccid(struct operation *operation, struct report *why);

/* Forgets what stood on a channel that is gone, or is noted elsewhere. */
void channel_lost(struct operation *operation, struct channel_state *state);

/* The status word of a command on any open channel, 0 if there is none. */
uint16_t channel_word(struct operation *operation, const struct channel *channel,
                      const struct apdu *command, struct answer *answer, struct report *why);

/* Asks whose a channel is. *word: its answer to STATUS, 0 if there was none. */
enum whose {
    WHOSE_OURS,     /* it may be closed */
    WHOSE_OTHERS,   /* a network application is selected there */
    WHOSE_NAMELESS, /* nothing is selected there but the card's MF */
    WHOSE_REFUSED,  /* the modem passes nothing on */
    WHOSE_UNKNOWN,  /* nobody answered */
};
enum whose channel_whose(struct operation *operation, const struct channel *channel,
                         uint16_t *word);

/* Closes a channel; what came of it is noted in the table. True if it is closed. */
bool channel_close(struct operation *operation, const struct channel *channel);

/* The same for one in doubt, if it says that it is ours. */
bool channel_ask(struct operation *operation, const struct channel *channel);

/* The same for all that are in doubt up to this degree, after a new channel was opened (which may
 * have got the number of one that is gone). */
void channel_ask_doubtful(struct operation *operation, enum doubt most);

/* Closes the channels that nobody goes on with, by the table. */
void channel_close_orphans(struct operation *operation);

/* Reads what older programs say of channels, once an operation: operation->old_claims. */
void channel_know_claims(struct operation *operation);

/* Closes the channels that killed processes left. Best effort. */
void channel_close_dead(struct operation *operation);

/* Closes the channel whose opening was answered too late. False if that was not heard. */
bool channel_close_stray(struct operation *operation);

/* The same, asked again where the answer may not be true: that there is no such channel, or a torn one. */
enum whose channel_whose_surely(struct operation *operation, const struct channel *channel,
                                uint16_t *word);

/* Looks for the channel that a program opened by that carrier (CARRIER_AUTO: by whichever) and whose
 * number nobody heard, among those that nobody knows, and closes it: a card gives the lowest number, and
 * most modems count sessions from 1 (channel_missed.c). One that does not answer is in doubt afterwards. */
void channel_find_missed(struct operation *operation, enum carrier carrier);

/* The same where the card said that it opened one by AT+CSIM, and the modem swallowed the number: to be
 * used, not closed. False if it is not found. */
bool channel_find_opened(struct operation *operation, struct channel *found);

/* True for a channel that this operation knows by other means than an old claim. */
bool channel_known(const struct operation *operation, unsigned number);

/* The same for a session, by its name. */
bool channel_session_known(const struct operation *operation, const struct channel *channel);

/* The channel is closed, or the card has given its number out again: it is no older program's now. */
void channel_forget_claim(struct operation *operation, uint8_t number);

/* True for a channel on which an applet that simkey uses answers as it does. word: what it answered to
 * STATUS. */
bool channel_looks_ours(struct operation *operation, const struct channel *channel, uint16_t word);

#define CHANNELS_CLOSABLE (OWNERS_MAX + CHANNEL_MAX + 2)

/* The channels that may be closed to get a free one, best first: those of simkey's killed programs,
 * those of its living ones (which open another), then two that are likely to be leaked. Never an
 * unknown 1: the modem may be using it. Returns how many. */
size_t channel_closable(struct operation *operation, struct channel list[CHANNELS_CLOSABLE]);

/* Closes one of them, after asking it if it is in doubt. */
void channel_reclaim(struct operation *operation, const struct channel *channel);

/* Closes a channel that somebody left, by its number; a modem that takes no APDUs by AT+CSIM may
 * take the number for its session's name. */
void channel_close_left(struct operation *operation, uint8_t number);

/* The same after asking, where nothing but a number is known: only another's application keeps it open.
 * True if it was ours. */
bool channel_ask_left(struct operation *operation, uint8_t number);

/* For `simkey close`: closes every channel that may be ours, whoever opened it, and tells of each. */
void channel_sweep(struct operation *operation, struct sim_found *found);

#endif
