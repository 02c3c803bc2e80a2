/* SPDX-License-Identifier: Apache-2.0 */
/* safe2 get's result: standard output, or a file that is replaced as a whole, and the command that
 * applies it. A marker beside the file says that its content was not applied yet, so that the next
 * run tries again. */
#include "apdu/outfile.h"
#include "apdu/safe2/run.h"
#include "modem/place.h"
#include "modem/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEW_FILE_MODE  0600
#define CHILD_POLL_MS  50
#define STATUS_UNKNOWN (127 << 8) /* as of a shell that could not run it */

/* A file that another user made can say the same now, and something else to who reads it later. */
static bool content_is(const char *path, const uint8_t *data, size_t length)
{
    /* not to wait for a pipe's writer: the folder may be another user's */
    const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW;
    uint8_t there[SAFE2_DATA_MAX + 1] = {0};
    struct report ignored = REPORT_INIT;
    struct place place;
    struct stat about;
    ssize_t got = -1;
    int fd = -1;

    if (place_find(&place, path, &ignored) == OUTCOME_OK && place.descriptor < 0 && place.exists)
        fd = openat(place.folder, place.name, flags);
    if (fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
        !place_foreign(&place, &about))
        got = read(fd, there, sizeof there);
    if (fd >= 0)
        (void)close(fd);
    place_close(&place);
    return got == (ssize_t)length && memcmp(there, data, length) == 0;
}

static void become(const char *command, const char *path)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGXFSZ, SIG_DFL);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* standard output is for the configuration alone */
    /* the shell takes the command apart, the path goes in as it is */
    (void)execl("/bin/sh", "sh", "-c", "eval \"$1 \\\"\\$2\\\"\"", "sh", command, path,
                (char *)NULL);
    _exit(127);
}

/* Waits for the child until the deadline; then, or when we are told to end, it is ended too. */
static int await_child(struct safe2_run *run, pid_t child, struct deadline until)
{
    int status = STATUS_UNKNOWN;
    bool told = false;

    while (waitpid(child, &status, WNOHANG) == 0) {
        if ((!safe2_pause(run, CHILD_POLL_MS) || deadline_passed(until)) && !told) {
            (void)kill(child, SIGTERM);
            told = true;
            until = deadline_in(2000);
        } else if (told && deadline_passed(until)) {
            (void)kill(child, SIGKILL);
        }
        if (run->caught != 0)
            deadline_sleep(deadline_in(CHILD_POLL_MS), CHILD_POLL_MS);
    }
    return status;
}

static enum outcome execute(struct safe2_run *run, struct report *why)
{
    pid_t child;
    int status;

    /* whoever started us may have ignored it, and then nobody could wait for the child */
    (void)signal(SIGCHLD, SIG_DFL);
    child = fork();
    if (child < 0)
        return report_set(why, OUTCOME_SYSTEM, "cannot run --exec: %s", strerror(errno));
    if (child == 0)
        become(run->line->exec, run->line->out);
    status = await_child(run, child, deadline_in(run->line->timeout_ms));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return OUTCOME_OK;
    if (WIFEXITED(status))
        return report_set(why, OUTCOME_REFUSED,
                          "the configuration is in %s, but --exec failed with status %d: the next "
                          "run tries again",
                          run->line->out, WEXITSTATUS(status));
    return report_set(why, OUTCOME_REFUSED,
                      "the configuration is in %s, but --exec was ended by signal %d: the next run "
                      "tries again",
                      run->line->out, WTERMSIG(status));
}

/* A pipe may keep us waiting for its reader: nothing is half done then, and a signal may end us. */
static enum outcome write_out(const char *path, const uint8_t *data, size_t length,
                              struct report *why)
{
    struct stat there;
    bool may_wait = stat(path, &there) == 0 && !S_ISREG(there.st_mode);
    enum outcome outcome;

    if (may_wait)
        safe2_hold_signals(false);
    outcome = outfile_write(path, data, length, NEW_FILE_MODE, true, why);
    safe2_hold_signals(true);
    return outcome;
}

/* Raw bytes are for programs; a terminal would obey them. */
static enum outcome print_out(const uint8_t *data, size_t length, struct report *why)
{
    if (isatty(STDOUT_FILENO) != 0)
        text_show(stdout, data, length);
    else
        (void)fwrite(data, 1, length, stdout);
    if (ferror(stdout) != 0)
        return report_set(why, OUTCOME_SYSTEM, "cannot write to standard output: %s",
                          strerror(errno));
    return OUTCOME_OK;
}

enum outcome safe2_apply(struct safe2_run *run, const uint8_t *data, size_t length,
                         struct report *why)
{
    const struct safe2_line *line = run->line;
    char marker[PATH_MAX];
    bool changed;
    enum outcome outcome = OUTCOME_OK;

    if (line->out == NULL)
        return print_out(data, length, why);
    changed = !content_is(line->out, data, length);
    if (snprintf(marker, sizeof marker, "%s.unapplied", line->out) >= (int)sizeof marker)
        return report_set(why, OUTCOME_USAGE, "the path in --out is too long");
    if (changed && line->exec != NULL)
        outcome = outfile_write(marker, "", 0, NEW_FILE_MODE, false, why);
    if (changed && outcome == OUTCOME_OK)
        outcome = write_out(line->out, data, length, why);
    if (outcome != OUTCOME_OK || line->exec == NULL || (!changed && access(marker, F_OK) != 0))
        return outcome;
    outcome = execute(run, why);
    if (outcome == OUTCOME_OK)
        (void)unlink(marker);
    return outcome;
}
