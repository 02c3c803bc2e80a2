/* SPDX-License-Identifier: Apache-2.0 */
/* A person's operations on the PIN of mIAS's applet, each as one taking of the SIM. The rules are in
 * applet/pin.c. */
#include "apdu/token_mias.h"

#include "apdu/applet/mias.h"
#include "apdu/session/session.h"
#include "modem/cme.h"

struct status_work {
    struct token_pin *state;
    size_t refused;
};

static enum outcome pin_status_work(struct operation *operation, void *arg, struct report *why)
{
    struct status_work *work = arg;
    enum outcome outcome = operation_prove_class(operation, why);

    work->refused = operation_refusals(operation);
    return outcome == OUTCOME_OK ? pin_state(&operation->card, PIN_APPLET, work->state, why)
                                 : outcome;
}

enum outcome mias_pin_status(struct sim *sim, struct token_pin *state, size_t *refused,
                             struct deadline deadline, struct report *why)
{
    /* fresh: the channel that programs share may be verified, and does not tell the tries then */
    const struct job job = {.deadline = &deadline, .applet = &applet_mias, .fresh = true};
    struct status_work work = {.state = state};
    enum outcome outcome = session_run(sim, &job, pin_status_work, &work, why);

    *refused = work.refused;
    return outcome;
}

struct attempt_work {
    const char *pin;
    const struct pin_identity *source;
    bool spend_last;
    struct token_pin *state;
    char *stuck;
};

/* True where the modem says that it did not hand the PIN on, and the SIM tells as many tries as before. */
static bool not_counted(struct operation *operation, const struct token_pin *before,
                        struct report *why)
{
    const int cme = why->cme;
    struct token_pin now;
    struct report ignored = REPORT_INIT;

    if (why->outcome != OUTCOME_CARRIER_REFUSED || !cme_is_refusal(cme) || before->left < 1 ||
        pin_state(&operation->card, PIN_APPLET, &now, &ignored) != OUTCOME_OK ||
        now.left != before->left)
        return false;
    (void)report_set(why, OUTCOME_CARRIER_REFUSED,
                     "%s did not reach the SIM, which has as many tries as before: the modem "
                     "refused to pass it on (+CME ERROR: %d); try again, the next time it goes "
                     "another way if the modem has one",
                     pin_name(PIN_APPLET), cme);
    why->cme = cme;
    return true;
}

static enum outcome attempt_work(struct operation *operation, void *arg, struct report *why)
{
    const struct attempt_work *work = arg;
    enum outcome outcome = operation_prove_class(operation, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    outcome =
        pin_attempt(&operation->card, PIN_APPLET, work->pin, work->spend_last, work->state, why);
    if (outcome == OUTCOME_OK)
        operation_forgive(operation, work->stuck, TOKEN_PATH_SIZE);
    else if (operation->selection.passed && !not_counted(operation, work->state, why) &&
             work->source != NULL)
        operation_refused(operation, work->source);
    return outcome;
}

enum outcome mias_pin_verify(struct sim *sim, const char *pin, const struct pin_identity *source,
                             bool spend_last, struct token_pin *state, char *stuck,
                             struct deadline deadline, struct report *why)
{
    /* once: a second start would try the PIN a second time; fresh: see mias_pin_status */
    const struct job job = {
        .deadline = &deadline, .applet = &applet_mias, .fresh = true, .once = true};
    struct attempt_work work = {pin, source, spend_last, state, stuck};

    return session_run(sim, &job, attempt_work, &work, why);
}

struct change_work {
    const char *old_pin, *new_pin;
    bool *sent;
};

static enum outcome change_work(struct operation *operation, void *arg, struct report *why)
{
    const struct change_work *work = arg;
    char ignored[TOKEN_PATH_SIZE];
    enum outcome outcome = operation_prove_class(operation, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = pin_change(&operation->card, work->old_pin, work->new_pin, work->sent, why);
    if (outcome == OUTCOME_OK) /* the old one was right */
        operation_forgive(operation, ignored, sizeof ignored);
    return outcome;
}

enum outcome mias_pin_change(struct sim *sim, const char *old_pin, const char *new_pin, bool *sent,
                             struct deadline deadline, struct report *why)
{
    const struct job job = {
        .deadline = &deadline, .applet = &applet_mias, .fresh = true, .once = true};
    struct change_work work = {old_pin, new_pin, sent};

    return session_run(sim, &job, change_work, &work, why);
}
