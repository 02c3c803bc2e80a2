/* SPDX-License-Identifier: Apache-2.0 */
/* The misbehaviours that --fault NAME[:ARG] asks for. A new one needs a line in the enum, a line in
 * the table of faults.c, and its effect at the place where it belongs: the AT front end passes
 * every outgoing line through at_line() and every SIM command through at.c's run_line(), the card
 * every APDU through uicc_exchange(). */
#ifndef SIMKEY_SIM_FAULTS_H
#define SIMKEY_SIM_FAULTS_H

#include <stdbool.h>
#include <stdio.h>

enum fault {
    FAULT_ECHO_STAYS,  /* ATE0 answers OK and changes nothing */
    FAULT_LOWER_CASE,  /* hexadecimal answers in lower case */
    FAULT_NO_QUOTES,   /* +CSIM: 4,9000 */
    FAULT_NO_BLANK,    /* +CSIM:4,"9000" */
    FAULT_BLANKS,      /* +CSIM:   4,  "9000" */
    FAULT_BARE_CCHO,   /* the session without "+CCHO: " */
    FAULT_SESSION16,   /* a session of 16 hexadecimal digits */
    FAULT_NO_CCHC,     /* AT+CCHC does not exist */
    FAULT_URC,         /* unsolicited lines around every n-th answer */
    FAULT_CME_TEXT,    /* +CME ERROR as text whatever AT+CMEE says */
    FAULT_PLAIN_ERROR, /* ERROR whatever AT+CMEE says */
    FAULT_NO_COMPOUND, /* ATE0V1Q0 is refused */
    FAULT_BUSY,        /* the first n SIM commands answer +CME ERROR: 14 */
    FAULT_TWO_FINALS,  /* +CME ERROR is followed by ERROR */
    FAULT_MUTE,        /* hears and says nothing for the first ms */
    FAULT_LATE,        /* every SIM command answers ms later */
    FAULT_COUNT
};

struct faults {
    bool on[FAULT_COUNT];
    long arg[FAULT_COUNT];
};

/* Reads NAME[:ARG]. Returns false after a sentence on stderr when it is unknown or its number is
 * wrong. */
bool faults_add(struct faults *f, const char *text);
void faults_list(FILE *out);

#endif
