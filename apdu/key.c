/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of key.h as data. */
#include "apdu/key.h"

#include "modem/text.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum token_scheme scheme;
} key_types[] = {
#define ROW(symbol, name, scheme) [symbol] = {name, scheme},
    TOKEN_KEY_TYPE_TABLE(ROW)
#undef ROW
};

static const struct {
    const char *name;
    enum token_key_type type;
    bool tls13;
} schemes[] = {
#define ROW(symbol, name, type, tls13) [symbol] = {name, type, tls13},
    TOKEN_SCHEME_TABLE(ROW)
#undef ROW
};

#define INFO_MAX 19 /* bytes */

static const struct {
    const char *name;
    uint8_t length;
    uint8_t info_length;
    uint8_t info[INFO_MAX];
} hashes[] = {[TOKEN_HASH_NONE] = {"", 0, 0, {0}},
#define ROW(symbol, name, length, ...)                                                             \
    [symbol] = {name, length, sizeof((uint8_t[]){__VA_ARGS__}), {__VA_ARGS__}},
              TOKEN_HASH_TABLE(ROW)
#undef ROW
};

#define ROW(symbol, name, length, ...)                                                             \
    _Static_assert((length) <= TOKEN_HASH_MAX && sizeof((uint8_t[]){__VA_ARGS__}) <= INFO_MAX,     \
                   name " does not fit");
TOKEN_HASH_TABLE(ROW)
#undef ROW

const char *token_type_name(enum token_key_type type)
{
    return key_types[type].name;
}

enum token_key_type token_type_named(const char *name)
{
    int type = 0;

    while (type < TOKEN_KEY_TYPES && strcmp(key_types[type].name, name) != 0)
        type++;
    return (enum token_key_type)type;
}

enum token_scheme token_type_scheme(enum token_key_type type)
{
    return key_types[type].scheme;
}

const char *token_scheme_name(enum token_scheme scheme)
{
    return schemes[scheme].name;
}

enum token_key_type token_scheme_type(enum token_scheme scheme)
{
    return schemes[scheme].type;
}

bool token_scheme_tls13(enum token_scheme scheme)
{
    return schemes[scheme].tls13;
}

static size_t hash_row(enum token_hash hash)
{
    return (unsigned)hash < TOKEN_HASHES ? (size_t)hash : TOKEN_HASH_NONE;
}

const char *hash_name(enum token_hash hash)
{
    return hashes[hash_row(hash)].name;
}

size_t hash_length(enum token_hash hash)
{
    return hashes[hash_row(hash)].length;
}

enum token_hash hash_of_length(size_t length)
{
    for (int i = TOKEN_HASH_NONE + 1; i < TOKEN_HASHES; i++)
        if (hashes[i].length == length)
            return (enum token_hash)i;
    return TOKEN_HASH_NONE;
}

const uint8_t *hash_info(enum token_hash hash, size_t *length)
{
    *length = hashes[hash_row(hash)].info_length;
    return hashes[hash_row(hash)].info;
}

const char *token_applet_word(enum token_applet applet)
{
    static const char *const words[TOKEN_APPLETS] = {[TOKEN_APPLET_ANY] = "auto",
                                                     [TOKEN_APPLET_MIAS] = "mias",
                                                     [TOKEN_APPLET_IOTSAFE] = "iotsafe"};

    return words[applet];
}

bool token_name_equal(const struct token_name *a, const struct token_name *b)
{
    return a->container == b->container && a->id_length == b->id_length &&
           memcmp(a->id, b->id, a->id_length) == 0 && strcmp(a->label, b->label) == 0 &&
           a->applet == b->applet;
}

const char *token_name_text(const struct token_name *name, char text[TOKEN_NAME_TEXT])
{
    size_t used = 0;

    text[0] = '\0';
    if (name->container != TOKEN_CONTAINER_NONE)
        used = (size_t)snprintf(text, TOKEN_NAME_TEXT, "container %d", name->container);
    if (name->id_length > 0)
        used += (size_t)snprintf(text + used, TOKEN_NAME_TEXT - used, "%skey id ",
                                 used > 0 ? ", " : "");
    for (size_t i = 0; i < name->id_length; i++)
        used += (size_t)snprintf(text + used, TOKEN_NAME_TEXT - used, "%02x", name->id[i]);
    if (name->label[0] != '\0') {
        char label[TOKEN_LABEL_SIZE];

        (void)text_copy(label, sizeof label, name->label);
        (void)snprintf(text + used, TOKEN_NAME_TEXT - used, "%sthe key \"%s\"",
                       used > 0 ? ", " : "", label);
    }
    return text;
}

const char *token_tries_text(const struct token_pin *pin, char text[TOKEN_TRIES_TEXT])
{
    if (pin->left < 0)
        (void)snprintf(text, TOKEN_TRIES_TEXT, "the card does not tell how many tries are left");
    else if (pin->left == 0)
        (void)snprintf(text, TOKEN_TRIES_TEXT, "no try is left");
    else
        (void)snprintf(text, TOKEN_TRIES_TEXT, "%d %s left", pin->left,
                       pin->left == 1 ? "try is" : "tries are");
    return text;
}
