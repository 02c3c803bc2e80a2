/* SPDX-License-Identifier: Apache-2.0 */
/* Logical channels: opened, selected, asked whose they are, closed (session.h has the picture). */
#ifndef SIMKEY_APDU_SESSION_CHANNEL_H
#define SIMKEY_APDU_SESSION_CHANNEL_H

#include "apdu/session/operation.h"

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

/* Instead of opening one: goes on with a channel that was to be closed, which the modem refused to do, where
 * an applet of simkey's still answers on it; once an operation. Or there would be one less with each
 * program, until none is free (channel_reuse.c). False if there is none. */
bool channel_reuse(struct operation *operation);

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

/* Where no channel is free: closes those in the table, of other programs that live, on which nothing is
 * selected. False if there is none. */
bool channel_close_unselected(struct operation *operation);

/* As channel_find_missed, where the card said that it opened one by AT+CSIM, and the modem swallowed the number: to be
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

/* Closes a channel that somebody left and of which nothing but the number is known, after asking: only
 * another's application keeps it open. A modem that takes no APDUs by AT+CSIM may take the number for its
 * session's name. True if it was ours and is closed. */
bool channel_ask_left(struct operation *operation, uint8_t number);

/* For `simkey close`: closes every channel that may be ours, whoever opened it, and tells of each. */
void channel_sweep(struct operation *operation, struct sim_found *found);

#endif
