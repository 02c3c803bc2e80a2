/* SPDX-License-Identifier: Apache-2.0 */
/* See rules.h. */
#include "apdu/agent/rules.h"

#include "apdu/applet/mias.h"
#include "modem/hex.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- the lines ---- */

static enum outcome no_word(struct report *why, const char *what, const char *word)
{
    return report_set(why, OUTCOME_USAGE, "`allow` has %s \"%.60s\"", what, word);
}

/* A name, or a decimal number: a container's users have no names here. */
static bool take_number(const char *text, uint32_t *id)
{
    char *end;
    unsigned long number;

    errno = 0;
    number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number >= UINT32_MAX)
        return false;
    *id = (uint32_t)number;
    return true;
}

static enum outcome take_who(struct rule *rule, const char *word, struct report *why)
{
    const struct passwd *user;
    const struct group *group;

    rule->group = word[0] == '@';
    if (rule->group) {
        group = getgrnam(word + 1);
        if (group != NULL)
            rule->id = group->gr_gid;
        else if (!take_number(word + 1, &rule->id))
            return no_word(why, "an unknown group,", word);
    } else {
        user = getpwnam(word);
        if (user != NULL)
            rule->id = user->pw_uid;
        else if (!take_number(word, &rule->id))
            return no_word(why, "an unknown user,", word);
    }
    if (rule->id == RULES_NOBODY)
        return no_word(why,
                       "a user or group that stands for all without a number of their own:", word);
    return OUTCOME_OK;
}

static enum outcome take_rights(struct rule *rule, char *words, struct report *why)
{
    static const struct {
        const char *word;
        enum right right;
    } rights[] = {{"read", RIGHT_READ},
                  {"sign", RIGHT_SIGN},
                  {"decrypt", RIGHT_DECRYPT},
                  {"available", RIGHT_AVAILABLE}};
    const char *word;

    while ((word = strsep(&words, ",")) != NULL) {
        size_t i = 0;

        while (i < sizeof rights / sizeof rights[0] && strcmp(word, rights[i].word) != 0)
            i++;
        if (i == sizeof rights / sizeof rights[0])
            return no_word(why, "an unknown operation (they are read, sign, decrypt, available),",
                           word);
        rule->rights |= rights[i].right;
    }
    return OUTCOME_OK;
}

/* Percent-encoding as in URIs. False if it is none, or too long. */
static bool decode_text(const char *text, uint8_t *bytes, size_t size, size_t *length)
{
    for (*length = 0; *text != '\0'; text++) {
        uint8_t byte = (uint8_t)*text;

        if (*text == '%') {
            if (strnlen(text + 1, 2) < 2 || hex_decode_part(text + 1, 2, &byte, 1) == 0)
                return false;
            text += 2;
        }
        if (*length == size)
            return false;
        bytes[(*length)++] = byte;
    }
    return *length > 0;
}

static bool take_label(struct token_name *name, const char *value)
{
    uint8_t bytes[TOKEN_LABEL_SIZE - 1];
    size_t length;

    if (!decode_text(value, bytes, sizeof bytes, &length) || memchr(bytes, 0, length) != NULL)
        return false;
    memcpy(name->label, bytes, length);
    name->label[length] = '\0';
    return true;
}

static bool take_applet(struct token_name *name, const char *value)
{
    for (int i = TOKEN_APPLET_ANY + 1; i < TOKEN_APPLETS; i++)
        if (strcmp(value, token_applet_word((enum token_applet)i)) == 0)
            name->applet = (enum token_applet)i;
    return name->applet != TOKEN_APPLET_ANY;
}

static bool take_attribute(struct rule *rule, const char *name, const char *value)
{
    struct token_name *key = &rule->name;
    size_t length = 0;
    uint32_t number;

    if (strcmp(name, "applet") == 0 && rule->what == RULE_SIGNING)
        return take_applet(key, value);
    if (strcmp(name, "iccid") == 0)
        return iccid_from_text(value, strlen(value), rule->iccid);
    if (strcmp(name, "modem") == 0 && modems_name_valid(value)) {
        memcpy(rule->modem, value, strlen(value) + 1);
        return true;
    }
    if (rule->what != RULE_SIGNING || key->container != TOKEN_CONTAINER_NONE ||
        key->id_length > 0 || key->label[0] != '\0')
        return false; /* one name a key */
    if (strcmp(name, "container") == 0 && take_number(value, &number) &&
        number < TOKEN_CONTAINERS) {
        key->container = (int)number;
        return true;
    }
    rule->reference = strcmp(name, "key-id") == 0;
    if (rule->reference) {
        key->id_length = 1;
        return hex_decode(value, key->id, 1) == 1 && key->id[0] != 0;
    }
    if (strcmp(name, "id") == 0 && decode_text(value, key->id, TOKEN_ID_MAX, &length)) {
        key->id_length = (uint8_t)length;
        return true;
    }
    return strcmp(name, "object") == 0 && take_label(key, value);
}

static enum outcome take_key(struct rule *rule, char *uri, struct report *why)
{
    char *word = strsep(&uri, ";");

    rule->name = (struct token_name)TOKEN_NAME_NONE;
    if (strcmp(word, "*") == 0)
        rule->what = RULE_ANYTHING;
    else if (strcmp(word, "signing") == 0)
        rule->what = RULE_SIGNING;
    else if (strcmp(word, "available") == 0)
        rule->what = RULE_AVAILABLE;
    else if (strcmp(word, "trust") == 0)
        rule->what = RULE_TRUST;
    else
        return no_word(why, "an unknown key (they are *, signing, available, trust),", word);
    while ((word = strsep(&uri, ";")) != NULL) {
        char *value = strchr(word, '=');

        if (value == NULL)
            return no_word(why, "a key whose attribute has no value,", word);
        *value++ = '\0';
        if (!take_attribute(rule, word, value))
            return no_word(
                why,
                "a key with an attribute that is unknown or not for that key (there are "
                "container, key-id, id, object, applet, iccid, modem), has a wrong value, or "
                "names the key a second time,",
                word);
    }
    return OUTCOME_OK;
}

static char *next_word(char **rest)
{
    char *word;

    do
        word = strsep(rest, " \t");
    while (word != NULL && word[0] == '\0');
    return word;
}

enum outcome rules_take(struct rules *rules, char *value, struct report *why)
{
    char *who = next_word(&value), *rights = next_word(&value), *key = next_word(&value);
    struct rule line = {.group = false};
    enum outcome outcome;

    if (key == NULL)
        return report_set(why, OUTCOME_USAGE,
                          "a line is `allow = USER|@GROUP OPERATIONS KEYS`, such as `allow = "
                          "www-data sign *`");
    outcome = take_who(&line, who, why);
    if (outcome == OUTCOME_OK)
        outcome = take_rights(&line, rights, why);
    for (; outcome == OUTCOME_OK && key != NULL; key = next_word(&value)) {
        struct rule *rule = &rules->list[rules->count];

        if (rules->count == RULES_MAX)
            return report_set(why, OUTCOME_USAGE, "`allow` lines name more than %d keys",
                              RULES_MAX);
        *rule = line;
        outcome = take_key(rule, key, why);
        rules->count++;
    }
    return outcome;
}

/* ---- who asks ---- */

bool peer_of(int connection, struct peer *peer)
{
    struct ucred cred;
    socklen_t length = sizeof cred;

    memset(peer, 0, sizeof *peer);
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &cred, &length) != 0)
        return false;
    peer->pid = cred.pid;
    peer->uid = cred.uid;
    peer->gid = cred.gid;
    length = sizeof peer->groups;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &length) == 0)
        peer->group_count = length / sizeof peer->groups[0];
    return true;
}

static bool in_group(const struct peer *peer, gid_t group)
{
    if (group == RULES_NOBODY)
        return false;
    if (peer->gid == group)
        return true;
    for (size_t i = 0; i < peer->group_count; i++)
        if (peer->groups[i] == group)
            return true;
    return false;
}

static bool is_meant(const struct rule *rule, const struct peer *peer)
{
    if (rule->group)
        return in_group(peer, (gid_t)rule->id);
    return peer->uid == (uid_t)rule->id && peer->uid != RULES_NOBODY;
}

/* ---- what they may ---- */

static bool nothing_named(const struct token_name *name)
{
    return name->container == TOKEN_CONTAINER_NONE && name->id_length == 0 &&
           name->label[0] == '\0';
}

/* True if mIAS's commands may call a key of this container so. */
static bool container_has(int container, uint8_t id)
{
    static const unsigned bits[] = {1024, 2048};

    for (size_t i = 0; i < 2; i++)
        for (int exchange = 0; exchange <= 1; exchange++)
            for (int type = 0; type < TOKEN_KEY_TYPES; type++)
                if (mias_key_id(container, exchange != 0, bits[i], (enum token_key_type)type) == id)
                    return true;
    return false;
}

/* True if a name means this container: by its number, without a key reference or with one of its own. A name
 * that names nothing means container 0. */
static bool is_container(int container, const struct token_name *name)
{
    if (name->label[0] != '\0' || name->id_length > 1)
        return false;
    if (nothing_named(name))
        return container == 0;
    return name->container == container &&
           (name->id_length == 0 || container_has(container, name->id[0]));
}

/* True if the request's name means the rule's key. *used is the part of the name that is handed on, with the
 * family that the rule names; a rule without one leaves the choice to the SIM, as a URI does. */
static bool same_key(const struct rule *rule, const struct token_name *name,
                     struct token_name *used)
{
    const struct token_name *wanted = &rule->name;

    *used = *name;
    if (rule->what == RULE_ANYTHING)
        return true;
    if (wanted->applet != TOKEN_APPLET_ANY && name->applet != TOKEN_APPLET_ANY &&
        name->applet != wanted->applet)
        return false;
    used->applet = rule->reference ? TOKEN_APPLET_MIAS : wanted->applet;
    if (wanted->container != TOKEN_CONTAINER_NONE)
        return is_container(wanted->container, name);
    if (rule->reference)
        return name->label[0] == '\0' && name->id_length == 1 && name->id[0] == wanted->id[0];
    if (nothing_named(wanted)) { /* sim:signing */
        if (is_container(0, name))
            return true;
        *used = *wanted; /* of another family: its first key, whatever was asked for */
        return name->container == TOKEN_CONTAINER_NONE;
    }
    *used = *wanted;
    if (wanted->label[0] != '\0')
        return strcmp(wanted->label, name->label) == 0;
    return name->container == TOKEN_CONTAINER_NONE && wanted->id_length == name->id_length &&
           memcmp(wanted->id, name->id, name->id_length) == 0;
}

/* The rights for a request, any one of which is enough. */
static unsigned rights_for(const struct agent_request *request)
{
    switch (request->operation) {
    case AGENT_SIGN:
        return RIGHT_SIGN;
    case AGENT_DECRYPT:
        return RIGHT_DECRYPT;
    case AGENT_ALGORITHMS:
        return RIGHT_READ | RIGHT_SIGN;
    case AGENT_AVAILABLE:
        return (request->option & AGENT_PRIVATE) != 0 ? RIGHT_AVAILABLE
                                                      : RIGHT_READ | RIGHT_AVAILABLE;
    case AGENT_IDENTITY:
    case AGENT_TRIES:
        return RIGHT_READ | RIGHT_SIGN | RIGHT_DECRYPT | RIGHT_AVAILABLE;
    default:
        return RIGHT_READ;
    }
}

static bool rule_allows(const struct rule *rule, const struct agent_request *request,
                        const char *modem, struct token_name *name)
{
    if ((rule->rights & rights_for(request)) == 0 ||
        (rule->iccid[0] != '\0' && strcmp(rule->iccid, request->key.iccid) != 0) ||
        (rule->modem[0] != '\0' && strcmp(rule->modem, modem) != 0))
        return false;
    *name = request->key.name;
    switch (request->operation) {
    case AGENT_IDENTITY:
    case AGENT_TRIES:
        return true;
    case AGENT_CERTIFICATE:
        return rule->what == RULE_ANYTHING || rule->what == RULE_TRUST;
    case AGENT_AVAILABLE:
        return rule->what == RULE_ANYTHING || rule->what == RULE_AVAILABLE;
    case AGENT_LIST:
        return rule->what == RULE_ANYTHING || rule->what == RULE_SIGNING;
    default:
        return (rule->what == RULE_ANYTHING || rule->what == RULE_SIGNING) &&
               same_key(rule, &request->key.name, name);
    }
}

bool rules_allow(const struct rules *rules, const struct peer *peer, gid_t socket_group,
                 const struct agent_request *request, const char *modem, struct token_name *name)
{
    const struct rule usual = {
        .rights = RIGHT_READ | RIGHT_SIGN, .what = RULE_ANYTHING, .name = TOKEN_NAME_NONE};

    if (rules->count == 0)
        return (peer->uid == 0 || in_group(peer, socket_group)) &&
               rule_allows(&usual, request, modem, name);
    for (size_t i = 0; i < rules->count; i++)
        if (is_meant(&rules->list[i], peer) && rule_allows(&rules->list[i], request, modem, name))
            return true;
    return false;
}

const char *rules_word(const struct agent_request *request)
{
    static const char *const words[AGENT_OPERATIONS] = {[AGENT_LIST] = "list",
                                                        [AGENT_READ] = "read",
                                                        [AGENT_SIGN] = "sign",
                                                        [AGENT_DECRYPT] = "decrypt",
                                                        [AGENT_ALGORITHMS] = "algorithms",
                                                        [AGENT_IDENTITY] = "identity",
                                                        [AGENT_TRIES] = "tries",
                                                        [AGENT_AVAILABLE] = "available",
                                                        [AGENT_CERTIFICATE] = "certificate"};

    return request->operation < AGENT_OPERATIONS && words[request->operation] != NULL
               ? words[request->operation]
               : "an unknown request";
}
