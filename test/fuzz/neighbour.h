/* SPDX-License-Identifier: Apache-2.0 */
/* The run-dir of a fuzz target, and what other programs do to the files in it. */
#ifndef SIMKEY_TEST_FUZZ_NEIGHBOUR_H
#define SIMKEY_TEST_FUZZ_NEIGHBOUR_H

#include "apdu/session/record.h"
#include "test/fuzz/modem.h"

#define NEIGHBOUR_NO_DIR "/proc/none/run"   /* a run-dir that cannot be */
#define NEIGHBOUR_DEVICE "/proc/none/modem" /* nothing of that name exists */

/* Paths in a folder that is made once a process, on a tmpfs where there is one, and removed at the
 * end: the run-dir, and a file with a PIN in it, 0000. */
const char *neighbour_run_dir(void);
const char *neighbour_pin_file(void);

/* What is kept beyond a reboot is kept in a folder of its own, or nowhere. */
void neighbour_keep_state(bool keeps);

/* Takes all files out of the run-dir, and what was kept beyond a reboot. */
void neighbour_empty(void);

/* What becomes of the record between two operations. */
enum neighbour_change {
    NEIGHBOUR_FORGE = 4, /* a valid one, its fields out of the input */
    NEIGHBOUR_TEAR,      /* bytes of it are overwritten, or it is cut */
    NEIGHBOUR_OLD,       /* as it was when neighbour_keep was called */
    NEIGHBOUR_REMOVE,
};

/* Keeps a copy of the record as it is. */
void neighbour_keep(void);

/* Changes the record; the card forgives the channels that nobody can know of any more, and knows
 * those that are named now. */
void neighbour_change(enum neighbour_change change, struct modem *modem,
                      const struct settings *settings);

/* A program ends whose channel nothing can be done for. */
void neighbour_forgive(struct modem *modem, const struct channel *own);

/* Whatever the card was made to open is closed, or written down for the next one. own: the channels
 * that programs have to themselves. */
void neighbour_check(const struct modem *modem, const struct settings *settings,
                     const struct channel *const own[], size_t count);

#endif
