/* SPDX-License-Identifier: Apache-2.0 */
/* Messages in, answers of a table out, see control_modem.h. */
#include "test/unit/control_modem.h"

#include "modem/mbim_frame.h"
#include "modem/qmi_frame.h"
#include "test/unit/check.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define WORD 4

static const char *answer_to(struct control_modem *modem, unsigned number)
{
    const char *last = NULL;

    (void)snprintf(modem->asked + strlen(modem->asked), sizeof modem->asked - strlen(modem->asked),
                   " %04X", number);
    for (size_t i = 0; modem->rows[i].hex != NULL; i++) {
        if (modem->rows[i].number != number)
            continue;
        last = modem->rows[i].hex;
        if (!modem->used[i]) {
            modem->used[i] = true;
            break;
        }
    }
    return last;
}

static void answer_qmi(struct control_modem *modem, const struct qmi_message *asked)
{
    const struct qmi_message head = {.service = asked->service,
                                     .client = asked->client,
                                     .kind = QMI_RESPONSE,
                                     .from_modem = true,
                                     .transaction = asked->transaction,
                                     .id = asked->id};
    const char *hex = answer_to(modem, asked->id);
    struct qmi_frame frame;
    size_t begin;

    if (hex == NULL)
        return;
    qmi_begin(&frame, &head);
    begin = frame.length;
    frame.length += bytes_of(hex, frame.data + begin, sizeof frame.data - begin);
    frame.data[1] = (uint8_t)(frame.length - 1);
    frame.data[begin - 2] = (uint8_t)(frame.length - begin);
    pty_say(&modem->pty, frame.data, frame.length);
}

static void answer_mbim(struct control_modem *modem, const struct mbim_message *asked)
{
    struct mbim_message head = {.type = asked->type == MBIM_OPEN    ? MBIM_OPEN_DONE
                                        : asked->type == MBIM_CLOSE ? MBIM_CLOSE_DONE
                                                                    : MBIM_COMMAND_DONE,
                                .transaction = asked->transaction,
                                .service = asked->service,
                                .command = asked->command};
    const char *hex = asked->type == MBIM_COMMAND ? answer_to(modem, asked->command) : "00000000";
    uint8_t bytes[256];
    struct mbim_frame frame;
    size_t length;

    if (hex == NULL)
        return;
    length = bytes_of(hex, bytes, sizeof bytes);
    head.word =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    mbim_begin(&frame, &head);
    if (asked->type == MBIM_COMMAND)
        mbim_put_bytes(&frame, bytes + WORD, length - WORD);
    pty_say(&modem->pty, frame.data, frame.length);
}

static void *run(void *arg)
{
    static struct qmi_stream qmi;
    static struct mbim_stream mbim;
    struct control_modem *modem = arg;

    memset(&qmi, 0, sizeof qmi);
    memset(&mbim, 0, sizeof mbim);
    while (!modem->stop) {
        struct pollfd ready = {.fd = modem->pty.master, .events = POLLIN};
        struct qmi_message message;
        struct mbim_message command;
        size_t size;
        uint8_t *room = modem->mbim ? mbim_stream_room(&mbim, &size) : qmi_stream_room(&qmi, &size);
        ssize_t length = poll(&ready, 1, 20) > 0 ? read(modem->pty.master, room, size) : 0;

        if (length <= 0)
            continue;
        if (modem->mbim)
            mbim_stream_add(&mbim, (size_t)length);
        else
            qmi_stream_add(&qmi, (size_t)length);
        while (modem->mbim && mbim_stream_next(&mbim, &command))
            answer_mbim(modem, &command);
        while (!modem->mbim && qmi_stream_next(&qmi, &message))
            answer_qmi(modem, &message);
    }
    return NULL;
}

enum outcome control_modem_start(struct control_modem *modem, bool mbim,
                                 const struct control_row *rows, unsigned slot,
                                 struct transport *transport, struct report *why)
{
    static const struct trace trace = {.level = TRACE_OFF};
    const struct transport_target target = {.device = modem->device, .trace = &trace, .slot = slot};
    const struct deadline deadline = deadline_in(3000);
    const struct transport before = *transport;
    struct termios raw;
    enum outcome outcome;

    memset(modem, 0, sizeof *modem);
    modem->mbim = mbim;
    modem->rows = rows;
    pty_make(&modem->pty);
    if (tcgetattr(modem->pty.slave, &raw) == 0) {
        cfmakeraw(&raw);
        (void)tcsetattr(modem->pty.slave, TCSANOW, &raw);
    }
    (void)snprintf(modem->device, sizeof modem->device, "%s:%s,direct", mbim ? "mbim" : "qmi",
                   modem->pty.name);
    if (pthread_create(&modem->thread, NULL, run, modem) != 0)
        FAIL("no thread for the modem");
    outcome = transport_begin(transport, &target, deadline, why);
    transport->keeps = before.keeps;
    transport->keeps_arg = before.keeps_arg;
    return outcome == OUTCOME_OK ? transport_wake(transport, false, 0, deadline, why) : outcome;
}

void control_modem_end(struct control_modem *modem, struct transport *transport)
{
    transport_end(transport);
    modem->stop = true;
    (void)pthread_join(modem->thread, NULL);
    pty_unplug(&modem->pty);
}
