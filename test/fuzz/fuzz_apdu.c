/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the exchange with a hostile card, below any modem: T=0 rules, files, PIN, mIAS.
 *
 * The first byte is the number of operations (1 to 4) and the carrier's habits, then one byte for
 * each operation and one for its argument; the rest are the card's answers (hostile.h). */
#include "apdu/applet/mias.h"
#include "apdu/applet/pin.h"
#include "apdu/card/apdu.h"
#include "apdu/card/file.h"
#include "apdu/session/pin_store.h"
#include "test/fuzz/hostile.h"
#include "test/fuzz/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPERATIONS 4
#define TRY_MAX    130 /* exchanges that one command may cost: GET RESPONSE's rounds, each corrected */

struct seat {
    struct hostile hostile;
    struct card card;
    struct settings settings;
    uint8_t argument;
    bool no_le;
    unsigned max_read;
    struct selection selection;
    struct pin_memory memory;
};

static const uint8_t pattern[512] = {1, 2, 3};

/* Both PINs as files; a file without a name keeps them. */
static void give_pins(struct settings *settings)
{
    static char path[64];
    struct report why = REPORT_INIT;

    if (path[0] == '\0') {
        int fd = memfd_create("pin", MFD_CLOEXEC);

        REQUIRE(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, "0000\n", 5) == 5);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    REQUIRE(settings_set(settings, "device", LINE_DEVICE, &why) == OUTCOME_OK);
    REQUIRE(settings_set(settings, "pin-source", path, &why) == OUTCOME_OK);
    REQUIRE(settings_set(settings, "sim-pin-source", path, &why) == OUTCOME_OK);
}

static enum outcome send(struct seat *seat, struct report *why)
{
    struct apdu command = {.ins = 0xCA,
                           .data = pattern,
                           .lc = seat->argument & 1 ? 16 : 0,
                           .le = seat->argument & 2 ? APDU_LE_ALL : APDU_LE_NONE,
                           .repeatable = (seat->argument & 4) == 0};
    struct answer *answer = malloc(sizeof *answer);
    enum outcome outcome = apdu_send(&seat->card, &command, answer, why);

    REQUIRE(answer != NULL && seat->hostile.exchanges <= TRY_MAX);
    REQUIRE(outcome != OUTCOME_OK || answer->length <= sizeof answer->data);
    REQUIRE(outcome != OUTCOME_OK || (answer->sw & 0xFF00) != 0x6100);
    REQUIRE(outcome != OUTCOME_OK || (answer->sw & 0xFF00) != 0x9100);
    free(answer);
    return outcome;
}

static enum outcome send_chain(struct seat *seat, struct report *why)
{
    struct apdu command = {.ins = 0x2A, .data = pattern, .lc = 2 * (size_t)seat->argument};
    struct answer answer;
    enum outcome outcome;

    command.le = seat->argument & 1 ? APDU_LE_ALL : APDU_LE_NONE;
    outcome = apdu_send_chain(&seat->card, &command, 1 + seat->argument % 255, &answer, why);
    REQUIRE(outcome != OUTCOME_OK || answer.length <= sizeof answer.data);
    return outcome;
}

static enum outcome read_object(struct seat *seat, struct report *why)
{
    uint8_t *data = NULL, *der = NULL;
    size_t length = 0, der_length;
    char label[33];
    struct span value;
    enum outcome outcome =
        mias_read_file(&seat->card, 0x0201, seat->argument, SECRET_NOTHING, &data, &length, why);

    REQUIRE((outcome == OUTCOME_OK) == (data != NULL) && length <= FILE_SIZE_MAX);
    if (outcome == OUTCOME_OK) {
        struct span all = {data, length};

        if (typea_parse_object(all, label, &value))
            REQUIRE(lies_within(value, all));
        outcome = mias_unpack_certificate(all, &der, &der_length, why);
        free(der);
    }
    free(data);
    return outcome;
}

static enum outcome read_lists(struct seat *seat, struct report *why)
{
    struct mias_container *list = malloc(TOKEN_CONTAINERS * sizeof *list);
    struct mias_entry *entries = malloc(MIAS_ENTRIES * sizeof *entries);
    size_t count = 0, entry_count = 0;
    enum outcome outcome = OUTCOME_OK;

    if (seat->argument % 2 == 0)
        outcome = mias_read_map(&seat->card, list, &count, why);
    if (outcome == OUTCOME_OK)
        outcome = mias_read_directory(&seat->card, entries, &entry_count, why);
    for (size_t i = 0; outcome == OUTCOME_OK && i < count; i++)
        (void)mias_find_certificate(entries, entry_count, &list[i]);
    free(list);
    free(entries);
    return outcome;
}

static enum outcome path_of_four(struct seat *seat, struct report *why)
{
    static const uint8_t path[] = {0x7F, 0xAA, 0x6F, 0x01};
    uint8_t *data = NULL;
    size_t size = 0, length = 0;
    enum outcome outcome = file_select(&seat->card, path, sizeof path, &size, why);

    REQUIRE(size <= 0xFFFF);
    if (outcome == OUTCOME_OK)
        outcome = file_read(&seat->card, size, SECRET_ANSWER, &data, &length, why);
    REQUIRE(data == NULL || length <= (size > 0 ? size : FILE_SIZE_MAX));
    free(data);
    return outcome;
}

/* As if the application had just been selected, half of the times. */
static void select_for(struct seat *seat, enum pin_reference reference)
{
    if ((seat->argument & 0x80) != 0)
        return;
    if (reference == PIN_UICC)
        card_note_selected(&seat->card, uicc_aid, sizeof uicc_aid);
    else
        card_note_selected(&seat->card, mias_aid, sizeof mias_aid);
}

static enum outcome state(struct seat *seat, struct report *why)
{
    struct token_pin pin;
    enum outcome outcome =
        pin_state(&seat->card, seat->argument & 1 ? PIN_UICC : PIN_APPLET, &pin, why);

    REQUIRE(seat->hostile.verifies == 0);
    REQUIRE(outcome != OUTCOME_OK ||
            (pin.left >= -1 && pin.left <= 15 && pin.blocked == (pin.left == 0)));
    return outcome;
}

static enum outcome unlock(struct seat *seat, struct report *why)
{
    enum pin_reference reference = seat->argument & 1 ? PIN_UICC : PIN_APPLET;
    struct pin_given given;
    struct pin_try try = {.given = &given,
                          .memory = &seat->memory,
                          .sim = "",
                          .load = pin_store_load,
                          .save = pin_store_save,
                          .settings = &seat->settings};
    enum outcome outcome;

    pin_given_read(&given, &seat->settings, reference);
    select_for(seat, reference);
    outcome = pin_unlock(&seat->card, reference, &try, why);
    pin_given_clear(&given);
    REQUIRE(seat->hostile.verifies <= 1);
    REQUIRE(outcome != OUTCOME_PIN_PROTECTED || seat->hostile.verifies == 0);
    /* +CME ERROR: 16 is the modem's own word */
    REQUIRE(outcome != OUTCOME_PIN_WRONG || seat->hostile.verifies == 1 ||
            why->cme == CME_WRONG_PASSWORD);
    return outcome;
}

static enum outcome try_pin(struct seat *seat, struct report *why)
{
    static const char *const pins[] = {"7351", "73517351", "7351735173517351", "73", "73x1"};
    const char *pin = pins[(seat->argument >> 2) % (sizeof pins / sizeof pins[0])];
    bool last = (seat->argument & 2) != 0;
    struct token_pin after;
    enum outcome outcome;

    seat->hostile.tries_wanted = last ? TRIES_ANY : TRIES_PERSON;
    select_for(seat, seat->argument & 1 ? PIN_UICC : PIN_APPLET);
    outcome = pin_attempt(&seat->card, seat->argument & 1 ? PIN_UICC : PIN_APPLET, pin, last,
                          &after, why);
    REQUIRE(seat->hostile.verifies <= 1);
    REQUIRE(outcome != OUTCOME_USAGE || seat->hostile.exchanges == 0);
    REQUIRE(strlen(pin) < 4 || strstr(why->text, pin) == NULL);
    return outcome;
}

static enum outcome sign(struct seat *seat, struct report *why)
{
    struct token_key key = {.name = {.id_length = 1, .id = {0x31}}, .bits = 2048};
    struct mias_plan plans[MIAS_PLANS];
    struct security_environment environment = {.set = false};
    enum token_scheme scheme = (enum token_scheme)(seat->argument % 3);
    enum token_hash hash = (enum token_hash)((seat->argument / 3) % TOKEN_HASHES);
    const struct token_digest digest = {scheme, hash, pattern,
                                        hash == TOKEN_HASH_NONE ? 36 : hash_length(hash)};
    size_t count, length = 0;
    uint8_t *signature = malloc(TOKEN_SIGNATURE_MAX);
    enum outcome outcome = OUTCOME_OK;

    key.type = scheme == TOKEN_ECDSA ? TOKEN_EC : TOKEN_RSA;
    key.bits = scheme == TOKEN_ECDSA ? 256 : 2048;
    count = mias_plans(&key, &digest, plans);
    REQUIRE(count <= MIAS_PLANS);
    for (size_t i = 0; i < count && outcome == OUTCOME_OK; i++) {
        REQUIRE(plans[i].length <= sizeof plans[i].data && plans[i].algorithm != 0);
        outcome =
            mias_set_environment(&seat->card, &environment, 0xB6, plans[i].algorithm, 0x31, why);
        REQUIRE(environment.set == (outcome == OUTCOME_OK));
        if (outcome == OUTCOME_OK)
            outcome = mias_hash_and_sign(&seat->card, &plans[i], signature, &length, why);
        REQUIRE(outcome != OUTCOME_OK || (length > 0 && length <= TOKEN_SIGNATURE_MAX));
    }
    free(signature);
    return outcome;
}

static enum outcome decipher(struct seat *seat, struct report *why)
{
    uint8_t *plain = malloc(TOKEN_PLAIN_MAX);
    size_t length = 0;
    enum outcome outcome =
        mias_decipher(&seat->card, pattern, 2 * (size_t)seat->argument, plain, &length, why);

    REQUIRE(length <= TOKEN_PLAIN_MAX);
    free(plain);
    return outcome;
}

static enum outcome randomness(struct seat *seat, struct report *why)
{
    uint8_t *bytes = malloc(seat->argument + (size_t)1);
    enum outcome outcome = mias_random(&seat->card, bytes, seat->argument, why);

    free(bytes);
    return outcome;
}

static enum outcome select_applet(struct seat *seat, struct report *why)
{
    return file_select_applet(&seat->card, mias_aid, sizeof mias_aid, MIAS_NAME, why);
}

static enum outcome (*const operations[])(struct seat *, struct report *) = {
    send,  send_chain, select_applet, read_object, read_lists, path_of_four,
    state, unlock,     try_pin,       sign,        decipher,   randomness,
};

static void operate(struct seat *seat, uint8_t which)
{
    struct report why = REPORT_INIT;
    enum outcome outcome;

    hostile_operation(&seat->hostile, SOURCE_FILE, TRIES_SOFTWARE);
    seat->hostile.exchanges = 0;
    seat->hostile.channels[1].selected = true; /* what the callers of pin.h see to */
    outcome = operations[which % (sizeof operations / sizeof operations[0])](seat, &why);
    check_report(outcome, &why);
    REQUIRE(seat->max_read >= 1 && seat->max_read <= 256);
}

static void never_heard(void *arg, const char *text)
{
    (void)arg, (void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {data, size};
    uint8_t head = input_byte(&input), which[OPERATIONS], arguments[OPERATIONS];
    unsigned count = 1 + head % OPERATIONS;
    struct seat seat = {.no_le = (head & 0x80) != 0, .max_read = 256};

    line_start(never_heard, NULL);
    settings_init(&seat.settings);
    give_pins(&seat.settings);
    for (unsigned i = 0; i < count; i++) {
        which[i] = input_byte(&input);
        arguments[i] = input_byte(&input);
    }
    hostile_start(&seat.hostile, input, TRIES_SOFTWARE);
    hostile_open(&seat.hostile, 1, false);
    seat.card = (struct card){.exchange = hostile_exchange,
                              .arg = &seat.hostile,
                              .deadline = deadline_in(30000),
                              .no_le = &seat.no_le,
                              .max_read = &seat.max_read,
                              .selection = &seat.selection};
    for (unsigned i = 0; i < count; i++) {
        seat.argument = arguments[i];
        operate(&seat, which[i]);
    }
    settings_clear(&seat.settings);
    return 0;
}
