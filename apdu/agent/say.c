/* SPDX-License-Identifier: Apache-2.0 */
/* See say.h. */
#include "apdu/agent/say.h"

#include "modem/descriptor.h"
#include "modem/text.h"

#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 700 /* four times that is less than a pipe takes in one piece */

void agent_say(const char *format, ...)
{
    char text[LINE_SIZE], line[TEXT_GROWTH * LINE_SIZE + 64];
    const time_t now = time(NULL);
    struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
    struct tm utc;
    size_t used = 0;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (gmtime_r(&now, &utc) != NULL)
        used = strftime(line, 32, "%Y-%m-%dT%H:%M:%SZ ", &utc);
    used += text_copy(line + used, sizeof line - used - 1, text);
    line[used++] = '\n';
    if (poll(&log, 1, 0) == 1) /* else its reader has stopped, and writing could block */
        (void)!write(STDERR_FILENO, line, used);
}

void say_user(uid_t uid, char *text, size_t size)
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *user = NULL;

    while (file != NULL && (user = fgetpwent(file)) != NULL && user->pw_uid != uid)
        ;
    if (user != NULL)
        (void)snprintf(text, size, "%s", user->pw_name);
    else
        (void)snprintf(text, size, "uid %lu", (unsigned long)uid);
    if (file != NULL)
        (void)fclose(file);
}

void say_program(pid_t pid, char *text, size_t size)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    if (!descriptor_read_text(path, text, size))
        (void)snprintf(text, size, "?");
    text[strcspn(text, "\n")] = '\0';
}
