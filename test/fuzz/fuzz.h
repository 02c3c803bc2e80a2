/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share: taking input apart, and conditions whose failure is a finding. */
#ifndef SIMKEY_TEST_FUZZ_FUZZ_H
#define SIMKEY_TEST_FUZZ_FUZZ_H

#include "apdu/card/tlv.h"
#include "modem/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libFuzzer calls it with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A finding if it does not hold. */
#define REQUIRE(condition) ((condition) ? (void)0 : require_failed(#condition, __FILE__, __LINE__))
_Noreturn void require_failed(const char *condition, const char *file, int line);

/* A failure has a sentence, of the same outcome and fit for a terminal: no control characters. */
void check_report(enum outcome outcome, const struct report *why);

/* The next byte of the input, 0 behind its end. */
uint8_t input_byte(struct span *input);

/* The next bytes, fewer at the end. */
struct span input_bytes(struct span *input, size_t length);

/* All of it as a new string; the caller frees it. A NUL ends it early. */
char *input_text(struct span input);

/* True if the inner stretch lies in the outer one. */
bool lies_within(struct span inner, struct span outer);

#endif
