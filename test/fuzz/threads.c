/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that are none. */
#include "test/fuzz/threads.h"

#include "test/fuzz/line.h"
#include "test/fuzz/redirect_pcsc.h"

#include <string.h>

static struct {
    const struct span *input;
    bool hangs; /* the call under way does */
    bool left;  /* nobody waits for it any more */
    void *(*run)(void *);
    void *arg;
} thread_state;

void threads_start(const struct span *input)
{
    memset(&thread_state, 0, sizeof thread_state);
    thread_state.input = input;
}

void threads_end(void)
{
    if (thread_state.left)
        (void)thread_state.run(thread_state.arg);
    thread_state.left = false;
}

int pcsc_thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                       void *arg)
{
    const struct span *input = thread_state.input;

    (void)attributes;
    memset(thread, 0, sizeof *thread);
    thread_state.hangs = input != NULL && input->length > 0 && (input->data[0] & THREAD_HANGS) != 0;
    if (thread_state.hangs) {
        REQUIRE(!thread_state.left); /* nothing is asked of a service that hangs */
        thread_state.run = run;
        thread_state.arg = arg;
    } else {
        (void)run(arg);
    }
    return 0;
}

int pcsc_thread_join(pthread_t thread, void **result)
{
    (void)thread, (void)result;
    REQUIRE(!thread_state.hangs);
    return 0;
}

int pcsc_thread_detach(pthread_t thread)
{
    (void)thread;
    REQUIRE(thread_state.hangs);
    thread_state.left = true;
    return 0;
}

int pcsc_poll(struct pollfd *watch, nfds_t count, int timeout_ms)
{
    (void)watch, (void)count;
    REQUIRE(timeout_ms >= 0);
    if (!thread_state.hangs)
        return 1;
    line_wait((unsigned)timeout_ms);
    return 0;
}
