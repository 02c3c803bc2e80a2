/* SPDX-License-Identifier: Apache-2.0 */
/* The talk with an MBIM modem: one command, its answer, whatever else comes between. Command and answer
 * belong together by service, command and transaction. */
#ifndef SIMKEY_MODEM_MBIM_TALK_H
#define SIMKEY_MODEM_MBIM_TALK_H

#include "modem/control.h"
#include "modem/held.h"
#include "modem/mbim_message.h"

/* Which type of the class byte the modem wants for a CLA below 80. */
enum mbim_class { MBIM_CLASS_UNKNOWN, MBIM_CLASS_USUAL, MBIM_CLASS_SWAPPED };

/* The transport's state (transport->self), made by begin and freed by end. */
struct mbim {
    struct control control;
    struct transport *transport;
    const struct trace *trace;
    unsigned wanted_slot;  /* the setting */
    unsigned slot;         /* the same once it was found to be active, else 0 */
    bool opened;           /* OPEN was answered; directly: also to an earlier operation */
    unsigned select;       /* which P2 of SELECT worked, from 1; 0: not known */
    enum mbim_class class; /* what this modem was found to want */
    uint32_t transaction;
    struct mbim_stream stream;
    struct held held;
};

/* Sends a message and waits for its answer, good or bad; *answer is good until the next call. Sets
 * EVENT_RESTARTED where the modem was closed meanwhile, and EVENT_LATE where an answer is outstanding at
 * the end. Errors: OUTCOME_TIMEOUT, OUTCOME_LOST, OUTCOME_NO_MODEM, OUTCOME_BAD_DATA. */
enum outcome mbim_ask(struct mbim *mbim, struct mbim_frame *request, int timeout_ms,
                      struct deadline deadline, struct mbim_message *answer, struct report *why);

/* Makes the modem, or the proxy, take commands: OPEN. Errors: OUTCOME_NO_MODEM, ... */
enum outcome mbim_start(struct mbim *mbim, struct deadline deadline, struct report *why);

/* What a status means, as a sentence that begins with what was tried ("open a channel"); OUTCOME_OK for
 * MBIM_STATUS_OK. Sets EVENT_NO_SIM. */
enum outcome mbim_outcome(struct mbim *mbim, uint32_t status, const char *what, struct report *why);

/* True for a status that says that the SIM is not ready yet. */
bool mbim_must_wait(uint32_t status);

/* The failure for such a status in answer to a PIN, which the card has not seen then: OUTCOME_TIMEOUT with
 * why->cme 14, as by AT. The caller asks for the tries left before it sends the PIN again. */
enum outcome mbim_pin_unseen(uint32_t status, struct report *why);

#endif
