/* SPDX-License-Identifier: Apache-2.0 */
/* See tree.h. */
#include "provider/tool/tree.h"
#include "modem/text.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_SIZE 1024

static void begin_with(struct tree *tree, cJSON *root)
{
    *tree = (struct tree){.root = root, .broken = root == NULL};
}

void tree_begin_object(struct tree *tree)
{
    begin_with(tree, cJSON_CreateObject());
}

void tree_begin_array(struct tree *tree)
{
    begin_with(tree, cJSON_CreateArray());
}

void tree_clear(struct tree *tree)
{
    cJSON_Delete(tree->root);
    tree->root = NULL;
}

/* Gives the item, NULL if it or its parent could not be made. */
static cJSON *put_item(struct tree *tree, cJSON *parent, const char *name, cJSON *item)
{
    bool done = parent != NULL && item != NULL &&
                (name != NULL ? cJSON_AddItemToObject(parent, name, item)
                              : cJSON_AddItemToArray(parent, item)) != 0;

    if (done)
        return item;
    cJSON_Delete(item);
    tree->broken = true;
    return NULL;
}

cJSON *tree_add_object(struct tree *tree, cJSON *parent, const char *name)
{
    return put_item(tree, parent, name, cJSON_CreateObject());
}

cJSON *tree_add_array(struct tree *tree, cJSON *parent, const char *name)
{
    return put_item(tree, parent, name, cJSON_CreateArray());
}

/* Texts of others go into JSON as they go onto the terminal: as valid UTF-8 and without controls. */
void tree_add_text(struct tree *tree, cJSON *parent, const char *name, const char *text)
{
    char shown[TEXT_GROWTH * TEXT_SIZE];

    (void)text_copy(shown, sizeof shown, text);
    (void)put_item(tree, parent, name, cJSON_CreateString(shown));
}

void tree_add_number(struct tree *tree, cJSON *parent, const char *name, double number)
{
    (void)put_item(tree, parent, name, cJSON_CreateNumber(number));
}

void tree_add_bool(struct tree *tree, cJSON *parent, const char *name, bool set)
{
    (void)put_item(tree, parent, name, cJSON_CreateBool(set));
}

void tree_add_null(struct tree *tree, cJSON *parent, const char *name)
{
    (void)put_item(tree, parent, name, cJSON_CreateNull());
}

enum outcome tree_whole(const struct tree *tree, struct report *why)
{
    return tree->broken ? report_set(why, OUTCOME_SYSTEM, "out of memory") : OUTCOME_OK;
}

enum outcome tree_print(const struct tree *tree, struct report *why)
{
    char *text = tree->broken ? NULL : cJSON_Print(tree->root);

    if (text == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    printf("%s\n", text);
    free(text);
    return OUTCOME_OK;
}
