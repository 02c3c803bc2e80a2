/* SPDX-License-Identifier: Apache-2.0 */
/* A file in memory for what is read by its path. */
#ifndef SIMKEY_TEST_FUZZ_TEXT_FILE_H
#define SIMKEY_TEST_FUZZ_TEXT_FILE_H

#include "test/fuzz/fuzz.h"

struct text_file {
    int fd; /* 0: not made yet */
    char path[40];
};

/* Puts the bytes into it, in place of what was there. The file stays for the process's life. */
void text_file_fill(struct text_file *file, struct span content);

#endif
