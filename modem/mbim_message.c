/* SPDX-License-Identifier: Apache-2.0 */
/* MBIM's buffers, see mbim_message.h. Offsets count from the buffer's beginning; in the UICC commands the
 * size stands before the offset, everywhere else behind it. */
#include "modem/mbim_message.h"

#include "modem/channel.h"
#include "modem/text.h"

#include <stdio.h>
#include <string.h>

#define AID_MAX   32
#define PATH_MOST 400 /* characters of a node's path that have room in a frame */

static const struct {
    uint32_t status;
    const char *name;
} names[] = {
    {MBIM_STATUS_BUSY, "busy"},
    {MBIM_STATUS_FAILURE, "failure"},
    {MBIM_STATUS_NO_SIM, "SIM not inserted"},
    {MBIM_STATUS_BAD_SIM, "bad SIM"},
    {MBIM_STATUS_PIN_REQUIRED, "PIN required"},
    {MBIM_STATUS_NO_SUPPORT, "no device support"},
    {MBIM_STATUS_NOT_INITIALISED, "not initialised"},
    {MBIM_STATUS_INVALID_PARAMETERS, "invalid parameters"},
    {MBIM_STATUS_NOT_ALLOWED, "operation not allowed"},
    {MBIM_STATUS_NO_CHANNELS, "no logical channels"},
    {MBIM_STATUS_SELECT_FAILED, "select failed"},
    {MBIM_STATUS_INVALID_CHANNEL, "invalid logical channel"},
};

const char *mbim_status_name(uint32_t status)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].status == status)
            return names[i].name;
    return "unknown";
}

/* ---- commands ---- */

void mbim_open(struct mbim_frame *frame, uint32_t longest)
{
    const struct mbim_message head = {.type = MBIM_OPEN, .word = longest};

    mbim_begin(frame, &head);
}

void mbim_close(struct mbim_frame *frame)
{
    const struct mbim_message head = {.type = MBIM_CLOSE};

    mbim_begin(frame, &head);
}

static void command(struct mbim_frame *frame, enum mbim_service service, uint32_t number, bool sets)
{
    const struct mbim_message head = {
        .type = MBIM_COMMAND, .word = sets, .service = service, .command = number};

    mbim_begin(frame, &head);
}

void mbim_query(struct mbim_frame *frame, enum mbim_service service, uint32_t number)
{
    command(frame, service, number, false);
}

/* u32 offset, u32 size, u32 seconds, the path as UTF-16. */
void mbim_configure(struct mbim_frame *frame, const char *node, unsigned seconds)
{
    uint8_t path[2 * PATH_MOST] = {0};
    size_t length = strlen(node);

    command(frame, MBIM_PROXY, MBIM_PROXY_CONFIGURATION, true);
    if (length > PATH_MOST) {
        frame->full = true;
        return;
    }
    for (size_t i = 0; i < length; i++)
        path[2 * i] = (uint8_t)node[i];
    mbim_put(frame, 12);
    mbim_put(frame, (uint32_t)(2 * length));
    mbim_put(frame, seconds);
    mbim_put_bytes(frame, path, 2 * length);
}

/* u32 size of the AID, u32 offset, u32 P2 of SELECT, u32 group, the AID. */
void mbim_open_channel(struct mbim_frame *frame, const uint8_t *aid, size_t aid_length, uint8_t p2)
{
    command(frame, MBIM_UICC, MBIM_OPEN_CHANNEL, true);
    if (aid_length > AID_MAX) {
        frame->full = true;
        return;
    }
    mbim_put(frame, (uint32_t)aid_length);
    mbim_put(frame, 16);
    mbim_put(frame, p2);
    mbim_put(frame, MBIM_GROUP);
    mbim_put_bytes(frame, aid, aid_length);
}

/* u32 channel, u32 secure messaging (none), u32 type of the class byte, u32 size, u32 offset, the APDU. */
void mbim_send_apdu(struct mbim_frame *frame, uint8_t channel, bool extended, const uint8_t *apdu,
                    size_t length)
{
    command(frame, MBIM_UICC, MBIM_APDU, true);
    mbim_put(frame, channel);
    mbim_put(frame, 0);
    mbim_put(frame, extended);
    mbim_put(frame, (uint32_t)length);
    mbim_put(frame, 20);
    mbim_put_bytes(frame, apdu, length);
}

void mbim_close_channel(struct mbim_frame *frame, uint8_t channel)
{
    command(frame, MBIM_UICC, MBIM_CLOSE_CHANNEL, true);
    mbim_put(frame, channel);
    mbim_put(frame, MBIM_GROUP);
}

/* ---- answers ---- */

uint16_t mbim_card_word(const struct mbim_message *answer)
{
    uint32_t status = mbim_get(answer, 0);

    return (uint16_t)((status & 0xFF) << 8 | (status >> 8 & 0xFF));
}

bool mbim_opened(const struct mbim_message *answer, uint8_t *channel)
{
    uint32_t number = mbim_get(answer, 4);

    if (number == 0 || number > CHANNEL_MAX)
        return false;
    *channel = (uint8_t)number;
    return true;
}

const uint8_t *mbim_apdu_data(const struct mbim_message *answer, size_t *length)
{
    static const uint8_t none[1];
    uint32_t size = mbim_get(answer, 4);

    *length = size;
    if (answer->length < 12)
        return NULL;
    return size == 0 ? none : mbim_bytes(answer, mbim_get(answer, 8), size);
}

/* UTF-16 whose place and size stand at an offset, as harmless text. What is not ASCII becomes '?'. */
static void take_text(const struct mbim_message *answer, size_t at, char *to, size_t size)
{
    uint32_t length = mbim_get(answer, at + 4);
    const uint8_t *from = mbim_bytes(answer, mbim_get(answer, at), length);
    char text[128];
    size_t used = 0;

    for (uint32_t i = 0; from != NULL && i + 1 < length && used < sizeof text - 1; i += 2) {
        if (from[i] == 0 && from[i + 1] == 0)
            break;
        text[used++] = from[i + 1] == 0 && from[i] >= ' ' && from[i] <= '~' ? (char)from[i] : '?';
    }
    text[used] = '\0';
    (void)text_copy(to, size, text);
}

/* 8 u32, then the texts: own data class, id, firmware, hardware. */
void mbim_names(const struct mbim_message *answer, struct modem_identity *identity)
{
    take_text(answer, 40, identity->imei, sizeof identity->imei);
    take_text(answer, 48, identity->revision, sizeof identity->revision);
    take_text(answer, 56, identity->model, sizeof identity->model);
}

/* u32 state, since MBIMEx 3 u32 flags, then the places of the subscriber's number and of the ICCID, u32
 * ready information, u32 number of telephone numbers, their places. The texts begin behind all that, which
 * tells the two layouts apart. */
bool mbim_iccid(const struct mbim_message *answer, char iccid[ICCID_SIZE])
{
    const uint32_t first = 32 + 8 * (mbim_get(answer, 28) & 0xFF);
    const bool flags =
        answer->length >= 32 && (mbim_get(answer, 8) == first || mbim_get(answer, 16) == first);
    char text[40];

    for (int tries = 0; tries < 2; tries++) {
        take_text(answer, flags == (tries == 0) ? 16 : 12, text, sizeof text);
        if (iccid_from_text(text, strlen(text), iccid))
            return true;
    }
    return false;
}

const char *mbim_sim_state(const struct mbim_message *answer)
{
    static const char *const states[] = {
        "", "READY", "NOT INSERTED", "SIM FAILURE", "SIM FAILURE", "", "SIM PIN", "SIM FAILURE"};
    uint32_t state = mbim_get(answer, 0);

    return state < sizeof states / sizeof states[0] ? states[state] : "";
}

/* u32 error of the network, u32 state: 1 deregistered, 2 searching, 3 home, 4 roaming, 5 partner,
 * 6 denied. */
enum registration mbim_registered(const struct mbim_message *answer)
{
    uint32_t state = mbim_get(answer, 4);

    if (state == 0 || state > 6)
        return REGISTRATION_UNKNOWN;
    return state >= 3 && state <= 5 ? REGISTRATION_DONE : REGISTRATION_NONE;
}

/* u32 number of executors, for each u32 offset and u32 size; there u32 slot, from 0. */
unsigned mbim_active_slot(const struct mbim_message *answer)
{
    const uint8_t *slot;

    if (mbim_get(answer, 0) == 0)
        return 0;
    slot = mbim_bytes(answer, mbim_get(answer, 4), 4);
    return slot == NULL || mbim_u32(slot) > 100 ? 0 : mbim_u32(slot) + 1;
}
