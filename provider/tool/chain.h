/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate's chain against the CAs of one file, and each reason why it fails in words. */
#ifndef SIMKEY_PROVIDER_TOOL_CHAIN_H
#define SIMKEY_PROVIDER_TOOL_CHAIN_H

#include "modem/outcome.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#define CHAIN_REASONS 16

struct chain_result {
    char path[1024]; /* the subjects from the SIM's certificate to the root, as far as it goes */
    char reasons[CHAIN_REASONS][REPORT_TEXT_SIZE];
    size_t count; /* of reasons; 0: it verifies */
};

/* Takes what is in a file's text (PEM, `length` bytes, any bytes; 2000 objects at most): self-signed
 * certificates and CRLs into the store, other certificates into others. crl: CRLs alone. name: of the
 * file, for sentences. Errors: OUTCOME_USAGE (damaged, none of the wanted kind in it, too many),
 * OUTCOME_SYSTEM. */
enum outcome chain_take(const char *name, const char *text, size_t length, bool crl,
                        X509_STORE *store, STACK_OF(X509) * others, struct report *why);

/* Builds and verifies the chain. bundle: PEM, the self-signed certificates in it are trusted, the
 * others are intermediates; nothing else on this machine is trusted. crl: PEM with a CRL of each CA
 * of the chain, NULL: revocation is not looked at. Files are read as by input.h, 16 MiB of CAs and
 * 64 MiB of CRLs at most. purpose: "client", "server", "any" or NULL (as
 * any). Errors: OUTCOME_USAGE (a file that is not what it should be, an unknown purpose),
 * OUTCOME_VERIFY_FAILED with the reasons, OUTCOME_SYSTEM. */
enum outcome chain_verify(X509 *certificate, const char *bundle, const char *crl,
                          const char *purpose, struct chain_result *result, struct report *why);

#endif
