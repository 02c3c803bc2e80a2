/* SPDX-License-Identifier: Apache-2.0 */
/* A SIM's life in this process, the questions to its modem, and raw APDUs. */
#include "apdu/sim.h"

#include "apdu/card/file.h"
#include "apdu/session/channel.h"
#include "apdu/session/session.h"
#include "modem/cme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long a program's end may take: the last user closes the channel, another one only leaves the list. */
#define LEAVE_MS       450
#define SHORT_LEAVE_MS 100
/* How long the line may have to be quiet before that, for an answer that may still come. */
#define LEAVE_QUIET_MS 100
/* How long a program with a channel of its own (SAFE2) waits for its turn to close it: other programs may
 * not know of that channel. */
#define LEAVE_OWN_MS 5000

enum outcome sim_new(struct sim **made, const struct settings *settings, struct report *why)
{
    struct sim *sim = NULL;
    enum outcome outcome;

    *made = NULL;
    if (settings->device == NULL)
        return report_set(why, OUTCOME_USAGE,
                          "no device is set: name the modem's port by a line `device = ` in "
                          "/etc/simkey/simkey.conf, by SIMKEY_DEVICE or by --device");
    sim = calloc(1, sizeof *sim);
    if (sim == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    outcome = settings_copy(&sim->settings, settings, why);
    if (outcome != OUTCOME_OK) {
        free(sim);
        return outcome;
    }
    atomic_init(&sim->references, 1);
    sim->mine_pid = getpid();
    sim->quirks.max_read = APDU_LE_ALL;
    *made = sim;
    return OUTCOME_OK;
}

struct sim *sim_ref(struct sim *sim)
{
    (void)atomic_fetch_add(&sim->references, 1);
    return sim;
}

/* Leaves the users of the shared channels; the last one of each closes it. */
static void leave(struct operation *operation)
{
    struct record *record = &operation->record;
    struct sim *sim = operation->sim;

    if (sim->joined == getpid()) {
        (void)record_leave_for(record, sim->acts_for != 0 ? sim->acts_for : getpid());
        for (int which = 0; which < RECORD_CHANNELS; which++) {
            struct channel_state *state = record_channel(record, (enum record_channel)which);

            if (record_users(record, (enum record_channel)which) == 0 && !state->kept)
                state->broken = state->level > LEVEL_CLOSED;
        }
    }
    sim->joined = 0;
}

/* How long the device may be waited for. To leave the list of users is worth a short wait only: the others
 * take out a process that has ended. */
static int leave_within(const struct sim *sim, bool own)
{
    if (own)
        return LEAVE_OWN_MS;
    return sim->unsaved.count == 0 && sim->others ? SHORT_LEAVE_MS : LEAVE_MS;
}

void sim_close(struct sim *sim)
{
    bool mine = sim->mine_pid == getpid();
    bool own = mine && sim->mine.level > LEVEL_CLOSED;
    struct operation operation;
    struct report ignored = REPORT_INIT;

    if (!own && !(mine && sim->unsaved.count > 0) && sim->joined != getpid())
        return;
    if (operation_begin(&operation, sim, deadline_in(leave_within(sim, own)), &ignored) ==
        OUTCOME_OK) {
        /* the device is ours now: what is said to it takes no longer than ever, and no less */
        operation.deadline = deadline_in(LEAVE_MS);
        operation.card.deadline = operation.deadline;
        leave(&operation);
        sim->mine.broken = own;
        operation_close(&operation, LEAVE_QUIET_MS);
    }
    operation_end(&operation);
}

bool sim_in_use(const struct sim *sim)
{
    return atomic_load(&sim->under_way) > 0;
}

void sim_free(struct sim *sim)
{
    if (sim == NULL || atomic_fetch_sub(&sim->references, 1) != 1)
        return;
    sim_close(sim);
    settings_clear(&sim->settings);
    free(sim->family_state);
    free(sim);
}

static enum outcome shut_work(struct operation *operation, void *arg, struct report *why)
{
    (void)why;
    channel_sweep(operation, arg);
    return OUTCOME_OK;
}

enum outcome sim_shut(struct sim *sim, struct sim_found *found, struct report *why)
{
    const struct job job = {.applet = NULL, .sweeps = true};

    memset(found, 0, sizeof *found);
    return session_run(sim, &job, shut_work, found, why);
}

void sim_limit(struct sim *sim, struct deadline limit)
{
    sim->limited = true;
    sim->limit = limit;
}

void sim_reach_by(struct sim *sim, const struct transport_ops *transport)
{
    sim->transport = transport;
}

void sim_act_for(struct sim *sim, pid_t pid)
{
    sim->acts_for = pid;
    sim->joined = getpid();
}

void sim_ask_before(struct sim *sim, bool (*wanted)(void *arg), void *arg)
{
    sim->wanted = wanted;
    sim->wanted_arg = arg;
}

const struct settings *sim_settings(const struct sim *sim)
{
    return &sim->settings;
}

void sim_forget(struct sim *sim)
{
    atomic_store(&sim->forget, true);
}

struct identity_answer {
    struct modem_identity *identity;
    char *iccid;
};

/* Where no modem tells the ICCID, the card does, on a channel. A modem that does not tell is asked
 * nothing more. A SIM that stayed busy would be for whatever follows, too. */
static enum outcome ask_iccid(struct operation *operation, char iccid[ICCID_SIZE],
                              struct report *why)
{
    static const struct applet none = {.name = "the card", .kind = SELECTED_NOTHING};
    enum outcome outcome = transport_iccid(&operation->transport, iccid, operation->deadline, why);

    if (outcome == OUTCOME_REFUSED || (outcome == OUTCOME_TIMEOUT && !cme_is_busy(why->cme) &&
                                       !(operation->transport.events & EVENT_LATE)))
        return OUTCOME_OK;
    if (outcome != OUTCOME_UNSUPPORTED)
        return outcome;
    operation->current = &operation->oneshot;
    outcome = channel_ensure(operation, &none, NULL, why);
    memcpy(iccid, operation->current->iccid, ICCID_SIZE);
    return outcome;
}

static enum outcome identity_work(struct operation *operation, void *arg, struct report *why)
{
    struct identity_answer *answer = arg;
    struct transport *transport = &operation->transport;
    enum outcome outcome =
        transport->ops->identity(transport, answer->identity, operation->deadline, why);

    return outcome == OUTCOME_OK ? ask_iccid(operation, answer->iccid, why) : outcome;
}

enum outcome sim_identity(struct sim *sim, struct modem_identity *identity, char iccid[ICCID_SIZE],
                          struct report *why)
{
    const struct job job = {.applet = NULL};
    struct identity_answer answer = {identity, iccid};

    return session_run(sim, &job, identity_work, &answer, why);
}

static enum outcome iccid_work(struct operation *operation, void *arg, struct report *why)
{
    return ask_iccid(operation, arg, why);
}

enum outcome sim_iccid(struct sim *sim, char iccid[ICCID_SIZE], struct deadline deadline,
                       struct report *why)
{
    const struct job job = {.applet = NULL, .deadline = &deadline};

    iccid[0] = '\0';
    return session_run(sim, &job, iccid_work, iccid, why);
}

static enum outcome card_iccid_work(struct operation *operation, void *arg, struct report *why)
{
    static const struct applet none = {.name = "the card", .kind = SELECTED_NOTHING};
    enum outcome outcome;

    operation->current = &operation->oneshot;
    outcome = channel_ensure(operation, &none, NULL, why);
    if (outcome == OUTCOME_OK && operation->current->iccid[0] == '\0')
        outcome = channel_iccid(operation, why);
    memcpy(arg, operation->current->iccid, ICCID_SIZE);
    return outcome;
}

enum outcome sim_card_iccid(struct sim *sim, char iccid[ICCID_SIZE], struct report *why)
{
    const struct job job = {.applet = NULL};

    iccid[0] = '\0';
    return session_run(sim, &job, card_iccid_work, iccid, why);
}

static enum outcome registration_work(struct operation *operation, void *arg, struct report *why)
{
    return transport_registration(&operation->transport, arg, operation->deadline, why);
}

enum outcome sim_registration(struct sim *sim, enum registration *state, struct report *why)
{
    const struct job job = {.applet = NULL};

    return session_run(sim, &job, registration_work, state, why);
}

struct probe {
    const struct applet *applet;
    enum carrier *carrier;
};

/* Opens the channel by itself, to learn how far that went. */
static enum outcome probe_work(struct operation *operation, void *arg, struct report *why)
{
    const struct probe *probe = arg;
    struct line_state *line = &operation->sim->line;
    enum carrier before = line->carrier;
    enum outcome outcome;

    line->carrier = CARRIER_AUTO;
    outcome = channel_ensure(operation, probe->applet, NULL, why);
    *probe->carrier = line->carrier;
    if (line->carrier == CARRIER_AUTO)
        line->carrier = before;
    return outcome;
}

enum outcome sim_probe(struct sim *sim, const uint8_t *aid, size_t aid_length, const char *name,
                       enum carrier *carrier, struct report *why)
{
    const struct applet applet = {
        .aid = aid, .aid_length = aid_length, .name = name, .kind = SELECTED_OTHER};
    const struct job job = {.applet = NULL, .fresh = true};
    struct probe probe = {&applet, carrier};

    *carrier = CARRIER_AUTO;
    return session_run(sim, &job, probe_work, &probe, why);
}

/* The four cases of ISO 7816-4, 5.1. Returns false for what is none of them. */
static bool parse_command(const uint8_t *bytes, size_t length, struct apdu *command)
{
    if (length < 4 || length > APDU_COMMAND_SIZE)
        return false;
    *command = (struct apdu){.cla = (uint8_t)(bytes[0] & ~0x03),
                             .ins = bytes[1],
                             .p1 = bytes[2],
                             .p2 = bytes[3],
                             .le = APDU_LE_NONE,
                             .timeout_ms = APDU_TIMEOUT_KEY_MS};
    if (length == 4)
        return true;
    if (length == 5) {
        command->le = bytes[4] == 0 ? APDU_LE_ALL : bytes[4];
        return true;
    }
    command->lc = bytes[4];
    command->data = bytes + 5;
    if (command->lc == 0 || length < 5 + command->lc || length > 6 + command->lc)
        return false;
    if (length == 6 + command->lc)
        command->le = bytes[length - 1] == 0 ? APDU_LE_ALL : bytes[length - 1];
    return true;
}

static enum outcome refuse_pin(size_t index, struct report *why)
{
    return report_set(
        why, OUTCOME_USAGE,
        "APDU number %zu is a PIN command, which may block the SIM: use simkey pin, or "
        "add --force",
        index + 1);
}

static enum outcome raw_work(struct operation *operation, void *arg, struct report *why)
{
    const struct sim_raw *raw = arg;
    enum outcome outcome = OUTCOME_OK;
    struct answer answer = {.length = 0};
    struct sim_answer shown;
    bool more = true;

    for (size_t i = 0; i < raw->count && more && outcome == OUTCOME_OK; i++) {
        struct apdu command;
        bool pin = false;

        if (!parse_command(raw->commands[i], raw->lengths[i], &command))
            return report_set(why, OUTCOME_USAGE, "APDU number %zu is not a short command APDU",
                              i + 1);
        if (apdu_is_pin(&operation->card, &command)) {
            outcome = raw->pins ? operation_prove_class(operation, why) : refuse_pin(i, why);
            pin = true;
        }
        if (outcome == OUTCOME_OK && pin)
            outcome = operation->card.before_pin(operation->card.arg, why);
        if (outcome == OUTCOME_OK)
            outcome = apdu_send(&operation->card, &command, &answer, why);
        if (outcome != OUTCOME_OK)
            break;
        memcpy(shown.data, answer.data, answer.length);
        shown.length = answer.length;
        shown.sw = answer.sw;
        more = raw->got(raw->arg, i, &shown);
    }
    answer_clear(&answer);
    explicit_bzero(&shown, sizeof shown);
    return outcome;
}

/* By what is asked for, before anything is sent: what is selected is seen again then. */
enum outcome sim_raw_check(const struct sim *sim, const struct sim_raw *raw, struct report *why)
{
    const struct card card = {.iotsafe = sim->settings.aid,
                              .iotsafe_length = sim->settings.aid_length};
    bool pinless = card_is_iotsafe(&card, raw->aid, raw->aid_length);

    for (size_t i = 0; i < raw->count; i++) {
        const uint8_t *bytes = raw->commands[i];

        if (raw->lengths[i] > 5 && bytes[1] == 0xA4)
            pinless = bytes[2] == 0x04 && raw->lengths[i] >= 5 + (size_t)bytes[4] &&
                      card_is_iotsafe(&card, bytes + 5, bytes[4]);
        if (apdu_pin_instruction(bytes[1]) && !raw->pins &&
            !(pinless && apdu_iotsafe_instruction(bytes[1])))
            return refuse_pin(i, why);
    }
    return OUTCOME_OK;
}

enum outcome sim_raw(struct sim *sim, const struct sim_raw *raw, struct report *why)
{
    const struct applet applet = {.aid = raw->aid,
                                  .aid_length = raw->aid_length,
                                  .name = "that applet",
                                  .kind = SELECTED_OTHER};
    const struct job job = {.applet = &applet, .fresh = true, .once = raw->count > 0};
    struct sim_raw copy = *raw;

    return session_run(sim, &job, raw_work, &copy, why);
}
