/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: PIN files. The first byte says what is at the path: a file with the lowest bits of its
 * mode, a link to it, a folder, a FIFO, nothing; the rest is the file. */
#include "apdu/applet/pin.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/neighbour.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { KIND_FILE, KIND_LINK = 4, KIND_FOLDER, KIND_FIFO, KIND_NOTHING };

static char paths[KIND_NOTHING + 1][96];
static int file;

static void remove_paths(void)
{
    (void)unlink(paths[KIND_LINK]);
    (void)unlink(paths[KIND_FIFO]);
}

static void make_paths(void)
{
    const char *folder = neighbour_run_dir();

    if (file > 0)
        return;
    for (unsigned i = 0; i <= KIND_NOTHING; i++)
        (void)snprintf(paths[i], sizeof paths[i], "%s%s%s", i < KIND_LINK ? "file:" : "", folder,
                       (const char *const[]){"/../pin", "/../pin", "/../pin", "/../pin", "/link",
                                             "", "/fifo", "/none"}[i]);
    file = open(neighbour_pin_file(), O_RDWR | O_CLOEXEC);
    REQUIRE(file > 0 && symlink("../pin", paths[KIND_LINK]) == 0);
    REQUIRE(mkfifo(paths[KIND_FIFO], 0600) == 0 && atexit(remove_paths) == 0);
}

/* What a PIN file must not be, and what becomes of one that is right. */
static void check(enum outcome outcome, unsigned kind, unsigned mode, struct span content,
                  const char pin[PIN_SIZE])
{
    static const char empty[PIN_SIZE];
    size_t length = strnlen(pin, PIN_SIZE);

    if (outcome != OUTCOME_OK) {
        REQUIRE(memcmp(pin, empty, PIN_SIZE) == 0); /* nothing of it stays */
        return;
    }
    REQUIRE(kind <= KIND_LINK && (mode & 0007 & ~1u) == 0);
    REQUIRE(length >= 4 && length < PIN_SIZE && strspn(pin, "0123456789") == length);
    REQUIRE(content.length >= length && memcmp(content.data, pin, length) == 0);
    REQUIRE(content.length == length || strchr("\r\n", content.data[length]) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {data, size};
    uint8_t head = input_byte(&input);
    unsigned kind = head & 7, mode = 0600u | (head >> 3 & 7) | (head >> 2 & 060);
    struct report why = REPORT_INIT;
    char pin[PIN_SIZE], *text;
    enum outcome outcome;

    make_paths();
    REQUIRE(ftruncate(file, 0) == 0 && fchmod(file, mode) == 0);
    REQUIRE(input.length == 0 ||
            pwrite(file, input.data, input.length, 0) == (ssize_t)input.length);
    outcome = pin_from_source(paths[kind], "--new-source", pin, &why);
    check_report(outcome, &why);
    check(outcome, kind, mode, input, pin);
    text = input_text(input_bytes(&input, PIN_SIZE));
    text[strcspn(text, "\r\n")] = '\0';
    REQUIRE(strspn(text, "0123456789") < 4 || strstr(why.text, text) == NULL);
    free(text);
    return 0;
}
