/* SPDX-License-Identifier: Apache-2.0 */
/* What records of SIMs say together: the same thing twice, or things that cannot both be true.
 * Nothing is thrown away but what is there twice. */
#include "modem/text.h"
#include "provider/tool/inventory.h"
#include "provider/tool/inventory_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of records with one ICCID so many are looked at to find the same thing twice: that there is a
 * conflict is sure by then. */
#define TWINS_MAX 64

/* A certificate and the SIM that it was found in. */
struct found {
    const struct inventory_sim *sim;
    const char *sha1, *sha256, *key, *subject;
};

static bool conflict(struct inventory *inventory, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool conflict(struct inventory *inventory, const char *format, ...)
{
    char said[2048], text[2048]; /* they go into JSON too: valid UTF-8 */
    va_list args;
    cJSON *sentence;

    va_start(args, format);
    (void)vsnprintf(said, sizeof said, format, args);
    va_end(args);
    (void)text_copy(text, sizeof text, said);
    sentence = cJSON_CreateString(text);
    if (sentence != NULL && cJSON_AddItemToArray(inventory->conflicts, sentence) != 0)
        return true;
    cJSON_Delete(sentence);
    return false;
}

static int in_order(const struct inventory_sim *one, const struct inventory_sim *other)
{
    return one->number < other->number ? -1 : one->number > other->number;
}

static int by_iccid(const void *left, const void *right)
{
    const struct inventory_sim *one = left, *other = right;
    int order = strcmp(one->iccid, other->iccid);

    return order != 0 ? order : in_order(one, other);
}

static int by_imei(const void *left, const void *right)
{
    const struct inventory_sim *const *one = left, *const *other = right;
    int order = strcmp((*one)->imei, (*other)->imei);

    return order != 0 ? order : in_order(*one, *other);
}

/* By the one that servers are told: it is the same for one certificate, and must not be for two. */
static int by_fingerprint(const void *left, const void *right)
{
    const struct found *one = left, *other = right;
    int order = strcmp(one->sha1, other->sha1);

    return order != 0 ? order : in_order(one->sim, other->sim);
}

static int by_key(const void *left, const void *right)
{
    const struct found *one = left, *other = right;
    int order = strcmp(one->key, other->key);

    return order != 0 ? order : in_order(one->sim, other->sim);
}

static bool same_certificates(const struct inventory_sim *one, const struct inventory_sim *other)
{
    return cJSON_Compare(cJSON_GetObjectItemCaseSensitive(one->json, "certificates"),
                         cJSON_GetObjectItemCaseSensitive(other->json, "certificates"), 1) != 0;
}

static bool are_twins(const struct inventory_sim *one, const struct inventory_sim *other)
{
    return strcmp(one->imei, other->imei) == 0 && same_certificates(one, other);
}

/* Two of the same ICCID that are no twins. */
static bool compare(struct inventory *inventory, const struct inventory_sim *kept,
                    const struct inventory_sim *sim)
{
    if (!same_certificates(kept, sim))
        return conflict(inventory, "SIM %s has other certificates in %s than in %s", sim->iccid,
                        sim->source, kept->source);
    return conflict(inventory, "SIM %s is in two modems: IMEI %s in %s, IMEI %s in %s", sim->iccid,
                    kept->imei[0] != '\0' ? kept->imei : "(none)", kept->source,
                    sim->imei[0] != '\0' ? sim->imei : "(none)", sim->source);
}

/* Drops what was told twice; the array is sorted by ICCID. */
static bool drop_twins(struct inventory *inventory)
{
    size_t kept = 0, group = 0; /* where the SIMs of this ICCID begin among those that are kept */
    bool done = true;

    for (size_t i = 0; i < inventory->count; i++) {
        struct inventory_sim sim = inventory->sims[i];
        size_t twin;

        if (kept > group && strcmp(inventory->sims[group].iccid, sim.iccid) != 0)
            group = kept;
        for (twin = group; twin < kept && twin - group < TWINS_MAX; twin++)
            if (are_twins(&inventory->sims[twin], &sim))
                break;
        if (twin < kept && twin - group < TWINS_MAX) {
            text_line(stderr, "simkey: note: SIM %s in %s is the same as in %s", sim.iccid,
                      sim.source, inventory->sims[twin].source);
            cJSON_Delete(sim.json);
            free(sim.source);
            continue;
        }
        if (kept > group)
            done = compare(inventory, &inventory->sims[group], &sim) && done;
        inventory->sims[kept++] = sim;
    }
    inventory->count = kept;
    return done;
}

/* One modem tells the check digit of an ICCID, another one does not: a list must not have both. */
static bool compare_spellings(struct inventory *inventory)
{
    bool done = true;

    for (size_t i = 1; i < inventory->count && done; i++) {
        const struct inventory_sim *one = &inventory->sims[i - 1], *other = &inventory->sims[i];
        size_t length = strlen(one->iccid);

        if (strncmp(one->iccid, other->iccid, length) == 0 && strlen(other->iccid) == length + 1)
            done = conflict(inventory,
                            "SIM %s in %s and SIM %s in %s may be the same: their ICCIDs differ by "
                            "one more digit only",
                            one->iccid, one->source, other->iccid, other->source);
    }
    return done;
}

static bool compare_modems(struct inventory *inventory)
{
    const struct inventory_sim **list = calloc(inventory->count + 1, sizeof *list);
    bool done = list != NULL;

    for (size_t i = 0; i < inventory->count && done; i++)
        list[i] = &inventory->sims[i];
    if (done)
        qsort(list, inventory->count, sizeof *list, by_imei);
    for (size_t i = 1; i < inventory->count && done; i++)
        if (list[i]->imei[0] != '\0' && strcmp(list[i - 1]->imei, list[i]->imei) == 0 &&
            strcmp(list[i - 1]->iccid, list[i]->iccid) != 0)
            done = conflict(inventory, "the modem with IMEI %s has two SIMs: %s in %s, %s in %s",
                            list[i]->imei, list[i - 1]->iccid, list[i - 1]->source, list[i]->iccid,
                            list[i]->source);
    free(list);
    return done;
}

/* Each certificate of each SIM; free it. NULL: no memory. */
static struct found *find_all(const struct inventory *inventory, size_t *count)
{
    struct found *list;
    size_t used = 0;

    *count = 0;
    for (size_t i = 0; i < inventory->count; i++)
        *count += (size_t)cJSON_GetArraySize(
            cJSON_GetObjectItemCaseSensitive(inventory->sims[i].json, "certificates"));
    list = calloc(*count + 1, sizeof *list);
    for (size_t i = 0; i < inventory->count && list != NULL; i++) {
        const cJSON *certificate;

        cJSON_ArrayForEach(
            certificate, cJSON_GetObjectItemCaseSensitive(inventory->sims[i].json, "certificates"))
            list[used++] = (struct found){&inventory->sims[i], json_string(certificate, "sha1"),
                                          json_string(certificate, "sha256"),
                                          json_string(certificate, "public_key_sha256"),
                                          json_string(certificate, "subject")};
    }
    return list;
}

static bool compare_certificates(struct inventory *inventory)
{
    size_t count;
    struct found *list = find_all(inventory, &count);
    bool done = list != NULL;

    if (done)
        qsort(list, count, sizeof *list, by_fingerprint);
    for (size_t i = 1; i < count && done; i++)
        if (strcmp(list[i - 1].sha1, list[i].sha1) == 0 &&
            strcmp(list[i - 1].sim->iccid, list[i].sim->iccid) != 0)
            done = conflict(inventory,
                            "the certificate %s (%.200s) is in two SIMs: %s in %s, %s in %s",
                            list[i].sha256, list[i].subject, list[i - 1].sim->iccid,
                            list[i - 1].sim->source, list[i].sim->iccid, list[i].sim->source);
    if (done)
        qsort(list, count, sizeof *list, by_key);
    for (size_t i = 1; i < count && done; i++)
        if (strcmp(list[i - 1].key, list[i].key) == 0 &&
            strcmp(list[i - 1].sha256, list[i].sha256) != 0 &&
            strcmp(list[i - 1].sim->iccid, list[i].sim->iccid) != 0)
            done = conflict(inventory,
                            "the key %s is in two SIMs, with two certificates: %s in %s, %s in %s",
                            list[i].key, list[i - 1].sim->iccid, list[i - 1].sim->source,
                            list[i].sim->iccid, list[i].sim->source);
    free(list);
    return done;
}

enum outcome inventory_merge(struct inventory *inventory, struct report *why)
{
    if (inventory->count > 0)
        qsort(inventory->sims, inventory->count, sizeof *inventory->sims, by_iccid);
    if (!drop_twins(inventory) || !compare_spellings(inventory) || !compare_modems(inventory) ||
        !compare_certificates(inventory))
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    return OUTCOME_OK;
}
