/* SPDX-License-Identifier: Apache-2.0 */
/* BER-TLV as far as smart cards need it (ISO 7816-4, annex E): one- and two-byte tags, lengths up
 * to 82 xx xx. */
#ifndef SIMKEY_APDU_CARD_TLV_H
#define SIMKEY_APDU_CARD_TLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stretch of bytes, borrowed from the caller. */
struct span {
    const uint8_t *data;
    size_t length;
};

/* Takes one byte, n bytes. Returns false, and leaves rest alone, if they are not there. */
bool span_take(struct span *rest, size_t n, struct span *taken);

/* True if only padding is left: nothing, or bytes of erased memory, all 00 or all FF. */
bool span_padding(struct span rest);

/* Takes a BER length (one byte under 80, 81 xx, 82 xx xx). Returns false if it is malformed. */
bool tlv_take_length(struct span *rest, size_t *length);

/* Takes a length and as many bytes. */
bool tlv_take_field(struct span *rest, struct span *field);

/* Takes one TLV. Tags of one or two bytes. Padding bytes 00 and FF between TLVs are skipped. */
bool tlv_take(struct span *rest, uint16_t *tag, struct span *value);

/* Finds the first TLV of that tag. */
bool tlv_find(struct span within, uint16_t tag, struct span *value);

/* The file size in an FCP (62) or FCI (6F) template: tag 80, else 81, as a big-endian number.
 * Returns false if neither is there or it is over 65535. */
bool fcp_file_size(struct span fcp, size_t *size);

#endif
