/* SPDX-License-Identifier: Apache-2.0 */
/* A whole SIM from port to applet: the public operations of apdu/ against a scripted modem, with the usual commands as
 * macros. Every APDU on the line is in the script. */
#ifndef SIMKEY_TEST_UNIT_SEAT_H
#define SIMKEY_TEST_UNIT_SEAT_H

#include "apdu/session/owners.h"
#include "apdu/token.h"
#include "test/unit/check.h"
#include "test/unit/scripted_modem.h"

#define MIAS_AID  "A0000000188000000006624151"
#define UICC_AID  "A0000000871001FF33FFFF8901010100"
#define ICCID     "89880330000000000017"
#define CRSM      "AT+CRSM=176,12258,0,0,10"
#define CRSM_SAYS "\r\n+CRSM: 144,0,\"98883003000000000071\"\r\n" OK
#define NO_ICCID  "\r\n+CME ERROR: 4\r\n"

/* The way to a signature on channel 1 with PIN 0000, RSA-2048 key 31, PKCS#1 with SHA-256 of 32 bytes DD. */
#define DIGEST "DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD"
#define OPEN   CSIM("00 70 00 00 01", "01 9000")
#define SELECT CSIM("01 A4 04 0C 0D " MIAS_AID, "9000")
/* On a channel that was found open, before a PIN. */
#define SELECT_AGAIN CSIM("01 A4 04 00 0D " MIAS_AID " 00", "6F 0F 84 0D " MIAS_AID " 9000")
#define STATE        CSIM("01 20 00 81", "63C3")
/* Directly before a PIN the echo is looked for. */
#define ECHO_OFF LINE("ATE0", OK), LINE("AT", OK)
#define VERIFY   ECHO_OFF, CSIM("01 20 00 81 04 30303030", "9000")
#define MSE      CSIM("01 22 41 B6 06 800142 840131", "9000")
#define HASH     CSIM("01 2A 90 A0 22 9020 " DIGEST " 00", DIGEST "9000")
#define CDS      CSIM("01 2A 9E 9A 00", "51674E 9000")
#define CLOSE    CSIM("00 70 80 01 00", "9000")

/* The same with other answers. */
#define HASH_SAYS(answer) CSIM("01 2A 90 A0 22 9020 " DIGEST " 00", answer)
#define CDS_SAYS(answer)  CSIM("01 2A 9E 9A 00", answer)
#define CDS_LINE(said)    LINE("AT+CSIM=10,\"012A9E9A00\"", said)
#define HASH_LINE(said)   LINE("AT+CSIM=80,\"012A90A0229020" DIGEST "00\"", said)

/* The same where the question for the ICCID is in the script. */
#define COLD_ASKING OPEN, LINE(CRSM, CRSM_SAYS), SELECT, STATE, VERIFY, MSE, HASH, CDS

#define COLD OPEN, SELECT, STATE, VERIFY, MSE, HASH, CDS
#define WARM HASH, CDS

struct seat {
    struct modem modem;
    struct folder run_dir; /* its own: the caller's SIM stays out of it */
    struct sim *sim;
    struct token_key key;
    struct report why;
    uint8_t signature[TOKEN_SIGNATURE_MAX];
    size_t length;
};

/* The usual start-up and a modem that tells the ICCID; the same with one that does not. */
extern const struct modem_step seat_starts[];
extern const struct modem_step seat_starts_without_iccid[];

/* The usual start-up, and a card with no channel open: whichever is asked for its STATUS. */
extern const struct modem_step seat_no_channels[];

/* Starts the modem and makes the SIM; settings are the PIN 0000, 8 s, and the given name and value (or NULL). standing
 * NULL: seat_starts. */
void seat_begin(struct seat *seat, const struct modem_step *steps,
                const struct modem_step *standing, const char *name, const char *value);

/* The same with the PIN in a file, as services have it: whoever has it is the same source. */
void seat_begin_with_file(struct seat *seat, const struct modem_step *steps,
                          const struct modem_step *standing, const char *name, const char *value);

/* Gives the SIM back, which closes its channel: CLOSE must be in the script where one is open. */
void seat_end_at(struct seat *seat, const char *file, int line);
#define seat_end(seat) seat_end_at(seat, __FILE__, __LINE__)

/* Signs 32 bytes DD by PKCS#1 with SHA-256. */
enum outcome seat_sign(struct seat *seat);
enum outcome seat_sign_as(struct seat *seat, enum token_scheme scheme, enum token_hash hash,
                          size_t digest_length);

/* It signs, and the signature is the script's. */
void seat_signs_at(struct seat *seat, const char *file, int line);
#define seat_signs(seat) seat_signs_at(seat, __FILE__, __LINE__)

/* Whose a channel is by the record's table, and a channel noted there as held by this process. */
enum owner seat_owner(const struct settings *settings, unsigned number);
void seat_hold(const struct settings *settings, unsigned number);

#endif
