/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's log: lines on standard error, which systemd takes into the journal. */
#ifndef SIMKEY_APDU_AGENT_SAY_H
#define SIMKEY_APDU_AGENT_SAY_H

/* Writes one line, with the time (UTC) before it, harmless as text_copy makes it, in one system call. What
 * cannot be written is lost: the log holds up nobody's signature. */
void agent_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
