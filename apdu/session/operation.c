/* SPDX-License-Identifier: Apache-2.0 */
/* An operation as such: the device taken and let go, the record read and written, the modem woken,
 * the PIN. What is done with it is in session.c. */
#include "apdu/session/claim.h"
#include "apdu/session/rundir.h"
#include "apdu/session/session.h"
#include "modem/at_echo.h"
#include "modem/forks.h"

#include <string.h>
#include <unistd.h>

#define QUIET_MIN_MS 50
/* A farewell waits no longer for an answer that may still come. */
#define FAREWELL_QUIET_MS 100

static const char out_of_step[] =
    "the modem's answers are out of step: one came that nobody asked for";

bool operation_out_of_step(const struct operation *operation)
{
    return operation->transport.at.strayed && !operation->again;
}

static enum outcome through_transport(void *arg, const uint8_t *command, size_t command_length,
                                      uint8_t *answer, size_t *answer_length, int timeout_ms,
                                      int secrecy, struct deadline deadline, struct report *why)
{
    struct operation *operation = arg;
    enum outcome outcome = OUTCOME_OK;

    if (operation->transport.at.restarted)
        operation->selection.passed = false; /* it is not even sent */
    else
        outcome = operation->transport.ops->exchange(
            &operation->transport, &operation->standing->channel, command, command_length, answer,
            answer_length, timeout_ms, secrecy, deadline, why);
    if (operation->transport.at.withheld)
        operation->selection.passed = false;
    /* whatever else it said: a modem that restarted has no channels any more */
    if (operation->transport.at.restarted && (outcome != OUTCOME_OK || *answer_length < 2))
        outcome = report_set(why, OUTCOME_LOST, "%s", transport_restart(&operation->transport));
    /* which answer was whose is clear only on a new start; a modem that says all twice is borne then
     */
    if (operation_out_of_step(operation))
        outcome = report_set(why, OUTCOME_LOST, "%s", out_of_step);
    operation->answered = operation->answered || outcome == OUTCOME_OK;
    return outcome;
}

static void doubt_answer(void *arg)
{
    struct operation *operation = arg;

    operation->transport.at.doubt = true;
}

/* Nothing may repeat a PIN to those who read the port as well. */
static enum outcome before_pin(void *arg, struct report *why)
{
    struct operation *operation = arg;
    struct at *at = &operation->transport.at;
    struct at_echo echo;
    enum outcome outcome;

    if (!transport_has_modem(&operation->transport))
        return OUTCOME_OK;
    outcome = at_echo_off(at, operation->deadline, &echo, why);
    if (at->restarted)
        return report_set(why, OUTCOME_LOST, "%s", transport_restart(&operation->transport));
    if (outcome != OUTCOME_OK)
        return outcome;
    if (operation_out_of_step(operation))
        return report_set(why, OUTCOME_LOST, "%s", out_of_step);
    if (echo.stays)
        return report_set(
            why, OUTCOME_PIN_PROTECTED,
            "the PIN was not sent, because the modem repeats what it is sent (ATE0 does not help): "
            "whoever reads the port beside us would see it. Another program turned the echo on, or "
            "this modem cannot turn it off: end that program (fuser %s), or use another of its "
            "ports",
            operation->sim->settings.device);
    return OUTCOME_OK;
}

/* A literal PIN counts only for the process that has it. */
static void identify(struct operation *operation)
{
    struct sim *sim = operation->sim;
    struct pin_given *given = operation->given;

    if (given->identity.kind != PIN_LITERAL || given->identity.id[0] != 0)
        return;
    if (sim->start_of != getpid()) {
        sim->start_of = getpid();
        sim->start = rundir_process_start(sim->start_of);
    }
    given->identity.id[0] = (uint64_t)sim->start_of;
    given->identity.id[1] = sim->start;
}

/* Asks for the state where the applet was just selected, and verifies. *sent: by our PIN. A record
 * notes a refusal at once. */
static enum outcome unlock(struct operation *operation, enum pin_reference reference, bool *sent,
                           struct report *why)
{
    struct sim *sim = operation->sim;
    enum outcome outcome = channel_ask_sim(operation, why);
    struct pin_try try = {
        .given = operation->given, .memory = &sim->memory, .settings = &sim->settings};
    size_t refusals = sim->memory.count;

    *sent = false;
    if (outcome == OUTCOME_OK)
        outcome = channel_select_again(operation, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    try.sim = operation->standing->iccid;
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
    const struct standing *shared = &operation->record.standing;

    return shared->verified && !shared->unprotected;
}

/* A card that calls verified what we did not verify is believed only on a channel that is new, while
 * no other stands on which somebody else's PIN was. */
static enum outcome unlock_alone(struct operation *operation, struct report *why)
{
    bool known = operation->standing->channel.open && !operation->opened;
    bool sent;
    enum outcome outcome = unlock(operation, PIN_APPLET, &sent, why);

    if (outcome != OUTCOME_OK || sent || (!known && !others_verified(operation)))
        return outcome;
    channel_drop(operation, &operation->record.standing);
    channel_drop(operation, operation->standing);
    return unlock(operation, PIN_APPLET, &sent, why);
}

/* The channel that all share, in the place of the one that was there and whose PINs count further. */
static void take_place(struct operation *operation, const struct standing *before)
{
    struct standing *shared = &operation->record.standing;

    *shared = operation->alone;
    shared->opener_count = before->opener_count;
    memcpy(shared->openers, before->openers, sizeof shared->openers);
    memset(&operation->alone, 0, sizeof operation->alone);
    memset(&operation->record.lone, 0, sizeof operation->record.lone);
    operation->standing = shared;
}

/* Somebody else's PIN opened what stands: ours is proven on a channel of its own, so that a wrong one
 * takes nothing from the others. */
static enum outcome prove(struct operation *operation, struct report *why)
{
    struct standing *shared = operation->standing;
    const struct standing before = *shared;
    bool fresh = operation->fresh;
    enum outcome outcome;

    operation->standing = &operation->alone;
    outcome = channel_ensure(operation, operation->applet,
                             before.iccid[0] != '\0' ? before.iccid : operation->iccid, why);
    if (outcome == OUTCOME_OK)
        outcome = unlock_alone(operation, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (operation->file < 0) /* nothing is shared any more */
        return OUTCOME_OK;
    if (!shared->channel
             .open) { /* closed to make room, or because the card told them apart by it */
        take_place(operation, &before);
        return OUTCOME_OK;
    }
    channel_drop(operation, &operation->alone);
    operation->standing = shared;
    operation->fresh = fresh;
    transport_use(&operation->transport, shared->channel.carrier);
    return OUTCOME_OK;
}

enum outcome operation_pin(struct operation *operation, struct report *why)
{
    struct standing *standing = operation->standing;
    const struct pin_given *given = operation->given;
    bool trusted = operation->sim->learnt.pin_refused < SHORT_WAY_REFUSALS;
    enum outcome outcome;

    if (standing->verified && trusted && standing->unprotected)
        return OUTCOME_OK;
    if (given->outcome != OUTCOME_OK &&
        (standing->verified || !operation->fresh || others_verified(operation))) {
        *why = given->why; /* without a PIN nobody uses what another one's PIN opened */
        return given->outcome;
    }
    identify(operation);
    if (standing->verified && trusted && standing_opened_by(standing, &given->identity))
        return OUTCOME_OK;
    operation->long_way = true;
    outcome = standing->verified && trusted ? prove(operation, why) : unlock_alone(operation, why);
    standing = operation->standing;
    if (outcome != OUTCOME_OK) {
        standing_unverify(standing);
        return outcome;
    }
    standing->verified = true;
    standing->unprotected = given->identity.kind == PIN_NOT_KEPT;
    if (!standing->unprotected)
        standing_opened(standing, &given->identity);
    return OUTCOME_OK;
}

enum outcome operation_pin1(struct operation *operation, struct report *why)
{
    bool sent;

    return unlock(operation, PIN_UICC, &sent, why);
}

/* How long the line must be quiet now, so that no answer to an earlier operation is taken for one
 * of ours. */
static int quiet_needed(const struct operation *operation)
{
    const struct line *line = &operation->sim->line;
    int64_t left = line->late_until - monotonic_ms();

    if (line->late_until == 0)
        return operation->record.dirty ? QUIET_MIN_MS : 0;
    return left < QUIET_MIN_MS ? QUIET_MIN_MS : (int)left;
}

/* Makes the modem listen, and knows afterwards whether it has restarted since. */
enum outcome operation_wake(struct operation *operation, struct report *why)
{
    struct line *line = &operation->sim->line;
    struct at *at = &operation->transport.at;
    int quiet = quiet_needed(operation);
    enum outcome outcome;

    at->echo_stays = line->echo_stays;
    if (operation->record.dirty) { /* somebody died in the middle of something */
        line->ready = false;
        operation->record.standing.broken = true;
    }
    outcome = transport_wake(&operation->transport, line->ready, quiet, operation->deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    line->ready = true;
    line->echo_stays = at->echo_stays;
    line->late_until = 0;
    if (at->forgot && !at->restarted) { /* it echoes again: after a restart, or for no reason */
        operation->doubtful = true;
        operation->record.standing.broken = operation->record.standing.channel.open;
        operation->sim->own.broken = operation->sim->own.channel.open;
    }
    if (at->restarted) { /* before this operation began */
        (void)channel_all_lost(operation);
        line->ready = true;
        at->restarted = false;
    } else if (line->opening) {
        operation->unheard = !channel_close_stray(operation);
        if (operation->unheard)
            channel_close_missed(operation);
    }
    line->opening = false;
    at->strayed = at->foreign = false;
    return OUTCOME_OK;
}

/* Writes down how it stands; without that, nothing is left standing. */
static bool save(struct operation *operation, bool dirty)
{
    if (operation->file < 0)
        return false;
    operation->record.dirty = dirty;
    operation->record.line = operation->sim->line;
    learnt_copy(&operation->record.learnt, &operation->sim->learnt);
    operation->record.memory = operation->sim->memory;
    return record_save(operation->file, &operation->record);
}

/* Without a record nothing may be left standing for others: what stands is this operation's alone. */
static void give_up_record(struct operation *operation)
{
    record_spoil(operation->file);
    forks_close(operation->file);
    operation->file = -1;
    if (operation->standing == &operation->record.standing) {
        operation->alone = operation->record.standing;
        operation->standing = &operation->alone;
        memset(&operation->record.standing, 0, sizeof operation->record.standing);
    }
}

void operation_note(struct operation *operation)
{
    bool was = operation->record.dirty;

    if (!save(operation, true) && operation->file >= 0)
        give_up_record(operation);
    operation->record.dirty = was;
}

static void give_half(struct operation *operation)
{
    struct at *at = &operation->transport.at;
    struct sim *sim = operation->sim;

    memcpy(at->input, sim->half, sim->half_length);
    at->input_length = sim->half_length;
    sim->half_length = 0;
}

/* What this process holds by itself is the parent's after a fork. */
static void own_anew(struct sim *sim)
{
    if (sim->own_pid == getpid())
        return;
    sim->claim = -1; /* the child of a fork has closed it (modem/forks.h) */
    sim->own_pid = getpid();
    memset(&sim->own, 0, sizeof sim->own);
}

bool channel_same(const struct channel *a, const struct channel *b)
{
    return a->open && b->open && a->carrier == b->carrier && a->number == b->number &&
           strcmp(a->session, b->session) == 0;
}

/* A channel cannot be this process's own and the one that all share: somebody has closed ours, and
 * another program, whose record is newer than what we know, got the number. Or another one saw the
 * modem restart, and took our claim away. Ours is forgotten, or it
 * would be closed under another name. */
static void correct_record(struct operation *operation)
{
    struct record *record = &operation->record;
    const struct channel *own = &operation->sim->own.channel;

    if (channel_same(&record->standing.channel, own) ||
        (own->open && !claim_stands(operation->sim->claim)))
        channel_lost(operation, &operation->sim->own);
    if (channel_same(&record->lone, own))
        memset(&record->lone, 0, sizeof record->lone);
}

/* Takes over what the record says. What a modem without an ICCID taught may be another SIM's. */
static void take_record(struct operation *operation)
{
    struct sim *sim = operation->sim;
    const struct learnt *learnt = &operation->record.learnt;

    operation->file = record_open_in(&sim->settings, sim->boot, &operation->record);
    if (operation->file < 0) {
        sim->line.ready = false;
        return;
    }
    correct_record(operation);
    sim->line = operation->record.line;
    if (learnt->iccid[0] != '\0')
        learnt_copy(&sim->learnt, learnt);
    if (operation->record.remembers)
        sim->memory = operation->record.memory;
}

enum outcome operation_begin(struct operation *operation, struct sim *sim, struct deadline deadline,
                             struct report *why)
{
    const struct port_turn turn = {queue_first, queue_own_lock, &operation->queue};
    const struct transport_target target = {.device = sim->settings.device,
                                            .baud = sim->settings.baud,
                                            .trace = &sim->settings.trace,
                                            .turn = &turn};
    enum outcome outcome;

    memset(operation, 0, sizeof *operation);
    operation->sim = sim;
    operation->deadline = deadline;
    operation->standing = &operation->alone;
    operation->file = -1;
    operation->card = (struct card){.exchange = through_transport,
                                    .doubt = doubt_answer,
                                    .arg = operation,
                                    .deadline = deadline,
                                    .trace = &sim->settings.trace,
                                    .no_le = &sim->learnt.no_le,
                                    .max_read = &sim->learnt.max_read,
                                    .selection = &operation->selection,
                                    .before_pin = before_pin};
    record_init(&operation->record);
    queue_join(&operation->queue, &sim->settings);
    outcome = transport_begin(&operation->transport, &target, deadline, why);
    queue_leave(&operation->queue);
    if (outcome != OUTCOME_OK)
        return outcome;
    (void)atomic_load_explicit(&sim->turn, memory_order_acquire);
    own_anew(sim);
    give_half(operation);
    take_record(operation);
    return OUTCOME_OK;
}

void operation_end(struct operation *operation)
{
    if (operation->file >= 0 && save(operation, false)) {
        forks_close(operation->file);
    } else if (operation->file >= 0) {
        channel_drop(operation, &operation->record.standing);
        record_spoil(operation->file);
        forks_close(operation->file);
    }
    (void)atomic_fetch_add_explicit(&operation->sim->turn, 1, memory_order_release);
    operation->transport.ops->end(&operation->transport);
}

/* This process's channel becomes the next operation's to close, and is not its own any more: closed
 * by both it would be closed twice, the second time perhaps as somebody else's. */
static void leave_own(struct operation *operation)
{
    struct standing *own = &operation->sim->own;
    const struct channel channel = own->channel;

    if (!own->broken || !channel.open)
        return;
    channel_lost(operation, own);
    channel_leave_open(operation, &channel);
}

void operation_close(struct operation *operation)
{
    struct standing *shared = &operation->record.standing, *own = &operation->sim->own;
    struct report ignored = REPORT_INIT;

    if (!shared->broken && !own->broken && !operation->record.lone.open)
        return;
    if (quiet_needed(operation) > FAREWELL_QUIET_MS) { /* not now: the next operation closes it */
        leave_own(operation);
        return;
    }
    operation_note(operation);
    if (operation_wake(operation, &ignored) != OUTCOME_OK)
        return;
    channel_close_lone(operation);
    if (shared->broken)
        channel_drop(operation, shared);
    if (own->broken)
        channel_drop(operation, own);
    (void)channel_all_lost(operation);
}
