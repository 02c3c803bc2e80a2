/* SPDX-License-Identifier: Apache-2.0 */
/* An APDU as text on an AT line, see at_apdu.h. */
#include "modem/at_apdu.h"

#include "modem/hex.h"
#include "modem/manage_channel.h"

#include <stdio.h>
#include <string.h>

#define INS_MANAGE_CHANNEL 0x70

/* Characters; some modems cut their lines at 500 or 512. */
#define LONG_VALUE 480

/* "AT+CGLA=", a session word, a comma. */
#define HEAD_SIZE 40

size_t at_parse_apdu(const char *value, uint8_t *bytes, size_t size)
{
    const char *digits;
    long announced;
    size_t count;

    if (!at_take_number(&value, &announced))
        return 0;
    count = at_next_word(&value, &digits);
    /* a status word at least; a line split by an unsolicited one is shorter than it says */
    if (count < 4 || (size_t)announced != count || *value != '\0')
        return 0;
    return hex_decode_part(digits, count, bytes, size);
}

/* True for one that has a part of what it announces, at least LONG_VALUE of it. */
static bool is_cut(const char *value)
{
    long announced;
    size_t count;

    if (!at_take_number(&value, &announced))
        return false;
    value += strcspn(value, "0123456789ABCDEFabcdef"); /* comma, blanks, a quote */
    count = strspn(value, "0123456789ABCDEFabcdef");
    return count >= LONG_VALUE && announced > (long)count;
}

enum outcome at_pass(struct at *at, const struct at_carriage *carriage, struct exchange *exchange,
                     struct deadline deadline, struct report *why)
{
    char line[HEAD_SIZE + sizeof "000,\"\"" + 2 * APDU_COMMAND_SIZE];
    struct at_command request = {.line = line,
                                 .answer = AT_ANSWER_PREFIXED,
                                 .prefix = carriage->prefix,
                                 .timeout_ms = exchange->timeout_ms,
                                 .secrecy = exchange->secrecy,
                                 .to_sim = true,
                                 .brief = exchange->brief,
                                 .once = (exchange->secrecy & SECRET_COMMAND) != 0 &&
                                         exchange->length > APDU_WITHOUT_DATA};
    struct at_result result;
    enum outcome outcome = exchange_check(exchange, why);
    int used;

    if (outcome != OUTCOME_OK)
        return outcome;
    used =
        snprintf(line, sizeof line, "%.*s%zu,\"", HEAD_SIZE, carriage->head, 2 * exchange->length);
    hex_encode(exchange->command, exchange->length, line + used);
    memcpy(line + (size_t)used + 2 * exchange->length, "\"", 2);
    outcome = at_command(at, &request, deadline, &result, why);
    at_note(at, EVENT_WITHHELD, !result.said);
    if (outcome == OUTCOME_OK)
        outcome = at_outcome(&result, "pass a command to the SIM", why);
    if (outcome == OUTCOME_OK && result.values == 0) {
        /* nor did it come until the line was in step; but a channel may be open, or closed */
        outcome = report_set(
            why,
            exchange->command[1] == INS_MANAGE_CHANNEL ? OUTCOME_BAD_DATA : OUTCOME_CARRIER_REFUSED,
            "the modem answered %.7s with OK alone, without what the SIM said", carriage->head);
    } else if (outcome == OUTCOME_OK) {
        exchange->answer_length = at_parse_apdu(result.value, exchange->answer, APDU_ANSWER_SIZE);
        at_note(at, EVENT_DOUBT, exchange->answer_length == 0);
        exchange->cut = exchange->answer_length == 0 && is_cut(result.value);
        if (exchange->answer_length == 0)
            outcome =
                report_set(why, OUTCOME_BAD_DATA, "the modem's %.5s answer is cut off or malformed",
                           carriage->prefix);
    }
    explicit_bzero(line, sizeof line);
    explicit_bzero(&result, sizeof result);
    return outcome;
}
