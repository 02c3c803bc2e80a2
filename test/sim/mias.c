/* SPDX-License-Identifier: Apache-2.0 */
/* The mIAS applet: selection, PIN, files. Security operations are in mias_pso.c. */
#include "test/sim/mias.h"

#include "test/sim/pin.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t aid[] = {0xA0, 0x00, 0x00, 0x00, 0x18, 0x80, 0x00,
                              0x00, 0x00, 0x06, 0x62, 0x41, 0x51};

#define PIN_REFERENCE 0x81

static bool present(const struct uicc *u)
{
    return u->card->mias && !u->options->no_applet;
}

static unsigned may_select(const struct uicc *u, const struct channel *on, unsigned p2)
{
    if (u->options->p2_0c_refused && (p2 & 0x0C) == 0x0C)
        return 0x6A86;
    for (size_t i = 0; i <= UICC_CHANNELS && u->options->single_select; i++) {
        const struct channel *c = &u->channels[i];

        if (c != on && c->open && c->applet == &mias_applet)
            return 0x6985;
    }
    return 0x9000;
}

/* FCI: 84 AID, A5 { 9F6E release of the applet }; FCP the same in 62. */
static void *select_mias(struct uicc *u, unsigned p2, struct bytes *answer)
{
    static const uint8_t proprietary[] = {0x9F, 0x6E, 0x02, 0x01, 0x04};
    struct mias *m = calloc(1, sizeof *m);
    struct bytes inner = {0};

    (void)u;
    if (m == NULL)
        abort();
    m->cursor.ef = -1;
    if ((p2 & 0x0C) == 0x0C)
        return m;
    bytes_add_tlv(&inner, 0xA5, proprietary, sizeof proprietary);
    bytes_add_tlv(&inner, 0x84, aid, sizeof aid);
    bytes_add_tlv(answer, (p2 & 0x0C) == 0x04 ? 0x62 : 0x6F, inner.data, inner.size);
    bytes_free(&inner);
    return m;
}

static void deselect(void *state)
{
    struct mias *m = state;

    EVP_MD_CTX_free(m->hash);
    bytes_free(&m->cryptogram);
    free(m);
}

static void select_file(struct uicc *u, struct mias *m, const struct command *cmd,
                        struct response *r)
{
    const struct file *f;

    if (u->options->p2_0c_refused && cmd->p2 == 0x0C) {
        r->sw = 0x6A86;
        return;
    }
    f = tree_select(&u->mias_files, &m->cursor, cmd, &r->sw);
    if (f != NULL)
        tree_describe(&u->mias_files, f, cmd->p2, f->kind == FILE_MF ? aid : NULL, sizeof aid,
                      &r->data);
}

/* VERIFY: the digits as they are. Octets that are no PIN of this card cost a try as any wrong PIN.
 */
static unsigned verify(struct uicc *u, struct mias *m, const struct command *cmd)
{
    unsigned sw;

    if (cmd->p1 != 0 || cmd->p2 != PIN_REFERENCE)
        return cmd->p1 != 0 ? 0x6A86 : 0x6A88;
    if (cmd->lc == 0) {
        /* The state question; some stacks add a fifth octet 00. */
        if (cmd->has_le && cmd->le != 256)
            return 0x6700;
        return m->verified ? 0x9000 : pin_state(u->card, PIN_APPLET);
    }
    if (cmd->lc > CARD_PIN_MAX)
        return 0x6700;
    sw = pin_verify(u->card, PIN_APPLET, cmd->data, cmd->lc);
    m->verified = sw == 0x9000;
    return sw;
}

/* CHANGE REFERENCE DATA: length of the old PIN, old PIN, new PIN. */
static unsigned change(struct uicc *u, struct mias *m, const struct command *cmd)
{
    size_t old_size, size;
    unsigned sw;

    if (!cmd->proprietary)
        return 0x6E00;
    if (cmd->p1 != 0 || cmd->p2 != PIN_REFERENCE)
        return cmd->p1 != 0 ? 0x6A86 : 0x6A88;
    if (cmd->lc < 2)
        return 0x6700;
    old_size = cmd->data[0];
    if (1 + old_size >= cmd->lc)
        return 0x6A80;
    size = cmd->lc - 1 - old_size;
    if (old_size == 0 || size < 4 || size > 8)
        return 0x6A80;
    sw = pin_change(u->card, PIN_APPLET, cmd->data + 1, old_size, cmd->data + 1 + old_size, size);
    if (sw != 0x9000)
        m->verified = false;
    return sw;
}

static void process(struct uicc *u, void *state, const struct command *cmd, struct response *r)
{
    struct mias *m = state;
    bool pso = cmd->ins == 0x2A;

    if (!pso)
        bytes_free(&m->cryptogram); /* a chain is broken by any other command */
    if ((cmd->proprietary && cmd->ins != 0x24) || (cmd->chained && !pso)) {
        r->sw = cmd->chained ? 0x6884 : 0x6E00;
        return;
    }
    switch (cmd->ins) {
    case 0xA4:
        select_file(u, m, cmd, r);
        return;
    case 0xB0:
        tree_read_binary(&u->mias_files, &m->cursor, cmd, m->verified, (size_t)u->options->max_read,
                         r);
        return;
    case 0x20:
        r->sw = verify(u, m, cmd);
        return;
    case 0x24:
        r->sw = change(u, m, cmd);
        return;
    case 0x22:
        mias_mse(u, m, cmd, r);
        return;
    case 0x2A:
        mias_pso(u, m, cmd, r);
        return;
    case 0x84:
        mias_challenge(cmd, r);
        return;
    case 0xCA:
        r->sw = 0x6A88; /* none of the card's production data */
        return;
    default:
        r->sw = 0x6D00;
    }
}

const struct applet mias_applet = {.aid = aid,
                                   .aid_size = sizeof aid,
                                   .present = present,
                                   .may_select = may_select,
                                   .select = select_mias,
                                   .deselect = deselect,
                                   .process = process};
