/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenSSL calls the signature schemes of apdu/key.h, and what it wants of each. No provider
 * context is needed here: the simkey tool shares this. */
#ifndef SIMKEY_PROVIDER_SCHEME_H
#define SIMKEY_PROVIDER_SCHEME_H

#include "apdu/key.h"

/* What may be signed. */
enum scheme_input {
    INPUT_DIGEST,    /* a digest that is named */
    INPUT_BY_LENGTH, /* a digest; its length tells which where it is not named */
    INPUT_DATA,      /* a digest that is named, or data as it is */
};

struct scheme_rule {
    const char *algorithm; /* of OpenSSL's signature operation: "RSA", "ECDSA" */
    int key_nid;           /* of the key's algorithm, for its AlgorithmIdentifier */
    int parameters;        /* of the AlgorithmIdentifier: V_ASN1_NULL and its like */
    int padding;           /* RSA_PKCS1_PADDING and its like; 0: its keys know no paddings */
    const char *pad_mode;  /* the same as a word, NULL */
    bool salted;           /* PSS: a salt as long as the digest, and MGF1 with the same hash */
    bool pair;             /* the SIM gives r and s one after the other, OpenSSL wants DER */
    enum scheme_input input;
};

const struct scheme_rule *scheme_rule(enum token_scheme scheme);

#endif
