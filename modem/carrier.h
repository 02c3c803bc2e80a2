/* SPDX-License-Identifier: Apache-2.0 */
/* The two carriers of APDUs over an AT line, for at_modem.c: AT+CSIM and AT+CCHO. Each function is
 * one of struct transport_ops with the line in place of the transport. */
#ifndef SIMKEY_MODEM_CARRIER_H
#define SIMKEY_MODEM_CARRIER_H

#include "modem/at.h"
#include "modem/channel.h"

enum outcome csim_open(struct at *at, const struct channel_wish *wish, struct channel *channel,
                       struct deadline deadline, struct report *why);
enum outcome csim_exchange(struct at *at, const struct channel *channel, struct exchange *exchange,
                           struct deadline deadline, struct report *why);
enum outcome csim_close(struct at *at, struct channel *channel, struct deadline deadline,
                        struct report *why);

enum outcome ccho_open(struct at *at, const struct channel_wish *wish, struct channel *channel,
                       struct deadline deadline, struct report *why);
enum outcome ccho_exchange(struct at *at, const struct channel *channel, struct exchange *exchange,
                           struct deadline deadline, struct report *why);
enum outcome ccho_close(struct at *at, struct channel *channel, struct deadline deadline,
                        struct report *why);

/* Takes the session out of what followed "+CCHO:". False if it is not one. */
bool ccho_take_session(const char *value, struct channel *channel);

#endif
