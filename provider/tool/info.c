/* SPDX-License-Identifier: Apache-2.0 */
/* simkey info: what is in the modem and in the SIM, gathered into one JSON tree, printed as text
 * (info_text.c) or JSON. The shape of the tree is promised to programs (provider/README.md, "Inventory"): a field may
 * be added; one that goes, or changes its meaning, raises INFO_VERSION. */
#include "apdu/aid.h"
#include "provider/tool/info_text.h"
#include "provider/tool/inventory.h"
#include "provider/tool/tool.h"
#include "provider/tool/tree.h"
#include "provider/tool/x509.h"

#include <stdio.h>
#include <string.h>

/* What is not known is left out. */
static void add_known(struct tree *tree, cJSON *object, const char *name, const char *text)
{
    if (text[0] != '\0')
        tree_add_text(tree, object, name, text);
}

/* Where the modem does not tell it the card does, on a channel; or it stays unknown. */
static enum outcome add_modem(struct tree *tree, struct sim *sim, struct report *why)
{
    struct modem_identity identity = {.imei = ""};
    struct report by_card = REPORT_INIT;
    char iccid[ICCID_SIZE];
    cJSON *modem = tree_add_object(tree, tree->root, "modem");
    enum outcome outcome = token_identity(sim, &identity, iccid, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (iccid[0] == '\0' && !settings_agent(sim_settings(sim)->device, NULL) &&
        sim_card_iccid(sim, iccid, &by_card) != OUTCOME_OK)
        iccid[0] = '\0';
    add_known(tree, modem, "manufacturer", identity.manufacturer);
    add_known(tree, modem, "model", identity.model);
    add_known(tree, modem, "revision", identity.revision);
    add_known(tree, tree->root, "imei", identity.imei);
    add_known(tree, tree->root, "iccid", iccid);
    add_known(tree, tree->root, "sim", identity.sim_state);
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
static enum outcome add_applet(struct tree *tree, cJSON *applets, struct sim *sim, const char *name,
                               const struct aid *applet, struct report *why)
{
    const struct sim_raw select = {.aid = applet->bytes, .aid_length = applet->length};
    enum outcome outcome = sim_raw(sim, &select, why);

    if (disturbed(outcome))
        return outcome;
    tree_add_bool(tree, applets, name, outcome == OUTCOME_OK);
    return OUTCOME_OK;
}

/* See x509.h; a certificate that cannot be shown is an error of its container only. */
static enum outcome add_certificate(struct tree *tree, cJSON *object, const X509 *certificate,
                                    struct report *why)
{
    struct report wrong = REPORT_INIT;
    enum outcome outcome = x509_json(object, certificate, &wrong);

    if (outcome == OUTCOME_SYSTEM) {
        *why = wrong;
        return outcome;
    }
    if (outcome != OUTCOME_OK)
        tree_add_text(tree, object, "error", wrong.text);
    return OUTCOME_OK;
}

/* None where the key's algorithms cannot be asked for. */
static enum outcome add_algorithms(struct tree *tree, cJSON *object, struct sim *sim,
                                   const struct token_key *key, struct report *why)
{
    cJSON *list = tree_add_array(tree, object, "algorithms");
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
                tree_add_text(tree, list, NULL, name);
            }
    return OUTCOME_OK;
}

/* The name of a key that has no container: bytes as hex, and a label. */
static void add_name(struct tree *tree, cJSON *object, const struct token_name *name)
{
    char text[2 * TOKEN_ID_MAX + 1] = "";

    for (size_t i = 0; i < name->id_length; i++)
        (void)snprintf(text + 2 * i, 3, "%02X", name->id[i]);
    add_known(tree, object, "key_id", text);
    add_known(tree, object, "label", name->label);
}

static enum outcome add_item(struct tree *tree, cJSON *list, struct sim *sim,
                             const struct token_item *item, struct report *why)
{
    cJSON *object = tree_add_object(tree, list, NULL);
    struct signing_key signing;
    struct token_name name;
    struct uri uri;
    enum outcome outcome;

    if (item->name.container != TOKEN_CONTAINER_NONE)
        tree_add_number(tree, object, "container", item->name.container);
    if (item->name.applet != TOKEN_APPLET_ANY)
        add_known(tree, object, "applet", token_applet_word(item->name.applet));
    tree_add_text(tree, object, "use",
                  item->decrypts     ? "sign and decrypt"
                  : item->no_signing ? "key agreement"
                                     : "sign");
    if (item->empty)
        tree_add_bool(tree, object, "empty", true);
    if (!item->certificate || item->empty) {
        add_name(tree, object, &item->name);
        return OUTCOME_OK;
    }
    uri_init(&uri);
    uri.key = item->name;
    outcome = signing_key_read(sim, &uri, NULL, SIGNING_KEY, &signing, why);
    if (outcome == OUTCOME_BAD_DATA || outcome == OUTCOME_UNSUPPORTED ||
        (outcome == OUTCOME_NOT_FOUND && item->candidates > 0)) {
        tree_add_text(tree, object, "error", why->text);
        return OUTCOME_OK; /* one bad certificate does not hide the others */
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    name = signing.key.name;
    memcpy(name.label, item->name.label, sizeof name.label); /* a name for commands has one part */
    add_name(tree, object, &name);
    if (signing.certificate != NULL)
        outcome = add_certificate(tree, object, signing.certificate, why);
    if (outcome == OUTCOME_OK)
        outcome = add_algorithms(tree, object, sim, &signing.key, why);
    signing_key_clear(&signing);
    return outcome;
}

/* *first: the family that the first key names, TOKEN_APPLET_ANY if it names none (mIAS's do not). */
static enum outcome add_items(struct tree *tree, cJSON *containers, struct sim *sim,
                              enum token_applet applet, enum token_applet *first,
                              struct report *why)
{
    struct token_item list[TOKEN_ITEMS];
    size_t count;
    enum outcome outcome = token_list_of(sim, applet, list, &count, why);

    *first = count > 0 ? list[0].name.applet : TOKEN_APPLET_ANY;
    for (size_t i = 0; i < count && outcome == OUTCOME_OK; i++)
        outcome = add_item(tree, containers, sim, &list[i], why);
    return outcome;
}

/* A SIM with mIAS may have IoT SAFE's applet too: its keys come behind mIAS's. *both: it has. Which one an
 * agent's SIM has, only its keys tell. */
static enum outcome add_second(struct tree *tree, cJSON *containers, struct sim *sim,
                               enum token_applet first, bool *both, struct report *why)
{
    const bool mias = settings_agent(sim_settings(sim)->device, NULL)
                          ? first != TOKEN_APPLET_IOTSAFE
                          : token_applet_known(sim) == TOKEN_APPLET_MIAS;
    enum outcome outcome;

    *both = false;
    if (!mias || sim_settings(sim)->applet != TOKEN_APPLET_ANY)
        return OUTCOME_OK;
    outcome = add_items(tree, containers, sim, TOKEN_APPLET_IOTSAFE, &first, why);
    *both = outcome == OUTCOME_OK;
    if (outcome == OUTCOME_OK || disturbed(outcome))
        return outcome;
    report_clear(why);
    return OUTCOME_OK;
}

static enum outcome add_keys(struct tree *tree, struct sim *sim, bool *both, struct report *why)
{
    enum token_applet first;
    struct token_pin state;
    cJSON *containers, *pin;
    enum outcome outcome = token_pin_status(sim, &state, NULL, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    pin = tree_add_object(tree, tree->root, "pin");
    tree_add_bool(tree, pin, "wanted", !state.verified);
    tree_add_bool(tree, pin, "blocked", state.blocked);
    if (state.left >= 0)
        tree_add_number(tree, pin, "tries_left", state.left);
    containers = tree_add_array(tree, tree->root, "containers");
    outcome = add_items(tree, containers, sim, TOKEN_APPLET_ANY, &first, why);
    return outcome == OUTCOME_OK ? add_second(tree, containers, sim, first, both, why) : outcome;
}

/* The Type A certificate, if it can be read without asking for PIN1. */
static enum outcome add_available(struct tree *tree, struct sim *sim, struct report *why)
{
    struct report wrong = REPORT_INIT;
    X509 *certificate = NULL;
    cJSON *object = tree_add_object(tree, tree->root, "available");
    struct uri uri;
    enum outcome outcome;

    uri_init(&uri);
    outcome = available_certificate_read(sim, &uri, &certificate, &wrong);
    if (outcome == OUTCOME_SYSTEM)
        *why = wrong;
    else if (outcome == OUTCOME_OK)
        outcome = add_certificate(tree, object, certificate, why);
    else {
        tree_add_text(tree, object, "error", wrong.text);
        outcome = OUTCOME_OK;
    }
    X509_free(certificate);
    return outcome;
}

/* keys: what became of looking for keys; both: of both families. The agent selects no applet for its
 * programs: none is told of there. */
static enum outcome add_applets(struct tree *tree, struct sim *sim, enum outcome keys, bool both,
                                struct report *why)
{
    const enum token_applet meant = sim_settings(sim)->applet;
    cJSON *applets = tree_add_object(tree, tree->root, "applets");
    enum outcome outcome;

    if (settings_agent(sim_settings(sim)->device, NULL))
        return OUTCOME_OK;
    if (meant != TOKEN_APPLET_IOTSAFE) /* else it was not asked for */
        tree_add_bool(tree, applets, "mias",
                      keys == OUTCOME_OK && token_applet_known(sim) != TOKEN_APPLET_IOTSAFE);
    if (meant != TOKEN_APPLET_MIAS)
        tree_add_bool(tree, applets, "iotsafe",
                      keys == OUTCOME_OK &&
                          (both || token_applet_known(sim) == TOKEN_APPLET_IOTSAFE));
    if (keys != OUTCOME_OK && keys != OUTCOME_NO_APPLET)
        return OUTCOME_OK;
    outcome = add_applet(tree, applets, sim, "typea_files", &aids[AID_FILES], why);
    return outcome == OUTCOME_OK ? add_applet(tree, applets, sim, "safe2", &aids[AID_SAFE2], why)
                                 : outcome;
}

static enum outcome gather(struct tree *tree, struct sim *sim, struct report *why)
{
    struct report other = REPORT_INIT;
    bool both = false;
    enum outcome outcome, applets;

    tree_add_text(tree, tree->root, "schema", INFO_SCHEMA);
    tree_add_number(tree, tree->root, "version", INFO_VERSION);
    outcome = add_modem(tree, sim, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = add_keys(tree, sim, &both, why);
    applets = add_applets(tree, sim, outcome, both, &other);
    if (applets != OUTCOME_OK) {
        *why = other;
        return applets;
    }
    return outcome == OUTCOME_OK ? add_available(tree, sim, why) : outcome;
}

/* Nothing, if there was no memory for a part of it. */
static enum outcome show(const struct command_line *line, const struct tree *tree,
                         struct report *why)
{
    if ((line->given & OPTION_JSON) != 0)
        return tree_print(tree, why);
    if (tree_whole(tree, why) != OUTCOME_OK)
        return why->outcome;
    info_print(tree->root);
    if ((line->given & OPTION_VERBOSE) != 0)
        info_print_all(tree->root);
    return OUTCOME_OK;
}

static enum outcome run_info(const struct command_line *line, struct sim *sim, struct report *why)
{
    struct report not_shown = REPORT_INIT;
    struct tree tree;
    enum outcome outcome;

    tree_begin_object(&tree);
    outcome = gather(&tree, sim, why);
    if ((outcome == OUTCOME_OK || outcome == OUTCOME_NO_APPLET) &&
        show(line, &tree, &not_shown) != OUTCOME_OK) {
        *why = not_shown;
        outcome = not_shown.outcome;
    }
    tree_clear(&tree);
    return outcome;
}

const struct command command_info = {.name = "info",
                                     .operands = "",
                                     .purpose = "the modem, its SIM and the keys in it",
                                     .options = OPTION_JSON | OPTION_VERBOSE,
                                     .run = run_info};
