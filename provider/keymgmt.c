/* SPDX-License-Identifier: Apache-2.0 */
/* Key management for RSA and EC: keys that are loaded, looked at and compared. Everything that can
 * be asked of the public half is asked of its shadow in the private library context. No key is
 * generated or imported here. */
#include "provider/calls.h"
#include "provider/error.h"
#include "provider/key.h"
#include "provider/scheme.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

static OSSL_FUNC_keymgmt_new_fn keymgmt_new;
static OSSL_FUNC_keymgmt_free_fn keymgmt_free;
static OSSL_FUNC_keymgmt_load_fn keymgmt_load;
static OSSL_FUNC_keymgmt_dup_fn keymgmt_dup;
static OSSL_FUNC_keymgmt_has_fn keymgmt_has;
static OSSL_FUNC_keymgmt_match_fn keymgmt_match;
static OSSL_FUNC_keymgmt_import_fn keymgmt_import;
static OSSL_FUNC_keymgmt_export_fn keymgmt_export;
static OSSL_FUNC_keymgmt_get_params_fn keymgmt_get_params;
static OSSL_FUNC_keymgmt_set_params_fn keymgmt_ec_set_params;
static OSSL_FUNC_keymgmt_settable_params_fn keymgmt_ec_settable;
static OSSL_FUNC_keymgmt_gettable_params_fn keymgmt_rsa_gettable;
static OSSL_FUNC_keymgmt_gettable_params_fn keymgmt_ec_gettable;
static OSSL_FUNC_keymgmt_export_types_fn keymgmt_rsa_types;
static OSSL_FUNC_keymgmt_export_types_fn keymgmt_ec_types;
static OSSL_FUNC_keymgmt_query_operation_name_fn keymgmt_ec_operation;

/* libcrypto wants MATCH to work without a null pointer behind it, and asks for a fresh object
 * before IMPORT. */
static void *keymgmt_new(void *provctx)
{
    struct key *key = key_new(provctx, NULL, NULL, NULL);

    CALLED((struct provider *)provctx, "of an empty key");
    if (key == NULL)
        RAISE_MEMORY((struct provider *)provctx);
    return key;
}

static void keymgmt_free(void *keydata)
{
    key_free(keydata);
}

static void *keymgmt_load(const void *reference, size_t size)
{
    struct key **from = (struct key **)(uintptr_t)reference;
    struct key *key;
    char name[CALLS_TEXT];

    if (size != sizeof(key))
        return NULL;
    key = *from;
    *from = NULL;
    if (key != NULL)
        CALLED(key->provider, "key %s", calls_key(key, name));
    return key;
}

/* A copy of the public half without the private one would be none that signs: not given. That of
 * the parameters is for EVP_PKEY_copy_parameters. */
static void *keymgmt_dup(const void *keydata, int selection)
{
    const struct key *key = keydata;
    char name[CALLS_TEXT];

    CALLED(key->provider, "key %s, selection %02x", calls_key(key, name), (unsigned)selection);
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == OSSL_KEYMGMT_SELECT_PUBLIC_KEY)
        return NULL;
    return key_copy(key, (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0);
}

static int keymgmt_has(const void *keydata, int selection)
{
    const struct key *key = keydata;
    char name[CALLS_TEXT];

    if (key != NULL)
        CALLED(key->provider, "key %s, selection %02x", calls_key(key, name), (unsigned)selection);
    if (key == NULL || key->public_key == NULL)
        return 0;
    return key_usable(key) || (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0;
}

static int keymgmt_match(const void *keydata1, const void *keydata2, int selection)
{
    const struct key *a = keydata1;
    const struct key *b = keydata2;
    char name[CALLS_TEXT];

    CALLED(a->provider, "key %s, selection %02x", calls_key(a, name), (unsigned)selection);
    if (a->public_key == NULL || b->public_key == NULL)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0 && key_usable(a) && key_usable(b))
        return EVP_PKEY_eq(a->public_key, b->public_key) == 1;
    return EVP_PKEY_parameters_eq(a->public_key, b->public_key) == 1;
}

/* Always refuses, silently. It must be there: where a key of the old kind (EVP_PKEY around RSA or
 * EC_KEY) meets ours, as in EVP_PKEY_eq, libcrypto calls it without looking. If it worked, all
 * public keys of the process would end up here. */
static int keymgmt_import(void *keydata, int selection, const OSSL_PARAM params[])
{
    const struct key *key = keydata;

    (void)params;
    CALLED(key->provider, "is refused, selection %02x", (unsigned)selection);
    return 0;
}

/* Says why it refuses the private half. Each TLS handshake begins with libcrypto trying to move the key
 * to another provider, but it takes the errors of that try out of the queue again. */
static int keymgmt_export(void *keydata, int selection, OSSL_CALLBACK *callback, void *arg)
{
    const struct key *key = keydata;
    char name[CALLS_TEXT];

    CALLED(key->provider, "key %s, selection %02x", calls_key(key, name), (unsigned)selection);
    if (key->public_key == NULL)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0) {
        key_raise_private(key->provider);
        return 0;
    }
    /* An RSA key has no parameters: the default provider would take nothing for a key, and libcrypto's
     * encoders crash on it. */
    if (key->token.type == TOKEN_RSA && (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0)
        return 0;
    return EVP_PKEY_export(key->public_key, selection, callback, arg);
}

static int keymgmt_get_params(void *keydata, OSSL_PARAM params[])
{
    const struct key *key = keydata;
    char names[CALLS_TEXT];

    CALLED(key->provider, "%s", calls_params(params, names));
    return key->public_key != NULL && EVP_PKEY_get_params(key->public_key, params);
}

/* How the point is written. Its number is the SIM's. */
static int keymgmt_ec_set_params(void *keydata, const OSSL_PARAM params[])
{
    static const char *const fixed[] = {OSSL_PKEY_PARAM_PUB_KEY, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
                                        OSSL_PKEY_PARAM_PRIV_KEY};
    const struct key *key = keydata;
    char names[CALLS_TEXT];

    CALLED(key->provider, "%s", calls_params(params, names));
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (OSSL_PARAM_locate_const(params, fixed[i]) != NULL) {
            RAISE(key->provider, REASON_PRIVATE,
                  "the key is in the SIM, and its %s cannot be set: use another key object for "
                  "other values",
                  fixed[i]);
            return 0;
        }
    return key->public_key != NULL && EVP_PKEY_set_params(key->public_key, (OSSL_PARAM *)params);
}

static const OSSL_PARAM *keymgmt_ec_settable(void *provctx)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_GROUP_CHECK_TYPE, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)provctx;
    return settable;
}

/* OSSL_PKEY_PARAM_SECURITY_CATEGORY and OSSL_PKEY_PARAM_EC_FIELD_DEGREE of later headers. An older libcrypto has
 * neither, and does not answer for them. */
#define SECURITY_CATEGORY "security-category"
#define FIELD_DEGREE      "field-degree"

#define GETTABLE_COMMON                                                                            \
    OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),                                                    \
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),                                       \
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL), OSSL_PARAM_int(SECURITY_CATEGORY, NULL),   \
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0)
#define PUBLIC_RSA                                                                                 \
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0), OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0)
#define PUBLIC_EC                                                                                  \
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),                                   \
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0)

static const OSSL_PARAM *keymgmt_rsa_gettable(void *provctx)
{
    static const OSSL_PARAM gettable[] = {GETTABLE_COMMON, PUBLIC_RSA, OSSL_PARAM_END};

    (void)provctx;
    return gettable;
}

static const OSSL_PARAM *keymgmt_ec_gettable(void *provctx)
{
    static const OSSL_PARAM gettable[] = {
        GETTABLE_COMMON,
        PUBLIC_EC,
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_PUB_X, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_PUB_Y, NULL, 0),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_FIELD_TYPE, NULL, 0),
        OSSL_PARAM_int(FIELD_DEGREE, NULL),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_P, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_A, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_B, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_EC_GENERATOR, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_ORDER, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_COFACTOR, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_EC_SEED, NULL, 0),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_USE_COFACTOR_ECDH, NULL),
        OSSL_PARAM_END,
    };

    (void)provctx;
    return gettable;
}

/* For EXPORT; IMPORT must have a list too. */
static const OSSL_PARAM *keymgmt_rsa_types(int selection)
{
    static const OSSL_PARAM types[] = {PUBLIC_RSA, OSSL_PARAM_END};

    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 ? types : NULL;
}

static const OSSL_PARAM *keymgmt_ec_types(int selection)
{
    static const OSSL_PARAM types[] = {PUBLIC_EC, OSSL_PARAM_END};

    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 ? types : NULL;
}

static const char *keymgmt_ec_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? scheme_rule(TOKEN_ECDSA)->algorithm
                                          : token_type_name(TOKEN_EC);
}

#define FUNCTIONS_COMMON                                                                           \
    {OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))keymgmt_new},                                          \
        {OSSL_FUNC_KEYMGMT_FREE, (void (*)(void))keymgmt_free},                                    \
        {OSSL_FUNC_KEYMGMT_LOAD, (void (*)(void))keymgmt_load},                                    \
        {OSSL_FUNC_KEYMGMT_DUP, (void (*)(void))keymgmt_dup},                                      \
        {OSSL_FUNC_KEYMGMT_HAS, (void (*)(void))keymgmt_has},                                      \
        {OSSL_FUNC_KEYMGMT_MATCH, (void (*)(void))keymgmt_match},                                  \
        {OSSL_FUNC_KEYMGMT_IMPORT, (void (*)(void))keymgmt_import},                                \
        {OSSL_FUNC_KEYMGMT_EXPORT, (void (*)(void))keymgmt_export},                                \
    {                                                                                              \
        OSSL_FUNC_KEYMGMT_GET_PARAMS, (void (*)(void))keymgmt_get_params                           \
    }

const OSSL_DISPATCH keymgmt_rsa_functions[] = {
    FUNCTIONS_COMMON,
    {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (void (*)(void))keymgmt_rsa_gettable},
    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (void (*)(void))keymgmt_rsa_types},
    {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (void (*)(void))keymgmt_rsa_types},
    {0, NULL},
};

const OSSL_DISPATCH keymgmt_ec_functions[] = {
    FUNCTIONS_COMMON,
    {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (void (*)(void))keymgmt_ec_gettable},
    {OSSL_FUNC_KEYMGMT_SET_PARAMS, (void (*)(void))keymgmt_ec_set_params},
    {OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, (void (*)(void))keymgmt_ec_settable},
    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (void (*)(void))keymgmt_ec_types},
    {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (void (*)(void))keymgmt_ec_types},
    {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (void (*)(void))keymgmt_ec_operation},
    {0, NULL},
};
