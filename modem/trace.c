/* SPDX-License-Identifier: Apache-2.0 */
/* The trace. Each line is written by one write(2) in append mode, so that several processes can
 * share a file. */
#include "modem/trace.h"

#include "modem/at.h"
#include "modem/deadline.h"
#include "modem/forks.h"
#include "modem/transport.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRACE_LINE_SIZE (2 * (APDU_COMMAND_SIZE + APDU_ANSWER_SIZE) + 128)

static void emit(const struct trace *trace, const char *line, size_t length)
{
    int saved = errno;
    int fd = STDERR_FILENO;

    if (trace->path != NULL) {
        forks_hold();
        fd = forks_note(open(trace->path,
                             O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                             0600));
    }
    if (fd >= 0) {
        ssize_t ignored = write(fd, line, length); /* a trace that cannot be written stops nobody */

        (void)ignored;
        if (trace->path != NULL)
            forks_close(fd);
    }
    errno = saved;
}

static size_t begin_line(char *line, size_t size)
{
    int64_t now = monotonic_ms();

    return (size_t)snprintf(line, size, "%" PRId64 ".%03d simkey[%ld] ", now / 1000,
                            (int)(now % 1000), (long)getpid());
}

void trace_line(const struct trace *trace, char direction, const char *text, enum masking masking)
{
    char line[AT_LINE_SIZE + 64];
    size_t used, shown;

    if (trace == NULL || trace->level != TRACE_AT)
        return;
    used = begin_line(line, sizeof line);
    line[used++] = direction;
    line[used++] = ' ';
    shown = strlen(text);
    if (masking != MASK_NOTHING)
        shown = masking == MASK_ALL ? 0 : strcspn(text, "\",");
    for (size_t i = 0; i < shown && used + 32 < sizeof line; i++)
        line[used++] = isprint((unsigned char)text[i]) ? text[i] : '.';
    if (masking != MASK_NOTHING)
        used += (size_t)snprintf(line + used, sizeof line - used, " (%zu more, not shown)",
                                 strlen(text) - shown);
    line[used++] = '\n';
    emit(trace, line, used);
}

/* The first `open` bytes in hex, the rest as a count. */
static size_t put_hex(char *to, const uint8_t *bytes, size_t length, size_t open, size_t tail)
{
    size_t used = 0;

    if (open + tail >= length) {
        hex_encode(bytes, length, to);
        return 2 * length;
    }
    hex_encode(bytes, open, to);
    used = 2 * open;
    used += (size_t)sprintf(to + used, "[%zu bytes]", length - open - tail);
    hex_encode(bytes + length - tail, tail, to + used);
    return used + 2 * tail;
}

void trace_apdu(const struct trace *trace, const uint8_t *command, size_t command_length,
                const uint8_t *answer, size_t answer_length, int64_t ms, int secrecy)
{
    char line[TRACE_LINE_SIZE];
    size_t used;

    if (trace == NULL || trace->level == TRACE_OFF || command_length > APDU_COMMAND_SIZE ||
        answer_length > APDU_ANSWER_SIZE)
        return;
    used = begin_line(line, sizeof line);
    used += put_hex(line + used, command, command_length,
                    (secrecy & SECRET_COMMAND) ? (size_t)5 : command_length, 0);
    memcpy(line + used, " -> ", 4);
    used += 4;
    if (answer != NULL)
        used += put_hex(line + used, answer, answer_length,
                        (secrecy & SECRET_ANSWER) ? (size_t)0 : answer_length, 2);
    else
        line[used++] = '-';
    used += (size_t)snprintf(line + used, sizeof line - used, " %" PRId64 " ms\n", ms);
    emit(trace, line, used);
}
