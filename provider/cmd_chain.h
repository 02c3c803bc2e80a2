/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate's chain against the CAs of one file, and each reason why it fails in words. */
#ifndef SIMKEY_PROVIDER_CMD_CHAIN_H
#define SIMKEY_PROVIDER_CMD_CHAIN_H

#include "modem/outcome.h"

#include <openssl/x509.h>
#include <stddef.h>

#define CHAIN_REASONS 16

struct chain_result {
    char path[1024]; /* the subjects from the SIM's certificate to the root, as far as it goes */
    char reasons[CHAIN_REASONS][REPORT_TEXT_SIZE];
    size_t count; /* of reasons; 0: it verifies */
};

/* Builds and verifies the chain. bundle: PEM, the self-signed certificates in it are trusted, the
 * others are intermediates; nothing else on this machine is trusted. crl: PEM with a CRL of each CA
 * of the chain, NULL: revocation is not looked at. purpose: "client", "server", "any" or NULL (as
 * any). Errors: OUTCOME_USAGE (a file that is not what it should be, an unknown purpose),
 * OUTCOME_VERIFY_FAILED with the reasons, OUTCOME_SYSTEM. */
enum outcome chain_verify(X509 *certificate, const char *bundle, const char *crl,
                          const char *purpose, struct chain_result *result, struct report *why);

#endif
