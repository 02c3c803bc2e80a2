/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that is not trusted, read strictly: what cJSON would take silently (a NUL in a text, a name
 * twice, half a number, an object for an array) is an error that names the file and the member. */
#ifndef SIMKEY_PROVIDER_TOOL_INVENTORY_JSON_H
#define SIMKEY_PROVIDER_TOOL_INVENTORY_JSON_H

#include "modem/outcome.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* More values than this in one text are refused: cJSON has some 80 bytes for each. */
#define JSON_VALUES_MAX 4000000

/* Looks over a text before it is parsed: it must be UTF-8, without a NUL, also an escaped one, and
 * without control characters in its strings. NULL if it is; else what is wrong, and where. */
const char *json_judge(const char *text, size_t length, size_t *at);

/* The member of an object. type: cJSON_String, cJSON_Number, cJSON_Array or cJSON_Object. *member is
 * NULL if it is not there. source: the file's name, for the sentence. Errors: OUTCOME_USAGE (it is
 * there twice, or of another type). */
enum outcome json_member(const cJSON *object, const char *name, int type, const char *source,
                         const cJSON **member, struct report *why);

/* A string in an object, "" if there is none. */
const char *json_string(const cJSON *object, const char *name);

/* A member's text, "" if it is NULL. */
const char *json_text(const cJSON *member);

/* A whole number between these two, else -1. */
int json_number(const cJSON *member, int least, int most);

#endif
