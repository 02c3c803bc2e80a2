/* SPDX-License-Identifier: Apache-2.0 */
/* An answer that is longer than a short APDU's: a modem that follows 61xx itself hands over all of it at
 * once. It is given out as a card would have done it, 256 bytes at a time by GET RESPONSE (ISO 7816-4,
 * 11.5.1), so that whoever asked needs to know nothing of it. */
#ifndef SIMKEY_MODEM_HELD_H
#define SIMKEY_MODEM_HELD_H

#include "modem/channel.h"

#define HELD_SIZE 2048

struct held {
    uint8_t data[HELD_SIZE];
    size_t length, given; /* length is 0 where nothing waits */
    uint16_t sw;          /* of the last part */
    uint8_t channel;
};

/* Gives the first part of what stands in data, `length` bytes and the status word that ends it; the rest
 * waits. */
void held_give(struct held *held, const struct channel *channel, size_t length, uint16_t sw,
               struct exchange *exchange);

/* Answers a GET RESPONSE on the channel whose answer waits. False: nothing does, and what waited is
 * forgotten, because another command came. */
bool held_more(struct held *held, const struct channel *channel, struct exchange *exchange);

#endif
