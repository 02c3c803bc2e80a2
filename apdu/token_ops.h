/* SPDX-License-Identifier: Apache-2.0 */
/* The seam behind token.h: a family of applets as a struct of functions. A new one is
 * apdu/applet/NAME for the applet's words, apdu/token_NAME.c for the struct, and its row in token.c.
 * Internal to apdu/: programs use token.h and typea.h.
 *
 * A family whose takes_device says yes (simkey-agent) is the only one that is asked: it may have neither a
 * transport nor a session, and keeps what it needs in the sim (sim_settings names the device). The others
 * are in the SIM. They are asked in their order until one ends other than in OUTCOME_NO_APPLET; left out
 * are those that are not meant by the key's name, or else by the setting `applet`, and those that do not
 * know such names. */
#ifndef SIMKEY_APDU_TOKEN_OPS_H
#define SIMKEY_APDU_TOKEN_OPS_H

#include "apdu/token.h"
#include "apdu/typea.h"
#include "modem/transport.h"

/* What is wanted of Type A. */
struct typea_wish {
    const char *iccid; /* "" or the SIM that it must be */
    enum typea_store store;
    bool private_key; /* else the certificate */
};

/* Each function means what token.h (available: typea.h) says of it. NULL: the family lacks it, and a sentence
 * says so; for takes_device and refuses: never; for takes_name: always; for identity and close: as with any
 * SIM. The argument applet concerns only a family with takes_device: to the others it is their own. */
struct token_ops {
    const char *name; /* for sentences: "the signing applet (mIAS)" */
    enum token_applet applet;
    const char *asked_for; /* the AIDs, for the sentence that no family is there; may be NULL */
    const char *elsewhere; /* where what it lacks can be done; NULL: nowhere */
    bool (*takes_device)(const char *device);
    bool (*takes_name)(const struct token_name *name); /* NULL: any */
    enum outcome (*list)(struct sim *sim, enum token_applet applet, struct token_item *list,
                         size_t *count, struct deadline deadline, struct report *why);
    enum outcome (*read)(struct sim *sim, const char *iccid, const struct token_name *name,
                         unsigned candidate, struct token_content *content,
                         struct deadline deadline, struct report *why);
    void (*complete)(const struct token_item *item, enum token_key_type type,
                     struct token_name *name); /* NULL: names are complete */
    enum outcome (*sign)(struct sim *sim, const struct token_key *key,
                         const struct token_digest *digest, uint8_t *signature, size_t *length,
                         struct deadline deadline, struct report *why);
    bool (*refuses)(struct sim *sim, const struct token_key *key, enum token_scheme scheme,
                    enum token_hash hash);
    enum outcome (*decrypt)(struct sim *sim, const struct token_key *key,
                            enum token_padding padding, enum token_hash hash,
                            const uint8_t *cryptogram, size_t cryptogram_length, uint8_t *plain,
                            size_t *length, struct deadline deadline, struct report *why);
    enum outcome (*random)(struct sim *sim, uint8_t *bytes, size_t length, struct deadline deadline,
                           struct report *why);
    enum outcome (*algorithms)(struct sim *sim, const struct token_key *key, uint64_t *set,
                               struct deadline deadline, struct report *why);
    enum outcome (*generate)(struct sim *sim, struct token_key *key, uint8_t *point, size_t *length,
                             struct deadline deadline, struct report *why);
    enum outcome (*certificate)(struct sim *sim, const char *iccid, enum token_applet applet,
                                unsigned number, struct token_content *content,
                                struct deadline deadline, struct report *why);
    enum outcome (*pin_status)(struct sim *sim, struct token_pin *state, size_t *refused,
                               struct deadline deadline, struct report *why);
    enum outcome (*pin_verify)(struct sim *sim, const char *pin, const struct pin_identity *source,
                               bool spend_last, struct token_pin *state, char *stuck,
                               struct deadline deadline, struct report *why);
    enum outcome (*pin_change)(struct sim *sim, const char *old_pin, const char *new_pin,
                               bool *sent, struct deadline deadline, struct report *why);
    enum outcome (*available)(struct sim *sim, const struct typea_wish *wish,
                              struct typea_blob *blob, struct deadline deadline,
                              struct report *why);
    enum outcome (*identity)(struct sim *sim, struct modem_identity *identity, char *iccid,
                             struct report *why);
    enum outcome (*close)(struct sim *sim, struct sim_found *found, struct report *why);
};

/* The families of one sim instead of all that token.c knows, by their order; ends with NULL, and lives
 * as long as the sim. Before its first use. For tests. */
void token_set_families(struct sim *sim, const struct token_ops *const *families);

/* Type A by the family (typea.c). */
enum outcome token_available(struct sim *sim, const struct typea_wish *wish,
                             struct typea_blob *blob, struct report *why);

#endif
