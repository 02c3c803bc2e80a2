/* SPDX-License-Identifier: Apache-2.0 */
/* A signature under way, shared by signature.c (the operation), signature_params.c (how it begins, and
 * its parameters), verify.c (what takes the public half alone) and composite.c (algorithms that name
 * their digest). */
#ifndef SIMKEY_PROVIDER_SIGNATURE_H
#define SIMKEY_PROVIDER_SIGNATURE_H

#include "provider/key.h"
#include "provider/public_ops.h"

#include <openssl/evp.h>
#include <stdbool.h>

struct signature {
    struct provider *provider;
    struct key *key;
    enum token_scheme scheme;
    EVP_MD *md;           /* NULL: the caller brings a digest or data of its own and names none */
    enum token_hash hash; /* TOKEN_HASH_NONE without md, and for MD5-SHA1 */
    EVP_MD_CTX *digest;   /* between digest_sign_init and final; NULL in a raw signature */
    bool mgf1_given;
    enum token_hash mgf1;
    int salt_length; /* RSA_PSS_SALTLEN_DIGEST and its like, or bytes */
    struct public_op
        public_op; /* a verification under way: the members from scheme on do not count */
    /* composite.c */
    bool message;            /* whole messages are signed or verified */
    unsigned char *expected; /* the signature that a message is verified with, or NULL */
    size_t expected_length;
};

/* Begins anew with a key, or with the one that is there already if libcrypto gives none. False with
 * an error raised. */
bool signature_begin(struct signature *signature, struct key *key);

/* Takes parameters. False with an error raised. */
bool signature_take_params(struct signature *signature, const OSSL_PARAM params[]);

/* Whether what was asked for can be done, as far as it is known without asking the SIM. False with
 * an error raised. */
bool signature_possible(const struct signature *signature);

/* Raises that the SIM's key does no PSS, and what to do. how: how that is known. */
void signature_raise_no_pss(const struct signature *signature, const char *how);

extern OSSL_FUNC_signature_newctx_fn signature_newctx;
extern OSSL_FUNC_signature_freectx_fn signature_freectx;
extern OSSL_FUNC_signature_dupctx_fn signature_dupctx;
extern OSSL_FUNC_signature_sign_fn signature_sign;
extern OSSL_FUNC_signature_digest_sign_update_fn signature_digest_sign_update;
extern OSSL_FUNC_signature_digest_sign_final_fn signature_digest_sign_final;

extern OSSL_FUNC_signature_set_ctx_params_fn signature_set_ctx_params;
extern OSSL_FUNC_signature_get_ctx_params_fn signature_get_ctx_params;
extern OSSL_FUNC_signature_settable_ctx_params_fn signature_settable_ctx_params;
extern OSSL_FUNC_signature_gettable_ctx_params_fn signature_gettable_ctx_params;

extern OSSL_FUNC_signature_verify_init_fn signature_verify_init;
extern OSSL_FUNC_signature_verify_fn signature_verify;
extern OSSL_FUNC_signature_verify_recover_init_fn signature_verify_recover_init;
extern OSSL_FUNC_signature_verify_recover_fn signature_verify_recover;
extern OSSL_FUNC_signature_digest_verify_init_fn signature_digest_verify_init;
extern OSSL_FUNC_signature_digest_verify_update_fn signature_digest_verify_update;
extern OSSL_FUNC_signature_digest_verify_final_fn signature_digest_verify_final;

#endif
