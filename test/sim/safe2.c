/* SPDX-License-Identifier: Apache-2.0 */
/* The SAFE2 applet: its commands, its states, and what becomes of a job. The request itself runs in
 * a process of its own (safe2_job.h).
 *
 * States: 0000 nothing was asked yet, 0001 busy, 0003 done (result 0000: nothing to fetch; else the
 * server's refusal), 0007 data ready, 000F error. Results: safe2_job.h.
 *
 * There is one job at a time: a second one, of either kind, is refused with 6985, and the first goes
 * on. Data can be fetched as often as wanted until the next GET, so that an answer that the modem
 * lost is not lost for good; without any it is 6A88. */
#include "test/sim/safe2.h"

#include "test/sim/uicc.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t aid[] = {0xF0, 0x70, 0x6F, 0x64, 0x67, 0x73,
                              0x61, 0x66, 0x65, 0x32, 0x01, 0x01};

#define STATE_IDLE  0x0000
#define STATE_BUSY  0x0001
#define STATE_DONE  0x0003
#define STATE_READY 0x0007
#define STATE_ERROR 0x000F

static const struct {
    enum safe2_result result;
    const char *words;
} results[] = {
    {SAFE2_SUCCESS, "success"},
    {SAFE2_NO_NAME, "the server's name does not resolve"},
    {SAFE2_NO_SERVER, "no server takes the connection"},
    {SAFE2_TIMEOUT, "the server or the network takes too long"},
    {SAFE2_HANDSHAKE, "TLS fails: wrong key, unknown identity, no common suite"},
    {SAFE2_DHE, "the server insists on Diffie-Hellman"},
    {SAFE2_BROKEN_OFF, "the connection ends before the answer does"},
    {SAFE2_NO_HTTP, "the answer cannot be understood"},
    {SAFE2_TOO_LONG, "the answer is longer than --safe2-max"},
    {SAFE2_NO_DATA, "private/safe2 of the card is missing or damaged"},
    {SAFE2_DIED, "the job ended without a word"},
    {SAFE2_CUT_SHORT, "the card was reset meanwhile"},
};

#define RESULTS (sizeof results / sizeof *results)

void safe2_list_results(FILE *out)
{
    for (size_t i = 0; i < RESULTS; i++)
        fprintf(out, "  %04X   %s\n", results[i].result, results[i].words);
    fputs("  0nnn   the server answered with the status nnn in decimal digits\n"
          "States: 0000 nothing asked yet, 0001 busy, 0003 done (result 0000 or 0nnn), 0007 data "
          "ready,\n000F error\n",
          out);
}

static const char *words_of(unsigned result)
{
    for (size_t i = 0; i < RESULTS; i++) {
        if (results[i].result == result)
            return results[i].words;
    }
    return "refused by the server";
}

static const char *job_name(enum safe2_job job)
{
    return job == SAFE2_GET ? "get" : "send";
}

void safe2_start(struct safe2 *s, const struct card *card, const struct options *options,
                 const struct trace *trace)
{
    *s = (struct safe2){.there = !options->no_safe2 && safe2_card_has(card),
                        .card = card,
                        .options = options,
                        .trace = trace,
                        .work = {.fd = -1}};
}

void safe2_end(struct safe2 *s)
{
    safe2_worker_kill(&s->work);
    bytes_free(&s->data);
}

void safe2_reset(struct safe2 *s)
{
    if (s->work.pid <= 0)
        return;
    safe2_worker_kill(&s->work);
    s->jobs[s->running] = (struct safe2_state){STATE_ERROR, SAFE2_CUT_SHORT};
    trace_note(s->trace, "safe2 job %s cut short by a reset", job_name(s->running));
}

int safe2_fd(const struct safe2 *s)
{
    return s->work.fd;
}

int64_t safe2_due(const struct safe2 *s)
{
    return s->work.pid > 0 ? s->work.deadline : 0;
}

static void trace_job(const struct safe2 *s, const struct safe2_report *r)
{
    const struct safe2_state *state = &s->jobs[s->running];
    const char *detail = r->detail[0] != '\0' ? r->detail : words_of(r->result);

    trace_note(s->trace,
               "safe2 job %s %s identity %s %s %s http %u %zu bytes state %04X result %04X tries "
               "%u (%s)",
               job_name(s->running), r->server[0] != '\0' ? r->server : "-",
               r->identity[0] != '\0' ? r->identity : "-",
               !r->shaken ? "-"
               : r->dhe   ? "psk_dhe_ke"
                          : "psk_ke",
               r->shaken ? r->suite : "-", r->status, r->size, state->state, state->result,
               r->tries, detail);
}

void safe2_work(struct safe2 *s, int64_t now)
{
    struct safe2_report r;
    unsigned state = STATE_DONE;

    if (!safe2_worker_poll(&s->work, now, &r))
        return;
    if (r.result == SAFE2_SUCCESS && r.size > 0 && s->running == SAFE2_GET)
        state = STATE_READY;
    else if (r.result != SAFE2_SUCCESS && r.result <= SAFE2_CUT_SHORT)
        state = STATE_ERROR;
    s->jobs[s->running] = (struct safe2_state){state, r.result};
    if (state == STATE_READY)
        bytes_add(&s->data, r.data, r.size);
    trace_job(s, &r);
    explicit_bzero(&r, sizeof r);
}

/* The applet */

static bool old_profile(const struct uicc *u)
{
    return u->options->safe2_profile == SAFE2_OLD;
}

static bool present(const struct uicc *u)
{
    return u->safe2.there;
}

static unsigned may_select(const struct uicc *u, const struct channel *on, unsigned p2)
{
    (void)on;
    return old_profile(u) && p2 != 0x00 ? 0x6A86 : 0x9000;
}

/* SELECT answers 9000 alone, whatever P2 asks for. All that the applet knows is the card's: there is
 * nothing that belongs to a selection, but a state must be something. */
static void *select_safe2(struct uicc *u, unsigned p2, struct bytes *answer)
{
    (void)p2;
    (void)answer;
    return &u->safe2;
}

static void deselect(void *state)
{
    (void)state;
}

/* Starts a job: 9000, or why not. */
static unsigned begin(struct safe2 *s, enum safe2_job job, const struct command *cmd)
{
    struct safe2_request request = {
        .job = job, .card = s->card, .options = s->options, .id_size = s->id_size};
    unsigned sw = 0x9000;

    if (s->work.pid > 0 || s->id_size == 0)
        return 0x6985;
    memcpy(request.id, s->id, s->id_size);
    if (job == SAFE2_GET) {
        bytes_free(&s->data);
    } else {
        request.size = cmd->lc;
        memcpy(request.body, cmd->data, cmd->lc);
    }
    s->running = job;
    s->jobs[job] = (struct safe2_state){STATE_BUSY, SAFE2_SUCCESS};
    if (!safe2_worker_start(&s->work, &request)) {
        s->jobs[job] = (struct safe2_state){STATE_ERROR, SAFE2_DIED};
        sw = 0x6F00;
    }
    explicit_bzero(&request, sizeof request);
    return sw;
}

/* DA 02 C0: the device's id, DA 02 C1: telemetry. */
static unsigned put_data(struct safe2 *s, const struct command *cmd)
{
    if (cmd->p1 != 0x02 || (cmd->p2 != 0xC0 && cmd->p2 != 0xC1))
        return 0x6A86;
    if (cmd->lc == 0 || (cmd->p2 == 0xC0 && cmd->lc > SAFE2_ID_MAX))
        return 0x6700;
    if (cmd->p2 == 0xC1)
        return begin(s, SAFE2_SEND, cmd);
    /* A job that runs has its own copy. */
    memcpy(s->id, cmd->data, cmd->lc);
    s->id_size = cmd->lc;
    return 0x9000;
}

/* CA 00 00: starts the GET, CA 01 00: gives what it brought. */
static void get_data(struct safe2 *s, const struct command *cmd, struct response *r)
{
    if (cmd->p1 > 0x01 || cmd->p2 != 0x00)
        r->sw = cmd->p1 > 0x01 ? 0x6A86 : 0x6B00;
    else if (cmd->lc > 0)
        r->sw = 0x6700;
    else if (cmd->p1 == 0x00)
        r->sw = begin(s, SAFE2_GET, cmd);
    else if (s->data.size == 0)
        r->sw = 0x6A88;
    else
        bytes_add(&r->data, s->data.data, s->data.size);
}

/* CC 01 00 and CC 02 00: the state of sending and of receiving. */
static void get_state(const struct safe2 *s, const struct command *cmd, bool old,
                      struct response *r)
{
    if (cmd->p1 == 0x01 && old)
        r->sw = 0x6D00;
    else if (cmd->p1 < 0x01 || cmd->p1 > SAFE2_JOBS || cmd->p2 != 0x00)
        r->sw = cmd->p2 == 0x00 ? 0x6A86 : 0x6B00;
    else if (cmd->lc > 0)
        r->sw = 0x6700;
    if (r->sw != 0x9000)
        return;
    bytes_add16(&r->data, s->jobs[cmd->p1 - 1].state);
    bytes_add16(&r->data, s->jobs[cmd->p1 - 1].result);
}

static void process(struct uicc *u, void *state, const struct command *cmd, struct response *r)
{
    struct safe2 *s = state;

    if (cmd->proprietary || cmd->chained) {
        r->sw = cmd->chained ? 0x6884 : 0x6E00;
        return;
    }
    r->sw = 0x9000;
    r->fetch = u->options->t0 || old_profile(u);
    switch (cmd->ins) {
    case 0xDA:
        r->sw = put_data(s, cmd);
        return;
    case 0xCA:
        get_data(s, cmd, r);
        return;
    case 0xCC:
        get_state(s, cmd, old_profile(u), r);
        return;
    default:
        r->sw = 0x6D00;
    }
}

const struct applet safe2_applet = {.aid = aid,
                                    .aid_size = sizeof aid,
                                    .present = present,
                                    .may_select = may_select,
                                    .select = select_safe2,
                                    .deselect = deselect,
                                    .process = process};
