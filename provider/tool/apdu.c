/* SPDX-License-Identifier: Apache-2.0 */
/* simkey apdu: raw command APDUs on a channel of their own. */
#include "modem/channel.h"
#include "modem/hex.h"
#include "provider/tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS_MAX 256

struct result {
    bool refused;
    uint16_t sw;
};

static bool show(void *arg, size_t index, const struct sim_answer *answer)
{
    struct result *result = arg;

    (void)index;
    for (size_t i = 0; i < answer->length; i++)
        printf("%02X", answer->data[i]);
    printf("%s%04X\n", answer->length > 0 ? " " : "", answer->sw);
    result->sw = answer->sw;
    result->refused = result->refused || !(answer->sw == 0x9000 || (answer->sw & 0xFE00) == 0x6200);
    return true;
}

struct commands {
    uint8_t bytes[COMMANDS_MAX][APDU_COMMAND_SIZE];
    const uint8_t *starts[COMMANDS_MAX];
    size_t lengths[COMMANDS_MAX];
};

static enum outcome parse(const struct command_line *line, struct commands *commands,
                          struct report *why)
{
    if (line->operand_count < 1 || line->operand_count > COMMANDS_MAX)
        return report_set(why, OUTCOME_USAGE, "simkey apdu wants 1 to %d APDUs in hex",
                          COMMANDS_MAX);
    for (int i = 0; i < line->operand_count; i++) {
        commands->starts[i] = commands->bytes[i];
        commands->lengths[i] =
            hex_decode(line->operands[i], commands->bytes[i], sizeof commands->bytes[i]);
        if (commands->lengths[i] < 4)
            return report_set(why, OUTCOME_USAGE, "APDU number %d is not hex of 4 to %d bytes",
                              i + 1, APDU_COMMAND_SIZE);
    }
    return OUTCOME_OK;
}

static enum outcome run_apdu(const struct command_line *line, struct sim *sim, struct report *why)
{
    struct commands *commands = calloc(1, sizeof *commands);
    struct result result = {false, 0};
    uint8_t aid[16];
    struct sim_raw raw = {.aid = aid, .got = show, .arg = &result};
    enum outcome outcome;

    if (commands == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    outcome = parse(line, commands, why);
    if (outcome == OUTCOME_OK && (line->given & OPTION_AID) != 0) {
        raw.aid_length = hex_decode(line->aid, aid, sizeof aid);
        if (raw.aid_length < 5)
            outcome = report_set(why, OUTCOME_USAGE, "--aid is hex of 5 to 16 bytes");
    }
    if (outcome == OUTCOME_OK) {
        raw.count = (size_t)line->operand_count;
        raw.commands = commands->starts;
        raw.lengths = commands->lengths;
        raw.pins = (line->given & OPTION_FORCE) != 0;
        outcome = sim_raw_check(sim, &raw, why);
    }
    if (outcome == OUTCOME_OK) {
        outcome = sim_raw(sim, &raw, why);
    }
    if (outcome == OUTCOME_OK && result.refused)
        outcome = report_sw(why, OUTCOME_REFUSED, result.sw, "the card refused a command");
    OPENSSL_cleanse(commands, sizeof *commands);
    free(commands);
    return outcome;
}

const struct command command_apdu = {.name = "apdu",
                                     .operands = "HEX...",
                                     .purpose = "sends raw APDUs on a fresh channel",
                                     .options = OPTION_AID | OPTION_FORCE,
                                     .run = run_apdu};
