/* SPDX-License-Identifier: Apache-2.0 */
/* modem/port with devices that take nothing: what is written ends at the deadline, and closing does
 * not wait for it. With build/port_shim.so preloaded also those where poll promises what does not
 * happen. */
#include "modem/port.h"
#include "test/unit/check.h"
#include "test/unit/pty.h"
#include "test/unit/unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static void a_line_that_takes_nothing_ends_writing_at_the_deadline(void)
{
    enum { MUCH = 1 << 20 };
    struct pty pty;
    struct port *port;
    struct report why = REPORT_INIT;
    char *much = calloc(1, MUCH);
    int64_t start;

    pty_make(&pty);
    port = pty_open_port(&pty);
    start = monotonic_ms();
    EXPECT(port_write(port, much, MUCH, deadline_in(200), &why), OUTCOME_TIMEOUT, &why);
    EXPECT_TOOK(start, 190, 800);
    port_close(port);
    pty_unplug(&pty);
    free(much);
}

/* How much is still to be read on the modem's side. */
static size_t left_to_read(const struct pty *pty)
{
    char part[4096];
    struct pollfd watch = {.fd = pty->master, .events = POLLIN, .revents = 0};
    size_t all = 0;

    while (poll(&watch, 1, 100) > 0) {
        ssize_t n = read(pty->master, part, sizeof part);

        if (n <= 0)
            break;
        all += (size_t)n;
    }
    return all;
}

/* A serial driver waits in close until it has left, 30 s with most. What a pty's other side has taken
 * over already, up to 4096, is not waited for. */
static void what_the_modem_did_not_heed_is_discarded_in_the_end(void)
{
    enum { MUCH = 1 << 20, TAKEN = 4096 };

    for (int answered = 0; answered < 2; answered++) {
        struct pty pty;
        struct port *port;
        struct report why = REPORT_INIT;
        char text[8], *much = calloc(1, MUCH);
        size_t n = 0;

        pty_make(&pty);
        port = pty_open_port(&pty);
        EXPECT(port_write(port, much, MUCH, deadline_in(100), &why), OUTCOME_TIMEOUT, &why);
        if (answered) {
            pty_say(&pty, "x", 1);
            EXPECT(port_read(port, text, sizeof text, &n, deadline_in(500), &why), OUTCOME_OK,
                   &why);
        }
        port_close(port);
        n = left_to_read(&pty);
        CU_ASSERT(answered ? n > TAKEN : n <= TAKEN);
        pty_unplug(&pty);
        free(much);
    }
}

/* Another program's Ctrl-S, or tcflow(3), outlives its use of the port. */
static void a_line_that_another_program_stopped_goes_on(void)
{
    char got[3] = "";
    struct report why = REPORT_INIT;
    struct port *port;
    struct pty pty;

    pty_make(&pty);
    CU_ASSERT_EQUAL(tcflow(pty.slave, TCOOFF), 0);
    port = pty_open_port(&pty);
    EXPECT(port_write(port, "AT", 2, deadline_in(1000), &why), OUTCOME_OK, &why);
    if (why.outcome == OUTCOME_OK)
        CU_ASSERT_EQUAL(read(pty.master, got, 2), 2);
    EXPECT_TEXT(got, "AT");
    port_close(port);
    pty_unplug(&pty);
}

/* NULL without the shim. */
static int (*find_suspend(void))(int)
{
    int (*suspend)(int) = NULL;

    *(void **)&suspend = dlsym(RTLD_DEFAULT, "port_shim_suspend");
    return suspend;
}

/* The process would spin for ever, with the port's lock. */
static void a_port_that_says_it_could_and_does_not_ends_at_the_deadline(void)
{
    struct pty pty;
    struct port *port;
    struct report why = REPORT_INIT;
    char text[8];
    size_t n = 0;
    int64_t start, processor;

    pty_make(&pty);
    port = pty_open_port(&pty);
    pty_say(&pty, "x", 1);
    usleep(20 * 1000);
    find_suspend()(1);
    processor = processor_ms();
    start = monotonic_ms();
    EXPECT(port_write(port, "AT\r", 3, deadline_in(300), &why), OUTCOME_TIMEOUT, &why);
    EXPECT_SAYS(why.text, "takes no more characters");
    EXPECT_TOOK(start, 290, 800);
    start = monotonic_ms();
    EXPECT(port_read(port, text, sizeof text, &n, deadline_in(300), &why), OUTCOME_TIMEOUT, &why);
    EXPECT_TOOK(start, 290, 800);
    CU_ASSERT(processor_ms() - processor < 150);
    find_suspend()(0);
    EXPECT(port_write(port, "AT\r", 3, deadline_in(300), &why), OUTCOME_OK, &why);
    EXPECT(port_read(port, text, sizeof text, &n, deadline_in(300), &why), OUTCOME_OK, &why);
    port_close(port);
    pty_unplug(&pty);
}

void add_port_output_suite(void)
{
    static const struct test tests[] = {
        TEST(a_line_that_takes_nothing_ends_writing_at_the_deadline),
        TEST(what_the_modem_did_not_heed_is_discarded_in_the_end),
        TEST(a_line_that_another_program_stopped_goes_on),
    };
    static const struct test serial_tests[] = {
        TEST(a_port_that_says_it_could_and_does_not_ends_at_the_deadline),
    };

    ADD_SUITE("port_output", tests);
    if (find_suspend())
        ADD_SUITE("port_output, suspended", serial_tests);
}
