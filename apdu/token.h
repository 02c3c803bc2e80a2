/* SPDX-License-Identifier: Apache-2.0 */
/* What a SIM can do for its owner's programs, in nobody's dialect: list keys, read a certificate,
 * sign, decrypt, random bytes. Each call is one operation: it takes the SIM, does it, and lets go.
 * mIAS is behind it; another family of applets would join here. Safe to call from several threads
 * and after a fork. */
#ifndef SIMKEY_APDU_TOKEN_H
#define SIMKEY_APDU_TOKEN_H

#include "apdu/pin_source.h"
#include "apdu/sim.h"
#include "modem/identity.h"
#include "modem/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_CONTAINERS    15  /* 0..14 */
#define TOKEN_SIGNATURE_MAX 512 /* RSA-4096 */
#define TOKEN_PLAIN_MAX     512
#define TOKEN_KEY_ID_NONE   (-1)

enum token_key_type { TOKEN_RSA, TOKEN_EC };
enum token_scheme { TOKEN_PKCS1, TOKEN_PSS, TOKEN_ECDSA };
enum token_padding { TOKEN_DECRYPT_PKCS1, TOKEN_DECRYPT_OAEP };
enum token_hash {
    TOKEN_HASH_NONE, /* the data goes into PKCS#1 padding as it is */
    TOKEN_SHA1,
    TOKEN_SHA224,
    TOKEN_SHA256,
    TOKEN_SHA384,
    TOKEN_SHA512,
    TOKEN_HASHES
};

/* Which key of which SIM. */
struct token_key {
    int container; /* 0..14 */
    int key_id;    /* the applet's key reference, 0..255; TOKEN_KEY_ID_NONE is not allowed in use */
    enum token_key_type type;
    unsigned bits;          /* RSA modulus or EC field size */
    char iccid[ICCID_SIZE]; /* the SIM must be this one; "": any */
};

/* What the SIM says of one container. */
struct token_container {
    int index;
    bool exchange;    /* the key signs and decrypts; else it signs only */
    unsigned bits;    /* as recorded on the card, 0 if not */
    bool certificate; /* there is one */
};

/* The containers in use. list has room for TOKEN_CONTAINERS. Asks for no PIN. */
enum outcome token_list(struct sim *sim, struct token_container *list, size_t *count,
                        struct report *why);

/* Reads one container: what it is, its certificate (DER, *certificate is malloc'd, the caller frees
 * it; NULL if there is none), and the SIM's ICCID ("" if the modem cannot tell). iccid: "" or the
 * SIM that it must be. Asks for no PIN. Errors: OUTCOME_NOT_FOUND (no such container, or no
 * certificate in it), OUTCOME_NO_APPLET, OUTCOME_WRONG_SIM, ... */
enum outcome token_read(struct sim *sim, const char *iccid, int container,
                        struct token_container *info, uint8_t **certificate, size_t *length,
                        char found_iccid[ICCID_SIZE], struct report *why);

/* The applet's key reference of a container once the key's type is known (from its certificate). */
int token_key_id(const struct token_container *info, enum token_key_type type);

/* Signs a digest (or, with TOKEN_HASH_NONE, the data for PKCS#1 padding) with the PIN of the
 * settings. RSA: *length bytes of signature as long as the modulus. EC: r and s, each padded to the
 * field's length, one after the other (not DER). signature has room for TOKEN_SIGNATURE_MAX. The
 * caller verifies the signature; if it does not, sim_forget and once more. Errors:
 * OUTCOME_UNSUPPORTED (this card refuses the algorithm), OUTCOME_PIN_*, OUTCOME_REFUSED, ... */
enum outcome token_sign(struct sim *sim, const struct token_key *key, enum token_scheme scheme,
                        enum token_hash hash, const uint8_t *digest, size_t digest_length,
                        uint8_t *signature, size_t *length, struct deadline deadline,
                        struct report *why);

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

/* Which algorithms the applet accepts for a key, by asking it to set each up (MSE SET): nothing is
 * signed, no PIN is needed. accepted(scheme, hash) is bit scheme * TOKEN_HASHES + hash of *mask. */
enum outcome token_algorithms(struct sim *sim, const struct token_key *key, uint32_t *mask,
                              struct report *why);

/* The state of the applet's PIN, which costs no try. verified is how the fresh channel sees it: the
 * PIN is not wanted. left is -1 where the card does not tell. */
struct token_pin {
    bool verified;
    bool blocked;
    int left;
};
/* *refused: how many PIN sources this SIM has refused before, which programs do not try again; may
 * be NULL. */
enum outcome token_pin_status(struct sim *sim, struct token_pin *state, size_t *refused,
                              struct report *why);

/* One explicit attempt of a person, at whatever number of tries, the last one only with spend_last.
 * pin: 4 to 16 digits. source: where it came from, remembered if it is refused; NULL: it was typed.
 * state is how things stand afterwards. Success makes programs try again what this SIM refused
 * before; stuck is "" then, or the file with the refusals that could not be removed. Errors:
 * OUTCOME_PIN_WRONG, OUTCOME_PIN_BLOCKED, OUTCOME_PIN_PROTECTED. */
#define TOKEN_PATH_SIZE 512
enum outcome token_pin_verify(struct sim *sim, const char *pin, const struct pin_identity *source,
                              bool spend_last, struct token_pin *state, char stuck[TOKEN_PATH_SIZE],
                              struct report *why);

/* A person's change of the PIN: one attempt at the full counter, on a channel of its own, never
 * repeated. new_pin: 4 to 8 digits. *sent: the command went to the card; see pin.h, pin_change. */
enum outcome token_pin_change(struct sim *sim, const char *old_pin, const char *new_pin, bool *sent,
                              struct report *why);

#endif
