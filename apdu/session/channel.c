/* SPDX-License-Identifier: Apache-2.0 */
/* Logical channels: whose the one in use is, and which applet is selected on it. How one is opened is in
 * channel_open.c. */
#include "apdu/session/channel.h"
#include "apdu/card/file.h"
#include "modem/cme.h"

#include <string.h>
#include <unistd.h>

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

    if (carrier == CARRIER_CSIM && channel_in_use_elsewhere(outcome, why))
        outcome = channel_after_closing(operation, select_by, carrier, applet, why);
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
    outcome = channel_reuse(operation) ? OUTCOME_OK : channel_open_any(operation, applet, why);
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

bool sim_may_lack(enum outcome outcome, bool may_lack)
{
    /* MANAGE CHANNEL is refused by 6881 also by modems that keep it for themselves */
    return outcome == OUTCOME_NO_APPLET ||
           (may_lack && (outcome == OUTCOME_CARRIER_REFUSED || outcome == OUTCOME_REFUSED));
}

static bool lacks_applet(struct sim *sim, enum outcome outcome)
{
    return sim_may_lack(outcome, atomic_load(&sim->may_lack));
}

/* Remembers for this SIM which applet was selected, or is not there. That mIAS is missing counts at once by
 * 6A82 or "not found". A modem that opens by an AID may have other reasons to refuse: what it says counts
 * if IoT SAFE's is opened then, in two operations. */
static void learn_applet(struct operation *operation, const struct applet *applet,
                         enum outcome outcome, const struct report *why)
{
    struct sim *sim = operation->sim;

    if (applet->kind == SELECTED_MIAS && lacks_applet(sim, outcome)) {
        sim->lacks_mias = why->sw == 0x6A82 || why->cme == CME_NOT_FOUND;
        sim->may_lack_mias = !sim->lacks_mias;
    }
    if (outcome != OUTCOME_OK || !operation->just_selected)
        return;
    if (applet->kind == SELECTED_MIAS) {
        sim->lacks_mias = sim->may_lack_mias = false;
        sim->quirks.modem &= ~(unsigned)(QUIRK_NO_MIAS | QUIRK_MIAS_FAILED);
    } else if (applet->kind == SELECTED_IOTSAFE) {
        if (sim->lacks_mias || (sim->may_lack_mias && (sim->quirks.modem & QUIRK_MIAS_FAILED) != 0))
            sim->quirks.modem |= QUIRK_NO_MIAS;
        else if (sim->may_lack_mias)
            sim->quirks.modem |= QUIRK_MIAS_FAILED;
        sim->may_lack_mias = false;
        sim->quirks.modem &= ~(unsigned)QUIRK_AIDS;
        sim->quirks.modem |= applet->number * QUIRK_AID;
    }
}

/* One AID after the other, until one is there. *sure: each that is not is known not to be, so that it is no
 * use to ask again. */
static enum outcome try_aids(struct operation *operation, const struct applet *const *list,
                             size_t count, bool again, const char *iccid, bool *sure,
                             struct report *why)
{
    struct sim *sim = operation->sim;
    struct report first = REPORT_INIT;

    *sure = true;
    for (size_t i = 0; i < count; i++) {
        const bool known =
            list[i]->number != 0 && list[i]->number == (sim->quirks.modem & QUIRK_AIDS) / QUIRK_AID;
        enum outcome outcome;

        operation->more_aids = again || (i + 1 < count && !known);
        atomic_store(&sim->may_lack, false);
        outcome = ensure_as(operation, list[i], i + 1 == count, iccid, why);
        operation->more_aids = false;
        learn_applet(operation, list[i], outcome, why);
        if (!lacks_applet(sim, outcome))
            return outcome;
        *sure = *sure && (why->sw != 0 || why->cme < 0 || outcome == OUTCOME_CARRIER_REFUSED ||
                          why->cme == CME_NOT_FOUND);
        if ((why->sw == 0 || outcome != OUTCOME_NO_APPLET) &&
            operation->current->level == LEVEL_CLOSED)
            operation->csim_refuses = true; /* it was no way, or the card would have said 6A82 */
        if (i == 0)
            first = *why;
        report_clear(why);
    }
    *why = first;
    return first.outcome;
}

/* Each AID once, and where a modem that opens by AIDs failed without saying why, once more. */
static enum outcome ensure_once(struct operation *operation, const struct applet *applet,
                                const char *iccid, struct report *why)
{
    const struct applet *list[APPLET_AIDS];
    const size_t count = order_aids(operation, applet, list);
    const bool refuses = operation->csim_refuses;
    bool sure;
    enum outcome outcome = try_aids(operation, list, count, false, iccid, &sure, why);

    if (lacks_applet(operation->sim, outcome) && count > 1 && !sure)
        outcome = try_aids(operation, list, count - 1, true, iccid, &sure, why);
    operation->csim_refuses = refuses;
    while (operation->look_later > 0)
        operation->look_later =
            channel_find_missed(operation, CARRIER_CCHO) ? operation->look_later - 1 : 0;
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
        if (by_other == OUTCOME_CARRIER_REFUSED && operation->current->level == LEVEL_CLOSED) {
            if (atomic_load(&operation->sim->may_lack)) /* another applet may be there */
                why->outcome = OUTCOME_CARRIER_REFUSED;
            return why->outcome;
        }
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
        return report_set(why, OUTCOME_LOST, OPERATION_OUT_OF_STEP);
    return channel_ensure(operation, applet, operation->iccid, why);
}
