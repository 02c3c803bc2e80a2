/* SPDX-License-Identifier: Apache-2.0 */
/* What became of an operation: one enum for programs and one sentence for people. Every function
 * that can fail returns the enum and fills the report; the provider raises it, the commands print
 * it. */
#ifndef SIMKEY_MODEM_OUTCOME_H
#define SIMKEY_MODEM_OUTCOME_H

#include <stdint.h>

enum outcome {
    OUTCOME_OK = 0,
    OUTCOME_USAGE,     /* a setting, URI, argument or file of the user is wrong */
    OUTCOME_NO_MODEM,  /* the device is absent, cannot be opened, vanished or does not speak AT */
    OUTCOME_PORT_BUSY, /* another program held the device until the deadline */
    OUTCOME_NO_SIM,    /* the modem has no usable SIM */
    OUTCOME_NO_APPLET, /* the SIM does not have the applet */
    OUTCOME_NOT_FOUND, /* container, file or object is absent */
    OUTCOME_WRONG_SIM, /* another ICCID than the one asked for */
    OUTCOME_REFUSED,   /* the card or the modem refused the command */
    OUTCOME_CARRIER_REFUSED, /* the modem did not pass the command on: another carrier may do it */
    OUTCOME_UNSUPPORTED,     /* this card cannot do this algorithm */
    OUTCOME_BAD_DATA,        /* what the modem or the card answered makes no sense */
    OUTCOME_LOST,            /* the channel, or what stood on it, is gone: a new session may help */
    OUTCOME_TIMEOUT,         /* the deadline passed */
    OUTCOME_PIN_MISSING,     /* no PIN was configured where one is needed */
    OUTCOME_PIN_WRONG,       /* the card said that the PIN is wrong */
    OUTCOME_PIN_BLOCKED,     /* no tries are left */
    OUTCOME_PIN_PROTECTED,   /* not tried, because fewer than three tries are left */
    OUTCOME_VERIFY_FAILED,   /* a signature or a certificate does not verify */
    OUTCOME_SYSTEM,          /* memory or the operating system failed */
};

#define REPORT_TEXT_SIZE 512

struct report {
    enum outcome outcome;
    uint16_t sw; /* the card's last status word, 0 where none is to blame (ISO 7816-4, 5.6) */
    int cme;     /* the modem's +CME ERROR number (27.007, 9.2), -1 where there is none */
    char text[REPORT_TEXT_SIZE]; /* one harmless sentence (text_copy); never holds a secret */
};

/* An empty report: OUTCOME_OK, no text. */
#define REPORT_INIT                                                                                \
    {                                                                                              \
        .outcome = OUTCOME_OK, .sw = 0, .cme = -1, .text = ""                                      \
    }

/* Fills why with the outcome and the formatted sentence, forgets SW and CME, and returns the
 * outcome. */
enum outcome report_set(struct report *why, enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, and notes the card's status word. The sentence gets " (SW xxxx)" appended. */
enum outcome report_sw(struct report *why, enum outcome outcome, uint16_t sw, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));

/* Puts "prefix: " before the sentence that is already there. */
void report_prefix(struct report *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Empties the report. */
void report_clear(struct report *why);

/* The exit status of the commands for an outcome: 0 done, 1 usage, 2 not reachable, 3 absent, 4
 * refused, 5 time-out, 6 PIN, 7 verification. */
int outcome_exit_status(enum outcome outcome);

#endif
