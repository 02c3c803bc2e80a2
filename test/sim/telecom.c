/* SPDX-License-Identifier: Apache-2.0 */
/* The telecom side of the card: the MF with EF.ICCID and EF.DIR, and the UICC application that
 * carries the Type A files under PIN1 (TS 102 221), and the USIM. Nothing of mIAS. */
#include "test/sim/image.h"
#include "test/sim/pin.h"
#include "test/sim/uicc.h"

#include <stdlib.h>
#include <string.h>

#define AID_SIZE  sizeof image_uicc_aid
#define PIN1_SIZE 8

struct telecom {
    struct cursor cursor;
    bool verified; /* PIN1, on this channel */
    bool verified2;
};

static bool present(const struct uicc *u)
{
    (void)u;
    return true;
}

static unsigned may_select(const struct uicc *u, const struct channel *on, unsigned p2)
{
    (void)u;
    (void)on;
    (void)p2;
    return 0x9000;
}

static struct telecom *make_state(int root)
{
    struct telecom *t = calloc(1, sizeof *t);

    if (t == NULL)
        abort();
    t->cursor = (struct cursor){.root = root, .df = root, .ef = -1};
    return t;
}

static void *select_mf(struct uicc *u, unsigned p2, struct bytes *answer)
{
    (void)u;
    (void)p2;
    (void)answer;
    return make_state(IMAGE_MF);
}

/* The name of an application's directory, NULL of any other. */
static const uint8_t *name_of(const struct uicc *u, const struct file *f)
{
    if (f->kind != FILE_ADF)
        return NULL;
    return f == &u->files.files[IMAGE_USIM] ? image_usim_aid : image_uicc_aid;
}

static void *select_adf(struct uicc *u, int index, unsigned p2, struct bytes *answer)
{
    const struct file *f = &u->files.files[index];

    tree_describe(&u->files, f, p2, name_of(u, f), AID_SIZE, answer);
    return make_state(index);
}

static void *select_uicc(struct uicc *u, unsigned p2, struct bytes *answer)
{
    return select_adf(u, IMAGE_ADF, p2, answer);
}

static void *select_usim(struct uicc *u, unsigned p2, struct bytes *answer)
{
    return select_adf(u, IMAGE_USIM, p2, answer);
}

static void deselect(void *state)
{
    free(state);
}

static bool pin1_disabled(const struct uicc *u)
{
    return u->options->pin1_state != PIN1_ENABLED;
}

/* PIN2, which has the reference that the applet's PIN has there (TS 102 221, table 9.3). Whatever is
 * no PIN2 costs a try, also what is shorter than 8 octets: a careless card counts that. */
static unsigned verify2(struct uicc *u, struct telecom *t, const struct command *cmd)
{
    unsigned sw;

    if (cmd->lc == 0 && cmd->has_le && cmd->le != 256)
        return 0x6700;
    if (cmd->lc == 0)
        return t->verified2 ? 0x9000 : pin_state(u->card, PIN_UICC2);
    sw = pin_verify(u->card, PIN_UICC2, cmd->data,
                    cmd->lc == PIN1_SIZE ? image_pin1_size(cmd->data) : cmd->lc);
    t->verified2 = sw == 0x9000;
    return sw;
}

static unsigned verify(struct uicc *u, struct telecom *t, const struct command *cmd)
{
    if (cmd->p1 == 0 && cmd->p2 == 0x81)
        return verify2(u, t, cmd);
    if (cmd->p1 != 0 || cmd->p2 != 0x01)
        return cmd->p1 != 0 ? 0x6A86 : 0x6A88;
    if (cmd->lc == 0) {
        /* The state question; a fifth octet must be 00. */
        if (cmd->has_le && cmd->le != 256)
            return 0x6700;
        if (pin1_disabled(u))
            return u->options->pin1_state == PIN1_DISABLED ? 0x9000 : 0x6984;
        return t->verified ? 0x9000 : pin_state(u->card, PIN_UICC1);
    }
    if (cmd->lc != PIN1_SIZE)
        return 0x6700;
    if (pin1_disabled(u))
        return 0x6984; /* TS 102 221 11.1.9: reference data invalidated */
    return pin_verify(u->card, PIN_UICC1, cmd->data, image_pin1_size(cmd->data));
}

/* CHANGE PIN: old and new, 8 octets each. UNBLOCK PIN: PUK and new; without data its state. */
static unsigned change(struct uicc *u, const struct command *cmd)
{
    const uint8_t *fresh = cmd->data + PIN1_SIZE;
    bool unblock = cmd->ins == 0x2C;

    if (cmd->p1 != 0 || cmd->p2 != 0x01)
        return cmd->p1 != 0 ? 0x6A86 : 0x6A88;
    if (unblock && cmd->lc == 0 && cmd->le == 256)
        return pin_state(u->card, PIN_UICC1_PUK);
    if (cmd->lc != 2 * PIN1_SIZE)
        return 0x6700;
    if (image_pin1_size(fresh) < 4)
        return 0x6A80;
    if (unblock)
        return pin_unblock(u->card, cmd->data, PIN1_SIZE, fresh, image_pin1_size(fresh));
    if (pin1_disabled(u))
        return 0x6984;
    return pin_change(u->card, PIN_UICC1, cmd->data, image_pin1_size(cmd->data), fresh,
                      image_pin1_size(fresh));
}

static void process_select(struct uicc *u, struct telecom *t, const struct command *cmd,
                           struct response *r)
{
    const struct file *f = tree_select(&u->files, &t->cursor, cmd, &r->sw);

    if (f != NULL)
        tree_describe(&u->files, f, cmd->p2, name_of(u, f), AID_SIZE, &r->data);
}

static void status(struct uicc *u, struct telecom *t, const struct command *cmd, struct response *r)
{
    const struct file *f = &u->files.files[t->cursor.df];

    r->sw = cmd->p1 > 0x02 ? 0x6A86 : 0x9000;
    if (r->sw == 0x9000 && cmd->p2 == 0x01 && t->cursor.root != IMAGE_MF)
        bytes_add_tlv(&r->data, 0x84, name_of(u, &u->files.files[t->cursor.root]), AID_SIZE);
    else if (r->sw == 0x9000 && cmd->p2 == 0x00)
        tree_describe(&u->files, f, 0x04, name_of(u, f), AID_SIZE, &r->data);
}

static void process(struct uicc *u, void *state, const struct command *cmd, struct response *r)
{
    struct telecom *t = state;
    bool verified = t->verified || pin1_disabled(u);

    /* STATUS is the one command of TS 102 221 with a proprietary class (10.1.1, table 10.1). */
    if (cmd->chained || cmd->proprietary != (cmd->ins == 0xF2)) {
        r->sw = cmd->chained ? 0x6884 : 0x6E00;
        return;
    }
    switch (cmd->ins) {
    case 0xA4:
        process_select(u, t, cmd, r);
        return;
    case 0xB0:
        tree_read_binary(&u->files, &t->cursor, cmd, verified, (size_t)u->options->max_read, r);
        return;
    case 0xB2:
        tree_read_record(&u->files, &t->cursor, cmd, verified, r);
        return;
    case 0xF2:
        status(u, t, cmd, r);
        return;
    case 0x20:
        r->sw = verify(u, t, cmd);
        if (cmd->lc > 0 && cmd->p2 == 0x01 && r->sw != 0x6700)
            t->verified = r->sw == 0x9000;
        return;
    case 0x24:
    case 0x2C:
        r->sw = change(u, cmd);
        if (cmd->lc > 0 && (r->sw & 0xFFF0) == 0x63C0)
            t->verified = false;
        return;
    default:
        r->sw = 0x6D00;
    }
}

const struct applet mf_applet = {.present = present,
                                 .may_select = may_select,
                                 .select = select_mf,
                                 .deselect = deselect,
                                 .process = process};

const struct applet telecom_applet = {.aid = image_uicc_aid,
                                      .aid_size = AID_SIZE,
                                      .present = present,
                                      .may_select = may_select,
                                      .select = select_uicc,
                                      .deselect = deselect,
                                      .process = process};

const struct applet usim_applet = {.aid = image_usim_aid,
                                   .aid_size = AID_SIZE,
                                   .present = present,
                                   .may_select = may_select,
                                   .select = select_usim,
                                   .deselect = deselect,
                                   .process = process};
