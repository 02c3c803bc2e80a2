/* SPDX-License-Identifier: Apache-2.0 */
/* The process's terminal: asking for a secret without showing it, and making room for output among
 * the dots of progress. What is asked for is the commands' matter. */
#include "modem/text.h"
#include "provider/tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define LINE_SIZE 256 /* more than any secret; the rest of a longer line is dropped */

/* A terminal that does not show what is typed. */
struct hidden {
    int terminal;
    int signals; /* those that would end or stop us meanwhile wait here */
    sigset_t before;
    struct termios shown;
};

static void say(int terminal, const char *text)
{
    ssize_t ignored = write(terminal, text, strlen(text));

    (void)ignored;
}

static bool hide(struct hidden *hidden, const char *prompt)
{
    static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGALRM};
    struct termios settings;
    char shown[LINE_SIZE];
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        (void)sigaddset(&set, fatal[i]);
    if (tcgetattr(hidden->terminal, &hidden->shown) != 0 ||
        sigprocmask(SIG_BLOCK, &set, &hidden->before) != 0)
        return false;
    (void)sigdelset(&set, SIGALRM); /* progress has to wait, but ends nothing */
    hidden->signals = signalfd(-1, &set, SFD_CLOEXEC);
    settings = hidden->shown;
    settings.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    settings.c_lflag |= ICANON;
    if (hidden->signals < 0 || tcsetattr(hidden->terminal, TCSAFLUSH, &settings) != 0) {
        if (hidden->signals >= 0)
            (void)close(hidden->signals);
        (void)sigprocmask(SIG_SETMASK, &hidden->before, NULL);
        return false;
    }
    (void)text_copy(shown, sizeof shown, prompt);
    say(hidden->terminal, shown);
    return true;
}

/* First the terminal, then the signals: one that ends us finds all as it was. */
static void show(struct hidden *hidden)
{
    (void)tcsetattr(hidden->terminal, TCSAFLUSH, &hidden->shown);
    say(hidden->terminal, "\n");
    (void)close(hidden->signals);
    (void)sigprocmask(SIG_SETMASK, &hidden->before, NULL);
}

/* Waits for a line. False if a signal came first. */
static bool wait_for_line(const struct hidden *hidden)
{
    struct pollfd watch[] = {{hidden->signals, POLLIN, 0}, {hidden->terminal, POLLIN, 0}};

    while (poll(watch, 2, -1) < 0 && errno == EINTR)
        ;
    return watch[0].revents == 0;
}

bool terminal_there(void)
{
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (terminal >= 0)
        (void)close(terminal);
    return terminal >= 0;
}

enum outcome terminal_secret(const char *prompt, char *secret, size_t size, struct report *why)
{
    struct hidden hidden = {.terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)};
    char line[LINE_SIZE] = "";
    ssize_t got = 0;
    enum outcome outcome = OUTCOME_OK;
    bool there;

    memset(secret, 0, size);
    if (hidden.terminal < 0)
        return report_set(why, OUTCOME_PIN_MISSING, "there is no terminal to ask on");
    /* a signal that only stopped us, or that is ignored, asks anew */
    while ((there = hide(&hidden, prompt)) && !wait_for_line(&hidden))
        show(&hidden);
    if (!there) {
        outcome = report_set(why, OUTCOME_PIN_MISSING, "the terminal cannot hide what is typed: %s",
                             strerror(errno));
    } else {
        got = read(hidden.terminal, line, sizeof line - 1);
        show(&hidden);
        if (got > 0)
            line[strcspn(line, "\r\n")] = '\0';
        if (got <= 0 || line[0] == '\0' || strlen(line) >= size)
            outcome =
                report_set(why, OUTCOME_PIN_MISSING, "%s was entered: nothing was sent",
                           got > 0 && line[0] != '\0' ? "something too long for a PIN" : "no PIN");
        else
            memcpy(secret, line, strlen(line));
    }
    OPENSSL_cleanse(line, sizeof line);
    (void)close(hidden.terminal);
    return outcome;
}

enum outcome terminal_confirm(const char *question, struct report *why)
{
    const int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    char line[LINE_SIZE] = "";
    sigset_t progress, before;
    ssize_t got = 0;

    if (terminal < 0)
        return report_set(why, OUTCOME_USAGE,
                          "there is no terminal to ask on: add --yes if that is meant");
    (void)sigemptyset(&progress);
    (void)sigaddset(&progress, SIGALRM);
    (void)sigprocmask(SIG_BLOCK, &progress, &before);
    say(terminal, question);
    do
        got = read(terminal, line, sizeof line - 1);
    while (got < 0 && errno == EINTR);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)close(terminal);
    line[strcspn(line, "\r\n")] = '\0';
    if (got > 0 && strcmp(line, "yes") == 0)
        return OUTCOME_OK;
    return report_set(why, OUTCOME_USAGE, "not confirmed: nothing was done");
}

void terminal_make_room(void)
{
    if (isatty(STDERR_FILENO))
        (void)fputs("\r\033[K", stderr);
}
