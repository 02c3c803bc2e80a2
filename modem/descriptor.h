/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors and files inside a program that is not ours. Whoever starts a program may close its
 * descriptors 0 to 2 and limit the size of its files: then the modem's port must not become its
 * standard output, and no write of ours may end it by SIGXFSZ. */
#ifndef SIMKEY_MODEM_DESCRIPTOR_H
#define SIMKEY_MODEM_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Gives a descriptor that is above 2: the same one, or a copy that closes on exec while the first one
 * is closed. To be put around every call that makes one; it costs no system call where 0 to 2 are
 * open. -1 stays -1, errno too; -1 also if no descriptor is left. */
int descriptor_high(int fd);

/* Opens a file for reading, above 2, closed on exec and in a forked child (see forks.h). NULL and
 * errno as fopen. The caller closes it by descriptor_fclose. */
FILE *descriptor_fopen(const char *path);
void descriptor_fclose(FILE *file);

/* Reads a short text, such as /proc has, with three system calls. At most size - 1 bytes; the text
 * always ends with a NUL. False if there is none. */
bool descriptor_read_text(const char *path, char *text, size_t size);

/* True if this process may write a file up to this length in bytes (getrlimit, RLIMIT_FSIZE): beyond
 * it write(2) fails, and sends SIGXFSZ, which ends a program by default. */
bool descriptor_room(uint64_t length);

/* The same for a number of bytes that are appended to what fd is now; what is not a regular file always
 * has room. */
bool descriptor_room_at(int fd, size_t length);

/* Opens /dev/null in place of those of 0 to 2 that are closed, the wrong way round, so that their use
 * still fails: for a command, before it does anything else. */
void descriptor_fill(void);

/* Descriptors that keep 0 to 2 taken while a library opens some of its own; -1: not needed. */
struct descriptor_hold {
    int fd[3];
};

/* sample: a descriptor that was made just now and has not been moved: above 2 it shows that 0 to 2
 * are taken, and nothing is done. Ends with descriptor_let_go. */
void descriptor_hold(struct descriptor_hold *hold, int sample);
void descriptor_let_go(struct descriptor_hold *hold);

#endif
