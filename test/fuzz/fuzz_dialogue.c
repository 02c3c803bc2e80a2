/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: whole AT dialogues over a line on which the modem says whatever the input says.
 *
 * The first two bytes name two operations, the third how reads are cut. The rest is what the modem
 * says: FE ends what it says until the next command line comes, FD and a byte is a pause of that
 * many times 32 ms, FF unplugs it. */
#include "modem/at_apdu.h"
#include "modem/at_identity.h"
#include "modem/at_modem.h"
#include "modem/transport.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/line.h"

#include <stdlib.h>
#include <string.h>

#define OPERATION_MS 30000
#define SLACK_MS     100 /* a last line may take that long to be read */

#define END_OF_TURN 0xFE
#define PAUSE       0xFD
#define UNPLUG      0xFF
#define PAUSE_MS    32

struct talk {
    struct span script;
    struct transport transport;
    struct at *at; /* the line behind it */
    struct deadline deadline;
};

/* Says the next turn of the script. */
static void say_turn(struct talk *talk)
{
    unsigned delay = 0;

    while (talk->script.length > 0) {
        struct span rest = talk->script;
        size_t length = 0;
        uint8_t mark;

        while (length < rest.length && rest.data[length] < PAUSE)
            length++;
        line_say(rest.data, length, delay);
        delay = 0;
        (void)input_bytes(&talk->script, length);
        if (talk->script.length == 0)
            return;
        mark = input_byte(&talk->script);
        if (mark == PAUSE)
            delay = PAUSE_MS * (unsigned)input_byte(&talk->script);
        else if (mark == UNPLUG)
            line_unplug();
        if (mark != PAUSE)
            return;
    }
}

static void heard(void *arg, const char *text)
{
    REQUIRE(strncmp(text, "AT", 2) == 0);
    say_turn(arg);
}

static enum outcome command(struct talk *talk, enum at_answer answer, const char *prefix,
                            struct report *why)
{
    struct at_command request = {
        .line = "AT+CSIM=8,\"00A40000\"", .answer = answer, .prefix = prefix, .timeout_ms = 5000};
    struct at_result *result = malloc(sizeof *result);
    enum outcome outcome;

    REQUIRE(result != NULL);
    outcome = at_command(talk->at, &request, talk->deadline, result, why);
    if (outcome == OUTCOME_OK) {
        REQUIRE(result->final != AT_FINAL_NONE);
        REQUIRE(strlen(result->value) < sizeof result->value);
        REQUIRE(strpbrk(result->value, "\r\n") == NULL);
        REQUIRE(answer != AT_ANSWER_NONE || result->value[0] == '\0');
        outcome = at_outcome(result, "do that", why);
    }
    free(result);
    return outcome;
}

static enum outcome pass(struct talk *talk, struct report *why)
{
    const uint8_t bytes[] = {0x00, 0xB0, 0x00, 0x00, 0x10};
    static const struct at_carriage ccho = {.head = "AT+CGLA=1,", .prefix = "+CGLA:"};
    uint8_t *answer = malloc(APDU_ANSWER_SIZE);
    struct exchange exchange = {.command = bytes,
                                .length = sizeof bytes,
                                .timeout_ms = 5000,
                                .secrecy = SECRET_NOTHING,
                                .answer = answer};
    enum outcome outcome = at_pass(talk->at, &ccho, &exchange, talk->deadline, why);

    REQUIRE(outcome != OUTCOME_OK ||
            (exchange.answer_length >= 2 && exchange.answer_length <= APDU_ANSWER_SIZE));
    free(answer);
    return outcome;
}

/* Opens a channel, exchanges a command on it, closes it. */
static enum outcome channel(struct talk *talk, enum carrier carrier, struct report *why)
{
    static const uint8_t aid[] = {0xA0, 0x00, 0x00, 0x00, 0x18};
    const uint8_t bytes[] = {0x00, 0xB0, 0x00, 0x00, 0x10};
    struct transport *transport = &talk->transport;
    struct report ignored = REPORT_INIT;
    uint8_t answer[APDU_ANSWER_SIZE];
    const struct channel_wish wish = {.carrier = carrier, .aid = aid, .aid_length = sizeof aid};
    struct exchange exchange = {.command = bytes,
                                .length = sizeof bytes,
                                .timeout_ms = 5000,
                                .secrecy = SECRET_NOTHING,
                                .answer = answer};
    struct channel opened;
    enum outcome outcome = transport->ops->open(transport, &wish, &opened, talk->deadline, why);

    REQUIRE(opened.open == (outcome == OUTCOME_OK));
    if (outcome != OUTCOME_OK)
        return outcome;
    REQUIRE(opened.carrier == carrier);
    REQUIRE(carrier == CARRIER_CCHO ? strlen(opened.session) > 0
                                    : opened.number >= 1 && opened.number <= 19);
    outcome = transport->ops->exchange(transport, &opened, &exchange, talk->deadline, why);
    (void)transport->ops->close(transport, &opened, talk->deadline, &ignored);
    REQUIRE(!opened.open);
    return outcome;
}

static enum outcome iccid(struct talk *talk, struct report *why)
{
    char digits[ICCID_SIZE];
    enum outcome outcome = at_iccid(talk->at, digits, talk->deadline, why);

    REQUIRE(outcome != OUTCOME_OK || (strlen(digits) >= 10 && strlen(digits) < ICCID_SIZE &&
                                      digits[strspn(digits, "0123456789ABCDEF")] == '\0'));
    return outcome;
}

static enum outcome identity(struct talk *talk, struct report *why)
{
    struct modem_identity answers;
    const char *const fields[] = {answers.manufacturer, answers.model, answers.revision,
                                  answers.imei, answers.sim_state};
    enum outcome outcome = at_identity(talk->at, &answers, talk->deadline, why);

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        for (const char *c = fields[i]; *c != '\0'; c++)
            REQUIRE(*c >= ' ' && *c < 0x7F);
    return outcome;
}

static enum outcome operate(struct talk *talk, unsigned which, struct report *why)
{
    enum registration registered;

    switch (which % 12) {
    case 0:
        return transport_wake(&talk->transport, false, 0, talk->deadline, why);
    case 1:
        return transport_wake(&talk->transport, true, 1500, talk->deadline, why);
    case 2:
        return command(talk, AT_ANSWER_NONE, NULL, why);
    case 3:
        return command(talk, AT_ANSWER_PREFIXED, "+CSIM:", why);
    case 4:
        return command(talk, AT_ANSWER_BARE_HEX, "+CGSN:", why);
    case 5:
        return command(talk, AT_ANSWER_TEXT, "+CGMI:", why);
    case 6:
        return pass(talk, why);
    case 7:
        return channel(talk, CARRIER_CSIM, why);
    case 8:
        return channel(talk, CARRIER_CCHO, why);
    case 9:
        return iccid(talk, why);
    case 10:
        return identity(talk, why);
    default:
        return at_registration(talk->at, &registered, talk->deadline, why);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct transport_target target = {.device = LINE_DEVICE, .baud = 115200};
    struct span input = {data, size};
    unsigned which[2] = {input_byte(&input), input_byte(&input)};
    size_t cut = input_byte(&input) % 16;
    struct report why = REPORT_INIT;
    struct talk *talk = calloc(1, sizeof *talk);

    REQUIRE(talk != NULL);
    line_start(heard, talk);
    line_cut(cut);
    REQUIRE(transport_begin(&talk->transport, &target, deadline_in(OPERATION_MS), &why) ==
            OUTCOME_OK);
    talk->at = &((struct at_modem *)talk->transport.self)->at;
    talk->script = input;
    say_turn(talk);
    for (size_t i = 0; i < 2; i++) {
        int64_t started = line_now();
        enum outcome outcome;

        talk->deadline = deadline_in(OPERATION_MS);
        outcome = operate(talk, which[i], &why);
        check_report(outcome, &why);
        REQUIRE(line_now() - started <= OPERATION_MS + SLACK_MS);
    }
    transport_end(&talk->transport);
    free(talk);
    return 0;
}
