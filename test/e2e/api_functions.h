/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of libcrypto's functions on a key, see api_functions.c. */
#ifndef SIMKEY_E2E_API_FUNCTIONS_H
#define SIMKEY_E2E_API_FUNCTIONS_H

#include "test/e2e/api.h"

#include <stddef.h>

enum expect {
    EXPECT_SAME,    /* the same result as with a key in memory */
    EXPECT_TOLD,    /* nothing that a SIM's key can do: fails, and the error queue is not empty */
    EXPECT_REFUSED, /* the same, and the error is simkey's */
};

/* What a function of the table returns that did not come to the point: always a failure. */
#define API_UNPREPARED (-9)

struct api_function {
    const char *name;
    const char *type; /* RSA or EC if it is for these keys alone, else NULL */
    enum expect expect;
    int (*call)(struct world *world, EVP_PKEY *key); /* greater than 0: it worked */
};

extern const struct api_function api_functions[];
extern const size_t api_functions_count;

/* api_public.c: those that take the public half alone. */
extern const struct api_function api_public[];
extern const size_t api_public_count;

/* api_composite.c: those by algorithms that name their digest. */
extern const struct api_function api_composite[];
extern const size_t api_composite_count;

#endif
