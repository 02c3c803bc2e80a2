/* SPDX-License-Identifier: Apache-2.0 */
/* `sim:` URIs: what the interface lets people type, what it does not, and that what is written is read again. */
#include "provider/uri.h"
#include "test/unit/check.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void expect_parsed(const char *text, struct uri *uri)
{
    struct report why = REPORT_INIT;

    memset(uri, 0x55, sizeof *uri);
    EXPECT(uri_parse(uri, text, &why), OUTCOME_OK, &why);
}

/* Refused, with a sentence that names the trouble. */
static void expect_refused_at(const char *file, int line, const char *text, const char *said)
{
    struct uri uri;
    struct report why = REPORT_INIT;

    memset(&uri, 0x55, sizeof uri);
    if (uri_parse(&uri, text, &why) != OUTCOME_USAGE) {
        fail_at(file, line, "\"%s\" was not refused", text);
        if (why.outcome == OUTCOME_OK)
            uri_clear(&uri);
        return;
    }
    check_contains(file, line, why.text, said, true);
}
#define EXPECT_REFUSED(text, said) expect_refused_at(__FILE__, __LINE__, text, said)

static void a_bare_uri_has_the_defaults(void)
{
    struct uri uri, fresh;

    uri_init(&fresh);
    expect_parsed("sim:signing", &uri);
    EXPECT_NUMBER(uri.what, URI_SIGNING);
    EXPECT_NUMBER(uri.type, URI_ANY);
    EXPECT_NUMBER(uri.key.container, TOKEN_CONTAINER_NONE);
    EXPECT_NUMBER(uri.key.id_length, 0);
    EXPECT_TEXT(uri.iccid, "");
    EXPECT_NUMBER(uri.setting_count, 0);
    EXPECT_NUMBER(fresh.what, URI_SIGNING);
    CU_ASSERT(token_name_equal(&fresh.key, &uri.key));
    uri_clear(&uri);
    expect_parsed("sim:available", &uri);
    EXPECT_NUMBER(uri.what, URI_AVAILABLE);
    EXPECT_NUMBER(uri.store, TYPEA_ANY);
    uri_clear(&uri);
    /* RFC 3986, 3.1: schemes are case-insensitive. */
    expect_parsed("SIM:signing", &uri);
    uri_clear(&uri);
}

static void attributes_are_read_in_any_order(void)
{
    struct uri uri;

    expect_parsed("sim:signing;iccid=89880330000000000017;type=cert;key-id=4F;container=14", &uri);
    EXPECT_NUMBER(uri.key.container, 14);
    EXPECT_BYTES(uri.key.id, uri.key.id_length, "4F");
    EXPECT_NUMBER(uri.type, URI_CERT);
    EXPECT_TEXT(uri.iccid, "89880330000000000017");
    uri_clear(&uri);
    expect_parsed("sim:available;store=files;type=private", &uri);
    EXPECT_NUMBER(uri.store, TYPEA_FILES);
    EXPECT_NUMBER(uri.type, URI_PRIVATE);
    uri_clear(&uri);
    expect_parsed("sim:available;type=public;store=objects", &uri);
    EXPECT_NUMBER(uri.store, TYPEA_OBJECTS);
    EXPECT_NUMBER(uri.type, URI_PUBLIC);
    uri_clear(&uri);
    expect_parsed("sim:signing;key-id=0", &uri);
    EXPECT_NUMBER(uri.key.container, 0);
    EXPECT_BYTES(uri.key.id, uri.key.id_length, "00");
    uri_clear(&uri);
}

static void a_key_has_one_name_of_bytes_or_text(void)
{
    struct uri uri;

    expect_parsed("sim:signing;id=%00%01%7F%ff", &uri);
    EXPECT_BYTES(uri.key.id, uri.key.id_length, "00017FFF");
    EXPECT_NUMBER(uri.key.container, TOKEN_CONTAINER_NONE);
    CU_ASSERT(uri_names_key(&uri));
    uri_clear(&uri);
    expect_parsed("sim:signing;object=Bootstrap%20Key_1", &uri);
    EXPECT_TEXT(uri.key.label, "Bootstrap Key_1");
    CU_ASSERT(uri_names_key(&uri));
    uri_clear(&uri);
    expect_parsed("sim:signing;container=1", &uri);
    CU_ASSERT_FALSE(uri_names_key(&uri));
    uri_clear(&uri);
}

static void percent_escapes_are_undone_in_values(void)
{
    struct uri uri;
    struct settings settings;
    struct report why = REPORT_INIT;

    expect_parsed(
        "sim:signing;container=%32?device=/dev/serial/by-id/usb%20Modem%3B1%25&timeout=%35", &uri);
    EXPECT_NUMBER(uri.key.container, 2);
    EXPECT_NUMBER(uri.setting_count, 2);
    EXPECT_TEXT(uri.settings[0].name, "device");
    EXPECT_TEXT(uri.settings[0].value, "/dev/serial/by-id/usb Modem;1%");
    settings_init(&settings);
    EXPECT(settings_set(&settings, "device", "/dev/serial/by-id/usb Modem;1%", &why), OUTCOME_OK,
           &why);
    EXPECT(uri_apply(&uri, &settings, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.timeout, 5);
    settings_clear(&settings);
    uri_clear(&uri);
}

static void what_is_no_sim_uri_is_refused(void)
{
    EXPECT_REFUSED("", "sim:");
    EXPECT_REFUSED("sim", "sim:");
    EXPECT_REFUSED("file:signing", "sim:");
    EXPECT_REFUSED("pkcs11:object=x", "sim:");
    EXPECT_REFUSED("sim:", "signing");
    EXPECT_REFUSED("sim:sign", "signing");
    EXPECT_REFUSED("sim:signing2", "available");
    EXPECT_REFUSED("sim:Signing", "signing");
    EXPECT_REFUSED("sim: signing", "signing");
}

static void bad_attributes_are_refused_by_name(void)
{
    EXPECT_REFUSED("sim:signing;container=15", "container");
    EXPECT_REFUSED("sim:signing;container=-1", "container");
    EXPECT_REFUSED("sim:signing;container=", "container");
    EXPECT_REFUSED("sim:signing;container=1x", "container");
    EXPECT_REFUSED("sim:signing;container= 1", "container");
    EXPECT_REFUSED("sim:signing;container=99999999999999999999", "container");
    EXPECT_REFUSED("sim:signing;key-id=100", "key-id");
    EXPECT_REFUSED("sim:signing;key-id=G1", "key-id");
    EXPECT_REFUSED("sim:signing;key-id=0x31", "key-id");
    EXPECT_REFUSED("sim:signing;id=", "id");
    EXPECT_REFUSED("sim:signing;id=%0", "id");
    EXPECT_REFUSED("sim:signing;id=123456789012345678901", "20 bytes");
    EXPECT_REFUSED("sim:signing;object=", "object");
    EXPECT_REFUSED("sim:signing;object=a%0Ab", "object");
    EXPECT_REFUSED(
        "sim:signing;object=1234567890123456789012345678901234567890123456789012345678901",
        "60 bytes");
    EXPECT_REFUSED("sim:signing;id=%01;object=a", "twice");
    EXPECT_REFUSED("sim:signing;id=%01;container=1", "twice");
    EXPECT_REFUSED("sim:signing;key-id=31;object=a", "twice");
    EXPECT_REFUSED("sim:signing;type=secret", "type");
    EXPECT_REFUSED("sim:signing;iccid=123", "iccid");
    EXPECT_REFUSED("sim:signing;iccid=8988033000000000001712345", "iccid");
    EXPECT_REFUSED("sim:signing;iccid=8988033000000000001G", "iccid");
    EXPECT_REFUSED("sim:available;store=tape", "store");
    EXPECT_REFUSED("sim:signing;colour=blue", "colour");
    EXPECT_REFUSED("sim:signing;container", "container");
    EXPECT_REFUSED("sim:signing;=1", "");
    EXPECT_REFUSED("sim:signing;", "");
    EXPECT_REFUSED("sim:signing;container=1;container=1", "container");
    /* Each belongs to one of the two. */
    EXPECT_REFUSED("sim:available;container=1", "container");
    EXPECT_REFUSED("sim:available;key-id=31", "key-id");
    EXPECT_REFUSED("sim:available;id=%01", "id");
    EXPECT_REFUSED("sim:available;object=a", "object");
    EXPECT_REFUSED("sim:signing;store=files", "store");
}

static void bad_escapes_are_refused(void)
{
    EXPECT_REFUSED("sim:signing?device=%", "device");
    EXPECT_REFUSED("sim:signing?device=%2", "device");
    EXPECT_REFUSED("sim:signing?device=%zz", "device");
    EXPECT_REFUSED("sim:signing?device=/dev/x%00y", "device");
    EXPECT_REFUSED("sim:signing?device=a b", "device");
    EXPECT_REFUSED("sim:signing?device=a\nb", "device");
    EXPECT_REFUSED("sim:signing?device=\xC3\xA9", "device");
    EXPECT_REFUSED("sim:signing?device=/dev/x%1Bc", "device");
    EXPECT_REFUSED("sim:signing?device=/dev/x%7F", "device");
    EXPECT_REFUSED("sim:signing?device=/dev/x%0a", "device");
}

static void settings_are_known_and_come_once(void)
{
    EXPECT_REFUSED("sim:signing?speed=1", "speed");
    EXPECT_REFUSED("sim:signing?container=1", "container");
    EXPECT_REFUSED("sim:signing;device=/dev/x", "?");
    EXPECT_REFUSED("sim:signing?timeout=3&timeout=4", "timeout");
    EXPECT_REFUSED("sim:signing?timeout", "timeout");
    EXPECT_REFUSED("sim:signing?device=", "device");
    EXPECT_REFUSED("sim:signing?baud=1", "baud");
}

static void a_uri_never_holds_the_pin_itself(void)
{
    struct uri uri;
    struct report why = REPORT_INIT;

    EXPECT_REFUSED("sim:signing?pin=9876", "pin-source");
    EXPECT_REFUSED("sim:signing?pi%6E=9876", "");
    EXPECT(uri_parse(&uri, "sim:signing?pin=9876", &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS_NOT(why.text, "9876");
}

/* A URI may come from somebody else: what names a file, a device of its own or a PIN is refused by its
 * name, with the place where it belongs. */
static void a_uri_names_no_file_and_no_pin(void)
{
    static const char *const names[] = {
        "pin-source", "pin_source", "sim-pin-source", "run-dir", "run_dir", "trace", "baud"};
    struct report why = REPORT_INIT;
    struct uri uri;
    char text[128];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(text, sizeof text, "sim:signing?timeout=3&%s=file:/tmp/x", names[i]);
        EXPECT(uri_parse(&uri, text, &why), OUTCOME_USAGE, &why);
        EXPECT_SAYS(why.text, settings_name(settings_index(names[i])));
        EXPECT_SAYS(why.text, "/etc/simkey/simkey.conf");
        EXPECT_SAYS_NOT(why.text, "/tmp/x");
    }
}

/* A sentence is shown on a terminal. */
static void no_control_character_comes_into_a_sentence(void)
{
    static const char *const texts[] = {
        "sim:signing;\033[31mred=1", "sim:signing?\033c=1",     "sim:signing;a\rb=1",
        "sim:signing?de\nvice=x",    "sim:signing;\xC2\x9Bm=1", "sim:signing;\033]0;x\007",
    };
    struct report why = REPORT_INIT;
    struct uri uri;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        EXPECT(uri_parse(&uri, texts[i], &why), OUTCOME_USAGE, &why);
        for (const char *c = why.text; *c != '\0'; c++)
            if (*c < ' ' || *c >= 0x7f)
                FAIL("character %02x in the sentence for URI %zu", (unsigned char)*c, i);
    }
}

static void apply(const char *text, enum outcome expected, const char *session, const char *timeout)
{
    struct report why = REPORT_INIT;
    struct settings settings;
    struct uri uri;

    settings_init(&settings);
    EXPECT(settings_set(&settings, "session", session, &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "timeout", timeout, &why), OUTCOME_OK, &why);
    expect_parsed(text, &uri);
    EXPECT(uri_apply(&uri, &settings, &why), expected, &why);
    uri_clear(&uri);
    settings_clear(&settings);
}

static void a_uri_leaves_no_more_open_than_is_configured(void)
{
    apply("sim:signing?session=keep", OUTCOME_USAGE, "shared", "");
    apply("sim:signing?session=keep", OUTCOME_USAGE, "private", "");
    apply("sim:signing?session=shared", OUTCOME_USAGE, "private", "");
    apply("sim:signing?session=shared", OUTCOME_OK, "keep", "");
    apply("sim:signing?session=keep", OUTCOME_OK, "keep", "");
    apply("sim:signing?session=private", OUTCOME_OK, "shared", "");
}

static void a_uri_keeps_nobody_waiting_for_long(void)
{
    apply("sim:signing?timeout=300", OUTCOME_OK, "", "");
    apply("sim:signing?timeout=301", OUTCOME_USAGE, "", "");
    apply("sim:signing?timeout=86400", OUTCOME_USAGE, "", "30");
    apply("sim:signing?timeout=500", OUTCOME_OK, "", "600");
    apply("sim:signing?timeout=1", OUTCOME_OK, "", "");
}

static void a_bad_value_is_found_when_it_is_applied(void)
{
    struct uri uri;
    struct settings settings;
    struct report why = REPORT_INIT;

    expect_parsed("sim:signing?timeout=soon", &uri);
    settings_init(&settings);
    EXPECT(uri_apply(&uri, &settings, &why), OUTCOME_USAGE, &why);
    EXPECT_SAYS(why.text, "timeout");
    settings_clear(&settings);
    uri_clear(&uri);
}

static void the_uri_overrides_what_was_set_before(void)
{
    struct uri uri;
    struct settings settings;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    EXPECT(settings_set(&settings, "transport", "csim", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&settings, "pin", "1234", &why), OUTCOME_OK, &why);
    expect_parsed("sim:signing?transport=ccho&timeout=7", &uri);
    EXPECT(uri_apply(&uri, &settings, &why), OUTCOME_OK, &why);
    EXPECT_NUMBER(settings.carrier, CARRIER_CCHO);
    EXPECT_NUMBER(settings.timeout, 7);
    EXPECT_TEXT(settings.pin, "1234");
    uri_clear(&uri);
    settings_clear(&settings);
}

/* ---- which modem ---- */

static void make_modems(struct modems *modems, const char *first)
{
    struct report why = REPORT_INIT;

    modems_init(modems);
    EXPECT(settings_set(&modems->first, "device", first, &why), OUTCOME_OK, &why);
    for (size_t i = 0; i < 2; i++) {
        struct further_modem *modem = &modems->further[i];

        settings_init(&modem->settings);
        strcpy(modem->name, i == 0 ? "second" : "third");
        EXPECT(
            settings_set(&modem->settings, "device", i == 0 ? "/dev/second" : "/dev/third", &why),
            OUTCOME_OK, &why);
    }
    modems->count = 2;
}

/* That many are found, and the first one has that device; 0: refused, with that in the sentence. */
static void expect_modems(const struct modems *modems, const char *text, const char *iccid,
                          size_t wanted, const char *device)
{
    const struct settings *list[MODEMS_ALL];
    struct report why = REPORT_INIT;
    struct uri uri;
    size_t count = 0;

    expect_parsed(text, &uri);
    EXPECT(uri_modems(&uri, iccid, modems, list, &count, &why),
           wanted > 0 ? OUTCOME_OK : OUTCOME_USAGE, &why);
    if (wanted > 0) {
        EXPECT_NUMBER(count, wanted);
        EXPECT_TEXT(list[0]->device, device);
    } else {
        EXPECT_SAYS(why.text, device);
    }
    uri_clear(&uri);
}

static void a_uri_means_one_of_the_configured_modems(void)
{
    struct modems modems;

    make_modems(&modems, "/dev/first");
    expect_modems(&modems, "sim:signing", "", 1, "/dev/first");
    expect_modems(&modems, "sim:signing;modem=third", "", 1, "/dev/third");
    expect_modems(&modems, "sim:signing;modem=fourth", "", 0, "second, third");
    expect_modems(&modems, "sim:signing?device=/dev/second", "", 1, "/dev/second");
    expect_modems(&modems, "sim:signing?device=/dev/first", "", 1, "/dev/first");
    expect_modems(&modems, "sim:signing?device=/dev/fourth", "", 0, "device");
    /* the SIM is looked for in all of them */
    expect_modems(&modems, "sim:signing", "89880330000000000017", 3, "/dev/first");
    expect_modems(&modems, "sim:signing;modem=second", "89880330000000000017", 1, "/dev/second");
    modems_clear(&modems);
    make_modems(&modems, "");
    expect_modems(&modems, "sim:signing", "", 0, "second, third");
    expect_modems(&modems, "sim:signing", "89880330000000000017", 2, "/dev/second");
    modems_clear(&modems);
    EXPECT_REFUSED("sim:signing;modem=", "modem");
    EXPECT_REFUSED("sim:signing;modem=a%20b", "modem");
    EXPECT_REFUSED("sim:signing;modem=../x/y", "modem");
}

/* By a link to it, too; a link to another one is another one. */
static void a_link_to_a_configured_device_names_that_modem(void)
{
    struct modems modems;
    struct folder folder;
    char device[192], other[192], text[512];

    folder_make(&folder);
    folder_write(&folder, "tty", "", 0, 0600, device);
    folder_write(&folder, "other", "", 0, 0600, other);
    make_modems(&modems, device);
    for (int i = 0; i < 2; i++) {
        char link[192];

        (void)snprintf(link, sizeof link, "%s/link", folder.path);
        CU_ASSERT_EQUAL(symlink(i == 0 ? device : other, link), 0);
        (void)snprintf(text, sizeof text, "sim:signing?device=%s", link);
        expect_modems(&modems, text, "", i == 0, i == 0 ? device : "device");
        CU_ASSERT_EQUAL(unlink(link), 0);
    }
    modems_clear(&modems);
    folder_remove(&folder);
}

/* What is written is read again as the same, and the container is always said. */
static void writing_and_reading_agree(void)
{
    static const char *const texts[] = {"sim:signing",
                                        "sim:signing;container=7;key-id=a1",
                                        "sim:signing;id=%01%00%7f",
                                        "sim:signing;object=a%20b%3Bc",
                                        "sim:available;store=files;type=private",
                                        ("sim:signing;iccid=89880330000000000017?device=/dev/"
                                         "a%20b%26c%3Bd%25e%23f%3Fg%3Dh&timeout=9"),
                                        "sim:available;modem=second?device=/x/%C3%A9"};
    struct uri uri, again;
    char *text = NULL, *second = NULL;
    struct report why = REPORT_INIT;
    size_t i, j;

    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        expect_parsed(texts[i], &uri);
        EXPECT(uri_format(&uri, &text, &why), OUTCOME_OK, &why);
        expect_parsed(text, &again);
        EXPECT_NUMBER(again.what, uri.what);
        EXPECT_NUMBER(again.type, uri.type);
        EXPECT_NUMBER(again.store, uri.store);
        CU_ASSERT(token_name_equal(&again.key, &uri.key));
        EXPECT_TEXT(again.iccid, uri.iccid);
        EXPECT_NUMBER(again.setting_count, uri.setting_count);
        for (j = 0; j < uri.setting_count && j < again.setting_count; j++)
            EXPECT_TEXT(again.settings[j].value, uri.settings[j].value);
        EXPECT(uri_format(&again, &second, &why), OUTCOME_OK, &why);
        EXPECT_TEXT(second, text);
        free(text);
        free(second);
        uri_clear(&uri);
        uri_clear(&again);
    }
}

/* Cuts and flipped bytes of a rich URI: never more than a refusal. */
static void damaged_uris_do_no_harm(void)
{
    static const char whole[] = "sim:signing;container=3;key-id=31;iccid=89880330000000000017;"
                                "type=private;modem=x?device=/dev/%74ty&timeout=5&session=private";
    char text[sizeof whole];
    struct uri uri;
    struct report why = REPORT_INIT;
    size_t i;
    int byte;

    for (i = 0; i < sizeof whole; i++) {
        char *cut = strndup(whole, i);

        if (uri_parse(&uri, cut, &why) == OUTCOME_OK)
            uri_clear(&uri);
        free(cut);
        for (byte = 1; byte < 256; byte += 3) {
            memcpy(text, whole, sizeof whole);
            if (i + 1 < sizeof whole)
                text[i] = (char)byte;
            if (uri_parse(&uri, text, &why) == OUTCOME_OK)
                uri_clear(&uri);
        }
    }
    CU_PASS("no harm");
}

void add_uri_suite(void)
{
    static const struct test tests[] = {
        TEST(a_bare_uri_has_the_defaults),
        TEST(attributes_are_read_in_any_order),
        TEST(a_key_has_one_name_of_bytes_or_text),
        TEST(percent_escapes_are_undone_in_values),
        TEST(what_is_no_sim_uri_is_refused),
        TEST(bad_attributes_are_refused_by_name),
        TEST(bad_escapes_are_refused),
        TEST(settings_are_known_and_come_once),
        TEST(a_uri_never_holds_the_pin_itself),
        TEST(a_uri_names_no_file_and_no_pin),
        TEST(no_control_character_comes_into_a_sentence),
        TEST(a_uri_leaves_no_more_open_than_is_configured),
        TEST(a_uri_keeps_nobody_waiting_for_long),
        TEST(a_bad_value_is_found_when_it_is_applied),
        TEST(the_uri_overrides_what_was_set_before),
        TEST(a_uri_means_one_of_the_configured_modems),
        TEST(a_link_to_a_configured_device_names_that_modem),
        TEST(writing_and_reading_agree),
        TEST(damaged_uris_do_no_harm),
    };

    ADD_SUITE("uri", tests);
}
