/* SPDX-License-Identifier: Apache-2.0 */
/* Which transport a device has, and what the carriers over an AT port have in common: begin, end,
 * errors, channel bits. */
#include "modem/transport.h"

#include <stdio.h>
#include <string.h>

/* "AT+CGLA=", a session word, a comma. */
#define HEAD_SIZE    40
#define WITHOUT_DATA 5 /* a command APDU that has none is no longer (ISO 7816-4, 5.1) */

uint8_t cla_with_channel(uint8_t cla, uint8_t number)
{
    if (number < 4)
        return (uint8_t)((cla & ~0x03) | number);
    /* further interindustry coding: secure messaging has another place there and is not used here
     */
    return (uint8_t)((cla & 0x80) | 0x40 | (cla & 0x10) | ((number - 4) & 0x0F));
}

enum outcome transport_begin(struct transport *transport, const struct transport_target *target,
                             struct deadline deadline, struct report *why)
{
    memset(transport, 0, sizeof *transport);
    transport->ops = &transport_csim;
    at_init(&transport->at, NULL, target->trace);
    if (strncmp(target->device, TRANSPORT_PCSC, sizeof TRANSPORT_PCSC - 1) == 0)
#ifdef SIMKEY_PCSC
        transport->ops = &transport_pcsc;
#else
        return report_set(why, OUTCOME_USAGE,
                          "this simkey was built without PC/SC and reaches no card reader: install "
                          "libpcsclite-dev and build it again");
#endif
    return transport->ops->begin(transport, target, deadline, why);
}

enum outcome transport_begin_at(struct transport *transport, const struct transport_target *target,
                                struct deadline deadline, struct report *why)
{
    enum outcome outcome =
        port_open(&transport->port, target->device, target->baud, deadline, target->turn, why);

    at_init(&transport->at, transport->port, target->trace);
    return outcome;
}

bool transport_has_modem(const struct transport *transport)
{
    return transport->port != NULL;
}

const char *transport_restart(const struct transport *transport)
{
    return transport_has_modem(transport) ? "the modem restarted"
                                          : "another program reset the card";
}

enum outcome transport_wake(struct transport *transport, bool ready, int quiet_ms,
                            struct deadline deadline, struct report *why)
{
    enum outcome outcome = OUTCOME_OK;

    if (!transport_has_modem(transport))
        return OUTCOME_OK;
    if (quiet_ms > 0)
        outcome = at_resync(&transport->at, quiet_ms, deadline, why);
    if (outcome == OUTCOME_OK && !ready)
        outcome = at_start(&transport->at, deadline, why);
    return outcome;
}

void transport_end(struct transport *transport)
{
    port_close(transport->port);
    explicit_bzero(&transport->at, sizeof transport->at);
    transport->port = NULL;
}

void transport_use(struct transport *transport, enum carrier carrier)
{
    if (transport_has_modem(transport))
        transport->ops = carrier == CARRIER_CCHO ? &transport_ccho : &transport_csim;
}

/* The sentences of the +CME ERROR numbers that other words would not explain (27.007, 9.2). */
static enum outcome cme_outcome(int cme, const char *what, struct report *why)
{
    switch (cme) {
    case CME_NO_SIM:
        return report_set(why, OUTCOME_NO_SIM,
                          "the modem has no SIM (+CME ERROR: 10): insert one, or check its holder");
    case CME_SIM_PIN:
        return report_set(
            why, OUTCOME_PIN_MISSING,
            "the SIM waits for its own PIN1 (+CME ERROR: 11): unlock it with AT+CPIN, or "
            "have the modem do it");
    case CME_SIM_PUK:
        return report_set(why, OUTCOME_PIN_BLOCKED,
                          "the SIM's own PIN1 is blocked (+CME ERROR: 12): it needs the PUK");
    case CME_SIM_BUSY:
        return report_set(
            why, OUTCOME_TIMEOUT,
            "the SIM stayed busy (+CME ERROR: 14): the modem may be starting, try again");
    case CME_SIM_WRONG:
        return report_set(
            why, OUTCOME_NO_SIM,
            "the modem rejects this SIM (+CME ERROR: 15): it may be locked to another");
    case CME_WRONG_PASSWORD:
        return report_set(why, OUTCOME_PIN_WRONG,
                          "the modem says that the PIN is wrong (+CME ERROR: 16)");
    case CME_SIM_PIN2:
    case CME_SIM_PUK2:
        return report_set(why, OUTCOME_PIN_MISSING, "the SIM wants PIN2 or PUK2 (+CME ERROR: %d)",
                          cme);
    case CME_PHONE_FAILURE:
    case CME_SIM_FAILURE:
    case CME_INVALID_INDEX:
    case CME_NOT_FOUND:
    case CME_UNKNOWN:
        return report_set(why, OUTCOME_LOST, "the modem could not %s (+CME ERROR: %d)", what, cme);
    case CME_MEMORY_FULL:
        return report_set(why, OUTCOME_REFUSED,
                          "the modem could not %s (+CME ERROR: 20): nothing is free", what);
    default:
        return report_set(why, OUTCOME_CARRIER_REFUSED, "the modem refused to %s (+CME ERROR: %d)",
                          what, cme);
    }
}

enum outcome transport_final(const struct at_result *result, const char *what, struct report *why)
{
    enum outcome outcome;

    if (result->final == AT_FINAL_OK)
        return OUTCOME_OK;
    if (result->final != AT_FINAL_CME)
        return report_set(why, OUTCOME_CARRIER_REFUSED, "the modem refused to %s (ERROR)", what);
    outcome = cme_outcome(result->cme, what, why);
    why->cme = result->cme;
    return outcome;
}

enum outcome transport_pass(struct transport *transport, const char *head, const char *prefix,
                            const uint8_t *command, size_t length, uint8_t *answer,
                            size_t *answer_length, int timeout_ms, int secrecy,
                            struct deadline deadline, struct report *why)
{
    char line[HEAD_SIZE + sizeof "000,\"\"" + 2 * APDU_COMMAND_SIZE];
    struct at_command request = {.line = line,
                                 .answer = AT_ANSWER_PREFIXED,
                                 .prefix = prefix,
                                 .timeout_ms = timeout_ms,
                                 .secrecy = secrecy,
                                 .to_sim = true,
                                 .once = (secrecy & SECRET_COMMAND) != 0 && length > WITHOUT_DATA};
    struct at_result result;
    enum outcome outcome;
    int used;

    if (length < 4 || length > APDU_COMMAND_SIZE)
        return report_set(why, OUTCOME_USAGE, "a command APDU has 4 to %d bytes",
                          APDU_COMMAND_SIZE);
    used = snprintf(line, sizeof line, "%.*s%zu,\"", HEAD_SIZE, head, 2 * length);
    hex_encode(command, length, line + used);
    memcpy(line + (size_t)used + 2 * length, "\"", 2);
    outcome = at_command(&transport->at, &request, deadline, &result, why);
    transport->at.withheld = !result.said;
    if (outcome == OUTCOME_OK)
        outcome = transport_final(&result, "pass a command to the SIM", why);
    if (outcome == OUTCOME_OK) {
        *answer_length = at_parse_apdu(result.value, answer, APDU_ANSWER_SIZE);
        transport->at.doubt = *answer_length == 0;
        if (*answer_length == 0)
            outcome = report_set(why, OUTCOME_BAD_DATA,
                                 "the modem's %.5s answer is torn or malformed", prefix);
    }
    explicit_bzero(line, sizeof line);
    explicit_bzero(&result, sizeof result);
    return outcome;
}
