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
    X509 *certificate;    /* NULL: it has none, and SIGNING_KEY alone was wanted */
    EVP_PKEY *public_key; /* NULL if only the certificate was wanted */
};

/* What is wanted of it. */
enum signing_part {
    SIGNING_CERTIFICATE, /* of whatever kind its key is */
    SIGNING_KEY,         /* and its certificate, where it has one */
    SIGNING_BOTH
};

/* Reads the key's certificate, and from it what the key is. Where the SIM does not say whose a
 * certificate is, it is the one with the key's public half. The key's name is the URI's, completed by the
 * rule of the SIM's applet. libctx NULL is the default one. Free with signing_key_clear, also after an
 * error. Errors: those of token_read, OUTCOME_NOT_FOUND (no certificate), OUTCOME_BAD_DATA,
 * OUTCOME_UNSUPPORTED (neither RSA nor EC). */
enum outcome signing_key_read(struct sim *sim, const struct uri *uri, OSSL_LIB_CTX *libctx,
                              enum signing_part part, struct signing_key *signing,
                              struct report *why);
void signing_key_clear(struct signing_key *signing);

#endif
