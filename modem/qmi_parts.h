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

/* Before a command of this client id (0: when its answer is taken): forgets all parts. */
void qmi_parts_begin(struct qmi_parts *parts, uint8_t client);

/* The response came and announced the answer: parts of another one are forgotten. */
void qmi_parts_announce(struct qmi_parts *parts, const struct qmi_long *all);

/* Puts a part into its place in to, which has HELD_SIZE bytes; other messages are passed over. False for a
 * part of the announced answer that does not fit it. */
bool qmi_parts_take(struct qmi_parts *parts, const struct qmi_message *message, uint8_t *to);

#endif
