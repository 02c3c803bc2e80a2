/* SPDX-License-Identifier: Apache-2.0 */
/* Strikes of fate, by the number of the SIM command. Those of one number all strike. */
#include "test/sim/life.h"

#include "test/sim/at.h"

/* REFRESH with a reset of the UICC, as a proactive command that the modem hands on (TS 102 223
 * 6.6.13): command details 01 01 04, from the UICC 81 to the terminal 82. */
#define REFRESH_URC "+CUSATP: \"D009810301010482028182\""
#define PROMPT      "\r\n> "
#define URC_NS      (5 * NS_PER_MS) /* from what happens to the line that tells of it */

/* Power off and on: nothing of the talk is left. */
static void restart(struct at *at)
{
    uicc_reset(at->uicc);
    at_forget_sessions(at);
    at_power_on(at);
    at_drop(at);
}

void life_boot(struct at *at, int64_t due)
{
    switch (at->options->faults.arg[FAULT_BOOT_WORDS]) {
    case 0:
        noise_say_line(at, due, "RDY");
        noise_say_line(at, due, "+CFUN: 1");
        break;
    case 1:
        noise_say_line(at, due, "^SYSSTART");
        break;
    case 2:
        noise_say_line(at, due, "*ATREADY: 1");
        break;
    case 4:
        at->echo = false; /* as with a profile that was stored so */
        return;
    default:
        return;
    }
    noise_say_line(at, due, at->life.absent ? "+CPIN: NOT INSERTED" : "+CPIN: READY");
}

static void modem_reset(struct at *at, int64_t now)
{
    at->ears = now + at->options->faults.arg2[FAULT_MODEM_RESET] * NS_PER_MS;
    life_boot(at, at->ears);
}

static void remove_sim(struct at *at, int64_t now)
{
    long ms = at->options->faults.arg2[FAULT_SIM_REMOVED];

    uicc_reset(at->uicc);
    at_forget_sessions(at);
    at->life.absent = true;
    at->life.back_at = ms >= 0 ? now + ms * NS_PER_MS : 0;
    noise_say_line(at, now + URC_NS, "+CPIN: NOT READY");
}

static void insert_other(struct at *at, int64_t now)
{
    if (at->life.other == NULL)
        return;
    uicc_reset(at->uicc);
    at_forget_sessions(at);
    at->uicc = at->life.other;
    at->life.other = NULL;
    at->life.absent = false;
    noise_say_line(at, now + URC_NS, "+CPIN: NOT READY");
    noise_say_line(at, now + URC_NS, "+CPIN: READY");
}

bool life_before(struct at *at, long n)
{
    const struct faults *f = &at->options->faults;
    int64_t now = clock_ns();
    bool reset = fault_nth(f, FAULT_MODEM_RESET, n);
    bool hang_up = fault_nth(f, FAULT_HANG_UP, n);

    if (reset || hang_up)
        restart(at);
    if (fault_nth(f, FAULT_OTHER_SIM, n))
        insert_other(at, now);
    if (fault_nth(f, FAULT_SIM_REMOVED, n))
        remove_sim(at, now);
    if (reset)
        modem_reset(at, now);
    if (hang_up) {
        at->life.hang_up = true;
        at->life.gone_ns = f->arg2[FAULT_HANG_UP] * NS_PER_MS;
    }
    at->life.prompt |= fault_nth(f, FAULT_SMS_PROMPT, n);
    if (fault_nth(f, FAULT_SMS_PROMPT, n))
        bytes_add(at->out, PROMPT, sizeof PROMPT - 1);
    return reset || hang_up || at->life.prompt;
}

/* The text is thrown away. (27.005, 3.5.1; ESC is answered by OK) */
static bool take_text(struct at *at, char c)
{
    static const char escaped[] = "\r\nOK\r\n";

    if (!at->life.prompt)
        return false;
    if (at->echo)
        bytes_add(at->out, &c, 1);
    if (c == '\r')
        bytes_add(at->out, PROMPT, sizeof PROMPT - 1);
    at->life.prompt = c != '\x1B';
    if (!at->life.prompt)
        bytes_add(at->out, escaped, sizeof escaped - 1);
    return true;
}

bool life_character(struct at *at, char c)
{
    static const char refusal[] = "\r\nERROR\r\n";

    if (take_text(at, c))
        return true;
    if (at->fill == 0 && c != '\r' && c != '\n')
        at->life.deaf = clock_ns() < at->life.rested;
    if (at->life.deaf && c == '\r') {
        at->life.deaf = false;
        if (at_fault(at, FAULT_GAP_ERROR)) {
            bytes_add(at->out, refusal, sizeof refusal - 1);
            at->life.rested = clock_ns() + at->options->faults.arg[FAULT_GAP_ERROR] * NS_PER_MS;
        }
        return true;
    }
    return at->life.deaf;
}

/* Other programs strike at the n-th, or later, as soon as there is a channel to strike at. */
static void intrude(struct at *at, enum fault fault, enum intrusion what, bool *done, long n)
{
    const struct faults *f = &at->options->faults;

    if (!f->on[fault] || *done || n < f->arg[fault])
        return;
    *done = uicc_intrude(at->uicc, what);
    if (*done && what == INTRUSION_CLOSE)
        at_forget_sessions(at);
}

void life_after(struct at *at, long n)
{
    struct life *l = &at->life;

    intrude(at, FAULT_FOREIGN, INTRUSION_SELECT, &l->foreign, n);
    intrude(at, FAULT_FOREIGN_MSE, INTRUSION_MSE, &l->foreign_mse, n);
    intrude(at, FAULT_LOSE_CHANNEL, INTRUSION_CLOSE, &l->lost, n);
    if (fault_nth(&at->options->faults, FAULT_REFRESH, n) && !l->absent) {
        uicc_reset(at->uicc);
        at_forget_sessions(at);
        noise_say_line(at, clock_ns() + at->ms * NS_PER_MS + URC_NS, REFRESH_URC);
    }
}

int64_t life_due(const struct at *at)
{
    return at->life.absent ? at->life.back_at : 0;
}

void life_work(struct at *at, int64_t now)
{
    int64_t due = life_due(at);

    if (due == 0 || now < due)
        return;
    at->life.absent = false;
    noise_say_line(at, now, "+CPIN: READY");
}
