/* SPDX-License-Identifier: Apache-2.0 */
/* What all suites share: tests as tables, and assertions that say what came instead. No scripts and
 * no devices. */
#ifndef SIMKEY_TEST_UNIT_CHECK_H
#define SIMKEY_TEST_UNIT_CHECK_H

#include "modem/outcome.h"

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test {
    const char *name;
    void (*run)(void);
};

/* One test of a table; its name is its function's, which reads as a sentence. */
#define TEST(function)                                                                             \
    {                                                                                              \
#function, function                                                                        \
    }

void add_suite(const char *name, const struct test *tests, size_t count);
#define ADD_SUITE(name, tests) add_suite(name, tests, sizeof(tests) / sizeof(tests)[0])

/* A failure with a formatted sentence; the test goes on. */
void fail_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define FAIL(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)

/* The outcome is the expected one; shows the report's sentence if not. An error must have a
 * sentence. */
void check_outcome(const char *file, int line, const char *what, enum outcome actual,
                   enum outcome expected, const struct report *why);
#define EXPECT(call, expected, why) check_outcome(__FILE__, __LINE__, #call, call, expected, why)

/* The text has the part in it. */
void check_contains(const char *file, int line, const char *text, const char *part, bool wanted);
#define EXPECT_SAYS(text, part)     check_contains(__FILE__, __LINE__, text, part, true)
#define EXPECT_SAYS_NOT(text, part) check_contains(__FILE__, __LINE__, text, part, false)

/* The bytes are those of the hex text, in which blanks do not count. */
void check_bytes(const char *file, int line, const void *bytes, size_t length, const char *hex);
#define EXPECT_BYTES(bytes, length, hex) check_bytes(__FILE__, __LINE__, bytes, length, hex)

void check_number(const char *file, int line, const char *what, long long actual,
                  long long expected);
#define EXPECT_NUMBER(actual, expected)                                                            \
    check_number(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(expected))

void check_text(const char *file, int line, const char *what, const char *actual,
                const char *expected);
#define EXPECT_TEXT(actual, expected) check_text(__FILE__, __LINE__, #actual, actual, expected)

/* Milliseconds since a moment lie between these two. */
void check_took(const char *file, int line, int64_t since_ms, int64_t least, int64_t most);
#define EXPECT_TOOK(since, least, most) check_took(__FILE__, __LINE__, since, least, most)

/* Hex with blanks to bytes; a mistake in a test's own hex is a failure. Returns the length. */
size_t bytes_of(const char *hex, uint8_t *bytes, size_t size);

/* Appends the same byte n times, as hex, to a text of a known size. */
void append_hex(char *text, size_t size, unsigned byte, size_t n);

/* Milliseconds of processor time that this process has used: for showing that a wait does not spin.
 */
int64_t processor_ms(void);

/* A folder of its own for a test under TMPDIR, and its removal with all files in it. */
struct folder {
    char path[128];
};
void folder_make(struct folder *folder);
void folder_remove(struct folder *folder);
/* Writes a file there with a mode; path has room for 192. */
void folder_write(const struct folder *folder, const char *name, const void *data, size_t length,
                  unsigned mode, char path[192]);

#endif
