/* SPDX-License-Identifier: Apache-2.0 */
/* An operation as such: the device taken and let go, the record read and written, the modem woken.
 * What is done with it is in session.c, its PIN in operation_pin.c. */
#include "apdu/session/channel.h"
#include "apdu/session/rundir.h"
#include "modem/forks.h"
#include "modem/manage_channel.h"

#include <string.h>
#include <unistd.h>

#define QUIET_MIN_MS 50
/* Longer than any command lasts: what was under way then is over. */
#define WORK_LONGEST_MS 20000

#define SIM_WAS_GONE "the modem said meanwhile that the SIM is gone: try again"

/* True if the answer ends in a status word of success or a warning: an applet knows the command. */
static bool own_word(const uint8_t *answer, size_t length)
{
    const uint8_t sw1 = length >= 2 ? answer[length - 2] : 0;

    return sw1 == 0x90 || sw1 == 0x91 || sw1 == 0x61 || sw1 == 0x62 || sw1 == 0x63;
}

#define INS_VERIFY 0x20 /* a fifth byte 00 is no Le there: it has no data */

/* Bytes of the answer that a command asks for by its Le. */
static size_t answer_wanted(const struct exchange *exchange)
{
    const uint8_t *command = exchange->command;
    const size_t length = exchange->length;

    if (command[1] == INS_VERIFY || (length != 5 && (length < 6 || length != 6u + command[4])))
        return 0;
    return command[length - 1] == 0 ? 256 : command[length - 1];
}

static enum outcome through_transport(void *arg, struct exchange *exchange,
                                      struct deadline deadline, struct report *why)
{
    struct operation *operation = arg;
    struct transport *transport = &operation->transport;
    const bool has_pin = exchange_has_pin(exchange);
    enum outcome outcome = OUTCOME_OK;
    bool withheld = true;

    operation->said = exchange->length + answer_wanted(exchange);
    if (!(transport->events & EVENT_RESTARTED)) {
        outcome = operation_carry(operation, exchange, deadline, why);
        withheld = (transport->events & EVENT_WITHHELD) != 0;
    }
    if (has_pin && withheld)
        operation->selection.passed = false;
    /* whatever else the outcome was: a modem that restarted has no channels any more */
    if ((transport->events & EVENT_RESTARTED) &&
        (outcome != OUTCOME_OK || exchange->answer_length < 2))
        outcome = report_set(why, OUTCOME_LOST, "%s", transport->ops->restarted);
    /* only a new start makes clear which answer belongs to which command */
    if (operation_out_of_step(operation))
        outcome = report_set(why, OUTCOME_LOST, OPERATION_OUT_OF_STEP);
    operation->answered = operation->answered || outcome == OUTCOME_OK;
    if (outcome == OUTCOME_OK && own_word(exchange->answer, exchange->answer_length)) {
        operation->heard = true;
        operation->sim->proof = (struct proof){operation->current->channel, monotonic_ms()};
    }
    return outcome;
}

static void doubt_answer(void *arg)
{
    struct operation *operation = arg;

    operation->transport.events |= EVENT_DOUBT;
}

/* The modem must not echo a PIN: other programs may read the port too. */
static enum outcome before_pin(void *arg, struct report *why)
{
    struct operation *operation = arg;
    struct transport *transport = &operation->transport;
    bool echoes = (transport->events & EVENT_ECHOED) != 0;
    enum outcome outcome = transport_before_secret(transport, operation->deadline, why);

    if (outcome == OUTCOME_OK && echoes)
        return operation_echoes(why);
    if (transport->events & EVENT_RESTARTED)
        return report_set(why, OUTCOME_LOST, "%s", transport->ops->restarted);
    if (transport->events & EVENT_NO_SIM_HEARD) /* another one may be in by now */
        return report_set(why, OUTCOME_LOST, SIM_WAS_GONE);
    if ((outcome == OUTCOME_OK || outcome == OUTCOME_PIN_PROTECTED) &&
        operation_out_of_step(operation))
        return report_set(why, OUTCOME_LOST, OPERATION_OUT_OF_STEP);
    return outcome;
}

/* How long the line must be quiet now, so that no answer to an earlier operation is taken for one
 * of ours. */
static int quiet_needed(const struct operation *operation)
{
    const struct line_state *line = &operation->sim->line;
    int64_t left = line->late_until - monotonic_ms();

    if (line->late_until == 0)
        return operation->record.dirty ? QUIET_MIN_MS : 0;
    return left < QUIET_MIN_MS ? QUIET_MIN_MS : (int)left;
}

/* True if what an earlier operation asked for cannot be under way any more. */
static bool line_idle(const struct line_state *line)
{
    return line->late_until == LATE_OVER ||
           (line->late_until != 0 && monotonic_ms() - line->late_until > WORK_LONGEST_MS);
}

/* Channels may be gone, and their numbers other programs': they are asked before they are closed. */
static void doubt_channels(struct operation *operation)
{
    struct owners *owners = &operation->record.owners;

    operation->doubtful = true;
    operation->record.shared.broken = operation->record.shared.level > LEVEL_CLOSED;
    operation->record.second.broken = operation->record.second.level > LEVEL_CLOSED;
    operation->sim->mine.broken = operation->sim->mine.level > LEVEL_CLOSED;
    for (size_t i = 0; i < owners->count; i++)
        if (owners->list[i].pid == 0 && owners->list[i].doubt == DOUBT_NONE)
            owners->list[i].doubt = DOUBT_ASK;
}

/* Writes down at once what the transport keeps (a QMI client id): modems have few of them, and one that no
 * record has is lost until the modem restarts. */
static void note_kept(void *arg)
{
    struct operation *operation = arg;
    const bool was = operation->record.dirty;

    operation->sim->line.kept = operation->transport.kept;
    (void)operation_save(operation, true);
    operation->record.dirty = was;
}

enum outcome operation_wake(struct operation *operation, struct report *why)
{
    struct line_state *line = &operation->sim->line;
    struct transport *transport = &operation->transport;
    int quiet = quiet_needed(operation);
    struct channel gone;
    enum outcome outcome;
    bool ready;

    transport->habits = line->echo_stays ? HABIT_ECHO : 0;
    transport->kept = line->kept;
    transport->keeps = note_kept;
    transport->keeps_arg = operation;
    if (operation->record.dirty) { /* a program was killed in the middle of an operation */
        line->ready = false;
        operation->record.shared.broken = true;
        operation->record.second.broken = operation->record.second.level > LEVEL_CLOSED;
    }
    ready = line->ready;
    transport->idle = line_idle(line);
    outcome = transport_wake(transport, line->ready, quiet, operation->deadline, why);
    line->kept = transport->kept;
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
    transport->events &=
        ~(unsigned)(EVENT_RESTARTED | EVENT_UNASKED | EVENT_FOREIGN | EVENT_NO_SIM_HEARD);
    if (!ready) /* from here on more than the start-up is said */
        operation_note(operation);
    if (!channel_close_stray(operation) && line->opening)
        channel_find_missed(operation, operation->sim->settings.carrier);
    line->opening = operation->missed;
    return OUTCOME_OK;
}

/* What this process holds by itself is the parent's after a fork. */
static void own_anew(struct sim *sim)
{
    if (sim->mine_pid == getpid())
        return;
    sim->mine_pid = getpid();
    memset(&sim->mine, 0, sizeof sim->mine);
    sim->unsaved.count = 0;
}

/* What other programs have noted since about the channel of this process (mine) is newer than what we know:
 *   it is a shared one            ours was closed, and its number given out again: given up
 *   it is not in the table, or
 *   not ours, and in no doubt     its number was another program's meanwhile: given up
 *   it is probably gone           another program saw the modem restart: given up, to the table
 *   it is no process's, in doubt,
 *   or the record has no table    noted again as ours
 * Otherwise this process would close another program's channel later. */
static void correct_record(struct operation *operation)
{
    struct record *record = &operation->record;
    struct sim *sim = operation->sim;
    const struct owned *owned = owners_find(&record->owners, &sim->mine.channel);

    if (sim->mine.level == LEVEL_CLOSED)
        return;
    if (channel_same(&record->shared.channel, &sim->mine.channel) ||
        channel_same(&record->second.channel, &sim->mine.channel))
        channel_lost(operation, &sim->mine);
    else if ((owned == NULL && record->lists_owners) ||
             (owned != NULL && owned->doubt == DOUBT_NONE && owned->pid != sim->mine_pid))
        memset(&sim->mine, 0, sizeof sim->mine);
    else if (owned != NULL && owned->doubt == DOUBT_GONE)
        channel_leave_doubtful(operation, &sim->mine, DOUBT_GONE);
    else if (owned == NULL || owned->pid == 0)
        owners_hold(&record->owners, &sim->mine.channel, sim->mine_pid, operation_own_start(sim));
}

/* Adds the channels that no record could be told of before: only this process knows them. */
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
    const struct card_quirks *quirks = &operation->record.quirks;

    operation->file =
        record_open_in(&sim->settings, &operation->place, sim->boot, &operation->record);
    take_unsaved(operation);
    if (operation->file < 0) {
        sim->line.ready = false;
        return;
    }
    correct_record(operation);
    sim->line = operation->record.line;
    if (quirks->iccid[0] != '\0')
        quirks_copy(&sim->quirks, quirks);
    if (operation->record.remembers)
        sim->memory = operation->record.memory;
}

struct deadline sim_deadline(const struct sim *sim)
{
    struct deadline deadline = deadline_in((int64_t)sim->settings.timeout * 1000);

    return sim->limited && sim->limit.at_ms < deadline.at_ms ? sim->limit : deadline;
}

enum outcome operation_begin(struct operation *operation, struct sim *sim, struct deadline deadline,
                             struct report *why)
{
    const struct port_turn turn = {queue_first, queue_own_lock, &operation->queue};
    const struct transport_target target = {.device = sim->settings.device,
                                            .baud = sim->settings.baud,
                                            .trace = &sim->settings.trace,
                                            .turn = &turn,
                                            .ops = sim->transport,
                                            .slot = sim->settings.slot};
    enum outcome outcome;

    memset(operation, 0, sizeof *operation);
    operation->sim = sim;
    operation->deadline = deadline;
    operation->current = &operation->oneshot;
    operation->file = -1;
    operation->card = (struct card){.exchange = through_transport,
                                    .doubt = doubt_answer,
                                    .arg = operation,
                                    .deadline = deadline,
                                    .trace = &sim->settings.trace,
                                    .no_le = &sim->quirks.no_le,
                                    .max_read = &sim->quirks.max_read,
                                    .quirks = &sim->quirks.modem,
                                    .selection = &operation->selection,
                                    .iotsafe = sim->settings.aid,
                                    .iotsafe_length = sim->settings.aid_length,
                                    .before_pin = before_pin};
    record_init(&operation->record);
    rundir_place_open(&operation->place, &sim->settings);
    queue_join(&operation->queue, &sim->settings, &operation->place);
    outcome = transport_begin(&operation->transport, &target, deadline, why);
    queue_leave(&operation->queue);
    if (outcome != OUTCOME_OK)
        return outcome;
    (void)atomic_load_explicit(&sim->turn, memory_order_acquire);
    sim->transport = operation->transport.ops; /* the device's kind is asked once */
    operation->begun = true;
    own_anew(sim);
    transport_give(&operation->transport, &sim->half);
    take_record(operation);
    operation->transport.events |= sim->line.gap;
    if (sim->wanted != NULL && !sim->wanted(sim->wanted_arg))
        return report_set(why, OUTCOME_TIMEOUT, "the program that asked for it has ended");
    return OUTCOME_OK;
}

/* The events of a start that tried a gap because one command had been lost (operation_try_gap), where no
 * more was noticed. They are not remembered: the loss may have had another reason. */
#define TRIED (EVENT_GAP | EVENT_LOST)

void operation_try_gap(struct operation *operation)
{
    operation->tries_gap = (operation->transport.events & EVENTS_REMEMBERED) == EVENT_LOST;
    if (operation->tries_gap)
        operation->transport.events |= EVENT_GAP;
}

void operation_end(struct operation *operation)
{
    /* if the modem was not woken, what a killed program left on the line is still there */
    bool dirty = operation->record.dirty && !operation->woken;
    const unsigned events = operation->transport.events;

    if (operation->begun && !(operation->tries_gap && (events & EVENTS_REMEMBERED) == TRIED))
        operation->sim->line.gap = events & EVENTS_REMEMBERED;
    if (operation->file >= 0 && operation_save(operation, dirty)) {
        forks_close(operation->file);
        operation->sim->unsaved.count = 0;
    } else {
        if (operation->file >= 0) {
            channel_drop(operation, &operation->record.shared);
            channel_drop(operation, &operation->record.second);
            record_spoil(operation->file);
            forks_close(operation->file);
        }
        if (operation->woken) { /* no record tells others what is kept in the modem */
            transport_release(&operation->transport, deadline_in(QUIET_MIN_MS));
            operation->sim->line.kept = 0;
        }
        if (operation->begun)
            keep_unsaved(operation);
    }
    rundir_place_close(&operation->place);
    (void)atomic_fetch_add_explicit(&operation->sim->turn, 1, memory_order_release);
    transport_end(&operation->transport);
}

/* Leaves this process's channel to the next operation, which closes it. It is not mine any more, or it would
 * be closed twice, the second time perhaps as another program's. */
static void leave_own(struct operation *operation)
{
    if (operation->sim->mine.broken)
        channel_leave_doubtful(operation, &operation->sim->mine, DOUBT_NONE);
}

/* True if there is a channel that can be closed now. */
static bool anything_to_close(const struct operation *operation, enum doubt most)
{
    const struct owners *owners = &operation->record.owners;

    for (size_t i = 0; i < owners->count; i++)
        if (owners->list[i].pid == 0 && owners->list[i].doubt <= most)
            return true;
    return operation->record.shared.broken || operation->record.second.broken ||
           operation->sim->mine.broken;
}

void operation_close(struct operation *operation, int patience_ms)
{
    struct report ignored = REPORT_INIT;
    /* without a record no other program learns of them */
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
        (void)operation_all_lost(operation); /* a restart may be all that was heard */
        return;
    }
    channel_close_orphans(operation);
    channel_drop_broken(operation);
    if (!operation_all_lost(operation))
        channel_ask_doubtful(operation, most);
    if (!operation_all_lost(operation) && (operation->transport.events & EVENT_LATE)) {
        operation->sim->line.ready = false; /* the next operation waits for it first */
        operation_owes(operation, true, LATE_ANSWER_MS);
    }
}
