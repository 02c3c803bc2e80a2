/* SPDX-License-Identifier: Apache-2.0 */
/* simmodem: a simulated cellular modem with a simulated SIM. The program from options to exit
 * status; everything else is in the other files. */
#include "apdu/version.h"
#include "test/sim/at.h"
#include "test/sim/card.h"
#include "test/sim/device.h"
#include "test/sim/options.h"
#include "test/sim/personalise.h"
#include "test/sim/pty.h"
#include "test/sim/trace.h"
#include "test/sim/uicc.h"

#include <stdio.h>
#include <stdlib.h>

static bool serve(const struct options *o)
{
    struct card card, other_card;
    struct trace trace;
    struct uicc uicc, other;
    bool two = o->other_card != NULL;
    static struct device device;
    struct at at;
    struct pty pty;
    bool done;

    if (!trace_open(&trace, o->trace, o->trace_at))
        return false;
    trace.line = o->trace_line;
    if (!card_open(&card, o->card)) {
        trace_close(&trace);
        return false;
    }
    if (two && !card_open(&other_card, o->other_card)) {
        card_close(&card);
        trace_close(&trace);
        return false;
    }
    uicc_start(&uicc, &card, o, &trace);
    if (o->faults.on[FAULT_LEAKED])
        uicc_leak(&uicc, o->faults.arg[FAULT_LEAKED]);
    if (two)
        uicc_start(&other, &other_card, o, &trace);
    done = pty_open(&pty, o->link, o->group, o->baud, o->faults.on[FAULT_OPEN_GARBAGE]);
    if (o->protocol != PROTOCOL_AT) {
        device = (struct device){
            .options = o, .uicc = &uicc, .other = two ? &other : NULL, .trace = &trace};
        done = done && pty_publish(&pty) && device_serve(&device, &pty);
    } else {
        at_start(&at, o, &uicc, two ? &other : NULL, &trace, &pty.out);
        done = done && pty_publish(&pty) && pty_serve(&pty, &at);
        at_end(&at);
    }
    pty_close(&pty);
    uicc_end(&uicc);
    card_close(&card);
    if (two) {
        uicc_end(&other);
        card_close(&other_card);
    }
    trace_close(&trace);
    return done;
}

int main(int argc, char **argv)
{
    struct options options;

    if (!options_read(&options, argc, argv))
        return 1;
    if (options.help) {
        options_help(stdout);
        return 0;
    }
    if (options.version) {
        puts("simmodem " SIMKEY_VERSION);
        return 0;
    }
    if (options.make_new && !personalise(&options))
        return 1;
    if (options.link != NULL && !serve(&options))
        return 1;
    return 0;
}
