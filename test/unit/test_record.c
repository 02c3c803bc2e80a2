/* SPDX-License-Identifier: Apache-2.0 */
/* The session record: what one process writes another one reads, and what is not to be believed is not. */
#include "apdu/card/apdu.h"
#include "apdu/session/record.h"
#include "apdu/session/rundir.h"
#include "modem/event.h"
#include "test/unit/record_desk.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void what_was_written_is_read(void)
{
    struct record record, old;
    struct record_desk desk;
    struct stat file;

    record_desk_begin(&desk);
    CU_ASSERT_FALSE(record_peek(&desk.settings, &record));
    record_desk_write(&desk, false);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    record_fill(&old);
    EXPECT_NUMBER(record.shared.channel.number, 7);
    EXPECT_NUMBER(record.shared.applet, SELECTED_MIAS);
    CU_ASSERT_TRUE(record.shared.level == LEVEL_PIN_OK && !record.shared.unprotected &&
                   !record.shared.broken && !record.dirty);
    EXPECT_NUMBER(record.shared.environment.set, 1);
    EXPECT_NUMBER(record.shared.environment.template_tag, 0xB6);
    EXPECT_NUMBER(record.shared.environment.algorithm, 0x42);
    EXPECT_NUMBER(record.shared.environment.key_id, 0x31);
    CU_ASSERT_STRING_EQUAL(record.shared.iccid, ICCID);
    CU_ASSERT_STRING_EQUAL(record.shared.channel.session, "");
    CU_ASSERT_TRUE(record.line.ready && record.line.echo_stays && record.line.opening);
    EXPECT_NUMBER(record.line.carrier, CARRIER_CSIM);
    EXPECT_NUMBER(record.line.last, 2);
    CU_ASSERT_STRING_EQUAL(record.quirks.iccid, ICCID);
    EXPECT_NUMBER(record.quirks.max_read, 128);
    EXPECT_NUMBER(record.quirks.modem, QUIRK_SHORT_LINES | QUIRK_PLAIN_CLASS);
    EXPECT_NUMBER(record.quirks.pin_refused, 1);
    CU_ASSERT_TRUE(quirks_refuses(&record.quirks, 0x31, 0x45));
    CU_ASSERT_FALSE(quirks_refuses(&record.quirks, 0x31, 0x46));
    CU_ASSERT_TRUE(quirks_note_refusal(&record.quirks, 0x31, 0x46));
    CU_ASSERT_TRUE(quirks_refuses(&record.quirks, 0x31, 0x46));
    EXPECT_NUMBER(record.user_count, 1);
    EXPECT_NUMBER(record.users[0].pid, getpid());
    CU_ASSERT_EQUAL(stat(desk.file, &file), 0);
    EXPECT_NUMBER(file.st_mode & 0777, 0660);
    record_desk_end(&desk);
}

/* Every single byte matters: whichever is cut off or changed, nothing of it is believed. */
static void a_torn_record_is_not_believed_and_counts_as_dirty(void)
{
    struct record_desk desk;
    int fd;

    record_desk_begin(&desk);
    for (off_t cut = 1; cut < 200; cut += 7) {
        record_desk_write(&desk, false);
        CU_ASSERT_EQUAL(truncate(desk.file, cut), 0);
        record_desk_reads(&desk, false, true);
    }
    for (off_t at = 0; at < 200; at += 3) {
        record_desk_write(&desk, false);
        fd = open(desk.file, O_WRONLY);
        CU_ASSERT_EQUAL(pwrite(fd, "~", 1, at), 1);
        (void)close(fd);
        record_desk_reads(&desk, false, true);
    }
    CU_ASSERT_EQUAL(truncate(desk.file, 0), 0);
    record_desk_reads(&desk, false, false);
    record_desk_end(&desk);
}

static void a_dead_process_leaves_it_dirty(void)
{
    struct record_desk desk;

    record_desk_begin(&desk);
    record_desk_write(&desk, true);
    record_desk_reads(&desk, true, true);
    record_desk_end(&desk);
}

static void links_and_foreign_files_are_left_alone(void)
{
    struct record record;
    struct record_desk desk;
    char other[600];
    struct stat file;
    int fd;

    record_desk_begin(&desk);
    (void)snprintf(other, sizeof other, "%s/other", desk.folder.path);
    fd = open(other, O_WRONLY | O_CREAT, 0600);
    (void)close(fd);
    CU_ASSERT_EQUAL(symlink(other, desk.file), 0);
    EXPECT_NUMBER(record_open(&desk.settings, &record), -1);
    CU_ASSERT_EQUAL(unlink(desk.file), 0);
    CU_ASSERT_EQUAL(link(other, desk.file), 0);
    EXPECT_NUMBER(record_open(&desk.settings, &record), -1);
    CU_ASSERT_EQUAL(unlink(desk.file), 0);
    CU_ASSERT_EQUAL(mkfifo(desk.file, 0600), 0);
    EXPECT_NUMBER(record_open(&desk.settings, &record), -1);
    CU_ASSERT_EQUAL(unlink(desk.file), 0);
    record_desk_write(&desk, false);
    CU_ASSERT_EQUAL(chmod(desk.file, 0666), 0);
    EXPECT_NUMBER(record_open(&desk.settings, &record), -1);
    CU_ASSERT_EQUAL(stat(other, &file), 0);
    EXPECT_NUMBER(file.st_size, 0);
    record_desk_end(&desk);
}

/* root's tests only: a file of somebody else in a directory of our own. */
static void a_file_of_another_user_is_left_alone(void)
{
    struct record record;
    struct record_desk desk;

    if (geteuid() != 0)
        return;
    record_desk_begin(&desk);
    record_desk_write(&desk, false);
    CU_ASSERT_EQUAL(chown(desk.file, 65534, 65534), 0);
    EXPECT_NUMBER(record_open(&desk.settings, &record), -1);
    /* in a directory of the device's group it may be another member's */
    CU_ASSERT_EQUAL(chown(desk.folder.path, 0, 65534), 0);
    CU_ASSERT_EQUAL(chmod(desk.folder.path, 02770), 0);
    record_desk_reads(&desk, true, false);
    record_desk_end(&desk);
}

static void what_stood_before_the_modem_was_plugged_in_anew_is_to_be_closed(void)
{
    struct report why = REPORT_INIT;
    struct record record;
    struct record_desk desk;
    char link[600];

    record_desk_begin(&desk);
    (void)snprintf(link, sizeof link, "%s/modem", desk.folder.path);
    CU_ASSERT_EQUAL(mkfifo(link, 0600), 0);
    EXPECT(settings_set(&desk.settings, "device", link, &why), OUTCOME_OK, &why);
    record_desk_write(&desk, false);
    record_desk_reads(&desk, true, false);
    (void)usleep(20000); /* a file system's clock ticks slowly */
    CU_ASSERT_EQUAL(unlink(link), 0);
    CU_ASSERT_EQUAL(mkfifo(link, 0600), 0);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    CU_ASSERT_FALSE(record.shared.channel.open);
    EXPECT_NUMBER(record.owners.count, 1);
    EXPECT_NUMBER(record.owners.list[0].channel.number, 7);
    EXPECT_NUMBER(record.owners.list[0].doubt, DOUBT_ASK); /* its number may be another's by now */
    CU_ASSERT_FALSE(record.line.ready);
    CU_ASSERT_TRUE(record.line.late_until > 0); /* it may still be at work */
    record_desk_end(&desk);
}

static void without_a_directory_there_is_none(void)
{
    struct report why = REPORT_INIT;
    struct record record;
    struct record_desk desk;

    record_desk_begin(&desk);
    EXPECT(settings_set(&desk.settings, "run-dir", "/dev/null/run", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(record_open(&desk.settings, &record), -1);
    CU_ASSERT_FALSE(record.shared.channel.open);
    EXPECT_NUMBER(record.quirks.max_read, APDU_LE_ALL);
    record_desk_end(&desk);
}

static void a_full_disk_is_noticed(void)
{
    struct record record;
    struct record_desk desk;
    int fd = open("/dev/full", O_RDWR);

    record_desk_begin(&desk);
    record_fill(&record);
    CU_ASSERT_FALSE(record_save(fd, &record));
    record_spoil(fd);
    (void)close(fd);
    record_desk_end(&desk);
}

/* Whatever late_until says, it is not waited for longer than an answer can be late. */
static void a_time_that_is_too_late_is_not_believed(void)
{
    const int64_t table[] = {INT64_MAX, INT64_MIN, -1, monotonic_ms() + 3000,
                             monotonic_ms() + 60000};
    struct record record;
    struct record_desk desk;
    int fd;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        record_desk_begin(&desk);
        fd = record_open(&desk.settings, &record);
        record.line.late_until = table[i];
        CU_ASSERT_TRUE(record_save(fd, &record));
        (void)close(fd);
        CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
        CU_ASSERT_TRUE(record.line.late_until <= monotonic_ms() + 2000);
        CU_ASSERT_TRUE(record.line.late_until >= 0);
        record_desk_end(&desk);
    }
}

/* A record without it, such as an older program's, has none. */
static void the_gap_that_a_modem_needs_is_kept(void)
{
    static const unsigned gaps[] = {EVENT_LOST, EVENT_GAP, EVENT_LONG_GAP, 0};
    struct record record;
    struct record_desk desk;
    int fd;

    record_desk_begin(&desk);
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
        fd = record_open(&desk.settings, &record);
        record.line.gap = gaps[i];
        CU_ASSERT_TRUE(record_save(fd, &record));
        (void)close(fd);
        CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
        EXPECT_NUMBER(record.line.gap, gaps[i]);
    }
    record_desk_end(&desk);
}

/* The boot's id cannot change: it is read once. */
static void the_boot_is_asked_for_once(void)
{
    char boot[BOOT_SIZE] = "", known[BOOT_SIZE] = "known";
    struct rundir_place place;
    struct record record;
    struct record_desk desk;

    record_desk_begin(&desk);
    rundir_place_open(&place, &desk.settings);
    (void)close(record_open_in(&desk.settings, &place, boot, &record));
    EXPECT_NUMBER(strlen(boot), 36);
    EXPECT_SAYS(record.binding, boot);
    (void)close(record_open_in(&desk.settings, &place, known, &record));
    EXPECT_SAYS(record.binding, "boot known\n");
    rundir_place_close(&place);
    record_desk_end(&desk);
}

static void the_dead_are_no_users(void)
{
    struct record record;
    pid_t child;

    record_init(&record);
    record_join(&record, RECORD_SHARED);
    record_join(&record, RECORD_SHARED);
    EXPECT_NUMBER(record.user_count, 1);
    child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    record.users[record.user_count++] = (struct record_user){child, rundir_process_start(child), 1};
    record.users[record.user_count++] =
        (struct record_user){1, 42, 1}; /* it started at another time */
    EXPECT_NUMBER(record_leave_for(&record, getpid()), 1);
    CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
    (void)usleep(50000);
    EXPECT_NUMBER(record_leave_for(&record, getpid()), 0); /* a zombie does nothing any more */
    (void)waitpid(child, NULL, 0);
}

/* As simkey-agent's processes do, which end long before it. */
static void one_process_joins_and_leaves_in_the_name_of_another(void)
{
    struct record record;
    pid_t child = fork();

    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    record_init(&record);
    record_join_for(&record, RECORD_SHARED, child);
    record_join_for(&record, RECORD_SHARED, child);
    EXPECT_NUMBER(record.user_count, 1);
    EXPECT_NUMBER(record.users[0].pid, child);
    record_join(&record, RECORD_SHARED);
    EXPECT_NUMBER(record_leave_for(&record, child), 1);
    EXPECT_NUMBER(record.users[0].pid, getpid());
    CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
    (void)waitpid(child, NULL, 0);
}

void add_record_suite(void)
{
    static const struct test tests[] = {
        TEST(what_was_written_is_read),
        TEST(one_process_joins_and_leaves_in_the_name_of_another),
        TEST(a_torn_record_is_not_believed_and_counts_as_dirty),
        TEST(a_dead_process_leaves_it_dirty),
        TEST(links_and_foreign_files_are_left_alone),
        TEST(a_file_of_another_user_is_left_alone),
        TEST(what_stood_before_the_modem_was_plugged_in_anew_is_to_be_closed),
        TEST(without_a_directory_there_is_none),
        TEST(a_full_disk_is_noticed),
        TEST(a_time_that_is_too_late_is_not_believed),
        TEST(the_gap_that_a_modem_needs_is_kept),
        TEST(the_boot_is_asked_for_once),
        TEST(the_dead_are_no_users),
    };

    ADD_SUITE("record", tests);
}
