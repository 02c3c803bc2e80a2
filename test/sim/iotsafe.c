/* SPDX-License-Identifier: Apache-2.0 */
/* The IoT SAFE applet: selection, which command is whose, and what befalls all of them. What they do
 * is in iotsafe_data.c (what is read), iotsafe_key.c (key pairs, key agreement and derivation) and
 * iotsafe_session.c (signatures, and keys that are put). */
#include "test/sim/iotsafe.h"

#include "test/sim/uicc.h"

#include <stdlib.h>
#include <string.h>

#define INIT_CLOSE 0x01

static const struct {
    void (*run)(struct iotsafe_call *c);
    const char *name;
    const char *close_name; /* with P1 01 */
    uint8_t ins;
    bool secret; /* data that are not for the trace */
} commands[] = {
    {iotsafe_read_file, "READ FILE", NULL, 0xB0, false},
    {iotsafe_generate, "GENERATE KEY PAIR", NULL, 0xB9, false},
    {iotsafe_read_public, "READ PUBLIC KEY", NULL, 0xCD, false},
    {iotsafe_init, "PUT PUBLIC KEY INIT", "PUT PUBLIC KEY CLOSE", 0x24, false},
    {iotsafe_update, "PUT PUBLIC KEY UPDATE", NULL, 0xD8, false},
    {iotsafe_init, "COMPUTE SIGNATURE INIT", "COMPUTE SIGNATURE CLOSE", 0x2A, false},
    {iotsafe_update, "COMPUTE SIGNATURE UPDATE", NULL, 0x2B, false},
    {iotsafe_init, "VERIFY SIGNATURE INIT", "VERIFY SIGNATURE CLOSE", 0x2C, false},
    {iotsafe_update, "VERIFY SIGNATURE UPDATE", NULL, 0x2D, false},
    {iotsafe_agree, "COMPUTE DH", NULL, 0x46, false},
    {iotsafe_prf, "COMPUTE PRF", NULL, 0x48, true},
    {iotsafe_hkdf, "COMPUTE HKDF", NULL, 0x4A, true},
    {iotsafe_random, "GET RANDOM", NULL, 0x84, false},
    {iotsafe_get_data, "GET DATA OBJECT", NULL, 0xCB, false},
};

#define COMMANDS (sizeof commands / sizeof *commands)

const char *iotsafe_command_name(uint8_t ins, uint8_t p1, bool *secret)
{
    if (ins == 0xCB && p1 <= 0x01)
        return p1 == 0x00 ? "GET DATA APPLICATION" : "GET DATA OBJECT LIST";
    for (size_t i = 0; i < COMMANDS; i++) {
        if (commands[i].ins != ins)
            continue;
        *secret = commands[i].secret;
        return p1 == INIT_CLOSE && commands[i].close_name != NULL ? commands[i].close_name
                                                                  : commands[i].name;
    }
    return NULL;
}

/* ---- selection ---- */

static bool present(const struct uicc *u)
{
    return u->card->iotsafe != NULL;
}

static bool is_called(const struct uicc *u, const uint8_t *aid, size_t size)
{
    const struct iotsafe_memory *m = u->card->iotsafe;

    for (size_t i = 0; i < m->aid_count; i++) {
        if (size <= m->aids[i].size && memcmp(m->aids[i].octets, aid, size) == 0)
            return true;
    }
    return false;
}

static unsigned may_select(const struct uicc *u, const struct channel *on, unsigned p2)
{
    (void)u;
    (void)on;
    (void)p2;
    return 0x9000;
}

/* FCI: 6F { 84 AID }, if it is asked for. */
static void *select_iotsafe(struct uicc *u, unsigned p2, struct bytes *answer)
{
    const struct iotsafe_memory *m = u->card->iotsafe;
    struct iotsafe_selection *s = calloc(1, sizeof *s);
    struct bytes inner = {0};

    if (s == NULL)
        abort();
    s->card = u;
    if (u->options->iotsafe_no_fci || (p2 & 0x0C) == 0x0C)
        return s;
    bytes_add_tlv(&inner, 0x84, m->aids[0].octets, m->aids[0].size);
    bytes_add_tlv(answer, 0x6F, inner.data, inner.size);
    bytes_free(&inner);
    return s;
}

static void deselect(void *state)
{
    iotsafe_close_sessions(state);
    free(state);
}

/* ---- the data of commands ---- */

bool iotsafe_next(const uint8_t **at, const uint8_t *end, struct iotsafe_tlv *t)
{
    const uint8_t *p = *at;
    size_t more = 0;

    if (end - p < 2)
        return false;
    *t = (struct iotsafe_tlv){.tag = p[0], .size = p[1]};
    p += 2;
    if (t->size > 0x7F) {
        more = t->size & 0x7F;
        t->size = 0;
        if (more < 1 || more > 3 || (size_t)(end - p) < more)
            return false;
        while (more-- > 0)
            t->size = t->size << 8 | *p++;
    }
    t->value = p;
    if ((size_t)(end - p) < t->size)
        return false;
    *at = p + t->size;
    return true;
}

bool iotsafe_tag(const struct command *cmd, unsigned tag, struct iotsafe_tlv *t)
{
    const uint8_t *at = cmd->data;
    const uint8_t *end = at + cmd->lc;

    while (cmd->lc > 0 && iotsafe_next(&at, end, t)) {
        if (t->tag == tag)
            return true;
    }
    return false;
}

static const struct {
    uint8_t id, label;
} tags[IOTSAFE_KINDS] = {
    [IOTSAFE_PRIVATE] = {0x84, 0x74},
    [IOTSAFE_PUBLIC] = {0x85, 0x75},
    [IOTSAFE_FILE] = {0x83, 0x73},
    [IOTSAFE_SECRET] = {0x86, 0x76},
};

unsigned iotsafe_id_tag(enum iotsafe_kind kind)
{
    return tags[kind].id;
}

unsigned iotsafe_label_tag(enum iotsafe_kind kind)
{
    return tags[kind].label;
}

struct iotsafe_object *iotsafe_named(const struct iotsafe_call *c, enum iotsafe_kind kind)
{
    struct iotsafe_memory *m = c->memory;
    struct iotsafe_tlv t;

    c->r->sw = c->card->options->iotsafe_missing == IOTSAFE_6A88 ? 0x6A88 : 0x6A82;
    if (iotsafe_tag(c->cmd, tags[kind].id, &t))
        return iotsafe_find(m, kind, t.value, t.size);
    if (!iotsafe_tag(c->cmd, tags[kind].label, &t)) {
        c->r->sw = c->cmd->lc == 0 ? 0x6700 : 0x6A80;
        return NULL;
    }
    for (size_t i = 0; i < m->count && !c->card->options->iotsafe_no_labels; i++) {
        struct iotsafe_object *o = &m->objects[i];

        if (o->kind == kind && t.size > 0 && strlen(o->label) == t.size &&
            memcmp(o->label, t.value, t.size) == 0)
            return o;
    }
    return NULL;
}

/* ---- all commands ---- */

void iotsafe_start(struct uicc *u)
{
    u->iotsafe.commands = 0;
    if (u->options->iotsafe_left_open)
        u->iotsafe.sessions[0] =
            (struct iotsafe_session){.open = true, .ins = 0x2A, .number = 0x01};
}

void iotsafe_reset(struct uicc *u)
{
    for (size_t i = 0; i < IOTSAFE_SESSIONS; i++) {
        bytes_free(&u->iotsafe.sessions[i].text);
        u->iotsafe.sessions[i] = (struct iotsafe_session){.open = false};
    }
    if (u->card->iotsafe != NULL)
        iotsafe_forget(u->card->iotsafe);
}

static bool strikes(const struct uicc *u, enum fault fault)
{
    const struct faults *f = &u->options->faults;
    long n = u->iotsafe.commands;

    return f->on[fault] && n >= f->arg[fault] && n - f->arg[fault] < f->arg2[fault];
}

static bool class_refused(const struct iotsafe_call *c)
{
    int wanted = c->card->options->iotsafe_class;

    return wanted != IOTSAFE_ANY_CLASS && (wanted == IOTSAFE_8X) != c->cmd->proprietary;
}

/* What remote administration may have done meanwhile. */
static void administer(const struct iotsafe_call *c)
{
    if (!c->card->options->iotsafe_new_ids)
        return;
    iotsafe_rename(c->memory, NULL);
    if (!iotsafe_save(c->card->card->dir, c->memory))
        c->r->sw = 0x6F00;
}

static void run(struct iotsafe_call *c)
{
    c->r->sw = 0x6D00;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (commands[i].ins == c->cmd->ins)
            commands[i].run(c);
    }
}

static void process(struct uicc *u, void *state, const struct command *cmd, struct response *r)
{
    struct iotsafe_call c = {u, u->card->iotsafe, state, cmd, r};

    u->iotsafe.commands++;
    if (class_refused(&c)) {
        r->sw = 0x6E00;
    } else if (cmd->chained) {
        r->sw = 0x6884;
    } else if (strikes(u, FAULT_IOTSAFE_6984)) {
        r->sw = 0x6984;
    } else if (strikes(u, FAULT_IOTSAFE_6989)) {
        r->sw = 0x6989;
        administer(&c);
    } else {
        run(&c);
    }
    if (r->sw == 0x9000 && strikes(u, FAULT_IOTSAFE_63CF)) {
        r->sw = 0x63CF;
        administer(&c);
    }
}

const struct applet iotsafe_applet = {.present = present,
                                      .is_called = is_called,
                                      .may_select = may_select,
                                      .select = select_iotsafe,
                                      .deselect = deselect,
                                      .process = process,
                                      .command_name = iotsafe_command_name};
