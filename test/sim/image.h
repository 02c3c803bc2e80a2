/* SPDX-License-Identifier: Apache-2.0 */
/* How the card's memory looks as files: the UICC's tree and that of mIAS with its container map,
 * directory, certificates and Type A data objects. Built once, from the card and the options. */
#ifndef SIMKEY_SIM_IMAGE_H
#define SIMKEY_SIM_IMAGE_H

#include "test/sim/card.h"
#include "test/sim/fs.h"

/* Indexes in the UICC's tree. */
#define IMAGE_MF   0
#define IMAGE_ADF  1 /* the UICC application */
#define IMAGE_USIM 2

void image_build(const struct card *card, const struct options *o, struct tree *uicc,
                 struct tree *mias);

/* The applications beside the applets. */
extern const uint8_t image_uicc_aid[16];
extern const uint8_t image_usim_aid[16];

/* The card's IMSI: of the test network 001 01, the rest from the end of the ICCID. */
void image_imsi(const struct card *card, char digits[16]);

/* Octets of a PIN1 before its padding with FF. */
size_t image_pin1_size(const uint8_t value[8]);

#endif
