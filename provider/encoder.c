/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders. A key is printed as text: where its private half is, and its public half. What would
 * hold the private half is refused with an error that says why. All else of the public half is
 * written by the encoders of other providers, which get it by keymgmt's EXPORT. */
#include "provider/calls.h"
#include "provider/error.h"
#include "provider/key.h"

#include <openssl/bio.h>
#include <openssl/evp.h>

static OSSL_FUNC_encoder_newctx_fn encoder_newctx;
static OSSL_FUNC_encoder_freectx_fn encoder_freectx;
static OSSL_FUNC_encoder_does_selection_fn encoder_text_selection;
static OSSL_FUNC_encoder_encode_fn encoder_text;
static OSSL_FUNC_encoder_does_selection_fn encoder_private_selection;
static OSSL_FUNC_encoder_encode_fn encoder_private;

/* There is nothing to remember: the context is the provider. */
static void *encoder_newctx(void *provctx)
{
    return provctx;
}

static void encoder_freectx(void *ctx)
{
    (void)ctx;
}

static int encoder_text_selection(void *ctx, int selection)
{
    (void)ctx, (void)selection;
    return 1;
}

/* Where the private half is. Its number of bits comes first, as in the line of a key in memory. */
static bool print_place(BIO *bio, const struct key *key)
{
    const struct token_key *token = &key->token;
    char name[TOKEN_NAME_TEXT];

    return BIO_printf(bio, "Private-Key: (%u bit, in the SIM %s, %s)\n", token->bits, token->iccid,
                      token_name_text(&token->name, name)) > 0;
}

/* The parameters of an RSA key are none, and nothing is what is printed of them: libcrypto's own
 * encoder crashes on them. */
static bool print_key(BIO *bio, const struct key *key, int selection)
{
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && !print_place(bio, key))
        return false;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0)
        return EVP_PKEY_print_public(bio, key->public_key, 0, NULL) > 0;
    return EVP_PKEY_is_a(key->public_key, token_type_name(TOKEN_RSA)) ||
           EVP_PKEY_print_params(bio, key->public_key, 0, NULL) > 0;
}

static int encoder_text(void *ctx, OSSL_CORE_BIO *out, const void *object,
                        const OSSL_PARAM abstract[], int selection,
                        OSSL_PASSPHRASE_CALLBACK *callback, void *arg)
{
    struct provider *provider = ctx;
    const struct key *key = object;
    char name[CALLS_TEXT];
    BIO *bio;
    bool done;

    (void)callback, (void)arg;
    CALLED(provider, "key %s, selection %02x", calls_key(key, name), (unsigned)selection);
    if (abstract != NULL || key == NULL || key->public_key == NULL) {
        RAISE(provider, REASON_SEQUENCE, "there is no key to print");
        return 0;
    }
    if (!key_usable(key))
        selection &= ~OSSL_KEYMGMT_SELECT_KEYPAIR;
    bio = BIO_new_from_core_bio(provider->libctx, out);
    if (bio == NULL) {
        RAISE_MEMORY(provider);
        return 0;
    }
    done = print_key(bio, key, selection);
    BIO_free(bio);
    return done;
}

static int encoder_private_selection(void *ctx, int selection)
{
    (void)ctx;
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

static int encoder_private(void *ctx, OSSL_CORE_BIO *out, const void *object,
                           const OSSL_PARAM abstract[], int selection,
                           OSSL_PASSPHRASE_CALLBACK *callback, void *arg)
{
    struct provider *provider = ctx;
    char name[CALLS_TEXT];

    (void)out, (void)abstract, (void)callback, (void)arg;
    CALLED(provider, "key %s, selection %02x, is refused", calls_key(object, name),
           (unsigned)selection);
    key_raise_private(provider);
    return 0;
}

const OSSL_DISPATCH encoder_text_functions[] = {
    {OSSL_FUNC_ENCODER_NEWCTX, (void (*)(void))encoder_newctx},
    {OSSL_FUNC_ENCODER_FREECTX, (void (*)(void))encoder_freectx},
    {OSSL_FUNC_ENCODER_DOES_SELECTION, (void (*)(void))encoder_text_selection},
    {OSSL_FUNC_ENCODER_ENCODE, (void (*)(void))encoder_text},
    {0, NULL},
};

const OSSL_DISPATCH encoder_private_functions[] = {
    {OSSL_FUNC_ENCODER_NEWCTX, (void (*)(void))encoder_newctx},
    {OSSL_FUNC_ENCODER_FREECTX, (void (*)(void))encoder_freectx},
    {OSSL_FUNC_ENCODER_DOES_SELECTION, (void (*)(void))encoder_private_selection},
    {OSSL_FUNC_ENCODER_ENCODE, (void (*)(void))encoder_private},
    {0, NULL},
};
