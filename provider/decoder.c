/* SPDX-License-Identifier: Apache-2.0 */
/* Decoders for the PEM key reference (keyref.h), in two steps, so that both PEM_read_bio_PrivateKey
 * and the `file:` store find their way: one takes the PEM wrapping off, one for each key type makes
 * the key. No device is touched. A file that is none of ours is not an error: we leave empty
 * handed, and other decoders have their turn. */
#include "provider/calls.h"
#include "provider/error.h"
#include "provider/key.h"
#include "provider/keyref.h"
#include "provider/objects.h"

#include <openssl/bio.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

static OSSL_FUNC_decoder_newctx_fn decoder_newctx;
static OSSL_FUNC_decoder_freectx_fn decoder_freectx;
static OSSL_FUNC_decoder_does_selection_fn decoder_does_selection;
static OSSL_FUNC_decoder_export_object_fn decoder_export_object;
static OSSL_FUNC_decoder_decode_fn decoder_pem_decode;
static OSSL_FUNC_decoder_decode_fn decoder_rsa_decode;
static OSSL_FUNC_decoder_decode_fn decoder_ec_decode;

/* Of a key reference of before, which has settings in it: their names, and what else is to be said. */
#define IGNORED                                                                                    \
    "the SIM key reference has settings in it (%s), which are ignored: "                           \
    "`simkey key --rewrite FILE` takes them out%s%.200s"

/* There is nothing to remember between calls: the provider's context will do. */
static void *decoder_newctx(void *provctx)
{
    return provctx;
}

static void decoder_freectx(void *ctx)
{
    (void)ctx;
}

/* A reference holds the key pair and its parameters, and selection may be 0 for "whatever there
 * is". */
static int decoder_does_selection(void *provctx, int selection)
{
    (void)provctx, (void)selection;
    return 1;
}

/* FNV-1a, to know a reference again. */
static uint32_t digest_of(const uint8_t *der, size_t length)
{
    uint32_t digest = 2166136261U;

    for (size_t i = 0; i < length; i++)
        digest = (digest ^ der[i]) * 16777619U;
    return digest;
}

/* Settings in a reference do not count, whatever they say: anybody may have made it. Where the
 * configuration leads to a modem the key works without them, and there is no error to raise. A
 * provider has no other way to warn that some program would not take for a failure: neither stderr
 * nor libcrypto's error queue (an entry left there makes SSL_get_error lie). So it is a note in the
 * trace, once for a reference. */
static void warn_of_words(struct provider *provider, const struct keyref *keyref, uint32_t digest)
{
    char names[128], note[320];

    if (atomic_exchange(&provider->warned, digest) == digest)
        return;
    (void)snprintf(note, sizeof note, IGNORED, keyref_words(keyref->words, names, sizeof names), "",
                   "");
    trace_note(config_trace(provider), note);
}

/* They do not count, and so nothing says which modem it is. */
static void blame_words(const struct keyref *keyref, struct report *why)
{
    char names[128];
    struct report cause = *why;

    report_set(why, cause.outcome, IGNORED, keyref_words(keyref->words, names, sizeof names),
               "; without them ", cause.text);
}

/* Whether the DER behind our own label makes sense and leads to a SIM. Said here, since libcrypto
 * forgets the errors of the next step, which must be silent about foreign DER anyway. */
static bool reference_valid(struct provider *provider, const uint8_t *der, size_t length)
{
    struct report why = REPORT_INIT;
    struct keyref keyref;
    struct choice *choice = NULL;
    enum outcome outcome;

    if (length > KEYREF_MAX) {
        report_set(&why, OUTCOME_USAGE, "the SIM key reference is too long to be one");
    } else if (keyref_read(&keyref, der, length, provider->libctx, &why) == OUTCOME_OK) {
        outcome = config_choice(provider, &keyref.uri, keyref.iccid, &choice, &why);
        choice_free(choice);
        if (keyref.words != 0 && outcome == OUTCOME_OK)
            warn_of_words(provider, &keyref, digest_of(der, length));
        else if (keyref.words != 0 && outcome == OUTCOME_USAGE)
            blame_words(&keyref, &why);
        keyref_clear(&keyref);
    }
    if (why.outcome == OUTCOME_OK)
        return true;
    (void)context_mend(provider);
    RAISE_REPORT(provider, &why);
    return false;
}

static int emit_der(uint8_t *der, size_t length, OSSL_CALLBACK *callback, void *arg)
{
    int object = OSSL_OBJECT_PKEY;
    OSSL_PARAM params[4];

    params[0] = OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, der, length);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_STRUCTURE,
                                                 (char *)KEYREF_STRUCTURE, 0);
    params[2] = OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &object);
    params[3] = OSSL_PARAM_construct_end();
    return callback(params, arg);
}

/* What stands before the key in many a file, and is nothing to a program that reads a private key. */
static bool is_passed_over(const char *label)
{
    static const char *const labels[] = {
        PEM_STRING_X509,         PEM_STRING_X509_OLD, PEM_STRING_X509_TRUSTED, PEM_STRING_X509_CRL,
        PEM_STRING_ECPARAMETERS, PEM_STRING_DHPARAMS, PEM_STRING_PUBLIC};

    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
        if (strcmp(label, labels[i]) == 0)
            return true;
    return false;
}

/* No chain is longer. libcrypto comes back for each block, so that a bundle of many certificates would
 * be read once for each of them. */
#define PASSED_OVER_MAX 32

struct block {
    char *label;
    char *header;
    unsigned char *der;
    long length;
};

/* It may be the plain private key of somebody else. */
static void clear_block(struct block *block)
{
    OPENSSL_free(block->label);
    OPENSSL_free(block->header);
    OPENSSL_clear_free(block->der, (size_t)block->length);
    memset(block, 0, sizeof *block);
}

/* Reads the next block, of a private key's reader the next that may be one. libcrypto would go on to the
 * next by itself, but it stops where an older error than its own is in the queue. A reader of whatever
 * there is gets each block in its turn. */
static bool read_block(BIO *in, int selection, struct block *block)
{
    int left = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? PASSED_OVER_MAX : 0;
    bool found;

    ERR_set_mark();
    do {
        clear_block(block);
        found = PEM_read_bio(in, &block->label, &block->header, &block->der, &block->length) > 0;
    } while (found && left-- > 0 && is_passed_over(block->label));
    ERR_pop_to_mark();
    return found;
}

static int decoder_pem_decode(void *ctx, OSSL_CORE_BIO *core_in, int selection,
                              OSSL_CALLBACK *callback, void *arg,
                              OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg)
{
    struct provider *provider = ctx;
    BIO *in = BIO_new_from_core_bio(provider->libctx, core_in);
    struct block block = {0};
    int result = 1;

    (void)passphrase, (void)passphrase_arg;
    CALLED(provider, "selection %02x", (unsigned)selection);
    if (in == NULL)
        return 0;
    if (read_block(in, selection, &block) && strcmp(block.label, KEYREF_PEM_LABEL) == 0)
        result = reference_valid(provider, block.der, (size_t)block.length) &&
                 emit_der(block.der, (size_t)block.length, callback, arg);
    clear_block(&block);
    BIO_free(in);
    return result;
}

static bool read_all(struct provider *provider, OSSL_CORE_BIO *core_in, uint8_t *data, size_t room,
                     size_t *length)
{
    BIO *in = BIO_new_from_core_bio(provider->libctx, core_in);
    size_t got = 0;

    *length = 0;
    if (in == NULL)
        return false;
    ERR_set_mark();
    while (*length < room && BIO_read_ex(in, data + *length, room - *length, &got) && got > 0)
        *length += got;
    ERR_pop_to_mark();
    BIO_free(in);
    return *length > 0 && *length < room;
}

/* The key that a reference means; *key stays NULL without an error if it is of another type. */
static enum outcome key_from_reference(struct provider *provider, const struct keyref *keyref,
                                       enum token_key_type type, struct key **key,
                                       struct report *why)
{
    struct token_key token = {.name = keyref->uri.key};
    struct choice *choice = NULL;
    enum outcome outcome;

    outcome = objects_key_type(keyref->public_key, &token.type, &token.bits, why);
    if (outcome != OUTCOME_OK || token.type != type)
        return outcome;
    memcpy(token.iccid, keyref->iccid, sizeof(token.iccid));
    outcome = config_choice(provider, &keyref->uri, keyref->iccid, &choice, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    *key = key_new(provider, keyref->public_key, choice, &token);
    choice_free(choice);
    return *key != NULL ? OUTCOME_OK : report_set(why, OUTCOME_SYSTEM, "out of memory");
}

static int decode(struct provider *provider, OSSL_CORE_BIO *in, enum token_key_type type,
                  OSSL_CALLBACK *callback, void *arg)
{
    struct report why = REPORT_INIT;
    struct keyref keyref;
    struct key *key = NULL;
    uint8_t der[KEYREF_MAX + 1];
    size_t length = 0;
    enum outcome outcome;
    bool ours;

    ours = read_all(provider, in, der, sizeof(der), &length) &&
           keyref_read(&keyref, der, length, provider->libctx, &why) == OUTCOME_OK;
    OPENSSL_cleanse(der, length);
    if (!ours)
        return 1;
    outcome = key_from_reference(provider, &keyref, type, &key, &why);
    keyref_clear(&keyref);
    if (outcome != OUTCOME_OK) {
        RAISE_REPORT(provider, &why);
        return 0;
    }
    return key == NULL ? 1 : key_emit(key, callback, arg);
}

static int decoder_rsa_decode(void *ctx, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *callback,
                              void *arg, OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg)
{
    (void)passphrase, (void)passphrase_arg;
    CALLED((struct provider *)ctx, "selection %02x", (unsigned)selection);
    return decode(ctx, in, TOKEN_RSA, callback, arg);
}

static int decoder_ec_decode(void *ctx, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *callback,
                             void *arg, OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg)
{
    (void)passphrase, (void)passphrase_arg;
    CALLED((struct provider *)ctx, "selection %02x", (unsigned)selection);
    return decode(ctx, in, TOKEN_EC, callback, arg);
}

static int decoder_export_object(void *ctx, const void *reference, size_t size,
                                 OSSL_CALLBACK *callback, void *arg)
{
    (void)reference, (void)size, (void)callback, (void)arg;
    key_raise_elsewhere(ctx);
    return 0;
}

#define FUNCTIONS(decode_function)                                                                 \
    {                                                                                              \
        {OSSL_FUNC_DECODER_NEWCTX, (void (*)(void))decoder_newctx},                                \
            {OSSL_FUNC_DECODER_FREECTX, (void (*)(void))decoder_freectx},                          \
            {OSSL_FUNC_DECODER_DOES_SELECTION, (void (*)(void))decoder_does_selection},            \
            {OSSL_FUNC_DECODER_DECODE, (void (*)(void))(decode_function)},                         \
            {OSSL_FUNC_DECODER_EXPORT_OBJECT, (void (*)(void))decoder_export_object},              \
        {                                                                                          \
            0, NULL                                                                                \
        }                                                                                          \
    }

const OSSL_DISPATCH decoder_pem_functions[] = FUNCTIONS(decoder_pem_decode);
const OSSL_DISPATCH decoder_rsa_functions[] = FUNCTIONS(decoder_rsa_decode);
const OSSL_DISPATCH decoder_ec_functions[] = FUNCTIONS(decoder_ec_decode);
