/* SPDX-License-Identifier: Apache-2.0 */
/* A port as a file descriptor: named, locked, configured, polled with a monotonic deadline. */
#include "modem/port.h"

#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

/* How often a waiter looks whether the lock is free (flock cannot wait with a deadline): where it is
 * told when somebody closes the device, and where it is not. */
#define LOCK_TOLD_MS 40
#define LOCK_POLL_MS 10
/* A device that was free for so long is not wanted by those who wait longer: they are stopped. */
#define LOCK_OVERTAKE_MS 100
/* How long a device may be exclusive until it is said to be another program's: see take_line. */
#define EXCLUSIVE_MS 500
#define EXCLUSIVE    "%s is held exclusively by another program (ModemManager?)"

/* The descriptors noted by port_note, plus one; 0 is a free place. The only state of this process as
 * a whole, because descriptors are its own. */
#define NOTES 64
static _Atomic int notes[NOTES];

struct port {
    int lock; /* our own descriptor of the device, which takes the lock */
    int line; /* where bytes go: libserialport's descriptor, which has the lock then, or the same */
    struct sp_port *serial;
    char name[PATH_MAX];
};

static void forget_in_child(void)
{
    for (size_t i = 0; i < NOTES; i++) {
        int copy = atomic_exchange(&notes[i], 0);

        if (copy != 0)
            (void)close(copy - 1);
    }
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, forget_in_child);
}

void port_note(int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, watch_forks);
    for (size_t i = 0; fd >= 0 && i < NOTES; i++) {
        int free_place = 0;

        if (atomic_compare_exchange_strong(&notes[i], &free_place, fd + 1))
            return;
    }
}

void port_unnote(int fd)
{
    for (size_t i = 0; fd >= 0 && i < NOTES; i++) {
        int mine = fd + 1;

        if (atomic_compare_exchange_strong(&notes[i], &mine, 0))
            return;
    }
}

static enum outcome gone(const struct port *port, struct report *why)
{
    return report_set(
        why, OUTCOME_NO_MODEM,
        "the modem at %s is gone: check its cable and power, the port comes back when "
        "the modem does",
        port->name);
}

/* Who holds the lock, from /proc/locks ("1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"). */
static void name_holder(int fd, char *text, size_t size)
{
    struct stat file;
    char line[256], path[64], program[32] = "?";
    unsigned major_number, minor_number;
    unsigned long long inode;
    long pid, found = 0;
    FILE *locks;

    (void)snprintf(text, size, "another program");
    if (fstat(fd, &file) != 0 || (locks = fopen("/proc/locks", "re")) == NULL)
        return;
    while (found == 0 && fgets(line, sizeof line, locks) != NULL)
        if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%llu", &pid, &major_number, &minor_number,
                   &inode) == 4 &&
            inode == (unsigned long long)file.st_ino && major_number == major(file.st_dev) &&
            minor_number == minor(file.st_dev))
            found = pid;
    (void)fclose(locks);
    if (found == 0)
        return;
    (void)snprintf(path, sizeof path, "/proc/%ld/comm", found);
    locks = fopen(path, "re");
    if (locks != NULL) {
        if (fgets(program, sizeof program, locks) != NULL)
            program[strcspn(program, "\n")] = '\0';
        (void)fclose(locks);
    }
    (void)snprintf(text, size, "process %ld (%s)", found, program);
}

/* Waits for somebody to close the device, but not for long: a waiter that gives up tells nobody. */
static void wait_for_close(int watch, struct deadline deadline)
{
    struct pollfd told = {.fd = watch, .events = POLLIN, .revents = 0};
    char events[1024];

    if (watch < 0)
        deadline_sleep(deadline, LOCK_POLL_MS);
    else if (poll(&told, 1, deadline_left(deadline_within(deadline, LOCK_TOLD_MS))) > 0)
        while (read(watch, events, sizeof events) > 0)
            ;
}

static enum outcome lock_by(const struct port *port, int watch, struct deadline deadline,
                            const struct port_turn *turn, struct report *why)
{
    char holder[96];
    int64_t free_since = 0;

    for (;;) {
        bool first = turn == NULL || turn->first(turn->arg);

        if (flock(port->lock, LOCK_EX | LOCK_NB) == 0) {
            if (free_since == 0)
                free_since = monotonic_ms();
            if (first || monotonic_ms() - free_since >= LOCK_OVERTAKE_MS)
                return OUTCOME_OK;
            (void)flock(port->lock, LOCK_UN);
        } else if (errno != EWOULDBLOCK && errno != EINTR) {
            return report_set(why, OUTCOME_NO_MODEM, "cannot lock %s: %s", port->name,
                              strerror(errno));
        } else {
            free_since = 0;
        }
        if (deadline_passed(deadline)) {
            name_holder(port->lock, holder, sizeof holder);
            return report_set(why, OUTCOME_PORT_BUSY,
                              "%s is in use by %s: wait for it to end, or raise `timeout`",
                              port->name, holder);
        }
        wait_for_close(watch, deadline);
    }
}

static enum outcome lock(const struct port *port, struct deadline deadline,
                         const struct port_turn *turn, struct report *why)
{
    enum outcome outcome;
    int watch = -1;

    if ((turn == NULL || turn->first(turn->arg)) && flock(port->lock, LOCK_EX | LOCK_NB) == 0)
        return OUTCOME_OK;
    watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch >= 0 && inotify_add_watch(watch, port->name, IN_CLOSE) < 0) {
        (void)close(watch);
        watch = -1;
    }
    port_note(watch);
    outcome = lock_by(port, watch, deadline, turn, why);
    port_unnote(watch);
    if (watch >= 0)
        (void)close(watch);
    return outcome;
}

/* Opens the device for the lock. Not yet configured: another program may be talking on it. */
static enum outcome open_device(struct port *port, const char *device, struct deadline deadline,
                                struct report *why)
{
    struct deadline patience = deadline_within(deadline, EXCLUSIVE_MS);
    char *real = realpath(device, NULL);

    (void)snprintf(port->name, sizeof port->name, "%s", real != NULL ? real : device);
    free(real);
    while ((port->lock = open(port->name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)) < 0 &&
           errno == EBUSY && !deadline_passed(patience))
        deadline_sleep(patience, LOCK_POLL_MS);
    port_note(port->lock);
    if (port->lock < 0 && (errno == EACCES || errno == EPERM))
        return report_set(why, OUTCOME_NO_MODEM,
                          "no permission to open %s: join the device's group (often dialout)",
                          device);
    if (port->lock < 0 && errno == EBUSY)
        return report_set(why, OUTCOME_PORT_BUSY, EXCLUSIVE, device);
    if (port->lock < 0)
        return report_set(why, OUTCOME_NO_MODEM,
                          "cannot open the modem's port %s: %s: check the cable and `device`",
                          device, strerror(errno));
    if (!isatty(port->lock))
        return report_set(why, OUTCOME_NO_MODEM,
                          "%s is not a serial port: `device` must name the modem's AT port",
                          device);
    return OUTCOME_OK;
}

/* libserialport leaves HUPCL set (closing would drop DTR, and many modems hang up or reset then),
 * and flow control that somebody else had set. */
static int plain_line(int fd)
{
    struct termios settings;

    if (tcgetattr(fd, &settings) != 0)
        return -1;
    settings.c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY);
    settings.c_cflag &= ~(tcflag_t)(HUPCL | CRTSCTS);
    return tcsetattr(fd, TCSANOW, &settings);
}

/* The unlocking is said aloud, because a forked child may still have a copy of the descriptor. */
static void leave_line(struct port *port)
{
    if (port->line < 0)
        return;
    port_unnote(port->line);
    (void)flock(port->line, LOCK_UN);
    (void)sp_close(port->serial);
    port->line = -1;
}

static enum outcome serial_failed(const struct port *port, const char *what, struct report *why)
{
    char *message = sp_last_error_message();

    (void)report_set(why, OUTCOME_NO_MODEM, "cannot %s %s: %s", what, port->name,
                     message != NULL ? message : "unknown error");
    sp_free_error_message(message);
    return why->outcome;
}

/* Hands the lock over to libserialport's descriptor. Since version 0.1.2 sp_open locks the device
 * itself, and marks it exclusive, so that those who wait could not even open it. OUTCOME_PORT_BUSY
 * without a sentence: somebody else took the lock in between. */
static enum outcome take_line(struct port *port, struct report *why)
{
    (void)flock(port->lock, LOCK_UN);
    if (sp_open(port->serial, SP_MODE_READ_WRITE) != SP_OK) {
        int error = sp_last_error_code();

        if (error != EWOULDBLOCK && error != EBUSY)
            return serial_failed(port, "open", why);
        (void)sp_close(port->serial); /* it keeps what it could not lock */
        return OUTCOME_PORT_BUSY;
    }
    if (sp_get_port_handle(port->serial, &port->line) != SP_OK)
        return serial_failed(port, "use", why);
    port_note(port->line);
    (void)fcntl(port->line, F_SETFD, FD_CLOEXEC);
    (void)ioctl(port->line, TIOCNXCL);
    if (flock(port->line, LOCK_EX | LOCK_NB) == 0)
        return OUTCOME_OK;
    leave_line(port);
    return OUTCOME_PORT_BUSY;
}

static enum outcome open_serial(struct port *port, struct deadline deadline,
                                const struct port_turn *turn, struct report *why)
{
    enum outcome outcome;

    while ((outcome = take_line(port, why)) == OUTCOME_PORT_BUSY) {
        deadline_sleep(deadline, LOCK_POLL_MS);
        outcome = lock(port, deadline, turn, why);
        if (outcome != OUTCOME_OK)
            return outcome;
        if (deadline_passed(deadline))
            return report_set(why, OUTCOME_PORT_BUSY, EXCLUSIVE, port->name);
    }
    return outcome;
}

static enum outcome configure_serial(struct port *port, unsigned baud, struct report *why)
{
    if (sp_set_baudrate(port->serial, (int)baud) != SP_OK)
        return report_set(why, OUTCOME_USAGE, "%s does not do %u baud: set another `baud`",
                          port->name, baud);
    if (sp_set_bits(port->serial, 8) != SP_OK ||
        sp_set_parity(port->serial, SP_PARITY_NONE) != SP_OK ||
        sp_set_stopbits(port->serial, 1) != SP_OK ||
        sp_set_flowcontrol(port->serial, SP_FLOWCONTROL_NONE) != SP_OK ||
        plain_line(port->line) != 0)
        return serial_failed(port, "configure", why);
    return OUTCOME_OK;
}

static enum outcome configure_plain(struct port *port, struct report *why)
{
    struct termios settings;

    port->line = port->lock;
    /* a wwan port has no line settings: it carries bytes as they are */
    if (tcgetattr(port->lock, &settings) != 0)
        return OUTCOME_OK;
    cfmakeraw(&settings);
    settings.c_iflag &= ~(tcflag_t)(IXOFF | IXANY);
    settings.c_cflag &= ~(tcflag_t)(HUPCL | CSTOPB | CRTSCTS);
    settings.c_cflag |= CLOCAL | CREAD;
    if (tcsetattr(port->lock, TCSANOW, &settings) != 0)
        return report_set(why, OUTCOME_NO_MODEM, "cannot configure %s: %s", port->name,
                          strerror(errno));
    return OUTCOME_OK;
}

enum outcome port_open(struct port **opened, const char *device, unsigned baud,
                       struct deadline deadline, const struct port_turn *turn, struct report *why)
{
    struct port *port = calloc(1, sizeof *port);
    enum outcome outcome;

    *opened = NULL;
    if (port == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    port->lock = port->line = -1;
    outcome = open_device(port, device, deadline, why);
    if (outcome == OUTCOME_OK)
        outcome = lock(port, deadline, turn, why);
    if (outcome != OUTCOME_OK)
        goto out;
    if (sp_get_port_by_name(port->name, &port->serial) == SP_OK) {
        outcome = open_serial(port, deadline, turn, why);
        if (outcome == OUTCOME_OK)
            outcome = configure_serial(port, baud, why);
    } else {
        outcome = configure_plain(port, why);
    }
    if (outcome != OUTCOME_OK)
        goto out;
    *opened = port;
    port = NULL;
out:
    port_close(port);
    return outcome;
}

void port_close(struct port *port)
{
    if (port == NULL)
        return;
    if (port->serial != NULL) {
        leave_line(port);
        sp_free_port(port->serial);
    }
    port_unnote(port->lock);
    if (port->lock >= 0) {
        (void)flock(port->lock, LOCK_UN);
        (void)close(port->lock);
    }
    free(port);
}

/* Waits for one poll event. OUTCOME_TIMEOUT comes without a sentence: the caller knows what was
 * waited for. */
static enum outcome wait_for(struct port *port, short event, struct deadline deadline,
                             struct report *why)
{
    struct pollfd watch = {.fd = port->line, .events = event, .revents = 0};
    int ready;

    for (;;) {
        ready = poll(&watch, 1, deadline_left(deadline));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return gone(port, why);
        if (ready == 0)
            return report_set(why, OUTCOME_TIMEOUT, "%s stayed silent until the deadline",
                              port->name);
        /* what a modem said before it went is still worth reading */
        if ((watch.revents & event) != 0)
            return OUTCOME_OK;
        return gone(port, why);
    }
}

enum outcome port_write(struct port *port, const void *data, size_t length,
                        struct deadline deadline, struct report *why)
{
    const char *rest = data;

    while (length > 0) {
        ssize_t written = write(port->line, rest, length);

        if (written > 0) {
            rest += written;
            length -= (size_t)written;
        } else if (written < 0 && errno != EAGAIN && errno != EINTR) {
            return gone(port, why);
        } else {
            enum outcome outcome = wait_for(port, POLLOUT, deadline, why);

            if (outcome == OUTCOME_TIMEOUT)
                return report_set(why, OUTCOME_TIMEOUT,
                                  "%s takes no more characters: is it the modem's AT port?",
                                  port->name);
            if (outcome != OUTCOME_OK)
                return outcome;
        }
    }
    return OUTCOME_OK;
}

enum outcome port_read(struct port *port, void *buffer, size_t size, size_t *length,
                       struct deadline deadline, struct report *why)
{
    for (;;) {
        enum outcome outcome = wait_for(port, POLLIN, deadline, why);
        ssize_t got;

        if (outcome != OUTCOME_OK)
            return outcome;
        got = read(port->line, buffer, size);
        if (got > 0) {
            *length = (size_t)got;
            return OUTCOME_OK;
        }
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            return gone(port, why);
    }
}

enum outcome port_drain(struct port *port, int quiet_ms, struct deadline deadline,
                        struct report *why)
{
    char dropped[256];
    size_t length;
    enum outcome outcome;

    do
        outcome = port_read(port, dropped, sizeof dropped, &length,
                            deadline_within(deadline, quiet_ms), why);
    while (outcome == OUTCOME_OK && !deadline_passed(deadline));
    return outcome == OUTCOME_TIMEOUT ? OUTCOME_OK : outcome;
}
