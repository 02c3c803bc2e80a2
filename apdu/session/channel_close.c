/* SPDX-License-Identifier: Apache-2.0 */
/* How channels end: closed, lost, left to the next operation, or found again after their programs
 * died. How they begin is in channel.c. Each stays in the table until it is known to be closed. */
#include "apdu/aid.h"
#include "apdu/session/channel.h"
#include "apdu/session/old_claims.h"
#include "modem/cme.h"
#include "modem/manage_channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_TIMEOUT_MS 2000

/* In this many operations closing a channel may be refused; then it is taken for closed. */
#define CLOSE_REFUSALS 3

/* A channel that answered as ours is ours for this long: a modem takes more time to restart and give its
 * number to another program. */
#define PROOF_MS 1000

/* A question that was not answered is repeated if there is time left for one more time-out of a command
 * (APDU_TIMEOUT_MS), and a second for the rest. */
#define AGAIN_LEAST_MS 6000

/* Channels that a crashed program may have leaked, in the order of closing. Never 1: the modem may
 * be using it. */
static const uint8_t leaked[] = {3, 2};

void channel_lost(struct operation *operation, struct channel_state *state)
{
    struct sim *sim = operation->sim;

    if (state == operation->current)
        operation->selection.aid_length = 0;
    if (state == &sim->mine || state == &operation->oneshot)
        owners_remove(&operation->record.owners, &state->channel);
    state_closed(state);
}

void channel_leave_doubtful(struct operation *operation, struct channel_state *state,
                            enum doubt doubt)
{
    const struct channel channel = state->channel;

    channel_lost(operation, state);
    if (channel.open)
        owners_orphan(&operation->record.owners, &channel, doubt);
}

/* ---- whose is it? ---- */

/* A status word for a command that our applet knows: on this channel is another applet, or none. */
static bool foreign_word(uint16_t sw)
{
    return (sw & 0xFF00) == 0x6A00 || sw == 0x6881 || sw == 0x6985 || sw == 0x6986 ||
           sw == 0x6999 || sw == 0x6D00 || sw == 0x6E00;
}

/* A status word of an applet that does not know STATUS. Anything else may be another command's answer. */
static bool unknown_command(uint16_t sw)
{
    return (sw & 0xFF00) == 0x6700 || (sw & 0xFF00) == 0x6800 || (sw & 0xFF00) == 0x6900 ||
           sw == 0x6A86 || sw == 0x6A88 || (sw & 0xFF00) == 0x6B00 || sw == 0x6D00 || sw == 0x6E00;
}

uint16_t channel_word(struct operation *operation, const struct channel *channel,
                      const struct apdu *command, struct answer *answer, struct report *why)
{
    const struct selection selection = operation->selection;
    struct channel_state *before = operation->current;
    struct channel_state asked = {.channel = *channel};
    const struct proof proof = operation->sim->proof;
    bool answered = operation->answered;

    operation->current = &asked;
    if (apdu_send(&operation->card, command, answer, why) != OUTCOME_OK)
        answer->sw = 0;
    operation->current = before;
    operation->answered = answered;
    operation->sim->proof = proof;
    if (!channel_same(&before->channel, channel))
        operation->selection = selection;
    return answer->sw;
}

/* True if STATUS named an applet that simkey selects. */
static bool names_ours(const struct answer *answer)
{
    static const enum known_aid ours[] = {AID_MIAS, AID_FILES, AID_IOTSAFE, AID_IOTSAFE_THALES,
                                          AID_IOTSAFE_OTHER};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        const struct aid *aid = &aids[ours[i]];

        if (answer->length == 2 + aid->length && answer->data[0] == 0x84 &&
            answer->data[1] == aid->length &&
            memcmp(answer->data + 2, aid->bytes, aid->length) == 0)
            return true;
    }
    return false;
}

/* What is answered to STATUS by name where no application is selected: nothing, an empty name, or that there
 * is none. A network application tells its name. */
static bool has_no_name(const struct answer *answer)
{
    if (answer->sw == SW_OK)
        return answer->length == 0 || (answer->length == 2 && answer->data[0] == 0x84);
    return answer->sw == 0x6A86 || answer->sw == 0x6A82 || answer->sw == 0x6A88 ||
           answer->sw == 0x6985 || answer->sw == 0x6986;
}

/* STATUS (ETSI TS 102 221, 11.1.2) is a question that network applications take, and the card where
 * nothing is selected; with P2 01 they name themselves. Another program may have selected an applet
 * of ours on our channel. */
enum whose channel_whose(struct operation *operation, const struct channel *channel, uint16_t *word)
{
    static const struct apdu status = {
        .cla = 0x80, .ins = 0xF2, .p2 = 0x0C, .le = APDU_LE_NONE}; /* no answer data */
    static const struct apdu name = {.cla = 0x80, .ins = 0xF2, .p2 = 0x01, .le = APDU_LE_ALL};
    const bool by_name = channel->carrier == CARRIER_CCHO || operation->transport.ops->selects;
    struct report why = REPORT_INIT;
    struct answer answer;

    *word = channel_word(operation, channel, &status, &answer, &why);
    if (*word == SW_OK && answer.length > 0) {
        /* another command's answer: the number of a channel, perhaps */
        operation->transport.events |= EVENT_UNASKED;
        operation->sim->line.opening = true;
        return WHOSE_UNKNOWN;
    }
    if (*word == 0 && by_name && (why.cme == CME_SIM_FAILURE || why.cme == CME_UNKNOWN))
        *word = channel_word(operation, channel, &status, &answer, &why);
    /* the modem knows no session of that name: to close it does no harm */
    if (*word == 0 && by_name &&
        (why.outcome == OUTCOME_CARRIER_REFUSED || why.outcome == OUTCOME_LOST) &&
        !(operation->transport.events & (EVENT_RESTARTED | EVENT_UNASKED)))
        return WHOSE_OURS;
    if (*word == 0)
        return why.outcome == OUTCOME_CARRIER_REFUSED ? WHOSE_REFUSED : WHOSE_UNKNOWN;
    if (*word != SW_OK) /* also 6881, which may not be true: closing what is closed does no harm */
        return unknown_command(*word) ? WHOSE_OURS : WHOSE_UNKNOWN;
    (void)channel_word(operation, channel, &name, &answer, &why);
    if (has_no_name(&answer)) {
        /* where answers are off by one, the name comes now */
        (void)channel_word(operation, channel, &name, &answer, &why);
        if (has_no_name(&answer))
            return WHOSE_NAMELESS;
        if (answer.sw != SW_OK)
            return WHOSE_UNKNOWN;
    }
    /* not answered, or not true: it was open above; or the card was in trouble */
    if (answer.sw == 0 || answer.sw == SW_CLOSED_CHANNEL || (answer.sw & 0xFF00) == 0x6F00)
        return WHOSE_UNKNOWN;
    return answer.sw == SW_OK && names_ours(&answer) ? WHOSE_OURS : WHOSE_OTHERS;
}

enum whose channel_whose_surely(struct operation *operation, const struct channel *channel,
                                uint16_t *word)
{
    enum whose whose = channel_whose(operation, channel, word);

    if ((whose == WHOSE_UNKNOWN || *word == SW_CLOSED_CHANNEL) &&
        !(operation->transport.events & (EVENT_RESTARTED | EVENT_UNASKED)) &&
        (*word != 0 || deadline_left(operation->deadline) > AGAIN_LEAST_MS))
        whose = channel_whose(operation, channel, word);
    return whose;
}

/* ---- closing ---- */

/* True for a channel that this operation, this process or the shared sessions use. */
static bool in_use(const struct operation *operation, const struct channel *channel)
{
    return channel_same(channel, &operation->record.shared.channel) ||
           channel_same(channel, &operation->record.second.channel) ||
           channel_same(channel, &operation->sim->mine.channel) ||
           channel_same(channel, &operation->oneshot.channel);
}

/* Closing was refused, or its answer may have been another command's: counts that, once an operation, and
 * gives the channel up after CLOSE_REFUSALS. stays: the command itself was refused, so that the channel is
 * still open. */
static void count_refusal(struct operation *operation, const struct channel *channel,
                          enum doubt doubt, bool stays)
{
    struct owners *owners = &operation->record.owners;
    struct owned *owned = owners_find(owners, channel);
    const struct owned before = owned != NULL ? *owned : (struct owned){.refused = 0};

    owners_orphan(owners, channel, doubt);
    owned = owners_find(owners, channel);
    owned->refused = (before.refused % OWNED_STAYS) + !before.tried;
    owned->tried = true;
    if (owned->refused >= CLOSE_REFUSALS)
        owners_remove(owners, channel);
    else if (stays)
        owned->refused += OWNED_STAYS;
}

/* Notes what came of closing a channel: it is closed, or stays in the table. */
static void note_close(struct operation *operation, const struct channel *channel,
                       enum outcome outcome, const struct report *why)
{
    struct owners *owners = &operation->record.owners;
    const struct owned *owned = owners_find(owners, channel);
    const uint16_t sw = why->sw;

    if (operation->transport.events & (EVENT_RESTARTED | EVENT_NO_SIM)) {
        owners_orphan(owners, channel, DOUBT_GONE);
    } else if (outcome == OUTCOME_OK &&
               (operation->transport.events & (EVENT_FOREIGN | EVENT_UNASKED))) {
        count_refusal(operation, channel, DOUBT_ASK, false);
    } else if (outcome == OUTCOME_OK &&
               (sw == 0 || sw == SW_OK || (sw & 0xFF00) == 0x9100 || (sw & 0xFF00) == 0x6200)) {
        owners_remove(owners, channel);
    } else if (outcome == OUTCOME_OK || outcome == OUTCOME_CARRIER_REFUSED ||
               outcome == OUTCOME_LOST || outcome == OUTCOME_REFUSED) {
        count_refusal(operation, channel, DOUBT_GONE,
                      outcome == OUTCOME_CARRIER_REFUSED ||
                          (outcome == OUTCOME_LOST && why->cme >= 0) || manage_channel_refused(sw));
    } else if (owned == NULL || owned->doubt == DOUBT_NONE) {
        /* it may be closed, and its number another program's: the next operation asks */
        owners_orphan(owners, channel, DOUBT_ASK);
    }
}

void channel_forget_claim(struct operation *operation, uint8_t number)
{
    if (operation->old_claims[number] != OWNER_NONE)
        old_claims_remove(&operation->place, number);
    operation->old_claims[number] = OWNER_NONE;
}

bool channel_close(struct operation *operation, const struct channel *channel)
{
    struct channel copy = *channel; /* *channel may be an entry of the table, which moves */
    const struct channel closed = copy;
    struct report why = REPORT_INIT;
    enum outcome outcome;

    outcome = operation->transport.ops->close(
        &operation->transport, &copy, deadline_within(operation->deadline, CLOSE_TIMEOUT_MS), &why);
    note_close(operation, &closed, outcome, &why);
    if (channel_same(&operation->sim->proof.channel, &closed)) /* it may be closed now */
        operation->sim->proof.channel.open = false;
    if (owners_find(&operation->record.owners, &closed) != NULL)
        return false;
    channel_forget_claim(operation, closed.number);
    return true;
}

bool channel_ask(struct operation *operation, const struct channel *channel)
{
    struct owners *owners = &operation->record.owners;
    const struct channel copy = *channel; /* *channel may be an entry of the table, which moves */
    uint16_t word;
    enum whose whose = channel_whose_surely(operation, &copy, &word);
    struct owned *owned;

    /* nameless: nothing was selected on it yet; on a session an applet always is */
    if (whose == WHOSE_OURS || (whose == WHOSE_NAMELESS && copy.carrier == CARRIER_CSIM))
        return channel_close(operation, &copy);
    owned = owners_find(owners, &copy);
    if (owned != NULL)
        owned->doubt = whose != WHOSE_OTHERS && owned->doubt == DOUBT_NONE ? DOUBT_ASK : DOUBT_GONE;
    return false;
}

/* Whether the channel has answered as ours a moment ago, see PROOF_MS. */
static bool proven(const struct operation *operation, const struct channel *channel)
{
    const struct proof *proof = &operation->sim->proof;

    return channel_same(&proof->channel, channel) && monotonic_ms() < proof->at + PROOF_MS &&
           !(operation->transport.events & (EVENT_RESTARTED | EVENT_FORGOT | EVENT_ECHOED));
}

static bool close_ours(struct operation *operation, const struct channel *channel)
{
    return proven(operation, channel) ? channel_close(operation, channel)
                                      : channel_ask(operation, channel);
}

/* True if this process's own channel does not know the harmless question of its applet (probe) any more:
 * another program has it. */
static bool taken_over(struct operation *operation, const struct channel_state *state)
{
    const struct applet *applet = operation->sim->owner;
    struct report ignored = REPORT_INIT;
    struct answer answer;
    uint16_t word;

    if (state != &operation->sim->mine || state->level < LEVEL_SELECTED || applet == NULL ||
        applet->probe == NULL)
        return false;
    word = channel_word(operation, &state->channel, applet->probe, &answer, &ignored);
    if (word == SW_OK)
        operation->sim->proof = (struct proof){state->channel, monotonic_ms()};
    return foreign_word(word);
}

void channel_drop(struct operation *operation, struct channel_state *state)
{
    const struct channel channel = state->channel;
    /* what was opened since the doubt is no other's */
    bool in_doubt = operation->doubtful && !(operation->opened && state == operation->current);

    if (!channel.open) {
        channel_lost(operation, state);
    } else if (taken_over(operation, state)) {
        channel_leave_doubtful(operation, state, DOUBT_GONE);
    } else if (in_doubt) {
        channel_leave_doubtful(operation, state, DOUBT_ASK);
    } else {
        channel_leave_doubtful(operation, state, DOUBT_NONE);
        (void)close_ours(operation, &channel);
    }
}

void channel_drop_broken(struct operation *operation)
{
    struct record *record = &operation->record;
    struct channel_state *const states[] = {&record->shared, &record->second,
                                            &operation->sim->mine};

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (states[i]->broken)
            channel_drop(operation, states[i]);
}

void channel_close_orphans(struct operation *operation)
{
    const struct owners owners = operation->record.owners;

    for (size_t i = 0; i < owners.count; i++)
        if (owners.list[i].pid == 0 && owners.list[i].doubt == DOUBT_NONE)
            (void)close_ours(operation, &owners.list[i].channel);
}

void channel_ask_doubtful(struct operation *operation, enum doubt most)
{
    const struct owners owners = operation->record.owners;

    for (size_t i = 0; i < owners.count; i++)
        if (owners.list[i].doubt != DOUBT_NONE && owners.list[i].doubt <= most &&
            !in_use(operation, &owners.list[i].channel))
            (void)channel_ask(operation, &owners.list[i].channel);
}

/* ---- by number ---- */

void channel_know_claims(struct operation *operation)
{
    if (!operation->old_claims_known)
        old_claims_read(&operation->place, operation->old_claims);
    operation->old_claims_known = true;
}

/* A modem that takes no APDUs by AT+CSIM may take the number for its session's name. */
static struct channel session_of(unsigned number)
{
    struct channel channel = {.open = true, .carrier = CARRIER_CCHO};

    (void)snprintf(channel.session, sizeof channel.session, "%u", number);
    return channel;
}

static bool has_number(const struct channel_state *state, unsigned number)
{
    return state->level > LEVEL_CLOSED && state->channel.number == number;
}

bool channel_session_known(const struct operation *operation, const struct channel *channel)
{
    const struct owners *owners = &operation->record.owners;

    for (size_t i = 0; i < owners->count; i++)
        if (channel_same(channel, &owners->list[i].channel))
            return true;
    return in_use(operation, channel);
}

bool channel_known(const struct operation *operation, unsigned number)
{
    return has_number(operation->current, number) ||
           has_number(&operation->record.shared, number) ||
           has_number(&operation->record.second, number) ||
           has_number(&operation->sim->mine, number) ||
           owners_know(&operation->record.owners, number);
}

bool channel_ask_left(struct operation *operation, uint8_t number)
{
    struct channel channel = {.open = true, .carrier = CARRIER_CSIM, .number = number};
    uint16_t word;
    enum whose whose = channel_whose_surely(operation, &channel, &word);
    bool close;

    if (whose == WHOSE_REFUSED) {
        channel = session_of(number);
        whose = channel_whose_surely(operation, &channel, &word);
    }
    if (whose == WHOSE_UNKNOWN || whose == WHOSE_REFUSED)
        return false;
    /* 0: the modem knows no such session */
    close = whose != WHOSE_OTHERS && word != SW_CLOSED_CHANNEL && word != 0;
    channel_forget_claim(operation, number);
    return close && channel_close(operation, &channel);
}

static void add_number(struct channel list[CHANNELS_CLOSABLE], size_t *count, unsigned number)
{
    list[(*count)++] =
        (struct channel){.open = true, .carrier = CARRIER_CSIM, .number = (uint8_t)number};
}

size_t channel_closable(struct operation *operation, struct channel list[CHANNELS_CLOSABLE])
{
    static const enum owner order[] = {OWNER_IS_DEAD, OWNER_LIVES};
    const struct owners *owners = &operation->record.owners;
    size_t count = 0;

    channel_know_claims(operation);
    for (size_t i = 0; i < owners->count; i++)
        if (!in_use(operation, &owners->list[i].channel) &&
            owners_state(&owners->list[i]) == OWNER_IS_DEAD)
            list[count++] = owners->list[i].channel;
    for (size_t pass = 0; pass < sizeof order / sizeof order[0]; pass++)
        for (unsigned number = CHANNEL_MAX; number > 0; number--)
            if (!channel_known(operation, number) && operation->old_claims[number] == order[pass])
                add_number(list, &count, number);
    for (size_t i = 0; i < sizeof leaked; i++)
        if (!channel_known(operation, leaked[i]) && operation->old_claims[leaked[i]] == OWNER_NONE)
            add_number(list, &count, leaked[i]);
    return count;
}

bool channel_reclaim(struct operation *operation, const struct channel *channel)
{
    const struct owned *owned = owners_find(&operation->record.owners, channel);

    if (owned != NULL && owned->doubt != DOUBT_NONE)
        return channel_ask(operation, channel);
    if (owned != NULL)
        return close_ours(operation, channel);
    /* a session that was taken out meanwhile is closed */
    return channel->number == 0 || channel_ask_left(operation, channel->number);
}

void channel_close_dead(struct operation *operation)
{
    const struct owners owners = operation->record.owners;

    channel_know_claims(operation);
    for (size_t i = 0; i < owners.count; i++)
        if (owners.list[i].pid > 0 && owners.list[i].doubt == DOUBT_NONE &&
            owners_state(&owners.list[i]) == OWNER_IS_DEAD)
            (void)close_ours(operation, &owners.list[i].channel);
    for (unsigned number = CHANNEL_MAX; number > 0; number--)
        if (!channel_known(operation, number) && operation->old_claims[number] == OWNER_IS_DEAD)
            (void)channel_ask_left(operation, (uint8_t)number);
}
