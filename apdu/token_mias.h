/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the mIAS family share. Internal to apdu/. */
#ifndef SIMKEY_APDU_TOKEN_MIAS_H
#define SIMKEY_APDU_TOKEN_MIAS_H

#include "apdu/token_ops.h"

struct mias_entry;
struct operation;

/* token_mias.c */
extern const struct token_ops token_mias;

/* The directory of mIAS's files: read, or remembered while the session is open (mias_directory.c). It
 * is valid until the operation ends. */
enum outcome mias_directory(struct operation *operation, const struct mias_entry **list,
                            size_t *count, struct report *why);

/* Type A from mIAS's data objects, or from the files of the UICC application (typea_sim.c). */
enum outcome typea_find(struct sim *sim, const struct typea_wish *wish, struct typea_blob *blob,
                        struct deadline deadline, struct report *why);

/* The PIN, as token_pin_... (token_mias_pin.c). */
enum outcome mias_pin_status(struct sim *sim, struct token_pin *state, size_t *refused,
                             struct deadline deadline, struct report *why);
enum outcome mias_pin_verify(struct sim *sim, const char *pin, const struct pin_identity *source,
                             bool spend_last, struct token_pin *state, char *stuck,
                             struct deadline deadline, struct report *why);
enum outcome mias_pin_change(struct sim *sim, const char *old_pin, const char *new_pin, bool *sent,
                             struct deadline deadline, struct report *why);

#endif
