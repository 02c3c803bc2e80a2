/* SPDX-License-Identifier: Apache-2.0 */
/* The list of refusals, and its words. */
#include "apdu/applet/pin_memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool same_place(const struct pin_refusal *refusal, const char *sim,
                       enum pin_reference reference)
{
    return refusal->reference == reference && strcmp(refusal->sim, sim) == 0;
}

static bool same_refusal(const struct pin_refusal *refusal, const char *sim,
                         enum pin_reference reference, const struct pin_identity *source)
{
    const uint64_t *one = refusal->source.id, *other = source->id;

    if (!same_place(refusal, sim, reference) || refusal->source.kind != source->kind)
        return false;
    if (source->kind == PIN_CREDENTIAL) /* of whatever start of its service */
        return one[PIN_ID_NAME] == other[PIN_ID_NAME] && one[PIN_ID_SIZE] == other[PIN_ID_SIZE];
    return source->kind == PIN_LITERAL || pin_same_source(&refusal->source, source);
}

bool pin_memory_refuses(const struct pin_memory *memory, const char *sim,
                        enum pin_reference reference, const struct pin_identity *source)
{
    if (pin_memory_count(memory, sim) == PIN_REFUSALS)
        return true;
    for (size_t i = 0; i < memory->count; i++)
        if (same_refusal(&memory->refusals[i], sim, reference, source))
            return true;
    return false;
}

int pin_memory_left(const struct pin_memory *memory, const char *sim, enum pin_reference reference)
{
    int left = strcmp(memory->sim, sim) == 0 ? memory->left[reference] : 0;

    for (size_t i = 0; i < memory->count; i++)
        if (same_place(&memory->refusals[i], sim, reference) && memory->refusals[i].left > left)
            left = memory->refusals[i].left;
    return left;
}

size_t pin_memory_count(const struct pin_memory *memory, const char *sim)
{
    size_t count = 0;

    for (size_t i = 0; i < memory->count; i++)
        if (strcmp(memory->refusals[i].sim, sim) == 0)
            count++;
    return count;
}

void pin_memory_see(struct pin_memory *memory, const char *sim, enum pin_reference reference,
                    int left)
{
    if (strcmp(memory->sim, sim) != 0) {
        memset(memory->left, 0, sizeof memory->left);
        (void)snprintf(memory->sim, sizeof memory->sim, "%s", sim);
    }
    if (left > memory->left[reference])
        memory->left[reference] = left;
}

static void take_out(struct pin_memory *memory, size_t index)
{
    memory->count--;
    memmove(&memory->refusals[index], &memory->refusals[index + 1],
            (memory->count - index) * sizeof memory->refusals[0]);
}

void pin_memory_add(struct pin_memory *memory, const struct pin_refusal *refusal)
{
    size_t i;

    for (i = 0; i < memory->count; i++)
        if (same_refusal(&memory->refusals[i], refusal->sim, refusal->reference, &refusal->source))
            return;
    if (memory->count == PIN_REFUSALS) {
        for (i = 0; i < memory->count && strcmp(memory->refusals[i].sim, refusal->sim) == 0; i++)
            ;
        if (i == memory->count)
            return; /* all of this SIM: nothing is tried on it any more */
        take_out(memory, i);
    }
    memory->refusals[memory->count++] = *refusal;
}

void pin_memory_merge(struct pin_memory *memory, const struct pin_memory *more)
{
    for (size_t i = 0; i < more->count; i++)
        pin_memory_add(memory, &more->refusals[i]);
}

void pin_memory_clear(struct pin_memory *memory, const char *sim)
{
    for (size_t i = memory->count; i > 0; i--)
        if (strcmp(memory->refusals[i - 1].sim, sim) == 0)
            take_out(memory, i - 1);
    if (strcmp(memory->sim, sim) == 0)
        memset(memory->left, 0, sizeof memory->left);
}

/* ---- words ---- */

static const char *const kinds[] = {[PIN_NOT_KEPT] = "none",
                                    [PIN_LITERAL] = "literal",
                                    [PIN_FILE] = "file",
                                    [PIN_CREDENTIAL] = "service"};

/* The kind and five hexadecimal numbers. */
void pin_identity_text(const struct pin_identity *identity, char text[PIN_LINE_SIZE])
{
    const uint64_t *id = identity->id;

    (void)snprintf(text, PIN_LINE_SIZE,
                   "%s %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64,
                   kinds[identity->kind], id[0], id[1], id[2], id[3], id[4]);
}

bool pin_identity_take(const char **text, struct pin_identity *identity)
{
    uint64_t *id = identity->id;
    char kind[8];
    int used = 0;

    if (sscanf(*text,
               " %7s %16" SCNx64 " %16" SCNx64 " %16" SCNx64 " %16" SCNx64 " %16" SCNx64 "%n", kind,
               &id[0], &id[1], &id[2], &id[3], &id[4], &used) != 1 + PIN_ID_NUMBERS ||
        used == 0)
        return false;
    identity->kind = PIN_LITERAL;
    while (identity->kind <= PIN_CREDENTIAL && strcmp(kind, kinds[identity->kind]) != 0)
        identity->kind++;
    if (identity->kind > PIN_CREDENTIAL)
        return false;
    *text += used;
    return true;
}

/* "refused", the ICCID ("-": none), the reference, the tries before, and the source. */
void pin_refusal_text(const struct pin_refusal *refusal, char text[PIN_LINE_SIZE])
{
    char source[PIN_LINE_SIZE];

    pin_identity_text(&refusal->source, source);
    (void)snprintf(text, PIN_LINE_SIZE, "refused %s %d %d %.110s",
                   refusal->sim[0] != '\0' ? refusal->sim : "-", (int)refusal->reference,
                   refusal->left, source);
}

bool pin_refusal_take(const char **text, struct pin_refusal *refusal)
{
    char sim[ICCID_SIZE + 1] = "";
    int reference = -1, left = -1, used = 0;
    const char *rest;

    _Static_assert(ICCID_SIZE == 21, "the width of the ICCID below");
    if (sscanf(*text, " refused %21s %4d %4d%n", sim, &reference, &left, &used) != 3 || used == 0)
        return false;
    rest = *text + used;
    if (strcmp(sim, "-") == 0)
        sim[0] = '\0';
    if (strlen(sim) >= ICCID_SIZE || strspn(sim, ICCID_DIGITS) != strlen(sim) ||
        (reference != PIN_APPLET && reference != PIN_UICC) || left < 0 || left > PIN_LEFT_MAX ||
        !pin_identity_take(&rest, &refusal->source))
        return false;
    memcpy(refusal->sim, sim, ICCID_SIZE);
    refusal->reference = (enum pin_reference)reference;
    refusal->left = left;
    *text = rest;
    return true;
}
