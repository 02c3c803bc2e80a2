/* SPDX-License-Identifier: Apache-2.0 */
/* QMI messages as TLVs, see qmi_message.h. Each answer is read with its own length in mind: what a
 * modem says is as little trusted as what a SIM says. */
#include "modem/qmi_message.h"

#include "modem/channel.h"
#include "modem/text.h"

#include <stdio.h>
#include <string.h>

#define TLV_RESULT 0x02

static const struct {
    unsigned error;
    const char *name;
} names[] = {
    {QMI_MALFORMED, "malformed message"},
    {QMI_INTERNAL, "internal"},
    {QMI_NO_CLIENT_LEFT, "client ids exhausted"},
    {QMI_INVALID_CLIENT, "invalid client id"},
    {QMI_INVALID_HANDLE, "invalid handle"},
    {QMI_MISSING_ARGUMENT, "missing argument"},
    {QMI_TOO_LONG, "argument too long"},
    {QMI_IN_USE, "device in use"},
    {QMI_UNSUPPORTED, "device unsupported"},
    {QMI_NO_EFFECT, "no effect"},
    {QMI_UNINITIALISED, "SIM uninitialised"},
    {QMI_INVALID_ARGUMENT, "invalid argument"},
    {QMI_NO_ENTRY, "no entry"},
    {QMI_NOT_READY, "device not ready"},
    {QMI_NO_RESOURCES, "insufficient resources"},
    {QMI_INVALID_COMMAND, "invalid QMI command"},
    {QMI_ACCESS_DENIED, "access denied"},
    {QMI_INCOMPATIBLE_STATE, "incompatible state"},
    {QMI_NOT_SUPPORTED, "not supported"},
    {QMI_NO_SIM, "no SIM"},
    {QMI_NO_RESULT, "no result in the answer"},
    {12, "incorrect PIN"},
    {80, "SIM file not found"},
    {81, "extended internal"},
};

const char *qmi_error_name(unsigned error)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].error == error)
            return names[i].name;
    return "unknown";
}

unsigned qmi_result(const struct qmi_message *answer)
{
    size_t length;
    const uint8_t *result = qmi_find(answer, TLV_RESULT, 4, &length);

    if (result == NULL)
        return QMI_NO_RESULT;
    if (qmi_u16(result) == 0)
        return QMI_OK;
    return qmi_u16(result + 2) != QMI_OK ? qmi_u16(result + 2) : QMI_NO_RESULT;
}

/* ---- requests ---- */

void qmi_request(struct qmi_frame *frame, uint8_t service, uint8_t client, uint16_t id)
{
    const struct qmi_message head = {
        .service = service, .client = client, .kind = QMI_REQUEST, .id = id};

    qmi_begin(frame, &head);
}

void qmi_proxy_open(struct qmi_frame *frame, const char *node)
{
    qmi_request(frame, QMI_CTL, 0, QMI_CTL_PROXY_OPEN);
    qmi_put(frame, 0x01, node, strlen(node));
}

void qmi_allocate(struct qmi_frame *frame, uint8_t service)
{
    qmi_request(frame, QMI_CTL, 0, QMI_CTL_ALLOCATE);
    qmi_put(frame, 0x01, &service, 1);
}

void qmi_release(struct qmi_frame *frame, uint8_t service, uint8_t client)
{
    const uint8_t value[] = {service, client};

    qmi_request(frame, QMI_CTL, 0, QMI_CTL_RELEASE);
    qmi_put(frame, 0x01, value, sizeof value);
}

void qmi_open_channel(struct qmi_frame *frame, uint8_t client, uint8_t slot, const uint8_t *aid,
                      size_t aid_length)
{
    uint8_t value[1 + 32];

    qmi_request(frame, QMI_UIM, client, QMI_UIM_OPEN_CHANNEL);
    qmi_put(frame, 0x01, &slot, 1);
    if (aid_length == 0)
        return;
    if (aid_length > sizeof value - 1) {
        frame->full = true;
        return;
    }
    value[0] = (uint8_t)aid_length;
    memcpy(value + 1, aid, aid_length);
    qmi_put(frame, 0x10, value, 1 + aid_length);
}

void qmi_send_apdu(struct qmi_frame *frame, uint8_t client, uint8_t slot, uint8_t channel,
                   const uint8_t *apdu, size_t length, bool procedure)
{
    uint8_t value[2 + APDU_COMMAND_SIZE];
    const uint8_t intermediate = 0; /* procedure bytes come to us */

    qmi_request(frame, QMI_UIM, client, QMI_UIM_SEND_APDU);
    if (length > sizeof value - 2) {
        frame->full = true;
        return;
    }
    value[0] = (uint8_t)length;
    value[1] = (uint8_t)(length >> 8);
    memcpy(value + 2, apdu, length);
    qmi_put(frame, 0x01, &slot, 1);
    qmi_put(frame, 0x02, value, 2 + length);
    qmi_put(frame, 0x10, &channel, 1);
    if (procedure)
        qmi_put(frame, 0x11, &intermediate, 1);
    explicit_bzero(value, sizeof value);
}

void qmi_close_channel(struct qmi_frame *frame, uint8_t client, uint8_t slot, uint8_t channel)
{
    qmi_request(frame, QMI_UIM, client, QMI_UIM_CLOSE_CHANNEL);
    qmi_put(frame, 0x01, &slot, 1);
    qmi_put(frame, 0x11, &channel, 1);
}

void qmi_read_iccid(struct qmi_frame *frame, uint8_t client, uint8_t session)
{
    static const uint8_t file[] = {0xE2, 0x2F, 2, 0x00, 0x3F}, all[] = {0, 0, 0, 0};
    const uint8_t where[] = {session, 0};

    qmi_request(frame, QMI_UIM, client, QMI_UIM_READ_TRANSPARENT);
    qmi_put(frame, 0x01, where, sizeof where);
    qmi_put(frame, 0x02, file, sizeof file);
    qmi_put(frame, 0x03, all, sizeof all);
}

/* ---- answers ---- */

bool qmi_allocated(const struct qmi_message *answer, uint8_t service, uint8_t *client)
{
    size_t length;
    const uint8_t *value = qmi_find(answer, 0x01, 2, &length);

    if (value == NULL || value[0] != service || value[1] == 0 || value[1] == QMI_EVERYBODY)
        return false;
    *client = value[1];
    return true;
}

uint16_t qmi_card_word(const struct qmi_message *answer, uint8_t type)
{
    size_t length;
    const uint8_t *word = qmi_find(answer, type, 2, &length);

    return word == NULL ? 0 : (uint16_t)(word[0] << 8 | word[1]);
}

bool qmi_opened(const struct qmi_message *answer, uint8_t *channel)
{
    size_t length;
    const uint8_t *value = qmi_find(answer, 0x10, 1, &length);

    if (value == NULL || value[0] == 0 || value[0] > CHANNEL_MAX)
        return false;
    *channel = value[0];
    return true;
}

const uint8_t *qmi_apdu_answer(const struct qmi_message *answer, size_t *length)
{
    size_t size;
    const uint8_t *value = qmi_find(answer, 0x10, 2 + 2, &size);

    if (value == NULL || (size_t)qmi_u16(value) > size - 2 || qmi_u16(value) < 2)
        return NULL;
    *length = qmi_u16(value);
    return value + 2;
}

bool qmi_is_long(const struct qmi_message *answer, struct qmi_long *all)
{
    size_t length;
    const uint8_t *value = qmi_find(answer, 0x11, 6, &length);

    if (value == NULL)
        return false;
    *all = (struct qmi_long){.total = qmi_u16(value), .token = qmi_u32(value + 2)};
    return true;
}

bool qmi_long_part(const struct qmi_message *indication, struct qmi_part *part)
{
    size_t length;
    const uint8_t *value = qmi_find(indication, 0x01, 10, &length);

    if (indication->kind != QMI_INDICATION || indication->service != QMI_UIM ||
        indication->id != QMI_UIM_SEND_APDU || value == NULL)
        return false;
    *part = (struct qmi_part){.token = qmi_u32(value),
                              .total = qmi_u16(value + 4),
                              .offset = qmi_u16(value + 6),
                              .length = qmi_u16(value + 8),
                              .data = value + 10};
    return part->length <= length - 10;
}

void qmi_text(const struct qmi_message *answer, uint8_t type, char *to, size_t size)
{
    char text[128];
    size_t length;
    const uint8_t *value = qmi_find(answer, type, 1, &length);

    to[0] = '\0';
    if (value == NULL)
        return;
    (void)snprintf(text, sizeof text, "%.*s", length < sizeof text ? (int)length : 127,
                   (const char *)value);
    (void)text_copy(to, size, text);
}

bool qmi_iccid(const struct qmi_message *answer, char iccid[ICCID_SIZE])
{
    size_t length;
    const uint16_t word = qmi_card_word(answer, 0x10);
    const uint8_t *value = qmi_find(answer, 0x11, 2, &length);

    if (value == NULL || (size_t)qmi_u16(value) > length - 2 ||
        (word != 0 && (word & 0xFF00) != 0x9000 && (word & 0xFF00) != 0x9100))
        return false;
    return iccid_from_bytes(value + 2, qmi_u16(value), iccid);
}

/* Get Serving System, TLV 01: u8 state (0 not registered, 1 registered, 2 searching, 3 denied,
 * 4 unknown), u8 and u8 attached to the circuit and packet switched domains, ... */
enum registration qmi_registered(const struct qmi_message *answer)
{
    size_t length;
    const uint8_t *value = qmi_find(answer, 0x01, 1, &length);

    if (value == NULL || value[0] > 3)
        return REGISTRATION_UNKNOWN;
    return value[0] == 1 ? REGISTRATION_DONE : REGISTRATION_NONE;
}

/* The state of an application with a PIN1 of its own. */
static const char *application_state(const uint8_t *application)
{
    switch (application[1]) {
    case 2:
        return "SIM PIN";
    case 3:
    case 5:
        return "SIM PUK";
    case 7:
        return "READY";
    default:
        return "";
    }
}

/* Card status, TLV 10: 4 u16, u8 number of cards; a card: u8 state (0 absent, 1 present, 2 error),
 * 4 bytes, u8 number of applications; an application: u8 type, u8 state, 4 bytes, u8 length of the
 * AID, the AID, 7 bytes. */
const char *qmi_sim_state(const struct qmi_message *answer, uint8_t slot)
{
    size_t length;
    const uint8_t *at = qmi_find(answer, 0x10, 9, &length), *end;
    const char *state = "";

    if (at == NULL || at[8] < slot || slot == 0)
        return "";
    end = at + length;
    at += 9;
    for (unsigned card = 1; card <= slot; card++) {
        unsigned applications;

        if (end - at < 6)
            return "";
        if (card == slot && at[0] != 1)
            return at[0] == 0 ? "NOT INSERTED" : "SIM FAILURE";
        applications = at[5];
        at += 6;
        for (unsigned i = 0; i < applications; i++) {
            if (end - at < 7 || end - at < 7 + at[6] + 7)
                return "";
            /* the network's: SIM or USIM; others may be locked for good */
            if (card == slot && (at[0] == 1 || at[0] == 2) && state[0] == '\0')
                state = application_state(at);
            at += 7 + at[6] + 7;
        }
    }
    return state;
}

/* Slot status, TLV 10: u8 number; a slot: u32 card (0 unknown, 1 absent, 2 present), u32 state
 * (0 inactive, 1 active), u8 logical slot, u8 length of the ICCID, the ICCID. */
bool qmi_slots(const struct qmi_message *answer, struct qmi_slots *slots)
{
    size_t length;
    const uint8_t *at = qmi_find(answer, 0x10, 1, &length), *end;
    unsigned count;

    memset(slots, 0, sizeof *slots);
    if (at == NULL)
        return false;
    end = at + length;
    count = *at++;
    for (unsigned i = 0; i < count && i < QMI_SLOTS; i++) {
        if (end - at < 10 || end - at < 10 + at[9])
            return false;
        slots->slot[i].active = qmi_u32(at + 4) == 1;
        slots->slot[i].logical = at[8];
        slots->count = i + 1;
        at += 10 + at[9];
    }
    return slots->count > 0;
}
