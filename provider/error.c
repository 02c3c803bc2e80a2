/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that raises errors in OpenSSL's queue, and the texts of their reasons. What went
 * wrong in words comes with each call, mostly from a struct report. */
#include "provider/error.h"
#include "modem/text.h"

#include <stdarg.h>
#include <stdio.h>

static void set_error(const struct provider *provider, int reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void set_error(const struct provider *provider, int reason, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    provider->core.vset_error(provider->handle, (uint32_t)reason, format, arguments);
    va_end(arguments);
}

/* The queue ends up in the host program's log: what is quoted in a sentence is made harmless, whoever
 * raises it. */
void error_raise(const struct provider *provider, const char *file, int line, const char *function,
                 int reason, const char *format, ...)
{
    const struct core *core = &provider->core;
    char said[REPORT_TEXT_SIZE], shown[REPORT_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
    (void)text_copy(shown, sizeof shown, said);
    core->new_error(provider->handle);
    core->set_error_debug(provider->handle, file, line, function);
    set_error(provider, reason, "%s", shown);
    /* libssl asks for the key itself at each handshake and goes on without it */
    if (reason != REASON_PRIVATE)
        log_write(provider->logged, config_log(provider), shown);
}

const OSSL_ITEM *error_reasons(void)
{
    /* OSSL_ITEM's pointer is not const, but nobody writes through it. */
    static const OSSL_ITEM reasons[] = {
        {OUTCOME_USAGE, (char *)"wrong setting, URI or file"},
        {OUTCOME_NO_MODEM, (char *)"no modem"},
        {OUTCOME_PORT_BUSY, (char *)"device busy"},
        {OUTCOME_NO_SIM, (char *)"no SIM"},
        {OUTCOME_NO_APPLET, (char *)"no applet in the SIM"},
        {OUTCOME_NOT_FOUND, (char *)"not found in the SIM"},
        {OUTCOME_WRONG_SIM, (char *)"another SIM"},
        {OUTCOME_REFUSED, (char *)"refused by the SIM"},
        {OUTCOME_CARRIER_REFUSED, (char *)"refused by the modem"},
        {OUTCOME_UNSUPPORTED, (char *)"not supported by the SIM"},
        {OUTCOME_BAD_DATA, (char *)"bad data"},
        {OUTCOME_LOST, (char *)"channel to the SIM lost"},
        {OUTCOME_TIMEOUT, (char *)"time-out"},
        {OUTCOME_PIN_MISSING, (char *)"PIN missing"},
        {OUTCOME_PIN_WRONG, (char *)"PIN wrong"},
        {OUTCOME_PIN_BLOCKED, (char *)"PIN blocked"},
        {OUTCOME_PIN_PROTECTED, (char *)"PIN not tried"},
        {OUTCOME_VERIFY_FAILED, (char *)"signature does not verify"},
        {OUTCOME_SYSTEM, (char *)"system failure"},
        {REASON_NO_PSS, (char *)"no PSS with this SIM"},
        {REASON_PADDING, (char *)"padding not supported"},
        {REASON_DIGEST, (char *)"digest not supported"},
        {REASON_SALT_LENGTH, (char *)"salt length not supported"},
        {REASON_LABEL, (char *)"OAEP label not supported"},
        {REASON_INPUT_LENGTH, (char *)"wrong input length"},
        {REASON_BUFFER, (char *)"buffer too small"},
        {REASON_SEQUENCE, (char *)"wrong sequence of calls"},
        {REASON_PROVIDER_MISSING, (char *)"default provider missing"},
        {REASON_PARAMETER, (char *)"wrong parameter"},
        {REASON_PRIVATE, (char *)"the key stays in the SIM"},
        {0, NULL},
    };

    return reasons;
}
