/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the public operations (keys, Type A, SAFE2, raw APDUs) from port to applet, with a
 * modem that speaks AT well and a card behind it that does not (hostile.h), by up to three programs
 * that share a run-dir: one with a PIN, one with a PIN from a file, one without.
 *
 * The first byte: how many operations, and what the modem is like (see HEAD_*). Then one byte for
 * each operation, and with HEAD_RECORD one more each (see TURN_*); the rest are the card's answers,
 * and what other programs write into the record. */
#include "apdu/applet/mias.h"
#include "apdu/safe2/applet.h"
#include "apdu/session/sim_state.h"
#include "apdu/token.h"
#include "apdu/typea.h"
#include "provider/key.h"
#include "test/fuzz/line.h"
#include "test/fuzz/neighbour.h"

#include <openssl/ec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_S   20
#define FAREWELL_MS 500
#define NO_TIME_MS  200 /* spent on a channel that answers nonsense: the others are not asked */
#define SLACK_MS    100
#define PAUSE_MS    3000

#define HEAD_MORE     0x01 /* one operation more */
#define HEAD_CCHO     0x02 /* AT+CSIM is refused */
#define HEAD_NO_ICCID 0x04
#define HEAD_OPEN     0x08 /* opening channels is the input's too */
#define HEAD_RECORD   0x10 /* there is a run-dir */
#define HEAD_TWO_MORE 0x20
#define HEAD_ECHO     0x40 /* the modem's echo cannot be turned off */
#define HEAD_STATE    0x80 /* with a record: what is refused is kept beyond a reboot too */
#define OPERATIONS    4

#define TURN_PROGRAM(turn) ((turn)&3) /* enum hostile_source; 3: the first one, for itself alone */
#define TURN_RECORD(turn)  ((turn) >> 2 & 7) /* enum neighbour_change; less: nothing */
#define TURN_FORGET        0x20              /* what the signature said was not true */
#define TURN_CLOSE         0x40              /* the program ends afterwards */
#define TURN_LATER         0x80 /* time passes, and another program turns the echo on */

#define PROGRAMS 4

static const uint8_t digest[64] = {0xDD};

static enum outcome sign(struct sim *sim, enum token_scheme scheme, struct report *why)
{
    struct token_key key = {.name = {.id_length = 1, .id = {0x31}}, .bits = 2048};
    const struct token_digest what = {scheme, TOKEN_SHA256, digest, 32};
    uint8_t *signature = malloc(TOKEN_SIGNATURE_MAX);
    size_t length = 0;
    enum outcome outcome;

    key.type = scheme == TOKEN_ECDSA ? TOKEN_EC : TOKEN_RSA;
    key.bits = scheme == TOKEN_ECDSA ? 256 : 2048;
    outcome = token_sign(sim, &key, &what, signature, &length, sim_deadline(sim), why);
    REQUIRE(outcome != OUTCOME_OK || (length > 0 && length <= TOKEN_SIGNATURE_MAX));
    free(signature);
    return outcome;
}

/* A signature that the card made up never gets out. */
static enum outcome sign_and_prove(struct sim *sim, struct report *why)
{
    static EVP_PKEY *public_key;
    static struct provider provider;
    const struct token_digest what = {TOKEN_ECDSA, TOKEN_SHA256, digest, 32};
    struct key key = {.provider = &provider};
    uint8_t signature[80];
    size_t length = sizeof signature;
    enum outcome outcome;

    if (public_key == NULL)
        public_key = EVP_EC_gen("P-256");
    REQUIRE(public_key != NULL);
    REQUIRE(choice_new(&key.choice, &sim, 1, "", why) == OUTCOME_OK);
    key.public_key = public_key;
    key.token =
        (struct token_key){.name = {.id_length = 1, .id = {0x61}}, .type = TOKEN_EC, .bits = 256};
    outcome = key_sign(&key, &what, signature, &length, why);
    choice_free(key.choice);
    REQUIRE(outcome != OUTCOME_OK);
    REQUIRE(length == 0);
    return outcome;
}

static enum outcome decrypt(struct sim *sim, struct report *why)
{
    const struct token_key key = {
        .name = {.id_length = 1, .id = {0x31}}, .type = TOKEN_RSA, .bits = 2048};
    static const uint8_t cryptogram[256] = {1};
    uint8_t *plain = malloc(TOKEN_PLAIN_MAX);
    size_t length = 0;
    enum outcome outcome = token_decrypt(sim, &key, TOKEN_DECRYPT_PKCS1, TOKEN_HASH_NONE,
                                         cryptogram, sizeof cryptogram, plain, &length, why);

    REQUIRE(length <= TOKEN_PLAIN_MAX);
    free(plain);
    return outcome;
}

static enum outcome list(struct sim *sim, struct report *why)
{
    struct token_item items[TOKEN_ITEMS];
    size_t count = 0;
    enum outcome outcome = token_list(sim, items, &count, why);

    REQUIRE(count <= TOKEN_CONTAINERS);
    return outcome;
}

static enum outcome read_one(struct sim *sim, struct report *why)
{
    const struct token_name nothing = TOKEN_NAME_NONE;
    struct token_content content;
    enum outcome outcome = token_read(sim, "", &nothing, 0, &content, why);

    /* IoT SAFE's key may be told without a certificate, and without its public half */
    REQUIRE(outcome != OUTCOME_OK || content.item.name.applet == TOKEN_APPLET_IOTSAFE ||
            content.certificate != NULL);
    REQUIRE((content.certificate != NULL) == (content.length > 0));
    REQUIRE(outcome == OUTCOME_OK || content.certificate == NULL);
    token_content_clear(&content);
    return outcome;
}

static enum outcome type_a(struct sim *sim, bool private_key, struct report *why)
{
    struct typea_blob blob;
    enum outcome outcome = private_key ? typea_key(sim, "", TYPEA_ANY, &blob, why)
                                       : typea_certificate(sim, "", TYPEA_ANY, &blob, why);

    REQUIRE(outcome == OUTCOME_OK ? blob.data != NULL : blob.data == NULL);
    typea_blob_clear(&blob);
    return outcome;
}

static enum outcome safe2(struct sim *sim, unsigned which, struct report *why)
{
    static const uint8_t id[] = {1, 2, 3, 4};
    struct safe2_status status;
    uint8_t *data = malloc(SAFE2_DATA_MAX);
    size_t length = 0;
    enum outcome outcome;

    switch (which % 4) {
    case 0:
        outcome = safe2_status(sim, SAFE2_RECEIVING, &status, why);
        REQUIRE(outcome != OUTCOME_OK || (status.known && safe2_phase(&status) <= SAFE2_FAILED));
        break;
    case 1:
        outcome = safe2_status(sim, SAFE2_SENDING, &status, why);
        break;
    case 2:
        outcome = safe2_fetch(sim, data, &length, why);
        REQUIRE(outcome == OUTCOME_OK ? length > 0 && length <= SAFE2_DATA_MAX : length == 0);
        break;
    default:
        outcome = which & 4 ? safe2_send(sim, id, sizeof id, digest, sizeof digest, why)
                            : safe2_request(sim, id, sizeof id, why);
        break;
    }
    free(data);
    return outcome;
}

static bool got(void *arg, size_t index, const struct sim_answer *answer)
{
    (void)arg, (void)index;
    REQUIRE(answer->length <= sizeof answer->data);
    return answer->sw == SW_OK;
}

static enum outcome raw(struct sim *sim, struct report *why)
{
    static const uint8_t first[] = {0x00, 0xB0, 0x00, 0x00, 0x00},
                         second[] = {0x00, 0xA4, 0x08, 0x04, 0x02, 0x2F, 0xE2, 0x00};
    const uint8_t *const commands[] = {first, second};
    const size_t lengths[] = {sizeof first, sizeof second};
    const struct sim_raw request = {
        .count = 2, .commands = commands, .lengths = lengths, .got = got};

    return sim_raw(sim, &request, why);
}

static enum outcome person(struct sim *sim, struct hostile *card, unsigned how, struct report *why)
{
    bool last = (how & 1) != 0, sent;
    char stuck[TOKEN_PATH_SIZE];
    struct token_pin state;
    enum outcome outcome;

    if (how & 2) {
        card->change_wanted = true;
        outcome = token_pin_change(sim, "0000", "1111", &sent, why);
        REQUIRE(sent || card->verifies == 0);
    } else {
        card->tries_wanted = last ? TRIES_ANY : TRIES_PERSON;
        outcome = token_pin_verify(sim, "0000", NULL, last, &state, stuck, why);
    }
    REQUIRE(card->verifies <= 1);
    return outcome;
}

/* What needs no key. */
static enum outcome question(struct sim *sim, unsigned which, struct report *why)
{
    struct modem_identity identity;
    enum registration registered;
    char iccid[ICCID_SIZE] = "";
    enum carrier carrier;
    struct token_pin state;
    struct sim_found found;

    switch (which % 8) {
    case 1:
        return sim_shut(sim, &found, why);
    case 2:
        return sim_probe(sim, mias_aid, sizeof mias_aid, MIAS_NAME, &carrier, why);
    case 3:
        return sim_identity(sim, &identity, iccid, why);
    case 4:
        return sim_registration(sim, &registered, why);
    default:
        return token_pin_status(sim, &state, NULL, why);
    }
}

static enum outcome operate(struct sim *sim, struct hostile *card, unsigned which,
                            struct report *why)
{
    const struct token_key key = {
        .name = {.id_length = 1, .id = {0x31}}, .type = TOKEN_RSA, .bits = 2048};
    uint8_t bytes[200];
    uint64_t mask;

    switch (which % 16) {
    case 0:
    case 1:
    case 2:
        return sign(sim, (enum token_scheme)(which % 16), why);
    case 3:
        return sign_and_prove(sim, why);
    case 4:
        return decrypt(sim, why);
    case 5:
        return list(sim, why);
    case 6:
        return read_one(sim, why);
    case 7:
    case 8:
        return type_a(sim, which % 16 == 8, why);
    case 9:
    case 10:
        return safe2(sim, which >> 4, why);
    case 11:
        return raw(sim, why);
    case 12:
        return question(sim, which >> 4, why);
    case 13:
        return person(sim, card, which >> 4, why);
    case 14:
        return token_random(sim, bytes, sizeof bytes, why);
    default:
        return token_algorithms(sim, &key, &mask, why);
    }
}

/* ---- programs and their turns ---- */

struct game {
    struct modem modem;
    struct settings settings; /* the first program's */
    bool record;
    struct sim *sims[PROGRAMS];
};

static void make_settings(struct settings *settings, unsigned program, bool record)
{
    struct report why = REPORT_INIT;

    settings_init(settings);
    REQUIRE(settings_set(settings, "device", LINE_DEVICE, &why) == OUTCOME_OK);
    REQUIRE(settings_set(settings, "run-dir", record ? neighbour_run_dir() : NEIGHBOUR_NO_DIR,
                         &why) == OUTCOME_OK);
    if (program == SOURCE_FILE)
        REQUIRE(settings_set(settings, "pin-source", neighbour_pin_file(), &why) == OUTCOME_OK);
    else if (program != SOURCE_NONE)
        REQUIRE(settings_set(settings, "pin", "0000", &why) == OUTCOME_OK);
    if (program == SOURCE_FILE)
        REQUIRE(settings_set(settings, "sim-pin-source", neighbour_pin_file(), &why) == OUTCOME_OK);
    if (program == SOURCES)
        REQUIRE(settings_set(settings, "session", "private", &why) == OUTCOME_OK);
    settings->timeout = TIMEOUT_S;
}

static struct sim *sim_of(struct game *game, unsigned program)
{
    struct report why = REPORT_INIT;
    struct settings settings;

    if (game->sims[program] != NULL)
        return game->sims[program];
    make_settings(&settings, program, game->record);
    REQUIRE(sim_new(&game->sims[program], &settings, &why) == OUTCOME_OK);
    settings_clear(&settings);
    return game->sims[program];
}

static void end_program(struct game *game, unsigned program)
{
    const bool owes = game->modem.card.disturbed; /* an answer, still */
    int64_t started = line_now();
    struct owners unsaved;
    struct channel mine;

    if (game->sims[program] == NULL)
        return;
    unsaved = game->sims[program]->unsaved;
    mine = game->sims[program]->mine.channel;
    hostile_operation(&game->modem.card, SOURCE_NONE, TRIES_SOFTWARE);
    /* without the device, which holds the lock, its own channel is neither closed nor written down */
    if (!line_is_plugged())
        neighbour_forgive(&game->modem, &mine);
    sim_free(game->sims[program]);
    game->modem.card.disturbed = game->modem.card.disturbed || owes;
    game->sims[program] = NULL;
    REQUIRE(line_now() - started <= FAREWELL_MS + SLACK_MS);
    if (game->record || line_now() - started < NO_TIME_MS)
        return;
    /* without a record, what it had no time to ask is forgotten with it */
    neighbour_forgive(&game->modem, &mine);
    for (size_t i = 0; i < unsaved.count; i++)
        neighbour_forgive(&game->modem, &unsaved.list[i].channel);
}

/* A channel of SAFE2's is the process's own between its operations; without a record a process also
 * remembers what it could not close. Without one, what was asked and is somebody else's is forgotten
 * when the process ends. */
static void check_channels(struct game *game)
{
    const struct channel *own[PROGRAMS * (OWNERS_MAX + 1)];
    size_t count = 0;

    /* where the modem owes an answer, nothing can be closed, nor written down without a run-dir */
    for (unsigned i = 0; i < HOSTILE_CHANNELS && !game->record && game->modem.card.disturbed; i++)
        game->modem.card.channels[i].owed = false;
    for (unsigned i = 0; i < HOSTILE_CHANNELS && !game->record; i++)
        if (game->modem.card.channels[i].claimed)
            game->modem.card.channels[i].owed = false;
    for (unsigned i = 0; i < HOSTILE_CHANNELS; i++)
        if (game->modem.card.channels[i].used)
            game->modem.card.channels[i].owed = false;
    for (unsigned i = 0; i < PROGRAMS; i++) {
        const struct sim *sim = game->sims[i];

        if (sim != NULL && sim->mine.channel.open)
            own[count++] = &sim->mine.channel;
        for (size_t j = 0; sim != NULL && j < sim->unsaved.count; j++)
            own[count++] = &sim->unsaved.list[j].channel;
    }
    neighbour_check(&game->modem, &game->settings, own, count);
}

static void take_turn(struct game *game, unsigned which, unsigned turn)
{
    unsigned program = TURN_PROGRAM(turn);
    struct sim *sim = sim_of(game, program);
    /* what looks for two places, or proves a signature, is two operations */
    int64_t most = (which % 16 == 3 || which % 16 == 7 || which % 16 == 8 ? 2 : 1) *
                   (int64_t)TIMEOUT_S * 1000,
            started;
    struct report why = REPORT_INIT;
    enum outcome outcome;

    if (TURN_RECORD(turn) >= NEIGHBOUR_FORGE)
        neighbour_change((enum neighbour_change)TURN_RECORD(turn), &game->modem, &game->settings);
    else if (TURN_RECORD(turn) == 1)
        neighbour_keep();
    if (turn & TURN_FORGET)
        sim_forget(sim);
    if (turn & TURN_LATER) {
        line_wait(PAUSE_MS);
        game->modem.card.echo = true;
    }
    line_plug();
    hostile_operation(&game->modem.card,
                      program < SOURCES ? (enum hostile_source)program : SOURCE_LITERAL,
                      TRIES_SOFTWARE);
    started = line_now();
    outcome = operate(sim, &game->modem.card, which, &why);
    check_report(outcome, &why);
    REQUIRE(line_now() - started <= most + SLACK_MS);
    check_channels(game);
    if (turn & TURN_CLOSE)
        end_program(game, program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {data, size};
    uint8_t head = input_byte(&input), which[OPERATIONS], turn[OPERATIONS];
    unsigned count = 1 + (head & HEAD_MORE ? 1u : 0u) + (head & HEAD_TWO_MORE ? 2u : 0u);
    struct game game = {.record = (head & HEAD_RECORD) != 0,
                        .modem = {.only_ccho = (head & HEAD_CCHO) != 0,
                                  .tells_iccid = (head & HEAD_NO_ICCID) == 0,
                                  .from_input = (head & HEAD_OPEN) != 0,
                                  .echo_stays = (head & HEAD_ECHO) != 0,
                                  .keeps_state = (head & HEAD_STATE) != 0}};

    for (unsigned i = 0; i < count; i++) {
        which[i] = input_byte(&input);
        turn[i] = game.record ? input_byte(&input) : 0;
    }
    hostile_start(&game.modem.card, input, TRIES_SOFTWARE);
    game.modem.card.echo = true;
    game.modem.card.remembers = game.record && game.modem.tells_iccid;
    line_start(modem_heard, &game.modem);
    neighbour_keep_state(game.record && game.modem.keeps_state);
    make_settings(&game.settings, SOURCE_LITERAL, game.record);
    for (unsigned i = 0; i < count; i++)
        take_turn(&game, which[i], turn[i]);
    for (unsigned i = 0; i < PROGRAMS; i++)
        end_program(&game, i);
    check_channels(&game);
    settings_clear(&game.settings);
    if (game.record)
        neighbour_empty();
    return 0;
}
