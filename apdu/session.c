/* SPDX-License-Identifier: Apache-2.0 */
/* One operation from taking the SIM to letting it go, and the one new start that it may get. */
#include "apdu/session.h"

#include "apdu/claim.h"

#include <string.h>
#include <unistd.h>

/* How long the line must be quiet after a time-out: longer than what was asked for may still take.
 */
#define LATE_ANSWER_MS 1500
#define QUIET_MIN_MS   50
/* A farewell waits no longer for an answer that may still come. */
#define FAREWELL_QUIET_MS 100

const struct applet applet_mias = {
    .aid = mias_aid, .aid_length = sizeof mias_aid, .name = MIAS_NAME, .kind = SELECTED_MIAS};

static const uint8_t uicc_aid[] = {0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x01, 0xFF,
                                   0x33, 0xFF, 0xFF, 0x89, 0x01, 0x01, 0x01, 0x00};
const struct applet applet_uicc = {.aid = uicc_aid,
                                   .aid_length = sizeof uicc_aid,
                                   .name = "the application with the Type A files",
                                   .kind = SELECTED_UICC};

/* In the child after a fork: gives up the copies of descriptors that a thread of the parent was
 * using. They are the parent's as long as the pid still is: every user comes through here before it
 * opens anything. */
static void notice_fork(struct sim *sim)
{
    int self = (int)getpid(), last = atomic_load(&sim->pid);
    int lock = atomic_load(&sim->held.lock), line = atomic_load(&sim->held.line);
    struct port_descriptors copies = {lock, line};

    if (last == self || !atomic_compare_exchange_strong(&sim->pid, &last, self))
        return;
    (void)atomic_compare_exchange_strong(&sim->held.lock, &lock, -1);
    (void)atomic_compare_exchange_strong(&sim->held.line, &line, -1);
    port_forget(&copies);
}

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
        outcome = report_set(why, OUTCOME_LOST, "the modem restarted");
    operation->answered = operation->answered || outcome == OUTCOME_OK;
    return outcome;
}

/* Asks for the ICCID once per session: another SIM has taught nothing yet. */
static enum outcome ask_iccid(struct operation *operation, struct report *why)
{
    struct standing *standing = operation->standing;
    struct learnt *learnt = &operation->sim->learnt;
    enum outcome outcome;

    if (standing->iccid_asked)
        return OUTCOME_OK;
    outcome = modem_iccid(&operation->transport.at, standing->iccid, operation->deadline, why);
    if (outcome != OUTCOME_OK && outcome != OUTCOME_REFUSED)
        return outcome;
    standing->iccid_asked = true;
    if (strcmp(standing->iccid, learnt->iccid) != 0) {
        memset(learnt, 0, sizeof *learnt);
        learnt->max_read = APDU_LE_ALL;
        memcpy(learnt->iccid, standing->iccid, sizeof learnt->iccid);
    }
    return OUTCOME_OK;
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
static enum outcome wake(struct operation *operation, struct report *why)
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
    if (at->restarted) { /* before this operation began */
        channel_lost(operation, &operation->record.standing);
        channel_lost(operation, &operation->sim->own);
        at->restarted = false;
    }
    return OUTCOME_OK;
}

/* Which channel the job goes on: one of its own for this once, this process's, or the one that all
 * share. */
static struct standing *choose(struct operation *operation, const struct job *job)
{
    const struct settings *settings = &operation->sim->settings;
    const struct standing *shared = &operation->record.standing;

    if (job->fresh || settings->session == SESSION_PRIVATE)
        return &operation->alone;
    if (job->applet != NULL && job->applet->kind == SELECTED_OTHER) {
        operation->sim->owner = job->applet;
        return &operation->sim->own;
    }
    if (operation->file < 0 || (shared->channel.open && settings->carrier != CARRIER_AUTO &&
                                settings->carrier != shared->channel.carrier))
        return &operation->alone;
    return &operation->record.standing;
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

void operation_note(struct operation *operation)
{
    bool was = operation->record.dirty;

    if (!save(operation, true) && operation->file >= 0) {
        record_spoil(operation->file);
        (void)close(operation->file);
        operation->file = -1;
    }
    operation->record.dirty = was;
}

static enum outcome prepare(struct operation *operation, const struct job *job, struct report *why)
{
    struct standing *shared = &operation->record.standing;
    enum outcome outcome;

    operation->standing = choose(operation, job);
    operation_note(operation);
    outcome = wake(operation, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (atomic_exchange(&operation->sim->forget, false))
        operation->standing->broken = true;
    if (operation->record.dirty)
        channel_bury_dead(operation);
    if (shared->broken)
        channel_drop(operation, shared);
    if (operation->sim->own.broken)
        channel_drop(operation, &operation->sim->own);
    if (job->applet == NULL)
        return OUTCOME_OK;
    outcome = ask_iccid(operation, why);
    if (outcome == OUTCOME_OK)
        outcome = channel_ensure(operation, job->applet, job->iccid, why);
    if (outcome == OUTCOME_OK && job->pin)
        outcome = operation_pin(operation, why);
    return outcome;
}

void operation_close(struct operation *operation)
{
    struct standing *shared = &operation->record.standing, *own = &operation->sim->own;
    struct report ignored = REPORT_INIT;

    if ((!shared->broken && !own->broken) || quiet_needed(operation) > FAREWELL_QUIET_MS)
        return;
    operation_note(operation);
    if (wake(operation, &ignored) != OUTCOME_OK)
        return;
    if (shared->broken)
        channel_drop(operation, shared);
    if (own->broken)
        channel_drop(operation, own);
}

/* True if a failure may come from what stood on the card before, so that a new start may help. */
static bool may_be_stale(const struct operation *operation, enum outcome outcome,
                         const struct report *why)
{
    switch (outcome) {
    case OUTCOME_LOST:
    case OUTCOME_BAD_DATA:
    case OUTCOME_TIMEOUT:
        return true;
    case OUTCOME_PIN_WRONG:
    case OUTCOME_PIN_BLOCKED:
    case OUTCOME_PIN_PROTECTED:
    case OUTCOME_WRONG_SIM:
        return false;
    case OUTCOME_NO_APPLET:
        return !operation->fresh;
    case OUTCOME_CARRIER_REFUSED: /* a modem may have forgotten the session in the middle */
        return !operation->fresh || operation->answered;
    default:
        /* a channel that was used before can have been taken over or reset: any refusal may say so;
         * on a new one these do (REFRESH, a reset of the SIM) */
        if (!operation->fresh)
            return why->sw != 0;
        return why->sw == 0x6985 || why->sw == 0x6999 || why->sw == 0x6D00 || why->sw == 0x6E00;
    }
}

/* A channel that cannot be closed now, because the modem still owes an answer: whoever comes next
 * closes it. */
static void leave_behind(struct operation *operation)
{
    struct standing *shared = &operation->record.standing;

    operation->standing->broken = true;
    if (operation->standing == &operation->alone && !shared->channel.open) {
        claim_bury(&operation->sim->settings, operation->alone.channel.number);
        *shared = operation->alone;
        shared->selected = SELECTED_NOTHING;
        shared->verified = shared->unprotected = shared->environment.set = false;
    }
}

/* Notes how the operation leaves the card and the modem. */
static void settle(struct operation *operation, enum outcome outcome, const struct report *why)
{
    struct standing *standing = operation->standing;
    const struct at *at = &operation->transport.at;
    struct line *line = &operation->sim->line;

    if (at->echoed) /* it has forgotten the start-up */
        line->ready = false;
    /* a modem that is only mute has not forgotten its channels */
    if ((outcome == OUTCOME_NO_MODEM && !at->late) || at->restarted) {
        channel_lost(operation, &operation->record.standing);
        channel_lost(operation, &operation->sim->own);
        channel_lost(operation, standing);
        line->ready = false;
        return;
    }
    if (at->late) {
        line->ready = false;
        line->late_until = monotonic_ms() + LATE_ANSWER_MS;
        leave_behind(operation);
        return;
    }
    if (outcome != OUTCOME_OK && may_be_stale(operation, outcome, why)) {
        standing->broken = true;
        line->ready = false;
        /* its number may be somebody else's by now */
        if (why->sw == 0x6881 || at->echoed)
            channel_lost(operation, standing);
    }
    if (standing == &operation->alone)
        channel_drop(operation, standing);
}

/* What this process holds by itself is the parent's after a fork. */
static void own_anew(struct sim *sim)
{
    if (sim->own_pid == getpid())
        return;
    if (sim->claim >= 0)
        (void)close(sim->claim);
    sim->claim = -1;
    sim->own_pid = getpid();
    memset(&sim->own, 0, sizeof sim->own);
}

/* Takes over what the record says. What a modem without an ICCID taught may be another SIM's. */
static void take_record(struct operation *operation)
{
    struct sim *sim = operation->sim;
    const struct learnt *learnt = &operation->record.learnt;

    operation->file = record_open(&sim->settings, &operation->record);
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
    const struct port_turn turn = {queue_first, &operation->queue};
    const struct transport_target target = {.device = sim->settings.device,
                                            .baud = sim->settings.baud,
                                            .trace = &sim->settings.trace,
                                            .held = &sim->held,
                                            .turn = &turn};
    enum outcome outcome;

    notice_fork(sim);
    memset(operation, 0, sizeof *operation);
    operation->sim = sim;
    operation->deadline = deadline;
    operation->standing = &operation->alone;
    operation->file = -1;
    operation->card = (struct card){.exchange = through_transport,
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
    take_record(operation);
    return OUTCOME_OK;
}

void operation_end(struct operation *operation)
{
    if (operation->file >= 0) {
        if (!save(operation, false))
            record_spoil(operation->file);
        (void)close(operation->file);
    }
    (void)atomic_fetch_add_explicit(&operation->sim->turn, 1, memory_order_release);
    operation->transport.ops->end(&operation->transport);
}

/* Learns that the card does not take the short way to a key: that what stood on it was not good
 * enough, twice in a row. */
static void learn(struct operation *operation, const struct job *job, enum outcome outcome,
                  const struct report *why)
{
    struct learnt *learnt = &operation->sim->learnt;

    if (!job->pin || operation->fresh)
        return;
    if (outcome == OUTCOME_OK) {
        if (learnt->environment_refused < SHORT_WAY_REFUSALS)
            learnt->environment_refused = 0;
        if (learnt->pin_refused < SHORT_WAY_REFUSALS)
            learnt->pin_refused = 0;
    } else if (why->sw == 0x6982) {
        learnt->pin_refused++;
    } else if (why->sw != 0 && why->sw != 0x6881 && operation->standing->environment.set) {
        learnt->environment_refused++;
    }
}

/* This process goes on with the channel that all share. */
static void join(struct operation *operation)
{
    if (operation->standing != &operation->record.standing || !operation->standing->channel.open)
        return;
    if (operation->sim->settings.session == SESSION_KEEP) {
        operation->standing->kept = true;
        return;
    }
    record_join(&operation->record);
    operation->sim->joined = getpid();
}

static enum outcome attempt(struct sim *sim, const struct job *job, operation_fn *work, void *arg,
                            struct deadline deadline, bool *again, struct report *why)
{
    struct operation operation;
    enum outcome outcome = operation_begin(&operation, sim, deadline, why);

    *again = false;
    if (outcome == OUTCOME_OK) {
        outcome = prepare(&operation, job, why);
        if (outcome == OUTCOME_OK)
            outcome = work(&operation, arg, why);
        *again = outcome != OUTCOME_OK && may_be_stale(&operation, outcome, why);
        learn(&operation, job, outcome, why);
        settle(&operation, outcome, why);
        join(&operation);
    }
    operation_end(&operation);
    return outcome;
}

enum outcome session_run(struct sim *sim, const struct job *job, operation_fn *work, void *arg,
                         struct report *why)
{
    struct deadline deadline = deadline_in((int64_t)sim->settings.timeout * 1000);
    struct report second = REPORT_INIT;
    bool again;
    enum outcome outcome = attempt(sim, job, work, arg, deadline, &again, why);

    if (outcome != OUTCOME_OK && again && !job->once && !deadline_passed(deadline)) {
        outcome = attempt(sim, job, work, arg, deadline, &again, &second);
        *why = second;
    }
    if (outcome == OUTCOME_OK)
        report_clear(why);
    return outcome;
}
