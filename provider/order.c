/* SPDX-License-Identifier: Apache-2.0 */
/* Which provider stands first. With ours first, libcrypto's look-up of "EC" by name finds our
 * keymgmt, which makes no keys: TLS then loses its P-256, P-384 and P-521 groups, and genpkey
 * fails. `-provider default -provider simkey` has no such trouble. This file sees to it that
 * `-provider simkey -provider default` works the same, and says so when there is no default at all.
 *
 * How: libcrypto asks each provider for its algorithms in the providers' order and keeps what it
 * gets in that order. So before our first answer, we let it look the algorithm up once more:
 * looking up a provider's name sorts the list (default and fips stand before simkey in the
 * alphabet), and in that nested look-up we answer last.
 *
 * What OpenSSL's maintainers would object to: that the core's handle of the library context is
 * taken for the context itself, that a provider fetches from its application's context while it is
 * being asked, and that the sorting is nobody's promise. If a later OpenSSL changes any of them,
 * the order is what the user typed again; nothing else depends on it. The end-to-end tests run both
 * orders. */
#include "provider/error.h"
#include "provider/provider.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

struct line_up {
    const struct provider *provider;
    bool passed;        /* we were seen */
    const char *behind; /* default or fips, if it comes after us */
    bool complete;      /* somebody else than base and null is there */
};

static int look(OSSL_PROVIDER *other, void *arg)
{
    struct line_up *line_up = arg;
    const char *name = OSSL_PROVIDER_get0_name(other);

    if (OSSL_PROVIDER_get0_provider_ctx(other) == line_up->provider) {
        line_up->passed = true;
        return 1;
    }
    if (line_up->passed && line_up->behind == NULL) {
        if (strcmp(name, "default") == 0)
            line_up->behind = "default";
        else if (strcmp(name, "fips") == 0)
            line_up->behind = "fips";
    }
    if (strcmp(name, "base") != 0 && strcmp(name, "null") != 0)
        line_up->complete = true;
    return 1;
}

static void fetch_once(OSSL_LIB_CTX *application, int operation)
{
    ERR_set_mark();
    if (operation == OSSL_OP_KEYMGMT)
        EVP_KEYMGMT_free(EVP_KEYMGMT_fetch(application, "EC", NULL));
    else
        EVP_SIGNATURE_free(EVP_SIGNATURE_fetch(application, "ECDSA", NULL));
    ERR_pop_to_mark();
}

/* The place that says that this thread is settling; NULL if it is already, or no place is left. Not
 * a thread-local variable: its memory is allocated at the first use, and the dynamic linker ends the
 * program where that fails. */
static atomic_uintptr_t *enter(struct provider *provider)
{
    const uintptr_t self = (uintptr_t)pthread_self();
    uintptr_t none;

    for (size_t i = 0; i < SETTLING_THREADS; i++)
        if (atomic_load(&provider->settling[i]) == self)
            return NULL;
    for (size_t i = 0; i < SETTLING_THREADS; i++) {
        none = 0;
        if (atomic_compare_exchange_strong(&provider->settling[i], &none, self))
            return &provider->settling[i];
    }
    return NULL;
}

void order_settle(struct provider *provider, int operation)
{
    struct line_up line_up = {.provider = provider};
    atomic_bool *settled = &provider->settled[operation == OSSL_OP_KEYMGMT];
    atomic_uintptr_t *place;

    if (operation != OSSL_OP_KEYMGMT && operation != OSSL_OP_SIGNATURE)
        return;
    if (provider->application == NULL || atomic_load(settled))
        return;
    /* The nested look-up comes back to us in the same thread: it is answered at once. */
    place = enter(provider);
    if (place == NULL)
        return;
    OSSL_PROVIDER_do_all(provider->application, look, &line_up);
    if (line_up.behind != NULL)
        OSSL_PROVIDER_available(provider->application, line_up.behind);
    /* Also where nobody is behind us: another thread may be half way through this. */
    fetch_once(provider->application, operation);
    atomic_store(settled, true);
    atomic_store(place, 0);
}

void order_prepare(struct provider *provider)
{
    OSSL_LIB_CTX *application = provider->application;

    if (application == NULL || atomic_exchange(&provider->prepared, true))
        return;
    ERR_set_mark();
    EVP_SIGNATURE_free(EVP_SIGNATURE_fetch(application, "RSA", NULL));
    EVP_ASYM_CIPHER_free(EVP_ASYM_CIPHER_fetch(application, "RSA", NULL));
    EVP_MD_free(EVP_MD_fetch(application, "SHA256", NULL));
    ERR_pop_to_mark();
}

void order_complain(const struct provider *provider)
{
    struct line_up line_up = {.provider = provider};

    if (provider->application == NULL)
        return;
    OSSL_PROVIDER_do_all(provider->application, look, &line_up);
    /* Only where it is bound to fail: what succeeds must leave no error behind. */
    if (!line_up.complete)
        RAISE(
            provider, REASON_PROVIDER_MISSING,
            "neither the default nor the fips provider is active, and simkey only knows keys: put "
            "-provider default before -provider simkey, or activate default in openssl.cnf");
}
