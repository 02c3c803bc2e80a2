/* SPDX-License-Identifier: Apache-2.0 */
/* See server.h. The state is one struct, the loop is one poll. */
#include "apdu/agent/server.h"

#include "apdu/agent/away.h"
#include "apdu/agent/child.h"
#include "apdu/agent/say.h"
#include "apdu/agent/spawn.h"
#include "apdu/agent/turns.h"
#include "modem/deadline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS      500   /* how often the times of children are checked, while there are any */
#define QUIET_MS     10000 /* how long a child may be in SEAT_QUIET */
#define OVERTIME_MS  10000 /* in the other states: the modems' longest time-out and this */
#define END_WORK_MS  10000 /* at SIGTERM: for the operation under way */
#define END_LEAVE_MS 15000 /* for a child that closes channels */
#define ACCEPTS      32    /* connections that are taken in one round */
#define ACCEPT_REST  100   /* ms without accepting where descriptors or processes run out */
#define COMPLAIN_MS  10000 /* at most so often a refused connection is logged */

struct server {
    int listening, signals, config_fd;
    gid_t socket_group;
    const char *file;
    char run_dir[CONFIG_PATH_SIZE];
    struct conf *config;
    int64_t operation_ms; /* the longest time-out of the modems */
    struct turns turns;
    struct away away;
    bool used; /* the modems may have a channel of ours */
    int64_t used_at;
    pid_t leaving; /* a child that closes channels, 0: none */
    int64_t leaving_since;
    int64_t accept_at; /* not before */
    int64_t complained_at;
    bool ending;
    int64_t ending_at;
    bool ended; /* the last child that closes has been started */
};

/* ---- the configuration ---- */

static int64_t longest_timeout(const struct conf *config)
{
    struct report ignored = REPORT_INIT;
    struct modems modems;
    int64_t most;

    (void)conf_modems(config, &modems, &ignored); /* they were read before: only memory can fail */
    most = conf_timeout(&modems);
    modems_clear(&modems);
    return most;
}

/* Reads the file into a new configuration, and makes the copy of it for children. After an error there is
 * neither, and the server's own ones are as before. */
static enum outcome read_config(struct server *server, struct conf **config, int *fd,
                                struct report *why)
{
    enum outcome outcome;

    *fd = -1;
    *config = malloc(sizeof **config);
    if (*config == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    outcome = conf_load(*config, server->file, server->run_dir, why);
    if (outcome == OUTCOME_OK && (*fd = spawn_lift(conf_seal(*config))) < 0)
        outcome =
            report_set(why, OUTCOME_SYSTEM, "cannot keep the configuration: %s", strerror(errno));
    if (outcome != OUTCOME_OK)
        free(*config);
    return outcome;
}

static void take_config(struct server *server, struct conf *config, int fd)
{
    if (server->config_fd >= 0)
        (void)close(server->config_fd);
    free(server->config);
    server->config = config;
    server->config_fd = fd;
    server->operation_ms = longest_timeout(config);
}

/* ---- children ---- */

static void start_leaving(struct server *server, const char *word, int64_t now)
{
    const struct spawn spawn = {.word = word,
                                .socket_group = server->socket_group,
                                .connection = -1,
                                .control = -1,
                                .config = server->config_fd};

    server->used = false;
    server->leaving_since = now;
    if (!spawn_child(&spawn, &server->leaving)) {
        server->leaving = 0;
        agent_say("cannot start a process that closes the channel: %s", strerror(errno));
    }
}

static void free_seat(struct server *server, size_t seat, bool crashed, int64_t now)
{
    if (server->turns.seats[seat].control >= 0)
        (void)close(server->turns.seats[seat].control);
    turns_leave(&server->turns, seat, crashed, now);
}

static void complain(struct server *server, uid_t uid, enum seating seating, int64_t now)
{
    static const char *const reasons[] = {[SEATING_GOOD] = "",
                                          [SEATING_FULL] = "there are too many connections",
                                          [SEATING_MANY] = "it has too many connections at once",
                                          [SEATING_FAST] = "it makes too many requests a second",
                                          [SEATING_BARRED] =
                                              "what it sent made a process crash, seconds ago"};

    if (now - server->complained_at < COMPLAIN_MS && server->complained_at != 0)
        return;
    server->complained_at = now;
    agent_say("a connection of uid %lu is not taken: %s", (unsigned long)uid, reasons[seating]);
}

/* Starts a child for the connection, closes the parent's own descriptor of it, and tells the child so (see
 * away.h). False if there is no child; the connection is still open then. */
static bool serve_connection(struct server *server, int connection, size_t place, int64_t now)
{
    struct seat *seat = &server->turns.seats[place];
    int ends[2] = {-1, -1};
    struct spawn spawn = {.word = CHILD_SERVE,
                          .socket_group = server->socket_group,
                          .connection = connection,
                          .config = server->config_fd};

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0) {
        seat->control = spawn_lift(ends[0]);
        spawn.control = ends[1] = spawn_lift(ends[1]);
        if (seat->control >= 0 && ends[1] >= 0 && spawn_child(&spawn, &seat->pid)) {
            const unsigned char yours = CONTROL_YOURS;

            (void)close(ends[1]);
            (void)close(connection);
            (void)send(seat->control, &yours, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
            return true;
        }
        if (ends[1] >= 0)
            (void)close(ends[1]);
    }
    agent_say("cannot start a process for a connection: %s", strerror(errno));
    free_seat(server, place, false, now);
    return false;
}

/* Ends a connection that gets no child. */
static void send_away(struct server *server, int connection, int64_t now)
{
    const struct spawn spawn = {.socket_group = server->socket_group, .config = server->config_fd};

    away_send(&server->away, connection, &spawn, now);
}

/* Takes what has come. Users over a limit are sent away: clients connect again by themselves. At most one
 * child is started in a round, because a start takes long: between two of them turns are given. */
static void take_connections(struct server *server, int64_t now)
{
    bool served = false;

    for (int i = 0; i < ACCEPTS && !served; i++) {
        int connection = spawn_lift(accept4(server->listening, NULL, NULL, SOCK_CLOEXEC));
        struct ucred cred;
        socklen_t length = sizeof cred;
        enum seating seating = SEATING_FULL;
        size_t seat;

        if (connection < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                server->accept_at = now + ACCEPT_REST;
            return;
        }
        if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &cred, &length) == 0) {
            seating = turns_sit(&server->turns, cred.uid, server->config->connections,
                                server->config->requests, now, &seat);
            if (seating != SEATING_GOOD)
                complain(server, cred.uid, seating, now);
            served = seating == SEATING_GOOD && serve_connection(server, connection, seat, now);
        }
        if (!served)
            send_away(server, connection, now);
        if (!served && seating == SEATING_GOOD) { /* there are no processes left, or no memory */
            server->accept_at = now + ACCEPT_REST;
            return;
        }
    }
}

/* What came from a child: one byte (see child.h), or its end of the socket is closed. */
static void hear_child(struct server *server, size_t place, int64_t now)
{
    struct seat *seat = &server->turns.seats[place];
    unsigned char byte;
    const ssize_t got = recv(seat->control, &byte, 1, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got != 1) {
        (void)close(seat->control);
        seat->control = -1;
        turns_release(&server->turns, place, now);
    } else if (byte == CONTROL_DONE) {
        turns_release(&server->turns, place, now);
    } else if (byte < MODEMS_ALL && seat->state == SEAT_QUIET) {
        turns_wait(&server->turns, place, byte, now);
    } else {
        agent_say("process %ld broke the rules between it and the agent, and is ended",
                  (long)seat->pid);
        (void)kill(seat->pid, SIGKILL);
    }
}

static void give_turns(struct server *server, int64_t now)
{
    for (unsigned modem = 0; modem < MODEMS_ALL && !server->ending; modem++) {
        const size_t next = turns_next(&server->turns, modem, now);
        const unsigned char byte = (unsigned char)modem;

        if (next == TURN_SEATS)
            continue;
        server->used = true;
        server->used_at = now;
        (void)send(server->turns.seats[next].control, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

static void end_child(struct server *server, size_t place, int status, int64_t now)
{
    const struct seat *seat = &server->turns.seats[place];
    const bool crashed =
        WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM;

    if (seat->state == SEAT_HOLDS)
        server->used_at = now;
    if (crashed)
        agent_say("process %ld, for uid %lu, died of signal %d: that user waits %d seconds",
                  (long)seat->pid, (unsigned long)server->turns.users[seat->user].uid,
                  WTERMSIG(status), TURN_BARRED_MS / 1000);
    free_seat(server, place, crashed, now);
}

static void reap_children(struct server *server, int64_t now)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == server->leaving)
            server->leaving = 0;
        if (pid == server->away.pid)
            away_ended(&server->away);
        for (size_t i = 0; i < TURN_SEATS; i++)
            if (server->turns.seats[i].state != SEAT_FREE && server->turns.seats[i].pid == pid)
                end_child(server, i, status, now);
    }
}

/* Ends those that are over their time. */
static void check_times(struct server *server, int64_t now)
{
    for (size_t i = 0; i < TURN_SEATS; i++) {
        struct seat *seat = &server->turns.seats[i];
        const int64_t most =
            seat->state == SEAT_QUIET ? QUIET_MS : server->operation_ms + OVERTIME_MS;

        if (seat->state != SEAT_FREE && seat->pid > 0 && now - seat->since > most) {
            agent_say("process %ld took longer than its time, and is ended", (long)seat->pid);
            (void)kill(seat->pid, SIGKILL);
            seat->since = now; /* a driver may keep it from dying: then it is logged again */
        }
    }
    if (server->leaving > 0 && now - server->leaving_since > END_LEAVE_MS)
        (void)kill(server->leaving, SIGKILL);
}

/* ---- the end ---- */

/* Those that have had no turn are ended at once: their clients are told by the end of the connection. */
static void begin_end(struct server *server, int64_t now)
{
    server->ending = true;
    server->ending_at = now;
    for (size_t i = 0; i < TURN_SEATS; i++) {
        const struct seat *seat = &server->turns.seats[i];

        if (seat->state != SEAT_HOLDS && !seat->served && seat->pid > 0)
            (void)kill(seat->pid, SIGTERM);
    }
}

/* True when all is over. */
static bool go_on_ending(struct server *server, int64_t now)
{
    bool seated = turns_any(&server->turns, SEAT_HOLDS) || turns_any(&server->turns, SEAT_QUIET) ||
                  turns_any(&server->turns, SEAT_WAITS);

    if (seated && now - server->ending_at < END_WORK_MS)
        return false;
    if (seated) {
        for (size_t i = 0; i < TURN_SEATS; i++)
            if (server->turns.seats[i].state != SEAT_FREE && server->turns.seats[i].pid > 0)
                (void)kill(server->turns.seats[i].pid, SIGKILL);
        return false;
    }
    if (server->leaving > 0)
        return false;
    if (server->ended)
        return true;
    server->ended = true;
    start_leaving(server, CHILD_END, now);
    return server->leaving == 0;
}

/* ---- signals ---- */

/* Reads the settings anew. If they have changed, the channels that are open in the modems are closed, still by
 * the old settings. A file with an error changes nothing. */
static void reload(struct server *server, int64_t now)
{
    struct report why = REPORT_INIT;
    struct conf *config;
    int fd;

    if (read_config(server, &config, &fd, &why) != OUTCOME_OK || config == NULL) {
        agent_say("the settings stay as they were: %s", why.text);
        return;
    }
    if (strcmp(config->text, server->config->text) != 0 && server->used && server->leaving == 0)
        start_leaving(server, CHILD_END, now);
    take_config(server, config, fd);
    agent_say("the settings in %s are read anew", server->file);
}

static void take_signals(struct server *server, int64_t now)
{
    struct signalfd_siginfo signal;

    while (read(server->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo == SIGHUP && !server->ending)
            reload(server, now);
        else if ((signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT) && !server->ending)
            begin_end(server, now);
    }
    reap_children(server, now); /* one SIGCHLD may stand for several children */
}

static int open_signals(void)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    sigset_t set;

    /* the program that started the agent may have left signals ignored: its children would inherit that, and
     * with SIGCHLD ignored their ends would not be noticed */
    for (int number = 1; number < SIGRTMIN; number++)
        if (number != SIGPIPE && number != SIGXFSZ)
            (void)signal(number, SIG_DFL);
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)sigaddset(&set, numbers[i]);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return spawn_lift(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

/* ---- the loop ---- */

static bool has_children(const struct server *server)
{
    return server->leaving > 0 || turns_any(&server->turns, SEAT_QUIET) ||
           turns_any(&server->turns, SEAT_WAITS) || turns_any(&server->turns, SEAT_HOLDS);
}

/* Milliseconds until something is to be done without being asked, -1: never. */
static int next_wait(const struct server *server, int64_t now)
{
    const int64_t idle = server->used_at + (int64_t)server->config->idle * 1000 - now;
    int64_t wait = -1;

    if (has_children(server) || server->ending || server->away.pid > 0)
        wait = TICK_MS;
    else if (server->used)
        wait = idle > 0 ? idle : 0;
    if (server->accept_at > now && (wait < 0 || wait > server->accept_at - now))
        wait = server->accept_at - now;
    return (int)(wait > INT32_MAX ? INT32_MAX : wait);
}

/* Closes the channels if no program has used them for the setting `idle`. */
static void check_idle(struct server *server, int64_t now)
{
    if (server->used && !server->ending && server->leaving == 0 && !has_children(server) &&
        now - server->used_at >= (int64_t)server->config->idle * 1000)
        start_leaving(server, CHILD_IDLE, now);
}

/* One round: false when the server has ended. */
static bool go_round(struct server *server)
{
    struct pollfd ready[TURN_SEATS + 2];
    size_t places[TURN_SEATS], count = 2;
    int64_t now = monotonic_ms();
    const bool accepting = !server->ending && now >= server->accept_at;

    ready[0] = (struct pollfd){.fd = server->signals, .events = POLLIN};
    ready[1] = (struct pollfd){.fd = accepting ? server->listening : -1, .events = POLLIN};
    for (size_t i = 0; i < TURN_SEATS; i++)
        if (server->turns.seats[i].state != SEAT_FREE && server->turns.seats[i].control >= 0) {
            places[count - 2] = i;
            ready[count++] =
                (struct pollfd){.fd = server->turns.seats[i].control, .events = POLLIN};
        }
    if (poll(ready, count, next_wait(server, now)) < 0)
        return true;
    now = monotonic_ms();
    for (size_t i = 2; i < count; i++)
        if (ready[i].revents != 0)
            hear_child(server, places[i - 2], now);
    if (ready[0].revents != 0)
        take_signals(server, now);
    give_turns(server, now);
    if (ready[1].revents != 0 && !server->ending)
        take_connections(server, now);
    check_times(server, now);
    away_check(&server->away, now);
    check_idle(server, now);
    return !server->ending || !go_on_ending(server, now);
}

/* Makes the folder in which the sessions of the agent's modems are recorded: beside the socket, for the agent
 * only. */
static void make_run_dir(struct server *server, const char *path)
{
    const char *slash = strrchr(path, '/');

    (void)snprintf(server->run_dir, sizeof server->run_dir, "%.*s/session",
                   slash != NULL ? (int)(slash - path) : 1, slash != NULL ? path : ".");
    if (mkdir(server->run_dir, 0700) != 0 && errno != EEXIST)
        agent_say("cannot make %s: %s", server->run_dir, strerror(errno));
}

enum outcome server_run(int listening, const char *path, const char *file, struct report *why)
{
    struct server *server = calloc(1, sizeof *server);
    struct conf *config;
    struct stat socket_file;
    enum outcome outcome;
    int fd;

    if (server == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    server->listening = listening;
    server->config_fd = -1;
    server->file = file;
    server->socket_group = stat(path, &socket_file) == 0 ? socket_file.st_gid : (gid_t)-1;
    for (size_t i = 0; i < TURN_SEATS; i++)
        server->turns.seats[i].control = -1;
    server->signals = open_signals();
    make_run_dir(server, path);
    outcome = read_config(server, &config, &fd, why);
    if (outcome == OUTCOME_OK) {
        take_config(server, config, fd);
        server->used = true; /* an agent that was killed may have left a channel */
        server->used_at = monotonic_ms();
        agent_say("ready at %s, with the settings in %s", path, file);
        while (go_round(server))
            ;
        away_stop(&server->away);
        free(server->config);
        (void)close(server->config_fd);
    }
    free(server);
    return outcome;
}
