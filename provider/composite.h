/* SPDX-License-Identifier: Apache-2.0 */
/* Signature algorithms that name key and digest at once ("RSA-SHA256", "ECDSA-SHA384"), as OpenSSL 3.4
 * and later have them for EVP_PKEY_sign_message_init and its like. Built where OpenSSL's headers know
 * them; offered where the libcrypto that runs does, see provider.c: to 3.0 some of these names are
 * digests. */
#ifndef SIMKEY_PROVIDER_COMPOSITE_H
#define SIMKEY_PROVIDER_COMPOSITE_H

#include <openssl/core.h>
#include <openssl/core_dispatch.h>

#ifdef OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_INIT
#define SIMKEY_COMPOSITE

extern const OSSL_DISPATCH composite_rsa_sha1[], composite_rsa_sha224[], composite_rsa_sha256[],
    composite_rsa_sha384[], composite_rsa_sha512[];
extern const OSSL_DISPATCH composite_ecdsa_sha1[], composite_ecdsa_sha224[],
    composite_ecdsa_sha256[], composite_ecdsa_sha384[], composite_ecdsa_sha512[];
#endif

#endif
