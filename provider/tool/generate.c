/* SPDX-License-Identifier: Apache-2.0 */
/* simkey generate: a new key pair in the place of a key, where the SIM can make one. The old one is lost,
 * so it is said what that means, and asked. */
#include "apdu/outfile.h"
#include "modem/text.h"
#include "provider/objects.h"
#include "provider/tool/tool.h"
#include "provider/tool/x509.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What stands at the place now. */
struct place {
    bool listed;   /* the SIM tells what it has */
    bool empty;    /* no key pair is there */
    size_t others; /* further keys that sign */
    char name[TOKEN_NAME_TEXT];
    char subject[256]; /* of the certificate in the SIM, "" if there is none */
};

static bool is_meant(const struct token_name *meant, const struct token_name *name)
{
    return meant->id_length > 0 ? meant->id_length == name->id_length &&
                                      memcmp(meant->id, name->id, name->id_length) == 0
                                : strcmp(meant->label, name->label) == 0;
}

static enum outcome read_subject(struct sim *sim, const struct uri *uri, struct place *place,
                                 struct report *why)
{
    struct signing_key signing;
    enum outcome outcome = signing_key_read(sim, uri, NULL, SIGNING_KEY, &signing, why);

    if (outcome == OUTCOME_NOT_FOUND) { /* a key of which nothing is known but its name */
        report_clear(why);
        return OUTCOME_OK;
    }
    if (outcome == OUTCOME_OK && signing.certificate != NULL)
        x509_name(X509_get_subject_name(signing.certificate), place->subject,
                  sizeof place->subject);
    if (outcome == OUTCOME_OK)
        signing_key_clear(&signing);
    return outcome;
}

static enum outcome look_at(struct sim *sim, const struct uri *uri, struct place *place,
                            struct report *why)
{
    struct token_item list[TOKEN_ITEMS];
    bool found = false;
    size_t count;
    enum outcome outcome = token_list_of(sim, TOKEN_APPLET_IOTSAFE, list, &count, why);

    memset(place, 0, sizeof *place);
    (void)token_name_text(&uri->key, place->name);
    if (outcome != OUTCOME_OK)
        return outcome;
    place->listed = count > 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_meant(&uri->key, &list[i].name)) {
            place->others += !list[i].empty && !list[i].no_signing;
            continue;
        }
        if (found)
            return report_set(why, OUTCOME_USAGE,
                              "this SIM has several keys of that name: name the one that is meant "
                              "by id, `simkey info --verbose` lists them");
        found = true;
        place->empty = list[i].empty;
        if (list[i].no_signing)
            return report_set(why, OUTCOME_UNSUPPORTED,
                              "%s of this SIM does not sign: it is for something else",
                              place->name);
    }
    if (place->listed && !found)
        return report_set(why, OUTCOME_NOT_FOUND,
                          "this SIM has no place for %s: `simkey info` lists the keys it has",
                          place->name);
    return place->empty ? OUTCOME_OK : read_subject(sim, uri, place, why);
}

/* What nobody wants to lose by mistake. */
static enum outcome judge(const struct place *place, struct report *why)
{
    if (place->empty)
        return OUTCOME_OK;
    if (place->subject[0] != '\0')
        return report_set(why, OUTCOME_REFUSED,
                          "the certificate of %s is in the SIM (%s), and is worth nothing without "
                          "the key: add --replace if that is meant",
                          place->name, place->subject);
    if (!place->listed)
        return report_set(why, OUTCOME_REFUSED,
                          "the SIM does not tell what it has: add --replace if %s may be lost",
                          place->name);
    if (place->others == 0)
        return report_set(why, OUTCOME_REFUSED,
                          "%s is the only signing key of this SIM: add --replace if that is meant",
                          place->name);
    return OUTCOME_OK;
}

static void tell_loss(const struct place *place)
{
    terminal_make_room();
    if (place->empty)
        text_line(stderr, "simkey: nothing is lost: %s is empty", place->name);
    else if (place->subject[0] != '\0')
        text_line(stderr,
                  "simkey: the key pair of %s is lost for good, and its certificate (%s) with it",
                  place->name, place->subject);
    else
        text_line(stderr, "simkey: the key pair of %s is lost for good", place->name);
}

static enum outcome generate(struct sim *sim, const struct uri *uri, BIO *content,
                             struct report *why)
{
    struct signing_key signing = {.key = {.name = uri->key, .type = TOKEN_EC, .bits = 256}};
    uint8_t point[TOKEN_POINT_MAX];
    size_t length;
    enum outcome outcome;
    bool made;

    signing.key.name.applet = TOKEN_APPLET_IOTSAFE;
    memcpy(signing.key.iccid, uri->iccid, sizeof signing.key.iccid);
    outcome = token_generate(sim, &signing.key, point, &length, why);
    made = outcome == OUTCOME_OK;
    if (outcome == OUTCOME_OK)
        outcome = objects_point_key(NULL, point, length, &signing.public_key, why);
    if (outcome == OUTCOME_OK)
        outcome = signing_key_challenge(sim, &signing, why);
    if (outcome == OUTCOME_OK)
        outcome = key_reference(&signing, content, why);
    if (made && outcome == OUTCOME_NOT_FOUND)
        report_prefix(why, "the SIM has made the key pair under another id and does not say which, "
                           "`simkey info --verbose` may");
    signing_key_clear(&signing);
    return outcome;
}

static enum outcome run_generate(const struct command_line *line, struct sim *sim,
                                 struct report *why)
{
    const struct uri *uri = &line->uri;
    const mode_t mask = umask(0);
    struct place place;
    BIO *content;
    enum outcome outcome;

    (void)umask(mask);
    if (uri->what != URI_SIGNING || !uri_names_key(uri) ||
        uri->key.container != TOKEN_CONTAINER_NONE || uri->key.applet == TOKEN_APPLET_MIAS)
        return report_set(
            why, OUTCOME_USAGE,
            "simkey generate wants the place of the key pair by id or object, such as "
            "'sim:signing;id=%%04': keys of mIAS come with the SIM");
    outcome = (line->given & OPTION_OUT) != 0 ? outfile_check(line->out, why) : OUTCOME_OK;
    if (outcome == OUTCOME_OK)
        outcome = look_at(sim, uri, &place, why);
    if (outcome == OUTCOME_OK && (line->given & OPTION_REPLACE) == 0)
        outcome = judge(&place, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    tell_loss(&place);
    if ((line->given & OPTION_YES) == 0)
        outcome = terminal_confirm("simkey: type yes to make a new key pair there: ", why);
    if (outcome != OUTCOME_OK)
        return outcome;
    content = BIO_new(BIO_s_mem());
    if (content == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    outcome = generate(sim, uri, content, why);
    if (outcome == OUTCOME_OK)
        outcome = output_write(line, content, 0666 & ~(unsigned)mask, why);
    BIO_free(content);
    return outcome;
}

const struct command command_generate = {
    .name = "generate",
    .operands = "signing;id=ID",
    .purpose = "makes a new key pair in the SIM (IoT SAFE), and prints its key reference",
    .options = OPTION_OUT | OPTION_REPLACE | OPTION_YES,
    .takes_uri = true,
    .run = run_generate};
