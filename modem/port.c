/* SPDX-License-Identifier: Apache-2.0 */
/* A port as a file descriptor: named, locked, configured, polled with a monotonic deadline. */
#include "modem/port.h"

#include "modem/descriptor.h"
#include "modem/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <limits.h>
#include <poll.h>
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

/* A device that says that it has room, or input, and then takes or gives nothing, is asked again
 * after that. */
#define IDLE_PAUSE_MS 5

struct port {
    int fd;        /* it has the lock */
    bool unheeded; /* nothing has come since the last characters went out */
    char name[PATH_MAX];
};

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
    char line[256], path[64], program[32];
    unsigned major_number, minor_number;
    unsigned long long inode;
    long pid, found = 0;
    FILE *locks;

    (void)snprintf(text, size, "another program");
    if (fstat(fd, &file) != 0 || (locks = descriptor_fopen("/proc/locks")) == NULL)
        return;
    while (found == 0 && fgets(line, sizeof line, locks) != NULL)
        if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%llu", &pid, &major_number, &minor_number,
                   &inode) == 4 &&
            inode == (unsigned long long)file.st_ino && major_number == major(file.st_dev) &&
            minor_number == minor(file.st_dev))
            found = pid;
    descriptor_fclose(locks);
    if (found == 0)
        return;
    (void)snprintf(path, sizeof path, "/proc/%ld/comm", found);
    if (descriptor_read_text(path, program, sizeof program))
        program[strcspn(program, "\n")] = '\0';
    else
        (void)snprintf(program, sizeof program, "?");
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

        if (flock(port->fd, LOCK_EX | LOCK_NB) == 0) {
            if (free_since == 0)
                free_since = monotonic_ms();
            if (first || monotonic_ms() - free_since >= LOCK_OVERTAKE_MS)
                return OUTCOME_OK;
            (void)flock(port->fd, LOCK_UN);
        } else if (errno != EWOULDBLOCK && errno != EINTR) {
            return report_set(why, OUTCOME_NO_MODEM, "cannot lock %s: %s", port->name,
                              strerror(errno));
        } else {
            free_since = 0;
        }
        if (deadline_passed(deadline)) {
            name_holder(port->fd, holder, sizeof holder);
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

    if ((turn == NULL || turn->first(turn->arg)) && flock(port->fd, LOCK_EX | LOCK_NB) == 0)
        return OUTCOME_OK;
    forks_hold();
    watch = forks_note(descriptor_high(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)));
    if (watch >= 0 && inotify_add_watch(watch, port->name, IN_CLOSE) < 0) {
        forks_close(watch);
        watch = -1;
    }
    outcome = lock_by(port, watch, deadline, turn, why);
    forks_close(watch);
    return outcome;
}

/* Opens the device for the lock. Not yet configured: another program may be talking on it. */
static enum outcome open_device(struct port *port, const char *device, struct report *why)
{
    if (realpath(device, port->name) == NULL)
        (void)snprintf(port->name, sizeof port->name, "%s", device);
    forks_hold();
    port->fd =
        forks_note(descriptor_high(open(port->name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)));
    if (port->fd < 0 && errno == EPERM) /* a device policy's word; the node's own is EACCES */
        return report_set(why, OUTCOME_NO_MODEM,
                          "this service may not open %s: name its kind in a line DeviceAllow= of "
                          "the unit",
                          device);
    if (port->fd < 0 && errno == EACCES)
        return report_set(why, OUTCOME_NO_MODEM,
                          "no permission to open %s: join the device's group (often dialout)",
                          device);
    if (port->fd < 0 && errno == EBUSY)
        return report_set(why, OUTCOME_PORT_BUSY,
                          "%s is held exclusively by another program (ModemManager?): end it, or "
                          "use another of the modem's ports",
                          device);
    if (port->fd < 0)
        return report_set(why, OUTCOME_NO_MODEM,
                          "cannot open the modem's port %s: %s: check the cable and `device`",
                          device, strerror(errno));
    if (!isatty(port->fd))
        return report_set(why, OUTCOME_NO_MODEM,
                          "%s is not a serial port: `device` must name the modem's AT port",
                          device);
    return OUTCOME_OK;
}

/* The constant for a speed in bits per second; false if there is none. */
static bool find_speed(unsigned baud, speed_t *speed)
{
    static const struct {
        unsigned baud;
        speed_t speed;
    } speeds[] = {
        {1200, B1200},       {2400, B2400},       {4800, B4800},       {9600, B9600},
        {19200, B19200},     {38400, B38400},     {57600, B57600},     {115200, B115200},
        {230400, B230400},   {460800, B460800},   {500000, B500000},   {576000, B576000},
        {921600, B921600},   {1000000, B1000000}, {1152000, B1152000}, {1500000, B1500000},
        {2000000, B2000000}, {2500000, B2500000}, {3000000, B3000000}, {3500000, B3500000},
        {4000000, B4000000},
    };

    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
        if (speeds[i].baud == baud) {
            *speed = speeds[i].speed;
            return true;
        }
    return false;
}

/* HUPCL off: closing would drop DTR, and many modems hang up or reset then. */
static int make_raw(int fd, const speed_t *speed)
{
    const int lines = TIOCM_DTR | TIOCM_RTS;
    struct termios settings;

    if (tcgetattr(fd, &settings) != 0)
        return -1;
    cfmakeraw(&settings);
    settings.c_iflag &= ~(tcflag_t)(IXOFF | IXANY);
    settings.c_cflag &= ~(tcflag_t)(HUPCL | CSTOPB | CRTSCTS);
    settings.c_cflag |= CLOCAL | CREAD;
    if (speed != NULL &&
        (cfsetispeed(&settings, *speed) != 0 || cfsetospeed(&settings, *speed) != 0))
        return -1;
    if (tcsetattr(fd, TCSANOW, &settings) != 0)
        return -1;
    if (speed != NULL)
        (void)ioctl(fd, TIOCMBIS, &lines); /* another program may have taken them down */
    return 0;
}

/* libserialport knows which devices are serial ports, but does not open them. Up to 0.1.1 its opening
 * takes no lock, and sets up a port on which another program is talking. Since 0.1.2 it locks, and
 * makes the port exclusive while it sets it up, seven system calls, three of which wait for the modem: who
 * is killed there leaves it so for as long as any other program has the port open. (Which of the two
 * is installed it does not tell: 0.1.2 says that it is 0.1.1.) test_port_kill.c shows both. */
static enum outcome configure(const struct port *port, unsigned baud, struct report *why)
{
    struct sp_port *known = NULL;
    speed_t speed = B0;
    bool serial;

    forks_hold(); /* it reads files of /sys */
    serial = sp_get_port_by_name(port->name, &known) == SP_OK;
    sp_free_port(known);
    forks_release();
    if (serial && !find_speed(baud, &speed))
        return report_set(why, OUTCOME_USAGE, "%s does not support %u baud: set another `baud`",
                          port->name, baud);
    if (make_raw(port->fd, serial ? &speed : NULL) == 0)
        return OUTCOME_OK;
    /* a wwan port has no line settings: it carries bytes as they are */
    if (!serial && (errno == ENOTTY || errno == EINVAL))
        return OUTCOME_OK;
    return report_set(why, OUTCOME_NO_MODEM, "cannot configure %s: %s", port->name,
                      strerror(errno));
}

enum outcome port_open(struct port **opened, const char *device, unsigned baud,
                       struct deadline deadline, const struct port_turn *turn, struct report *why)
{
    struct port *port = calloc(1, sizeof *port);
    enum outcome outcome;

    *opened = NULL;
    if (port == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    port->fd = -1;
    outcome = open_device(port, device, why);
    if (outcome == OUTCOME_OK)
        outcome = lock(port, deadline, turn, why);
    if (outcome != OUTCOME_OK)
        goto out;
    outcome = configure(port, baud, why);
    if (outcome != OUTCOME_OK)
        goto out;
    *opened = port;
    port = NULL;
out:
    port_close(port);
    return outcome;
}

enum outcome port_lock(struct port **locked, int fd, const char *device, struct deadline deadline,
                       const struct port_turn *turn, struct report *why)
{
    struct port *port = *locked = calloc(1, sizeof *port);

    if (port == NULL) {
        forks_close(fd);
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    }
    port->fd = fd;
    (void)snprintf(port->name, sizeof port->name, "%s", device);
    return lock(port, deadline, turn, why);
}

void port_close(struct port *port)
{
    if (port == NULL)
        return;
    /* the driver of a device that takes nothing any more would wait in close, 30 s with most */
    if (port->fd >= 0 && port->unheeded)
        (void)tcflush(port->fd, TCOFLUSH);
    /* said aloud, because a child of a raw clone(2) may still have a copy of the descriptor */
    if (port->fd >= 0)
        (void)flock(port->fd, LOCK_UN);
    forks_close(port->fd);
    free(port);
}

/* Waits for one poll event. OUTCOME_TIMEOUT comes without a sentence: the caller knows what was
 * waited for. */
static enum outcome wait_for(struct port *port, short event, struct deadline deadline,
                             struct report *why)
{
    struct pollfd watch = {.fd = port->fd, .events = event, .revents = 0};
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

/* Waits until the port has room or input, and a little longer where it said so before (tried) but
 * nothing passed. */
static enum outcome wait_again(struct port *port, short event, bool tried, struct deadline deadline,
                               struct report *why)
{
    if (tried && deadline_passed(deadline))
        return report_set(why, OUTCOME_TIMEOUT,
                          "%s gives nothing, although it reports that there is something to read",
                          port->name);
    if (tried)
        deadline_sleep(deadline, IDLE_PAUSE_MS);
    return wait_for(port, event, deadline, why);
}

enum outcome port_write(struct port *port, const void *data, size_t length,
                        struct deadline deadline, struct report *why)
{
    const char *rest = data;
    bool started = false, waited = false;

    port->unheeded = true;
    while (length > 0) {
        ssize_t written = write(port->fd, rest, length);

        if (written > 0) {
            rest += written;
            length -= (size_t)written;
            waited = false;
        } else if (written < 0 && errno != EAGAIN && errno != EINTR) {
            return gone(port, why);
        } else if (!started) { /* another program may have stopped the line, and left it so */
            (void)tcflow(port->fd, TCOON);
            started = true;
        } else {
            enum outcome outcome = wait_again(port, POLLOUT, waited, deadline, why);

            if (outcome == OUTCOME_TIMEOUT)
                return report_set(why, OUTCOME_TIMEOUT,
                                  "%s takes no more characters: is it the modem's AT port?",
                                  port->name);
            if (outcome != OUTCOME_OK)
                return outcome;
            waited = true;
        }
    }
    return OUTCOME_OK;
}

enum outcome port_read(struct port *port, void *buffer, size_t size, size_t *length,
                       struct deadline deadline, struct report *why)
{
    for (bool waited = false;; waited = true) {
        enum outcome outcome = wait_again(port, POLLIN, waited, deadline, why);
        ssize_t got;

        if (outcome != OUTCOME_OK)
            return outcome;
        got = read(port->fd, buffer, size);
        if (got > 0) {
            port->unheeded = false;
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
