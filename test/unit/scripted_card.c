/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted card behind apdu_exchange_fn. What a modem refuses goes through transport_final, so
 * that the code above sees what it would see on a real line. */
#include "test/unit/scripted_card.h"

#include "modem/at.h"
#include "modem/channel.h"
#include "test/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum outcome modem_says(const char *said, struct report *why)
{
    struct at_result result = {.final = AT_FINAL_ERROR, .cme = -1, .value = ""};

    if (strcmp(said, "TIMEOUT") == 0)
        return report_set(why, OUTCOME_TIMEOUT, "scripted: no answer");
    if (strcmp(said, "GONE") == 0)
        return report_set(why, OUTCOME_NO_MODEM, "scripted: the modem is gone");
    if (strcmp(said, "LOST") == 0)
        return report_set(why, OUTCOME_LOST, "scripted: the channel is lost");
    if (strncmp(said, "+CME ", 5) == 0) {
        result.final = AT_FINAL_CME;
        result.cme = (int)strtol(said + 5, NULL, 10);
    }
    return at_outcome(&result, "send an APDU", why);
}

static bool from_modem(const char *answer)
{
    static const char *const words[] = {"TIMEOUT", "GONE", "LOST", "ERROR"};
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(answer, words[i]) == 0)
            return true;
    return answer[0] == '+';
}

static void show(const uint8_t *bytes, size_t length, char *text)
{
    size_t i;

    for (i = 0; i < length; i++)
        sprintf(text + 2 * i, "%02X", bytes[i]);
    text[2 * length] = '\0';
}

static enum outcome exchange(void *arg, struct exchange *sent, struct deadline deadline,
                             struct report *why)
{
    struct scripted_card *scripted = arg;
    const struct card_step *step = scripted->next;
    uint8_t expected[APDU_COMMAND_SIZE + 64];
    char shown[2 * (APDU_COMMAND_SIZE + 64) + 1] = "a command that is too long";
    size_t length;

    (void)deadline;
    scripted->sent++;
    scripted->last_secrecy = sent->secrecy;
    scripted->last_timeout = sent->timeout_ms;
    if (sent->length <= sizeof expected)
        show(sent->command, sent->length, shown);
    if (!step->command) {
        FAIL("the card heard %s after the last command of its list", shown);
        return report_set(why, OUTCOME_REFUSED, "scripted: nothing more was awaited");
    }
    length = bytes_of(step->command, expected, sizeof expected);
    if (length != sent->length || memcmp(expected, sent->command, length) != 0) {
        FAIL("the card heard %s but awaited %s", shown, step->command);
        return report_set(why, OUTCOME_REFUSED, "scripted: another command was awaited");
    }
    scripted->next++;
    if (from_modem(step->answer))
        return modem_says(step->answer, why);
    sent->answer_length = bytes_of(step->answer, sent->answer, APDU_ANSWER_SIZE);
    return OUTCOME_OK;
}

void card_start(struct scripted_card *scripted, const struct card_step *steps)
{
    memset(scripted, 0, sizeof *scripted);
    scripted->next = steps;
    scripted->max_read = 256;
    scripted->card.exchange = exchange;
    scripted->card.arg = scripted;
    scripted->card.deadline = deadline_in(10000);
    scripted->card.no_le = &scripted->no_le;
    scripted->card.max_read = &scripted->max_read;
    scripted->card.quirks = &scripted->quirks;
    scripted->card.selection = &scripted->selection;
}

void card_select(struct scripted_card *scripted, const uint8_t *aid, size_t aid_length)
{
    card_note_selected(&scripted->card, aid, aid_length);
}

void card_continue_at(struct scripted_card *scripted, const struct card_step *steps,
                      const char *file, int line)
{
    card_finish_at(scripted, file, line);
    scripted->next = steps;
}

void card_finish_at(struct scripted_card *scripted, const char *file, int line)
{
    if (scripted->next->command)
        fail_at(file, line, "the card still awaited %s", scripted->next->command);
}
