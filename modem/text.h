/* SPDX-License-Identifier: Apache-2.0 */
/* Text that others wrote (a SIM, a modem, a file, another program), made harmless for a terminal, a
 * log, or a sentence that is quoted elsewhere. All that simkey shows to people goes through here:
 * reports and errors when they are made, everything else by text_line. */
#ifndef SIMKEY_MODEM_TEXT_H
#define SIMKEY_MODEM_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Bytes that one byte of a text may become: "\x1b". */
#define TEXT_GROWTH 4

/* How many bytes the character at text has, 1 to 4, of `length` bytes that are there. 0: they do not
 * begin with a character of UTF-8 (RFC 3629: no overlong forms, no surrogates, none above
 * U+10FFFF). */
size_t text_character(const char *text, size_t length);

/* Copies from to to (size bytes, the NUL among them). Each byte of these is written as "\x1b":
 * control characters (C0, DEL, C1), what is not UTF-8, and the characters that only change how their
 * neighbours look: marks and overrides of direction, separators of lines, those without a width. A
 * copy of a copy is the same. Cut before the first character that does not fit. Returns the length.
 * The two must not overlap. */
size_t text_copy(char *to, size_t size, const char *from);

/* Writes a line for a person: formatted, harmless as text_copy makes it, and the line end. What is
 * longer than 4 KB is cut, and ends in "...". */
void text_line(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes data as text for a terminal: harmless, but with its line ends and tabs. */
void text_show(FILE *to, const void *data, size_t length);

#endif
