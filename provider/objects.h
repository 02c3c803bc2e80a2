/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from the SIM made into OpenSSL's objects: certificates, public keys, Type A's private keys.
 * All of them leave OpenSSL's error queue as it was. libctx NULL is the default one. No provider
 * context is needed here: the simkey tool shares this. */
#ifndef SIMKEY_PROVIDER_OBJECTS_H
#define SIMKEY_PROVIDER_OBJECTS_H

#include "apdu/key.h"
#include "modem/outcome.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>

/* A certificate from DER, or the first one of PEM text (what comes after it is not looked at: Type
 * A's chains may be broken there). The caller frees it. Errors: OUTCOME_BAD_DATA, OUTCOME_SYSTEM.
 */
enum outcome objects_certificate(OSSL_LIB_CTX *libctx, const uint8_t *data, size_t length,
                                 X509 **certificate, struct report *why);

/* Its public key, what a SIM's key of that type is, and its size. The caller frees the key. type
 * and bits may be NULL. Errors: OUTCOME_UNSUPPORTED for neither RSA nor EC, OUTCOME_BAD_DATA. */
enum outcome objects_public_key(const X509 *certificate, EVP_PKEY **key, enum token_key_type *type,
                                unsigned *bits, struct report *why);

/* An EC key's public half from its point (SEC 1, 2.3.3): on P-256, brainpoolP256r1, P-384 or P-521,
 * whichever it lies on. The caller frees it. Errors: OUTCOME_BAD_DATA. */
enum outcome objects_point_key(OSSL_LIB_CTX *libctx, const uint8_t *point, size_t length,
                               EVP_PKEY **key, struct report *why);

/* The same for a key that is there already. */
enum outcome objects_key_type(const EVP_PKEY *key, enum token_key_type *type, unsigned *bits,
                              struct report *why);

/* A private key from PKCS#1 or PKCS#8 DER, or PEM of either. The caller frees it. Errors:
 * OUTCOME_BAD_DATA. */
enum outcome objects_private_key(OSSL_LIB_CTX *libctx, const uint8_t *data, size_t length,
                                 EVP_PKEY **key, struct report *why);

/* An ECDSA signature as the SIM makes it (r and s, each padded to the field's length) to DER (RFC
 * 3279, 2.2.3). Gives the length of the DER, 0 if it does not work out. */
size_t objects_ecdsa_der(const uint8_t *raw, size_t raw_length, uint8_t *der, size_t room);

#endif
