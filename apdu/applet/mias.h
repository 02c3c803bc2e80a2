/* SPDX-License-Identifier: Apache-2.0 */
/* The mIAS applet in its own words: container map, directory, certificates, MSE, PSO, GET
 * CHALLENGE. It works on a channel where the applet is selected; it does not know modems, locks or
 * PIN rules. */
#ifndef SIMKEY_APDU_APPLET_MIAS_H
#define SIMKEY_APDU_APPLET_MIAS_H

#include "apdu/aid.h"
#include "apdu/applet/applet.h"
#include "apdu/card/apdu.h"
#include "apdu/card/tlv.h"
#include "apdu/key.h"

#define MIAS_NAME "the signing applet (mIAS)"
extern const struct applet applet_mias;

/* ---- files (mias.c) ---- */

#define MIAS_CONTAINERS TOKEN_CONTAINERS

/* What the SIM says of one container. */
struct mias_container {
    int index;        /* 0 to MIAS_CONTAINERS - 1 */
    bool exchange;    /* the key signs and decrypts; else it signs only */
    unsigned bits;    /* as recorded on the card, 0 if not */
    bool certificate; /* there is one */
};

/* File 0002: 11 bytes a container. list has room for MIAS_CONTAINERS. Only those in use; their
 * `certificate` is false. */
size_t mias_parse_map(struct span map, struct mias_container *list);

/* An entry of file 0101: 21 bytes. */
struct mias_entry {
    uint16_t file;
    uint16_t size;
    char name[9];
    char directory[9];
};
#define MIAS_ENTRIES 64

/* File 0101. list has room for MIAS_ENTRIES. Returns false if it is malformed: shorter than its
 * number of entries says, or with an entry larger than FILE_SIZE_MAX. What is behind them is no
 * matter. */
bool mias_parse_directory(struct span directory, struct mias_entry *list, size_t *count);

/* The RSA and EC rules for key references (protocol facts of the applet family). */
int mias_key_id(int container, bool exchange, unsigned bits, enum token_key_type type);

/* Unpacks a certificate file: DER as it is, or 01 00, the plain length (2 bytes, little endian) and
 * a zlib stream. *der is malloc'd. Padding (00 or FF) behind the DER's own length, or behind the
 * stream, is cut off; anything else there is an error, as a length that does not fit is. */
enum outcome mias_unpack_certificate(struct span packed, uint8_t **der, size_t *length,
                                     struct report *why);

/* Reads and parses the container map, the directory, one file by its entry. */
enum outcome mias_read_map(const struct card *card, struct mias_container *list, size_t *count,
                           struct report *why);
enum outcome mias_read_directory(const struct card *card, struct mias_entry *list, size_t *count,
                                 struct report *why);
enum outcome mias_read_file(const struct card *card, uint16_t file, size_t size, int secrecy,
                            uint8_t **data, size_t *length, struct report *why);

/* The entry of a container's certificate: directory mscp, name kxcNN or kscNN; NULL if there is
 * none. */
const struct mias_entry *mias_find_certificate(const struct mias_entry *list, size_t count,
                                               const struct mias_container *container);

/* ---- security operations (mias_crypto.c) ---- */

/* A way to have a digest signed: the algorithm byte and what is put into PSO HASH. */
struct mias_plan {
    uint8_t algorithm;
    uint8_t data[255];
    size_t length;
};
#define MIAS_PLANS 4

/* The ways to sign this, best first, at most MIAS_PLANS: the algorithm with this hash; for PKCS#1
 * also 02 with the DigestInfo made here; for ECDSA also 44, and the digest fitted to the field or
 * padded to a multiple of 8. None for what cannot be. */
size_t mias_plans(const struct token_key *key, const struct token_digest *digest,
                  struct mias_plan plans[MIAS_PLANS]);

/* MSE SET, unless the card has that environment already. OUTCOME_UNSUPPORTED if the card refuses the algorithm (6A80,
 * 6A81, 6A86), OUTCOME_NOT_FOUND if it has no such key (6A88 is either: the sentence names both).
 */
enum outcome mias_set_environment(const struct card *card, struct security_environment *environment,
                                  uint8_t template_tag, uint8_t algorithm, uint8_t key_id,
                                  struct report *why);

/* PSO HASH with the plan's data, then PSO COMPUTE DIGITAL SIGNATURE. */
enum outcome mias_hash_and_sign(const struct card *card, const struct mias_plan *plan,
                                uint8_t *signature, size_t *length, struct report *why);

/* PSO DECIPHER, chained if need be. plain has room for TOKEN_PLAIN_MAX. */
enum outcome mias_decipher(const struct card *card, const uint8_t *cryptogram, size_t length,
                           uint8_t *plain, size_t *plain_length, struct report *why);

/* GET CHALLENGE in pieces. */
enum outcome mias_random(const struct card *card, uint8_t *bytes, size_t length,
                         struct report *why);

/* The algorithm bytes. 0 for a pair that the family does not have. */
uint8_t mias_sign_algorithm(enum token_scheme scheme, enum token_hash hash);
uint8_t mias_decrypt_algorithm(enum token_padding padding, enum token_hash hash);

/* ---- Type A objects (typea_object.c) ---- */

/* A data object of directory p11: 16 bytes of header, then label, application, object id and value,
 * each behind its length. The label comes without the spaces that pad it. Returns false if it is
 * malformed: what is behind the value may only be padding (00 or FF). */
bool typea_parse_object(struct span object, char label[33], struct span *value);

#endif
