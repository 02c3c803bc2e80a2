/* SPDX-License-Identifier: Apache-2.0 */
/* The SAFE2 applet's commands. What to do with states and when lives in the safe2 command. */
#include "apdu/safe2/applet.h"

#include "apdu/aid.h"
#include "apdu/session/session.h"

#include <string.h>

#define INS_GET_DATA 0xCA
#define INS_STATE    0xCC
#define INS_PUT_DATA 0xDA

#define STATE_DONE  0x0003
#define STATE_READY 0x0007
#define STATE_ERROR 0x000F

#define STATE_SIZE 4 /* state and result, two bytes each, big endian */

static const struct apdu ask_receiving = {
    .ins = INS_STATE, .p1 = SAFE2_RECEIVING, .le = APDU_LE_ALL, .repeatable = true};

static const struct applet applet_safe2 = {.aid = safe2_aid,
                                           .aid_length = sizeof safe2_aid,
                                           .name = "the SAFE2 applet",
                                           .probe = &ask_receiving,
                                           .kind = SELECTED_OTHER};

static const struct job safe2_job = {.applet = &applet_safe2};

enum safe2_phase safe2_phase(const struct safe2_status *status)
{
    if (status->state == STATE_READY)
        return SAFE2_READY;
    if (status->state == STATE_DONE)
        return status->result == 0 ? SAFE2_DONE : SAFE2_FAILED;
    return status->state == STATE_ERROR ? SAFE2_FAILED : SAFE2_BUSY;
}

/* Asks with the fifth byte 00, or without it if the card wants that. */
static enum outcome ask_state(const struct card *card, enum safe2_job which,
                              struct safe2_status *status, struct report *why)
{
    struct apdu ask = ask_receiving;
    struct answer answer;
    enum outcome outcome;

    ask.p1 = (uint8_t)which;
    outcome = apdu_send(card, &ask, &answer, why);
    memset(status, 0, sizeof *status);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (answer.sw == 0x6D00 && which == SAFE2_SENDING)
        return OUTCOME_OK; /* applets before December 2021 */
    if (answer.sw != SW_OK)
        return apdu_refused(&answer, "ask for the state of the job", why);
    if (answer.length != STATE_SIZE)
        apdu_doubt(card);
    if (answer.length != STATE_SIZE)
        return report_set(why, OUTCOME_BAD_DATA, "the SAFE2 applet returned a state of %zu bytes",
                          answer.length);
    status->known = true;
    status->state = (uint16_t)(answer.data[0] << 8 | answer.data[1]);
    status->result = (uint16_t)(answer.data[2] << 8 | answer.data[3]);
    return OUTCOME_OK;
}

/* A job to start: the id, then the command. */
struct start {
    const uint8_t *id;
    size_t id_length;
    struct apdu command;
    enum safe2_job which;
    bool started; /* the command was sent, perhaps without hearing the answer */
};

static enum outcome set_id(const struct card *card, const struct start *start, struct report *why)
{
    const struct apdu command = {.ins = INS_PUT_DATA,
                                 .p1 = 0x02,
                                 .p2 = 0xC0,
                                 .data = start->id,
                                 .lc = start->id_length,
                                 .le = APDU_LE_NONE};
    struct answer answer;
    enum outcome outcome = apdu_send(card, &command, &answer, why);

    if (outcome == OUTCOME_OK && answer.sw != SW_OK)
        outcome = apdu_refused(&answer, "set the device id", why);
    return outcome;
}

/* A job that is under way. 0000 is no state of one: nothing was asked for yet. */
static bool running(const struct safe2_status *status)
{
    return status->known && status->state != 0 && safe2_phase(status) == SAFE2_BUSY;
}

/* A refusal with the reason that it most likely has. */
static enum outcome say_running(const struct card *card, struct report *why)
{
    static const enum safe2_job jobs[] = {SAFE2_RECEIVING, SAFE2_SENDING};
    struct report refusal = *why;
    struct safe2_status status = {.known = false};

    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++)
        if (ask_state(card, jobs[i], &status, why) == OUTCOME_OK && running(&status))
            return report_set(why, OUTCOME_REFUSED,
                              "the applet refuses (SW %04X): a job is already running (state %04X, "
                              "result %04X); wait for its end",
                              refusal.sw, status.state, status.result);
    *why = refusal;
    return why->outcome;
}

/* The command was sent in the try before, but its answer was not heard. *taken: the applet has it.
 */
static enum outcome was_it_taken(const struct card *card, const struct start *start, bool *taken,
                                 struct report *why)
{
    struct safe2_status status = {.known = false};
    enum outcome outcome = ask_state(card, start->which, &status, why);

    *taken = outcome == OUTCOME_OK && running(&status);
    if (outcome == OUTCOME_OK && !*taken && start->which == SAFE2_SENDING)
        return report_set(
            why, OUTCOME_REFUSED,
            "the SIM did not say whether it took the telemetry: it may have been sent "
            "or not; look at the server before it is sent again");
    return outcome;
}

static enum outcome start_work(struct operation *operation, void *arg, struct report *why)
{
    struct start *start = arg;
    const struct card *card = &operation->card;
    struct answer answer;
    bool taken = false;
    enum outcome outcome = OUTCOME_OK;

    if (start->started)
        outcome = was_it_taken(card, start, &taken, why);
    if (outcome != OUTCOME_OK || taken)
        return outcome;
    outcome = set_id(card, start, why);
    if (outcome == OUTCOME_OK) {
        start->started = true;
        outcome = apdu_send(card, &start->command, &answer, why);
        if (outcome == OUTCOME_OK && answer.sw == SW_OK)
            return OUTCOME_OK;
        if (outcome == OUTCOME_OK) {
            start->started = false;
            outcome = apdu_refused(&answer, "start the job", why);
        }
    }
    /* on a channel that was taken over a refusal says nothing about jobs */
    if (outcome == OUTCOME_REFUSED && operation->just_selected)
        outcome = say_running(card, why);
    return outcome;
}

static enum outcome start_job(struct sim *sim, struct start *start, struct report *why)
{
    if (start->id_length < 1 || start->id_length > SAFE2_ID_MAX)
        return report_set(why, OUTCOME_USAGE, "a device id must have 1 to %d bytes", SAFE2_ID_MAX);
    return session_run(sim, &safe2_job, start_work, start, why);
}

enum outcome safe2_request(struct sim *sim, const uint8_t *id, size_t id_length, struct report *why)
{
    struct start start = {
        .id = id,
        .id_length = id_length,
        .command = {.ins = INS_GET_DATA, .le = APDU_LE_ALL},
        .which = SAFE2_RECEIVING,
    };

    return start_job(sim, &start, why);
}

enum outcome safe2_send(struct sim *sim, const uint8_t *id, size_t id_length, const uint8_t *data,
                        size_t length, struct report *why)
{
    struct start start = {
        .id = id,
        .id_length = id_length,
        .command = {.ins = INS_PUT_DATA,
                    .p1 = 0x02,
                    .p2 = 0xC1,
                    .data = data,
                    .lc = length,
                    .le = APDU_LE_NONE},
        .which = SAFE2_SENDING,
    };

    if (length < 1 || length > SAFE2_SEND_MAX)
        return report_set(why, OUTCOME_USAGE,
                          "a telemetry message must have 1 to %d bytes, not %zu", SAFE2_SEND_MAX,
                          length);
    return start_job(sim, &start, why);
}

struct question {
    enum safe2_job which;
    struct safe2_status *status;
};

static enum outcome status_work(struct operation *operation, void *arg, struct report *why)
{
    const struct question *question = arg;
    enum outcome outcome = ask_state(&operation->card, question->which, question->status, why);

    /* a channel that was taken over does not know the question either: let a new one decide */
    if (outcome == OUTCOME_OK && !question->status->known && !operation->just_selected)
        outcome = report_sw(why, OUTCOME_REFUSED, 0x6D00,
                            "the applet does not know the command that asks for the state");
    return outcome;
}

enum outcome safe2_status(struct sim *sim, enum safe2_job which, struct safe2_status *status,
                          struct report *why)
{
    struct question question = {which, status};

    return session_run(sim, &safe2_job, status_work, &question, why);
}

struct fetch {
    uint8_t *data;
    size_t *length;
};

/* True if these bytes are what the question for the state is answered while data are ready: most
 * likely that answer, come late. */
static bool like_a_state(const struct answer *answer)
{
    static const uint8_t ready[STATE_SIZE] = {STATE_READY >> 8, STATE_READY & 0xFF, 0, 0};

    return answer->length == STATE_SIZE && memcmp(answer->data, ready, STATE_SIZE) == 0;
}

static enum outcome fetch_work(struct operation *operation, void *arg, struct report *why)
{
    const struct fetch *fetch = arg;
    const struct apdu command = {.ins = INS_GET_DATA,
                                 .p1 = 0x01,
                                 .le = APDU_LE_ALL,
                                 .secrecy = SECRET_ANSWER,
                                 .repeatable = true};
    struct answer answer;
    enum outcome outcome = apdu_send(&operation->card, &command, &answer, why);

    if (outcome == OUTCOME_OK && answer.sw != SW_OK)
        outcome = apdu_refused(&answer, "fetch the configuration", why);
    else if (outcome == OUTCOME_OK && (answer.length == 0 || answer.length > SAFE2_DATA_MAX))
        outcome = report_set(why, OUTCOME_REFUSED, "the SIM returned a configuration of %zu bytes",
                             answer.length);
    else if (outcome == OUTCOME_OK && like_a_state(&answer) && !operation->again)
        outcome = report_set(why, OUTCOME_LOST,
                             "the SIM returned the state of the job in place of the configuration");
    if (outcome == OUTCOME_OK) {
        memcpy(fetch->data, answer.data, answer.length);
        *fetch->length = answer.length;
    }
    answer_clear(&answer);
    return outcome;
}

enum outcome safe2_fetch(struct sim *sim, uint8_t *data, size_t *length, struct report *why)
{
    uint8_t fetched[SAFE2_DATA_MAX]; /* not the caller's before the answer is beyond doubt */
    size_t fetched_length = 0;
    struct fetch fetch = {fetched, &fetched_length};
    enum outcome outcome = session_run(sim, &safe2_job, fetch_work, &fetch, why);

    if (outcome == OUTCOME_OK) {
        memcpy(data, fetched, fetched_length);
        *length = fetched_length;
    }
    explicit_bzero(fetched, sizeof fetched);
    return outcome;
}
