/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the session record's text share. Internal to record.c and record_write.c. */
#ifndef SIMKEY_APDU_SESSION_RECORD_TEXT_H
#define SIMKEY_APDU_SESSION_RECORD_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* An older program reads no more bytes of it. */
#define RECORD_SIZE 4096
#define RECORD_HEAD "simkey session 1"

/* CRC-32 of ITU-T V.42 over length bytes. */
uint32_t record_checksum(const char *text, size_t length);

#endif
