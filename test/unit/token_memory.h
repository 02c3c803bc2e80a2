/* SPDX-License-Identifier: Apache-2.0 */
/* A family of tokens whose keys are in memory: the second one behind apdu/token_ops.h. It names keys by
 * bytes and labels, signs and lists, and has neither PIN nor decryption. */
#ifndef SIMKEY_TEST_UNIT_TOKEN_MEMORY_H
#define SIMKEY_TEST_UNIT_TOKEN_MEMORY_H

#include "apdu/token_ops.h"

#define MEMORY_NAME "the applet in memory"
#define MEMORY_AID  "A0000005590010"

/* The devices memory:...: it touches no device. */
extern const struct token_ops token_memory_device;

/* The same behind an applet of the SIM: each operation selects it first. */
extern const struct token_ops token_memory_applet;

/* How often the family was asked for something since memory_begin. */
unsigned memory_calls(void);

/* Makes the keys and their certificates: "Client", id 01 02, P-256; and id A0 ... B3 (20 bytes). */
void memory_begin(void);
void memory_end(void);

#endif
