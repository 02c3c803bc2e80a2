/* SPDX-License-Identifier: Apache-2.0 */
/* VERIFY, CHANGE and the rules around them. */
#include "apdu/pin.h"
#include "modem/forks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INS_VERIFY      0x20
#define INS_CHANGE      0x24
#define CLA_PROPRIETARY 0x80
#define UICC_PIN_SIZE   8
#define PIN_MIN         4

/* What differs between the two PINs. */
static const struct place {
    uint8_t p2;
    size_t longest;
    const char *name, *setting, *help;
} places[] = {
    [PIN_APPLET] = {0x81, PIN_SIZE - 1, "the signing PIN",
                    "`pin-source` (SIMKEY_PIN_SOURCE, or SIMKEY_PIN)",
                    "run `simkey pin verify` with the right PIN to reset the counter"},
    [PIN_UICC] = {0x01, UICC_PIN_SIZE, "the SIM's PIN1", "`sim-pin-source` (SIMKEY_SIM_PIN_SOURCE)",
                  "let the modem verify it (AT+CPIN) to reset the counter"},
};

/* Bytes 63 Cx: x tries left (ISO 7816-4, 11.6.6). */
static bool state_of(uint16_t sw, enum pin_reference reference, struct token_pin *state)
{
    *state = (struct token_pin){.verified = false, .blocked = false, .left = -1};
    if (sw == SW_OK || (sw == 0x6984 && reference == PIN_UICC))
        state->verified = true; /* 6984: a PIN1 that is disabled */
    else if ((sw & 0xFFF0) == 0x63C0)
        state->left = sw & 0x0F;
    else if (sw == 0x6983)
        state->left = 0;
    else if (sw != 0x6300)
        return false;
    state->blocked = state->left == 0;
    return true;
}

enum outcome pin_state(const struct card *card, enum pin_reference reference,
                       struct token_pin *state, struct report *why)
{
    struct apdu ask = {.ins = INS_VERIFY, .p2 = places[reference].p2, .le = APDU_LE_NONE};
    struct answer answer;
    enum outcome outcome = apdu_send(card, &ask, &answer, why);

    if (outcome == OUTCOME_CARRIER_REFUSED ||
        (outcome == OUTCOME_OK && (answer.sw == 0x6700 || (answer.sw & 0xFF00) == 0x6C00))) {
        ask.le = APDU_LE_ALL; /* a fifth byte 00: no data either */
        outcome = apdu_send(card, &ask, &answer, why);
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!state_of(answer.sw, reference, state))
        return apdu_refused(&answer, "ask for the state of the PIN", why);
    return OUTCOME_OK;
}

static enum outcome blocked(const struct place *place, struct report *why)
{
    if (place->p2 == places[PIN_UICC].p2)
        return report_set(why, OUTCOME_PIN_BLOCKED, "%s is blocked: it needs the PUK (AT+CPIN)",
                          place->name);
    return report_set(why, OUTCOME_PIN_BLOCKED,
                      "%s is blocked for ever: this SIM cannot sign any more and must be replaced",
                      place->name);
}

/* Sends VERIFY, once, and says how the PIN stands afterwards. */
static enum outcome verify(const struct card *card, enum pin_reference reference, const char *pin,
                           struct token_pin *state, struct report *why)
{
    const struct place *place = &places[reference];
    size_t length = strlen(pin);
    uint8_t data[PIN_SIZE];
    struct apdu command = {.ins = INS_VERIFY,
                           .p2 = place->p2,
                           .data = data,
                           .lc = reference == PIN_UICC ? UICC_PIN_SIZE : length,
                           .le = APDU_LE_NONE,
                           .secrecy = SECRET_COMMAND};
    struct answer answer;
    enum outcome outcome;

    memset(data, 0xFF, sizeof data); /* PIN1's padding (ETSI TS 102 221, 9.5.1) */
    memcpy(data, pin, length);
    outcome = apdu_send(card, &command, &answer, why);
    explicit_bzero(data, sizeof data);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!state_of(answer.sw, reference, state))
        return apdu_refused(&answer, "verify the PIN", why);
    if (state->verified)
        return OUTCOME_OK;
    if (state->blocked) {
        (void)blocked(place, why);
        report_prefix(why, "%s was wrong", place->name);
        return why->outcome;
    }
    if (state->left < 0)
        return report_set(why, OUTCOME_PIN_WRONG, "%s is wrong: correct %s", place->name,
                          place->setting);
    return report_set(why, OUTCOME_PIN_WRONG, "%s is wrong, %d %s left: correct %s, then %s",
                      place->name, state->left, state->left == 1 ? "try is" : "tries are",
                      place->setting, place->help);
}

enum outcome pin_unlock(const struct card *card, enum pin_reference reference,
                        const struct settings *settings, struct report *why)
{
    const struct place *place = &places[reference];
    struct token_pin state;
    char pin[PIN_SIZE];
    enum outcome outcome = pin_state(card, reference, &state, why);

    if (outcome != OUTCOME_OK || state.verified)
        return outcome;
    if (state.blocked)
        return blocked(place, why);
    outcome = pin_from_settings(settings, reference, pin, why);
    if (outcome == OUTCOME_OK && state.left < 0)
        outcome = report_set(why, OUTCOME_PIN_PROTECTED,
                             "%s was not tried, because the card does not tell how many tries are "
                             "left: %s",
                             place->name, place->help);
    else if (outcome == OUTCOME_OK && state.left < PIN_SOFTWARE_TRIES)
        outcome = report_set(
            why, OUTCOME_PIN_PROTECTED, "%s was not tried, to protect the SIM: only %d %s left; %s",
            place->name, state.left, state.left == 1 ? "try is" : "tries are", place->help);
    if (outcome == OUTCOME_OK)
        outcome = verify(card, reference, pin, &state, why);
    explicit_bzero(pin, sizeof pin);
    return outcome;
}

static bool good_pin(const char *pin, enum pin_reference reference)
{
    size_t length = strlen(pin);

    return length >= PIN_MIN && length <= places[reference].longest &&
           strspn(pin, "0123456789") == length;
}

enum outcome pin_attempt(const struct card *card, enum pin_reference reference, const char *pin,
                         bool spend_last, struct token_pin *state, struct report *why)
{
    const struct place *place = &places[reference];
    enum outcome outcome;

    if (!good_pin(pin, reference))
        return report_set(why, OUTCOME_USAGE, "%s has %d to %zu digits: nothing was sent",
                          place->name, PIN_MIN, place->longest);
    outcome = pin_state(card, reference, state, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (state->blocked)
        return blocked(place, why);
    if (!state->verified && state->left < 2 && !spend_last)
        return report_set(why, OUTCOME_PIN_PROTECTED,
                          "%s was not tried: %s, and a wrong one would block it for ever; be sure, "
                          "then add --spend-last-try",
                          place->name,
                          state->left < 0 ? "the card does not tell how many tries are left"
                                          : "only the last try is left");
    return verify(card, reference, pin, state, why);
}

/* The applet's CHANGE REFERENCE DATA, sent once. Unlike ISO 7816-4's (11.6.7) its class is
 * proprietary and its data say how long the old PIN is:
 *
 *   1 byte   n, the length of the old PIN
 *   n        the old PIN, its digits as they are
 *   rest     the new PIN, likewise
 *
 * Only one public source has this form, and nobody reports that it worked. */
static enum outcome change(const struct card *card, const char *old_pin, const char *new_pin,
                           struct answer *answer, struct report *why)
{
    size_t old_length = strlen(old_pin), new_length = strlen(new_pin);
    uint8_t data[1 + (PIN_SIZE - 1) + PIN_NEW_MAX];
    const struct apdu command = {.cla = CLA_PROPRIETARY,
                                 .ins = INS_CHANGE,
                                 .p2 = places[PIN_APPLET].p2,
                                 .data = data,
                                 .lc = 1 + old_length + new_length,
                                 .le = APDU_LE_NONE,
                                 .secrecy = SECRET_COMMAND};
    enum outcome outcome;

    data[0] = (uint8_t)old_length;
    memcpy(data + 1, old_pin, old_length);
    memcpy(data + 1 + old_length, new_pin, new_length);
    outcome = apdu_send(card, &command, answer, why);
    explicit_bzero(data, sizeof data);
    return outcome;
}

/* Says what a card that did not answer 9000 means. */
static enum outcome not_changed(const struct answer *answer, struct report *why)
{
    const struct place *place = &places[PIN_APPLET];
    struct token_pin state;

    if (!state_of(answer->sw, PIN_APPLET, &state))
        return report_sw(
            why, OUTCOME_REFUSED, answer->sw,
            "this SIM's applet does not take the command that changes %s: the PIN should be "
            "as it was",
            place->name);
    if (state.blocked)
        return report_sw(why, OUTCOME_PIN_BLOCKED, answer->sw,
                         "%s is not changed, and blocked for ever: this SIM cannot sign any more",
                         place->name);
    return report_sw(why, OUTCOME_PIN_WRONG, answer->sw,
                     "%s is not changed: the old one was wrong, or this applet wants another form "
                     "of the command; do not repeat it, %s",
                     place->name, place->help);
}

enum outcome pin_change(const struct card *card, const char *old_pin, const char *new_pin,
                        bool *sent, struct report *why)
{
    const struct place *place = &places[PIN_APPLET];
    struct token_pin state;
    struct answer answer;
    enum outcome outcome;

    *sent = false;
    if (!good_pin(old_pin, PIN_APPLET))
        return report_set(why, OUTCOME_USAGE, "%s has %d to %zu digits: nothing was sent",
                          place->name, PIN_MIN, place->longest);
    if (!good_pin(new_pin, PIN_APPLET) || strlen(new_pin) > PIN_NEW_MAX)
        return report_set(why, OUTCOME_USAGE, "a new PIN has %d to %d digits: nothing was sent",
                          PIN_MIN, PIN_NEW_MAX);
    if (strcmp(old_pin, new_pin) == 0)
        return report_set(why, OUTCOME_USAGE, "the new PIN is the old one: nothing was sent");
    outcome = pin_state(card, PIN_APPLET, &state, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (state.blocked)
        return blocked(place, why);
    if (state.left < PIN_SOFTWARE_TRIES)
        return report_set(why, OUTCOME_PIN_PROTECTED,
                          "%s was not changed, to protect the SIM: a change is only tried with %d "
                          "tries left, and %s; %s",
                          place->name, PIN_SOFTWARE_TRIES,
                          state.left < 0    ? "the card does not tell how many there are"
                          : state.left == 1 ? "only the last one is left"
                                            : "only 2 are left",
                          place->help);
    *sent = true;
    outcome = change(card, old_pin, new_pin, &answer, why);
    if (outcome == OUTCOME_OK && answer.sw != SW_OK)
        outcome = not_changed(&answer, why);
    return outcome;
}

/* The first line of a PIN file, without its line end. */
static enum outcome read_source(const char *source, const char *setting, char pin[PIN_SIZE],
                                struct report *why)
{
    const char *path = strncmp(source, "file:", 5) == 0 ? source + 5 : source;
    struct stat file;
    char line[PIN_SIZE + 2] = "";
    enum outcome outcome = OUTCOME_OK;
    ssize_t got;
    int fd;

    forks_hold();
    fd = forks_note(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (fd < 0)
        return report_set(why, OUTCOME_PIN_MISSING, "cannot read the PIN from %s: %s: correct %s",
                          path, strerror(errno), setting);
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
        outcome = report_set(why, OUTCOME_PIN_MISSING, "the PIN file %s is no regular file", path);
    } else if ((file.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        outcome = report_set(
            why, OUTCOME_PIN_MISSING,
            "the PIN file %s is open to all users: chmod 600 %s (or 640 for a group)", path, path);
    } else if ((got = read(fd, line, sizeof line - 1)) < 0) {
        outcome = report_set(why, OUTCOME_PIN_MISSING, "cannot read the PIN file %s: %s", path,
                             strerror(errno));
    } else {
        line[got] = '\0';
        line[strcspn(line, "\r\n")] = '\0';
        if (strlen(line) >= PIN_SIZE)
            line[0] = '\0';
        memcpy(pin, line, PIN_SIZE);
    }
    forks_close(fd);
    explicit_bzero(line, sizeof line);
    return outcome;
}

/* What was read, if it is a PIN. */
static enum outcome judge(enum outcome outcome, enum pin_reference reference, const char *setting,
                          char pin[PIN_SIZE], struct report *why)
{
    if (outcome == OUTCOME_OK && !good_pin(pin, reference))
        outcome =
            report_set(why, OUTCOME_PIN_MISSING,
                       "what %s gives is no PIN (%d to %zu digits on the first line): nothing "
                       "was sent to the SIM",
                       setting, PIN_MIN, places[reference].longest);
    if (outcome != OUTCOME_OK)
        explicit_bzero(pin, PIN_SIZE);
    return outcome;
}

enum outcome pin_from_source(const char *source, const char *name, char pin[PIN_SIZE],
                             struct report *why)
{
    memset(pin, 0, PIN_SIZE);
    return judge(read_source(source, name, pin, why), PIN_APPLET, name, pin, why);
}

enum outcome pin_from_settings(const struct settings *settings, enum pin_reference reference,
                               char pin[PIN_SIZE], struct report *why)
{
    const struct place *place = &places[reference];
    const char *source = reference == PIN_UICC ? settings->sim_pin_source : settings->pin_source;
    enum outcome outcome = OUTCOME_OK;

    memset(pin, 0, PIN_SIZE);
    if (reference == PIN_APPLET && settings->pin != NULL) {
        if (strlen(settings->pin) < PIN_SIZE)
            memcpy(pin, settings->pin, strlen(settings->pin));
    } else if (source != NULL) {
        outcome = read_source(source, place->setting, pin, why);
    } else {
        return report_set(why, OUTCOME_PIN_MISSING, "%s is needed and none is configured: set %s",
                          place->name, place->setting);
    }
    return judge(outcome, reference, place->setting, pin, why);
}
