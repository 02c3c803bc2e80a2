/* SPDX-License-Identifier: Apache-2.0 */
/* What befalls a SIM command by its number: errors before and after the card has seen it, silence,
 * delays; and which APDUs the modem does not carry. */
#include "test/sim/gate.h"

#include <string.h>

#define CME_NOT_ALLOWED 3
#define CME_NO_SIM      10
#define CME_SIM_FAILURE 13
#define CME_BUSY        14
#define CME_PARAMETERS  50

/* Errors of the modem's own: the card has not seen the command. */
static int refuse(struct at *at, long n)
{
    const struct faults *f = &at->options->faults;

    if (at->options->no_sim || at->life.absent)
        return CME_NO_SIM;
    if (at->functionality == 0)
        return CME_SIM_FAILURE; /* without power */
    if (at->busy > 0) {
        at->busy--;
        return CME_BUSY;
    }
    if (fault_nth(f, FAULT_ERROR_AT, n))
        return AT_ERROR;
    return fault_nth(f, FAULT_CME, n) ? (int)f->arg2[FAULT_CME] : AT_OK;
}

static bool swallow(struct at *at, long n)
{
    const struct faults *f = &at->options->faults;
    int64_t until = clock_ns() + f->arg2[FAULT_MUTE_AT] * NS_PER_MS;
    bool swallowed = life_before(at, n);

    if (!fault_nth(f, FAULT_MUTE_AT, n))
        return swallowed;
    if (until > at->ears)
        at->ears = until;
    return true;
}

static int pass(struct at *at, const struct at_command *c, const struct at_call *call, long n)
{
    const struct faults *f = &at->options->faults;
    size_t before = at->reply.size;
    int result = refuse(at, n);

    if (result != AT_OK)
        return result;
    at->ms += f->arg[FAULT_LATE];
    if (fault_nth(f, FAULT_LATE_AT, n))
        at->ms += f->arg2[FAULT_LATE_AT];
    if (f->on[FAULT_6100_FOREVER] && n >= f->arg[FAULT_6100_FOREVER])
        at->uicc->endless = true;
    result = c->run(at, call);
    if (!fault_nth(f, FAULT_CME_AFTER, n))
        return result;
    at->reply.size = before;
    return (int)f->arg2[FAULT_CME_AFTER];
}

int gate_run(struct at *at, const struct at_command *c, const struct at_call *call)
{
    long n = ++at->sim_commands;
    bool swallowed = swallow(at, n);
    int result = AT_SWALLOWED;

    if (!swallowed) {
        noise_sim(at, n);
        result = pass(at, c, call, n);
    }
    life_after(at, n);
    if (fault_nth(&at->options->faults, FAULT_ECHO_RETURNS, n))
        at->echo = true;
    return result;
}

static bool is_question(long k, const char *name)
{
    static const char *const questions[] = {"+CGMI", "+CGMM",  "+CGMR", "+CGSN", "+CPIN", "+CRSM",
                                            "+CREG", "+CEREG", "+CCID", "+CMEE", "E0V1Q0"};

    return k >= 1 && k <= (long)(sizeof questions / sizeof *questions) &&
           strcmp(questions[k - 1], name) == 0;
}

int gate_end(const struct at *at, const char *name, int result)
{
    const struct faults *f = &at->options->faults;

    if (is_question(f->arg[FAULT_NO_ANSWER], name))
        return AT_SWALLOWED;
    return result == AT_OK && is_question(f->arg[FAULT_NO_END], name) ? AT_UNENDED : result;
}

/* A code of up to three digits is a number of +CME ERROR. */
static int cme_of(const struct faults *f, enum fault fault)
{
    return f->on[fault] && f->arg[fault] >= 0 && f->arg[fault] <= 999 ? (int)f->arg[fault] : AT_OK;
}

/* What some modems do not carry by AT+CSIM: that on a channel, and what manages them. */
static int gate_csim(const struct at *at, const uint8_t *command, size_t size)
{
    const struct faults *f = &at->options->faults;
    const bool on_channel = (command[0] & 0x43) != 0, opens = command[2] == 0x00;
    int result = AT_OK;

    if (command[1] == 0x70) {
        result = cme_of(f, FAULT_NO_MANAGE_CHANNEL);
        if (result == AT_OK && size == 5 && (!opens || command[4] == 0x01))
            result = cme_of(f, FAULT_OPEN_LE);
    }
    if (result == AT_OK && on_channel)
        result = cme_of(f, FAULT_NO_CSIM_CHANNELS);
    if (result == AT_OK && on_channel && command[1] == 0xC0)
        result = cme_of(f, FAULT_BASIC_RESPONSE);
    if (result == AT_OK && on_channel && f->on[FAULT_SELECT_ONLY] && command[1] != 0xA4 &&
        command[1] != 0xC0 && command[1] != 0x70)
        result = CME_NOT_ALLOWED;
    return result;
}

int gate_apdu(struct at *at, enum source source, const uint8_t *command, size_t size)
{
    const struct faults *f = &at->options->faults;
    bool case4 = size > 5 && size == 6 + (size_t)command[4];

    if (f->on[FAULT_MAX_LENGTH] && size > (size_t)f->arg[FAULT_MAX_LENGTH])
        return CME_PARAMETERS;
    if (f->on[FAULT_REFUSE_LE] && f->arg[FAULT_REFUSE_LE] >= 0 && case4)
        return (int)f->arg[FAULT_REFUSE_LE];
    if (command[1] == 0x20 && size > 5 && at->pin_busy > 0) {
        at->pin_busy--;
        return (int)f->arg2[FAULT_PIN_BUSY];
    }
    return source == SOURCE_CSIM ? gate_csim(at, command, size) : AT_OK;
}

int gate_answer(const struct at *at, size_t size)
{
    const struct faults *f = &at->options->faults;

    return f->on[FAULT_MAX_LENGTH] && size > (size_t)f->arg[FAULT_MAX_LENGTH] ? CME_PARAMETERS
                                                                              : AT_OK;
}
