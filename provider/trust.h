/* SPDX-License-Identifier: Apache-2.0 */
/* The CA certificates in a SIM, of whichever family of applets it has: what sim:trust gives. */
#ifndef SIMKEY_PROVIDER_TRUST_H
#define SIMKEY_PROVIDER_TRUST_H

#include "apdu/token.h"
#include "modem/outcome.h"
#include "provider/uri.h"

#include <openssl/x509.h>

/* Reads them: at least one, none twice. The caller frees them. libctx NULL is the default one. Errors:
 * OUTCOME_NOT_FOUND (there is none), those of token_certificate, ... */
enum outcome trust_read(struct sim *sim, const struct uri *uri, OSSL_LIB_CTX *libctx,
                        STACK_OF(X509) * *trusted, struct report *why);

#endif
