/* SPDX-License-Identifier: Apache-2.0 */
/* The applets that simkey knows, by their application identifiers (AID, ISO 7816-4, 12.2.3): the one
 * place where they are. Source: the vendor's public SDK. */
#ifndef SIMKEY_APDU_AID_H
#define SIMKEY_APDU_AID_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t mias_aid[13];  /* Type B, and the Type A objects */
extern const uint8_t uicc_aid[16];  /* the UICC application with the Type A files, and PIN1 */
extern const uint8_t safe2_aid[12]; /* configuration and telemetry */

/* The same as a table, for programs that look for them. */
enum known_aid { AID_MIAS, AID_FILES, AID_SAFE2, AIDS };

struct aid {
    const char *name; /* for sentences: "the SAFE2 applet" */
    const uint8_t *bytes;
    size_t length;
};
extern const struct aid aids[];

#endif
