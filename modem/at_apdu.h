/* SPDX-License-Identifier: Apache-2.0 */
/* An APDU as text on an AT line: what AT+CSIM and AT+CGLA share. */
#ifndef SIMKEY_MODEM_AT_APDU_H
#define SIMKEY_MODEM_AT_APDU_H

#include "modem/at.h"
#include "modem/channel.h"

/* A command that carries an APDU: what stands before it, and before its answer. */
struct at_carriage {
    const char *head;   /* "AT+CSIM=", "AT+CGLA=<session>," */
    const char *prefix; /* "+CSIM:" */
};

/* Sends one APDU and takes its answer. EVENT_WITHHELD and EVENT_DOUBT are as it left them. Errors: as
 * transport_ops.exchange. */
enum outcome at_pass(struct at *at, const struct at_carriage *carriage, struct exchange *exchange,
                     struct deadline deadline, struct report *why);

/* The value of +CSIM and +CGLA: `<n>,"<hex>"`, quotes and blanks optional, either case. The
 * announced length must equal the digits, which must be even and at least 4. Returns the number of
 * bytes, 0 if any of that fails. */
size_t at_parse_apdu(const char *value, uint8_t *bytes, size_t size);

#endif
