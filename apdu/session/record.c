/* SPDX-License-Identifier: Apache-2.0 */
/* The session record as text: fixed lines in a fixed order, padded to one size so that one write
 * replaces all of it, closed by a checksum. */
#include "apdu/session/record.h"

#include "apdu/session/rundir.h"
#include "apdu/card/apdu.h"
#include "modem/descriptor.h"
#include "modem/forks.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_SIZE 4096
#define RECORD_HEAD "simkey session 1"

/* Nobody writes down a time as late as this (LATE_ANSWER_MS in session.c): one that is later was put
 * there to keep us waiting, and is not believed. */
#define LATE_MAX_MS 2000

/* What the record is bound to: the boot, for its monotonic times, and the device's file, which a
 * modem that was plugged in anew or restarted gets anew. */
static void bind_to(const struct settings *settings, char boot[BOOT_SIZE],
                    char binding[RECORD_BINDING])
{
    struct stat device = {.st_rdev = 0}; /* no file: such as a card reader's name */

    if (boot[0] == '\0' &&
        !descriptor_read_text("/proc/sys/kernel/random/boot_id", boot, BOOT_SIZE))
        (void)snprintf(boot, BOOT_SIZE, "unknown");
    boot[strcspn(boot, " \n")] = '\0';
    (void)stat(settings->device, &device);
    (void)snprintf(binding, RECORD_BINDING,
                   "boot %s\ndevice %" PRIu64 " %" PRIu64 " %" PRId64 " %ld\n", boot,
                   (uint64_t)device.st_rdev, (uint64_t)device.st_ino,
                   (int64_t)device.st_ctim.tv_sec, (long)device.st_ctim.tv_nsec);
}

void record_init(struct record *record)
{
    memset(record, 0, sizeof *record);
    record->learnt.max_read = APDU_LE_ALL;
}

void learnt_copy(struct learnt *to, const struct learnt *from)
{
    memcpy(to->iccid, from->iccid, sizeof to->iccid);
    to->no_le = from->no_le;
    to->short_way = from->short_way;
    to->max_read = from->max_read;
    to->environment_refused = from->environment_refused;
    to->pin_refused = from->pin_refused;
    for (size_t i = 0; i < REFUSALS; i++)
        atomic_store(&to->refusals[i], atomic_load(&from->refusals[i]));
}

/* ---- writing ---- */

struct writer {
    char *text;
    size_t used;
};

static void put(struct writer *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct writer *to, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(to->text + to->used, RECORD_SIZE - to->used, format, args);
    va_end(args);
    if (length > 0 && (size_t)length < RECORD_SIZE - to->used)
        to->used += (size_t)length;
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

static void put_standing(struct writer *to, const struct standing *standing)
{
    const struct security_environment *environment = &standing->environment;

    put_channel(to, &standing->channel);
    put(to, "applet %d %d %d %d %d\n", (int)standing->selected, standing->broken, standing->kept,
        standing->verified, standing->unprotected);
    put(to, "environment %d %u %u %u\n", environment->set, environment->template_tag,
        environment->algorithm, environment->key_id);
    put(to, "iccid %d %s\n", standing->iccid_asked, word(standing->iccid));
}

/* What came later than the other lines, in lines of its own that older programs pass over: the tries
 * last told of a SIM, the sources whose PINs opened the session, the refusals. */
static void put_pins(struct writer *to, const struct standing *standing,
                     const struct pin_memory *memory)
{
    char text[PIN_LINE_SIZE];

    put(to, "tries %s %d %d\n", word(memory->sim), memory->left[PIN_APPLET],
        memory->left[PIN_UICC]);
    put(to, "openers %zu\n", standing->opener_count);
    for (size_t i = 0; i < standing->opener_count; i++) {
        pin_identity_text(&standing->openers[i], text);
        put(to, "%s\n", text);
    }
    put(to, "refusals %zu\n", memory->count);
    for (size_t i = 0; i < memory->count; i++) {
        pin_refusal_text(&memory->refusals[i], text);
        put(to, "%s\n", text);
    }
}

static void put_record(struct writer *to, const struct record *record)
{
    const struct learnt *learnt = &record->learnt;

    put(to, "%s\n%s", RECORD_HEAD, record->binding);
    put(to, "line %d %d %d %u %d %d %" PRId64 "\n", record->dirty, record->line.ready,
        record->line.echo_stays, record->line.last, record->line.opening, (int)record->line.carrier,
        record->line.late_until);
    put_standing(to, &record->standing);
    put_channel(to, &record->lone);
    put(to, "learnt %s %d %d %u %u %u\n", word(learnt->iccid), learnt->no_le, learnt->short_way,
        learnt->max_read, learnt->environment_refused, learnt->pin_refused);
    for (size_t i = 0; i < REFUSALS; i++)
        put(to, "%04x%c", atomic_load(&learnt->refusals[i]), i + 1 < REFUSALS ? ' ' : '\n');
    put(to, "users %zu\n", record->user_count);
    for (size_t i = 0; i < record->user_count; i++)
        put(to, "%ld %" PRIu64 "\n", (long)record->users[i].pid, record->users[i].start);
    put_pins(to, &record->standing, &record->memory);
}

/* CRC-32 of ITU-T V.42, four bits at a time. Not zlib's: a program may have a function crc32 of its
 * own, which the linker then gives to the module as well (wpa_supplicant and hostapd do). */
static uint32_t checksum(const char *text, size_t length)
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
    struct writer to = {text, 0};

    put_record(&to, record);
    put(&to, "sum %08" PRIx32 "\n", checksum(text, to.used));
    memset(text + to.used, '\n', sizeof text - to.used);
    return descriptor_room(sizeof text) && pwrite(fd, text, sizeof text, 0) == (ssize_t)sizeof text;
}

void record_spoil(int fd)
{
    int ignored = ftruncate(fd, 0);

    (void)ignored;
}

/* ---- reading ---- */

struct reader {
    const char *text; /* ends with a NUL */
    bool good;
};

/* Reads what the format wants, which ends in %n. */
#define TAKE(from, count, format, ...)                                                             \
    do {                                                                                           \
        int used_ = 0;                                                                             \
        (from)->good = (from)->good &&                                                             \
                       sscanf((from)->text, format "%n", __VA_ARGS__, &used_) == (count) &&        \
                       used_ > 0;                                                                  \
        if ((from)->good)                                                                          \
            (from)->text += used_;                                                                 \
    } while (0)

static bool all(int (*kind)(int), const char *text)
{
    while (*text != '\0' && kind((unsigned char)*text))
        text++;
    return *text == '\0';
}

/* A word of one kind of characters; "-" is an empty one. */
static void take_word(struct reader *from, const char *text, int (*kind)(int), char *to,
                      size_t size)
{
    size_t length = strlen(text);

    if (strcmp(text, "-") == 0)
        length = 0;
    if (!from->good || length >= size || (length > 0 && !all(kind, text))) {
        from->good = false;
        return;
    }
    memcpy(to, text, length);
    to[length] = '\0';
}

static bool flag(struct reader *from, int value)
{
    from->good = from->good && (value == 0 || value == 1);
    return value == 1;
}

static int within(struct reader *from, int value, int last)
{
    from->good = from->good && value >= 0 && value <= last;
    return from->good ? value : 0;
}

/* A channel has what its carrier needs. */
static void take_channel(struct reader *from, struct channel *channel)
{
    int v[4] = {0};
    char text[33] = "-";

    TAKE(from, 5, " channel %d %d %d %d %32s", &v[0], &v[1], &v[2], &v[3], text);
    channel->open = flag(from, v[0]);
    channel->selected = flag(from, v[1]);
    channel->carrier = (enum carrier)within(from, v[2], CARRIER_LAST);
    channel->number = (uint8_t)within(from, v[3], 19);
    take_word(from, text, isalnum, channel->session, sizeof channel->session);
    if (channel->open && channel->carrier == CARRIER_CCHO)
        from->good = from->good && channel->session[0] != '\0';
    else if (channel->open)
        from->good = from->good && channel->number > 0;
}

static void take_standing(struct reader *from, struct standing *standing)
{
    int v[5] = {0};
    char text[33] = "-";

    take_channel(from, &standing->channel);
    TAKE(from, 5, " applet %d %d %d %d %d", &v[0], &v[1], &v[2], &v[3], &v[4]);
    standing->selected = (enum selected)within(from, v[0], SELECTED_UICC);
    standing->broken = flag(from, v[1]);
    standing->kept = flag(from, v[2]);
    standing->verified = flag(from, v[3]);
    standing->unprotected = flag(from, v[4]);
    TAKE(from, 4, " environment %d %d %d %d", &v[0], &v[1], &v[2], &v[3]);
    standing->environment.set = flag(from, v[0]);
    standing->environment.template_tag = (uint8_t)within(from, v[1], 255);
    standing->environment.algorithm = (uint8_t)within(from, v[2], 255);
    standing->environment.key_id = (uint8_t)within(from, v[3], 255);
    TAKE(from, 2, " iccid %d %32s", &v[0], text);
    standing->iccid_asked = flag(from, v[0]);
    take_word(from, text, isdigit, standing->iccid, sizeof standing->iccid);
    if (!standing->channel.open) /* nothing stands on none */
        from->good = from->good && standing->selected == SELECTED_NOTHING && !standing->verified &&
                     !standing->environment.set;
}

static void take_learnt(struct reader *from, struct learnt *learnt)
{
    unsigned v[3] = {0};
    int no_le = 0, short_way = 0;
    char text[33] = "-";

    TAKE(from, 6, " learnt %32s %d %d %u %u %u", text, &no_le, &short_way, &v[0], &v[1], &v[2]);
    take_word(from, text, isdigit, learnt->iccid, sizeof learnt->iccid);
    learnt->no_le = flag(from, no_le);
    learnt->short_way = flag(from, short_way);
    from->good = from->good && v[0] >= 1 && v[0] <= APDU_LE_ALL;
    learnt->max_read = v[0];
    learnt->environment_refused = v[1];
    learnt->pin_refused = v[2];
    for (size_t i = 0; i < REFUSALS && from->good; i++) {
        unsigned refusal = 0;

        TAKE(from, 1, " %4x", &refusal);
        atomic_store(&learnt->refusals[i], (uint16_t)refusal);
    }
}

static void take_users(struct reader *from, struct record *record)
{
    TAKE(from, 1, " users %zu", &record->user_count);
    from->good = from->good && record->user_count <= RECORD_USERS;
    for (size_t i = 0; from->good && i < record->user_count; i++) {
        long pid = 0;

        TAKE(from, 2, " %ld %" SCNu64, &pid, &record->users[i].start);
        from->good = from->good && pid > 0 && pid == (long)(pid_t)pid;
        record->users[i].pid = (pid_t)pid;
    }
}

static void take_openers(struct reader *from, struct standing *standing)
{
    size_t count = 0;

    TAKE(from, 1, " openers %zu", &count);
    from->good = from->good && count <= RECORD_OPENERS && (count == 0 || standing->verified);
    for (size_t i = 0; from->good && i < count; i++)
        from->good = pin_identity_take(&from->text, &standing->openers[i]);
    standing->opener_count = from->good ? count : 0;
}

static void take_refusals(struct reader *from, struct pin_memory *memory)
{
    size_t count = 0;

    TAKE(from, 1, " refusals %zu", &count);
    from->good = from->good && count <= PIN_REFUSALS;
    for (size_t i = 0; from->good && i < count; i++) {
        struct pin_refusal refusal;

        from->good = pin_refusal_take(&from->text, &refusal);
        if (from->good)
            pin_memory_add(memory, &refusal);
    }
}

/* An older program writes none of this. */
static void take_pins(struct reader *from, struct record *record)
{
    struct pin_memory *memory = &record->memory;
    char text[33] = "-";
    int v[2] = {0};

    if (!from->good || strncmp(from->text + strspn(from->text, "\n"), "tries ", 6) != 0)
        return;
    TAKE(from, 3, " tries %32s %d %d", text, &v[0], &v[1]);
    take_word(from, text, isdigit, memory->sim, sizeof memory->sim);
    memory->left[PIN_APPLET] = within(from, v[0], PIN_LEFT_MAX);
    memory->left[PIN_UICC] = within(from, v[1], PIN_LEFT_MAX);
    take_openers(from, &record->standing);
    take_refusals(from, memory);
    record->remembers = from->good;
}

/* Both begin with the boot's line; the device's follows. */
static bool same_boot(const char *text, const char *binding)
{
    const char *end = strchr(binding, '\n');
    size_t length = end != NULL ? (size_t)(end + 1 - binding) : 0;

    return length > 0 && strncmp(text, binding, length) == 0 &&
           strncmp(text + length, "device ", 7) == 0 && strchr(text + length, '\n') != NULL;
}

enum verdict { RECORD_GOOD, RECORD_FOREIGN, RECORD_TORN };

static enum verdict parse(const char *text, struct record *record)
{
    struct reader from = {text, true};
    const char *sum = strstr(text, "\nsum ");
    int v[5] = {0};
    uint32_t wanted = 0;
    bool moved;

    if (sum == NULL || sscanf(sum, "\nsum %8" SCNx32, &wanted) != 1 ||
        wanted != checksum(text, (size_t)(sum + 1 - text)))
        return RECORD_TORN;
    if (strncmp(text, RECORD_HEAD "\n", sizeof RECORD_HEAD) != 0)
        return RECORD_FOREIGN; /* another version's */
    from.text += sizeof RECORD_HEAD;
    if (!same_boot(from.text, record->binding))
        return RECORD_FOREIGN;
    moved = strncmp(from.text, record->binding, strlen(record->binding)) != 0;
    from.text = strchr(strchr(from.text, '\n') + 1, '\n') + 1;
    TAKE(&from, 7, " line %d %d %d %u %d %d %" SCNd64, &v[0], &v[1], &v[2], &record->line.last,
         &v[3], &v[4], &record->line.late_until);
    record->dirty = flag(&from, v[0]);
    record->line.ready = flag(&from, v[1]);
    record->line.echo_stays = flag(&from, v[2]);
    record->line.opening = flag(&from, v[3]);
    record->line.carrier = (enum carrier)within(&from, v[4], CARRIER_LAST);
    if (record->line.late_until > monotonic_ms() + LATE_MAX_MS || record->line.late_until < 0)
        record->line.late_until = monotonic_ms() + LATE_MAX_MS;
    take_standing(&from, &record->standing);
    take_channel(&from, &record->lone);
    take_learnt(&from, &record->learnt);
    take_users(&from, record);
    take_pins(&from, record);
    if (moved) { /* if its modem kept its power, it may still be at work, and the channel open */
        record->line.ready = false;
        record->line.late_until = monotonic_ms();
        record->standing.broken = record->standing.channel.open;
    }
    return from.good ? RECORD_GOOD : RECORD_TORN;
}

static void load(int fd, const struct settings *settings, char boot[BOOT_SIZE],
                 struct record *record)
{
    char text[RECORD_SIZE + 1], binding[RECORD_BINDING];
    ssize_t length = pread(fd, text, RECORD_SIZE, 0);
    enum verdict verdict = RECORD_FOREIGN;

    bind_to(settings, boot, record->binding);
    memcpy(binding, record->binding, sizeof binding);
    if (length > 0) {
        text[length] = '\0';
        verdict = parse(text, record);
    }
    if (verdict != RECORD_GOOD) {
        record_init(record);
        memcpy(record->binding, binding, sizeof binding);
        record->dirty = verdict == RECORD_TORN;
    }
}

int record_open_in(const struct settings *settings, char boot[BOOT_SIZE], struct record *record)
{
    /* without room for it the others' is left as it is */
    int fd = descriptor_room(RECORD_SIZE) ? rundir_device_file(settings, "session", O_CREAT) : -1;

    record_init(record);
    if (fd >= 0)
        load(fd, settings, boot, record);
    return fd;
}

int record_open(const struct settings *settings, struct record *record)
{
    char boot[BOOT_SIZE] = "";

    return record_open_in(settings, boot, record);
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
