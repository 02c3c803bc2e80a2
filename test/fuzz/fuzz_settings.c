/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the settings file. */
#include "apdu/settings.h"
#include "test/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Puts the input into a file without a name; path is how to open it. */
static void make_file(const uint8_t *data, size_t size, char *path, size_t path_size)
{
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("settings", MFD_CLOEXEC);
    REQUIRE(fd >= 0 && fchmod(fd, 0600) == 0); /* else it is not read */
    REQUIRE(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    (void)snprintf(path, path_size, "/proc/self/fd/%d", fd);
}

static void check_settings(const struct settings *settings)
{
    struct report why = REPORT_INIT;
    struct settings copy;

    REQUIRE(settings->baud >= 300 && settings->baud <= 8000000);
    REQUIRE(settings->timeout >= 1 && settings->timeout <= 86400);
    REQUIRE(settings->carrier <= CARRIER_CCHO && settings->session <= SESSION_PRIVATE);
    REQUIRE(settings->pin == NULL || settings->pin_source == NULL);
    REQUIRE(settings->trace.path == settings->trace_path);
    REQUIRE(settings_copy(&copy, settings, &why) == OUTCOME_OK);
    REQUIRE(settings_equal(&copy, settings));
    settings_clear(&copy);
}

/* The sentence does not repeat the PIN: one that nothing else looks like, if it stands in the file
 * only once. */
static void check_secret(const struct settings *settings, const struct report *why,
                         struct span text)
{
    static const char mark[] = "73519";
    const size_t length = sizeof mark - 1;
    const uint8_t *at = text.length > 0 ? memmem(text.data, text.length, mark, length) : NULL;

    if (settings->pin == NULL || strncmp(settings->pin, mark, length) != 0 || at == NULL ||
        memmem(at + 1, text.length - (size_t)(at + 1 - text.data), mark, length) != NULL)
        return;
    REQUIRE(strstr(why->text, mark) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report why = REPORT_INIT;
    struct settings settings;
    char path[64];
    enum outcome outcome;

    make_file(data, size, path, sizeof path);
    settings_init(&settings);
    outcome = settings_load_file(&settings, path, &why);
    check_report(outcome, &why);
    if (outcome != OUTCOME_OK)
        check_secret(&settings, &why, (struct span){data, size});
    check_settings(&settings);
    settings_clear(&settings);
    return 0;
}
