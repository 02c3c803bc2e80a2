/* SPDX-License-Identifier: Apache-2.0 */
/* The store of `sim:` URIs. Opening one touches no device; each load gives one of the wanted
 * objects: the certificate first, then the key. A key of sim:signing is a reference to the SIM's;
 * what sim:available gives is ordinary software. sim:trust gives CA certificates, one a load. */
#include "provider/calls.h"
#include "provider/error.h"
#include "provider/key.h"
#include "provider/objects.h"
#include "provider/signing.h"
#include "provider/trust.h"
#include "provider/uri.h"

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static OSSL_FUNC_store_open_fn store_open;
static OSSL_FUNC_store_settable_ctx_params_fn store_settable_ctx_params;
static OSSL_FUNC_store_set_ctx_params_fn store_set_ctx_params;
static OSSL_FUNC_store_load_fn store_load;
static OSSL_FUNC_store_eof_fn store_eof;
static OSSL_FUNC_store_close_fn store_close;
static OSSL_FUNC_store_export_object_fn store_export_object;

enum {
    WANT_CERT = 1,
    WANT_KEY = 2,
    WANT_PUBLIC = 4,
};

struct store {
    struct provider *provider;
    struct uri uri;
    struct choice *choice;     /* of the SIM that the URI means */
    int expect;                /* OSSL_STORE_INFO_CERT and its like; 0 is whatever there is */
    unsigned done;             /* of WANT_... */
    bool failed;               /* the load before this one */
    OSSL_STORE_LOADER *loader; /* see keep_loader */
    X509 *certificate;         /* once read */
    EVP_PKEY *public_key;      /* of sim:signing, once read */
    STACK_OF(X509) * trusted;  /* of sim:trust, once read: those that were not handed out yet */
    struct token_key token;
};

/* What this store has for the caller, by the URI's type and what libcrypto expects. */
static unsigned wanted(const struct store *store)
{
    static const unsigned of_type[] = {
        [URI_ANY] = WANT_CERT | WANT_KEY,
        [URI_CERT] = WANT_CERT,
        [URI_PRIVATE] = WANT_KEY,
        [URI_PUBLIC] = WANT_PUBLIC,
    };
    unsigned want = of_type[store->uri.type];

    switch (store->expect) {
    case 0:
        break;
    case OSSL_STORE_INFO_CERT:
        want &= WANT_CERT;
        break;
    case OSSL_STORE_INFO_PKEY:
        want &= WANT_KEY;
        break;
    case OSSL_STORE_INFO_PUBKEY:
        want = store->uri.type == URI_ANY ? WANT_PUBLIC : want & WANT_PUBLIC;
        break;
    default:
        want = 0;
    }
    if (store->uri.what == URI_TRUST)
        want &= WANT_CERT;
    return want & ~store->done;
}

/* OSSL_STORE_open frees its loader twice where memory for its own context is out (seen in OpenSSL
 * 3.0): the second time it takes the reference of its table of methods, which is freed again later.
 * So one more is held until something else is asked of the store. If that is closed before, and
 * memory is out, the reference is left to OSSL_STORE_open. */
static void keep_loader(struct store *store)
{
    ERR_set_mark();
    if (store->provider->application != NULL)
        store->loader = OSSL_STORE_LOADER_fetch(store->provider->application, "sim", NULL);
    ERR_pop_to_mark();
}

static void give_loader(struct store *store)
{
    OSSL_STORE_LOADER_free(store->loader);
    store->loader = NULL;
}

/* What the URI means, not what was typed. */
static void trace_open(struct provider *provider, const struct uri *uri)
{
    struct report ignored = REPORT_INIT;
    char *text = NULL;

    if (!calls_traced(provider))
        return;
    if (uri != NULL && uri_format(uri, &text, &ignored) == OUTCOME_OK)
        calls_note(provider, "store_open", "%s", text);
    else
        calls_note(provider, "store_open", "a URI that is refused");
    free(text);
}

static void *store_open(void *provctx, const char *uri)
{
    struct provider *provider = provctx;
    struct store *store = OPENSSL_zalloc(sizeof(*store));
    struct report why = REPORT_INIT;
    enum outcome outcome;

    if (store == NULL) {
        RAISE_MEMORY(provider);
        return NULL;
    }
    store->provider = provider;
    outcome = uri_parse(&store->uri, uri, &why);
    trace_open(provider, outcome == OUTCOME_OK ? &store->uri : NULL);
    if (outcome == OUTCOME_OK) {
        outcome = config_choice(provider, &store->uri, store->uri.iccid, &store->choice, &why);
        if (outcome == OUTCOME_OK) {
            keep_loader(store);
            return store;
        }
        uri_clear(&store->uri);
    }
    RAISE_REPORT(provider, &why);
    OPENSSL_free(store);
    return NULL;
}

static int store_close(void *ctx)
{
    struct store *store = ctx;

    if (ERR_GET_REASON(ERR_peek_last_error()) != ERR_R_MALLOC_FAILURE)
        give_loader(store);
    X509_free(store->certificate);
    EVP_PKEY_free(store->public_key);
    sk_X509_pop_free(store->trusted, X509_free);
    choice_free(store->choice);
    uri_clear(&store->uri);
    OPENSSL_free(store);
    return 1;
}

static const OSSL_PARAM *store_settable_ctx_params(void *provctx)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_int(OSSL_STORE_PARAM_EXPECT, NULL),
        OSSL_PARAM_utf8_string(OSSL_STORE_PARAM_PROPERTIES, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)provctx;
    return settable;
}

static int store_set_ctx_params(void *ctx, const OSSL_PARAM params[])
{
    struct store *store = ctx;
    const OSSL_PARAM *expect = OSSL_PARAM_locate_const(params, OSSL_STORE_PARAM_EXPECT);

    char names[CALLS_TEXT];

    CALLED(store->provider, "%s", calls_params(params, names));
    return expect == NULL || OSSL_PARAM_get_int(expect, &store->expect);
}

static int store_eof(void *ctx)
{
    struct store *store = ctx;

    give_loader(store);
    return wanted(store) == 0;
}

/* Hands out DER. type and structure are NULL where libcrypto wants none. */
static int emit(int object, const char *type, const char *structure, uint8_t *der, size_t length,
                OSSL_CALLBACK *callback, void *arg)
{
    OSSL_PARAM params[5];
    OSSL_PARAM *next = params;

    *next++ = OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &object);
    if (type != NULL)
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, (char *)type, 0);
    if (structure != NULL)
        *next++ = OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_STRUCTURE,
                                                   (char *)structure, 0);
    *next++ = OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, der, length);
    *next = OSSL_PARAM_construct_end();
    return callback(params, arg);
}

/* The things that are read from the SIM, whichever modem has it. */
struct blob_work {
    const struct store *store;
    struct typea_blob *blob;
};

static enum outcome read_blob_certificate(struct sim *sim, void *arg, struct deadline deadline,
                                          struct report *why)
{
    const struct blob_work *work = arg;
    const struct uri *uri = &work->store->uri;

    (void)deadline;
    return typea_certificate(sim, uri->iccid, uri->store, work->blob, why);
}

static enum outcome read_blob_key(struct sim *sim, void *arg, struct deadline deadline,
                                  struct report *why)
{
    const struct blob_work *work = arg;
    const struct uri *uri = &work->store->uri;

    (void)deadline;
    return typea_key(sim, uri->iccid, uri->store, work->blob, why);
}

struct signing_work {
    const struct store *store;
    struct signing_key signing;
};

/* What kind of key it is matters only to those who want it: a certificate of another kind is still
 * one. A key is one without a certificate too. */
static enum outcome read_signing_key(struct sim *sim, void *arg, struct deadline deadline,
                                     struct report *why)
{
    struct signing_work *work = arg;
    const struct store *store = work->store;
    const bool key = (wanted(store) & (WANT_KEY | WANT_PUBLIC)) != 0;

    (void)deadline;
    return signing_key_read(sim, &store->uri, store->provider->libctx,
                            key ? SIGNING_KEY : SIGNING_CERTIFICATE, &work->signing, why);
}

static enum outcome read_signing(struct store *store, struct report *why)
{
    struct signing_work work = {.store = store};
    enum outcome outcome = choice_run(store->choice, read_signing_key, &work, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    store->token = work.signing.key;
    store->certificate = work.signing.certificate;
    store->public_key = work.signing.public_key;
    return OUTCOME_OK;
}

static enum outcome read_available(struct store *store, struct report *why)
{
    struct typea_blob blob = {0};
    struct blob_work work = {store, &blob};
    enum outcome outcome;

    outcome = choice_run(store->choice, read_blob_certificate, &work, why);
    if (outcome == OUTCOME_OK)
        outcome = objects_certificate(store->provider->libctx, blob.data, blob.length,
                                      &store->certificate, why);
    typea_blob_clear(&blob);
    return outcome;
}

static enum outcome read_trusted_there(struct sim *sim, void *arg, struct deadline deadline,
                                       struct report *why)
{
    struct store *store = arg;

    (void)deadline;
    sk_X509_pop_free(store->trusted, X509_free); /* of another modem */
    store->trusted = NULL;
    return trust_read(sim, &store->uri, store->provider->libctx, &store->trusted, why);
}

/* The next CA certificate. The last one is told by what is done. */
static enum outcome read_trust(struct store *store, struct report *why)
{
    enum outcome outcome = OUTCOME_OK;

    if (store->trusted == NULL)
        outcome = choice_run(store->choice, read_trusted_there, store, why);
    if (outcome != OUTCOME_OK)
        return outcome;
    X509_free(store->certificate);
    store->certificate = sk_X509_shift(store->trusted);
    return OUTCOME_OK;
}

/* Reads the certificate, once, and the key's public half with it. */
static enum outcome read_certificate(struct store *store, struct report *why)
{
    if (store->uri.what == URI_TRUST)
        return read_trust(store, why);
    if (store->certificate != NULL || store->public_key != NULL)
        return OUTCOME_OK;
    return store->uri.what == URI_SIGNING ? read_signing(store, why) : read_available(store, why);
}

/* The loads: OUTCOME_OK means that there was something to hand out, and *result is what libcrypto made of it. */
static enum outcome load_certificate(struct store *store, OSSL_CALLBACK *callback, void *arg,
                                     int *result, struct report *why)
{
    uint8_t *der = NULL;
    int length;
    enum outcome outcome = read_certificate(store, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    length = i2d_X509(store->certificate, &der);
    if (length <= 0)
        return report_set(why, OUTCOME_SYSTEM, "the certificate could not be handed on");
    *result = emit(OSSL_OBJECT_CERT, NULL, NULL, der, (size_t)length, callback, arg);
    OPENSSL_free(der);
    return OUTCOME_OK;
}

static enum outcome load_public(struct store *store, OSSL_CALLBACK *callback, void *arg,
                                int *result, struct report *why)
{
    enum token_key_type type = TOKEN_RSA;
    EVP_PKEY *key = NULL;
    uint8_t *der = NULL;
    int length = 0;
    enum outcome outcome = read_certificate(store, why);

    if (outcome == OUTCOME_OK && store->public_key == NULL)
        outcome = objects_public_key(store->certificate, &key, &type, NULL, why);
    else if (outcome == OUTCOME_OK && EVP_PKEY_up_ref(key = store->public_key))
        type = store->token.type;
    if (outcome != OUTCOME_OK)
        return outcome;
    length = i2d_PUBKEY(key, &der);
    EVP_PKEY_free(key);
    if (length <= 0)
        return report_set(why, OUTCOME_SYSTEM, "the public key could not be handed on");
    *result = emit(OSSL_OBJECT_PKEY, token_type_name(type), "SubjectPublicKeyInfo", der,
                   (size_t)length, callback, arg);
    OPENSSL_free(der);
    return OUTCOME_OK;
}

static enum outcome load_signing_key(struct store *store, OSSL_CALLBACK *callback, void *arg,
                                     int *result, struct report *why)
{
    struct key *key = NULL;
    enum outcome outcome = read_certificate(store, why);

    if (outcome != OUTCOME_OK)
        return outcome;
    key = key_new(store->provider, store->public_key, store->choice, &store->token);
    if (key == NULL)
        return report_set(why, OUTCOME_SYSTEM, "out of memory");
    *result = key_emit(key, callback, arg);
    return OUTCOME_OK;
}

/* Type A's key as PKCS#8 for the application's own decoders: what comes out is an ordinary key of
 * its default provider. */
static enum outcome load_available_key(struct store *store, OSSL_CALLBACK *callback, void *arg,
                                       int *result, struct report *why)
{
    struct typea_blob blob = {0};
    struct blob_work work = {store, &blob};
    enum token_key_type type = TOKEN_RSA;
    unsigned bits = 0;
    EVP_PKEY *key = NULL;
    PKCS8_PRIV_KEY_INFO *pkcs8 = NULL;
    uint8_t *der = NULL;
    int length = 0;
    enum outcome outcome;

    outcome = choice_run(store->choice, read_blob_key, &work, why);
    if (outcome == OUTCOME_OK)
        outcome = objects_private_key(store->provider->libctx, blob.data, blob.length, &key, why);
    if (outcome == OUTCOME_OK)
        outcome = objects_key_type(key, &type, &bits, why);
    typea_blob_clear(&blob);
    if (outcome == OUTCOME_OK) {
        pkcs8 = EVP_PKEY2PKCS8(key);
        length = pkcs8 == NULL ? 0 : i2d_PKCS8_PRIV_KEY_INFO(pkcs8, &der);
        if (length > 0)
            *result = emit(OSSL_OBJECT_PKEY, token_type_name(type), "PrivateKeyInfo", der,
                           (size_t)length, callback, arg);
        else
            outcome = report_set(why, OUTCOME_SYSTEM, "the private key could not be handed on");
    }
    OPENSSL_clear_free(der, length > 0 ? (size_t)length : 0);
    PKCS8_PRIV_KEY_INFO_free(pkcs8);
    EVP_PKEY_free(key);
    return outcome;
}

/* Where certificate and key are wanted, and the SIM has no certificate of the key, the key is what there
 * is. */
static enum outcome without_certificate(struct store *store, unsigned *want, struct report *why)
{
    enum outcome outcome;

    if (*want != (WANT_CERT | WANT_KEY) || store->uri.what != URI_SIGNING || store->failed)
        return OUTCOME_OK;
    outcome = read_certificate(store, why);
    if (outcome == OUTCOME_OK && store->certificate == NULL) {
        store->done |= WANT_CERT;
        *want = WANT_KEY;
    }
    return outcome;
}

static unsigned first_of(unsigned want)
{
    return want & WANT_CERT ? WANT_CERT : want & WANT_KEY ? WANT_KEY : want & WANT_PUBLIC;
}

static int store_load(void *ctx, OSSL_CALLBACK *callback, void *arg,
                      OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg)
{
    struct store *store = ctx;
    struct report why = REPORT_INIT;
    unsigned want = wanted(store), now = first_of(want);
    enum outcome outcome;
    int result = 0;

    (void)passphrase, (void)passphrase_arg;
    CALLED(store->provider, "%s",
           now == WANT_CERT  ? "the certificate"
           : now == WANT_KEY ? "the key"
           : now != 0        ? "the public key"
                             : "nothing more");
    give_loader(store);
    /* libcrypto tells an error from an end by eof, which may not follow a failed load at once: it comes with the next. */
    if (store->failed) {
        store->done = WANT_CERT | WANT_KEY | WANT_PUBLIC;
        return 0;
    }
    outcome = without_certificate(store, &want, &why);
    now = outcome == OUTCOME_OK ? first_of(want) : 0;
    if (now == WANT_CERT)
        outcome = load_certificate(store, callback, arg, &result, &why);
    else if (now == WANT_PUBLIC)
        outcome = load_public(store, callback, arg, &result, &why);
    else if (now == WANT_KEY && store->uri.what == URI_SIGNING)
        outcome = load_signing_key(store, callback, arg, &result, &why);
    else if (now == WANT_KEY)
        outcome = load_available_key(store, callback, arg, &result, &why);
    if (outcome == OUTCOME_SYSTEM || outcome == OUTCOME_BAD_DATA)
        (void)context_mend(store->provider);
    if (outcome != OUTCOME_OK)
        RAISE_REPORT(store->provider, &why);
    CALLED(store->provider, "ends: %s", result > 0 ? "done" : "nothing");
    if (result > 0 && (store->uri.what != URI_TRUST || sk_X509_num(store->trusted) <= 0))
        store->done |= now;
    else if (result > 0)
        return result;
    else
        store->failed = true;
    return result;
}

static int store_export_object(void *loaderctx, const void *reference, size_t size,
                               OSSL_CALLBACK *callback, void *arg)
{
    const struct store *store = loaderctx;

    (void)reference, (void)size, (void)callback, (void)arg;
    key_raise_elsewhere(store->provider);
    return 0;
}

const OSSL_DISPATCH store_functions[] = {
    {OSSL_FUNC_STORE_OPEN, (void (*)(void))store_open},
    {OSSL_FUNC_STORE_SETTABLE_CTX_PARAMS, (void (*)(void))store_settable_ctx_params},
    {OSSL_FUNC_STORE_SET_CTX_PARAMS, (void (*)(void))store_set_ctx_params},
    {OSSL_FUNC_STORE_LOAD, (void (*)(void))store_load},
    {OSSL_FUNC_STORE_EOF, (void (*)(void))store_eof},
    {OSSL_FUNC_STORE_CLOSE, (void (*)(void))store_close},
    {OSSL_FUNC_STORE_EXPORT_OBJECT, (void (*)(void))store_export_object},
    {0, NULL},
};
