/* SPDX-License-Identifier: Apache-2.0 */
/* The modem's names, its slot, its SIM's state and ICCID, its network: by MBIM. */
#include "modem/mbim_identity.h"

#include <stdio.h>
#include <string.h>

#define ASK_TIMEOUT_MS 4000

static enum outcome ask(struct mbim *mbim, enum mbim_service service, uint32_t command,
                        struct deadline deadline, struct mbim_message *answer, struct report *why)
{
    struct mbim_frame request;

    mbim_query(&request, service, command);
    return mbim_ask(mbim, &request, ASK_TIMEOUT_MS, deadline, answer, why);
}

enum outcome mbim_check_slot(struct mbim *mbim, struct deadline deadline, struct report *why)
{
    struct mbim_message answer;
    unsigned active;
    enum outcome outcome = ask(mbim, MBIM_EXTENDED, MBIM_SLOT_MAPPINGS, deadline, &answer, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    active = answer.word == MBIM_STATUS_OK ? mbim_active_slot(&answer) : 0;
    if (active == 0 && mbim->wanted_slot > 1)
        return report_set(why, OUTCOME_USAGE,
                          "the modem does not tell of its slots by MBIM, and uses the active one: "
                          "leave out `slot`");
    if (active == 0 || active == mbim->wanted_slot)
        return OUTCOME_OK;
    return report_set(why, OUTCOME_NO_SIM,
                      "slot %u of the modem is not active, slot %u is active: say slot = %u, or "
                      "switch it (mmcli -m any --set-primary-sim-slot=%u)",
                      mbim->wanted_slot, active, active, mbim->wanted_slot);
}

enum outcome mbim_tell_iccid(struct mbim *mbim, char iccid[ICCID_SIZE], struct deadline deadline,
                             struct report *why)
{
    struct mbim_message answer;
    enum outcome outcome = ask(mbim, MBIM_BASIC, MBIM_READY_STATUS, deadline, &answer, why);
    const char *state;

    if (outcome != OUTCOME_OK)
        return outcome;
    state = answer.word == MBIM_STATUS_OK ? mbim_sim_state(&answer) : "";
    if (strcmp(state, "NOT INSERTED") == 0)
        return mbim_outcome(mbim, MBIM_STATUS_NO_SIM, "tell the ICCID", why);
    if (answer.word == MBIM_STATUS_OK && mbim_iccid(&answer, iccid))
        return OUTCOME_OK;
    return report_set(why, OUTCOME_REFUSED, "the modem does not tell the SIM's ICCID by MBIM");
}

enum outcome mbim_identity(struct mbim *mbim, struct modem_identity *identity,
                           struct deadline deadline, struct report *why)
{
    struct mbim_message answer;
    enum outcome outcome;

    memset(identity, 0, sizeof *identity);
    outcome = ask(mbim, MBIM_BASIC, MBIM_DEVICE_CAPS, deadline, &answer, why);
    if (outcome == OUTCOME_OK && answer.word == MBIM_STATUS_OK)
        mbim_names(&answer, identity);
    if (outcome == OUTCOME_OK)
        outcome = ask(mbim, MBIM_BASIC, MBIM_READY_STATUS, deadline, &answer, why);
    if (outcome == OUTCOME_OK && answer.word == MBIM_STATUS_OK)
        (void)snprintf(identity->sim_state, sizeof identity->sim_state, "%s",
                       mbim_sim_state(&answer));
    return outcome;
}

enum outcome mbim_registration(struct mbim *mbim, enum registration *state,
                               struct deadline deadline, struct report *why)
{
    struct mbim_message answer;
    enum outcome outcome = ask(mbim, MBIM_BASIC, MBIM_REGISTER_STATE, deadline, &answer, why);

    *state = REGISTRATION_UNKNOWN;
    if (outcome == OUTCOME_OK && answer.word == MBIM_STATUS_OK)
        *state = mbim_registered(&answer);
    return outcome;
}

enum outcome mbim_diagnose(struct mbim *mbim, struct deadline deadline, struct report *why)
{
    struct mbim_message answer;
    enum outcome outcome = ask(mbim, MBIM_BASIC, MBIM_READY_STATUS, deadline, &answer, why);
    const char *state;

    if (outcome != OUTCOME_OK || answer.word != MBIM_STATUS_OK)
        return outcome;
    state = mbim_sim_state(&answer);
    if (strcmp(state, "SIM PIN") == 0)
        return mbim_outcome(mbim, MBIM_STATUS_PIN_REQUIRED, "reach the SIM", why);
    if (state[0] != '\0' && strcmp(state, "READY") != 0)
        return report_set(why, OUTCOME_NO_SIM, "the SIM is not ready: the modem says \"%s\"",
                          state);
    return OUTCOME_OK;
}
