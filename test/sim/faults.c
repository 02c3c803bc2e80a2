/* SPDX-License-Identifier: Apache-2.0 */
/* The table of faults and its reader. What a fault does lives where it happens, not here. */
#include "test/sim/faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const char *name;
    const char *unit; /* of the argument, NULL if it takes none */
    long fallback;    /* the argument when none is given, -1 if it must be given */
    const char *help;
};

static const struct entry table[FAULT_COUNT] = {
    [FAULT_ECHO_STAYS] = {"echo-stays", NULL, 0, "ATE0 answers OK, the echo stays on"},
    [FAULT_LOWER_CASE] = {"lower-case", NULL, 0, "hexadecimal answers in lower case"},
    [FAULT_NO_QUOTES] = {"no-quotes", NULL, 0, "hexadecimal answers without quotes"},
    [FAULT_NO_BLANK] = {"no-blank", NULL, 0, "no blank after +CSIM: and the like"},
    [FAULT_BLANKS] = {"blanks", NULL, 0, "many blanks in +CSIM and +CGLA answers"},
    [FAULT_BARE_CCHO] = {"bare-ccho", NULL, 0, "AT+CCHO answers the session without +CCHO:"},
    [FAULT_SESSION16] = {"session16", NULL, 0, "AT+CCHO answers 16 hexadecimal digits"},
    [FAULT_NO_CCHC] = {"no-cchc", NULL, 0, "AT+CCHC does not exist"},
    [FAULT_URC] = {"urc", "N", 1, "unsolicited lines before, in and after every N-th answer"},
    [FAULT_CME_TEXT] = {"cme-text", NULL, 0, "+CME ERROR as text, whatever AT+CMEE says"},
    [FAULT_PLAIN_ERROR] = {"plain-error", NULL, 0, "ERROR, whatever AT+CMEE says"},
    [FAULT_NO_COMPOUND] = {"no-compound", NULL, 0, "several commands in a line are refused"},
    [FAULT_BUSY] = {"busy", "N", -1, "the first N SIM commands answer +CME ERROR: 14"},
    [FAULT_TWO_FINALS] = {"two-finals", NULL, 0, "+CME ERROR is followed by ERROR"},
    [FAULT_MUTE] = {"mute", "MS", -1, "hears and says nothing for the first MS milliseconds"},
    [FAULT_LATE] = {"late", "MS", -1, "every SIM command answers MS milliseconds later"},
};

static bool parse_argument(const struct entry *e, const char *text, long *value)
{
    char *end;

    if (e->unit == NULL || text == NULL) {
        *value = e->fallback;
        return text == NULL && e->fallback >= 0;
    }
    errno = 0;
    *value = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *value >= 0;
}

bool faults_add(struct faults *f, const char *text)
{
    const char *colon = strchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);

    for (size_t i = 0; i < FAULT_COUNT; i++) {
        const struct entry *e = &table[i];

        if (strlen(e->name) != length || memcmp(e->name, text, length) != 0)
            continue;
        if (!parse_argument(e, colon != NULL ? colon + 1 : NULL, &f->arg[i])) {
            fprintf(stderr, "simmodem: --fault %s: write it as %s%s%s\n", text, e->name,
                    e->unit != NULL ? ":" : "", e->unit != NULL ? e->unit : "");
            return false;
        }
        f->on[i] = true;
        return true;
    }
    fprintf(stderr, "simmodem: no fault is called '%s'; these are known:\n", text);
    faults_list(stderr);
    return false;
}

void faults_list(FILE *out)
{
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        const struct entry *e = &table[i];
        char name[40];

        if (e->unit == NULL)
            snprintf(name, sizeof name, "%s", e->name);
        else
            snprintf(name, sizeof name, e->fallback < 0 ? "%s:%s" : "%s[:%s]", e->name, e->unit);
        fprintf(out, "  %-20s %s\n", name, e->help);
    }
}
