/* SPDX-License-Identifier: Apache-2.0 */
/* See scheme.h. */
#include "provider/scheme.h"

#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

static const struct scheme_rule rules[] = {
    [TOKEN_PKCS1] = {.algorithm = "RSA",
                     .key_nid = EVP_PKEY_RSA,
                     .parameters = V_ASN1_NULL,
                     .padding = RSA_PKCS1_PADDING,
                     .pad_mode = OSSL_PKEY_RSA_PAD_MODE_PKCSV15,
                     .input = INPUT_DATA},
    [TOKEN_PSS] = {.algorithm = "RSA",
                   .key_nid = EVP_PKEY_RSA,
                   .parameters = V_ASN1_SEQUENCE,
                   .padding = RSA_PKCS1_PSS_PADDING,
                   .pad_mode = OSSL_PKEY_RSA_PAD_MODE_PSS,
                   .salted = true,
                   .input = INPUT_DIGEST},
    [TOKEN_ECDSA] = {.algorithm = "ECDSA",
                     .key_nid = EVP_PKEY_EC,
                     .parameters = V_ASN1_UNDEF,
                     .pair = true,
                     .input = INPUT_BY_LENGTH},
};
_Static_assert(sizeof rules / sizeof rules[0] == TOKEN_SCHEMES,
               "each scheme of apdu/key.h has its rule here");

const struct scheme_rule *scheme_rule(enum token_scheme scheme)
{
    return &rules[scheme];
}
