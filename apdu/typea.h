/* SPDX-License-Identifier: Apache-2.0 */
/* Type A of Trust Onboard: certificate and private key as blobs that can be read out, from the data
 * objects of the mIAS applet (directory p11) or from the files 7FAA6F01 and 7FAA6F02 of the UICC
 * application. */
#ifndef SIMKEY_APDU_TYPEA_H
#define SIMKEY_APDU_TYPEA_H

#include "apdu/sim.h"
#include "modem/identity.h"
#include "modem/outcome.h"

#include <stddef.h>
#include <stdint.h>

enum typea_store { TYPEA_ANY, TYPEA_OBJECTS, TYPEA_FILES };

struct typea_blob {
    uint8_t *data; /* malloc'd; free with typea_blob_clear */
    size_t length;
};

/* The certificate: PEM text, perhaps a chain whose first one is the leaf; the caller parses it.
 * Without a store the data objects, then the files if they are readable. iccid: "" or the SIM that
 * it must be. Errors: OUTCOME_NOT_FOUND, OUTCOME_NO_APPLET, OUTCOME_PIN_* (files whose PIN1 is
 * wanted), OUTCOME_BAD_DATA, ... */
enum outcome typea_certificate(struct sim *sim, const char *iccid, enum typea_store store,
                               struct typea_blob *blob, struct report *why);

/* The private key: PKCS#1 DER, PKCS#8 DER or PEM as the SIM has it. Needs the applet's PIN
 * (objects) or PIN1 (files). */
enum outcome typea_key(struct sim *sim, const char *iccid, enum typea_store store,
                       struct typea_blob *blob, struct report *why);

/* Cleanses and frees. */
void typea_blob_clear(struct typea_blob *blob);

#endif
