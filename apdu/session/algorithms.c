/* SPDX-License-Identifier: Apache-2.0 */
/* Which algorithms the card refused for which keys. One refusal may be the answer to another command, so
 * that it counts when the card said it twice, each time on a new channel. After ASK_AGAIN_S it is asked
 * again. */
#include "apdu/session/operation.h"

#define ASK_AGAIN_S 600

/* How often it was said, and when, in seconds since the boot. */
#define SAID(times, when) ((uint32_t)(times) << 30 | ((uint32_t)(when)&0x3FFFFFFF))
#define TIMES(said)       ((said) >> 30)
#define WHEN(said)        ((said)&0x3FFFFFFF)

static uint32_t seconds_now(void)
{
    return (uint32_t)(monotonic_ms() / 1000);
}

static bool is_old(uint32_t said)
{
    uint32_t now = seconds_now();

    return WHEN(said) > now || now - WHEN(said) >= ASK_AGAIN_S;
}

static size_t find_refusal(const struct card_quirks *quirks, uint16_t refusal)
{
    size_t i = 0;

    while (i < REFUSALS && atomic_load(&quirks->refusals[i]) != refusal)
        i++;
    return i;
}

static uint16_t refusal_of(unsigned key_id, uint8_t algorithm)
{
    return (uint16_t)(key_id << 8 | algorithm);
}

bool quirks_refuses(const struct card_quirks *quirks, unsigned key_id, uint8_t algorithm)
{
    size_t i = find_refusal(quirks, refusal_of(key_id, algorithm));
    uint32_t said = i < REFUSALS ? atomic_load(&quirks->said[i]) : 0;

    return TIMES(said) > 1 && !is_old(said);
}

/* The place for one more: an empty one, else one that is out of date. Where there is no room it takes
 * another one's place: key references may name keys that do not exist, and must not crowd out what a real
 * key meets again and again. */
static size_t find_room(const struct card_quirks *quirks, uint16_t refusal)
{
    size_t i = find_refusal(quirks, 0);

    for (size_t j = 0; j < REFUSALS && i == REFUSALS; j++)
        if (is_old(atomic_load(&quirks->said[j])))
            i = j;
    return i < REFUSALS ? i : (refusal ^ refusal >> 8) % REFUSALS;
}

bool quirks_note_refusal(struct card_quirks *quirks, unsigned key_id, uint8_t algorithm)
{
    uint16_t refusal = refusal_of(key_id, algorithm);
    size_t i = find_refusal(quirks, refusal);
    bool again = i < REFUSALS && TIMES(atomic_load(&quirks->said[i])) > 0 &&
                 !is_old(atomic_load(&quirks->said[i]));

    if (i == REFUSALS)
        i = find_room(quirks, refusal);
    atomic_store(&quirks->said[i], SAID(again ? 2 : 1, seconds_now()));
    atomic_store(&quirks->refusals[i], refusal);
    return again;
}

void quirks_note_accepted(struct card_quirks *quirks, unsigned key_id, uint8_t algorithm)
{
    size_t i = find_refusal(quirks, refusal_of(key_id, algorithm));

    if (i == REFUSALS)
        return;
    atomic_store(&quirks->said[i], 0);
    atomic_store(&quirks->refusals[i], 0);
}

void quirks_forget_refusals(struct card_quirks *quirks)
{
    for (size_t i = 0; i < REFUSALS; i++) {
        atomic_store(&quirks->said[i], 0);
        atomic_store(&quirks->refusals[i], 0);
    }
}

void operation_algorithm(struct operation *operation, unsigned key_id, uint8_t algorithm,
                         enum outcome outcome)
{
    struct card_quirks *quirks = &operation->sim->quirks;

    if (outcome == OUTCOME_OK)
        quirks_note_accepted(quirks, key_id, algorithm);
    else if (outcome == OUTCOME_UNSUPPORTED && operation->just_selected &&
             !quirks_note_refusal(quirks, key_id, algorithm))
        operation->said_once = true;
}
