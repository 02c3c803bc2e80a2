/* SPDX-License-Identifier: Apache-2.0 */
/* A modem on a pty that a forked child plays from a script: it awaits command lines and answers
 * with given bytes, pauses and hang-ups. A command that was not awaited is answered ERROR and fails
 * the test, but AT alone is answered OK at any time (modem_heard counts it). It knows no SIM. */
#ifndef SIMKEY_TEST_UNIT_SCRIPTED_MODEM_H
#define SIMKEY_TEST_UNIT_SCRIPTED_MODEM_H

#include <stddef.h>
#include <sys/types.h>

enum step_kind {
    STEP_END,  /* no more steps */
    STEP_LINE, /* a command line is awaited, without its CR; NULL: any */
    STEP_CSIM, /* the same, written as an APDU in hex; the answer is hex too and OK follows */
    STEP_CGLA, /* the same on session "1" */
    STEP_SAY,  /* nothing is awaited: it speaks by itself */
};

struct modem_step {
    enum step_kind kind;
    const char *expect;
    const char *answer;
};

#define LINE(command, said)                                                                        \
    {                                                                                              \
        STEP_LINE, command, said                                                                   \
    }
#define CSIM(command, answer)                                                                      \
    {                                                                                              \
        STEP_CSIM, command, answer                                                                 \
    }
#define CGLA(command, answer)                                                                      \
    {                                                                                              \
        STEP_CGLA, command, answer                                                                 \
    }
#define SAY(said)                                                                                  \
    {                                                                                              \
        STEP_SAY, NULL, said                                                                       \
    }
#define MODEM_END                                                                                  \
    {                                                                                              \
        STEP_END, NULL, NULL                                                                       \
    }

/* Inside what is said. */
#define OK      "\r\nOK\r\n"
#define NUL     "\001" /* the byte 00 */
#define PAUSE   "\002" /* 60 ms */
#define HANG_UP "\003" /* the device vanishes; nothing may follow */
#define LONG    "\004" /* 400 ms */
#define BREATH  "\005" /* 15 ms */

/* Standing answers to the usual start-up, whenever and however often it comes. */
extern const struct modem_step modem_starts[];

struct modem_record;

struct modem {
    char device[64];
    int control; /* closing it tells the child to end */
    pid_t child;
    struct modem_record *record;
};

/* Starts the modem. The steps come in their order; standing (may be NULL) are answered whenever
 * they are not the awaited step. All of it must live until modem_finish. */
void modem_start(struct modem *modem, const struct modem_step *steps,
                 const struct modem_step *standing);

/* Ends the modem and fails the test if a step was left over, a command not awaited, or a line not
 * ended by CR alone. */
void modem_finish_at(struct modem *modem, const char *file, int line);
#define modem_finish(modem) modem_finish_at(modem, __FILE__, __LINE__)

/* How often this line (without CR) has come so far, and how many lines in all. */
int modem_heard(const struct modem *modem, const char *line);
int modem_lines(const struct modem *modem);

/* Waits until the modem has heard n lines; false after two seconds. */
int modem_wait_lines(const struct modem *modem, int n);

#endif
