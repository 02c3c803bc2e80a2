/* SPDX-License-Identifier: Apache-2.0 */
/* Logical channels: opened, selected, asked whose they are, closed (session.h has the picture). */
#ifndef SIMKEY_APDU_SESSION_CHANNEL_H
#define SIMKEY_APDU_SESSION_CHANNEL_H

#include "apdu/session/operation.h"

/* Makes sure that the applet is selected on the current channel, or on a new one (channel.c). */
enum outcome channel_ensure(struct operation *operation, const struct applet *applet,
                            const char *iccid, struct report *why);

/* Opens a channel by the carrier that is pinned, or worked before, or else by trying the real command; where
 * none is free, closes what may be closed (channel_open.c). */
enum outcome channel_open_any(struct operation *operation, const struct applet *applet,
                              struct report *why);

typedef enum outcome channel_again_fn(struct operation *, enum carrier, const struct applet *,
                                      struct report *);

/* Closes one channel after the other, and tries again after each: first the shared ones that this
 * operation does not use (their programs open them anew), then those of channel_closable. *why: the failure
 * so far. */
enum outcome channel_after_closing(struct operation *operation, channel_again_fn *again,
                                   enum carrier carrier, const struct applet *applet,
                                   struct report *why);

/* The card says that the applet is selected elsewhere, and lets it be on one channel only. */
bool channel_in_use_elsewhere(enum outcome outcome, const struct report *why);

/* Checks that the operation's channel is in this SIM (NULL or "": any). Where the record names another
 * one, the modem is asked before that counts. Errors: OUTCOME_WRONG_SIM, ... */
enum outcome channel_right_sim(struct operation *operation, const char *iccid, struct report *why);

/* Before a PIN: makes sure that the channel is in the SIM that the operation wants, by an ICCID that was
 * told in this operation, not by the record's. Where that needs a new channel the old one is closed
 * (channel_sim.c). */
enum outcome channel_ask_sim(struct operation *operation, struct report *why);

/* Before a PIN: makes sure that selecting the job's applet was the last command on the channel: selects
 * again, on a channel opened anew where opening selects (channel.c). */
enum outcome channel_select_again(struct operation *operation, struct report *why);

/* Closes a channel if it is open; its state is LEVEL_CLOSED afterwards. A channel that cannot be closed,
 * or may be another program's by now, stays in the table of owners (channel_close.c). */
void channel_drop(struct operation *operation, struct channel_state *state);

/* The same for those that are broken, among the shared ones and this process's. */
void channel_drop_broken(struct operation *operation);

/* Gives up a channel that may still be open: its state is LEVEL_CLOSED afterwards, and the table has it
 * with that doubt. */
void channel_leave_doubtful(struct operation *operation, struct channel_state *state,
                            enum doubt doubt);

/* Asks for the ICCID of the SIM in which the operation's channel is, once for each channel: the modem, or
 * the card itself where the modem does not tell and the channel is new (channel_sim.c). */
enum outcome channel_learn_sim(struct operation *operation, struct report *why);

/* Reads the ICCID on a new channel, before an applet is selected: where there is no modem that tells
 * it. Errors: OUTCOME_REFUSED if the card does not tell either. */
enum outcome channel_iccid(struct operation *operation, struct report *why);

/* Gives up a channel that is gone, or is noted elsewhere: nothing is sent, and the table does not have it
 * either. */
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
    WHOSE_UNKNOWN,  /* no answer, or none that can be believed */
};
enum whose channel_whose(struct operation *operation, const struct channel *channel,
                         uint16_t *word);

/* The same, but asks a second time before it believes that there is no such channel (6881), or that it
 * cannot be told. */
enum whose channel_whose_surely(struct operation *operation, const struct channel *channel,
                                uint16_t *word);

/* Closes a channel; what came of it is noted in the table. True if it is closed. */
bool channel_close(struct operation *operation, const struct channel *channel);

/* The same for one in doubt: asks whose it is, and closes it only if it is ours. */
bool channel_ask(struct operation *operation, const struct channel *channel);

/* channel_ask for all of the table that are in doubt up to this degree. To be called when a new channel
 * was opened: one that is gone may have had its number. */
void channel_ask_doubtful(struct operation *operation, enum doubt most);

/* Closes the orphans of the table that are in no doubt. */
void channel_close_orphans(struct operation *operation);

/* Reads what older programs say of channels, once an operation: operation->old_claims. */
void channel_know_claims(struct operation *operation);

/* Instead of opening a channel: takes one that a modem refused to close, if an applet of simkey's still
 * answers on it; once an operation. Otherwise each program would leave one more open, until none is free
 * (channel_reuse.c). False if there is none. */
bool channel_reuse(struct operation *operation);

/* Closes the channels that killed processes left. Best effort. */
void channel_close_dead(struct operation *operation);

/* Closes the channel whose opening was answered too late, if the transport has heard such an answer since.
 * False if it has not, or if that channel is not to be closed (channel_missed.c). */
bool channel_close_stray(struct operation *operation);

/* Looks for a channel that was opened by that carrier (CARRIER_AUTO: by either) and whose number no program
 * has heard, among those that are in no table, and closes it: a card gives the lowest free number, and most
 * modems count sessions from 1 (channel_missed.c). One that does not answer is in doubt afterwards.
 * False if none was found: another search would find none either. */
bool channel_find_missed(struct operation *operation, enum carrier carrier);

/* Where no channel is free: closes those in the table, of other programs that live, on which nothing is
 * selected. False if there is none. */
bool channel_close_unselected(struct operation *operation);

/* Looks, as channel_find_missed does, for a channel that the card has just opened by AT+CSIM when the modem did
 * not pass the number on. It is not closed, but to be used. False, and *found all zero, if there is none. */
bool channel_find_opened(struct operation *operation, struct channel *found);

/* True for a channel that this operation uses or that is in the table; the files of older programs
 * (old_claims) do not count. */
bool channel_known(const struct operation *operation, unsigned number);

/* The same for a session, by its name. */
bool channel_session_known(const struct operation *operation, const struct channel *channel);

/* The channel is closed, or the card has given its number out again: removes what older programs say of
 * it. */
void channel_forget_claim(struct operation *operation, uint8_t number);

/* True for a channel on which one of the applets that simkey uses answers in its own way. word: the
 * channel's answer to STATUS. Costs no PIN try. */
bool channel_looks_ours(struct operation *operation, const struct channel *channel, uint16_t word);

#define CHANNELS_CLOSABLE (OWNERS_MAX + CHANNEL_MAX + 2)

/* The channels that may be closed to get a free one, best first: those of simkey's killed programs, those
 * of its older living ones (which open another), then numbers 3 and 2, which are the most likely ones to
 * be leaked. Never a 1 of which nothing is known: the modem may be using it. Returns how many. */
size_t channel_closable(struct operation *operation, struct channel list[CHANNELS_CLOSABLE]);

/* Closes one of them, after asking it if it is in doubt. True if it is closed now. */
bool channel_reclaim(struct operation *operation, const struct channel *channel);

/* Closes a channel of which nothing but the number is known, after asking whose it is: only a network
 * application keeps it open. A modem that takes no APDUs by AT+CSIM may take the number for its session's
 * name. True if the channel is closed now. */
bool channel_ask_left(struct operation *operation, uint8_t number);

/* For `simkey close`: closes every channel that may be ours, whoever opened it, and tells of each. */
void channel_sweep(struct operation *operation, struct sim_found *found);

#endif
