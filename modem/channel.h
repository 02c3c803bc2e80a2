/* SPDX-License-Identifier: Apache-2.0 */
/* What goes through a transport: logical channels, and one command with its answer. */
#ifndef SIMKEY_MODEM_CHANNEL_H
#define SIMKEY_MODEM_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Short APDUs: 5 bytes of header, 255 of data, 1 of Le; 256 of answer and 2 of status word. A modem that
 * follows 61xx itself puts two answers of the card together: a signature of 256 bytes and its tag. */
#define APDU_COMMAND_SIZE 261
#define APDU_ANSWER_SIZE  300

/* How a channel is opened: by MANAGE CHANNEL, as with AT+CSIM, or by the modem, together with an
 * applet, as with AT+CCHO. */
enum carrier { CARRIER_AUTO, CARRIER_CSIM, CARRIER_CCHO, CARRIER_LAST = CARRIER_CCHO };

/* The highest number of a logical channel (ETSI TS 102 221, 11.1.17). */
#define CHANNEL_MAX 19

/* A logical channel. It outlives the operation that opened it. */
struct channel {
    bool open;
    bool selected;        /* opening it selected the applet too (+CCHO) */
    enum carrier carrier; /* how it was opened: it can only be used the same way */
    uint8_t number;       /* 1..CHANNEL_MAX; 0 where only the modem knows it (+CCHO) */
    char session[24];     /* 27.007's <sessionid>, an opaque word (+CCHO) */
};

/* A channel that is to be opened; the AID is for carriers that select while they open. Borrowed. */
struct channel_wish {
    enum carrier carrier; /* where the transport leaves the choice to the caller */
    const uint8_t *aid;
    size_t aid_length;
    bool all; /* MANAGE CHANNEL is asked with Le 00 at first, not 01 */
};

/* A command APDU without data is no longer: CLA INS P1 P2 Le (ISO 7816-4, 5.1). */
#define APDU_WITHOUT_DATA 5

/* One command and its answer. Borrowed pointers; the caller cleanses what is secret. */
struct exchange {
    const uint8_t *command; /* command[0] is the CLA without channel bits */
    size_t length;          /* 4 to APDU_COMMAND_SIZE */
    int timeout_ms;         /* of this exchange, inside the operation's deadline */
    int secrecy;            /* enum secrecy */
    bool brief;             /* a SIM that is busy is not waited for (AT) */
    uint8_t *answer;        /* APDU_ANSWER_SIZE bytes; the status word is at the end */
    size_t answer_length;   /* at least 2 after OUTCOME_OK */
    bool cut; /* with OUTCOME_BAD_DATA: a long line ended before its announced length */
};

#endif
