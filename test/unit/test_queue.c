/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits first is served first, and nobody waits for the dead or the stopped. */
#include "apdu/session/queue.h"
#include "modem/port.h"
#include "test/unit/pty.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct desk {
    struct folder folder;
    struct settings settings;
};

static void join_queue(struct queue *queue, const struct settings *settings)
{
    struct rundir_place place;

    rundir_place_open(&place, settings);
    queue_join(queue, settings, &place);
    rundir_place_close(&place);
}

static void desk_begin(struct desk *desk, const char *device)
{
    struct report why = REPORT_INIT;

    folder_make(&desk->folder);
    settings_init(&desk->settings);
    EXPECT(settings_set(&desk->settings, "device", device, &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&desk->settings, "run-dir", desk->folder.path, &why), OUTCOME_OK, &why);
}

static void desk_end(struct desk *desk)
{
    settings_clear(&desk->settings);
    folder_remove(&desk->folder);
}

static void tickets_are_served_in_their_order(void)
{
    struct queue first, second, third;
    struct desk desk;

    desk_begin(&desk, "/dev/ttyUSB7");
    join_queue(&first, &desk.settings);
    join_queue(&second, &desk.settings);
    join_queue(&third, &desk.settings);
    CU_ASSERT_TRUE(queue_first(&first) && !queue_first(&second) && !queue_first(&third));
    queue_leave(&second);
    CU_ASSERT_TRUE(queue_first(&first) && !queue_first(&third));
    join_queue(&second, &desk.settings);
    queue_leave(&first);
    CU_ASSERT_TRUE(queue_first(&third) && !queue_first(&second));
    queue_leave(&third);
    CU_ASSERT_TRUE(queue_first(&second));
    queue_leave(&second);
    queue_leave(&second); /* once too often does no harm */
    desk_end(&desk);
}

static void without_a_folder_everybody_is_first(void)
{
    struct report why = REPORT_INIT;
    struct queue one, other;
    struct desk desk;

    desk_begin(&desk, "/dev/ttyUSB7");
    EXPECT(settings_set(&desk.settings, "run-dir", "/dev/null/run", &why), OUTCOME_OK, &why);
    join_queue(&one, &desk.settings);
    join_queue(&other, &desk.settings);
    CU_ASSERT_TRUE(queue_first(&one) && queue_first(&other));
    queue_leave(&one);
    queue_leave(&other);
    desk_end(&desk);
}

/* A child that takes a ticket and then does nothing. */
static pid_t waiting_child(struct desk *desk)
{
    struct queue queue;
    int ready[2];
    char byte = 0;
    pid_t child;

    CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
    child = fork_child();
    if (child == 0) {
        join_queue(&queue, &desk->settings);
        if (write(ready[1], &byte, 1) == 1)
            (void)pause();
        _exit(0);
    }
    CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    return child;
}

static void the_dead_hold_up_nobody(void)
{
    struct queue queue;
    struct desk desk;
    pid_t child;

    desk_begin(&desk, "/dev/ttyUSB7");
    child = waiting_child(&desk);
    join_queue(&queue, &desk.settings);
    CU_ASSERT_FALSE(queue_first(&queue));
    CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
    (void)waitpid(child, NULL, 0);
    CU_ASSERT_TRUE(queue_first(&queue));
    queue_leave(&queue);
    desk_end(&desk);
}

/* The first one in the queue does not take the free device: after a moment the next one does. */
static void one_that_is_stopped_is_overtaken(void)
{
    struct report why = REPORT_INIT;
    struct port *port = NULL;
    struct queue queue;
    const struct port_turn turn = {queue_first, queue_own_lock, &queue};
    struct pty pty;
    struct desk desk;
    int64_t began;
    pid_t child;

    pty_make(&pty);
    desk_begin(&desk, pty.name);
    child = waiting_child(&desk);
    join_queue(&queue, &desk.settings);
    began = monotonic_ms();
    EXPECT(port_open(&port, pty.name, 9600, deadline_in(3000), &turn, &why), OUTCOME_OK, &why);
    CU_ASSERT_TRUE(monotonic_ms() - began >= 90);
    CU_ASSERT_TRUE(monotonic_ms() - began < 1500);
    port_close(port);
    queue_leave(&queue);
    CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
    (void)waitpid(child, NULL, 0);
    desk_end(&desk);
    pty_unplug(&pty);
}

static void queue_path(const struct desk *desk, char path[192])
{
    (void)snprintf(path, 192, "%s/dev-ttyUSB7.queue", desk->folder.path);
}

/* Some of many leave from the middle, and come again at the end. */
static void many_keep_their_order(void)
{
    enum { MANY = 40 };
    struct queue queue[MANY];
    struct desk desk;
    int order[MANY], left = MANY;

    desk_begin(&desk, "/dev/ttyUSB7");
    for (int i = 0; i < MANY; i++) {
        join_queue(&queue[i], &desk.settings);
        order[i] = i;
    }
    for (int i = 3; i < MANY; i += 3) {
        int again = order[i];

        queue_leave(&queue[again]);
        join_queue(&queue[again], &desk.settings);
        memmove(order + i, order + i + 1, sizeof *order * (size_t)(MANY - 1 - i));
        order[MANY - 1] = again;
    }
    while (left > 0) {
        for (int i = 0; i < MANY; i++)
            CU_ASSERT_EQUAL(queue[i].fd < 0 || queue_first(&queue[i]),
                            queue[i].fd < 0 || i == order[MANY - left]);
        queue_leave(&queue[order[MANY - left]]);
        left--;
    }
    desk_end(&desk);
}

static void nothing_is_written(void)
{
    struct queue queue;
    struct desk desk;
    struct stat file;
    char path[192];

    desk_begin(&desk, "/dev/ttyUSB7");
    for (int i = 0; i < 3; i++) {
        join_queue(&queue, &desk.settings);
        CU_ASSERT(queue.fd >= 0);
        queue_leave(&queue);
    }
    queue_path(&desk, path);
    CU_ASSERT_EQUAL(stat(path, &file), 0);
    EXPECT_NUMBER(file.st_size, 0);
    desk_end(&desk);
}

/* A child with a limit for files joins behind us and in an order; a signal would end it. */
static void joins_within(const struct desk *desk, rlim_t limit)
{
    const struct rlimit most = {.rlim_cur = limit, .rlim_max = limit};
    struct queue first, second;
    int status = -1;
    pid_t child;

    join_queue(&first, &desk->settings);
    child = fork_child();
    if (child == 0) {
        if (setrlimit(RLIMIT_FSIZE, &most) != 0)
            _exit(2);
        join_queue(&second, &desk->settings);
        _exit(second.fd >= 0 && !queue_first(&second) ? 0 : 1);
    }
    (void)waitpid(child, &status, 0);
    EXPECT_NUMBER(status, 0);
    queue_leave(&first);
}

static void a_limit_for_files_does_no_harm(void)
{
    struct desk desk;
    char path[192];

    desk_begin(&desk, "/dev/ttyUSB7");
    joins_within(&desk, 0);
    queue_path(&desk, path);
    CU_ASSERT_EQUAL(truncate(path, 2 << 20), 0); /* by a member of the group */
    joins_within(&desk, 1 << 20);
    desk_end(&desk);
}

/* Who locks bytes to spoil the order makes everybody first, and nobody waits. */
static void a_lock_on_all_of_it_or_far_behind_holds_up_nobody(void)
{
    static const struct {
        off_t start, length;
        bool ordered;
    } table[] = {{0, 0, false},
                 {1, 0, false},
                 {INT32_MAX, 1, false},
                 {INT32_MAX - 1, 0, false},
                 {INT32_MAX / 2, 1, true},
                 {0, 1, true}};
    struct queue one, other;
    struct desk desk;
    char path[192];

    desk_begin(&desk, "/dev/ttyUSB7");
    queue_path(&desk, path);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct flock lock = {.l_type = F_WRLCK,
                             .l_whence = SEEK_SET,
                             .l_start = table[i].start,
                             .l_len = table[i].length};
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);

        CU_ASSERT_EQUAL(fcntl(fd, F_OFD_SETLK, &lock), 0);
        join_queue(&one, &desk.settings);
        join_queue(&other, &desk.settings);
        EXPECT_NUMBER(one.fd >= 0, table[i].ordered);
        EXPECT_NUMBER(queue_first(&other), !table[i].ordered);
        (void)close(fd);
        CU_ASSERT_TRUE(queue_first(&one));
        queue_leave(&one);
        CU_ASSERT_TRUE(queue_first(&other));
        queue_leave(&other);
    }
    desk_end(&desk);
}

/* In a folder of the group, so that a member of it can neither open nor make it. */
static void the_own_lock_is_this_users_alone(void)
{
    struct queue queue;
    struct desk desk;
    struct stat file;
    char path[192];
    int fd;

    desk_begin(&desk, "/dev/ttyUSB7");
    CU_ASSERT_EQUAL(chmod(desk.folder.path, 02770), 0);
    join_queue(&queue, &desk.settings);
    fd = queue_own_lock(&queue);
    CU_ASSERT(fd > 2);
    (void)snprintf(path, sizeof path, "%s/dev-ttyUSB7.queue.turn-%lu", desk.folder.path,
                   (unsigned long)geteuid());
    CU_ASSERT_EQUAL(stat(path, &file), 0);
    EXPECT_NUMBER(file.st_mode & 07777, 0600);
    (void)close(fd);
    CU_ASSERT_EQUAL(chmod(path, 0660), 0); /* others may have it open */
    EXPECT_NUMBER(queue_own_lock(&queue), -1);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", path), 0);
    EXPECT_NUMBER(queue_own_lock(&queue), -1);
    queue_leave(&queue);
    desk_end(&desk);
}

void add_queue_suite(void)
{
    static const struct test tests[] = {
        TEST(tickets_are_served_in_their_order),
        TEST(without_a_folder_everybody_is_first),
        TEST(the_dead_hold_up_nobody),
        TEST(one_that_is_stopped_is_overtaken),
        TEST(many_keep_their_order),
        TEST(nothing_is_written),
        TEST(a_limit_for_files_does_no_harm),
        TEST(a_lock_on_all_of_it_or_far_behind_holds_up_nobody),
        TEST(the_own_lock_is_this_users_alone),
    };

    ADD_SUITE("queue", tests);
}
