/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a job through an operation, how it leaves the card, and the new starts that it may get.
 */
#include "apdu/session/session.h"

#include "apdu/session/claim.h"

#include <string.h>
#include <unistd.h>

/* How long the line must be quiet after a time-out: longer than what was asked for may still take.
 */
#define LATE_ANSWER_MS 1500
/* How long is listened after a failure for an answer too many. */
#define LISTEN_MS 150
/* After two losses in a row: the pauses before further starts, and what is left of the time-out for
 * the last one. */
#define REPAIR_FIRST_MS   50
#define REPAIR_LONGEST_MS 1000
#define REPAIR_RESERVE_MS 2000

const struct applet applet_mias = {
    .aid = mias_aid, .aid_length = sizeof mias_aid, .name = MIAS_NAME, .kind = SELECTED_MIAS};

const struct applet applet_uicc = {.aid = uicc_aid,
                                   .aid_length = sizeof uicc_aid,
                                   .name = "the application with the Type A files",
                                   .kind = SELECTED_UICC};

/* The modem tells it, or else the card, where the channel is new: what is remembered of refused PINs goes
 * by it, and a device may have another name after each restart. */
static enum outcome ask_iccid(struct operation *operation, struct report *why)
{
    const struct standing *standing = operation->standing;
    const struct applet *applet = operation->applet;
    enum outcome outcome;

    if (!transport_has_modem(&operation->transport))
        return channel_iccid(operation, why);
    outcome =
        modem_iccid(&operation->transport.at, operation->standing->iccid, operation->deadline, why);
    if (outcome != OUTCOME_REFUSED || !standing->channel.open || standing->channel.selected ||
        standing->selected != SELECTED_NOTHING || applet == NULL || applet->aid_length == 0)
        return outcome;
    outcome = channel_iccid(operation, why);
    return outcome == OUTCOME_CARRIER_REFUSED || (outcome != OUTCOME_LOST && why->sw != 0)
               ? OUTCOME_REFUSED
               : outcome;
}

/* Another SIM has taught nothing yet. */
enum outcome session_iccid(struct operation *operation, struct report *why)
{
    struct standing *standing = operation->standing;
    struct learnt *learnt = &operation->sim->learnt;
    enum outcome outcome;

    if (standing->iccid_asked)
        return OUTCOME_OK;
    outcome = ask_iccid(operation, why);
    if (operation->transport.at.restarted)
        return report_set(why, OUTCOME_LOST, "%s", transport_restart(&operation->transport));
    if (outcome != OUTCOME_OK && outcome != OUTCOME_REFUSED)
        return outcome;
    standing->iccid_asked = operation->told = true;
    if (strcmp(standing->iccid, learnt->iccid) != 0) {
        memset(learnt, 0, sizeof *learnt);
        learnt->max_read = APDU_LE_ALL;
        memcpy(learnt->iccid, standing->iccid, sizeof learnt->iccid);
    }
    return OUTCOME_OK;
}

enum outcome session_directory(struct operation *operation, const struct mias_entry **list,
                               size_t *count, struct report *why)
{
    struct sim *sim = operation->sim;
    const char *iccid = operation->standing->iccid;
    enum outcome outcome = OUTCOME_OK;

    if (operation->fresh || iccid[0] == '\0' || strcmp(iccid, sim->directory_iccid) != 0) {
        sim->directory_iccid[0] = '\0';
        outcome = mias_read_directory(&operation->card, sim->directory, &sim->directory_count, why);
        if (outcome == OUTCOME_OK)
            memcpy(sim->directory_iccid, iccid, ICCID_SIZE);
    }
    *list = sim->directory;
    *count = outcome == OUTCOME_OK ? sim->directory_count : 0;
    return outcome;
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

static enum outcome prepare(struct operation *operation, const struct job *job, struct report *why)
{
    struct standing *shared = &operation->record.standing;
    enum outcome outcome;

    operation->standing = choose(operation, job);
    if (job->again) /* on a session of its own making, whatever others made of the standing one */
        operation->standing->broken = operation->standing->channel.open;
    if (atomic_exchange(&operation->sim->forget, false)) {
        operation->standing->broken = operation->standing->channel.open;
        operation->sim->line.late_until = monotonic_ms(); /* answers may be off by one */
    }
    operation_note(operation);
    outcome = operation_wake(operation, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (operation->record.dirty)
        channel_bury_dead(operation);
    channel_close_lone(operation);
    if (shared->broken)
        channel_drop(operation, shared);
    if (operation->sim->own.broken)
        channel_drop(operation, &operation->sim->own);
    if (job->applet == NULL)
        return OUTCOME_OK;
    outcome = channel_ensure(operation, job->applet, job->iccid, why);
    if (outcome == OUTCOME_OK && job->pin)
        outcome = operation_pin(operation, why);
    return outcome;
}

/* True if a failure may come from what stood on the card before, so that a new start may help. */
static bool may_be_stale(const struct operation *operation, enum outcome outcome,
                         const struct report *why)
{
    if (operation->transport.at.strayed && !operation->again)
        return true;
    switch (outcome) {
    case OUTCOME_LOST:
    case OUTCOME_BAD_DATA:
    case OUTCOME_TIMEOUT:
        return true;
    case OUTCOME_UNSUPPORTED: /* remembered, and the other ways were tried already */
        return !operation->fresh && why->sw != 0;
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
        /* another program may have selected on the channel, or the SIM was reset, or the answer was
         * another command's: a card's refusal counts when it comes again on a new channel */
        return why->sw != 0 && operation->standing->channel.open;
    }
}

/* The first half of a line may be all that was heard of the number of a channel. */
static void keep_half(struct operation *operation)
{
    const struct at *at = &operation->transport.at;
    struct sim *sim = operation->sim;

    sim->half_length =
        sim->line.opening && at->input_length <= sizeof sim->half ? at->input_length : 0;
    memcpy(sim->half, at->input, sim->half_length);
}

/* A failure may come from answers that are off by one: then the last one is still to come. */
static void listen(struct operation *operation, enum outcome outcome)
{
    struct at *at = &operation->transport.at;
    struct report ignored = REPORT_INIT;

    if (outcome == OUTCOME_OK || outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_NO_MODEM ||
        operation->again || at->late || at->restarted || at->port == NULL)
        return;
    (void)at_listen(at, LISTEN_MS, operation->deadline, &ignored);
    if (operation->sim->line.opening && channel_close_stray(operation))
        operation->sim->line.opening = false;
}

/* A channel that cannot be closed now, because the modem still owes an answer: whoever comes next
 * closes it. */
static void leave_behind(struct operation *operation)
{
    operation->standing->broken = true;
    /* an operation's own one is written down as it is */
    if (operation->standing == &operation->alone && operation->alone.channel.open)
        operation->record.lone = operation->alone.channel;
}

/* Notes how the operation leaves the card and the modem. */
static void settle(struct operation *operation, enum outcome outcome, const struct report *why)
{
    struct standing *standing = operation->standing;
    struct at *at = &operation->transport.at;
    struct line *line = &operation->sim->line;

    if (at->echoed) /* it has forgotten the start-up */
        line->ready = false;
    if (outcome == OUTCOME_NO_SIM && !at->late && at->no_sim == 0)
        at->no_sim = CME_NO_SIM;
    if (channel_all_lost(operation) && (at->restarted || !at->late))
        return;
    /* it may have kept its power, and be at work when it comes back */
    if (outcome == OUTCOME_NO_MODEM && !at->late) {
        line->ready = false;
        line->late_until = monotonic_ms();
        operation->sim->own.broken = operation->sim->own.channel.open;
        leave_behind(operation);
        return;
    }
    if (at->late) {
        keep_half(operation);
        line->ready = false;
        line->late_until = monotonic_ms() + LATE_ANSWER_MS;
        leave_behind(operation);
        return;
    }
    if (outcome != OUTCOME_OK && may_be_stale(operation, outcome, why)) {
        standing->broken = true;
        line->ready = false;
        line->late_until = monotonic_ms(); /* clean the line before anything else is said */
        /* its number may be somebody else's by now */
        if (why->sw == 0x6881 || at->echoed)
            channel_lost(operation, standing);
    }
    if (standing == &operation->alone)
        channel_drop(operation, standing);
}

/* That the SIM is gone may have been said where an earlier failure, or another way, is what is told.
 * It counts more, but not more than what became of a PIN. */
static enum outcome say_no_sim(const struct operation *operation, enum outcome outcome,
                               struct report *why)
{
    const struct at_result result = {.final = AT_FINAL_CME, .cme = operation->transport.at.no_sim};

    if (outcome == OUTCOME_OK || outcome == OUTCOME_PIN_WRONG || outcome == OUTCOME_PIN_BLOCKED ||
        outcome == OUTCOME_NO_MODEM || result.cme == 0 ||
        !transport_has_modem(&operation->transport))
        return outcome;
    return transport_final(&result, "reach the SIM", why);
}

/* Learns that the card does not take the short way to a key: that what stood on it was not good
 * enough, twice, and never was. */
static void learn(struct operation *operation, const struct job *job, enum outcome outcome,
                  const struct report *why)
{
    struct learnt *learnt = &operation->sim->learnt;

    if (!job->pin || operation->fresh)
        return;
    if (outcome == OUTCOME_OK) {
        learnt->short_way = learnt->short_way || !operation->long_way;
    } else if (learnt->short_way) {
        return; /* it was somebody else's doing */
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
                            struct deadline deadline, char iccid[ICCID_SIZE], bool *again,
                            struct report *why)
{
    struct operation operation;
    enum outcome outcome = operation_begin(&operation, sim, deadline, why);

    *again = false;
    iccid[0] = '\0';
    operation.again = job->again;
    operation.applet = job->applet;
    operation.iccid = job->iccid;
    operation.given = job->given;
    operation.pin_follows = job->pin;
    if (outcome == OUTCOME_OK) {
        outcome = prepare(&operation, job, why);
        if (outcome == OUTCOME_OK)
            outcome = work(&operation, arg, why);
        if (outcome != OUTCOME_OK && operation_pin_doubted(&operation, why))
            outcome = why->outcome;
        outcome = say_no_sim(&operation, outcome, why);
        if (outcome == OUTCOME_OK && !job->proven)
            outcome = at_confirm(&operation.transport.at, operation.deadline, why);
        listen(&operation, outcome);
        *again = outcome != OUTCOME_OK && may_be_stale(&operation, outcome, why);
        memcpy(iccid, operation.standing->iccid, ICCID_SIZE);
        if (operation.standing == &sim->own && sim->own_iccid[0] == '\0')
            memcpy(sim->own_iccid, iccid, ICCID_SIZE);
        learn(&operation, job, outcome, why);
        settle(&operation, outcome, why);
        join(&operation);
    }
    operation_end(&operation);
    return outcome;
}

/* A SIM that came into the modem in the middle is not worked on: not even its PIN is tried. */
static enum outcome say_swapped(const struct job *job, enum outcome outcome, struct report *why)
{
    if (outcome != OUTCOME_WRONG_SIM || (job->iccid != NULL && job->iccid[0] != '\0'))
        return outcome;
    return report_set(
        why, OUTCOME_WRONG_SIM,
        "another SIM came into the modem in the middle of the work: start it again if "
        "that is the one you mean");
}

/* Whether a failure is worth one more start. The second one may undo whatever stood on the card
 * before. Further ones are for losses only (of the channel, the modem, the step of its answers), which
 * say nothing of the command itself: until shortly before the deadline, with growing pauses in which
 * others get the device. */
static bool start_anew(const struct job *job, enum outcome outcome, unsigned starts,
                       struct deadline deadline)
{
    int64_t pause = REPAIR_FIRST_MS;

    if (job->once || deadline_passed(deadline))
        return false;
    if (starts == 1)
        return true;
    if (outcome != OUTCOME_LOST || deadline_left(deadline) < REPAIR_RESERVE_MS)
        return false;
    for (unsigned i = 2; i < starts && pause < REPAIR_LONGEST_MS; i++)
        pause *= 2;
    deadline_sleep(deadline, pause < REPAIR_LONGEST_MS ? pause : REPAIR_LONGEST_MS);
    return true;
}

/* The work, started anew as often as that may help. */
static enum outcome run_repeatedly(struct sim *sim, const struct job *first, operation_fn *work,
                                   void *arg, struct deadline deadline, struct report *why)
{
    char iccid[ICCID_SIZE], later[ICCID_SIZE];
    struct job job = *first;
    bool again;
    enum outcome outcome = attempt(sim, &job, work, arg, deadline, iccid, &again, why);

    for (unsigned starts = 1;
         outcome != OUTCOME_OK && again && start_anew(&job, outcome, starts, deadline); starts++) {
        struct report next = REPORT_INIT;
        enum outcome before = outcome;

        if (job.iccid == NULL || job.iccid[0] == '\0')
            job.iccid = iccid;
        job.again = true;
        outcome = attempt(sim, &job, work, arg, deadline, later, &again, &next);
        /* one that only ran out of time knows less than the one before it */
        if (outcome == OUTCOME_TIMEOUT && before == OUTCOME_BAD_DATA)
            outcome = before;
        else
            *why = next;
    }
    return outcome;
}

enum outcome session_run(struct sim *sim, const struct job *job, operation_fn *work, void *arg,
                         struct report *why)
{
    struct deadline deadline = job->deadline != NULL ? *job->deadline : sim_deadline(sim);
    struct job same = *job;
    struct pin_given given;
    enum outcome outcome;

    if (job->applet != NULL && job->applet->kind == SELECTED_OTHER && !job->fresh &&
        sim->own_iccid[0] != '\0')
        same.iccid = sim->own_iccid; /* what was begun on one SIM is not gone on with on another */
    (void)atomic_fetch_add(&sim->under_way, 1);
    if (job->pin || job->pin_later) {
        same.given = &given;
        pin_given_read(&given, &sim->settings, job->reference);
    }
    outcome = run_repeatedly(sim, &same, work, arg, deadline, why);
    if (same.given != NULL)
        pin_given_clear(&given);
    (void)atomic_fetch_sub(&sim->under_way, 1);
    if (outcome == OUTCOME_OK)
        report_clear(why);
    return say_swapped(job, outcome, why);
}
