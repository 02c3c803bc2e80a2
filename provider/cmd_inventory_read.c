/* SPDX-License-Identifier: Apache-2.0 */
/* Records of SIMs out of files. Of a certificate only the PEM is believed: names, dates and
 * fingerprints are made from it again, and a fingerprint that says otherwise is an error. */
#include "provider/cmd_inventory.h"
#include "provider/cmd_x509.h"
#include "provider/objects.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 30) /* a record has some 20 kB */

static enum outcome read_all(const char *path, char **text, size_t *length, struct report *why)
{
    FILE *file = fopen(path, "re");
    size_t room = 0, got;
    enum outcome outcome = OUTCOME_OK;

    *text = NULL;
    *length = 0;
    if (file == NULL)
        return report_set(why, OUTCOME_USAGE, "cannot read %s: %s", path, strerror(errno));
    do {
        char *longer;

        room += room + 65536;
        longer = room <= FILE_MAX ? realloc(*text, room) : NULL;
        if (longer == NULL) {
            (void)fclose(file);
            return report_set(why, OUTCOME_SYSTEM, "%s is too large", path);
        }
        *text = longer;
        got = fread(*text + *length, 1, room - *length, file);
        *length += got;
    } while (*length == room);
    if (ferror(file))
        outcome = report_set(why, OUTCOME_USAGE, "cannot read %s: %s", path, strerror(errno));
    (void)fclose(file);
    return outcome;
}

static bool are_digits(const char *text, size_t least, size_t most)
{
    size_t length = strspn(text, "0123456789");

    return text[length] == '\0' && length >= least && length <= most;
}

/* A SIM with its numbers, and no certificate yet. */
static enum outcome begin_sim(struct inventory *inventory, const cJSON *record, const char *source,
                              struct report *why)
{
    const char *iccid = inventory_text(record, "iccid"), *imei = inventory_text(record, "imei");
    struct inventory_sim *sim, *longer;

    if (!are_digits(iccid, 10, 20))
        return report_set(
            why, OUTCOME_USAGE,
            "%s: no ICCID in it: the modem did not tell, or this is no record of a SIM", source);
    if (imei[0] != '\0' && !are_digits(imei, 14, 16))
        return report_set(why, OUTCOME_USAGE, "%s: \"%.40s\" is no IMEI", source, imei);
    if (inventory->count == inventory->room) {
        inventory->room = 2 * inventory->room + 16;
        longer = realloc(inventory->sims, inventory->room * sizeof *longer);
        if (longer == NULL)
            return report_set(why, OUTCOME_SYSTEM, "out of memory");
        inventory->sims = longer;
    }
    sim = &inventory->sims[inventory->count];
    *sim = (struct inventory_sim){
        .json = cJSON_CreateObject(), .source = strdup(source), .number = inventory->count};
    inventory->count++;
    if (sim->source == NULL || cJSON_AddStringToObject(sim->json, "iccid", iccid) == NULL ||
        cJSON_AddStringToObject(sim->json, "imei", imei) == NULL ||
        cJSON_AddArrayToObject(sim->json, "certificates") == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    sim->iccid = inventory_text(sim->json, "iccid");
    sim->imei = inventory_text(sim->json, "imei");
    return OUTCOME_OK;
}

static enum outcome add_certificate(const struct inventory_sim *sim, const cJSON *told,
                                    const char *uri, struct report *why)
{
    const char *pem = inventory_text(told, "pem"), *print = inventory_text(told, "sha256");
    cJSON *list = cJSON_GetObjectItemCaseSensitive(sim->json, "certificates");
    cJSON *made = NULL;
    X509 *certificate;
    enum outcome outcome =
        objects_certificate(NULL, (const uint8_t *)pem, strlen(pem), &certificate, why);

    if (outcome != OUTCOME_OK)
        return report_set(why, OUTCOME_USAGE, "%s: the certificate of %s is damaged, or missing",
                          sim->source, uri);
    made = cJSON_CreateObject();
    if (cJSON_AddStringToObject(made, "uri", uri) == NULL || !x509_json(made, certificate)) {
        outcome = report_set(why, OUTCOME_USAGE, "%s: the certificate of %s cannot be decoded",
                             sim->source, uri);
    } else if (print[0] != '\0' && strcmp(print, inventory_text(made, "sha256")) != 0) {
        outcome =
            report_set(why, OUTCOME_USAGE,
                       "%s: the fingerprint of %s is not that of its certificate: the file was "
                       "changed",
                       sim->source, uri);
    } else if (cJSON_AddItemToArray(list, made) != 0) {
        made = NULL; /* the list's now */
    } else {
        outcome = report_set(why, OUTCOME_SYSTEM, "out of memory");
    }
    cJSON_Delete(made);
    X509_free(certificate);
    return outcome;
}

/* What simkey info --json tells. A container without a certificate has no PEM. */
static enum outcome take_info(struct inventory *inventory, const cJSON *record, const char *source,
                              struct report *why)
{
    const cJSON *available = cJSON_GetObjectItemCaseSensitive(record, "available");
    const cJSON *container;
    const struct inventory_sim *sim;
    enum outcome outcome = begin_sim(inventory, record, source, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    sim = &inventory->sims[inventory->count - 1];
    cJSON_ArrayForEach(container, cJSON_GetObjectItemCaseSensitive(record, "containers"))
    {
        const cJSON *index = cJSON_GetObjectItemCaseSensitive(container, "container");
        char uri[64];

        if (outcome != OUTCOME_OK || !cJSON_HasObjectItem(container, "pem"))
            continue;
        (void)snprintf(uri, sizeof uri, "sim:signing;container=%d",
                       cJSON_IsNumber(index) ? index->valueint : -1);
        outcome = add_certificate(sim, container, uri, why);
    }
    if (outcome == OUTCOME_OK && cJSON_HasObjectItem(available, "pem"))
        outcome = add_certificate(sim, available, "sim:available", why);
    return outcome;
}

/* What simkey inventory --json told before. */
static enum outcome take_inventory(struct inventory *inventory, const cJSON *record,
                                   const char *source, struct report *why)
{
    const cJSON *told, *certificate;
    enum outcome outcome = OUTCOME_OK;

    cJSON_ArrayForEach(told, cJSON_GetObjectItemCaseSensitive(record, "sims"))
    {
        if (outcome == OUTCOME_OK)
            outcome = begin_sim(inventory, told, source, why);
        cJSON_ArrayForEach(certificate, cJSON_GetObjectItemCaseSensitive(
                                            told, "certificates")) if (outcome == OUTCOME_OK)
            outcome = add_certificate(&inventory->sims[inventory->count - 1], certificate,
                                      inventory_text(certificate, "uri"), why);
    }
    return outcome;
}

static enum outcome take(struct inventory *inventory, const cJSON *record, const char *source,
                         struct report *why)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(record, "version");
    const char *schema = inventory_text(record, "schema");
    bool info = strcmp(schema, INFO_SCHEMA) == 0;

    if (!info && strcmp(schema, INVENTORY_SCHEMA) != 0)
        return report_set(why, OUTCOME_USAGE,
                          "%s is no record of a SIM: simkey info --json makes them", source);
    if (!cJSON_IsNumber(version) || version->valueint != (info ? INFO_VERSION : INVENTORY_VERSION))
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

enum outcome inventory_read(struct inventory *inventory, const char *path, struct report *why)
{
    char *text;
    size_t length, at = 0, number = 0;
    enum outcome outcome = read_all(path, &text, &length, why);

    while (outcome == OUTCOME_OK) {
        const char *end = NULL;
        cJSON *value;

        while (at < length && isspace((unsigned char)text[at]))
            at++;
        if (at == length)
            break;
        value = cJSON_ParseWithLengthOpts(text + at, length - at, &end, 0);
        if (end != NULL)
            at = (size_t)(end - text);
        if (value != NULL)
            outcome = take_value(inventory, value, path, &number, why);
        else
            outcome = report_set(why, OUTCOME_USAGE, "%s is no JSON, at byte %zu", path, at);
        cJSON_Delete(value);
    }
    free(text);
    if (outcome == OUTCOME_OK && number == 0)
        return report_set(why, OUTCOME_USAGE, "%s is empty", path);
    return outcome;
}
