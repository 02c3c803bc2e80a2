/* SPDX-License-Identifier: Apache-2.0 */
/* What other programs do to the card's channels: leave them open, close them, select there. */
#include "test/sim/mias.h"

void uicc_leak(struct uicc *u, long count)
{
    for (long n = u->options->channels; n > 0; n--) {
        if (count != FAULT_NO_ARG && count-- <= 0)
            return;
        uicc_channel_open(u, &u->channels[n]);
        u->channels[n].leaked = true;
    }
}

static void set_other_environment(struct uicc *u, struct channel *c)
{
    struct mias_template before = {.set = false};

    if (c->applet == &mias_applet)
        before = ((const struct mias *)c->state)->sign;
    uicc_channel_select(u, c, &mias_applet, 0x0C, NULL);
    mias_intrude(u, c->state, &before);
}

bool uicc_intrude(struct uicc *u, enum intrusion what)
{
    bool struck = false;

    for (size_t n = 0; n < UICC_CHANNELS; n++) {
        struct channel *c = &u->channels[n];

        if (!c->open || c->leaked ||
            (n == 0 && (what == INTRUSION_CLOSE || c->applet == &mf_applet)))
            continue;
        struck = true;
        if (what == INTRUSION_CLOSE) {
            uicc_channel_close(c);
            continue;
        }
        uicc_forget_answers(c);
        if (what == INTRUSION_MSE && mias_applet.present(u))
            set_other_environment(u, c);
        else
            uicc_channel_select(u, c, &telecom_applet, 0x0C, NULL);
    }
    return struck;
}
