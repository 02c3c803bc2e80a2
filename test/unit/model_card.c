/* SPDX-License-Identifier: Apache-2.0 */
/* The model's card: it does what the standards say, and knows what no program may ask of it. */
#include "test/unit/model.h"

#include <string.h>

#define INS_VERIFY       0x20
#define INS_MSE          0x22
#define INS_PSO          0x2A
#define INS_MANAGE       0x70
#define INS_CHALLENGE    0x84
#define INS_SELECT       0xA4
#define INS_READ         0xB0
#define INS_GET_RESPONSE 0xC0
#define INS_STATE        0xCC
#define INS_STATUS       0xF2

#define NO_CHANNEL   0x6881
#define PIN_APPLET   0x81
#define P1_NAME      0x04
#define P1_PATH      0x08
#define HEAD         5 /* CLA INS P1 P2 Lc */
#define SERIAL_BYTES 10

static const struct {
    enum model_applet applet;
    uint8_t length;
    uint8_t aid[13];
} applets[] = {
    {APPLET_MIAS, 13, {0xA0, 0, 0, 0, 0x18, 0x80, 0, 0, 0, 0x06, 0x62, 0x41, 0x51}},
    {APPLET_SAFE2, 10, {0xF0, 0x70, 0x6F, 0x64, 0x67, 0x73, 0x61, 0x66, 0x65, 0x32, 1, 1}},
    {APPLET_NETWORK, 7, {0xA0, 0, 0, 0, 0x87, 0x10, 0x01}},
    {APPLET_IOTSAFE, 7, {0xA0, 0, 0, 0x05, 0x59, 0x00, 0x10}},
};

struct answer {
    uint8_t *bytes;
    size_t length;
};

static void put_byte(struct answer *answer, unsigned byte)
{
    answer->bytes[answer->length++] = (uint8_t)byte;
}

static void put_word(struct answer *answer, unsigned sw)
{
    put_byte(answer, sw >> 8);
    put_byte(answer, sw & 0xFF);
}

/* ---- channels ---- */

void card_reset(struct model *model)
{
    memset(model->channels, 0, sizeof model->channels);
    card_end_sessions(model, 0);
    model->waiting_length = 0;
}

unsigned card_open(struct model *model, int opener)
{
    for (unsigned number = 1; number <= model->last; number++) {
        struct model_channel *channel = &model->channels[number];

        if (channel->open)
            continue;
        memset(channel, 0, sizeof *channel);
        channel->open = true;
        channel->opener = opener;
        channel->opened = model->steps;
        channel->own = opener >= 0 && model->step.act == ACT_SAFE2;
        return number;
    }
    return 0;
}

void card_close(struct model *model, unsigned number)
{
    memset(&model->channels[number], 0, sizeof model->channels[number]);
    card_end_sessions(model, number);
}

static void select_applet(struct model *model, struct model_channel *channel,
                          enum model_applet applet)
{
    card_end_sessions(model, (unsigned)(channel - model->channels));
    channel->applet = applet;
    channel->verified = channel->file = channel->hashed = channel->asked = false;
    channel->algorithm = channel->key = 0;
    channel->fresh = applet == APPLET_MIAS;
}

void card_steal(struct model *model, unsigned number)
{
    struct model_channel *channel = &model->channels[number];

    channel->opener = TAKEN_BY_OTHERS;
    switch (model_random(model, 4)) {
    case 0:
    case 1:
        select_applet(model, channel, APPLET_NETWORK);
        return;
    case 2:
        select_applet(model, channel, APPLET_IOTSAFE);
        card_foreign_session(model, number);
        return;
    default:
        break;
    }
    select_applet(model, channel, APPLET_MIAS);
    channel->fresh = false;
    channel->algorithm = 0x44;
    channel->key = 0x77;
}

void card_swap(struct model *model)
{
    card_reset(model);
    model->sim = (model->sim + 1) % MODEL_SIMS;
    model->swapped = model->iotsafe_swapped = true;
}

/* Another program's channel is never closed, not even where no other is free. */
static void check_closing(struct model *model, unsigned number)
{
    if (model->channels[number].opener == OPENED_BY_OTHERS)
        model_fail(model, "channel %u was closed, which another program opened", number);
}

bool card_close_session(struct model *model, unsigned number)
{
    if (number == 0 || number >= MODEL_CHANNELS || !model->channels[number].open)
        return false;
    check_closing(model, number);
    card_close(model, number);
    return true;
}

static void manage(struct model *model, uint8_t p1, unsigned number, struct answer *answer)
{
    if (p1 == 0) {
        number = card_open(model, model->step.program);
        if (number > 0)
            put_byte(answer, number);
        put_word(answer, number > 0 ? 0x9000 : 0x6A81);
        return;
    }
    put_word(answer, card_close_session(model, number) ? 0x9000 : NO_CHANNEL);
}

/* ---- PIN ---- */

enum model_source card_source(int program)
{
    static const enum model_source sources[PROGRAMS] = {
        [PROGRAM_SERVICE] = SOURCE_SHARED_FILE, [PROGRAM_SECOND] = SOURCE_SHARED_FILE,
        [PROGRAM_LITERAL] = SOURCE_LITERAL,     [PROGRAM_NO_PIN] = SOURCE_NONE,
        [PROGRAM_OTHER] = SOURCE_OTHER_FILE,    [PROGRAM_ALONE] = SOURCE_SHARED_FILE,
    };

    return sources[program];
}

/* The rules for a VERIFY, whoever sends it. */
static void check_verify(struct model *model, const struct model_channel *channel)
{
    const struct model_step *step = &model->step;
    const struct model_sim *sim = &model->sims[model->sim];
    bool person = step->act == ACT_PERSON;

    if (model->echo)
        model_fail(model, "a PIN was sent while the line echoes");
    if (channel->applet != APPLET_MIAS || !channel->fresh)
        model_fail(model, "VERIFY not right behind SELECT");
    if (!channel->asked)
        model_fail(model, "VERIFY without the question for the state before it");
    if (person ? step->verified : sim->tries < MODEL_TRIES)
        model_fail(model,
                   person ? "a person's PIN was tried twice"
                          : "a program tried its PIN while %d tries are left",
                   sim->tries);
    if (person)
        return;
    if (card_source(step->program) == SOURCE_NONE)
        model_fail(model, "a PIN of a program that has none");
    if (sim->refused[card_source(step->program)])
        model_fail(model, "a PIN was tried again on the SIM that had refused its source");
    if (step->act == ACT_SIGN && step->iccid && step->sim != model->sim)
        model_fail(model, "a PIN was tried on another SIM than the key's reference names");
}

static unsigned verify(struct model *model, struct model_channel *channel, const uint8_t *command,
                       size_t length)
{
    struct model_sim *sim = &model->sims[model->sim];
    struct model_step *step = &model->step;
    bool right;

    check_verify(model, channel);
    step->verified = true;
    channel->fresh = channel->asked = false;
    if (sim->tries == 0)
        return 0x6983;
    right =
        length - HEAD == strlen(sim->pin) && memcmp(command + HEAD, sim->pin, length - HEAD) == 0;
    sim->tries = right ? MODEL_TRIES : sim->tries - 1;
    channel->verified = right;
    if (!right && step->act != ACT_PERSON)
        sim->refused[card_source(step->program)] = true;
    step->forgiven = right && step->act == ACT_PERSON;
    step->forgiven_by = model->sim;
    return right ? 0x9000 : 0x63C0 | (unsigned)sim->tries;
}

void card_unheard(struct model *model, int sim)
{
    if (model->step.act != ACT_PERSON)
        model->sims[sim].refused[card_source(model->step.program)] = true;
}

/* 20 00 81: with a PIN, or the question for the state. */
static unsigned pin(struct model *model, struct model_channel *channel, const uint8_t *command,
                    size_t length)
{
    const struct model_sim *sim = &model->sims[model->sim];

    if (length > HEAD && (channel->applet == APPLET_IOTSAFE || model->step.act == ACT_IOTSAFE))
        model_fail(model, "a PIN was sent to an applet, or for a key, that has none");
    if (channel->applet == APPLET_NETWORK && length > HEAD)
        model_fail(model, "the applet's PIN was sent to another application");
    if (channel->applet == APPLET_NETWORK)
        return 0x63C3; /* its PIN2 */
    if (channel->applet != APPLET_MIAS || command[3] != PIN_APPLET)
        return 0x6A88;
    if (length > HEAD)
        return verify(model, channel, command, length);
    channel->asked = true;
    if (channel->verified)
        return 0x9000;
    return sim->tries > 0 ? 0x63C0 | (unsigned)sim->tries : 0x6983;
}

/* ---- the applets' commands ---- */

/* A channel that programs share is one family's. */
static void check_families(struct model *model, const struct model_channel *channel,
                           enum model_applet applet)
{
    if (channel->opener >= 0 && ((channel->applet == APPLET_MIAS && applet == APPLET_IOTSAFE) ||
                                 (channel->applet == APPLET_IOTSAFE && applet == APPLET_MIAS)))
        model_fail(model, "one family's applet was selected on the other one's channel");
}

static void select_by_name(struct model *model, struct model_channel *channel,
                           const uint8_t *command, size_t length, struct answer *answer)
{
    size_t name = command[4];

    for (size_t i = 0; i < sizeof applets / sizeof applets[0] && length >= HEAD + name; i++) {
        if (name < applets[i].length ||
            memcmp(command + HEAD, applets[i].aid, applets[i].length) != 0)
            continue;
        check_families(model, channel, applets[i].applet);
        select_applet(model, channel, applets[i].applet);
        /* it got the number of one of ours, and nothing told of that: whose it is nobody can say now */
        if (channel->opener == OPENED_BY_OTHERS)
            channel->opener = TAKEN_BY_OTHERS;
        if (command[3] == 0) { /* FCI (ISO 7816-4, 7.4.3) */
            put_byte(answer, 0x6F);
            put_byte(answer, (unsigned)name + 2);
            put_byte(answer, 0x84);
            put_byte(answer, (unsigned)name);
            memcpy(answer->bytes + answer->length, command + HEAD, name);
            answer->length += name;
        }
        put_word(answer, 0x9000);
        return;
    }
    (void)model;
    put_word(answer, 0x6A82);
}

/* EF.ICCID by its path: 62 04 80 02 000A. */
static void select_file(struct model_channel *channel, struct answer *answer)
{
    static const uint8_t control[] = {0x62, 0x04, 0x80, 0x02, 0x00, SERIAL_BYTES, 0x90, 0x00};

    channel->file = true;
    memcpy(answer->bytes, control, sizeof control);
    answer->length = sizeof control;
}

/* ITU-T E.118, two digits a byte, the first one in the low half. */
static void read_serial(const struct model *model, const struct model_channel *channel,
                        struct answer *answer)
{
    const char *digits = model->sims[model->sim].iccid;

    if (!channel->file) {
        put_word(answer, 0x6986);
        return;
    }
    for (size_t i = 0; i < SERIAL_BYTES; i++)
        put_byte(answer,
                 (unsigned)(digits[2 * i + 1] - '0') << 4 | (unsigned)(digits[2 * i] - '0'));
    put_word(answer, 0x9000);
}

void card_signature(int sim, uint8_t key, const uint8_t *digest, uint8_t signature[MODEL_SIGNATURE])
{
    for (size_t i = 0; i < MODEL_SIGNATURE; i++)
        signature[i] = (uint8_t)(digest[i % MODEL_DIGEST] ^ (key * 31 + (unsigned)sim * 7 + i));
}

/* What a PIN opened serves those whose own PIN is right. */
static void check_signer(struct model *model)
{
    int program = model->step.program;

    if (card_source(program) == SOURCE_NONE)
        model_fail(model, "a program without a PIN signs on a verified channel");
    if (card_source(program) == SOURCE_OTHER_FILE &&
        strcmp(model->other_pin, model->sims[model->sim].pin) != 0)
        model_fail(model, "a program whose PIN is wrong signs on a verified channel");
}

static void sign(struct model *model, struct model_channel *channel, struct answer *answer)
{
    if (!channel->verified) {
        put_word(answer, 0x6982);
        return;
    }
    if (channel->key == 0 || !channel->hashed) {
        put_word(answer, 0x6985);
        return;
    }
    check_signer(model);
    card_signature(model->sim, channel->key, channel->hash, answer->bytes);
    answer->length = MODEL_SIGNATURE;
    channel->hashed = false;
    put_word(answer, 0x9000);
}

static void security(struct model *model, struct model_channel *channel, const uint8_t *command,
                     size_t length, struct answer *answer)
{
    if (channel->applet != APPLET_MIAS) {
        put_word(answer, 0x6D00);
    } else if (command[1] == INS_MSE && length >= HEAD + 6) {
        channel->algorithm = command[HEAD + 2];
        channel->key = command[HEAD + 5];
        channel->hashed = false;
        put_word(answer, 0x9000);
    } else if (command[1] == INS_PSO && command[2] == 0x90 && length >= HEAD + 2 + MODEL_DIGEST) {
        memcpy(channel->hash, command + HEAD + 2, MODEL_DIGEST);
        channel->hashed = true;
        put_word(answer, 0x9000);
    } else if (command[1] == INS_PSO && command[2] == 0x9E) {
        sign(model, channel, answer);
    } else {
        put_word(answer, 0x6700);
    }
}

static void challenge(const struct model_channel *channel, uint8_t le, struct answer *answer)
{
    if (channel->applet != APPLET_MIAS) {
        put_word(answer, 0x6D00);
        return;
    }
    for (unsigned i = 0; i < le; i++)
        put_byte(answer, i);
    put_word(answer, 0x9000);
}

/* Of the vendor's SAFE2 applet: no job was asked for. */
static void safe2_state(const struct model_channel *channel, struct answer *answer)
{
    if (channel->applet != APPLET_SAFE2) {
        put_word(answer, 0x6D00);
        return;
    }
    memset(answer->bytes, 0, 4);
    answer->length = 4;
    put_word(answer, 0x9000);
}

/* STATUS (ETSI TS 102 221, 11.1.2): where nothing is selected the card's MF answers, which has no name. */
static void put_status(const struct model_channel *channel, unsigned p2, struct answer *answer)
{
    const bool known = channel->applet == APPLET_NETWORK || channel->applet == APPLET_NONE;

    for (size_t i = 0; i < sizeof applets / sizeof applets[0]; i++) {
        if (channel->applet != APPLET_NETWORK || applets[i].applet != APPLET_NETWORK || p2 != 1)
            continue;
        put_byte(answer, 0x84);
        put_byte(answer, applets[i].length);
        memcpy(answer->bytes + answer->length, applets[i].aid, applets[i].length);
        answer->length += applets[i].length;
    }
    put_word(answer, known ? 0x9000 : 0x6D00);
}

static void on_channel(struct model *model, struct model_channel *channel, const uint8_t *command,
                       size_t length, struct answer *answer)
{
    bool question = command[1] == INS_VERIFY;

    if (!question && command[1] != INS_STATUS) /* which changes nothing */
        channel->fresh = channel->asked = false;
    if (channel->applet == APPLET_IOTSAFE && !question && command[1] != INS_SELECT &&
        command[1] != INS_READ) {
        put_word(answer, card_iotsafe(model, (unsigned)(channel - model->channels), command, length,
                                      answer->bytes, &answer->length));
        return;
    }
    switch (command[1]) {
    case INS_SELECT:
        if (command[2] == P1_NAME)
            select_by_name(model, channel, command, length, answer);
        else
            select_file(channel, answer);
        return;
    case INS_READ:
        read_serial(model, channel, answer);
        return;
    case INS_VERIFY:
        put_word(answer, pin(model, channel, command, length));
        return;
    case INS_MSE:
    case INS_PSO:
        security(model, channel, command, length, answer);
        return;
    case INS_CHALLENGE:
        challenge(channel, command[4], answer);
        return;
    case INS_STATE:
        safe2_state(channel, answer);
        return;
    case INS_STATUS:
        put_status(channel, command[3], answer);
        return;
    default:
        put_word(answer, 0x6D00);
        return;
    }
}

/* T=0: what is to be fetched waits for GET RESPONSE. */
static void keep_waiting(struct model *model, unsigned channel, struct answer *answer)
{
    if (!model->t0 || channel == 0 || answer->length <= 2)
        return;
    model->waiting_length = answer->length;
    model->waiting_on = channel;
    memcpy(model->waiting, answer->bytes, answer->length);
    answer->length = 0;
    put_word(answer, 0x6100 | (unsigned)((model->waiting_length - 2) & 0xFF));
}

size_t card_answer(struct model *model, unsigned channel, const uint8_t *command, size_t length,
                   uint8_t *bytes)
{
    struct answer answer = {bytes, 0};

    if (channel == 0 && command[1] != INS_MANAGE)
        model_fail(model, "a command for the basic channel, which is the modem's");
    if (channel >= MODEL_CHANNELS || (channel > 0 && !model->channels[channel].open)) {
        put_word(&answer, NO_CHANNEL);
    } else if (command[1] == INS_MANAGE) {
        manage(model, command[2], channel > 0 ? channel : command[3], &answer);
    } else if (command[1] == INS_GET_RESPONSE && model->waiting_length > 0 &&
               model->waiting_on == channel) {
        memcpy(bytes, model->waiting, model->waiting_length);
        answer.length = model->waiting_length;
        model->waiting_length = 0;
    } else {
        model->waiting_length = 0;
        on_channel(model, &model->channels[channel], command, length, &answer);
        keep_waiting(model, channel, &answer);
    }
    return answer.length;
}
