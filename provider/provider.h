/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's context and what its files share: the core's functions, the private library
 * context in which public keys live and digests run, and the SIMs in use. */
#ifndef SIMKEY_PROVIDER_PROVIDER_H
#define SIMKEY_PROVIDER_PROVIDER_H

#include "apdu/choice.h"
#include "apdu/modems.h"
#include "apdu/sim.h"
#include "modem/outcome.h"
#include "provider/log.h"

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdbool.h>

/* The names and aliases are those of the default provider, so that both mean the same algorithm. */
#define NAMES_RSA "RSA:rsaEncryption:1.2.840.113549.1.1.1"
#define NAMES_EC  "EC:id-ecPublicKey:1.2.840.10045.2.1"

/* The structure that the PEM decoder announces and the key reference decoders take
 * (provider/keyref.h). */
#define KEYREF_STRUCTURE "SimKeyReference"

struct uri;

struct core {
    OSSL_FUNC_core_get_params_fn *get_params;
    OSSL_FUNC_core_get_libctx_fn *get_libctx;
    OSSL_FUNC_core_new_error_fn *new_error;
    OSSL_FUNC_core_set_error_debug_fn *set_error_debug;
    OSSL_FUNC_core_vset_error_fn *vset_error;
    OSSL_FUNC_CRYPTO_malloc_fn *crypto_malloc;
};

/* One of the SIMs in use. Entries are only ever added at the head, by compare and exchange: a
 * thread or a forked child always sees a whole list, and there is no lock that a fork could leave
 * taken. */
struct provider_sim {
    struct sim *sim;
    struct provider_sim *next;
};

/* How often the private library context may be made anew. */
#define CONTEXTS_REPLACED 16

/* Threads that look algorithms up for the first time at once. */
#define SETTLING_THREADS 64

struct provider {
    const OSSL_CORE_HANDLE *handle;
    struct core core;
    OSSL_DISPATCH *dispatch; /* a copy of what the core gave */
    /* Private: no configuration, only libcrypto's own default provider; context.c may replace it. */
    _Atomic(OSSL_LIB_CTX *) libctx;
    _Atomic(OSSL_LIB_CTX *) replaced[CONTEXTS_REPLACED];
    _Atomic unsigned replaced_count;
    /* Who loaded us; NULL if that one has another copy of libcrypto. */
    OSSL_LIB_CTX *application;
    _Atomic(struct config *) config; /* config.c; NULL: to be loaded */
    _Atomic uint32_t warned;         /* decoder.c: the reference that was told of last */
    _Atomic(struct provider_sim *) sims;
    atomic_bool settled[2]; /* order.c, as the next two */
    atomic_bool prepared;
    atomic_uintptr_t settling[SETTLING_THREADS];
    struct log_rate *logged; /* error.c */
    bool noted;              /* farewell.c */
    bool composite;          /* libcrypto is 3.4 or later */
};

/* config.c: reads file, openssl.cnf and environment. No device is touched. What is wrong with them is
 * said when a SIM is first needed. Where memory or descriptors ran out, the next use tries again. */
void config_load(struct provider *provider);

/* The SIM that a URI leads to by its settings and ours, with a reference for the caller. No I/O on a
 * device. iccid: the SIM that is meant, "" if any will do; it chooses among several modems. The SIMs
 * with equal settings are shared. Errors: OUTCOME_USAGE, OUTCOME_SYSTEM. */
enum outcome config_choice(struct provider *provider, const struct uri *uri, const char *iccid,
                           struct choice **choice, struct report *why);

/* The trace of the first modem, NULL if the configuration cannot be read. */
const struct trace *config_trace(struct provider *provider);

/* Whether that has this level; false as long as the configuration was not read. */
bool config_traces(const struct provider *provider, enum trace_level level);

/* Where the sentences of failures go beside OpenSSL's queue, as far as the configuration was read; the
 * environment alone where something is wrong with it. */
enum log_target config_log(const struct provider *provider);

/* Gives the SIMs back. */
void config_clear(struct provider *provider);

/* Closes what this process left open on the SIMs, see sim_close. */
void config_farewell(const struct provider *provider);

/* farewell.c: a provider that lives, false if there is no place to note it; and one that is torn
 * down, false if it is not noted (any more). */
bool farewell_note(struct provider *provider);
bool farewell_unnote(struct provider *provider);

/* context.c: after a failure in the private library context that no data explains: makes another one
 * if it has lost algorithms. True if it did: another try is worth it. Leaves the error queue as it
 * was. context_clear frees all. */
bool context_mend(struct provider *provider);
void context_clear(struct provider *provider);

/* order.c: see there. Called before query_operation answers. */
void order_settle(struct provider *provider, int operation);

/* Looks up, in the application's context, what a signature with a key of ours needs. To be called
 * once a key is loaded: libcrypto makes its methods at their first look-up, and permanently loses those
 * for which memory runs out just then, the default provider's too. */
void order_prepare(struct provider *provider);

/* Raises an error if no providers are active but base, null and simkey: for look-ups of what
 * only the default and fips providers have, which are bound to fail then. */
void order_complain(const struct provider *provider);

extern const OSSL_DISPATCH keymgmt_rsa_functions[];
extern const OSSL_DISPATCH keymgmt_ec_functions[];
extern const OSSL_DISPATCH signature_rsa_functions[];
extern const OSSL_DISPATCH signature_ecdsa_functions[];
extern const OSSL_DISPATCH asym_cipher_functions[];
extern const OSSL_DISPATCH encoder_text_functions[];
extern const OSSL_DISPATCH encoder_private_functions[];
extern const OSSL_DISPATCH store_functions[];
extern const OSSL_DISPATCH decoder_pem_functions[];
extern const OSSL_DISPATCH decoder_rsa_functions[];
extern const OSSL_DISPATCH decoder_ec_functions[];

#endif
