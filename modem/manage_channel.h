/* SPDX-License-Identifier: Apache-2.0 */
/* MANAGE CHANNEL (ETSI TS 102 221, 11.1.17), for transports that leave it to the host. */
#ifndef SIMKEY_MODEM_MANAGE_CHANNEL_H
#define SIMKEY_MODEM_MANAGE_CHANNEL_H

#include "modem/channel.h"
#include "modem/deadline.h"
#include "modem/outcome.h"
#include "modem/trace.h"

/* How a command gets to the card, on channel 0 or another one. All borrowed. */
struct basic_channel {
    enum outcome (*exchange)(void *arg, const struct channel *, struct exchange *, struct deadline,
                             struct report *);
    void *arg;
    const struct trace *trace;
    unsigned *events; /* the transport's, see event.h */
};

/* Opens a channel, on which nothing is selected. *channel is all zero after a failure. all: see struct
 * channel_wish. Errors: those of transport_ops.open; OUTCOME_BAD_DATA for an answer without the channel's number: the channel may be open
 * then. */
enum outcome manage_channel_open(const struct basic_channel *basic, bool all,
                                 struct channel *channel, struct deadline deadline,
                                 struct report *why);

/* Closes a channel, which counts as closed afterwards, whatever comes. After OUTCOME_OK why->sw is the
 * card's status word, which the caller has to judge. Errors: those of the exchange. */
enum outcome manage_channel_close(const struct basic_channel *basic, struct channel *channel,
                                  struct deadline deadline, struct report *why);

/* True for a status word that refuses MANAGE CHANNEL itself: nothing was opened or closed. */
bool manage_channel_refused(uint16_t sw);

/* True for a status word by which the card refused the applet, or the channel; false for success, also with
 * a warning, and for 0 (the modem does not tell it). */
bool channel_refused(uint16_t sw);

/* Puts a channel number into a CLA: 0..3 in bits 0-1, 4..19 as 40|(n-4), or C0|(n-4) for a
 * proprietary CLA (ISO 7816-4, 5.4.1). The chaining bit 10 has the same place in both codings and
 * is kept. */
uint8_t cla_with_channel(uint8_t cla, uint8_t number);

/* OUTCOME_USAGE with a sentence if the exchange's command has no length of a short APDU. */
enum outcome exchange_check(const struct exchange *exchange, struct report *why);

/* True if the command has a PIN, or another secret, in its data. False for one without data that belongs to
 * it: the question for the tries left, or GET RESPONSE. */
bool exchange_has_pin(const struct exchange *exchange);

#endif
