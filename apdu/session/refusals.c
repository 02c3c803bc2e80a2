/* SPDX-License-Identifier: Apache-2.0 */
/* Which PINs the SIM of an operation has refused: noted, also afterwards if the SIM contradicts itself, and
 * forgotten when a person's PIN was right. */
#include "apdu/session/operation.h"
#include "apdu/session/pin_store.h"

#include <string.h>

#define SW_NOT_SATISFIED 0x6982 /* ISO 7816-4, 5.6: security status not satisfied */

size_t operation_refusals(struct operation *operation)
{
    struct pin_memory memory = operation->sim->memory;
    const char *sim = operation->current->iccid;

    pin_store_load(&operation->sim->settings, sim, &memory);
    return pin_memory_count(&memory, sim);
}

static void note_refusal(struct operation *operation, enum pin_reference reference,
                         const struct pin_identity *source)
{
    struct pin_try try = {.memory = &operation->sim->memory,
                          .sim = operation->current->iccid,
                          .save = pin_store_save,
                          .settings = &operation->sim->settings};

    pin_store_load(try.settings, try.sim, try.memory);
    pin_remember(&try, reference, source, 0);
    operation_note(operation);
}

void operation_refused(struct operation *operation, const struct pin_identity *source)
{
    note_refusal(operation, PIN_APPLET, source);
}

bool operation_pin_doubted(struct operation *operation, struct report *why)
{
    struct channel_state *state = operation->current;
    struct token_pin pin = {.verified = false};
    struct report asked = REPORT_INIT;

    if (!operation->accepted || why->sw != SW_NOT_SATISFIED || state->level == LEVEL_CLOSED)
        return false;
    /* a key that has another condition is refused where the PIN is verified, too */
    if (pin_state(&operation->card, operation->accepted_at, &pin, &asked) != OUTCOME_OK ||
        pin.verified)
        return false;
    note_refusal(operation, operation->accepted_at, &operation->given->identity);
    state_unverified(state);
    state->broken = true;
    report_set(
        why, OUTCOME_PIN_PROTECTED,
        "the SIM accepted %s from %s, and then asked for a PIN all the same. It is not tried "
        "again, to protect the SIM: check that it is right, then run `simkey pin verify`",
        pin_name(operation->accepted_at), operation->given->where);
    return true;
}

void operation_forgive(struct operation *operation, char *path, size_t size)
{
    const char *sim = operation->current->iccid;

    pin_memory_clear(&operation->sim->memory, sim);
    if (pin_store_forget(&operation->sim->settings, sim, path, size))
        path[0] = '\0';
    operation_note(operation);
}
