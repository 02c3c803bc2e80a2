/* SPDX-License-Identifier: Apache-2.0 */
/* One SIM behind one device as this process knows it: what its last operation
 * left open on the card and what the card refused. Nothing is held open between operations: no descriptor, no
 * lock, no thread. */
#ifndef SIMKEY_APDU_SIM_H
#define SIMKEY_APDU_SIM_H

#include "apdu/settings.h"
#include "modem/deadline.h"
#include "modem/identity.h"
#include "modem/outcome.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sim;
struct transport_ops;

/* Makes one from a copy of the settings, with one reference. No I/O. Errors: OUTCOME_USAGE when no
 * device is set. */
enum outcome sim_new(struct sim **sim, const struct settings *settings, struct report *why);

/* One more reference. Atomic. */
struct sim *sim_ref(struct sim *sim);

/* Gives back a reference. The last one closes the channel that this process left open: best effort,
 * under half a second, silent. NULL is allowed. */
void sim_free(struct sim *sim);

/* Closes the channel that this process left open, as sim_free does; the next operation opens another. */
void sim_close(struct sim *sim);

/* True while an operation is under way, in whatever thread, also one that a signal's handler
 * interrupted. */
bool sim_in_use(const struct sim *sim);

/* A channel that sim_shut looked at. */
enum sim_channel_end {
    SIM_CHANNEL_CLOSED, /* no process used it any more */
    SIM_CHANNEL_HELD,   /* a living process must not lose it: left open */
    SIM_CHANNEL_OTHERS, /* a network application is selected on it: left open */
    SIM_CHANNEL_STAYS,  /* it could not be asked or closed: the next operation tries again */
};
struct sim_channel {
    char name[24]; /* its number, or the modem's name for it */
    bool session;  /* the latter: it was opened by AT+CCHO */
    enum sim_channel_end end;
    long pid; /* of the process that holds it, 0 if that is not known */
};
#define SIM_CHANNELS 40
struct sim_found {
    bool closed; /* the one that processes share was open */
    size_t count;
    struct sim_channel channels[SIM_CHANNELS]; /* all others */
};

/* Closes the channel that processes share, whoever opened it, and every other one that may be
 * simkey's and that no living process holds, recorded or not; those in doubt are asked first. Programs
 * that go on open another. What was learnt of the card is forgotten. */
enum outcome sim_shut(struct sim *sim, struct sim_found *found, struct report *why);

/* The deadline of an operation that begins now: the setting `timeout` from now, or the limit. */
struct deadline sim_deadline(const struct sim *sim);

/* From now on no operation lasts longer than this: for a program that has one time-out for all it
 * does. Not while other threads use the sim. */
void sim_limit(struct sim *sim, struct deadline limit);

/* From now on the card is reached by this transport, whatever the name of the device says: for a
 * program that brings one of its own (modem/transport.h). Not while other threads use the sim. */
void sim_reach_by(struct sim *sim, const struct transport_ops *transport);

/* From now on this process works with the SIM in the name of another one that lives longer: that one is a
 * user of the session that processes share, and sim_close takes it out. Before the first use. */
void sim_act_for(struct sim *sim, pid_t pid);

/* Each start of an operation asks this, once it has the device and before anything is said to it: false
 * ends it (OUTCOME_TIMEOUT). For who works for somebody that may go away. Before the first use. */
void sim_ask_before(struct sim *sim, bool (*wanted)(void *arg), void *arg);

/* The settings it was made from. */
const struct settings *sim_settings(const struct sim *sim);

/* What is open on the card must not be trusted any more (a signature did not verify): the next
 * operation starts from a new channel. */
void sim_forget(struct sim *sim);

/* The modem, its SIM's state and ICCID ("" if it cannot tell), in one operation that opens no
 * channel. Of a card reader its name, and the ICCID as the card tells it on a channel. */
enum outcome sim_identity(struct sim *sim, struct modem_identity *identity, char iccid[ICCID_SIZE],
                          struct report *why);

/* The ICCID alone, before the deadline, in one operation that opens no channel (but in a card
 * reader): "" if the modem cannot tell it. */
enum outcome sim_iccid(struct sim *sim, char iccid[ICCID_SIZE], struct deadline deadline,
                       struct report *why);
/* The ICCID as the SIM itself tells it, on a channel of its own that is closed again: where the modem
 * does not tell. Errors: OUTCOME_REFUSED, OUTCOME_CARRIER_REFUSED (no APDUs but to an applet), ... */
enum outcome sim_card_iccid(struct sim *sim, char iccid[ICCID_SIZE], struct report *why);

/* Whether the modem is registered with a network, in one operation that opens no channel. */
enum outcome sim_registration(struct sim *sim, enum registration *state, struct report *why);

/* Whether an applet can be selected, on a channel of its own that is closed again. name is for
 * sentences. *carrier: what opened the channel, CARRIER_AUTO if none could be opened. Errors:
 * OUTCOME_NO_APPLET, ... */
enum outcome sim_probe(struct sim *sim, const uint8_t *aid, size_t aid_length, const char *name,
                       enum carrier *carrier, struct report *why);

/* What programs noted of a device in the run-dir, without a look at the device: it may have another SIM
 * by now. applet: one that signed or was selected, as simkey info names it; NULL: nothing is known.
 * False if no SIM is noted. */
struct sim_noted {
    char iccid[ICCID_SIZE];
    const char *applet;
};
bool sim_noted(const struct settings *settings, struct sim_noted *noted);

/* What a raw APDU (simkey apdu) is answered. */
struct sim_answer {
    uint8_t data[4096];
    size_t length;
    uint16_t sw;
};

/* Sends raw APDUs on a fresh channel, with the applet selected if aid_length is not 0, and hands
 * each answer to got (stops if that returns false). The channel bits of each CLA are set here. The
 * channel is closed afterwards. */
struct sim_raw {
    const uint8_t *aid;
    size_t aid_length;
    size_t count;
    const uint8_t *const *commands;
    const size_t *lengths;
    bool (*got)(void *arg, size_t index, const struct sim_answer *answer);
    void *arg;
    bool pins; /* PIN commands of the selected applet too, of which a wrong one costs a try */
};
/* Whether that may be sent, as far as can be told before: OUTCOME_USAGE for a PIN command without pins.
 * No I/O. To IoT SAFE's applet, 24, 2C and 2D are none. */
enum outcome sim_raw_check(const struct sim *sim, const struct sim_raw *raw, struct report *why);

enum outcome sim_raw(struct sim *sim, const struct sim_raw *raw, struct report *why);

#endif
