/* SPDX-License-Identifier: Apache-2.0 */
/* Which PINs a SIM has refused, by their source, so that none is tried a second time: a card that
 * does not tell the truth about its tries, or has more than three, loses one try and not all. Kept
 * in the session record, and beyond a reboot in a folder (session/pin_store.h). Nothing of a PIN is in
 * it. */
#ifndef SIMKEY_APDU_APPLET_PIN_MEMORY_H
#define SIMKEY_APDU_APPLET_PIN_MEMORY_H

#include "apdu/pin_source.h"
#include "modem/identity.h"

#define PIN_REFUSALS 8
#define PIN_LEFT_MAX 15 /* ISO 7816-4, 11.6.6: 63Cx */

/* Room for a refusal or an identity as text. */
#define PIN_LINE_SIZE 160

struct pin_refusal {
    char sim[ICCID_SIZE]; /* "": a SIM whose ICCID is not known */
    enum pin_reference reference;
    int left; /* the tries before it was refused */
    struct pin_identity source;
};

struct pin_memory {
    size_t count;
    struct pin_refusal refusals[PIN_REFUSALS];
    /* the most tries that a state told since a person last verified; of one SIM; 0: not known */
    char sim[ICCID_SIZE];
    int left[PIN_UICC + 1];
};

/* True if this source must not be tried on this SIM: it was refused, or so many were that no more
 * can be remembered. Literal PINs count as one source, because they cannot be told apart; so does a
 * credential of one name and size, because a restart of its service makes another file of it. */
bool pin_memory_refuses(const struct pin_memory *memory, const char *sim,
                        enum pin_reference reference, const struct pin_identity *source);

/* How many tries the SIM has told it has, 0 if that is not known. */
int pin_memory_left(const struct pin_memory *memory, const char *sim, enum pin_reference reference);

/* How many refusals of this SIM there are, of whatever source. */
size_t pin_memory_count(const struct pin_memory *memory, const char *sim);

/* Notes a number of tries that a state told. */
void pin_memory_see(struct pin_memory *memory, const char *sim, enum pin_reference reference,
                    int left);

/* Notes a refusal. Where there is no room, it takes the place of one of another SIM. */
void pin_memory_add(struct pin_memory *memory, const struct pin_refusal *refusal);

/* Adds what is not in it yet. */
void pin_memory_merge(struct pin_memory *memory, const struct pin_memory *more);

/* Forgets all of one SIM: a person has verified. */
void pin_memory_clear(struct pin_memory *memory, const char *sim);

/* As words in one line, without its end, and back. *text moves behind what was taken; false for what
 * is no such line, or has values that cannot be. */
void pin_identity_text(const struct pin_identity *identity, char text[PIN_LINE_SIZE]);
bool pin_identity_take(const char **text, struct pin_identity *identity);
void pin_refusal_text(const struct pin_refusal *refusal, char text[PIN_LINE_SIZE]);
bool pin_refusal_take(const char **text, struct pin_refusal *refusal);

#endif
