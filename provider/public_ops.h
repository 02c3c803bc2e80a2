/* SPDX-License-Identifier: Apache-2.0 */
/* What takes a key's public half alone: verifying a signature, recovering what was signed, encrypting.
 * Programs do it with the private key's object too, and a key in a file allows it. The default provider
 * does it here, in the private library context, with the shadow of the public half: nothing is sent to
 * the SIM. */
#ifndef SIMKEY_PROVIDER_PUBLIC_OPS_H
#define SIMKEY_PROVIDER_PUBLIC_OPS_H

#include "provider/key.h"

#include <openssl/evp.h>
#include <stdbool.h>

enum public_kind { PUBLIC_VERIFY, PUBLIC_RECOVER, PUBLIC_ENCRYPT };

/* One under way, all zero if there is none. */
struct public_op {
    EVP_PKEY_CTX *ctx;
    EVP_MD_CTX
    *digest; /* of data that is hashed to be verified, else NULL; ctx belongs to it then */
};

/* Begins one with a usable key; what was under way is dropped. All parameters are handed on but the
 * property queries, which are meant for the application's providers: the private library context has the
 * default one only. False with an error raised, and with nothing under way. */
bool public_begin(struct public_op *op, const struct key *key, enum public_kind kind,
                  const OSSL_PARAM params[]);

/* The same for data: it is hashed with that digest, by the key's default one if name is NULL. */
bool public_begin_digest(struct public_op *op, const struct key *key, const char *name,
                         const OSSL_PARAM params[]);

/* Makes a copy of what is under way, or of nothing. False with an error raised: *to is empty. */
bool public_copy(struct public_op *to, const struct public_op *from);

bool public_active(const struct public_op *op);
void public_end(struct public_op *op);

/* The parameters of what is under way, as libcrypto's functions of that name take and give them. */
int public_set_params(const struct public_op *op, const OSSL_PARAM params[]);
int public_get_params(const struct public_op *op, OSSL_PARAM params[]);
const OSSL_PARAM *public_settable(const struct public_op *op);
const OSSL_PARAM *public_gettable(const struct public_op *op);

#endif
