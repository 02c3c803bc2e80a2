/* SPDX-License-Identifier: Apache-2.0 */
/* The session record as text: fixed lines in a fixed order, padded to one size so that one write
 * replaces all of it, closed by a checksum. */
#include "apdu/session/record_text.h"

#include "apdu/session/record.h"
#include "modem/descriptor.h"
#include "modem/event.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SUM_SIZE sizeof "sum 01234567\n"

struct writer {
    char *text;
    size_t used;
    bool full;
};

static void put(struct writer *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct writer *to, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(to->text + to->used, RECORD_SIZE - to->used, format, args);
    va_end(args);
    if (length > 0 && (size_t)length + SUM_SIZE < RECORD_SIZE - to->used)
        to->used += (size_t)length;
    else
        to->full = true;
}

/* "-" stands for an empty word. */
static const char *word(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static void put_channel(struct writer *to, const struct channel *channel)
{
    put(to, "channel %d %d %d %u %s\n", channel->open, channel->selected, (int)channel->carrier,
        channel->number, word(channel->session));
}

static void put_shared(struct writer *to, const struct channel_state *state)
{
    const struct security_environment *environment = &state->environment;

    put_channel(to, &state->channel);
    put(to, "applet %d %d %d %d %d\n", (int)state->applet, state->broken, state->kept,
        state->level == LEVEL_PIN_OK, state->unprotected);
    put(to, "environment %d %u %u %u\n", environment->set, environment->template_tag,
        environment->algorithm, environment->key_id);
    put(to, "iccid %d %s\n", state->iccid_asked, word(state->iccid));
}

/* What came later than the other lines, in lines of its own that older programs pass over: the tries
 * last told of a SIM, the sources whose PINs opened the session, the refusals. */
static void put_pins(struct writer *to, const struct channel_state *state, size_t openers,
                     const struct pin_memory *memory)
{
    const size_t first = state->opener_count - openers;
    char text[PIN_LINE_SIZE];

    put(to, "tries %s %d %d\n", word(memory->sim), memory->left[PIN_APPLET],
        memory->left[PIN_UICC]);
    put(to, "openers %zu\n", openers);
    for (size_t i = first; i < state->opener_count; i++) {
        pin_identity_text(&state->openers[i], text);
        put(to, "%s\n", text);
    }
    put(to, "refusals %zu\n", memory->count);
    for (size_t i = 0; i < memory->count; i++) {
        pin_refusal_text(&memory->refusals[i], text);
        put(to, "%s\n", text);
    }
}

/* The one channel that the line for older programs has room for. They close it without asking, so it must be
 * one that is in no doubt. */
static const struct channel *first_orphan(const struct owners *owners)
{
    static const struct channel none;

    for (size_t i = 0; i < owners->count; i++)
        if (owners->list[i].pid == 0 && owners->list[i].doubt == DOUBT_NONE)
            return &owners->list[i].channel;
    return &none;
}

/* Older programs pass over these as well. */
static void put_owners(struct writer *to, const struct owners *owners, unsigned generation)
{
    put(to, "owners %zu %u\n", owners->count, generation);
    for (size_t i = 0; i < owners->count; i++) {
        const struct owned *owned = &owners->list[i];

        put_channel(to, &owned->channel);
        put(to, "owner %ld %" PRIu64 " %d %u\n", (long)owned->pid, owned->start, (int)owned->doubt,
            owned->refused);
    }
}

/* The second shared channel, and which of the users go on with which: older programs pass over it. */
static void put_second(struct writer *to, const struct record *record)
{
    unsigned uses[RECORD_CHANNELS] = {0};

    if (record->second.level == LEVEL_CLOSED && record->second_generation == 0)
        return;
    for (size_t i = 0; i < record->user_count; i++)
        for (size_t which = 0; which < RECORD_CHANNELS; which++)
            uses[which] |= (record->users[i].uses >> which & 1u) << i;
    put(to, "second %u %x %x\n", record->second_generation, uses[RECORD_SHARED],
        uses[RECORD_SECOND]);
    put_shared(to, &record->second);
}

/* What there is no room for is asked again. */
static void put_refused(struct writer *to, const struct card_quirks *quirks)
{
    bool full = to->full;

    for (size_t i = 0; i < REFUSALS; i++)
        if (atomic_load(&quirks->refusals[i]) != 0)
            put(to, "refused %04x %08" PRIx32 "\n", atomic_load(&quirks->refusals[i]),
                atomic_load(&quirks->said[i]));
    if (quirks->modem != 0)
        put(to, "quirks %x\n", quirks->modem);
    to->full = full;
}

/* In milliseconds; 0 where one is only suspected. Without room for it in the record it is found out again. */
static void put_gap(struct writer *to, const struct line_state *line)
{
    bool full = to->full;

    if (line->gap != 0)
        put(to, "gap %d\n",
            (line->gap & EVENT_LONG_GAP) != 0 ? 100
            : (line->gap & EVENT_GAP) != 0    ? 20
                                              : 0);
    to->full = full;
}

/* Before the gap, because without room for this a QMI client id is lost until the modem restarts. */
static void put_kept(struct writer *to, const struct line_state *line)
{
    bool full = to->full;

    if (line->kept != 0)
        put(to, "kept %x\n", line->kept);
    to->full = full;
}

static void put_record(struct writer *to, const struct record *record, size_t openers)
{
    const struct card_quirks *quirks = &record->quirks;

    put(to, "%s\n%s", RECORD_HEAD, record->binding);
    put(to, "line %d %d %d %u %d %d %" PRId64 "\n", record->dirty, record->line.ready,
        record->line.echo_stays, record->line.last, record->line.opening, (int)record->line.carrier,
        record->line.late_until);
    put_shared(to, &record->shared);
    put_channel(to, first_orphan(&record->owners));
    put(to, "learnt %s %d %d %u %u %u\n", word(quirks->iccid), quirks->no_le, quirks->short_way,
        quirks->max_read, quirks->environment_refused, quirks->pin_refused);
    for (size_t i = 0; i < REFUSALS; i++)
        put(to, "%04x%c",
            atomic_load(&quirks->said[i]) >> 30 > 1 ? atomic_load(&quirks->refusals[i]) : 0,
            i + 1 < REFUSALS ? ' ' : '\n');
    put(to, "users %zu\n", record->user_count);
    for (size_t i = 0; i < record->user_count; i++)
        put(to, "%ld %" PRIu64 "\n", (long)record->users[i].pid, record->users[i].start);
    put_pins(to, &record->shared, openers, &record->memory);
    put_owners(to, &record->owners, record->generation);
    put_second(to, record);
    put_refused(to, quirks);
    put_kept(to, &record->line);
    put_gap(to, &record->line);
}

/* CRC-32 of ITU-T V.42, four bits at a time. Not zlib's: a program may have a function crc32 of its
 * own, which the linker then gives to the module as well (wpa_supplicant and hostapd do). */
uint32_t record_checksum(const char *text, size_t length)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
        0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
        0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    uint32_t crc = 0xFFFFFFFF;

    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)text[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

bool record_save(int fd, const struct record *record)
{
    char text[RECORD_SIZE];
    struct writer to = {.text = text};

    /* a source that is left out proves its PIN once more; a channel that is left out stays open */
    for (size_t openers = record->shared.opener_count + 1; openers-- > 0;) {
        to = (struct writer){.text = text};
        put_record(&to, record, openers);
        if (!to.full)
            break;
    }
    to.used += (size_t)snprintf(text + to.used, SUM_SIZE, "sum %08" PRIx32 "\n",
                                record_checksum(text, to.used));
    memset(text + to.used, '\n', sizeof text - to.used);
    return descriptor_room(sizeof text) && pwrite(fd, text, sizeof text, 0) == (ssize_t)sizeof text;
}

void record_spoil(int fd)
{
    int ignored = ftruncate(fd, 0);

    (void)ignored;
}
