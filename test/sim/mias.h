/* SPDX-License-Identifier: Apache-2.0 */
/* What is inside the mIAS applet: the state of one selection, and the security operations. */
#ifndef SIMKEY_SIM_MIAS_H
#define SIMKEY_SIM_MIAS_H

#include "test/sim/uicc.h"

/* A security environment template: which algorithm with which key. */
struct mias_template {
    bool set;
    unsigned alg;
    const struct container *key;
};

/* Of one channel, from SELECT to the next SELECT. */
struct mias {
    struct cursor cursor;
    bool verified; /* the applet's PIN */
    struct mias_template sign;
    struct mias_template decipher;
    unsigned hash_alg; /* of the hash template, 0: not set */
    /* Hash on card, in progress. */
    EVP_MD_CTX *hash;
    size_t block;      /* octets of a full block */
    bool last_partial; /* a short block came, no other may follow */
    /* The digest to sign; consumed by PSO CDS. */
    bool digest_ready;
    uint8_t digest[255];
    size_t digest_size;
    /* Parts of a chained cryptogram. */
    struct bytes cryptogram;
};

/* MSE SET (22), PSO (2A) and GET CHALLENGE (84). */
void mias_mse(struct uicc *u, struct mias *m, const struct command *cmd, struct response *r);
void mias_pso(struct uicc *u, struct mias *m, const struct command *cmd, struct response *r);
void mias_challenge(const struct command *cmd, struct response *r);

/* Leaves a selection as another program does that has verified the PIN and set its own security
 * environment: another key than before's, of its type if there is one, else another algorithm. */
void mias_intrude(struct uicc *u, struct mias *m, const struct mias_template *before);

/* The arithmetic (mias_crypto.c). Signatures come as the card gives them: RSA as long as the
 * modulus, ECDSA r||s. False if the algorithm cannot be done with these octets. */
const EVP_MD *mias_hash(unsigned alg);
bool mias_sign(const struct container *key, unsigned alg, const uint8_t *digest, size_t size,
               struct bytes *out);
bool mias_decipher(const struct container *key, unsigned alg, const uint8_t *cryptogram,
                   size_t size, struct bytes *out);

/* The low nibble of an algorithm for signing. */
#define SCHEME_PKCS1       2u
#define SCHEME_PKCS1_PLAIN 3u /* without DigestInfo */
#define SCHEME_ECDSA       4u
#define SCHEME_PSS         5u

#endif
