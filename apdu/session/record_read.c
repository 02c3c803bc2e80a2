/* SPDX-License-Identifier: Apache-2.0 */
/* The session record's text, read: whether it is believed, and what it says. */
#include "apdu/card/apdu.h"
#include "apdu/session/record.h"
#include "apdu/session/record_text.h"
#include "modem/event.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* No program writes down a time later than this from now (LATE_ANSWER_MS in session.c): a later one was put
 * there to keep us waiting, and is not believed. */
#define LATE_MAX_MS 2000

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
    channel->number = (uint8_t)within(from, v[3], CHANNEL_MAX);
    take_word(from, text, isalnum, channel->session, sizeof channel->session);
    if (channel->open && channel->carrier == CARRIER_CCHO)
        from->good = from->good && channel->session[0] != '\0';
    else if (channel->open)
        from->good = from->good && channel->number > 0;
}

/* A PIN counts for an applet, and an applet is selected on an open channel. */
static enum level level_of(struct reader *from, const struct channel_state *state, bool verified)
{
    const bool selected = state->applet != SELECTED_NOTHING;

    from->good = from->good && (selected || !verified) && (state->channel.open || !selected);
    if (!state->channel.open)
        return LEVEL_CLOSED;
    return verified ? LEVEL_PIN_OK : selected ? LEVEL_SELECTED : LEVEL_OPEN;
}

/* last: the highest number of an applet that may be selected there. */
static void take_shared(struct reader *from, struct channel_state *state, enum selected last)
{
    int v[5] = {0};
    char text[33] = "-";

    take_channel(from, &state->channel);
    TAKE(from, 5, " applet %d %d %d %d %d", &v[0], &v[1], &v[2], &v[3], &v[4]);
    state->applet = (enum selected)within(from, v[0], (int)last);
    state->broken = flag(from, v[1]);
    state->kept = flag(from, v[2]);
    state->unprotected = flag(from, v[4]);
    state->level = level_of(from, state, flag(from, v[3]));
    TAKE(from, 4, " environment %d %d %d %d", &v[0], &v[1], &v[2], &v[3]);
    state->environment.set = flag(from, v[0]);
    state->environment.template_tag = (uint8_t)within(from, v[1], 255);
    state->environment.algorithm = (uint8_t)within(from, v[2], 255);
    state->environment.key_id = (uint8_t)within(from, v[3], 255);
    TAKE(from, 2, " iccid %d %32s", &v[0], text);
    state->iccid_asked = flag(from, v[0]);
    take_word(from, text, iccid_digit, state->iccid, sizeof state->iccid);
    if (state->level == LEVEL_CLOSED) /* no environment without a channel */
        from->good = from->good && !state->environment.set;
}

static void take_learnt(struct reader *from, struct card_quirks *quirks)
{
    unsigned v[3] = {0};
    int no_le = 0, short_way = 0;
    char text[33] = "-";

    TAKE(from, 6, " learnt %32s %d %d %u %u %u", text, &no_le, &short_way, &v[0], &v[1], &v[2]);
    take_word(from, text, iccid_digit, quirks->iccid, sizeof quirks->iccid);
    quirks->no_le = flag(from, no_le);
    quirks->short_way = flag(from, short_way);
    from->good = from->good && v[0] >= 1 && v[0] <= APDU_LE_ALL;
    quirks->max_read = v[0];
    quirks->environment_refused = v[1];
    quirks->pin_refused = v[2];
    for (size_t i = 0; i < REFUSALS && from->good; i++) {
        unsigned refusal = 0;

        TAKE(from, 1, " %4x", &refusal);
        if (refusal > 0) /* an older program's, for which one refusal was enough */
            (void)quirks_note_refusal(quirks, refusal >> 8, (uint8_t)refusal);
    }
}

static void take_users(struct reader *from, struct record *record)
{
    TAKE(from, 1, " users %zu", &record->user_count);
    from->good = from->good && record->user_count <= RECORD_USERS;
    for (size_t i = 0; from->good && i < record->user_count; i++) {
        int64_t pid = 0;

        TAKE(from, 2, " %" SCNd64 " %" SCNu64, &pid, &record->users[i].start);
        from->good = from->good && pid > 0 && pid == (pid_t)pid;
        record->users[i].pid = (pid_t)pid;
        record->users[i].uses = 1u << RECORD_SHARED;
    }
}

static void take_openers(struct reader *from, struct channel_state *state)
{
    size_t count = 0;

    TAKE(from, 1, " openers %zu", &count);
    from->good =
        from->good && count <= STATE_OPENERS && (count == 0 || state->level == LEVEL_PIN_OK);
    for (size_t i = 0; from->good && i < count; i++)
        from->good = pin_identity_take(&from->text, &state->openers[i]);
    state->opener_count = from->good ? count : 0;
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
    take_word(from, text, iccid_digit, memory->sim, sizeof memory->sim);
    memory->left[PIN_APPLET] = within(from, v[0], PIN_LEFT_MAX);
    memory->left[PIN_UICC] = within(from, v[1], PIN_LEFT_MAX);
    take_openers(from, &record->shared);
    take_refusals(from, memory);
    record->remembers = from->good;
}

static void take_owner(struct reader *from, struct owners *owners)
{
    struct owned owned = {.pid = 0};
    int v[2] = {0};
    int64_t pid = 0; /* of 32 bits a long would take the largest number for one that is larger */

    take_channel(from, &owned.channel);
    TAKE(from, 4, " owner %" SCNd64 " %" SCNu64 " %d %d", &pid, &owned.start, &v[0], &v[1]);
    owned.doubt = (enum doubt)within(from, v[0], DOUBT_LAST);
    owned.refused = (unsigned)within(from, v[1], 9);
    from->good = from->good && owned.channel.open && pid >= 0 && pid == (pid_t)pid &&
                 owners_find(owners, &owned.channel) == NULL;
    owned.pid = (pid_t)pid;
    if (from->good)
        owners->list[owners->count++] = owned;
}

/* Older programs know of one channel that is to be closed, and write no table. */
static void take_owners(struct reader *from, struct record *record, const struct channel *orphan)
{
    struct owners *owners = &record->owners;
    size_t count = 0;

    if (from->good && strncmp(from->text + strspn(from->text, "\n"), "owners ", 7) == 0) {
        TAKE(from, 2, " owners %zu %u", &count, &record->generation);
        from->good = from->good && count <= OWNERS_MAX;
        for (size_t i = 0; from->good && i < count; i++)
            take_owner(from, owners);
        record->lists_owners = from->good;
    }
    if (from->good && orphan->open && owners_find(owners, orphan) == NULL)
        owners_orphan(owners, orphan, DOUBT_NONE);
}

/* An older program knows of one shared channel. */
static void take_second(struct reader *from, struct record *record)
{
    struct channel_state *second = &record->second;
    unsigned uses[RECORD_CHANNELS] = {0};

    if (!from->good || strncmp(from->text + strspn(from->text, "\n"), "second ", 7) != 0)
        return;
    TAKE(from, 3, " second %u %x %x", &record->second_generation, &uses[RECORD_SHARED],
         &uses[RECORD_SECOND]);
    take_shared(from, second, SELECTED_IOTSAFE);
    from->good = from->good && second->level < LEVEL_PIN_OK && !second->environment.set &&
                 (second->applet == SELECTED_NOTHING || second->applet == SELECTED_IOTSAFE) &&
                 !channel_same(&second->channel, &record->shared.channel);
    for (size_t i = 0; i < record->user_count; i++)
        record->users[i].uses = (uses[RECORD_SHARED] >> i & 1u) << RECORD_SHARED |
                                (uses[RECORD_SECOND] >> i & 1u) << RECORD_SECOND;
}

/* The refused algorithms with how often and when, in the place of those that take_learnt read from the
 * line that older programs know. What makes no sense is left out, and the card asked again. */
static void take_refused(struct reader *from, struct card_quirks *quirks)
{
    static const char word[] = "refused ";
    size_t i = 0;

    from->text += strspn(from->text, "\n");
    if (!from->good || strncmp(from->text, word, sizeof word - 1) != 0)
        return;
    quirks_forget_refusals(quirks);
    while (from->good && i < REFUSALS && strncmp(from->text, word, sizeof word - 1) == 0) {
        unsigned refusal = 0;
        uint32_t said = 0;

        TAKE(from, 2, "refused %4x %8" SCNx32 "\n", &refusal, &said);
        atomic_store(&quirks->said[i], said);
        atomic_store(&quirks->refusals[i++], (uint16_t)refusal);
    }
}

/* An older program writes none. */
static void take_gap(struct reader *from, struct line_state *line)
{
    unsigned ms = 0;
    int used = 0;

    if (!from->good || sscanf(from->text, " gap %u%n", &ms, &used) != 1)
        return;
    from->text += used;
    line->gap = ms == 0 ? EVENT_LOST : ms <= 20 ? EVENT_GAP : EVENT_LONG_GAP;
}

/* An older program writes none. */
static void take_kept(struct reader *from, struct line_state *line)
{
    unsigned kept = 0;
    int used = 0;

    if (!from->good || sscanf(from->text, " kept %x%n", &kept, &used) != 1)
        return;
    from->text += used;
    line->kept = kept;
}

/* Behind all that older programs read, and only where there is something to say. */
static void take_quirks(struct reader *from, struct card_quirks *quirks)
{
    unsigned modem;
    int used = 0;

    from->text += strspn(from->text, "\n");
    if (!from->good || sscanf(from->text, "quirks %x%n", &modem, &used) != 1)
        return;
    from->text += used;
    quirks->modem = modem & QUIRKS_ALL;
}

#define BOOT_UNKNOWN "boot " RECORD_NO_BOOT "\n"

/* Moves from behind the two lines that a record is bound to: boot and device. Where this process
 * does not know its boot, that of the record stays in it for others. */
static enum record_verdict take_binding(struct reader *from, char binding[RECORD_BINDING])
{
    const char *boot = from->text, *device = strchr(boot, '\n');
    const char *end = device != NULL ? strchr(device + 1, '\n') : NULL;
    const char *our_device = strchr(binding, '\n') + 1;
    bool unknown, same;

    if (end == NULL || strncmp(boot, "boot ", 5) != 0 || strncmp(device + 1, "device ", 7) != 0 ||
        end + 1 - boot >= RECORD_BINDING)
        return RECORD_FOREIGN;
    device++;
    end++;
    from->text = end;
    same = (size_t)(end - device) == strlen(our_device) &&
           strncmp(device, our_device, strlen(our_device)) == 0;
    unknown = strncmp(binding, BOOT_UNKNOWN, sizeof BOOT_UNKNOWN - 1) == 0;
    if (unknown || strncmp(boot, BOOT_UNKNOWN, sizeof BOOT_UNKNOWN - 1) == 0) {
        if (unknown && same) {
            memcpy(binding, boot, (size_t)(end - boot));
            binding[end - boot] = '\0';
        }
    } else if (device - boot != our_device - binding ||
               strncmp(boot, binding, (size_t)(device - boot)) != 0) {
        return RECORD_FOREIGN;
    }
    return same ? RECORD_GOOD : RECORD_MOVED;
}

static void take_record(struct reader *from, struct record *record)
{
    struct channel orphan = {.open = false};
    int v[5] = {0};

    TAKE(from, 7, " line %d %d %d %u %d %d %" SCNd64, &v[0], &v[1], &v[2], &record->line.last,
         &v[3], &v[4], &record->line.late_until);
    record->dirty = flag(from, v[0]);
    record->line.ready = flag(from, v[1]);
    record->line.echo_stays = flag(from, v[2]);
    record->line.opening = flag(from, v[3]);
    record->line.carrier = (enum carrier)within(from, v[4], CARRIER_LAST);
    if (record->line.late_until > monotonic_ms() + LATE_MAX_MS || record->line.late_until < 0)
        record->line.late_until = monotonic_ms() + LATE_MAX_MS;
    take_shared(from, &record->shared, SELECTED_UICC);
    take_channel(from, &orphan);
    take_learnt(from, &record->quirks);
    take_users(from, record);
    take_pins(from, record);
    take_owners(from, record, &orphan);
    take_second(from, record);
    take_refused(from, &record->quirks);
    take_quirks(from, &record->quirks);
    take_kept(from, &record->line);
    take_gap(from, &record->line);
}

/* The record was written before the device file was made anew. If the modem kept its power, it may still
 * be at work, and its channels be open. */
static void doubt_moved(struct record *record)
{
    record->line.ready = false;
    record->line.kept = 0; /* another program may have got it meanwhile */
    record->line.late_until = monotonic_ms();
    for (size_t i = 0; i < record->owners.count; i++)
        if (record->owners.list[i].doubt == DOUBT_NONE)
            record->owners.list[i].doubt = DOUBT_ASK;
    for (int which = 0; which < RECORD_CHANNELS; which++) {
        struct channel_state *state = record_channel(record, (enum record_channel)which);

        if (state->level > LEVEL_CLOSED)
            owners_orphan(&record->owners, &state->channel, DOUBT_ASK);
        memset(state, 0, sizeof *state);
    }
}

enum record_verdict record_parse(const char *text, struct record *record)
{
    struct reader from = {text, true};
    const char *sum = strstr(text, "\nsum ");
    enum record_verdict verdict;
    uint32_t wanted = 0;

    if (sum == NULL || sscanf(sum, "\nsum %8" SCNx32, &wanted) != 1 ||
        wanted != record_checksum(text, (size_t)(sum + 1 - text)))
        return RECORD_TORN;
    if (strncmp(text, RECORD_HEAD "\n", sizeof RECORD_HEAD) != 0)
        return RECORD_FOREIGN; /* another version's */
    from.text += sizeof RECORD_HEAD;
    verdict = take_binding(&from, record->binding);
    if (verdict == RECORD_FOREIGN)
        return verdict;
    take_record(&from, record);
    if (!from.good)
        return RECORD_TORN;
    if (verdict == RECORD_MOVED)
        doubt_moved(record);
    return verdict;
}

void record_salvage(const char *text, struct owners *owners)
{
    for (const char *line = strstr(text, "\nchannel "); line != NULL;
         line = strstr(line + 1, "\nchannel ")) {
        struct reader from = {line, true};
        struct channel channel = {.open = false};

        take_channel(&from, &channel);
        if (from.good && channel.open && owners->count < OWNERS_MAX)
            owners_orphan(owners, &channel, DOUBT_ASK);
    }
}
