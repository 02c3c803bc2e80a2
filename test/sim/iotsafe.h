/* SPDX-License-Identifier: Apache-2.0 */
/* GSMA IoT SAFE (IoT.04, IoT.05) as SIMs have it: what the applet remembers, and its commands. There
 * is no PIN in it: INS 24 is PUT PUBLIC KEY, 2C is VERIFY SIGNATURE.
 *
 * What it remembers is the file iotsafe of the card directory, one NAME = VALUE a line:
 *
 *   version = 1
 *   aid     = A0000005590010                     one line for each AID that selects it
 *   private = 01 type 13 access 02 functions 03 hash 0001 sign 04 pair 01 from private/iotsafe.key
 *   file    = 02 usage 02 from iotsafe.pem
 *
 * An object is private, public, file or secret; its id comes first, in hexadecimal. Then, as pairs of
 * word and value, what the tags of its information say, in hexadecimal: type (4B), access (60), usage
 * (4E, of a file 21), functions (61), hash (91), sign (92), agreement (6F), derivation (94), and
 *
 *   label  the label
 *   pair   of a private key: the id of its public key
 *   from   the file in the card directory with its content: a private key (PKCS#8 PEM), a public key
 *          that was put there (PEM), a secret key (its octets), a file (a certificate's PEM, or any
 *          octets). Without it the object is deactivated: it is empty. */
#ifndef SIMKEY_SIM_IOTSAFE_H
#define SIMKEY_SIM_IOTSAFE_H

#include "test/sim/apdu.h"

#include <openssl/evp.h>

struct card;
struct options;
struct uicc;
struct applet;

#define IOTSAFE_ID_MAX    20
#define IOTSAFE_LABEL_MAX 60
#define IOTSAFE_OBJECTS   32
#define IOTSAFE_AIDS      8
#define IOTSAFE_SESSIONS  8 /* most that may be open, of all channels */

/* ---- what it remembers (iotsafe_card.c) ---- */

enum iotsafe_kind { IOTSAFE_PRIVATE, IOTSAFE_PUBLIC, IOTSAFE_FILE, IOTSAFE_SECRET, IOTSAFE_KINDS };

struct iotsafe_id {
    uint8_t octets[IOTSAFE_ID_MAX];
    size_t size;
};

struct iotsafe_object {
    enum iotsafe_kind kind;
    struct iotsafe_id id;
    struct iotsafe_id pair; /* of a private key */
    char label[IOTSAFE_LABEL_MAX + 1];
    unsigned type, access, usage, functions, hash, sign, agreement, derivation;
    char from[64];     /* empty: not activated, or lost at the next reset */
    EVP_PKEY *key;     /* private and public keys; NULL: not activated */
    struct bytes data; /* files and secret keys; empty: not activated */
};

struct iotsafe_memory {
    struct iotsafe_object objects[IOTSAFE_OBJECTS];
    size_t count;
    struct {
        uint8_t octets[16];
        size_t size;
    } aids[IOTSAFE_AIDS];
    size_t aid_count;
};

/* Bits and codes of the tags. */
#define IOTSAFE_READ       0x01u /* 60 */
#define IOTSAFE_UPDATE     0x02u
#define IOTSAFE_SIGN       0x01u /* 61 */
#define IOTSAFE_GENERATE   0x02u
#define IOTSAFE_AGREE      0x04u
#define IOTSAFE_DERIVE     0x08u
#define IOTSAFE_RSA        0x03u /* 4B */
#define IOTSAFE_P256       0x13u
#define IOTSAFE_BRAINPOOL  0x23u
#define IOTSAFE_VOLATILE   0x14u /* P-256, gone after a reset; 24 the same of 23 */
#define IOTSAFE_HMAC       0xA0u
#define IOTSAFE_AES        0xB0u
#define IOTSAFE_SHA256     0x0001u /* 91 */
#define IOTSAFE_SHA384     0x0002u
#define IOTSAFE_SHA512     0x0004u
#define IOTSAFE_PKCS1      0x01u /* 92 */
#define IOTSAFE_PSS        0x02u
#define IOTSAFE_ECDSA      0x04u
#define IOTSAFE_CMAC       0x08u
#define IOTSAFE_ECKA       0x01u /* 6F */
#define IOTSAFE_PRF        0x01u /* 94 */
#define IOTSAFE_HKDF       0x02u
#define IOTSAFE_FULL_TEXT  0x01u /* A1 */
#define IOTSAFE_LAST_BLOCK 0x02u
#define IOTSAFE_HASHED     0x03u

/* Reads the file iotsafe of the card directory; NULL after a sentence on stderr. The caller frees. */
struct iotsafe_memory *iotsafe_load(const char *dir);
void iotsafe_free(struct iotsafe_memory *m);
/* Writes it and the keys that have no file yet, durable when it returns. Volatile keys are not
 * written. */
bool iotsafe_save(const char *dir, struct iotsafe_memory *m);
/* What a reset does: volatile keys are gone. */
void iotsafe_forget(struct iotsafe_memory *m);

struct iotsafe_object *iotsafe_find(struct iotsafe_memory *m, enum iotsafe_kind kind,
                                    const uint8_t *id, size_t size);
/* It has its key or its octets. */
bool iotsafe_activated(const struct iotsafe_object *o);
/* Takes over the key (NULL: none) of an object, and for a private key that of its pair too. */
void iotsafe_set_key(struct iotsafe_memory *m, struct iotsafe_object *o, EVP_PKEY *key);

/* Gives a private key and its public key other ids. With key NULL: all objects, as remote administration
 * may. */
void iotsafe_rename(struct iotsafe_memory *m, struct iotsafe_object *key);

/* Makes the applet's part of a card that is personalised (iotsafe_make.c): its objects and their
 * files but for the client key and its certificate, which are in private/iotsafe.key and iotsafe.pem
 * already. False after a sentence on stderr. */
bool iotsafe_make(const struct options *o);
/* Whether --iotsafe-aid makes sense; if not there has been a sentence on stderr. */
bool iotsafe_check_options(const struct options *o);

/* ---- the talk ---- */

/* Signing, verifying, or putting a key, from INIT to its end. */
struct iotsafe_session {
    bool open;
    uint8_t ins;       /* of its INIT: 2A, 2C, 24 */
    uint8_t number;    /* P2 */
    const void *owner; /* the selection that opened it, NULL: there is none any more */
    struct iotsafe_object *object;
    unsigned mode, hash, scheme;
    bool done;         /* its last UPDATE has come: it waits to be closed */
    struct bytes text; /* the parts of 9B or 34 so far */
    size_t missing;    /* octets of a part whose length was told in an UPDATE before */
};

/* Of the card, for all channels. */
struct iotsafe {
    struct iotsafe_session sessions[IOTSAFE_SESSIONS];
    long commands; /* to the applet so far */
};

/* Of one channel, from SELECT to the next SELECT. */
struct iotsafe_selection {
    struct uicc *card;
    size_t listed; /* octets of the object list that are told */
};

void iotsafe_start(struct uicc *u);
/* Power off: sessions and volatile keys are gone. */
void iotsafe_reset(struct uicc *u);

/* One command in the making. */
struct iotsafe_call {
    struct uicc *card;
    struct iotsafe_memory *memory;
    struct iotsafe_selection *selection;
    const struct command *cmd;
    struct response *r;
};

/* A TLV of the commands: a tag of one octet and a BER length. */
struct iotsafe_tlv {
    unsigned tag;
    const uint8_t *value;
    size_t size;
};

/* Takes the next TLV from *at; false at the end, and if it is longer than what is there (*at stays
 * before end then). */
bool iotsafe_next(const uint8_t **at, const uint8_t *end, struct iotsafe_tlv *t);
/* Finds a tag among the TLVs of the command's data. */
bool iotsafe_tag(const struct command *cmd, unsigned tag, struct iotsafe_tlv *t);
/* The object of that kind that the command names by id or by label. NULL: with 6A80 or 6A82. */
struct iotsafe_object *iotsafe_named(const struct iotsafe_call *c, enum iotsafe_kind kind);
unsigned iotsafe_id_tag(enum iotsafe_kind kind);
unsigned iotsafe_label_tag(enum iotsafe_kind kind);

void iotsafe_get_data(struct iotsafe_call *c);            /* CB, iotsafe_data.c */
void iotsafe_read_file(struct iotsafe_call *c);           /* B0 */
void iotsafe_generate(struct iotsafe_call *c);            /* B9, iotsafe_key.c */
void iotsafe_read_public(struct iotsafe_call *c);         /* CD */
void iotsafe_agree(struct iotsafe_call *c);               /* 46 */
void iotsafe_prf(struct iotsafe_call *c);                 /* 48 */
void iotsafe_hkdf(struct iotsafe_call *c);                /* 4A */
void iotsafe_random(struct iotsafe_call *c);              /* 84 */
void iotsafe_init(struct iotsafe_call *c);                /* 24, 2A, 2C, iotsafe_session.c */
void iotsafe_update(struct iotsafe_call *c);              /* D8, 2B, 2D */
void iotsafe_close_sessions(struct iotsafe_selection *s); /* of a selection that ends */

#define IOTSAFE_POINT_AT 6 /* where the point begins in 34 { 49 { 86 point } } */

/* 34 { 49 { 86 point } } of an EC key. */
bool iotsafe_add_point(const EVP_PKEY *key, struct bytes *out);
/* A public key on the curve of that type from the value of tag 34. NULL: it is none. */
EVP_PKEY *iotsafe_read_point(unsigned type, const uint8_t *value, size_t size);

/* The arithmetic (iotsafe_crypto.c). */
const EVP_MD *iotsafe_hash(unsigned hash);
EVP_PKEY *iotsafe_new_key(unsigned type);
/* Ends a hash that somebody else began: state after count octets, then the last ones. */
bool iotsafe_end_hash(unsigned hash, const struct iotsafe_tlv *state, uint64_t count,
                      const struct iotsafe_tlv *last, uint8_t digest[64]);
/* The value of tag 33: raw r||s or DER, or as long as the modulus. */
bool iotsafe_sign(EVP_PKEY *key, unsigned scheme, unsigned hash, const uint8_t *digest, bool der,
                  struct bytes *out);
/* A raw signature and one in DER are taken. */
bool iotsafe_verify(EVP_PKEY *key, unsigned scheme, unsigned hash, const uint8_t *digest,
                    const uint8_t *value, size_t size);
bool iotsafe_cmac(const struct bytes *key, const struct bytes *text, struct bytes *out);
/* The X coordinate. */
bool iotsafe_shared(EVP_PKEY *key, EVP_PKEY *peer, struct bytes *out);
bool iotsafe_prf_bytes(const struct bytes *secret, const struct iotsafe_tlv *seed, size_t size,
                       struct bytes *out);
bool iotsafe_extract(const EVP_MD *md, const struct iotsafe_tlv *key,
                     const struct iotsafe_tlv *salt, struct bytes *out);

/* The name of a command for the trace, NULL if it is none of this applet's; secret: its data are
 * not for the trace. */
const char *iotsafe_command_name(uint8_t ins, uint8_t p1, bool *secret);

#endif
