/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on keys, each as one taking of the SIM, spoken in IoT SAFE. A key's name is its id, or
 * its label where it has no id. What is read is in token_iotsafe_read.c. */
#include "apdu/token_iotsafe.h"

#include "apdu/applet/iotsafe.h"
#include "apdu/session/session.h"

#include <stdio.h>
#include <string.h>

static bool takes_name(const struct token_name *name)
{
    return name->container == TOKEN_CONTAINER_NONE;
}

static void complete_name(const struct token_item *item, enum token_key_type type,
                          struct token_name *name)
{
    (void)type;
    *name = item->name;
    name->applet = TOKEN_APPLET_IOTSAFE;
    if (name->id_length > 0)
        name->label[0] = '\0';
}

static enum outcome check_key(const struct token_key *key, struct report *why)
{
    if (takes_name(&key->name) && (key->name.id_length > 0 || key->name.label[0] != '\0'))
        return OUTCOME_OK;
    return report_set(why, OUTCOME_USAGE,
                      "%s names its keys by id or label, not by container: this is another "
                      "applet's key",
                      token_iotsafe.name);
}

/* ---- algorithms ---- */

/* What the SIM says that the key can do; where it says nothing of the key, what the applet can do. */
static enum outcome read_algorithms(struct operation *operation, const struct token_key *key,
                                    uint64_t *set, struct report *why)
{
    struct iotsafe_object object;
    struct iotsafe_application application = {.version = 0};
    enum outcome outcome =
        iotsafe_read_object(&operation->card, IOTSAFE_PRIVATE, &key->name, &object, why);

    /* with 6A82 and 6A88 there is no such key; else the SIM only does not describe it */
    if (outcome == OUTCOME_NOT_FOUND && why->sw != 0x6A82 && why->sw != 0x6A88) {
        report_clear(why);
        outcome = iotsafe_read_application(&operation->card, &application, why);
        object.schemes = application.schemes;
        object.hashes = application.hashes;
        if (outcome == OUTCOME_REFUSED || outcome == OUTCOME_NOT_FOUND) { /* it tells neither */
            report_clear(why);
            outcome = OUTCOME_OK;
        }
    }
    *set = outcome == OUTCOME_OK ? iotsafe_algorithms(key->type, object.schemes, object.hashes) : 0;
    return outcome;
}

static void name_algorithms(uint64_t set, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int scheme = 0; scheme < TOKEN_SCHEMES; scheme++)
        for (int hash = 0; hash < TOKEN_HASHES && used < size; hash++)
            if ((set & TOKEN_ALGORITHM(scheme, hash)) != 0)
                used += (size_t)snprintf(
                    text + used, size - used, "%s%s with %s", used > 0 ? ", " : "",
                    token_scheme_name((enum token_scheme)scheme), hash_name((enum token_hash)hash));
}

/* ECDSA with SHA-256 is what each key can do. All else is done only where the SIM names it. */
static enum outcome check_algorithm(struct operation *operation, const struct token_key *key,
                                    const struct token_digest *digest, struct report *why)
{
    char able[160], name[TOKEN_NAME_TEXT];
    uint64_t set;
    enum outcome outcome;

    if (digest->scheme == TOKEN_ECDSA && digest->hash == TOKEN_SHA256)
        return OUTCOME_OK;
    outcome = read_algorithms(operation, key, &set, why);
    if (outcome != OUTCOME_OK || (set & TOKEN_ALGORITHM(digest->scheme, digest->hash)) != 0)
        return outcome;
    name_algorithms(set, able, sizeof able);
    return report_set(
        why, OUTCOME_UNSUPPORTED, "the SIM's key (%s) cannot sign %s with %s: it can do %s",
        token_name_text(&key->name, name), token_scheme_name(digest->scheme),
        digest->hash == TOKEN_HASH_NONE ? "data of the caller's own" : hash_name(digest->hash),
        able[0] != '\0' ? able : "no signature of its type");
}

struct algorithms_work {
    const struct token_key *key;
    uint64_t set;
};

static enum outcome algorithms_work(struct operation *operation, void *arg, struct report *why)
{
    struct algorithms_work *work = arg;

    return read_algorithms(operation, work->key, &work->set, why);
}

static enum outcome tell_algorithms(struct sim *sim, const struct token_key *key, uint64_t *set,
                                    struct deadline deadline, struct report *why)
{
    struct applet given;
    const struct job job = {
        .deadline = &deadline, .applet = iotsafe_applet(sim, &given), .iccid = key->iccid};
    struct algorithms_work work = {key, 0};
    enum outcome outcome = check_key(key, why);

    if (outcome == OUTCOME_OK)
        outcome = session_run(sim, &job, algorithms_work, &work, why);
    *set = work.set;
    return outcome;
}

/* ---- signing ---- */

struct sign_work {
    const struct token_key *key;
    const struct token_digest *digest;
    uint8_t *signature;
    size_t *length;
};

static enum outcome sign_work(struct operation *operation, void *arg, struct report *why)
{
    const struct sign_work *work = arg;
    bool unclean = false;
    enum outcome outcome = check_algorithm(operation, work->key, work->digest, why);

    if (outcome == OUTCOME_OK)
        outcome = iotsafe_sign(&operation->card, work->key, work->digest, work->signature,
                               work->length, &unclean, why);
    if (unclean) /* a session may be open in the applet: it ends with the channel */
        operation->current->broken = true;
    return outcome;
}

static enum outcome sign_digest(struct sim *sim, const struct token_key *key,
                                const struct token_digest *digest, uint8_t *signature,
                                size_t *length, struct deadline deadline, struct report *why)
{
    struct applet given;
    const struct job job = {.applet = iotsafe_applet(sim, &given),
                            .iccid = key->iccid,
                            .deadline = &deadline,
                            .proven = true};
    struct sign_work work = {key, digest, signature, length};
    enum outcome outcome = check_key(key, why);

    return outcome == OUTCOME_OK ? session_run(sim, &job, sign_work, &work, why) : outcome;
}

/* ---- key pairs, random bytes ---- */

struct generate_work {
    struct token_key *key;
    uint8_t *point;
    size_t *length;
};

static enum outcome generate_work(struct operation *operation, void *arg, struct report *why)
{
    const struct generate_work *work = arg;
    struct token_name made, public_name;
    enum outcome outcome = iotsafe_generate(&operation->card, &work->key->name, &made, &public_name,
                                            work->point, work->length, why);

    if (why->sw == 0 && (outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_LOST ||
                         outcome == OUTCOME_BAD_DATA || outcome == OUTCOME_NO_MODEM))
        report_prefix(why,
                      "it is unknown whether the SIM made the key pair (`simkey key` prints the "
                      "one it has, and a slow SIM needs a longer --timeout)");
    if (outcome != OUTCOME_OK)
        return outcome;
    work->key->name = made;
    work->key->name.applet = TOKEN_APPLET_IOTSAFE;
    memcpy(work->key->iccid, operation->current->iccid, ICCID_SIZE);
    if (*work->length > 0)
        return OUTCOME_OK;
    if (public_name.id_length == 0)
        public_name = made;
    outcome =
        iotsafe_read_public_key(&operation->card, &public_name, work->point, work->length, why);
    if (outcome == OUTCOME_NOT_FOUND && public_name.id_length > 0) { /* as reading does */
        report_clear(why);
        iotsafe_next_id(&public_name);
        outcome =
            iotsafe_read_public_key(&operation->card, &public_name, work->point, work->length, why);
    }
    if (outcome != OUTCOME_OK)
        report_prefix(why, "the SIM has made the key pair");
    return outcome;
}

/* Once: a key pair whose answer was lost may be made all the same. */
static enum outcome generate_pair(struct sim *sim, struct token_key *key, uint8_t *point,
                                  size_t *length, struct deadline deadline, struct report *why)
{
    struct applet given;
    const struct job job = {.deadline = &deadline,
                            .applet = iotsafe_applet(sim, &given),
                            .iccid = key->iccid,
                            .fresh = true,
                            .once = true};
    struct generate_work work = {key, point, length};
    enum outcome outcome = check_key(key, why);

    return outcome == OUTCOME_OK ? session_run(sim, &job, generate_work, &work, why) : outcome;
}

struct random_work {
    uint8_t *bytes;
    size_t length;
};

static enum outcome random_work(struct operation *operation, void *arg, struct report *why)
{
    const struct random_work *work = arg;

    return iotsafe_random(&operation->card, work->bytes, work->length, why);
}

static enum outcome random_bytes(struct sim *sim, uint8_t *bytes, size_t length,
                                 struct deadline deadline, struct report *why)
{
    struct applet given;
    const struct job job = {.deadline = &deadline, .applet = iotsafe_applet(sim, &given)};
    struct random_work work = {bytes, length};

    return session_run(sim, &job, random_work, &work, why);
}

/* ---- no PIN ---- */

static enum outcome no_work(struct operation *operation, void *arg, struct report *why)
{
    (void)operation, (void)arg, (void)why;
    return OUTCOME_OK;
}

/* Whether the applet is there. */
static enum outcome find_applet(struct sim *sim, struct deadline deadline, struct report *why)
{
    struct applet given;
    const struct job job = {.deadline = &deadline, .applet = iotsafe_applet(sim, &given)};

    return session_run(sim, &job, no_work, NULL, why);
}

static enum outcome tell_no_pin(struct sim *sim, struct token_pin *state, size_t *refused,
                                struct deadline deadline, struct report *why)
{
    *state = (struct token_pin){.verified = true, .blocked = false, .left = -1};
    *refused = 0;
    return find_applet(sim, deadline, why);
}

static enum outcome no_pin(struct sim *sim, struct deadline deadline, struct report *why)
{
    const enum outcome outcome = find_applet(sim, deadline, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    return report_set(why, OUTCOME_UNSUPPORTED,
                      "%s has no PIN: its keys are used without one, and none can be blocked",
                      token_iotsafe.name);
}

static enum outcome refuse_verify(struct sim *sim, const char *pin,
                                  const struct pin_identity *source, bool spend_last,
                                  struct token_pin *state, char *stuck, struct deadline deadline,
                                  struct report *why)
{
    (void)pin, (void)source, (void)spend_last, (void)stuck;
    *state = (struct token_pin){.verified = true, .blocked = false, .left = -1};
    return no_pin(sim, deadline, why);
}

static enum outcome refuse_change(struct sim *sim, const char *old_pin, const char *new_pin,
                                  bool *sent, struct deadline deadline, struct report *why)
{
    (void)old_pin, (void)new_pin;
    *sent = false;
    return no_pin(sim, deadline, why);
}

/* It does not decrypt, and Type A is mIAS's. */
const struct token_ops token_iotsafe = {
    .name = IOTSAFE_NAME,
    .applet = TOKEN_APPLET_IOTSAFE,
    .asked_for = "A0000005590010, A00000003053F12401770101495341, A0000002480400 (IoT SAFE)",
    .takes_name = takes_name,
    .list = FOR_TOOLS(iotsafe_list),
    .read = iotsafe_read,
    .complete = complete_name,
    .sign = sign_digest,
    .random = FOR_TOOLS(random_bytes),
    .algorithms = FOR_TOOLS(tell_algorithms),
    .generate = FOR_TOOLS(generate_pair),
    .certificate = iotsafe_certificate,
    .pin_status = FOR_TOOLS(tell_no_pin),
    .pin_verify = FOR_TOOLS(refuse_verify),
    .pin_change = FOR_TOOLS(refuse_change),
};
