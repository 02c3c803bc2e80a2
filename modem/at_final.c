/* SPDX-License-Identifier: Apache-2.0 */
/* Final results of an AT command (27.007, 9.2; V.250, 5.7.1): which lines are one, and their numbers. */
#include "modem/at.h"
#include "modem/cme.h"

#include <string.h>
#include <strings.h>

/* Final results: those that must match exactly, and those that go on behind a prefix. */
static const char *const exact_errors[] = {"ERROR",
                                           "NO CARRIER",
                                           "BUSY",
                                           "NO ANSWER",
                                           "NO DIALTONE",
                                           "ABORTED",
                                           "COMMAND NOT SUPPORT",
                                           "TOO MANY PARAMETERS"};
static const char *const prefix_errors[] = {"+CMS ERROR:", "+EXT ERROR:", "ERROR:"};

/* The verbose texts of the numbers that are treated apart (27.007, 9.2.1 and 9.2.2). */
static const struct {
    const char *text;
    int cme;
} cme_texts[] = {
    {"phone failure", CME_PHONE_FAILURE},
    {"operation not allowed", CME_NOT_ALLOWED},
    {"operation not supported", CME_NOT_SUPPORTED},
    {"SIM not inserted", CME_NO_SIM},
    {"SIM PIN required", CME_SIM_PIN},
    {"SIM PUK required", CME_SIM_PUK},
    {"SIM failure", CME_SIM_FAILURE},
    {"SIM busy", CME_SIM_BUSY},
    {"SIM wrong", CME_SIM_WRONG},
    {"incorrect password", CME_WRONG_PASSWORD},
    {"SIM PIN2 required", CME_SIM_PIN2},
    {"SIM PUK2 required", CME_SIM_PUK2},
    {"memory full", CME_MEMORY_FULL},
    {"invalid index", CME_INVALID_INDEX},
    {"not found", CME_NOT_FOUND},
    {"incorrect parameters", CME_WRONG_PARAMETERS},
    {"unknown", CME_UNKNOWN},
    {"busy", CME_SIM_BUSY},
    {"please wait", CME_PLEASE_WAIT},
    {"please wait, init or command processing in progress", CME_PLEASE_WAIT},
    {"please wait, initialization or command processing in progress", CME_PLEASE_WAIT},
};

static int cme_number(const char *text)
{
    long number;
    const char *rest = text;

    if (at_take_number(&rest, &number) && number <= 1000)
        return (int)number;
    text += strspn(text, " \t");
    for (size_t i = 0; i < sizeof cme_texts / sizeof cme_texts[0]; i++)
        if (strcasecmp(text, cme_texts[i].text) == 0)
            return cme_texts[i].cme;
    return CME_UNKNOWN;
}

enum at_final at_final_result(const char *line, int *cme)
{
    static const char cme_prefix[] = "+CME ERROR:";

    *cme = -1;
    if (strcmp(line, "OK") == 0)
        return AT_FINAL_OK;
    if (strncmp(line, cme_prefix, sizeof cme_prefix - 1) == 0) {
        *cme = cme_number(line + sizeof cme_prefix - 1);
        return AT_FINAL_CME;
    }
    for (size_t i = 0; i < sizeof exact_errors / sizeof exact_errors[0]; i++)
        if (strcmp(line, exact_errors[i]) == 0)
            return AT_FINAL_ERROR;
    for (size_t i = 0; i < sizeof prefix_errors / sizeof prefix_errors[0]; i++)
        if (strncmp(line, prefix_errors[i], strlen(prefix_errors[i])) == 0)
            return AT_FINAL_ERROR;
    return AT_FINAL_NONE;
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
        return report_set(
            why, OUTCOME_PIN_BLOCKED,
            "the SIM's own PIN1 is blocked (+CME ERROR: 12): it needs the PUK (AT+CPIN)");
    case CME_SIM_BUSY:
        return report_set(
            why, OUTCOME_TIMEOUT,
            "the SIM stayed busy (+CME ERROR: 14): the modem may be starting, try again");
    case CME_PLEASE_WAIT:
        return report_set(why, OUTCOME_TIMEOUT,
                          "the modem stayed busy (+CME ERROR: 515): it may be starting, try again");
    case CME_SIM_WRONG:
        return report_set(why, OUTCOME_NO_SIM,
                          "the modem rejects this SIM (+CME ERROR: 15): it may be locked to "
                          "another operator; unlock the modem, or use another one");
    case CME_WRONG_PASSWORD:
        return report_set(why, OUTCOME_PIN_WRONG,
                          "the modem says that the PIN is wrong (+CME ERROR: 16): correct it where "
                          "it is configured");
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
                          "the modem could not %s (+CME ERROR: 20, memory full): end other "
                          "programs that use the SIM, or restart the modem",
                          what);
    default:
        return report_set(why, OUTCOME_CARRIER_REFUSED, "the modem refused to %s (+CME ERROR: %d)",
                          what, cme);
    }
}

enum outcome at_outcome(const struct at_result *result, const char *what, struct report *why)
{
    enum outcome outcome;

    if (result->final == AT_FINAL_OK)
        return OUTCOME_OK;
    if (result->silent)
        return report_set(why, OUTCOME_CARRIER_REFUSED, "the modem does not %s: no answer", what);
    if (result->final != AT_FINAL_CME)
        return report_set(why, OUTCOME_CARRIER_REFUSED, "the modem refused to %s (ERROR)", what);
    outcome = cme_outcome(result->cme, what, why);
    why->cme = result->cme;
    return outcome;
}
