/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the mIAS family share. Internal to apdu/. */
#ifndef SIMKEY_APDU_TOKEN_MIAS_H
#define SIMKEY_APDU_TOKEN_MIAS_H

#include "apdu/token_ops.h"

struct mias_entry;
struct operation;

/* token_mias.c */
extern const struct token_ops token_mias;

/* The directory of mIAS's files: read, or remembered while the session stands (mias_directory.c). It
 * is valid until the operation ends. */
enum outcome mias_directory(struct operation *operation, const struct mias_entry **list,
                            size_t *count, struct report *why);

/* Type A from mIAS's data objects, or from the files of the UICC application (typea_sim.c). */
enum outcome typea_find(struct sim *sim, const struct typea_wish *wish, struct typea_blob *blob,
                        struct report *why);

#endif
