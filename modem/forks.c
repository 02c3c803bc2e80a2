/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors noted for children to close: a bit for each number. What a child does is
 * async-signal-safe. */
#include "modem/forks.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define NUMBERS   (1 << 20)
#define WORD_BITS ((int)(sizeof(unsigned) * CHAR_BIT))
#define WORDS     (NUMBERS / WORD_BITS)
#define PAUSE_NS  20000
/* How long a fork of a large process may take. One that takes longer waits for something, perhaps for
 * a lock of the program's under which it called us: that is not waited for again. */
#define FORK_MAX_MS    1000
#define FORKS_IN_A_ROW 16

/* The only state of this process as a whole, because descriptors are its own. Pages that are never
 * written cost no memory. */
static _Atomic unsigned noted[WORDS];
static _Atomic int words_used;   /* beyond these none was ever noted */
static _Atomic unsigned holders; /* threads between forks_hold and its end */
static _Atomic unsigned forking; /* threads in fork() */
static _Atomic bool hanging;     /* one of them was waited for in vain */
static _Atomic bool registered;

/* Waits until a counter is 0, but not for ever: a signal handler, or another fork handler, may have
 * interrupted the very thread that is waited for. True if it is. */
static bool wait_for_zero(const _Atomic unsigned *counter, long limit_ms)
{
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = PAUSE_NS};
    struct timespec start, now;

    if (atomic_load(counter) == 0)
        return true;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        (void)nanosleep(&pause, NULL);
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while (atomic_load(counter) != 0 &&
             (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
                 limit_ms);
    return atomic_load(counter) == 0;
}

/* Never below 0: the interrupted hold of a parent may end in its child, which began with none. */
static void count_down(_Atomic unsigned *counter)
{
    unsigned before = atomic_load(counter);

    while (before > 0 && !atomic_compare_exchange_weak(counter, &before, before - 1))
        ;
}

static void before_fork(void)
{
    int saved = errno;

    (void)atomic_fetch_add(&forking, 1);
    (void)wait_for_zero(&holders, FORKS_WAIT_MS);
    errno = saved;
}

static void in_parent(void)
{
    count_down(&forking);
    atomic_store(&hanging, false);
}

static void in_child(void)
{
    int saved = errno;

    for (int word = 0; word < atomic_load(&words_used); word++) {
        unsigned bits = atomic_exchange(&noted[word], 0);

        for (int bit = 0; bits != 0; bit++, bits >>= 1)
            if ((bits & 1) != 0)
                (void)close(word * WORD_BITS + bit);
    }
    atomic_store(&forking, 0);
    atomic_store(&holders, 0);
    atomic_store(&hanging, false);
    errno = saved;
}

/* Twice does no harm; without memory for it the next descriptor tries again. */
static void watch_forks(void)
{
    if (!atomic_load(&registered) && pthread_atfork(before_fork, in_parent, in_child) == 0)
        atomic_store(&registered, true);
}

void forks_hold(void)
{
    watch_forks();
    (void)atomic_fetch_add(&holders, 1);
    /* a fork waits for us, so let it go first; the next one may begin in between */
    for (int i = 0; i < FORKS_IN_A_ROW && atomic_load(&forking) != 0 && !atomic_load(&hanging);
         i++) {
        count_down(&holders);
        if (!wait_for_zero(&forking, FORK_MAX_MS))
            atomic_store(&hanging, true);
        (void)atomic_fetch_add(&holders, 1);
    }
}

void forks_release(void)
{
    count_down(&holders);
}

int forks_note(int fd)
{
    int word = fd / WORD_BITS, used = atomic_load(&words_used);

    if (fd >= NUMBERS) {
        (void)close(fd);
        errno = EMFILE;
        fd = -1;
    }
    if (fd >= 0) {
        (void)atomic_fetch_or(&noted[word], 1U << fd % WORD_BITS);
        while (used <= word && !atomic_compare_exchange_weak(&words_used, &used, word + 1))
            ;
    }
    forks_release();
    return fd;
}

bool forks_forget(int fd)
{
    unsigned bit = 1U << (unsigned)fd % (unsigned)WORD_BITS;

    forks_hold();
    return fd >= 0 && fd < NUMBERS && (atomic_fetch_and(&noted[fd / WORD_BITS], ~bit) & bit) != 0;
}
