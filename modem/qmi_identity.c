/* SPDX-License-Identifier: Apache-2.0 */
/* The modem's names, its slots, its SIM's state and ICCID, its network: by QMI. */
#include "modem/qmi_identity.h"

#include <stdio.h>
#include <string.h>

#define ASK_TIMEOUT_MS 4000

/* Asks a question without arguments. */
static enum outcome ask(struct qmi *qmi, uint8_t service, uint8_t client, uint16_t id,
                        struct deadline deadline, struct qmi_message *answer, struct report *why)
{
    struct qmi_frame request;

    qmi_request(&request, service, client, id);
    return qmi_ask(qmi, &request, ASK_TIMEOUT_MS, deadline, answer, why);
}

/* The same on UIM. OUTCOME_CARRIER_REFUSED: the modem does not tell. */
static enum outcome ask_uim(struct qmi *qmi, uint16_t id, struct deadline deadline,
                            struct qmi_message *answer, struct report *why)
{
    enum outcome outcome = qmi_need_client(qmi, deadline, why);

    if (outcome == OUTCOME_OK)
        outcome = ask(qmi, QMI_UIM, qmi->client, id, deadline, answer, why);
    if (outcome != OUTCOME_OK || qmi_result(answer) == QMI_OK)
        return outcome;
    if (qmi_result(answer) == QMI_INVALID_CLIENT)
        return qmi_outcome(qmi, QMI_INVALID_CLIENT, "tell its state", why);
    return report_set(why, OUTCOME_CARRIER_REFUSED, "the modem does not tell (QMI error %u, %s)",
                      qmi_result(answer), qmi_error_name(qmi_result(answer)));
}

static enum outcome other_slot(const struct qmi *qmi, const struct qmi_slots *slots,
                               struct report *why)
{
    char active[64] = "and no other is: switch it on";

    for (unsigned i = 0; i < slots->count; i++)
        if (slots->slot[i].active)
            (void)snprintf(active, sizeof active, "slot %u is active: say slot = %u, or switch it",
                           i + 1, i + 1);
    return report_set(why, OUTCOME_NO_SIM,
                      "slot %u of the modem is not active, %s (mmcli -m any "
                      "--set-primary-sim-slot=%u)",
                      qmi->wanted_slot, active, qmi->wanted_slot);
}

/* Asks for the wanted slot's logical number. If the modem does not tell, it is the number itself. */
static enum outcome find_slot(struct qmi *qmi, struct deadline deadline, struct report *why)
{
    struct qmi_message answer;
    struct qmi_slots slots;
    enum outcome outcome = ask_uim(qmi, QMI_UIM_SLOT_STATUS, deadline, &answer, why);

    if (outcome == OUTCOME_CARRIER_REFUSED ||
        (outcome == OUTCOME_OK && !qmi_slots(&answer, &slots))) {
        report_clear(why);
        qmi->slot = (uint8_t)qmi->wanted_slot;
        return OUTCOME_OK;
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    if (qmi->wanted_slot > slots.count)
        return report_set(why, OUTCOME_USAGE, "the modem has %u SIM slot%s: there is no slot %u",
                          slots.count, slots.count > 1 ? "s" : "", qmi->wanted_slot);
    if (!slots.slot[qmi->wanted_slot - 1].active)
        return other_slot(qmi, &slots, why);
    qmi->slot = slots.slot[qmi->wanted_slot - 1].logical & 0x0F;
    if (qmi->slot == 0)
        qmi->slot = 1;
    return OUTCOME_OK;
}

enum outcome qmi_need_slot(struct qmi *qmi, struct deadline deadline, struct report *why)
{
    enum outcome outcome = qmi_need_client(qmi, deadline, why);

    return outcome != OUTCOME_OK || qmi->slot != 0 ? outcome : find_slot(qmi, deadline, why);
}

/* In the first slot by the session of the network's application (0), else by the card's own (6, 7, ...). */
enum outcome qmi_tell_iccid(struct qmi *qmi, char iccid[ICCID_SIZE], struct deadline deadline,
                            struct report *why)
{
    enum outcome outcome = qmi_need_slot(qmi, deadline, why);

    for (unsigned way = qmi->slot == 1 ? 0 : 1; outcome == OUTCOME_OK && way < 2; way++) {
        const uint8_t session = way == 0 ? 0 : (uint8_t)(6 + qmi->slot - 1);
        struct qmi_frame request;
        struct qmi_message answer;

        qmi_read_iccid(&request, qmi->client, session);
        outcome = qmi_ask(qmi, &request, ASK_TIMEOUT_MS, deadline, &answer, why);
        if (outcome != OUTCOME_OK)
            return outcome;
        if (qmi_result(&answer) == QMI_OK && qmi_iccid(&answer, iccid))
            return OUTCOME_OK;
        if (qmi_result(&answer) == QMI_INVALID_CLIENT || qmi_result(&answer) == QMI_NO_SIM ||
            qmi_result(&answer) == QMI_UNINITIALISED)
            return qmi_outcome(qmi, qmi_result(&answer), "tell the ICCID", why);
    }
    if (outcome == OUTCOME_OK)
        return report_set(why, OUTCOME_REFUSED, "the modem does not tell the SIM's ICCID by QMI");
    return outcome;
}

/* One name of the modem on a client id of DMS; one that it does not tell stays empty. */
static enum outcome ask_name(struct qmi *qmi, uint8_t client, uint16_t id, uint8_t type, char *to,
                             size_t size, struct deadline deadline, struct report *why)
{
    struct qmi_message answer;
    enum outcome outcome = ask(qmi, QMI_DMS, client, id, deadline, &answer, why);

    if (outcome == OUTCOME_OK && qmi_result(&answer) == QMI_OK)
        qmi_text(&answer, type, to, size);
    return outcome;
}

enum outcome qmi_identity(struct qmi *qmi, struct modem_identity *identity,
                          struct deadline deadline, struct report *why)
{
    const struct {
        uint16_t id;
        uint8_t type;
        char *field;
        size_t size;
    } questions[] = {
        {QMI_DMS_MANUFACTURER, 0x01, identity->manufacturer, sizeof identity->manufacturer},
        {QMI_DMS_MODEL, 0x01, identity->model, sizeof identity->model},
        {QMI_DMS_REVISION, 0x01, identity->revision, sizeof identity->revision},
        {QMI_DMS_IDS, 0x11, identity->imei, sizeof identity->imei},
    };
    struct qmi_message answer;
    enum outcome outcome;
    uint8_t client;

    memset(identity, 0, sizeof *identity);
    outcome = qmi_take_client(qmi, QMI_DMS, &client, deadline, why);
    if (outcome == OUTCOME_OK) {
        for (size_t i = 0; i < sizeof questions / sizeof questions[0] && outcome == OUTCOME_OK; i++)
            outcome = ask_name(qmi, client, questions[i].id, questions[i].type, questions[i].field,
                               questions[i].size, deadline, why);
        qmi_drop_client(qmi, QMI_DMS, client, deadline);
    } else if (outcome == OUTCOME_CARRIER_REFUSED || outcome == OUTCOME_REFUSED) {
        outcome = OUTCOME_OK; /* it tells no names */
    }
    if (outcome == OUTCOME_OK)
        outcome = qmi_need_slot(qmi, deadline, why);
    if (outcome == OUTCOME_OK)
        outcome = ask_uim(qmi, QMI_UIM_CARD_STATUS, deadline, &answer, why);
    if (outcome == OUTCOME_OK)
        (void)snprintf(identity->sim_state, sizeof identity->sim_state, "%s",
                       qmi_sim_state(&answer, qmi->slot));
    if (outcome == OUTCOME_CARRIER_REFUSED)
        outcome = OUTCOME_OK;
    if (outcome == OUTCOME_OK)
        report_clear(why);
    return outcome;
}

enum outcome qmi_registration(struct qmi *qmi, enum registration *state, struct deadline deadline,
                              struct report *why)
{
    struct qmi_message answer;
    uint8_t client;
    enum outcome outcome = qmi_take_client(qmi, QMI_NAS, &client, deadline, why);

    *state = REGISTRATION_UNKNOWN;
    if (outcome == OUTCOME_OK) {
        outcome = ask(qmi, QMI_NAS, client, QMI_NAS_SERVING_SYSTEM, deadline, &answer, why);
        if (outcome == OUTCOME_OK && qmi_result(&answer) == QMI_OK)
            *state = qmi_registered(&answer);
        qmi_drop_client(qmi, QMI_NAS, client, deadline);
    }
    if (outcome != OUTCOME_CARRIER_REFUSED && outcome != OUTCOME_REFUSED)
        return outcome;
    report_clear(why);
    return OUTCOME_OK;
}

enum outcome qmi_diagnose(struct qmi *qmi, struct deadline deadline, struct report *why)
{
    struct qmi_message answer;
    enum outcome outcome = qmi_need_slot(qmi, deadline, why);
    const char *state;

    if (outcome == OUTCOME_OK)
        outcome = ask_uim(qmi, QMI_UIM_CARD_STATUS, deadline, &answer, why);
    if (outcome == OUTCOME_CARRIER_REFUSED) {
        report_clear(why);
        return OUTCOME_OK;
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    state = qmi_sim_state(&answer, qmi->slot);
    if (strcmp(state, "SIM PIN") == 0)
        return report_set(why, OUTCOME_PIN_MISSING,
                          "the SIM waits for its own PIN1: unlock it (mmcli -i any --pin=...)");
    if (state[0] != '\0' && strcmp(state, "READY") != 0)
        return report_set(why, OUTCOME_NO_SIM, "the SIM is not ready: the modem says \"%s\"",
                          state);
    return OUTCOME_OK;
}
