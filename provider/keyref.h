/* SPDX-License-Identifier: Apache-2.0 */
/* The PEM key reference: a file in place of a private key, for programs that only read files. It
 * holds no secret.
 *
 *     -----BEGIN SIM KEY REFERENCE-----
 *     base64 of the DER of:
 *
 *     SimKeyReference ::= SEQUENCE {
 *         version    INTEGER,               -- 1; 2 if the ICCID has letters
 *         uri        UTF8String,            -- sim:signing;container=N;key-id=XX, ;id=%XX... or
 *                                           -- ;object=LABEL
 *         publicKey  SubjectPublicKeyInfo,  -- RFC 5280, 4.1
 *         iccid      NumericString          -- the SIM that holds the key; version 2: PrintableString;
 *                                           -- empty if the modem cannot tell
 *     }
 *
 * A reference is data: anybody may have made it. It says which key of which SIM, and nothing of the
 * way there. Versions of before could write settings into the URI (`?device=...`); they do not count,
 * and a reader is told of them. A reader refuses any other version and any other shape. No provider context is needed here: the
 * simkey tool shares this. */
#ifndef SIMKEY_PROVIDER_KEYREF_H
#define SIMKEY_PROVIDER_KEYREF_H

#include "modem/outcome.h"
#include "provider/uri.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <stdint.h>

#define KEYREF_PEM_LABEL "SIM KEY REFERENCE"

struct keyref {
    struct uri uri; /* it names a key, see uri_names_key */
    EVP_PKEY *public_key;
    char iccid[ICCID_SIZE]; /* "": any SIM */
    unsigned words;         /* settings that were read and do not count: 1 << settings_index */
};

/* The longest DER, in bytes. */
#define KEYREF_MAX 8192

/* Writes one PEM block. uri must be one that names a key (uri_names_key), without settings. Errors: OUTCOME_USAGE,
 * OUTCOME_SYSTEM. */
enum outcome keyref_write(BIO *out, const struct keyref *keyref, struct report *why);

/* Reads the DER inside a PEM block; the public key is made in libctx (NULL: the default one).
 * *keyref need not be initialised and must be cleared only after success. Leaves OpenSSL's error
 * queue as it was. Errors: OUTCOME_USAGE, OUTCOME_SYSTEM. */
enum outcome keyref_read(struct keyref *keyref, const uint8_t *der, size_t length,
                         OSSL_LIB_CTX *libctx, struct report *why);

/* The names of the settings in keyref.words: "device and trace". Returns text. */
const char *keyref_words(unsigned words, char *text, size_t size);

/* Frees what it holds. */
void keyref_clear(struct keyref *keyref);

#endif
