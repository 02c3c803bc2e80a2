/* SPDX-License-Identifier: Apache-2.0 */
/* QMI as a modem speaks it: frames and the services CTL, DMS and NAS (qmi.c), and UIM (qmi_uim.c). Written
 * from the description of the protocol, not from simkey's own codec. */
#ifndef SIMKEY_SIM_QMI_H
#define SIMKEY_SIM_QMI_H

#include "test/sim/device.h"

enum {
    ERROR_MALFORMED = 1,
    ERROR_INTERNAL = 3,
    ERROR_NO_CLIENT = 5,
    ERROR_CLIENT = 7,
    ERROR_HANDLE = 9,
    ERROR_MISSING = 17,
    ERROR_ARGUMENT = 48,
    ERROR_NOT_READY = 52,
    ERROR_RESOURCES = 68,
    ERROR_COMMAND = 71,
    ERROR_DENIED = 82,
    ERROR_STATE = 90,
    ERROR_SUPPORT = 94,
    ERROR_NO_SIM = 102
};

/* A message of the host's. */
struct qmi_request {
    unsigned service, client, transaction, id;
    const uint8_t *parts;
    size_t size;
};

/* The parts of an answer, without that of the result. */
struct qmi_answer {
    unsigned error; /* 0: none */
    struct bytes parts;
    long ms; /* the SIM works so long; 0: the modem answers itself */
    bool silent;
};

/* A part of a request; NULL: it is not there, or shorter than that. */
const uint8_t *qmi_part(const struct qmi_request *r, unsigned type, size_t least, size_t *size);

/* Appends a part, and little-endian numbers. */
void qmi_add(struct bytes *b, unsigned type, const void *value, size_t size);
void le16(struct bytes *b, unsigned value);
void le32(struct bytes *b, uint32_t value);

/* An indication to a client (0xFF: to all), after the answers that wait. */
void qmi_indicate(struct device *d, unsigned service, unsigned client, unsigned id,
                  struct bytes *parts);

void qmi_uim(struct device *d, const struct qmi_request *r, struct qmi_answer *a);

/* Sends the parts of a long answer (d->rest), behind the message that announced it. */
void qmi_uim_follow(struct device *d);

#endif
