/* SPDX-License-Identifier: Apache-2.0 */
/* A file in memory. */
#include "test/fuzz/text_file.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

void text_file_fill(struct text_file *file, struct span content)
{
    if (file->fd == 0) {
        file->fd = memfd_create("text", MFD_CLOEXEC);
        REQUIRE(file->fd > 0);
        (void)snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
    }
    REQUIRE(ftruncate(file->fd, 0) == 0);
    REQUIRE(content.length == 0 ||
            pwrite(file->fd, content.data, content.length, 0) == (ssize_t)content.length);
}
