/* SPDX-License-Identifier: Apache-2.0 */
/* What simkey-agent and its clients say to each other: one packet each way on a SOCK_SEQPACKET socket of
 * AF_UNIX, then the connection ends. Numbers are big-endian. There are no other requests: no client can try
 * or change a PIN, send an APDU or make a key.
 *
 *   request                                     answer
 *    0  'S' 'K'                                  0  'S' 'K'
 *    2  version (AGENT_VERSION)                  2  version
 *    3  operation                                3  outcome (enum outcome)
 *    4  milliseconds until its turn, 4           4  status word, 2
 *    8  type of the key                          6  number of +CME ERROR, 2; FFFF: none
 *    9  scheme                                   8  length of the sentence, 2
 *   10  hash                                    10  number of list entries, 2
 *   11  option, see below                       12  length of the body, 4
 *   12  bits of the key, 2                      16  sentence, body
 *   14  container, FF: none
 *   15  length of the ICCID
 *   16  length of the key's id
 *   17  length of the key's label
 *   18  length of the data, 2
 *   20  family of applets (enum token_applet), 0: the SIM's
 *   21  ICCID, id, label, data
 *
 *   operation       option                      data         body
 *   1 list          -                           -            entries, each an item (below)
 *   2 read          number of the candidate     -            item; ICCID; point; certificate
 *   3 sign          1: distrust, see below      digest       signature
 *   4 decrypt       padding                     cryptogram   plain text
 *   5 algorithms    -                           -            set, 8
 *   6 identity      -                           -            five texts and the ICCID, a length before each
 *   7 tries left    -                           -            verified, blocked, tries left (FF: unknown), refused
 *   8 available     store; 80: the private key  -            blob
 *   9 certificate   its number                  -            ICCID; certificate
 *
 *   item: container, length of the id, length of the label, flags (AGENT_ITEM_...), bits (2), family of
 *         applets, candidates, id, label. ICCID and point have their length before them, in one byte. What
 *         is behind them may have no byte: there is no such certificate.
 *
 * Each packet has exactly the length that follows from its head. Distrust: the last signature did not verify,
 * so this one is made on a new channel (sim_forget). */
#ifndef SIMKEY_APDU_AGENT_PROTOCOL_H
#define SIMKEY_APDU_AGENT_PROTOCOL_H

#include "apdu/key.h"
#include "apdu/token.h"
#include "apdu/typea.h"
#include "modem/identity.h"
#include "modem/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_SOCKET  "/run/simkey-agent/socket"
#define AGENT_VERSION 1

enum agent_operation {
    AGENT_LIST = 1,
    AGENT_READ,
    AGENT_SIGN,
    AGENT_DECRYPT,
    AGENT_ALGORITHMS,
    AGENT_IDENTITY,
    AGENT_TRIES,
    AGENT_AVAILABLE,
    AGENT_CERTIFICATE,
    AGENT_OPERATIONS /* how many numbers there are */
};

#define AGENT_DATA_MAX 512 /* bytes: a cryptogram of RSA-4096 */
#define AGENT_REQUEST  21  /* bytes before the ICCID */
#define AGENT_REQUEST_MAX                                                                          \
    (AGENT_REQUEST + ICCID_SIZE + TOKEN_ID_MAX + TOKEN_LABEL_SIZE + AGENT_DATA_MAX)
#define AGENT_ANSWER     16 /* bytes before the sentence */
#define AGENT_ANSWER_MAX 65536

#define AGENT_ITEM_DECRYPTS    1
#define AGENT_ITEM_CERTIFICATE 2
#define AGENT_ITEM_GENERATES   4
#define AGENT_ITEM_EMPTY       8
#define AGENT_ITEM_NO_SIGNING  16
#define AGENT_NO_CONTAINER     0xFF
#define AGENT_NO_CME           0xFFFF
#define AGENT_TRIES_UNKNOWN    0xFF
#define AGENT_DISTRUST         1    /* option of AGENT_SIGN */
#define AGENT_PRIVATE          0x80 /* option of AGENT_AVAILABLE, over enum typea_store */

struct agent_request {
    enum agent_operation operation;
    uint32_t patience;    /* milliseconds until its turn: what has begun is not broken off */
    struct token_key key; /* its ICCID is the SIM's that is meant, "": the first modem's */
    enum token_scheme scheme;
    enum token_hash hash;
    uint8_t option;
    size_t length; /* of the data */
    uint8_t data[AGENT_DATA_MAX];
};

/* What an answer says besides its report; which of it, follows from the operation. */
struct agent_answer {
    struct report why; /* OUTCOME_OK: the rest counts */
    size_t count;      /* of the list; read: 1 */
    struct token_item list[TOKEN_ITEMS];
    char iccid[ICCID_SIZE];
    uint8_t point[TOKEN_POINT_MAX]; /* of read */
    size_t point_length;
    uint64_t set; /* of TOKEN_ALGORITHM */
    struct modem_identity identity;
    struct token_pin pin;
    size_t refused;
    const uint8_t *data; /* certificate, signature, plain text, blob; borrowed */
    size_t length;
};

/* The outcomes go over the line by their numbers: another order is another version. */
_Static_assert(OUTCOME_SYSTEM == 19, "the protocol has this number");
/* So do the families of applets. */
_Static_assert(TOKEN_APPLET_MIAS == 1 && TOKEN_APPLET_IOTSAFE == 2,
               "the protocol has these numbers");

/* ---- the client's half (client_packet.c) ---- */

/* Writes a request; returns its length. */
size_t agent_write_request(const struct agent_request *request, uint8_t packet[AGENT_REQUEST_MAX]);

/* Reads the answer to a request of that operation; its data stay in the packet. The sentence is made
 * harmless. False if it is not one of this version, or not whole. */
bool agent_read_answer(enum agent_operation operation, const uint8_t *packet, size_t length,
                       struct agent_answer *answer);

/* ---- the agent's half (server_packet.c) ---- */

/* Reads a request. False, with a sentence, if it is not one of this version with sensible numbers. */
bool agent_read_request(const uint8_t *packet, size_t length, struct agent_request *request,
                        struct report *why);

/* Writes the answer, without the rest where the report is an error. packet has room for
 * AGENT_ANSWER_MAX; what does not fit becomes an error. Returns its length. */
size_t agent_write_answer(enum agent_operation operation, const struct agent_answer *answer,
                          uint8_t *packet);

#endif
