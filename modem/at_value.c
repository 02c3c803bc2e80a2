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

/* The word up to the next comma without its quotes and blanks; *text moves behind the comma. */
static size_t next_word(const char **text, const char **word)
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
    size_t length = next_word(&rest, &word);
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
    size_t length = next_word(&rest, &start);

    if (length == 0 || length >= size)
        return false;
    memcpy(word, start, length);
    word[length] = '\0';
    *text = rest;
    return true;
}

static int nibble(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

static size_t decode(const char *hex, size_t digits, uint8_t *bytes, size_t size)
{
    if (digits == 0 || digits % 2 != 0 || digits / 2 > size)
        return 0;
    for (size_t i = 0; i < digits; i += 2) {
        int high = nibble(hex[i]), low = nibble(hex[i + 1]);

        if (high < 0 || low < 0)
            return 0;
        bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    return digits / 2;
}

size_t at_parse_apdu(const char *value, uint8_t *bytes, size_t size)
{
    const char *hex;
    long announced;
    size_t digits;

    if (!at_take_number(&value, &announced))
        return 0;
    digits = next_word(&value, &hex);
    /* a status word at least; a line split by an unsolicited one is shorter than it says */
    if (digits < 4 || (size_t)announced != digits || *value != '\0')
        return 0;
    return decode(hex, digits, bytes, size);
}

size_t hex_decode(const char *hex, uint8_t *bytes, size_t size)
{
    return decode(hex, strlen(hex), bytes, size);
}

void hex_encode(const uint8_t *bytes, size_t length, char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < length; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    *text = '\0';
}
