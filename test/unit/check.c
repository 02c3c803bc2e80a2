/* SPDX-License-Identifier: Apache-2.0 */
/* The assertions of check.h: each says what was found and what was expected, which CUnit's own do
 * not. */
#include "test/unit/check.h"

#include "modem/deadline.h"

#include <CUnit/TestDB.h>
#include <CUnit/TestRun.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void add_suite(const char *name, const struct test *tests, size_t count)
{
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    size_t i;

    for (i = 0; suite && i < count; i++)
        if (!CU_add_test(suite, tests[i].name, tests[i].run))
            suite = NULL;
    if (!suite) {
        fprintf(stderr, "unit: cannot register suite %s: %s\n", name, CU_get_error_msg());
        exit(1);
    }
}

/* CUnit copies the sentence. */
static void verdict(bool good, const char *file, int line, const char *sentence)
{
    CU_assertImplementation(good ? CU_TRUE : CU_FALSE, (unsigned)line, sentence, file, "",
                            CU_FALSE);
}

void fail_at(const char *file, int line, const char *format, ...)
{
    char sentence[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    verdict(false, file, line, sentence);
}

void check_outcome(const char *file, int line, const char *what, enum outcome actual,
                   enum outcome expected, const struct report *why)
{
    if (actual != expected)
        fail_at(file, line, "%s gave outcome %d instead of %d: %s", what, (int)actual,
                (int)expected, why ? why->text : "");
    else if (actual != OUTCOME_OK && why && why->text[0] == '\0')
        fail_at(file, line, "%s failed as expected (%d) but without a sentence", what, (int)actual);
    else if (actual != OUTCOME_OK && why && why->outcome != actual)
        fail_at(file, line, "%s returned %d but its report says %d", what, (int)actual,
                (int)why->outcome);
    else
        verdict(true, file, line, what);
}

void check_contains(const char *file, int line, const char *text, const char *part, bool wanted)
{
    if ((strstr(text, part) != NULL) == wanted)
        verdict(true, file, line, part);
    else
        fail_at(file, line, "\"%s\" %s \"%s\"", text, wanted ? "lacks" : "contains", part);
}

void check_bytes(const char *file, int line, const void *bytes, size_t length, const char *hex)
{
    uint8_t expected[8192];
    size_t expected_length = bytes_of(hex, expected, sizeof expected), i;
    char shown[3 * 24 + 1] = "";

    if (length == expected_length && (length == 0 || memcmp(bytes, expected, length) == 0)) {
        verdict(true, file, line, hex);
        return;
    }
    for (i = 0; i < length && i < 24; i++)
        sprintf(shown + 3 * i, "%02X ", ((const uint8_t *)bytes)[i]);
    fail_at(file, line, "%zu bytes %s%s, expected %zu bytes %.90s", length, shown,
            length > 24 ? "..." : "", expected_length, hex);
}

void check_number(const char *file, int line, const char *what, long long actual,
                  long long expected)
{
    if (actual == expected)
        verdict(true, file, line, what);
    else
        fail_at(file, line, "%s is %lld (0x%llX) instead of %lld (0x%llX)", what, actual, actual,
                expected, expected);
}

void check_text(const char *file, int line, const char *what, const char *actual,
                const char *expected)
{
    if (actual && expected && strcmp(actual, expected) == 0)
        verdict(true, file, line, what);
    else if (!actual && !expected)
        verdict(true, file, line, what);
    else
        fail_at(file, line, "%s is \"%.200s\" instead of \"%.200s\"", what,
                actual ? actual : "(null)", expected ? expected : "(null)");
}

void check_took(const char *file, int line, int64_t since_ms, int64_t least, int64_t most)
{
    int64_t took = monotonic_ms() - since_ms;

    if (took >= least && took <= most)
        verdict(true, file, line, "the time it took");
    else
        fail_at(file, line, "it took %lld ms instead of %lld to %lld", (long long)took,
                (long long)least, (long long)most);
}

static int digit(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF", *found = strchr(digits, c);

    return c != '\0' && found ? (int)((found - digits) % 16) : -1;
}

size_t bytes_of(const char *hex, uint8_t *bytes, size_t size)
{
    size_t length = 0;

    for (; *hex != '\0'; hex++) {
        if (*hex == ' ')
            continue;
        if (digit(hex[0]) < 0 || digit(hex[1]) < 0 || length == size) {
            FAIL("the test's own hex is wrong at \"%.40s\"", hex);
            return length;
        }
        bytes[length++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
        hex++;
    }
    return length;
}

void append_hex(char *text, size_t size, unsigned byte, size_t n)
{
    size_t length = strlen(text);

    for (; n > 0 && length + 3 <= size; n--, length += 2)
        sprintf(text + length, "%02X", byte & 0xFF);
    if (n > 0)
        FAIL("the test's own text is too short for its hex");
}

int64_t processor_ms(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

void folder_make(struct folder *folder)
{
    const char *parent = getenv("TMPDIR");

    snprintf(folder->path, sizeof folder->path, "%.80s/simkey-unit-XXXXXX",
             parent && *parent ? parent : "/tmp");
    if (!mkdtemp(folder->path))
        FAIL("no folder %s: %s", folder->path, strerror(errno));
}

void folder_remove(struct folder *folder)
{
    DIR *directory = opendir(folder->path);
    struct dirent *entry;

    while (directory && (entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    rmdir(folder->path);
}

void folder_write(const struct folder *folder, const char *name, const void *data, size_t length,
                  unsigned mode, char path[192])
{
    int fd;

    snprintf(path, 192, "%s/%.50s", folder->path, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, length) != (ssize_t)length || fchmod(fd, mode) != 0)
        FAIL("cannot write %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}
