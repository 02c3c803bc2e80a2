/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that is made piece by piece, for info, devices and doctor. Where there was no memory for a piece the
 * tree is broken, and nothing of it is shown: one look at the end is enough. */
#ifndef SIMKEY_PROVIDER_TOOL_TREE_H
#define SIMKEY_PROVIDER_TOOL_TREE_H

#include "modem/outcome.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

struct tree {
    cJSON *root;
    bool broken; /* something is missing */
};

/* Make an empty one; free it with tree_clear. */
void tree_begin_object(struct tree *tree);
void tree_begin_array(struct tree *tree);
void tree_clear(struct tree *tree);

/* Add to an object of the tree, or with name NULL to an array. Objects and arrays are the tree's; they are NULL
 * where there was no memory, and what is added to NULL is lost. text: of others, it is written as text_copy
 * does. */
cJSON *tree_add_object(struct tree *tree, cJSON *parent, const char *name);
cJSON *tree_add_array(struct tree *tree, cJSON *parent, const char *name);
void tree_add_text(struct tree *tree, cJSON *parent, const char *name, const char *text);
void tree_add_number(struct tree *tree, cJSON *parent, const char *name, double number);
void tree_add_bool(struct tree *tree, cJSON *parent, const char *name, bool set);
void tree_add_null(struct tree *tree, cJSON *parent, const char *name);

/* Whether all of it is there. Errors: OUTCOME_SYSTEM. */
enum outcome tree_whole(const struct tree *tree, struct report *why);

/* Prints it as JSON on stdout. Errors: OUTCOME_SYSTEM, and nothing is printed. */
enum outcome tree_print(const struct tree *tree, struct report *why);

#endif
