/* SPDX-License-Identifier: Apache-2.0 */
/* One job as one operation: its preparation, what it leaves on the card, and its further starts. */
#include "apdu/session/session.h"
#include "apdu/session/channel.h"
#include "modem/cme.h"

#include <string.h>
#include <unistd.h>

/* How long is listened after a failure for an answer too many. */
#define LISTEN_MS 150
/* After two losses in a row: the pauses before further starts, and what is left of the time-out for
 * the last one. */
#define REPAIR_FIRST_MS   50
#define REPAIR_LONGEST_MS 1000
#define REPAIR_RESERVE_MS 2000
/* Bytes of a command APDU that no modem's line is too short for. */
#define COMMAND_SHORT 100
/* The first pause behind a SIM that was busy. */
#define BUSY_FIRST_MS 250
/* At most this many starts go on with a session that another process has made meanwhile. */
#define STARTS_ON_OTHERS 4

/* Which channel the job uses: this operation's own, this process's, or a shared one. A shared one that
 * was opened by another carrier than the one that is set now is left to the others. */
static struct channel_state *choose(struct operation *operation, const struct job *job)
{
    const struct settings *settings = &operation->sim->settings;
    struct channel_state *shared = &operation->record.shared;

    if (job->applet != NULL && job->applet->kind == SELECTED_IOTSAFE)
        shared = &operation->record.second;
    if (job->fresh || settings->session == SESSION_PRIVATE)
        return &operation->oneshot;
    if (job->applet != NULL && job->applet->kind == SELECTED_OTHER) {
        operation->sim->owner = job->applet;
        return &operation->sim->mine;
    }
    if (operation->file < 0 || (shared->level > LEVEL_CLOSED && settings->carrier != CARRIER_AUTO &&
                                settings->carrier != shared->channel.carrier))
        return &operation->oneshot;
    return shared;
}

/* The generation of the shared channel in use; 0 if it is none, or that is not known. */
static unsigned shared_generation(struct operation *operation)
{
    const enum record_channel which = record_which(&operation->record, operation->current);

    return which == RECORD_CHANNELS ? 0 : *record_generation(&operation->record, which);
}

/* True if the session on which the last start failed is gone, and another process has made a new one:
 * that one is not broken. An older program's record does not tell. */
static bool made_meanwhile(struct operation *operation, const struct job *job)
{
    const unsigned now = shared_generation(operation);

    return now != 0 && !operation->current->broken && job->generation != 0 &&
           now != job->generation;
}

static enum outcome prepare(struct operation *operation, const struct job *job, struct report *why)
{
    enum outcome outcome;

    operation->current = choose(operation, job);
    /* the ICCID of a channel that is closed says nothing of the SIM that is in now */
    if (operation->current->level == LEVEL_CLOSED)
        operation->current->iccid[0] = '\0';
    if (job->again && !made_meanwhile(operation, job))
        operation->current->broken = operation->current->level > LEVEL_CLOSED;
    if (atomic_exchange(&operation->sim->forget, false)) {
        operation->current->broken = operation->current->level > LEVEL_CLOSED;
        operation->sim->line.late_until = monotonic_ms(); /* answers may be off by one */
    }
    operation_note(operation);
    outcome = operation_wake(operation, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (job->sweeps)
        return OUTCOME_OK;
    if (operation->record.dirty)
        channel_close_dead(operation);
    channel_close_orphans(operation);
    channel_drop_broken(operation);
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
    if (operation_out_of_step(operation))
        return true;
    switch (outcome) {
    case OUTCOME_LOST:
    case OUTCOME_BAD_DATA:
    case OUTCOME_TIMEOUT:
        return true;
    case OUTCOME_UNSUPPORTED: /* remembered, and the other ways were tried already */
        return (!operation->just_selected || operation->said_once) && why->sw != 0;
    case OUTCOME_PIN_WRONG:
    case OUTCOME_PIN_BLOCKED:
    case OUTCOME_PIN_PROTECTED:
    case OUTCOME_WRONG_SIM:
        return false;
    case OUTCOME_NO_APPLET:
        return !operation->just_selected;
    case OUTCOME_CARRIER_REFUSED: /* a modem may have forgotten the session in the middle */
        return !operation->just_selected || operation->answered;
    default:
        /* another program may have selected on the channel, or the SIM was reset, or the answer was
         * another command's: a card's refusal counts when it comes again on a new channel */
        return why->sw != 0 && operation->current->level > LEVEL_CLOSED;
    }
}

/* The line that tells a channel's number may have come by half only: the next operation reads the rest. */
static void keep_half(struct operation *operation)
{
    struct sim *sim = operation->sim;

    if (sim->line.opening)
        transport_keep(&operation->transport, &sim->half);
}

/* A failure may come from answers that are off by one: then the last one is still to come. */
static void listen(struct operation *operation, enum outcome outcome)
{
    struct report ignored = REPORT_INIT;

    if (outcome == OUTCOME_OK || outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_NO_MODEM ||
        operation->again || (operation->transport.events & (EVENT_LATE | EVENT_RESTARTED)))
        return;
    (void)transport_listen(&operation->transport, LISTEN_MS, operation->deadline, &ignored);
    if (channel_close_stray(operation))
        operation->sim->line.opening = false;
}

/* True if the applet itself refused the work, on a further start, on a channel that was opened for it, and
 * with the modem's answers in step: nothing is wrong with the channel then, and the other programs keep
 * it. (To close it would cost each of them a new channel, which a user of simkey-agent could bring about
 * again and again.) Status words about the PIN, the channel or the class byte do not count as the applet's
 * refusal: they are what a channel answers that has lost its state. */
static bool applet_refused(struct operation *operation, enum outcome outcome,
                           const struct report *why)
{
    const unsigned doubts = EVENT_LATE | EVENT_RESTARTED | EVENT_NO_SIM | EVENT_NO_SIM_HEARD |
                            EVENT_ECHOED | EVENT_DOUBT | EVENT_WITHHELD;
    struct report ignored = REPORT_INIT;

    if (!operation->again || !operation->opened || operation->reused ||
        operation->current->level < LEVEL_SELECTED ||
        record_which(&operation->record, operation->current) == RECORD_CHANNELS ||
        (operation->transport.events & doubts) != 0)
        return false;
    if (outcome != OUTCOME_BAD_DATA &&
        ((outcome != OUTCOME_REFUSED && outcome != OUTCOME_NOT_FOUND &&
          outcome != OUTCOME_UNSUPPORTED) ||
         (why->sw >> 8 != 0x6A && why->sw != 0x6700 && why->sw != 0x6985)))
        return false;
    operation->current->environment.set = false;
    return transport_confirm(&operation->transport, operation->deadline, &ignored) == OUTCOME_OK &&
           (operation->transport.events & (doubts | EVENT_UNASKED | EVENT_FOREIGN)) == 0;
}

/* Leaves a channel that cannot be closed now, because the modem still owes an answer, to the next
 * operation, which closes it: a shared one or mine by this mark, oneshot because it is in the table of
 * owners since it was opened. */
static void leave_behind(struct operation *operation)
{
    operation->current->broken = true;
}

/* Notes how the operation leaves the card and the modem. stands: see applet_refused. */
static void settle(struct operation *operation, enum outcome outcome, bool stands,
                   const struct report *why)
{
    struct channel_state *state = operation->current;
    const unsigned events = operation->transport.events;
    const bool late = (events & EVENT_LATE) != 0, restarted = (events & EVENT_RESTARTED) != 0;
    struct line_state *line = &operation->sim->line;

    if ((events & EVENT_ECHOED) || operation->echoed) /* it has forgotten the start-up */
        line->ready = false;
    if (outcome == OUTCOME_NO_SIM && !late)
        operation->transport.events |= EVENT_NO_SIM;
    if (operation_all_lost(operation) && (restarted || !late))
        return;
    /* the refusal may have been another command's answer, and the channel be open */
    if (operation->refused_opening && (events & EVENT_UNASKED))
        line->opening = true;
    /* the device is gone; the modem may have kept its power, and be at work when it comes back */
    if (outcome == OUTCOME_NO_MODEM && !late) {
        line->ready = false;
        operation_owes(operation, false, 0);
        operation->sim->mine.broken = operation->sim->mine.level > LEVEL_CLOSED;
        leave_behind(operation);
        return;
    }
    if (late) {
        keep_half(operation);
        line->ready = false;
        operation_owes(operation, true, LATE_ANSWER_MS);
        leave_behind(operation);
        return;
    }
    if (outcome != OUTCOME_OK && may_be_stale(operation, outcome, why)) {
        state->broken = !stands;
        line->ready = stands && line->ready;
        line->late_until = monotonic_ms(); /* clean the line before anything else is said */
        /* the channel may be another program's by now, or the answer be false */
        if (why->sw == 0x6881 || (events & (EVENT_ECHOED | EVENT_NO_SIM_HEARD)))
            channel_leave_doubtful(operation, state, DOUBT_ASK);
    }
    if (state == &operation->oneshot)
        channel_drop(operation, state);
}

/* If the modem said at any time in this operation that the SIM is gone, that is reported in place of the
 * failure which followed from it, but not in place of what became of a PIN. */
static enum outcome say_no_sim(const struct operation *operation, enum outcome outcome,
                               struct report *why)
{
    if (outcome == OUTCOME_OK || outcome == OUTCOME_PIN_WRONG || outcome == OUTCOME_PIN_BLOCKED ||
        outcome == OUTCOME_NO_MODEM)
        return outcome;
    return transport_no_sim(&operation->transport, why) == OUTCOME_OK ? outcome : OUTCOME_NO_SIM;
}

/* Counts for SHORT_WAY_REFUSALS whether the card took the work with the environment and PIN that earlier
 * operations had left, or refused it because of them. */
static void learn(struct operation *operation, const struct job *job, enum outcome outcome,
                  const struct report *why)
{
    struct card_quirks *quirks = &operation->sim->quirks;

    if (!job->pin || operation->just_selected)
        return;
    if (outcome == OUTCOME_OK) {
        quirks->short_way = quirks->short_way || !operation->long_way;
    } else if (quirks->short_way) {
        return; /* it works with this card: another program or a reset was the reason */
    } else if (why->sw == 0x6982) {
        quirks->pin_refused++;
    } else if (why->sw != 0 && why->sw != 0x6881 && operation->current->environment.set) {
        quirks->environment_refused++;
    }
}

/* Notes this process among the users of the shared channel. */
static void join(struct operation *operation)
{
    const enum record_channel which = record_which(&operation->record, operation->current);

    if (which == RECORD_CHANNELS || operation->current->level == LEVEL_CLOSED)
        return;
    if (operation->sim->settings.session == SESSION_KEEP) {
        operation->current->kept = true;
        return;
    }
    if (operation->sim->acts_for != 0)
        record_join_for(&operation->record, which, operation->sim->acts_for);
    else
        record_join(&operation->record, which);
    operation->sim->others = operation->record.user_count > 1;
    operation->sim->joined = getpid();
}

/* What a start leaves for the next one. */
struct start {
    char iccid[ICCID_SIZE]; /* of the SIM that it worked on */
    bool again;             /* another one may help */
    bool own_making;        /* it was on a channel that it opened itself */
    bool other_way;       /* the modem did not pass on what it sent: by the other carrier it may */
    enum carrier carrier; /* by which it went */
    bool busy;            /* its PIN met a SIM that was busy, and may be sent again */
    unsigned generation;  /* of the shared session that it used, 0: none */
};

/* True, with the failure in *why, for a job that wants mIAS on a SIM that is known to have IoT SAFE only:
 * it is not asked again by each process. Where the job names another SIM, that one may be in by now. */
static bool known_to_lack(struct operation *operation, const struct job *job, struct report *why)
{
    if (job->iccid != NULL && job->iccid[0] != '\0' &&
        strcmp(job->iccid, operation->sim->quirks.iccid) != 0)
        return false;
    if (job->applet == NULL || job->applet->kind != SELECTED_MIAS || operation->file < 0 ||
        !(operation->sim->quirks.modem & QUIRK_NO_MIAS))
        return false;
    atomic_store(&operation->sim->recalled, true);
    (void)report_set(why, OUTCOME_NO_APPLET, "this SIM does not have %s", job->applet->name);
    return true;
}

/* True if it was the modem that did not pass the last command on: it refused, or says that it failed, or a
 * session on which an applet was opened has answered nothing but what stands for no channel, class or command.
 * Wrong parameters of a long command do not count: it may be too long for a line, whatever the way. */
static bool modem_failed(const struct operation *operation, enum outcome outcome,
                         const struct report *why)
{
    const unsigned doubts = EVENT_LATE | EVENT_RESTARTED | EVENT_NO_SIM | EVENT_NO_SIM_HEARD |
                            EVENT_ECHOED | EVENT_UNASKED;

    if (why->sw == SW_CLOSED_CHANNEL || why->sw == 0x6E00 || why->sw == 0x6D00)
        return operation->current->channel.carrier == CARRIER_CCHO && operation->opened &&
               !operation->heard && (operation->transport.events & doubts) == 0;
    if (outcome == OUTCOME_LOST)
        return why->cme >= 0 && (operation->transport.events & doubts) == 0;
    return outcome == OUTCOME_CARRIER_REFUSED && why->sw == 0 &&
           (why->cme != CME_WRONG_PARAMETERS || operation->said <= COMMAND_SHORT);
}

/* True if the modem did not pass a command on, on a channel where the applet was selected: some take
 * only a few commands by AT+CSIM, or by AT+CGLA. On the second time the next channel is opened in the
 * other way, if there is one, and so are those of the next operations; if that fails too, it was not the
 * way. A person's PIN is sent once: then the first time counts. */
static bool wants_other_way(struct operation *operation, const struct job *job,
                            enum outcome outcome, const struct report *why)
{
    const struct channel_state *state = operation->current;
    const bool last =
        job->again || (job->once && job->applet != NULL && job->applet->kind == SELECTED_MIAS);

    if (!last || !modem_failed(operation, outcome, why) || state->level < LEVEL_SELECTED ||
        operation->transport.ops->carrier != CARRIER_AUTO ||
        operation->sim->settings.carrier != CARRIER_AUTO)
        return false;
    if (job->left != CARRIER_AUTO) {
        operation->sim->line.carrier = job->left;
        return false;
    }
    operation->sim->line.carrier =
        state->channel.carrier == CARRIER_CSIM ? CARRIER_CCHO : CARRIER_CSIM;
    return true;
}

static enum outcome attempt(struct sim *sim, const struct job *job, operation_fn *work, void *arg,
                            struct deadline deadline, struct start *start, struct report *why)
{
    struct operation operation;
    enum outcome outcome = operation_begin(&operation, sim, deadline, why);
    bool stands = false;

    memset(start, 0, sizeof *start);
    operation.again = job->again;
    operation.turned = job->left != CARRIER_AUTO;
    operation.applet = job->applet;
    operation.iccid = job->iccid;
    operation.given = job->given;
    if (job->given != NULL)
        job->given->again = false;
    operation.pin_follows = job->pin;
    if (job->again)
        operation_try_gap(&operation);
    if (outcome == OUTCOME_OK && known_to_lack(&operation, job, why)) {
        outcome = why->outcome;
    } else if (outcome == OUTCOME_OK) {
        outcome = prepare(&operation, job, why);
        if (outcome == OUTCOME_OK) {
            outcome = work(&operation, arg, why);
            stands = applet_refused(&operation, outcome, why);
        }
        if (outcome != OUTCOME_OK && operation_pin_doubted(&operation, why))
            outcome = why->outcome;
        outcome = say_no_sim(&operation, outcome, why);
        if (outcome == OUTCOME_OK && !job->proven)
            outcome = transport_confirm(&operation.transport, operation.deadline, why);
        listen(&operation, outcome);
        start->again = outcome != OUTCOME_OK && may_be_stale(&operation, outcome, why);
        start->carrier = operation.current->channel.carrier;
        start->other_way = wants_other_way(&operation, job, outcome, why);
        start->busy = outcome == OUTCOME_TIMEOUT && job->given != NULL && job->given->again;
        start->own_making = operation.opened || job->applet == NULL;
        start->generation = shared_generation(&operation);
        memcpy(start->iccid, operation.current->iccid, ICCID_SIZE);
        if (operation.current == &sim->mine && sim->mine_iccid[0] == '\0')
            memcpy(sim->mine_iccid, start->iccid, ICCID_SIZE);
        learn(&operation, job, outcome, why);
        settle(&operation, outcome, stands, why);
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
    return report_set(why, OUTCOME_WRONG_SIM,
                      "the SIM in the modem was changed during the operation: start it again if "
                      "the new one is the one you mean");
}

/* Whether a failure is worth one more start. The second one may undo whatever stood on the card
 * before; it is not the last one where it went on with what another process had made meanwhile.
 * Further ones are for losses only (of the channel, the modem, the step of its answers), which
 * say nothing of the command itself: until shortly before the deadline, with growing pauses in which
 * others get the device. So they are, from the first one on, for a PIN that met a busy SIM. A third one
 * may go by the other carrier. */
static bool start_anew(const struct job *job, const struct start *last, enum outcome outcome,
                       unsigned starts, struct deadline deadline)
{
    int64_t pause = last->busy ? BUSY_FIRST_MS : REPAIR_FIRST_MS;

    if (job->once || deadline_passed(deadline))
        return false;
    if (last->other_way)
        return true;
    if (!last->busy && (starts == 1 || (!last->own_making && starts < STARTS_ON_OTHERS)))
        return true;
    if ((outcome != OUTCOME_LOST && !last->busy) || deadline_left(deadline) < REPAIR_RESERVE_MS)
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
    char iccid[ICCID_SIZE];
    struct start last;
    struct job job = *first;
    enum outcome outcome = attempt(sim, &job, work, arg, deadline, &last, why);

    memcpy(iccid, last.iccid, sizeof iccid);
    for (unsigned starts = 1;
         outcome != OUTCOME_OK && last.again && start_anew(&job, &last, outcome, starts, deadline);
         starts++) {
        struct report next = REPORT_INIT;
        enum outcome before = outcome;

        if (job.iccid == NULL || job.iccid[0] == '\0')
            job.iccid = iccid;
        job.again = true;
        job.generation = last.generation;
        if (last.other_way)
            job.left = last.carrier;
        outcome = attempt(sim, &job, work, arg, deadline, &last, &next);
        /* "out of time" says less than what the start before it found */
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
        sim->mine_iccid[0] != '\0')
        same.iccid = sim->mine_iccid; /* what was begun on one SIM is not gone on with on another */
    if (settings_agent(sim->settings.device, NULL))
        return report_set(why, OUTCOME_UNSUPPORTED,
                          "simkey-agent does not give this: " SETTINGS_ELSEWHERE);
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
