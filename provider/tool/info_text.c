/* SPDX-License-Identifier: Apache-2.0 */
/* simkey info as text: a few lines and a table for a person, or all of the tree that info.c gathered. */
#include "provider/tool/info_text.h"
#include "modem/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ROWS   64
#define PREFIX "Revision: " /* what many modems put before theirs */

enum column { COLUMN_NAME, COLUMN_TYPE, COLUMN_USE, COLUMN_UNTIL, COLUMN_SUBJECT, COLUMNS };

struct row {
    char cells[COLUMNS][256]; /* the last one is the subject, or what is wrong */
};

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(value) ? value->valuestring : "";
}

static int number_of(const cJSON *object, const char *name, int missing)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(value) ? value->valueint : missing;
}

static bool is_set(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* ---- the lines ---- */

static void print_sim(const cJSON *root)
{
    const char *iccid = text_of(root, "iccid"), *state = text_of(root, "sim");
    char words[64] = "";

    if (strcmp(state, "READY") == 0)
        (void)snprintf(words, sizeof words, ", ready");
    else if (state[0] != '\0')
        (void)snprintf(words, sizeof words, ", the modem says \"%.40s\"", state);
    text_line(stdout, "SIM      %s%s", iccid[0] != '\0' ? iccid : "ICCID unknown", words);
}

static void print_modem(const cJSON *root)
{
    const cJSON *modem = cJSON_GetObjectItemCaseSensitive(root, "modem");
    const char *maker = text_of(modem, "manufacturer"), *model = text_of(modem, "model");
    const char *revision = text_of(modem, "revision"), *imei = text_of(root, "imei");

    if (strncmp(revision, PREFIX, sizeof PREFIX - 1) == 0)
        revision += sizeof PREFIX - 1;
    text_line(
        stdout, "modem    %s%s%s%s%s%s%s", maker, maker[0] != '\0' && model[0] != '\0' ? " " : "",
        maker[0] == '\0' && model[0] == '\0' ? "name unknown" : model,
        revision[0] != '\0' ? ", firmware " : "", revision, imei[0] != '\0' ? ", IMEI " : "", imei);
}

static void print_pin(const cJSON *root)
{
    const cJSON *pin = cJSON_GetObjectItemCaseSensitive(root, "pin");
    int left = number_of(pin, "tries_left", -1);

    if (pin == NULL)
        return;
    if (is_set(pin, "blocked"))
        text_line(stdout, "PIN      permanently blocked: this SIM can no longer sign");
    else if (!is_set(pin, "wanted"))
        text_line(stdout, "PIN      none is needed to sign");
    else if (left < 0)
        text_line(stdout, "PIN      needed to sign; the SIM does not tell how many tries are left");
    else
        text_line(stdout, "PIN      needed to sign, %d %s left", left, left == 1 ? "try" : "tries");
}

static void print_applets(const cJSON *root)
{
    const cJSON *applets = cJSON_GetObjectItemCaseSensitive(root, "applets"), *applet;
    char there[256] = "", missing[256] = "";

    cJSON_ArrayForEach(applet, applets)
    {
        char *list = cJSON_IsTrue(applet) ? there : missing;
        size_t used = strlen(list);

        (void)snprintf(list + used, sizeof there - used, "%s%s", used > 0 ? ", " : "",
                       applet->string);
    }
    if (cJSON_GetArraySize(applets) == 0)
        return;
    text_line(stdout, "applets  %s%s%s%s", there[0] != '\0' ? there : "none that simkey knows",
              missing[0] != '\0' ? " (not there: " : "", missing, missing[0] != '\0' ? ")" : "");
}

/* ---- the table ---- */

static void fill_certificate(struct row *row, const cJSON *object)
{
    const char *key = text_of(object, "key"), *error = text_of(object, "error");
    int bits = number_of(object, "bits", 0);

    if (key[0] != '\0')
        (void)snprintf(row->cells[COLUMN_TYPE], sizeof row->cells[0], "%s %s%d", key,
                       strcmp(key, "EC") == 0 ? "P-" : "", bits);
    (void)snprintf(row->cells[COLUMN_UNTIL], sizeof row->cells[0], "%.10s",
                   text_of(object, "not_after"));
    if (error[0] != '\0')
        (void)snprintf(row->cells[COLUMN_SUBJECT], sizeof row->cells[0], "error: %s", error);
    else
        (void)snprintf(row->cells[COLUMN_SUBJECT], sizeof row->cells[0], "%s",
                       text_of(object, "subject")[0] != '\0' ? text_of(object, "subject")
                       : is_set(object, "empty")             ? "empty: a place for a key pair"
                                                             : "no certificate");
}

/* As it is named in a URI: by its container, its label or its id. */
static void fill_key(struct row *row, const cJSON *object)
{
    const char *label = text_of(object, "label"), *id = text_of(object, "key_id");
    int container = number_of(object, "container", -1);

    memset(row, 0, sizeof *row);
    if (container >= 0)
        (void)snprintf(row->cells[COLUMN_NAME], sizeof row->cells[0], "container %d", container);
    else
        (void)snprintf(row->cells[COLUMN_NAME], sizeof row->cells[0], "%s",
                       label[0] != '\0' ? label : id);
    (void)snprintf(row->cells[COLUMN_USE], sizeof row->cells[0], "%s", text_of(object, "use"));
    fill_certificate(row, object);
}

static size_t fill_rows(struct row rows[ROWS], const cJSON *root)
{
    static const struct row head = {{"key", "type", "use", "until", "subject"}};
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(root, "containers"), *key;
    const cJSON *available = cJSON_GetObjectItemCaseSensitive(root, "available");
    size_t count = 0;

    rows[count++] = head;
    cJSON_ArrayForEach(key, keys)
    {
        if (count < ROWS - 1)
            fill_key(&rows[count++], key);
    }
    if (available != NULL) {
        const char *error = text_of(available, "error");

        memset(&rows[count], 0, sizeof rows[count]);
        (void)snprintf(rows[count].cells[COLUMN_NAME], sizeof rows[0].cells[0], "available");
        (void)snprintf(rows[count].cells[COLUMN_USE], sizeof rows[0].cells[0], "Type A");
        fill_certificate(&rows[count], available);
        if (error[0] != '\0') /* most SIMs have none: no fault */
            (void)snprintf(rows[count].cells[COLUMN_SUBJECT], sizeof rows[0].cells[0],
                           "cannot be read: %s", error);
        count++;
    }
    return count;
}

static void print_table(const struct row rows[ROWS], size_t count)
{
    int widths[COLUMNS] = {0};

    for (size_t i = 0; i < count; i++)
        for (int column = 0; column < COLUMN_SUBJECT; column++)
            if ((int)strlen(rows[i].cells[column]) > widths[column])
                widths[column] = (int)strlen(rows[i].cells[column]);
    text_line(stdout, "%s", "");
    for (size_t i = 0; i < count; i++)
        text_line(stdout, "%-*s  %-*s  %-*s  %-*s  %s", widths[COLUMN_NAME],
                  rows[i].cells[COLUMN_NAME], widths[COLUMN_TYPE], rows[i].cells[COLUMN_TYPE],
                  widths[COLUMN_USE], rows[i].cells[COLUMN_USE], widths[COLUMN_UNTIL],
                  rows[i].cells[COLUMN_UNTIL], rows[i].cells[COLUMN_SUBJECT]);
}

void info_print(const cJSON *root)
{
    struct row rows[ROWS];
    size_t count;

    print_sim(root);
    print_modem(root);
    print_pin(root);
    print_applets(root);
    count = fill_rows(rows, root);
    if (count > 1)
        print_table(rows, count);
}

/* ---- all of it ---- */

/* What text leaves out: simkey cert shows a certificate better. */
static bool is_for_programs(const char *name)
{
    return strcmp(name, "schema") == 0 || strcmp(name, "version") == 0 || strcmp(name, "pem") == 0;
}

static void join_words(const cJSON *list, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (const cJSON *word = list->child; word != NULL && used < size; word = word->next)
        used += (size_t)snprintf(text + used, size - used, " %s", word->valuestring);
}

static void print_node(const cJSON *node, int depth)
{
    const cJSON *child;
    char words[512];

    cJSON_ArrayForEach(child, node)
    {
        const char *name = child->string != NULL ? child->string : "";
        const char *colon = child->string != NULL ? ":" : "";

        if (is_for_programs(name))
            continue;
        if (cJSON_IsString(child))
            text_line(stdout, "%*s%s%s%s", 2 * depth, "", name, child->string != NULL ? ": " : "",
                      child->valuestring);
        else if (cJSON_IsNumber(child))
            text_line(stdout, "%*s%s%s %d", 2 * depth, "", name, colon, child->valueint);
        else if (cJSON_IsBool(child))
            text_line(stdout, "%*s%s%s %s", 2 * depth, "", name, colon,
                      cJSON_IsTrue(child) ? "yes" : "no");
        else if (cJSON_IsArray(child) && (child->child == NULL || cJSON_IsString(child->child))) {
            join_words(child, words, sizeof words);
            text_line(stdout, "%*s%s%s%s", 2 * depth, "", name, colon, words);
        } else {
            text_line(stdout, "%*s%s%s", 2 * depth, "", name, child->string != NULL ? ":" : "-");
            print_node(child, depth + 1);
        }
    }
}

void info_print_all(const cJSON *root)
{
    text_line(stdout, "%s", "");
    print_node(root, 0);
}
