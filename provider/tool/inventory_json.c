/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading of JSON, see inventory_json.h. Which members a record has is not known here. */
#include "provider/tool/inventory_json.h"
#include "modem/text.h"

#include <string.h>

/* Passes an escape in a string. False if it stands for a NUL, which would end the text for us, but
 * not for others. */
static bool pass_escape(const char *text, size_t length, size_t *at)
{
    static const char nul[] = "\\u0000";

    if (length - *at >= sizeof nul - 1 && memcmp(text + *at, nul, sizeof nul - 1) == 0)
        return false;
    *at += length - *at >= 2 ? 2 : 1;
    return true;
}

const char *json_judge(const char *text, size_t length, size_t *at)
{
    size_t values = 0, bytes;
    bool in_string = false;

    for (*at = 0; *at < length; *at += bytes) {
        char c = text[*at];

        if (in_string && c == '\\') {
            if (!pass_escape(text, length, at))
                return "a text has a NUL in it";
            bytes = 0;
            continue;
        }
        bytes = text_character(text + *at, length - *at);
        if (bytes == 0)
            return "this is not UTF-8";
        if (c == '\0')
            return "a NUL";
        if (in_string && c > '\0' && c < ' ')
            return "a text has a control character in it";
        if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == ',' || c == ':' || c == '[' || c == '{') &&
                 ++values > JSON_VALUES_MAX)
            return "more values than records of SIMs have; split the file";
    }
    return NULL;
}

static const char *type_words(int type)
{
    switch (type) {
    case cJSON_String:
        return "a text";
    case cJSON_Number:
        return "a number";
    case cJSON_Array:
        return "an array";
    default:
        return "an object";
    }
}

enum outcome json_member(const cJSON *object, const char *name, int type, const char *source,
                         const cJSON **member, struct report *why)
{
    const cJSON *item;

    *member = NULL;
    cJSON_ArrayForEach(item, object)
    {
        if (item->string == NULL || strcmp(item->string, name) != 0)
            continue;
        if (*member != NULL) /* the others that read the file may take the other one */
            return report_set(why, OUTCOME_USAGE, "%s: the member \"%s\" is there twice", source,
                              name);
        if ((item->type & 0xFF) != type)
            return report_set(why, OUTCOME_USAGE, "%s: the member \"%s\" is not %s", source, name,
                              type_words(type));
        *member = item;
    }
    return OUTCOME_OK;
}

const char *json_string(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}

const char *json_text(const cJSON *member)
{
    return member != NULL && cJSON_IsString(member) ? member->valuestring : "";
}

int json_number(const cJSON *member, int least, int most)
{
    double number = member != NULL && cJSON_IsNumber(member) ? member->valuedouble : -1;

    if (!(number >= least && number <= most) || number != (double)(int)number)
        return -1;
    return (int)number;
}
