/* SPDX-License-Identifier: Apache-2.0 */
/* The key that a sim:signing URI names, with its certificate, as objects. No provider context is
 * needed here: the simkey tool shares this. */
#ifndef SIMKEY_PROVIDER_SIGNING_H
#define SIMKEY_PROVIDER_SIGNING_H

#include "apdu/token.h"
#include "modem/outcome.h"
#include "provider/uri.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

struct signing_key {
    struct token_item item;
    struct token_key key; /* its ICCID: the SIM's, or the URI's where the modem cannot tell */
    X509 *certificate;
    EVP_PKEY *public_key; /* NULL if only the certificate was wanted */
};

/* Reads the key's certificate, and from it what the key is, unless only_certificate: of whatever kind
 * the key is then. The key's name is the URI's, completed by the rule of the SIM's applet. libctx NULL
 * is the default one. Free with signing_key_clear, also after an error. Errors: those of token_read,
 * OUTCOME_BAD_DATA, OUTCOME_UNSUPPORTED (neither RSA nor EC). */
enum outcome signing_key_read(struct sim *sim, const struct uri *uri, OSSL_LIB_CTX *libctx,
                              bool only_certificate, struct signing_key *signing,
                              struct report *why);
void signing_key_clear(struct signing_key *signing);

#endif
