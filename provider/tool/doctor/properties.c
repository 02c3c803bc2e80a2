/* SPDX-License-Identifier: Apache-2.0 */
/* simkey doctor, step provider: whether a program that uses openssl.cnf, with its default_properties,
 * still finds the SIM's keys, and everything else where it belongs. What OpenSSL really finds is looked
 * at; the line in the file is only quoted. */
#include "provider/tool/doctor/doctor.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <string.h>

#define REMEDY                                                                                     \
    "write `default_properties = ?provider!=simkey`, or for FIPS `?fips=yes,?provider!=simkey`: "  \
    "the SIM's keys find simkey by themselves"

/* The line as openssl.cnf has it, "" if there is none. */
static void find_line(const char *path, char *line, size_t size)
{
    CONF *conf = NCONF_new(NULL);
    const char *value = NULL;

    line[0] = '\0';
    if (conf != NULL && NCONF_load(conf, path, NULL) > 0 &&
        (value = NCONF_get_string(conf, NULL, "openssl_conf")) != NULL &&
        (value = NCONF_get_string(conf, value, "alg_section")) != NULL &&
        (value = NCONF_get_string(conf, value, "default_properties")) != NULL)
        (void)snprintf(line, size, "%s", value);
    NCONF_free(conf);
}

/* The provider whose EC keys are found by the default properties and these: NULL if nobody's are. */
static const char *find_keys(OSSL_LIB_CTX *libctx, const char *properties)
{
    EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(libctx, "EC", properties);
    const char *name = NULL;

    if (keymgmt != NULL)
        name = OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(keymgmt));
    EVP_KEYMGMT_free(keymgmt);
    return name;
}

static bool find_store(OSSL_LIB_CTX *libctx)
{
    OSSL_STORE_LOADER *loader = OSSL_STORE_LOADER_fetch(libctx, "sim", NULL);

    OSSL_STORE_LOADER_free(loader);
    return loader != NULL;
}

bool doctor_properties(struct doctor *doctor, OSSL_LIB_CTX *libctx, const char *conf)
{
    const char *general, *ours;
    char line[200];
    bool store;

    ERR_set_mark();
    find_line(conf, line, sizeof line);
    general = find_keys(libctx, NULL);
    ours = find_keys(libctx, "provider=simkey");
    store = find_store(libctx);
    ERR_pop_to_mark();
    if (ours == NULL || !store)
        doctor_warn(doctor, REMEDY,
                    "%s hides simkey from programs: with `default_properties = %s` OpenSSL finds "
                    "%s",
                    conf, line,
                    store ? "none of the SIM's keys" : "no sim: URI and no key reference");
    else if (general == NULL)
        doctor_warn(
            doctor, "correct it, or activate the provider that it asks for",
            "with `default_properties = %s` of %s OpenSSL finds no EC keys: TLS does not work",
            line, conf);
    else if (strcmp(general, "simkey") == 0)
        doctor_warn(doctor, REMEDY,
                    "%s makes OpenSSL ask simkey for what other providers do (`default_properties "
                    "= %s`): TLS has no P-256, P-384 and P-521 then, and programs cannot make keys",
                    conf, line);
    else
        return true;
    return false;
}
