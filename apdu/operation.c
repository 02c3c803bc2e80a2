/* SPDX-License-Identifier: Apache-2.0 */
/* An operation as such: the device taken and let go, the record read and written, the modem woken,
 * the PIN. What is done with it is in session.c. */
#include "apdu/session.h"
#include "modem/forks.h"

#include <string.h>
#include <unistd.h>

#define QUIET_MIN_MS 50
/* A farewell waits no longer for an answer that may still come. */
#define FAREWELL_QUIET_MS 100

static enum outcome through_transport(void *arg, const uint8_t *command, size_t command_length,
                                      uint8_t *answer, size_t *answer_length, int timeout_ms,
                                      int secrecy, struct deadline deadline, struct report *why)
{
    struct operation *operation = arg;
    enum outcome outcome = OUTCOME_OK;

    if (!operation->transport.at.restarted)
        outcome = operation->transport.ops->exchange(
            &operation->transport, &operation->standing->channel, command, command_length, answer,
            answer_length, timeout_ms, secrecy, deadline, why);
    /* whatever else it said: a modem that restarted has no channels any more */
    if (operation->transport.at.restarted && (outcome != OUTCOME_OK || *answer_length < 2))
        outcome = report_set(why, OUTCOME_LOST, "%s", transport_restart(&operation->transport));
    /* which answer was whose is clear only on a new start; a modem that says all twice is borne then
     */
    if (operation->transport.at.strayed && !operation->again)
        outcome = report_set(why, OUTCOME_LOST,
                             "the modem's answers are out of step: one came that nobody asked for");
    operation->answered = operation->answered || outcome == OUTCOME_OK;
    return outcome;
}

static void doubt_answer(void *arg)
{
    struct operation *operation = arg;

    operation->transport.at.doubt = true;
}

static bool has_pin(const struct settings *settings)
{
    return settings->pin != NULL || settings->pin_source != NULL;
}

/* A process without a PIN must not use what another one's PIN opened. */
static enum outcome must_have_pin(const struct settings *settings, struct report *why)
{
    char pin[PIN_SIZE];
    enum outcome outcome = pin_from_settings(settings, PIN_APPLET, pin, why);

    explicit_bzero(pin, sizeof pin);
    return outcome;
}

/* A card that says "verified" is believed without a PIN only on a channel that is new, and while
 * nobody's verified session stands (the card's PIN is disabled then). */
enum outcome operation_pin(struct operation *operation, struct report *why)
{
    struct standing *standing = operation->standing;
    const struct settings *settings = &operation->sim->settings;
    const struct standing *others = &operation->record.standing;
    bool trusted = operation->sim->learnt.pin_refused < SHORT_WAY_REFUSALS;
    enum outcome outcome = OUTCOME_OK;

    if (standing->verified && trusted && standing->unprotected)
        return OUTCOME_OK;
    if (standing->verified || !operation->fresh || (others->verified && !others->unprotected))
        outcome = must_have_pin(settings, why);
    if (outcome != OUTCOME_OK || (standing->verified && trusted))
        return outcome;
    operation->long_way = true;
    outcome = pin_unlock(&operation->card, PIN_APPLET, settings, why);
    standing->verified = outcome == OUTCOME_OK;
    standing->unprotected = standing->verified && !has_pin(settings);
    return outcome;
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
        channel_lost(operation, &operation->record.standing);
        channel_lost(operation, &operation->sim->own);
        channel_lost(operation, &operation->alone);
        at->restarted = false;
    } else if (line->opening) {
        operation->unheard = !channel_close_stray(operation);
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
    sim->line = operation->record.line;
    if (learnt->iccid[0] != '\0')
        learnt_copy(&sim->learnt, learnt);
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
                                    .max_read = &sim->learnt.max_read};
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

void operation_close(struct operation *operation)
{
    struct standing *shared = &operation->record.standing, *own = &operation->sim->own;
    struct report ignored = REPORT_INIT;

    if (!shared->broken && !own->broken && !operation->record.lone.open)
        return;
    if (quiet_needed(operation) > FAREWELL_QUIET_MS) { /* not now: the next operation closes it */
        if (own->broken)
            channel_leave_open(operation, &own->channel);
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
}
