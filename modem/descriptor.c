/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors above 2, and writes within the limit. */
#include "modem/descriptor.h"

#include "modem/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_HIGH (STDERR_FILENO + 1)

int descriptor_high(int fd)
{
    int copy, saved;

    if (fd < 0 || fd >= FIRST_HIGH)
        return fd;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_HIGH);
    saved = errno;
    (void)close(fd);
    errno = saved;
    return copy;
}

FILE *descriptor_fopen(const char *path)
{
    FILE *file;
    int fd, saved;

    forks_hold();
    fd = forks_note(descriptor_high(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)));
    file = fd >= 0 ? fdopen(fd, "r") : NULL;
    saved = errno;
    if (file == NULL)
        forks_close(fd);
    errno = saved;
    return file;
}

void descriptor_fclose(FILE *file)
{
    if (forks_forget(fileno(file)))
        (void)fclose(file);
    forks_release();
}

bool descriptor_read_text(const char *path, char *text, size_t size)
{
    ssize_t length = -1;
    int fd;

    text[0] = '\0';
    forks_hold();
    fd = forks_note(descriptor_high(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)));
    if (fd < 0)
        return false;
    do
        length = read(fd, text, size - 1);
    while (length < 0 && errno == EINTR);
    forks_close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

bool descriptor_room(uint64_t length)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
           length <= (uint64_t)limit.rlim_cur;
}

bool descriptor_room_at(int fd, size_t length)
{
    struct stat file;
    off_t offset;

    if (descriptor_room(UINT64_MAX)) /* no limit at all */
        return true;
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))
        return true;
    offset = lseek(fd, 0, SEEK_CUR);
    if (offset < file.st_size)
        offset = file.st_size;
    return descriptor_room((uint64_t)offset + length);
}

void descriptor_fill(void)
{
    for (int fd = 0; fd < FIRST_HIGH; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            /* the lowest one that is free, which is this one */
            int filled = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);

            if (filled > STDERR_FILENO)
                (void)close(filled);
        }
}

void descriptor_hold(struct descriptor_hold *hold, int sample)
{
    for (int i = 0; i < FIRST_HIGH; i++)
        hold->fd[i] = -1;
    for (int i = 0; sample < FIRST_HIGH && i < FIRST_HIGH; i++) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (fd >= FIRST_HIGH)
            (void)close(fd);
        if (fd < 0 || fd >= FIRST_HIGH)
            return;
        hold->fd[i] = fd;
    }
}

void descriptor_let_go(struct descriptor_hold *hold)
{
    for (int i = 0; i < FIRST_HIGH; i++) {
        if (hold->fd[i] >= 0)
            (void)close(hold->fd[i]);
        hold->fd[i] = -1;
    }
}
