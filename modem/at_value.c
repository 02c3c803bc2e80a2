/* SPDX-License-Identifier: Apache-2.0 */
/* The values in AT answers: one tolerant parser for all modems. Nothing is ever indexed by an
 * announced length. */
#include "modem/at_line.h"

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

bool at_is_boot_line(const char *line)
{
    static const char *const words[] = {"^SYSSTART", "*ATREADY", "MODEM:STARTUP"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncmp(line, words[i], strlen(words[i])) == 0 &&
            strcspn(line + strlen(words[i]), " :,") == 0)
            return true;
    return strcmp(line, "RDY") == 0 || strcmp(line, "+CFUN: 1") == 0;
}

bool at_text_follows(const char *line)
{
    static const char *const headers[] = {"+CMT:", "+CBM:", "+CMGR:", "+CMGL:", "^HCMT:"};

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (strncmp(line, headers[i], strlen(headers[i])) == 0)
            return true;
    return strncmp(line, "+CDS:", 5) == 0 && strchr(line, ',') == NULL;
}
