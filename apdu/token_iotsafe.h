/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the IoT SAFE family share. Internal to apdu/. */
#ifndef SIMKEY_APDU_TOKEN_IOTSAFE_H
#define SIMKEY_APDU_TOKEN_IOTSAFE_H

#include "apdu/token_ops.h"

struct applet;

/* token_iotsafe.c */
extern const struct token_ops token_iotsafe;

/* The applet to select: by the AID of the settings where there is one, else by the known ones. given is
 * filled in the first case, and has to last as long as the operation (token_iotsafe.c). */
const struct applet *iotsafe_applet(const struct sim *sim, struct applet *given);

/* Keys, public keys and certificates by what the applet lists, or by their names alone where it lists
 * nothing (token_iotsafe_read.c). As token_list, token_read and token_certificate. */
enum outcome iotsafe_list(struct sim *sim, enum token_applet applet, struct token_item *list,
                          size_t *count, struct deadline deadline, struct report *why);
enum outcome iotsafe_read(struct sim *sim, const char *iccid, const struct token_name *name,
                          unsigned candidate, struct token_content *content,
                          struct deadline deadline, struct report *why);
enum outcome iotsafe_certificate(struct sim *sim, const char *iccid, enum token_applet applet,
                                 unsigned number, struct token_content *content,
                                 struct deadline deadline, struct report *why);

#endif
