/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the values in AT answers, by the functions that need no line. */
#include "modem/at_apdu.h"
#include "modem/hex.h"
#include "modem/identity.h"
#include "modem/manage_channel.h"
#include "test/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void try_final(const char *text)
{
    struct at_result result = {.value = ""};
    struct report why = REPORT_INIT;
    enum outcome outcome;

    result.final = at_final_result(text, &result.cme);
    REQUIRE((result.final == AT_FINAL_OK) == (strcmp(text, "OK") == 0));
    REQUIRE((result.cme >= 0) == (result.final == AT_FINAL_CME));
    REQUIRE(result.cme <= 1000);
    if (result.final == AT_FINAL_NONE)
        return;
    outcome = at_outcome(&result, "do that", &why);
    REQUIRE((outcome == OUTCOME_OK) == (result.final == AT_FINAL_OK));
    check_report(outcome, &why);
}

/* Every taking moves on, and words are what stood there. */
static void try_words(const char *text)
{
    const char *end = text + strlen(text), *rest = text;
    char word[24];
    long number;

    while (*rest != '\0') {
        const char *before = rest;

        if (at_take_number(&rest, &number)) {
            REQUIRE(number >= 0 && number <= 999999999);
        } else if (at_take_word(&rest, word, sizeof word)) {
            REQUIRE(strlen(word) > 0 && strlen(word) < sizeof word);
            REQUIRE(strchr(word, ',') == NULL);
            REQUIRE(strstr(before, word) != NULL);
        } else {
            REQUIRE(rest == before);
            break;
        }
        REQUIRE(rest > before && rest <= end);
    }
}

static void try_hex(const char *text)
{
    size_t size = strlen(text) / 2 + 1;
    uint8_t *bytes = malloc(size);
    char *again = malloc(2 * size + 1);
    size_t length = hex_decode(text, bytes, size);

    REQUIRE(bytes != NULL && again != NULL);
    if (length > 0) {
        REQUIRE(strlen(text) == 2 * length);
        hex_encode(bytes, length, again);
        REQUIRE(strcasecmp(again, text) == 0);
        REQUIRE(hex_decode(text, bytes, length - 1) == 0);
    }
    free(bytes);
    free(again);
}

static void try_apdu(const char *text)
{
    uint8_t *bytes = malloc(APDU_ANSWER_SIZE);
    size_t length = at_parse_apdu(text, bytes, APDU_ANSWER_SIZE);
    char iccid[ICCID_SIZE];

    REQUIRE(length == 0 || (length >= 2 && length <= APDU_ANSWER_SIZE));
    REQUIRE((size_t)strtoul(text + strcspn(text, "0123456789"), NULL, 10) == 2 * length ||
            length == 0);
    if (length > 0 && iccid_from_bytes(bytes, length, iccid)) {
        REQUIRE(strlen(iccid) >= 10 && strlen(iccid) < ICCID_SIZE);
        REQUIRE(iccid[strspn(iccid, "0123456789ABCDEF")] == '\0');
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = input_text((struct span){data, size});
    uint8_t cla = size > 0 ? data[0] : 0;

    try_final(text);
    try_words(text);
    try_hex(text);
    try_apdu(text);
    for (uint8_t channel = 0; channel < 20; channel++) {
        uint8_t with = cla_with_channel(cla, channel);

        REQUIRE((with & 0x40) == 0 || channel >= 4 || (cla & 0x40) != 0);
        REQUIRE((with & 0x90) == (cla & 0x90));
        REQUIRE((channel < 4 ? with & 0x03 : (with & 0x0F) + 4) == channel);
    }
    free(text);
    return 0;
}
