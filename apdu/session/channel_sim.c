/* SPDX-License-Identifier: Apache-2.0 */
/* In which SIM a channel is: the modem tells the ICCID, or else the card. */
#include "apdu/card/file.h"
#include "apdu/session/channel.h"

#include <stdlib.h>
#include <string.h>

#define EF_ICCID 0x2FE2

/* Reads EF.ICCID (ETSI TS 102 221, 13.2) on the new channel, before the applet is selected: for a modem
 * that does not tell it. */
static enum outcome read_iccid(struct operation *operation, struct report *why)
{
    static const uint8_t path[] = {EF_ICCID >> 8, EF_ICCID & 0xFF};
    struct channel_state *state = operation->current;
    uint8_t *data = NULL;
    size_t size, length = 0;
    enum outcome outcome = file_select(&operation->card, path, sizeof path, &size, why);

    if (outcome == OUTCOME_OK)
        outcome = file_read(&operation->card, 10, SECRET_NOTHING, &data, &length, why);
    if (outcome == OUTCOME_OK && !iccid_from_bytes(data, length, state->iccid))
        outcome = report_set(why, OUTCOME_BAD_DATA, "the SIM's ICCID file holds no number");
    free(data);
    return outcome;
}

enum outcome channel_iccid(struct operation *operation, struct report *why)
{
    enum outcome outcome;

    operation->current->iccid[0] = '\0';
    outcome = read_iccid(operation, why);
    if (outcome == OUTCOME_NOT_FOUND || outcome == OUTCOME_BAD_DATA)
        why->outcome = outcome = OUTCOME_REFUSED;
    if (outcome != OUTCOME_OK)
        operation->current->iccid[0] = '\0';
    return outcome;
}

/* The modem tells it, or else the card, if the channel is new. The card is worth being asked: refused PINs
 * are remembered by the ICCID, and a device may have another name after each restart. A modem that has
 * told it before, but did not answer now, has to tell it. */
static enum outcome ask_iccid(struct operation *operation, struct report *why)
{
    struct channel_state *state = operation->current;
    const struct applet *applet = operation->applet;
    struct report by_card = REPORT_INIT;
    enum outcome outcome =
        transport_iccid(&operation->transport, state->iccid, operation->deadline, why);
    bool silent = outcome == OUTCOME_TIMEOUT && !(operation->transport.events & EVENT_LATE);
    enum outcome told;

    if (outcome == OUTCOME_UNSUPPORTED)
        return channel_iccid(operation, why);
    if (silent && operation->sim->quirks.iccid[0] == '\0')
        outcome = OUTCOME_REFUSED;
    if ((outcome != OUTCOME_REFUSED && !silent) || state->level != LEVEL_OPEN ||
        state->channel.selected || applet == NULL || applet->aid_length == 0)
        return outcome;
    told = channel_iccid(operation, &by_card);
    if (told == OUTCOME_CARRIER_REFUSED ||
        (told != OUTCOME_OK && told != OUTCOME_LOST && by_card.sw != 0))
        return outcome;
    *why = by_card;
    return told;
}

/* What was found out about another SIM is forgotten. */
enum outcome channel_learn_sim(struct operation *operation, struct report *why)
{
    struct channel_state *state = operation->current;
    struct card_quirks *quirks = &operation->sim->quirks;
    enum outcome outcome;

    if (state->iccid_asked)
        return OUTCOME_OK;
    outcome = ask_iccid(operation, why);
    if (outcome == OUTCOME_REFUSED &&
        quirks->iccid[0] != '\0') /* it has told it before, and was in trouble now */
        outcome = ask_iccid(operation, why);
    if (operation->transport.events & EVENT_RESTARTED)
        return report_set(why, OUTCOME_LOST, "%s", operation->transport.ops->restarted);
    if (outcome != OUTCOME_OK && outcome != OUTCOME_REFUSED)
        return outcome;
    state->iccid_asked = operation->told = true;
    if (strcmp(state->iccid, quirks->iccid) != 0) {
        if (quirks->modem & QUIRK_NO_MIAS)
            atomic_store(&operation->sim->misled, true);
        operation->sim->lacks_mias = operation->sim->may_lack_mias = false;
        memset(quirks, 0, sizeof *quirks);
        atomic_store(&operation->sim->family, NULL);
        quirks->max_read = APDU_LE_ALL;
        memcpy(quirks->iccid, state->iccid, sizeof quirks->iccid);
    }
    return OUTCOME_OK;
}

static enum outcome check_iccid(struct operation *operation, const char *iccid, struct report *why)
{
    struct channel_state *state = operation->current;
    enum outcome outcome = OUTCOME_OK;

    if (iccid == NULL || iccid[0] == '\0')
        return OUTCOME_OK;
    if (state->iccid[0] == '\0' && state->level == LEVEL_OPEN && !state->channel.selected)
        outcome = read_iccid(operation, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (state->iccid[0] == '\0')
        return report_set(why, OUTCOME_WRONG_SIM,
                          "this modem does not tell the SIM's ICCID, so that it cannot be checked "
                          "against %s: leave `iccid` out",
                          iccid);
    if (strcmp(state->iccid, iccid) != 0)
        return report_set(why, OUTCOME_WRONG_SIM,
                          "the SIM in the modem is %s, but the key is in %s: insert that one; or, "
                          "if the SIM was replaced, write the new one's PIN into the PIN file, "
                          "then export certificate and key reference again",
                          state->iccid, iccid);
    return OUTCOME_OK;
}

/* A record's ICCID may be out of date, or forged: where it does not fit, the modem is asked. If that tells
 * another one than the record, the applet has to be selected and the PIN verified again. */
enum outcome channel_right_sim(struct operation *operation, const char *iccid, struct report *why)
{
    struct channel_state *state = operation->current;
    char before[ICCID_SIZE];
    enum outcome outcome = channel_learn_sim(operation, why);

    if (outcome == OUTCOME_OK)
        outcome = check_iccid(operation, iccid, why);
    if (outcome != OUTCOME_WRONG_SIM || operation->told || operation->opened ||
        !transport_tells_iccid(&operation->transport))
        return outcome;
    memcpy(before, state->iccid, sizeof before);
    state->iccid_asked = false;
    outcome = channel_learn_sim(operation, why);
    if (outcome == OUTCOME_OK)
        outcome = check_iccid(operation, iccid, why);
    if (state->iccid_asked && before[0] != '\0' && strcmp(state->iccid, before) == 0)
        return outcome;            /* the record was right: the others keep their session */
    if (state->channel.selected) { /* opening selected it */
        state_unverified(state);
        state->environment.set = false;
    } else {
        state_deselected(state);
    }
    return outcome;
}

/* Refused PINs are remembered by the ICCID, and other programs write the record: so it is asked for anew.
 * Where the modem does not tell it, the channel is closed: on a new one the card tells it. */
enum outcome channel_ask_sim(struct operation *operation, struct report *why)
{
    struct channel_state *state = operation->current;
    enum outcome outcome;

    if (operation->told || operation->opened || !transport_tells_iccid(&operation->transport))
        return OUTCOME_OK;
    state->iccid_asked = false;
    outcome = channel_learn_sim(operation, why);
    if (outcome == OUTCOME_OK && state->iccid[0] == '\0') {
        channel_drop(operation, state);
        return OUTCOME_OK;
    }
    return outcome == OUTCOME_OK ? check_iccid(operation, operation->iccid, why) : outcome;
}
