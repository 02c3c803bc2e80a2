/* SPDX-License-Identifier: Apache-2.0 */
/* The trace. Each line is written by one write(2) in append mode, so that several processes can
 * share a file. */
#include "modem/trace.h"

#include "modem/channel.h"
#include "modem/deadline.h"
#include "modem/descriptor.h"
#include "modem/forks.h"
#include "modem/hex.h"
#include "modem/place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 100 /* for one line */

#define AT_TEXT_SIZE    704 /* more than an AT line has; the rest is not shown */
#define TRACE_LINE_SIZE (2 * (APDU_COMMAND_SIZE + APDU_ANSWER_SIZE) + 128)

/* Opens the file for one line. Not one that another user has put there: he could read the trace, or
 * have it written into a file that is not his. */
static int open_file(const char *path)
{
    const int flags =
        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    struct report ignored = REPORT_INIT;
    struct place place;
    struct stat file;
    int fd = -1;

    if (place_find(&place, path, &ignored) != OUTCOME_OK) {
        place_close(&place);
        return -1;
    }
    forks_hold();
    if (place.descriptor >= 0)
        fd = fcntl(place.descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    else if (!place.exists || !place_foreign(&place, &place.file))
        fd = descriptor_high(openat(place.folder, place.name, flags, 0600));
    fd = forks_note(fd);
    if (fd >= 0 && place.descriptor < 0 &&
        (fstat(fd, &file) != 0 || place_foreign(&place, &file))) {
        forks_close(fd);
        fd = -1;
    }
    place_close(&place);
    return fd;
}

/* Writes without a wait and without a signal: stderr may be a pipe whose reader sleeps, or is gone, and
 * the SIM is ours at this moment. Then the line is lost. */
static void write_line(int fd, const char *line, size_t length)
{
    static const struct timespec now = {0, 0};
    struct pollfd watch = {.fd = fd, .events = POLLOUT, .revents = 0};
    sigset_t broken, before, waiting;
    ssize_t written;

    if (poll(&watch, 1, PATIENCE_MS) != 1 || watch.revents != POLLOUT)
        return;
    (void)sigemptyset(&broken);
    (void)sigemptyset(&waiting);
    (void)sigaddset(&broken, SIGPIPE);
    (void)sigpending(&waiting);
    (void)pthread_sigmask(SIG_BLOCK, &broken, &before);
    written = write(fd, line, length);
    if (written < 0 && errno == EPIPE && sigismember(&waiting, SIGPIPE) == 0)
        (void)sigtimedwait(&broken, NULL, &now);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A trace that cannot be written, or not within the limit for files, stops nobody. */
static void emit(const struct trace *trace, const char *line, size_t length)
{
    int saved = errno;
    int fd = trace->path != NULL ? open_file(trace->path) : STDERR_FILENO;

    if (fd >= 0 && descriptor_room_at(fd, length))
        write_line(fd, line, length);
    if (fd >= 0 && trace->path != NULL)
        forks_close(fd);
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
    char line[AT_TEXT_SIZE];
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
        if (text[i] >= ' ' && text[i] <= '~')
            line[used++] = text[i];
        else
            used += (size_t)sprintf(line + used, "\\x%02x", (unsigned)(unsigned char)text[i]);
    if (masking != MASK_NOTHING)
        used += (size_t)snprintf(line + used, sizeof line - used, " (%zu more, not shown)",
                                 strlen(text) - shown);
    line[used++] = '\n';
    emit(trace, line, used);
}

void trace_note(const struct trace *trace, const char *sentence)
{
    char line[1024];
    size_t used;

    if (trace == NULL || trace->level == TRACE_OFF)
        return;
    used = begin_line(line, sizeof line);
    used += (size_t)snprintf(line + used, sizeof line - used, "note: %.600s\n", sentence);
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
