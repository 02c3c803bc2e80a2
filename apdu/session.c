/* SPDX-License-Identifier: Apache-2.0 */
/* One operation from taking the SIM to letting it go, and the one new start that it may get. */
#include "apdu/session.h"

#include <string.h>
#include <unistd.h>

/* How long the line must be quiet after a time-out: longer than what was asked for may still take.
 */
#define LATE_ANSWER_MS 1500
#define QUIET_MIN_MS   50

const struct applet applet_mias = {
    .aid = mias_aid, .aid_length = sizeof mias_aid, .name = MIAS_NAME};

static const uint8_t uicc_aid[] = {0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x01, 0xFF,
                                   0x33, 0xFF, 0xFF, 0x89, 0x01, 0x01, 0x01, 0x00};
const struct applet applet_uicc = {.aid = uicc_aid,
                                   .aid_length = sizeof uicc_aid,
                                   .name = "the application with the Type A files"};

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
            &operation->transport, &operation->sim->standing.channel, command, command_length,
            answer, answer_length, timeout_ms, secrecy, deadline, why);
    /* whatever else it said: a modem that restarted has no channels any more */
    if (operation->transport.at.restarted && (outcome != OUTCOME_OK || *answer_length < 2))
        outcome = report_set(why, OUTCOME_LOST, "the modem restarted");
    operation->answered = operation->answered || outcome == OUTCOME_OK;
    return outcome;
}

/* Asks for the ICCID once per session: another SIM has taught nothing yet. */
static enum outcome ask_iccid(struct operation *operation, struct report *why)
{
    struct standing *standing = &operation->sim->standing;
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

/* A process that has no PIN must not sign on a channel that somebody else may have verified: a
 * state that says "verified" is believed without a PIN only on a channel that is new (the card's
 * PIN is disabled then). */
enum outcome operation_pin(struct operation *operation, struct report *why)
{
    struct standing *standing = &operation->sim->standing;
    const struct settings *settings = &operation->sim->settings;
    char pin[PIN_SIZE];
    enum outcome outcome = OUTCOME_OK;

    if (standing->verified && operation->sim->learnt.pin_refused < SHORT_WAY_REFUSALS)
        return OUTCOME_OK;
    if (!operation->fresh) {
        outcome = pin_from_settings(settings, PIN_APPLET, pin, why);
        explicit_bzero(pin, sizeof pin);
    }
    if (outcome == OUTCOME_OK)
        outcome = pin_unlock(&operation->card, PIN_APPLET, settings, why);
    standing->verified = outcome == OUTCOME_OK;
    return outcome;
}

/* How long the line must be quiet now, so that no answer to an earlier operation is taken for one
 * of ours. */
static int quiet_needed(const struct standing *standing)
{
    int64_t left = standing->late_until - monotonic_ms();

    if (standing->late_until == 0)
        return 0;
    return left < QUIET_MIN_MS ? QUIET_MIN_MS : (int)left;
}

static enum outcome prepare(struct operation *operation, const struct job *job, struct report *why)
{
    struct standing *standing = &operation->sim->standing;
    enum outcome outcome;

    outcome = transport_wake(&operation->transport, standing->ready, quiet_needed(standing),
                             operation->deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (operation->transport.at.restarted) { /* before this operation began */
        channel_lost(operation->sim);
        operation->transport.at.restarted = false;
    }
    standing->ready = true;
    standing->late_until = 0;
    if (atomic_exchange(&operation->sim->forget, false) || standing->broken || job->fresh)
        channel_drop(operation);
    standing->broken = false;
    if (job->applet == NULL)
        return OUTCOME_OK;
    outcome = ask_iccid(operation, why);
    if (outcome == OUTCOME_OK)
        outcome = channel_ensure(operation, job->applet, job->iccid, why);
    if (outcome == OUTCOME_OK && job->pin)
        outcome = operation_pin(operation, why);
    return outcome;
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

/* Notes how the operation leaves the card and the modem. */
static void settle(struct operation *operation, const struct job *job, enum outcome outcome,
                   const struct report *why)
{
    struct standing *standing = &operation->sim->standing;
    bool late = operation->transport.at.late;

    if (job->fresh)
        standing->applet = NULL; /* the caller's, which ends with the operation */
    /* a modem that is only mute has not forgotten its channels */
    if ((outcome == OUTCOME_NO_MODEM && !late) || operation->transport.at.restarted) {
        channel_lost(operation->sim);
        standing->ready = false;
        return;
    }
    if (late) {
        standing->ready = false;
        standing->late_until = monotonic_ms() + LATE_ANSWER_MS;
        standing->broken = true;
        return;
    }
    if (outcome != OUTCOME_OK && may_be_stale(operation, outcome, why)) {
        standing->broken = true;
        standing->ready = false;
        if (why->sw == 0x6881)
            channel_lost(operation->sim); /* its number may be somebody else's by now */
    }
    if (job->fresh || operation->sim->settings.session == SESSION_PRIVATE)
        channel_drop(operation);
}

enum outcome operation_begin(struct operation *operation, struct sim *sim, struct deadline deadline,
                             struct report *why)
{
    const struct transport_target target = {.device = sim->settings.device,
                                            .baud = sim->settings.baud,
                                            .trace = &sim->settings.trace,
                                            .held = &sim->held};
    enum outcome outcome;

    notice_fork(sim);
    *operation = (struct operation){.sim = sim, .deadline = deadline, .fresh = false};
    operation->card = (struct card){.exchange = through_transport,
                                    .arg = operation,
                                    .deadline = deadline,
                                    .trace = &sim->settings.trace,
                                    .no_le = &sim->learnt.no_le,
                                    .max_read = &sim->learnt.max_read};
    outcome = transport_begin(&operation->transport, &target, deadline, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    (void)atomic_load_explicit(&sim->turn, memory_order_acquire);
    if (sim->standing.pid != getpid()) {
        memset(&sim->standing, 0, sizeof sim->standing);
        sim->standing.pid = getpid();
        if (sim->claim >= 0)
            (void)close(sim->claim); /* the parent's */
        sim->claim = -1;
    }
    return OUTCOME_OK;
}

void operation_end(struct operation *operation)
{
    (void)atomic_fetch_add_explicit(&operation->sim->turn, 1, memory_order_release);
    operation->transport.ops->end(&operation->transport);
}

/* Learns that the card does not take the short way to a key: that what stood on it was not good
 * enough. */
static void learn(struct operation *operation, const struct job *job, const struct report *why)
{
    struct learnt *learnt = &operation->sim->learnt;

    if (!job->pin || operation->fresh || why->sw == 0 || why->sw == 0x6881)
        return;
    if (why->sw == 0x6982)
        learnt->pin_refused++;
    else if (operation->sim->standing.environment.set)
        learnt->environment_refused++;
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
        if (outcome != OUTCOME_OK) {
            *again = may_be_stale(&operation, outcome, why);
            learn(&operation, job, why);
        }
        settle(&operation, job, outcome, why);
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
