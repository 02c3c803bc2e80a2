/* SPDX-License-Identifier: Apache-2.0 */
/* The PEM key reference, written and read. The structure is in keyref.h. It is handled as a
 * sequence of anything, so that the version is seen before the rest has to make sense. */
#include "provider/keyref.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The version of a reference to a SIM whose number has letters: older programs refuse it by that. */
#define KEYREF_LETTERS 2
#define KEYREF_VERSION 1

enum { FIELD_VERSION, FIELD_URI, FIELD_PUBLIC_KEY, FIELD_ICCID, FIELDS };

#define EXPORT_AGAIN "export it again with `simkey key signing`"

/* Adds a string type; false if memory is out. Takes nothing over. */
static bool push(ASN1_SEQUENCE_ANY *fields, int type, const void *data, size_t length)
{
    ASN1_STRING *string = ASN1_STRING_type_new(type);
    ASN1_TYPE *field = ASN1_TYPE_new();

    if (string == NULL || field == NULL || !ASN1_STRING_set(string, data, (int)length)) {
        ASN1_STRING_free(string);
        ASN1_TYPE_free(field);
        return false;
    }
    ASN1_TYPE_set(field, type, string);
    if (sk_ASN1_TYPE_push(fields, field) > 0)
        return true;
    ASN1_TYPE_free(field);
    return false;
}

static int iccid_type(int64_t version)
{
    return version == KEYREF_LETTERS ? V_ASN1_PRINTABLESTRING : V_ASN1_NUMERICSTRING;
}

enum outcome keyref_write(BIO *out, const struct keyref *keyref, struct report *why)
{
    const bool letters = strspn(keyref->iccid, "0123456789") != strlen(keyref->iccid);
    const uint8_t version = letters ? KEYREF_LETTERS : KEYREF_VERSION;
    ASN1_SEQUENCE_ANY *fields = NULL;
    uint8_t *public_key = NULL;
    uint8_t *der = NULL;
    char *uri = NULL;
    int public_length = 0;
    int length = 0;
    enum outcome outcome;

    if (!uri_names_key(&keyref->uri) || keyref->uri.setting_count > 0)
        return report_set(why, OUTCOME_USAGE,
                          "a key reference needs sim:signing and a key id, and holds no settings");
    outcome = uri_format(&keyref->uri, &uri, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    public_length = i2d_PUBKEY(keyref->public_key, &public_key);
    fields = sk_ASN1_TYPE_new_null();
    if (public_length > 0 && fields != NULL && push(fields, V_ASN1_INTEGER, &version, 1) &&
        push(fields, V_ASN1_UTF8STRING, uri, strlen(uri)) &&
        push(fields, V_ASN1_SEQUENCE, public_key, (size_t)public_length) &&
        push(fields, iccid_type(version), keyref->iccid, strlen(keyref->iccid)))
        length = i2d_ASN1_SEQUENCE_ANY(fields, &der);
    if (length <= 0 || PEM_write_bio(out, KEYREF_PEM_LABEL, "", der, length) <= 0)
        outcome = report_set(why, OUTCOME_SYSTEM, "the key reference could not be written");
    sk_ASN1_TYPE_pop_free(fields, ASN1_TYPE_free);
    OPENSSL_free(public_key);
    OPENSSL_free(der);
    free(uri);
    return outcome;
}

/* The field's string if it has the type, else NULL. A string holds no NUL (RFC 5280's names had
 * that trick). */
static const ASN1_STRING *field(const ASN1_SEQUENCE_ANY *fields, int index, int type)
{
    const ASN1_TYPE *value = sk_ASN1_TYPE_value(fields, index);
    const ASN1_STRING *string;

    if (value == NULL || ASN1_TYPE_get(value) != type)
        return NULL;
    string = value->value.asn1_string;
    if (type != V_ASN1_SEQUENCE && type != V_ASN1_INTEGER &&
        memchr(ASN1_STRING_get0_data(string), '\0', (size_t)ASN1_STRING_length(string)) != NULL)
        return NULL;
    return string;
}

static enum outcome check_version(const ASN1_SEQUENCE_ANY *fields, int64_t *version,
                                  struct report *why)
{
    const ASN1_STRING *string =
        fields == NULL ? NULL : field(fields, FIELD_VERSION, V_ASN1_INTEGER);

    if (string == NULL || !ASN1_INTEGER_get_int64(version, string) || *version < 1)
        return report_set(why, OUTCOME_USAGE, "the SIM key reference is damaged: " EXPORT_AGAIN);
    if (*version > KEYREF_LETTERS)
        return report_set(why, OUTCOME_USAGE,
                          "the SIM key reference has version %lld, but only versions up to %d are "
                          "known here: update simkey, or " EXPORT_AGAIN,
                          (long long)*version, KEYREF_LETTERS);
    return OUTCOME_OK;
}

static enum outcome read_uri(struct keyref *keyref, const ASN1_STRING *string, struct report *why)
{
    char *text =
        strndup((const char *)ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
    enum outcome outcome;

    if (text == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    outcome = uri_parse_key(&keyref->uri, text, &keyref->words, why);
    free(text);
    if (outcome != OUTCOME_OK) {
        report_prefix(why, "the SIM key reference");
        return outcome;
    }
    if (uri_names_key(&keyref->uri))
        return OUTCOME_OK;
    uri_clear(&keyref->uri);
    return report_set(
        why, OUTCOME_USAGE,
        "the SIM key reference does not name a sim:signing key and its key id: " EXPORT_AGAIN);
}

/* The SIM may be named in the URI too: then as the same one. */
static enum outcome check_iccid(struct keyref *keyref, struct report *why)
{
    if (keyref->uri.iccid[0] == '\0')
        return OUTCOME_OK;
    if (keyref->iccid[0] != '\0' && strcmp(keyref->uri.iccid, keyref->iccid) != 0)
        return report_set(why, OUTCOME_USAGE,
                          "the SIM key reference names two SIMs, %s and %s: " EXPORT_AGAIN,
                          keyref->uri.iccid, keyref->iccid);
    memcpy(keyref->iccid, keyref->uri.iccid, sizeof keyref->iccid);
    return OUTCOME_OK;
}

static enum outcome read_fields(struct keyref *keyref, const ASN1_SEQUENCE_ANY *fields,
                                int64_t version, OSSL_LIB_CTX *libctx, struct report *why)
{
    const ASN1_STRING *uri = field(fields, FIELD_URI, V_ASN1_UTF8STRING);
    const ASN1_STRING *public_key = field(fields, FIELD_PUBLIC_KEY, V_ASN1_SEQUENCE);
    const ASN1_STRING *iccid = field(fields, FIELD_ICCID, iccid_type(version));
    const uint8_t *at;
    const uint8_t *end;
    enum outcome outcome;

    if (sk_ASN1_TYPE_num(fields) != FIELDS || uri == NULL || public_key == NULL || iccid == NULL ||
        ASN1_STRING_length(iccid) >= ICCID_SIZE)
        return report_set(why, OUTCOME_USAGE, "the SIM key reference is damaged: " EXPORT_AGAIN);
    memcpy(keyref->iccid, ASN1_STRING_get0_data(iccid), (size_t)ASN1_STRING_length(iccid));
    if (strspn(keyref->iccid, version == KEYREF_LETTERS ? ICCID_DIGITS : "0123456789") !=
        (size_t)ASN1_STRING_length(iccid))
        return report_set(why, OUTCOME_USAGE, "the SIM key reference is damaged: " EXPORT_AGAIN);
    outcome = read_uri(keyref, uri, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = check_iccid(keyref, why);
    if (outcome != OUTCOME_OK) {
        keyref_clear(keyref);
        return outcome;
    }
    at = ASN1_STRING_get0_data(public_key);
    end = at + ASN1_STRING_length(public_key);
    keyref->public_key = d2i_PUBKEY_ex(NULL, &at, end - at, libctx, NULL);
    if (keyref->public_key != NULL && at == end)
        return OUTCOME_OK;
    keyref_clear(keyref);
    return report_set(why, OUTCOME_USAGE,
                      "the public key in the SIM key reference makes no sense: " EXPORT_AGAIN);
}

enum outcome keyref_read(struct keyref *keyref, const uint8_t *der, size_t length,
                         OSSL_LIB_CTX *libctx, struct report *why)
{
    const uint8_t *at = der;
    ASN1_SEQUENCE_ANY *fields = NULL;
    int64_t version = 0;
    enum outcome outcome;

    memset(keyref, 0, sizeof(*keyref));
    ERR_set_mark();
    if (length <= KEYREF_MAX)
        fields = d2i_ASN1_SEQUENCE_ANY(NULL, &at, (long)length);
    if (fields != NULL && at != der + length)
        outcome = report_set(why, OUTCOME_USAGE,
                             "the SIM key reference has bytes behind its end: " EXPORT_AGAIN);
    else
        outcome = check_version(fields, &version, why);
    if (outcome == OUTCOME_OK)
        outcome = read_fields(keyref, fields, version, libctx, why);
    ERR_pop_to_mark();
    sk_ASN1_TYPE_pop_free(fields, ASN1_TYPE_free);
    return outcome;
}

const char *keyref_words(unsigned words, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        size_t used = strlen(text);

        if ((words & 1u << i) == 0)
            continue;
        words &= ~(1u << i);
        (void)snprintf(text + used, size - used, "%s%s",
                       used == 0    ? ""
                       : words != 0 ? ", "
                                    : " and ",
                       settings_name(i));
    }
    return text;
}

void keyref_clear(struct keyref *keyref)
{
    uri_clear(&keyref->uri);
    EVP_PKEY_free(keyref->public_key);
    keyref->public_key = NULL;
    keyref->iccid[0] = '\0';
}
