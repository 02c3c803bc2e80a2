/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT and READ BINARY (ISO 7816-4, 11.1.1 and 11.3.3; ETSI TS 102 221, 11.1). */
#ifndef SIMKEY_APDU_CARD_FILE_H
#define SIMKEY_APDU_CARD_FILE_H

#include "apdu/card/apdu.h"

/* Larger files are not read: no certificate or key of these SIMs comes near it. */
#define FILE_SIZE_MAX 32767

/* Selects an applet by its AID, without response data if the card takes that (P2 0C, else 00).
 * Errors: OUTCOME_NO_APPLET, OUTCOME_REFUSED (6985 and 6999: selected on another channel). name is
 * for the sentence. */
enum outcome file_select_applet(const struct card *card, const uint8_t *aid, size_t aid_length,
                                const char *name, struct report *why);

/* The same on a channel that was found open, before a PIN goes there: asks for the FCI, in which the
 * applet may say its name (P2 00, else 0C). Errors: also OUTCOME_LOST if another one answers. */
enum outcome file_select_applet_again(const struct card *card, const uint8_t *aid,
                                      size_t aid_length, const char *name, struct report *why);

/* Selects a file by its path from the MF (P1 08), a path of one file identifier also by that
 * identifier (P1 00) if the card wants it so, asking for the FCP. *size is what the FCP says, 0 if
 * it does not. Errors: OUTCOME_NOT_FOUND, ... */
enum outcome file_select(const struct card *card, const uint8_t *path, size_t path_length,
                         size_t *size, struct report *why);

/* Reads the selected file with the largest reads that the card accepts. size: how much to read, 0
 * for until the end. *data is malloc'd (size bytes at most), the caller frees it. secrecy as in
 * struct apdu. A short file gives what there is. Errors: OUTCOME_PIN_MISSING with SW 6982 (the file
 * wants a PIN first), ... */
enum outcome file_read(const struct card *card, size_t size, int secrecy, uint8_t **data,
                       size_t *length, struct report *why);

#endif
