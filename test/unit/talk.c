/* SPDX-License-Identifier: Apache-2.0 */
/* See talk.h. */
#include "test/unit/talk.h"

#include <string.h>

void talk_begin(struct talk *talk, const struct modem_step *steps,
                const struct modem_step *standing)
{
    memset(talk, 0, sizeof *talk);
    report_clear(&talk->why);
    modem_start(&talk->modem, steps, standing);
    talk->deadline = deadline_in(8000);
    EXPECT(port_open(&talk->port, talk->modem.device, 115200, talk->deadline, NULL, &talk->why),
           OUTCOME_OK, &talk->why);
    at_init(&talk->at, talk->port, &talk->trace, &talk->events);
}

void talk_end_at(struct talk *talk, const char *file, int line)
{
    port_close(talk->port);
    modem_finish_at(&talk->modem, file, line);
}

enum outcome ask(struct talk *talk, const char *line, const char *prefix, int timeout_ms)
{
    struct at_command command = {.line = line,
                                 .answer = prefix ? AT_ANSWER_PREFIXED : AT_ANSWER_NONE,
                                 .prefix = prefix,
                                 .timeout_ms = timeout_ms,
                                 .secrecy = SECRET_NOTHING};

    return at_command(&talk->at, &command, talk->deadline, &talk->result, &talk->why);
}
