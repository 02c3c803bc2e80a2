/* SPDX-License-Identifier: Apache-2.0 */
/* simkey inventory: the command, and how the inventory is written. Reading is in
 * inventory_read.c, judging in inventory_merge.c. */
#include "provider/tool/inventory.h"
#include "modem/text.h"
#include "provider/tool/inventory_json.h"
#include "provider/tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const columns[] = {
    "key",       "bits",   "subject",           "issuer", "serial", "not_before",
    "not_after", "sha256", "public_key_sha256", "sha1"};
#define COLUMNS (sizeof columns / sizeof columns[0])

#define CONFLICTS_TOLD 100 /* on standard error */

bool inventory_init(struct inventory *inventory)
{
    memset(inventory, 0, sizeof *inventory);
    inventory->conflicts = cJSON_CreateArray();
    return inventory->conflicts != NULL;
}

void inventory_clear(struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->count; i++) {
        cJSON_Delete(inventory->sims[i].json);
        free(inventory->sims[i].source);
    }
    free(inventory->sims);
    cJSON_Delete(inventory->conflicts);
    memset(inventory, 0, sizeof *inventory);
}

/* ---- CSV (RFC 4180), a line a certificate ---- */

static bool put(BIO *out, const char *text)
{
    return text[0] == '\0' || BIO_puts(out, text) > 0;
}

/* RFC 2253 puts a backslash before the semicolons of a name. */
static bool put_characters(BIO *out, const char *text)
{
    bool escaped = false, done = true;

    for (; *text != '\0' && done; text++) {
        if (escaped && *text == ';')
            done = put(out, "3B");
        else
            done = (*text != '"' || put(out, "\"")) && BIO_write(out, text, 1) == 1;
        escaped = !escaped && *text == '\\';
    }
    return done;
}

static bool put_cell(BIO *out, const char *text)
{
    bool formula = text[0] != '\0' && strchr("=+-@\t\r\n", text[0]) != NULL;
    const char *quote = strpbrk(text, ",\"\r\n\t") != NULL ? "\"" : "";

    return put(out, quote) && put(out, formula ? "'" : "") && put_characters(out, text) &&
           put(out, quote);
}

/* certificate NULL: a SIM that has none is in the list too. */
static bool put_line(BIO *out, const struct inventory_sim *sim, const cJSON *certificate)
{
    bool done = put_cell(out, sim->iccid) && put(out, ",") && put_cell(out, sim->imei) &&
                put(out, ",") && put_cell(out, json_string(certificate, "uri"));

    for (size_t i = 0; i < COLUMNS && done; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(certificate, columns[i]);
        char number[16] = "";

        if (cJSON_IsNumber(item))
            (void)snprintf(number, sizeof number, "%d", item->valueint);
        done = put(out, ",") && put_cell(out, cJSON_IsString(item) ? item->valuestring : number);
    }
    return done && put(out, "\n");
}

bool inventory_write_csv(const struct inventory *inventory, BIO *out)
{
    bool done = put(out, "iccid,imei,uri");

    for (size_t i = 0; i < COLUMNS && done; i++)
        done = put(out, ",") && put(out, columns[i]);
    done = done && put(out, "\n");
    for (size_t i = 0; i < inventory->count && done; i++) {
        const cJSON *list =
            cJSON_GetObjectItemCaseSensitive(inventory->sims[i].json, "certificates");
        const cJSON *certificate;

        if (list->child == NULL)
            done = put_line(out, &inventory->sims[i], NULL);
        cJSON_ArrayForEach(certificate, list) done =
            done && put_line(out, &inventory->sims[i], certificate);
    }
    return done;
}

/* ---- JSON ---- */

bool inventory_write_json(const struct inventory *inventory, BIO *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *sims;
    char *text = NULL;
    bool done = cJSON_AddStringToObject(root, "schema", INVENTORY_SCHEMA) != NULL &&
                cJSON_AddNumberToObject(root, "version", INVENTORY_VERSION) != NULL &&
                (sims = cJSON_AddArrayToObject(root, "sims")) != NULL;

    for (size_t i = 0; i < inventory->count && done; i++)
        done = cJSON_AddItemReferenceToArray(sims, inventory->sims[i].json) != 0;
    done = done && cJSON_AddItemReferenceToObject(root, "conflicts", inventory->conflicts) != 0 &&
           (text = cJSON_Print(root)) != NULL && put(out, text) && put(out, "\n");
    free(text);
    cJSON_Delete(root);
    return done;
}

/* ---- nginx ---- */

/* The same certificate may be in two containers of a SIM; nginx wants each once. */
static bool said_before(const cJSON *list, const cJSON *certificate)
{
    const cJSON *other;

    cJSON_ArrayForEach(other, list)
    {
        if (other == certificate)
            return false;
        if (strcmp(json_string(other, "sha1"), json_string(certificate, "sha1")) == 0)
            return true;
    }
    return false;
}

bool inventory_write_map(const struct inventory *inventory, BIO *out)
{
    bool done = true;

    for (size_t i = 0; i < inventory->count && done; i++) {
        const struct inventory_sim *sim = &inventory->sims[i];
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(sim->json, "certificates");
        const cJSON *certificate;

        cJSON_ArrayForEach(certificate, list) if (done && !said_before(list, certificate)) done =
            put(out, json_string(certificate, "sha1")) && put(out, " ") && put(out, sim->iccid) &&
            put(out, ";\n");
    }
    return done;
}

/* ---- the command ---- */

static enum outcome write_out(const struct command_line *line, const struct inventory *inventory,
                              struct report *why)
{
    BIO *content = BIO_new(BIO_s_mem());
    mode_t mask = umask(0);
    enum outcome outcome;
    bool done;

    (void)umask(mask);
    if ((line->given & OPTION_NGINX_MAP) != 0)
        done = content != NULL && inventory_write_map(inventory, content);
    else if ((line->given & OPTION_JSON) != 0)
        done = content != NULL && inventory_write_json(inventory, content);
    else
        done = content != NULL && inventory_write_csv(inventory, content);
    outcome = done ? output_write(line, content, 0666 & ~(unsigned)mask, why)
                   : report_set(why, OUTCOME_SYSTEM, "out of memory");
    BIO_free(content);
    return outcome;
}

/* A server must not be told of a certificate without knowing whose it is: no map then. */
static enum outcome tell_conflicts(const struct inventory *inventory, bool map, struct report *why)
{
    int count = cJSON_GetArraySize(inventory->conflicts);
    const cJSON *conflict;
    int told = 0;

    terminal_make_room();
    cJSON_ArrayForEach(conflict, inventory->conflicts) if (told++ < CONFLICTS_TOLD)
        text_line(stderr, "simkey: conflict: %s", conflict->valuestring);
    if (count > CONFLICTS_TOLD)
        text_line(stderr, "simkey: and %d more conflicts: --json lists all",
                  count - CONFLICTS_TOLD);
    return count == 0
               ? OUTCOME_OK
               : report_set(why, OUTCOME_VERIFY_FAILED, "%d conflict%s among these records%s",
                            count, count == 1 ? "" : "s",
                            map ? ": no map is written before they are resolved" : "");
}

static enum outcome run_inventory(const struct command_line *line, struct sim *sim,
                                  struct report *why)
{
    bool map = (line->given & OPTION_NGINX_MAP) != 0;
    struct report conflicts = REPORT_INIT;
    struct inventory inventory;
    enum outcome outcome = OUTCOME_OK;

    (void)sim;
    if (line->operand_count == 0)
        return report_set(why, OUTCOME_USAGE,
                          "simkey inventory wants files that simkey info --json has written");
    if (map && (line->given & OPTION_JSON) != 0)
        return report_set(why, OUTCOME_USAGE, "--json or --nginx-map, not both");
    if (!inventory_init(&inventory))
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    for (int i = 0; i < line->operand_count && outcome == OUTCOME_OK; i++)
        outcome = inventory_read(&inventory, line->operands[i], why);
    if (outcome == OUTCOME_OK)
        outcome = inventory_merge(&inventory, why);
    if (outcome == OUTCOME_OK) {
        (void)tell_conflicts(&inventory, map, &conflicts);
        if (!map || conflicts.outcome == OUTCOME_OK)
            outcome = write_out(line, &inventory, why);
        if (outcome == OUTCOME_OK && conflicts.outcome != OUTCOME_OK)
            outcome = report_set(why, conflicts.outcome, "%s", conflicts.text);
    }
    inventory_clear(&inventory);
    return outcome;
}

const struct command command_inventory = {
    .name = "inventory",
    .operands = "FILE...",
    .purpose =
        "merges what simkey info --json told of many SIMs to one CSV, and finds duplicates and\n"
        "    conflicts; needs no SIM",
    .options = OPTION_OUT | OPTION_JSON | OPTION_NGINX_MAP,
    .without_sim = true,
    .run = run_inventory};
