/* SPDX-License-Identifier: Apache-2.0 */
/* Which characters are shown as they are, and how the others are written. No locale is asked: a host
 * program may have set any. */
#include "modem/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LINE_SIZE 4096

/* Characters of more than one byte that are not shown (Unicode 15: Cc, Cf, Zl, Zp). */
static const struct {
    uint32_t first, last;
} hidden[] = {
    {0x80, 0x9F},       /* C1: U+009B begins a terminal's commands as ESC [ does */
    {0xAD, 0xAD},       /* soft hyphen */
    {0x600, 0x605},     /* Arabic signs in front of numbers; so below */
    {0x61C, 0x61C},     /* Arabic letter mark */
    {0x6DD, 0x6DD},     /* Arabic end of ayah */
    {0x70F, 0x70F},     /* Syriac abbreviation mark */
    {0x890, 0x891},     /* Arabic pound marks */
    {0x8E2, 0x8E2},     /* Arabic disputed end of ayah */
    {0x180E, 0x180E},   /* Mongolian vowel separator */
    {0x200B, 0x200F},   /* without a width; marks of direction */
    {0x2028, 0x202E},   /* separators of lines and paragraphs; embeddings and overrides */
    {0x2060, 0x206F},   /* invisible operators; isolates */
    {0xFEFF, 0xFEFF},   /* byte order mark */
    {0xFFF9, 0xFFFB},   /* annotations */
    {0x110BD, 0x110BD}, /* Kaithi number signs */
    {0x110CD, 0x110CD}, /* the same, above */
    {0x13430, 0x1343F}, /* Egyptian joiners */
    {0x1BCA0, 0x1BCA3}, /* shorthand controls */
    {0x1D173, 0x1D17A}, /* musical controls */
    {0xE0000, 0xE007F}, /* tags */
};

static bool is_shown(uint32_t character)
{
    if (character < 0x80)
        return character >= 0x20 && character != 0x7F;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (character >= hidden[i].first && character <= hidden[i].last)
            return false;
    return true;
}

/* Gives the character too. */
static size_t decode_one(const uint8_t *bytes, size_t length, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length: no overlong forms */
    uint8_t first = length > 0 ? bytes[0] : 0xFF;
    size_t wanted = first < 0x80           ? 1
                    : (first >> 5) == 0x06 ? 2
                    : (first >> 4) == 0x0E ? 3
                    : (first >> 3) == 0x1E ? 4
                                           : 0;

    if (wanted == 0 || wanted > length)
        return 0;
    *character = wanted == 1 ? first : first & (0x7Fu >> wanted);
    for (size_t i = 1; i < wanted; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
        *character = *character << 6 | (bytes[i] & 0x3F);
    }
    if (*character < least[wanted] || *character > 0x10FFFF ||
        (*character >= 0xD800 && *character <= 0xDFFF))
        return 0;
    return wanted;
}

size_t text_character(const char *text, size_t length)
{
    uint32_t character;

    return decode_one((const uint8_t *)text, length, &character);
}

/* One character, or one byte that belongs to none, as it is written. Returns how many bytes of the
 * text are done. */
static size_t write_one(const uint8_t *bytes, size_t length, char out[4 * TEXT_GROWTH],
                        size_t *out_length)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t character = 0;
    size_t taken;

    if (length > 0 && bytes[0] >= 0x20 && bytes[0] < 0x7F) { /* nearly all of them */
        out[0] = (char)bytes[0];
        *out_length = 1;
        return 1;
    }
    taken = decode_one(bytes, length, &character);
    if (taken > 0 && is_shown(character)) {
        memcpy(out, bytes, taken);
        *out_length = taken;
        return taken;
    }
    taken = taken > 0 ? taken : 1;
    for (size_t i = 0; i < taken; i++) {
        out[TEXT_GROWTH * i] = '\\';
        out[TEXT_GROWTH * i + 1] = 'x';
        out[TEXT_GROWTH * i + 2] = digits[bytes[i] >> 4];
        out[TEXT_GROWTH * i + 3] = digits[bytes[i] & 15];
    }
    *out_length = TEXT_GROWTH * taken;
    return taken;
}

size_t text_copy(char *to, size_t size, const char *from)
{
    const uint8_t *bytes = (const uint8_t *)from;
    size_t length = strlen(from), used = 0, written;
    char out[4 * TEXT_GROWTH];

    for (size_t at = 0; at < length; used += written) {
        at += write_one(bytes + at, length - at, out, &written);
        if (used + written >= size)
            break;
        memcpy(to + used, out, written);
    }
    to[used] = '\0';
    return used;
}

void text_line(FILE *to, const char *format, ...)
{
    char line[LINE_SIZE], shown[TEXT_GROWTH * LINE_SIZE];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length < 0)
        return;
    (void)text_copy(shown, sizeof shown, line);
    (void)fprintf(to, "%s%s\n", shown, (size_t)length < sizeof line ? "" : "...");
}

void text_show(FILE *to, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    char out[4 * TEXT_GROWTH];
    size_t written;

    for (size_t at = 0; at < length;) {
        if (bytes[at] == '\n' || bytes[at] == '\t') {
            (void)fputc(bytes[at++], to);
            continue;
        }
        at += write_one(bytes + at, length - at, out, &written);
        (void)fwrite(out, 1, written, to);
    }
}
