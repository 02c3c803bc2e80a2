/* SPDX-License-Identifier: Apache-2.0 */
/* The QMI messages that simkey sends, and what it reads from their answers. Pure functions: the
 * talking is in qmi_talk.h. Sources: libqmi's data/qmi-service-*.json, the gobi-api structures. */
#ifndef SIMKEY_MODEM_QMI_MESSAGE_H
#define SIMKEY_MODEM_QMI_MESSAGE_H

#include "modem/identity.h"
#include "modem/qmi_frame.h"

enum qmi_ctl {
    QMI_CTL_ALLOCATE = 0x0022,
    QMI_CTL_RELEASE = 0x0023,
    QMI_CTL_SYNC =
        0x0027, /* never sent: it makes all client ids void. Its indication says that they are */
    QMI_CTL_PROXY_OPEN = 0xFF00,
};

enum qmi_dms {
    QMI_DMS_MANUFACTURER = 0x0021,
    QMI_DMS_MODEL = 0x0022,
    QMI_DMS_REVISION = 0x0023,
    QMI_DMS_IDS = 0x0025,
};

enum qmi_nas { QMI_NAS_SERVING_SYSTEM = 0x0024 };

enum qmi_uim {
    QMI_UIM_READ_TRANSPARENT = 0x0020,
    QMI_UIM_CARD_STATUS = 0x002F,
    QMI_UIM_SEND_APDU = 0x003B,
    QMI_UIM_CLOSE_CHANNEL = 0x003F,
    QMI_UIM_OPEN_CHANNEL = 0x0042,
    QMI_UIM_SLOT_STATUS = 0x0047,
};

/* Results that mean something to simkey (libqmi's qmi-errors.h). */
enum qmi_error {
    QMI_OK = 0,
    QMI_MALFORMED = 1,
    QMI_INTERNAL = 3,
    QMI_NO_CLIENT_LEFT = 5,
    QMI_INVALID_CLIENT = 7,
    QMI_INVALID_HANDLE = 9,
    QMI_MISSING_ARGUMENT = 17,
    QMI_TOO_LONG = 19,
    QMI_IN_USE = 23,
    QMI_UNSUPPORTED = 25,
    QMI_NO_EFFECT = 26,
    QMI_UNINITIALISED = 37,
    QMI_INVALID_ARGUMENT = 48,
    QMI_NO_ENTRY = 50,
    QMI_NOT_READY = 52,
    QMI_NO_RESOURCES = 68,
    QMI_INVALID_COMMAND = 71,
    QMI_ACCESS_DENIED = 82,
    QMI_INCOMPATIBLE_STATE = 90,
    QMI_NOT_SUPPORTED = 94,
    QMI_NO_SIM = 102,
    QMI_NO_RESULT = 0x10000, /* the answer has no result: it makes no sense */
};

/* "access denied" and the like; "unknown" for those without a row. */
const char *qmi_error_name(unsigned error);

/* The result of a response: QMI_OK, an error's number, or QMI_NO_RESULT. */
unsigned qmi_result(const struct qmi_message *answer);

/* ---- requests; qmi_ask fills in the transaction ---- */

void qmi_request(struct qmi_frame *frame, uint8_t service, uint8_t client, uint16_t id);
void qmi_proxy_open(struct qmi_frame *frame, const char *node);
void qmi_allocate(struct qmi_frame *frame, uint8_t service);
void qmi_release(struct qmi_frame *frame, uint8_t service, uint8_t client);
/* aid_length 0: a channel with nothing selected on it. */
void qmi_open_channel(struct qmi_frame *frame, uint8_t client, uint8_t slot, const uint8_t *aid,
                      size_t aid_length);
/* procedure: with the TLV that asks the modem to leave 61xx to us; some firmware does not know it. */
void qmi_send_apdu(struct qmi_frame *frame, uint8_t client, uint8_t slot, uint8_t channel,
                   const uint8_t *apdu, size_t length, bool procedure);
void qmi_close_channel(struct qmi_frame *frame, uint8_t client, uint8_t slot, uint8_t channel);
/* EF.ICCID (3F00/2FE2) in a session: 0 the network's application, 6 and 7 the card in slot 1, 2. */
void qmi_read_iccid(struct qmi_frame *frame, uint8_t client, uint8_t session);

/* ---- answers ---- */

/* False if the answer does not give a client id of this service. */
bool qmi_allocated(const struct qmi_message *answer, uint8_t service, uint8_t *client);

/* The card's status word that came with an answer, also with one that failed; 0: none. */
uint16_t qmi_card_word(const struct qmi_message *answer, uint8_t type);

/* False if it tells of no channel from 1 to 19. */
bool qmi_opened(const struct qmi_message *answer, uint8_t *channel);

/* The answer of the card, its status word at the end; in the message. NULL if there is none in it. */
const uint8_t *qmi_apdu_answer(const struct qmi_message *answer, size_t *length);

/* What announces a long answer, whose parts come by indications. False if the answer is not one. */
struct qmi_long {
    uint32_t token;
    uint16_t total;
};
bool qmi_is_long(const struct qmi_message *answer, struct qmi_long *all);

/* One part of it; data point into the message. False if the indication is not one. */
struct qmi_part {
    uint32_t token;
    uint16_t total, offset, length;
    const uint8_t *data;
};
bool qmi_long_part(const struct qmi_message *indication, struct qmi_part *part);

/* Copies a TLV of text, made harmless (text.h); "" where there is none. */
void qmi_text(const struct qmi_message *answer, uint8_t type, char *to, size_t size);

/* False if the answer has no ICCID. */
bool qmi_iccid(const struct qmi_message *answer, char iccid[ICCID_SIZE]);

/* REGISTRATION_UNKNOWN if it does not tell. */
enum registration qmi_registered(const struct qmi_message *answer);

/* What a card status says of the SIM in 27.007's words: READY, SIM PIN, SIM PUK, NOT INSERTED, ...
 * "": it does not tell. slot: the logical one. */
const char *qmi_sim_state(const struct qmi_message *answer, uint8_t slot);

/* The physical slots. False if the answer does not list them. */
#define QMI_SLOTS 5
struct qmi_slots {
    unsigned count;
    struct {
        bool active;
        uint8_t logical;
    } slot[QMI_SLOTS]; /* [0] is slot 1 */
};
bool qmi_slots(const struct qmi_message *answer, struct qmi_slots *slots);

#endif
