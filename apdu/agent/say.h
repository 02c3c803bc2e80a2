/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's log: lines on standard error, which systemd takes into the journal. */
#ifndef SIMKEY_APDU_AGENT_SAY_H
#define SIMKEY_APDU_AGENT_SAY_H

#include <stddef.h>
#include <sys/types.h>

/* Writes one line, with the time (UTC) before it, harmless as text_copy makes it, in one system call. What
 * cannot be written at once is lost: no signature waits for the log. */
void agent_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The name of a user, or "uid 7". Only /etc/passwd is asked: a directory server could take its time. */
void say_user(uid_t uid, char *text, size_t size);

/* What the process called itself: a hint, and its own word. */
void say_program(pid_t pid, char *text, size_t size);

#endif
