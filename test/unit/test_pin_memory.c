/* SPDX-License-Identifier: Apache-2.0 */
/* One try, and no second one from a source that was refused: whatever the card says of its tries, in
 * this process, in the next one, and beyond a reboot. */
#include "apdu/applet/mias.h"
#include "apdu/applet/pin.h"
#include "apdu/session/pin_store.h"
#include "test/unit/check.h"
#include "test/unit/scripted_card.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIM       "89880330000000000017"
#define ASK_81    "00 20 00 81"
#define VERIFY_81 "00 20 00 81 04 30303030"

struct bench {
    struct folder folder;
    struct settings settings;
    struct pin_memory memory;
    struct report why;
    char path[192];
};

/* The PIN in a file, and a folder for what outlives a reboot. */
static void bench_begin(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    report_clear(&bench->why);
    folder_make(&bench->folder);
    folder_write(&bench->folder, "secret", "0000\n", 5, 0600, bench->path);
    settings_init(&bench->settings);
    EXPECT(settings_set(&bench->settings, "device", "/dev/null", &bench->why), OUTCOME_OK,
           &bench->why);
    EXPECT(settings_set(&bench->settings, "pin-source", bench->path, &bench->why), OUTCOME_OK,
           &bench->why);
    CU_ASSERT_EQUAL(setenv("SIMKEY_STATE_DIR", bench->folder.path, 1), 0);
}

static void bench_end(struct bench *bench)
{
    CU_ASSERT_EQUAL(setenv("SIMKEY_STATE_DIR", "/dev/null/none", 1), 0);
    settings_clear(&bench->settings);
    folder_remove(&bench->folder);
}

static enum outcome bench_unlock(struct bench *bench, const struct card_step *steps)
{
    struct scripted_card card;
    struct pin_given given;
    struct pin_try try = {.given = &given,
                          .memory = &bench->memory,
                          .sim = SIM,
                          .load = pin_store_load,
                          .save = pin_store_save,
                          .settings = &bench->settings};
    enum outcome outcome;

    pin_given_read(&given, &bench->settings, PIN_APPLET);
    card_start(&card, steps);
    card_select(&card, mias_aid, sizeof mias_aid);
    outcome = pin_unlock(&card.card, PIN_APPLET, &try, &bench->why);
    card_finish(&card);
    pin_given_clear(&given);
    return outcome;
}

static const struct card_step asked[] = {{ASK_81, "63C3"}, CARD_END};
static const struct card_step refused[] = {{ASK_81, "63C3"}, {VERIFY_81, "63C2"}, CARD_END};
static const struct card_step accepted[] = {{ASK_81, "63C3"}, {VERIFY_81, "9000"}, CARD_END};

/* Whatever the state says afterwards: a card may lie, or have 15 tries. */
static void what_was_refused_is_not_tried_again(void)
{
    static const char *const answers[] = {"63C2", "6300", "6983",    "6F00",     "6982",
                                          "LOST", "GONE", "TIMEOUT", "+CME 100", "ERROR"};
    size_t i;

    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct card_step steps[] = {{ASK_81, "63C3"}, {VERIFY_81, answers[i]}, CARD_END};
        struct bench bench;

        bench_begin(&bench);
        CU_ASSERT(bench_unlock(&bench, steps) != OUTCOME_OK);
        EXPECT(bench_unlock(&bench, asked), OUTCOME_PIN_PROTECTED, &bench.why);
        EXPECT_SAYS(bench.why.text, bench.path);
        EXPECT_SAYS(bench.why.text, "simkey pin verify");
        memset(&bench.memory, 0, sizeof bench.memory); /* a reboot */
        EXPECT(bench_unlock(&bench, asked), OUTCOME_PIN_PROTECTED, &bench.why);
        bench_end(&bench);
    }
}

static void a_file_that_was_written_anew_is_another_source(void)
{
    struct bench bench;

    bench_begin(&bench);
    EXPECT(bench_unlock(&bench, refused), OUTCOME_PIN_WRONG, &bench.why);
    EXPECT(bench_unlock(&bench, asked), OUTCOME_PIN_PROTECTED, &bench.why);
    folder_write(&bench.folder, "other", "0000\n", 5, 0600, bench.path);
    EXPECT(settings_set(&bench.settings, "pin-source", bench.path, &bench.why), OUTCOME_OK,
           &bench.why);
    EXPECT(bench_unlock(&bench, accepted), OUTCOME_OK, &bench.why);
    bench_end(&bench);
}

/* systemd writes a credential anew at each start of the service: that makes no other source of it. */
static void a_credential_is_the_same_source_after_a_restart(void)
{
    size_t i; /* by its name, then by its path */

    for (i = 0; i < 2; i++) {
        struct bench bench;
        char moved[256];

        bench_begin(&bench);
        CU_ASSERT_EQUAL(setenv("CREDENTIALS_DIRECTORY", bench.folder.path, 1), 0);
        EXPECT(settings_set(&bench.settings, "pin-source",
                            i == 0 ? "credential:secret" : bench.path, &bench.why),
               OUTCOME_OK, &bench.why);
        EXPECT(bench_unlock(&bench, refused), OUTCOME_PIN_WRONG, &bench.why);
        (void)snprintf(moved, sizeof moved, "%s/before", bench.folder.path);
        CU_ASSERT_EQUAL(rename(bench.path, moved), 0);
        folder_write(&bench.folder, "secret", "0000\n", 5, 0600, bench.path);
        EXPECT(bench_unlock(&bench, asked), OUTCOME_PIN_PROTECTED, &bench.why);
        memset(&bench.memory, 0, sizeof bench.memory); /* a reboot */
        EXPECT(bench_unlock(&bench, asked), OUTCOME_PIN_PROTECTED, &bench.why);
        EXPECT(settings_set(&bench.settings, "pin-source", "credential:before", &bench.why),
               OUTCOME_OK, &bench.why);
        EXPECT(bench_unlock(&bench, accepted), OUTCOME_OK, &bench.why);
        CU_ASSERT_EQUAL(unsetenv("CREDENTIALS_DIRECTORY"), 0);
        bench_end(&bench);
    }
}

/* Nobody keeps anything of a PIN by which two of them could be told apart. */
static void all_literal_pins_are_one_source(void)
{
    static const struct card_step wrong[] = {
        {ASK_81, "63C3"}, {"00 20 00 81 04 39383736", "63C2"}, CARD_END};
    struct bench bench;

    bench_begin(&bench);
    EXPECT(settings_set(&bench.settings, "pin", "9876", &bench.why), OUTCOME_OK, &bench.why);
    EXPECT(bench_unlock(&bench, wrong), OUTCOME_PIN_WRONG, &bench.why);
    EXPECT(settings_set(&bench.settings, "pin", "0000", &bench.why), OUTCOME_OK, &bench.why);
    EXPECT(bench_unlock(&bench, asked), OUTCOME_PIN_PROTECTED, &bench.why);
    EXPECT(settings_set(&bench.settings, "pin-source", bench.path, &bench.why), OUTCOME_OK,
           &bench.why);
    EXPECT(bench_unlock(&bench, accepted), OUTCOME_OK, &bench.why);
    bench_end(&bench);
}

static void fewer_tries_than_before_are_no_time_to_try(void)
{
    static const struct card_step ten[] = {{ASK_81, "63CA"}, {VERIFY_81, "9000"}, CARD_END};
    static const struct card_step nine[] = {{ASK_81, "63C9"}, CARD_END};
    struct bench bench;

    bench_begin(&bench);
    EXPECT(bench_unlock(&bench, ten), OUTCOME_OK, &bench.why);
    EXPECT(bench_unlock(&bench, nine), OUTCOME_PIN_PROTECTED, &bench.why);
    EXPECT(bench_unlock(&bench, nine), OUTCOME_PIN_PROTECTED, &bench.why);
    pin_memory_clear(&bench.memory, SIM); /* a person verified */
    EXPECT(bench_unlock(&bench, ten), OUTCOME_OK, &bench.why);
    bench_end(&bench);
}

static enum outcome echo_is_on(void *arg, struct report *why)
{
    (void)arg;
    return report_set(why, OUTCOME_PIN_PROTECTED, "the echo is on");
}

/* A modem called the SIM busy, which had counted the PIN: known beyond a reboot, like any other refusal. */
static void a_pin_that_a_busy_sim_counted_is_not_tried_again(void)
{
    static const struct card_step busy[] = {{ASK_81, "63CA"}, {VERIFY_81, "+CME 14"}, CARD_END};
    static const struct card_step nine[] = {{ASK_81, "63C9"}, CARD_END};
    const struct card_step *const starts[] = {busy, nine};
    struct pin_given given;
    struct bench bench;

    bench_begin(&bench);
    pin_given_read(&given, &bench.settings, PIN_APPLET);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct pin_try try = {.given = &given,
                              .memory = &bench.memory,
                              .sim = SIM,
                              .load = pin_store_load,
                              .save = pin_store_save,
                              .settings = &bench.settings};
        struct scripted_card card;

        card_start(&card, starts[i]);
        card_select(&card, mias_aid, sizeof mias_aid);
        EXPECT(pin_unlock(&card.card, PIN_APPLET, &try, &bench.why),
               i == 0 ? OUTCOME_TIMEOUT : OUTCOME_PIN_PROTECTED, &bench.why);
        CU_ASSERT_TRUE(i > 0 || given.again);
        card_finish(&card);
    }
    pin_given_clear(&given);
    memset(&bench.memory, 0, sizeof bench.memory); /* a reboot */
    EXPECT(bench_unlock(&bench, nine), OUTCOME_PIN_PROTECTED, &bench.why);
    bench_end(&bench);
}

/* The card has answered, but for the rest of its answer it is said to be busy: it has seen the PIN. */
static void a_pin_whose_answer_was_begun_is_not_tried_again(void)
{
    static const struct card_step begun[] = {
        {ASK_81, "63C3"}, {VERIFY_81, "6110"}, {"00 C0 00 00 10", "+CME 14"}, CARD_END};
    struct bench bench;

    bench_begin(&bench);
    CU_ASSERT(bench_unlock(&bench, begun) != OUTCOME_OK);
    EXPECT(bench_unlock(&bench, asked), OUTCOME_PIN_PROTECTED, &bench.why);
    bench_end(&bench);
}

/* A modem that calls the SIM busy has not given the PIN to it: its source may be tried again. */
static void what_a_busy_sim_has_not_seen_is_not_remembered(void)
{
    static const char *const answers[] = {"+CME 14", "+CME 515"};

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct card_step busy[] = {{ASK_81, "63C3"}, {VERIFY_81, answers[i]}, CARD_END};
        struct bench bench;

        bench_begin(&bench);
        for (int operation = 0; operation < 3; operation++)
            EXPECT(bench_unlock(&bench, busy), OUTCOME_TIMEOUT, &bench.why);
        EXPECT(bench_unlock(&bench, accepted), OUTCOME_OK, &bench.why);
        bench_end(&bench);
    }
}

/* Whoever asks knows how many there were, also a program that has no PIN to send. */
static void a_program_without_a_pin_knows_how_many_tries_there_were(void)
{
    static const struct card_step more[] = {{ASK_81, "63C5"}, CARD_END};
    struct bench bench;

    bench_begin(&bench);
    EXPECT(settings_set(&bench.settings, "pin-source", "/dev/null/none", &bench.why), OUTCOME_OK,
           &bench.why);
    CU_ASSERT(bench_unlock(&bench, more) != OUTCOME_OK);
    EXPECT(settings_set(&bench.settings, "pin-source", bench.path, &bench.why), OUTCOME_OK,
           &bench.why);
    EXPECT(bench_unlock(&bench, asked), OUTCOME_PIN_PROTECTED, &bench.why);
    bench_end(&bench);
}

/* What never left is no try: the next one may send it. */
static void a_pin_that_was_not_sent_is_not_remembered(void)
{
    struct scripted_card card;
    struct pin_given given;
    struct pin_memory memory = {.count = 0};
    struct bench bench;
    struct pin_try try = {.given = &given, .memory = &memory, .sim = ""};

    bench_begin(&bench);
    try.settings = &bench.settings;
    pin_given_read(&given, &bench.settings, PIN_APPLET);
    card_start(&card, asked);
    card.card.before_pin = echo_is_on;
    card_select(&card, mias_aid, sizeof mias_aid);
    EXPECT(pin_unlock(&card.card, PIN_APPLET, &try, &bench.why), OUTCOME_PIN_PROTECTED, &bench.why);
    card_finish(&card);
    EXPECT_NUMBER(memory.count, 0);
    bench_end(&bench);
}

/* ---- what outlives a reboot ---- */

static void store_path(const struct bench *bench, char path[256])
{
    (void)snprintf(path, 256, "%s/" SIM ".pin", bench->folder.path);
}

/* After a reboot: nothing is known but what the file says. */
static bool remembers(struct bench *bench)
{
    memset(&bench->memory, 0, sizeof bench->memory);
    pin_store_load(&bench->settings, SIM, &bench->memory);
    return pin_memory_count(&bench->memory, SIM) > 0;
}

static void the_file_holds_nothing_of_the_pin_and_is_removed_by_a_person(void)
{
    char path[256], gone[256], text[512] = "";
    struct bench bench;
    struct stat file;
    int fd;

    bench_begin(&bench);
    EXPECT(bench_unlock(&bench, refused), OUTCOME_PIN_WRONG, &bench.why);
    store_path(&bench, path);
    CU_ASSERT_EQUAL_FATAL(stat(path, &file), 0);
    EXPECT_NUMBER(file.st_mode & 0777, 0600);
    fd = open(path, O_RDONLY);
    CU_ASSERT(read(fd, text, sizeof text - 1) > 0);
    (void)close(fd);
    EXPECT_SAYS_NOT(text, " 0000");
    EXPECT_SAYS_NOT(text, "30303030");
    EXPECT_SAYS(text, "refused " SIM " 0 3 file ");
    CU_ASSERT_TRUE(remembers(&bench));
    CU_ASSERT_TRUE(pin_store_forget(&bench.settings, SIM, gone, sizeof gone));
    CU_ASSERT_FALSE(remembers(&bench));
    CU_ASSERT_TRUE(pin_store_forget(&bench.settings, SIM, gone, sizeof gone));
    bench_end(&bench);
}

/* Cut off anywhere or changed anywhere, it crashes nothing and invents no other SIM's refusal. */
static void a_damaged_file_says_less_and_never_crashes(void)
{
    char path[256], text[512];
    struct bench bench;
    ssize_t length;
    int fd;

    bench_begin(&bench);
    EXPECT(bench_unlock(&bench, refused), OUTCOME_PIN_WRONG, &bench.why);
    store_path(&bench, path);
    fd = open(path, O_RDONLY);
    length = read(fd, text, sizeof text);
    (void)close(fd);
    CU_ASSERT_FATAL(length > 20);
    for (ssize_t at = 0; at < length; at++) {
        char was = text[at];

        text[at] = (char)(at % 3 == 0 ? '\0' : at % 3 == 1 ? '~' : '\n');
        folder_write(&bench.folder, SIM ".pin", text, (size_t)length, 0600, path);
        (void)remembers(&bench);
        CU_ASSERT(bench.memory.count <= 1);
        text[at] = was;
        folder_write(&bench.folder, SIM ".pin", text, (size_t)at, 0600, path);
        (void)remembers(&bench);
        CU_ASSERT(bench.memory.count <= 1);
    }
    bench_end(&bench);
}

static void values_that_cannot_be_are_not_believed(void)
{
    static const char *const lines[] = {"refused 898803300000000000171 0 3 file 1 2 3 4 5",
                                        "refused 8988033000x 0 3 file 1 2 3 4 5",
                                        "refused " SIM " 2 3 file 1 2 3 4 5",
                                        "refused " SIM " -1 3 file 1 2 3 4 5",
                                        "refused " SIM " 0 16 file 1 2 3 4 5",
                                        "refused " SIM " 0 -1 file 1 2 3 4 5",
                                        "refused " SIM " 0 3 hash 1 2 3 4 5",
                                        "refused " SIM " 0 3 file 1 2 3 4",
                                        "refused " SIM " 0 3",
                                        "refused",
                                        "verified " SIM " 0 3 file 1 2 3 4 5",
                                        ""};
    struct pin_refusal refusal;
    size_t i;

    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *text = lines[i];

        if (pin_refusal_take(&text, &refusal) || text != lines[i])
            FAIL("believed: %s", lines[i]);
    }
}

static void another_ones_file_and_links_are_left_alone(void)
{
    char path[256], other[256];
    struct bench bench;

    bench_begin(&bench);
    store_path(&bench, path);
    (void)snprintf(other, sizeof other, "%s/other", bench.folder.path);
    EXPECT(bench_unlock(&bench, refused), OUTCOME_PIN_WRONG, &bench.why);
    CU_ASSERT_EQUAL(rename(path, other), 0);
    CU_ASSERT_EQUAL(symlink(other, path), 0);
    CU_ASSERT_FALSE(remembers(&bench));
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(link(other, path), 0);
    CU_ASSERT_FALSE(remembers(&bench));
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CU_ASSERT_FALSE(remembers(&bench));
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(rename(other, path), 0);
    CU_ASSERT_TRUE(remembers(&bench));
    CU_ASSERT_EQUAL(chmod(path, 0666), 0);
    CU_ASSERT_FALSE(remembers(&bench));
    CU_ASSERT_EQUAL(chmod(path, 0600), 0);
    CU_ASSERT_EQUAL(chmod(bench.folder.path, 0777), 0);
    CU_ASSERT_FALSE(remembers(&bench));
    bench_end(&bench);
}

/* Written as a whole or not at all, and no signal for the host program. */
static void a_file_that_cannot_be_written_costs_no_second_try_in_this_boot(void)
{
    const struct rlimit none = {0, RLIM_INFINITY};
    struct rlimit before;
    char path[256];
    struct bench bench;
    struct stat file;

    bench_begin(&bench);
    store_path(&bench, path);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &none), 0);
    EXPECT(bench_unlock(&bench, refused), OUTCOME_PIN_WRONG, &bench.why);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    CU_ASSERT(stat(path, &file) != 0);
    EXPECT(bench_unlock(&bench, asked), OUTCOME_PIN_PROTECTED, &bench.why);
    bench_end(&bench);
}

/* Where no more fits, nothing is tried on that SIM; another SIM's make room. */
static void a_full_memory_refuses_all(void)
{
    struct pin_refusal refusal = {.sim = SIM, .left = 3, .source = {PIN_FILE, {0}}};
    struct pin_identity unknown = {PIN_FILE, {99}};
    struct pin_memory memory = {.count = 0};
    size_t i;

    for (i = 0; i < PIN_REFUSALS + 2; i++) {
        CU_ASSERT_EQUAL(pin_memory_refuses(&memory, SIM, PIN_APPLET, &unknown), i >= PIN_REFUSALS);
        refusal.source.id[0] = i;
        pin_memory_add(&memory, &refusal);
    }
    EXPECT_NUMBER(memory.count, PIN_REFUSALS);
    CU_ASSERT_FALSE(pin_memory_refuses(&memory, "", PIN_APPLET, &unknown));
    memory.refusals[3].sim[0] = '\0';
    refusal.source.id[0] = 77;
    pin_memory_add(&memory, &refusal);
    EXPECT_NUMBER(memory.count, PIN_REFUSALS);
    EXPECT_NUMBER(pin_memory_count(&memory, SIM), PIN_REFUSALS);
    pin_memory_clear(&memory, SIM);
    EXPECT_NUMBER(memory.count, 0);
}

void add_pin_memory_suite(void)
{
    static const struct test tests[] = {
        TEST(what_was_refused_is_not_tried_again),
        TEST(a_file_that_was_written_anew_is_another_source),
        TEST(a_credential_is_the_same_source_after_a_restart),
        TEST(all_literal_pins_are_one_source),
        TEST(fewer_tries_than_before_are_no_time_to_try),
        TEST(a_pin_that_a_busy_sim_counted_is_not_tried_again),
        TEST(a_pin_whose_answer_was_begun_is_not_tried_again),
        TEST(what_a_busy_sim_has_not_seen_is_not_remembered),
        TEST(a_program_without_a_pin_knows_how_many_tries_there_were),
        TEST(a_pin_that_was_not_sent_is_not_remembered),
        TEST(the_file_holds_nothing_of_the_pin_and_is_removed_by_a_person),
        TEST(a_damaged_file_says_less_and_never_crashes),
        TEST(values_that_cannot_be_are_not_believed),
        TEST(another_ones_file_and_links_are_left_alone),
        TEST(a_file_that_cannot_be_written_costs_no_second_try_in_this_boot),
        TEST(a_full_memory_refuses_all),
    };

    ADD_SUITE("pin_memory", tests);
}
