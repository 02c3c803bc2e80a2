/* SPDX-License-Identifier: Apache-2.0 */
/* The SIM taken for one operation: lock, deadline, channel, applet, PIN, and one new start after a
 * loss. Internal to apdu/: programs use sim.h, token.h and typea.h. */
#ifndef SIMKEY_APDU_SESSION_SESSION_H
#define SIMKEY_APDU_SESSION_SESSION_H

#include "apdu/applet/pin.h"
#include "apdu/card/apdu.h"
#include "apdu/session/queue.h"
#include "apdu/session/record.h"
#include "apdu/sim.h"
#include "modem/transport.h"

#include <stdatomic.h>

/* An applet as something to select. */
struct applet {
    const uint8_t *aid;
    size_t aid_length; /* 0: the channel is used as it opens */
    const char *name;
    /* NULL, or a harmless command that only this applet takes: asked before its channel is closed,
     * because after a reset of the modem the number may be somebody else's */
    const struct apdu *probe;
    /* SELECTED_OTHER: its channel is not recorded for other processes but this one's own, which
     * must not be lost between operations (see claim.h) */
    enum selected kind;
};

extern const struct applet applet_mias;
extern const struct applet applet_uicc;

/* After so many refusals of the short way it is not tried any more. */
#define SHORT_WAY_REFUSALS 2

struct sim {
    _Atomic unsigned references;
    struct settings settings;
    _Atomic bool forget;        /* set by sim_forget */
    _Atomic unsigned under_way; /* operations */
    bool limited;               /* see sim_limit */
    struct deadline limit;
    /* What follows belongs to the thread that holds the device's lock; the counter carries the
     * order between them. */
    _Atomic unsigned turn;
    struct line line;
    struct learnt learnt;
    struct pin_memory memory; /* the record's, which counts where there is one */
    uint64_t start;           /* when start_of did, see rundir_process_start */
    pid_t start_of;
    pid_t joined;        /* the process that is among the record's users by this sim; 0: none */
    pid_t own_pid;       /* the process whose the next two are */
    struct standing own; /* the channel of an applet that is not recorded */
    const struct applet *owner;       /* the applet of own */
    char own_iccid[ICCID_SIZE];       /* the SIM of own, "" if none or unknown */
    char directory_iccid[ICCID_SIZE]; /* the SIM whose directory is remembered, "" if none is */
    size_t directory_count;
    struct mias_entry directory[MIAS_ENTRIES];
    char half[AT_STRAY_SIZE]; /* of a line that had not ended when an operation gave up */
    size_t half_length;
    int claim;            /* of that channel, -1 if there is none */
    char boot[BOOT_SIZE]; /* see record_open_in */
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
    bool again;                      /* it is the second start */
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
    struct queue queue;
    int file; /* of the record, -1 without one */
    struct record record;
    struct standing alone;     /* what stands on a channel for this operation only */
    struct standing *standing; /* the one in use: the record's, the sim's own, or alone */
    bool fresh; /* the applet was selected in this operation: a refusal is the applet's own word */
    bool pin_follows; /* the applet is selected for the sake of a PIN */
    bool opened;      /* the channel in use was opened in this operation */
    bool answered;    /* the channel has answered in this operation */
    bool again;       /* it is the second start */
    bool long_way;    /* the security environment was set, or the PIN verified, in this operation */
    bool told;        /* the modem was asked for the ICCID in this operation */
    bool unheard;     /* a channel was opened whose number nobody heard */
    bool accepted;    /* the SIM took our PIN of that place in this operation */
    enum pin_reference accepted_at;
    bool doubtful; /* the modem may have restarted unseen: a channel may be somebody else's */
};

/* Opens and locks the device, in this process and no other's name. Ends with operation_end, also
 * after a failure. */
enum outcome operation_begin(struct operation *operation, struct sim *sim, struct deadline deadline,
                             struct report *why);
void operation_end(struct operation *operation);

/* Makes the modem listen, and knows afterwards whether it has restarted since. Errors: as at_start's
 * and at_resync's. */
enum outcome operation_wake(struct operation *operation, struct report *why);

/* True where an answer came that nobody asked for, so that none can be trusted, on the first start:
 * a modem that says all twice is borne on the second one. */
bool operation_out_of_step(const struct operation *operation);

/* Writes down what stands now, marked as dirty: from here on a death is noticed by the next one.
 * Where that fails, operation->standing is another place afterwards. */
void operation_note(struct operation *operation);

/* Makes sure that the applet's PIN is verified on the channel, also in the middle of the work
 * (pin_later in struct job), by the PIN of this process's own source. May select the applet again. */
enum outcome operation_pin(struct operation *operation, struct report *why);

/* The same for PIN1 of the application with the Type A files. */
enum outcome operation_pin1(struct operation *operation, struct report *why);

/* After work that failed: whether the SIM took our PIN in this operation, then refused for want of
 * one, and does not say that it is verified either. One of its words is not true, and the PIN may have
 * cost a try: its source is noted as refused, and *why says so (OUTCOME_PIN_PROTECTED). */
bool operation_pin_doubted(struct operation *operation, struct report *why);

/* How many sources this SIM has refused. */
size_t operation_refusals(struct operation *operation);

/* A person's PIN was refused: notes its source for this SIM. */
void operation_refused(struct operation *operation, const struct pin_identity *source);

/* A person's PIN was right: forgets the refusals of this SIM. *path is "" or the file that could not
 * be removed. */
void operation_forgive(struct operation *operation, char *path, size_t size);

/* Closes the channels that are marked as broken, if the modem is ready for that at once. */
void operation_close(struct operation *operation);

typedef enum outcome operation_fn(struct operation *operation, void *arg, struct report *why);

/* Runs the work as one operation within the settings' time-out, and once more from a new channel if
 * the first try failed because of what stood on the card. */
enum outcome session_run(struct sim *sim, const struct job *job, operation_fn *work, void *arg,
                         struct report *why);

/* Makes a channel stand with the applet selected: the standing one, or a new one (channel.c). */
enum outcome channel_ensure(struct operation *operation, const struct applet *applet,
                            const char *iccid, struct report *why);

/* Before a PIN: makes sure that the channel is in the SIM that the operation wants, and that the SIM's
 * ICCID is what was told in this operation, not what a record says (channel.c). */
enum outcome channel_ask_sim(struct operation *operation, struct report *why);

/* Makes sure that the job's applet was selected on the channel with nothing behind it, as a PIN
 * wants it: selects again, on a channel opened anew where opening selects (channel.c). */
enum outcome channel_select_again(struct operation *operation, struct report *why);

/* Closes a channel if it is open, and forgets what stood on it. Best effort. */
void channel_drop(struct operation *operation, struct standing *standing);

/* Asks for the ICCID of the SIM in which the operation's channel is, once a session: the modem, or the
 * card itself where the modem does not tell and the channel is new. */
enum outcome session_iccid(struct operation *operation, struct report *why);

/* Reads the ICCID on a new channel, before an applet is selected: where there is no modem that tells
 * it. Errors: OUTCOME_REFUSED if the card does not tell either. */
enum outcome channel_iccid(struct operation *operation, struct report *why);

/* The directory of mIAS's files: read, or remembered while the session stands. It is valid until the
 * operation ends. */
enum outcome session_directory(struct operation *operation, const struct mias_entry **list,
                               size_t *count, struct report *why);

/* Forgets what stood on a channel that is gone. */
void channel_lost(struct operation *operation, struct standing *standing);

/* Forgets all channels if the modem restarted, or said that the SIM is gone; else false. */
bool channel_all_lost(struct operation *operation);

/* Closes the channel whose opening was answered too late. False if that was not heard. */
bool channel_close_stray(struct operation *operation);

/* Closes the session that a program opened by AT+CCHO beside the one that all share, when it died
 * before its name was heard (another program may have read that away): modems count sessions from 1,
 * and nobody else's is closed but one that began after its death. Nothing where names are no
 * numbers. */
void channel_close_missed(struct operation *operation);

/* Writes down a channel that cannot be closed now, for the next operation to close; closes it. */
void channel_leave_open(struct operation *operation, const struct channel *channel);

/* Both are open, by the same carrier, under one number or name. */
bool channel_same(const struct channel *a, const struct channel *b);
void channel_close_lone(struct operation *operation);

/* The highest number of a logical channel (ETSI TS 102 221, 11.1.17). */
#define CHANNEL_MAX       19
#define CHANNELS_CLOSABLE (CHANNEL_MAX + 2)

/* The channels that may be closed to get a free one, best first: those of simkey's killed programs,
 * those of its living ones (which open another), then two that are likely to be leaked. Never an
 * unknown 1: the modem may be using it. Returns how many. */
size_t channel_closable(const struct operation *operation, uint8_t list[CHANNELS_CLOSABLE]);

/* Closes a channel that somebody left, by its number; a modem that takes no APDUs by AT+CSIM may
 * take the number for its session's name. */
void channel_close_left(struct operation *operation, uint8_t number);

/* After a channel was opened: somebody may have died while one was opened before, and its number was
 * not heard. If the new one got a higher number than the last one, that number is the dead one's,
 * because a card gives the lowest. */
void channel_close_unheard(struct operation *operation);

/* Closes the channels that killed processes left. Best effort. */
void channel_bury_dead(struct operation *operation);

#endif
