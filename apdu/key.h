/* SPDX-License-Identifier: Apache-2.0 */
/* The words for keys that all of apdu/ and provider/ share: key types, signature schemes, hashes, the
 * name of a key in its SIM, the state of a PIN. Of each there is one table, and the enum is made from
 * it: what has no row has no number either. This header includes nothing of apdu/. */
#ifndef SIMKEY_APDU_KEY_H
#define SIMKEY_APDU_KEY_H

#include "modem/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_SIGNATURE_MAX 512 /* bytes; RSA-4096 */
#define TOKEN_PLAIN_MAX     512

/* ---- key types and schemes ---- */

/* ROW(type, its usual name, which is OpenSSL's too, the scheme that each such key can do) */
#define TOKEN_KEY_TYPE_TABLE(ROW)                                                                  \
    ROW(TOKEN_RSA, "RSA", TOKEN_PKCS1)                                                             \
    ROW(TOKEN_EC, "EC", TOKEN_ECDSA)

/* ROW(scheme, name in lists of algorithms, type of its keys, whether TLS 1.3 has it). What a family of
 * applets calls it is in that family's files, what OpenSSL calls it in provider/params.c: each has a
 * table that does not compile without a row for it. New rows come last. */
#define TOKEN_SCHEME_TABLE(ROW)                                                                    \
    ROW(TOKEN_PKCS1, "PKCS1", TOKEN_RSA, false)                                                    \
    ROW(TOKEN_PSS, "PSS", TOKEN_RSA, true)                                                         \
    ROW(TOKEN_ECDSA, "ECDSA", TOKEN_EC, true)

#define TOKEN_ENUM(symbol, ...) symbol,
enum token_key_type { TOKEN_KEY_TYPE_TABLE(TOKEN_ENUM) TOKEN_KEY_TYPES };
enum token_scheme { TOKEN_SCHEME_TABLE(TOKEN_ENUM) TOKEN_SCHEMES };

/* "RSA", "EC". */
const char *token_type_name(enum token_key_type type);

/* The type of that name, TOKEN_KEY_TYPES if there is none. */
enum token_key_type token_type_named(const char *name);

/* The scheme that each key of the type can do. */
enum token_scheme token_type_scheme(enum token_key_type type);

/* "PKCS1", "PSS", "ECDSA"; the type of its keys; whether TLS 1.3 signs with it (RFC 8446, 4.2.3). */
const char *token_scheme_name(enum token_scheme scheme);
enum token_key_type token_scheme_type(enum token_scheme scheme);
bool token_scheme_tls13(enum token_scheme scheme);

enum token_padding { TOKEN_DECRYPT_PKCS1, TOKEN_DECRYPT_OAEP };

/* ---- hashes ---- */

/* ROW(hash, name, bytes of a digest, the DigestInfo before the digest (RFC 8017, 9.2, note 1)). A
 * family's codes are in its own files (mias_crypto.c). New rows come last. */
#define TOKEN_HASH_TABLE(ROW)                                                                      \
    ROW(TOKEN_SHA1, "SHA1", 20, 0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A,  \
        0x05, 0x00, 0x04, 0x14)                                                                    \
    ROW(TOKEN_SHA224, "SHA224", 28, 0x30, 0x2D, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,    \
        0x65, 0x03, 0x04, 0x02, 0x04, 0x05, 0x00, 0x04, 0x1C)                                      \
    ROW(TOKEN_SHA256, "SHA256", 32, 0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,    \
        0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20)                                      \
    ROW(TOKEN_SHA384, "SHA384", 48, 0x30, 0x41, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,    \
        0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30)                                      \
    ROW(TOKEN_SHA512, "SHA512", 64, 0x30, 0x51, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,    \
        0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40)

enum token_hash {
    TOKEN_HASH_NONE, /* the data goes into PKCS#1 padding as it is */
    TOKEN_HASH_TABLE(TOKEN_ENUM) TOKEN_HASHES
};
#undef TOKEN_ENUM

#define TOKEN_HASH_MAX 64 /* bytes; longer digests do not compile */

/* All of these take any number; one that is not a hash's counts as TOKEN_HASH_NONE. */

/* Its usual name ("SHA256"); "" for TOKEN_HASH_NONE. */
const char *hash_name(enum token_hash hash);

/* Bytes; 0 for TOKEN_HASH_NONE. */
size_t hash_length(enum token_hash hash);

/* The first hash with digests of that length, or TOKEN_HASH_NONE. */
enum token_hash hash_of_length(size_t length);

/* The bytes before a digest in a PKCS#1 signature; *length 0 for TOKEN_HASH_NONE. */
const uint8_t *hash_info(enum token_hash hash, size_t *length);

/* Schemes with hashes, as a set. */
#define TOKEN_ALGORITHM(scheme, hash)                                                              \
    (UINT64_C(1) << ((unsigned)(scheme)*TOKEN_HASHES + (unsigned)(hash)))
_Static_assert(TOKEN_SCHEMES *TOKEN_HASHES <= 64, "a set of algorithms has 64 bits");

/* ---- keys ---- */

#define TOKEN_CONTAINERS     15 /* of a family that counts them: 0..14 */
#define TOKEN_CONTAINER_NONE (-1)
#define TOKEN_ID_MAX         20  /* bytes (GSMA IoT.05, tag 84) */
#define TOKEN_LABEL_SIZE     61  /* 60 bytes (tag 74) and a NUL */
#define TOKEN_POINT_MAX      133 /* bytes of a public key: 04, x, y of P-521 */

/* The families of applets that are found in SIMs. */
enum token_applet { TOKEN_APPLET_ANY, TOKEN_APPLET_MIAS, TOKEN_APPLET_IOTSAFE, TOKEN_APPLETS };

/* What users write for one: "auto", "mias", "iotsafe". */
const char *token_applet_word(enum token_applet applet);

/* The name of a key in its SIM, as its family of applets has names: a number, bytes, or a label; what
 * is not given is TOKEN_CONTAINER_NONE, 0 bytes, "". mIAS has a container, and in it the key reference
 * of its commands as an id of one byte. */
struct token_name {
    int container;
    uint8_t id_length; /* bytes */
    uint8_t id[TOKEN_ID_MAX];
    char label[TOKEN_LABEL_SIZE];
    enum token_applet applet; /* whose name it is; TOKEN_APPLET_ANY: that of the SIM */
};
#define TOKEN_NAME_NONE                                                                            \
    {                                                                                              \
        .container = TOKEN_CONTAINER_NONE, .id_length = 0, .id = {0}, .label = "",                 \
        .applet = TOKEN_APPLET_ANY                                                                 \
    }

bool token_name_equal(const struct token_name *a, const struct token_name *b);

/* For sentences: "container 2, key id 33", "key id 0102", "the key \"Client\"". Returns text. */
#define TOKEN_NAME_TEXT 160
const char *token_name_text(const struct token_name *name, char text[TOKEN_NAME_TEXT]);

/* Which key of which SIM. */
struct token_key {
    struct token_name name;
    enum token_key_type type;
    unsigned bits;          /* RSA modulus or EC field size */
    char iccid[ICCID_SIZE]; /* the SIM must be this one; "": any */
};

/* What is to be signed, and how. */
struct token_digest {
    enum token_scheme scheme;
    enum token_hash hash; /* TOKEN_HASH_NONE: data for PKCS#1 padding */
    const uint8_t *data;  /* the digest; borrowed */
    size_t length;
};

/* ---- PINs ---- */

/* Software by itself never verifies with fewer tries left. */
#define PIN_SOFTWARE_TRIES 3
#define PIN_NEW_MAX        8 /* digits that a new PIN may have: what all cards take */

/* The state of a PIN, as a channel sees it. verified: it is not wanted. left: -1 where the card does
 * not tell. */
struct token_pin {
    bool verified;
    bool blocked;
    int left;
};

/* "2 tries are left", "1 try is left", "no try is left", or that the card does not tell. Returns
 * text. */
#define TOKEN_TRIES_TEXT 64
const char *token_tries_text(const struct token_pin *pin, char text[TOKEN_TRIES_TEXT]);

#endif
