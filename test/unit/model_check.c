/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true after each step of the model's walk. What must be true in the middle of one is in
 * model_card.c. */
#include "test/fuzz/line.h"
#include "test/unit/model.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORD_ROOM 4097

bool channel_is(const struct model *model, unsigned number, bool ours)
{
    const struct model_channel *channel = &model->channels[number];

    return channel->open && (ours ? channel->opener >= 0 : channel->opener == OPENED_BY_OTHERS);
}

/* The device's file of the run-dir with this suffix; the name is rundir_name's. */
static void file_name(const struct model *model, const char *suffix, char path[256])
{
    (void)snprintf(path, 256, "%s/proc-none-modem.%s", model->run_dir, suffix);
}

/* Whether a line of the record names a channel: those that stand there, with or without a session's
 * name, and those of owners. */
static bool line_names(const char *line, unsigned number)
{
    unsigned open, selected, carrier, named, session = 0;

    if (sscanf(line, "channel %u %u %u %u %u", &open, &selected, &carrier, &named, &session) >= 4)
        return open == 1 && (named == number || session == number);
    return false;
}

/* What the programs' files say. */
struct files {
    char record[RECORD_ROOM];
    bool opening; /* a channel was being opened, whose number may still come */
};

static void read_files(const struct model *model, struct files *files)
{
    char path[256], *line;
    ssize_t got = 0;
    int fd, opening = 0;

    file_name(model, "session", path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        got = read(fd, files->record, sizeof files->record - 1);
        (void)close(fd);
    }
    files->record[got > 0 ? got : 0] = '\0';
    line = strstr(files->record, "\nline ");
    files->opening =
        line != NULL && sscanf(line, "\nline %*d %*d %*d %*u %d", &opening) == 1 && opening == 1;
}

static bool files_name(const struct model *model, const struct files *files, unsigned number)
{
    char path[256], suffix[16];

    for (const char *line = files->record; line != NULL && *line != '\0';
         line = strchr(line, '\n'), line = line != NULL ? line + 1 : NULL)
        if (line_names(line, number))
            return true;
    (void)snprintf(suffix, sizeof suffix, "channel-%u", number);
    file_name(model, suffix, path);
    return access(path, F_OK) == 0;
}

/* Whether a line of the record has a channel that is no program's any more. */
static bool line_stale(const struct model *model, const char *line)
{
    unsigned open, named;

    if (sscanf(line, "channel %u %*u %*u %u", &open, &named) != 2 || open == 0)
        return false;
    for (unsigned i = 1; i < MODEL_CHANNELS; i++)
        if (line_names(line, i))
            return !channel_is(model, i, true);
    return true;
}

bool record_stale(const struct model *model, bool owned)
{
    struct files files;
    const char *next;

    read_files(model, &files);
    for (const char *line = files.record; line != NULL; line = next) {
        next = strchr(line, '\n');
        next = next != NULL ? next + 1 : NULL;
        /* behind one of those that all share stands its applet */
        if (next != NULL && (owned || strncmp(next, "applet ", 7) == 0) && line_stale(model, line))
            return true;
    }
    return false;
}

bool record_names(const struct model *model, unsigned number)
{
    struct files files;

    read_files(model, &files);
    return files_name(model, &files, number);
}

/* A channel that a program opened stands in the record, or is a living program's own. */
void check_channels(struct model *model)
{
    struct files files;

    read_files(model, &files);
    for (unsigned i = 1; i < MODEL_CHANNELS; i++) {
        struct model_channel *channel = &model->channels[i];

        if (!channel_is(model, i, true) || files.opening ||
            (channel->own && model->alive[channel->opener]))
            continue;
        if (files_name(model, &files, i))
            continue;
        model_fail(model, "channel %u is open, which \"%s\" opened in step %u, and no record of it",
                   i, program_name(channel->opener), channel->opened);
    }
}

static const char *pin_of(const struct model *model, int program)
{
    switch (card_source(program)) {
    case SOURCE_NONE:
        return "";
    case SOURCE_OTHER_FILE:
        return model->other_pin;
    default:
        return "0000";
    }
}

/* Channels that are free, or are if the programs close theirs, but for those of SAFE2's that are in
 * use. */
static unsigned count_free(const struct model *model)
{
    unsigned count = 0;

    for (unsigned i = 1; i <= model->last; i++)
        count +=
            !model->channels[i].open || (channel_is(model, i, true) && !model->channels[i].own);
    return count;
}

/* Whether the SIM can be reached, is the right one, and has room. */
static bool may_reach(const struct model *model, const struct model_step *step)
{
    return model->plugged && step->sim == model->sim && (!step->iccid || model->tells_iccid) &&
           count_free(model) > 0;
}

/* Whether a signature has to succeed: all is well before the step, and one disturbance looks like
 * none. Where no PIN is wanted, a session that was left open is none either. */
bool must_succeed(const struct model *model, const struct model_step *step)
{
    const struct model_sim *sim = &model->sims[step->sim];
    enum model_source source = card_source(step->program);

    if (step->act == ACT_IOTSAFE)
        return may_reach(model, step) && !model->iotsafe_swapped;
    for (int i = 0; i < MODEL_SIMS; i++) /* where a SIM has no name, one stands for the other */
        if ((i == step->sim || !model->tells_iccid) &&
            (model->sims[i].refused[source] || model->sims[i].doubted[source]))
            return false;
    return step->act == ACT_SIGN && may_reach(model, step) && !model->swapped &&
           strcmp(pin_of(model, step->program), sim->pin) == 0 && sim->tries == MODEL_TRIES;
}

void check_outcome_of(struct model *model, bool promised)
{
    const struct model_step *step = &model->step;

    if (step->outcome == OUTCOME_OK && step->act == ACT_SIGN)
        model->signatures++;
    if (step->outcome == OUTCOME_OK && step->act == ACT_IOTSAFE)
        model->iotsafe_signatures++;
    /* what has a signature needs its session no more */
    if (step->signed_on > 0 && !step->struck && card_sessions(model, step->signed_on) > 0)
        model_fail(model, "the signing session on channel %u is not closed", step->signed_on);
    /* one disturbance is mended, but where all the time went by in waiting for an answer */
    if (step->struck && (model->disturbed || step->took_ms >= (MODEL_TIMEOUT_S - 2) * 1000))
        promised = false;
    /* what does not answer AT may be no modem, and is not waited for, however often it is tried */
    if (step->outcome == OUTCOME_NO_MODEM && line_now() < model->silent_until)
        promised = false;
    if (promised && must_succeed(model, step) && step->outcome != OUTCOME_OK)
        model_fail(model, "a signature failed that had to succeed: %d, %.300s", (int)step->outcome,
                   step->why);
}
