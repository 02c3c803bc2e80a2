/* SPDX-License-Identifier: Apache-2.0 */
/* simkey pin: the tries left, a person's explicit attempt, and a person's change. All are about the
 * applet's PIN; PIN1 is the modem's matter. */
#include "apdu/pin_source.h"
#include "modem/text.h"
#include "provider/tool/tool.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

static enum outcome show_state(const struct command_line *line, struct sim *sim, struct report *why)
{
    struct token_pin state;
    size_t refused;
    enum outcome outcome = token_pin_status(sim, &state, &refused, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (state.blocked)
        return report_set(why, OUTCOME_PIN_BLOCKED,
                          "the signing PIN is permanently blocked: this SIM can no longer sign");
    if (state.verified && settings_agent(line->settings.device, NULL))
        printf("no PIN is needed\n"); /* the agent does not say why */
    else if (state.verified && token_applet_known(sim) == TOKEN_APPLET_IOTSAFE)
        printf("no PIN is needed: the IoT SAFE applet has none\n");
    else if (state.verified)
        printf("no PIN is needed: it is disabled\n");
    else if (state.left < 0)
        printf("the card does not tell how many tries are left\n");
    else
        printf("%d %s left\n", state.left, state.left == 1 ? "try" : "tries");
    if (refused > 0)
        printf(
            "programs do not try %s again: this SIM refused %s before, or the answer never came; "
            "simkey pin verify with the right PIN clears that\n",
            refused == 1 ? "the PIN of one source (file or setting)" : "the PINs of some sources",
            refused == 1 ? "it" : "them");
    return OUTCOME_OK;
}

/* Whether the SIM wants none, ever: then it does not matter what is configured. */
static bool has_no_pin(struct sim *sim)
{
    struct token_pin state;
    struct report ignored = REPORT_INIT;

    return token_pin_status(sim, &state, NULL, &ignored) == OUTCOME_OK && state.verified &&
           token_applet_known(sim) == TOKEN_APPLET_IOTSAFE;
}

/* From the settings, else from the terminal. */
static enum outcome get_pin(const struct command_line *line, struct sim *sim,
                            struct pin_given *given, struct report *why)
{
    const struct settings *settings = &line->settings;

    pin_given_read(given, settings, PIN_APPLET);
    if (given->outcome != OUTCOME_OK && has_no_pin(sim))
        return report_set(why, OUTCOME_REFUSED,
                          "the IoT SAFE applet has no PIN: its keys are used without one, and none "
                          "can be blocked");
    if (settings->pin == NULL && settings->pin_source == NULL && terminal_there())
        return terminal_secret("PIN: ", given->pin, PIN_SIZE, why);
    if (given->outcome != OUTCOME_OK)
        *why = given->why;
    return given->outcome;
}

static enum outcome verify(const struct command_line *line, struct sim *sim, struct report *why)
{
    struct token_pin state = {.verified = false};
    char stuck[TOKEN_PATH_SIZE];
    struct pin_given given;
    enum outcome outcome = get_pin(line, sim, &given, why);

    if (outcome == OUTCOME_OK)
        outcome = token_pin_verify(sim, given.pin,
                                   given.identity.kind != PIN_NOT_KEPT ? &given.identity : NULL,
                                   (line->given & OPTION_SPEND_LAST_TRY) != 0, &state, stuck, why);
    pin_given_clear(&given);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (stuck[0] != '\0')
        (void)fprintf(stderr,
                      "simkey: programs may still refuse a PIN that this SIM refused before: this "
                      "user cannot remove %s; run simkey pin verify as root\n",
                      stuck);
    printf("the PIN is right: ");
    return show_state(line, sim, why);
}

/* ---- change ---- */

/* One of the two PINs: from the source that was named, else asked for. */
static enum outcome get_named(const char *source, const char *option, const char *prompt,
                              char pin[PIN_SIZE], struct report *why)
{
    memset(pin, 0, PIN_SIZE);
    if (source != NULL)
        return pin_from_source(source, option, pin, why);
    if (!terminal_there())
        return report_set(why, OUTCOME_PIN_MISSING,
                          "there is no terminal to ask on: name the PIN's file by %s", option);
    return terminal_secret(prompt, pin, PIN_SIZE, why);
}

static enum outcome get_both(const struct command_line *line, char old_pin[PIN_SIZE],
                             char new_pin[PIN_SIZE], struct report *why)
{
    char again[PIN_SIZE];
    enum outcome outcome;

    memset(new_pin, 0, PIN_SIZE);
    outcome = get_named(line->old_source, "--old-source", "old PIN: ", old_pin, why);
    if (outcome == OUTCOME_OK)
        outcome = get_named(line->new_source, "--new-source", "new PIN: ", new_pin, why);
    if (outcome != OUTCOME_OK || line->new_source != NULL)
        return outcome;
    outcome = terminal_secret("new PIN again: ", again, sizeof again, why);
    if (outcome == OUTCOME_OK && strcmp(new_pin, again) != 0)
        outcome = report_set(why, OUTCOME_USAGE,
                             "the new PIN was not the same both times: nothing was sent");
    OPENSSL_cleanse(again, sizeof again);
    return outcome;
}

/* What the card did not refuse in words it may have done or not. */
static enum outcome tell_doubt(struct sim *sim, enum outcome outcome, struct report *why)
{
    struct token_pin state;
    struct report asked = REPORT_INIT;
    char tries[REPORT_TEXT_SIZE];

    if (token_pin_status(sim, &state, NULL, &asked) != OUTCOME_OK)
        (void)snprintf(tries, sizeof tries, "the tries left cannot be asked for now (%.200s)",
                       asked.text);
    else
        (void)token_tries_text(&state, tries);
    if (why->sw != 0) {
        report_prefix(why, "%s", tries);
        return outcome;
    }
    report_prefix(why,
                  "%s, and it is unknown whether the PIN was changed: try the new one by `simkey "
                  "pin verify`, then the old one",
                  tries);
    return outcome;
}

static enum outcome change(const struct command_line *line, struct sim *sim, struct report *why)
{
    char old_pin[PIN_SIZE], new_pin[PIN_SIZE];
    struct report asked = REPORT_INIT;
    bool sent = false;
    enum outcome outcome;

    terminal_make_room();
    (void)fprintf(stderr, "simkey: the command that changes this applet's PIN is known from a "
                          "single, unconfirmed source. It is tried once, and only with all tries "
                          "left; if it fails, it may cost one try.\n");
    outcome = get_both(line, old_pin, new_pin, why);
    if (outcome == OUTCOME_OK)
        outcome = token_pin_change(sim, old_pin, new_pin, &sent, why);
    OPENSSL_cleanse(old_pin, sizeof old_pin);
    OPENSSL_cleanse(new_pin, sizeof new_pin);
    if (outcome != OUTCOME_OK)
        return sent ? tell_doubt(sim, outcome, why) : outcome;
    printf("the PIN is changed: ");
    if (show_state(line, sim, &asked) != OUTCOME_OK)
        text_line(stdout, "the tries left cannot be asked for now (%s)", asked.text);
    text_line(stdout,
              "now write it into %s%severy file that a `pin-source` names, before a program tries "
              "the old one",
              line->settings.pin_source != NULL ? line->settings.pin_source : "",
              line->settings.pin_source != NULL ? ", and into " : "");
    return OUTCOME_OK;
}

static enum outcome run_pin(const struct command_line *line, struct sim *sim, struct report *why)
{
    const char *what = line->operand_count == 1 ? line->operands[0] : "";
    bool changing = strcmp(what, "change") == 0;

    if (!changing && (line->given & (OPTION_OLD_SOURCE | OPTION_NEW_SOURCE)) != 0)
        return report_set(why, OUTCOME_USAGE,
                          "--old-source and --new-source are for simkey pin change");
    if (changing && (line->given & OPTION_SPEND_LAST_TRY) != 0)
        return report_set(why, OUTCOME_USAGE, "--spend-last-try is for simkey pin verify");
    if (strcmp(what, "status") == 0)
        return show_state(line, sim, why);
    if (settings_agent(line->settings.device, NULL)) /* before it is asked for */
        return report_set(why, OUTCOME_UNSUPPORTED,
                          "no PIN is tried or changed through simkey-agent: " SETTINGS_ELSEWHERE);
    if (strcmp(what, "verify") == 0)
        return verify(line, sim, why);
    if (changing)
        return change(line, sim, why);
    return report_set(why, OUTCOME_USAGE, "simkey pin wants one of status, verify and change");
}

const struct command command_pin = {
    .name = "pin",
    .operands = "status|verify|change",
    .purpose = "tells the tries left; tries the PIN, which resets the counter; or changes it",
    .options = OPTION_SPEND_LAST_TRY | OPTION_OLD_SOURCE | OPTION_NEW_SOURCE,
    .run = run_pin};
