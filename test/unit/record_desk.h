/* SPDX-License-Identifier: Apache-2.0 */
/* A run-dir with the record of the device /dev/null, for the tests of the record. */
#ifndef SIMKEY_TEST_UNIT_RECORD_DESK_H
#define SIMKEY_TEST_UNIT_RECORD_DESK_H

#include "apdu/session/record.h"
#include "test/unit/check.h"

struct record_desk {
    struct folder folder;
    struct settings settings;
    char file[512];
};

/* Ends with record_desk_end. */
void record_desk_begin(struct record_desk *desk);
void record_desk_end(struct record_desk *desk);

/* A record in which something of everything stands, on channel 7. */
void record_fill(struct record *record);

/* Writes it, with this process as a user. */
void record_desk_write(struct record_desk *desk, bool dirty);

/* It is read: its channel as open as this, and dirty or not. */
void record_desk_reads(struct record_desk *desk, bool open, bool dirty);

#endif
