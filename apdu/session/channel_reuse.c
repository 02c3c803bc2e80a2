/* SPDX-License-Identifier: Apache-2.0 */
/* A channel that the modem did not close stays open, and is used again. Some modems keep MANAGE CHANNEL CLOSE
 * for themselves; a card has three channels or a few more. */
#include "apdu/session/channel.h"

/* An orphan that could not be closed because the command itself is refused. Not one by AT+CCHO: it keeps
 * the applet with which it was opened. */
static bool stayed_open(const struct owned *owned)
{
    return owned->pid == 0 && owned->refused >= OWNED_STAYS &&
           owned->channel.carrier == CARRIER_CSIM;
}

/* It may have been closed all the same, and be another program's by now: it is asked. */
static bool is_ours(struct operation *operation, const struct channel *channel)
{
    uint16_t word;

    return channel_whose(operation, channel, &word) == WHOSE_OURS &&
           channel_looks_ours(operation, channel, word) &&
           !(operation->transport.events & (EVENT_RESTARTED | EVENT_NO_SIM)) &&
           !operation_out_of_step(operation);
}

/* A PIN that was verified on it does not count any more once the applet is selected again; with a card that
 * lets it count, ours is proven on another channel (unlock_alone in operation_pin.c). */
bool channel_reuse(struct operation *operation)
{
    const struct owners owners = operation->record.owners;
    struct sim *sim = operation->sim;

    if (operation->reused || operation->transport.ops->selects || operation->csim_refuses ||
        sim->settings.carrier == CARRIER_CCHO || sim->line.carrier == CARRIER_CCHO)
        return false;
    for (size_t i = 0; i < owners.count; i++) {
        const struct channel *channel = &owners.list[i].channel;

        if (!stayed_open(&owners.list[i]) || !is_ours(operation, channel))
            continue;
        operation->reused = operation->answered = true;
        operation->selection.aid_length = 0;
        operation->current->channel = *channel;
        state_opened(operation->current);
        sim->proof = (struct proof){*channel, monotonic_ms()};
        return true;
    }
    return false;
}
