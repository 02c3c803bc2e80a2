/* SPDX-License-Identifier: Apache-2.0 */
/* The module's entry: what the core gives, what we offer, our own parameters, and the end. The
 * operations live in files of their own. */
#include "provider/provider.h"
#include "apdu/version.h"
#include "provider/calls.h"
#include "provider/composite.h"
#include "provider/error.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

OSSL_provider_init_fn OSSL_provider_init __attribute__((visibility("default")));

static OSSL_FUNC_provider_teardown_fn provider_teardown;
static OSSL_FUNC_provider_gettable_params_fn provider_gettable_params;
static OSSL_FUNC_provider_get_params_fn provider_get_params;
static OSSL_FUNC_provider_query_operation_fn provider_query_operation;
static OSSL_FUNC_provider_get_reason_strings_fn provider_get_reason_strings;
static OSSL_FUNC_provider_get_capabilities_fn provider_get_capabilities;

static const OSSL_ALGORITHM keymgmt_algorithms[] = {
    {NAMES_RSA, "provider=simkey", keymgmt_rsa_functions, "RSA key in a SIM"},
    {NAMES_EC, "provider=simkey", keymgmt_ec_functions, "EC key in a SIM"},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM signature_algorithms[] = {
    {NAMES_RSA, "provider=simkey", signature_rsa_functions, "RSA signature by a SIM"},
    {"ECDSA", "provider=simkey", signature_ecdsa_functions, "ECDSA signature by a SIM"},
    {NULL, NULL, NULL, NULL},
};

/* The names are the default provider's. */
#ifdef SIMKEY_COMPOSITE
#define COMPOSITE(names, functions)                                                                \
    {                                                                                              \
        names, "provider=simkey", functions, "signature by a SIM"                                  \
    }
static const OSSL_ALGORITHM composite_algorithms[] = {
    {NAMES_RSA, "provider=simkey", signature_rsa_functions, "RSA signature by a SIM"},
    {"ECDSA", "provider=simkey", signature_ecdsa_functions, "ECDSA signature by a SIM"},
    COMPOSITE("RSA-SHA1:RSA-SHA-1:sha1WithRSAEncryption:1.2.840.113549.1.1.5", composite_rsa_sha1),
    COMPOSITE("RSA-SHA2-224:RSA-SHA224:sha224WithRSAEncryption:1.2.840.113549.1.1.14",
              composite_rsa_sha224),
    COMPOSITE("RSA-SHA2-256:RSA-SHA256:sha256WithRSAEncryption:1.2.840.113549.1.1.11",
              composite_rsa_sha256),
    COMPOSITE("RSA-SHA2-384:RSA-SHA384:sha384WithRSAEncryption:1.2.840.113549.1.1.12",
              composite_rsa_sha384),
    COMPOSITE("RSA-SHA2-512:RSA-SHA512:sha512WithRSAEncryption:1.2.840.113549.1.1.13",
              composite_rsa_sha512),
    COMPOSITE("ECDSA-SHA1:ECDSA-SHA-1:ecdsa-with-SHA1:1.2.840.10045.4.1", composite_ecdsa_sha1),
    COMPOSITE("ECDSA-SHA2-224:ECDSA-SHA224:ecdsa-with-SHA224:1.2.840.10045.4.3.1",
              composite_ecdsa_sha224),
    COMPOSITE("ECDSA-SHA2-256:ECDSA-SHA256:ecdsa-with-SHA256:1.2.840.10045.4.3.2",
              composite_ecdsa_sha256),
    COMPOSITE("ECDSA-SHA2-384:ECDSA-SHA384:ecdsa-with-SHA384:1.2.840.10045.4.3.3",
              composite_ecdsa_sha384),
    COMPOSITE("ECDSA-SHA2-512:ECDSA-SHA512:ecdsa-with-SHA512:1.2.840.10045.4.3.4",
              composite_ecdsa_sha512),
    {NULL, NULL, NULL, NULL},
};
#else
#define composite_algorithms signature_algorithms
#endif

static const OSSL_ALGORITHM asym_cipher_algorithms[] = {
    {NAMES_RSA, "provider=simkey", asym_cipher_functions, "RSA decryption by a SIM"},
    {NULL, NULL, NULL, NULL},
};

/* Stores and decoders are found by programs that demand fips=yes, as the base provider's are: they do no
 * cryptography. Keys, signatures and decryption are not: nobody validated what the SIM and we do. */
static const OSSL_ALGORITHM store_algorithms[] = {
    {"sim", "provider=simkey,fips=yes", store_functions, "sim: URIs"},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM decoder_algorithms[] = {
    {"DER", "provider=simkey,fips=yes,input=pem", decoder_pem_functions, "PEM key reference"},
    {NAMES_RSA, "provider=simkey,fips=yes,input=der,structure=" KEYREF_STRUCTURE,
     decoder_rsa_functions, "reference to an RSA key in a SIM"},
    {NAMES_EC, "provider=simkey,fips=yes,input=der,structure=" KEYREF_STRUCTURE,
     decoder_ec_functions, "reference to an EC key in a SIM"},
    {NULL, NULL, NULL, NULL},
};

#define TEXT_OF(names)                                                                             \
    {                                                                                              \
        names, "provider=simkey,output=text", encoder_text_functions, "key in a SIM as text"       \
    }
#define PRIVATE_OF(names, output)                                                                  \
    {                                                                                              \
        names, "provider=simkey,output=" output, encoder_private_functions,                        \
            "refuses to write a private key"                                                       \
    }
#define PRIVATE_STRUCTURE(names, structure)                                                        \
    PRIVATE_OF(names, "der,structure=" structure), PRIVATE_OF(names, "pem,structure=" structure)

static const OSSL_ALGORITHM encoder_algorithms[] = {
    TEXT_OF(NAMES_RSA),
    PRIVATE_STRUCTURE(NAMES_RSA, "PrivateKeyInfo"),
    PRIVATE_STRUCTURE(NAMES_RSA, "EncryptedPrivateKeyInfo"),
    PRIVATE_STRUCTURE(NAMES_RSA, "type-specific"),
    TEXT_OF(NAMES_EC),
    PRIVATE_STRUCTURE(NAMES_EC, "PrivateKeyInfo"),
    PRIVATE_STRUCTURE(NAMES_EC, "EncryptedPrivateKeyInfo"),
    PRIVATE_STRUCTURE(NAMES_EC, "type-specific"),
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM *provider_query_operation(void *provctx, int operation, int *no_store)
{
    *no_store = 0;
    CALLED((struct provider *)provctx, "%d", operation);
    order_settle(provctx, operation);
    switch (operation) {
    case OSSL_OP_KEYMGMT:
        return keymgmt_algorithms;
    case OSSL_OP_SIGNATURE:
        return ((struct provider *)provctx)->composite ? composite_algorithms
                                                       : signature_algorithms;
    case OSSL_OP_ASYM_CIPHER:
        return asym_cipher_algorithms;
    case OSSL_OP_STORE:
        return store_algorithms;
    case OSSL_OP_DECODER:
        return decoder_algorithms;
    case OSSL_OP_ENCODER:
        order_complain(provctx);
        return encoder_algorithms;
    /* What nobody but the default provider and its like has. */
    case OSSL_OP_DIGEST:
    case OSSL_OP_CIPHER:
    case OSSL_OP_MAC:
    case OSSL_OP_KDF:
    case OSSL_OP_KEYEXCH:
        order_complain(provctx);
        return NULL;
    default:
        return NULL;
    }
}

static const OSSL_PARAM *provider_gettable_params(void *provctx)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, NULL, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
        OSSL_PARAM_END,
    };

    (void)provctx;
    return gettable;
}

static int provider_get_params(void *provctx, OSSL_PARAM params[])
{
    OSSL_PARAM *p;

    (void)provctx;
    p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME);
    if (p != NULL && !OSSL_PARAM_set_utf8_ptr(p, "simkey: TLS keys in a SIM card"))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_VERSION);
    if (p != NULL && !OSSL_PARAM_set_utf8_ptr(p, SIMKEY_VERSION))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_BUILDINFO);
    if (p != NULL && !OSSL_PARAM_set_utf8_ptr(p, SIMKEY_VERSION " for " OPENSSL_VERSION_TEXT))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
    return p == NULL || OSSL_PARAM_set_int(p, 1);
}

static const OSSL_ITEM *provider_get_reason_strings(void *provctx)
{
    (void)provctx;
    return error_reasons();
}

/* We have no TLS groups. libssl asks while it sets up its context, which is when the want of them
 * should be said. */
static int provider_get_capabilities(void *provctx, const char *capability, OSSL_CALLBACK *callback,
                                     void *arg)
{
    (void)callback, (void)arg;
    CALLED((struct provider *)provctx, "%.40s", capability);
    if (strcmp(capability, "TLS-GROUP") == 0)
        order_complain(provctx);
    return 1;
}

static void provider_teardown(void *provctx)
{
    struct provider *provider = provctx;

    /* the process ends, and another thread is at this provider: it goes with the process */
    if (provider->noted && !farewell_unnote(provider))
        return;
    config_clear(provider);
    context_clear(provider);
    OPENSSL_free(provider->dispatch);
    OPENSSL_free(provider->logged);
    OPENSSL_free(provider);
}

static OSSL_DISPATCH *copy_dispatch(const OSSL_DISPATCH *in)
{
    size_t count = 1;

    for (const OSSL_DISPATCH *entry = in; entry->function_id != 0; entry++)
        count++;
    return OPENSSL_memdup(in, count * sizeof(*in));
}

/* False if the core lacks what we cannot do without. */
static bool core_take(struct core *core, const OSSL_DISPATCH *in)
{
    for (; in->function_id != 0; in++) {
        switch (in->function_id) {
        case OSSL_FUNC_CORE_GET_PARAMS:
            core->get_params = OSSL_FUNC_core_get_params(in);
            break;
        case OSSL_FUNC_CORE_GET_LIBCTX:
            core->get_libctx = OSSL_FUNC_core_get_libctx(in);
            break;
        case OSSL_FUNC_CORE_NEW_ERROR:
            core->new_error = OSSL_FUNC_core_new_error(in);
            break;
        case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
            core->set_error_debug = OSSL_FUNC_core_set_error_debug(in);
            break;
        case OSSL_FUNC_CORE_VSET_ERROR:
            core->vset_error = OSSL_FUNC_core_vset_error(in);
            break;
        case OSSL_FUNC_CRYPTO_MALLOC:
            core->crypto_malloc = OSSL_FUNC_CRYPTO_malloc(in);
            break;
        default:
            break;
        }
    }
    return core->get_params != NULL && core->new_error != NULL && core->set_error_debug != NULL &&
           core->vset_error != NULL;
}

/* The library context of who loaded us. The core hands out a handle that is that context, which is
 * no promise of the documentation, and it is worth nothing if the core lives in another copy of
 * libcrypto: then CRYPTO_malloc differs. */
static OSSL_LIB_CTX *application_context(const struct provider *provider)
{
    OSSL_LIB_CTX *application;

    if (provider->core.get_libctx == NULL || provider->core.crypto_malloc != CRYPTO_malloc)
        return NULL;
    application = (OSSL_LIB_CTX *)provider->core.get_libctx(provider->handle);
    return application != NULL ? application : OSSL_LIB_CTX_set0_default(NULL);
}

/* Whether the libcrypto that loads us, which need not be the one that we were built with, has
 * signature algorithms that name their digest. */
static bool knows_composite(const struct provider *provider)
{
    char *version = NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_CORE_VERSION, &version, 0),
                           OSSL_PARAM_construct_end()};
    unsigned major = 0, minor = 0;

    return provider->core.get_params(provider->handle, params) && version != NULL &&
           sscanf(version, "%u.%u", &major, &minor) == 2 &&
           (major > 3 || (major == 3 && minor >= 4));
}

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                       const OSSL_DISPATCH **out, void **provctx)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))provider_teardown},
        {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))provider_gettable_params},
        {OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))provider_get_params},
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))provider_query_operation},
        {OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, (void (*)(void))provider_get_reason_strings},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))provider_get_capabilities},
        {0, NULL},
    };
    struct provider *provider = OPENSSL_zalloc(sizeof(*provider));

    if (provider == NULL)
        return 0;
    provider->handle = handle;
    if (!core_take(&provider->core, in)) {
        OPENSSL_free(provider);
        return 0;
    }
    provider->dispatch = copy_dispatch(in);
    provider->libctx = OSSL_LIB_CTX_new_from_dispatch(handle, in);
    if (provider->libctx == NULL || provider->dispatch == NULL) {
        context_clear(provider);
        OPENSSL_free(provider->dispatch);
        OPENSSL_free(provider);
        return 0;
    }
    provider->application = application_context(provider);
    provider->composite = knows_composite(provider);
    provider->logged = OPENSSL_zalloc(sizeof *provider->logged); /* without it nothing is logged */
    config_load(provider);
    provider->noted = farewell_note(provider);
    *out = functions;
    *provctx = provider;
    return 1;
}
