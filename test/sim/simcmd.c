/* SPDX-License-Identifier: Apache-2.0 */
/* The AT commands that reach the SIM: +CSIM, +CCHO, +CGLA, +CCHC, +CRSM, the ICCID's many names,
 * +CPIN (3GPP TS 27.007 clause 8). The modem's share of the T=0 rules is here too, when it has one.
 */
#include "test/sim/gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* +CME ERROR numbers (27.007 9.2). */
#define CME_FAILURE       0
#define CME_NOT_ALLOWED   3
#define CME_NOT_SUPPORTED 4
#define CME_INVALID_INDEX 21
#define CME_NOT_FOUND     22
#define CME_PARAMETERS    50

#define APDU_MAX 261 /* header, Lc, 255 octets, Le */

/* Takes the next argument, up to a comma or the end, without blanks and quotes, into out. */
static bool next_argument(const char **text, char *out, size_t room)
{
    const char *start = *text + strspn(*text, " ");
    const char *end;
    size_t length;

    if (*start == '"') {
        start++;
        end = strchr(start, '"');
        if (end == NULL)
            return false;
        *text = end + 1 + strspn(end + 1, " ");
        if (**text != '\0' && **text != ',')
            return false;
    } else {
        end = start + strcspn(start, ",");
        *text = end;
        while (end > start && end[-1] == ' ')
            end--;
    }
    length = (size_t)(end - start);
    if (length >= room)
        return false;
    memcpy(out, start, length);
    out[length] = '\0';
    *text += **text == ',';
    return true;
}

static bool next_number(const char **text, unsigned long *out)
{
    char word[12];
    char *end;

    if (!next_argument(text, word, sizeof word) || word[0] < '0' || word[0] > '9')
        return false;
    *out = strtoul(word, &end, 10);
    return *end == '\0';
}

/* <n>,"<hex>": n counts the digits. Returns the octets, 0 if anything is wrong. */
static size_t read_apdu(const char **text, uint8_t out[APDU_MAX])
{
    unsigned long length;
    char hex[2 * APDU_MAX + 1];
    size_t digits;

    if (!next_number(text, &length) || !next_argument(text, hex, sizeof hex) || **text != '\0')
        return 0;
    digits = strlen(hex);
    if (digits != length || digits < 8 || !hex_read(out, hex, digits))
        digits = 0;
    explicit_bzero(hex, sizeof hex);
    return digits / 2;
}

static unsigned status_of(const struct bytes *answer)
{
    const uint8_t *end = answer->data + answer->size;

    return (unsigned)end[-2] << 8 | end[-1];
}

/* The same command with Le = xx, as after 6Cxx. Returns its size. */
static size_t with_le(uint8_t out[APDU_MAX], const uint8_t *command, size_t size, unsigned le)
{
    size_t body = size > 5 ? 5 + (size_t)command[4] : 4;

    if (body >= APDU_MAX || body > size)
        return 0;
    memcpy(out, command, body);
    out[body] = (uint8_t)le;
    return body + 1;
}

/* Sends an APDU; with fetch the modem follows 6Cxx and 61xx itself, as some do, and hands over all
 * data with the last status word. */
static void transmit(struct at *at, enum source source, const uint8_t *command, size_t size,
                     bool fetch, struct bytes *answer)
{
    enum source more = source == SOURCE_CSIM || source == SOURCE_CGLA ? SOURCE_FETCH : source;
    uint8_t again[APDU_MAX];
    size_t again_size;
    unsigned sw;

    at->ms += uicc_exchange(at->uicc, source, command, size, answer);
    sw = status_of(answer);
    if (fetch && sw >> 8 == 0x6C && answer->size == 2) {
        again_size = with_le(again, command, size, sw & 0xFF);
        if (again_size == 0)
            return;
        answer->size = 0;
        at->ms += uicc_exchange(at->uicc, more, again, again_size, answer);
        sw = status_of(answer);
    }
    for (int rounds = 0; fetch && sw >> 8 == 0x61 && rounds < 16; rounds++) {
        const uint8_t get[] = {(uint8_t)(command[0] & 0x6F), 0xC0, 0x00, 0x00, (uint8_t)sw};

        answer->size -= 2;
        at->ms += uicc_exchange(at->uicc, more, get, sizeof get, answer);
        sw = status_of(answer);
    }
}

/* The status word alone. */
static struct bytes forget_number(struct bytes *answer)
{
    struct bytes bare = {0};

    bytes_add(&bare, answer->data + 1, 2);
    bytes_free(answer);
    return bare;
}

/* A client's APDU and its answer line, if the modem carries them; the command is cleansed. */
static int carry(struct at *at, enum source source, uint8_t *command, size_t size)
{
    struct bytes answer = {0};
    int result = gate_apdu(at, source, command, size);

    if (result == AT_OK && at_fault(at, FAULT_EMPTY_CSIM) && source == SOURCE_CSIM &&
        (command[0] & 0x43) != 0) {
        explicit_bzero(command, size);
        return AT_OK;
    }
    if (result == AT_OK) {
        transmit(at, source, command, size, at->options->get_response, &answer);
        result = gate_answer(at, answer.size);
        if (at_fault(at, FAULT_NO_NUMBER) && source == SOURCE_CSIM && size >= 4 &&
            command[1] == 0x70 && command[2] == 0x00 && answer.size == 3)
            answer = forget_number(&answer);
    }
    if (result == AT_OK)
        noise_apdu(at, source == SOURCE_CSIM ? "+CSIM" : "+CGLA", &answer);
    explicit_bzero(command, size);
    bytes_free(&answer);
    return result;
}

static int run_csim(struct at *at, const struct at_call *call)
{
    uint8_t command[APDU_MAX];
    const char *text = call->arguments;
    size_t size;

    if (at->options->no_csim)
        return CME_NOT_SUPPORTED;
    if (call->form != AT_SET)
        return call->form == AT_TEST ? AT_OK : AT_ERROR;
    size = read_apdu(&text, command);
    if (size == 0)
        return CME_PARAMETERS;
    return carry(at, SOURCE_CSIM, command, size);
}

void at_forget_sessions(struct at *at)
{
    memset(at->sessions, 0, sizeof at->sessions);
}

static struct session *find_session(struct at *at, const char *name)
{
    for (size_t i = 0; i < AT_SESSIONS; i++) {
        if (at->sessions[i].channel != 0 && strcasecmp(at->sessions[i].name, name) == 0)
            return &at->sessions[i];
    }
    return NULL;
}

/* The class octet of a command on a channel, the rest of it as given. */
static uint8_t class_on(unsigned channel, uint8_t cla)
{
    unsigned kept = cla & 0x90u; /* proprietary, chaining */

    return (uint8_t)(channel < 4 ? kept | channel : kept | 0x40 | (channel - 4));
}

static void close_channel(struct at *at, unsigned channel)
{
    const uint8_t command[] = {0x00, 0x70, 0x80, (uint8_t)channel};
    struct bytes answer = {0};

    transmit(at, SOURCE_CCHO, command, sizeof command, false, &answer);
    bytes_free(&answer);
}

/* Names a session: a number that is not the channel's, or what the fault asks for. */
static struct session *name_session(struct at *at, unsigned channel)
{
    struct session *s = &at->sessions[channel];

    s->channel = channel;
    at->session_count++;
    if (at_fault(at, FAULT_SESSION16))
        snprintf(s->name, sizeof s->name, "A0F3%08X00%02X", 0x5E550000u + at->session_count,
                 channel);
    else if (at_fault(at, FAULT_PLAIN_CLASS) || at_fault(at, FAULT_CCHO_ERROR))
        snprintf(s->name, sizeof s->name, "%u", channel);
    else
        snprintf(s->name, sizeof s->name, "%u", 20 + at->session_count);
    return s;
}

/* Opens a logical channel and selects; how both fail: 0 without a free channel, 22 when the card
 * does not select (27.007 8.45 leaves the numbers to the modem). */
static int open_session(struct at *at, const uint8_t *aid, size_t size, struct session **session)
{
    static const uint8_t open[] = {0x00, 0x70, 0x00, 0x00, 0x01};
    uint8_t select[5 + 16] = {0x00, 0xA4, 0x04, 0x00, (uint8_t)size};
    struct bytes answer = {0};
    unsigned channel, sw;

    transmit(at, SOURCE_CCHO, open, sizeof open, true, &answer);
    channel = answer.size == 3 ? answer.data[0] : 0;
    bytes_free(&answer);
    if (channel == 0)
        return CME_FAILURE;
    select[0] = class_on(channel, 0x00);
    memcpy(select + 5, aid, size);
    transmit(at, SOURCE_CCHO, select, 5 + size, true, &answer);
    sw = status_of(&answer);
    bytes_free(&answer);
    if (sw != 0x9000 && sw >> 8 != 0x91) {
        close_channel(at, channel);
        return CME_NOT_FOUND;
    }
    *session = name_session(at, channel);
    return AT_OK;
}

static int run_ccho(struct at *at, const struct at_call *call)
{
    const long refusal = at->options->faults.arg[FAULT_CCHO_MISSING];
    char hex[40];
    uint8_t aid[20];
    const char *text = call->arguments;
    struct session *session = NULL;
    size_t digits;
    int result;

    if (at->options->no_ccho)
        return CME_NOT_SUPPORTED;
    if (call->form != AT_SET)
        return call->form == AT_TEST ? AT_OK : AT_ERROR;
    if (!next_argument(&text, hex, sizeof hex) || *text != '\0')
        return CME_PARAMETERS;
    digits = strlen(hex);
    if (digits < 2 || digits > 32 || !hex_read(aid, hex, digits))
        return CME_PARAMETERS;
    result = open_session(at, aid, digits / 2, &session);
    if (result == AT_OK && at_fault(at, FAULT_CCHO_ERROR))
        return (int)at->options->faults.arg[FAULT_CCHO_ERROR];
    if (result == CME_NOT_FOUND && at_fault(at, FAULT_CCHO_MISSING))
        return refusal >= 0 ? (int)refusal : AT_ERROR;
    if (result == AT_OK)
        at_line(at, "%s%s", at_fault(at, FAULT_BARE_CCHO) ? "" : "+CCHO: ", session->name);
    return result;
}

static int run_cgla(struct at *at, const struct at_call *call)
{
    uint8_t command[APDU_MAX];
    char name[20];
    const char *text = call->arguments;
    const struct session *session;
    size_t size;

    if (at->options->no_ccho)
        return CME_NOT_SUPPORTED;
    if (call->form != AT_SET)
        return call->form == AT_TEST ? AT_OK : AT_ERROR;
    if (!next_argument(&text, name, sizeof name))
        return CME_PARAMETERS;
    session = find_session(at, name);
    size = read_apdu(&text, command);
    if (session == NULL || size == 0)
        return session == NULL ? CME_INVALID_INDEX : CME_PARAMETERS;
    if (!at_fault(at, FAULT_PLAIN_CLASS))
        command[0] = class_on(session->channel, command[0]);
    return carry(at, SOURCE_CGLA, command, size);
}

static int run_cchc(struct at *at, const struct at_call *call)
{
    char name[20];
    const char *text = call->arguments;
    struct session *session;

    if (at_fault(at, FAULT_NO_CCHC))
        return AT_ERROR;
    if (at->options->no_ccho)
        return CME_NOT_SUPPORTED;
    if (call->form != AT_SET)
        return call->form == AT_TEST ? AT_OK : AT_ERROR;
    if (!next_argument(&text, name, sizeof name) || *text != '\0')
        return CME_PARAMETERS;
    session = find_session(at, name);
    if (session == NULL)
        return CME_INVALID_INDEX;
    close_channel(at, session->channel);
    *session = (struct session){0};
    return AT_OK;
}

static unsigned select_here(struct at *at, unsigned fid, struct bytes *answer)
{
    const uint8_t command[] = {0x00,         0xA4, 0x00, 0x04, 0x02, (uint8_t)(fid >> 8),
                               (uint8_t)fid, 0x00};

    answer->size = 0;
    transmit(at, SOURCE_MODEM, command, sizeof command, true, answer);
    return status_of(answer);
}

/* Selects a file below the MF, else one of the USIM, in the modem's own view; returns the status word, the
 * FCP in answer. */
static unsigned select_own(struct at *at, unsigned fid, struct bytes *answer)
{
    static const uint8_t usim[] = {0x00, 0xA4, 0x04, 0x0C, 0x07, 0xA0,
                                   0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
    unsigned sw = select_here(at, fid, answer);

    if (sw != 0x6A82)
        return sw;
    answer->size = 0;
    transmit(at, SOURCE_MODEM, usim, sizeof usim, true, answer);
    return select_here(at, fid, answer);
}

/* +CRSM: READ BINARY 176, READ RECORD 178, GET RESPONSE 192, STATUS 242 on files of the MF; what
 * would write is not allowed (27.007 8.18). */
static int run_crsm(struct at *at, const struct at_call *call)
{
    unsigned long n[5] = {0};
    const char *text = call->arguments;
    struct bytes answer = {0};
    char hex[2 * 258 + 1] = "";
    unsigned sw;
    size_t count = 0;

    if (call->form != AT_SET)
        return call->form == AT_TEST ? AT_OK : AT_ERROR;
    while (count < 5 && *text != '\0') {
        if (!next_number(&text, &n[count++]))
            return CME_PARAMETERS;
    }
    if (count == 0 || n[1] > 0xFFFF || n[2] > 0xFF || n[3] > 0xFF || n[4] > 0xFF)
        return CME_PARAMETERS;
    if (n[0] != 176 && n[0] != 178 && n[0] != 192 && n[0] != 242)
        return CME_NOT_ALLOWED;
    sw = select_own(at, count > 1 && n[1] != 0 ? (unsigned)n[1] : 0x3F00, &answer);
    if (sw == 0x9000 && (n[0] == 176 || n[0] == 178)) {
        const uint8_t command[] = {0x00, (uint8_t)n[0], (uint8_t)n[2], (uint8_t)n[3],
                                   (uint8_t)n[4]};

        answer.size = 0;
        transmit(at, SOURCE_MODEM, command, sizeof command, true, &answer);
        sw = status_of(&answer);
    }
    hex_write(hex, answer.data, answer.size - 2);
    if (hex[0] != '\0')
        at_line(at, "+CRSM: %u,%u,\"%s\"", sw >> 8, sw & 0xFF, hex);
    else
        at_line(at, "+CRSM: %u,%u", sw >> 8, sw & 0xFF);
    bytes_free(&answer);
    return AT_OK;
}

/* Reads EF.ICCID as the digits that stand on the card. */
static bool read_iccid(struct at *at, char digits[21])
{
    static const uint8_t read[] = {0x00, 0xB0, 0x00, 0x00, 0x0A};
    struct bytes answer = {0};
    size_t length = 0;
    bool found = select_own(at, 0x2FE2, &answer) == 0x9000;

    answer.size = 0;
    if (found)
        transmit(at, SOURCE_MODEM, read, sizeof read, true, &answer);
    found = answer.size == 12 && status_of(&answer) == 0x9000;
    for (size_t i = 0; found && i < 20; i++) {
        unsigned nibble = i % 2 == 0 ? answer.data[i / 2] & 15u : answer.data[i / 2] >> 4;

        if (nibble < 15)
            digits[length++] = CARD_ICCID_DIGITS[nibble];
    }
    digits[length] = '\0';
    bytes_free(&answer);
    return found;
}

/* Is this name in --iccid-commands? */
static bool iccid_name_answers(const struct at *at, const char *name)
{
    const char *list = at->options->iccid_commands;
    size_t length = strlen(name);

    while (list != NULL && *list != '\0') {
        size_t word = strcspn(list, ",");

        if (word == length && strncasecmp(list, name, length) == 0)
            return true;
        list += word + (list[word] == ',');
    }
    return at->options->iccid_commands == NULL;
}

static int answer_iccid(struct at *at, const struct at_call *call, const char *name,
                        const char *prefix)
{
    char digits[21];

    if (!iccid_name_answers(at, name))
        return AT_ERROR;
    if (call->form == AT_TEST)
        return AT_OK;
    if (call->form == AT_SET)
        return AT_ERROR;
    if (!read_iccid(at, digits))
        return CME_FAILURE;
    at_line(at, "%s: %s", prefix, digits);
    return AT_OK;
}

static int run_ccid(struct at *at, const struct at_call *call)
{
    return answer_iccid(at, call, "+CCID", "+CCID");
}

static int run_iccid(struct at *at, const struct at_call *call)
{
    return answer_iccid(at, call, "+ICCID", "+ICCID");
}

static int run_qccid(struct at *at, const struct at_call *call)
{
    return answer_iccid(at, call, "+QCCID", "+QCCID");
}

static int run_hash_ccid(struct at *at, const struct at_call *call)
{
    return answer_iccid(at, call, "#CCID", "#CCID");
}

/* SIMCom's modems answer it under another name. */
static int run_ciccid(struct at *at, const struct at_call *call)
{
    return answer_iccid(at, call, "+CICCID", "+ICCID");
}

static int run_xiccid(struct at *at, const struct at_call *call)
{
    return answer_iccid(at, call, "%XICCID", "%XICCID");
}

static int run_crsm_if_there(struct at *at, const struct at_call *call)
{
    return iccid_name_answers(at, "+CRSM") ? run_crsm(at, call) : AT_ERROR;
}

static int run_cpin(struct at *at, const struct at_call *call)
{
    if (call->form != AT_READ)
        return call->form == AT_TEST ? AT_OK : CME_NOT_ALLOWED;
    at_line(at, "+CPIN: READY");
    return AT_OK;
}

const struct at_command sim_commands[] = {
    {"+CSIM", run_csim, true},          {"+CCHO", run_ccho, true},
    {"+CGLA", run_cgla, true},          {"+CCHC", run_cchc, true},
    {"+CRSM", run_crsm_if_there, true}, {"+CCID", run_ccid, true},
    {"+ICCID", run_iccid, true},        {"+QCCID", run_qccid, true},
    {"#CCID", run_hash_ccid, true},     {"+CICCID", run_ciccid, true},
    {"%XICCID", run_xiccid, true},      {"+CPIN", run_cpin, true},
};

const size_t sim_command_count = sizeof sim_commands / sizeof *sim_commands;
