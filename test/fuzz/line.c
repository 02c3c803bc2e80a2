/* SPDX-License-Identifier: Apache-2.0 */
/* The line and its clock. */
#include "test/fuzz/line.h"

#include "test/fuzz/fuzz.h"
#include "test/fuzz/redirect.h"
#undef fstat
#undef close

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define LINE_FD      1000 /* no descriptor of ours gets that high */
#define WRITTEN_SIZE 1024 /* the longest command line is shorter */
#define CALLS_MAX    400000
#define US_PER_BYTE  87 /* 115200 baud */
#define WAITING_SIZE 65536
#define CHUNKS       512

struct line {
    line_heard_fn *heard;
    void *arg;
    int64_t now_us;
    bool unplugged, locked;
    size_t most;
    unsigned calls;
    char written[WRITTEN_SIZE];
    size_t written_length;
    /* what the modem says, and when each chunk of it is there */
    uint8_t waiting[WAITING_SIZE];
    size_t used, taken;
    struct {
        size_t end;
        int64_t at_us;
    } chunks[CHUNKS];
    size_t chunk_count, chunk;
};

static struct line own_line, *line = &own_line;

size_t line_size(void)
{
    return sizeof *line;
}

void line_place(void *memory)
{
    line = memory;
}

void line_count_anew(void)
{
    line->calls = 0;
}

void line_start(line_heard_fn *heard, void *arg)
{
    line->heard = heard;
    line->arg = arg;
    line->now_us = 1000000;
    line->unplugged = line->locked = false;
    line->most = 0;
    line->calls = 0;
    line->written_length = line->used = line->taken = line->chunk_count = line->chunk = 0;
}

/* What is read makes room. */
static void forget_read(void)
{
    if (line->taken < line->used)
        return;
    line->used = line->taken = line->chunk_count = line->chunk = 0;
}

/* SHOW=1 prints the dialogue. */
static void show(const char *mark, const void *bytes, size_t length, unsigned delay_ms)
{
    static int wanted = -1;
    const char *text = bytes;

    if (wanted < 0)
        wanted = getenv("SHOW") != NULL;
    if (wanted == 0)
        return;
    (void)fprintf(stderr, "%8lld ms %s ", (long long)line->now_us / 1000, mark);
    for (size_t i = 0; i < length; i++)
        (void)fputc(text[i] >= ' ' && text[i] <= '~' ? text[i] : '.', stderr);
    (void)fprintf(stderr, delay_ms > 5 ? " (after %u ms)\n" : "\n", delay_ms);
}

void line_say(const void *bytes, size_t length, unsigned delay_ms)
{
    int64_t at = line->now_us;

    forget_read();
    show("<", bytes, length, delay_ms);
    if (length == 0 || line->chunk_count == CHUNKS || length > sizeof line->waiting - line->used)
        return;
    if (line->chunk < line->chunk_count && line->chunks[line->chunk_count - 1].at_us > at)
        at = line->chunks[line->chunk_count - 1].at_us;
    memcpy(line->waiting + line->used, bytes, length);
    line->used += length;
    line->chunks[line->chunk_count].end = line->used;
    line->chunks[line->chunk_count++].at_us = at + (int64_t)delay_ms * 1000;
}

void line_unplug(void)
{
    line->unplugged = true;
}

void line_lock_elsewhere(void)
{
    line->locked = true;
}

void line_plug(void)
{
    line->unplugged = false;
}

bool line_is_plugged(void)
{
    return !line->unplugged;
}

void line_wait(unsigned ms)
{
    line->now_us += (int64_t)ms * 1000;
}

void line_cut(size_t most)
{
    line->most = most;
}

int64_t line_now(void)
{
    return line->now_us / 1000;
}

/* When something can be read: now or later, or never (-1). */
static int64_t readable_at(void)
{
    while (line->chunk < line->chunk_count && line->taken >= line->chunks[line->chunk].end)
        line->chunk++;
    return line->chunk < line->chunk_count ? line->chunks[line->chunk].at_us : -1;
}

/* Code that spins is a finding. */
static void count_call(void)
{
    REQUIRE(++line->calls < CALLS_MAX);
}

int line_clock_gettime(clockid_t clock, struct timespec *now)
{
    REQUIRE(clock == CLOCK_MONOTONIC);
    now->tv_sec = (time_t)(line->now_us / 1000000);
    now->tv_nsec = (long)(line->now_us % 1000000) * 1000;
    return 0;
}

int line_nanosleep(const struct timespec *pause, struct timespec *left)
{
    (void)left;
    line->now_us += (int64_t)pause->tv_sec * 1000000 + pause->tv_nsec / 1000;
    return 0;
}

int line_open(const char *path, int flags, ...)
{
    (void)path, (void)flags;
    errno = ENOENT;
    return line->unplugged ? -1 : LINE_FD;
}

int line_close(int fd)
{
    return fd == LINE_FD ? 0 : close(fd);
}

int line_isatty(int fd)
{
    return fd == LINE_FD;
}

int line_flock(int fd, int operation)
{
    REQUIRE(fd == LINE_FD);
    errno = EWOULDBLOCK;
    return line->locked && operation != LOCK_UN ? -1 : 0;
}

/* As the kernel's table of locks names it. */
int line_fstat(int fd, struct stat *file)
{
    if (fd != LINE_FD)
        return fstat(fd, file);
    memset(file, 0, sizeof *file);
    file->st_mode = S_IFCHR;
    file->st_dev = makedev(0, 5);
    file->st_ino = 77;
    return 0;
}

int line_tcgetattr(int fd, struct termios *settings)
{
    (void)fd, (void)settings;
    errno = ENOTTY; /* as a wwan port */
    return -1;
}

int line_tcflush(int fd, int queue)
{
    (void)fd, (void)queue;
    return 0;
}

int line_poll(struct pollfd *watch, nfds_t count, int timeout_ms)
{
    int64_t until = line->now_us + (int64_t)timeout_ms * 1000;
    int64_t at = readable_at();

    count_call();
    REQUIRE(count == 1 && watch->fd == LINE_FD && timeout_ms >= 0);
    if (watch->events == POLLOUT) {
        watch->revents = line->unplugged ? POLLERR : POLLOUT;
        line->now_us += 1000;
        return 1;
    }
    if (at >= 0 && at <= until) {
        line->now_us = at > line->now_us ? at : line->now_us;
        watch->revents = POLLIN;
        return 1;
    }
    if (line->unplugged && at < 0) {
        watch->revents = POLLHUP;
        return 1;
    }
    line->now_us = until;
    return 0;
}

ssize_t line_read(int fd, void *buffer, size_t size)
{
    int64_t at = readable_at();
    size_t length;

    count_call();
    REQUIRE(fd == LINE_FD && size > 0);
    if (at < 0 && line->unplugged)
        return 0;
    if (at < 0 || at > line->now_us) {
        errno = EAGAIN;
        return -1;
    }
    length = line->chunks[line->chunk].end - line->taken;
    length = length < size ? length : size;
    if (line->most > 0 && length > line->most)
        length = line->most;
    memcpy(buffer, line->waiting + line->taken, length);
    line->taken += length;
    line->now_us += (int64_t)length * US_PER_BYTE;
    return (ssize_t)length;
}

ssize_t line_write(int fd, const void *data, size_t length)
{
    count_call();
    REQUIRE(fd == LINE_FD && length > 0);
    if (line->unplugged) {
        errno = EIO;
        return -1;
    }
    if (line->most > 0 && length > line->most)
        length = line->most;
    if (length == 1 && line->written_length == 0 && *(const char *)data == '\x1B')
        return 1; /* what leaves the prompt for a text */
    for (size_t i = 0; i < length; i++) {
        char c = ((const char *)data)[i];

        /* nothing that a modem said may end a command of ours early */
        REQUIRE(c == '\r' || (c >= ' ' && c < 0x7F));
        REQUIRE(line->written_length < sizeof line->written);
        line->written[line->written_length++] = c == '\r' ? '\0' : c;
        if (c == '\r') {
            show(">", line->written, line->written_length - 1, 0);
            line->written_length = 0;
            line->heard(line->arg, line->written);
        }
    }
    return (ssize_t)length;
}

enum sp_return line_get_port_by_name(const char *name, struct sp_port **port)
{
    (void)name;
    *port = NULL;
    return SP_ERR_ARG;
}

/* No target leaves anything behind. */
__attribute__((constructor)) static void forget_state(void)
{
    (void)setenv("SIMKEY_STATE_DIR", "/dev/null/none", 1);
}
