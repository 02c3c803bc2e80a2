/* SPDX-License-Identifier: Apache-2.0 */
/* Reads command lines, takes them apart, runs the commands and writes the answers (3GPP TS 27.007,
 * ITU-T V.250). Knows the modem's own commands; those of the SIM come from simcmd.c. */
#include "test/sim/at.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool at_fault(const struct at *at, enum fault f)
{
    return at->options->faults.on[f];
}

void at_start(struct at *at, const struct options *o, struct uicc *uicc, const struct trace *trace,
              struct bytes *out)
{
    *at = (struct at){.options = o,
                      .uicc = uicc,
                      .trace = trace,
                      .out = out,
                      .echo = true,
                      .verbose = true,
                      .busy = o->faults.arg[FAULT_BUSY]};
    at->ears = clock_ns() + o->faults.arg[FAULT_MUTE] * NS_PER_MS;
}

void at_end(struct at *at)
{
    bytes_free(&at->reply);
    explicit_bzero(at->line, sizeof at->line);
}

static void put(struct at *at, const char *text)
{
    bytes_add(&at->reply, text, strlen(text));
}

static void put_line(struct at *at, const char *text)
{
    if (at->verbose)
        put(at, "\r\n");
    put(at, text);
    put(at, "\r\n");
}

/* Unsolicited lines take turns; some look nearly like an answer. */
static void put_urc(struct at *at)
{
    static const char *const urcs[] = {
        "+CREG: 1",     "RING",           "+CUSD: 0,\"OK\",15", "^RSSI: 18", "+QIND: \"csq\",20,99",
        "+CPIN: READY", "+CMTI: \"SM\",1"};

    if (at->disturb)
        put_line(at, urcs[at->urcs++ % (sizeof urcs / sizeof *urcs)]);
}

void at_line(struct at *at, const char *format, ...)
{
    char text[1200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_urc(at);
    put_line(at, text);
}

static const char *cme_text(int code)
{
    static const struct {
        int code;
        const char *text;
    } texts[] = {
        {0, "phone failure"},
        {3, "operation not allowed"},
        {4, "operation not supported"},
        {10, "SIM not inserted"},
        {11, "SIM PIN required"},
        {12, "SIM PUK required"},
        {13, "SIM failure"},
        {14, "SIM busy"},
        {16, "incorrect password"},
        {20, "memory full"},
        {21, "invalid index"},
        {22, "not found"},
        {50, "Incorrect parameters"},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].code == code)
            return texts[i].text;
    }
    return "unknown";
}

static void put_final(struct at *at, int result)
{
    char text[64];
    bool named = result >= 0 && !at_fault(at, FAULT_PLAIN_ERROR);
    bool in_words = at->cmee == 2 || at_fault(at, FAULT_CME_TEXT);

    if (at->quiet)
        return;
    put_urc(at);
    if (result == AT_OK) {
        put(at, at->verbose ? "\r\nOK\r\n" : "0\r");
    } else if (named && (at->cmee > 0 || at_fault(at, FAULT_CME_TEXT))) {
        if (in_words)
            snprintf(text, sizeof text, "+CME ERROR: %s", cme_text(result));
        else
            snprintf(text, sizeof text, "+CME ERROR: %d", result);
        put_line(at, text);
        if (at_fault(at, FAULT_TWO_FINALS))
            put_line(at, "ERROR");
    } else {
        put(at, at->verbose ? "\r\nERROR\r\n" : "4\r");
    }
    put_urc(at);
}

static int identity(struct at *at, const struct at_call *call, const char *text)
{
    if (call->form == AT_TEST)
        return AT_OK;
    if (call->form != AT_EXECUTE)
        return AT_ERROR;
    at_line(at, "%s", text);
    return AT_OK;
}

static int run_cgmi(struct at *at, const struct at_call *call)
{
    return identity(at, call, "simkey");
}

static int run_cgmm(struct at *at, const struct at_call *call)
{
    return identity(at, call, "simmodem");
}

static int run_cgmr(struct at *at, const struct at_call *call)
{
    return identity(at, call, "Revision: simmodem 1.0");
}

static int run_cgsn(struct at *at, const struct at_call *call)
{
    return identity(at, call, at->options->imei);
}

static int run_cmee(struct at *at, const struct at_call *call)
{
    if (call->form == AT_TEST) {
        at_line(at, "+CMEE: (0-2)");
    } else if (call->form == AT_READ) {
        at_line(at, "+CMEE: %d", at->cmee);
    } else if (call->form == AT_SET) {
        if (call->arguments[0] < '0' || call->arguments[0] > '2' || call->arguments[1] != '\0')
            return 50;
        at->cmee = call->arguments[0] - '0';
    } else {
        at->cmee = 0;
    }
    return AT_OK;
}

static int registration(struct at *at, const struct at_call *call, const char *name)
{
    if (call->form == AT_READ)
        at_line(at, "%s: 0,1", name);
    return call->form == AT_READ || call->form == AT_SET ? AT_OK : AT_ERROR;
}

static int run_creg(struct at *at, const struct at_call *call)
{
    return registration(at, call, "+CREG");
}

static int run_cgreg(struct at *at, const struct at_call *call)
{
    return registration(at, call, "+CGREG");
}

static int run_cereg(struct at *at, const struct at_call *call)
{
    return registration(at, call, "+CEREG");
}

static int run_csq(struct at *at, const struct at_call *call)
{
    if (call->form != AT_EXECUTE)
        return AT_ERROR;
    at_line(at, "+CSQ: 20,99");
    return AT_OK;
}

/* AT+CFUN=1,1 restarts the modem and with it the card. */
static int run_cfun(struct at *at, const struct at_call *call)
{
    if (call->form == AT_READ)
        at_line(at, "+CFUN: 1");
    if (call->form == AT_SET && strcmp(call->arguments, "1,1") == 0) {
        uicc_reset(at->uicc);
        at_forget_sessions(at);
        at->echo = at->verbose = true;
        at->quiet = false;
        at->cmee = 0;
        return AT_OK;
    }
    return call->form == AT_READ || (call->form == AT_SET && strcmp(call->arguments, "1") == 0)
               ? AT_OK
               : AT_ERROR;
}

static const struct at_command own_commands[] = {
    {"+CGMI", run_cgmi, false}, {"+GMI", run_cgmi, false},    {"+CGMM", run_cgmm, false},
    {"+GMM", run_cgmm, false},  {"+CGMR", run_cgmr, false},   {"+GMR", run_cgmr, false},
    {"+CGSN", run_cgsn, false}, {"+GSN", run_cgsn, false},    {"+CMEE", run_cmee, false},
    {"+CREG", run_creg, false}, {"+CGREG", run_cgreg, false}, {"+CEREG", run_cereg, false},
    {"+CSQ", run_csq, false},   {"+CFUN", run_cfun, false},
};

static const struct at_command *find(const struct at_command *table, size_t count, const char *name,
                                     size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(table[i].name) == length && strncasecmp(table[i].name, name, length) == 0)
            return &table[i];
    }
    return NULL;
}

static int run_found(struct at *at, const struct at_command *c, const struct at_call *call)
{
    if (c->sim && at->options->no_sim)
        return 10;
    if (c->sim && at->busy > 0) {
        at->busy--;
        return 14;
    }
    if (c->sim)
        at->ms += at->options->faults.arg[FAULT_LATE];
    return c->run(at, call);
}

/* An extended command: name, then nothing, '?', '=?' or '=' and arguments. The text is its own
 * copy. Unknown commands answer ERROR whatever AT+CMEE says, as SIMCom's and Quectel's modems do:
 * +CME ERROR is for commands that the modem has. */
static int run_extended(struct at *at, char *text)
{
    size_t length = strcspn(text, "=?");
    char *rest = text + length;
    struct at_call call = {AT_EXECUTE, ""};
    const struct at_command *c;

    while (length > 0 && text[length - 1] == ' ')
        length--;
    c = find(own_commands, sizeof own_commands / sizeof *own_commands, text, length);
    if (c == NULL)
        c = find(sim_commands, sim_command_count, text, length);
    if (c == NULL)
        return AT_ERROR;
    if (strcmp(rest, "?") == 0) {
        call.form = AT_READ;
    } else if (strcmp(rest, "=?") == 0) {
        call.form = AT_TEST;
    } else if (rest[0] == '=') {
        call.form = AT_SET;
        call.arguments = rest + 1;
    } else if (rest[0] != '\0') {
        return AT_ERROR;
    }
    return run_found(at, c, &call);
}

/* A basic command: a letter (or & and a letter) and a number. */
static int run_basic(struct at *at, const char **text)
{
    bool ampersand = **text == '&';
    char letter = (char)toupper((unsigned char)*(*text += ampersand));
    long number = 0;

    if (letter == '\0')
        return AT_ERROR;
    for ((*text)++; isdigit((unsigned char)**text) && number < 1000; (*text)++)
        number = 10 * number + (**text - '0');
    if (ampersand)
        return strchr("CDFKW", letter) != NULL ? AT_OK : AT_ERROR;
    switch (letter) {
    case 'E':
        if (number > 1)
            return AT_ERROR;
        at->echo = number == 1 || at_fault(at, FAULT_ECHO_STAYS);
        return AT_OK;
    case 'V':
        at->verbose = number != 0;
        return number > 1 ? AT_ERROR : AT_OK;
    case 'Q':
        at->quiet = number == 1;
        return number > 1 ? AT_ERROR : AT_OK;
    case 'Z':
        at->echo = at->verbose = true;
        at->quiet = false;
        at->cmee = 0;
        return AT_OK;
    case 'I':
        at_line(at, "simkey simmodem 1.0");
        return AT_OK;
    case 'X':
        return AT_OK;
    default:
        return AT_ERROR;
    }
}

/* The end of an extended command: a semicolon outside quotes, or the line's end. */
static size_t extended_length(const char *text)
{
    bool quoted = false;
    size_t i = 0;

    for (; text[i] != '\0' && (quoted || text[i] != ';'); i++) {
        if (text[i] == '"')
            quoted = !quoted;
    }
    return i;
}

static int run_commands(struct at *at, const char *text)
{
    unsigned count = 0;
    int result = AT_OK;

    while (*text != '\0' && result == AT_OK) {
        if (*text == ' ' || *text == ';') {
            text++;
            continue;
        }
        if (count++ > 0 && at_fault(at, FAULT_NO_COMPOUND))
            return AT_ERROR;
        if (strchr("+#%$^*", *text) != NULL) {
            char one[AT_LINE + 1];
            size_t length = extended_length(text);

            memcpy(one, text, length);
            text += length;
            while (length > 0 && one[length - 1] == ' ')
                length--;
            one[length] = '\0';
            result = run_extended(at, one);
            explicit_bzero(one, sizeof one);
        } else {
            result = run_basic(at, &text);
        }
    }
    return result;
}

/* Where the command starts: at the first "AT", whatever stands before it; NULL if there is none. */
static const char *find_at(const char *line)
{
    for (; *line != '\0'; line++) {
        if (toupper((unsigned char)line[0]) == 'A' && toupper((unsigned char)line[1]) == 'T')
            return line;
    }
    return NULL;
}

static bool disturbed(struct at *at)
{
    long every = at->options->faults.arg[FAULT_URC];

    return at_fault(at, FAULT_URC) && every > 0 && ++at->answers % (unsigned)every == 0;
}

static void run_line(struct at *at)
{
    const char *command = find_at(at->line);
    int result;

    /* A line without "AT" is noise: the modem waits for one. */
    if (command == NULL && !at->overlong)
        return;
    at->ms = 0;
    at->disturb = disturbed(at);
    if (at->overlong) {
        result = AT_ERROR;
    } else {
        trace_command_line(at->trace, command);
        result = run_commands(at, command + 2);
    }
    put_final(at, result);
    at->running = true;
    at->due = clock_ns() + at->ms * NS_PER_MS;
}

void at_character(struct at *at, char c)
{
    if (clock_ns() < at->ears)
        return;
    if (at->echo)
        bytes_add(at->out, &c, 1);
    if (c == '\r') {
        at->line[at->fill] = '\0';
        run_line(at);
        explicit_bzero(at->line, at->fill);
        at->fill = 0;
        at->overlong = false;
    } else if (c == '\b') {
        at->fill -= at->fill > 0;
    } else if (c == '\n' || c == '\0') {
        return; /* of CR LF; NUL is what a waking line gives */
    } else if (at->fill < AT_LINE) {
        at->line[at->fill++] = c;
    } else {
        at->overlong = true;
    }
}

void at_finish(struct at *at)
{
    bytes_add(at->out, at->reply.data, at->reply.size);
    bytes_free(&at->reply);
    at->running = false;
}
