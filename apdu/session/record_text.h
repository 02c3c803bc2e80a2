/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the session record share: its text is read and written apart from its file.
 * Internal to record.c, record_read.c and record_write.c. */
#ifndef SIMKEY_APDU_SESSION_RECORD_TEXT_H
#define SIMKEY_APDU_SESSION_RECORD_TEXT_H

#include "apdu/session/record.h"

#include <stddef.h>
#include <stdint.h>

/* An older program reads no more bytes of it. */
#define RECORD_SIZE 4096
#define RECORD_HEAD "simkey session 1"

#define RECORD_NO_BOOT "unknown" /* there is no /proc to ask, or not that file in it */

/* Whether a record is believed: it is, the device came anew since, it is another boot's or version's, or
 * it was not written whole. */
enum record_verdict { RECORD_GOOD, RECORD_MOVED, RECORD_FOREIGN, RECORD_TORN };

/* Reads the text, which ends with a NUL, into a record that knows what it is bound to. */
enum record_verdict record_parse(const char *text, struct record *record);

/* The channels in a record that is not believed otherwise, in whatever version: each may be open. */
void record_salvage(const char *text, struct owners *owners);

/* CRC-32 of ITU-T V.42 over length bytes. */
uint32_t record_checksum(const char *text, size_t length);

#endif
