/* SPDX-License-Identifier: Apache-2.0 */
/* The card's memory, which is a directory:
 *
 *   card                    text: version, ICCID, what each container is
 *   ca.pem                  certificate of the CA that issued all others
 *   signing-N.pem           certificate of container N (Type B)
 *   available.pem           the Type A certificate
 *   iotsafe                 what the IoT SAFE applet holds, see iotsafe.h
 *   iotsafe.pem             certificate of its client key
 *   private/                mode 0700, the files in it 0600
 *     pins                  values and tries left of the PINs
 *     ca.key                the CA's key, for tests that want to issue more
 *     signing-N.key         private key of container N (PKCS#8 PEM)
 *     available.key         the Type A private key (PKCS#8 PEM)
 *     iotsafe.key           the client key of IoT SAFE, and iotsafe-ID.key one that it generated
 *     safe2                 what the SAFE2 applet holds, see safe2_card.c; without it the card has
 *                           no such applet
 *     lock                  held while a simmodem serves the card
 *
 * Which of mIAS and IoT SAFE there is the file card tells; without mIAS there is no Type A either.
 * Loaded once, but for safe2; what the PINs and IoT SAFE's keys become is written back before the
 * answer leaves the card. Making a
 * card is personalise.h, how the applets show it is image.h. */
#ifndef SIMKEY_SIM_CARD_H
#define SIMKEY_SIM_CARD_H

#include "test/sim/bytes.h"
#include "test/sim/iotsafe.h"
#include "test/sim/options.h"

#include <openssl/evp.h>

#define CARD_CONTAINERS 15
#define CARD_PIN_MAX    16

enum pin_name { PIN_APPLET, PIN_UICC1, PIN_UICC1_PUK, PIN_UICC2, PIN_NAMES };

/* The UICC's PIN2: nobody needs it, but a try of it must not be spent by who means the applet's. */
#define CARD_PIN2 "97531"

struct pin {
    uint8_t value[CARD_PIN_MAX];
    size_t size;
    unsigned tries; /* left */
    unsigned max;
};

struct container {
    bool present;
    bool exchange; /* else signature only */
    enum key_type type;
    EVP_PKEY *key;
    struct bytes cert; /* DER */
};

/* Of an ICCID; F is padding. */
#define CARD_ICCID_DIGITS "0123456789ABCDE"

struct card {
    char *dir;
    int lock;
    char iccid[21];       /* decimal digits */
    uint8_t ef_iccid[10]; /* the same nibble-swapped, padded with F */
    struct pin pins[PIN_NAMES];
    struct container containers[CARD_CONTAINERS];
    bool mias;
    struct iotsafe_memory *iotsafe; /* NULL: no such applet */
    size_t records;                 /* of the container map, absent ones included */
    EVP_PKEY *available_key;
    struct bytes available_cert; /* DER */
    struct bytes ca_cert;        /* DER */
};

/* Loads and locks the card in dir; false after a sentence on stderr. */
bool card_open(struct card *card, const char *dir);
void card_close(struct card *card);

/* The applet's key reference: for RSA by the rule of the family, for EC 61 + container. */
uint8_t container_kid(const struct card *card, size_t index);
/* The container with that key reference, or NULL. */
const struct container *card_find_kid(const struct card *card, unsigned kid);
unsigned key_bits(enum key_type type);
const char *key_type_name(enum key_type type);

/* Writes the PINs and their counters, durable when it returns. */
bool card_save_pins(const struct card *card);
/* Writes dir/name as a whole or not at all, durable when it returns. */
bool card_write(const char *dir, const char *name, unsigned mode, const void *data, size_t size);

#endif
