/* SPDX-License-Identifier: Apache-2.0 */
/* The values in AT answers: one tolerant parser for all modems. Nothing is ever indexed by an
 * announced length. */
#include "modem/at.h"

#include <ctype.h>
#include <string.h>

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

size_t at_next_word(const char **text, const char **word)
{
    const char *start = skip_blanks(*text);
    const char *end = start + strcspn(start, ",");

    *text = *end == ',' ? end + 1 : end;
    while (end > start && strchr(" \t", end[-1]) != NULL)
        end--;
    if (start < end && *start == '"')
        start++;
    if (start < end && end[-1] == '"')
        end--;
    *word = start;
    return (size_t)(end - start);
}

bool at_take_number(const char **text, long *number)
{
    const char *rest = *text, *word;
    size_t length = at_next_word(&rest, &word);
    long value = 0;

    if (length == 0 || length > 9)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)word[i]))
            return false;
        value = value * 10 + (word[i] - '0');
    }
    *number = value;
    *text = rest;
    return true;
}

bool at_take_word(const char **text, char *word, size_t size)
{
    const char *rest = *text, *start;
    size_t length = at_next_word(&rest, &start);

    if (length == 0 || length >= size)
        return false;
    memcpy(word, start, length);
    word[length] = '\0';
    *text = rest;
    return true;
}
