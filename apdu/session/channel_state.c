/* SPDX-License-Identifier: Apache-2.0 */
/* The level of a channel, see channel_state.h. */
#include "apdu/session/channel_state.h"

#include <string.h>

void state_opened(struct channel_state *state)
{
    state->level = LEVEL_OPEN;
}

void state_selected(struct channel_state *state, enum selected applet)
{
    state_deselected(state);
    state->level = LEVEL_SELECTED;
    state->applet = applet;
}

void state_deselected(struct channel_state *state)
{
    state_unverified(state);
    state->environment.set = false;
    state->applet = SELECTED_NOTHING;
    if (state->level > LEVEL_OPEN)
        state->level = LEVEL_OPEN;
}

void state_verified(struct channel_state *state, const struct pin_identity *source)
{
    state->level = LEVEL_PIN_OK;
    state->unprotected = source == NULL;
    if (source != NULL)
        state_add_opener(state, source);
}

void state_unverified(struct channel_state *state)
{
    if (state->level == LEVEL_PIN_OK)
        state->level = LEVEL_SELECTED;
    state->unprotected = false;
    state->opener_count = 0;
}

void state_closed(struct channel_state *state)
{
    state_deselected(state);
    memset(&state->channel, 0, sizeof state->channel);
    state->level = LEVEL_CLOSED;
    state->broken = state->kept = state->iccid_asked = false;
}

void state_add_opener(struct channel_state *state, const struct pin_identity *source)
{
    if (state_opened_by(state, source))
        return;
    if (state->opener_count == STATE_OPENERS) {
        state->opener_count--;
        memmove(&state->openers[0], &state->openers[1],
                state->opener_count * sizeof state->openers[0]);
    }
    state->openers[state->opener_count++] = *source;
}

bool state_opened_by(const struct channel_state *state, const struct pin_identity *source)
{
    for (size_t i = 0; i < state->opener_count; i++)
        if (pin_same_source(&state->openers[i], source))
            return true;
    return false;
}
