/* SPDX-License-Identifier: Apache-2.0 */
/* Logical channels: which carrier opens one, what to do when none is free, which applet is selected
 * on it. The basic channel is the modem's: nothing is selected there. */
#include "apdu/session/channel.h"
#include "apdu/card/file.h"
#include "modem/cme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool no_free_channel(enum outcome outcome, const struct report *why)
{
    return outcome == OUTCOME_REFUSED &&
           (why->sw == 0x6A81 || why->sw == 0x6A84 || why->sw == 0x6881);
}

/* The card says that the applet is selected elsewhere, and lets it be on one channel only. */
static bool in_use_elsewhere(enum outcome outcome, const struct report *why)
{
    return outcome == OUTCOME_REFUSED && (why->sw == 0x6985 || why->sw == 0x6999);
}

/* True for a failure after which the channel may be open all the same: some modems open it and then answer
 * with an error that says nothing. Over AT+CSIM only `unknown` is one: there +CME ERROR: 0 is how some
 * modems refuse MANAGE CHANNEL, and 13 what they say of a SIM in trouble. */
static bool may_be_open(const struct operation *operation, const struct channel_wish *wish,
                        enum outcome outcome, const struct report *why)
{
    return outcome == OUTCOME_LOST && operation->transport.ops->carrier == CARRIER_AUTO &&
           (why->cme == CME_UNKNOWN ||
            (wish->carrier == CARRIER_CCHO &&
             (why->cme == CME_PHONE_FAILURE || why->cme == CME_SIM_FAILURE)));
}

/* Opens it by the transport, once more where that may help. */
static enum outcome open_channel(struct operation *operation, const struct channel_wish *wish,
                                 struct report *why)
{
    const bool pinned = operation->sim->settings.carrier == wish->carrier;
    struct channel *channel = &operation->current->channel;
    enum outcome outcome = operation->transport.ops->open(&operation->transport, wish, channel,
                                                          operation->deadline, why);

    /* a modem may fail once (without a word, where there is no other way); after a restart it has to
     * be set up first */
    if ((outcome == OUTCOME_LOST ||
         (outcome == OUTCOME_CARRIER_REFUSED && pinned && why->cme < 0 && why->sw == 0)) &&
        !(operation->transport.events & EVENT_RESTARTED)) {
        /* there were two answers, one of them with the number of a channel that is of no use now; or the only
         * answer was lost */
        if (!channel_close_stray(operation) && outcome == OUTCOME_LOST &&
            (why->cme < 0 || may_be_open(operation, wish, outcome, why)))
            channel_find_missed(operation, wish->carrier);
        outcome = operation->transport.ops->open(&operation->transport, wish, channel,
                                                 operation->deadline, why);
        if (may_be_open(operation, wish, outcome, why))
            channel_find_missed(operation, wish->carrier);
    }
    if (outcome == OUTCOME_BAD_DATA && wish->carrier == CARRIER_CSIM && why->sw == SW_OK &&
        channel_find_opened(operation, channel)) {
        report_clear(why);
        outcome = OUTCOME_OK;
    }
    return outcome;
}

static enum outcome open_by(struct operation *operation, enum carrier carrier,
                            const struct applet *applet, struct report *why)
{
    const struct channel_wish wish = {
        .carrier = carrier, .aid = applet->aid, .aid_length = applet->aid_length};
    struct channel_state *state;
    enum outcome outcome;

    /* the SIM may be back, but nothing is open on it any more */
    if (!(operation->transport.events & EVENT_RESTARTED) && operation_all_lost(operation))
        operation->transport.events &= ~(unsigned)EVENT_NO_SIM;
    operation->selection.aid_length = 0;
    /* a channel may be open that an earlier opening left */
    if (operation->sim->line.opening && !channel_close_stray(operation)) {
        channel_find_missed(operation, operation->sim->settings.carrier);
        if (operation->transport.events & EVENT_UNASKED) /* nothing that was found is sure */
            operation->missed = true;
    }
    operation->sim->line.opening = true;
    operation_note(operation);
    state = operation->current;
    outcome = open_channel(operation, &wish, why);
    /* the number may still come, or have been lost with the device, or among answers of others */
    operation->sim->line.opening =
        operation->missed || (operation->transport.events & EVENT_LATE) ||
        outcome == OUTCOME_BAD_DATA || outcome == OUTCOME_NO_MODEM ||
        (outcome != OUTCOME_OK && (operation->transport.events & EVENT_UNASKED));
    operation->answered = outcome == OUTCOME_OK;
    operation->refused_opening = operation->refused_opening || outcome == OUTCOME_REFUSED;
    if (outcome == OUTCOME_OK) {
        operation->echoed = operation->echoed || (operation->transport.events & EVENT_ECHOED);
        operation->transport.events &= ~(unsigned)EVENT_ECHOED;
        operation->sim->line.carrier = carrier;
        state_opened(state);
        channel_forget_claim(operation, state->channel.number);
        operation->sim->line.last = state->channel.number;
        operation->sim->proof = (struct proof){state->channel, monotonic_ms()};
        if (state->channel.selected)
            card_note_selected(&operation->card, applet->aid, applet->aid_length);
    } else if (operation->transport.events & EVENT_RESTARTED) {
        return report_set(why, OUTCOME_LOST, "%s", operation->transport.ops->restarted);
    }
    /* over AT+CCHO a missing applet looks like any other failure */
    if ((outcome == OUTCOME_LOST || outcome == OUTCOME_REFUSED) && carrier == CARRIER_CCHO) {
        int cme = why->cme;

        outcome = report_set(why, OUTCOME_NO_APPLET,
                             "the modem cannot open a channel to %s by AT+CCHO (+CME ERROR: %d): "
                             "this SIM does not have it, or no channel is free",
                             applet->name, cme);
        why->cme = cme;
    }
    return outcome;
}

/* Closes one channel after the other, and tries again after each: first the shared ones that this
 * operation does not use (their programs open them anew), then those of channel_closable. */
static enum outcome after_closing(struct operation *operation,
                                  enum outcome (*again)(struct operation *, enum carrier,
                                                        const struct applet *, struct report *),
                                  enum carrier carrier, const struct applet *applet,
                                  struct report *why)
{
    struct channel_state *const shared[] = {&operation->record.second, &operation->record.shared};
    struct channel list[CHANNELS_CLOSABLE];
    enum outcome outcome = why->outcome;
    size_t count;

    for (size_t i = 0; i < 2 && outcome != OUTCOME_OK; i++)
        if (operation->current != shared[i] && shared[i]->level > LEVEL_CLOSED) {
            channel_drop(operation, shared[i]);
            outcome = again(operation, carrier, applet, why);
        }
    count = outcome != OUTCOME_OK ? channel_closable(operation, list) : 0;
    for (size_t i = 0; i < count && outcome != OUTCOME_OK && outcome != OUTCOME_NO_SIM; i++) {
        channel_reclaim(operation, &list[i]);
        outcome = again(operation, carrier, applet, why);
    }
    return outcome;
}

/* Closes channels one at a time until one can be opened. */
static enum outcome reclaim(struct operation *operation, enum carrier carrier,
                            const struct applet *applet, struct report *why)
{
    enum outcome outcome = after_closing(operation, open_by, carrier, applet, why);

    if (no_free_channel(outcome, why) && channel_close_unselected(operation))
        outcome = open_by(operation, carrier, applet, why);
    if (no_free_channel(outcome, why))
        return report_sw(why, OUTCOME_REFUSED, why->sw,
                         "the SIM has no free logical channel: end the programs that use it, or "
                         "restart the modem");
    return outcome;
}

/* The same by AT+CSIM. A modem that keeps MANAGE CHANNEL for itself may refuse it as if no channel
 * were free: then AT+CCHO is tried, if other is that. */
static enum outcome reclaim_or(struct operation *operation, enum carrier other,
                               const struct applet *applet, struct report *why)
{
    struct report by_other = REPORT_INIT;
    enum outcome outcome = reclaim(operation, CARRIER_CSIM, applet, why);

    if (no_free_channel(outcome, why) && other == CARRIER_CCHO &&
        open_by(operation, other, applet, &by_other) == OUTCOME_OK)
        outcome = OUTCOME_OK;
    return outcome;
}

/* A modem that answers a bare ERROR does not say why: perhaps it says more when asked for the SIM. What
 * the card itself said (a status word) is believed. */
static enum outcome diagnose(struct operation *operation, struct report *why)
{
    struct report other = REPORT_INIT;
    enum outcome outcome = transport_diagnose(&operation->transport, operation->deadline, &other);

    if (outcome == OUTCOME_NO_SIM || outcome == OUTCOME_PIN_MISSING ||
        outcome == OUTCOME_PIN_BLOCKED)
        *why = other;
    return why->outcome;
}

/* Opens a channel by the carrier that is pinned, or worked before, or else by trying the real
 * command. */
static enum outcome open_any(struct operation *operation, const struct applet *applet,
                             struct report *why)
{
    const struct sim *sim = operation->sim;
    const enum carrier only = operation->transport.ops->carrier;
    const enum carrier wanted = operation->csim_refuses ? CARRIER_CCHO : sim->settings.carrier;
    enum carrier pinned = only != CARRIER_AUTO ? only : wanted;
    enum carrier first = pinned != CARRIER_AUTO ? pinned : sim->line.carrier;
    enum carrier second;
    struct report other = REPORT_INIT;
    enum outcome outcome;

    if (first == CARRIER_AUTO)
        first = CARRIER_CSIM;
    second = first == CARRIER_CSIM ? CARRIER_CCHO : CARRIER_CSIM;
    outcome = open_by(operation, first, applet, why);
    if (outcome == OUTCOME_OK || (operation->transport.events & EVENT_RESTARTED))
        return outcome;
    if (pinned == CARRIER_AUTO && (outcome == OUTCOME_CARRIER_REFUSED || outcome == OUTCOME_LOST ||
                                   outcome == OUTCOME_NO_APPLET || why->sw == 0x6881 ||
                                   (outcome == OUTCOME_BAD_DATA && operation->again))) {
        enum outcome by_other = open_by(operation, second, applet, &other);

        /* a modem that keeps MANAGE CHANNEL for itself, and knows what the SIM does not have */
        if (by_other == OUTCOME_OK || outcome == OUTCOME_CARRIER_REFUSED ||
            (by_other == OUTCOME_NO_APPLET && other.cme == CME_NOT_FOUND)) {
            *why = other;
            outcome = by_other;
        }
    }
    if (no_free_channel(outcome, why))
        outcome = reclaim_or(operation, pinned == CARRIER_AUTO ? second : first, applet, why);
    else if (operation->transport.ops->selects && in_use_elsewhere(outcome, why))
        outcome = after_closing(operation, open_by, first, applet, why);
    else if (outcome == OUTCOME_NO_APPLET && why->cme != CME_NOT_FOUND && why->cme >= 0)
        outcome = reclaim(operation, CARRIER_CCHO, applet, why); /* perhaps no channel is free */
    if (outcome == OUTCOME_CARRIER_REFUSED || (outcome == OUTCOME_NO_APPLET && why->sw == 0))
        outcome = diagnose(operation, why);
    if (outcome == OUTCOME_CARRIER_REFUSED && pinned == CARRIER_AUTO)
        report_prefix(why,
                      "the modem gives programs no way to the SIM, neither AT+CSIM nor AT+CCHO");
    return outcome;
}

static enum outcome select_by(struct operation *operation, enum carrier carrier,
                              const struct applet *applet, struct report *why)
{
    (void)carrier;
    if (operation->transport.events & EVENT_ECHOED)
        return operation_echoes(why);
    if (operation->pin_follows && (!operation->opened || operation->reused))
        return file_select_applet_again(&operation->card, applet->aid, applet->aid_length,
                                        applet->name, why);
    return file_select_applet(&operation->card, applet->aid, applet->aid_length, applet->name, why);
}

/* Selects, and if the card says that the applet is in use elsewhere, closes channels that may have
 * been leaked. */
static enum outcome select_applet(struct operation *operation, const struct applet *applet,
                                  struct report *why)
{
    enum carrier carrier = operation->current->channel.carrier;
    enum outcome outcome = select_by(operation, carrier, applet, why);

    if (carrier == CARRIER_CSIM && in_use_elsewhere(outcome, why))
        outcome = after_closing(operation, select_by, carrier, applet, why);
    return outcome;
}

/* Notes whose the channel is that was opened just now, in the record too. */
static void note_owner(struct operation *operation)
{
    struct sim *sim = operation->sim;
    struct owners *owners = &operation->record.owners;
    struct record *record = &operation->record;
    const enum record_channel which = record_which(record, operation->current);
    const struct channel *channel = &operation->current->channel;

    /* the card gave it to us: it is no other owner's any more */
    owners_remove(owners, channel);
    if (operation->current != &sim->mine && channel_same(channel, &sim->mine.channel))
        channel_lost(operation, &sim->mine);
    for (int other = 0; other < RECORD_CHANNELS; other++)
        if (other != (int)which &&
            channel_same(channel, &record_channel(record, (enum record_channel)other)->channel))
            channel_lost(operation, record_channel(record, (enum record_channel)other));
    if (operation->current == &sim->mine)
        owners_hold(owners, channel, getpid(), operation_own_start(sim));
    else if (operation->current == &operation->oneshot)
        owners_orphan(owners, channel, DOUBT_NONE); /* if we are killed, others close it */
    else
        ++*record_generation(record, which);
    operation_note(operation);
}

static enum outcome open_noted(struct operation *operation, const struct applet *applet,
                               struct report *why)
{
    struct sim *sim = operation->sim;
    enum outcome outcome;

    operation->just_selected = operation->opened = true;
    operation->current->iccid_asked = false; /* what the record says of a closed channel is old */
    channel_close_dead(operation);
    outcome = channel_reuse(operation) ? OUTCOME_OK : open_any(operation, applet, why);
    if (outcome == OUTCOME_CARRIER_REFUSED && sim->settings.carrier != CARRIER_AUTO)
        report_prefix(why, "this modem does not support `transport` %s (set it to auto)",
                      sim->settings.carrier == CARRIER_CCHO ? "ccho" : "csim");
    if (outcome != OUTCOME_OK)
        return outcome;
    note_owner(operation);
    channel_ask_doubtful(operation, DOUBT_ASK);
    return OUTCOME_OK;
}

/* Makes sure that the applet is selected by this one of its AIDs. last: it has no further one, so that a
 * channel without the applet is closed again. */
static enum outcome ensure_as(struct operation *operation, const struct applet *applet, bool last,
                              const char *iccid, struct report *why)
{
    struct channel_state *state = operation->current;
    enum outcome outcome = OUTCOME_OK;

    /* where opening selects, another applet wants another channel */
    if (state->level > LEVEL_CLOSED &&
        (state->broken || (state->channel.selected && state->applet != applet->kind)))
        channel_drop(operation, state);
    if (state->level == LEVEL_CLOSED)
        outcome = open_noted(operation, applet, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    state = operation->current;
    outcome = channel_right_sim(operation, iccid, why);
    if (outcome != OUTCOME_OK || state->applet == applet->kind)
        return outcome;
    state_deselected(state);
    operation->just_selected = true;
    if (!state->channel.selected && applet->aid_length > 0)
        outcome = select_applet(operation, applet, why);
    if (outcome == OUTCOME_OK)
        state_selected(state, applet->kind);
    else if (outcome == OUTCOME_NO_APPLET && last)
        channel_drop(operation, state);
    return outcome;
}

#define APPLET_AIDS 4

/* The AIDs of an applet, in the order in which they are asked for: first a given one, then the one that
 * this SIM is known to have. Returns how many. */
static size_t order_aids(const struct operation *operation, const struct applet *applet,
                         const struct applet *list[APPLET_AIDS])
{
    const unsigned known = (operation->sim->quirks.modem & QUIRK_AIDS) / QUIRK_AID;
    size_t count = 0;

    if (applet->number == 0) {
        list[count++] = applet;
        applet = applet->other;
    }
    for (const struct applet *at = applet; at != NULL; at = at->other)
        if (at->number == known)
            list[count++] = at;
    for (const struct applet *at = applet; at != NULL && count < APPLET_AIDS; at = at->other)
        if (at->number != known)
            list[count++] = at;
    return count;
}

/* Remembers for this SIM which applet was selected, or is not there. That mIAS is missing counts only by
 * 6A82 or "not found": a modem that opens by an AID may have other reasons to refuse. */
static void learn_applet(struct operation *operation, const struct applet *applet,
                         enum outcome outcome, const struct report *why)
{
    struct sim *sim = operation->sim;

    if (applet->kind == SELECTED_MIAS && outcome == OUTCOME_NO_APPLET)
        sim->lacks_mias = why->sw == 0x6A82 || why->cme == CME_NOT_FOUND;
    if (outcome != OUTCOME_OK || !operation->just_selected)
        return;
    if (applet->kind == SELECTED_MIAS) {
        sim->lacks_mias = false;
        sim->quirks.modem &= ~(unsigned)QUIRK_NO_MIAS;
    } else if (applet->kind == SELECTED_IOTSAFE) {
        if (sim->lacks_mias)
            sim->quirks.modem |= QUIRK_NO_MIAS;
        sim->quirks.modem &= ~(unsigned)QUIRK_AIDS;
        sim->quirks.modem |= applet->number * QUIRK_AID;
    }
}

static enum outcome ensure_once(struct operation *operation, const struct applet *applet,
                                const char *iccid, struct report *why)
{
    const struct applet *list[APPLET_AIDS];
    const size_t count = order_aids(operation, applet, list);
    struct report first = REPORT_INIT;
    enum outcome outcome = OUTCOME_OK;

    for (size_t i = 0; i < count; i++) {
        outcome = ensure_as(operation, list[i], i + 1 == count, iccid, why);
        learn_applet(operation, list[i], outcome, why);
        if (outcome != OUTCOME_NO_APPLET)
            return outcome;
        if (i == 0)
            first = *why;
        report_clear(why);
    }
    *why = first;
    return outcome;
}

/* True if the first command on a new channel was refused in a way that no card has for it: some modems
 * open channels by AT+CSIM and pass nothing on to them. */
static bool passes_nothing_on(const struct operation *operation, enum outcome outcome,
                              const struct report *why)
{
    const struct channel_state *state = operation->current;
    bool refused = outcome == OUTCOME_CARRIER_REFUSED || outcome == OUTCOME_LOST ||
                   (outcome == OUTCOME_REFUSED &&
                    (why->sw == 0x6E00 || why->sw == 0x6D00 || why->sw == 0x6900));

    return refused && operation->opened && state->level == LEVEL_OPEN &&
           state->channel.carrier == CARRIER_CSIM &&
           operation->transport.ops->carrier == CARRIER_AUTO &&
           operation->sim->settings.carrier == CARRIER_AUTO &&
           !(operation->transport.events &
             (EVENT_RESTARTED | EVENT_ECHOED | EVENT_NO_SIM | EVENT_LATE)) &&
           !operation_out_of_step(operation) && !deadline_passed(operation->deadline);
}

/* Closes the channel on which the modem passes no commands, without asking whose it is, because it could
 * not answer: the card has just given us its number, unless that was another command's answer. */
static void drop_refused(struct operation *operation)
{
    const struct channel channel = operation->current->channel;
    struct report ignored = REPORT_INIT;

    if (transport_confirm(&operation->transport, operation->deadline, &ignored) != OUTCOME_OK ||
        operation_out_of_step(operation)) {
        channel_drop(operation, operation->current);
        return;
    }
    channel_leave_doubtful(operation, operation->current, DOUBT_NONE);
    (void)channel_close(operation, &channel);
}

/* Where a channel passes nothing on: once more by AT+CSIM, because the channel may have been lost; then by
 * AT+CCHO, which is remembered as what opened a channel last. Where that does not exist, the first refusal
 * is reported. */
enum outcome channel_ensure(struct operation *operation, const struct applet *applet,
                            const char *iccid, struct report *why)
{
    enum outcome outcome = ensure_once(operation, applet, iccid, why);
    struct report other = REPORT_INIT;
    char same[ICCID_SIZE];

    /* the channel may have been lost because another SIM was put in: its PIN is not tried */
    memcpy(same, operation->current->iccid, sizeof same);
    if (iccid == NULL || iccid[0] == '\0')
        iccid = same;
    for (int tries = 0; tries < 2 && passes_nothing_on(operation, outcome, why); tries++) {
        enum outcome by_other;

        drop_refused(operation);
        operation->csim_refuses = tries > 0;
        by_other = ensure_once(operation, applet, iccid, &other);
        operation->csim_refuses = false;
        if (by_other == OUTCOME_CARRIER_REFUSED && operation->current->level == LEVEL_CLOSED)
            return outcome;
        outcome = by_other;
        *why = other;
    }
    return outcome;
}

/* Where opening selects, the channel is opened anew: others may have used one that was found open. */
enum outcome channel_select_again(struct operation *operation, struct report *why)
{
    const struct applet *applet = operation->applet;
    struct channel_state *state = operation->current;

    if (card_just_selected(&operation->card, applet->aid, applet->aid_length))
        return OUTCOME_OK;
    operation->pin_follows = true;
    if (state->channel.selected)
        channel_drop(operation, state);
    else
        state_deselected(state);
    if (operation_out_of_step(operation)) /* the next answer may be this one's */
        return report_set(why, OUTCOME_LOST,
                          "the modem's answers are out of step: end any other "
                          "program that uses the port");
    return channel_ensure(operation, applet, operation->iccid, why);
}
