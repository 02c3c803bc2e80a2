/* SPDX-License-Identifier: Apache-2.0 */
#include "test/unit/record_desk.h"

#include "apdu/card/apdu.h"
#include "test/unit/seat.h"
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void record_desk_begin(struct record_desk *desk)
{
    struct report why = REPORT_INIT;

    folder_make(&desk->folder);
    settings_init(&desk->settings);
    EXPECT(settings_set(&desk->settings, "device", "/dev/null", &why), OUTCOME_OK, &why);
    EXPECT(settings_set(&desk->settings, "run-dir", desk->folder.path, &why), OUTCOME_OK, &why);
    (void)snprintf(desk->file, sizeof desk->file, "%s/dev-null.session", desk->folder.path);
}

void record_desk_end(struct record_desk *desk)
{
    settings_clear(&desk->settings);
    folder_remove(&desk->folder);
}

void record_fill(struct record *record)
{
    record_init(record);
    record->line = (struct line_state){true, true, 2, true, 0, CARRIER_CSIM, 0, 0x10103};
    record->shared.channel =
        (struct channel){.open = true, .carrier = CARRIER_CSIM, .number = 7, .session = ""};
    record->shared.applet = SELECTED_MIAS;
    record->shared.level = LEVEL_PIN_OK;
    record->shared.environment = (struct security_environment){true, 0xB6, 0x42, 0x31};
    record->shared.iccid_asked = true;
    (void)snprintf(record->shared.iccid, ICCID_SIZE, "%s", ICCID);
    (void)snprintf(record->quirks.iccid, ICCID_SIZE, "%s", ICCID);
    record->quirks.no_le = true;
    record->quirks.max_read = 128;
    record->quirks.modem = QUIRK_SHORT_LINES | QUIRK_PLAIN_CLASS;
    record->quirks.pin_refused = 1;
    (void)quirks_note_refusal(&record->quirks, 0x31, 0x45);
    (void)quirks_note_refusal(&record->quirks, 0x31, 0x45);
    (void)quirks_note_refusal(&record->quirks, 0x31, 0x46); /* once: that does not count */
}

void record_desk_write(struct record_desk *desk, bool dirty)
{
    struct record record, old;
    int fd = record_open(&desk->settings, &old);

    CU_ASSERT_FATAL(fd >= 0);
    record_fill(&record);
    memcpy(record.binding, old.binding, sizeof record.binding);
    record.dirty = dirty;
    record_join(&record, RECORD_SHARED);
    CU_ASSERT_TRUE(record_save(fd, &record));
    (void)close(fd);
}

void record_desk_reads(struct record_desk *desk, bool open, bool dirty)
{
    struct record record;
    int fd = record_open(&desk->settings, &record);

    CU_ASSERT_FATAL(fd >= 0);
    EXPECT_NUMBER(record.shared.channel.open, open);
    EXPECT_NUMBER(record.dirty, dirty);
    EXPECT_NUMBER(record.shared.level, open ? LEVEL_PIN_OK : LEVEL_CLOSED);
    EXPECT_NUMBER(record.user_count, open ? 1 : 0);
    (void)close(fd);
}
