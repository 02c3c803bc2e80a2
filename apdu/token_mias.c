/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on keys, each as one taking of the SIM, spoken in mIAS. A key's name is its container,
 * and the key reference of its commands as an id of one byte. */
#include "apdu/token_mias.h"

#include "apdu/applet/mias.h"
#include "apdu/session/session.h"

#include <stdlib.h>
#include <string.h>

#define TEMPLATE_SIGNATURE       0xB6 /* ISO 7816-4, table 79: digital signature template */
#define TEMPLATE_CONFIDENTIALITY 0xB8

/* ---- what the card refused ---- */

static uint8_t key_reference(const struct token_key *key)
{
    return key->name.id[0];
}

/* Only for PSS, where one algorithm would do: PKCS#1 and ECDSA have a second plan (mias_plans). */
static bool mias_refuses(struct sim *sim, const struct token_key *key, enum token_scheme scheme,
                         enum token_hash hash)
{
    return scheme == TOKEN_PSS &&
           quirks_refuses(&sim->quirks, key_reference(key), mias_sign_algorithm(scheme, hash));
}

/* MSE SET on the operation's channel. A refusal counts only if the applet was selected in this operation:
 * else another program may have selected another one there. */
static enum outcome set_environment(struct operation *operation, uint8_t template_tag,
                                    uint8_t algorithm, int key_id, struct report *why)
{
    struct sim *sim = operation->sim;
    struct security_environment before;
    enum outcome outcome;

    if (sim->quirks.environment_refused >= SHORT_WAY_REFUSALS)
        operation->current->environment.set = false;
    before = operation->current->environment;
    if (!before.set || before.template_tag != template_tag || before.algorithm != algorithm ||
        before.key_id != key_id)
        operation->long_way = true;
    outcome = mias_set_environment(&operation->card, &operation->current->environment, template_tag,
                                   algorithm, (uint8_t)key_id, why);
    operation_algorithm(operation, (unsigned)key_id, algorithm, outcome);
    return outcome;
}

/* ---- containers and certificates ---- */

static struct token_item describe_container(const struct mias_container *container)
{
    struct token_item item = {.name = TOKEN_NAME_NONE,
                              .decrypts = container->exchange,
                              .bits = container->bits,
                              .certificate = container->certificate};

    item.name.container = container->index;
    return item;
}

struct list_result {
    struct token_item *list;
    size_t *count;
};

static enum outcome list_work(struct operation *operation, void *arg, struct report *why)
{
    struct list_result *result = arg;
    struct mias_container containers[MIAS_CONTAINERS];
    const struct mias_entry *entries;
    size_t count = 0, entry_count;
    enum outcome outcome = mias_read_map(&operation->card, containers, &count, why);

    if (outcome == OUTCOME_OK)
        outcome = mias_directory(operation, &entries, &entry_count, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    for (size_t i = 0; i < count; i++) {
        containers[i].certificate =
            mias_find_certificate(entries, entry_count, &containers[i]) != NULL;
        result->list[i] = describe_container(&containers[i]);
    }
    *result->count = count;
    return OUTCOME_OK;
}

static enum outcome mias_list(struct sim *sim, enum token_applet applet, struct token_item *list,
                              size_t *count, struct deadline deadline, struct report *why)
{
    const struct job job = {.deadline = &deadline, .applet = &applet_mias};
    struct list_result result = {list, count};

    (void)applet;
    *count = 0;
    return session_run(sim, &job, list_work, &result, why);
}

struct read_result {
    int container;
    struct token_content *content;
};

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
    struct token_content *content = result->content;
    struct mias_container list[MIAS_CONTAINERS];
    const struct mias_entry *entries, *entry;
    size_t count = 0, entry_count, i;
    enum outcome outcome = mias_read_map(&operation->card, list, &count, why);

    token_content_clear(content); /* of a start before this one */
    if (outcome != OUTCOME_OK)
        return outcome;
    for (i = 0; i < count && list[i].index != result->container; i++)
        ;
    if (i == count)
        return report_set(why, OUTCOME_NOT_FOUND,
                          "this SIM has no container %d: `simkey info` lists those it has",
                          result->container);
    outcome = mias_directory(operation, &entries, &entry_count, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    entry = mias_find_certificate(entries, entry_count, &list[i]);
    if (entry == NULL)
        return report_set(why, OUTCOME_NOT_FOUND, "container %d of this SIM has no certificate",
                          result->container);
    list[i].certificate = true;
    content->item = describe_container(&list[i]);
    memcpy(content->iccid, operation->current->iccid, ICCID_SIZE);
    return read_certificate(operation, entry, &content->certificate, &content->length, why);
}

/* The container, 0 where nothing is named. */
static enum outcome choose_container(const struct token_name *name, int *container,
                                     struct report *why)
{
    *container = name->container != TOKEN_CONTAINER_NONE ? name->container : 0;
    if (name->container != TOKEN_CONTAINER_NONE || (name->id_length == 0 && name->label[0] == '\0'))
        return OUTCOME_OK;
    return report_set(why, OUTCOME_USAGE,
                      "%s names its keys by container, not by id or label: "
                      "sim:signing;container=N, and `simkey info` lists them",
                      token_mias.name);
}

static enum outcome mias_read(struct sim *sim, const char *iccid, const struct token_name *name,
                              unsigned candidate, struct token_content *content,
                              struct deadline deadline, struct report *why)
{
    const struct job job = {.deadline = &deadline, .applet = &applet_mias, .iccid = iccid};
    struct read_result result = {.content = content};
    enum outcome outcome = choose_container(name, &result.container, why);

    if (outcome == OUTCOME_OK && candidate > 0)
        outcome = report_set(why, OUTCOME_NOT_FOUND, "container %d has one certificate",
                             result.container);
    if (outcome == OUTCOME_OK)
        outcome = session_run(sim, &job, read_work, &result, why);
    if (outcome != OUTCOME_OK)
        token_content_clear(content); /* it was read, but the answer is in doubt */
    return outcome;
}

struct certificate_work {
    unsigned number;
    struct token_content *content;
};

/* The entries of the directory one by one; one that is not a certificate leaves content->certificate NULL. */
static enum outcome certificate_work(struct operation *operation, void *arg, struct report *why)
{
    const struct certificate_work *work = arg;
    struct token_content *content = work->content;
    const struct mias_entry *entries;
    size_t count;
    enum outcome outcome = mias_directory(operation, &entries, &count, why);

    token_content_clear(content);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (work->number >= count)
        return report_set(why, OUTCOME_NOT_FOUND, "there is no further certificate in this SIM");
    memcpy(content->iccid, operation->current->iccid, ICCID_SIZE);
    if (strcmp(entries[work->number].directory, "mscp") != 0)
        return OUTCOME_OK;
    outcome = read_certificate(operation, &entries[work->number], &content->certificate,
                               &content->length, why);
    if (outcome != OUTCOME_BAD_DATA && outcome != OUTCOME_NOT_FOUND)
        return outcome;
    token_content_clear(content);
    report_clear(why);
    return OUTCOME_OK;
}

static enum outcome mias_certificate(struct sim *sim, const char *iccid, enum token_applet applet,
                                     unsigned number, struct token_content *content,
                                     struct deadline deadline, struct report *why)
{
    const struct job job = {.deadline = &deadline, .applet = &applet_mias, .iccid = iccid};
    struct certificate_work work = {number, content};
    enum outcome outcome = session_run(sim, &job, certificate_work, &work, why);

    (void)applet;
    if (outcome != OUTCOME_OK)
        token_content_clear(content);
    return outcome;
}

static void mias_complete(const struct token_item *item, enum token_key_type type,
                          struct token_name *name)
{
    name->id_length = 1;
    name->id[0] = (uint8_t)mias_key_id(item->name.container, item->decrypts, item->bits, type);
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
    enum token_scheme plain = token_type_scheme(work->key->type);
    struct report refusal = *why;
    enum outcome outcome =
        set_environment(operation, TEMPLATE_SIGNATURE, mias_sign_algorithm(plain, TOKEN_SHA256),
                        key_reference(work->key), why);

    operation->current->environment.set = false;
    if (outcome == OUTCOME_OK) {
        for (size_t i = 0; i < work->plan_count; i++)
            operation_algorithm(operation, key_reference(work->key), work->plans[i].algorithm,
                                OUTCOME_UNSUPPORTED);
        return report_sw(why, OUTCOME_UNSUPPORTED, refusal.sw,
                         "this SIM refuses algorithm %02X for key %02X",
                         work->plans[work->plan_count - 1].algorithm, key_reference(work->key));
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
                     key_reference(work->key));
    for (size_t i = 0; i < work->plan_count; i++) {
        const struct mias_plan *plan = &work->plans[i];

        if (quirks_refuses(&operation->sim->quirks, key_reference(work->key), plan->algorithm))
            continue;
        outcome = set_environment(operation, TEMPLATE_SIGNATURE, plan->algorithm,
                                  key_reference(work->key), why);
        if (outcome == OUTCOME_OK)
            outcome =
                mias_hash_and_sign(&operation->card, plan, work->signature, work->length, why);
        if (outcome == OUTCOME_OK)
            return outcome;
        if (outcome != OUTCOME_UNSUPPORTED && why->sw != 0x6A88 && !data_refused(outcome, why))
            return outcome;
        operation->current->environment.set = false;
        if (!operation->just_selected)
            return outcome; /* not before a new start has shown that it is the applet's own word */
    }
    if (outcome == OUTCOME_NOT_FOUND && why->sw == 0x6A88)
        outcome = judge_6a88(operation, work, why);
    return outcome;
}

static enum outcome check_key(const struct token_key *key, struct report *why)
{
    if (key->name.id_length == 1 && key_reference(key) != 0)
        return OUTCOME_OK;
    if (key->name.id_length > 1 || key->name.label[0] != '\0')
        return report_set(why, OUTCOME_USAGE,
                          "%s names its keys by container, and by an id of one "
                          "byte: this is another SIM's key",
                          token_mias.name);
    return report_set(why, OUTCOME_USAGE, "the applet's key reference of container %d is unknown",
                      key->name.container);
}

static enum outcome mias_sign(struct sim *sim, const struct token_key *key,
                              const struct token_digest *digest, uint8_t *signature, size_t *length,
                              struct deadline deadline, struct report *why)
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
    work.plan_count = mias_plans(key, digest, plans);
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
                                           key_reference(work->key), why);

    if (outcome == OUTCOME_OK)
        outcome = mias_decipher(&operation->card, work->cryptogram, work->cryptogram_length,
                                work->plain, work->length, why);
    return outcome;
}

static enum outcome mias_decrypt(struct sim *sim, const struct token_key *key,
                                 enum token_padding padding, enum token_hash hash,
                                 const uint8_t *cryptogram, size_t cryptogram_length,
                                 uint8_t *plain, size_t *length, struct deadline deadline,
                                 struct report *why)
{
    const struct job job = {
        .deadline = &deadline, .applet = &applet_mias, .pin = true, .iccid = key->iccid};
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

static enum outcome mias_random_bytes(struct sim *sim, uint8_t *bytes, size_t length,
                                      struct deadline deadline, struct report *why)
{
    const struct job job = {.deadline = &deadline, .applet = &applet_mias};
    struct random_work work = {bytes, length};

    return session_run(sim, &job, random_work, &work, why);
}

struct algorithms_work {
    const struct token_key *key;
    uint64_t set;
};

/* 6A88 is a refusal like any other here. */
static bool algorithm_refused(enum outcome outcome, const struct report *why)
{
    return outcome == OUTCOME_UNSUPPORTED || why->sw == 0x6A88;
}

static enum outcome algorithms_work(struct operation *operation, void *arg, struct report *why)
{
    struct algorithms_work *work = arg;

    work->set = 0;
    for (int scheme = 0; scheme < TOKEN_SCHEMES; scheme++)
        for (int hash = TOKEN_HASH_NONE; hash < TOKEN_HASHES; hash++) {
            uint8_t algorithm =
                mias_sign_algorithm((enum token_scheme)scheme, (enum token_hash)hash);
            enum outcome outcome;

            if (token_scheme_type((enum token_scheme)scheme) != work->key->type || algorithm == 0)
                continue;
            outcome = set_environment(operation, TEMPLATE_SIGNATURE, algorithm,
                                      key_reference(work->key), why);
            if (outcome == OUTCOME_OK)
                work->set |= TOKEN_ALGORITHM(scheme, hash);
            else if (!algorithm_refused(outcome, why))
                return outcome;
        }
    return OUTCOME_OK;
}

static enum outcome mias_algorithms(struct sim *sim, const struct token_key *key, uint64_t *set,
                                    struct deadline deadline, struct report *why)
{
    const struct job job = {.deadline = &deadline, .applet = &applet_mias, .iccid = key->iccid};
    struct algorithms_work work = {key, 0};
    enum outcome outcome = check_key(key, why);

    if (outcome == OUTCOME_OK)
        outcome = session_run(sim, &job, algorithms_work, &work, why);
    *set = work.set;
    return outcome;
}

/* Keys are named by a container, and an id in it. */
static bool mias_takes_name(const struct token_name *name)
{
    return name->container != TOKEN_CONTAINER_NONE ||
           (name->id_length == 0 && name->label[0] == '\0');
}

/* Keys come with the SIM: nothing generates one. */
const struct token_ops token_mias = {
    .name = MIAS_NAME,
    .applet = TOKEN_APPLET_MIAS,
    .asked_for = "A0000000188000000006624151 (mIAS)",
    .takes_name = mias_takes_name,
    .list = FOR_TOOLS(mias_list),
    .read = mias_read,
    .complete = mias_complete,
    .sign = mias_sign,
    .refuses = mias_refuses,
    .decrypt = mias_decrypt,
    .random = FOR_TOOLS(mias_random_bytes),
    .algorithms = FOR_TOOLS(mias_algorithms),
    .certificate = mias_certificate,
    .pin_status = FOR_TOOLS(mias_pin_status),
    .pin_verify = FOR_TOOLS(mias_pin_verify),
    .pin_change = FOR_TOOLS(mias_pin_change),
    .available = typea_find,
};
