/* SPDX-License-Identifier: Apache-2.0 */
/* The MBIM commands that simkey sends, and what it reads from their answers. Pure functions: the talking
 * is in mbim_talk.h. Sources: MBIM 1.0, Microsoft's "MB low level UICC access", libmbim's data/. */
#ifndef SIMKEY_MODEM_MBIM_MESSAGE_H
#define SIMKEY_MODEM_MBIM_MESSAGE_H

#include "modem/identity.h"
#include "modem/mbim_frame.h"

/* The group of simkey's channels ("simk"): programs with another one cannot close them. */
#define MBIM_GROUP 0x73696D6Bu

enum mbim_basic { MBIM_DEVICE_CAPS = 1, MBIM_READY_STATUS = 2, MBIM_REGISTER_STATE = 9 };
enum mbim_uicc { MBIM_OPEN_CHANNEL = 2, MBIM_CLOSE_CHANNEL = 3, MBIM_APDU = 4 };
enum mbim_proxy_control { MBIM_PROXY_CONFIGURATION = 1 };
enum mbim_extended { MBIM_SLOT_MAPPINGS = 7 };

/* Statuses that mean something to simkey. */
enum mbim_status {
    MBIM_STATUS_OK = 0,
    MBIM_STATUS_BUSY = 1,
    MBIM_STATUS_FAILURE = 2,
    MBIM_STATUS_NO_SIM = 3,
    MBIM_STATUS_BAD_SIM = 4,
    MBIM_STATUS_PIN_REQUIRED = 5,
    MBIM_STATUS_NO_SUPPORT = 9,
    MBIM_STATUS_NOT_INITIALISED = 14,
    MBIM_STATUS_INVALID_PARAMETERS = 21,
    MBIM_STATUS_NOT_ALLOWED = 28,
};
#define MBIM_STATUS_NO_CHANNELS     0x87430001u
#define MBIM_STATUS_SELECT_FAILED   0x87430002u
#define MBIM_STATUS_INVALID_CHANNEL 0x87430003u

#define MBIM_ERROR_NOT_OPENED 5 /* of FUNCTION_ERROR */

/* "operation not allowed" and the like; "unknown" for those without a row. */
const char *mbim_status_name(uint32_t status);

/* ---- commands; mbim_ask fills in the transaction ---- */

void mbim_open(struct mbim_frame *frame, uint32_t longest);
void mbim_close(struct mbim_frame *frame);
void mbim_query(struct mbim_frame *frame, enum mbim_service service, uint32_t command);
/* Which device the connection to mbim-proxy is for, and how long the proxy may take to open it. */
void mbim_configure(struct mbim_frame *frame, const char *node, unsigned seconds);
void mbim_open_channel(struct mbim_frame *frame, const uint8_t *aid, size_t aid_length, uint8_t p2);
/* extended: the type of the class byte; some modems build the CLA from it and the channel by themselves. */
void mbim_send_apdu(struct mbim_frame *frame, uint8_t channel, bool extended, const uint8_t *apdu,
                    size_t length);
/* channel 0: all of the group. */
void mbim_close_channel(struct mbim_frame *frame, uint8_t channel);

/* ---- answers ---- */

/* The card's status word at the beginning of a UICC answer, also of one that failed; 0: none. */
uint16_t mbim_card_word(const struct mbim_message *answer);

/* False if it tells of no channel from 1 to 19. */
bool mbim_opened(const struct mbim_message *answer, uint8_t *channel);

/* The data of the card's answer, without its status word. NULL if the answer makes no sense. */
const uint8_t *mbim_apdu_data(const struct mbim_message *answer, size_t *length);

/* The modem's IMEI, hardware and firmware out of DEVICE_CAPS. */
void mbim_names(const struct mbim_message *answer, struct modem_identity *identity);

/* The ICCID out of READY_STATUS, in the layout before or since MBIMEx 3. False if it has none. */
bool mbim_iccid(const struct mbim_message *answer, char iccid[ICCID_SIZE]);

/* What READY_STATUS says of the SIM in 27.007's words; "": it does not tell. */
const char *mbim_sim_state(const struct mbim_message *answer);

/* Out of REGISTER_STATE; REGISTRATION_UNKNOWN if it does not tell. */
enum registration mbim_registered(const struct mbim_message *answer);

/* The slot, from 1, of the modem's first executor, to which all commands go. 0: it does not tell. */
unsigned mbim_active_slot(const struct mbim_message *answer);

#endif
