/* SPDX-License-Identifier: Apache-2.0 */
/* A modem's MBIM control device as a transport, see mbim.h. */
#include "modem/mbim.h"

#include "modem/manage_channel.h"
#include "modem/mbim_identity.h"

#include <stdlib.h>
#include <string.h>

#define PROXY_SECONDS    10
#define PROXY_TIMEOUT_MS 12000
#define OPEN_TIMEOUT_MS  10000
#define CLOSE_TIMEOUT_MS 10000
#define WAIT_TOTAL_MS    10000 /* for a SIM that is not ready */
#define WAIT_PAUSE_MS    500
#define WAIT_LEAST_MS    (WAIT_PAUSE_MS + 100) /* with less, what it says is told, not a time-out */

/* The bits of transport->kept: the fields of struct mbim by these names. */
#define KEPT_OPENED       0x01u
#define KEPT_SELECT       0x06u
#define KEPT_SELECT_SHIFT 1
#define KEPT_CLASS        0x300u
#define KEPT_CLASS_SHIFT  8
#define KEPT_SLOT         0xF0u
#define KEPT_SLOT_SHIFT   4

/* P2 of SELECT: with FCP, without data, with FCI. Some firmware takes one of them only. */
static const uint8_t selects[] = {0x04, 0x0C, 0x00};
#define SELECTS (sizeof selects / sizeof selects[0])

static struct mbim *self_of(struct transport *transport)
{
    return transport->self;
}

static void keep(struct mbim *mbim)
{
    mbim->transport->kept = (mbim->opened && !mbim->control.proxied ? KEPT_OPENED : 0) |
                            mbim->select << KEPT_SELECT_SHIFT | mbim->slot << KEPT_SLOT_SHIFT |
                            (unsigned)mbim->class << KEPT_CLASS_SHIFT;
}

static void take_kept(struct mbim *mbim)
{
    const unsigned kept = mbim->transport->kept;

    if (!mbim->control.proxied)
        mbim->opened = (kept & KEPT_OPENED) != 0;
    mbim->slot = (kept & KEPT_SLOT) >> KEPT_SLOT_SHIFT;
    mbim->select = (kept & KEPT_SELECT) >> KEPT_SELECT_SHIFT;
    mbim->class = (enum mbim_class)((kept & KEPT_CLASS) >> KEPT_CLASS_SHIFT);
    if (mbim->class > MBIM_CLASS_SWAPPED)
        mbim->class = MBIM_CLASS_UNKNOWN;
}

/* Waits before a command is sent again. False if too little time is left for another answer. */
static bool wait_pause(struct deadline deadline)
{
    if (deadline_left(deadline) <= WAIT_LEAST_MS)
        return false;
    deadline_sleep(deadline, WAIT_PAUSE_MS);
    return true;
}

/* Tells the proxy which device this connection is for, then OPEN, which the proxy answers by itself. */
static enum outcome open_at_proxy(void *arg, struct deadline deadline, struct report *why)
{
    struct mbim *mbim = arg;
    struct mbim_frame request;
    struct mbim_message answer;
    enum outcome outcome;

    mbim_stream_forget(&mbim->stream);
    mbim_configure(&request, mbim->control.node, PROXY_SECONDS);
    do /* busy: another client configures the same modem */
        outcome = mbim_ask(mbim, &request, PROXY_TIMEOUT_MS, deadline, &answer, why);
    while (outcome == OUTCOME_OK && answer.word == MBIM_STATUS_BUSY && wait_pause(deadline));
    if (outcome == OUTCOME_TIMEOUT) /* nothing was said to the modem */
        mbim->transport->events &= ~(unsigned)EVENT_LATE;
    if (outcome != OUTCOME_OK)
        return outcome;
    if (answer.word != MBIM_STATUS_OK)
        return report_set(why, OUTCOME_NO_MODEM, "mbim-proxy cannot open %s (status %lu, %s)",
                          mbim->control.name.path, (unsigned long)answer.word,
                          mbim_status_name(answer.word));
    return mbim_start(mbim, deadline, why);
}

static enum outcome begin(struct transport *transport, const struct transport_target *target,
                          struct deadline deadline, struct report *why)
{
    struct mbim *mbim = transport->self = calloc(1, sizeof *mbim);

    if (mbim == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    mbim->transport = transport;
    mbim->trace = target->trace;
    mbim->wanted_slot = target->slot > 0 ? target->slot : 1;
    return control_open(&mbim->control, target, open_at_proxy, mbim, deadline, why);
}

static void end(struct transport *transport)
{
    struct mbim *mbim = self_of(transport);

    if (mbim == NULL)
        return;
    control_close(&mbim->control);
    explicit_bzero(mbim, sizeof *mbim);
    free(mbim);
    transport->self = NULL;
}

static enum outcome open_and_check(struct mbim *mbim, struct deadline deadline, struct report *why)
{
    enum outcome outcome = mbim->opened ? OUTCOME_OK : mbim_start(mbim, deadline, why);

    if (outcome == OUTCOME_OK && mbim->slot != mbim->wanted_slot) {
        outcome = mbim_check_slot(mbim, deadline, why);
        mbim->slot = outcome == OUTCOME_OK ? mbim->wanted_slot : 0;
    }
    return outcome;
}

static enum outcome wake(struct transport *transport, bool ready, int quiet_ms,
                         struct deadline deadline, struct report *why)
{
    struct mbim *mbim = self_of(transport);
    enum outcome outcome = OUTCOME_OK;

    (void)quiet_ms; /* each answer has the number of its command */
    take_kept(mbim);
    if (!ready) {
        mbim->slot = 0;
        outcome = control_alone(&mbim->control, why);
    }
    if (outcome == OUTCOME_OK)
        outcome = open_and_check(mbim, deadline, why);
    if (outcome == OUTCOME_LOST && !mbim->opened) /* it was opened before, and restarted */
        outcome = open_and_check(mbim, deadline, why);
    keep(mbim);
    return outcome;
}

/* Asks, and again while the SIM is not ready: the card has not seen the command then. once: it has a PIN in
 * it, and is not sent again. */
static enum outcome ask_uicc(struct mbim *mbim, struct mbim_frame *request, int timeout_ms,
                             bool once, struct deadline deadline, struct mbim_message *answer,
                             struct report *why)
{
    const struct deadline patience = deadline_within(deadline, once ? 0 : WAIT_TOTAL_MS);

    for (;;) {
        enum outcome outcome = mbim_ask(mbim, request, timeout_ms, deadline, answer, why);

        if (outcome != OUTCOME_OK || !mbim_must_wait(answer->word) || !wait_pause(patience))
            return outcome;
    }
}

/* ---- channels ---- */

/* A channel that the modem does not know any more counts as closed. */
static enum outcome close_channel(struct transport *transport, struct channel *channel,
                                  struct deadline deadline, struct report *why)
{
    struct mbim *mbim = self_of(transport);
    struct mbim_frame request;
    struct mbim_message answer;
    enum outcome outcome;

    channel->open = false;
    mbim_close_channel(&request, channel->number);
    outcome = ask_uicc(mbim, &request, CLOSE_TIMEOUT_MS, false, deadline, &answer, why);
    keep(mbim);
    if (outcome != OUTCOME_OK || answer.word == MBIM_STATUS_INVALID_CHANNEL)
        return outcome;
    outcome = mbim_outcome(mbim, answer.word, "close a channel", why);
    if (outcome == OUTCOME_OK)
        why->sw = mbim_card_word(&answer);
    return outcome;
}

static enum outcome open_failed(struct mbim *mbim, const struct mbim_message *answer,
                                struct report *why)
{
    const uint16_t sw = mbim_card_word(answer);

    if (answer->word == MBIM_STATUS_NO_CHANNELS) {
        (void)report_set(why, OUTCOME_REFUSED,
                         "the modem has no free channel (MBIM status %lX, %s)",
                         (unsigned long)answer->word, mbim_status_name(answer->word));
        why->sw = sw != 0 && sw != 0x9000 ? sw : 0x6A81; /* what a card says then */
        return OUTCOME_REFUSED;
    }
    if (answer->word == MBIM_STATUS_SELECT_FAILED && sw != 0 && sw != 0x9000 && sw != 0x6A82)
        return report_sw(why, OUTCOME_REFUSED, sw, "the SIM opens no channel to the applet");
    if (answer->word == MBIM_STATUS_SELECT_FAILED) {
        (void)report_set(why, OUTCOME_NO_APPLET,
                         "this SIM does not have the applet (MBIM status %lX, %s)",
                         (unsigned long)answer->word, mbim_status_name(answer->word));
        why->sw = sw;
        return OUTCOME_NO_APPLET;
    }
    return mbim_outcome(mbim, answer->word, "open a channel to the applet", why);
}

/* True for an answer after which another P2 may do. */
static bool may_select_otherwise(const struct mbim *mbim, const struct mbim_message *answer)
{
    const uint16_t sw = mbim_card_word(answer);

    if (answer->word == MBIM_STATUS_INVALID_PARAMETERS)
        return true;
    if (answer->word != MBIM_STATUS_SELECT_FAILED || sw == 0x6985 || sw == 0x6999)
        return false;
    return mbim->select == 0 || sw != 0x6A82; /* one that worked before is believed */
}

/* The P2 to begin with is the one that worked before. */
static unsigned select_in_turn(const struct mbim *mbim, unsigned turn)
{
    const unsigned first = mbim->select > 0 ? mbim->select - 1 : 0;

    if (turn == 0)
        return first;
    return turn <= first ? turn - 1 : turn;
}

/* The modem opened a channel, although the card's status word says that the applet was refused: closes it,
 * because a PIN's state must not be asked of another applet. *answer becomes that of a modem which closes
 * such a channel by itself; its buffer is refusal. */
static void close_unselected(struct mbim *mbim, struct channel *channel,
                             struct mbim_message *answer, uint8_t refusal[4],
                             struct deadline deadline)
{
    struct report ignored = REPORT_INIT;

    memcpy(refusal, answer->buffer, 4);
    (void)close_channel(mbim->transport, channel, deadline, &ignored);
    *answer =
        (struct mbim_message){.word = MBIM_STATUS_SELECT_FAILED, .buffer = refusal, .length = 4};
}

static enum outcome open_channel(struct transport *transport, const struct channel_wish *wish,
                                 struct channel *channel, struct deadline deadline,
                                 struct report *why)
{
    struct mbim *mbim = self_of(transport);
    struct mbim_frame request;
    struct mbim_message answer = {.word = MBIM_STATUS_OK};
    uint8_t number, refusal[4];

    memset(channel, 0, sizeof *channel);
    for (unsigned turn = 0; turn < SELECTS; turn++) {
        const unsigned select = select_in_turn(mbim, turn);
        enum outcome outcome;

        mbim_open_channel(&request, wish->aid, wish->aid_length, selects[select]);
        outcome = ask_uicc(mbim, &request, OPEN_TIMEOUT_MS, false, deadline, &answer, why);
        if (outcome == OUTCOME_OK && answer.word == MBIM_STATUS_FAILURE && turn == 0)
            outcome = ask_uicc(mbim, &request, OPEN_TIMEOUT_MS, false, deadline, &answer, why);
        if (outcome != OUTCOME_OK) {
            keep(mbim);
            return outcome;
        }
        if (answer.word == MBIM_STATUS_OK && mbim_opened(&answer, &number)) {
            *channel = (struct channel){.open = true,
                                        .selected = wish->aid_length > 0,
                                        .carrier = CARRIER_CSIM,
                                        .number = number};
            if (!channel_refused(mbim_card_word(&answer))) {
                mbim->select = select + 1;
                keep(mbim);
                return OUTCOME_OK;
            }
            close_unselected(mbim, channel, &answer, refusal, deadline);
        }
        if (!may_select_otherwise(mbim, &answer))
            break;
    }
    if (answer.word == MBIM_STATUS_OK)
        return report_set(why, OUTCOME_BAD_DATA,
                          "the modem opened a channel and does not say which");
    return open_failed(mbim, &answer, why);
}

/* ---- APDUs ---- */

/* The type of the class byte follows from bit 8 of the CLA; swapped: the other way round. */
static enum outcome send_command(struct mbim *mbim, const struct channel *channel,
                                 const struct exchange *exchange, bool swapped,
                                 struct deadline deadline, struct mbim_message *answer,
                                 struct report *why)
{
    uint8_t command[APDU_COMMAND_SIZE];
    struct mbim_frame request;
    enum outcome outcome;
    bool extended = ((exchange->command[0] & 0x80) != 0) != swapped;

    memcpy(command, exchange->command, exchange->length);
    command[0] = cla_with_channel(command[0], channel->number);
    mbim_send_apdu(&request, channel->number, extended, command, exchange->length);
    outcome = ask_uicc(mbim, &request, exchange->timeout_ms, exchange_has_pin(exchange), deadline,
                       answer, why);
    explicit_bzero(command, sizeof command);
    explicit_bzero(&request, sizeof request);
    return outcome;
}

static enum outcome take_answer(struct mbim *mbim, const struct channel *channel,
                                const struct mbim_message *answer, struct exchange *exchange,
                                struct report *why)
{
    const uint8_t *data;
    uint16_t sw;
    size_t length;

    if (answer->word != MBIM_STATUS_OK)
        return mbim_outcome(mbim, answer->word, "pass a command on to the SIM", why);
    data = mbim_apdu_data(answer, &length);
    sw = mbim_card_word(answer);
    if (data == NULL || sw == 0)
        return report_set(why, OUTCOME_BAD_DATA,
                          "the modem's answer has no status word of the SIM");
    if (length > sizeof mbim->held.data)
        return report_set(why, OUTCOME_BAD_DATA, "the modem's answer is too long (%zu bytes)",
                          length);
    memcpy(mbim->held.data, data, length);
    held_give(&mbim->held, channel, length, sw, exchange);
    return OUTCOME_OK;
}

/* True for the answer of a card or modem to a class byte that was built in the wrong way. */
static bool wrong_class(const struct mbim_message *answer)
{
    const uint16_t sw = mbim_card_word(answer);

    return answer->word == MBIM_STATUS_OK && (sw == 0x6E00 || sw == 0x6881);
}

/* Tries the other type of class byte once, until it is known which one the modem wants. */
static enum outcome send_either(struct mbim *mbim, const struct channel *channel,
                                const struct exchange *exchange, struct deadline deadline,
                                struct mbim_message *answer, struct report *why)
{
    const bool swapped = mbim->class == MBIM_CLASS_SWAPPED;
    enum outcome outcome = send_command(mbim, channel, exchange, swapped, deadline, answer, why);

    if (outcome != OUTCOME_OK || mbim->class != MBIM_CLASS_UNKNOWN ||
        answer->word != MBIM_STATUS_OK)
        return outcome;
    if (!wrong_class(answer)) {
        if (mbim_card_word(answer) == 0x9000)
            mbim->class = MBIM_CLASS_USUAL;
        return OUTCOME_OK;
    }
    if (exchange_has_pin(exchange))
        return OUTCOME_OK;
    outcome = send_command(mbim, channel, exchange, true, deadline, answer, why);
    if (outcome == OUTCOME_OK && answer->word == MBIM_STATUS_OK && !wrong_class(answer))
        mbim->class = MBIM_CLASS_SWAPPED;
    return outcome;
}

static enum outcome exchange_apdu(struct transport *transport, const struct channel *channel,
                                  struct exchange *exchange, struct deadline deadline,
                                  struct report *why)
{
    struct mbim *mbim = self_of(transport);
    struct mbim_message answer = {.word = MBIM_STATUS_OK};
    enum outcome outcome = exchange_check(exchange, why);

    if (outcome == OUTCOME_OK && channel->number == 0) /* the basic channel is the modem's */
        outcome =
            report_set(why, OUTCOME_CARRIER_REFUSED, "no channel by that name is open by MBIM");
    if (outcome == OUTCOME_OK && held_more(&mbim->held, channel, exchange))
        return OUTCOME_OK;
    if (outcome == OUTCOME_OK)
        outcome = send_either(mbim, channel, exchange, deadline, &answer, why);
    if (outcome == OUTCOME_OK && exchange_has_pin(exchange) && mbim_must_wait(answer.word))
        outcome = mbim_pin_unseen(answer.word, why);
    else if (outcome == OUTCOME_OK)
        outcome = take_answer(mbim, channel, &answer, exchange, why);
    explicit_bzero(mbim->stream.data, mbim->stream.used);
    keep(mbim);
    return outcome;
}

/* Closes all channels of the group, also those that were leaked, and the modem itself where it was opened
 * directly. */
static void release(struct transport *transport, struct deadline deadline)
{
    struct mbim *mbim = self_of(transport);
    struct report ignored = REPORT_INIT;
    struct mbim_message answer;
    struct mbim_frame request;

    if (mbim->opened) {
        mbim_close_channel(&request, 0);
        (void)mbim_ask(mbim, &request, CLOSE_TIMEOUT_MS, deadline, &answer, &ignored);
    }
    if (mbim->opened && !mbim->control.proxied) {
        mbim_close(&request);
        (void)mbim_ask(mbim, &request, CLOSE_TIMEOUT_MS, deadline, &answer, &ignored);
    }
    mbim->opened = mbim->opened && mbim->control.proxied;
    transport->kept = 0;
}

static enum outcome identity(struct transport *transport, struct modem_identity *identity,
                             struct deadline deadline, struct report *why)
{
    return mbim_identity(self_of(transport), identity, deadline, why);
}

static enum outcome iccid(struct transport *transport, char iccid[ICCID_SIZE],
                          struct deadline deadline, struct report *why)
{
    return mbim_tell_iccid(self_of(transport), iccid, deadline, why);
}

static enum outcome registration(struct transport *transport, enum registration *state,
                                 struct deadline deadline, struct report *why)
{
    return mbim_registration(self_of(transport), state, deadline, why);
}

static enum outcome diagnose(struct transport *transport, struct deadline deadline,
                             struct report *why)
{
    return mbim_diagnose(self_of(transport), deadline, why);
}

const struct transport_ops transport_mbim = {
    .noun = "modem",
    .ways = {"MBIM", "MBIM", "MBIM"},
    .restarted = "the modem restarted, or another program closed it",
    .carrier = CARRIER_CSIM,
    .selects = true,
    .begin = begin,
    .wake = wake,
    .open = open_channel,
    .exchange = exchange_apdu,
    .close = close_channel,
    .end = end,
    .identity = FOR_TOOLS(identity),
    .iccid = iccid,
    .registration = FOR_TOOLS(registration),
    .diagnose = diagnose,
    .release = release};
