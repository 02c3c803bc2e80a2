/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes and their sentences. */
#include "modem/outcome.h"

#include "modem/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void report_clear(struct report *why)
{
    *why = (struct report)REPORT_INIT;
}

/* What users, files, modems and SIMs say is quoted in sentences, which end up on terminals and in
 * logs: each sentence is made harmless here, whoever fills it. */
static void fill_text(struct report *why, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void fill_text(struct report *why, const char *format, va_list args)
{
    char said[REPORT_TEXT_SIZE];

    (void)vsnprintf(said, sizeof said, format, args);
    (void)text_copy(why->text, sizeof why->text, said);
}

enum outcome report_set(struct report *why, enum outcome outcome, const char *format, ...)
{
    va_list args;

    report_clear(why);
    why->outcome = outcome;
    va_start(args, format);
    fill_text(why, format, args);
    va_end(args);
    return outcome;
}

enum outcome report_sw(struct report *why, enum outcome outcome, uint16_t sw, const char *format,
                       ...)
{
    va_list args;
    size_t length;

    report_clear(why);
    why->outcome = outcome;
    why->sw = sw;
    va_start(args, format);
    fill_text(why, format, args);
    va_end(args);
    length = strlen(why->text);
    (void)snprintf(why->text + length, sizeof why->text - length, " (SW %04X)", sw);
    return outcome;
}

void report_prefix(struct report *why, const char *format, ...)
{
    char old[REPORT_TEXT_SIZE];
    va_list args;
    size_t length;

    memcpy(old, why->text, sizeof old);
    va_start(args, format);
    fill_text(why, format, args);
    va_end(args);
    length = strlen(why->text);
    (void)snprintf(why->text + length, sizeof why->text - length, ": %s", old);
}

int outcome_exit_status(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_OK:
        return 0;
    case OUTCOME_USAGE:
        return 1;
    case OUTCOME_NO_MODEM:
    case OUTCOME_PORT_BUSY:
    case OUTCOME_NO_SIM:
        return 2;
    case OUTCOME_NO_APPLET:
    case OUTCOME_NOT_FOUND:
    case OUTCOME_WRONG_SIM:
        return 3;
    case OUTCOME_TIMEOUT:
        return 5;
    case OUTCOME_PIN_MISSING:
    case OUTCOME_PIN_WRONG:
    case OUTCOME_PIN_BLOCKED:
    case OUTCOME_PIN_PROTECTED:
        return 6;
    case OUTCOME_VERIFY_FAILED:
        return 7;
    case OUTCOME_REFUSED:
    case OUTCOME_CARRIER_REFUSED:
    case OUTCOME_UNSUPPORTED:
    case OUTCOME_BAD_DATA:
    case OUTCOME_LOST:
    case OUTCOME_SYSTEM:
        break;
    }
    return 4;
}
