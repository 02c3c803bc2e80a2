/* SPDX-License-Identifier: Apache-2.0 */
/* An operation as such: the device taken and let go, the record read and written, the modem woken.
 * What is done with it is in session.c, its PIN in operation_pin.c. */
#include "apdu/session/rundir.h"
#include "apdu/session/session.h"
#include "modem/forks.h"

#include <string.h>
#include <unistd.h>

#define QUIET_MIN_MS 50

static const char out_of_step[] =
    "the modem's answers are out of step: one came that nobody asked for";

bool operation_out_of_step(const struct operation *operation)
{
    return (operation->transport.events & EVENT_UNASKED) && !operation->again;
}

/* A word that an applet has for commands of its own. */
static bool own_word(const uint8_t *answer, size_t length)
{
    const uint8_t sw1 = length >= 2 ? answer[length - 2] : 0;

    return sw1 == 0x90 || sw1 == 0x91 || sw1 == 0x61 || sw1 == 0x62 || sw1 == 0x63;
}

static enum outcome through_transport(void *arg, const uint8_t *command, size_t command_length,
                                      uint8_t *answer, size_t *answer_length, int timeout_ms,
                                      int secrecy, struct deadline deadline, struct report *why)
{
    struct operation *operation = arg;
    struct transport *transport = &operation->transport;
    struct exchange exchange = {.command = command,
                                .length = command_length,
                                .timeout_ms = timeout_ms,
                                .secrecy = secrecy,
                                .answer = answer,
                                .answer_length = *answer_length};
    enum outcome outcome = OUTCOME_OK;

    if (transport->events & EVENT_RESTARTED)
        operation->selection.passed = false; /* it is not even sent */
    else
        outcome = operation_carry(operation, &exchange, deadline, why);
    *answer_length = exchange.answer_length;
    if (transport->events & EVENT_WITHHELD)
        operation->selection.passed = false;
    /* whatever else it said: a modem that restarted has no channels any more */
    if ((transport->events & EVENT_RESTARTED) && (outcome != OUTCOME_OK || *answer_length < 2))
        outcome = report_set(why, OUTCOME_LOST, "%s", transport->ops->restarted);
    /* which answer was whose is clear only on a new start; a modem that says all twice is borne then
     */
    if (operation_out_of_step(operation))
        outcome = report_set(why, OUTCOME_LOST, "%s", out_of_step);
    operation->answered = operation->answered || outcome == OUTCOME_OK;
    if (outcome == OUTCOME_OK && own_word(answer, *answer_length))
        operation->sim->proof = (struct proof){operation->standing->channel, monotonic_ms()};
    return outcome;
}

static void doubt_answer(void *arg)
{
    struct operation *operation = arg;

    operation->transport.events |= EVENT_DOUBT;
}

/* Nothing may repeat a PIN to those who read the port as well. */
enum outcome operation_echoes(struct report *why)
{
    return report_set(why, OUTCOME_LOST,
                      "the modem echoes again: it may have restarted, and the channel be gone");
}

static enum outcome before_pin(void *arg, struct report *why)
{
    struct operation *operation = arg;
    struct transport *transport = &operation->transport;
    bool echoes = (transport->events & EVENT_ECHOED) != 0;
    enum outcome outcome = operation_prove_class(operation, why);

    if (outcome == OUTCOME_OK)
        outcome = transport_before_secret(transport, operation->deadline, why);
    if (outcome == OUTCOME_OK && echoes)
        return operation_echoes(why);
    if (transport->events & EVENT_RESTARTED)
        return report_set(why, OUTCOME_LOST, "%s", transport->ops->restarted);
    if ((outcome == OUTCOME_OK || outcome == OUTCOME_PIN_PROTECTED) &&
        operation_out_of_step(operation))
        return report_set(why, OUTCOME_LOST, "%s", out_of_step);
    return outcome;
}

uint64_t operation_own_start(struct sim *sim)
{
    if (sim->start_of != getpid()) {
        sim->start_of = getpid();
        sim->start = rundir_process_start(sim->start_of);
    }
    return sim->start;
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

bool operation_all_lost(struct operation *operation)
{
    if ((operation->transport.events & (EVENT_RESTARTED | EVENT_NO_SIM)) == 0)
        return false;
    owners_doubt_all(&operation->record.owners);
    channel_leave_doubtful(operation, &operation->record.standing, DOUBT_GONE);
    channel_leave_doubtful(operation, &operation->sim->own, DOUBT_GONE);
    channel_leave_doubtful(operation, &operation->alone, DOUBT_GONE);
    operation->sim->line.ready = false;
    return true;
}

/* Channels may be gone, and their numbers somebody else's: they are asked before they are closed. */
static void doubt_channels(struct operation *operation)
{
    struct owners *owners = &operation->record.owners;

    operation->doubtful = true;
    operation->record.standing.broken = operation->record.standing.channel.open;
    operation->sim->own.broken = operation->sim->own.channel.open;
    for (size_t i = 0; i < owners->count; i++)
        if (owners->list[i].pid == 0 && owners->list[i].doubt == DOUBT_NONE)
            owners->list[i].doubt = DOUBT_ASK;
}

enum outcome operation_wake(struct operation *operation, struct report *why)
{
    struct line *line = &operation->sim->line;
    struct transport *transport = &operation->transport;
    int quiet = quiet_needed(operation);
    struct channel gone;
    enum outcome outcome;

    transport->habits = line->echo_stays ? HABIT_ECHO : 0;
    if (operation->record.dirty) { /* somebody died in the middle of something */
        line->ready = false;
        operation->record.standing.broken = true;
    }
    outcome = transport_wake(transport, line->ready, quiet, operation->deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    operation->woken = line->ready = true;
    line->echo_stays = (transport->habits & HABIT_ECHO) != 0;
    line->late_until = 0;
    /* it echoes again, after a restart or for no reason; or a late answer told of a SIM that is gone */
    if ((transport->events & (EVENT_FORGOT | EVENT_NO_SIM_HEARD)) &&
        !(transport->events & EVENT_RESTARTED))
        doubt_channels(operation);
    if (transport->events & EVENT_RESTARTED) { /* before this operation began */
        (void)operation_all_lost(operation);
        line->ready = true;
        line->opening = false;
        (void)transport_found(transport, &gone);
    }
    transport->events &= ~(unsigned)(EVENT_RESTARTED | EVENT_UNASKED | EVENT_FOREIGN);
    if (!channel_close_stray(operation) && line->opening)
        channel_find_missed(operation, operation->sim->settings.carrier);
    line->opening = false;
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
        if (operation->alone.channel.open)
            owners_orphan(&operation->record.owners, &operation->alone.channel, DOUBT_NONE);
    }
}

void operation_note(struct operation *operation)
{
    bool was = operation->record.dirty;

    if (!save(operation, true) && operation->file >= 0)
        give_up_record(operation);
    operation->record.dirty = was;
}

/* What this process holds by itself is the parent's after a fork. */
static void own_anew(struct sim *sim)
{
    if (sim->own_pid == getpid())
        return;
    sim->own_pid = getpid();
    memset(&sim->own, 0, sizeof sim->own);
    sim->unsaved.count = 0;
}

/* A channel cannot be this process's own and the one that all share: somebody has closed ours, and
 * another program, whose record is newer than what we know, got the number. Or another one saw the
 * modem restart, and took ours for gone; or had its number meanwhile, and took it out. Ours is
 * forgotten, or it would be closed under another name. */
static void correct_record(struct operation *operation)
{
    struct record *record = &operation->record;
    struct sim *sim = operation->sim;
    const struct owned *owned = owners_find(&record->owners, &sim->own.channel);

    if (!sim->own.channel.open)
        return;
    if (channel_same(&record->standing.channel, &sim->own.channel))
        channel_lost(operation, &sim->own);
    else if ((owned == NULL && record->lists_owners) ||
             (owned != NULL && owned->pid > 0 && owned->pid != sim->own_pid))
        memset(&sim->own, 0, sizeof sim->own);
    else if (owned != NULL && owned->doubt == DOUBT_GONE)
        channel_leave_doubtful(operation, &sim->own, DOUBT_GONE);
    else if (owned == NULL || owned->pid == 0)
        owners_hold(&record->owners, &sim->own.channel, sim->own_pid, operation_own_start(sim));
}

/* What could not be written down before is known to this process only. */
static void take_unsaved(struct operation *operation)
{
    const struct owners *unsaved = &operation->sim->unsaved;

    for (size_t i = 0; i < unsaved->count; i++)
        if (owners_find(&operation->record.owners, &unsaved->list[i].channel) == NULL)
            owners_orphan(&operation->record.owners, &unsaved->list[i].channel,
                          unsaved->list[i].doubt);
}

static void keep_unsaved(struct operation *operation)
{
    const struct owners *owners = &operation->record.owners;
    struct sim *sim = operation->sim;

    sim->unsaved.count = 0;
    for (size_t i = 0; i < owners->count; i++)
        if (owners->list[i].pid == 0)
            sim->unsaved.list[sim->unsaved.count++] = owners->list[i];
}

/* Takes over what the record says. What a modem without an ICCID taught may be another SIM's. */
static void take_record(struct operation *operation)
{
    struct sim *sim = operation->sim;
    const struct learnt *learnt = &operation->record.learnt;

    operation->file =
        record_open_in(&sim->settings, &operation->place, sim->boot, &operation->record);
    take_unsaved(operation);
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
                                            .turn = &turn,
                                            .ops = sim->transport};
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
                                    .quirks = &sim->learnt.quirks,
                                    .selection = &operation->selection,
                                    .before_pin = before_pin};
    record_init(&operation->record);
    rundir_place_open(&operation->place, &sim->settings);
    queue_join(&operation->queue, &sim->settings, &operation->place);
    outcome = transport_begin(&operation->transport, &target, deadline, why);
    queue_leave(&operation->queue);
    if (outcome != OUTCOME_OK)
        return outcome;
    (void)atomic_load_explicit(&sim->turn, memory_order_acquire);
    operation->begun = true;
    own_anew(sim);
    transport_give(&operation->transport, &sim->half);
    take_record(operation);
    return OUTCOME_OK;
}

void operation_end(struct operation *operation)
{
    /* what a dead program left on the line is still there if nobody has cleaned it */
    bool dirty = operation->record.dirty && !operation->woken;

    if (operation->file >= 0 && save(operation, dirty)) {
        forks_close(operation->file);
        operation->sim->unsaved.count = 0;
    } else {
        if (operation->file >= 0) {
            channel_drop(operation, &operation->record.standing);
            record_spoil(operation->file);
            forks_close(operation->file);
        }
        if (operation->begun)
            keep_unsaved(operation);
    }
    rundir_place_close(&operation->place);
    (void)atomic_fetch_add_explicit(&operation->sim->turn, 1, memory_order_release);
    transport_end(&operation->transport);
}

/* This process's channel becomes the next operation's to close, and is not its own any more: closed
 * by both it would be closed twice, the second time perhaps as somebody else's. */
static void leave_own(struct operation *operation)
{
    if (operation->sim->own.broken)
        channel_leave_doubtful(operation, &operation->sim->own, DOUBT_NONE);
}

/* True if there is a channel that can be closed now. */
static bool anything_to_close(const struct operation *operation, enum doubt most)
{
    const struct owners *owners = &operation->record.owners;

    for (size_t i = 0; i < owners->count; i++)
        if (owners->list[i].pid == 0 && owners->list[i].doubt <= most)
            return true;
    return operation->record.standing.broken || operation->sim->own.broken;
}

void operation_close(struct operation *operation, int patience_ms)
{
    struct standing *shared = &operation->record.standing, *own = &operation->sim->own;
    struct report ignored = REPORT_INIT;
    /* without a record nobody else learns of them */
    enum doubt most = operation->file < 0 ? DOUBT_GONE : DOUBT_ASK;

    if (!anything_to_close(operation, most))
        return;
    if (quiet_needed(operation) > patience_ms) { /* not now: the next operation closes it */
        leave_own(operation);
        return;
    }
    operation_note(operation);
    if (operation_wake(operation, &ignored) != OUTCOME_OK) {
        leave_own(operation);
        return;
    }
    channel_close_orphans(operation);
    if (shared->broken)
        channel_drop(operation, shared);
    if (own->broken)
        channel_drop(operation, own);
    if (!operation_all_lost(operation))
        channel_ask_doubtful(operation, most);
    (void)operation_all_lost(operation);
}
