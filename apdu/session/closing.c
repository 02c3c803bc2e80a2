/* SPDX-License-Identifier: Apache-2.0 */
/* How channels end: closed, lost, left to the next operation, or found again after their programs
 * died. How they begin is in channel.c. */
#include "apdu/session/claim.h"
#include "apdu/session/session.h"

#include <stdio.h>
#include <string.h>

#define CLOSE_TIMEOUT_MS 2000

/* Channels that a crashed program may have leaked, in the order of closing. Never 1: the modem may
 * be using it. */
static const uint8_t leaked[] = {3, 2};

void channel_lost(struct operation *operation, struct standing *standing)
{
    struct sim *sim = operation->sim;

    if (standing == operation->standing)
        operation->selection.aid_length = 0;
    if (standing == &sim->own) {
        claim_release(&sim->settings, standing->channel.number, sim->claim);
        sim->claim = -1;
    } else if (standing == &operation->alone) {
        memset(&operation->record.lone, 0, sizeof operation->record.lone);
    }
    memset(&standing->channel, 0, sizeof standing->channel);
    standing->selected = SELECTED_NOTHING;
    standing->broken = standing->kept = false;
    standing_unverify(standing);
    standing->environment.set = false;
    standing->iccid_asked = false; /* its text still serves the operation under way */
}

/* A status word that only another applet, or none, has for a command that ours takes. */
static bool foreign_word(uint16_t sw)
{
    return (sw & 0xFF00) == 0x6A00 || sw == 0x6881 || sw == 0x6985 || sw == 0x6986 ||
           sw == 0x6999 || sw == 0x6D00 || sw == 0x6E00;
}

/* The channel's answer to a command, 0 if there is none. */
static uint16_t word_of(struct operation *operation, struct standing *standing,
                        const struct apdu *command)
{
    struct standing *before = operation->standing;
    struct report ignored = REPORT_INIT;
    struct answer answer;

    operation->standing = standing;
    if (apdu_send(&operation->card, command, &answer, &ignored) != OUTCOME_OK)
        answer.sw = 0;
    operation->standing = before;
    return answer.sw;
}

/* False if the channel answers like somebody else's: where a modem may have restarted unseen, like a
 * network application, which takes STATUS (ETSI TS 102 221, 11.1.2); where the applet has a harmless
 * question of its own, like one that does not know it. */
static bool still_ours(struct operation *operation, struct standing *standing)
{
    static const struct apdu status = {
        .cla = 0x80, .ins = 0xF2, .p2 = 0x0C, .le = APDU_LE_NONE}; /* no answer data */
    const struct applet *applet = operation->sim->owner;
    bool own = standing == &operation->sim->own && standing->selected != SELECTED_NOTHING;

    if (own && applet != NULL && applet->probe != NULL)
        return !foreign_word(word_of(operation, standing, applet->probe));
    /* what was opened since the doubt is no other's */
    if (operation->doubtful && !(operation->opened && standing == operation->standing)) {
        uint16_t word = word_of(operation, standing, &status);

        return word != SW_OK && word != 0x6881;
    }
    return true;
}

bool channel_all_lost(struct operation *operation)
{
    const struct at *at = &operation->transport.at;

    if (!at->restarted && at->no_sim == 0)
        return false;
    channel_lost(operation, &operation->record.standing);
    channel_lost(operation, &operation->sim->own);
    channel_lost(operation, &operation->alone);
    claim_bury_all(&operation->sim->settings); /* so other programs know that theirs are gone */
    operation->sim->line.ready = false;
    return true;
}

void channel_leave_open(struct operation *operation, const struct channel *channel)
{
    struct channel *lone = &operation->record.lone;

    if (!lone->open)
        *lone = *channel;
    else if (channel->number > 0)
        (void)claim_take(&operation->sim->settings, channel->number, false);
    lone->open = true;
}

void channel_close_lone(struct operation *operation)
{
    struct channel lone = operation->record.lone;
    struct report ignored = REPORT_INIT;

    memset(&operation->record.lone, 0, sizeof lone);
    if (!lone.open)
        return;
    transport_use(&operation->transport, lone.carrier);
    (void)operation->transport.ops->close(&operation->transport, &lone,
                                          deadline_within(operation->deadline, CLOSE_TIMEOUT_MS),
                                          &ignored);
}

void channel_drop(struct operation *operation, struct standing *standing)
{
    const struct channel channel = standing->channel;
    struct report ignored = REPORT_INIT;
    enum outcome outcome = OUTCOME_OK;

    transport_use(&operation->transport, channel.carrier);
    if (channel.open && still_ours(operation, standing))
        outcome = operation->transport.ops->close(
            &operation->transport, &standing->channel,
            deadline_within(operation->deadline, CLOSE_TIMEOUT_MS), &ignored);
    channel_lost(operation, standing);
    if (outcome != OUTCOME_OK && outcome != OUTCOME_NO_MODEM && outcome != OUTCOME_NO_SIM &&
        !operation->transport.at.restarted)
        channel_leave_open(operation, &channel);
}

/* True for a channel that this operation knows by other means than a claim. */
static bool known(const struct operation *operation, unsigned number)
{
    return number == operation->standing->channel.number ||
           number == operation->record.standing.channel.number;
}

void channel_close_left(struct operation *operation, uint8_t number)
{
    struct channel channel = {.open = true, .carrier = CARRIER_CSIM, .number = number};
    struct report ignored = REPORT_INIT;
    enum outcome outcome;

    transport_use(&operation->transport, CARRIER_CSIM);
    outcome = operation->transport.ops->close(&operation->transport, &channel, operation->deadline,
                                              &ignored);
    if (outcome == OUTCOME_CARRIER_REFUSED) {
        (void)snprintf(channel.session, sizeof channel.session, "%u", number);
        (void)transport_ccho.close(&operation->transport, &channel, operation->deadline, &ignored);
    }
    claim_bury(&operation->sim->settings, number);
}

void channel_close_unheard(struct operation *operation)
{
    struct line *line = &operation->sim->line;
    uint8_t number = operation->standing->channel.number;

    if (operation->unheard && line->last > 0 && number > line->last &&
        !known(operation, line->last) &&
        claim_look(&operation->sim->settings, line->last) == CLAIM_NONE)
        channel_close_left(operation, (uint8_t)line->last);
    operation->unheard = false;
    line->last = number;
}

size_t channel_closable(const struct operation *operation, uint8_t list[CHANNELS_CLOSABLE])
{
    static const enum claim order[] = {CLAIM_DEAD, CLAIM_OURS};
    const struct settings *settings = &operation->sim->settings;
    size_t count = 0;

    for (size_t pass = 0; pass < sizeof order / sizeof order[0]; pass++)
        for (uint8_t number = CHANNEL_MAX; number > 0; number--)
            if (!known(operation, number) && claim_look(settings, number) == order[pass])
                list[count++] = number;
    for (size_t i = 0; i < sizeof leaked; i++)
        if (!known(operation, leaked[i]) && claim_look(settings, leaked[i]) == CLAIM_NONE)
            list[count++] = leaked[i];
    return count;
}

bool channel_close_stray(struct operation *operation)
{
    static const char csim[] = "+CSIM:", ccho[] = "+CCHO:";
    const char *stray = operation->transport.at.stray;
    struct channel channel = {.open = true, .carrier = CARRIER_CCHO};
    struct report ignored = REPORT_INIT;
    uint8_t answer[APDU_ANSWER_SIZE];

    if (strncmp(stray, csim, sizeof csim - 1) == 0 &&
        at_parse_apdu(stray + sizeof csim - 1, answer, sizeof answer) == 3 && answer[1] == 0x90 &&
        answer[0] >= 1 && answer[0] <= CHANNEL_MAX) {
        channel_close_left(operation, answer[0]);
        return true;
    }
    if (strncmp(stray, ccho, sizeof ccho - 1) != 0 ||
        !ccho_take_session(stray + sizeof ccho - 1, &channel))
        return false;
    (void)transport_ccho.close(&operation->transport, &channel, operation->deadline, &ignored);
    return true;
}

/* The number that a session's name is, 0 if it is another word. */
static unsigned session_number(const struct channel *channel)
{
    const char *rest = channel->session;
    long number;

    if (!channel->open || channel->carrier != CARRIER_CCHO || !at_take_number(&rest, &number) ||
        *rest != '\0' || number < 1 || number > CHANNEL_MAX)
        return 0;
    return (unsigned)number;
}

void channel_close_missed(struct operation *operation)
{
    const unsigned shared = session_number(&operation->record.standing.channel);
    const unsigned mine = session_number(&operation->sim->own.channel);
    struct channel missed = {.open = true, .carrier = CARRIER_CCHO};
    struct report ignored = REPORT_INIT;
    unsigned number = 1;

    if (shared == 0)
        return;
    while (number == shared || number == mine)
        number++;
    (void)snprintf(missed.session, sizeof missed.session, "%u", number);
    (void)transport_ccho.close(&operation->transport, &missed,
                               deadline_within(operation->deadline, CLOSE_TIMEOUT_MS), &ignored);
}

void channel_bury_dead(struct operation *operation)
{
    for (uint8_t number = CHANNEL_MAX; number > 0; number--)
        if (!known(operation, number) &&
            claim_look(&operation->sim->settings, number) == CLAIM_DEAD)
            channel_close_left(operation, number);
}
