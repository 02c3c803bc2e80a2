/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the IoT SAFE family share. Internal to apdu/. */
#ifndef SIMKEY_APDU_TOKEN_IOTSAFE_H
#define SIMKEY_APDU_TOKEN_IOTSAFE_H

#include "apdu/token_ops.h"

struct applet;

/* token_iotsafe.c */
extern const struct token_ops token_iotsafe;

/* ---- token_iotsafe_name.c ---- */

/* Both have that id, or that label. */
bool iotsafe_same_id(const struct token_name *a, const struct token_name *b);
bool iotsafe_same_label(const struct token_name *a, const struct token_name *b);

/* The same id, and labels that do not contradict it. */
bool iotsafe_same_name(const struct token_name *a, const struct token_name *b);

/* Makes it the next id: 02 behind 01, "007" behind "006". */
void iotsafe_next_id(struct token_name *name);

/* Where the certificate of a key may be that is not listed: 0, under the key's own name; 1, under the next
 * id, or with Cert in the place of Key in its label. */
#define IOTSAFE_PLACES 2
struct token_name iotsafe_certificate_place(const struct token_name *key, unsigned number);

/* In which of the places of the key's certificate a file is, by its id or its label; IOTSAFE_PLACES: in
 * none. */
unsigned iotsafe_place_of(const struct token_name *key, const struct token_name *file);

/* ---- token_iotsafe_read.c ---- */

/* The applet to select: by the AID of the settings where there is one, else by the known ones. given is
 * filled in the first case, and has to last as long as the operation. */
const struct applet *iotsafe_applet(const struct sim *sim, struct applet *given);

/* Keys, public keys and certificates by what the applet lists, or by their names alone where it lists
 * nothing. As token_list, token_read and token_certificate. */
enum outcome iotsafe_list(struct sim *sim, enum token_applet applet, struct token_item *list,
                          size_t *count, struct deadline deadline, struct report *why);
enum outcome iotsafe_read(struct sim *sim, const char *iccid, const struct token_name *name,
                          unsigned candidate, struct token_content *content,
                          struct deadline deadline, struct report *why);
enum outcome iotsafe_certificate(struct sim *sim, const char *iccid, enum token_applet applet,
                                 unsigned number, struct token_content *content,
                                 struct deadline deadline, struct report *why);

#endif
