/* SPDX-License-Identifier: Apache-2.0 */
/* The safe2 command: what its files share. */
#ifndef SIMKEY_APDU_SAFE2_RUN_H
#define SIMKEY_APDU_SAFE2_RUN_H

#include "apdu/safe2/applet.h"
#include "apdu/settings.h"
#include "modem/deadline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct safe2_line {
    struct settings settings;
    const char *modem; /* --modem, NULL: the first one */
    uint8_t id[SAFE2_ID_MAX];
    size_t id_length;       /* 0: the modem's IMEI */
    int64_t timeout_ms;     /* of one job, from its start to its end */
    int64_t interval_ms;    /* between two polls */
    int64_t retry_delay_ms; /* before a failed job is tried again */
    unsigned retries;
    int64_t registration_ms; /* how long to wait for a network, 0: not at all */
    const char *out;         /* NULL: standard output */
    const char *exec;
    char **operands;
    int operand_count;
};

/* One run of the command. */
struct safe2_run {
    const struct safe2_line *line;
    struct sim *sim;
    struct deadline until; /* the end of the job that is under way */
    bool terminal;         /* progress is shown */
    int caught;            /* SIGINT or SIGTERM, once it came */
    bool other;            /* another safe2 that lives waits for a job of this SIM */
};

/* The sub-commands. */
enum outcome safe2_get_command(struct safe2_run *run, struct report *why);
enum outcome safe2_send_command(struct safe2_run *run, struct report *why);
enum outcome safe2_status_command(struct safe2_run *run, struct report *why);

/* Holds SIGINT and SIGTERM back, so that the channel is always closed, or lets them end the process
 * while it waits for somebody else than the SIM. */
void safe2_hold_signals(bool hold);

/* Waits, until SIGINT or SIGTERM ends it (both are blocked while the command works). Returns false
 * if one came: run->caught says which. */
bool safe2_pause(struct safe2_run *run, int64_t ms);

/* Writes a configuration to --out or standard output, and runs --exec if the content changed or was
 * not applied the last time. Errors: OUTCOME_SYSTEM, OUTCOME_REFUSED (the command failed),
 * OUTCOME_TIMEOUT. */
enum outcome safe2_apply(struct safe2_run *run, const uint8_t *data, size_t length,
                         struct report *why);

#endif
