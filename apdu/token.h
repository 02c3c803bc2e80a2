/* SPDX-License-Identifier: Apache-2.0 */
/* What a SIM can do for its owner's programs, whatever its family of applets: list keys, read a certificate,
 * sign, decrypt, random bytes, PIN, identity, closing. Each call is one operation: it takes the SIM,
 * does it, and lets go. Behind it is one of several families (token_ops.h): chosen by the device where
 * that decides, else by the applet that the SIM has, which is remembered while the SIM stays the same.
 * What a family lacks ends in OUTCOME_UNSUPPORTED, in words. Safe to call from several threads and
 * after a fork. */
#ifndef SIMKEY_APDU_TOKEN_H
#define SIMKEY_APDU_TOKEN_H

#include "apdu/key.h"
#include "apdu/pin_source.h"
#include "apdu/sim.h"
#include "modem/identity.h"
#include "modem/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_ITEMS 32 /* keys of one SIM */

/* What the SIM says of one key. */
struct token_item {
    struct token_name name;
    bool decrypts;    /* it signs and decrypts; else it signs only */
    unsigned bits;    /* as recorded on the card, 0 if not */
    bool certificate; /* there may be one */
    bool generates;   /* the SIM can make a new key pair in its place */
    bool empty;       /* it has no key pair yet */
    bool no_signing;  /* it may not sign */
    /* how many certificates may be this key's, where the SIM does not say which it is; 0: it says so */
    unsigned candidates;
};

/* The keys of the SIM, also those without a key pair yet. list has room for TOKEN_ITEMS. Asks for no PIN. */
enum outcome token_list(struct sim *sim, struct token_item *list, size_t *count,
                        struct report *why);

/* The same of one family; TOKEN_APPLET_ANY: of the first one that the SIM has. */
enum outcome token_list_of(struct sim *sim, enum token_applet applet, struct token_item *list,
                           size_t *count, struct report *why);

/* The family that the SIM is known to have, or that the settings name; TOKEN_APPLET_ANY where neither is.
 * No I/O. */
enum token_applet token_applet_known(struct sim *sim);

/* One key as it was read. */
struct token_content {
    struct token_item item;
    uint8_t
        *certificate; /* DER or PEM, malloc'd: token_content_clear frees it; NULL: there is none */
    size_t length;
    /* the key's public half, where the SIM tells it apart from a certificate: a point (SEC 1, 2.3.3) */
    uint8_t point[TOKEN_POINT_MAX];
    size_t point_length;    /* 0: it does not */
    char iccid[ICCID_SIZE]; /* the SIM's, "" if the modem cannot tell */
};

/* Reads one key: what it is, its certificate, and the SIM's ICCID. name: one that names nothing is the
 * family's first key. iccid: "" or the SIM that it must be. candidate: where the SIM does not say
 * whose a certificate is, the number of the one to try (0, 1, ...): the caller compares public keys,
 * and tells by item.candidates whether there is another. The point comes with the first one only.
 * Asks for no PIN. content need not be initialised. Errors: OUTCOME_NOT_FOUND (no such key, or no
 * further certificate), OUTCOME_USAGE (a name of another family), OUTCOME_NO_APPLET,
 * OUTCOME_WRONG_SIM, ... */
enum outcome token_read(struct sim *sim, const char *iccid, const struct token_name *name,
                        unsigned candidate, struct token_content *content, struct report *why);

/* Frees the certificate. */
void token_content_clear(struct token_content *content);

/* The whole name of a key once its type is known (from its certificate): with mIAS's key reference, which
 * follows from that; of IoT SAFE's id and label the one that commands use. No I/O. */
void token_complete(struct sim *sim, const struct token_item *item, enum token_key_type type,
                    struct token_name *name);

/* Signs a digest with the PIN of the settings. RSA: *length bytes of signature as long as the modulus.
 * EC: r and s, each padded to the field's length, one after the other (not DER). The caller verifies
 * the signature; if it does not, sim_forget and once more. Errors: OUTCOME_UNSUPPORTED (this card
 * refuses the algorithm), OUTCOME_PIN_*, OUTCOME_REFUSED, ... */
enum outcome token_sign(struct sim *sim, const struct token_key *key,
                        const struct token_digest *digest, uint8_t signature[TOKEN_SIGNATURE_MAX],
                        size_t *length, struct deadline deadline, struct report *why);

/* True if this process has seen the card refuse that: no I/O. */
bool token_refuses(struct sim *sim, const struct token_key *key, enum token_scheme scheme,
                   enum token_hash hash);

/* Decrypts one cryptogram as long as the modulus. hash: of OAEP (label empty, MGF1 with the same
 * hash). plain has room for TOKEN_PLAIN_MAX; the caller cleanses it. */
enum outcome token_decrypt(struct sim *sim, const struct token_key *key, enum token_padding padding,
                           enum token_hash hash, const uint8_t *cryptogram,
                           size_t cryptogram_length, uint8_t *plain, size_t *length,
                           struct report *why);

/* Random bytes from the card, any length. */
enum outcome token_random(struct sim *sim, uint8_t *bytes, size_t length, struct report *why);

/* Which algorithms the applet accepts for a key, a set of TOKEN_ALGORITHM: nothing is signed, no PIN
 * is needed. */
enum outcome token_algorithms(struct sim *sim, const struct token_key *key, uint64_t *set,
                              struct report *why);

/* Makes a new key pair in the place of the key that is named; the old one is lost. The new public key
 * is an uncompressed point (SEC 1, 2.3.3) of *length bytes. The SIM may give the pair another name:
 * key's is the right one afterwards, and its ICCID the SIM's. Never sent again: a failure without a status
 * word (why->sw) leaves it unknown whether the pair was made. */
enum outcome token_generate(struct sim *sim, struct token_key *key, uint8_t point[TOKEN_POINT_MAX],
                            size_t *length, struct report *why);

/* Reads the certificates in the SIM one by one, whosever they are: number 0, 1, ... until
 * OUTCOME_NOT_FOUND. certificate is NULL for a number under which there is none after all. applet: the
 * family that is meant. Only certificate, length and iccid of the content are set. Asks for no PIN. */
enum outcome token_certificate(struct sim *sim, const char *iccid, enum token_applet applet,
                               unsigned number, struct token_content *content, struct report *why);

/* The state of the applet's PIN as a fresh channel sees it, which costs no try. *refused: how many PIN
 * sources this SIM has refused before, which programs do not try again; may be NULL. */
enum outcome token_pin_status(struct sim *sim, struct token_pin *state, size_t *refused,
                              struct report *why);

/* One explicit attempt of a person, at whatever number of tries, the last one only with spend_last.
 * pin: 4 to 16 digits. source: where it came from, remembered if it is refused; NULL: it was typed.
 * state is the PIN's state afterwards. Success makes programs try again what this SIM refused
 * before; stuck is "" then, or the file with the refusals that could not be removed. Errors:
 * OUTCOME_PIN_WRONG, OUTCOME_PIN_BLOCKED, OUTCOME_PIN_PROTECTED. */
#define TOKEN_PATH_SIZE 512
enum outcome token_pin_verify(struct sim *sim, const char *pin, const struct pin_identity *source,
                              bool spend_last, struct token_pin *state, char stuck[TOKEN_PATH_SIZE],
                              struct report *why);

/* A person's change of the PIN: one attempt at the full counter, on a channel of its own, never
 * repeated. new_pin: 4 to 8 digits. *sent: the command went to the card; where the call failed without
 * a status word (why->sw) then, it is unknown whether the PIN was changed. */
enum outcome token_pin_change(struct sim *sim, const char *old_pin, const char *new_pin, bool *sent,
                              struct report *why);

/* sim_identity and sim_shut, or what the device's own family (simkey-agent) has in their place. */
enum outcome token_identity(struct sim *sim, struct modem_identity *identity,
                            char iccid[ICCID_SIZE], struct report *why);
enum outcome token_close(struct sim *sim, struct sim_found *found, struct report *why);

#endif
