/* SPDX-License-Identifier: Apache-2.0 */
/* Which family of applets an operation on keys goes to. What each does is in its own token_NAME.c. */
#include "apdu/token_iotsafe.h"
#include "apdu/token_mias.h"

#include "apdu/agent/client.h"
#include "apdu/session/sim_state.h"

#include <stdio.h>
#include <string.h>

/* In the order in which a SIM is asked for their applets. */
static const struct token_ops *const all_families[] = {&token_agent, &token_mias, &token_iotsafe,
                                                       NULL};

static const struct token_ops no_family = {.name = "this SIM"};

/* One piece of work, and the family that it is with. */
struct family {
    struct sim *sim;
    struct deadline deadline; /* of all families that are tried */
    const struct token_ops *ops;
    const struct token_ops *known;    /* the one that the SIM has, as far as that is known */
    const struct token_name *name;    /* of the key in question; NULL: none is */
    enum token_applet wanted;         /* by that name, or by the settings */
    bool unproven;                    /* the work may be done without the family's applet */
    bool lacking;                     /* this one has no such function */
    bool begun_anew;                  /* what was known of the SIM was of another one */
    struct report first;              /* what the first one said, if several lack the applet */
    char asked[REPORT_TEXT_SIZE / 2]; /* the AIDs that the SIM was asked for */
};

static const struct token_ops *const *family_list(const struct sim *sim)
{
    return sim->families != NULL ? sim->families : all_families;
}

void token_set_families(struct sim *sim, const struct token_ops *const *families)
{
    sim->families = families;
}

/* The family whose device it is, NULL if it is a way to a SIM like any other. */
static const struct token_ops *family_of_device(const struct sim *sim)
{
    for (const struct token_ops *const *at = family_list(sim); *at != NULL; at++)
        if ((*at)->takes_device != NULL && (*at)->takes_device(sim->settings.device))
            return *at;
    return NULL;
}

/* Whether a family may have the key in question. */
static bool family_fits(const struct family *family, const struct token_ops *ops)
{
    return ops->takes_device == NULL &&
           (family->wanted == TOKEN_APPLET_ANY || ops->applet == family->wanted) &&
           (family->name == NULL || ops->takes_name == NULL || ops->takes_name(family->name));
}

/* The next one behind `after` that fits and is not `but`; after NULL: the first. */
static const struct token_ops *family_behind(const struct family *family,
                                             const struct token_ops *after,
                                             const struct token_ops *but)
{
    const struct token_ops *const *at = family_list(family->sim);

    if (after != NULL) {
        while (*at != NULL && *at != after)
            at++;
        if (*at != NULL)
            at++;
    }
    while (*at != NULL && (!family_fits(family, *at) || *at == but))
        at++;
    return *at;
}

/* If no family fits the name, the first one in the SIM is asked all the same: it says what is wrong with it. */
static const struct token_ops *family_for_words(struct family *family)
{
    const struct token_ops *found;

    family->name = NULL;
    found = family_behind(family, NULL, NULL);
    if (found == NULL) {
        family->wanted = TOKEN_APPLET_ANY;
        found = family_behind(family, NULL, NULL);
    }
    return found != NULL ? found : &no_family; /* a list with families of devices alone */
}

/* Where to begin: what is known costs no question. name: of the key in question, NULL if there is none. */
static struct family family_begin(struct sim *sim, const struct token_name *name)
{
    struct family family = {
        .sim = sim, .name = name, .deadline = sim_deadline(sim), .first = REPORT_INIT};

    family.ops = family_of_device(sim);
    if (family.ops != NULL)
        return family;
    family.wanted =
        name != NULL && name->applet != TOKEN_APPLET_ANY ? name->applet : sim->settings.applet;
    family.known = atomic_load(&sim->family);
    if (family.known != NULL && !family_fits(&family, family.known))
        family.known = NULL;
    family.ops = family.known != NULL ? family.known : family_behind(&family, NULL, NULL);
    if (family.ops == NULL)
        family.ops = family_for_words(&family);
    return family;
}

/* Remembers the family that the SIM has, unless others were passed over. */
static void family_found(const struct family *family)
{
    const struct token_ops *const *at = family_list(family->sim);

    if (family->ops == family->known || family->unproven)
        return;
    while (*at != NULL && ((*at)->takes_device != NULL || family_fits(family, *at)))
        at++;
    if (*at == NULL)
        atomic_store(&family->sim->family, family->ops);
}

/* No family has its applet in the SIM: the first one's sentence, and all AIDs that were asked for. */
static enum outcome family_none(struct family *family, struct report *why)
{
    const size_t used = strlen(family->first.text);

    *why = family->first;
    if (strchr(family->asked, ',') != NULL)
        (void)snprintf(why->text + used, sizeof why->text - used,
                       "; asked for: %s (set `aid` for another AID of IoT SAFE)", family->asked);
    return why->outcome;
}

/* Use it so:
 *
 *     struct family family = family_begin(sim, name);
 *     do {
 *         outcome = ... family.ops ...;
 *     } while (family_again(&family, &outcome, why));
 *
 * True if this SIM does not have the applet of family.ops, or may not, and there is another family to ask. */
static bool family_again(struct family *family, enum outcome *outcome, struct report *why)
{
    struct sim *sim = family->sim;
    const bool may_lack = atomic_exchange(&sim->may_lack, false);
    const struct token_ops *next;

    if (family->ops->takes_device != NULL)
        return false;
    /* it was another SIM that lacks mIAS */
    if (atomic_exchange(&sim->misled, false) && atomic_exchange(&sim->recalled, false) &&
        !family->begun_anew) {
        const struct deadline deadline = family->deadline;

        *family = family_begin(sim, family->name);
        family->deadline = deadline;
        family->begun_anew = true;
        report_clear(why);
        return true;
    }
    if (!sim_may_lack(*outcome, may_lack)) {
        if (*outcome == OUTCOME_OK)
            family_found(family);
        if (*outcome == OUTCOME_UNSUPPORTED && family->lacking &&
            family->first.outcome != OUTCOME_OK)
            *outcome = family_none(family, why);
        return false;
    }
    if (family->first.outcome == OUTCOME_OK)
        family->first = *why;
    if (family->ops->asked_for != NULL)
        (void)snprintf(family->asked + strlen(family->asked),
                       sizeof family->asked - strlen(family->asked), "%s%s",
                       family->asked[0] != '\0' ? ", " : "", family->ops->asked_for);
    if (family->ops == family->known) {
        atomic_store(&sim->family, NULL);
        next = family_behind(family, NULL, family->known);
    } else {
        next = family_behind(family, family->ops, family->known);
    }
    if (next == NULL) {
        *outcome = family_none(family, why);
        return false;
    }
    family->ops = next;
    report_clear(why);
    return true;
}

static enum outcome family_lacks(struct family *family, const char *what, struct report *why)
{
    const char *elsewhere = family->ops->elsewhere;

    family->lacking = true;
    return report_set(why, OUTCOME_UNSUPPORTED, "%s has no command to %s%s%s", family->ops->name,
                      what, elsewhere != NULL ? ": " : "", elsewhere != NULL ? elsewhere : "");
}

/* One function of the family, or that it has none. */
#define CALL(family, function, what, ...)                                                          \
    ((family).ops->function != NULL ? (family).ops->function((family).sim, __VA_ARGS__)            \
                                    : family_lacks(&(family), (what), why))

enum outcome token_list_of(struct sim *sim, enum token_applet applet, struct token_item *list,
                           size_t *count, struct report *why)
{
    struct token_name any = TOKEN_NAME_NONE;
    struct family family;
    enum outcome outcome;

    *count = 0;
    any.applet = applet;
    family = family_begin(sim, &any);
    do {
        outcome = CALL(family, list, "list keys", applet, list, count, family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

enum outcome token_list(struct sim *sim, struct token_item *list, size_t *count, struct report *why)
{
    return token_list_of(sim, TOKEN_APPLET_ANY, list, count, why);
}

enum token_applet token_applet_known(struct sim *sim)
{
    const struct token_ops *known = atomic_load(&sim->family);

    if (sim->settings.applet != TOKEN_APPLET_ANY)
        return sim->settings.applet;
    return known != NULL ? known->applet : TOKEN_APPLET_ANY;
}

enum outcome token_read(struct sim *sim, const char *iccid, const struct token_name *name,
                        unsigned candidate, struct token_content *content, struct report *why)
{
    struct family family = family_begin(sim, name);
    enum outcome outcome;

    memset(content, 0, sizeof *content);
    do {
        outcome = CALL(family, read, "read certificates", iccid, name, candidate, content,
                       family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

void token_complete(struct sim *sim, const struct token_item *item, enum token_key_type type,
                    struct token_name *name)
{
    struct family family = family_begin(sim, &item->name);

    *name = item->name;
    if (family.ops->complete != NULL)
        family.ops->complete(item, type, name);
}

enum outcome token_sign(struct sim *sim, const struct token_key *key,
                        const struct token_digest *digest, uint8_t signature[TOKEN_SIGNATURE_MAX],
                        size_t *length, struct deadline deadline, struct report *why)
{
    struct family family = family_begin(sim, &key->name);
    enum outcome outcome;

    do {
        outcome = CALL(family, sign, "sign", key, digest, signature, length, deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

bool token_refuses(struct sim *sim, const struct token_key *key, enum token_scheme scheme,
                   enum token_hash hash)
{
    struct family family = family_begin(sim, &key->name);

    return family.ops->refuses != NULL && family.ops->refuses(sim, key, scheme, hash);
}

enum outcome token_decrypt(struct sim *sim, const struct token_key *key, enum token_padding padding,
                           enum token_hash hash, const uint8_t *cryptogram,
                           size_t cryptogram_length, uint8_t *plain, size_t *length,
                           struct report *why)
{
    struct family family = family_begin(sim, &key->name);
    enum outcome outcome;

    do {
        outcome = CALL(family, decrypt, "decrypt", key, padding, hash, cryptogram,
                       cryptogram_length, plain, length, family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

enum outcome token_random(struct sim *sim, uint8_t *bytes, size_t length, struct report *why)
{
    struct family family = family_begin(sim, NULL);
    enum outcome outcome;

    do {
        outcome = CALL(family, random, "give random bytes", bytes, length, family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

enum outcome token_algorithms(struct sim *sim, const struct token_key *key, uint64_t *set,
                              struct report *why)
{
    struct family family = family_begin(sim, &key->name);
    enum outcome outcome;

    *set = 0;
    do {
        outcome = CALL(family, algorithms, "tell its algorithms", key, set, family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

enum outcome token_generate(struct sim *sim, struct token_key *key, uint8_t point[TOKEN_POINT_MAX],
                            size_t *length, struct report *why)
{
    struct family family = family_begin(sim, &key->name);
    enum outcome outcome;

    *length = 0;
    do {
        outcome = CALL(family, generate, "make a key pair: its keys come with the SIM", key, point,
                       length, family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

enum outcome token_certificate(struct sim *sim, const char *iccid, enum token_applet applet,
                               unsigned number, struct token_content *content, struct report *why)
{
    struct token_name any = TOKEN_NAME_NONE;
    struct family family;
    enum outcome outcome;

    any.applet = applet;
    family = family_begin(sim, &any);
    memset(content, 0, sizeof *content);
    do {
        outcome = CALL(family, certificate, "read certificates", iccid, applet, number, content,
                       family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

enum outcome token_pin_status(struct sim *sim, struct token_pin *state, size_t *refused,
                              struct report *why)
{
    struct family family = family_begin(sim, NULL);
    size_t ignored;
    enum outcome outcome;

    do {
        outcome = CALL(family, pin_status, "tell the state of a PIN", state,
                       refused != NULL ? refused : &ignored, family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

enum outcome token_pin_verify(struct sim *sim, const char *pin, const struct pin_identity *source,
                              bool spend_last, struct token_pin *state, char stuck[TOKEN_PATH_SIZE],
                              struct report *why)
{
    struct family family = family_begin(sim, NULL);
    enum outcome outcome;

    stuck[0] = '\0';
    do {
        outcome = CALL(family, pin_verify, "verify a PIN", pin, source, spend_last, state, stuck,
                       family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

enum outcome token_pin_change(struct sim *sim, const char *old_pin, const char *new_pin, bool *sent,
                              struct report *why)
{
    struct family family = family_begin(sim, NULL);
    enum outcome outcome;

    *sent = false;
    do {
        outcome =
            CALL(family, pin_change, "change a PIN", old_pin, new_pin, sent, family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

/* Type A is mIAS's, or in files: whichever applet the SIM has, the family that knows it is asked. */
static void family_for_typea(struct family *family)
{
    if (family->ops->takes_device != NULL || family->ops->available != NULL)
        return;
    for (const struct token_ops *const *at = family_list(family->sim); *at != NULL; at++)
        if ((*at)->takes_device == NULL && (*at)->available != NULL) {
            family->known = NULL;
            family->ops = *at;
            return;
        }
}

enum outcome token_available(struct sim *sim, const struct typea_wish *wish,
                             struct typea_blob *blob, struct report *why)
{
    struct family family = family_begin(sim, NULL);
    enum outcome outcome;

    *blob = (struct typea_blob){.data = NULL, .length = 0};
    family_for_typea(&family);
    family.unproven = true; /* it may come from files */
    do {
        outcome = CALL(family, available, "read Type A's certificate and key", wish, blob,
                       family.deadline, why);
    } while (family_again(&family, &outcome, why));
    return outcome;
}

/* All families in SIMs are identified and closed in the same way. */
enum outcome token_identity(struct sim *sim, struct modem_identity *identity,
                            char iccid[ICCID_SIZE], struct report *why)
{
    const struct token_ops *ops = family_of_device(sim);

    return ops != NULL && ops->identity != NULL ? ops->identity(sim, identity, iccid, why)
                                                : sim_identity(sim, identity, iccid, why);
}

enum outcome token_close(struct sim *sim, struct sim_found *found, struct report *why)
{
    const struct token_ops *ops = family_of_device(sim);

    return ops != NULL && ops->close != NULL ? ops->close(sim, found, why)
                                             : sim_shut(sim, found, why);
}
