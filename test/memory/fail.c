/* SPDX-License-Identifier: Apache-2.0 */
/* A preloaded library in which allocations fail when they are told to. A program that knows of it
 * finds memory_fail and memory_failed by dlsym; for one that does not, MEMORY_FAIL="FIRST COUNT"
 * says which of all its allocations fail, "FIRST COUNT LIBRARY" which of those that a library with that in
 * its file's name asks for. LD_PRELOAD=build/memory_fail.so. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything that is not static here stands before the C library's own. */
#pragma GCC visibility push(default)

/* From now on the first-th allocation fails, and count in a row; first 0: none. */
void memory_fail(long first, long count);
/* How many have failed since then; from now on none does. */
long memory_failed(void);

/* What is needed before the real functions are found: dlsym allocates too. */
static _Alignas(max_align_t) unsigned char early[16384];
static size_t early_used;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);

static char library[64]; /* "": all of them */

static atomic_long begin = LONG_MAX, end = LONG_MAX, made, failed;

void memory_fail(long first, long count)
{
    atomic_store(&failed, 0);
    atomic_store(&made, 0);
    atomic_store(&end, first > 0 ? first + count : LONG_MAX);
    atomic_store(&begin, first > 0 ? first : LONG_MAX);
}

long memory_failed(void)
{
    atomic_store(&begin, LONG_MAX);
    return atomic_load(&failed);
}

static void find_real(void)
{
    static int finding;

    if (finding)
        return;
    finding = 1;
    *(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&real_free = dlsym(RTLD_NEXT, "free");
    *(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
}

__attribute__((constructor)) static void take_environment(void)
{
    const char *text = getenv("MEMORY_FAIL");
    long first, count;

    if (real_malloc == NULL)
        find_real();
    if (text != NULL && sscanf(text, "%ld %ld %63s", &first, &count, library) >= 2)
        memory_fail(first, count);
}

static int is_meant(void *caller)
{
    Dl_info found;

    return library[0] == '\0' ||
           (dladdr(caller, &found) != 0 && strstr(found.dli_fname, library) != NULL);
}

static int fails(void *caller)
{
    long from = atomic_load(&begin), number;

    if (from == LONG_MAX || !is_meant(caller))
        return 0;
    number = atomic_fetch_add(&made, 1) + 1;
    if (number < from || number >= atomic_load(&end))
        return 0;
    (void)atomic_fetch_add(&failed, 1);
    errno = ENOMEM;
    return 1;
}

static int is_early(const void *memory)
{
    const unsigned char *at = memory;

    return at >= early && at < early + sizeof early;
}

static void *take_early(size_t size)
{
    size_t at = early_used;

    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (size > sizeof early - at)
        return NULL;
    early_used += size;
    return early + at;
}

static void *allocate(size_t size, void *caller)
{
    if (real_malloc == NULL)
        find_real();
    if (real_malloc == NULL)
        return take_early(size);
    return fails(caller) ? NULL : real_malloc(size);
}

void *malloc(size_t size)
{
    return allocate(size, __builtin_return_address(0));
}

void *calloc(size_t count, size_t size)
{
    if (real_calloc == NULL)
        find_real();
    if (real_calloc == NULL)
        return size != 0 && count > SIZE_MAX / size ? NULL : take_early(count * size);
    return fails(__builtin_return_address(0)) ? NULL : real_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    void *caller = __builtin_return_address(0);

    if (memory == NULL)
        return allocate(size, caller);
    if (is_early(memory)) { /* its size is not known: what follows it is copied too */
        size_t rest = (size_t)(early + sizeof early - (unsigned char *)memory);
        void *moved = allocate(size, caller);

        return moved == NULL ? NULL : memcpy(moved, memory, size < rest ? size : rest);
    }
    return fails(caller) ? NULL : real_realloc(memory, size);
}

void free(void *memory)
{
    if (memory == NULL || is_early(memory))
        return;
    if (real_free == NULL)
        find_real();
    real_free(memory);
}
