/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences for the journal of a gateway in the field. The socket of syslog is opened for each of them:
 * syslog(3) would keep one in the host program, under its name and options. */
#include "provider/log.h"
#include "modem/deadline.h"
#include "modem/descriptor.h"
#include "modem/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_PATH "/dev/log"
#define PRIORITY    "<11>" /* LOG_USER | LOG_ERR (RFC 3164, 4.1.1) */
#define MINUTE_MS   60000
#define LINE_SIZE   2048

/* False if there were enough in this minute. Threads may count one too many. */
static bool take_turn(struct log_rate *rate)
{
    int64_t now = monotonic_ms(), since = atomic_load(&rate->since);

    if (since == 0 || now - since >= MINUTE_MS) {
        atomic_store(&rate->since, now);
        atomic_store(&rate->written, 0);
    }
    if (atomic_fetch_add(&rate->written, 1) < LOG_A_MINUTE)
        return true;
    (void)atomic_fetch_add(&rate->left_out, 1);
    return false;
}

/* A reader that sleeps, or is gone, costs the line, not the program. */
static void to_stderr(const char *line)
{
    static const struct timespec now = {0, 0};
    struct pollfd watch = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    sigset_t broken, before, waiting;
    size_t length = strlen(line);

    if (poll(&watch, 1, 0) != 1 || watch.revents != POLLOUT ||
        !descriptor_room_at(STDERR_FILENO, length))
        return;
    (void)sigemptyset(&broken);
    (void)sigemptyset(&waiting);
    (void)sigaddset(&broken, SIGPIPE);
    (void)sigpending(&waiting);
    (void)pthread_sigmask(SIG_BLOCK, &broken, &before);
    if (write(STDERR_FILENO, line, length) < 0 && errno == EPIPE &&
        sigismember(&waiting, SIGPIPE) == 0)
        (void)sigtimedwait(&broken, NULL, &now);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void to_syslog(const char *line)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};
    int fd;

    forks_hold();
    fd = forks_note(descriptor_high(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
    if (fd >= 0)
        (void)sendto(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT,
                     (const struct sockaddr *)&address, sizeof address);
    forks_close(fd);
}

void log_write(struct log_rate *rate, enum log_target target, const char *sentence)
{
    int saved = errno;
    char line[LINE_SIZE], more[64] = "";
    unsigned left_out;

    if (target == LOG_TO_NOWHERE || rate == NULL || !take_turn(rate))
        return;
    left_out = atomic_exchange(&rate->left_out, 0);
    if (left_out > 0)
        (void)snprintf(more, sizeof more, " (%u more before it were left out)", left_out);
    if (target == LOG_TO_STDERR) {
        (void)snprintf(line, sizeof line, "simkey: %.1800s%s\n", sentence, more);
        to_stderr(line);
    } else {
        (void)snprintf(line, sizeof line, PRIORITY "%.60s[%ld]: simkey: %.1800s%s",
                       program_invocation_short_name, (long)getpid(), sentence, more);
        to_syslog(line);
    }
    errno = saved;
}
