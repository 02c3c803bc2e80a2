/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a SIM with IoT SAFE's applet: keys, their public halves, and the files that may be their
 * certificates. The applet does not say whose a certificate is: the caller compares public keys. Where
 * the applet lists nothing, a key is known by its name alone, and the places are tried in which the known
 * cards keep what belongs to it. */
#include "apdu/token_iotsafe.h"

#include "apdu/applet/iotsafe.h"
#include "apdu/session/session.h"

#include <stdlib.h>
#include <string.h>

#define FUNCTION_GENERATE 0x02
#define TYPE_NOT_TOLD     0x00
#define TYPE_RSA_2048     0x03
#define USAGE_NOT_TOLD    0x00
#define USAGE_GENERAL     0x01

const struct applet *iotsafe_applet(const struct sim *sim, struct applet *given)
{
    const struct settings *settings = &sim->settings;

    if (settings->aid_length == 0)
        return &applet_iotsafe;
    *given = (struct applet){.aid = settings->aid,
                             .aid_length = settings->aid_length,
                             .name = IOTSAFE_NAME,
                             .kind = SELECTED_IOTSAFE,
                             .other = &applet_iotsafe};
    return given;
}

/* One operation's work: what is asked for, the objects, and where the result goes. */
struct read_work {
    const struct token_name *name;
    unsigned number; /* of a candidate, or of a certificate */
    struct token_content *content;
    struct iotsafe_objects objects;
    bool listed;
    /* token_list */
    struct token_item *list;
    size_t *count;
};

static struct read_work *new_work(struct report *why)
{
    struct read_work *work = calloc(1, sizeof *work);

    if (work == NULL)
        (void)report_set(why, OUTCOME_SYSTEM, "out of memory");
    return work;
}

/* The list of objects; an applet without one is no failure. */
static enum outcome read_list(struct operation *operation, struct read_work *work,
                              struct report *why)
{
    enum outcome outcome = iotsafe_read_objects(&operation->card, &work->objects, why);

    work->listed = outcome == OUTCOME_OK;
    if (outcome != OUTCOME_NOT_FOUND)
        return outcome;
    report_clear(why);
    return OUTCOME_OK;
}

/* ---- certificates ---- */

/* The file of that number among those that may be certificates, NULL if there are fewer. First come the files
 * whose usage says that they are, and among those of one usage the ones in the places of the key's
 * certificate (key NULL: in no such order). That order counts where the key's public half is not known. */
static const struct iotsafe_object *find_file(const struct iotsafe_objects *objects,
                                              const struct token_name *key, unsigned number)
{
    static const uint8_t order[] = {IOTSAFE_CERTIFICATE, USAGE_NOT_TOLD, USAGE_GENERAL};

    for (unsigned pass = 0; pass < sizeof order * (IOTSAFE_PLACES + 1); pass++)
        for (size_t i = 0; i < objects->count; i++) {
            const struct iotsafe_object *object = &objects->list[i];

            if (object->kind == IOTSAFE_FILE && !object->empty &&
                object->usage == order[pass / (IOTSAFE_PLACES + 1)] &&
                (key == NULL ? 0 : iotsafe_place_of(key, &object->name)) ==
                    pass % (IOTSAFE_PLACES + 1) &&
                number-- == 0)
                return object;
        }
    return NULL;
}

static unsigned count_files(const struct iotsafe_objects *objects)
{
    unsigned count = 0;

    while (find_file(objects, NULL, count) != NULL)
        count++;
    return count;
}

/* DER, or PEM text. */
static bool like_certificate(const uint8_t *data, size_t length)
{
    static const char line[] = "CERTIFICATE-----"; /* X509 CERTIFICATE too */

    return (length > 4 && data[0] == 0x30 && (data[1] & 0x80) != 0) ||
           (length > sizeof line && memmem(data, length, line, sizeof line - 1) != NULL);
}

/* True for a failure that may be over at a further start, and is returned for that: a card in trouble (6Fxx) or
 * busy (93xx; ETSI TS 102 221, 10.2.1), torn content or a torn answer. On a further start it counts. */
static bool may_pass(const struct operation *operation, enum outcome outcome,
                     const struct report *why)
{
    return !operation->again &&
           ((outcome == OUTCOME_BAD_DATA && why->sw == 0) ||
            (outcome == OUTCOME_REFUSED && (why->sw >> 8 == 0x6F || why->sw >> 8 == 0x93)));
}

/* Reads a file as a certificate. OUTCOME_OK without one if it holds something else, or is not there. */
static enum outcome read_certificate(struct operation *operation, const struct token_name *name,
                                     size_t size, struct token_content *content, struct report *why)
{
    enum outcome outcome = iotsafe_read_file(&operation->card, name, size, &content->certificate,
                                             &content->length, why);

    if (outcome == OUTCOME_OK && like_certificate(content->certificate, content->length))
        return OUTCOME_OK;
    token_content_clear(content);
    if (may_pass(operation, outcome, why))
        return outcome;
    if (outcome == OUTCOME_OK || outcome == OUTCOME_NOT_FOUND || outcome == OUTCOME_REFUSED ||
        (outcome == OUTCOME_BAD_DATA && why->sw == 0)) {
        report_clear(why);
        return OUTCOME_OK;
    }
    return outcome;
}

static enum outcome certificate_work(struct operation *operation, void *arg, struct report *why)
{
    struct read_work *work = arg;
    const struct iotsafe_object *file;
    enum outcome outcome = read_list(operation, work, why);

    token_content_clear(work->content); /* of a start before this one */
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!work->listed)
        return report_set(
            why, OUTCOME_NOT_FOUND,
            "the SIM's applet does not list its objects, so that its certificates are "
            "not known");
    file = find_file(&work->objects, NULL, work->number);
    if (file == NULL)
        return report_set(why, OUTCOME_NOT_FOUND, "there is no further certificate in this SIM");
    memcpy(work->content->iccid, operation->current->iccid, ICCID_SIZE);
    return read_certificate(operation, &file->name, file->size, work->content, why);
}

enum outcome iotsafe_certificate(struct sim *sim, const char *iccid, enum token_applet applet,
                                 unsigned number, struct token_content *content,
                                 struct deadline deadline, struct report *why)
{
    struct applet given;
    const struct job job = {
        .deadline = &deadline, .applet = iotsafe_applet(sim, &given), .iccid = iccid};
    struct read_work *work = new_work(why);
    enum outcome outcome;

    (void)applet;
    if (work == NULL)
        return OUTCOME_SYSTEM;
    work->number = number;
    work->content = content;
    outcome = session_run(sim, &job, certificate_work, work, why);
    if (outcome != OUTCOME_OK)
        token_content_clear(content);
    free(work);
    return outcome;
}

/* ---- keys ---- */

static struct token_item describe_key(const struct read_work *work,
                                      const struct iotsafe_object *key)
{
    struct token_item item = {.name = key->name,
                              .bits = key->type == TYPE_RSA_2048   ? 2048
                                      : key->type == TYPE_NOT_TOLD ? 0
                                                                   : 256,
                              .generates = (key->functions & FUNCTION_GENERATE) != 0,
                              .empty = key->empty,
                              .no_signing =
                                  key->functions >= 0 && !(key->functions & IOTSAFE_MAY_SIGN),
                              .candidates = count_files(&work->objects)};

    item.name.applet = TOKEN_APPLET_IOTSAFE;
    item.certificate = item.candidates > 0;
    return item;
}

static enum outcome list_work(struct operation *operation, void *arg, struct report *why)
{
    struct read_work *work = arg;
    enum outcome outcome = read_list(operation, work, why);

    *work->count = 0;
    for (size_t i = 0; i < work->objects.count && outcome == OUTCOME_OK; i++)
        if (work->objects.list[i].kind == IOTSAFE_PRIVATE && *work->count < TOKEN_ITEMS)
            work->list[(*work->count)++] = describe_key(work, &work->objects.list[i]);
    return outcome;
}

enum outcome iotsafe_list(struct sim *sim, enum token_applet applet, struct token_item *list,
                          size_t *count, struct deadline deadline, struct report *why)
{
    struct applet given;
    const struct job job = {.deadline = &deadline, .applet = iotsafe_applet(sim, &given)};
    struct read_work *work = new_work(why);
    enum outcome outcome;

    (void)applet;
    *count = 0;
    if (work == NULL)
        return OUTCOME_SYSTEM;
    work->list = list;
    work->count = count;
    outcome = session_run(sim, &job, list_work, work, why);
    free(work);
    return outcome;
}

static bool may_sign(const struct iotsafe_object *key)
{
    return !key->empty && (key->functions < 0 || (key->functions & IOTSAFE_MAY_SIGN) != 0);
}

static bool is_named(const struct token_name *name)
{
    return name->id_length > 0 || name->label[0] != '\0';
}

/* The private key of that name; without a name the first one that may sign. */
static const struct iotsafe_object *find_key(const struct read_work *work)
{
    const struct token_name *name = work->name;

    for (size_t i = 0; i < work->objects.count; i++) {
        const struct iotsafe_object *key = &work->objects.list[i];

        if (key->kind == IOTSAFE_PRIVATE && (name->id_length > 0 ? iotsafe_same_id(name, &key->name)
                                             : is_named(name) ? iotsafe_same_label(name, &key->name)
                                                              : may_sign(key)))
            return key;
    }
    return NULL;
}

static size_t count_kind(const struct iotsafe_objects *objects, enum iotsafe_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < objects->count; i++)
        count += objects->list[i].kind == kind && !objects->list[i].empty;
    return count;
}

/* Whether a public key is another private key's by its name. */
static bool is_taken(const struct read_work *work, const struct iotsafe_object *key,
                     const struct iotsafe_object *other)
{
    for (size_t i = 0; i < work->objects.count; i++) {
        const struct iotsafe_object *owner = &work->objects.list[i];

        if (owner != key && owner->kind == IOTSAFE_PRIVATE &&
            iotsafe_same_name(&owner->name, &other->name))
            return true;
    }
    return false;
}

/* Whether a public key is the other half, by one of the cards' habits, the surest first: the same name, the
 * same label, the same id, the next id, or the only pair that there is. */
#define HABITS 5
static bool is_other_half(const struct read_work *work, const struct iotsafe_object *key,
                          const struct iotsafe_object *other, int habit)
{
    struct token_name next = key->name;

    if (is_taken(work, key, other))
        return false;
    switch (habit) {
    case 0:
        return iotsafe_same_name(&key->name, &other->name);
    case 1:
        return iotsafe_same_label(&key->name, &other->name);
    case 2:
        return iotsafe_same_id(&key->name, &other->name);
    case 3:
        iotsafe_next_id(&next);
        return iotsafe_same_id(&next, &other->name);
    default:
        return count_kind(&work->objects, IOTSAFE_PRIVATE) == 1 &&
               count_kind(&work->objects, IOTSAFE_PUBLIC) == 1;
    }
}

/* The names under which the public half may be: listed, or, where nothing is listed, the key's own and
 * the next id. Returns how many. */
static size_t public_names(const struct read_work *work, const struct iotsafe_object *key,
                           struct token_name names[2])
{
    if (!work->listed) {
        names[0] = names[1] = key->name;
        iotsafe_next_id(&names[1]);
        return key->name.id_length > 0 ? 2 : 1;
    }
    for (int habit = 0; habit < HABITS; habit++)
        for (size_t i = 0; i < work->objects.count; i++) {
            const struct iotsafe_object *other = &work->objects.list[i];

            if (other->kind == IOTSAFE_PUBLIC && !other->empty &&
                is_other_half(work, key, other, habit)) {
                names[0] = other->name;
                return 1;
            }
        }
    return 0;
}

/* Reads the public half. OUTCOME_OK without it if it is not there: a certificate tells it too. */
static enum outcome read_public(struct operation *operation, const struct read_work *work,
                                const struct iotsafe_object *key, struct report *why)
{
    struct token_content *content = work->content;
    struct token_name names[2];
    const size_t count = public_names(work, key, names);

    content->point_length = 0;
    for (size_t i = 0; i < count && content->point_length == 0; i++) {
        enum outcome outcome = iotsafe_read_public_key(&operation->card, &names[i], content->point,
                                                       &content->point_length, why);

        if (may_pass(operation, outcome, why) ||
            (outcome != OUTCOME_OK && outcome != OUTCOME_NOT_FOUND && outcome != OUTCOME_REFUSED &&
             !(outcome == OUTCOME_BAD_DATA && operation->again)))
            return outcome;
        report_clear(why);
    }
    return OUTCOME_OK;
}

static enum outcome read_candidate(struct operation *operation, const struct read_work *work,
                                   struct report *why)
{
    struct token_content *content = work->content;
    const struct iotsafe_object *file =
        find_file(&work->objects, &content->item.name, work->number);
    struct token_name place;

    if (file != NULL)
        return read_certificate(operation, &file->name, file->size, content, why);
    if (work->listed || work->number >= IOTSAFE_PLACES)
        return work->number == 0 ? OUTCOME_OK
                                 : report_set(why, OUTCOME_NOT_FOUND,
                                              "there is no further certificate in this SIM");
    place = iotsafe_certificate_place(&content->item.name, work->number);
    return read_certificate(operation, &place, 0, content, why);
}

static enum outcome no_such_key(const struct read_work *work, struct report *why)
{
    char name[TOKEN_NAME_TEXT];

    if (token_name_text(work->name, name)[0] != '\0')
        return report_set(why, OUTCOME_NOT_FOUND,
                          "this SIM does not have %s: see `simkey info --verbose`, whose key_id 04 "
                          "is id=%%04 in a URI",
                          name);
    if (!work->listed)
        return report_set(why, OUTCOME_NOT_FOUND,
                          "the SIM's applet does not list its keys: name one by "
                          "sim:signing;id=%%01 or sim:signing;object=LABEL");
    return report_set(why, OUTCOME_NOT_FOUND,
                      "this SIM's applet has no key that is filled and may sign: `simkey info` "
                      "lists those it has");
}

static enum outcome read_work(struct operation *operation, void *arg, struct report *why)
{
    struct read_work *work = arg;
    struct token_content *content = work->content;
    struct iotsafe_object unlisted = {
        .kind = IOTSAFE_PRIVATE, .name = *work->name, .functions = -1};
    const struct iotsafe_object *key;
    enum outcome outcome = read_list(operation, work, why);

    token_content_clear(content); /* of a start before this one */
    if (outcome != OUTCOME_OK)
        return outcome;
    key = find_key(work);
    if (key == NULL && !work->listed && is_named(work->name)) /* it is taken at its name */
        key = &unlisted;
    if (key == NULL)
        return no_such_key(work, why);
    if (key->empty)
        return report_set(why, OUTCOME_NOT_FOUND,
                          "that key of the SIM is empty: `simkey generate` makes a key pair there");
    content->item = describe_key(work, key);
    if (!work->listed)
        content->item.candidates = IOTSAFE_PLACES;
    memcpy(content->iccid, operation->current->iccid, ICCID_SIZE);
    outcome = work->number == 0 ? read_public(operation, work, key, why) : OUTCOME_OK;
    return outcome == OUTCOME_OK ? read_candidate(operation, work, why) : outcome;
}

enum outcome iotsafe_read(struct sim *sim, const char *iccid, const struct token_name *name,
                          unsigned candidate, struct token_content *content,
                          struct deadline deadline, struct report *why)
{
    struct applet given;
    const struct job job = {
        .deadline = &deadline, .applet = iotsafe_applet(sim, &given), .iccid = iccid};
    struct read_work *work;
    enum outcome outcome;

    if (name->container != TOKEN_CONTAINER_NONE)
        return report_set(
            why, OUTCOME_USAGE,
            "%s names its keys by id or label, not by container: sim:signing;id=%%01, "
            "and `simkey info` lists them",
            IOTSAFE_NAME);
    work = new_work(why);
    if (work == NULL)
        return OUTCOME_SYSTEM;
    work->name = name;
    work->number = candidate;
    work->content = content;
    outcome = session_run(sim, &job, read_work, work, why);
    if (outcome != OUTCOME_OK)
        token_content_clear(content); /* it was read, but the answer is in doubt */
    free(work);
    return outcome;
}
