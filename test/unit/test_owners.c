/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the channels beside the shared one are: the record's table, and the files of older programs. */
#include "apdu/session/old_claims.h"
#include "apdu/session/record.h"
#include "apdu/session/rundir.h"
#include "test/unit/pty.h"
#include "test/unit/safe2_seat.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct channel numbered(unsigned number)
{
    return (struct channel){.open = true, .carrier = CARRIER_CSIM, .number = (uint8_t)number};
}

static struct channel named(const char *session)
{
    struct channel channel = {.open = true, .carrier = CARRIER_CCHO};

    (void)snprintf(channel.session, sizeof channel.session, "%s", session);
    return channel;
}

/* ---- the table ---- */

static void an_entry_is_found_by_its_channel_until_it_is_removed(void)
{
    const struct channel one = numbered(1), also = named("1"), closed = {.number = 1};
    struct owners owners = {0};

    owners_orphan(&owners, &one, DOUBT_NONE);
    owners_hold(&owners, &also, getpid(), rundir_process_start(getpid()));
    EXPECT_NUMBER(owners.count, 2);
    CU_ASSERT_PTR_NULL(owners_find(&owners, &closed));
    CU_ASSERT_PTR_NOT_NULL_FATAL(owners_find(&owners, &one));
    EXPECT_NUMBER(owners_state(owners_find(&owners, &one)), OWNER_IS_DEAD);
    EXPECT_NUMBER(owners_state(owners_find(&owners, &also)), OWNER_HOLDS);
    CU_ASSERT_TRUE(owners_know(&owners, 1));
    CU_ASSERT_FALSE(owners_know(&owners, 2));
    owners_orphan(&owners, &also, DOUBT_ASK); /* it is one entry further on */
    EXPECT_NUMBER(owners.count, 2);
    owners_remove(&owners, &one);
    owners_remove(&owners, &one);
    EXPECT_NUMBER(owners.count, 1);
    EXPECT_NUMBER(owners_find(&owners, &also)->doubt, DOUBT_ASK);
    owners_doubt_all(&owners);
    EXPECT_NUMBER(owners_find(&owners, &also)->doubt, DOUBT_GONE);
}

/* A search for a channel that was missed asks numbers that may be nobody's. */
static void a_guess_takes_no_channels_place(void)
{
    struct owners owners = {0};
    struct channel channel;

    for (unsigned i = 1; i <= OWNERS_MAX / 2 - 1; i++) {
        channel = numbered(i);
        owners_orphan(&owners, &channel, DOUBT_NONE);
    }
    for (unsigned i = 1; i <= 19; i++) {
        char name[8];

        (void)snprintf(name, sizeof name, "%u", i);
        channel = named(name);
        owners_guess(&owners, &channel);
    }
    EXPECT_NUMBER(owners.count, OWNERS_MAX / 2);
    channel = named("1");
    CU_ASSERT_PTR_NOT_NULL_FATAL(owners_find(&owners, &channel));
    owners_guess(&owners, &channel);
    EXPECT_NUMBER(owners_find(&owners, &channel)->doubt, DOUBT_ASK);
    for (unsigned i = 1; i <= OWNERS_MAX / 2 - 1; i++) {
        channel = numbered(i);
        CU_ASSERT_PTR_NOT_NULL(owners_find(&owners, &channel));
    }
}

static void a_full_table_loses_what_is_least_likely_to_be_open(void)
{
    struct owners owners = {0};
    struct channel channel;
    char name[8];

    for (unsigned i = 0; i < OWNERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        channel = named(name);
        owners_orphan(&owners, &channel, i == 7 ? DOUBT_GONE : i == 9 ? DOUBT_ASK : DOUBT_NONE);
    }
    channel = named("a");
    owners_orphan(&owners, &channel, DOUBT_NONE);
    channel = named("7");
    CU_ASSERT_PTR_NULL(owners_find(&owners, &channel));
    channel = named("b");
    owners_orphan(&owners, &channel, DOUBT_NONE);
    channel = named("9");
    CU_ASSERT_PTR_NULL(owners_find(&owners, &channel));
    EXPECT_NUMBER(owners.count, OWNERS_MAX);
}

static void who_died_holds_nothing(void)
{
    const struct channel one = numbered(1);
    struct owners owners = {0};
    pid_t child = fork_child();

    if (child == 0)
        _exit(pause());
    owners_hold(&owners, &one, child, rundir_process_start(child));
    EXPECT_NUMBER(owners_state(&owners.list[0]), OWNER_HOLDS);
    owners.list[0].start++; /* another process of that number */
    EXPECT_NUMBER(owners_state(&owners.list[0]), OWNER_IS_DEAD);
    owners.list[0].start = 0; /* it had no /proc to learn it from */
    EXPECT_NUMBER(owners_state(&owners.list[0]), OWNER_HOLDS);
    end_child(child);
    EXPECT_NUMBER(owners_state(&owners.list[0]), OWNER_IS_DEAD);
}

/* ---- the files of older programs ---- */

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

static void read_claims(const struct desk *desk, enum owner claims[CHANNEL_MAX + 1])
{
    struct rundir_place place;

    rundir_place_open(&place, &desk->settings);
    old_claims_read(&place, claims);
    rundir_place_close(&place);
}

static void remove_claim(const struct desk *desk, unsigned number)
{
    struct rundir_place place;

    rundir_place_open(&place, &desk->settings);
    old_claims_remove(&place, number);
    rundir_place_close(&place);
}

static void an_older_programs_claims_are_honoured(void)
{
    enum owner claims[CHANNEL_MAX + 1];
    struct desk desk;
    char path[192], text[64];
    int fd;

    desk_begin(&desk, "/dev/ttyUSB7");
    (void)snprintf(text, sizeof text, "%ld %llu\n", (long)getpid(),
                   (unsigned long long)rundir_process_start(getpid()));
    folder_write(&desk.folder, "dev-ttyUSB7.channel-19", text, strlen(text), 0660, path);
    folder_write(&desk.folder, "dev-ttyUSB8.channel-2", text, strlen(text), 0660, path);
    folder_write(&desk.folder, "dev-ttyUSB7.channel-2", "1 42\n", 5, 0660, path);
    folder_write(&desk.folder, "dev-ttyUSB7.channel-20", text, strlen(text), 0660, path);
    folder_write(&desk.folder, "dev-ttyUSB7.channel-03", text, strlen(text), 0660, path);
    folder_write(&desk.folder, "dev-ttyUSB7.channel-1", text, strlen(text), 0660, path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL(flock(fd, LOCK_EX), 0);
    read_claims(&desk, claims);
    EXPECT_NUMBER(claims[1], OWNER_HOLDS);
    EXPECT_NUMBER(claims[2], OWNER_IS_DEAD);
    EXPECT_NUMBER(claims[3], OWNER_NONE);
    EXPECT_NUMBER(claims[19], OWNER_LIVES);
    remove_claim(&desk, 2);
    (void)close(fd);
    read_claims(&desk, claims);
    EXPECT_NUMBER(claims[1], OWNER_LIVES);
    EXPECT_NUMBER(claims[2], OWNER_NONE);
    desk_end(&desk);
}

static void senseless_and_hostile_claims_do_no_harm(void)
{
    static const char *const texts[] = {
        "", "x", "-1 5\n", "0 0\n", "1", "99999999999999999999 1\n", "1 99999999999999999999\n"};
    enum owner claims[CHANNEL_MAX + 1];
    struct report why = REPORT_INIT;
    struct desk desk;
    char path[192];
    size_t i;

    desk_begin(&desk, "/dev/ttyUSB7");
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        folder_write(&desk.folder, "dev-ttyUSB7.channel-4", texts[i], strlen(texts[i]), 0660, path);
        read_claims(&desk, claims);
        EXPECT_NUMBER(claims[4], OWNER_IS_DEAD);
        remove_claim(&desk, 4);
    }
    /* A link that leads elsewhere is not followed, a fifo does not hold anybody up. */
    folder_write(&desk.folder, "victim", "precious", 8, 0600, path);
    (void)snprintf(path, sizeof path, "%s/dev-ttyUSB7.channel-4", desk.folder.path);
    CU_ASSERT_EQUAL(symlink("victim", path), 0);
    read_claims(&desk, claims);
    EXPECT_NUMBER(claims[4], OWNER_NONE);
    (void)unlink(path);
    CU_ASSERT_EQUAL(mkfifo(path, 0660), 0);
    read_claims(&desk, claims);
    EXPECT_NUMBER(claims[4], OWNER_NONE);
    (void)unlink(path);
    /* Nor is a folder believed that others can write, or that is none. */
    folder_write(&desk.folder, "dev-ttyUSB7.channel-4", "1 42\n", 5, 0660, path);
    CU_ASSERT_EQUAL(chmod(desk.folder.path, 0777), 0);
    read_claims(&desk, claims);
    EXPECT_NUMBER(claims[4], OWNER_NONE);
    EXPECT(settings_set(&desk.settings, "run-dir", "/dev/null", &why), OUTCOME_OK, &why);
    read_claims(&desk, claims);
    remove_claim(&desk, 4);
    EXPECT_NUMBER(claims[4], OWNER_NONE);
    desk_end(&desk);
}

void add_owners_suite(void)
{
    static const struct test tests[] = {
        TEST(an_entry_is_found_by_its_channel_until_it_is_removed),
        TEST(a_guess_takes_no_channels_place),
        TEST(a_full_table_loses_what_is_least_likely_to_be_open),
        TEST(who_died_holds_nothing),
        TEST(an_older_programs_claims_are_honoured),
        TEST(senseless_and_hostile_claims_do_no_harm),
    };

    ADD_SUITE("owners", tests);
}
