/* SPDX-License-Identifier: Apache-2.0 */
/* The PIN of an operation: whether the channel was opened by ours, and how ours is proven without taking
 * the session from the others. */
#include "apdu/session/channel.h"
#include "apdu/session/pin_store.h"

#include <string.h>

/* A PIN that is in a setting itself counts only for the process that has it: its identity is the process. */
static void identify(struct operation *operation)
{
    struct pin_given *given = operation->given;

    if (given->identity.kind != PIN_LITERAL || given->identity.id[0] != 0)
        return;
    given->identity.id[1] = operation_own_start(operation->sim);
    given->identity.id[0] = (uint64_t)operation->sim->start_of;
}

/* Asks for the state where the applet was just selected, and verifies. *sent: by our PIN. A record
 * notes a refusal at once. */
static enum outcome unlock(struct operation *operation, enum pin_reference reference, bool *sent,
                           struct report *why)
{
    struct sim *sim = operation->sim;
    enum outcome outcome = channel_ask_sim(operation, why);
    struct pin_try try = {.given = operation->given,
                          .memory = &sim->memory,
                          .load = pin_store_load,
                          .save = pin_store_save,
                          .settings = &sim->settings};
    size_t refusals = sim->memory.count;

    *sent = false;
    if (outcome == OUTCOME_OK)
        outcome = channel_select_again(operation, why);
    if (outcome ==
        OUTCOME_OK) /* before the state is asked, behind which nothing but VERIFY comes */
        outcome = operation_prove_class(operation, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    try.sim = operation->current->iccid;
    outcome = pin_unlock(&operation->card, reference, &try, why);
    *sent = try.sent;
    operation->accepted = outcome == OUTCOME_OK && try.sent;
    operation->accepted_at = reference;
    if (sim->memory.count != refusals)
        operation_note(operation);
    return outcome;
}

static bool others_verified(const struct operation *operation)
{
    const struct channel_state *shared = &operation->record.shared;

    return shared->level == LEVEL_PIN_OK && !shared->unprotected;
}

/* A card that says "verified" although our PIN was not sent is believed only on a new channel, and while no
 * other channel is open on which another program's PIN was verified. Otherwise these are closed, and it is
 * asked again. */
static enum outcome unlock_alone(struct operation *operation, bool *sent, struct report *why)
{
    bool known =
        operation->current->level > LEVEL_CLOSED && (!operation->opened || operation->reused);
    enum outcome outcome = unlock(operation, PIN_APPLET, sent, why);

    if (outcome != OUTCOME_OK || *sent || (!known && !others_verified(operation)))
        return outcome;
    channel_drop(operation, &operation->record.shared);
    channel_drop(operation, operation->current);
    return unlock(operation, PIN_APPLET, sent, why);
}

/* Makes the one-shot channel the shared one. The PINs that opened the one before still count. */
static void take_place(struct operation *operation, const struct channel_state *before)
{
    struct channel_state *shared = &operation->record.shared;

    owners_remove(&operation->record.owners, &operation->oneshot.channel);
    *shared = operation->oneshot;
    shared->opener_count = before->opener_count;
    memcpy(shared->openers, before->openers, sizeof shared->openers);
    memset(&operation->oneshot, 0, sizeof operation->oneshot);
    operation->record.generation++;
    operation->current = shared;
}

/* Another program's PIN opened the shared channel: ours is proven on a one-shot channel, so that a wrong one
 * does not take the session from the others. */
static enum outcome prove(struct operation *operation, bool *sent, struct report *why)
{
    struct channel_state *shared = operation->current;
    const struct channel_state before = *shared;
    bool fresh = operation->just_selected;
    enum outcome outcome;

    operation->current = &operation->oneshot;
    outcome = channel_ensure(operation, operation->applet,
                             before.iccid[0] != '\0' ? before.iccid : operation->iccid, why);
    if (outcome == OUTCOME_WRONG_SIM && operation->oneshot.iccid[0] != '\0')
        channel_leave_doubtful(operation, shared, DOUBT_ASK); /* it was on the SIM that is gone */
    if (outcome == OUTCOME_OK)
        outcome = unlock_alone(operation, sent, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (operation->file < 0) /* nothing is shared any more */
        return OUTCOME_OK;
    if (!shared->channel
             .open) { /* closed to make room, or because the card told them apart by it */
        take_place(operation, &before);
        return OUTCOME_OK;
    }
    channel_drop(operation, &operation->oneshot);
    operation->current = shared;
    operation->accepted = false; /* it was on the other channel: see operation_pin_doubted */
    operation->just_selected = fresh;
    return OUTCOME_OK;
}

enum outcome operation_pin(struct operation *operation, struct report *why)
{
    struct channel_state *state = operation->current;
    const struct pin_given *given = operation->given;
    bool trusted = operation->sim->quirks.pin_refused < SHORT_WAY_REFUSALS;
    bool verified = state->level == LEVEL_PIN_OK, sent = false;
    enum outcome outcome;

    if (verified && trusted && state->unprotected)
        return OUTCOME_OK;
    if (given->outcome != OUTCOME_OK &&
        (verified || !operation->just_selected || others_verified(operation))) {
        *why = given->why; /* without a PIN of its own no program uses what another's opened */
        return given->outcome;
    }
    identify(operation);
    if (verified && trusted && state_opened_by(state, &given->identity))
        return OUTCOME_OK;
    operation->long_way = true;
    outcome =
        verified && trusted ? prove(operation, &sent, why) : unlock_alone(operation, &sent, why);
    state = operation->current;
    if (outcome != OUTCOME_OK) {
        state_unverified(state);
        return outcome;
    }
    /* a PIN that the card did not want is proven by nothing */
    state_verified(state, sent ? &given->identity : NULL);
    return OUTCOME_OK;
}

enum outcome operation_pin1(struct operation *operation, struct report *why)
{
    bool sent;

    return unlock(operation, PIN_UICC, &sent, why);
}
