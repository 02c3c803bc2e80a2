/* SPDX-License-Identifier: Apache-2.0 */
/* The settings file with its sections: who is configured, what is inherited, what is refused, and
 * which files are not read at all. */
#include "apdu/modems.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static enum outcome load_mode(const char *content, size_t length, unsigned mode,
                              struct modems *modems, struct report *why)
{
    struct folder folder;
    char path[192];
    enum outcome outcome;

    folder_make(&folder);
    folder_write(&folder, "simkey.conf", content, length, mode, path);
    modems_init(modems);
    outcome = modems_load_file(modems, path, why);
    folder_remove(&folder);
    return outcome;
}

static enum outcome load(const char *content, struct modems *modems, struct report *why)
{
    return load_mode(content, strlen(content), 0600, modems, why);
}

static void expect_refused(const char *content, const char *said)
{
    struct modems modems;
    struct report why = REPORT_INIT;

    EXPECT(load(content, &modems, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "simkey.conf");
    EXPECT_SAYS(why.text, said);
    modems_clear(&modems);
}

static void sections_are_further_modems(void)
{
    struct modems modems;
    const struct settings *found;
    struct report why = REPORT_INIT;

    EXPECT(load("device = /dev/a\npin = 1111\n\n[second]\n device=/dev/b\r\n#pin = 9\npin = 2222\n"
                "[ 3rd.modem_x-y ]\ndevice = pcsc:0\ntimeout = 5",
                &modems, &why),
           OUTCOME_OK, &why);
    EXPECT_NUMBER(modems.count, 2);
    EXPECT_TEXT(modems.first.device, "/dev/a");
    EXPECT_TEXT(modems.first.pin, "1111");
    EXPECT(modems_named(&modems, NULL, &found, &why), OUTCOME_OK, &why);
    CU_ASSERT_PTR_EQUAL(found, &modems.first);
    EXPECT(modems_named(&modems, "second", &found, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(found->device, "/dev/b");
    EXPECT_TEXT(found->pin, "2222");
    EXPECT(modems_named(&modems, "3rd.modem_x-y", &found, &why), OUTCOME_OK, &why);
    EXPECT_TEXT(found->device, "pcsc:0");
    EXPECT_NUMBER(found->timeout, 5);
    CU_ASSERT_PTR_NULL(found->pin);
    EXPECT(modems_named(&modems, "Second", &found, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "second, 3rd.modem_x-y");
    CU_ASSERT_PTR_EQUAL(modems_with_device(&modems, "/dev/b"), &modems.further[0].settings);
    CU_ASSERT_PTR_NULL(modems_with_device(&modems, "/dev/c"));
    modems_clear(&modems);
    EXPECT_NUMBER(modems.count, 0);
}

/* What is common is inherited; what belongs to one modem never is. */
static void no_credential_and_no_device_is_inherited(void)
{
    struct modems modems;
    const struct settings *second;
    struct report why = REPORT_INIT;

    EXPECT(load("device = /dev/a\npin = 1111\nsim-pin-source = /s\nbaud = 9600\ntransport = ccho\n"
                "timeout = 7\nsession = private\nrun-dir = /r\ntrace = at,file:/t\n[b]\ndevice = "
                "/dev/b\n[c]\ndevice = /dev/c\ntimeout = 8\nsession = keep\nrun_dir = /q\ntrace = "
                "off\n",
                &modems, &why),
           OUTCOME_OK, &why);
    EXPECT(modems_complete(&modems, &why), OUTCOME_OK, &why);
    EXPECT(modems_named(&modems, "b", &second, &why), OUTCOME_OK, &why);
    CU_ASSERT_PTR_NULL(second->pin);
    CU_ASSERT_PTR_NULL(second->pin_source);
    CU_ASSERT_PTR_NULL(second->sim_pin_source);
    EXPECT_NUMBER(second->baud, 115200);
    EXPECT_NUMBER(second->carrier, CARRIER_AUTO);
    EXPECT_NUMBER(second->timeout, 7);
    EXPECT_NUMBER(second->session, SESSION_PRIVATE);
    EXPECT_TEXT(second->run_dir, "/r");
    EXPECT_NUMBER(second->trace.level, TRACE_AT);
    EXPECT_TEXT(second->trace.path, "/t");
    EXPECT(modems_named(&modems, "c", &second, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(second->timeout, 8);
    EXPECT_NUMBER(second->session, SESSION_KEEP);
    EXPECT_TEXT(second->run_dir, "/q");
    EXPECT_NUMBER(second->trace.level, TRACE_OFF);
    modems_clear(&modems);
}

static void mistakes_in_sections_are_found_by_line(void)
{
    expect_refused("[a]\ndevice = /a\n[a]\ndevice = /b\n", "line 3");
    expect_refused("device = /x\n[a]\npin = 1\n", "line 2");
    expect_refused("[a]\ndevice = /a\n[b]\ndevice = /a\n", "line 3");
    expect_refused("device = /a\n\n[a]\ndevice = /a\n", "line 3");
    expect_refused("[a\n", "line 1");
    expect_refused("[\n", "line 1");
    expect_refused("[]\n", "line 1");
    expect_refused("[a/b]\n", "line 1");
    expect_refused("[a]\ndevice = /a\n[b]\n", "[b] has no device");
    expect_refused("[a]\ndevice = /a\ndevice =\n", "[a] has no device");
}

/* What openssl.cnf, environment or --device say of the first modem must not lead to another one. */
static void a_first_device_that_is_a_sections_is_refused(void)
{
    struct modems modems;
    struct report why = REPORT_INIT;

    EXPECT(load("device = /dev/a\npin = 1111\n[b]\ndevice = /dev/b\n", &modems, &why), OUTCOME_OK,
           &why);
    EXPECT(settings_set(&modems.first, "device", "/dev/b", &why), OUTCOME_OK, &why);
    EXPECT(modems_complete(&modems, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "--modem b");
    modems_clear(&modems);
}

/* As editors of other systems, shells and people write them. */
static void what_stands_round_a_setting_is_not_part_of_it(void)
{
    static const char *const good[] = {
        "device = /dev/a\n",
        "device = /dev/a",
        "\357\273\277device = /dev/a\r\n",
        "\t device\t=\t/dev/a \t\r\n",
        "device=/dev/a\r\n",
        "\357\273\277# c\r\n\r\ndevice = /dev/a",
    };
    struct report why = REPORT_INIT;
    struct modems modems;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        EXPECT(load(good[i], &modems, &why), OUTCOME_OK, &why);
        EXPECT_TEXT(modems.first.device, "/dev/a");
        modems_clear(&modems);
    }
    EXPECT(load("\357\273\277", &modems, &why), OUTCOME_OK, &why);
    modems_clear(&modems);
    expect_refused("\n\357\273\277device = /dev/a\n", "line 2");
    expect_refused("timeout = 5\ndevice = \"/dev/a\"\n",
                   "line 2: write the value of `device` without");
    expect_refused("pin-source = '/a'\n", "`pin-source` without quotes");
    expect_refused("device = /dev/a\npin = \"4711\"\n", "without quotes");
    EXPECT(load("device = \"\nrun-dir = 'a\n", &modems, &why), OUTCOME_OK, &why);
    modems_clear(&modems);
}

static void a_nul_byte_hides_nothing(void)
{
    static const char text[] = "device = /dev/a\nbaud = 9600\0\ndevice = /dev/b\n";
    struct modems modems;
    struct report why = REPORT_INIT;

    EXPECT(load_mode(text, sizeof text - 1, 0600, &modems, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "line 2");
    modems_clear(&modems);
    EXPECT(load_mode("baud = 9600\0", 12, 0600, &modems, &why), OUTCOME_USAGE, &why);
    modems_clear(&modems);
}

static void a_file_that_others_can_write_is_not_used(void)
{
    static const unsigned bad[] = {0602, 0620, 0666, 0664}, good[] = {0600, 0640, 0644, 0400};
    static const char text[] = "device = /dev/a\n";
    struct modems modems;
    struct report why = REPORT_INIT;

    for (size_t i = 0; i < 4; i++) {
        EXPECT(load_mode(text, sizeof text - 1, bad[i], &modems, &why), OUTCOME_USAGE, &why);
        EXPECT_SAYS(why.text, "chmod go-w");
        CU_ASSERT_PTR_NULL(modems.first.device);
        modems_clear(&modems);
        EXPECT(load_mode(text, sizeof text - 1, good[i], &modems, &why), OUTCOME_OK, &why);
        modems_clear(&modems);
    }
}

/* A FIFO without a writer would keep whoever opens it waiting. */
static void what_is_no_file_is_not_waited_for(void)
{
    struct modems modems;
    struct report why = REPORT_INIT;
    struct folder folder;
    char fifo[192];
    char *much = malloc(SETTINGS_FILE_MAX + 2);

    folder_make(&folder);
    (void)snprintf(fifo, sizeof fifo, "%s/fifo", folder.path);
    CU_ASSERT_EQUAL(mkfifo(fifo, 0600), 0);
    modems_init(&modems);
    EXPECT(modems_load_file(&modems, fifo, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "not a regular file");
    EXPECT(modems_load_file(&modems, folder.path, &why), OUTCOME_USAGE, &why);
    EXPECT(modems_load_file(&modems, "/dev/zero", &why), OUTCOME_USAGE, &why);
    EXPECT(modems_load_file(&modems, "/dev/null", &why), OUTCOME_OK, &why);
    folder_remove(&folder);
    /* as long as may be, and one byte more */
    memset(much, '\n', SETTINGS_FILE_MAX + 1);
    EXPECT(load_mode(much, SETTINGS_FILE_MAX, 0600, &modems, &why), OUTCOME_OK, &why);
    EXPECT(load_mode(much, SETTINGS_FILE_MAX + 1, 0600, &modems, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "65536");
    free(much);
}

/* It passes, so that it is no verdict on the file. */
static void want_of_descriptors_is_a_system_failure(void)
{
    struct modems modems;
    struct report why = REPORT_INIT;
    struct folder folder;
    struct rlimit before, none;
    char path[192];
    enum outcome outcome;

    folder_make(&folder);
    folder_write(&folder, "simkey.conf", "baud = 9600\n", 12, 0600, path);
    modems_init(&modems);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    outcome = modems_load_file(&modems, path, &why);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT(outcome, OUTCOME_SYSTEM, &why);
    EXPECT(modems_load_file(&modems, path, &why), OUTCOME_OK, &why);
    folder_remove(&folder);
    modems_clear(&modems);
}

void add_modems_suite(void)
{
    static const struct test tests[] = {
        TEST(sections_are_further_modems),
        TEST(no_credential_and_no_device_is_inherited),
        TEST(mistakes_in_sections_are_found_by_line),
        TEST(a_first_device_that_is_a_sections_is_refused),
        TEST(what_stands_round_a_setting_is_not_part_of_it),
        TEST(a_nul_byte_hides_nothing),
        TEST(a_file_that_others_can_write_is_not_used),
        TEST(what_is_no_file_is_not_waited_for),
        TEST(want_of_descriptors_is_a_system_failure),
    };

    ADD_SUITE("modems", tests);
}
