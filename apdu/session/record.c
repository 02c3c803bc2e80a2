/* SPDX-License-Identifier: Apache-2.0 */
/* The session record as a file: which one it is, and what it is bound to. How its text is read and
 * written is in record_read.c and record_write.c. */
#include "apdu/session/record.h"

#include "apdu/card/apdu.h"
#include "apdu/session/record_text.h"
#include "apdu/session/rundir.h"
#include "modem/control_name.h"
#include "modem/descriptor.h"
#include "modem/forks.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the record is bound to: the boot, for its monotonic times, and the device's file, which a
 * modem that was plugged in anew or restarted gets anew. */
static void bind_to(const struct settings *settings, char boot[BOOT_SIZE],
                    char binding[RECORD_BINDING])
{
    struct stat device = {.st_rdev = 0}; /* no file: such as a card reader's name */
    char path[PATH_MAX];

    if (boot[0] == '\0' &&
        !descriptor_read_text("/proc/sys/kernel/random/boot_id", boot, BOOT_SIZE))
        (void)snprintf(boot, BOOT_SIZE, RECORD_NO_BOOT);
    boot[strcspn(boot, " \n")] = '\0';
    (void)stat(control_path(settings->device, path), &device);
    (void)snprintf(binding, RECORD_BINDING,
                   "boot %s\ndevice %" PRIu64 " %" PRIu64 " %" PRId64 " %ld\n", boot,
                   (uint64_t)device.st_rdev, (uint64_t)device.st_ino,
                   (int64_t)device.st_ctim.tv_sec, (long)device.st_ctim.tv_nsec);
}

void record_init(struct record *record)
{
    memset(record, 0, sizeof *record);
    record->quirks.max_read = APDU_LE_ALL;
}

static void load(int fd, const struct settings *settings, char boot[BOOT_SIZE],
                 struct record *record)
{
    char text[RECORD_SIZE + 1], binding[RECORD_BINDING];
    ssize_t length = pread(fd, text, RECORD_SIZE, 0);
    enum record_verdict verdict = RECORD_FOREIGN;

    bind_to(settings, boot, record->binding);
    memcpy(binding, record->binding, sizeof binding);
    if (length > 0) {
        text[length] = '\0';
        verdict = record_parse(text, record);
    }
    if (verdict == RECORD_FOREIGN || verdict == RECORD_TORN) {
        record_init(record);
        memcpy(record->binding, binding, sizeof binding);
        record->dirty = verdict == RECORD_TORN;
        if (length > 0)
            record_salvage(text, &record->owners);
    }
}

int record_open_in(const struct settings *settings, const struct rundir_place *place,
                   char boot[BOOT_SIZE], struct record *record)
{
    /* without room for it the others' is left as it is */
    int fd = descriptor_room(RECORD_SIZE) ? rundir_place_file(place, "session", O_CREAT) : -1;

    record_init(record);
    if (fd >= 0)
        load(fd, settings, boot, record);
    return fd;
}

int record_open(const struct settings *settings, struct record *record)
{
    struct rundir_place place;
    char boot[BOOT_SIZE] = "";
    int fd;

    rundir_place_open(&place, settings);
    fd = record_open_in(settings, &place, boot, record);
    rundir_place_close(&place);
    return fd;
}

bool record_peek(const struct settings *settings, struct record *record)
{
    char boot[BOOT_SIZE] = "";
    int fd = rundir_device_file(settings, "session", 0);

    record_init(record);
    if (fd < 0)
        return false;
    load(fd, settings, boot, record);
    forks_close(fd);
    return true;
}
