/* SPDX-License-Identifier: Apache-2.0 */
/* GSMA IoT SAFE's applet (IoT.05) in its own words: what it has, files, public keys, signatures, key
 * pairs, random bytes. It works on a channel where the applet is selected; it does not know modems or
 * locks. The applet has no PIN: no command here is VERIFY. Where cards disagree on how an answer looks,
 * each of the forms that were seen is taken. X.509 is the provider's matter: a certificate is a file's
 * bytes here.
 *
 * All functions send a command with CLA 80, or 00 where that is refused (QUIRK_BARE_CLASS), wait while
 * the SIM's issuer administers the applet (6984), and send once more what that has cut off (6989). */
#ifndef SIMKEY_APDU_APPLET_IOTSAFE_H
#define SIMKEY_APDU_APPLET_IOTSAFE_H

#include "apdu/aid.h"
#include "apdu/applet/applet.h"
#include "apdu/card/apdu.h"
#include "apdu/card/tlv.h"
#include "apdu/key.h"

#define IOTSAFE_NAME "the IoT SAFE applet"

/* By the GSMA's AID, and the others behind it. */
extern const struct applet applet_iotsafe;

/* ---- what the applet has (iotsafe_object.c) ---- */

/* In the order of their tags: ids 83 to 86, labels 73 to 76. Names are unique within a kind only. */
enum iotsafe_kind {
    IOTSAFE_FILE,
    IOTSAFE_PRIVATE,
    IOTSAFE_PUBLIC,
    IOTSAFE_SECRET,
    IOTSAFE_KINDS /* none is told */
};

/* What an information structure says; -1 or 0 where it says nothing. */
struct iotsafe_object {
    enum iotsafe_kind kind;
    struct token_name name; /* id, label, or both */
    bool empty;             /* 4A 00: not activated */
    int functions;          /* 61, bits; -1: not told */
    uint8_t usage;          /* 4E of a key; 21 of a file */
    uint8_t type;           /* 4B */
    uint8_t schemes;        /* 92, bits */
    uint16_t hashes;        /* 91, bits */
    size_t size;            /* 20, bytes: of the content, or of the room for it */
};

#define IOTSAFE_MAY_SIGN    0x01 /* functions */
#define IOTSAFE_CERTIFICATE 0x02 /* usage of a file */

#define IOTSAFE_OBJECTS 64
struct iotsafe_objects {
    size_t count;
    struct iotsafe_object list[IOTSAFE_OBJECTS]; /* in the card's order; more are left out */
};

/* The answers to GET DATA: a wrapper an object, one for several, or none. False if they are malformed. */
bool iotsafe_parse_objects(struct span data, struct iotsafe_objects *objects);

/* The object list, whatever number of answers it comes in. Errors: OUTCOME_NOT_FOUND where the applet
 * has no list, OUTCOME_BAD_DATA, ... */
enum outcome iotsafe_read_objects(const struct card *card, struct iotsafe_objects *objects,
                                  struct report *why);

/* One object by its id, else its label. Errors: OUTCOME_NOT_FOUND (also where the applet does not tell),
 * ... */
enum outcome iotsafe_read_object(const struct card *card, enum iotsafe_kind kind,
                                 const struct token_name *name, struct iotsafe_object *object,
                                 struct report *why);

/* What the applet as a whole can do; 0 for what it does not tell. */
struct iotsafe_application {
    uint8_t version;
    uint8_t functions;
    uint8_t schemes;
    uint16_t hashes;
    uint8_t sessions; /* at most so many at once */
};
bool iotsafe_parse_application(struct span data, struct iotsafe_application *application);
enum outcome iotsafe_read_application(const struct card *card,
                                      struct iotsafe_application *application, struct report *why);

/* ---- commands (iotsafe.c) ---- */

/* Sends it by the rules above. OUTCOME_OK: answer->sw is the card's word; 63CF and 91xx are 9000. */
enum outcome iotsafe_send(const struct card *card, struct apdu *command, struct answer *answer,
                          struct report *why);

/* As apdu_refused, without talk of PINs. */
enum outcome iotsafe_refused(const struct answer *answer, const char *what, struct report *why);

/* The TLV with an object's id, else its label, as commands have it. data has room for IOTSAFE_NAME_MAX.
 * Returns its length; 0 where nothing is named. */
#define IOTSAFE_NAME_MAX 62
size_t iotsafe_name_data(enum iotsafe_kind kind, const struct token_name *name, uint8_t *data);

/* READ FILE to the end of its content: DER by its own length, other content without the padding behind
 * it. size: from the object, 0 if that is not told. *data is malloc'd, the caller frees it. Errors:
 * OUTCOME_NOT_FOUND, OUTCOME_BAD_DATA (DER that ends too early), ... */
enum outcome iotsafe_read_file(const struct card *card, const struct token_name *name, size_t size,
                               uint8_t **data, size_t *length, struct report *why);

/* READ PUBLIC KEY of an EC key: an uncompressed point. */
bool iotsafe_parse_point(struct span data, uint8_t point[static TOKEN_POINT_MAX], size_t *length);
enum outcome iotsafe_read_public_key(const struct card *card, const struct token_name *name,
                                     uint8_t point[static TOKEN_POINT_MAX], size_t *length,
                                     struct report *why);

/* GET RANDOM in pieces. */
enum outcome iotsafe_random(const struct card *card, uint8_t *bytes, size_t length,
                            struct report *why);

/* ---- signatures and key pairs (iotsafe_crypto.c) ---- */

/* The codes of commands, bits of the masks in structures; 0 where the family has none. */
uint16_t iotsafe_hash_code(enum token_hash hash);
uint8_t iotsafe_scheme_code(enum token_scheme scheme);

/* The algorithms that an object's bits name, a set of TOKEN_ALGORITHM; without bits, ECDSA with SHA-256
 * for an EC key, and PKCS#1 with SHA-256 for an RSA key: what each such key can do. */
uint64_t iotsafe_algorithms(enum token_key_type type, uint8_t schemes, uint16_t hashes);

/* Tag 33, with either length, and for ECDSA r and s as they are, or as DER. size: bytes of the field or
 * modulus. signature has room for TOKEN_SIGNATURE_MAX and gets ECDSA's r and s padded to the field. */
bool iotsafe_parse_signature(struct span answer, enum token_key_type type, size_t size,
                             uint8_t *signature, size_t *length);

/* COMPUTE SIGNATURE of a digest that is made already (mode 03), in a session that is closed again, also
 * after a failure: *unclean where its closing was not answered. A session that a killed program left is
 * closed if it is in the way. Errors: OUTCOME_NOT_FOUND (no such key), OUTCOME_UNSUPPORTED (the card
 * refuses the algorithm), OUTCOME_REFUSED (the key is empty, or may not sign), ... */
enum outcome iotsafe_sign(const struct card *card, const struct token_key *key,
                          const struct token_digest *digest, uint8_t *signature, size_t *length,
                          bool *unclean, struct report *why);

/* GENERATE KEY PAIR in the place that is named. The card may name the pair anew: *made is the private
 * key's name then, *public_name the other's (nothing where it is not told), and *length 0 where the card
 * does not give the public key at once. Never repeated by itself. */
enum outcome iotsafe_generate(const struct card *card, const struct token_name *name,
                              struct token_name *made, struct token_name *public_name,
                              uint8_t point[static TOKEN_POINT_MAX], size_t *length,
                              struct report *why);

#endif
