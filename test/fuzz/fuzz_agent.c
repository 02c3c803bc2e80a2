/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: packets of simkey-agent's protocol. The first byte says which half reads them: a request
 * to the agent, which is judged by rules then, or the answer to a client's request of that operation. */
#include "apdu/agent/rules.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static uint8_t written[AGENT_ANSWER_MAX];

/* What was taken has only numbers that the rest knows, and is written as it was read. */
static void try_request(const uint8_t *packet, size_t length)
{
    struct agent_request request;
    struct report why = REPORT_INIT;

    if (!agent_read_request(packet, length, &request, &why)) {
        REQUIRE(why.outcome == OUTCOME_USAGE && why.text[0] != '\0');
        return;
    }
    REQUIRE(request.operation >= AGENT_LIST && request.operation < AGENT_OPERATIONS);
    REQUIRE(request.length <= AGENT_DATA_MAX && request.key.name.id_length <= TOKEN_ID_MAX);
    REQUIRE((int)request.hash < TOKEN_HASHES && request.key.name.container < TOKEN_CONTAINERS);
    REQUIRE(memchr(request.key.name.label, 0, TOKEN_LABEL_SIZE) != NULL);
    REQUIRE(memchr(request.key.iccid, 0, ICCID_SIZE) != NULL);
    REQUIRE(length <= AGENT_REQUEST_MAX && agent_write_request(&request, written) == length);
    REQUIRE(memcmp(written, packet, length) == 0);
}

/* A rule for container 2 lets nothing through that mIAS would take for another container's key, and a
 * rule for a key by name hands on that name alone. */
static void try_rules(const uint8_t *packet, size_t length)
{
    static const char *const lines[] = {"33 sign,decrypt,read signing;container=2",
                                        "33 sign signing;id=%01%02", "33 sign signing;object=a"};
    const struct peer peer = {.uid = 33};
    struct agent_request request;
    struct report why = REPORT_INIT;

    if (!agent_read_request(packet, length, &request, &why))
        return;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        static struct rules rules[sizeof lines / sizeof lines[0]];
        struct token_name name;
        char line[64];

        strcpy(line, lines[i]);
        REQUIRE(rules[i].count > 0 || rules_take(&rules[i], line, &why) == OUTCOME_OK);
        if (!rules_allow(&rules[i], &peer, 0, &request, "", &name))
            continue;
        if (request.operation == AGENT_TRIES || request.operation == AGENT_IDENTITY ||
            request.operation == AGENT_LIST)
            continue;
        REQUIRE(request.operation != AGENT_AVAILABLE && request.operation != AGENT_CERTIFICATE);
        REQUIRE(name.applet == TOKEN_APPLET_ANY);
        REQUIRE(i != 0 ||
                (name.container == 2 &&
                 (name.id_length == 0 || (name.id_length == 1 && (name.id[0] & 0x0F) == 3))));
        REQUIRE(i != 1 || (name.id_length == 2 && name.label[0] == '\0' && name.id[1] == 2));
        REQUIRE(i != 2 || (name.id_length == 0 && strcmp(name.label, "a") == 0));
    }
}

static void try_answer(enum agent_operation operation, const uint8_t *packet, size_t length)
{
    struct agent_answer answer;

    if (!agent_read_answer(operation, packet, length, &answer))
        return;
    REQUIRE(answer.count <= TOKEN_ITEMS && answer.length <= length);
    REQUIRE(memchr(answer.why.text, 0, REPORT_TEXT_SIZE) != NULL);
    REQUIRE(memchr(answer.iccid, 0, ICCID_SIZE) != NULL);
    REQUIRE(memchr(answer.identity.model, 0, sizeof answer.identity.model) != NULL);
    REQUIRE(answer.point_length <= TOKEN_POINT_MAX);
    REQUIRE(answer.pin.left >= -1 && answer.pin.left < AGENT_TRIES_UNKNOWN);
    if (answer.length > 0)
        REQUIRE(
            lies_within((struct span){answer.data, answer.length}, (struct span){packet, length}));
    REQUIRE((operation != AGENT_SIGN && operation != AGENT_DECRYPT) ||
            answer.length <= AGENT_DATA_MAX);
    for (size_t i = 0; i < answer.count; i++)
        REQUIRE(answer.list[i].name.id_length <= TOKEN_ID_MAX &&
                answer.list[i].name.container < TOKEN_CONTAINERS &&
                (int)answer.list[i].name.applet < TOKEN_APPLETS &&
                memchr(answer.list[i].name.label, 0, TOKEN_LABEL_SIZE) != NULL);
}

/* Answers that the agent writes are read, whatever is in them. */
static void try_written(enum agent_operation operation, const uint8_t *data, size_t size)
{
    struct agent_answer answer = {.why = REPORT_INIT, .count = 1, .data = data, .length = size};
    struct agent_answer read;
    size_t length;

    answer.list[0].candidates = 64;
    answer.point_length = size < TOKEN_POINT_MAX ? size : TOKEN_POINT_MAX;
    if (answer.point_length > 0)
        memcpy(answer.point, data, answer.point_length);
    answer.list[0].name.container = size > 0 && data[0] < TOKEN_CONTAINERS ? data[0] : -1;
    if (operation == AGENT_SIGN || operation == AGENT_DECRYPT)
        answer.length = size < AGENT_DATA_MAX ? size : AGENT_DATA_MAX;
    length = agent_write_answer(operation, &answer, written);
    REQUIRE(length <= AGENT_ANSWER_MAX && agent_read_answer(operation, written, length, &read));
    REQUIRE(read.why.outcome == OUTCOME_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 1 ? size - 1 : 1); /* what lies behind it must not be touched */
    const unsigned which = size > 0 ? data[0] % AGENT_OPERATIONS : 0;

    REQUIRE(copy != NULL);
    if (size > 1)
        memcpy(copy, data + 1, size - 1);
    if (which == 0) {
        try_request(copy, size > 0 ? size - 1 : 0);
        try_rules(copy, size > 0 ? size - 1 : 0);
    } else {
        try_answer((enum agent_operation)which, copy, size - 1);
        try_written((enum agent_operation)which, copy, size - 1);
    }
    free(copy);
    return 0;
}
