/* SPDX-License-Identifier: Apache-2.0 */
/* The model's walk: which steps are taken, and what happens between them. */
#include "test/fuzz/line.h"
#include "test/unit/model.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAULT_LINES      11    /* a cold signature has more, a warm one two */
#define SETTLED_MS       60000 /* whatever was late has come */
#define PERSON_LEAST     2
#define RESTART_TAKES_MS 3000 /* a modem is never faster */

unsigned model_random(struct model *model, unsigned below)
{
    uint64_t z = model->random += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 */

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return below > 0 ? (unsigned)((z ^ z >> 31) % below) : 0;
}

static bool one_in(struct model *model, unsigned n)
{
    return model_random(model, n) == 0;
}

void model_note(struct model *model, const char *format, ...)
{
    char *text = model->dialogue[model->steps % MODEL_STEPS_SHOWN];
    size_t used = strlen(text);
    va_list args;

    if (used + 2 >= MODEL_DIALOGUE_SIZE)
        return;
    va_start(args, format);
    (void)vsnprintf(text + used, MODEL_DIALOGUE_SIZE - used - 1, format, args);
    va_end(args);
    used = strlen(text);
    text[used] = '\n';
    text[used + 1] = '\0';
}

void model_fail(struct model *model, const char *format, ...)
{
    va_list args;

    if (model->failure[0] == '\0') {
        va_start(args, format);
        (void)vsnprintf(model->failure, sizeof model->failure, format, args);
        va_end(args);
        model_note(model, "    !!! %s", model->failure);
    }
    if (getpid() != model->walker)
        _exit(1);
}

/* ---- what happens between steps ---- */

/* One of the open channels, 0 if there is none. */
static unsigned pick_channel(struct model *model, bool ours)
{
    unsigned count = 0, chosen = 0;

    for (unsigned i = 1; i < MODEL_CHANNELS; i++)
        if (channel_is(model, i, ours) && one_in(model, ++count))
            chosen = i;
    return chosen;
}

static unsigned count_channels(const struct model *model, bool ours)
{
    unsigned count = 0;

    for (unsigned i = 1; i < MODEL_CHANNELS; i++)
        count += channel_is(model, i, ours);
    return count;
}

/* A PIN file that is written anew is another source, which its time tells. */
static void write_pin(struct model *model, const char *path, const char *pin)
{
    const struct timespec times[2] = {{.tv_sec = 1000000 + model->file_time, .tv_nsec = 0},
                                      {.tv_sec = 1000000 + model->file_time, .tv_nsec = 0}};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    model->file_time++;
    if (fd < 0 || dprintf(fd, "%s\n", pin) < 0 || futimens(fd, times) != 0)
        model_fail(model, "cannot write %s", path);
    if (fd >= 0)
        (void)close(fd);
}

static void write_other_pin(struct model *model)
{
    (void)snprintf(model->other_pin, sizeof model->other_pin, "%s",
                   one_in(model, 2) ? "0000" : "4321");
    write_pin(model, model->other_file, model->other_pin);
    for (int i = 0; i < MODEL_SIMS; i++)
        model->sims[i].refused[SOURCE_OTHER_FILE] = model->sims[i].doubted[SOURCE_OTHER_FILE] =
            false;
    model_note(model, "  (the PIN file of \"other\" is written: %s)", model->other_pin);
}

/* Opens one for somebody else. Of one whose number stands in the record, because it was a program's
 * before, nobody can say whose it is. */
static void open_for_others(struct model *model)
{
    unsigned number = card_open(model, OPENED_BY_OTHERS);

    if (number == 0)
        return;
    if (record_names(model, number))
        model->channels[number].opener = TAKEN_BY_OTHERS;
    model->channels[number].applet = APPLET_NETWORK;
    model_note(model, "  (another program opens channel %u)", number);
}

static void network_opens(struct model *model)
{

    /* one is left for the programs */
    if (count_channels(model, false) + 1 >= model->last)
        return;
    open_for_others(model);
}

static void disturb_channel(struct model *model, bool steal)
{
    unsigned number = pick_channel(model, true);

    if (number == 0)
        return;
    model_note(model, "  (another program %s channel %u)", steal ? "selects on" : "closes", number);
    if (steal)
        card_steal(model, number);
    else
        card_close(model, number);
    if (!steal && one_in(model, 2))
        network_opens(model);
}

static void kill_one(struct model *model, struct program programs[PROGRAMS])
{
    int program = (int)model_random(model, PROGRAMS);
    struct program only[PROGRAMS] = {0};

    if (programs[program].pid == 0)
        return;
    only[program] = programs[program];
    model_note(model, "  (\"%s\" is killed)", program_name(program));
    programs_kill(model, only);
    programs[program] = only[program];
}

static void happen(struct model *model, struct program programs[PROGRAMS])
{
    unsigned number;
    bool said;

    switch (model_random(model, 12)) {
    case 0:
        disturb_channel(model, true);
        break;
    case 1:
        disturb_channel(model, false);
        break;
    case 2:
        model_note(model, "  (another SIM is put in)");
        card_swap(model);
        break;
    case 3:
    case 4:
        said = one_in(model, 2);
        model_note(model, "  (the modem restarts%s)", said ? "" : " unsaid");
        modem_restart(model, said ? 0 : -1);
        line_wait(RESTART_TAKES_MS);
        break;
    case 5:
        model_note(model, "  (another program turns the echo on)");
        model->echo = true;
        break;
    case 6:
        network_opens(model);
        break;
    case 7:
    case 8:
        number = pick_channel(model, false);
        if (number > 0) {
            model_note(model, "  (another program closes its channel %u)", number);
            card_close(model, number);
        }
        break;
    case 9:
        write_other_pin(model);
        break;
    case 10:
        kill_one(model, programs);
        break;
    default:
        number = model_random(model, 4) == 0 ? SETTLED_MS : model_random(model, 5000);
        model_note(model, "  (%u ms pass)", number);
        line_wait(number);
        break;
    }
}

/* ---- steps ---- */

static enum model_act pick_act(struct model *model)
{
    static const struct {
        enum model_act act;
        unsigned weight;
    } weights[] = {{ACT_SIGN, 42},  {ACT_IOTSAFE, 18}, {ACT_RANDOM, 6}, {ACT_STATE, 4},
                   {ACT_PERSON, 5}, {ACT_SAFE2, 10},   {ACT_PROBE, 2},  {ACT_IDENTITY, 2},
                   {ACT_CLOSE, 4},  {ACT_END, 7}};
    unsigned drawn = model_random(model, 100);
    size_t i = 0;

    while (drawn >= weights[i].weight)
        drawn -= weights[i++].weight;
    return weights[i].act;
}

static void pick_step(struct model *model)
{
    struct model_step *step = &model->step;

    memset(step, 0, sizeof *step);
    step->program = (int)model_random(model, PROGRAMS);
    step->act = pick_act(model);
    step->sim = one_in(model, 8) ? (int)model_random(model, MODEL_SIMS) : model->sim;
    step->iccid = one_in(model, 2);
    step->key = step->act == ACT_IOTSAFE
                    ? (one_in(model, 3) ? IOTSAFE_SECOND_KEY : IOTSAFE_FIRST_KEY)
                : one_in(model, 3) ? 0x62
                                   : 0x61;
    for (size_t i = 0; i < MODEL_DIGEST; i++)
        step->digest[i] = (uint8_t)model_random(model, 256);
    if (model->sims[model->sim].tries < MODEL_TRIES && one_in(model, 4))
        step->act = ACT_PERSON; /* or nothing would be signed any more */
    step->right_pin = !one_in(model, 6) || model->sims[model->sim].tries < MODEL_TRIES;
    if (one_in(model, 3)) {
        step->fault = (enum model_fault)model_random(model, FAULTS);
        step->fault_at = model_random(model, 1 + model_random(model, FAULT_LINES));
    }
}

/* As if nothing were the matter. */
static void settle(struct model *model)
{
    if (!model->plugged)
        line_plug();
    model->plugged = true;
}

static void begin_note(struct model *model)
{
    model->steps++;
    model->dialogue[model->steps % MODEL_STEPS_SHOWN][0] = '\0';
}

/* What the programs know of refusals afterwards. Where something went wrong around a VERIFY, nobody can
 * say whether they believed it. */
static void note_pins(struct model *model, bool answered)
{
    const struct model_step *step = &model->step;
    enum model_source source = card_source(step->program);

    for (int i = 0; i < MODEL_SIMS; i++) {
        struct model_sim *sim = &model->sims[i];

        if (step->doubtful || (step->struck && step->sent))
            sim->doubted[source] = true;
        for (int j = 0; step->forgiven && i == step->forgiven_by && j < SOURCES; j++) {
            sim->doubted[j] = !answered || step->struck || step->outcome != OUTCOME_OK;
            sim->refused[j] = false;
        }
    }
}

/* What is open, for the dialogue. */
static void note_channels(struct model *model)
{
    for (unsigned i = 1; i < MODEL_CHANNELS; i++) {
        const struct model_channel *channel = &model->channels[i];

        if (channel->open)
            model_note(model, "    channel %u: %s, since step %u, applet %d%s, %u sessions", i,
                       channel->opener >= 0                  ? program_name(channel->opener)
                       : channel->opener == OPENED_BY_OTHERS ? "another program's"
                                                             : "anybody's",
                       channel->opened, (int)channel->applet, channel->verified ? ", PIN" : "",
                       card_sessions(model, i));
    }
}

static void take_step(struct model *model, struct program programs[PROGRAMS])
{
    struct model_step *step = &model->step;
    bool promised = must_succeed(model, step), answered;

    model_note(model, "%u. \"%s\" %s", model->steps, program_name(step->program),
               act_name(step->act));
    if (step->act == ACT_SIGN || step->act == ACT_IOTSAFE)
        model_note(model, "    with key %02X", step->key);
    model->acts[step->act]++;
    /* what no program has come upon yet, which the last ones had no need of */
    model->disturbed = model->disturbed || record_stale(model, model->session[step->program] == 2);
    model->heard = false;
    answered = program_step(model, programs);
    note_pins(model, answered);
    if (answered && step->act != ACT_END)
        model_note(model, "    = %d %s", (int)step->outcome, step->why);
    if (model->failure[0] == '\0' && answered)
        check_outcome_of(model, promised);
    if (model->failure[0] == '\0')
        check_channels(model);
    model->disturbed =
        step->struck || (model->disturbed && (!model->heard || step->outcome != OUTCOME_OK));
    /* one that was put in now may have come behind all that was said */
    if (model->heard && model->session[step->program] != 2 &&
        !(step->struck && step->fault == FAULT_SWAP)) {
        if (step->act == ACT_SIGN || step->act == ACT_RANDOM) /* or was it refused before that? */
            model->swapped =
                model->swapped && step->outcome != OUTCOME_OK && step->outcome != OUTCOME_WRONG_SIM;
        model->iotsafe_swapped = model->iotsafe_swapped && step->act != ACT_IOTSAFE;
    }
}

/* All programs end, and `simkey close` closes what is left. */
static void end_walk(struct model *model, struct program programs[PROGRAMS])
{
    begin_note(model);
    settle(model);
    line_wait(SETTLED_MS);
    for (int i = 0; i <= PROGRAMS && model->failure[0] == '\0'; i++) {
        memset(&model->step, 0, sizeof model->step);
        model->step.program = i % PROGRAMS;
        model->step.act = i < PROGRAMS ? ACT_END : ACT_CLOSE;
        if (i == PROGRAMS || programs[i].pid != 0)
            take_step(model, programs);
    }
    for (unsigned i = 1; i < MODEL_CHANNELS && model->failure[0] == '\0'; i++)
        if (channel_is(model, i, true))
            model_fail(model,
                       "channel %u is open after simkey close, which \"%s\" opened in step %u", i,
                       program_name(model->channels[i].opener), model->channels[i].opened);
}

/* ---- the walk as such ---- */

static void set_up(struct model *model, unsigned seed, const struct folder *folder)
{
    static const unsigned lasts[] = {3, 3, 4, 19};

    memset(model, 0, sizeof *model);
    model->walker = getpid();
    model->walk_seed = seed;
    model->random = seed * UINT64_C(0x2545F4914F6CDD1D);
    model->last = lasts[model_random(model, 4)];
    model->only_ccho = one_in(model, 5);
    model->tells_iccid = model->only_ccho || !one_in(model, 4);
    model->t0 = one_in(model, 3);
    model->one_session = one_in(model, 2);
    model->plugged = model->echo = true;
    model->session[PROGRAM_ALONE] = 2;
    model->session[PROGRAM_SECOND] = one_in(model, 4) ? 1 : 0;
    for (int i = 0; i < MODEL_SIMS; i++)
        model->sims[i].tries = MODEL_TRIES;
    model->sims[0].iccid = "89880330000000000017";
    model->sims[1].iccid = "89880330000000000025";
    memcpy(model->sims[0].pin, "0000", 5);
    memcpy(model->sims[1].pin, one_in(model, 2) ? "5555" : "0000", 5);
    (void)snprintf(model->run_dir, sizeof model->run_dir, "%s", folder->path);
    folder_write(folder, "pin", "0000\n", 5, 0600, model->shared_file);
    (void)snprintf(model->other_file, sizeof model->other_file, "%s/other", folder->path);
    write_other_pin(model);
    model_note(model, "channels up to %u, AT+%s, the modem %s the ICCID, T=%d, %s", model->last,
               model->only_ccho ? "CCHO" : "CSIM", model->tells_iccid ? "tells" : "hides",
               model->t0 ? 0 : 1, model->one_session ? "one signing session" : "signing sessions");
    line_start(model_heard, model);
}

bool model_walk(struct model *model, unsigned seed, unsigned steps)
{
    struct program programs[PROGRAMS] = {0};
    struct folder folder;

    folder_make(&folder);
    set_up(model, seed, &folder);
    while (model->steps < steps && model->failure[0] == '\0') {
        begin_note(model);
        settle(model);
        if (one_in(model, 3)) {
            happen(model, programs);
            model->disturbed = true;
        }
        pick_step(model);
        take_step(model, programs);
    }
    if (model->failure[0] == '\0')
        end_walk(model, programs);
    if (model->failure[0] != '\0')
        note_channels(model);
    programs_kill(model, programs);
    folder_remove(&folder);
    return model->failure[0] == '\0';
}
