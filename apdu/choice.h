/* SPDX-License-Identifier: Apache-2.0 */
/* The SIM of an ICCID among those of several modems. Which one it is gets known when it is first
 * needed: from the session records, which costs neither an APDU nor a look at a device, else by
 * asking one modem after the other. Where there is only one modem nothing is looked for. No PIN goes
 * to a SIM with another ICCID: each operation checks that by itself. Safe to use from several
 * threads. */
#ifndef SIMKEY_APDU_CHOICE_H
#define SIMKEY_APDU_CHOICE_H

#include "apdu/modems.h"
#include "apdu/sim.h"
#include "modem/deadline.h"
#include "modem/outcome.h"

#include <stdbool.h>
#include <stddef.h>

struct choice;

/* Makes one of 1 to MODEMS_ALL sims, with a reference; takes references of its own to the sims. With
 * more than one, iccid says which SIM is meant. Errors: OUTCOME_SYSTEM. */
enum outcome choice_new(struct choice **choice, struct sim *const sims[], size_t count,
                        const char *iccid, struct report *why);

/* One more reference. Atomic. */
struct choice *choice_ref(struct choice *choice);

/* Gives back a reference. NULL is allowed. */
void choice_free(struct choice *choice);

/* The deadline of an operation that begins now, see sim_deadline. */
struct deadline choice_deadline(const struct choice *choice);

/* What is known now, without any I/O: NULL if the SIM was not looked for yet. Not a reference. */
struct sim *choice_known(const struct choice *choice);

/* What one piece of work has tried so far; all zero at its beginning. */
struct choice_tries {
    unsigned tried;      /* a bit for each modem */
    bool failed;         /* one of them could not be worked with: */
    struct report first; /* as it said */
};

/* The sim to work with. Use it so, because the SIM may have been moved since it was looked for:
 *
 *     struct choice_tries tries = {0};
 *     do {
 *         outcome = choice_sim(choice, &tries, deadline, &sim, why);
 *         if (outcome == OUTCOME_OK)
 *             outcome = ... sim ...;
 *     } while (choice_again(choice, sim, &tries, why));
 *
 * *sim is not a reference. Errors: OUTCOME_WRONG_SIM if no modem has that SIM, or what kept the first
 * of them from being asked. */
enum outcome choice_sim(struct choice *choice, const struct choice_tries *tries,
                        struct deadline deadline, struct sim **sim, struct report *why);

/* True if the work ended (why) with another SIM, none, or no modem, and another modem may have it. */
bool choice_again(struct choice *choice, const struct sim *sim, struct choice_tries *tries,
                  const struct report *why);

/* That, for work that is one function; arg is for it. */
typedef enum outcome choice_fn(struct sim *sim, void *arg, struct deadline deadline,
                               struct report *why);
enum outcome choice_run(struct choice *choice, choice_fn *work, void *arg, struct report *why);

/* The sim by asking, for a program that does one thing: what a record says is asked first. *sim is
 * not a reference. Errors: as choice_sim. */
enum outcome choice_ask(struct choice *choice, struct deadline deadline, struct sim **sim,
                        struct report *why);

#endif
