/* SPDX-License-Identifier: Apache-2.0 */
/* The ways an APDU takes to the card. A transport is five functions: begin, open and close a
 * channel, exchange one APDU, end. It knows no applet, resends no APDU and does nothing about 61xx
 * or 6Cxx. */
#ifndef SIMKEY_MODEM_TRANSPORT_H
#define SIMKEY_MODEM_TRANSPORT_H

#include "modem/at.h"
#include "modem/deadline.h"
#include "modem/outcome.h"
#include "modem/port.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Short APDUs: 5 bytes of header, 255 of data, 1 of Le; 256 of answer and 2 of status word. */
#define APDU_COMMAND_SIZE 261
#define APDU_ANSWER_SIZE  258

enum carrier { CARRIER_AUTO, CARRIER_CSIM, CARRIER_CCHO, CARRIER_LAST = CARRIER_CCHO };

/* A logical channel. It outlives the operation that opened it. */
struct channel {
    bool open;
    bool selected;        /* opening it selected the applet too (+CCHO) */
    enum carrier carrier; /* how it was opened: it can only be used the same way */
    uint8_t number; /* 1..19 (ETSI TS 102 221, 11.1.17); 0 where only the modem knows it (+CCHO) */
    char session[24]; /* 27.007's <sessionid>, an opaque word (+CCHO) */
};

struct transport;
struct transport_target;

/* One command, one answer with its status word at the end (*answer_length is at least 2).
 * command[0] is the CLA without channel bits. Errors: OUTCOME_CARRIER_REFUSED, OUTCOME_LOST,
 * OUTCOME_BAD_DATA, ... */
typedef enum outcome transport_exchange_fn(struct transport *, const struct channel *,
                                           const uint8_t *command, size_t command_length,
                                           uint8_t *answer, size_t *answer_length, int timeout_ms,
                                           int secrecy, struct deadline, struct report *);

struct transport_ops {
    const char *name;
    /* Opens the device and has it for itself until the end. Errors: OUTCOME_NO_MODEM,
     * OUTCOME_PORT_BUSY, OUTCOME_NO_SIM, ... */
    enum outcome (*begin)(struct transport *, const struct transport_target *, struct deadline,
                          struct report *);
    /* Opens a channel; the AID is for carriers that select while they open. Errors:
     * OUTCOME_CARRIER_REFUSED (try another carrier), OUTCOME_REFUSED with SW 6A81, 6A84 or 6881 (no
     * free channel), OUTCOME_NO_SIM, ... */
    enum outcome (*open)(struct transport *, const uint8_t *aid, size_t aid_length,
                         struct channel *, struct deadline, struct report *);
    transport_exchange_fn *exchange;
    /* Closes a channel, which is taken for closed afterwards whatever the modem says. */
    enum outcome (*close)(struct transport *, struct channel *, struct deadline, struct report *);
    void (*end)(struct transport *);
};

/* What is needed to reach the card. Borrowed pointers. */
struct transport_target {
    const char *device;
    unsigned baud;
    const struct trace *trace;
    const struct port_turn *turn; /* see port_open */
};

/* A transport that has begun: the device is open, locked and answers. Lives for one operation. */
struct transport {
    const struct transport_ops *ops;
    struct port *port; /* NULL: no modem, a card reader */
    struct at at;      /* for questions to the modem itself, see modem/identity.h */
    struct reader *reader;
    char name[128]; /* of the card reader */
};

/* False for a card reader: then nobody else uses the card's channels, and what a modem would tell
 * is read from the card. */
bool transport_has_modem(const struct transport *transport);

/* What happened where transport->at.restarted is set. */
const char *transport_restart(const struct transport *transport);

/* How `device` begins for a card reader; its name or number follows. */
#define TRANSPORT_PCSC "pcsc:"

/* Opens and locks the device. Ends with ops->end, which is allowed after a failure too. */
enum outcome transport_begin(struct transport *transport, const struct transport_target *target,
                             struct deadline deadline, struct report *why);

/* Makes sure that the modem, if there is one, listens. ready: an earlier operation did the start-up, skip it.
 * quiet_ms: 0, or how long the line must have been quiet because an earlier operation left with an
 * answer outstanding. */
enum outcome transport_wake(struct transport *transport, bool ready, int quiet_ms,
                            struct deadline deadline, struct report *why);

/* One APDU as text behind head ("AT+CSIM=", "AT+CGLA=<session>,"), its answer back to bytes: what
 * both AT carriers share. */
enum outcome transport_pass(struct transport *transport, const char *head, const char *prefix,
                            const uint8_t *command, size_t length, uint8_t *answer,
                            size_t *answer_length, int timeout_ms, int secrecy,
                            struct deadline deadline, struct report *why);

/* Opens and locks, and unlocks and closes the port: begin and end of both AT carriers. */
enum outcome transport_begin_at(struct transport *transport, const struct transport_target *target,
                                struct deadline deadline, struct report *why);
void transport_end(struct transport *transport);

/* Chooses how the next channel is opened: +CSIM or +CCHO. A card reader has one way only. */
void transport_use(struct transport *transport, enum carrier carrier);

/* Puts a channel number into a CLA: 0..3 in bits 0-1, 4..19 as 40|(n-4), or C0|(n-4) for a
 * proprietary CLA (ISO 7816-4, 5.4.1). The chaining bit 10 has the same place in both codings and
 * is kept. */
uint8_t cla_with_channel(uint8_t cla, uint8_t number);

/* Takes the session out of what followed "+CCHO:". False if it is none. */
bool ccho_take_session(const char *value, struct channel *channel);

/* MANAGE CHANNEL (ETSI TS 102 221, 11.1.17), for transports that leave it to the host. */
enum outcome manage_channel_open(struct transport *transport, transport_exchange_fn *exchange,
                                 struct channel *channel, struct deadline deadline,
                                 struct report *why);
enum outcome manage_channel_close(struct transport *transport, transport_exchange_fn *exchange,
                                  struct channel *channel, struct deadline deadline,
                                  struct report *why);

extern const struct transport_ops transport_csim;
extern const struct transport_ops transport_ccho;
extern const struct transport_ops transport_pcsc; /* only with SIMKEY_PCSC */

/* Turns an error final into an outcome and a sentence; what says what was tried ("open a channel").
 */
enum outcome transport_final(const struct at_result *result, const char *what, struct report *why);

#endif
