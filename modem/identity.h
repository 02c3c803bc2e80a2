/* SPDX-License-Identifier: Apache-2.0 */
/* What a modem and its SIM are called. */
#ifndef SIMKEY_MODEM_IDENTITY_H
#define SIMKEY_MODEM_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* EF.ICCID is 10 bytes (ETSI TS 102 221, 13.2): at most 20 digits and a NUL. */
#define ICCID_SIZE 21

#define ICCID_DIGITS "0123456789ABCDE"

/* Some operators' numbers have letters in them: hex digits, written in upper case. Nonzero for one that
 * an ICCID has (F is padding). */
int iccid_digit(int c);

/* An ICCID that is written: length characters, 10 to 20 hex digits in either case, what pads them behind
 * left out. Returns false if they are none; never a part of them. */
bool iccid_from_text(const char *text, size_t length, char iccid[ICCID_SIZE]);

/* Nibble-swapped bytes of EF.ICCID, padded with F, to digits. Returns false if they are none. */
bool iccid_from_bytes(const uint8_t *bytes, size_t length, char iccid[ICCID_SIZE]);

/* For a card reader the model is its name. A field that is not told is empty. */
struct modem_identity {
    char manufacturer[64]; /* AT+CGMI */
    char model[64];        /* AT+CGMM */
    char revision[64];     /* AT+CGMR */
    char imei[32];         /* AT+CGSN */
    char sim_state[32];    /* AT+CPIN?, such as READY or SIM PIN */
};

enum registration { REGISTRATION_UNKNOWN, REGISTRATION_NONE, REGISTRATION_DONE };

#endif
