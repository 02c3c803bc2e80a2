/* SPDX-License-Identifier: Apache-2.0 */
/* VERIFY, CHANGE and the rules around them. */
#include "apdu/applet/pin.h"

#include "apdu/aid.h"
#include "modem/cme.h"

#include <string.h>

#define INS_VERIFY      0x20
#define INS_CHANGE      0x24
#define CLA_PROPRIETARY 0x80
#define UICC_PIN_SIZE   8

/* What the answer to a PIN may take: longer than that to the question for its state, because the card
 * writes its counter. */
#define ANSWER_MS    400
#define ANSWER_TIMES 3

/* So often in an operation a PIN is sent of which the modem says that the SIM has not seen it. */
#define UNSEEN_SENDS 4

const struct applet applet_uicc = {.aid = uicc_aid,
                                   .aid_length = sizeof uicc_aid,
                                   .name = "the application with the Type A files",
                                   .kind = SELECTED_UICC};

/* What differs between the two PINs. Reference 81 is another PIN in another application: the UICC
 * has its PIN2 there (ETSI TS 102 221, table 9.3). */
static const struct place {
    uint8_t p2;
    const uint8_t *aid;
    size_t aid_length;
    const char *help;
} places[] = {
    [PIN_APPLET] = {0x81, mias_aid, sizeof mias_aid,
                    "run `simkey pin verify` with the right PIN to reset the counter"},
    [PIN_UICC] = {0x01, uicc_aid, sizeof uicc_aid,
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

/* brief: a SIM that is busy is not waited for (OUTCOME_TIMEOUT). */
static enum outcome ask_state(const struct card *card, enum pin_reference reference, bool brief,
                              struct token_pin *state, struct report *why)
{
    struct apdu ask = {
        .ins = INS_VERIFY, .p2 = places[reference].p2, .le = APDU_LE_NONE, .brief = brief};
    struct answer answer;
    int64_t started = monotonic_ms();
    enum outcome outcome;

    *state = (struct token_pin){.left = -1};
    if (card->selection != NULL)
        card->selection->passed = false;
    outcome = apdu_send(card, &ask, &answer, why);
    if (outcome == OUTCOME_CARRIER_REFUSED ||
        (outcome == OUTCOME_OK && (answer.sw == 0x6700 || (answer.sw & 0xFF00) == 0x6C00))) {
        ask.le = APDU_LE_ALL; /* a fifth byte 00: no data either */
        outcome = apdu_send(card, &ask, &answer, why);
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    if (card->selection != NULL)
        card->selection->asked_ms = monotonic_ms() - started;
    if (answer.length > 0) { /* the card says no more than how many tries are left */
        apdu_doubt(card);
        return report_set(
            why, OUTCOME_BAD_DATA,
            "the answer to the question for the PIN's state has %zu bytes that do not "
            "belong to it: try again",
            answer.length);
    }
    if (!state_of(answer.sw, reference, state))
        return apdu_refused(&answer, "ask for the state of the PIN", why);
    return OUTCOME_OK;
}

enum outcome pin_state(const struct card *card, enum pin_reference reference,
                       struct token_pin *state, struct report *why)
{
    return ask_state(card, reference, false, state, why);
}

static enum outcome say_blocked(enum pin_reference reference, struct report *why)
{
    if (reference == PIN_UICC)
        return report_set(why, OUTCOME_PIN_BLOCKED, "%s is blocked: it needs the PUK (AT+CPIN)",
                          pin_name(reference));
    return report_set(why, OUTCOME_PIN_BLOCKED,
                      "%s is permanently blocked: this SIM can no longer sign and must be replaced",
                      pin_name(reference));
}

/* A PIN whose answer is not waited for counts as refused: it is not sent where the time-out, which may
 * come from a URI, leaves less time than the answer is likely to need. */
static enum outcome judge_time(const struct card *card, enum pin_reference reference,
                               struct report *why)
{
    int64_t needed = ANSWER_MS + ANSWER_TIMES * card->selection->asked_ms;
    int left = deadline_left(card->deadline);

    if (needed > APDU_TIMEOUT_MS) /* longer is not waited for; the SIM may have been busy before */
        needed = APDU_TIMEOUT_MS;
    if (left >= needed)
        return OUTCOME_OK;
    return report_set(
        why, OUTCOME_PIN_PROTECTED,
        "%s was not sent, because only %d ms of the time-out are left and its answer may "
        "take %lld: raise `timeout`",
        pin_name(reference), left, (long long)needed);
}

/* The one way by which a PIN leaves: to the applet that it belongs to, and over a line that does not
 * repeat it to others. The selection's `passed` tells afterwards whether the card may have seen it
 * since its state was asked for. */
static enum outcome send_secret(const struct card *card, enum pin_reference reference,
                                const struct apdu *command, struct answer *answer,
                                struct report *why)
{
    const struct place *place = &places[reference];
    enum outcome outcome = OUTCOME_OK;

    if (!card_just_selected(card, place->aid, place->aid_length))
        return report_set(why, OUTCOME_PIN_PROTECTED,
                          "%s was not sent, because the SIM did not confirm that the application "
                          "it belongs to is selected: try again",
                          pin_name(reference));
    if (card->before_pin != NULL)
        outcome = card->before_pin(card->arg, why);
    if (outcome == OUTCOME_OK)
        outcome = judge_time(card, reference, why);
    return outcome == OUTCOME_OK ? apdu_send(card, command, answer, why) : outcome;
}

/* Sends VERIFY, once, and says how the PIN stands afterwards. *unseen: in place of the card's answer the
 * modem said that the SIM is busy, or that it hands no such command on. */
static enum outcome verify(const struct card *card, enum pin_reference reference, const char *pin,
                           struct token_pin *state, bool *unseen, struct report *why)
{
    size_t length = strlen(pin);
    uint8_t data[PIN_SIZE];
    struct apdu command = {.ins = INS_VERIFY,
                           .p2 = places[reference].p2,
                           .data = data,
                           .lc = reference == PIN_UICC ? UICC_PIN_SIZE : length,
                           .le = APDU_LE_NONE,
                           .secrecy = SECRET_COMMAND};
    struct answer answer = {.length = 0};
    enum outcome outcome;
    char tries[TOKEN_TRIES_TEXT];

    memset(data, 0xFF, sizeof data); /* PIN1's padding (ETSI TS 102 221, 9.5.1) */
    memcpy(data, pin, length);
    outcome = send_secret(card, reference, &command, &answer, why);
    explicit_bzero(data, sizeof data);
    *unseen = answer.sw == 0 && ((outcome == OUTCOME_TIMEOUT && cme_is_busy(why->cme)) ||
                                 (outcome == OUTCOME_CARRIER_REFUSED && cme_is_refusal(why->cme)));
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!state_of(answer.sw, reference, state))
        return apdu_refused(&answer, "verify the PIN", why);
    if (state->verified)
        return OUTCOME_OK;
    if (state->blocked) {
        (void)say_blocked(reference, why);
        report_prefix(why, "%s was wrong", pin_name(reference));
        return why->outcome;
    }
    if (state->left < 0)
        return report_set(why, OUTCOME_PIN_WRONG, "%s is wrong: correct %s", pin_name(reference),
                          pin_setting(reference));
    return report_set(why, OUTCOME_PIN_WRONG, "%s is wrong, %s: correct %s, then %s",
                      pin_name(reference), token_tries_text(state, tries), pin_setting(reference),
                      places[reference].help);
}

/* Whether software may try at all: what the state says. */
static enum outcome judge_state(const struct token_pin *state, enum pin_reference reference,
                                struct report *why)
{
    const char *name = pin_name(reference), *help = places[reference].help;
    char tries[TOKEN_TRIES_TEXT];

    (void)token_tries_text(state, tries);
    if (state->left < 0)
        return report_set(why, OUTCOME_PIN_PROTECTED, "%s was not tried, because %s: %s", name,
                          tries, help);
    if (state->left < PIN_SOFTWARE_TRIES)
        return report_set(why, OUTCOME_PIN_PROTECTED,
                          "%s was not tried, to protect the SIM: only %s; %s", name, tries, help);
    return OUTCOME_OK;
}

/* The same: what is remembered of this SIM. */
static enum outcome judge_memory(const struct pin_try *try, enum pin_reference reference, int left,
                                 struct report *why)
{
    const char *name = pin_name(reference);
    int before = pin_memory_left(try->memory, try->sim, reference);

    if (pin_memory_refuses(try->memory, try->sim, reference, &try->given->identity))
        return report_set(
            why, OUTCOME_PIN_PROTECTED,
            "%s from %s was refused by this SIM before, or its answer never came, and is not tried "
            "again: correct it (a file is noticed when it changes), or run `simkey pin verify`",
            name, try->given->where);
    if (left < before)
        return report_set(why, OUTCOME_PIN_PROTECTED,
                          "%s was not tried, to protect the SIM: %d tries are left where there "
                          "were %d, so another program tried a wrong one; %s",
                          name, left, before, places[reference].help);
    return OUTCOME_OK;
}

void pin_remember(struct pin_try *try, enum pin_reference reference,
                  const struct pin_identity *source, int left)
{
    struct pin_refusal refusal = {.reference = reference, .left = left};

    memcpy(refusal.sim, try->sim, strnlen(try->sim, sizeof refusal.sim - 1));
    refusal.source = *source;
    pin_memory_add(try->memory, &refusal);
    if (try->save != NULL)
        (void)try->save(try->settings, try->sim, try->memory);
}

/* Some modems call the SIM busy for each second command, which would be each PIN: a question that is not
 * said again comes in between. The SIM has to say the same as before. */
static enum outcome change_step(const struct card *card, enum pin_reference reference, int left,
                                struct report *why)
{
    struct token_pin state;
    enum outcome outcome = ask_state(card, reference, true, &state, why);

    if (outcome == OUTCOME_TIMEOUT && cme_is_busy(why->cme)) {
        report_clear(why);
        return OUTCOME_OK;
    }
    if (outcome == OUTCOME_OK && (state.verified || state.left != left))
        return report_set(why, OUTCOME_LOST,
                          "%s was not sent, because the SIM does not tell the same number of tries "
                          "twice: try again",
                          pin_name(reference));
    return outcome;
}

enum outcome pin_unlock(const struct card *card, enum pin_reference reference, struct pin_try *try,
                        struct report *why)
{
    struct token_pin state = {.left = -1};
    enum outcome outcome = pin_state(card, reference, &state, why);
    int left = state.left;
    bool unseen;

    try->sent = false;
    if (outcome != OUTCOME_OK || state.verified)
        return outcome;
    if (state.blocked)
        return say_blocked(reference, why);
    if (try->given->outcome != OUTCOME_OK) {
        pin_memory_see(try->memory, try->sim, reference, left); /* fewer are no chance's doing */
        *why = try->given->why;
        return try->given->outcome;
    }
    outcome = judge_state(&state, reference, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (try->load != NULL)
        try->load(try->settings, try->sim, try->memory);
    outcome = judge_memory(try, reference, left, why);
    /* the SIM has counted what it is said not to have seen */
    if (outcome != OUTCOME_OK && try->given->unseen > 0 &&
        !pin_memory_refuses(try->memory, try->sim, reference, &try->given->identity))
        pin_remember(try, reference, &try->given->identity, left);
    if (outcome != OUTCOME_OK)
        return outcome;
    pin_memory_see(try->memory, try->sim, reference, left);
    if (try->given->unseen % 2 != 0)
        outcome = change_step(card, reference, left, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = verify(card, reference, try->given->pin, &state, &unseen, why);
    try->sent = outcome == OUTCOME_OK;
    if (outcome == OUTCOME_OK || !card->selection->passed)
        return outcome;
    /* only the modem says so: before it is sent again, the SIM tells its tries on a new channel */
    try->given->unseen += unseen;
    try->given->again = unseen && try->given->unseen < UNSEEN_SENDS;
    if (unseen)
        return outcome;
    pin_remember(try, reference, &try->given->identity, left);
    return outcome;
}

enum outcome pin_attempt(const struct card *card, enum pin_reference reference, const char *pin,
                         bool spend_last, struct token_pin *state, struct report *why)
{
    enum outcome outcome;
    bool unseen;

    if (!pin_well_formed(pin, reference))
        return report_set(why, OUTCOME_USAGE, "%s must have %d to %zu digits: nothing was sent",
                          pin_name(reference), PIN_MIN, pin_longest(reference));
    outcome = pin_state(card, reference, state, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (state->blocked)
        return say_blocked(reference, why);
    if (!state->verified && state->left < 2 && !spend_last)
        return report_set(why, OUTCOME_PIN_PROTECTED,
                          "%s was not tried: %s, and a wrong one would block it permanently; only "
                          "if you are sure of it, add --spend-last-try",
                          pin_name(reference),
                          state->left < 0 ? "the card does not tell how many tries are left"
                                          : "only the last try is left");
    return verify(card, reference, pin, state, &unseen, why);
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
    outcome = send_secret(card, PIN_APPLET, &command, answer, why);
    explicit_bzero(data, sizeof data);
    return outcome;
}

/* Says what a card that did not answer 9000 means. */
static enum outcome not_changed(const struct answer *answer, struct report *why)
{
    const char *name = pin_name(PIN_APPLET);
    struct token_pin state;

    if (!state_of(answer->sw, PIN_APPLET, &state))
        return report_sw(why, OUTCOME_REFUSED, answer->sw,
                         "this SIM's applet does not accept the command that changes %s: the PIN "
                         "should be unchanged",
                         name);
    if (state.blocked)
        return report_sw(
            why, OUTCOME_PIN_BLOCKED, answer->sw,
            "%s was not changed and is now permanently blocked: this SIM can no longer sign", name);
    return report_sw(why, OUTCOME_PIN_WRONG, answer->sw,
                     "%s is not changed: the old one was wrong, or this applet wants another form "
                     "of the command; do not repeat it, %s",
                     name, places[PIN_APPLET].help);
}

enum outcome pin_change(const struct card *card, const char *old_pin, const char *new_pin,
                        bool *sent, struct report *why)
{
    const char *name = pin_name(PIN_APPLET);
    struct token_pin state;
    struct answer answer = {.length = 0};
    enum outcome outcome;
    char tries[TOKEN_TRIES_TEXT];

    *sent = false;
    if (!pin_well_formed(old_pin, PIN_APPLET))
        return report_set(why, OUTCOME_USAGE, "%s must have %d to %zu digits: nothing was sent",
                          name, PIN_MIN, pin_longest(PIN_APPLET));
    if (!pin_well_formed(new_pin, PIN_APPLET) || strlen(new_pin) > PIN_NEW_MAX)
        return report_set(why, OUTCOME_USAGE,
                          "a new PIN must have %d to %d digits: nothing was sent", PIN_MIN,
                          PIN_NEW_MAX);
    if (strcmp(old_pin, new_pin) == 0)
        return report_set(why, OUTCOME_USAGE,
                          "the new PIN is the same as the old one: nothing was sent");
    outcome = pin_state(card, PIN_APPLET, &state, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (state.blocked)
        return say_blocked(PIN_APPLET, why);
    if (state.left < PIN_SOFTWARE_TRIES)
        return report_set(why, OUTCOME_PIN_PROTECTED,
                          "%s was not changed, to protect the SIM: a change is only tried with %d "
                          "tries left, and %s%s; %s",
                          name, PIN_SOFTWARE_TRIES, state.left < 0 ? "" : "only ",
                          token_tries_text(&state, tries), places[PIN_APPLET].help);
    outcome = change(card, old_pin, new_pin, &answer, why);
    *sent = card->selection != NULL && card->selection->passed;
    if (outcome == OUTCOME_OK && answer.sw != SW_OK)
        outcome = not_changed(&answer, why);
    return outcome;
}
