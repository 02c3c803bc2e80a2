/* SPDX-License-Identifier: Apache-2.0 */
/* simkey pin: the tries left, and a person's explicit attempt. */
#include "apdu/pin.h"
#include "provider/cmd.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum outcome show_state(struct sim *sim, struct report *why)
{
    struct token_pin state;
    enum outcome outcome = token_pin_status(sim, &state, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (state.blocked)
        return report_set(why, OUTCOME_PIN_BLOCKED,
                          "the signing PIN is blocked for ever: this SIM cannot sign any more");
    if (state.verified)
        printf("no PIN is wanted: it is disabled\n");
    else if (state.left < 0)
        printf("the card does not tell how many tries are left\n");
    else
        printf("%d %s left\n", state.left, state.left == 1 ? "try" : "tries");
    return OUTCOME_OK;
}

/* From the settings, else from the terminal. */
static enum outcome get_pin(const struct command_line *line, char pin[PIN_SIZE], struct report *why)
{
    const struct settings *settings = &line->settings;

    if (settings->pin != NULL || settings->pin_source != NULL || !isatty(STDIN_FILENO))
        return pin_from_settings(settings, PIN_APPLET, pin, why);
    memset(pin, 0, PIN_SIZE);
    if (EVP_read_pw_string(pin, PIN_SIZE, "PIN: ", 0) != 0)
        return report_set(why, OUTCOME_PIN_MISSING, "no PIN was entered: nothing was sent");
    return OUTCOME_OK;
}

static enum outcome verify(const struct command_line *line, struct sim *sim, struct report *why)
{
    struct token_pin state = {.verified = false};
    char pin[PIN_SIZE];
    enum outcome outcome = get_pin(line, pin, why);

    if (outcome == OUTCOME_OK)
        outcome =
            token_pin_verify(sim, pin, (line->given & OPTION_SPEND_LAST_TRY) != 0, &state, why);
    OPENSSL_cleanse(pin, sizeof pin);
    if (outcome != OUTCOME_OK)
        return outcome;
    printf("the PIN is right: ");
    sim_forget(sim); /* a new channel, on which the PIN is not verified, tells the counter */
    return show_state(sim, why);
}

enum outcome cmd_pin(const struct command_line *line, struct sim *sim, struct report *why)
{
    const char *what = line->operand_count == 1 ? line->operands[0] : "";

    if (strcmp(what, "status") == 0)
        return show_state(sim, why);
    if (strcmp(what, "verify") == 0)
        return verify(line, sim, why);
    return report_set(why, OUTCOME_USAGE, "simkey pin wants one of status and verify");
}
