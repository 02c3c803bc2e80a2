/* SPDX-License-Identifier: Apache-2.0 */
/* A key from an engine of OpenSSL's old kind, for comparison: softhsm2's keys come that way on
 * Debian 12. An OpenSSL without engines says so. */
#undef OPENSSL_NO_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED

#include "test/bench/bench.h"

#ifndef OPENSSL_NO_ENGINE
#include <openssl/engine.h>

EVP_PKEY *engine_key(const char *engine, const char *name)
{
    EVP_PKEY *key = NULL;
    ENGINE *e;

    ENGINE_load_builtin_engines();
    e = ENGINE_by_id(engine);
    if (e == NULL || !ENGINE_init(e)) {
        bench_failed("cannot load the engine");
        ENGINE_free(e);
        return NULL;
    }
    key = ENGINE_load_private_key(e, name, NULL, NULL);
    if (key == NULL)
        bench_failed("the engine does not give the key");
    /* The key has the engine; both stay until the process ends. */
    ENGINE_free(e);
    return key;
}
#else
EVP_PKEY *engine_key(const char *engine, const char *name)
{
    (void)engine;
    (void)name;
    bench_failed("this OpenSSL has no engines");
    return NULL;
}
#endif
