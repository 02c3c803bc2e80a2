/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing among the SIMs of several modems. */
#include "apdu/choice.h"

#include "apdu/agent/client.h"
#include "apdu/session/record.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NOT_KNOWN (-1)

struct choice {
    _Atomic unsigned references;
    atomic_int found; /* index of the one that has the SIM, or NOT_KNOWN */
    char iccid[ICCID_SIZE];
    size_t count;
    struct sim *sims[];
};

enum outcome choice_new(struct choice **made, struct sim *const sims[], size_t count,
                        const char *iccid, struct report *why)
{
    struct choice *choice = calloc(1, sizeof *choice + count * sizeof choice->sims[0]);

    *made = choice;
    if (choice == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    atomic_init(&choice->references, 1);
    atomic_init(&choice->found, count == 1 ? 0 : NOT_KNOWN);
    strncpy(choice->iccid, iccid, ICCID_SIZE - 1);
    choice->count = count;
    for (size_t i = 0; i < count; i++)
        choice->sims[i] = sim_ref(sims[i]);
    return OUTCOME_OK;
}

struct choice *choice_ref(struct choice *choice)
{
    (void)atomic_fetch_add(&choice->references, 1);
    return choice;
}

void choice_free(struct choice *choice)
{
    if (choice == NULL || atomic_fetch_sub(&choice->references, 1) != 1)
        return;
    for (size_t i = 0; i < choice->count; i++)
        sim_free(choice->sims[i]);
    free(choice);
}

struct sim *choice_known(const struct choice *choice)
{
    int found = atomic_load(&choice->found);

    return found == NOT_KNOWN ? NULL : choice->sims[found];
}

struct deadline choice_deadline(const struct choice *choice)
{
    const struct sim *known = choice_known(choice);

    return sim_deadline(known != NULL ? known : choice->sims[0]);
}

/* The one whose record names the SIM: a hint. */
static int look_up(const struct choice *choice)
{
    struct record record;

    for (size_t i = 0; i < choice->count; i++)
        if (!settings_agent(sim_settings(choice->sims[i])->device, NULL) &&
            record_peek(sim_settings(choice->sims[i]), &record) &&
            (strcmp(record.quirks.iccid, choice->iccid) == 0 ||
             (record.shared.level > LEVEL_CLOSED &&
              strcmp(record.shared.iccid, choice->iccid) == 0) ||
             (record.second.level > LEVEL_CLOSED &&
              strcmp(record.second.iccid, choice->iccid) == 0)))
            return (int)i;
    return NOT_KNOWN;
}

/* A share of the time for each modem that is still to be asked, and one for the work: a modem that
 * says nothing must not cost the others their turn. */
static struct deadline share_of(struct deadline deadline, size_t to_ask)
{
    return deadline_in(deadline_left(deadline) / (int64_t)(to_ask + 1));
}

struct asking {
    unsigned tried; /* not to be asked */
    int silent;     /* the first that was asked and does not tell its SIM's ICCID */
    int failed;     /* how many could not be asked */
    struct report why;
};

/* The agent may have several modems. */
static enum outcome ask_iccid(const struct choice *choice, size_t index, struct deadline deadline,
                              char iccid[ICCID_SIZE], struct report *why)
{
    struct sim *sim = choice->sims[index];

    return settings_agent(sim_settings(sim)->device, NULL)
               ? agent_iccid(sim, choice->iccid, iccid, deadline, why)
               : sim_iccid(sim, iccid, deadline, why);
}

/* Asks one. True if it has the SIM. */
static bool ask_one(const struct choice *choice, size_t index, struct deadline deadline,
                    struct asking *asking)
{
    char iccid[ICCID_SIZE] = "";
    struct report why = REPORT_INIT;

    if ((asking->tried & 1u << index) != 0)
        return false;
    asking->tried |= 1u << index;
    if (ask_iccid(choice, index, deadline, iccid, &why) != OUTCOME_OK) {
        if (asking->failed++ == 0) {
            asking->why = why;
            report_prefix(&asking->why, "no modem was found that has the SIM %s; %.160s",
                          choice->iccid, sim_settings(choice->sims[index])->device);
        }
        return false;
    }
    if (iccid[0] == '\0' && asking->silent == NOT_KNOWN)
        asking->silent = (int)index;
    return strcmp(iccid, choice->iccid) == 0;
}

static size_t left_to_ask(const struct choice *choice, unsigned tried)
{
    size_t left = 0;

    for (size_t i = 0; i < choice->count; i++)
        left += (tried & 1u << i) == 0;
    return left;
}

/* Asks hint first, then the others in their order. */
static enum outcome ask_all(struct choice *choice, int hint, unsigned tried,
                            struct deadline deadline, struct sim **sim, struct report *why)
{
    struct asking asking = {.tried = tried, .silent = NOT_KNOWN, .why = REPORT_INIT};
    int found = NOT_KNOWN;

    if (hint != NOT_KNOWN &&
        ask_one(choice, (size_t)hint, share_of(deadline, left_to_ask(choice, tried)), &asking))
        found = hint;
    for (size_t i = 0; i < choice->count && found == NOT_KNOWN; i++)
        if (ask_one(choice, i, share_of(deadline, left_to_ask(choice, asking.tried)), &asking))
            found = (int)i;
    /* one that does not tell: the work itself reads it from the card and compares */
    if (found == NOT_KNOWN)
        found = asking.silent;
    if (found != NOT_KNOWN) {
        atomic_store(&choice->found, found);
        *sim = choice->sims[found];
        return OUTCOME_OK;
    }
    if (asking.failed > 0) {
        *why = asking.why;
        return why->outcome;
    }
    return report_set(why, OUTCOME_WRONG_SIM,
                      "none of the %zu configured modems has the SIM %s, in which the key is: "
                      "insert it, or export the key reference again",
                      choice->count, choice->iccid);
}

enum outcome choice_sim(struct choice *choice, const struct choice_tries *tries,
                        struct deadline deadline, struct sim **sim, struct report *why)
{
    int found = tries->tried == 0 ? atomic_load(&choice->found) : NOT_KNOWN;
    enum outcome outcome;

    if (found == NOT_KNOWN && tries->tried == 0) {
        found = look_up(choice);
        atomic_store(&choice->found, found);
    }
    if (found != NOT_KNOWN) {
        *sim = choice->sims[found];
        return OUTCOME_OK;
    }
    outcome = ask_all(choice, NOT_KNOWN, tries->tried, deadline, sim, why);
    if (outcome == OUTCOME_OK || !tries->failed)
        return outcome;
    *why = tries->first; /* the SIM is likely to be there still */
    return why->outcome;
}

bool choice_again(struct choice *choice, const struct sim *sim, struct choice_tries *tries,
                  const struct report *why)
{
    bool moved = why->outcome == OUTCOME_WRONG_SIM || why->outcome == OUTCOME_NO_SIM ||
                 why->outcome == OUTCOME_NO_MODEM;

    if (!moved || choice->count == 1 || sim == NULL)
        return false;
    for (size_t i = 0; i < choice->count; i++)
        if (choice->sims[i] == sim && (tries->tried & 1u << i) == 0) {
            if (why->outcome != OUTCOME_WRONG_SIM && !tries->failed) {
                tries->failed = true;
                tries->first = *why;
            }
            tries->tried |= 1u << i;
            atomic_store(&choice->found, NOT_KNOWN);
            return left_to_ask(choice, tries->tried) > 0;
        }
    return false;
}

enum outcome choice_run(struct choice *choice, choice_fn *work, void *arg, struct report *why)
{
    const struct deadline deadline = choice_deadline(choice); /* of all tries */
    struct sim *sim = NULL;
    struct choice_tries tries = {.tried = 0};
    enum outcome outcome;

    do {
        outcome = choice_sim(choice, &tries, deadline, &sim, why);
        if (outcome == OUTCOME_OK)
            outcome = work(sim, arg, deadline, why);
    } while (choice_again(choice, sim, &tries, why));
    return outcome;
}

enum outcome choice_ask(struct choice *choice, struct deadline deadline, struct sim **sim,
                        struct report *why)
{
    *sim = choice->sims[0];
    if (choice->count == 1)
        return OUTCOME_OK;
    return ask_all(choice, look_up(choice), 0, deadline, sim, why);
}
