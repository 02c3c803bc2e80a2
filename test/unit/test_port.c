/* SPDX-License-Identifier: Apache-2.0 */
/* modem/port on ptys whose master the test plays itself. With build/port_shim.so preloaded
 * libserialport takes them for serial ports. */
#include "modem/port.h"
#include "test/unit/check.h"
#include "test/unit/pty.h"
#include "test/unit/scripted_modem.h"
#include "test/unit/unit.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* musl's ioctl takes an int, for which the number is too large. */
#ifdef __GLIBC__
#define GET_EXCLUSIVE TIOCGEXCL
#else
#define GET_EXCLUSIVE ((int)TIOCGEXCL)
#endif

/* Whatever a terminal program left set, and what hangs up at closing. */
static void leave_everything_set(const struct pty *pty)
{
    struct termios line;

    CU_ASSERT_EQUAL(tcgetattr(pty->slave, &line), 0);
    line.c_lflag |= (tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    line.c_iflag |= (tcflag_t)(IXON | IXOFF | ICRNL | INLCR | IGNCR | ISTRIP | BRKINT);
    line.c_oflag |= (tcflag_t)(OPOST | ONLCR);
    line.c_cflag |= (tcflag_t)(HUPCL | CRTSCTS | CSTOPB);
    CU_ASSERT_EQUAL(tcsetattr(pty->slave, TCSANOW, &line), 0);
}

static void an_open_port_is_raw_and_keeps_the_modems_lines(void)
{
    struct pty pty;
    struct port *port;
    struct termios line;

    pty_make(&pty);
    leave_everything_set(&pty);
    port = pty_open_port(&pty);
    CU_ASSERT_EQUAL(tcgetattr(pty.slave, &line), 0);
    CU_ASSERT_EQUAL(line.c_lflag & (tcflag_t)(ICANON | ECHO | ISIG | IEXTEN), 0);
    CU_ASSERT_EQUAL(
        line.c_iflag & (tcflag_t)(IXON | IXOFF | ICRNL | INLCR | IGNCR | ISTRIP | BRKINT), 0);
    CU_ASSERT_EQUAL(line.c_oflag & (tcflag_t)OPOST, 0);
    CU_ASSERT_EQUAL(line.c_cflag & (tcflag_t)HUPCL, 0);
    CU_ASSERT_EQUAL(line.c_cflag & (tcflag_t)CRTSCTS, 0);
    CU_ASSERT_EQUAL(line.c_cflag & (tcflag_t)CSIZE, CS8);
    CU_ASSERT_EQUAL(line.c_cflag & (tcflag_t)(PARENB | CSTOPB), 0);
    port_close(port);
    pty_unplug(&pty);
}

static void every_byte_passes_unchanged_both_ways(void)
{
    struct pty pty;
    struct port *port;
    struct report why = REPORT_INIT;
    uint8_t all[256], back[256];
    size_t length = 0, n;
    int i;

    for (i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    pty_make(&pty);
    port = pty_open_port(&pty);
    pty_say(&pty, all, sizeof all);
    while (length < sizeof back && port_read(port, back + length, sizeof back - length, &n,
                                             deadline_in(500), &why) == OUTCOME_OK)
        length += n;
    EXPECT_NUMBER(length, 256);
    CU_ASSERT_EQUAL(memcmp(all, back, sizeof all), 0);
    EXPECT(port_write(port, all, sizeof all, deadline_in(500), &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(read(pty.master, back, sizeof back), 256);
    CU_ASSERT_EQUAL(memcmp(all, back, sizeof all), 0);
    port_close(port);
    pty_unplug(&pty);
}

static void what_was_left_unread_is_still_there(void)
{
    struct pty pty;
    struct port *port;
    struct report why = REPORT_INIT;
    char text[64];
    size_t n = 0;

    pty_make(&pty);
    pty_say(&pty, "\r\n+CSIM: 4,\"9000\"\r\n", 19);
    port = pty_open_port(&pty);
    EXPECT(port_read(port, text, sizeof text, &n, deadline_in(500), &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(n, 19);
    port_close(port);
    pty_unplug(&pty);
}

static void descriptors_close_on_exec_and_vanish_with_the_port(void)
{
    struct pty pty;
    struct port *port;
    bool cloexec;
    int before;

    pty_make(&pty);
    before = descriptors_of(pty.name, &cloexec);
    port = pty_open_port(&pty);
    CU_ASSERT(descriptors_of(pty.name, &cloexec) > before);
    CU_ASSERT(cloexec);
    port_close(port);
    EXPECT_NUMBER(descriptors_of(pty.name, &cloexec), before);
    port_close(NULL);
    pty_unplug(&pty);
}

static void a_link_leads_to_the_device(void)
{
    struct pty pty;
    struct port *port = NULL;
    struct report why = REPORT_INIT;
    struct folder folder;
    char link[192];

    pty_make(&pty);
    folder_make(&folder);
    snprintf(link, sizeof link, "%s/usb-Some_Modem-if02", folder.path);
    CU_ASSERT_EQUAL(symlink(pty.name, link), 0);
    EXPECT(port_open(&port, link, 115200, deadline_in(500), NULL, &why), OUTCOME_OK, &why);
    port_close(port);
    pty_unplug(&pty);
    EXPECT(port_open(&port, link, 115200, deadline_in(500), NULL, &why), OUTCOME_NO_MODEM, &why);
    folder_remove(&folder);
}

static void what_is_no_port_is_refused_with_its_name(void)
{
    struct port *port = NULL;
    struct report why = REPORT_INIT;
    struct folder folder;
    char file[192], fifo[192];
    int64_t start = monotonic_ms();

    folder_make(&folder);
    folder_write(&folder, "plain", "AT\r", 3, 0600, file);
    snprintf(fifo, sizeof fifo, "%s/fifo", folder.path);
    CU_ASSERT_EQUAL(mkfifo(fifo, 0600), 0);
    EXPECT(port_open(&port, file, 9600, deadline_in(500), NULL, &why), OUTCOME_NO_MODEM, &why);
    EXPECT_SAYS(why.text, file);
    EXPECT(port_open(&port, fifo, 9600, deadline_in(500), NULL, &why), OUTCOME_NO_MODEM, &why);
    EXPECT(port_open(&port, folder.path, 9600, deadline_in(500), NULL, &why), OUTCOME_NO_MODEM,
           &why);
    EXPECT(port_open(&port, "/dev/null", 9600, deadline_in(500), NULL, &why), OUTCOME_NO_MODEM,
           &why);
    EXPECT(port_open(&port, "/dev/ttyNoSuch7", 9600, deadline_in(500), NULL, &why),
           OUTCOME_NO_MODEM, &why);
    EXPECT_SAYS(why.text, "/dev/ttyNoSuch7");
    EXPECT(port_open(&port, "", 9600, deadline_in(500), NULL, &why), OUTCOME_NO_MODEM, &why);
    EXPECT_TOOK(start, 0, 400);
    CU_ASSERT_PTR_NULL(port);
    folder_remove(&folder);
}

static void no_permission_is_said(void)
{
    struct pty pty;
    pid_t child;
    int status = 0;

    pty_make(&pty);
    CU_ASSERT_EQUAL(chmod(pty.name, 0600), 0);
    child = fork_child();
    if (child == 0) {
        struct port *port = NULL;
        struct report why = REPORT_INIT;

        /* Only root can become somebody else; everybody else cannot make the pty forbidden to
         * himself. */
        if (geteuid() != 0 || setuid(65534) != 0)
            _exit(0);
        if (port_open(&port, pty.name, 9600, deadline_in(100), NULL, &why) != OUTCOME_NO_MODEM)
            _exit(1);
        _exit(strstr(why.text, "permission") || strstr(why.text, "Permission") ? 0 : 2);
    }
    waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
    pty_unplug(&pty);
}

static void a_silent_modem_ends_at_the_deadline_without_spinning(void)
{
    struct pty pty;
    struct port *port;
    struct report why = REPORT_INIT;
    char text[8];
    size_t n = 0;
    int64_t start, processor;

    pty_make(&pty);
    port = pty_open_port(&pty);
    start = monotonic_ms();
    processor = processor_ms();
    EXPECT(port_read(port, text, sizeof text, &n, deadline_in(250), &why), OUTCOME_TIMEOUT, &why);
    EXPECT_TOOK(start, 240, 700);
    CU_ASSERT(processor_ms() - processor < 100);
    port_close(port);
    pty_unplug(&pty);
}

static void an_unplugged_modem_ends_reading_and_writing_at_once(void)
{
    struct pty pty;
    struct port *port;
    struct report why = REPORT_INIT;
    char text[8];
    size_t n = 0;
    int64_t start, processor;

    pty_make(&pty);
    port = pty_open_port(&pty);
    pty_unplug(&pty);
    start = monotonic_ms();
    processor = processor_ms();
    EXPECT(port_read(port, text, sizeof text, &n, deadline_in(5000), &why), OUTCOME_NO_MODEM, &why);
    EXPECT_SAYS(why.text, "gone");
    EXPECT(port_write(port, "AT\r", 3, deadline_in(5000), &why), OUTCOME_NO_MODEM, &why);
    EXPECT(port_drain(port, 500, deadline_in(5000), &why), OUTCOME_NO_MODEM, &why);
    EXPECT_TOOK(start, 0, 400);
    CU_ASSERT(processor_ms() - processor < 100);
    port_close(port);
}

static void a_modem_unplugged_while_somebody_reads_ends_that_at_once(void)
{
    static const struct modem_step steps[] = {SAY(PAUSE PAUSE HANG_UP), MODEM_END};
    struct modem modem;
    struct port *port = NULL;
    struct report why = REPORT_INIT;
    char text[8];
    size_t n = 0;
    int64_t start = monotonic_ms();

    modem_start(&modem, steps, NULL);
    EXPECT(port_open(&port, modem.device, 9600, deadline_in(1000), NULL, &why), OUTCOME_OK, &why);
    EXPECT(port_read(port, text, sizeof text, &n, deadline_in(8000), &why), OUTCOME_NO_MODEM, &why);
    EXPECT_TOOK(start, 50, 1000);
    port_close(port);
    modem_finish(&modem);
}

static void draining_waits_until_the_line_is_quiet(void)
{
    static const struct modem_step steps[] = {
        LINE("GO", "one\r\n" PAUSE "two\r\n" PAUSE "three\r\n"), MODEM_END};
    struct modem modem;
    struct port *port = NULL;
    struct report why = REPORT_INIT;
    char text[8];
    size_t n = 0;
    int64_t start;

    modem_start(&modem, steps, NULL);
    EXPECT(port_open(&port, modem.device, 9600, deadline_in(1000), NULL, &why), OUTCOME_OK, &why);
    EXPECT(port_write(port, "GO\r", 3, deadline_in(1000), &why), OUTCOME_OK, &why);
    start = monotonic_ms();
    EXPECT(port_drain(port, 150, deadline_in(3000), &why), OUTCOME_OK, &why);
    EXPECT_TOOK(start, 250, 1500);
    EXPECT(port_read(port, text, sizeof text, &n, deadline_in(60), &why), OUTCOME_TIMEOUT, &why);
    port_close(port);
    modem_finish(&modem);
}

static void draining_without_patience_takes_what_is_there(void)
{
    struct pty pty;
    struct port *port;
    struct report why = REPORT_INIT;
    char text[8];
    size_t n = 0;
    int64_t start;

    pty_make(&pty);
    port = pty_open_port(&pty);
    pty_say(&pty, "OK\r\nERROR\r\n", 11);
    usleep(20 * 1000);
    start = monotonic_ms();
    EXPECT(port_drain(port, 0, deadline_in(3000), &why), OUTCOME_OK, &why);
    EXPECT_TOOK(start, 0, 100);
    EXPECT(port_read(port, text, sizeof text, &n, deadline_in(60), &why), OUTCOME_TIMEOUT, &why);
    port_close(port);
    pty_unplug(&pty);
}

static void draining_a_line_that_never_rests_ends_at_the_deadline(void)
{
    static const struct modem_step steps[] = {
        LINE("GO", "x" PAUSE "x" PAUSE "x" PAUSE "x" PAUSE "x" PAUSE "x" PAUSE "x" PAUSE "x"),
        MODEM_END};
    struct modem modem;
    struct port *port = NULL;
    struct report why = REPORT_INIT;
    int64_t start;

    modem_start(&modem, steps, NULL);
    EXPECT(port_open(&port, modem.device, 9600, deadline_in(1000), NULL, &why), OUTCOME_OK, &why);
    EXPECT(port_write(port, "GO\r", 3, deadline_in(1000), &why), OUTCOME_OK, &why);
    start = monotonic_ms();
    (void)port_drain(port, 2000, deadline_in(200), &why);
    EXPECT_TOOK(start, 190, 450);
    port_close(port);
    modem_finish(&modem);
}

/* How often the shim has shown a pty as a serial port; NULL without the shim. */
static int (*shim(const char *name))(void)
{
    int (*count)(void) = NULL;

    *(void **)&count = dlsym(RTLD_DEFAULT, name);
    return count;
}

static void a_serial_port_gets_its_speed(void)
{
    struct pty pty;
    struct port *port;
    struct termios line;
    struct report why = REPORT_INIT;
    int lookups, ioctls;
    bool cloexec;

    lookups = shim("port_shim_lookups")();
    ioctls = shim("port_shim_line_ioctls")();
    pty_make(&pty);
    port = pty_open_port(&pty);
    CU_ASSERT(shim("port_shim_lookups")() > lookups);
    CU_ASSERT(shim("port_shim_line_ioctls")() > ioctls);  /* DTR and RTS */
    EXPECT_NUMBER(descriptors_of(pty.name, &cloexec), 2); /* the test has one as well */
    /* The speed arrived, and the line does not hang up when closed. */
    CU_ASSERT_EQUAL(tcgetattr(pty.slave, &line), 0);
    CU_ASSERT_EQUAL(cfgetospeed(&line), B115200);
    CU_ASSERT_EQUAL(line.c_cflag & (tcflag_t)HUPCL, 0);
    port_close(port);
    CU_ASSERT(flock(pty.slave, LOCK_EX | LOCK_NB) == 0);
    CU_ASSERT(flock(pty.slave, LOCK_UN) == 0);
    EXPECT(port_open(&port, pty.name, 115201, deadline_in(1000), NULL, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "115201 baud");
    EXPECT_NUMBER(descriptors_of(pty.name, &cloexec), 1);
    pty_unplug(&pty);
}

/* Libserialport's own opening would make it so, since its version 0.1.2. */
static void others_may_open_a_serial_port_to_wait(void)
{
    struct pty pty;
    struct port *port;
    int exclusive = -1;

    pty_make(&pty);
    port = pty_open_port(&pty);
    CU_ASSERT_EQUAL(ioctl(pty.slave, GET_EXCLUSIVE, &exclusive), 0);
    EXPECT_NUMBER(exclusive, 0);
    port_close(port);
    pty_unplug(&pty);
}

void add_port_suite(void)
{
    static const struct test tests[] = {
        TEST(an_open_port_is_raw_and_keeps_the_modems_lines),
        TEST(every_byte_passes_unchanged_both_ways),
        TEST(what_was_left_unread_is_still_there),
        TEST(descriptors_close_on_exec_and_vanish_with_the_port),
        TEST(a_link_leads_to_the_device),
        TEST(what_is_no_port_is_refused_with_its_name),
        TEST(no_permission_is_said),
        TEST(a_silent_modem_ends_at_the_deadline_without_spinning),
        TEST(an_unplugged_modem_ends_reading_and_writing_at_once),
        TEST(a_modem_unplugged_while_somebody_reads_ends_that_at_once),
        TEST(draining_waits_until_the_line_is_quiet),
        TEST(draining_without_patience_takes_what_is_there),
        TEST(draining_a_line_that_never_rests_ends_at_the_deadline),
    };
    static const struct test serial_tests[] = {
        TEST(a_serial_port_gets_its_speed),
        TEST(others_may_open_a_serial_port_to_wait),
    };

    ADD_SUITE("port", tests);
    if (shim("port_shim_lookups"))
        ADD_SUITE("serial port", serial_tests);
}
