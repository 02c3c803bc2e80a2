/* SPDX-License-Identifier: Apache-2.0 */
/* The run-dir of a fuzz target. */
#include "test/fuzz/neighbour.h"

#include "apdu/session/old_claims.h"
#include "apdu/session/rundir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "proc-none-modem"
#define KEPT_SIZE 8192

static char folder[64], run_dir[80], pin_file[80], state_dir[80];
static char kept[KEPT_SIZE];
static size_t kept_length;

static void make_folder(void);

static void remove_file(const char *suffix)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s/" FILE_NAME ".%s", run_dir, suffix);
    (void)unlink(path);
}

static void remove_state(const char *name)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s/%s.pin", state_dir, name);
    (void)unlink(path);
}

void neighbour_keep_state(bool keeps)
{
    make_folder();
    REQUIRE(setenv("SIMKEY_STATE_DIR", keeps ? state_dir : "/dev/null/none", 1) == 0);
}

void neighbour_empty(void)
{
    const struct dirent *entry;
    DIR *list;

    kept_length = 0;
    if (run_dir[0] == '\0')
        return;
    remove_state(MODEM_ICCID);
    remove_state(FILE_NAME);
    list = opendir(run_dir);
    while (list != NULL && (entry = readdir(list)) != NULL)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(list), entry->d_name, 0);
    if (list != NULL)
        (void)closedir(list);
}

static void remove_folder(void)
{
    neighbour_empty();
    (void)rmdir(run_dir);
    (void)rmdir(state_dir);
    (void)unlink(pin_file);
    (void)rmdir(folder);
}

static void make_folder(void)
{
    int fd;

    if (folder[0] != '\0')
        return;
    (void)snprintf(folder, sizeof folder, "%s/simkey-fuzz-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    REQUIRE(mkdtemp(folder) != NULL);
    (void)snprintf(run_dir, sizeof run_dir, "%s/run", folder);
    (void)snprintf(pin_file, sizeof pin_file, "%s/pin", folder);
    (void)snprintf(state_dir, sizeof state_dir, "%s/state", folder);
    REQUIRE(mkdir(run_dir, 0700) == 0 && mkdir(state_dir, 0700) == 0);
    fd = open(pin_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && write(fd, "0000\n", 5) == 5 && close(fd) == 0);
    REQUIRE(atexit(remove_folder) == 0);
}

const char *neighbour_run_dir(void)
{
    make_folder();
    return run_dir;
}

const char *neighbour_pin_file(void)
{
    make_folder();
    return pin_file;
}

/* ---- the record ---- */

static int open_record(int flags)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s/" FILE_NAME ".session", run_dir);
    return open(path, flags | O_CLOEXEC, 0660);
}

void neighbour_keep(void)
{
    int fd = open_record(O_RDONLY);
    ssize_t got = fd >= 0 ? read(fd, kept, sizeof kept) : 0;

    kept_length = got > 0 ? (size_t)got : 0;
    if (fd >= 0)
        (void)close(fd);
}

static unsigned channel_number(const struct channel *channel)
{
    return channel->carrier == CARRIER_CCHO ? modem_session(channel->session) : channel->number;
}

/* A channel may be named by whoever wrote the record: then the card has it open. */
static void know(struct modem *modem, const struct channel *channel)
{
    unsigned number = channel_number(channel);

    if (channel->open && number > 0 && number < HOSTILE_CHANNELS)
        modem->card.channels[number].open = true;
}

static void know_record(struct modem *modem, const struct settings *settings)
{
    struct record record;

    if (!record_peek(settings, &record))
        return;
    know(modem, &record.shared.channel);
    know(modem, &record.second.channel);
    for (size_t i = 0; i < record.owners.count; i++)
        know(modem, &record.owners.list[i].channel);
    if (record.line.last < HOSTILE_CHANNELS) /* it may be taken for one that was opened unseen */
        modem->card.channels[record.line.last].open |= record.line.last > 0;
}

static void take_channel(struct span *input, struct channel *channel)
{
    uint8_t bits = input_byte(input);

    if ((bits & 0x80) == 0)
        return;
    channel->open = true;
    channel->carrier = bits & 0x40 ? CARRIER_CCHO : CARRIER_CSIM;
    channel->selected = bits & 0x40;
    channel->number = bits & 0x40 ? 0 : (uint8_t)(1 + bits % (HOSTILE_CHANNELS - 1));
    if (bits & 0x40)
        (void)snprintf(channel->session, sizeof channel->session, "%d", bits & 0x1F);
}

static void take_standing(struct span *input, struct channel_state *standing)
{
    uint8_t bits;

    take_channel(input, &standing->channel);
    bits = input_byte(input);
    standing->iccid_asked = (bits & 0x01) != 0;
    if (standing->iccid_asked && (bits & 0x02) != 0)
        (void)snprintf(standing->iccid, sizeof standing->iccid, "%s",
                       bits & 0x04 ? MODEM_ICCID : "89880330000000000025");
    if (!standing->channel.open)
        return;
    standing->broken = (bits & 0x08) != 0;
    standing->kept = (bits & 0x10) != 0;
    standing->unprotected = (bits & 0x40) != 0;
    standing->environment.set = (bits & 0x80) != 0;
    standing->applet = (enum selected)(input_byte(input) % (SELECTED_UICC + 1));
    standing->level = bits & 0x20                            ? LEVEL_PIN_OK
                      : standing->applet != SELECTED_NOTHING ? LEVEL_SELECTED
                                                             : LEVEL_OPEN;
    if (standing->environment.set) {
        standing->environment.template_tag = 0xB6;
        standing->environment.algorithm = input_byte(input);
        standing->environment.key_id = 0x31;
    }
}

static void take_learnt(struct span *input, struct card_quirks *quirks)
{
    uint8_t bits = input_byte(input);

    if (bits & 0x01)
        (void)snprintf(quirks->iccid, sizeof quirks->iccid, "%s", MODEM_ICCID);
    quirks->no_le = (bits & 0x02) != 0;
    quirks->short_way = (bits & 0x04) != 0;
    quirks->environment_refused = bits >> 3 & 3;
    quirks->pin_refused = bits >> 5 & 3;
    quirks->max_read = bits & 0x80 ? 1u + input_byte(input) : APDU_LE_ALL;
    if (bits & 0x80)
        (void)quirks_note_refusal(quirks, 0x31, input_byte(input));
}

static void take_users(struct span *input, struct record *record)
{
    uint8_t bits = input_byte(input);

    if (bits & 0x01)
        record_join(record, RECORD_SHARED);
    if (bits & 0x02) /* one that is dead, and init, which lives */
        record->users[record->user_count++] = (struct record_user){1, 77, 1};
}

/* Channels beside the shared one: a living process's, a dead one's, orphans. */
static void take_owners(struct span *input, struct record *record)
{
    for (unsigned i = input_byte(input) % 4; i > 0; i--) {
        struct channel channel = {.open = false};
        uint8_t bits;

        take_channel(input, &channel);
        bits = input_byte(input);
        if (!channel.open || channel_number(&channel) == channel_number(&record->shared.channel) ||
            channel_number(&channel) == channel_number(&record->second.channel))
            continue;
        if (bits & 0x01)
            owners_hold(&record->owners, &channel, bits & 0x02 ? 1 : getppid(), 77);
        else if (bits & 0x02)
            owners_hold(&record->owners, &channel, getppid(), rundir_process_start(getppid()));
        else
            owners_orphan(&record->owners, &channel,
                          (enum doubt)(bits >> 2 & 3) % (DOUBT_LAST + 1));
    }
}

/* As an older program does, which has died since. */
static void write_claim(unsigned number)
{
    char path[160];
    int fd;

    (void)snprintf(path, sizeof path, "%s/" FILE_NAME ".channel-%u", run_dir, number);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
    REQUIRE(fd >= 0 && write(fd, "1 77\n", 5) == 5 && close(fd) == 0);
}

static void forge(struct span *input, const struct settings *settings)
{
    struct record record;
    int fd = record_open(settings, &record);
    char binding[RECORD_BINDING];
    uint8_t bits = input_byte(input), claim;

    if (fd < 0)
        return;
    memcpy(binding, record.binding, sizeof binding);
    record_init(&record);
    memcpy(record.binding, binding, sizeof binding);
    record.dirty = (bits & 0x01) != 0;
    record.line.ready = (bits & 0x02) != 0;
    record.line.echo_stays = (bits & 0x04) != 0;
    record.line.opening = (bits & 0x08) != 0;
    record.line.carrier = (enum carrier)((bits >> 4 & 3) % (CARRIER_LAST + 1));
    record.line.last = bits & 0x40 ? input_byte(input) % HOSTILE_CHANNELS : 0;
    record.line.late_until = bits & 0x80 ? (int64_t)input_byte(input) << 8 : 0;
    take_standing(input, &record.shared);
    take_owners(input, &record);
    take_learnt(input, &record.quirks);
    take_users(input, &record);
    REQUIRE(record_save(fd, &record) && close(fd) == 0);
    claim = input_byte(input) % HOSTILE_CHANNELS;
    if (claim > 0)
        write_claim(claim);
}

static void know_claims(struct modem *modem, const struct settings *settings)
{
    enum owner claims[CHANNEL_MAX + 1];
    struct rundir_place place;

    rundir_place_open(&place, settings);
    old_claims_read(&place, claims);
    rundir_place_close(&place);
    for (unsigned i = 1; i < HOSTILE_CHANNELS; i++)
        if (!modem->card.channels[i].open && claims[i] != OWNER_NONE)
            modem->card.channels[i].open = true;
}

static void tear(struct span *input)
{
    uint8_t place = input_byte(input), with = input_byte(input);
    int fd = open_record(O_RDWR);

    if (fd < 0)
        return;
    if (place < 16)
        REQUIRE(ftruncate(fd, (off_t)place * with) == 0);
    else
        REQUIRE(pwrite(fd, &with, 1, place) == 1);
    REQUIRE(close(fd) == 0);
}

static void put_back(void)
{
    int fd = open_record(O_RDWR | O_CREAT);

    REQUIRE(fd >= 0 && ftruncate(fd, 0) == 0);
    REQUIRE(write(fd, kept, kept_length) == (ssize_t)kept_length && close(fd) == 0);
}

void neighbour_change(enum neighbour_change change, struct modem *modem,
                      const struct settings *settings)
{
    for (unsigned i = 0; i < HOSTILE_CHANNELS; i++)
        modem->card.channels[i].owed = false;
    modem->card.remembers = modem->card.remembers && modem->keeps_state;
    modem->card.told = modem->card.before = -1;
    if (change == NEIGHBOUR_FORGE)
        forge(&modem->card.input, settings);
    else if (change == NEIGHBOUR_TEAR)
        tear(&modem->card.input);
    else if (change == NEIGHBOUR_OLD && kept_length > 0)
        put_back();
    else if (change == NEIGHBOUR_REMOVE)
        remove_file("session");
    know_record(modem, settings);
    know_claims(modem, settings);
}

/* ---- afterwards ---- */

static bool names(const struct channel *channel, unsigned number)
{
    return channel->open && channel_number(channel) == number;
}

static bool any_names(const struct channel *const own[], size_t count, unsigned number)
{
    for (size_t i = 0; i < count; i++)
        if (names(own[i], number))
            return true;
    return false;
}

static bool owners_name(const struct owners *owners, unsigned number)
{
    for (size_t i = 0; i < owners->count; i++)
        if (names(&owners->list[i].channel, number))
            return true;
    return false;
}

void neighbour_forgive(struct modem *modem, const struct channel *own)
{
    unsigned number = channel_number(own);

    if (own->open && number < HOSTILE_CHANNELS)
        modem->card.channels[number].owed = false;
}

void neighbour_check(const struct modem *modem, const struct settings *settings,
                     const struct channel *const own[], size_t count)
{
    struct record record;
    bool there = false;

    record_init(&record);
    for (unsigned i = 1; i < HOSTILE_CHANNELS; i++) {
        if (!modem->card.channels[i].owed)
            continue;
        if (!there)
            there = record_peek(settings, &record);
        REQUIRE(any_names(own, count, i) || names(&record.shared.channel, i) ||
                names(&record.second.channel, i) || owners_name(&record.owners, i) ||
                record.line.opening);
    }
}
