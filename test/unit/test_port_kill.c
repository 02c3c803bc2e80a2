/* SPDX-License-Identifier: Apache-2.0 */
/* A program that is killed while it opens the port, at each of its system calls, while another one
 * (as ModemManager or a logger does) has the port open all the time: the kernel forgets that a port
 * is exclusive only when nobody has it open any more, and until then nobody without CAP_SYS_ADMIN
 * can open it. */
#include "modem/port.h"
#include "test/unit/check.h"
#include "test/unit/pty.h"
#include "test/unit/unit.h"

#include <dlfcn.h>
#include <libserialport.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __GLIBC__
#define GET_EXCLUSIVE TIOCGEXCL
#else
#define GET_EXCLUSIVE ((int)TIOCGEXCL) /* musl's ioctl takes an int, for which it is too large */
#endif

#define STOPS_MAX 2000 /* of system calls: one when it begins, one when it ends */

typedef bool opener_fn(const char *device);

static bool open_by_simkey(const char *device)
{
    struct port *port;
    struct report why = REPORT_INIT;

    if (port_open(&port, device, 115200, deadline_in(2000), NULL, &why) != OUTCOME_OK)
        return false;
    port_close(port);
    return true;
}

/* What libserialport has for it; since its version 0.1.2 it makes the port exclusive, which is taken
 * back as soon as anybody but itself can. */
static bool open_by_libserialport(const char *device)
{
    struct sp_port *port;
    bool open;
    int fd;

    if (sp_get_port_by_name(device, &port) != SP_OK)
        return false;
    open = sp_open(port, SP_MODE_READ_WRITE) == SP_OK && sp_get_port_handle(port, &fd) == SP_OK &&
           ioctl(fd, TIOCNXCL) == 0;
    sp_free_port(port); /* which leaves the descriptor open */
    return open;
}

/* Runs the opener in a child up to its stop'th stop, and kills it there. False: it was through
 * before. */
static bool kill_at(opener_fn *opener, const char *device, int stop)
{
    pid_t child = fork_child();
    int status = 0;

    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(2);
        (void)raise(SIGSTOP);
        _exit(opener(device) ? 0 : 1);
    }
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
        FAIL("the child cannot be traced");
    for (int i = 0; WIFSTOPPED(status) && i < stop; i++)
        if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) != 0 || waitpid(child, &status, 0) != child)
            break;
    if (!WIFSTOPPED(status)) {
        EXPECT_NUMBER(status, 0); /* it has opened the port */
        return false;
    }
    end_child(child);
    return true;
}

/* Kills at each step. Returns at how many of them the port was left exclusive. */
static int kill_at_each(opener_fn *opener, const struct pty *pty)
{
    int left = 0, stop = 0;

    while (stop < STOPS_MAX && kill_at(opener, pty->name, stop)) {
        int exclusive = -1;

        CU_ASSERT_EQUAL(ioctl(pty->slave, GET_EXCLUSIVE, &exclusive), 0);
        CU_ASSERT_EQUAL(flock(pty->slave, LOCK_EX | LOCK_NB), 0);
        CU_ASSERT_EQUAL(flock(pty->slave, LOCK_UN), 0);
        left += exclusive == 1;
        CU_ASSERT_EQUAL(ioctl(pty->slave, TIOCNXCL), 0);
        stop++;
    }
    CU_ASSERT(stop > 10 && stop < STOPS_MAX);
    return left;
}

static void whoever_is_killed_while_opening_leaves_the_port_to_others(void)
{
    struct pty pty;

    pty_make(&pty);
    EXPECT_NUMBER(kill_at_each(open_by_simkey, &pty), 0);
    CU_ASSERT(open_by_simkey(pty.name));
    pty_unplug(&pty);
}

/* True if a process that is nobody's can open the port. */
static bool others_can_open(const struct pty *pty)
{
    pid_t child;
    int status = 0;

    CU_ASSERT_EQUAL(chmod(pty->name, 0666), 0);
    child = fork_child();
    if (child == 0)
        _exit((geteuid() == 0 && setuid(65534) != 0) || !open_by_simkey(pty->name));
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return status == 0;
}

/* Why it is not libserialport that opens: either it does not lock, and sets up a port on which
 * another program is talking (up to 0.1.1), or one who is killed within it shuts out everybody else
 * for as long as any program has the port open (since 0.1.2). */
static void libserialport_has_no_way_of_opening_that_is_safe(void)
{
    struct pty pty;
    bool unlocked;
    int left;

    pty_make(&pty);
    CU_ASSERT_EQUAL(flock(pty.slave, LOCK_EX | LOCK_NB), 0); /* somebody talks */
    unlocked = open_by_libserialport(pty.name);
    CU_ASSERT_EQUAL(flock(pty.slave, LOCK_UN), 0);
    left = kill_at_each(open_by_libserialport, &pty);
    if (!unlocked && left == 0)
        FAIL("libserialport opens in a way that can be used");
    /* what it means */
    CU_ASSERT(others_can_open(&pty));
    CU_ASSERT_EQUAL(ioctl(pty.slave, TIOCEXCL), 0);
    CU_ASSERT_FALSE(others_can_open(&pty));
    pty_unplug(&pty);
}

void add_port_kill_suite(void)
{
    static const struct test tests[] = {
        TEST(whoever_is_killed_while_opening_leaves_the_port_to_others),
    };
    static const struct test serial_tests[] = {
        TEST(libserialport_has_no_way_of_opening_that_is_safe),
    };

    ADD_SUITE("port_kill", tests);
    if (dlsym(RTLD_DEFAULT, "port_shim_lookups") != NULL)
        ADD_SUITE("serial port_kill", serial_tests);
}
