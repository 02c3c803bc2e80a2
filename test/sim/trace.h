/* SPDX-License-Identifier: Apache-2.0 */
/* The trace file: one line for each APDU, as the card saw it.
 *
 *   SECONDS.MS SOURCE CHANNEL COMMAND -> ANSWER WORDS
 *   81234.567 csim 1 012A9E9A00 -> (256 octets)9000 PSO CDS
 *
 *   SECONDS.MS  CLOCK_MONOTONIC when the card took the command; its answer leaves after the time
 *               of --sign-ms and of the line
 *   SOURCE      csim, cgla: a client's APDU by that carrier;
 *               ccho: the modem opening and closing a session for AT+CCHO and AT+CCHC;
 *               modem: the modem's own (GET RESPONSE it fetches, the ICCID it reads)
 *   CHANNEL     logical channel in decimal, - if CLA names none
 *   COMMAND     upper-case hexadecimal; of VERIFY, CHANGE and UNBLOCK, and where IoT SAFE is selected
 *               of COMPUTE PRF and HKDF, only the first five octets, the rest as {number of octets}
 *   ANSWER      upper-case hexadecimal with the status word; what is secret (a private key read
 *               from a file, deciphered data) as {number of octets} before the status word
 *   WORDS       name of the command: SELECT AID, SELECT, VERIFY, MSE SET, PSO HASH, PSO CDS,
 *               PSO DECIPHER, MANAGE CHANNEL OPEN, MANAGE CHANNEL CLOSE, READ BINARY,
 *               GET RESPONSE and the others of the table in trace.c, ? if it has none; where IoT
 *               SAFE is selected those of the table in iotsafe.c first
 *
 * With --trace-at there are lines for AT commands too, before they run; hexadecimal data of theirs
 * is cut after the APDU's header, passwords are left out:
 *
 *   SECONDS.MS at - AT+CSIM=10,"012A9E9A00"
 *
 * and of a control device's messages that concern the SIM, before they run; and where the card is reset:
 *
 *   SECONDS.MS control - OPEN, CLOSE, ICCID, RESET, or APDU DIGITS HEADER
 *
 * With --trace-line there is a line after each answer has left: octets that have come and gone on
 * the line since the start.
 *
 *   SECONDS.MS line - in 1234 out 5678
 *
 * And one line for each job of SAFE2 when it ends, of which nothing is secret:
 *
 *   SECONDS.MS safe2 job KIND SERVER identity IDENTITY EXCHANGE SUITE http STATUS N bytes
 *                        state STATE result RESULT tries N (REASON)
 *   81234.567 safe2 job get localhost:4433 identity digits:89883070000000000017 psk_ke
 *                        TLS_AES_128_CCM_SHA256 http 200 68 bytes state 0007 result 0000 tries 1
 *                        (success)
 *
 *   KIND        get, send
 *   IDENTITY    of the pre-shared key as it was sent: digits: and those, or raw: and hexadecimal
 *   EXCHANGE    psk_ke, psk_dhe_ke (which the applet refuses), - without a handshake
 *   STATUS      0 without an answer
 *   N bytes     of the configuration that came or of the telemetry that went
 */
#ifndef SIMKEY_SIM_TRACE_H
#define SIMKEY_SIM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct trace {
    FILE *file; /* NULL: no trace */
    bool at;
    bool line; /* set after trace_open */
};

/* Opens path for appending (NULL: no trace); false after a sentence on stderr. */
bool trace_open(struct trace *t, const char *path, bool at);
void trace_close(struct trace *t);

struct trace_entry {
    const char *source;
    int channel; /* -1: none */
    const uint8_t *command;
    size_t command_size;
    const uint8_t *answer; /* with the status word */
    size_t answer_size;
    bool secret;       /* the answer's data */
    bool masked;       /* the command's data */
    const char *words; /* name of the command, NULL: by the table */
};

/* By its INS alone, so that a malformed VERIFY is masked like a good one. */
bool trace_carries_pin(const uint8_t *command, size_t size);

void trace_apdu(const struct trace *t, const struct trace_entry *e);
/* A line of words of its own. */
void trace_note(const struct trace *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void trace_command_line(const struct trace *t, const char *line);

#endif
