/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate as people and programs read it: names in one line, dates in ISO 8601, fingerprints,
 * and all of it as a JSON object. */
#ifndef SIMKEY_PROVIDER_TOOL_X509_H
#define SIMKEY_PROVIDER_TOOL_X509_H

#include "modem/outcome.h"

#include <cjson/cJSON.h>
#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <stddef.h>

#define DATE_SIZE sizeof "9999-12-31T23:59:59Z"
#define NAME_SIZE 256

/* RFC 2253 in printable ASCII: what is not, a NUL too, is escaped as \1B (RFC 4514). "..." at its end
 * where it does not fit, "?" where a string in it is damaged. */
void x509_name(const X509_NAME *name, char *text, size_t size);

/* ISO 8601 in UTC; "?" if the certificate's date is not one. No time_t: 32 bits end in 2038. */
void x509_date(const ASN1_TIME *time, char text[DATE_SIZE]);

/* Adds subject, issuer, serial (hex), not_before, not_after, key, bits, sha256 (of the DER), sha1
 * (the same, for servers that know no other), public_key_sha256 (of the SubjectPublicKeyInfo's DER)
 * and pem. Fingerprints are lower-case hex. Errors: OUTCOME_BAD_DATA, OUTCOME_SYSTEM. */
enum outcome x509_json(cJSON *object, const X509 *certificate, struct report *why);

#endif
