/* SPDX-License-Identifier: Apache-2.0 */
/* The model's IoT SAFE applet (IoT.05): signatures in sessions, one of which a killed program may have
 * left open, and no PIN. A session is of a number and of the channel where it was begun; some cards have
 * one in all. */
#include "test/unit/model.h"

#include <string.h>

#define INS_INIT     0x2A
#define INS_GET_DATA 0xCB
#define INS_UPDATE   0x2B

#define P1_OPEN  0x00
#define P1_CLOSE 0x01
#define P1_LAST  0x80

#define SW_OK       0x9000
#define SW_NOT_NOW  0x6985
#define SW_NO_KEY   0x6A82
#define SW_BAD_DATA 0x6A80
#define SW_BAD_P    0x6A86
#define SW_BAD_INS  0x6D00

#define HEAD      5 /* CLA INS P1 P2 Lc */
#define INIT_DATA 13
#define OTHERS    2 /* the session of another client */

void card_end_sessions(struct model *model, unsigned channel)
{
    for (size_t i = 0; i < MODEL_SESSIONS; i++)
        if (channel == 0 || model->sessions[i].channel == channel)
            memset(&model->sessions[i], 0, sizeof model->sessions[i]);
}

unsigned card_sessions(const struct model *model, unsigned channel)
{
    unsigned count = 0;

    for (size_t i = 0; i < MODEL_SESSIONS; i++)
        count += model->sessions[i].channel == channel && model->sessions[i].number != OTHERS;
    return count;
}

/* The session of that number, on this channel or (any) on whichever. */
static struct model_session *find_session(struct model *model, unsigned channel, uint8_t number,
                                          bool any)
{
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        struct model_session *session = &model->sessions[i];

        if (session->channel > 0 && session->number == number &&
            (any || session->channel == channel))
            return session;
    }
    return NULL;
}

/* Where one that is begun goes, NULL if the card has none left. One of the same number begins anew,
 * unless it is the only one. */
static struct model_session *free_session(struct model *model, unsigned channel, uint8_t number)
{
    struct model_session *session = find_session(model, channel, number, false);
    size_t most = model->one_session ? 1 : MODEL_SESSIONS;

    if (session != NULL && !model->one_session)
        return session;
    for (size_t i = 0; i < most; i++)
        if (model->sessions[i].channel == 0)
            return &model->sessions[i];
    return NULL;
}

static unsigned begin(struct model *model, unsigned channel, const uint8_t *command, size_t length)
{
    static const uint8_t what[] = {0xA1, 1, 3, 0x91, 2, 0, 1, 0x92, 1, 4}; /* ECDSA of a SHA-256 */
    const uint8_t *data = command + HEAD;
    struct model_session *session;

    if (length < HEAD + INIT_DATA || data[0] != 0x84 || data[1] != 1 ||
        memcmp(data + 3, what, sizeof what) != 0)
        return SW_BAD_DATA;
    if (data[2] != IOTSAFE_FIRST_KEY && data[2] != IOTSAFE_SECOND_KEY)
        return SW_NO_KEY;
    session = free_session(model, channel, command[3]);
    if (session == NULL)
        return SW_NOT_NOW;
    *session = (struct model_session){channel, command[3], data[2], false};
    return SW_OK;
}

static unsigned end(struct model *model, unsigned channel, uint8_t number)
{
    struct model_session *session = find_session(model, channel, number, false);

    if (session == NULL)
        session = find_session(model, channel, number, true);
    if (session == NULL)
        return SW_NOT_NOW;
    memset(session, 0, sizeof *session);
    return SW_OK;
}

/* 33 40, r and s. */
static unsigned sign(struct model *model, unsigned channel, const uint8_t *command, size_t length,
                     uint8_t *answer, size_t *answered)
{
    struct model_session *session = find_session(model, channel, command[3], false);
    const uint8_t *data = command + HEAD;

    if (session == NULL || session->done)
        return SW_NOT_NOW;
    if (command[2] != P1_LAST || length < HEAD + 2 + MODEL_DIGEST || data[0] != 0x9E ||
        data[1] != MODEL_DIGEST) {
        memset(session, 0, sizeof *session);
        return SW_BAD_DATA;
    }
    answer[0] = 0x33;
    answer[1] = MODEL_SIGNATURE;
    card_signature(model->sim, session->key, data + 2, answer + 2);
    *answered = 2 + MODEL_SIGNATURE;
    session->done = true;
    model->step.signed_on = channel;
    return SW_OK;
}

unsigned card_iotsafe(struct model *model, unsigned channel, const uint8_t *command, size_t length,
                      uint8_t *answer, size_t *answered)
{
    static const uint8_t version[] = {0x10, 0x01, 0x10};

    switch (command[1]) {
    case INS_INIT:
        return command[2] == P1_OPEN    ? begin(model, channel, command, length)
               : command[2] == P1_CLOSE ? end(model, channel, command[3])
                                        : SW_BAD_P;
    case INS_UPDATE:
        return sign(model, channel, command, length, answer, answered);
    case INS_GET_DATA: /* of the application: its version, by which it is known */
        memcpy(answer, version, sizeof version);
        *answered = sizeof version;
        return SW_OK;
    default:
        return SW_BAD_INS;
    }
}

void card_foreign_session(struct model *model, unsigned channel)
{
    struct model_session *session = free_session(model, channel, OTHERS);

    if (session != NULL)
        *session = (struct model_session){channel, OTHERS, IOTSAFE_SECOND_KEY, false};
}
