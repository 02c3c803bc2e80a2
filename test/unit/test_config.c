/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's configuration: read once, and again if memory or descriptors were out; and what a section
 * of openssl.cnf says. */
#include "provider/openssl_conf.h"
#include "provider/provider.h"
#include "provider/uri.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A core without a section for us. */
static int no_section(const OSSL_CORE_HANDLE *handle, OSSL_PARAM params[])
{
    (void)handle, (void)params;
    return 1;
}

static void make_provider(struct provider *provider)
{
    memset(provider, 0, sizeof *provider);
    provider->core.get_params = no_section;
}

static enum outcome choose(struct provider *provider, const char *text, struct report *why)
{
    struct choice *choice = NULL;
    struct uri uri;
    enum outcome outcome = uri_parse(&uri, text, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = config_choice(provider, &uri, uri.iccid, &choice, why);
    choice_free(choice);
    uri_clear(&uri);
    return outcome;
}

static void a_configuration_that_could_not_be_read_is_read_at_the_next_use(void)
{
    struct provider provider;
    struct report why = REPORT_INIT;
    struct folder folder;
    struct rlimit before, none;
    char path[192];
    enum outcome outcome;

    make_provider(&provider);
    folder_make(&folder);
    folder_write(&folder, "c", "device = /dev/x\n", 16, 0600, path);
    setenv("SIMKEY_CONF", path, 1);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    config_load(&provider);
    outcome = choose(&provider, "sim:signing", &why);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT(outcome, OUTCOME_SYSTEM, &why);
    EXPECT(choose(&provider, "sim:signing", &why), OUTCOME_OK, &why);
    /* what was read stays */
    setenv("SIMKEY_CONF", "/nonexistent", 1);
    EXPECT(choose(&provider, "sim:signing", &why), OUTCOME_OK, &why);
    config_clear(&provider);
    unsetenv("SIMKEY_CONF");
    folder_remove(&folder);
}

static void a_mistake_stays_one(void)
{
    struct provider provider;
    struct report why = REPORT_INIT;

    make_provider(&provider);
    setenv("SIMKEY_TIMEOUT", "soon", 1);
    config_load(&provider);
    unsetenv("SIMKEY_TIMEOUT");
    EXPECT(choose(&provider, "sim:signing", &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "SIMKEY_TIMEOUT");
    config_clear(&provider);
}

static void *choose_often(void *arg)
{
    for (int i = 0; i < 200; i++) {
        struct report why = REPORT_INIT;

        if (choose(arg, i % 2 == 0 ? "sim:signing" : "sim:signing;iccid=89880330000000000017",
                   &why) != OUTCOME_OK)
            return arg;
    }
    return NULL;
}

/* The first use of several threads at once. */
static void threads_may_read_it_at_once(void)
{
    struct provider provider;
    struct folder folder;
    pthread_t threads[8];
    char path[192];
    static const char text[] = "device = /dev/x\n[b]\ndevice = /dev/y\n";

    make_provider(&provider);
    folder_make(&folder);
    folder_write(&folder, "c", text, sizeof text - 1, 0600, path);
    setenv("SIMKEY_CONF", path, 1);
    for (size_t i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, choose_often, &provider), 0);
    for (size_t i = 0; i < 8; i++) {
        void *failed = NULL;

        CU_ASSERT_EQUAL(pthread_join(threads[i], &failed), 0);
        CU_ASSERT_PTR_NULL(failed);
    }
    config_clear(&provider);
    unsetenv("SIMKEY_CONF");
    folder_remove(&folder);
}

/* ---- the section of openssl.cnf ---- */

static const char *section_of(struct folder *folder, CONF *conf, const char *lines)
{
    char text[2048], path[192];

    (void)snprintf(text, sizeof text,
                   "openssl_conf = i\n[i]\nproviders = p\n[p]\nsimkey = s\n[s]\n%s", lines);
    folder_write(folder, "cnf", text, strlen(text), 0600, path);
    return openssl_conf_section(conf, path);
}

struct section {
    CONF *conf;
    const char *name;
};

static const char *value_of(void *arg, const char *name)
{
    const struct section *section = arg;

    return openssl_conf_value(section->conf, section->name, name);
}

static void every_spelling_of_a_setting_is_taken(void)
{
    static const struct {
        const char *lines, *pin_source, *sim_pin_source, *run_dir, *pin;
    } cases[] = {
        {"pin_source = a\nsim_pin_source = b\nrun_dir = c\n", "a", "b", "c", NULL},
        {"sim-pin_source = a\n", NULL, "a", NULL, NULL},
        {"sim_pin-source = a\nsim-pin-source = b\nsim_pin_source = c\n", NULL, "b", NULL, NULL},
        {"pin-source = a\npin_source = b\n", "a", NULL, NULL, NULL},
        {"pin = 1234\npin_source = a\n", NULL, NULL, NULL, "1234"},
        {"pin_source = a\npin-source =\n", NULL, NULL, NULL, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct section section = {.conf = NCONF_new(NULL)};
        struct report why = REPORT_INIT;
        struct settings settings;
        struct folder folder;

        folder_make(&folder);
        settings_init(&settings);
        section.name = section_of(&folder, section.conf, cases[i].lines);
        CU_ASSERT_PTR_NOT_NULL_FATAL(section.name);
        EXPECT(openssl_conf_take(&settings, value_of, &section, &why), OUTCOME_OK, &why);
#define SAME(a, b) ((a) == NULL || (b) == NULL ? (a) == (b) : strcmp(a, b) == 0)
        CU_ASSERT(SAME(settings.pin_source, cases[i].pin_source));
        CU_ASSERT(SAME(settings.sim_pin_source, cases[i].sim_pin_source));
        CU_ASSERT(SAME(settings.run_dir, cases[i].run_dir));
        CU_ASSERT(SAME(settings.pin, cases[i].pin));
#undef SAME
        settings_clear(&settings);
        NCONF_free(section.conf);
        folder_remove(&folder);
    }
}

static void names_that_nobody_knows_are_told_as_far_as_there_is_room(void)
{
    CONF *conf = NCONF_new(NULL);
    struct folder folder;
    const char *section;
    char text[24];

    folder_make(&folder);
    section = section_of(&folder, conf,
                         "activate = 1\n2.module = m\nidentity = simkey\nsoft_load = 1\n"
                         "run_dir = /tmp\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(section);
    CU_ASSERT_FALSE(openssl_conf_unknown(conf, section, text, sizeof text));
    CU_ASSERT_STRING_EQUAL(text, "");
    NCONF_free(conf);
    conf = NCONF_new(NULL);
    section = section_of(&folder, conf,
                         "sesion = keep\ndevice = x\nrun.dir = y\ncolour-of-all = red\nz = 1\n");
    CU_ASSERT_TRUE(openssl_conf_unknown(conf, section, text, sizeof text));
    CU_ASSERT_STRING_EQUAL(text, "sesion, run.dir, colour");
    NCONF_free(conf);
    folder_remove(&folder);
}

void add_config_suite(void)
{
    static const struct test tests[] = {
        TEST(a_configuration_that_could_not_be_read_is_read_at_the_next_use),
        TEST(a_mistake_stays_one),
        TEST(threads_may_read_it_at_once),
        TEST(every_spelling_of_a_setting_is_taken),
        TEST(names_that_nobody_knows_are_told_as_far_as_there_is_room),
    };

    ADD_SUITE("config", tests);
}
