/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and answers, and what a status means. */
#include "modem/mbim_talk.h"

#include "modem/cme.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#define START_TIMEOUT_MS 5000
#define LONGEST          4096 /* where the node does not tell */
#define LONGEST_LEAST    64

/* The kernel's cdc-wdm tells the longest message that the device takes. */
#ifdef __GLIBC__
#define WDM_MAX_COMMAND _IOR('H', 0xA0, uint16_t)
#else /* musl's ioctl takes an int, as the kernel does */
#define WDM_MAX_COMMAND (int)_IOR('H', 0xA0, uint16_t)
#endif

static const char *service_name(enum mbim_service service)
{
    static const char *const all[] = {[MBIM_BASIC] = "basic",
                                      [MBIM_UICC] = "UICC",
                                      [MBIM_PROXY] = "proxy",
                                      [MBIM_EXTENDED] = "extended",
                                      [MBIM_OTHER] = "other"};

    return all[service];
}

static const char *type_name(enum mbim_type type)
{
    static const char *const all[] = {
        "?",         "OPEN",       "CLOSE",        "COMMAND",        "HOST_ERROR",
        "OPEN_DONE", "CLOSE_DONE", "COMMAND_DONE", "FUNCTION_ERROR", "INDICATE"};

    return all[type];
}

/* Heads only: what is in a buffer may be a PIN. */
static void trace_message(const struct mbim *mbim, char direction,
                          const struct mbim_message *message)
{
    char line[96];

    if (mbim->trace->level != TRACE_AT)
        return;
    (void)snprintf(line, sizeof line, "MBIM %s %s %lu transaction %lu (%zu bytes) %lx",
                   type_name(message->type), service_name(message->service),
                   (unsigned long)message->command, (unsigned long)message->transaction,
                   message->length, (unsigned long)message->word);
    trace_line(mbim->trace, direction, line, MASK_NOTHING);
}

static enum outcome next_message(struct mbim *mbim, struct deadline deadline,
                                 struct mbim_message *message, struct report *why)
{
    while (!mbim_stream_next(&mbim->stream, message)) {
        size_t size, length;
        uint8_t *room = mbim_stream_room(&mbim->stream, &size);
        enum outcome outcome = control_receive(&mbim->control, room, size, &length, deadline, why);

        if (outcome != OUTCOME_OK)
            return outcome;
        mbim_stream_add(&mbim->stream, length);
    }
    trace_message(mbim, '<', message);
    return OUTCOME_OK;
}

static bool answers(const struct mbim_message *request, const struct mbim_message *message)
{
    if (message->transaction != request->transaction)
        return false;
    switch (message->type) {
    case MBIM_OPEN_DONE:
        return request->type == MBIM_OPEN;
    case MBIM_CLOSE_DONE:
        return request->type == MBIM_CLOSE;
    case MBIM_COMMAND_DONE:
        return request->type == MBIM_COMMAND &&
               (message->fragment ||
                (message->service == request->service && message->command == request->command));
    case MBIM_FUNCTION_ERROR:
        return true;
    default:
        return false;
    }
}

/* The next number; 0 is an indication's. The first one is random: a late answer may be one to an earlier
 * operation. */
static uint32_t next_transaction(struct mbim *mbim)
{
    if (mbim->transaction == 0 && getrandom(&mbim->transaction, sizeof mbim->transaction,
                                            GRND_NONBLOCK) != (ssize_t)sizeof mbim->transaction)
        mbim->transaction = (uint32_t)((uint64_t)monotonic_ms() * 7 + (uint64_t)getpid() * 257);
    mbim->transaction &= 0x7FFFFFFF;
    mbim->transaction++;
    return mbim->transaction;
}

/* The modem does not take the message. */
static enum outcome function_error(struct mbim *mbim, const struct mbim_message *answer,
                                   struct report *why)
{
    if (answer->word != MBIM_ERROR_NOT_OPENED)
        return report_set(why, OUTCOME_BAD_DATA,
                          "the modem does not take a message (MBIM error %lu): restart it, or use "
                          "its AT port if it has one",
                          (unsigned long)answer->word);
    mbim->opened = false;
    mbim->transport->events |= EVENT_RESTARTED;
    return report_set(why, OUTCOME_LOST,
                      "the modem restarted, or another program closed it (MBIM error 5)");
}

enum outcome mbim_ask(struct mbim *mbim, struct mbim_frame *request, int timeout_ms,
                      struct deadline deadline, struct mbim_message *answer, struct report *why)
{
    const struct deadline patience = deadline_within(deadline, timeout_ms);
    unsigned *events = &mbim->transport->events;
    struct mbim_message asked;
    enum outcome outcome;

    memset(answer, 0, sizeof *answer);
    if (request->full)
        return report_set(why, OUTCOME_USAGE, "an MBIM message of that length does not exist");
    mbim_number(request, next_transaction(mbim));
    (void)mbim_read(request->data, request->length, &asked);
    trace_message(mbim, '>', &asked);
    outcome = control_send(&mbim->control, request->data, request->length, patience, why);
    while (outcome == OUTCOME_OK) {
        outcome = next_message(mbim, patience, answer, why);
        if (outcome != OUTCOME_OK || !answers(&asked, answer))
            continue;
        *events &= ~(unsigned)EVENT_LATE;
        if (answer->type == MBIM_FUNCTION_ERROR)
            return function_error(mbim, answer, why);
        if (answer->fragment)
            return report_set(why, OUTCOME_BAD_DATA,
                              "the modem's answer is too long, or makes no sense (MBIM)");
        return OUTCOME_OK;
    }
    if (outcome == OUTCOME_TIMEOUT) {
        *events |= EVENT_LATE;
        mbim_stream_forget(&mbim->stream);
        return report_set(why, outcome, "the modem at %s did not answer in time (MBIM %s %lu)",
                          mbim->control.name.path,
                          asked.type == MBIM_COMMAND ? service_name(asked.service)
                                                     : type_name(asked.type),
                          (unsigned long)asked.command);
    }
    return outcome;
}

/* ---- opening ---- */

static uint32_t longest_message(const struct mbim *mbim)
{
    uint16_t longest = 0;

    if (mbim->control.proxied || ioctl(mbim->control.fd, WDM_MAX_COMMAND, &longest) != 0 ||
        longest < LONGEST_LEAST || longest > LONGEST)
        return LONGEST;
    return longest;
}

static enum outcome say_open(struct mbim *mbim, struct deadline deadline, struct report *why)
{
    struct mbim_frame request;
    struct mbim_message answer;
    enum outcome outcome;

    mbim_open(&request, longest_message(mbim));
    outcome = mbim_ask(mbim, &request, START_TIMEOUT_MS, deadline, &answer, why);
    if (outcome == OUTCOME_OK && answer.word != MBIM_STATUS_OK)
        return report_set(why, OUTCOME_NO_MODEM,
                          "the modem at %s cannot be opened (MBIM status %lu, %s): restart it, or "
                          "use its AT port "
                          "if it has one",
                          mbim->control.name.path, (unsigned long)answer.word,
                          mbim_status_name(answer.word));
    return outcome;
}

/* Directly, a modem that another program left open may have to be closed first. */
enum outcome mbim_start(struct mbim *mbim, struct deadline deadline, struct report *why)
{
    enum outcome outcome = say_open(mbim, deadline, why);
    struct report ignored = REPORT_INIT;
    struct mbim_message answer;
    struct mbim_frame request;

    if (outcome != OUTCOME_OK && !mbim->control.proxied && mbim->control.fd >= 0 &&
        !deadline_passed(deadline)) {
        mbim_close(&request);
        (void)mbim_ask(mbim, &request, START_TIMEOUT_MS, deadline, &answer, &ignored);
        outcome = say_open(mbim, deadline, why);
    }
    mbim->opened = outcome == OUTCOME_OK;
    if (outcome == OUTCOME_OK)
        report_clear(why);
    return outcome;
}

/* ---- statuses ---- */

bool mbim_must_wait(uint32_t status)
{
    return status == MBIM_STATUS_BUSY || status == MBIM_STATUS_NOT_INITIALISED;
}

enum outcome mbim_pin_unseen(uint32_t status, struct report *why)
{
    (void)report_set(why, OUTCOME_TIMEOUT,
                     "the SIM stayed busy (MBIM status %lu, %s): the modem may be starting, try "
                     "again",
                     (unsigned long)status, mbim_status_name(status));
    why->cme = CME_SIM_BUSY;
    return OUTCOME_TIMEOUT;
}

/* MBIM's own statuses are known by decimal numbers, those of a service by hexadecimal ones. */
static enum outcome refused(uint32_t status, const char *what, struct report *why)
{
    char number[12];

    (void)snprintf(number, sizeof number, status < 0x10000 ? "%lu" : "%lX", (unsigned long)status);
    return report_set(
        why, OUTCOME_CARRIER_REFUSED,
        "the modem refuses to %s by MBIM (status %s, %s): use its AT port if it has one", what,
        number, mbim_status_name(status));
}

enum outcome mbim_outcome(struct mbim *mbim, uint32_t status, const char *what, struct report *why)
{
    switch (status) {
    case MBIM_STATUS_OK:
        return OUTCOME_OK;
    case MBIM_STATUS_NO_SIM:
    case MBIM_STATUS_BAD_SIM:
        mbim->transport->events |= EVENT_NO_SIM;
        return report_set(why, OUTCOME_NO_SIM,
                          "the modem has no SIM, or cannot use it (MBIM status "
                          "%lu, %s)",
                          (unsigned long)status, mbim_status_name(status));
    case MBIM_STATUS_BUSY:
    case MBIM_STATUS_NOT_INITIALISED:
        return report_set(why, OUTCOME_NO_SIM, "the SIM is not ready (MBIM status %lu, %s)",
                          (unsigned long)status, mbim_status_name(status));
    case MBIM_STATUS_PIN_REQUIRED:
        return report_set(why, OUTCOME_PIN_MISSING,
                          "the SIM waits for its own PIN1: unlock it (mmcli -i any --pin=...)");
    case MBIM_STATUS_INVALID_CHANNEL:
        (void)report_set(why, OUTCOME_LOST, "the channel to the SIM is gone (MBIM status %lX, %s)",
                         (unsigned long)status, mbim_status_name(status));
        why->sw = 0x6881; /* what a card says of a channel that it does not have */
        return OUTCOME_LOST;
    case MBIM_STATUS_NOT_ALLOWED:
        return report_set(why, OUTCOME_CARRIER_REFUSED,
                          "the modem refuses to %s by MBIM (status 28, operation not allowed): its "
                          "firmware keeps SIM applets from programs this way. Use its AT port",
                          what);
    default:
        return refused(status, what, why);
    }
}
