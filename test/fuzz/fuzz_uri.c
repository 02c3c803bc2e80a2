/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: sim: URIs. What is parsed and written is parsed to the same again. */
#include "provider/uri.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_same(const struct uri *a, const struct uri *b)
{
    REQUIRE(a->what == b->what && a->type == b->type && a->store == b->store);
    REQUIRE(token_name_equal(&a->key, &b->key));
    REQUIRE(strcmp(a->iccid, b->iccid) == 0);
    REQUIRE(a->setting_count == b->setting_count);
    for (size_t i = 0; i < a->setting_count; i++) {
        REQUIRE(strcmp(a->settings[i].name, b->settings[i].name) == 0);
        REQUIRE(strcmp(a->settings[i].value, b->settings[i].value) == 0);
    }
}

static void check_values(const struct uri *uri)
{
    REQUIRE(uri->key.container >= TOKEN_CONTAINER_NONE && uri->key.container < TOKEN_CONTAINERS);
    REQUIRE(uri->key.id_length <= TOKEN_ID_MAX && strlen(uri->key.label) < TOKEN_LABEL_SIZE);
    REQUIRE(uri->iccid[0] == '\0' || strlen(uri->iccid) >= 10);
    REQUIRE(uri->setting_count <= URI_SETTINGS);
    for (size_t i = 0; i < uri->setting_count; i++) {
        REQUIRE(settings_known(uri->settings[i].name));
        REQUIRE(strstr(uri->settings[i].name, "pin") == NULL &&
                strstr(uri->settings[i].name, "run") == NULL &&
                strcmp(uri->settings[i].name, "trace") != 0);
    }
}

static void try_settings(const struct uri *uri)
{
    struct report why = REPORT_INIT;
    struct settings settings, copy;
    enum outcome outcome;

    settings_init(&settings);
    REQUIRE(settings_set(&settings, "device", "/dev/ttyUSB2", &why) == OUTCOME_OK);
    outcome = uri_apply(uri, &settings, &why);
    check_report(outcome, &why);
    REQUIRE(settings.pin == NULL && settings.pin_source == NULL);
    REQUIRE(settings.sim_pin_source == NULL && settings.run_dir == NULL);
    REQUIRE(settings.trace.level == TRACE_OFF && strcmp(settings.device, "/dev/ttyUSB2") == 0);
    if (outcome == OUTCOME_OK) {
        REQUIRE(settings_copy(&copy, &settings, &why) == OUTCOME_OK);
        REQUIRE(settings_equal(&copy, &settings));
        settings_clear(&copy);
    }
    settings_clear(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = input_text((struct span){data, size}), *first = NULL, *second = NULL;
    struct report why = REPORT_INIT;
    struct uri uri, again;
    enum outcome outcome = uri_parse(&uri, text, &why);

    check_report(outcome, &why);
    if (outcome == OUTCOME_OK) {
        check_values(&uri);
        REQUIRE(uri_format(&uri, &first, &why) == OUTCOME_OK);
        REQUIRE(uri_parse(&again, first, &why) == OUTCOME_OK);
        check_same(&uri, &again);
        REQUIRE(uri_format(&again, &second, &why) == OUTCOME_OK);
        REQUIRE(strcmp(first, second) == 0);
        try_settings(&uri);
        uri_clear(&again);
        uri_clear(&uri);
    }
    free(first);
    free(second);
    free(text);
    return 0;
}
