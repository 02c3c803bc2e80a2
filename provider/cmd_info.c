/* SPDX-License-Identifier: Apache-2.0 */
/* simkey info: what is in the modem and in the SIM, gathered into one JSON tree, printed as text or
 * JSON. */
#include "provider/cmd.h"
#include "provider/objects.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const scheme_names[] = {"PKCS1", "PSS", "ECDSA"};
static const char *const hash_names[] = {"raw", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512"};

static void add_text(cJSON *object, const char *name, const char *text)
{
    if (text[0] != '\0')
        (void)cJSON_AddStringToObject(object, name, text);
}

static enum outcome add_modem(cJSON *root, struct sim *sim, struct report *why)
{
    struct modem_identity identity = {.imei = ""};
    char iccid[ICCID_SIZE];
    cJSON *modem = cJSON_AddObjectToObject(root, "modem");
    enum outcome outcome = sim_identity(sim, &identity, iccid, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    add_text(modem, "manufacturer", identity.manufacturer);
    add_text(modem, "model", identity.model);
    add_text(modem, "revision", identity.revision);
    add_text(root, "imei", identity.imei);
    add_text(root, "iccid", iccid);
    add_text(root, "sim", identity.sim_state);
    return OUTCOME_OK;
}

/* An applet is there if it can be selected. */
static bool add_applet(cJSON *applets, struct sim *sim, const char *name,
                       const struct known_applet *applet)
{
    const struct sim_raw select = {.aid = applet->aid, .aid_length = applet->length};
    struct report why = REPORT_INIT;
    bool there = sim_raw(sim, &select, &why) == OUTCOME_OK;

    (void)cJSON_AddBoolToObject(applets, name, there);
    return there;
}

static void add_bio(cJSON *object, const char *name, BIO *bio)
{
    char *text;
    long length = BIO_get_mem_data(bio, &text);
    char copy[512];

    if (length < 0 || (size_t)length >= sizeof copy)
        length = length < 0 ? 0 : (long)sizeof copy - 1;
    memcpy(copy, text, (size_t)length);
    copy[length] = '\0';
    (void)cJSON_AddStringToObject(object, name, copy);
    (void)BIO_reset(bio);
}

static void add_certificate(cJSON *object, const X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio == NULL)
        return;
    (void)X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    add_bio(object, "subject", bio);
    (void)X509_NAME_print_ex(bio, X509_get_issuer_name(certificate), 0, XN_FLAG_RFC2253);
    add_bio(object, "issuer", bio);
    (void)ASN1_TIME_print(bio, X509_get0_notBefore(certificate));
    add_bio(object, "not_before", bio);
    (void)ASN1_TIME_print(bio, X509_get0_notAfter(certificate));
    add_bio(object, "not_after", bio);
    (void)BIO_free(bio);
}

static void add_algorithms(cJSON *object, struct sim *sim, const struct token_key *key)
{
    cJSON *list = cJSON_AddArrayToObject(object, "algorithms");
    struct report why = REPORT_INIT;
    uint32_t mask;
    char name[32];

    if (token_algorithms(sim, key, &mask, &why) != OUTCOME_OK)
        return;
    for (unsigned scheme = 0; scheme < 3; scheme++)
        for (unsigned hash = 0; hash < TOKEN_HASHES; hash++)
            if ((mask & UINT32_C(1) << (scheme * TOKEN_HASHES + hash)) != 0) {
                (void)snprintf(name, sizeof name, "%s-%s", scheme_names[scheme], hash_names[hash]);
                (void)cJSON_AddItemToArray(list, cJSON_CreateString(name));
            }
}

static enum outcome add_container(cJSON *list, struct sim *sim, const struct token_container *info,
                                  struct report *why)
{
    cJSON *object = cJSON_CreateObject();
    struct signing_key signing;
    struct uri uri;
    char key_id[8];
    enum outcome outcome;

    (void)cJSON_AddItemToArray(list, object);
    (void)cJSON_AddNumberToObject(object, "container", info->index);
    (void)cJSON_AddStringToObject(object, "use", info->exchange ? "sign and decrypt" : "sign");
    if (!info->certificate)
        return OUTCOME_OK;
    uri_init(&uri);
    uri.container = info->index;
    outcome = signing_key_read(sim, &uri, &signing, why);
    if (outcome == OUTCOME_BAD_DATA || outcome == OUTCOME_UNSUPPORTED) {
        (void)cJSON_AddStringToObject(object, "error", why->text);
        return OUTCOME_OK; /* one bad certificate does not hide the others */
    }
    if (outcome != OUTCOME_OK)
        return outcome;
    (void)cJSON_AddStringToObject(object, "key", signing.key.type == TOKEN_RSA ? "RSA" : "EC");
    (void)cJSON_AddNumberToObject(object, "bits", signing.key.bits);
    (void)snprintf(key_id, sizeof key_id, "%02X", (unsigned)signing.key.key_id);
    (void)cJSON_AddStringToObject(object, "key_id", key_id);
    add_certificate(object, signing.certificate);
    add_algorithms(object, sim, &signing.key);
    signing_key_clear(&signing);
    return OUTCOME_OK;
}

static enum outcome add_keys(cJSON *root, struct sim *sim, struct report *why)
{
    struct token_container list[TOKEN_CONTAINERS];
    struct token_pin state;
    size_t count;
    cJSON *containers, *pin;
    enum outcome outcome = token_pin_status(sim, &state, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    pin = cJSON_AddObjectToObject(root, "pin");
    (void)cJSON_AddBoolToObject(pin, "wanted", !state.verified);
    (void)cJSON_AddBoolToObject(pin, "blocked", state.blocked);
    if (state.left >= 0)
        (void)cJSON_AddNumberToObject(pin, "tries_left", state.left);
    outcome = token_list(sim, list, &count, why);
    containers = cJSON_AddArrayToObject(root, "containers");
    for (size_t i = 0; i < count && outcome == OUTCOME_OK; i++)
        outcome = add_container(containers, sim, &list[i], why);
    return outcome;
}

/* The Type A certificate, if it can be read without asking for PIN1. */
static void add_available(cJSON *root, struct sim *sim)
{
    struct typea_blob blob = {NULL, 0};
    struct report why = REPORT_INIT;
    X509 *certificate = NULL;
    cJSON *object = cJSON_AddObjectToObject(root, "available");
    enum outcome outcome = typea_certificate(sim, NULL, TYPEA_ANY, &blob, &why);

    if (outcome == OUTCOME_OK)
        outcome = objects_certificate(NULL, blob.data, blob.length, &certificate, &why);
    if (outcome == OUTCOME_OK)
        add_certificate(object, certificate);
    else
        (void)cJSON_AddStringToObject(object, "error", why.text);
    X509_free(certificate);
    typea_blob_clear(&blob);
}

static enum outcome gather(cJSON *root, struct sim *sim, struct report *why)
{
    cJSON *applets;
    enum outcome outcome = add_modem(root, sim, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = add_keys(root, sim, why);
    applets = cJSON_AddObjectToObject(root, "applets");
    (void)cJSON_AddBoolToObject(applets, "mias", outcome == OUTCOME_OK);
    if (outcome == OUTCOME_OK || outcome == OUTCOME_NO_APPLET) {
        (void)add_applet(applets, sim, "typea_files", &known_files);
        (void)add_applet(applets, sim, "safe2", &known_safe2);
    }
    if (outcome == OUTCOME_OK)
        add_available(root, sim);
    return outcome;
}

/* The tree as lines: nested names are indented, arrays of words stand in one line. */
static void print_text(const cJSON *node, int depth)
{
    const cJSON *child;

    cJSON_ArrayForEach(child, node)
    {
        printf("%*s", 2 * depth, "");
        if (child->string != NULL)
            printf("%s:", child->string);
        if (cJSON_IsString(child))
            printf(child->string != NULL ? " %s\n" : "%s\n", child->valuestring);
        else if (cJSON_IsNumber(child))
            printf(" %d\n", child->valueint);
        else if (cJSON_IsBool(child))
            printf(" %s\n", cJSON_IsTrue(child) ? "yes" : "no");
        else if (cJSON_IsArray(child) && (child->child == NULL || cJSON_IsString(child->child))) {
            for (const cJSON *word = child->child; word != NULL; word = word->next)
                printf(" %s", word->valuestring);
            printf("\n");
        } else {
            printf(child->string != NULL ? "\n" : "-\n");
            print_text(child, depth + 1);
        }
    }
}

enum outcome cmd_info(const struct command_line *line, struct sim *sim, struct report *why)
{
    cJSON *root = cJSON_CreateObject();
    enum outcome outcome = gather(root, sim, why);
    char *text = NULL;

    if (outcome == OUTCOME_OK || outcome == OUTCOME_NO_APPLET) {
        if ((line->given & OPTION_JSON) == 0)
            print_text(root, 0);
        else if ((text = cJSON_Print(root)) != NULL)
            printf("%s\n", text);
    }
    free(text);
    cJSON_Delete(root);
    return outcome;
}
