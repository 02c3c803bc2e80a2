/* SPDX-License-Identifier: Apache-2.0 */
/* The session record's text: of another boot or version, at its longest, and by somebody who means us
 * harm. */
#include "apdu/session/record.h"
#include "apdu/session/record_text.h"
#include "apdu/session/rundir.h"
#include "test/unit/record_desk.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The longest of everything: it still fits, and all of it is read. */
static void fill_up(struct record *record)
{
    struct pin_refusal refusal = {.sim = "12345678901234567890", .reference = PIN_UICC, .left = 15};

    for (size_t i = 0; i < RECORD_USERS; i++)
        record->users[i] = (struct record_user){INT32_MAX, UINT64_MAX - i, 1};
    record->user_count = RECORD_USERS;
    for (size_t i = 0; i < STATE_OPENERS; i++) {
        struct pin_identity source = {PIN_LITERAL, {i}};

        for (size_t j = 1; j < PIN_ID_NUMBERS; j++)
            source.id[j] = UINT64_MAX;
        state_add_opener(&record->shared, &source);
        refusal.source = source;
        refusal.source.kind = PIN_FILE;
        pin_memory_add(&record->memory, &refusal);
    }
    pin_memory_see(&record->memory, refusal.sim, PIN_APPLET, 15);
}

static void whose_pin_opened_and_whose_was_refused_is_read_again(void)
{
    const struct pin_identity last = {
        PIN_LITERAL, {STATE_OPENERS - 1, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    char wanted[PIN_LINE_SIZE], got[PIN_LINE_SIZE];
    struct record record, old;
    struct record_desk desk;
    int fd;

    record_desk_begin(&desk);
    fd = record_open(&desk.settings, &old);
    record_fill(&record);
    memcpy(record.binding, old.binding, sizeof record.binding);
    fill_up(&record);
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &old));
    CU_ASSERT_TRUE_FATAL(old.remembers && !old.dirty);
    EXPECT_NUMBER(old.shared.opener_count, STATE_OPENERS);
    CU_ASSERT_TRUE(state_opened_by(&old.shared, &last));
    EXPECT_NUMBER(old.memory.count, PIN_REFUSALS);
    for (size_t i = 0; i < PIN_REFUSALS; i++) {
        pin_refusal_text(&record.memory.refusals[i], wanted);
        pin_refusal_text(&old.memory.refusals[i], got);
        CU_ASSERT_STRING_EQUAL(got, wanted);
    }
    EXPECT_NUMBER(pin_memory_left(&old.memory, "12345678901234567890", PIN_APPLET), 15);
    EXPECT_NUMBER(old.user_count, RECORD_USERS);
    state_unverified(&old.shared);
    CU_ASSERT_FALSE(state_opened_by(&old.shared, &last));
    record_desk_end(&desk);
}

/* Reads it as a process does that knows this boot. */
static void read_as(struct record_desk *desk, const char *known, struct record *record)
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
    CU_ASSERT_FALSE(record->shared.channel.open || record->shared.level > LEVEL_CLOSED);
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
    struct record_desk desk;
    char device[sizeof record.binding - sizeof "boot unknown"];
    int fd;

    record_desk_begin(&desk);
    record_desk_write(&desk, false);
    read_as(&desk, "unknown", &record);
    CU_ASSERT_TRUE(record.shared.channel.open && record.shared.level == LEVEL_PIN_OK);
    EXPECT_NUMBER(record.user_count, 1);
    EXPECT_SAYS_NOT(record.binding, "unknown");
    fd = open(desk.file, O_RDWR | O_CLOEXEC);
    CU_ASSERT_TRUE(record_save(fd, &record));
    record_desk_reads(&desk, true, false);
    (void)snprintf(device, sizeof device, "%s", strchr(record.binding, '\n') + 1);
    (void)snprintf(record.binding, sizeof record.binding, "boot unknown\n%s", device);
    CU_ASSERT_TRUE(record_save(fd, &record)); /* the first one was such a process */
    (void)close(fd);
    record_desk_reads(&desk, true, false);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    EXPECT_SAYS_NOT(record.binding, "unknown");
    record_desk_end(&desk);
}

/* The modem may have kept its power when the machine started anew. */
static void what_another_boot_left_is_known_and_in_doubt(void)
{
    struct record record;
    struct record_desk desk;

    record_desk_begin(&desk);
    record_desk_write(&desk, false);
    read_as(&desk, "another", &record);
    CU_ASSERT_FALSE(record.dirty);
    knows_channel_only(&record);
    record_desk_end(&desk);
}

static void the_channels_of_a_torn_record_and_of_another_version_are_known(void)
{
    struct record record;
    struct record_desk desk;
    int fd;

    record_desk_begin(&desk);
    record_desk_write(&desk, false);
    CU_ASSERT_EQUAL(truncate(desk.file, 300), 0);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    CU_ASSERT_TRUE(record.dirty);
    knows_channel_only(&record);
    record_desk_write(&desk, false);
    fd = open(desk.file, O_WRONLY | O_CLOEXEC);
    CU_ASSERT_EQUAL(pwrite(fd, "2", 1, 15), 1); /* "simkey session 2" */
    (void)close(fd);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    knows_channel_only(&record);
    record_desk_end(&desk);
}

/* The second shared channel at its longest; each third process goes on with both. */
static void fill_second(struct record *record)
{
    struct channel_state *second = &record->second;

    record->second_generation = UINT32_MAX;
    second->channel = (struct channel){.open = true, .selected = true, .carrier = CARRIER_CCHO};
    (void)snprintf(second->channel.session, sizeof second->channel.session,
                   "12345678901234567890999");
    second->level = LEVEL_SELECTED;
    second->applet = SELECTED_IOTSAFE;
    second->kept = second->broken = second->iccid_asked = true;
    (void)snprintf(second->iccid, ICCID_SIZE, "12345678901234567890");
    for (unsigned i = 0; i < record->user_count; i++)
        record->users[i].uses = i % 3 == 0 ? 3 : 1 + i % 2;
}

static void expect_second(const struct record *record, const struct record *wanted)
{
    const struct channel_state *second = &record->second;

    EXPECT_NUMBER(record->second_generation, wanted->second_generation);
    CU_ASSERT_TRUE(channel_same(&second->channel, &wanted->second.channel));
    CU_ASSERT_TRUE(second->kept && second->broken && second->iccid_asked);
    EXPECT_NUMBER(second->level, LEVEL_SELECTED);
    EXPECT_NUMBER(second->applet, SELECTED_IOTSAFE);
    EXPECT_TEXT(second->iccid, wanted->second.iccid);
    for (unsigned i = 0; i < record->user_count; i++)
        EXPECT_NUMBER(record->users[i].uses, wanted->users[i].uses);
}

/* All of it at its longest: no channel is left out, but sources that prove their PIN once more. */
static void the_table_of_owners_is_read_again_however_much_there_is(void)
{
    struct record record, old;
    struct record_desk desk;
    int fd;

    record_desk_begin(&desk);
    fd = record_open(&desk.settings, &old);
    record_fill(&record);
    memcpy(record.binding, old.binding, sizeof record.binding);
    fill_up(&record);
    fill_second(&record);
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
    expect_second(&old, &record);
    for (unsigned i = 0; i < old.owners.count; i++) {
        EXPECT_TEXT(old.owners.list[i].channel.session, record.owners.list[i].channel.session);
        EXPECT_NUMBER(old.owners.list[i].pid, record.owners.list[i].pid);
        CU_ASSERT_EQUAL(old.owners.list[i].start, record.owners.list[i].start);
        EXPECT_NUMBER(old.owners.list[i].doubt, record.owners.list[i].doubt);
    }
    EXPECT_NUMBER(old.user_count, RECORD_USERS);
    CU_ASSERT_TRUE(old.shared.opener_count > 0 && old.shared.opener_count <= STATE_OPENERS);
    EXPECT_NUMBER(old.memory.count, PIN_REFUSALS);
    record_desk_end(&desk);
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
static void write_with(struct record_desk *desk, const char *lines)
{
    char text[4096] = "", more[4096];
    char *behind;
    int fd;

    record_desk_write(desk, false);
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
    struct record_desk desk;

    record_desk_begin(&desk);
    write_with(&desk, "");
    record_desk_reads(&desk, true, false);
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    CU_ASSERT_FALSE(record.remembers);
    EXPECT_NUMBER(record.shared.opener_count, 0); /* verified, but by nobody who is known */
    write_with(&desk, "of a later version\n");
    record_desk_reads(&desk, true, false);
    write_with(&desk, "tries - 3 0\nopeners 1\nfile 1 2 3 4 5\nrefusals 0\nlater\n");
    CU_ASSERT_TRUE(record_peek(&desk.settings, &record));
    CU_ASSERT_TRUE(record.remembers);
    EXPECT_NUMBER(record.shared.opener_count, 1);
    record_desk_end(&desk);
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
    struct record_desk desk;
    size_t i;

    record_desk_begin(&desk);
    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        write_with(&desk, lines[i]);
        record_desk_reads(&desk, false, true);
    }
    record_desk_end(&desk);
}

/* An older program is told of one channel that it may close, and tells of one. */
static void an_older_program_is_told_of_an_orphan(void)
{
    const struct channel three = {.open = true, .carrier = CARRIER_CSIM, .number = 3};
    const struct channel two = {.open = true, .carrier = CARRIER_CSIM, .number = 2};
    struct record record;
    struct record_desk desk;
    char text[4096] = "";
    int fd;

    record_desk_begin(&desk);
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
    record_desk_end(&desk);
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
    struct record_desk desk;
    size_t i;

    record_desk_begin(&desk);
    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)snprintf(text, sizeof text, "tries - 3 0\nopeners 0\nrefusals 0\n%s", lines[i]);
        write_with(&desk, text);
        record_desk_reads(&desk, false, true);
    }
    record_desk_end(&desk);
}

void add_record_text_suite(void)
{
    static const struct test tests[] = {
        TEST(whose_pin_opened_and_whose_was_refused_is_read_again),
        TEST(a_process_without_proc_shares_the_record),
        TEST(what_another_boot_left_is_known_and_in_doubt),
        TEST(the_channels_of_a_torn_record_and_of_another_version_are_known),
        TEST(the_table_of_owners_is_read_again_however_much_there_is),
        TEST(an_older_programs_record_is_read_and_tells_nothing_of_pins),
        TEST(hostile_lines_about_pins_are_not_believed),
        TEST(an_older_program_is_told_of_an_orphan),
        TEST(hostile_owners_are_not_believed),
    };

    ADD_SUITE("record_text", tests);
}
