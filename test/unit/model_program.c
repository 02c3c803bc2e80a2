/* SPDX-License-Identifier: Apache-2.0 */
/* The model's programs: each is a process with a SIM of its own, which takes a step when it is told
 * to and otherwise waits, as a service does between two signatures. */
#include "apdu/safe2/applet.h"
#include "apdu/token.h"
#include "test/fuzz/line.h"
#include "test/unit/model.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_MS   60000 /* of real time */
#define FAREWELL  450
#define SLACK_MS  100
#define KEY_EC    256
#define TRUE_PIN  "0000"
#define WRONG_PIN "9999"

const char *program_name(int program)
{
    static const char *const names[PROGRAMS] = {
        [PROGRAM_SERVICE] = "service", [PROGRAM_SECOND] = "second", [PROGRAM_LITERAL] = "literal",
        [PROGRAM_NO_PIN] = "no-pin",   [PROGRAM_OTHER] = "other",   [PROGRAM_ALONE] = "private",
    };

    return names[program];
}

const char *act_name(enum model_act act)
{
    static const char *const names[ACTS] = {
        [ACT_SIGN] = "signs",
        [ACT_IOTSAFE] = "signs by IoT SAFE",
        [ACT_RANDOM] = "takes random bytes",
        [ACT_STATE] = "asks the PIN's state",
        [ACT_PERSON] = "pin verify",
        [ACT_SAFE2] = "asks SAFE2",
        [ACT_PROBE] = "looks for an applet",
        [ACT_IDENTITY] = "asks the modem",
        [ACT_CLOSE] = "simkey close",
        [ACT_END] = "ends",
    };

    return names[act];
}

/* ---- in the program's process ---- */

static void set(struct settings *settings, const char *name, const char *value)
{
    struct report why = REPORT_INIT;

    if (settings_set(settings, name, value, &why) != OUTCOME_OK)
        abort();
}

static struct sim *make_sim(const struct model *model, int program)
{
    static const char *const sessions[] = {"shared", "keep", "private"};
    struct report why = REPORT_INIT;
    struct settings settings;
    struct sim *sim;

    settings_init(&settings);
    set(&settings, "device", LINE_DEVICE);
    set(&settings, "run-dir", model->run_dir);
    set(&settings, "session", sessions[model->session[program]]);
    if (card_source(program) == SOURCE_SHARED_FILE)
        set(&settings, "pin-source", model->shared_file);
    else if (card_source(program) == SOURCE_OTHER_FILE)
        set(&settings, "pin-source", model->other_file);
    else if (card_source(program) == SOURCE_LITERAL)
        set(&settings, "pin", TRUE_PIN);
    settings.timeout = MODEL_TIMEOUT_S;
    if (sim_new(&sim, &settings, &why) != OUTCOME_OK)
        abort();
    settings_clear(&settings);
    return sim;
}

/* Signs, and if it is another's signature once more from the start, as the provider does. */
static enum outcome sign(struct model *model, struct sim *sim, struct report *why)
{
    struct model_step *step = &model->step;
    struct token_key key = {
        .name = {.id_length = 1, .id = {step->key}}, .type = TOKEN_EC, .bits = KEY_EC};
    const struct token_digest digest = {TOKEN_ECDSA, TOKEN_SHA256, step->digest, MODEL_DIGEST};
    struct deadline deadline = sim_deadline(sim);
    uint8_t signature[TOKEN_SIGNATURE_MAX], wanted[MODEL_SIGNATURE];
    size_t length;

    if (step->iccid)
        memcpy(key.iccid, model->sims[step->sim].iccid, strlen(model->sims[step->sim].iccid) + 1);
    if (step->act == ACT_IOTSAFE) {
        key.name.container = TOKEN_CONTAINER_NONE;
        key.name.applet = TOKEN_APPLET_IOTSAFE;
    }
    card_signature(step->sim, step->key, step->digest, wanted);
    for (int i = 0; i < 2; i++) {
        enum outcome outcome = token_sign(sim, &key, &digest, signature, &length, deadline, why);

        if (outcome != OUTCOME_OK)
            return outcome;
        if (length == MODEL_SIGNATURE && memcmp(signature, wanted, MODEL_SIGNATURE) == 0)
            return OUTCOME_OK;
        step->unproven++;
        model_note(model, "    (another key's signature, or of another digest)");
        sim_forget(sim);
    }
    return report_set(why, OUTCOME_BAD_DATA, "the signature is not the key's");
}

static enum outcome person(struct model *model, struct sim *sim, struct report *why)
{
    struct model_step *step = &model->step;
    char stuck[TOKEN_PATH_SIZE];
    struct token_pin state;

    return token_pin_verify(sim, step->right_pin ? model->sims[model->sim].pin : WRONG_PIN, NULL,
                            false, &state, stuck, why);
}

static enum outcome probe(struct sim *sim, struct report *why)
{
    static const uint8_t aid[] = {0xF0, 0x70, 0x6F, 0x64, 0x67, 0x73, 0x61, 0x66, 0x65, 0x32};
    enum carrier carrier;

    return sim_probe(sim, aid, sizeof aid, "an applet", &carrier, why);
}

static enum outcome operate(struct model *model, struct sim *sim, struct report *why)
{
    char iccid[ICCID_SIZE];
    struct safe2_status status;
    struct token_pin state;
    uint8_t bytes[16];
    struct sim_found found;

    switch (model->step.act) {
    case ACT_SIGN:
    case ACT_IOTSAFE:
        return sign(model, sim, why);
    case ACT_RANDOM:
        return token_random(sim, bytes, sizeof bytes, why);
    case ACT_STATE:
        return token_pin_status(sim, &state, NULL, why);
    case ACT_PERSON:
        return person(model, sim, why);
    case ACT_SAFE2:
        return safe2_status(sim, SAFE2_RECEIVING, &status, why);
    case ACT_PROBE:
        return probe(sim, why);
    case ACT_IDENTITY:
        return sim_iccid(sim, iccid, sim_deadline(sim), why);
    case ACT_CLOSE:
        return sim_shut(sim, &found, why);
    case ACT_END:
        sim_free(sim);
        return OUTCOME_OK;
    case ACTS:
        break;
    }
    return OUTCOME_USAGE;
}

static void take_step(struct model *model, struct sim *sim)
{
    struct model_step *step = &model->step;
    int64_t most = step->act == ACT_END ? FAREWELL : MODEL_TIMEOUT_S * INT64_C(1000);
    struct report why = REPORT_INIT;
    int64_t started = line_now();

    line_count_anew();
    step->outcome = operate(model, sim, &why);
    step->took_ms = line_now() - started;
    memcpy(step->why, why.text,
           sizeof step->why < sizeof why.text ? sizeof step->why : sizeof why.text);
    step->why[sizeof step->why - 1] = '\0';
    if (step->took_ms > most + SLACK_MS)
        model_fail(model, "it took %lld ms instead of %lld", (long long)step->took_ms,
                   (long long)most);
    if (step->outcome != OUTCOME_OK && (why.text[0] == '\0' || why.outcome != step->outcome))
        model_fail(model, "it failed (%d) without a sentence", (int)step->outcome);
}

static _Noreturn void run_program(struct model *model, int program, int orders)
{
    struct sim *sim = make_sim(model, program);
    bool ended = false;
    char order;

    while (!ended && read(orders, &order, 1) == 1) {
        ended = model->step.act == ACT_END;
        take_step(model, sim);
        if (write(orders, &order, 1) != 1)
            break;
    }
    _exit(0);
}

/* ---- in the walk's ---- */

static void start_program(struct model *model, int program, struct program *started)
{
    int line[2];
    pid_t walker = getpid();

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) != 0) {
        model_fail(model, "no socket: %s", strerror(errno));
        return;
    }
    started->pid = fork();
    if (started->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != walker)
            _exit(1);
        (void)close(line[0]);
        run_program(model, program, line[1]);
    }
    (void)close(line[1]);
    started->line = line[0];
    model->alive[program] = true;
}

static void reap_program(struct model *model, int program, struct program *program_)
{
    int status = 0;

    (void)close(program_->line);
    (void)waitpid(program_->pid, &status, 0);
    program_->pid = 0;
    model->alive[program] = false;
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        model_fail(model, "the program died by signal %d", WTERMSIG(status));
}

bool program_step(struct model *model, struct program programs[PROGRAMS])
{
    struct program *program = &programs[model->step.program];
    struct pollfd answer;
    char order = 'x';

    if (program->pid == 0)
        start_program(model, model->step.program, program);
    if (program->pid == 0)
        return false;
    answer = (struct pollfd){.fd = program->line, .events = POLLIN};
    if (write(program->line, &order, 1) != 1 || poll(&answer, 1, HANG_MS) != 1) {
        model_fail(model, "the program hangs");
        (void)kill(program->pid, SIGKILL);
    }
    if (read(program->line, &order, 1) == 1 && model->step.act != ACT_END)
        return true;
    reap_program(model, model->step.program, program);
    return model->step.act == ACT_END;
}

void programs_kill(struct model *model, struct program programs[PROGRAMS])
{
    for (int i = 0; i < PROGRAMS; i++) {
        if (programs[i].pid == 0)
            continue;
        (void)kill(programs[i].pid, SIGKILL);
        reap_program(model, i, &programs[i]);
    }
}
