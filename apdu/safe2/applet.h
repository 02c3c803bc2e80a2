/* SPDX-License-Identifier: Apache-2.0 */
/* The SAFE2 applet: it speaks TLS 1.3 with a server by itself; the device starts a job, asks for
 * its state, and collects the bytes. Each call is one operation: between them the device is neither
 * open nor locked, only the applet's channel stays open until sim_free (and is noted as held, see
 * owners.h). Use a struct sim of its own. */
#ifndef SIMKEY_APDU_SAFE2_APPLET_H
#define SIMKEY_APDU_SAFE2_APPLET_H

#include "apdu/sim.h"
#include "modem/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAFE2_ID_MAX   16
#define SAFE2_DATA_MAX 256 /* what one answer carries; the vendor promises 255 */
#define SAFE2_SEND_MAX 255 /* what one command carries */

/* The two jobs, as P1 of the question for their state names them. */
enum safe2_job { SAFE2_SENDING = 0x01, SAFE2_RECEIVING = 0x02 };

struct safe2_status {
    bool known; /* false: the applet is too old to tell (sending only) */
    uint16_t state;
    uint16_t result; /* the vendor publishes no table: 0000 is success */
};

enum safe2_phase {
    SAFE2_BUSY,
    SAFE2_DONE,   /* successful; of the receiving job: with nothing to fetch */
    SAFE2_READY,  /* data can be fetched */
    SAFE2_FAILED, /* ended with an error: see the result */
};

/* What a state means. */
enum safe2_phase safe2_phase(const struct safe2_status *status);

/* Tells the applet the device's id (1 to 16 bytes) and starts the request for the configuration.
 * Errors: OUTCOME_REFUSED (a job is already running, with its state), OUTCOME_NO_APPLET, ... */
enum outcome safe2_request(struct sim *sim, const uint8_t *id, size_t id_length,
                           struct report *why);

/* Tells the id and hands over telemetry (1 to 255 bytes), which is then sent by itself. */
enum outcome safe2_send(struct sim *sim, const uint8_t *id, size_t id_length, const uint8_t *data,
                        size_t length, struct report *why);

/* The state of a job. */
enum outcome safe2_status(struct sim *sim, enum safe2_job job, struct safe2_status *status,
                          struct report *why);

/* Fetches what the receiving job has got. data has room for SAFE2_DATA_MAX; the caller cleanses it.
 * Errors: OUTCOME_REFUSED (more than that, or nothing). */
enum outcome safe2_fetch(struct sim *sim, uint8_t *data, size_t *length, struct report *why);

#endif
