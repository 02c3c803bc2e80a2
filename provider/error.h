/* SPDX-License-Identifier: Apache-2.0 */
/* Errors for OpenSSL's queue: a reason from the table and a sentence. */
#ifndef SIMKEY_PROVIDER_ERROR_H
#define SIMKEY_PROVIDER_ERROR_H

#include "modem/outcome.h"
#include "provider/provider.h"

/* Reasons: an outcome's number, or one of these. They are what ERR_GET_REASON gives. */
enum reason {
    REASON_NO_PSS = 100,     /* the SIM's RSA key cannot do PSS */
    REASON_PADDING,          /* a padding that the SIM does not do */
    REASON_DIGEST,           /* a digest that the SIM does not do, or not this one here */
    REASON_SALT_LENGTH,      /* a PSS salt length that the SIM does not do */
    REASON_LABEL,            /* an OAEP label */
    REASON_INPUT_LENGTH,     /* data that is not as long as it must be */
    REASON_BUFFER,           /* the caller's buffer is too small */
    REASON_SEQUENCE,         /* functions called in an order that makes no sense */
    REASON_PROVIDER_MISSING, /* neither default nor fips is active */
    REASON_PARAMETER,        /* a parameter of a type that it should not have */
    REASON_PRIVATE,          /* what would take the key out of the SIM, or change it */
};

/* Raises in the application's queue; reason is an enum outcome or an enum reason. */
void error_raise(const struct provider *provider, const char *file, int line, const char *function,
                 int reason, const char *format, ...) __attribute__((format(printf, 6, 7)));

#define RAISE(provider, reason, ...)                                                               \
    error_raise((provider), __FILE__, __LINE__, __func__, (int)(reason), __VA_ARGS__)
#define RAISE_REPORT(provider, why) RAISE((provider), (why)->outcome, "%s", (why)->text)
#define RAISE_MEMORY(provider)      RAISE((provider), OUTCOME_SYSTEM, "out of memory")

/* The texts of the reasons, for OSSL_FUNC_provider_get_reason_strings. */
const OSSL_ITEM *error_reasons(void);

#endif
