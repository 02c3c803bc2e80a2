/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of the interface's table: names, values, files, environment, precedence, copies. */
#include "apdu/settings.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void expect_refused(const char *name, const char *value, const char *said)
{
    struct settings settings;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    EXPECT(settings_set(&settings, name, value, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, said);
    settings_clear(&settings);
}

static void the_defaults_are_those_of_the_table(void)
{
    struct settings settings;

    memset(&settings, 0x55, sizeof settings);
    settings_init(&settings);
    CU_ASSERT_PTR_NULL(settings.device);
    EXPECT_NUMBER(settings.baud, 115200);
    EXPECT_NUMBER(settings.carrier, CARRIER_AUTO);
    CU_ASSERT_PTR_NULL(settings.pin_source);
    CU_ASSERT_PTR_NULL(settings.pin);
    CU_ASSERT_PTR_NULL(settings.sim_pin_source);
    EXPECT_NUMBER(settings.timeout, 30);
    EXPECT_NUMBER(settings.session, SESSION_SHARED);
    CU_ASSERT_PTR_NULL(settings.run_dir);
    EXPECT_NUMBER(settings.trace.level, TRACE_OFF);
    settings_clear(&settings);
}

static void every_name_is_known_with_hyphens_and_underscores(void)
{
    static const char *const names[] = {"device",  "baud",    "transport",  "pin-source",
                                        "pin",     "timeout", "session",    "sim-pin-source",
                                        "run-dir", "trace",   "pin_source", "sim_pin_source",
                                        "run_dir"};
    static const char *const others[] = {"",           "Device", "pins",     "pin-sourc", "devic",
                                         "pin source", "module", "activate", "identity"};
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!settings_known(names[i]))
            FAIL("\"%s\" is not known", names[i]);
    for (i = 0; i < sizeof others / sizeof others[0]; i++)
        if (settings_known(others[i]))
            FAIL("\"%s\" is known", others[i]);
    expect_refused("pins", "0000", "pins");
}

static void values_arrive_where_they_belong(void)
{
    struct settings settings;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    EXPECT(settings_set(&settings, "device", "/dev/ttyUSB2", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "baud", "921600", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "transport", "ccho", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "pin-source", "file:/etc/pin", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "sim_pin_source", "/etc/pin1", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "timeout", "7", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "session", "private", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "run-dir", "/run/x", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "trace", "at", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "log", "syslog", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.log, LOG_TO_SYSLOG);
    EXPECT(settings_set(&settings, "log", "stderr", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.log, LOG_TO_STDERR);
    EXPECT(settings_set(&settings, "log", "", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.log, LOG_TO_NOWHERE);
    EXPECT(settings_set(&settings, "log", "file", &why), OUTCOME_USAGE, &why);
    EXPECT_TEXT(settings.device, "/dev/ttyUSB2");
    EXPECT_NUMBER(settings.baud, 921600);
    EXPECT_NUMBER(settings.carrier, CARRIER_CCHO);
    EXPECT_SAYS(settings.pin_source, "/etc/pin");
    EXPECT_TEXT(settings.sim_pin_source, "/etc/pin1");
    EXPECT_NUMBER(settings.timeout, 7);
    EXPECT_NUMBER(settings.session, SESSION_PRIVATE);
    EXPECT_TEXT(settings.run_dir, "/run/x");
    EXPECT_NUMBER(settings.trace.level, TRACE_AT);
    CU_ASSERT_PTR_NULL(settings.trace.path);
    /* The words one by one. */
    EXPECT(settings_set(&settings, "transport", "csim", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.carrier, CARRIER_CSIM);
    EXPECT(settings_set(&settings, "transport", "auto", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.carrier, CARRIER_AUTO);
    EXPECT(settings_set(&settings, "session", "keep", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.session, SESSION_KEEP);
    EXPECT(settings_set(&settings, "session", "shared", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.session, SESSION_SHARED);
    EXPECT(settings_set(&settings, "trace", "apdu", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.trace.level, TRACE_APDU);
    EXPECT(settings_set(&settings, "trace", "provider", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.trace.level, TRACE_PROVIDER);
    EXPECT(settings_set(&settings, "trace", "apdu,file:/tmp/t", &why), OUTCOME_OK, &why);
    EXPECT_TEXT(settings.trace.path, "/tmp/t");
    EXPECT(settings_set(&settings, "trace", "off", &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.trace.level, TRACE_OFF);
    settings_clear(&settings);
}

static void an_empty_value_takes_a_setting_back(void)
{
    struct settings settings, fresh;
    struct report why = REPORT_INIT;
    static const char *const names[] = {"device",  "baud",    "transport", "pin-source",
                                        "pin",     "timeout", "session",   "sim-pin-source",
                                        "run-dir", "trace"};
    static const char *const values[] = {"/dev/x", "9600", "csim", "/p", "1234",
                                         "3",      "keep", "/s",   "/r", "at"};
    size_t i;

    settings_init(&settings);
    settings_init(&fresh);
    for (i = 0; i < 10; i++) {
        EXPECT(settings_set(&settings, names[i], values[i], &why), OUTCOME_OK, &why);
        CU_ASSERT_FALSE(settings_equal(&settings, &fresh));
        EXPECT(settings_set(&settings, names[i], "", &why), OUTCOME_OK, &why);
        if (!settings_equal(&settings, &fresh))
            FAIL("%s was not taken back", names[i]);
    }
    settings_clear(&settings);
}

static void bad_values_are_refused_saying_what_is_allowed(void)
{
    expect_refused("baud", "fast", "baud");
    expect_refused("baud", "0", "baud");
    expect_refused("baud", "-9600", "baud");
    expect_refused("baud", "9600x", "baud");
    expect_refused("baud", "99999999999999999999", "baud");
    expect_refused("timeout", "0", "timeout");
    expect_refused("timeout", "-1", "timeout");
    expect_refused("timeout", "1.5", "timeout");
    expect_refused("timeout", "4294967297", "timeout");
    expect_refused("transport", "qmi", "ccho");
    expect_refused("transport", "CSIM ", "csim");
    expect_refused("session", "for-ever", "private");
    expect_refused("trace", "everything", "apdu");
}

static void a_pin_is_never_repeated_in_a_sentence(void)
{
    static const char *const pins[] = {"98 76", "9876x", "98765432109876543210987654321098765432"};
    struct settings settings;
    size_t i;

    for (i = 0; i < 3; i++) {
        struct report why = REPORT_INIT;

        settings_init(&settings);
        (void)settings_set(&settings, "pin", pins[i], &why);
        EXPECT_SAYS_NOT(why.text, "98");
        settings_clear(&settings);
    }
}

static void a_failed_setting_leaves_the_old_value(void)
{
    struct settings settings;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    EXPECT(settings_set(&settings, "timeout", "9", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "timeout", "soon", &why), OUTCOME_USAGE, &why);
    EXPECT_NUMBER(settings.timeout, 9);
    EXPECT(settings_set(&settings, "transport", "pigeon", &why), OUTCOME_USAGE, &why);
    EXPECT_NUMBER(settings.carrier, CARRIER_AUTO);
    settings_clear(&settings);
}

static void pin_and_pin_source_override_each_other(void)
{
    struct settings settings;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    EXPECT(settings_set(&settings, "pin", "1234", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "pin-source", "/etc/pin", &why), OUTCOME_OK, &why);
    CU_ASSERT_PTR_NULL(settings.pin);
    CU_ASSERT_PTR_NOT_NULL(settings.pin_source);
    EXPECT(settings_set(&settings, "pin", "5678", &why), OUTCOME_OK, &why);
    CU_ASSERT_PTR_NULL(settings.pin_source);
    EXPECT_TEXT(settings.pin, "5678");
    /* PIN1 is another PIN. */
    EXPECT(settings_set(&settings, "sim-pin-source", "/etc/pin1", &why), OUTCOME_OK, &why);
    EXPECT_TEXT(settings.pin, "5678");
    settings_clear(&settings);
}

/* ---- files ---- */

static enum outcome load(const char *content, struct settings *settings, struct report *why)
{
    struct folder folder;
    char path[192];
    enum outcome outcome;

    folder_make(&folder);
    folder_write(&folder, "simkey.conf", content, strlen(content), 0600, path);
    outcome = settings_load_file(settings, path, why);
    folder_remove(&folder);
    return outcome;
}

static void a_file_has_names_values_and_comments(void)
{
    struct settings settings;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    EXPECT(load("# our lorry\n\n  device = /dev/serial/by-id/usb-Quectel_BG96-if02  \r\n"
                "timeout=12\n\ttransport =\tcsim\n   # pin = 1111\nrun_dir = /run/a b\n"
                "session = private",
                &settings, &why),
           OUTCOME_OK, &why);
    EXPECT_TEXT(settings.device, "/dev/serial/by-id/usb-Quectel_BG96-if02");
    EXPECT_NUMBER(settings.timeout, 12);
    EXPECT_NUMBER(settings.carrier, CARRIER_CSIM);
    EXPECT_TEXT(settings.run_dir, "/run/a b");
    EXPECT_NUMBER(settings.session, SESSION_PRIVATE);
    CU_ASSERT_PTR_NULL(settings.pin);
    settings_clear(&settings);
}

static void a_mistake_in_a_file_is_found_by_file_and_line(void)
{
    static const struct {
        const char *content, *said;
    } cases[] = {{"device = /dev/x\n\n# x\ntimeout = soon\n", "4"},
                 {"device = /dev/x\nspeed = 9600\n", "2"},
                 {"device /dev/x\n", "1"},
                 {"= 3\n", "1"}};
    struct settings settings;
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct report why = REPORT_INIT;

        settings_init(&settings);
        EXPECT(load(cases[i].content, &settings, &why), OUTCOME_USAGE, &why);
        EXPECT_SAYS(why.text, "simkey.conf");
        EXPECT_SAYS(why.text, cases[i].said);
        settings_clear(&settings);
    }
}

static void a_pin_in_a_broken_line_is_not_repeated(void)
{
    struct settings settings;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    EXPECT(load("pin 9876\n", &settings, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS_NOT(why.text, "9876");
    settings_clear(&settings);
}

static void hostile_files_are_refused_without_harm(void)
{
    enum { MUCH = 70000 };
    char *much = malloc(MUCH + 1);
    struct settings settings;
    struct report why = REPORT_INIT;
    struct folder folder;

    memset(much, 'x', MUCH);
    much[MUCH] = '\0';
    settings_init(&settings);
    EXPECT(load(much, &settings, &why), OUTCOME_USAGE, &why);
    memcpy(much, "device = ", 9);
    /* A device of 70000 characters is one or the other, but not another device. */
    if (load(much, &settings, &why) == OUTCOME_OK)
        EXPECT_NUMBER(strlen(settings.device), MUCH - 9);
    EXPECT(settings_load_file(&settings, "/nonexistent/simkey.conf", &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "/nonexistent/simkey.conf");
    folder_make(&folder);
    CU_ASSERT(settings_load_file(&settings, folder.path, &why) != OUTCOME_OK);
    folder_remove(&folder);
    settings_clear(&settings);
    free(much);
}

static void simkey_conf_names_a_file_that_must_exist(void)
{
    struct settings settings;
    struct report why = REPORT_INIT;
    struct folder folder;
    char path[192];

    settings_init(&settings);
    setenv("SIMKEY_CONF", "/nonexistent/simkey.conf", 1);
    EXPECT(settings_load_file(&settings, NULL, &why), OUTCOME_USAGE, &why);
    folder_make(&folder);
    folder_write(&folder, "c", "timeout = 21\n", 13, 0600, path);
    setenv("SIMKEY_CONF", path, 1);
    EXPECT(settings_load_file(&settings, NULL, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.timeout, 21);
    unsetenv("SIMKEY_CONF");
    folder_remove(&folder);
    settings_clear(&settings);
}

/* ---- environment, precedence, copies ---- */

static void the_environment_has_a_name_for_each_setting(void)
{
    static const char *const names[] = {"SIMKEY_DEVICE",  "SIMKEY_BAUD",    "SIMKEY_TRANSPORT",
                                        "SIMKEY_PIN",     "SIMKEY_TIMEOUT", "SIMKEY_SIM_PIN_SOURCE",
                                        "SIMKEY_SESSION", "SIMKEY_RUN_DIR", "SIMKEY_TRACE"};
    static const char *const values[] = {"/dev/e",  "57600", "ccho",   "4321", "8",
                                         "/e/pin1", "keep",  "/e/run", "apdu"};
    struct settings settings;
    struct report why = REPORT_INIT;
    size_t i;

    for (i = 0; i < 9; i++)
        setenv(names[i], values[i], 1);
    settings_init(&settings);
    EXPECT(settings_load_environment(&settings, &why), OUTCOME_OK, &why);
    for (i = 0; i < 9; i++)
        unsetenv(names[i]);
    EXPECT_TEXT(settings.device, "/dev/e");
    EXPECT_NUMBER(settings.baud, 57600);
    EXPECT_NUMBER(settings.carrier, CARRIER_CCHO);
    EXPECT_TEXT(settings.pin, "4321");
    EXPECT_NUMBER(settings.timeout, 8);
    EXPECT_TEXT(settings.sim_pin_source, "/e/pin1");
    EXPECT_NUMBER(settings.session, SESSION_KEEP);
    EXPECT_TEXT(settings.run_dir, "/e/run");
    EXPECT_NUMBER(settings.trace.level, TRACE_APDU);
    setenv("SIMKEY_PIN_SOURCE", "/e/pin", 1);
    EXPECT(settings_load_environment(&settings, &why), OUTCOME_OK, &why);
    unsetenv("SIMKEY_PIN_SOURCE");
    EXPECT_SAYS(settings.pin_source, "/e/pin");
    settings_clear(&settings);
}

static void a_bad_value_in_the_environment_is_found_by_its_name(void)
{
    struct settings settings;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    setenv("SIMKEY_TIMEOUT", "a while", 1);
    EXPECT(settings_load_environment(&settings, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "SIMKEY_TIMEOUT");
    unsetenv("SIMKEY_TIMEOUT");
    settings_clear(&settings);
}

static void what_is_set_later_wins(void)
{
    struct settings settings;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    EXPECT(load("device = /dev/file\ntimeout = 1\npin = 1111\n", &settings, &why), OUTCOME_OK,
           &why);
    setenv("SIMKEY_DEVICE", "/dev/environment", 1);
    setenv("SIMKEY_PIN_SOURCE", "/environment/pin", 1);
    EXPECT(settings_load_environment(&settings, &why), OUTCOME_OK, &why);
    unsetenv("SIMKEY_DEVICE");
    unsetenv("SIMKEY_PIN_SOURCE");
    EXPECT_TEXT(settings.device, "/dev/environment");
    EXPECT_NUMBER(settings.timeout, 1);
    /* The PIN of the file is not the PIN any more. */
    CU_ASSERT_PTR_NULL(settings.pin);
    EXPECT(settings_set(&settings, "device", "/dev/line", &why), OUTCOME_OK, &why);
    EXPECT_TEXT(settings.device, "/dev/line");
    settings_clear(&settings);
}

static void a_copy_owns_its_strings_and_equals(void)
{
    struct settings settings, copy;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    EXPECT(settings_set(&settings, "device", "/dev/x", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "pin", "1234", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "trace", "at,file:/tmp/trace", &why), OUTCOME_OK, &why);
    EXPECT(settings_copy(&copy, &settings, &why), OUTCOME_OK, &why);
    CU_ASSERT(settings_equal(&settings, &copy));
    CU_ASSERT(copy.device != settings.device && copy.trace.path != settings.trace.path);
    settings_clear(&settings);
    EXPECT_TEXT(copy.device, "/dev/x");
    EXPECT_TEXT(copy.pin, "1234");
    EXPECT_TEXT(copy.trace.path, "/tmp/trace");
    CU_ASSERT_PTR_NULL(settings.device);
    CU_ASSERT_FALSE(settings_equal(&settings, &copy));
    settings_clear(&copy);
    CU_ASSERT(settings_equal(&settings, &copy));
}

static void another_sim_pin_or_way_is_not_equal(void)
{
    static const char *const names[] = {"device", "transport", "pin", "pin-source",
                                        "sim-pin-source"};
    static const char *const values[] = {"/dev/y", "csim", "9999", "/p", "/q"};
    struct settings a, b;
    struct report why = REPORT_INIT;
    size_t i;

    for (i = 0; i < 5; i++) {
        settings_init(&a);
        EXPECT(settings_set(&a, "device", "/dev/x", &why), OUTCOME_OK, &why);
        EXPECT(settings_set(&a, "pin", "1234", &why), OUTCOME_OK, &why);
        EXPECT(settings_copy(&b, &a, &why), OUTCOME_OK, &why);
        EXPECT(settings_set(&b, names[i], values[i], &why), OUTCOME_OK, &why);
        CU_ASSERT_FALSE(settings_equal(&a, &b));
        settings_clear(&a);
        settings_clear(&b);
    }
}

static void the_agent_is_a_device_with_or_without_a_path(void)
{
    const char *path = "before";

    CU_ASSERT(settings_agent("agent", &path) && path == NULL);
    CU_ASSERT(settings_agent("agent:", &path) && path == NULL);
    CU_ASSERT(settings_agent("agent:/run/x", &path));
    EXPECT_TEXT(path, "/run/x");
    CU_ASSERT(settings_agent("agent:/run/x", NULL));
    CU_ASSERT(!settings_agent("agents", &path) && !settings_agent("/dev/agent", &path) &&
              !settings_agent("agen", &path) && !settings_agent("", &path) &&
              !settings_agent(NULL, &path));
}

void add_settings_suite(void)
{
    static const struct test tests[] = {
        TEST(the_agent_is_a_device_with_or_without_a_path),
        TEST(the_defaults_are_those_of_the_table),
        TEST(every_name_is_known_with_hyphens_and_underscores),
        TEST(values_arrive_where_they_belong),
        TEST(an_empty_value_takes_a_setting_back),
        TEST(bad_values_are_refused_saying_what_is_allowed),
        TEST(a_pin_is_never_repeated_in_a_sentence),
        TEST(a_failed_setting_leaves_the_old_value),
        TEST(pin_and_pin_source_override_each_other),
        TEST(a_file_has_names_values_and_comments),
        TEST(a_mistake_in_a_file_is_found_by_file_and_line),
        TEST(a_pin_in_a_broken_line_is_not_repeated),
        TEST(hostile_files_are_refused_without_harm),
        TEST(simkey_conf_names_a_file_that_must_exist),
        TEST(the_environment_has_a_name_for_each_setting),
        TEST(a_bad_value_in_the_environment_is_found_by_its_name),
        TEST(what_is_set_later_wins),
        TEST(a_copy_owns_its_strings_and_equals),
        TEST(another_sim_pin_or_way_is_not_equal),
    };

    ADD_SUITE("settings", tests);
}
