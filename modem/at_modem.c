/* SPDX-License-Identifier: Apache-2.0 */
/* A modem's AT port as a transport, see at_modem.h. */
#include "modem/at_modem.h"

#include "modem/at_apdu.h"
#include "modem/at_echo.h"
#include "modem/at_identity.h"
#include "modem/carrier.h"

#include <stdlib.h>
#include <string.h>

static struct at *line_of(struct transport *transport)
{
    struct at_modem *modem = transport->self;

    return &modem->at;
}

static enum outcome modem_begin(struct transport *transport, const struct transport_target *target,
                                struct deadline deadline, struct report *why)
{
    struct at_modem *modem = transport->self = calloc(1, sizeof *modem);
    struct port *port;
    enum outcome outcome;

    if (modem == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    modem->device = target->device;
    outcome = port_open(&port, target->device, target->baud, deadline, target->turn, why);
    at_init(&modem->at, port, target->trace, &transport->events);
    return outcome;
}

static void modem_end(struct transport *transport)
{
    struct at_modem *modem = transport->self;

    if (modem == NULL)
        return;
    port_close(modem->at.port);
    explicit_bzero(modem, sizeof *modem);
    free(modem);
    transport->self = NULL;
}

static enum outcome modem_wake(struct transport *transport, bool ready, int quiet_ms,
                               struct deadline deadline, struct report *why)
{
    struct at *at = line_of(transport);
    enum outcome outcome = OUTCOME_OK;

    at->echo_stays = (transport->habits & HABIT_ECHO) != 0;
    at->deaf = transport->kept;
    if (quiet_ms > 0)
        outcome = at_resync(at, quiet_ms, transport->idle, deadline, why);
    if (outcome == OUTCOME_OK && !ready)
        outcome = at_start(at, deadline, why);
    transport->habits = at->echo_stays ? HABIT_ECHO : 0;
    transport->kept = at->deaf;
    return outcome;
}

static enum outcome modem_open(struct transport *transport, const struct channel_wish *wish,
                               struct channel *channel, struct deadline deadline,
                               struct report *why)
{
    struct at *at = line_of(transport);
    enum outcome outcome = wish->carrier == CARRIER_CCHO
                               ? ccho_open(at, wish, channel, deadline, why)
                               : csim_open(at, wish, channel, deadline, why);

    transport->kept = at->deaf;
    return outcome;
}

static enum outcome modem_exchange(struct transport *transport, const struct channel *channel,
                                   struct exchange *exchange, struct deadline deadline,
                                   struct report *why)
{
    struct at *at = line_of(transport);

    return channel->carrier == CARRIER_CCHO ? ccho_exchange(at, channel, exchange, deadline, why)
                                            : csim_exchange(at, channel, exchange, deadline, why);
}

static enum outcome modem_close(struct transport *transport, struct channel *channel,
                                struct deadline deadline, struct report *why)
{
    struct at *at = line_of(transport);

    return channel->carrier == CARRIER_CCHO ? ccho_close(at, channel, deadline, why)
                                            : csim_close(at, channel, deadline, why);
}

static enum outcome modem_identity(struct transport *transport, struct modem_identity *identity,
                                   struct deadline deadline, struct report *why)
{
    return at_identity(line_of(transport), identity, deadline, why);
}

static enum outcome modem_iccid(struct transport *transport, char iccid[ICCID_SIZE],
                                struct deadline deadline, struct report *why)
{
    struct at *at = line_of(transport);
    enum outcome outcome = at_iccid(at, iccid, deadline, why);

    transport->kept = at->deaf;
    return outcome;
}

/* What was learnt of a modem is asked again after `simkey close`. */
static void modem_release(struct transport *transport, struct deadline deadline)
{
    (void)deadline;
    line_of(transport)->deaf = transport->kept = 0;
}

static enum outcome modem_registration(struct transport *transport, enum registration *state,
                                       struct deadline deadline, struct report *why)
{
    return at_registration(line_of(transport), state, deadline, why);
}

static enum outcome modem_diagnose(struct transport *transport, struct deadline deadline,
                                   struct report *why)
{
    return at_diagnose(line_of(transport), deadline, why);
}

static enum outcome line_confirm(struct transport *transport, struct deadline deadline,
                                 struct report *why)
{
    return at_confirm(line_of(transport), deadline, why);
}

static enum outcome line_listen(struct transport *transport, int quiet_ms, struct deadline deadline,
                                struct report *why)
{
    return at_listen(line_of(transport), quiet_ms, deadline, why);
}

/* Nothing may repeat a PIN to those who read the port as well. */
static enum outcome line_before_secret(struct transport *transport, struct deadline deadline,
                                       struct report *why)
{
    const struct at_modem *modem = transport->self;
    struct at_echo echo;
    enum outcome outcome = at_echo_off(line_of(transport), deadline, &echo, why);

    if (outcome != OUTCOME_OK || !echo.stays)
        return outcome;
    return report_set(
        why, OUTCOME_PIN_PROTECTED,
        "the PIN was not sent, because the modem repeats what it is sent (ATE0 does not help), and "
        "every program that reads the port would see it. Another program turned the echo on, or "
        "this modem cannot turn it off: end that program (fuser %s), or use another of its "
        "ports",
        modem->device);
}

static enum outcome line_no_sim(const struct transport *transport, struct report *why)
{
    const struct at_modem *modem = transport->self;
    const struct at_result result = at_no_sim(&modem->at);

    return at_outcome(&result, "reach the SIM", why);
}

/* The channel whose opening is answered so. False if it tells of none. */
static bool told_channel(const char *answer, struct channel *channel)
{
    static const char csim[] = "+CSIM:", ccho[] = "+CCHO:";
    uint8_t bytes[APDU_ANSWER_SIZE];

    *channel = (struct channel){.open = true, .carrier = CARRIER_CCHO};
    if (strncmp(answer, ccho, sizeof ccho - 1) == 0)
        return ccho_take_session(answer + sizeof ccho - 1, channel);
    if (strncmp(answer, csim, sizeof csim - 1) != 0 ||
        at_parse_apdu(answer + sizeof csim - 1, bytes, sizeof bytes) != 3 || bytes[1] != 0x90 ||
        bytes[0] < 1 || bytes[0] > CHANNEL_MAX)
        return false;
    channel->carrier = CARRIER_CSIM;
    channel->number = bytes[0];
    return true;
}

static bool line_found(struct transport *transport, struct channel *channel)
{
    struct at *at = line_of(transport);
    bool found = told_channel(at->stray, channel);

    at->stray[0] = '\0';
    return found;
}

static void line_keep(struct transport *transport, struct transport_rest *rest)
{
    const struct at *at = line_of(transport);

    rest->length = at->input_length <= sizeof rest->text ? at->input_length : 0;
    memcpy(rest->text, at->input, rest->length);
}

static void line_give(struct transport *transport, const struct transport_rest *rest)
{
    struct at *at = line_of(transport);

    memcpy(at->input, rest->text, rest->length);
    at->input_length = rest->length;
}

static const struct transport_line line = {.confirm = line_confirm,
                                           .listen = line_listen,
                                           .before_secret = line_before_secret,
                                           .no_sim = line_no_sim,
                                           .found = line_found,
                                           .keep = line_keep,
                                           .give = line_give};

const struct transport_ops transport_at = {.noun = "modem",
                                           .ways = {"AT+CSIM", "AT+CSIM", "AT+CCHO and AT+CGLA"},
                                           .restarted = "the modem restarted",
                                           .carrier = CARRIER_AUTO,
                                           .begin = modem_begin,
                                           .wake = modem_wake,
                                           .open = modem_open,
                                           .exchange = modem_exchange,
                                           .close = modem_close,
                                           .end = modem_end,
                                           .identity = FOR_TOOLS(modem_identity),
                                           .iccid = modem_iccid,
                                           .registration = FOR_TOOLS(modem_registration),
                                           .diagnose = modem_diagnose,
                                           .release = modem_release,
                                           .line = &line};
