/* SPDX-License-Identifier: Apache-2.0 */
/* Type A in a SIM: where the two blobs are found, and how they are read. */
#include "apdu/token_mias.h"

#include "apdu/applet/mias.h"
#include "apdu/card/file.h"
#include "apdu/session/session.h"

#include <stdlib.h>
#include <string.h>

/* The two things, in both places and both generations of labels. */
struct thing {
    const char *words;      /* for sentences */
    const char *name_start; /* of the data object in directory p11 */
    const char *labels[2];  /* newer SIMs, older SIMs */
    uint8_t path[4];        /* of the file, from the MF */
    bool private_key;
};

static const struct thing certificate_thing = {"the Type A certificate",
                                               "pubdat",
                                               {"CERT_AVAILABLE", "CERT_TYPE_A"},
                                               {0x7F, 0xAA, 0x6F, 0x01},
                                               false};
static const struct thing key_thing = {"the Type A private key",
                                       "pridat",
                                       {"PRIV_AVAILABLE", "PRIV_TYPE_A"},
                                       {0x7F, 0xAA, 0x6F, 0x02},
                                       true};

struct search {
    const struct thing *thing;
    struct typea_blob *blob;
    bool with_pin; /* also where its directory calls it public */
    bool hidden;   /* of the certificate: among the private objects */
    bool others;   /* there are such objects */
};

void typea_blob_clear(struct typea_blob *blob)
{
    if (blob->data != NULL)
        explicit_bzero(blob->data, blob->length);
    free(blob->data);
    blob->data = NULL;
    blob->length = 0;
}

static enum outcome keep(struct typea_blob *blob, struct span value, struct report *why)
{
    blob->data = malloc(value.length > 0 ? value.length : 1);
    if (blob->data == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    memcpy(blob->data, value.data, value.length);
    blob->length = value.length;
    return OUTCOME_OK;
}

/* Reads one data object and keeps its value if the label is ours. */
static enum outcome try_object(struct operation *operation, const struct search *search,
                               const struct mias_entry *entry, bool *found, struct report *why)
{
    uint8_t *data;
    size_t length;
    char label[33];
    struct span value;
    enum outcome outcome = mias_read_file(
        &operation->card, entry->file, entry->size,
        search->thing->private_key || search->hidden ? SECRET_ANSWER : SECRET_NOTHING, &data,
        &length, why);

    *found = false;
    if (outcome != OUTCOME_OK)
        return outcome;
    if (typea_parse_object((struct span){data, length}, label, &value) &&
        (strcmp(label, search->thing->labels[0]) == 0 ||
         strcmp(label, search->thing->labels[1]) == 0)) {
        *found = true;
        outcome = keep(search->blob, value, why);
    }
    explicit_bzero(data, length);
    free(data);
    return outcome;
}

static bool is_named(const struct mias_entry *entry, const char *start)
{
    return strncmp(entry->name, start, strlen(start)) == 0;
}

static enum outcome objects_work(struct operation *operation, void *arg, struct report *why)
{
    struct search *search = arg;
    const char *start = search->hidden ? key_thing.name_start : search->thing->name_start;
    const struct mias_entry *entries;
    size_t count;
    bool found = false;
    struct report locked = REPORT_INIT; /* an object that wants the PIN, which may be ours */
    enum outcome outcome = mias_directory(operation, &entries, &count, why);

    typea_blob_clear(search->blob);
    for (size_t i = 0; outcome == OUTCOME_OK && !found && i < count; i++) {
        if (strcmp(entries[i].directory, "p11") != 0)
            continue;
        search->others = search->others || is_named(&entries[i], key_thing.name_start);
        if (!is_named(&entries[i], start))
            continue;
        /* not before there is something to read with it */
        if (search->thing->private_key || search->with_pin)
            outcome = operation_pin(operation, why);
        if (outcome == OUTCOME_OK)
            outcome = try_object(operation, search, &entries[i], &found, why);
        if (outcome == OUTCOME_PIN_MISSING && why->sw == 0x6982 && !search->thing->private_key &&
            !search->with_pin) {
            locked = *why;
            outcome = OUTCOME_OK;
        }
    }
    if (outcome == OUTCOME_OK && !found && locked.outcome != OUTCOME_OK) {
        *why = locked;
        return locked.outcome;
    }
    if (outcome == OUTCOME_OK && !found)
        outcome = report_set(why, OUTCOME_NOT_FOUND, "this SIM has no data object with %s",
                             search->thing->words);
    return outcome;
}

/* The file is read first: PIN1 is asked for only if the card says so, because it may be disabled,
 * or verified by the modem. */
static enum outcome file_work(struct operation *operation, void *arg, struct report *why)
{
    const struct search *search = arg;
    int secrecy = search->thing->private_key ? SECRET_ANSWER : SECRET_NOTHING;
    size_t size;
    enum outcome outcome =
        file_select(&operation->card, search->thing->path, sizeof search->thing->path, &size, why);

    typea_blob_clear(search->blob);
    if (outcome == OUTCOME_OK)
        outcome = file_read(&operation->card, size, secrecy, &search->blob->data,
                            &search->blob->length, why);
    if (outcome == OUTCOME_PIN_MISSING && why->sw == 0x6982) {
        outcome = operation_pin1(operation, why);
        if (outcome == OUTCOME_OK) /* selecting the application has left the file */
            outcome = file_select(&operation->card, search->thing->path, sizeof search->thing->path,
                                  &size, why);
        if (outcome == OUTCOME_OK)
            outcome = file_read(&operation->card, size, secrecy, &search->blob->data,
                                &search->blob->length, why);
    }
    if (outcome == OUTCOME_NOT_FOUND)
        outcome = report_sw(why, OUTCOME_NOT_FOUND, why->sw, "this SIM has no file with %s",
                            search->thing->words);
    return outcome;
}

/* The work may be done anew after it has kept something, where an answer turns out to be in doubt: so
 * each start clears the blob first, and the last one's is cleared here if it comes to nothing. */
static enum outcome search_with(struct sim *sim, const struct job *job, operation_fn *work,
                                struct search *search, struct report *why)
{
    enum outcome outcome = session_run(sim, job, work, search, why);

    if (outcome != OUTCOME_OK)
        typea_blob_clear(search->blob);
    return outcome;
}

/* A failure that says no more than that the thing is not there. */
static bool is_absent(enum outcome outcome)
{
    return outcome == OUTCOME_NOT_FOUND || outcome == OUTCOME_NO_APPLET;
}

/* A SIM may have no certificate but one among the objects that want the PIN: that is tried last. outcome
 * and *why: what the other places said. */
static enum outcome find_hidden(struct sim *sim, const struct job *job, struct search *search,
                                enum outcome outcome, struct report *why)
{
    struct job with_pin = *job;
    struct report other = REPORT_INIT;
    enum outcome hidden;

    search->hidden = search->with_pin = with_pin.pin_later = true;
    hidden = search_with(sim, &with_pin, objects_work, search, &other);
    if (hidden == OUTCOME_OK) {
        report_clear(why);
        return OUTCOME_OK;
    }
    /* that a PIN was wrong is told in any case */
    if (is_absent(hidden) || (!is_absent(outcome) && hidden == OUTCOME_PIN_MISSING))
        return outcome;
    *why = other;
    return hidden;
}

enum outcome typea_find(struct sim *sim, const struct typea_wish *wish, struct typea_blob *blob,
                        struct deadline deadline, struct report *why)
{
    const struct thing *thing = wish->private_key ? &key_thing : &certificate_thing;
    const struct job objects = {.applet = &applet_mias,
                                .iccid = wish->iccid,
                                .deadline = &deadline,
                                .pin_later = thing->private_key};
    /* an agent's other users go on with what stands on the channel that all share */
    const struct job files = {.applet = &applet_uicc,
                              .iccid = wish->iccid,
                              .fresh = sim->acts_for != 0,
                              .deadline = &deadline,
                              .pin_later = true,
                              .reference = PIN_UICC};
    struct search search = {.thing = thing, .blob = blob};
    struct job with_pin = objects;
    struct report other = REPORT_INIT;
    enum outcome outcome, by_file;

    if (wish->store == TYPEA_FILES)
        return search_with(sim, &files, file_work, &search, why);
    outcome = search_with(sim, &objects, objects_work, &search, why);
    /* some SIMs keep the certificate behind the PIN too, which is not read before it is wanted */
    if (outcome == OUTCOME_PIN_MISSING && why->sw == 0x6982 && !thing->private_key) {
        search.with_pin = with_pin.pin_later = true;
        outcome = search_with(sim, &with_pin, objects_work, &search, why);
    }
    if (!is_absent(outcome))
        return outcome;
    if (wish->store != TYPEA_OBJECTS) {
        by_file = search_with(sim, &files, file_work, &search, &other);
        /* a file that wants PIN1 is worth telling, an absent one is not */
        if (!is_absent(by_file)) {
            outcome = by_file;
            *why = other;
        }
    }
    if (thing->private_key || !search.others ||
        (!is_absent(outcome) && outcome != OUTCOME_PIN_MISSING))
        return outcome;
    return find_hidden(sim, &objects, &search, outcome, why);
}
