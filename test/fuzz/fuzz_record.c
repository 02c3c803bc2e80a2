/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the session record of another process, with its checksum made right so that the
 * fuzzer gets behind it. */
#include "apdu/session/record.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/neighbour.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define DEVICE "/dev/null"

static char file[160];
static char head[RECORD_BINDING + 32];

static void remove_file(void)
{
    (void)unlink(file);
}

/* What stands before the part that is fuzzed: version, boot, device. */
static void read_head(const struct settings *settings)
{
    struct record record;
    int fd;

    (void)snprintf(file, sizeof file, "%s/dev-null.session", neighbour_run_dir());
    fd = record_open(settings, &record);
    REQUIRE(fd >= 0 && close(fd) == 0 && atexit(remove_file) == 0);
    (void)snprintf(head, sizeof head, "simkey session 1\n%s", record.binding);
}

static void write_record(const uint8_t *data, size_t size)
{
    char text[4096 + 64];
    size_t used = strlen(head);
    int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);

    memcpy(text, head, used);
    if (size > 3000)
        size = 3000;
    memcpy(text + used, data, size);
    used += size;
    text[used++] = '\n';
    used += (size_t)snprintf(text + used, sizeof text - used, "sum %08lx\n",
                             crc32(0, (const unsigned char *)text, (unsigned)used));
    REQUIRE(fd >= 0 && write(fd, text, used) == (ssize_t)used && close(fd) == 0);
}

/* Whatever is believed must make sense, and come back as it was. */
static void check(const struct settings *settings)
{
    struct record record, again;
    int fd = record_open(settings, &record);

    REQUIRE(fd >= 0);
    REQUIRE(record.user_count <= RECORD_USERS);
    REQUIRE(record.quirks.max_read >= 1 && record.quirks.max_read <= APDU_LE_ALL);
    REQUIRE(record.shared.channel.number <= 19 && record.owners.count <= OWNERS_MAX);
    REQUIRE(record.shared.channel.open == (record.shared.level > LEVEL_CLOSED));
    REQUIRE(record.second.channel.open == (record.second.level > LEVEL_CLOSED));
    REQUIRE(memchr(record.shared.iccid, 0, ICCID_SIZE) != NULL);
    (void)record_leave_for(&record, getpid());
    record_join(&record, RECORD_SHARED);
    REQUIRE(record_save(fd, &record) && close(fd) == 0);
    REQUIRE(record_peek(settings, &again));
    REQUIRE(again.dirty == record.dirty && again.user_count == record.user_count);
    REQUIRE(again.owners.count == record.owners.count);
    for (size_t i = 0; i < again.owners.count; i++) {
        struct owned *owned = owners_find(&record.owners, &again.owners.list[i].channel);

        REQUIRE(owned != NULL && owned->pid == again.owners.list[i].pid &&
                owned->doubt == again.owners.list[i].doubt && owned->channel.number <= CHANNEL_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings;
    struct report why = REPORT_INIT;

    settings_init(&settings);
    REQUIRE(settings_set(&settings, "device", DEVICE, &why) == OUTCOME_OK);
    REQUIRE(settings_set(&settings, "run-dir", neighbour_run_dir(), &why) == OUTCOME_OK);
    if (head[0] == '\0')
        read_head(&settings);
    write_record(data, size);
    check(&settings);
    settings_clear(&settings);
    return 0;
}
