/* SPDX-License-Identifier: Apache-2.0 */
/* simkey info: what is in the modem and in the SIM, gathered into one JSON tree, printed as text
 * (info_text.c) or JSON. The shape of the tree is promised to programs (provider/README.md, "Inventory"): a field may
 * be added; one that goes, or changes its meaning, raises INFO_VERSION. */
#include "apdu/aid.h"
#include "modem/text.h"
#include "provider/tool/info_text.h"
#include "provider/tool/inventory.h"
#include "provider/tool/tool.h"
#include "provider/tool/x509.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts of others go into JSON as they go onto the terminal: JSON has to be UTF-8. */
static void add_text(cJSON *object, const char *name, const char *text)
{
    char shown[TEXT_GROWTH * 256];

    (void)text_copy(shown, sizeof shown, text);
    if (shown[0] != '\0')
        (void)cJSON_AddStringToObject(object, name, shown);
}

/* Where the modem does not tell it the card does, on a channel; or it stays unknown. */
static enum outcome add_modem(cJSON *root, struct sim *sim, struct report *why)
{
    struct modem_identity identity = {.imei = ""};
    struct report by_card = REPORT_INIT;
    char iccid[ICCID_SIZE];
    cJSON *modem = cJSON_AddObjectToObject(root, "modem");
    enum outcome outcome = token_identity(sim, &identity, iccid, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (iccid[0] == '\0' && !settings_agent(sim_settings(sim)->device, NULL) &&
        sim_card_iccid(sim, iccid, &by_card) != OUTCOME_OK)
        iccid[0] = '\0';
    add_text(modem, "manufacturer", identity.manufacturer);
    add_text(modem, "model", identity.model);
    add_text(modem, "revision", identity.revision);
    add_text(root, "imei", identity.imei);
    add_text(root, "iccid", iccid);
    add_text(root, "sim", identity.sim_state);
    return OUTCOME_OK;
}

/* The way to the SIM failed, which says nothing of what is in it. */
static bool disturbed(enum outcome outcome)
{
    return outcome == OUTCOME_LOST || outcome == OUTCOME_BAD_DATA || outcome == OUTCOME_TIMEOUT ||
           outcome == OUTCOME_NO_MODEM || outcome == OUTCOME_PORT_BUSY ||
           outcome == OUTCOME_NO_SIM || outcome == OUTCOME_SYSTEM;
}

/* An applet is there if it can be selected. */
static enum outcome add_applet(cJSON *applets, struct sim *sim, const char *name,
                               const struct aid *applet, struct report *why)
{
    const struct sim_raw select = {.aid = applet->bytes, .aid_length = applet->length};
    enum outcome outcome = sim_raw(sim, &select, why);

    if (disturbed(outcome))
        return outcome;
    (void)cJSON_AddBoolToObject(applets, name, outcome == OUTCOME_OK);
    return OUTCOME_OK;
}

/* See x509.h; a certificate that cannot be shown is an error of its container only. */
static void add_certificate(cJSON *object, const X509 *certificate)
{
    if (!x509_json(object, certificate))
        (void)cJSON_AddStringToObject(object, "error", "the certificate cannot be decoded");
}

/* None where the key's algorithms cannot be asked for. */
static enum outcome add_algorithms(cJSON *object, struct sim *sim, const struct token_key *key,
                                   struct report *why)
{
    cJSON *list = cJSON_AddArrayToObject(object, "algorithms");
    uint64_t set;
    char name[32];
    enum outcome outcome = token_algorithms(sim, key, &set, why);

    if (outcome != OUTCOME_OK)
        return disturbed(outcome) ? outcome : OUTCOME_OK;
    for (int scheme = 0; scheme < TOKEN_SCHEMES; scheme++)
        for (int hash = TOKEN_HASH_NONE; hash < TOKEN_HASHES; hash++)
            if ((set & TOKEN_ALGORITHM(scheme, hash)) != 0) {
                (void)snprintf(name, sizeof name, "%s-%s",
                               token_scheme_name((enum token_scheme)scheme),
                               hash == TOKEN_HASH_NONE ? "raw" : hash_name((enum token_hash)hash));
                (void)cJSON_AddItemToArray(list, cJSON_CreateString(name));
            }
    return OUTCOME_OK;
}

/* The name of a key that has no container: bytes as hex, and a label. */
static void add_name(cJSON *object, const struct token_name *name)
{
    char text[2 * TOKEN_ID_MAX + 1] = "";

    for (size_t i = 0; i < name->id_length; i++)
        (void)snprintf(text + 2 * i, 3, "%02X", name->id[i]);
    add_text(object, "key_id", text);
    add_text(object, "label", name->label);
}

static enum outcome add_item(cJSON *list, struct sim *sim, const struct token_item *item,
                             struct report *why)
{
    cJSON *object = cJSON_CreateObject();
    struct signing_key signing;
    struct token_name name;
    struct uri uri;
    enum outcome outcome;

    (void)cJSON_AddItemToArray(list, object);
    if (item->name.container != TOKEN_CONTAINER_NONE)
        (void)cJSON_AddNumberToObject(object, "container", item->name.container);
    if (item->name.applet != TOKEN_APPLET_ANY)
        add_text(object, "applet", token_applet_word(item->name.applet));
    (void)cJSON_AddStringToObject(object, "use",
                                  item->decrypts     ? "sign and decrypt"
                                  : item->no_signing ? "key agreement"
                                                     : "sign");
    if (item->empty)
        (void)cJSON_AddBoolToObject(object, "empty", true);
    if (!item->certificate || item->empty) {
        add_name(object, &item->name);
        return OUTCOME_OK;
    }
    uri_init(&uri);
    uri.key = item->name;
    outcome = signing_key_read(sim, &uri, NULL, SIGNING_KEY, &signing, why);
    if (outcome == OUTCOME_BAD_DATA || outcome == OUTCOME_UNSUPPORTED ||
        (outcome == OUTCOME_NOT_FOUND && item->candidates > 0)) {
        (void)cJSON_AddStringToObject(object, "error", why->text);
        return OUTCOME_OK; /* one bad certificate does not hide the others */
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    name = signing.key.name;
    memcpy(name.label, item->name.label, sizeof name.label); /* a name for commands has one part */
    add_name(object, &name);
    if (signing.certificate != NULL)
        add_certificate(object, signing.certificate);
    outcome = add_algorithms(object, sim, &signing.key, why);
    signing_key_clear(&signing);
    return outcome;
}

/* *first: the family that the first key names, TOKEN_APPLET_ANY if it names none (mIAS's do not). */
static enum outcome add_items(cJSON *containers, struct sim *sim, enum token_applet applet,
                              enum token_applet *first, struct report *why)
{
    struct token_item list[TOKEN_ITEMS];
    size_t count;
    enum outcome outcome = token_list_of(sim, applet, list, &count, why);

    *first = count > 0 ? list[0].name.applet : TOKEN_APPLET_ANY;
    for (size_t i = 0; i < count && outcome == OUTCOME_OK; i++)
        outcome = add_item(containers, sim, &list[i], why);
    return outcome;
}

/* A SIM with mIAS may have IoT SAFE's applet too: its keys come behind mIAS's. *both: it has. Which one an
 * agent's SIM has, only its keys tell. */
static enum outcome add_second(cJSON *containers, struct sim *sim, enum token_applet first,
                               bool *both, struct report *why)
{
    const bool mias = settings_agent(sim_settings(sim)->device, NULL)
                          ? first != TOKEN_APPLET_IOTSAFE
                          : token_applet_known(sim) == TOKEN_APPLET_MIAS;
    enum outcome outcome;

    *both = false;
    if (!mias || sim_settings(sim)->applet != TOKEN_APPLET_ANY)
        return OUTCOME_OK;
    outcome = add_items(containers, sim, TOKEN_APPLET_IOTSAFE, &first, why);
    *both = outcome == OUTCOME_OK;
    if (outcome == OUTCOME_OK || disturbed(outcome))
        return outcome;
    report_clear(why);
    return OUTCOME_OK;
}

static enum outcome add_keys(cJSON *root, struct sim *sim, bool *both, struct report *why)
{
    enum token_applet first;
    struct token_pin state;
    cJSON *containers, *pin;
    enum outcome outcome = token_pin_status(sim, &state, NULL, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    pin = cJSON_AddObjectToObject(root, "pin");
    (void)cJSON_AddBoolToObject(pin, "wanted", !state.verified);
    (void)cJSON_AddBoolToObject(pin, "blocked", state.blocked);
    if (state.left >= 0)
        (void)cJSON_AddNumberToObject(pin, "tries_left", state.left);
    containers = cJSON_AddArrayToObject(root, "containers");
    outcome = add_items(containers, sim, TOKEN_APPLET_ANY, &first, why);
    return outcome == OUTCOME_OK ? add_second(containers, sim, first, both, why) : outcome;
}

/* The Type A certificate, if it can be read without asking for PIN1. */
static void add_available(cJSON *root, struct sim *sim)
{
    struct report why = REPORT_INIT;
    X509 *certificate = NULL;
    cJSON *object = cJSON_AddObjectToObject(root, "available");
    struct uri uri;

    uri_init(&uri);
    if (available_certificate_read(sim, &uri, &certificate, &why) == OUTCOME_OK)
        add_certificate(object, certificate);
    else
        (void)cJSON_AddStringToObject(object, "error", why.text);
    X509_free(certificate);
}

/* keys: what became of looking for keys; both: of both families. The agent selects no applet for its
 * programs: none is told of there. */
static enum outcome add_applets(cJSON *root, struct sim *sim, enum outcome keys, bool both,
                                struct report *why)
{
    const enum token_applet meant = sim_settings(sim)->applet;
    cJSON *applets = cJSON_AddObjectToObject(root, "applets");
    enum outcome outcome;

    if (settings_agent(sim_settings(sim)->device, NULL))
        return OUTCOME_OK;
    if (meant != TOKEN_APPLET_IOTSAFE) /* else it was not asked for */
        (void)cJSON_AddBoolToObject(
            applets, "mias", keys == OUTCOME_OK && token_applet_known(sim) != TOKEN_APPLET_IOTSAFE);
    if (meant != TOKEN_APPLET_MIAS)
        (void)cJSON_AddBoolToObject(applets, "iotsafe",
                                    keys == OUTCOME_OK &&
                                        (both || token_applet_known(sim) == TOKEN_APPLET_IOTSAFE));
    if (keys != OUTCOME_OK && keys != OUTCOME_NO_APPLET)
        return OUTCOME_OK;
    outcome = add_applet(applets, sim, "typea_files", &aids[AID_FILES], why);
    return outcome == OUTCOME_OK ? add_applet(applets, sim, "safe2", &aids[AID_SAFE2], why)
                                 : outcome;
}

static enum outcome gather(cJSON *root, struct sim *sim, struct report *why)
{
    struct report other = REPORT_INIT;
    bool both = false;
    enum outcome outcome, applets;

    (void)cJSON_AddStringToObject(root, "schema", INFO_SCHEMA);
    (void)cJSON_AddNumberToObject(root, "version", INFO_VERSION);
    outcome = add_modem(root, sim, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = add_keys(root, sim, &both, why);
    applets = add_applets(root, sim, outcome, both, &other);
    if (applets != OUTCOME_OK) {
        *why = other;
        return applets;
    }
    if (outcome == OUTCOME_OK)
        add_available(root, sim);
    return outcome;
}

static enum outcome run_info(const struct command_line *line, struct sim *sim, struct report *why)
{
    cJSON *root = cJSON_CreateObject();
    enum outcome outcome = gather(root, sim, why);
    char *text = NULL;

    if (outcome == OUTCOME_OK || outcome == OUTCOME_NO_APPLET) {
        if ((line->given & OPTION_JSON) == 0)
            info_print(root);
        if ((line->given & OPTION_JSON) == 0 && (line->given & OPTION_VERBOSE) != 0)
            info_print_all(root);
        if ((line->given & OPTION_JSON) != 0 && (text = cJSON_Print(root)) != NULL)
            printf("%s\n", text);
    }
    free(text);
    cJSON_Delete(root);
    return outcome;
}

const struct command command_info = {.name = "info",
                                     .operands = "",
                                     .purpose = "the modem, its SIM and the keys in it",
                                     .options = OPTION_JSON | OPTION_VERBOSE,
                                     .run = run_info};
