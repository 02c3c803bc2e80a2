/* SPDX-License-Identifier: Apache-2.0 */
/* Reads command lines, takes them apart, runs the commands and writes the answers (3GPP TS 27.007,
 * ITU-T V.250). Knows the modem's own commands; those of the SIM come from simcmd.c. */
#include "test/sim/at.h"
#include "apdu/version.h"

#include "test/sim/gate.h"

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

void at_start(struct at *at, const struct options *o, struct uicc *uicc, struct uicc *other,
              const struct trace *trace, struct bytes *out)
{
    *at = (struct at){.options = o,
                      .uicc = uicc,
                      .trace = trace,
                      .out = out,
                      .life = {.other = other},
                      .busy = o->faults.arg[FAULT_BUSY],
                      .pin_busy = o->faults.arg[FAULT_PIN_BUSY]};
    at_power_on(at);
    at->life.prompt = at_fault(at, FAULT_SMS_PROMPT) && o->faults.arg[FAULT_SMS_PROMPT] == 0;
    at->ears = clock_ns() + o->faults.arg[FAULT_MUTE] * NS_PER_MS;
}

void at_power_on(struct at *at)
{
    at_defaults(at);
    at->functionality = 1;
    at->characters = 0;
    memset(at->registration, 0, sizeof at->registration);
}

void at_defaults(struct at *at)
{
    at->echo = at->verbose = true;
    at->quiet = false;
    at->cmee = 0;
}

void at_drop(struct at *at)
{
    bytes_free(&at->reply);
    at->sent = 0;
    at->running = false;
    explicit_bzero(at->line, sizeof at->line);
    explicit_bzero(at->last, sizeof at->last);
    at->fill = 0;
    at->overlong = false;
    noise_forget(at);
}

void at_end(struct at *at)
{
    at_drop(at);
}

void at_cut(const struct at *at, char *text)
{
    size_t most = (size_t)at->options->faults.arg[FAULT_MAX_LINE];

    if (at_fault(at, FAULT_MAX_LINE) && strlen(text) > most)
        text[most] = '\0';
}

void at_line(struct at *at, const char *format, ...)
{
    char text[1200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    at_cut(at, text);
    noise_information(at, text);
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

/* OK, then the lines that stand in the answer already. */
static void put_ok_first(struct at *at)
{
    struct bytes lines = at->reply;

    at->reply = (struct bytes){0};
    noise_text(at, at->verbose ? "\r\nOK\r\n" : "0\r");
    bytes_add(&at->reply, lines.data, lines.size);
    bytes_free(&lines);
}

static void put_final(struct at *at, int result)
{
    char text[64];
    bool named = result >= 0 && !at_fault(at, FAULT_PLAIN_ERROR);
    bool in_words = at->cmee == 2 || at_fault(at, FAULT_CME_TEXT);

    if (at->quiet)
        return;
    noise_urc(at);
    if (result == AT_OK && at_fault(at, FAULT_OK_FIRST)) {
        put_ok_first(at);
    } else if (result == AT_OK) {
        noise_text(at, at->verbose ? "\r\nOK\r\n" : "0\r");
    } else if (named && (at->cmee > 0 || at_fault(at, FAULT_CME_TEXT))) {
        if (in_words)
            snprintf(text, sizeof text, "+CME ERROR: %s", cme_text(result));
        else
            snprintf(text, sizeof text, "+CME ERROR: %d", result);
        noise_line(at, text);
        if (at_fault(at, FAULT_TWO_FINALS))
            noise_line(at, "ERROR");
    } else {
        noise_text(at, at->verbose ? "\r\nERROR\r\n" : "4\r");
    }
    noise_urc(at);
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
    return identity(at, call, "Revision: simmodem " SIMKEY_VERSION);
}

static int run_cgsn(struct at *at, const struct at_call *call)
{
    char quoted[40];

    if (!at_fault(at, FAULT_QUOTED_IMEI))
        return identity(at, call, at->options->imei);
    snprintf(quoted, sizeof quoted, "\"%s\"", at->options->imei);
    return identity(at, call, quoted);
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

static const struct at_command own_commands[] = {
    {"+CGMI", run_cgmi, false}, {"+GMI", run_cgmi, false},  {"+CGMM", run_cgmm, false},
    {"+GMM", run_cgmm, false},  {"+CGMR", run_cgmr, false}, {"+GMR", run_cgmr, false},
    {"+CGSN", run_cgsn, false}, {"+GSN", run_cgsn, false},  {"+CMEE", run_cmee, false},
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
        c = find(network_commands, network_command_count, text, length);
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
    return gate_end(at, c->name, c->sim ? gate_run(at, c, &call) : c->run(at, &call));
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
        at_defaults(at);
        return AT_OK;
    case 'I':
        at_line(at, "simkey simmodem " SIMKEY_VERSION);
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
    int result = strcasecmp(text, "E0V1Q0") == 0 ? gate_end(at, "E0V1Q0", AT_OK) : AT_OK;

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

static void run_line(struct at *at)
{
    const char *command = find_at(at->line);
    bool overlong = at->overlong;
    int result;

    /* A line without "AT" is noise: the modem waits for one. */
    if (command == NULL && !overlong)
        return;
    at->ms = 0;
    noise_begin(at);
    noise_around(at);
    if (!overlong)
        trace_command_line(at->trace, command);
    overlong |=
        at_fault(at, FAULT_MAX_LINE) && at->fill > (size_t)at->options->faults.arg[FAULT_MAX_LINE];
    result = overlong ? AT_ERROR : run_commands(at, command + 2);
    if (result == AT_SWALLOWED) {
        bytes_free(&at->reply);
        return;
    }
    if (result != AT_UNENDED)
        put_final(at, result);
    noise_around(at);
    at->running = true;
    at->due = clock_ns() + at->ms * NS_PER_MS;
}

void at_character(struct at *at, char c)
{
    if (clock_ns() < at->ears || life_character(at, c))
        return;
    if (at->echo)
        bytes_add(at->out, &c, 1);
    if (c == '\r') {
        at->line[at->fill] = '\0';
        if (find_at(at->line) != NULL)
            memcpy(at->last, at->line, at->fill + 1);
        run_line(at);
        explicit_bzero(at->line, at->fill);
        at->fill = 0;
        at->overlong = false;
    } else if (c == '/' && at->fill == 1 && toupper((unsigned char)at->line[0]) == 'A') {
        /* V.250, 5.2.4: the last line once more, without waiting for its end */
        memcpy(at->line, at->last, sizeof at->line);
        at->fill = strlen(at->line);
        run_line(at);
        explicit_bzero(at->line, sizeof at->line);
        at->fill = 0;
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

/* Lets the answer go, or the next part of it. */
static void send_part(struct at *at, int64_t now)
{
    int64_t pause;
    size_t end = noise_part(at, &pause);

    bytes_add(at->out, at->reply.data + at->sent, end - at->sent);
    at->sent = end;
    if (end < at->reply.size && pause != NOISE_NEVER) {
        at->due = now + pause;
        return;
    }
    bytes_free(&at->reply);
    at->sent = 0;
    at->running = false;
    at->life.rested =
        now +
        (at->options->faults.arg[FAULT_GAP] + at->options->faults.arg[FAULT_GAP_ERROR]) * NS_PER_MS;
    noise_end(at, now);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

int64_t at_due(const struct at *at)
{
    return sooner(sooner(noise_due(at), life_due(at)), at->running ? at->due : 0);
}

void at_work(struct at *at, int64_t now)
{
    life_work(at, now);
    if (at->running && now >= at->due)
        send_part(at, now);
    noise_work(at, now);
}
