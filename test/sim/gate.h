/* SPDX-License-Identifier: Apache-2.0 */
/* The gate between the AT commands and the SIM: every SIM command passes here and is counted. */
#ifndef SIMKEY_SIM_GATE_H
#define SIMKEY_SIM_GATE_H

#include "test/sim/at.h"

/* Runs a SIM command, or does what a fault has for it instead. */
int gate_run(struct at *at, const struct at_command *c, const struct at_call *call);
/* What becomes of a command's result where its name is that of a question which has no end. */
int gate_end(const struct at *at, const char *name, int result);
/* Whether the modem refuses to carry this APDU: a +CME ERROR, or AT_OK. */
int gate_apdu(struct at *at, enum source source, const uint8_t *command, size_t size);
/* Whether it refuses to carry the answer. */
int gate_answer(const struct at *at, size_t size);

#endif
