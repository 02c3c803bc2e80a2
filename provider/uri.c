/* SPDX-License-Identifier: Apache-2.0 */
/* Reading `sim:` URIs. How they are written is in uri_format.c, what their settings do to the configured
 * ones in uri_apply.c. */
#include "provider/uri.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ATTRIBUTES                                                                                 \
    "attributes are container, key-id, id, object, applet, store, type, iccid and modem"
#define SETTINGS                                                                                   \
    "settings are timeout, transport, slot, applet, aid, session, and device if it is a "          \
    "configured one"

void uri_init(struct uri *uri)
{
    *uri = (struct uri){.what = URI_SIGNING, .key = TOKEN_NAME_NONE};
}

void uri_clear(struct uri *uri)
{
    for (size_t i = 0; i < uri->setting_count; i++) {
        free(uri->settings[i].name);
        free(uri->settings[i].value);
    }
    uri_init(uri);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, tolower((unsigned char)c));

    return at == NULL ? -1 : (int)(at - digits);
}

/* Undoes percent-encoding in place. False if an escape is broken, or if a character is none that may
 * stand in a URI by itself. */
static bool percent_bytes(char *text, size_t *length)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; to++) {
        if (*from == '%') {
            int high = hex_digit(from[1]);
            int low = high < 0 ? -1 : hex_digit(from[2]);

            if (low < 0)
                return false;
            *to = (char)(high << 4 | low);
            from += 3;
        } else if (*from > ' ' && *from < 0x7f && *from != '#') {
            *to = *from++;
        } else {
            return false;
        }
    }
    *to = '\0';
    *length = (size_t)(to - text);
    return true;
}

/* The same for text: no control character. */
static bool percent_decode(char *text)
{
    size_t length;

    if (!percent_bytes(text, &length))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F)
            return false;
    return true;
}

/* Whether a text may be repeated in a sentence, which a terminal will show. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    return true;
}

/* Cuts `name=value` in two. */
static enum outcome cut(char *part, char **value, struct report *why)
{
    *value = strchr(part, '=');
    if (*value != NULL)
        **value = '\0';
    if (!is_plain(part))
        return report_set(why, OUTCOME_USAGE,
                          "a name in the sim: URI has a character that is not allowed there");
    if (*value == NULL)
        return report_set(why, OUTCOME_USAGE,
                          "the sim: URI has \"%.60s\" where name=value should stand", part);
    (*value)++;
    return OUTCOME_OK;
}

static enum outcome decode_value(const char *name, char *value, struct report *why)
{
    if (percent_decode(value))
        return OUTCOME_OK;
    return report_set(why, OUTCOME_USAGE,
                      "the value of \"%.60s\" in the sim: URI has a wrong %%-escape or a character "
                      "that needs one",
                      name);
}

/* Cuts, and decodes the value. */
static enum outcome split(char *part, char **value, struct report *why)
{
    enum outcome outcome = cut(part, value, why);

    return outcome == OUTCOME_OK ? decode_value(part, *value, why) : outcome;
}

/* A number without sign or spaces, or -1. */
static int parse_number(const char *text, int base, size_t digits)
{
    size_t length = strlen(text);

    if (length == 0 || length > digits)
        return -1;
    for (size_t i = 0; i < length; i++) {
        int digit = hex_digit(text[i]);

        if (digit < 0 || digit >= base)
            return -1;
    }
    return (int)strtol(text, NULL, base);
}

/* One of the words' places, or -1. */
static int parse_word(const char *text, const char *const words[], int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    return -1;
}

static enum outcome set_container(struct uri *uri, char *value, struct report *why)
{
    uri->key.container = parse_number(value, 10, 2);
    if (uri->key.container >= 0 && uri->key.container < TOKEN_CONTAINERS)
        return OUTCOME_OK;
    return report_set(why, OUTCOME_USAGE, "container in the sim: URI must be a number from 0 to %d",
                      TOKEN_CONTAINERS - 1);
}

static enum outcome set_key_id(struct uri *uri, char *value, struct report *why)
{
    int number = parse_number(value, 16, 2);

    if (number < 0)
        return report_set(why, OUTCOME_USAGE,
                          "key-id in the sim: URI must be one or two hex digits");
    uri->key.id_length = 1;
    uri->key.id[0] = (uint8_t)number;
    return OUTCOME_OK;
}

static enum outcome set_id(struct uri *uri, char *value, struct report *why)
{
    size_t length;

    if (!percent_bytes(value, &length) || length < 1 || length > TOKEN_ID_MAX)
        return report_set(why, OUTCOME_USAGE,
                          "id in the sim: URI must be 1 to %d bytes, such as %%01%%02",
                          TOKEN_ID_MAX);
    uri->key.id_length = (uint8_t)length;
    memcpy(uri->key.id, value, length);
    return OUTCOME_OK;
}

static enum outcome set_object(struct uri *uri, char *value, struct report *why)
{
    size_t length = strlen(value);

    if (length < 1 || length >= TOKEN_LABEL_SIZE)
        return report_set(why, OUTCOME_USAGE,
                          "object in the sim: URI must be a label of 1 to %d bytes",
                          TOKEN_LABEL_SIZE - 1);
    memcpy(uri->key.label, value, length + 1);
    return OUTCOME_OK;
}

static enum outcome set_applet(struct uri *uri, char *value, struct report *why)
{
    int place = parse_word(value, uri_applet_words, TOKEN_APPLETS);

    if (place < 1)
        return report_set(why, OUTCOME_USAGE, "applet in the sim: URI must be mias or iotsafe");
    uri->key.applet = (enum token_applet)place;
    return OUTCOME_OK;
}

static enum outcome set_store(struct uri *uri, char *value, struct report *why)
{
    int place = parse_word(value, uri_store_words, 3);

    if (place < 1)
        return report_set(why, OUTCOME_USAGE, "store in the sim: URI must be objects or files");
    uri->store = place == 1 ? TYPEA_OBJECTS : TYPEA_FILES;
    return OUTCOME_OK;
}

static enum outcome set_type(struct uri *uri, char *value, struct report *why)
{
    int place = parse_word(value, uri_type_words, 4);

    if (place < 1)
        return report_set(why, OUTCOME_USAGE,
                          "type in the sim: URI must be cert, private or public");
    uri->type = (enum uri_type)place;
    return OUTCOME_OK;
}

static enum outcome set_iccid(struct uri *uri, char *value, struct report *why)
{
    if (iccid_from_text(value, strlen(value), uri->iccid))
        return OUTCOME_OK;
    return report_set(
        why, OUTCOME_USAGE,
        "iccid in the sim: URI must be 10 to 20 digits, letters A to E among them where "
        "the SIM's number has such");
}

static enum outcome set_modem(struct uri *uri, char *value, struct report *why)
{
    if (!modems_name_valid(value))
        return report_set(
            why, OUTCOME_USAGE,
            "modem in the sim: URI must be the name of a section in the settings file");
    memcpy(uri->modem, value, strlen(value) + 1);
    return OUTCOME_OK;
}

#define NOT_AVAILABLE (-2)

static const struct attribute {
    const char *name;
    enum outcome (*set)(struct uri *uri, char *value, struct report *why);
    int only;    /* for this WHAT alone; -1: any, NOT_AVAILABLE: the two others */
    bool binary; /* the value is not decoded yet: it may have any bytes */
} attributes[] = {
    {"container", set_container, URI_SIGNING, false},
    {"key-id", set_key_id, URI_SIGNING, false},
    {"id", set_id, URI_SIGNING, true},
    {"object", set_object, URI_SIGNING, false},
    {"applet", set_applet, NOT_AVAILABLE, false},
    {"store", set_store, URI_AVAILABLE, false},
    {"type", set_type, -1, false},
    {"iccid", set_iccid, -1, false},
    {"modem", set_modem, -1, false},
};
/* The first ones, as bits of what was seen. */
enum { SEEN_CONTAINER = 1 << 0, SEEN_KEY_ID = 1 << 1, SEEN_ID = 1 << 2, SEEN_OBJECT = 1 << 3 };

/* A key has one name. */
static enum outcome check_name(struct uri *uri, unsigned seen, struct report *why)
{
    bool container = (seen & (SEEN_CONTAINER | SEEN_KEY_ID)) != 0;
    int names = container + ((seen & SEEN_ID) != 0) + ((seen & SEEN_OBJECT) != 0);

    if (names > 1)
        return report_set(why, OUTCOME_USAGE,
                          "the sim: URI names its key twice: give container with key-id, or id, or "
                          "object");
    if (container && uri->key.container == TOKEN_CONTAINER_NONE)
        uri->key.container = 0;
    return OUTCOME_OK;
}

static bool has_attribute(enum uri_what what, int only)
{
    return only == NOT_AVAILABLE ? what != URI_AVAILABLE : only < 0 || only == (int)what;
}

/* seen has one bit for each attribute that came already. */
static enum outcome set_attribute(struct uri *uri, char *part, unsigned *seen, struct report *why)
{
    char *value = NULL;
    enum outcome outcome = cut(part, &value, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        if (strcmp(part, attributes[i].name) != 0)
            continue;
        if (*seen & 1u << i)
            return report_set(why, OUTCOME_USAGE, "the sim: URI has %s twice", part);
        if (!has_attribute(uri->what, attributes[i].only))
            return report_set(why, OUTCOME_USAGE, "%s is not an attribute of sim:%s", part,
                              uri_what_words[uri->what]);
        *seen |= 1u << i;
        if (!attributes[i].binary)
            outcome = decode_value(part, value, why);
        return outcome == OUTCOME_OK ? attributes[i].set(uri, value, why) : outcome;
    }
    if (settings_known(part))
        return report_set(why, OUTCOME_USAGE,
                          "%s is a setting: write it behind a ? in the sim: URI", part);
    return report_set(why, OUTCOME_USAGE,
                      "the sim: URI has an unknown attribute \"%.60s\"; " ATTRIBUTES, part);
}

/* What the name of a setting behind `?` is worth. A URI may come from somebody else, and what names
 * files and devices is the configuration's. */
static enum outcome check_setting(const char *name, struct report *why)
{
    static const char *const allowed[] = {"device", "timeout", "transport", "slot",
                                          "applet", "aid",     "session"};

    if (!settings_known(name))
        return report_set(why, OUTCOME_USAGE,
                          "the sim: URI has an unknown setting \"%.60s\"; " SETTINGS, name);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (strcmp(name, allowed[i]) == 0)
            return OUTCOME_OK;
    if (settings_index(name) == settings_index("pin"))
        return report_set(
            why, OUTCOME_USAGE,
            "a sim: URI must not hold the PIN itself; use pin-source in " SETTINGS_FILE
            ", or SIMKEY_PIN");
    return report_set(why, OUTCOME_USAGE,
                      "a sim: URI must not set %s, because URIs may come from people who must not "
                      "choose it: set that in " SETTINGS_FILE
                      ", in the environment or by an option",
                      settings_name(settings_index(name)));
}

static enum outcome add_setting(struct uri *uri, const char *name, const char *value,
                                struct report *why)
{
    struct uri_setting *setting = &uri->settings[uri->setting_count];
    enum outcome outcome = check_setting(name, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (value[0] == '\0')
        return report_set(why, OUTCOME_USAGE, "%s in the sim: URI has no value", name);
    for (size_t i = 0; i < uri->setting_count; i++)
        if (strcmp(uri->settings[i].name, name) == 0)
            return report_set(why, OUTCOME_USAGE, "the sim: URI has %s twice", name);
    setting->name = strdup(name);
    setting->value = strdup(value);
    if (setting->name == NULL || setting->value == NULL) {
        free(setting->name);
        free(setting->value);
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    }
    uri->setting_count++;
    return OUTCOME_OK;
}

static enum outcome parse_settings(struct uri *uri, char *text, struct report *why)
{
    enum outcome outcome = OUTCOME_OK;

    while (text != NULL && outcome == OUTCOME_OK) {
        char *part = strsep(&text, "&");
        char *value = NULL;

        outcome = split(part, &value, why);
        if (outcome == OUTCOME_OK)
            outcome = add_setting(uri, part, value, why);
    }
    return outcome;
}

/* The names alone, whatever they are set to: in key references of before. */
static enum outcome parse_words(unsigned *words, char *text, struct report *why)
{
    while (text != NULL) {
        char *part = strsep(&text, "&");

        part[strcspn(part, "=")] = '\0';
        if (!settings_known(part))
            return report_set(why, OUTCOME_USAGE, "the sim: URI has an unknown setting%s%.60s",
                              is_plain(part) ? " " : "", is_plain(part) ? part : "");
        *words |= 1u << settings_index(part);
    }
    return OUTCOME_OK;
}

static enum outcome parse_what(struct uri *uri, char *text, struct report *why)
{
    int what;

    if (percent_decode(text)) {
        what = parse_word(text, uri_what_words, 3);
        if (what >= 0) {
            uri->what = (enum uri_what)what;
            return OUTCOME_OK;
        }
    }
    return report_set(why, OUTCOME_USAGE,
                      "the sim: URI must begin with sim:signing, sim:available or sim:trust");
}

/* words NULL: settings are taken. */
static enum outcome parse(struct uri *uri, const char *text, unsigned *words, struct report *why)
{
    char *copy = NULL;
    char *settings;
    char *rest;
    unsigned seen = 0;
    enum outcome outcome;

    uri_init(uri);
    if (strncasecmp(text, "sim:", 4) != 0)
        return report_set(why, OUTCOME_USAGE, "a URI of a key in the SIM must begin with sim:");
    copy = strdup(text + 4);
    if (copy == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    settings = copy;
    rest = strsep(&settings, "?");
    outcome = parse_what(uri, strsep(&rest, ";"), why);
    while (rest != NULL && outcome == OUTCOME_OK)
        outcome = set_attribute(uri, strsep(&rest, ";"), &seen, why);
    if (outcome == OUTCOME_OK)
        outcome = check_name(uri, seen, why);
    if (outcome == OUTCOME_OK)
        outcome =
            words != NULL ? parse_words(words, settings, why) : parse_settings(uri, settings, why);
    if (outcome != OUTCOME_OK)
        uri_clear(uri);
    free(copy);
    return outcome;
}

enum outcome uri_parse(struct uri *uri, const char *text, struct report *why)
{
    return parse(uri, text, NULL, why);
}

enum outcome uri_parse_key(struct uri *uri, const char *text, unsigned *words, struct report *why)
{
    *words = 0;
    return parse(uri, text, words, why);
}
