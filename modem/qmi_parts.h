/* SPDX-License-Identifier: Apache-2.0 */
/* A long answer, whose parts come by indications: in any order, some of them twice, and perhaps before
 * the response that announces them (the gobi-api structures tell token, total and offset of each). */
#ifndef SIMKEY_MODEM_QMI_PARTS_H
#define SIMKEY_MODEM_QMI_PARTS_H

#include "modem/held.h"
#include "modem/qmi_message.h"

struct qmi_parts {
    uint8_t client; /* whose answer is waited for; 0: none, and nothing is taken */
    bool announced; /* the response came: it is this token */
    uint32_t token;
    uint16_t total;
    size_t got;
    uint8_t have[HELD_SIZE / 8]; /* a bit for each byte */
};

/* A command of this client goes out: what was there is forgotten. */
void qmi_parts_begin(struct qmi_parts *parts, uint8_t client);

/* The response came. */
void qmi_parts_announce(struct qmi_parts *parts, const struct qmi_long *all);

/* Puts a part to its place in HELD_SIZE bytes; any other message is passed over. False: it is one of the
 * answer that was announced, and does not fit it. */
bool qmi_parts_take(struct qmi_parts *parts, const struct qmi_message *message, uint8_t *to);

#endif
