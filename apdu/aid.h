/* SPDX-License-Identifier: Apache-2.0 */
/* The applets that simkey knows, by their application identifiers (AID, ISO 7816-4, 12.2.3): the one
 * place where they are. Source: the vendor's public SDK. */
#ifndef SIMKEY_APDU_AID_H
#define SIMKEY_APDU_AID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const uint8_t mias_aid[13];  /* Type B, and the Type A objects */
extern const uint8_t uicc_aid[16];  /* the UICC application with the Type A files, and PIN1 */
extern const uint8_t safe2_aid[12]; /* configuration and telemetry */
/* GSMA IoT SAFE, as SIM makers ship it, in the order in which a SIM is asked: the GSMA's own, Thales's,
 * and a third one, which is a driving licence's elsewhere (ISO 18013-5). */
extern const uint8_t iotsafe_aid[7];
extern const uint8_t iotsafe_thales_aid[15];
extern const uint8_t iotsafe_other_aid[7];

/* The same as a table, for programs that look for them. */
enum known_aid {
    AID_MIAS,
    AID_FILES,
    AID_SAFE2,
    AID_IOTSAFE,
    AID_IOTSAFE_THALES,
    AID_IOTSAFE_OTHER,
    AIDS
};

struct aid {
    const char *name; /* for sentences: "the SAFE2 applet" */
    const uint8_t *bytes;
    size_t length;
};
extern const struct aid aids[];

/* True for an AID under which IoT SAFE's applet is known. */
bool aid_is_iotsafe(const uint8_t *aid, size_t length);

#endif
