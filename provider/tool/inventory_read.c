/* SPDX-License-Identifier: Apache-2.0 */
/* Records of SIMs out of files, which are gateways' own work: nothing of their text is taken over.
 * Numbers and URIs are parsed and written anew; of a certificate only the PEM is believed: names,
 * dates and fingerprints are made from it again, and a fingerprint that says otherwise is an error.
 * Members of other names are not looked at. */
#include "modem/hex.h"
#include "provider/objects.h"
#include "provider/tool/input.h"
#include "provider/tool/inventory.h"
#include "provider/tool/inventory_json.h"
#include "provider/tool/x509.h"
#include "provider/uri.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_MAX ((size_t)256 << 20) /* a record has some 20 kB */
#define PEM_MAX  65536               /* a certificate in a SIM has some 2 kB */
#define URI_MAX  256
#define KEYS_MAX 64 /* certificates of one SIM; mIAS has 15 containers */

static bool are_digits(const char *text, size_t least, size_t most)
{
    size_t length = strspn(text, "0123456789");

    return text[length] == '\0' && length >= least && length <= most;
}

/* As simkey writes it: whole, in upper case, without padding. */
static bool is_iccid(const char *text)
{
    char iccid[ICCID_SIZE];

    return iccid_from_text(text, strlen(text), iccid) && strcmp(text, iccid) == 0;
}

static enum outcome append_sim(struct inventory *inventory, const char *iccid, const char *imei,
                               const char *source, struct report *why)
{
    struct inventory_sim *sim, *longer;

    if (inventory->count == inventory->room) {
        size_t room = 2 * inventory->room + 16;

        longer = realloc(inventory->sims, room * sizeof *longer);
        if (longer == NULL)
            return report_set(why, OUTCOME_SYSTEM, "out of memory");
        inventory->sims = longer;
        inventory->room = room;
    }
    sim = &inventory->sims[inventory->count];
    *sim = (struct inventory_sim){
        .json = cJSON_CreateObject(), .source = strdup(source), .number = inventory->count};
    inventory->count++;
    if (sim->source == NULL || cJSON_AddStringToObject(sim->json, "iccid", iccid) == NULL ||
        cJSON_AddStringToObject(sim->json, "imei", imei) == NULL ||
        cJSON_AddArrayToObject(sim->json, "certificates") == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    sim->iccid = json_string(sim->json, "iccid");
    sim->imei = json_string(sim->json, "imei");
    return OUTCOME_OK;
}

/* A SIM with its numbers, and no certificate yet. */
static enum outcome begin_sim(struct inventory *inventory, const cJSON *record, const char *source,
                              struct report *why)
{
    const cJSON *iccid, *imei;

    if (json_member(record, "iccid", cJSON_String, source, &iccid, why) != OUTCOME_OK ||
        json_member(record, "imei", cJSON_String, source, &imei, why) != OUTCOME_OK)
        return why->outcome;
    if (!is_iccid(json_text(iccid)))
        return report_set(
            why, OUTCOME_USAGE,
            "%s has no ICCID in it: the modem did not tell it, or this is not a record of a SIM",
            source);
    if (json_text(imei)[0] != '\0' && !are_digits(json_text(imei), 14, 16))
        return report_set(why, OUTCOME_USAGE, "%s: \"%.40s\" is not an IMEI", source,
                          json_text(imei));
    return append_sim(inventory, json_text(iccid), json_text(imei), source, why);
}

/* ---- certificates ---- */

/* What a record says of the certificate must be what it is. */
static enum outcome compare_prints(const struct inventory_sim *sim, const cJSON *told,
                                   const cJSON *made, const char *uri, struct report *why)
{
    static const char *const names[] = {"sha256", "sha1", "public_key_sha256"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const cJSON *print;

        if (json_member(told, names[i], cJSON_String, sim->source, &print, why) != OUTCOME_OK)
            return why->outcome;
        if (print != NULL && json_text(print)[0] != '\0' &&
            strcasecmp(json_text(print), json_string(made, names[i])) != 0)
            return report_set(why, OUTCOME_USAGE,
                              "%s: the fingerprint of %s (%s) is not that of its certificate: the "
                              "file was changed",
                              sim->source, uri, names[i]);
    }
    return OUTCOME_OK;
}

static enum outcome parse_certificate(const struct inventory_sim *sim, const cJSON *told,
                                      const char *uri, X509 **certificate, struct report *why)
{
    const cJSON *pem;
    const char *text;
    enum outcome outcome;

    *certificate = NULL;
    if (json_member(told, "pem", cJSON_String, sim->source, &pem, why) != OUTCOME_OK) {
        report_prefix(why, "the certificate of %s is damaged", uri);
        return why->outcome;
    }
    text = json_text(pem);
    outcome = strlen(text) <= PEM_MAX
                  ? objects_certificate(NULL, (const uint8_t *)text, strlen(text), certificate, why)
                  : OUTCOME_BAD_DATA;
    if (outcome == OUTCOME_OK || outcome == OUTCOME_SYSTEM)
        return outcome;
    return report_set(why, OUTCOME_USAGE, "%s: the certificate of %s is damaged, or missing",
                      sim->source, uri);
}

/* A key has one certificate in a SIM. */
static enum outcome judge_place(const struct inventory_sim *sim, const cJSON *list, const char *uri,
                                struct report *why)
{
    const cJSON *other;
    int count = 0;

    cJSON_ArrayForEach(other, list)
    {
        if (strcmp(json_string(other, "uri"), uri) == 0)
            return report_set(why, OUTCOME_USAGE, "%s: SIM %s has two certificates of %s",
                              sim->source, sim->iccid, uri);
        if (++count == KEYS_MAX)
            return report_set(why, OUTCOME_USAGE,
                              "%s: SIM %s has more than %d certificates: no SIM holds that many",
                              sim->source, sim->iccid, KEYS_MAX);
    }
    return OUTCOME_OK;
}

static enum outcome add_certificate(const struct inventory_sim *sim, const cJSON *told,
                                    const char *uri, struct report *why)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(sim->json, "certificates");
    cJSON *made = NULL;
    X509 *certificate = NULL;
    enum outcome outcome = judge_place(sim, list, uri, why);

    if (outcome == OUTCOME_OK)
        outcome = parse_certificate(sim, told, uri, &certificate, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    made = cJSON_CreateObject();
    outcome = cJSON_AddStringToObject(made, "uri", uri) == NULL
                  ? report_set(why, OUTCOME_SYSTEM, "out of memory")
                  : x509_json(made, certificate, why);
    if (outcome == OUTCOME_BAD_DATA)
        outcome = report_set(why, OUTCOME_USAGE, "%s: the certificate of %s cannot be decoded",
                             sim->source, uri);
    if (outcome == OUTCOME_OK)
        outcome = compare_prints(sim, told, made, uri, why);
    if (outcome == OUTCOME_OK && cJSON_AddItemToArray(list, made) != 0)
        made = NULL; /* the list's now */
    else if (outcome == OUTCOME_OK)
        outcome = report_set(why, OUTCOME_SYSTEM, "out of memory");
    cJSON_Delete(made);
    X509_free(certificate);
    return outcome;
}

/* ---- a record of simkey info ---- */

/* The key of a family that has no containers, by its id, else its label. */
static enum outcome name_by_bytes(const struct inventory_sim *sim, const cJSON *container,
                                  char **text, struct report *why)
{
    const cJSON *id, *label;
    struct uri uri;

    *text = NULL;
    if (json_member(container, "key_id", cJSON_String, sim->source, &id, why) != OUTCOME_OK ||
        json_member(container, "label", cJSON_String, sim->source, &label, why) != OUTCOME_OK)
        return why->outcome;
    uri_init(&uri);
    uri.key.applet = TOKEN_APPLET_IOTSAFE;
    uri.key.id_length = (uint8_t)hex_decode(json_text(id), uri.key.id, sizeof uri.key.id);
    if (uri.key.id_length == 0 && strlen(json_text(label)) < sizeof uri.key.label)
        (void)snprintf(uri.key.label, sizeof uri.key.label, "%s", json_text(label));
    if (!uri_names_key(&uri))
        return report_set(why, OUTCOME_USAGE,
                          "%s: a key of IoT SAFE has neither \"key_id\" nor \"label\"",
                          sim->source);
    return uri_format(&uri, text, why);
}

static enum outcome take_iotsafe(const struct inventory_sim *sim, const cJSON *container,
                                 struct report *why)
{
    char *uri;
    enum outcome outcome = name_by_bytes(sim, container, &uri, why);

    if (outcome == OUTCOME_OK)
        outcome = add_certificate(sim, container, uri, why);
    free(uri);
    return outcome;
}

/* A container without a certificate has no PEM. */
static enum outcome take_container(const struct inventory_sim *sim, const cJSON *container,
                                   struct report *why)
{
    const cJSON *number, *applet;
    char uri[64];
    int index;

    if (!cJSON_IsObject(container))
        return report_set(why, OUTCOME_USAGE, "%s: a member of \"containers\" is not an object",
                          sim->source);
    if (cJSON_GetObjectItemCaseSensitive(container, "pem") == NULL)
        return OUTCOME_OK;
    if (json_member(container, "applet", cJSON_String, sim->source, &applet, why) != OUTCOME_OK)
        return why->outcome;
    if (applet != NULL && strcmp(json_text(applet), token_applet_word(TOKEN_APPLET_IOTSAFE)) == 0)
        return take_iotsafe(sim, container, why);
    if (json_member(container, "container", cJSON_Number, sim->source, &number, why) != OUTCOME_OK)
        return why->outcome;
    index = json_number(number, 0, TOKEN_CONTAINERS - 1);
    if (index < 0)
        return report_set(why, OUTCOME_USAGE,
                          "%s: the member \"container\" is not a number from 0 to %d", sim->source,
                          TOKEN_CONTAINERS - 1);
    (void)snprintf(uri, sizeof uri, "sim:signing;container=%d", index);
    return add_certificate(sim, container, uri, why);
}

static enum outcome take_info(struct inventory *inventory, const cJSON *record, const char *source,
                              struct report *why)
{
    const cJSON *containers, *container, *available;
    const struct inventory_sim *sim;
    enum outcome outcome = begin_sim(inventory, record, source, why);

    if (outcome == OUTCOME_OK)
        outcome = json_member(record, "containers", cJSON_Array, source, &containers, why);
    if (outcome == OUTCOME_OK)
        outcome = json_member(record, "available", cJSON_Object, source, &available, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    sim = &inventory->sims[inventory->count - 1];
    cJSON_ArrayForEach(container, containers) if (outcome == OUTCOME_OK) outcome =
        take_container(sim, container, why);
    if (outcome == OUTCOME_OK && cJSON_GetObjectItemCaseSensitive(available, "pem") != NULL)
        outcome = add_certificate(sim, available, "sim:available", why);
    return outcome;
}

/* ---- what simkey inventory --json told before ---- */

/* The URI as this program writes it: the key's name alone. Settings say nothing of a SIM. */
static enum outcome rebuild_uri(const struct inventory_sim *sim, const cJSON *told, char **text,
                                struct report *why)
{
    const cJSON *member;
    char name[URI_MAX];
    struct uri uri;
    enum outcome outcome;

    *text = NULL;
    if (json_member(told, "uri", cJSON_String, sim->source, &member, why) != OUTCOME_OK)
        return why->outcome;
    if (snprintf(name, sizeof name, "%s", json_text(member)) >= (int)sizeof name)
        return report_set(why, OUTCOME_USAGE, "%s: the member \"uri\" is too long", sim->source);
    name[strcspn(name, "?")] = '\0';
    outcome = uri_parse(&uri, name, why);
    if (outcome != OUTCOME_OK) {
        report_prefix(why, "%s: the member \"uri\" is not that of a key in a SIM", sim->source);
        return outcome;
    }
    if (uri.what == URI_TRUST) {
        outcome = report_set(why, OUTCOME_USAGE,
                             "%s: the member \"uri\" is not that of a key in a SIM: sim:trust",
                             sim->source);
    } else if (uri.iccid[0] != '\0' && strcmp(uri.iccid, json_string(sim->json, "iccid")) != 0) {
        outcome =
            report_set(why, OUTCOME_USAGE, "%s: the member \"uri\" of SIM %s names another SIM: %s",
                       sim->source, sim->iccid, uri.iccid);
    } else {
        uri.iccid[0] = uri.modem[0] = '\0';
        uri.type = URI_ANY;
        if (uri.what == URI_SIGNING && !uri_names_key(&uri) &&
            uri.key.container == TOKEN_CONTAINER_NONE)
            uri.key.container = 0; /* the same key as where it is said */
        outcome = uri_format(&uri, text, why);
    }
    uri_clear(&uri);
    return outcome;
}

static enum outcome take_sim(struct inventory *inventory, const cJSON *told, const char *source,
                             struct report *why)
{
    const cJSON *certificates, *certificate;
    const struct inventory_sim *sim;
    enum outcome outcome;

    if (!cJSON_IsObject(told))
        return report_set(why, OUTCOME_USAGE, "%s: a member of \"sims\" is not an object", source);
    outcome = begin_sim(inventory, told, source, why);
    if (outcome == OUTCOME_OK)
        outcome = json_member(told, "certificates", cJSON_Array, source, &certificates, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    sim = &inventory->sims[inventory->count - 1];
    cJSON_ArrayForEach(certificate, certificates)
    {
        char *uri = NULL;

        if (!cJSON_IsObject(certificate))
            return report_set(why, OUTCOME_USAGE,
                              "%s: a member of \"certificates\" is not an object", source);
        outcome = rebuild_uri(sim, certificate, &uri, why);
        if (uri != NULL)
            outcome = add_certificate(sim, certificate, uri, why);
        free(uri);
        if (outcome != OUTCOME_OK)
            break;
    }
    return outcome;
}

static enum outcome take_inventory(struct inventory *inventory, const cJSON *record,
                                   const char *source, struct report *why)
{
    const cJSON *sims, *told;
    enum outcome outcome = json_member(record, "sims", cJSON_Array, source, &sims, why);

    if (outcome == OUTCOME_OK && sims == NULL)
        outcome = report_set(why, OUTCOME_USAGE, "%s: the member \"sims\" is missing", source);
    if (outcome == OUTCOME_OK)
        cJSON_ArrayForEach(told, sims) if (outcome == OUTCOME_OK) outcome =
            take_sim(inventory, told, source, why);
    return outcome;
}

/* ---- files ---- */

static enum outcome take(struct inventory *inventory, const cJSON *record, const char *source,
                         struct report *why)
{
    const cJSON *schema, *version;
    bool info;

    if (!cJSON_IsObject(record) || cJSON_GetObjectItemCaseSensitive(record, "schema") == NULL)
        return report_set(why, OUTCOME_USAGE,
                          "%s is not a record of a SIM: simkey info --json makes them", source);
    if (json_member(record, "schema", cJSON_String, source, &schema, why) != OUTCOME_OK ||
        json_member(record, "version", cJSON_Number, source, &version, why) != OUTCOME_OK)
        return why->outcome;
    info = strcmp(json_text(schema), INFO_SCHEMA) == 0;
    if (!info && strcmp(json_text(schema), INVENTORY_SCHEMA) != 0)
        return report_set(why, OUTCOME_USAGE,
                          "%s is not a record of a SIM: simkey info --json makes them", source);
    if (json_number(version, 0, 1000) != (info ? INFO_VERSION : INVENTORY_VERSION))
        return report_set(why, OUTCOME_USAGE,
                          "%s has another version of the format than this simkey knows", source);
    return info ? take_info(inventory, record, source, why)
                : take_inventory(inventory, record, source, why);
}

/* A record, or an array of them. *number counts the records of the file. */
static enum outcome take_value(struct inventory *inventory, const cJSON *value, const char *path,
                               size_t *number, struct report *why)
{
    const cJSON *record = cJSON_IsArray(value) ? value->child : value;
    enum outcome outcome = OUTCOME_OK;
    char source[512];

    for (; record != NULL && outcome == OUTCOME_OK; record = record->next) {
        ++*number;
        (void)snprintf(source, sizeof source, *number > 1 ? "%.400s (record %zu)" : "%.400s", path,
                       *number);
        outcome = take(inventory, record, source, why);
    }
    return outcome;
}

enum outcome inventory_take(struct inventory *inventory, const char *name, const char *text,
                            size_t length, struct report *why)
{
    size_t at, number = 0;
    const char *wrong = json_judge(text, length, &at);
    enum outcome outcome = OUTCOME_OK;

    if (wrong != NULL)
        return report_set(why, OUTCOME_USAGE, "%s is not JSON, at byte %zu: %s", name, at, wrong);
    at = 0;
    while (outcome == OUTCOME_OK) {
        const char *end = NULL;
        cJSON *value;

        while (at < length && isspace((unsigned char)text[at]))
            at++;
        if (at == length)
            break;
        errno = 0;
        value = cJSON_ParseWithLengthOpts(text + at, length - at, &end, 0);
        if (end != NULL)
            at = (size_t)(end - text);
        if (value != NULL)
            outcome = take_value(inventory, value, name, &number, why);
        else if (errno == ENOMEM)
            outcome = report_set(why, OUTCOME_SYSTEM, "out of memory");
        else
            outcome = report_set(why, OUTCOME_USAGE, "%s is not JSON, at byte %zu", name, at);
        cJSON_Delete(value);
    }
    if (outcome == OUTCOME_OK && number == 0)
        return report_set(why, OUTCOME_USAGE, "%s is empty", name);
    return outcome;
}

enum outcome inventory_read(struct inventory *inventory, const char *path, struct report *why)
{
    char *text;
    size_t length;
    enum outcome outcome = input_read(path, FILE_MAX, &text, &length, why);

    if (outcome == OUTCOME_OK)
        outcome = inventory_take(inventory, path, text, length, why);
    free(text);
    return outcome;
}
