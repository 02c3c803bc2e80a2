/* SPDX-License-Identifier: Apache-2.0 */
/* The lock on the port: one process at a time, a waiter with a deadline, holders that end or die,
 * and forks. */
#include "modem/port.h"
#include "test/unit/check.h"
#include "test/unit/pty.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that holds the port for a while, or until it is killed (ms < 0). Returns when it has it.
 */
static pid_t holder(const struct pty *pty, int ms)
{
    int ready[2];
    char byte = 0;
    pid_t child;

    if (pipe2(ready, O_CLOEXEC) != 0)
        return -1;
    child = fork_child();
    if (child == 0) {
        struct port *port = NULL;
        struct report why = REPORT_INIT;

        if (port_open(&port, pty->name, 115200, deadline_in(1000), NULL, &why) != OUTCOME_OK)
            _exit(1);
        if (write(ready[1], "r", 1) != 1)
            _exit(1);
        usleep(ms < 0 ? 10 * 1000 * 1000 : (useconds_t)ms * 1000);
        port_close(port);
        _exit(0);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1)
        FAIL("the other process did not get the port");
    close(ready[0]);
    return child;
}

static void a_held_port_is_busy_and_the_holder_is_named(void)
{
    struct pty pty;
    struct port *second = NULL;
    struct report why = REPORT_INIT;
    char pid[32];
    int64_t start;
    pid_t child;

    pty_make(&pty);
    child = holder(&pty, -1);
    start = monotonic_ms();
    EXPECT(port_open(&second, pty.name, 115200, deadline_in(150), NULL, &why), OUTCOME_PORT_BUSY,
           &why);
    EXPECT_TOOK(start, 140, 700);
    CU_ASSERT_PTR_NULL(second);
    snprintf(pid, sizeof pid, "%ld", (long)child);
    EXPECT_SAYS(why.text, pid);
    EXPECT_SAYS(why.text, pty.name);
    /* A holder that dies without a word holds nothing any more. */
    end_child(child);
    port_close(pty_open_port(&pty));
    pty_unplug(&pty);
}

static void two_opens_in_one_process_exclude_each_other_too(void)
{
    struct pty pty;
    struct port *first, *second = NULL;
    struct report why = REPORT_INIT;

    pty_make(&pty);
    first = pty_open_port(&pty);
    EXPECT(port_open(&second, pty.name, 115200, deadline_in(60), NULL, &why), OUTCOME_PORT_BUSY,
           &why);
    port_close(first);
    second = pty_open_port(&pty);
    port_close(second);
    pty_unplug(&pty);
}

static void a_waiter_gets_the_port_when_the_holder_lets_go(void)
{
    struct pty pty;
    struct port *port = NULL;
    struct report why = REPORT_INIT;
    int64_t start, processor;
    pid_t child;

    pty_make(&pty);
    child = holder(&pty, 250);
    start = monotonic_ms();
    processor = processor_ms();
    EXPECT(port_open(&port, pty.name, 115200, deadline_in(5000), NULL, &why), OUTCOME_OK, &why);
    EXPECT_TOOK(start, 150, 1500);
    CU_ASSERT(processor_ms() - processor < 120);
    port_close(port);
    waitpid(child, NULL, 0);
    pty_unplug(&pty);
}

/* The parent dies in the middle of an operation; its child, which was forked meanwhile, lives on
 * and does not keep the device locked. */
static void a_forked_child_does_not_keep_the_lock(void)
{
    struct pty pty;
    int told[2];
    const pid_t none_left = -1, some_left = -2;
    pid_t parent, forgetful = 0, word = 0;
    struct port *port;

    pty_make(&pty);
    if (pipe2(told, O_CLOEXEC) != 0)
        FAIL("no pipe");
    parent = fork_child();
    if (parent == 0) {
        close(pty.slave);
        (void)pty_open_port(&pty);
        forgetful = fork();
        if (forgetful == 0) {
            bool cloexec;

            prctl(PR_SET_PDEATHSIG, 0);
            alarm(20);
            word = descriptors_of(pty.name, &cloexec) == 0 ? none_left : some_left;
            if (write(told[1], &word, sizeof word) != sizeof word)
                _exit(1);
            pause();
        }
        if (write(told[1], &forgetful, sizeof forgetful) != sizeof forgetful)
            _exit(1);
        pause();
    }
    close(told[1]);
    /* The two write in either order: a pid, and the child's word, which is none. */
    for (int i = 0; i < 2; i++) {
        pid_t said = 0;

        EXPECT_NUMBER(read(told[0], &said, sizeof said), sizeof said);
        if (said < 0)
            word = said;
        else
            forgetful = said;
    }
    close(told[0]);
    EXPECT_NUMBER(word, none_left);
    end_child(parent);
    port = pty_open_port(&pty);
    CU_ASSERT_PTR_NOT_NULL(port);
    port_close(port);
    if (forgetful > 0)
        kill(forgetful, SIGKILL);
    pty_unplug(&pty);
}

/* What is closed is not noted any more: its number may be another file's in the child. */
static void what_was_closed_is_not_closed_again_in_a_child(void)
{
    struct pty pty;
    struct port *port;
    int status = -1, other;
    pid_t child;

    pty_make(&pty);
    port = pty_open_port(&pty);
    port_close(port);
    other = dup(pty.slave); /* gets the number that the port had */
    child = fork_child();
    if (child == 0)
        _exit(fcntl(other, F_GETFD) >= 0 ? 0 : 1);
    (void)waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
    (void)close(other);
    pty_unplug(&pty);
}

/* What another part of a program does before a fork: asked before modem/forks.c registers, so that it
 * comes behind that in the fork. */
static atomic_int hook_wanted, hook_reached;

static void hold_the_fork(void)
{
    if (atomic_exchange(&hook_wanted, 0) == 0)
        return;
    atomic_store(&hook_reached, 1);
    for (int i = 0; i < 1500 && atomic_load(&hook_reached) == 1; i++)
        poll(NULL, 0, 10);
}

static __attribute__((constructor)) void register_first(void)
{
    (void)pthread_atfork(hold_the_fork, NULL, NULL);
}

static void *fork_once(void *unused)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    (void)waitpid(child, &status, 0);
    return status == 0 ? unused : NULL;
}

/* A fork that waits for a lock of the program's, under which another thread uses the SIM. */
static void a_fork_that_waits_for_us_is_not_waited_for_long(void)
{
    struct pty pty;
    pthread_t thread;
    void *good = NULL;
    int64_t start;

    pty_make(&pty);
    port_close(pty_open_port(&pty)); /* registers */
    atomic_store(&hook_reached, 0);
    atomic_store(&hook_wanted, 1);
    if (pthread_create(&thread, NULL, fork_once, &pty) != 0)
        FAIL("no thread");
    for (int i = 0; i < 500 && atomic_load(&hook_reached) == 0; i++)
        poll(NULL, 0, 10);
    start = monotonic_ms();
    for (int i = 0; i < 3; i++)
        port_close(pty_open_port(&pty));
    EXPECT_TOOK(start, 0, 3000);
    atomic_store(&hook_reached, 2);
    (void)pthread_join(thread, &good);
    CU_ASSERT_PTR_EQUAL(good, &pty);
    pty_unplug(&pty);
}

void add_port_lock_suite(void)
{
    static const struct test tests[] = {
        TEST(a_held_port_is_busy_and_the_holder_is_named),
        TEST(two_opens_in_one_process_exclude_each_other_too),
        TEST(a_waiter_gets_the_port_when_the_holder_lets_go),
        TEST(a_forked_child_does_not_keep_the_lock),
        TEST(what_was_closed_is_not_closed_again_in_a_child),
        TEST(a_fork_that_waits_for_us_is_not_waited_for_long),
    };

    ADD_SUITE("port_lock", tests);
}
