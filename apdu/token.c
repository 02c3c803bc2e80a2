/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on keys, each as one taking of the SIM, spoken in mIAS. */
#include "apdu/token.h"

#include "apdu/card/file.h"
#include "apdu/session/session.h"

#include <stdlib.h>
#include <string.h>

#define TEMPLATE_SIGNATURE       0xB6 /* ISO 7816-4, table 79: digital signature template */
#define TEMPLATE_CONFIDENTIALITY 0xB8

/* ---- what the card refused ---- */

static uint16_t refusal(int key_id, uint8_t algorithm)
{
    return (uint16_t)((unsigned)key_id << 8 | algorithm);
}

static bool refused(struct sim *sim, int key_id, uint8_t algorithm)
{
    for (size_t i = 0; i < REFUSALS; i++)
        if (atomic_load(&sim->learnt.refusals[i]) == refusal(key_id, algorithm))
            return true;
    return false;
}

/* Where there is no room another one goes: key references may name any keys and types of keys, and
 * must not keep a refusal from being known that a real key meets again and again. */
static void remember_refusal(struct sim *sim, int key_id, uint8_t algorithm)
{
    const uint16_t value = refusal(key_id, algorithm);
    size_t i;

    if (refused(sim, key_id, algorithm))
        return;
    for (i = 0; i < REFUSALS && atomic_load(&sim->learnt.refusals[i]) != 0; i++)
        ;
    atomic_store(&sim->learnt.refusals[i < REFUSALS ? i : value % REFUSALS], value);
}

/* The one algorithm that would do; PKCS#1 has another way round a refusal, and ECDSA too. */
bool token_refuses(struct sim *sim, const struct token_key *key, enum token_scheme scheme,
                   enum token_hash hash)
{
    return scheme == TOKEN_PSS && refused(sim, key->key_id, mias_sign_algorithm(scheme, hash));
}

/* MSE SET on the operation's channel. A refusal counts only where the applet was selected in this
 * very operation: else somebody may have selected another one. */
static enum outcome set_environment(struct operation *operation, uint8_t template_tag,
                                    uint8_t algorithm, int key_id, struct report *why)
{
    struct sim *sim = operation->sim;
    struct mias_environment before;
    enum outcome outcome;

    if (sim->learnt.environment_refused >= SHORT_WAY_REFUSALS)
        operation->standing->environment.set = false;
    before = operation->standing->environment;
    if (!before.set || before.template_tag != template_tag || before.algorithm != algorithm ||
        before.key_id != key_id)
        operation->long_way = true;
    outcome = mias_set_environment(&operation->card, &operation->standing->environment,
                                   template_tag, algorithm, (uint8_t)key_id, why);
    if (outcome == OUTCOME_UNSUPPORTED && operation->fresh)
        remember_refusal(sim, key_id, algorithm);
    return outcome;
}

/* ---- containers and certificates ---- */

static void mark_certificates(struct token_container *list, size_t count,
                              const struct mias_entry *entries, size_t entry_count)
{
    for (size_t i = 0; i < count; i++)
        list[i].certificate = mias_find_certificate(entries, entry_count, &list[i]) != NULL;
}

struct list_result {
    struct token_container *list;
    size_t *count;
};

static enum outcome list_work(struct operation *operation, void *arg, struct report *why)
{
    struct list_result *result = arg;
    const struct mias_entry *entries;
    size_t entry_count;
    enum outcome outcome = mias_read_map(&operation->card, result->list, result->count, why);

    if (outcome == OUTCOME_OK)
        outcome = session_directory(operation, &entries, &entry_count, why);
    if (outcome == OUTCOME_OK)
        mark_certificates(result->list, *result->count, entries, entry_count);
    return outcome;
}

enum outcome token_list(struct sim *sim, struct token_container *list, size_t *count,
                        struct report *why)
{
    const struct job job = {.applet = &applet_mias};
    struct list_result result = {list, count};

    *count = 0;
    return session_run(sim, &job, list_work, &result, why);
}

struct read_result {
    int container;
    struct token_container *info;
    uint8_t **certificate;
    size_t *length;
    char *iccid;
};

static void drop_certificate(const struct read_result *result)
{
    free(*result->certificate);
    *result->certificate = NULL;
    *result->length = 0;
}

static enum outcome read_certificate(struct operation *operation, const struct mias_entry *entry,
                                     uint8_t **certificate, size_t *length, struct report *why)
{
    uint8_t *packed;
    size_t packed_length;
    enum outcome outcome = mias_read_file(&operation->card, entry->file, entry->size,
                                          SECRET_NOTHING, &packed, &packed_length, why);

    if (outcome == OUTCOME_OK)
        outcome =
            mias_unpack_certificate((struct span){packed, packed_length}, certificate, length, why);
    free(packed);
    return outcome;
}

static enum outcome read_work(struct operation *operation, void *arg, struct report *why)
{
    struct read_result *result = arg;
    struct token_container list[TOKEN_CONTAINERS];
    const struct mias_entry *entries, *entry;
    size_t count = 0, entry_count, i;
    enum outcome outcome = mias_read_map(&operation->card, list, &count, why);

    drop_certificate(result); /* of a start before this one */
    if (outcome != OUTCOME_OK)
        return outcome;
    for (i = 0; i < count && list[i].index != result->container; i++)
        ;
    if (i == count)
        return report_set(why, OUTCOME_NOT_FOUND,
                          "this SIM has no container %d: `simkey info` lists those it has",
                          result->container);
    outcome = session_directory(operation, &entries, &entry_count, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    entry = mias_find_certificate(entries, entry_count, &list[i]);
    if (entry == NULL)
        return report_set(why, OUTCOME_NOT_FOUND, "container %d of this SIM has no certificate",
                          result->container);
    list[i].certificate = true;
    *result->info = list[i];
    memcpy(result->iccid, operation->standing->iccid, ICCID_SIZE);
    return read_certificate(operation, entry, result->certificate, result->length, why);
}

enum outcome token_read(struct sim *sim, const char *iccid, int container,
                        struct token_container *info, uint8_t **certificate, size_t *length,
                        char found_iccid[ICCID_SIZE], struct report *why)
{
    const struct job job = {.applet = &applet_mias, .iccid = iccid};
    struct read_result result = {container, info, certificate, length, found_iccid};
    enum outcome outcome;

    *certificate = NULL;
    *length = 0;
    outcome = session_run(sim, &job, read_work, &result, why);
    if (outcome != OUTCOME_OK)
        drop_certificate(&result); /* it was read, but the answer is in doubt */
    return outcome;
}

int token_key_id(const struct token_container *info, enum token_key_type type)
{
    return mias_key_id(info->index, info->exchange, info->bits, type);
}

/* ---- signing ---- */

struct sign_work {
    const struct token_key *key;
    const struct mias_plan *plans;
    size_t plan_count;
    uint8_t *signature;
    size_t *length;
};

/* True if the card refused the data of this plan, not the operation: the next plan may do. */
static bool data_refused(enum outcome outcome, const struct report *why)
{
    return outcome == OUTCOME_REFUSED && (why->sw == 0x6A80 || why->sw == 0x6700);
}

/* 6A88 to MSE SET means "no such key" or "no such algorithm for it". If the key takes the plainest
 * algorithm of its type, it is there, and the refusal was the algorithm's. Nothing is signed here.
 */
static enum outcome judge_6a88(struct operation *operation, const struct sign_work *work,
                               struct report *why)
{
    enum token_scheme plain = work->key->type == TOKEN_EC ? TOKEN_ECDSA : TOKEN_PKCS1;
    struct report refusal = *why;
    enum outcome outcome =
        set_environment(operation, TEMPLATE_SIGNATURE, mias_sign_algorithm(plain, TOKEN_SHA256),
                        work->key->key_id, why);

    operation->standing->environment.set = false;
    if (outcome == OUTCOME_OK) {
        for (size_t i = 0; i < work->plan_count; i++)
            remember_refusal(operation->sim, work->key->key_id, work->plans[i].algorithm);
        return report_sw(why, OUTCOME_UNSUPPORTED, refusal.sw,
                         "this SIM refuses algorithm %02X for key %02X",
                         work->plans[work->plan_count - 1].algorithm, (unsigned)work->key->key_id);
    }
    *why = refusal;
    return why->outcome;
}

static enum outcome sign_work(struct operation *operation, void *arg, struct report *why)
{
    const struct sign_work *work = arg;
    enum outcome outcome = OUTCOME_UNSUPPORTED;

    (void)report_set(why, OUTCOME_UNSUPPORTED,
                     "this SIM refused that algorithm for key %02X before",
                     (unsigned)work->key->key_id);
    for (size_t i = 0; i < work->plan_count; i++) {
        const struct mias_plan *plan = &work->plans[i];

        if (refused(operation->sim, work->key->key_id, plan->algorithm))
            continue;
        outcome =
            set_environment(operation, TEMPLATE_SIGNATURE, plan->algorithm, work->key->key_id, why);
        if (outcome == OUTCOME_OK)
            outcome =
                mias_hash_and_sign(&operation->card, plan, work->signature, work->length, why);
        if (outcome == OUTCOME_OK)
            return outcome;
        if (outcome != OUTCOME_UNSUPPORTED && why->sw != 0x6A88 && !data_refused(outcome, why))
            return outcome;
        operation->standing->environment.set = false;
        if (!operation->fresh)
            return outcome; /* not before a new start has shown that it is the applet's own word */
    }
    if (outcome == OUTCOME_NOT_FOUND && why->sw == 0x6A88)
        outcome = judge_6a88(operation, work, why);
    return outcome;
}

static enum outcome check_key(const struct token_key *key, struct report *why)
{
    if (key->key_id <= 0 || key->key_id > 255)
        return report_set(why, OUTCOME_USAGE,
                          "the applet's key reference of container %d is unknown", key->container);
    return OUTCOME_OK;
}

enum outcome token_sign(struct sim *sim, const struct token_key *key, enum token_scheme scheme,
                        enum token_hash hash, const uint8_t *digest, size_t digest_length,
                        uint8_t *signature, size_t *length, struct deadline deadline,
                        struct report *why)
{
    const struct job job = {.applet = &applet_mias,
                            .pin = true,
                            .iccid = key->iccid,
                            .deadline = &deadline,
                            .proven = true};
    struct mias_plan plans[MIAS_PLANS];
    struct sign_work work = {.key = key, .plans = plans, .signature = signature, .length = length};
    enum outcome outcome = check_key(key, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    work.plan_count = mias_plans(key, scheme, hash, digest, digest_length, plans);
    if (work.plan_count == 0)
        return report_set(why, OUTCOME_UNSUPPORTED,
                          "the SIM's applet has no such signature for this key and digest");
    return session_run(sim, &job, sign_work, &work, why);
}

/* ---- decryption, random bytes, algorithms ---- */

struct decrypt_work {
    const struct token_key *key;
    uint8_t algorithm;
    const uint8_t *cryptogram;
    size_t cryptogram_length;
    uint8_t *plain;
    size_t *length;
};

static enum outcome decrypt_work(struct operation *operation, void *arg, struct report *why)
{
    const struct decrypt_work *work = arg;
    enum outcome outcome = set_environment(operation, TEMPLATE_CONFIDENTIALITY, work->algorithm,
                                           work->key->key_id, why);

    if (outcome == OUTCOME_OK)
        outcome = mias_decipher(&operation->card, work->cryptogram, work->cryptogram_length,
                                work->plain, work->length, why);
    return outcome;
}

enum outcome token_decrypt(struct sim *sim, const struct token_key *key, enum token_padding padding,
                           enum token_hash hash, const uint8_t *cryptogram,
                           size_t cryptogram_length, uint8_t *plain, size_t *length,
                           struct report *why)
{
    const struct job job = {.applet = &applet_mias, .pin = true, .iccid = key->iccid};
    uint8_t held[TOKEN_PLAIN_MAX]; /* not the caller's before the answer is beyond doubt */
    size_t held_length = 0;
    struct decrypt_work work = {key,        mias_decrypt_algorithm(padding, hash),
                                cryptogram, cryptogram_length,
                                held,       &held_length};
    enum outcome outcome = check_key(key, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (key->type != TOKEN_RSA || work.algorithm == 0)
        return report_set(why, OUTCOME_UNSUPPORTED,
                          "the SIM's applet has no such decryption for this key");
    if (cryptogram_length != (key->bits + 7) / 8)
        return report_set(why, OUTCOME_REFUSED, "a cryptogram for this key has %u bytes, not %zu",
                          (key->bits + 7) / 8, cryptogram_length);
    outcome = session_run(sim, &job, decrypt_work, &work, why);
    if (outcome == OUTCOME_OK) {
        memcpy(plain, held, held_length);
        *length = held_length;
    }
    explicit_bzero(held, sizeof held);
    return outcome;
}

struct random_work {
    uint8_t *bytes;
    size_t length;
};

static enum outcome random_work(struct operation *operation, void *arg, struct report *why)
{
    const struct random_work *work = arg;

    return mias_random(&operation->card, work->bytes, work->length, why);
}

enum outcome token_random(struct sim *sim, uint8_t *bytes, size_t length, struct report *why)
{
    const struct job job = {.applet = &applet_mias};
    struct random_work work = {bytes, length};

    return session_run(sim, &job, random_work, &work, why);
}

struct algorithms_work {
    const struct token_key *key;
    uint32_t mask;
};

static enum outcome algorithms_work(struct operation *operation, void *arg, struct report *why)
{
    struct algorithms_work *work = arg;
    const enum token_scheme rsa[] = {TOKEN_PKCS1, TOKEN_PSS}, ec[] = {TOKEN_ECDSA};
    const enum token_scheme *schemes = work->key->type == TOKEN_EC ? ec : rsa;
    size_t scheme_count = work->key->type == TOKEN_EC ? 1 : 2;

    work->mask = 0;
    for (size_t i = 0; i < scheme_count; i++)
        for (unsigned hash = TOKEN_HASH_NONE; hash < TOKEN_HASHES; hash++) {
            uint8_t algorithm = mias_sign_algorithm(schemes[i], (enum token_hash)hash);
            enum outcome outcome;

            if (algorithm == 0)
                continue;
            outcome =
                set_environment(operation, TEMPLATE_SIGNATURE, algorithm, work->key->key_id, why);
            if (outcome == OUTCOME_OK)
                work->mask |= UINT32_C(1) << ((unsigned)schemes[i] * TOKEN_HASHES + hash);
            else if (outcome != OUTCOME_UNSUPPORTED && why->sw != 0x6A88)
                return outcome;
        }
    return OUTCOME_OK;
}

enum outcome token_algorithms(struct sim *sim, const struct token_key *key, uint32_t *mask,
                              struct report *why)
{
    const struct job job = {.applet = &applet_mias, .iccid = key->iccid};
    struct algorithms_work work = {key, 0};
    enum outcome outcome = check_key(key, why);

    if (outcome == OUTCOME_OK)
        outcome = session_run(sim, &job, algorithms_work, &work, why);
    *mask = work.mask;
    return outcome;
}

/* ---- the PIN ---- */

struct status_work {
    struct token_pin *state;
    size_t refused;
};

static enum outcome pin_status_work(struct operation *operation, void *arg, struct report *why)
{
    struct status_work *work = arg;

    work->refused = operation_refusals(operation);
    return pin_state(&operation->card, PIN_APPLET, work->state, why);
}

enum outcome token_pin_status(struct sim *sim, struct token_pin *state, size_t *refused,
                              struct report *why)
{
    /* fresh: the channel that programs share may be verified, and does not tell the tries then */
    const struct job job = {.applet = &applet_mias, .fresh = true};

    struct status_work work = {.state = state};
    enum outcome outcome = session_run(sim, &job, pin_status_work, &work, why);

    if (refused != NULL)
        *refused = work.refused;
    return outcome;
}

struct attempt_work {
    const char *pin;
    const struct pin_identity *source;
    bool spend_last;
    struct token_pin *state;
    char *stuck;
};

static enum outcome attempt_work(struct operation *operation, void *arg, struct report *why)
{
    const struct attempt_work *work = arg;
    enum outcome outcome =
        pin_attempt(&operation->card, PIN_APPLET, work->pin, work->spend_last, work->state, why);

    if (outcome == OUTCOME_OK)
        operation_forgive(operation, work->stuck, TOKEN_PATH_SIZE);
    else if (operation->selection.passed && work->source != NULL)
        operation_refused(operation, work->source);
    return outcome;
}

enum outcome token_pin_verify(struct sim *sim, const char *pin, const struct pin_identity *source,
                              bool spend_last, struct token_pin *state, char stuck[TOKEN_PATH_SIZE],
                              struct report *why)
{
    /* once: a second start would try the PIN a second time; fresh: see token_pin_status */
    const struct job job = {.applet = &applet_mias, .fresh = true, .once = true};
    struct attempt_work work = {pin, source, spend_last, state, stuck};

    stuck[0] = '\0';
    return session_run(sim, &job, attempt_work, &work, why);
}

struct change_work {
    const char *old_pin, *new_pin;
    bool *sent;
};

static enum outcome change_work(struct operation *operation, void *arg, struct report *why)
{
    const struct change_work *work = arg;
    char ignored[TOKEN_PATH_SIZE];
    enum outcome outcome =
        pin_change(&operation->card, work->old_pin, work->new_pin, work->sent, why);

    if (outcome == OUTCOME_OK) /* the old one was right */
        operation_forgive(operation, ignored, sizeof ignored);
    return outcome;
}

enum outcome token_pin_change(struct sim *sim, const char *old_pin, const char *new_pin, bool *sent,
                              struct report *why)
{
    const struct job job = {.applet = &applet_mias, .fresh = true, .once = true};
    struct change_work work = {old_pin, new_pin, sent};

    *sent = false;
    return session_run(sim, &job, change_work, &work, why);
}
