/* SPDX-License-Identifier: Apache-2.0 */
/* How a logical channel is opened: by which carrier, and what is done when none is free. What is selected on
 * it is in channel.c. The basic channel is the modem's: nothing is selected there. */
#include "apdu/session/channel.h"
#include "modem/cme.h"

#include <string.h>

static bool no_free_channel(enum outcome outcome, const struct report *why)
{
    return outcome == OUTCOME_REFUSED &&
           (why->sw == 0x6A81 || why->sw == 0x6A84 || why->sw == 0x6881);
}

bool channel_in_use_elsewhere(enum outcome outcome, const struct report *why)
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

/* True if an applet is not asked for a second time at once: by AT+CCHO the SIM does not have it, or other AIDs
 * come first. */
static bool asked_once(const struct operation *operation, const struct channel_wish *wish,
                       const struct report *why)
{
    return wish->carrier == CARRIER_CCHO && operation->transport.ops->carrier == CARRIER_AUTO &&
           why->cme >= 0 && (operation->more_aids || why->cme == CME_NOT_FOUND);
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
    if (may_be_open(operation, wish, outcome, why) && asked_once(operation, wish, why))
        operation->look_later++;
    else if ((outcome == OUTCOME_LOST ||
              (outcome == OUTCOME_CARRIER_REFUSED && pinned && why->cme < 0 && why->sw == 0)) &&
             !asked_once(operation, wish, why) &&
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
    const struct channel_wish wish = {.carrier = carrier,
                                      .aid = applet->aid,
                                      .aid_length = applet->aid_length,
                                      .all = operation->open_all};
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
    if (outcome == OUTCOME_OK)
        atomic_store(&operation->sim->may_lack, false);
    else if (carrier == CARRIER_CCHO && operation->transport.ops->carrier == CARRIER_AUTO &&
             (outcome == OUTCOME_CARRIER_REFUSED || why->cme == CME_UNKNOWN))
        atomic_store(&operation->sim->may_lack, true);
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

enum outcome channel_after_closing(struct operation *operation, channel_again_fn *again,
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
        /* each AT+CCHO that fails costs a search for what it may have opened */
        if (channel_reclaim(operation, &list[i]) || carrier != CARRIER_CCHO)
            outcome = again(operation, carrier, applet, why);
    }
    return outcome;
}

/* Closes channels one at a time until one can be opened. */
static enum outcome reclaim(struct operation *operation, enum carrier carrier,
                            const struct applet *applet, struct report *why)
{
    enum outcome outcome = channel_after_closing(operation, open_by, carrier, applet, why);

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

/* Without another way: MANAGE CHANNEL once more with Le 00, which some modems take for the only right one and
 * say nothing of lengths. Where that is refused too, nothing is changed. */
static enum outcome open_with_all(struct operation *operation, const struct applet *applet,
                                  struct report *why)
{
    struct report by_all = REPORT_INIT;
    enum outcome outcome;

    operation->open_all = true;
    outcome = open_by(operation, CARRIER_CSIM, applet, &by_all);
    operation->open_all = false;
    return outcome == OUTCOME_OK ? outcome : why->outcome;
}

/* True if that may help: MANAGE CHANNEL by AT+CSIM was refused, or failed, by what would not make it be tried
 * already. */
static bool length_may_matter(enum outcome by_csim, const struct report *why)
{
    return (by_csim == OUTCOME_CARRIER_REFUSED || by_csim == OUTCOME_LOST) &&
           (cme_is_refusal(why->cme) || why->cme == CME_PHONE_FAILURE ||
            why->cme == CME_SIM_FAILURE || why->cme == CME_UNKNOWN || why->sw == 0x6D00 ||
            why->sw == 0x6E00);
}

enum outcome channel_open_any(struct operation *operation, const struct applet *applet,
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
    bool another = pinned == CARRIER_CSIM && only == CARRIER_AUTO;

    if (first == CARRIER_AUTO)
        first = CARRIER_CSIM;
    second = first == CARRIER_CSIM ? CARRIER_CCHO : CARRIER_CSIM;
    outcome = open_by(operation, first, applet, why);
    if (outcome == OUTCOME_OK || (operation->transport.events & EVENT_RESTARTED))
        return outcome;
    another = another && length_may_matter(outcome, why);
    if (pinned == CARRIER_AUTO && (outcome == OUTCOME_CARRIER_REFUSED || outcome == OUTCOME_LOST ||
                                   outcome == OUTCOME_NO_APPLET || why->sw == 0x6881 ||
                                   (outcome == OUTCOME_BAD_DATA && operation->again))) {
        enum outcome by_other = open_by(operation, second, applet, &other);

        another = first == CARRIER_CSIM
                      ? by_other == OUTCOME_CARRIER_REFUSED && length_may_matter(outcome, why)
                      : outcome == OUTCOME_CARRIER_REFUSED && length_may_matter(by_other, &other);
        /* a modem that keeps MANAGE CHANNEL for itself, and knows what the SIM does not have */
        if (by_other == OUTCOME_OK || outcome == OUTCOME_CARRIER_REFUSED ||
            (by_other == OUTCOME_NO_APPLET && other.cme == CME_NOT_FOUND)) {
            *why = other;
            outcome = by_other;
        }
    }
    if (another && outcome != OUTCOME_OK)
        outcome = open_with_all(operation, applet, why);
    if (outcome == OUTCOME_OK)
        return outcome;
    if (no_free_channel(outcome, why))
        outcome = reclaim_or(operation, pinned == CARRIER_AUTO ? second : first, applet, why);
    else if (operation->transport.ops->selects && channel_in_use_elsewhere(outcome, why))
        outcome = channel_after_closing(operation, open_by, first, applet, why);
    else if (outcome == OUTCOME_NO_APPLET && why->cme != CME_NOT_FOUND && why->cme >= 0 &&
             !operation->more_aids)
        outcome = reclaim(operation, CARRIER_CCHO, applet, why); /* perhaps no channel is free */
    if (outcome == OUTCOME_CARRIER_REFUSED || (outcome == OUTCOME_NO_APPLET && why->sw == 0))
        outcome = diagnose(operation, why);
    if (outcome == OUTCOME_CARRIER_REFUSED && pinned == CARRIER_AUTO && first == CARRIER_CCHO)
        return report_set(why, OUTCOME_NO_APPLET,
                          "the modem refuses to open a channel to %s by AT+CCHO: this SIM does not "
                          "have it, or no channel is free",
                          applet->name);
    if (outcome == OUTCOME_CARRIER_REFUSED && pinned == CARRIER_AUTO)
        report_prefix(why,
                      "the modem gives programs no way to the SIM, neither AT+CSIM nor AT+CCHO");
    return outcome;
}
