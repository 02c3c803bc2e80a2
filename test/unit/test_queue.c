/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits first is served first, and nobody waits for the dead or the stopped. */
#include "apdu/queue.h"
#include "modem/port.h"
#include "test/unit/pty.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct desk {
    struct folder folder;
    struct settings settings;
};

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
    queue_join(&first, &desk.settings);
    queue_join(&second, &desk.settings);
    queue_join(&third, &desk.settings);
    CU_ASSERT_TRUE(queue_first(&first) && !queue_first(&second) && !queue_first(&third));
    queue_leave(&second);
    CU_ASSERT_TRUE(queue_first(&first) && !queue_first(&third));
    queue_join(&second, &desk.settings);
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
    queue_join(&one, &desk.settings);
    queue_join(&other, &desk.settings);
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
        queue_join(&queue, &desk->settings);
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
    queue_join(&queue, &desk.settings);
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
    queue_join(&queue, &desk.settings);
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

void add_queue_suite(void)
{
    static const struct test tests[] = {
        TEST(tickets_are_served_in_their_order),
        TEST(without_a_folder_everybody_is_first),
        TEST(the_dead_hold_up_nobody),
        TEST(one_that_is_stopped_is_overtaken),
    };

    ADD_SUITE("queue", tests);
}
