/* SPDX-License-Identifier: Apache-2.0 */
/* The model's modem: AT in front of the card, and what goes wrong with one line of a step. It runs in
 * the program that writes the line. */
#include "modem/at_apdu.h"
#include "modem/hex.h"
#include "test/fuzz/line.h"
#include "test/unit/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE    1024
#define APDU_SIZE    261
#define ANSWER_MS    5
#define SLOW_MS      1500
#define LATE_MS      12000 /* later than an exchange waits */
#define RESTART_MS   200
#define MODEL_KILLED 77

/* A line that a program wrote, taken apart. */
struct request {
    const char *text;
    unsigned channel;
    uint8_t command[APDU_SIZE];
    size_t length; /* of the APDU, 0 if it is none */
};

static void say(struct model *model, const char *text, unsigned delay_ms)
{
    char shown[TEXT_SIZE];
    size_t used = 0;

    for (const char *c = text; *c != '\0' && used + 1 < sizeof shown; c++)
        if (*c != '\r' && (*c != '\n' || (used > 0 && c[1] != '\0' && shown[used - 1] != ' ')))
            shown[used++] = *c == '\n' ? ' ' : *c;
    shown[used] = '\0';
    if (delay_ms > ANSWER_MS)
        model_note(model, "    < %s (after %u ms)", shown, delay_ms);
    else
        model_note(model, "    < %s", shown);
    line_say(text, strlen(text), delay_ms);
}

/* ---- what the modem does ---- */

static const char *value_of(const char *text, const char *head)
{
    size_t length = strlen(head);

    return strncmp(text, head, length) == 0 ? text + length : NULL;
}

static void take_apdu(struct request *request)
{
    const char *value = value_of(request->text, "AT+CSIM=");
    uint8_t cla;

    if (value != NULL) {
        request->length = at_parse_apdu(value, request->command, sizeof request->command);
        cla = request->command[0];
        request->channel = cla & 0x40 ? 4u + (cla & 0x0F) : cla & 0x03;
        return;
    }
    value = value_of(request->text, "AT+CGLA=");
    if (value == NULL || strchr(value, ',') == NULL)
        return;
    request->channel = (unsigned)strtoul(value, NULL, 10);
    request->length =
        at_parse_apdu(strchr(value, ',') + 1, request->command, sizeof request->command);
}

static void write_apdu(const struct request *request, const uint8_t *answer, size_t length,
                       char text[TEXT_SIZE])
{
    char hex[2 * 300 + 1];

    hex_encode(answer, length, hex);
    (void)snprintf(text, TEXT_SIZE, "\r\n+%.4s: %zu,\"%s\"\r\n\r\nOK\r\n", request->text + 3,
                   2 * length, hex);
}

static void pass_apdu(struct model *model, const struct request *request, char text[TEXT_SIZE])
{
    bool session = strncmp(request->text, "AT+CGLA", 7) == 0;
    uint8_t answer[300];

    if (session == model->only_ccho &&
        !(session && (request->channel == 0 || request->channel >= MODEL_CHANNELS ||
                      !model->channels[request->channel].open))) {
        size_t length =
            card_answer(model, request->channel, request->command, request->length, answer);

        write_apdu(request, answer, length, text);
        return;
    }
    (void)snprintf(text, TEXT_SIZE, "\r\n+CME ERROR: %d\r\n", session ? 21 : 4);
}

static void open_session(struct model *model, const char *value, char text[TEXT_SIZE])
{
    uint8_t select[5 + 16] = {0x00, 0xA4, 0x04, 0x0C}, answer[300];
    char name[2 * 16 + 1];
    unsigned number;

    if (!model->only_ccho) {
        (void)snprintf(text, TEXT_SIZE, "\r\n+CME ERROR: 4\r\n");
        return;
    }
    number = card_open(model, model->step.program);
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(value + 1, "\""), value + 1);
    select[4] = (uint8_t)hex_decode(name, select + 5, sizeof select - 5);
    if (number > 0 &&
        (card_answer(model, number, select, 5u + select[4], answer) != 2 || answer[0] != 0x90)) {
        card_close(model, number);
        number = 0;
    }
    if (number == 0)
        (void)snprintf(text, TEXT_SIZE, "\r\n+CME ERROR: 100\r\n");
    else
        (void)snprintf(text, TEXT_SIZE, "\r\n+CCHO: %u\r\n\r\nOK\r\n", number);
}

static void tell_iccid(const struct model *model, char text[TEXT_SIZE])
{
    const char *digits = model->sims[model->sim].iccid;
    char swapped[21] = "";

    for (size_t i = 0; i < 20; i++)
        swapped[i] = digits[i ^ 1];
    (void)snprintf(text, TEXT_SIZE, "\r\n+CRSM: 144,0,\"%s\"\r\n\r\nOK\r\n", swapped);
}

/* What the line is answered. */
static void respond(struct model *model, const struct request *request, char text[TEXT_SIZE])
{
    const char *value;

    if (strncmp(request->text, "ATE0", 4) == 0)
        model->echo = false;
    if (request->length > 0)
        pass_apdu(model, request, text);
    else if ((value = value_of(request->text, "AT+CCHO=")) != NULL)
        open_session(model, value, text);
    else if ((value = value_of(request->text, "AT+CCHC=")) != NULL)
        (void)snprintf(text, TEXT_SIZE, "%s",
                       model->only_ccho &&
                               card_close_session(model, (unsigned)strtoul(value, NULL, 10))
                           ? "\r\nOK\r\n"
                           : "\r\n+CME ERROR: 21\r\n");
    else if (strncmp(request->text, "AT+CRSM=", 8) == 0 && model->tells_iccid)
        tell_iccid(model, text);
    else if (strcmp(request->text, "AT+CPIN?") == 0)
        (void)snprintf(text, TEXT_SIZE, "\r\n+CPIN: READY\r\n\r\nOK\r\n");
    else if (strncmp(request->text, "ATE0", 4) == 0 || strcmp(request->text, "AT") == 0 ||
             strncmp(request->text, "AT+CMEE", 7) == 0)
        (void)snprintf(text, TEXT_SIZE, "\r\nOK\r\n");
    else
        (void)snprintf(text, TEXT_SIZE, "\r\nERROR\r\n");
}

/* ---- what goes wrong ---- */

void modem_restart(struct model *model, int said_ms)
{
    card_reset(model);
    model->echo = true;
    if (model_random(model, 3) == 0) { /* for its own use */
        unsigned number = card_open(model, OPENED_BY_OTHERS);

        model->channels[number].applet = APPLET_NETWORK;
    }
    if (said_ms >= 0)
        say(model, "\r\nRDY\r\n", (unsigned)said_ms);
}

const char *fault_name(enum model_fault fault)
{
    static const char *const names[FAULTS] = {
        [FAULT_NONE] = "nothing",
        [FAULT_SLOW] = "slow answer",
        [FAULT_LATE] = "late answer",
        [FAULT_UNANSWERED] = "answer lost",
        [FAULT_UNSEEN] = "command lost",
        [FAULT_TORN] = "torn answer",
        [FAULT_CME_13] = "SIM failure",
        [FAULT_CME_100] = "unknown error",
        [FAULT_BUSY] = "SIM busy",
        [FAULT_EARLY_OK] = "OK too early",
        [FAULT_TWICE] = "answer twice",
        [FAULT_6881] = "untrue 6881",
        [FAULT_6F00] = "6F00",
        [FAULT_RESTART] = "modem restarts",
        [FAULT_RESTART_MUM] = "modem restarts unsaid",
        [FAULT_STEAL] = "another program selects on it",
        [FAULT_LOSE] = "another program closes it",
        [FAULT_SWAP] = "another SIM",
        [FAULT_ECHO] = "echo on",
        [FAULT_UNPLUG] = "unplugged",
        [FAULT_KILL_BEFORE] = "killed before it",
        [FAULT_KILL_AFTER] = "killed behind it",
    };

    return names[fault];
}

static bool verifies(const struct request *request)
{
    return request->length > 5 && request->command[1] == 0x20;
}

/* Whether the fault can come to pass with this line. Between SELECT and VERIFY nobody can see that
 * another program selects, nor between the look for the echo and VERIFY that it turns the echo on. */
static bool may_strike(const struct model *model, const struct request *request)
{
    const struct model_step *step = &model->step;
    bool fresh = false;

    if (step->fault == FAULT_NONE || step->struck)
        return false;
    for (unsigned i = 0; i < MODEL_CHANNELS; i++)
        fresh = fresh || model->channels[i].fresh;
    switch (step->fault) {
    case FAULT_6881:
    case FAULT_6F00:
    case FAULT_BUSY:
        return request->length > 0 && (request->channel > 0 || step->fault == FAULT_BUSY);
    case FAULT_STEAL:
    case FAULT_LOSE:
        return request->length > 0 && request->channel > 0 && !fresh &&
               request->channel < MODEL_CHANNELS && model->channels[request->channel].open;
    case FAULT_ECHO:
        return !fresh;
    default:
        return true;
    }
}

static void kill_program(struct model *model)
{
    model_note(model, "    (killed)");
    _exit(MODEL_KILLED);
}

/* What happens before the modem has the line. Returns false where it never gets it. */
static bool strike_before(struct model *model, const struct request *request, char text[TEXT_SIZE])
{
    static const uint8_t no_channel[] = {0x68, 0x81}, no_diagnosis[] = {0x6F, 0x00};

    switch (model->step.fault) {
    case FAULT_UNSEEN:
        return false;
    case FAULT_CME_13:
    case FAULT_CME_100:
    case FAULT_BUSY:
        (void)snprintf(text, TEXT_SIZE, "\r\n+CME ERROR: %d\r\n",
                       model->step.fault == FAULT_CME_13    ? 13
                       : model->step.fault == FAULT_CME_100 ? 100
                                                            : 14);
        return true;
    case FAULT_6881:
        write_apdu(request, no_channel, 2, text);
        return true;
    case FAULT_6F00:
        write_apdu(request, no_diagnosis, 2, text);
        return true;
    case FAULT_RESTART:
    case FAULT_RESTART_MUM:
        modem_restart(model, model->step.fault == FAULT_RESTART ? RESTART_MS : -1);
        return false;
    case FAULT_STEAL:
        card_steal(model, request->channel);
        return true;
    case FAULT_LOSE:
        card_close(model, request->channel);
        return true;
    case FAULT_SWAP:
        card_swap(model);
        return true;
    case FAULT_ECHO:
        model->echo = true;
        return true;
    case FAULT_UNPLUG:
        model->plugged = false;
        line_unplug();
        return false;
    case FAULT_KILL_BEFORE:
        kill_program(model);
        return false;
    default:
        return true;
    }
}

static void strike_after(struct model *model, char text[TEXT_SIZE])
{
    switch (model->step.fault) {
    case FAULT_SLOW:
        say(model, text, SLOW_MS);
        break;
    case FAULT_LATE:
        say(model, text, LATE_MS);
        break;
    case FAULT_UNANSWERED:
        break;
    case FAULT_TORN:
        text[strlen(text) / 2] = '\0';
        say(model, text, ANSWER_MS);
        break;
    case FAULT_EARLY_OK:
        say(model, "\r\nOK\r\n", ANSWER_MS);
        say(model, text, ANSWER_MS);
        break;
    case FAULT_TWICE:
        say(model, text, ANSWER_MS);
        say(model, text, ANSWER_MS);
        break;
    case FAULT_KILL_AFTER:
        say(model, text, ANSWER_MS);
        kill_program(model);
        break;
    default:
        say(model, text, ANSWER_MS);
        break;
    }
}

/* A PIN whose answer did not come, or was another's, is the last one of its source. */
static void judge_verify(struct model *model, int sim)
{
    switch (model->step.fault) {
    case FAULT_SLOW:
    case FAULT_BUSY:
    case FAULT_ECHO:
    case FAULT_KILL_BEFORE:
    case FAULT_KILL_AFTER:
        return;
    case FAULT_TWICE:
    case FAULT_EARLY_OK:
        model->step.doubtful = true;
        return;
    default:
        card_unheard(model, sim);
        return;
    }
}

static void strike(struct model *model, const struct request *request)
{
    struct model_step *step = &model->step;
    int sim = model->sim;
    char text[TEXT_SIZE] = "";

    step->struck = true;
    model->struck[step->fault]++;
    (void)snprintf(step->struck_by, sizeof step->struck_by, "%.23s", request->text);
    model_note(model, "    (%s)", fault_name(step->fault));
    if (strike_before(model, request, text)) {
        if (text[0] == '\0')
            respond(model, request, text);
        if (verifies(request))
            judge_verify(model, sim);
        strike_after(model, text);
    } else if (verifies(request)) {
        judge_verify(model, sim);
    }
}

void model_heard(void *arg, const char *text)
{
    struct model *model = arg;
    struct request request = {.text = text};
    char answer[TEXT_SIZE] = "";

    model_note(model, "    > %s", text);
    model->heard = true;
    if (model->echo) {
        line_say(text, strlen(text), 0);
        line_say("\r", 1, 0);
    }
    take_apdu(&request);
    model->step.sent = model->step.sent || verifies(&request);
    if (model->step.fault_at > 0) {
        model->step.fault_at--;
    } else if (may_strike(model, &request)) {
        strike(model, &request);
        return;
    }
    respond(model, &request, answer);
    say(model, answer, ANSWER_MS);
}
