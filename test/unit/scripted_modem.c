/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted modem: parent and child share a record of what was heard and what was wrong; the
 * child ends when the control pipe closes, when its parent dies, or by its own alarm. */
#include "test/unit/scripted_modem.h"

#include "modem/deadline.h"
#include "test/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define LINES_KEPT    128
#define LINE_SIZE     600
#define CHILD_SECONDS 60

struct modem_record {
    atomic_int lines; /* heard */
    atomic_int left;  /* steps still to be played */
    atomic_int busy;  /* the child is saying something */
    atomic_int failed;
    char failure[1400];
    char line[LINES_KEPT][LINE_SIZE];
};

const struct modem_step modem_starts[] = {LINE("AT", OK), LINE("ATE0V1Q0", OK),
                                          LINE("AT+CMEE=1", OK), MODEM_END};

/* What the child holds. */
struct player {
    int master, slave, control;
    struct modem_record *record;
    const struct modem_step *next, *standing;
    bool after_cr;
    char line[LINE_SIZE];
    size_t length;
};

static void blame(struct modem_record *record, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Only the first fault is told; the others follow from it. */
static void blame(struct modem_record *record, const char *format, ...)
{
    va_list arguments;

    if (atomic_load(&record->failed))
        return;
    va_start(arguments, format);
    vsnprintf(record->failure, sizeof record->failure, format, arguments);
    va_end(arguments);
    atomic_store(&record->failed, 1);
}

static void nap(int ms)
{
    poll(NULL, 0, ms);
}

static void put(struct player *player, const char *bytes, size_t length)
{
    while (length > 0 && player->master >= 0) {
        ssize_t n = write(player->master, bytes, length);

        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            nap(2);
        } else if (n < 0 && errno != EINTR) {
            return;
        }
    }
}

static void hang_up(struct player *player)
{
    close(player->slave);
    close(player->master);
    player->slave = player->master = -1;
}

static void say(struct player *player, const char *text)
{
    atomic_store(&player->record->busy, 1);
    for (; *text != '\0' && player->master >= 0; text++) {
        if (*text == *NUL)
            put(player, "", 1);
        else if (*text == *PAUSE)
            nap(60);
        else if (*text == *LONG)
            nap(400);
        else if (*text == *BREATH)
            nap(15);
        else if (*text == *HANG_UP)
            hang_up(player);
        else
            put(player, text, 1);
    }
    atomic_store(&player->record->busy, 0);
}

static size_t strip_blanks(const char *from, char *to)
{
    size_t length = 0;

    for (; *from != '\0'; from++)
        if (*from != ' ')
            to[length++] = *from;
    to[length] = '\0';
    return length;
}

/* The line that a step awaits. */
static void awaited(const struct modem_step *step, char line[LINE_SIZE])
{
    char hex[LINE_SIZE - 32];
    size_t digits;

    if (step->kind == STEP_LINE) {
        snprintf(line, LINE_SIZE, "%s", step->expect ? step->expect : "(anything)");
        return;
    }
    digits = strip_blanks(step->expect, hex);
    if (step->kind == STEP_CSIM)
        snprintf(line, LINE_SIZE, "AT+CSIM=%zu,\"%s\"", digits, hex);
    else
        snprintf(line, LINE_SIZE, "AT+CGLA=1,%zu,\"%s\"", digits, hex);
}

static bool matches(const struct modem_step *step, const char *heard)
{
    char line[LINE_SIZE];

    if (step->kind == STEP_LINE && !step->expect)
        return true;
    awaited(step, line);
    return strcmp(line, heard) == 0;
}

static void answer(struct player *player, const struct modem_step *step)
{
    char hex[LINE_SIZE - 32], text[LINE_SIZE];
    size_t digits;

    if (step->kind == STEP_LINE) {
        say(player, step->answer);
        return;
    }
    digits = strip_blanks(step->answer, hex);
    snprintf(text, sizeof text, "\r\n+%s: %zu,\"%s\"\r\n" OK,
             step->kind == STEP_CSIM ? "CSIM" : "CGLA", digits, hex);
    say(player, text);
}

static void advance(struct player *player)
{
    player->next++;
    atomic_fetch_sub(&player->record->left, 1);
}

static void speak_unasked(struct player *player)
{
    while (player->next->kind == STEP_SAY && player->master >= 0) {
        say(player, player->next->answer);
        advance(player);
    }
}

static void hear_line(struct player *player)
{
    struct modem_record *record = player->record;
    const struct modem_step *step;
    char line[LINE_SIZE] = "nothing more";
    int n = atomic_load(&record->lines);

    if (n < LINES_KEPT)
        memcpy(record->line[n], player->line, player->length + 1);
    atomic_store(&record->lines, n + 1);
    if (player->next->kind != STEP_END && matches(player->next, player->line)) {
        step = player->next;
        answer(player, step);
        advance(player);
        return;
    }
    for (step = player->standing; step && step->kind != STEP_END; step++)
        if (matches(step, player->line)) {
            answer(player, step);
            return;
        }
    /* any modem says OK to these, whatever the script; how many come depends on the machine's load */
    if (strcmp(player->line, "AT") == 0 || strcmp(player->line, "ATQ0") == 0 ||
        strcmp(player->line, "ATV1") == 0) {
        say(player, OK);
        return;
    }
    /* an applet with a PIN does not know this one, see operation_prove_class */
    if (strcmp(player->line, "AT+CGLA=1,8,\"80F2000C\"") == 0) {
        say(player, "\r\n+CGLA: 4,\"6D00\"\r\n" OK);
        return;
    }
    if (player->next->kind != STEP_END)
        awaited(player->next, line);
    blame(record, "the modem heard \"%s\" but awaited \"%s\" (line %d)", player->line, line, n + 1);
    say(player, "\r\nERROR\r\n");
}

static void hear_byte(struct player *player, char c)
{
    if (c == '\r') {
        player->line[player->length] = '\0';
        hear_line(player);
        player->length = 0;
        player->after_cr = true;
        speak_unasked(player);
        return;
    }
    if (c == '\n' && player->after_cr)
        blame(player->record, "a command was ended by CR LF instead of CR alone");
    player->after_cr = false;
    if (player->length + 1 < sizeof player->line)
        player->line[player->length++] = c;
    else
        blame(player->record, "a command line of over %d characters", LINE_SIZE - 1);
}

/* Reads what is there; false when there is nothing. */
static bool hear(struct player *player)
{
    char bytes[256];
    ssize_t n, i;

    n = player->master >= 0 ? read(player->master, bytes, sizeof bytes) : -1;
    for (i = 0; i < n && player->master >= 0; i++)
        hear_byte(player, bytes[i]);
    return n > 0;
}

static void play(struct player *player)
{
    struct pollfd ready[2] = {{player->master, POLLIN, 0}, {player->control, POLLIN, 0}};

    speak_unasked(player);
    for (;;) {
        ready[0].fd = player->master;
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            return;
        if (ready[0].revents)
            hear(player);
        if (ready[1].revents) {
            while (hear(player))
                ;
            return;
        }
    }
}

static void child_main(struct player *player, pid_t parent)
{
    int fd;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    alarm(CHILD_SECONDS);
    signal(SIGPIPE, SIG_IGN);
    /* Nothing of the test stays open here: no lock, no other modem. */
    for (fd = 3; fd < 256; fd++)
        if (fd != player->master && fd != player->slave && fd != player->control)
            close(fd);
    play(player);
    _exit(0);
}

/* The modem keeps the slave side open itself, so that its master does not hang up between the
 * operations. */
static bool open_pty(struct modem *modem, struct player *player)
{
    char name[sizeof modem->device];

    player->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (player->master < 0 || grantpt(player->master) != 0 || unlockpt(player->master) != 0 ||
        ptsname_r(player->master, name, sizeof name) != 0)
        return false;
    memcpy(modem->device, name, sizeof name);
    player->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return player->slave >= 0 &&
           fcntl(player->master, F_SETFL, fcntl(player->master, F_GETFL) | O_NONBLOCK) == 0;
}

void modem_start(struct modem *modem, const struct modem_step *steps,
                 const struct modem_step *standing)
{
    struct player player = {.next = steps, .standing = standing};
    int control[2] = {-1, -1}, left = 0;
    pid_t parent = getpid();

    memset(modem, 0, sizeof *modem);
    modem->child = -1;
    modem->record = mmap(NULL, sizeof *modem->record, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (modem->record == MAP_FAILED || !open_pty(modem, &player) ||
        pipe2(control, O_CLOEXEC) != 0) {
        fprintf(stderr, "unit: no pty for a scripted modem: %s\n", strerror(errno));
        exit(1);
    }
    while (steps[left].kind != STEP_END)
        left++;
    atomic_store(&modem->record->left, left);
    player.control = control[0];
    player.record = modem->record;
    fflush(NULL);
    modem->child = fork();
    if (modem->child == 0)
        child_main(&player, parent);
    close(player.master);
    close(player.slave);
    close(control[0]);
    modem->control = control[1];
}

static void wait_for_steps(const struct modem *modem)
{
    struct deadline idle = deadline_in(300), all = deadline_in(5000);

    while (!deadline_passed(all) && !atomic_load(&modem->record->failed)) {
        if (atomic_load(&modem->record->busy))
            idle = deadline_in(300);
        else if (atomic_load(&modem->record->left) <= 0 || deadline_passed(idle))
            return;
        nap(2);
    }
}

static void reap(const struct modem *modem)
{
    struct deadline patience = deadline_in(5000);

    while (!deadline_passed(patience)) {
        if (waitpid(modem->child, NULL, WNOHANG) == modem->child)
            return;
        nap(1);
    }
    kill(modem->child, SIGKILL);
    waitpid(modem->child, NULL, 0);
}

void modem_finish_at(struct modem *modem, const char *file, int line)
{
    int left;

    wait_for_steps(modem);
    close(modem->control);
    reap(modem);
    left = atomic_load(&modem->record->left);
    if (atomic_load(&modem->record->failed))
        fail_at(file, line, "%s", modem->record->failure);
    else if (left > 0)
        fail_at(file, line, "%d steps of the modem's script were left over", left);
    munmap(modem->record, sizeof *modem->record);
    modem->record = NULL;
}

int modem_heard(const struct modem *modem, const char *line)
{
    int i, n = modem_lines(modem), count = 0;

    for (i = 0; i < n && i < LINES_KEPT; i++)
        count += strcmp(modem->record->line[i], line) == 0;
    return count;
}

int modem_lines(const struct modem *modem)
{
    return atomic_load(&modem->record->lines);
}

int modem_wait_lines(const struct modem *modem, int n)
{
    struct deadline patience = deadline_in(2000);

    while (modem_lines(modem) < n && !deadline_passed(patience))
        nap(1);
    return modem_lines(modem) >= n;
}
