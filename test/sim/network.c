/* SPDX-License-Identifier: Apache-2.0 */
/* The modem's commands for the network and for itself as a phone: registration, operator, functionality,
 * locks, character set, IMSI (3GPP TS 27.007). There is no network behind them. */
#include "test/sim/at.h"

#include "test/sim/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CME_NOT_ALLOWED 3
#define CME_PARAMETERS  50

#define RESTART_MS 1000 /* silence after AT+CFUN=1,1 */
#define SOON_MS    5    /* from an answer to what follows unasked */

static const char *const registrations[REGISTRATIONS] = {"+CREG", "+CGREG", "+CEREG"};

/* A single digit within the range, -1 if the text is another one. */
static int digit(const char *text, int most)
{
    return text[0] >= '0' && text[0] <= '0' + most && text[1] == '\0' ? text[0] - '0' : -1;
}

/* The place and its cell go with <n> 2 and more. */
static const char *place(const struct at *at, int n)
{
    return n >= 2 && at->functionality == 1 ? ",\"0001\",\"0000C001\",7" : "";
}

static int registration(struct at *at, const struct at_call *call, enum registration which)
{
    const char *name = registrations[which];
    int most = which == REGISTRATION_CREG ? 3 : 5, n;

    switch (call->form) {
    case AT_READ:
        at_line(at, "%s: %d,%d%s", name, at->registration[which], at->functionality == 1,
                place(at, at->registration[which]));
        return AT_OK;
    case AT_TEST:
        at_line(at, "%s: (0-%d)", name, most);
        return AT_OK;
    case AT_SET:
        n = digit(call->arguments, most);
        if (n < 0)
            return CME_PARAMETERS;
        at->registration[which] = n;
        return AT_OK;
    case AT_EXECUTE:
        break;
    }
    return AT_ERROR;
}

static int run_creg(struct at *at, const struct at_call *call)
{
    return registration(at, call, REGISTRATION_CREG);
}

static int run_cgreg(struct at *at, const struct at_call *call)
{
    return registration(at, call, REGISTRATION_CGREG);
}

static int run_cereg(struct at *at, const struct at_call *call)
{
    return registration(at, call, REGISTRATION_CEREG);
}

static int run_csq(struct at *at, const struct at_call *call)
{
    if (call->form != AT_EXECUTE)
        return AT_ERROR;
    at_line(at, at->functionality == 1 ? "+CSQ: 20,99" : "+CSQ: 99,99");
    return AT_OK;
}

static int run_cops(struct at *at, const struct at_call *call)
{
    switch (call->form) {
    case AT_READ:
        at_line(at, at->functionality == 1 ? "+COPS: 0,0,\"simkey\",7" : "+COPS: 0");
        return AT_OK;
    case AT_TEST:
        at_line(at, "+COPS: (2,\"simkey\",\"simkey\",\"00101\",7),,(0-4),(0-2)");
        return AT_OK;
    case AT_SET:
        return strchr("0123", call->arguments[0]) != NULL && call->arguments[0] != '\0'
                   ? AT_OK
                   : CME_PARAMETERS;
    case AT_EXECUTE:
        break;
    }
    return AT_ERROR;
}

/* Whether the SIM wants PIN1; nothing can be locked here. */
static int run_clck(struct at *at, const struct at_call *call)
{
    if (call->form == AT_TEST) {
        at_line(at, "+CLCK: (\"SC\")");
        return AT_OK;
    }
    if (call->form != AT_SET)
        return AT_ERROR;
    if (strcmp(call->arguments, "\"SC\",2") != 0)
        return strncmp(call->arguments, "\"SC\",", 5) == 0 ? CME_NOT_ALLOWED : CME_PARAMETERS;
    at_line(at, "+CLCK: %d", at->options->pin1_state == PIN1_ENABLED);
    return AT_OK;
}

static const char *const characters[] = {"IRA", "GSM", "UCS2"};
#define CHARACTERS (sizeof characters / sizeof *characters)

static int run_cscs(struct at *at, const struct at_call *call)
{
    char quoted[8];

    if (call->form == AT_TEST)
        at_line(at, "+CSCS: (\"IRA\",\"GSM\",\"UCS2\")");
    if (call->form == AT_READ)
        at_line(at, "+CSCS: \"%s\"", characters[at->characters]);
    if (call->form == AT_TEST || call->form == AT_READ)
        return AT_OK;
    for (size_t i = 0; call->form == AT_SET && i < CHARACTERS; i++) {
        snprintf(quoted, sizeof quoted, "\"%s\"", characters[i]);
        if (strcmp(call->arguments, quoted) == 0 || strcmp(call->arguments, characters[i]) == 0) {
            at->characters = i;
            return AT_OK;
        }
    }
    return call->form == AT_SET ? CME_PARAMETERS : AT_ERROR;
}

static int run_cimi(struct at *at, const struct at_call *call)
{
    char digits[16];

    if (call->form == AT_TEST)
        return AT_OK;
    if (call->form != AT_EXECUTE)
        return AT_ERROR;
    image_imsi(at->uicc->card, digits);
    at_line(at, "%s", digits);
    return AT_OK;
}

/* ---- functionality ---- */

/* What follows the answer to AT+CFUN. */
static void say_soon(struct at *at, const char *line)
{
    noise_say_line(at, clock_ns() + SOON_MS * NS_PER_MS, line);
}

/* Those who asked for it hear that the network came or went. */
static void tell_registration(struct at *at)
{
    char line[64];

    for (size_t i = 0; i < REGISTRATIONS; i++) {
        if (at->registration[i] == 0)
            continue;
        snprintf(line, sizeof line, "%s: %d%s", registrations[i], at->functionality == 1,
                 place(at, at->registration[i]));
        say_soon(at, line);
    }
}

/* The card loses its power with the modem's minimum functionality, and gets it again. */
static void power_card(struct at *at, bool on)
{
    uicc_reset(at->uicc);
    at_forget_sessions(at);
    say_soon(at, !on               ? "+CPIN: NOT READY"
                 : at->life.absent ? "+CPIN: NOT INSERTED"
                                   : "+CPIN: READY");
}

static int change_functionality(struct at *at, int wanted)
{
    int before = at->functionality;

    at->functionality = wanted;
    if ((before == 0) != (wanted == 0))
        power_card(at, wanted != 0);
    if ((before == 1) != (wanted == 1))
        tell_registration(at);
    return AT_OK;
}

/* The answer leaves, then the modem is silent, and says that it is back. */
static int restart(struct at *at)
{
    at_power_on(at);
    uicc_reset(at->uicc);
    at_forget_sessions(at);
    at->ears = clock_ns() + RESTART_MS * NS_PER_MS;
    life_boot(at, at->ears);
    return AT_OK;
}

static int run_cfun(struct at *at, const struct at_call *call)
{
    const char *text = call->arguments;

    if (call->form == AT_READ)
        at_line(at, "+CFUN: %d", at->functionality);
    if (call->form == AT_TEST)
        at_line(at, "+CFUN: (0,1,4),(0,1)");
    if (call->form == AT_READ || call->form == AT_TEST)
        return AT_OK;
    if (call->form != AT_SET || text[0] == '\0' || strchr("014", text[0]) == NULL ||
        (text[1] != '\0' && strcmp(text + 1, ",0") != 0 && strcmp(text + 1, ",1") != 0))
        return call->form == AT_SET ? CME_PARAMETERS : AT_ERROR;
    if (strcmp(text + 1, ",1") == 0)
        return text[0] == '1' ? restart(at) : CME_NOT_ALLOWED;
    return change_functionality(at, text[0] - '0');
}

const struct at_command network_commands[] = {
    {"+CREG", run_creg, false}, {"+CGREG", run_cgreg, false}, {"+CEREG", run_cereg, false},
    {"+CSQ", run_csq, false},   {"+CFUN", run_cfun, false},   {"+COPS", run_cops, false},
    {"+CSCS", run_cscs, false}, {"+CLCK", run_clck, true},    {"+CIMI", run_cimi, true},
};

const size_t network_command_count = sizeof network_commands / sizeof *network_commands;
