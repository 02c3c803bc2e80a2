/* SPDX-License-Identifier: Apache-2.0 */
/* What we open is above 2, whatever the program was started with, and nothing is written beyond its
 * limit. Each case in a child, whose descriptors and limits are its own. */
#include "apdu/session/queue.h"
#include "apdu/session/record.h"
#include "modem/descriptor.h"
#include "modem/port.h"
#include "modem/trace.h"
#include "test/unit/check.h"
#include "test/unit/pty.h"
#include "test/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs it in a child without descriptors 0 to 2; what it gives is how often something was wrong. */
static void without_descriptors(int (*body)(const struct pty *, const struct settings *),
                                const struct pty *pty, const struct settings *settings)
{
    int status = -1;
    pid_t child = fork_child();

    if (child == 0) {
        (void)close(0), (void)close(1), (void)close(2);
        _exit(body(pty, settings));
    }
    (void)waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
}

static int low_ones(void)
{
    int open_ones = 0;

    for (int fd = 0; fd < 3; fd++)
        open_ones += fcntl(fd, F_GETFD) >= 0;
    return open_ones;
}

static int helpers_body(const struct pty *pty, const struct settings *settings)
{
    char text[8];
    FILE *file = descriptor_fopen("/proc/self/stat");
    int fd = descriptor_high(open("/dev/null", O_RDWR | O_CLOEXEC)), wrong;

    (void)pty, (void)settings;
    wrong = file == NULL || fileno(file) <= 2 || fd <= 2 ||
            (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0 || low_ones() != 0;
    if (file != NULL)
        descriptor_fclose(file);
    wrong += !descriptor_read_text("/proc/self/comm", text, sizeof text) || strlen(text) == 0;
    wrong += descriptor_high(-1) != -1 || low_ones() != 0;
    descriptor_fill();
    wrong +=
        low_ones() != 3 || write(1, "x", 1) >= 0 || write(2, "x", 1) >= 0 || read(0, text, 1) >= 0;
    return wrong;
}

static void descriptors_are_moved_up(void)
{
    without_descriptors(helpers_body, NULL, NULL);
}

/* What a program says on its stderr while the device is open must not reach the modem. */
static int port_body(const struct pty *pty, const struct settings *settings)
{
    const struct trace trace = {.level = TRACE_AT};
    struct pollfd heard = {.fd = pty->master, .events = POLLIN, .revents = 0};
    struct report why = REPORT_INIT;
    struct port *port = NULL;
    int wrong;

    (void)settings;
    if (port_open(&port, pty->name, 9600, deadline_in(2000), NULL, &why) != OUTCOME_OK)
        return 1;
    trace_line(&trace, '>', "AT", MASK_NOTHING);
    wrong = low_ones() != 0 || poll(&heard, 1, 50) != 0;
    port_close(port);
    return wrong;
}

static void the_device_is_no_standard_descriptor(void)
{
    struct pty pty;

    pty_make(&pty);
    without_descriptors(port_body, &pty, NULL);
    pty_unplug(&pty);
}

static int files_body(const struct pty *pty, const struct settings *settings)
{
    struct record record;
    struct queue queue;
    int file = record_open(settings, &record), wrong;

    (void)pty;
    queue_join(&queue, settings);
    wrong = file <= 2 || queue.fd <= 2 || low_ones() != 0;
    queue_leave(&queue);
    return wrong + (queue_own_lock(&queue) <= 2) + low_ones();
}

struct desk {
    struct folder folder;
    struct settings settings;
};

static void desk_begin(struct desk *desk)
{
    struct report why = REPORT_INIT;

    folder_make(&desk->folder);
    settings_init(&desk->settings);
    EXPECT(settings_set(&desk->settings, "device", "/dev/null", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&desk->settings, "run-dir", desk->folder.path, &why), OUTCOME_OK, &why);
}

static void desk_end(struct desk *desk)
{
    settings_clear(&desk->settings);
    folder_remove(&desk->folder);
}

static void files_of_the_run_dir_are_no_standard_descriptors(void)
{
    struct desk desk;

    desk_begin(&desk);
    without_descriptors(files_body, NULL, &desk.settings);
    desk_end(&desk);
}

/* SIGXFSZ would end the child. */
static void nothing_is_written_beyond_the_limit(void)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY},
                        some = {.rlim_cur = 4095, .rlim_max = RLIM_INFINITY},
                        enough = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    char path[192], text[64];
    struct trace trace = {.level = TRACE_AT, .path = path};
    struct record record;
    struct stat file;
    struct desk desk;
    int status = -1, fd;
    pid_t child;

    desk_begin(&desk);
    folder_write(&desk.folder, "trace", "", 0, 0600, path);
    fd = record_open(&desk.settings, &record);
    CU_ASSERT_TRUE(record_save(fd, &record));
    child = fork_child();
    if (child == 0) { /* which has no copy of its parent's descriptor */
        int wrong = (fd = record_open(&desk.settings, &record)) < 0;

        wrong += setrlimit(RLIMIT_FSIZE, &none) != 0;
        trace_line(&trace, '>', "AT", MASK_NOTHING);
        wrong += stat(path, &file) != 0 || file.st_size != 0;
        wrong += record_save(fd, &record) || record_open(&desk.settings, &record) >= 0;
        wrong += setrlimit(RLIMIT_FSIZE, &some) != 0 || record_save(fd, &record);
        wrong += setrlimit(RLIMIT_FSIZE, &enough) != 0 || !record_save(fd, &record);
        trace_line(&trace, '>', "AT", MASK_NOTHING);
        wrong += stat(path, &file) != 0 || file.st_size == 0;
        wrong += truncate(path, 4090) != 0; /* nearly full */
        trace_line(&trace, '>', "AT", MASK_NOTHING);
        wrong += stat(path, &file) != 0 || file.st_size != 4090;
        _exit(wrong);
    }
    (void)waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
    (void)snprintf(text, sizeof text, "/proc/self/fd/%d", fd);
    CU_ASSERT_EQUAL(stat(text, &file), 0);
    EXPECT_NUMBER(file.st_size, 4096); /* what others wrote is whole */
    (void)close(fd);
    desk_end(&desk);
}

/* Whoever reads the trace may sleep or end: neither stops the program, nor ends it. */
static void a_trace_into_a_pipe_neither_waits_nor_kills(void)
{
    const struct trace trace = {.level = TRACE_AT, .path = NULL};
    int status = -1, ends[2];
    pid_t child = fork_child();

    if (child == 0) {
        int64_t start = monotonic_ms();
        char most[4096] = "";
        sigset_t waiting;
        int wrong = 0;

        (void)signal(SIGPIPE, SIG_DFL);
        wrong += pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0;
        trace_line(&trace, '>', "AT", MASK_NOTHING);
        wrong += read(ends[0], most, sizeof most) <= 0 || strstr(most, "> AT") == NULL;
        wrong += fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0;
        while (write(ends[1], most, sizeof most) > 0)
            ;
        wrong += fcntl(ends[1], F_SETFL, 0) != 0;
        trace_line(&trace, '>', "AT", MASK_NOTHING);
        (void)close(ends[0]);
        trace_line(&trace, '>', "AT", MASK_NOTHING);
        wrong += sigpending(&waiting) != 0 || sigismember(&waiting, SIGPIPE) != 0;
        wrong += monotonic_ms() - start > 5000;
        _exit(wrong);
    }
    (void)waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
}

void add_descriptor_suite(void)
{
    static const struct test tests[] = {
        TEST(descriptors_are_moved_up),
        TEST(the_device_is_no_standard_descriptor),
        TEST(files_of_the_run_dir_are_no_standard_descriptors),
        TEST(nothing_is_written_beyond_the_limit),
        TEST(a_trace_into_a_pipe_neither_waits_nor_kills),
    };

    ADD_SUITE("descriptor", tests);
}
