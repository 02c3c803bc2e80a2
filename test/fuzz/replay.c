/* SPDX-License-Identifier: Apache-2.0 */
/* replay FOLDER...: gives the inputs that are in each folder, one folder a target below it, to the
 * fuzz targets: the corpora as tests, without libFuzzer. Names each input that breaks a rule; a crash
 * ends it by its signal. */
#include "test/fuzz/fuzz.h"
#include "test/fuzz/neighbour.h"
#include "test/fuzz/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX     65536
#define INPUT_SECONDS 20 /* a target that hangs ends the program */

#ifdef SIMKEY_PCSC
#define PCSC_TARGET(X) X(pcsc)
#else
#define PCSC_TARGET(X)
#endif
#define TARGETS(X)                                                                                 \
    X(agent)                                                                                       \
    X(apdu)                                                                                        \
    X(at_value)                                                                                    \
    X(certificate)                                                                                 \
    X(chain)                                                                                       \
    X(old_claims)                                                                                  \
    X(dialogue)                                                                                    \
    X(inventory)                                                                                   \
    X(iotsafe)                                                                                     \
    X(keyref)                                                                                      \
    X(mbim)                                                                                        \
    PCSC_TARGET(X) X(pin_source) X(proc) X(qmi) X(record) X(session) X(settings) X(tlv) X(uri)

#define DECLARE(name) int replay_##name(const uint8_t *data, size_t size);
TARGETS(DECLARE)

#define ROW(name) {#name, replay_##name},
static const struct {
    const char *name;
    int (*run)(const uint8_t *data, size_t size);
} targets[] = {TARGETS(ROW)};

static char path[4096]; /* of the input under way */
static sigjmp_buf next_input;
static unsigned failures;

static void name_input(int number)
{
    static const char words[] = "replay: failed on ";
    ssize_t ignored = write(STDERR_FILENO, words, sizeof words - 1);

    ignored = write(STDERR_FILENO, path, strlen(path));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    if (number == SIGABRT)
        siglongjmp(next_input, 1);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void run_file(int (*run)(const uint8_t *data, size_t size))
{
    static uint8_t data[INPUT_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, data, sizeof data) : -1;
    uint8_t *copy = malloc(length > 0 ? (size_t)length : 1); /* its end is watched */

    REQUIRE(length >= 0 && copy != NULL && close(fd) == 0);
    memcpy(copy, data, (size_t)length);
    (void)alarm(INPUT_SECONDS);
    if (sigsetjmp(next_input, 1) == 0) {
        (void)run(copy, (size_t)length);
        free(copy);
    } else { /* what it leaves behind is lost */
        failures++;
        proc_stop();
        neighbour_empty();
    }
    (void)alarm(0);
}

static unsigned run_folder(const char *folder, size_t target)
{
    const struct dirent *entry;
    unsigned count = 0;
    DIR *list;

    (void)snprintf(path, sizeof path, "%s/%s", folder, targets[target].name);
    list = opendir(path);
    while (list != NULL && (entry = readdir(list)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s/%s", folder, targets[target].name, entry->d_name);
        run_file(targets[target].run);
        count++;
    }
    if (list != NULL)
        (void)closedir(list);
    return count;
}

int main(int argc, char **argv)
{
    unsigned total = 0;
    bool all = true;

    (void)signal(SIGABRT, name_input);
    (void)signal(SIGSEGV, name_input);
    (void)signal(SIGALRM, name_input);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        unsigned count = 0;

        for (int a = 1; a < argc; a++)
            count += run_folder(argv[a], i);
        if (count == 0)
            fprintf(stderr, "replay: no input for the target %s\n", targets[i].name);
        all = all && count > 0;
        total += count;
    }
    printf("replay: %u inputs of %zu fuzz targets, %u failed\n", total,
           sizeof targets / sizeof targets[0], failures);
    return all && failures == 0 ? 0 : 1;
}
