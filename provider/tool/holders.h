/* SPDX-License-Identifier: Apache-2.0 */
/* Which programs have a port open, by what /proc shows of them. */
#ifndef SIMKEY_PROVIDER_TOOL_HOLDERS_H
#define SIMKEY_PROVIDER_TOOL_HOLDERS_H

#include "modem/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#define HOLDERS_MAX     16
#define HOLDERS_SEVERAL (-1)
#define HOLDERS_MANAGER "ModemManager"
#define HOLDER_NAME     (TEXT_GROWTH * 16) /* of a process (proc(5), comm), harmless */

struct holder {
    long pid;
    bool takes_turns; /* it holds the lock on the device, or has simkey in it and waits for it */
    bool other_end;   /* it has both ends of the pseudo-terminal: it plays the modem */
    char name[HOLDER_NAME];
};

struct holders {
    const struct stat *port;
    struct holder list[HOLDERS_MAX];
    size_t count;
    long other_end;      /* of a pseudo-terminal: who plays the modem, 0 if nobody is seen */
    bool other_end_sure; /* else it may be that of a container, where the same numbers exist */
    unsigned unseen;     /* processes that do not show their files */
    long unseen_manager; /* one of them is ModemManager */
};

/* Looks at all processes but this one. port is borrowed. False, with errno, without /proc. */
bool holders_search(struct holders *holders, const struct stat *port);

/* A process's name, "?" if it is gone. */
void holders_name_of(long pid, char name[HOLDER_NAME]);

/* A pseudo-terminal's end that programs open, by its device number. */
bool holders_is_pty(dev_t device);

/* Writes "minicom (process 99), simkey (process 100)": all but who plays the modem at the other end of a
 * pseudo-terminal; "" if there is none. real: the port without symbolic links. Returns how many
 * processes do not show their files to this user. */
unsigned holders_of(const char *real, char *text, size_t size);

#endif
