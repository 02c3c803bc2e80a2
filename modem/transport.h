/* SPDX-License-Identifier: Apache-2.0 */
/* The ways an APDU takes to the card. A transport is a file of its own with a struct of functions,
 * and a row in transport.c. It keeps its own state, tells in one word of events what happened beside
 * the answers (event.h), knows no applet, resends no APDU and does nothing about 61xx or 6Cxx. */
#ifndef SIMKEY_MODEM_TRANSPORT_H
#define SIMKEY_MODEM_TRANSPORT_H

#include "modem/channel.h"
#include "modem/deadline.h"
#include "modem/event.h"
#include "modem/identity.h"
#include "modem/outcome.h"
#include "modem/port.h"
#include "modem/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is needed to reach the card. Borrowed pointers. */
struct transport_target {
    const char *device;
    unsigned baud;
    const struct trace *trace;
    const struct port_turn *turn;    /* see port_open */
    const struct transport_ops *ops; /* NULL: what the device's name tells */
    unsigned slot;                   /* 1, or of a modem with several SIMs */
};

/* A transport that has begun: the device is open, locked and answers. Lives for one operation. */
struct transport {
    const struct transport_ops *ops;
    void *self;      /* the transport's own */
    unsigned events; /* bits of enum event */
    /* What it learnt of this modem in waking it, to be given to the next operation's: bits of enum
     * habit. */
    unsigned habits;
    /* What it keeps in the modem, or learnt of it, from operation to operation (a client id, a slot):
     * given back to it before it is waked; 0: nothing. What is in it is the transport's own matter. */
    unsigned kept;
    /* NULL, or told at once of something new in `kept` that would be lost with this process. */
    void (*keeps)(void *arg);
    void *keeps_arg;
    /* For waking: no command of an earlier operation can still be under way. What does not answer then
     * is not waited for as long. */
    bool idle;
};

enum habit {
    HABIT_ECHO = 1, /* it repeats what it is sent, in spite of ATE0 */
};

/* The beginning of a line that had not ended when an operation gave up. Nothing secret: the caller
 * keeps it only where a channel was being opened. */
#define TRANSPORT_REST_SIZE 48
struct transport_rest {
    char text[TRANSPORT_REST_SIZE];
    size_t length;
};

/* What only a line needs on which answers carry no name of their command, and which others hear too. */
struct transport_line {
    /* Proves, where nothing else does, that the answers were those to our commands. Errors:
     * OUTCOME_LOST if one came that was not the one taken; OUTCOME_TIMEOUT, ... */
    enum outcome (*confirm)(struct transport *, struct deadline, struct report *);
    /* Listens for quiet_ms milliseconds of silence, to notice what no command asked for. */
    enum outcome (*listen)(struct transport *, int quiet_ms, struct deadline, struct report *);
    /* Directly before something secret goes out: makes sure that nothing repeats it. Errors:
     * OUTCOME_PIN_PROTECTED with the whole sentence, OUTCOME_LOST, ... */
    enum outcome (*before_secret)(struct transport *, struct deadline, struct report *);
    /* The sentence of what said EVENT_NO_SIM; OUTCOME_NO_SIM. */
    enum outcome (*no_sim)(const struct transport *, struct report *);
    /* Takes out the channel of which the last unasked answer told. False if there is none. */
    bool (*found)(struct transport *, struct channel *);
    /* Takes out the rest of the input, or puts one before it. */
    void (*keep)(struct transport *, struct transport_rest *);
    void (*give)(struct transport *, const struct transport_rest *);
};

struct transport_ops {
    /* For people: what it leads to ("modem", "card reader"); by which way a channel of each carrier
     * goes ("AT+CSIM"); and what EVENT_RESTARTED means, as a sentence. */
    const char *noun;
    const char *ways[CARRIER_LAST + 1];
    const char *restarted;
    /* NULL: the device is a file that this program opens and locks. Else the service that opens it
     * and shares it among programs; then there is no modem, and no network. */
    const char *service;
    /* How all of its channels are opened; CARRIER_AUTO: in either way, as the caller wishes. */
    enum carrier carrier;
    bool selects; /* opening a channel selects the applet on it, whatever the carrier */
    /* Opens the device and has it for itself until the end. Errors: OUTCOME_NO_MODEM,
     * OUTCOME_PORT_BUSY, OUTCOME_NO_SIM, ... */
    enum outcome (*begin)(struct transport *, const struct transport_target *, struct deadline,
                          struct report *);
    /* NULL, or see transport_wake. */
    enum outcome (*wake)(struct transport *, bool ready, int quiet_ms, struct deadline,
                         struct report *);
    /* Opens a channel. Errors: OUTCOME_CARRIER_REFUSED (try another carrier), OUTCOME_REFUSED with SW
     * 6A81, 6A84 or 6881 (no free channel), OUTCOME_NO_SIM, ... */
    enum outcome (*open)(struct transport *, const struct channel_wish *, struct channel *,
                         struct deadline, struct report *);
    /* One command, one answer. Errors: OUTCOME_CARRIER_REFUSED, OUTCOME_LOST, OUTCOME_BAD_DATA, ... */
    enum outcome (*exchange)(struct transport *, const struct channel *, struct exchange *,
                             struct deadline, struct report *);
    /* Closes a channel, which is taken for closed afterwards whatever the modem says. */
    enum outcome (*close)(struct transport *, struct channel *, struct deadline, struct report *);
    /* Lets the device go. Allowed after a begin that failed. */
    void (*end)(struct transport *);
    /* Who it is; never NULL. Errors: OUTCOME_NO_MODEM, OUTCOME_TIMEOUT. */
    enum outcome (*identity)(struct transport *, struct modem_identity *, struct deadline,
                             struct report *);
    /* NULL, or see transport_iccid, transport_registration, transport_diagnose. */
    enum outcome (*iccid)(struct transport *, char iccid[ICCID_SIZE], struct deadline,
                          struct report *);
    enum outcome (*registration)(struct transport *, enum registration *, struct deadline,
                                 struct report *);
    enum outcome (*diagnose)(struct transport *, struct deadline, struct report *);
    /* NULL, or see transport_release. */
    void (*release)(struct transport *, struct deadline);
    const struct transport_line *line; /* NULL: each answer is known to be its command's */
};

/* What only the tools ask for stays out of a module that is made small (SIMKEY_SMALL_MODULE): no function
 * of the provider's asks a modem for its names. */
#ifdef SIMKEY_SMALL_MODULE
#define FOR_TOOLS(function) (false ? (function) : NULL)
#else
#define FOR_TOOLS(function) (function)
#endif

/* How `device` begins for a card reader; its name or number follows. */
#define TRANSPORT_PCSC "pcsc:"

/* The transport of a device, by its name: a prefix, or what the kernel says of it. */
const struct transport_ops *transport_of(const char *device);

/* The names of all card readers that pcscd sees, one behind the other with a NUL each, and an empty one
 * at the end: the empty one alone where there is none, no pcscd, no PC/SC in this build, or no answer
 * before the deadline. size: TRANSPORT_READERS_SIZE takes 16. */
#define TRANSPORT_READERS_SIZE 2049
void transport_readers(char *names, size_t size, struct deadline deadline);

/* Opens and locks the device. Ends with transport_end, which is allowed after a failure too. */
enum outcome transport_begin(struct transport *transport, const struct transport_target *target,
                             struct deadline deadline, struct report *why);
void transport_end(struct transport *transport);

/* Makes sure that the modem, if there is one, listens. ready: an earlier operation did the start-up,
 * skip it. quiet_ms: 0, or how long the line must have been quiet because an earlier operation left
 * with an answer outstanding. Sets EVENT_RESTARTED and EVENT_FORGOT, which tell of the time before
 * this operation then. */
enum outcome transport_wake(struct transport *transport, bool ready, int quiet_ms,
                            struct deadline deadline, struct report *why);

/* True if the transport can ask for the ICCID beside any channel; else only the card tells. */
bool transport_tells_iccid(const struct transport *transport);

/* The ICCID's digits, "" after an error. Errors: OUTCOME_UNSUPPORTED (ask the card on a channel),
 * OUTCOME_REFUSED (this modem does not tell), OUTCOME_TIMEOUT without EVENT_LATE (the same, but it may
 * have told before), OUTCOME_NO_SIM, ... */
enum outcome transport_iccid(struct transport *transport, char iccid[ICCID_SIZE],
                             struct deadline deadline, struct report *why);

/* Whether the modem is registered with a network: REGISTRATION_UNKNOWN where there is no modem or it does not tell.
 * Errors: OUTCOME_NO_MODEM, OUTCOME_TIMEOUT. */
enum outcome transport_registration(struct transport *transport, enum registration *state,
                                    struct deadline deadline, struct report *why);

/* Gives back what it keeps in the modem, when no channel stands any more. */
void transport_release(struct transport *transport, struct deadline deadline);

/* After a refusal that says nothing: asks the modem for the SIM's state. OUTCOME_OK: nothing is wrong
 * with it, or its state is unknown. Errors: OUTCOME_NO_SIM, OUTCOME_PIN_MISSING, OUTCOME_PIN_BLOCKED. */
enum outcome transport_diagnose(struct transport *transport, struct deadline deadline,
                                struct report *why);

/* OUTCOME_NO_SIM with a sentence if EVENT_NO_SIM is set and the transport has a sentence for it, else
 * OUTCOME_OK. */
enum outcome transport_no_sim(const struct transport *transport, struct report *why);

/* See struct transport_line; without a line nothing is done, and nothing is found. */
enum outcome transport_confirm(struct transport *transport, struct deadline deadline,
                               struct report *why);
enum outcome transport_listen(struct transport *transport, int quiet_ms, struct deadline deadline,
                              struct report *why);
enum outcome transport_before_secret(struct transport *transport, struct deadline deadline,
                                     struct report *why);
bool transport_found(struct transport *transport, struct channel *channel);
void transport_keep(struct transport *transport, struct transport_rest *rest);
void transport_give(struct transport *transport, struct transport_rest *rest);

#endif
