/* SPDX-License-Identifier: Apache-2.0 */
/* The session record: what one process writes another one reads, and what is not to be believed is not. */
#include "apdu/card/apdu.h"
#include "apdu/session/record.h"
#include "apdu/session/rundir.h"
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

struct desk {
    struct folder folder;
    struct settings settings;
    char file[512];
};

static void desk_begin(struct desk *desk)
{
    struct report why = REPORT_INIT;

    folder_make(&desk->folder);
    settings_init(&desk->settings);
    EXPECT(settings_set(&desk->settings, "device", "/dev/null", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&desk->settings, "run-dir", desk->folder.path, &why), OUTCOME_OK, &why);
    (void)snprintf(desk->file, sizeof desk->file, "%s/dev-null.session", desk->folder.path);
}

static void desk_end(struct desk *desk)
{
    settings_clear(&desk->settings);
    folder_remove(&desk->folder);
}

static void fill(struct record *record)
{
    record_init(record);
    record->line = (struct line){true, true, 2, true, 0, CARRIER_CSIM};
    record->standing.channel =
        (struct channel){.open = true, .carrier = CARRIER_CSIM, .number = 7, .session = ""};
    record->standing.selected = SELECTED_MIAS;
    record->standing.verified = true;
    record->standing.environment = (struct security_environment){true, 0xB6, 0x42, 0x31};
    record->standing.iccid_asked = true;
    (void)snprintf(record->standing.iccid, ICCID_SIZE, "%s", ICCID);
    (void)snprintf(record->learnt.iccid, ICCID_SIZE, "%s", ICCID);
    record->learnt.no_le = true;
    record->learnt.max_read = 128;
    record->learnt.pin_refused = 1;
    (void)learnt_note_refusal(&record->learnt, 0x31, 0x45);
    (void)learnt_note_refusal(&record->learnt, 0x31, 0x45);
    (void)learnt_note_refusal(&record->learnt, 0x31, 0x46); /* once: that does not count */
}

/* Writes a filled record. */
static void write_record(struct desk *desk, bool dirty)
{
    struct record record, old;
    int fd = record_open(&desk->settings, &old);

    CU_ASSERT_FATAL(fd >= 0);
    fill(&record);
    memcpy(record.binding, old.binding, sizeof record.binding);
    record.dirty = dirty;
    record_join(&record);
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
}

static void reads(struct desk *desk, bool open, bool dirty)
{
    struct record record;
    int fd = record_open(&desk->settings, &record);

    CU_ASSERT_FATAL(fd >= 0);
    EXPECT_NUMBER(record.standing.channel.open, open);
    EXPECT_NUMBER(record.dirty, dirty);
    EXPECT_NUMBER(record.standing.verified, open);
    EXPECT_NUMBER(record.user_count, open ? 1 : 0);
    (void)close(fd);
}

static void what_was_written_is_read(void)
{
    struct record record, old;
    struct desk desk;
    struct stat file;

    desk_begin(&desk);
    CU_ASSERT_FALSE(record_peek(&desk.settings, &record));
    write_record(&desk, false);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    fill(&old);
    EXPECT_NUMBER(record.standing.channel.number, 7);
    EXPECT_NUMBER(record.standing.selected, SELECTED_MIAS);
    CU_ASSERT_TRUE(record.standing.verified && !record.standing.unprotected &&
                   !record.standing.broken && !record.dirty);
    EXPECT_NUMBER(record.standing.environment.set, 1);
    EXPECT_NUMBER(record.standing.environment.template_tag, 0xB6);
    EXPECT_NUMBER(record.standing.environment.algorithm, 0x42);
    EXPECT_NUMBER(record.standing.environment.key_id, 0x31);
    CU_ASSERT_STRING_EQUAL(record.standing.iccid, ICCID);
    CU_ASSERT_STRING_EQUAL(record.standing.channel.session, "");
    CU_ASSERT_TRUE(record.line.ready && record.line.echo_stays && record.line.opening);
    EXPECT_NUMBER(record.line.carrier, CARRIER_CSIM);
    EXPECT_NUMBER(record.line.last, 2);
    CU_ASSERT_STRING_EQUAL(record.learnt.iccid, ICCID);
    EXPECT_NUMBER(record.learnt.max_read, 128);
    EXPECT_NUMBER(record.learnt.pin_refused, 1);
    CU_ASSERT_TRUE(learnt_refuses(&record.learnt, 0x31, 0x45));
    CU_ASSERT_FALSE(learnt_refuses(&record.learnt, 0x31, 0x46));
    CU_ASSERT_TRUE(learnt_note_refusal(&record.learnt, 0x31, 0x46));
    CU_ASSERT_TRUE(learnt_refuses(&record.learnt, 0x31, 0x46));
    EXPECT_NUMBER(record.user_count, 1);
    EXPECT_NUMBER(record.users[0].pid, getpid());
    CU_ASSERT_EQUAL(stat(desk.file, &file), 0);
    EXPECT_NUMBER(file.st_mode & 0777, 0660);
    desk_end(&desk);
}

/* Every single byte matters: whichever is cut off or changed, nothing of it is believed. */
static void a_torn_record_is_not_believed_and_counts_as_dirty(void)
{
    struct desk desk;
    int fd;

    desk_begin(&desk);
    for (off_t cut = 1; cut < 200; cut += 7) {
        write_record(&desk, false);
        CU_ASSERT_EQUAL(truncate(desk.file, cut), 0);
        reads(&desk, false, true);
    }
    for (off_t at = 0; at < 200; at += 3) {
        write_record(&desk, false);
        fd = open(desk.file, O_WRONLY);
        CU_ASSERT_EQUAL(pwrite(fd, "~", 1, at), 1);
        (void)close(fd);
        reads(&desk, false, true);
    }
    CU_ASSERT_EQUAL(truncate(desk.file, 0), 0);
    reads(&desk, false, false);
    desk_end(&desk);
}

static void a_dead_process_leaves_it_dirty(void)
{
    struct desk desk;

    desk_begin(&desk);
    write_record(&desk, true);
    reads(&desk, true, true);
    desk_end(&desk);
}

static void links_and_foreign_files_are_left_alone(void)
{
    struct record record;
    struct desk desk;
    char other[600];
    struct stat file;
    int fd;

    desk_begin(&desk);
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
    write_record(&desk, false);
    CU_ASSERT_EQUAL(chmod(desk.file, 0666), 0);
    EXPECT_NUMBER(record_open(&desk.settings, &record), -1);
    CU_ASSERT_EQUAL(stat(other, &file), 0);
    EXPECT_NUMBER(file.st_size, 0);
    desk_end(&desk);
}

/* root's tests only: a file of somebody else in a directory of our own. */
static void a_file_of_another_user_is_left_alone(void)
{
    struct record record;
    struct desk desk;

    if (geteuid() != 0)
        return;
    desk_begin(&desk);
    write_record(&desk, false);
    CU_ASSERT_EQUAL(chown(desk.file, 65534, 65534), 0);
    EXPECT_NUMBER(record_open(&desk.settings, &record), -1);
    /* in a directory of the device's group it may be another member's */
    CU_ASSERT_EQUAL(chown(desk.folder.path, 0, 65534), 0);
    CU_ASSERT_EQUAL(chmod(desk.folder.path, 02770), 0);
    reads(&desk, true, false);
    desk_end(&desk);
}

static void what_stood_before_the_modem_was_plugged_in_anew_is_to_be_closed(void)
{
    struct report why = REPORT_INIT;
    struct record record;
    struct desk desk;
    char link[600];

    desk_begin(&desk);
    (void)snprintf(link, sizeof link, "%s/modem", desk.folder.path);
    CU_ASSERT_EQUAL(mkfifo(link, 0600), 0);
    EXPECT(settings_set(&desk.settings, "device", link, &why), OUTCOME_OK, &why);
    write_record(&desk, false);
    reads(&desk, true, false);
    (void)usleep(20000); /* a file system's clock ticks slowly */
    CU_ASSERT_EQUAL(unlink(link), 0);
    CU_ASSERT_EQUAL(mkfifo(link, 0600), 0);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    CU_ASSERT_FALSE(record.standing.channel.open);
    EXPECT_NUMBER(record.owners.count, 1);
    EXPECT_NUMBER(record.owners.list[0].channel.number, 7);
    EXPECT_NUMBER(record.owners.list[0].doubt, DOUBT_ASK); /* its number may be another's by now */
    CU_ASSERT_FALSE(record.line.ready);
    CU_ASSERT_TRUE(record.line.late_until > 0); /* it may still be at work */
    desk_end(&desk);
}

static void without_a_directory_there_is_none(void)
{
    struct report why = REPORT_INIT;
    struct record record;
    struct desk desk;

    desk_begin(&desk);
    EXPECT(settings_set(&desk.settings, "run-dir", "/dev/null/run", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(record_open(&desk.settings, &record), -1);
    CU_ASSERT_FALSE(record.standing.channel.open);
    EXPECT_NUMBER(record.learnt.max_read, APDU_LE_ALL);
    desk_end(&desk);
}

static void a_full_disk_is_noticed(void)
{
    struct record record;
    struct desk desk;
    int fd = open("/dev/full", O_RDWR);

    desk_begin(&desk);
    fill(&record);
    CU_ASSERT_FALSE(record_save(fd, &record));
    record_spoil(fd);
    (void)close(fd);
    desk_end(&desk);
}

/* Whatever late_until says, it is not waited for longer than an answer can be late. */
static void a_time_that_is_too_late_is_not_believed(void)
{
    const int64_t table[] = {INT64_MAX, INT64_MIN, -1, monotonic_ms() + 3000,
                             monotonic_ms() + 60000};
    struct record record;
    struct desk desk;
    int fd;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        desk_begin(&desk);
        fd = record_open(&desk.settings, &record);
        record.line.late_until = table[i];
        CU_ASSERT_TRUE(record_save(fd, &record));
        (void)close(fd);
        CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
        CU_ASSERT_TRUE(record.line.late_until <= monotonic_ms() + 2000);
        CU_ASSERT_TRUE(record.line.late_until >= 0);
        desk_end(&desk);
    }
}

/* The boot's id cannot change: it is read once. */
static void the_boot_is_asked_for_once(void)
{
    char boot[BOOT_SIZE] = "", known[BOOT_SIZE] = "known";
    struct rundir_place place;
    struct record record;
    struct desk desk;

    desk_begin(&desk);
    rundir_place_open(&place, &desk.settings);
    (void)close(record_open_in(&desk.settings, &place, boot, &record));
    EXPECT_NUMBER(strlen(boot), 36);
    EXPECT_SAYS(record.binding, boot);
    (void)close(record_open_in(&desk.settings, &place, known, &record));
    EXPECT_SAYS(record.binding, "boot known\n");
    rundir_place_close(&place);
    desk_end(&desk);
}

/* The longest of everything: it still fits, and all of it is read. */
static void fill_up(struct record *record)
{
    struct pin_refusal refusal = {.sim = "12345678901234567890", .reference = PIN_UICC, .left = 15};

    for (size_t i = 0; i < RECORD_USERS; i++)
        record->users[i] = (struct record_user){INT32_MAX, UINT64_MAX - i};
    record->user_count = RECORD_USERS;
    for (size_t i = 0; i < RECORD_OPENERS; i++) {
        struct pin_identity source = {PIN_LITERAL, {i}};

        for (size_t j = 1; j < PIN_ID_NUMBERS; j++)
            source.id[j] = UINT64_MAX;
        standing_opened(&record->standing, &source);
        refusal.source = source;
        refusal.source.kind = PIN_FILE;
        pin_memory_add(&record->memory, &refusal);
    }
    pin_memory_see(&record->memory, refusal.sim, PIN_APPLET, 15);
}

static void whose_pin_opened_and_whose_was_refused_is_read_again(void)
{
    const struct pin_identity last = {
        PIN_LITERAL, {RECORD_OPENERS - 1, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    char wanted[PIN_LINE_SIZE], got[PIN_LINE_SIZE];
    struct record record, old;
    struct desk desk;
    int fd;

    desk_begin(&desk);
    fd = record_open(&desk.settings, &old);
    fill(&record);
    memcpy(record.binding, old.binding, sizeof record.binding);
    fill_up(&record);
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &old));
    CU_ASSERT_TRUE_FATAL(old.remembers && !old.dirty);
    EXPECT_NUMBER(old.standing.opener_count, RECORD_OPENERS);
    CU_ASSERT_TRUE(standing_opened_by(&old.standing, &last));
    EXPECT_NUMBER(old.memory.count, PIN_REFUSALS);
    for (size_t i = 0; i < PIN_REFUSALS; i++) {
        pin_refusal_text(&record.memory.refusals[i], wanted);
        pin_refusal_text(&old.memory.refusals[i], got);
        CU_ASSERT_STRING_EQUAL(got, wanted);
    }
    EXPECT_NUMBER(pin_memory_left(&old.memory, "12345678901234567890", PIN_APPLET), 15);
    EXPECT_NUMBER(old.user_count, RECORD_USERS);
    standing_unverify(&old.standing);
    CU_ASSERT_FALSE(standing_opened_by(&old.standing, &last));
    desk_end(&desk);
}

/* Reads it as a process does that knows this boot. */
static void read_as(struct desk *desk, const char *known, struct record *record)
{
    struct rundir_place place;
    char boot[BOOT_SIZE];

    (void)snprintf(boot, sizeof boot, "%s", known);
    rundir_place_open(&place, &desk->settings);
    (void)close(record_open_in(&desk->settings, &place, boot, record));
    rundir_place_close(&place);
}

/* The channel is known, and in doubt: nothing else of it is believed. */
static void knows_channel_only(const struct record *record)
{
    CU_ASSERT_FALSE(record->standing.channel.open || record->standing.verified);
    EXPECT_NUMBER(record->user_count, 0);
    EXPECT_NUMBER(record->owners.count, 1);
    EXPECT_NUMBER(record->owners.list[0].channel.number, 7);
    EXPECT_NUMBER(record->owners.list[0].doubt, DOUBT_ASK);
    EXPECT_NUMBER(record->owners.list[0].pid, 0);
}

/* In a chroot, or with ProcSubset=pid: both ways it is the same record, and keeps its boot. */
static void a_process_without_proc_shares_the_record(void)
{
    struct record record;
    struct desk desk;
    int fd;

    desk_begin(&desk);
    write_record(&desk, false);
    read_as(&desk, "unknown", &record);
    CU_ASSERT_TRUE(record.standing.channel.open && record.standing.verified);
    EXPECT_NUMBER(record.user_count, 1);
    EXPECT_SAYS_NOT(record.binding, "unknown");
    fd = open(desk.file, O_RDWR | O_CLOEXEC);
    CU_ASSERT_TRUE(record_save(fd, &record));
    reads(&desk, true, false);
    (void)snprintf(record.binding, sizeof record.binding, "boot unknown\n%s",
                   strchr(record.binding, '\n') + 1);
    CU_ASSERT_TRUE(record_save(fd, &record)); /* the first one was such a process */
    (void)close(fd);
    reads(&desk, true, false);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    EXPECT_SAYS_NOT(record.binding, "unknown");
    desk_end(&desk);
}

/* The modem may have kept its power when the machine started anew. */
static void what_another_boot_left_is_known_and_in_doubt(void)
{
    struct record record;
    struct desk desk;

    desk_begin(&desk);
    write_record(&desk, false);
    read_as(&desk, "another", &record);
    CU_ASSERT_FALSE(record.dirty);
    knows_channel_only(&record);
    desk_end(&desk);
}

static void the_channels_of_a_torn_record_and_of_another_version_are_known(void)
{
    struct record record;
    struct desk desk;
    int fd;

    desk_begin(&desk);
    write_record(&desk, false);
    CU_ASSERT_EQUAL(truncate(desk.file, 300), 0);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    CU_ASSERT_TRUE(record.dirty);
    knows_channel_only(&record);
    write_record(&desk, false);
    fd = open(desk.file, O_WRONLY | O_CLOEXEC);
    CU_ASSERT_EQUAL(pwrite(fd, "2", 1, 15), 1); /* "simkey session 2" */
    (void)close(fd);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    knows_channel_only(&record);
    desk_end(&desk);
}

/* All of it at its longest: no channel is left out, but sources that prove their PIN once more. */
static void the_table_of_owners_is_read_again_however_much_there_is(void)
{
    struct record record, old;
    struct desk desk;
    int fd;

    desk_begin(&desk);
    fd = record_open(&desk.settings, &old);
    fill(&record);
    memcpy(record.binding, old.binding, sizeof record.binding);
    fill_up(&record);
    record.generation = 77;
    for (unsigned i = 0; i < OWNERS_MAX; i++) {
        struct channel channel = {.open = true, .selected = true, .carrier = CARRIER_CCHO};

        (void)snprintf(channel.session, sizeof channel.session, "12345678901234567890%03u", i);
        if (i % 2 == 0)
            owners_hold(&record.owners, &channel, INT32_MAX, UINT64_MAX);
        else
            owners_orphan(&record.owners, &channel, DOUBT_GONE);
    }
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &old));
    CU_ASSERT_FALSE(old.dirty);
    EXPECT_NUMBER(old.generation, 77);
    EXPECT_NUMBER(old.owners.count, OWNERS_MAX);
    for (unsigned i = 0; i < old.owners.count; i++) {
        EXPECT_TEXT(old.owners.list[i].channel.session, record.owners.list[i].channel.session);
        EXPECT_NUMBER(old.owners.list[i].pid, record.owners.list[i].pid);
        CU_ASSERT_EQUAL(old.owners.list[i].start, record.owners.list[i].start);
        EXPECT_NUMBER(old.owners.list[i].doubt, record.owners.list[i].doubt);
    }
    EXPECT_NUMBER(old.user_count, RECORD_USERS);
    CU_ASSERT_TRUE(old.standing.opener_count > 0 && old.standing.opener_count <= RECORD_OPENERS);
    EXPECT_NUMBER(old.memory.count, PIN_REFUSALS);
    desk_end(&desk);
}

/* CRC-32 as in the record (ITU-T V.42), bit by bit. */
static uint32_t sum_of(const char *text)
{
    uint32_t crc = 0xFFFFFFFF;

    for (; *text != '\0'; text++) {
        crc ^= (unsigned char)*text;
        for (int i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

/* Writes the lines of an older version's record with others behind them, under a good sum. */
static void write_with(struct desk *desk, const char *lines)
{
    char text[4096] = "", more[4096];
    char *behind;
    int fd;

    write_record(desk, false);
    fd = open(desk->file, O_RDWR);
    CU_ASSERT_TRUE_FATAL(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    behind = strstr(text, "\ntries ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(behind);
    behind[1] = '\0';
    (void)snprintf(more, sizeof more, "%.3000s%.600s", text, lines);
    (void)snprintf(text, sizeof text, "%.3600ssum %08x\n", more, sum_of(more));
    CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
    CU_ASSERT_EQUAL(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
    (void)close(fd);
}

static void an_older_programs_record_is_read_and_tells_nothing_of_pins(void)
{
    struct record record;
    struct desk desk;

    desk_begin(&desk);
    write_with(&desk, "");
    reads(&desk, true, false);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    CU_ASSERT_FALSE(record.remembers);
    EXPECT_NUMBER(record.standing.opener_count, 0); /* verified, but by nobody who is known */
    write_with(&desk, "of a later version\n");
    reads(&desk, true, false);
    write_with(&desk, "tries - 3 0\nopeners 1\nfile 1 2 3 4 5\nrefusals 0\nlater\n");
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    CU_ASSERT_TRUE(record.remembers);
    EXPECT_NUMBER(record.standing.opener_count, 1);
    desk_end(&desk);
}

static void hostile_lines_about_pins_are_not_believed(void)
{
    static const char *const lines[] = {
        "tries - 16 0\nopeners 0\nrefusals 0\n",
        "tries - -1 0\nopeners 0\nrefusals 0\n",
        "tries x 3 0\nopeners 0\nrefusals 0\n",
        "tries 123456789012345678901234567890123 3 0\nopeners 0\nrefusals 0\n",
        "tries - 3 0\nopeners 13\nrefusals 0\n",
        "tries - 3 0\nopeners 99999999999999999999\nrefusals 0\n",
        "tries - 3 0\nopeners 1\nrefusals 0\n",
        "tries - 3 0\nopeners 1\nhash 1 2 3 4 5\nrefusals 0\n",
        "tries - 3 0\nopeners 0\nrefusals 9\n",
        "tries - 3 0\nopeners 0\nrefusals 1\nrefused - 7 3 file 1 2 3 4 5\n",
        "tries - 3 0\nopeners 0\n",
        "tries \n"};
    struct desk desk;
    size_t i;

    desk_begin(&desk);
    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        write_with(&desk, lines[i]);
        reads(&desk, false, true);
    }
    desk_end(&desk);
}

/* An older program is told of one channel that it may close, and tells of one. */
static void an_older_program_is_told_of_an_orphan(void)
{
    const struct channel three = {.open = true, .carrier = CARRIER_CSIM, .number = 3};
    const struct channel two = {.open = true, .carrier = CARRIER_CSIM, .number = 2};
    struct record record;
    struct desk desk;
    char text[4096] = "";
    int fd;

    desk_begin(&desk);
    fd = record_open(&desk.settings, &record);
    owners_orphan(&record.owners, &two, DOUBT_ASK); /* which it would close unasked */
    owners_orphan(&record.owners, &three, DOUBT_NONE);
    CU_ASSERT_TRUE(record_save(fd, &record));
    CU_ASSERT_TRUE(pread(fd, text, sizeof text - 1, 0) > 0);
    EXPECT_SAYS(text, "\nchannel 1 0 1 3 -\nlearnt ");
    record.owners.count = 1;
    CU_ASSERT_TRUE(record_save(fd, &record));
    CU_ASSERT_TRUE(pread(fd, text, sizeof text - 1, 0) > 0);
    EXPECT_SAYS(text, "\nchannel 0 0 0 0 -\nlearnt ");
    record.owners.count = 0;
    owners_orphan(&record.owners, &three, DOUBT_NONE);
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    EXPECT_NUMBER(record.owners.count, 1); /* named in two places, one entry */
    desk_end(&desk);
}

static void hostile_owners_are_not_believed(void)
{
    static const char *const lines[] = {
        "owners 21 1\n",
        "owners -1 1\n",
        "owners 1 1\n",
        "owners 1\nchannel\n",
        "owners 1 1\nchannel 0 0 0 0 -\nowner 0 0 0 0\n",
        "owners 1 1\nchannel 1 0 1 20 -\nowner 0 0 0 0\n",
        "owners 1 1\nchannel 1 0 1 2 -\nowner -1 0 0 0\n",
        "owners 1 1\nchannel 1 0 1 2 -\nowner 99999999999 0 0 0\n",
        "owners 1 1\nchannel 1 0 1 2 -\nowner 1 0 3 0\n",
        "owners 1 1\nchannel 1 0 1 2 -\nowner 1 0 0 10\n",
        "owners 2 1\nchannel 1 0 1 2 -\nowner 1 0 0 0\nchannel 1 0 1 2 -\nowner 1 0 0 0\n"};
    char text[512];
    struct desk desk;
    size_t i;

    desk_begin(&desk);
    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)snprintf(text, sizeof text, "tries - 3 0\nopeners 0\nrefusals 0\n%s", lines[i]);
        write_with(&desk, text);
        reads(&desk, false, true);
    }
    desk_end(&desk);
}

static void the_dead_are_no_users(void)
{
    struct record record;
    pid_t child;

    record_init(&record);
    record_join(&record);
    record_join(&record);
    EXPECT_NUMBER(record.user_count, 1);
    child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    record.users[record.user_count++] = (struct record_user){child, rundir_process_start(child)};
    record.users[record.user_count++] =
        (struct record_user){1, 42}; /* it started at another time */
    EXPECT_NUMBER(record_leave(&record), 1);
    CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
    (void)usleep(50000);
    EXPECT_NUMBER(record_leave(&record), 0); /* a zombie does nothing any more */
    (void)waitpid(child, NULL, 0);
}

void add_record_suite(void)
{
    static const struct test tests[] = {
        TEST(what_was_written_is_read),
        TEST(a_torn_record_is_not_believed_and_counts_as_dirty),
        TEST(a_dead_process_leaves_it_dirty),
        TEST(links_and_foreign_files_are_left_alone),
        TEST(a_file_of_another_user_is_left_alone),
        TEST(what_stood_before_the_modem_was_plugged_in_anew_is_to_be_closed),
        TEST(without_a_directory_there_is_none),
        TEST(a_full_disk_is_noticed),
        TEST(a_time_that_is_too_late_is_not_believed),
        TEST(the_boot_is_asked_for_once),
        TEST(whose_pin_opened_and_whose_was_refused_is_read_again),
        TEST(an_older_programs_record_is_read_and_tells_nothing_of_pins),
        TEST(hostile_lines_about_pins_are_not_believed),
        TEST(a_process_without_proc_shares_the_record),
        TEST(what_another_boot_left_is_known_and_in_doubt),
        TEST(the_channels_of_a_torn_record_and_of_another_version_are_known),
        TEST(the_table_of_owners_is_read_again_however_much_there_is),
        TEST(an_older_program_is_told_of_an_orphan),
        TEST(hostile_owners_are_not_believed),
        TEST(the_dead_are_no_users),
    };

    ADD_SUITE("record", tests);
}
